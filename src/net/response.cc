#include "net/response.h"

namespace kb::net {

void Response::Add(Buffer bytes) {
  memory_bytes_ += bytes.size();
  Slice slice{.data = bytes.data(), .size = bytes.size()};
  slice.owned = std::move(bytes);
  AddSlice(std::move(slice));
}

void Response::AddView(ByteView bytes) {
  memory_bytes_ += bytes.size();
  AddSlice({.data = bytes.data(), .size = bytes.size()});
}

void Response::AddFile(FileRange range) {
  Slice slice{.size = range.size};
  slice.file = std::make_unique<Slice::File>(std::move(range));
  AddSlice(std::move(slice));
}

void Response::AddSlice(Slice slice) {
  if (slice.size == 0) return;  // an empty slice would look like a peer that takes nothing
  size_ += slice.size;
  KB_CHECK(size_ <= INT32_MAX);
  slices_.push_back(std::move(slice));
}

}  // namespace kb::net

#include "net/memory.h"

namespace kb::net {

MemoryAccount::MemoryAccount(size_t capacity_bytes, reactor::Reactor& home, reactor::Closure on_returned)
    : capacity_bytes_(capacity_bytes), home_(home), on_returned_(std::move(on_returned)) {}

bool MemoryAccount::TryTake(size_t bytes) {
  bool fits = used_bytes_ == 0 || (bytes <= capacity_bytes_ && used_bytes_ <= capacity_bytes_ - bytes);
  if (fits) used_bytes_ += bytes;
  return fits;
}

void MemoryAccount::Return(size_t bytes) {
  KB_CHECK(bytes <= used_bytes_);
  used_bytes_ -= bytes;
  if (awaited_) home_.Schedule(on_returned_);
}

}  // namespace kb::net

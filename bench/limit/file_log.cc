#include "limit/file_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "stress/raw_client.h"

namespace kb::limit {
namespace {

constexpr size_t kHeaderBytes = 61, kLengthAt = 8, kLengthEnd = 12, kCrcAt = 17, kCrcEnd = 21, kLastDeltaAt = 23;

int Open(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) raw::Die("a file in " + folder + ": " + strerror(errno));
  return descriptor;
}

}  // namespace

FileLog::FileLog(const std::string& folder) : descriptor_(Open(folder)) {}

FileLog::~FileLog() {
  close(descriptor_);
}

int64_t FileLog::Append(std::span<uint8_t> batch) {
  if (batch.size() < kHeaderBytes) return -1;
  if (LoadBigEndian<uint32_t>(&batch[kLengthAt]) != batch.size() - kLengthEnd) return -1;
  const auto last_delta = LoadBigEndian<int32_t>(&batch[kLastDeltaAt]);
  if (last_delta < 0 || LoadBigEndian<uint32_t>(&batch[kCrcAt]) != Crc32c(batch.subspan(kCrcEnd))) return -1;
  StoreBigEndian<int64_t>(batch.data(), end_);
  if (write(descriptor_, batch.data(), batch.size()) != static_cast<ssize_t>(batch.size())) {
    raw::Die(std::string("write: ") + strerror(errno));
  }
  batches_.push_back({.base_offset = end_, .position = size_});
  size_ += static_cast<off_t>(batch.size());
  end_ += last_delta + 1;
  return batches_.back().base_offset;
}

FileLog::Range FileLog::Find(int64_t offset, size_t most_bytes) const {
  if (offset < 0 || offset >= end_) return {};
  const auto behind = std::upper_bound(batches_.begin(), batches_.end(), offset,
                                       [](int64_t wanted, const Batch& batch) { return wanted < batch.base_offset; });
  const off_t position = (behind - 1)->position;
  const off_t first_end = behind == batches_.end() ? size_ : behind->position;
  const off_t end = std::max(first_end, std::min(size_, position + static_cast<off_t>(most_bytes)));
  return {.position = position, .bytes = static_cast<size_t>(end - position)};
}

}  // namespace kb::limit

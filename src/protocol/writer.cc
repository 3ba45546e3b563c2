#include "protocol/writer.h"

namespace kb::protocol {
namespace {

// A frame's size is an int32 and counts the header too.
constexpr uint64_t kMostBytes = INT32_MAX - 64 * 1024;

}  // namespace

Result<size_t> Measurer::Finish(std::string_view message, int16_t version) const {
  const char* refusal = refusal_;
  if (refusal == nullptr && size_ + external_size_ > kMostBytes) refusal = "longer than a frame can be";
  if (refusal == nullptr) return size_;
  return Error{.kind = ErrorKind::kInvalid,
               .message = std::string(message) + " version " + std::to_string(version) + ": " + refusal};
}

}  // namespace kb::protocol

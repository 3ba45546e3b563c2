#include "protocol/writer.h"

namespace kb::protocol {

Result<size_t> Measurer::Finish(std::string_view message, int16_t version) const {
  if (refusal_ == nullptr) return size_;
  return Error{.kind = ErrorKind::kInvalid,
               .message = std::string(message) + " version " + std::to_string(version) + ": " + refusal_};
}

}  // namespace kb::protocol

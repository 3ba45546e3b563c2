// Refusal: why a part of a request is not done, as its answer says it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "protocol/error_code.h"

namespace kb::controller {

// kNone: nothing is wrong.
struct Refusal {
  ErrorCode code = ErrorCode::kNone;
  std::string message = {};
  explicit operator bool() const { return code != ErrorCode::kNone; }
};

// The message is copied into the arena; there is none when nothing is wrong, or nothing is to be said.
template <typename Result>
void Put(Arena& arena, const Refusal& refusal, Result& result) {
  result.error_code = static_cast<int16_t>(refusal.code);
  result.error_message = std::nullopt;
  if (!refusal || refusal.message.empty()) return;
  // It may name what a client made up, at its full length; old versions cannot carry more than 32 KiB.
  constexpr size_t kMostMessageBytes = 4096;
  result.error_message = arena.Copy(std::string_view(refusal.message).substr(0, kMostMessageBytes));
}

}  // namespace kb::controller

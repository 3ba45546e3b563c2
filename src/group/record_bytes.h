// What reading and writing records of __consumer_offsets shares. Functions of values, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/result.h"

namespace kb::group {

// What is written fits its schema: lengths were bounded when it was accepted.
inline std::string OwnedBytes(const Result<ByteView>& encoded) {
  KB_CHECK(encoded.ok());
  return std::string(AsText(*encoded));
}

inline std::optional<std::string_view> ViewOf(const std::optional<std::string>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string_view(*text);
}

inline std::optional<std::string> OwnedText(const std::optional<std::string_view>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string(*text);
}

inline Error CorruptRecord(std::string_view what) {
  return Error{ErrorKind::kCorrupt, "__consumer_offsets: malformed " + std::string(what)};
}

}  // namespace kb::group

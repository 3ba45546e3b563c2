// What reading and writing records of __consumer_offsets shares. Functions of values, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/result.h"
#include "protocol/writer.h"

namespace kb::group {

// What is written fits its schema: lengths were bounded when it was accepted.
inline std::string OwnedBytes(const Result<ByteView>& encoded) {
  KB_CHECK(encoded.ok());
  return std::string(AsText(*encoded));
}

// The same bytes as protocol::EncodeCoordinatorKey and EncodeCoordinatorValue give, without an arena in between: for
// the records of a commit, which are written most.
template <typename Message>
std::string StoredBytes(int16_t prefix, const Message& message, int16_t version) {
  Result<size_t> body = EncodedSize(message, version);
  KB_CHECK(body.ok());
  std::string bytes(sizeof prefix + *body, '\0');
  protocol::Writer writer({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  writer.PutInt16(prefix);
  Encode(message, version, writer);
  KB_CHECK(writer.left() == 0);
  return bytes;
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

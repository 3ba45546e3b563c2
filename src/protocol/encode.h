// Encoding into an arena, for who wants the bytes and no ceremony: records of the broker's own logs, requests, tests.
//
//   Result<ByteView> bytes = EncodeTo(arena, message, version);
//
// The bytes live as long as the arena. External records are refused here: there is nobody to send them.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"
#include "protocol/writer.h"

namespace kb::protocol {

// `prefix` more bytes in front of the body, for put_prefix(writer) to fill exactly.
template <typename Message, typename PutPrefix>
Result<ByteView> EncodeBehind(Arena& arena, size_t prefix, const PutPrefix& put_prefix, const Message& message,
                              int16_t version) {
  Result<size_t> body = EncodedSize(message, version);
  if (!body.ok()) return body.error();
  size_t size = prefix + *body;
  auto* to = static_cast<uint8_t*>(arena.Allocate(size, 1));
  Writer writer({to, size});
  put_prefix(writer);
  Encode(message, version, writer);
  KB_CHECK(writer.left() == 0 && writer.splices().empty());
  return ByteView{to, size};
}

template <typename Message>
Result<ByteView> EncodeTo(Arena& arena, const Message& message, int16_t version) {
  return EncodeBehind(arena, 0, [](Writer&) {}, message, version);
}

}  // namespace kb::protocol

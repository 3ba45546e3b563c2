// What must hold of the codec for any bytes whatever. The fuzz targets call these, and so does a plain test with the
// golden bytes and damaged copies of them (test/message/fuzz_corpus_test.cc). A violation stops the process.
//
//   - nothing is read outside the bytes (the sanitizers watch), and decoding takes no more memory than Reader says
//   - what was decoded can be encoded: in exactly the announced size, and decoding that again gives a message that
//   encodes to
//     the same bytes and leaves nothing over
//   - in any other version it is either refused or encoded, and then decodable and stable just so
#pragma once

#include "base/bytes.h"
#include "protocol/message_info.h"

namespace kb::fuzz {

// One message in one version. Whether it was accepted.
bool DecodeAndBack(const protocol::MessageInfo& info, int16_t version, ByteView body);

// The same, and then the message in every version of its schema.
void DecodeAndEncodeInEveryVersion(const protocol::MessageInfo& info, int16_t version, ByteView body);

// A frame without its size: a request's header and, where key and version are known, its body. Whether all was
// accepted.
bool DecodeRequest(ByteView frame);

// Bytes that choose a message and a version, and a body behind them: index: uint16 (taken modulo), version: uint8
// (likewise).
struct Chosen {
  const protocol::MessageInfo* info = nullptr;  // nullptr: too few bytes
  int16_t version = 0;
  ByteView body;
};
enum class Family { kResponses, kStored, kAll };  // kStored: everything that is neither a request nor a response
Chosen Choose(Family family, ByteView bytes);

}  // namespace kb::fuzz

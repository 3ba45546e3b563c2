// The few bytes that Kafka puts in front of a message when it stores one in a record, so that a reader knows what it
// is.
//
//   record of the metadata log and of the remote log's metadata
//                                value := frame_version: uvarint (1), key: uvarint, version: uvarint, body
//   record of a coordinator      key   := key: int16, body in version 0
//                                value := version: int16, body
//   protocol metadata of consumers, control record keys, transaction markers, producer snapshots
//                                      := version: int16, body
//
// The bytes that the Encode functions return live in the arena. Reading leaves the reader at the body; a version that
// we do not know is for the caller to judge (Decode refuses it). Functions of values: any thread.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"
#include "protocol/encode.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace kb::protocol {

inline constexpr uint32_t kMetadataFrameVersion = 1;

// Which schema of a family, and which version of it.
struct RecordType {
  int16_t key = -1;
  int16_t version = -1;
};

// False: cut short, of another frame version, or numbers that no schema can have.
bool ReadMetadataFrame(Reader& reader, RecordType& out);
// The int16 in front of a coordinator's key (its type), a coordinator's value (its version) and other stored messages.
bool ReadInt16Prefix(Reader& reader, int16_t& out);

size_t MetadataFrameSize(RecordType type);
void WriteMetadataFrame(RecordType type, Writer& writer);

template <typename Message>
Result<ByteView> EncodeMetadataRecord(Arena& arena, const Message& message, int16_t version) {
  RecordType type{Message::kKey, version};
  return EncodeBehind(
      arena, MetadataFrameSize(type), [&](Writer& w) { WriteMetadataFrame(type, w); }, message, version);
}

template <typename Message>
Result<ByteView> EncodeCoordinatorKey(Arena& arena, const Message& message) {
  return EncodeBehind(arena, sizeof(int16_t), [](Writer& w) { w.PutInt16(Message::kKey); }, message, 0);
}

// Also what a coordinator's value is.
template <typename Message>
Result<ByteView> EncodeVersioned(Arena& arena, const Message& message, int16_t version) {
  return EncodeBehind(arena, sizeof(int16_t), [&](Writer& w) { w.PutInt16(version); }, message, version);
}
template <typename Message>
Result<ByteView> EncodeCoordinatorValue(Arena& arena, const Message& message, int16_t version) {
  return EncodeVersioned(arena, message, version);
}

}  // namespace kb::protocol

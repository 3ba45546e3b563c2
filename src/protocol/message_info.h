// MessageInfo: a message with its type erased, for what must treat all of them alike: tools that print records, tests,
// fuzzers. message/registry.h lists them all. The broker itself names the types it means.
//
// Immutable, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace kb::protocol {

enum class MessageKind {
  kRequest,           // body of a request
  kResponse,          // body of a response
  kHeader,            // of requests or responses
  kData,              // bytes inside other things
  kMetadata,          // record of the metadata log, or of the remote log's
  kCoordinatorKey,    // key of a record of a coordinator's topic
  kCoordinatorValue,  // its value
};

struct MessageInfo {
  std::string_view name;
  std::string_view area;  // the schema's folder: "api", "metadata", "group", …: a key is unique within area and kind
  MessageKind kind;
  int16_t key;  // -1: none
  int16_t min_version;
  int16_t max_version;
  int16_t flexible_version;
  size_t struct_size;

  // A message of defaults, in the arena. The other functions take what this one made.
  void* (*create)(Arena& arena);
  bool (*decode)(Reader& reader, int16_t version, Arena& arena, void* out);
  Result<size_t> (*encoded_size)(const void* message, int16_t version);
  void (*encode)(const void* message, int16_t version, Writer& writer);
};

template <typename Message>
constexpr int16_t KeyOf() {
  if constexpr (requires { Message::kKey; }) {
    return Message::kKey;
  } else {
    return -1;
  }
}

template <typename Message>
constexpr MessageInfo MessageInfoOf(std::string_view area, MessageKind kind) {
  return {
      .name = Message::kName,
      .area = area,
      .kind = kind,
      .key = KeyOf<Message>(),
      .min_version = Message::kMinVersion,
      .max_version = Message::kMaxVersion,
      .flexible_version = Message::kFlexibleVersion,
      .struct_size = sizeof(Message),
      .create = [](Arena& arena) -> void* { return arena.New<Message>(); },
      .decode = [](Reader& reader, int16_t version, Arena& arena,
                   void* out) { return Decode(reader, version, arena, *static_cast<Message*>(out)); },
      .encoded_size = [](const void* message,
                         int16_t version) { return EncodedSize(*static_cast<const Message*>(message), version); },
      .encode = [](const void* message, int16_t version,
                   Writer& writer) { Encode(*static_cast<const Message*>(message), version, writer); },
  };
}

}  // namespace kb::protocol

// Messages as JSON, for tests and for tools that show records to people. Not linked into the broker.
//
// Field names in camelCase; bytes and records in base64; uuids as Kafka prints them; 64-bit numbers as plain JSON
// integers. A tagged field that is at its default is left out. Unknown tags are "_unknown": {"NUMBER": "HEX"} in the
// struct that holds them. Only the fields of the given version appear; from JSON each of them that is not tagged must
// be there, and nothing else.
//
// Strings are kept as they are: one that is not UTF-8 makes dump() throw unless it is told to replace.
//
// Functions of values: any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/check.h"
#include "base/result.h"

namespace kb::message_json {

struct Codec {
  std::string_view name;  // of the message, as "FetchRequest"
  nlohmann::json (*to_json)(const void* message, int16_t version);
  // Views into `json` and into the arena. An error (kInvalid) names the field.
  Status (*from_json)(const nlohmann::json& json, int16_t version, Arena& arena, void* out);
};

// nullptr: no such message.
const Codec* FindCodec(std::string_view name);

template <typename Message>
nlohmann::json ToJson(const Message& message, int16_t version) {
  return FindCodec(Message::kName)->to_json(&message, version);
}

// `out` keeps views into `json` (strings) and into the arena.
template <typename Message>
Status FromJson(const nlohmann::json& json, int16_t version, Arena& arena, Message& out) {
  return FindCodec(Message::kName)->from_json(json, version, arena, &out);
}

}  // namespace kb::message_json

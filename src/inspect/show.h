// Stored records as JSON text: one function for each message that is kept in a log, made by protocol/generate.py.
// Immutable, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "inspect/json_text.h"

namespace kb::inspect {

struct Shower {
  std::string_view name;  // of the message, as "TopicRecord"
  void (*show)(const void* message, int16_t version, JsonText& out);
};

// nullptr: not a message that is stored.
const Shower* FindShower(std::string_view name);

}  // namespace kb::inspect

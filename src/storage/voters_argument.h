// --initial-controllers: who votes in a dynamic quorum from its beginning.
//
//   ID@HOST:PORT:DIRECTORY[,…]       0@example.com:8082:JEXY6aqzQY-32P5TStzaFg     an IPv6 address in brackets
//
// Pure function.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/control.h"

namespace kb::storage {

// In the order of their ids. listener: the name of the controllers' listener. kInvalid: what is wrong, in one line.
Result<std::vector<record::Voter>> ParseVoters(std::string_view argument, std::string_view listener);

}  // namespace kb::storage

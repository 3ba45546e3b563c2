// Properties: a file in the syntax of java.util.Properties, which is what server.properties is.
//
//   # comment, also with !             key=value   key: value   key value      later duplicates win
//   a line goes on \                   \t \n \r \f \uXXXX are escapes, any other \x is x
//     in the next
//
// Bytes beyond ASCII are taken as they are (UTF-8); Java would take them as Latin-1. Immutable values, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kb::config {

// Keys to values, as texts. The shape in which the metadata image keeps dynamic configurations, too.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// kInvalid with the line number when an escape is malformed.
Result<ConfigMap> ParseProperties(std::string_view text);

// "key=value", as --override has it. kInvalid when there is no '=' or no key.
Result<std::pair<std::string, std::string>> ParseOverride(std::string_view text);

}  // namespace kb::config

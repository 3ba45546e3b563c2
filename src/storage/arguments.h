// Arguments as Apache Kafka's tools read them:
//
//   --cluster-id ID   --cluster-id=ID   --clus ID (any prefix that only one option has)   -t ID   -tID   -t=ID   -sg
//   @FILE             each line of the file is an argument
//
// Plain values, no state.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"

namespace kb::storage {

struct Option {
  std::string_view name;  // without the dashes
  char letter;
  bool takes_value = true;
  bool required = false;
  bool exclusive = false;  // at most one of those that are
};

// By the option's name, the values in the order given; "" for an option that takes none.
using Given = std::map<std::string_view, std::vector<std::string>>;

// kInvalid: what is wrong, in one line. The keys of the result are the options' names.
Result<Given> ParseArguments(std::span<const Option> options, std::span<const std::string> arguments);

// Replaces what begins with '@'.
Result<std::vector<std::string>> ExpandFiles(io::FileSystem& files, std::span<const std::string_view> arguments);

}  // namespace kb::storage

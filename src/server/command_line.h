// The command line: a properties file, overrides of its keys, and flags of the process.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/server_config.h"

namespace kb::server {

extern const char kUsageText[];

struct CommandLine {
  std::string properties_file;  // "": none was named
  std::vector<std::pair<std::string, std::string>> overrides;
  bool help = false;
  bool version = false;
};

// Sets the gflags it meets. kInvalid: what was wrong, and what is allowed.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv);

// The file, or the embedded default, with the overrides on top. kInvalid names key, value and what is allowed.
Result<config::ServerConfig> LoadConfig(const CommandLine& line);

}  // namespace kb::server

#include "server/command_line.h"

#include <gflags/gflags.h>

#include "config/properties.h"
#include "io/file_system.h"

namespace kb::server {

const char kUsageText[] =
    "usage: kafka-broker [server.properties] [--override key=value]... [flags of the process]\n"
    "       kafka-broker dump-log --files FILE[,FILE...] [option]...   prints log, index and snapshot files\n"
    "       kafka-broker verify DIR [DIR...]                           checks data directories; changes nothing\n"
    "       kafka-broker storage COMMAND [option]...                   formats data directories, says what they are\n"
    "\n"
    "  server.properties        Apache Kafka's configuration; without it a broker on port 9092 with its data in "
    "./data\n"
    "  --override key=value     one key of it, on top of the file; may be repeated\n"
    "  --reactors=N             event loops; default: one for each CPU\n"
    "  --disk_threads=N         most threads for work that waits for the disk (4)\n"
    "  --cached_tail_mib=N      what of a segment stays in the page cache behind its end; 0: the kernel decides (0)\n"
    "  --pin                    pin each reactor to a CPU\n"
    "  --help, --version\n";

namespace {

Error Usage(std::string message) {
  return Error{ErrorKind::kInvalid, std::move(message)};
}

Status AddOverride(std::string_view text, CommandLine& line) {
  Result<std::pair<std::string, std::string>> parsed = config::ParseOverride(text);
  if (!parsed.ok()) return parsed.error();
  line.overrides.push_back(std::move(parsed).value());
  return Status();
}

// --name=value, --name value, --name and --noname for booleans. Takes what it used from `rest`.
Status SetFlag(std::string_view argument, int argc, const char* const* argv, int& at) {
  std::string name(argument.substr(argument.starts_with("--") ? 2 : 1));
  std::string value;
  size_t equals = name.find('=');
  bool has_value = equals != std::string::npos;
  if (has_value) {
    value = name.substr(equals + 1);
    name.resize(equals);
  }
  google::CommandLineFlagInfo info;
  bool negated = false;
  if (!google::GetCommandLineFlagInfo(name.c_str(), &info)) {
    negated = name.starts_with("no") && google::GetCommandLineFlagInfo(name.c_str() + 2, &info) && info.type == "bool";
    if (!negated || has_value) return Usage("unknown flag --" + name);
    name = name.substr(2);
    value = "false";
  } else if (!has_value && info.type == "bool") {
    value = "true";
  } else if (!has_value) {
    if (at + 1 >= argc) return Usage("--" + name + " needs a value");
    value = argv[++at];
  }
  if (google::SetCommandLineOption(name.c_str(), value.c_str()).empty()) {
    return Usage("--" + name + " is a flag of type " + info.type + ", not '" + value + "'");
  }
  return Status();
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  for (int at = 1; at < argc; ++at) {
    std::string_view argument = argv[at];
    if (argument == "--help" || argument == "-h") {
      line.help = true;
    } else if (argument == "--version") {
      line.version = true;
    } else if (argument == "--override") {
      if (at + 1 >= argc) return Usage("--override takes key=value");
      KB_RETURN_IF_ERROR(AddOverride(argv[++at], line));
    } else if (argument.starts_with("--override=")) {
      KB_RETURN_IF_ERROR(AddOverride(argument.substr(argument.find('=') + 1), line));
    } else if (argument.starts_with("-") && argument.size() > 1) {
      KB_RETURN_IF_ERROR(SetFlag(argument, argc, argv, at));
    } else if (line.properties_file.empty()) {
      line.properties_file = argument;
    } else {
      return Usage("more than one properties file: " + line.properties_file + " and " + std::string(argument));
    }
  }
  return line;
}

Result<config::ServerConfig> LoadConfig(const CommandLine& line) {
  config::ConfigInput input;
  input.overrides = line.overrides;
  if (!line.properties_file.empty()) {
    Result<std::string> text = io::ReadFile(io::RealFileSystem(), line.properties_file);
    if (!text.ok()) return text.error();
    Result<config::ConfigMap> properties = config::ParseProperties(*text);
    if (!properties.ok()) {
      return Error{ErrorKind::kInvalid, line.properties_file + ": " + properties.error().message};
    }
    input.file = std::move(properties).value();
  }
  return config::LoadServerConfig(input);
}

}  // namespace kb::server

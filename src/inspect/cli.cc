#include "inspect/cli.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/dump_log.h"
#include "inspect/verify.h"

namespace kb::inspect {
namespace {

constexpr int kUsage = 64;

int RefuseUsage(std::ostream& err, const Error& error, std::string_view usage) {
  err << "kafka-broker: " << error.message << "\n" << usage;
  return kUsage;
}

int RunDumpLog(io::FileSystem& files, const std::string& working_directory,
               std::span<const std::string_view> arguments, std::ostream& out, std::ostream& err) {
  Result<DumpOptions> options = ParseDumpArguments(arguments);
  if (!options.ok()) return RefuseUsage(err, options.error(), kDumpLogUsage);
  if (options->help) {
    out << kDumpLogUsage;
    return 0;
  }
  options->working_directory = working_directory;
  return DumpLog(files, *options, out, err);
}

int RunVerify(io::FileSystem& files, std::span<const std::string_view> arguments, std::ostream& out,
              std::ostream& err) {
  std::vector<std::string> directories;
  for (std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      out << kVerifyUsage;
      return 0;
    }
    if (argument.empty() || argument.starts_with("-")) {
      return RefuseUsage(err, Error{ErrorKind::kInvalid, "unknown argument '" + std::string(argument) + "'"}, kVerifyUsage);
    }
    directories.emplace_back(argument);
  }
  if (directories.empty()) {
    return RefuseUsage(err, Error{ErrorKind::kInvalid, "verify which directory?"}, kVerifyUsage);
  }
  return Verify(files, directories, out, err);
}

}  // namespace

std::optional<int> RunSubcommand(io::FileSystem& files, const std::string& working_directory, int argc,
                                 const char* const* argv, std::ostream& out, std::ostream& err) {
  if (argc < 2) return std::nullopt;
  std::vector<std::string_view> arguments(argv + 2, argv + argc);
  if (argv[1] == std::string_view("dump-log")) return RunDumpLog(files, working_directory, arguments, out, err);
  if (argv[1] == std::string_view("verify")) return RunVerify(files, arguments, out, err);
  return std::nullopt;
}

}  // namespace kb::inspect

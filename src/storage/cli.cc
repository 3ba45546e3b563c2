#include "storage/cli.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/properties.h"
#include "config/server_config.h"
#include "storage/arguments.h"
#include "storage/features_text.h"
#include "storage/format.h"
#include "storage/info.h"

namespace kb::storage {
namespace {

constexpr std::string_view kUsage =
    "usage: kafka-broker storage COMMAND [option]...\n"
    "\n"
    "  format --config FILE --cluster-id ID   makes the log directories of FILE a new node's\n"
    "      -c, --config FILE                  server.properties\n"
    "      -t, --cluster-id ID                as random-uuid prints one\n"
    "      -s, --standalone                   this node alone is the quorum, a dynamic one\n"
    "      -I, --initial-controllers LIST     ID@HOST:PORT:DIRECTORY,... are the quorum, a dynamic one\n"
    "      -N, --no-initial-controllers       a dynamic quorum that others tell this node of\n"
    "      -S, --add-scram USER               SCRAM-SHA-256=[name=alice,password=secret]\n"
    "                                         "
    "SCRAM-SHA-512=[name=alice,iterations=8192,salt=\"N3E=\",saltedpassword=\"YCE=\"]\n"
    "      -f, --feature NAME=LEVEL           a feature's level, if not the usual one\n"
    "      -r, --release-version VERSION      features of an earlier release (3.3-IV3 to 4.3-IV0, or 3.9)\n"
    "      -g, --ignore-formatted             leaves formatted directories as they are, and formats the others\n"
    "  info --config FILE                     what the log directories are\n"
    "  random-uuid                            prints an id\n"
    "  version-mapping [-r VERSION]           the features of a release\n"
    "  feature-dependencies -f NAME=LEVEL...  what features need\n";

constexpr std::string_view kConfig = "config";
constexpr Option kConfigOption = {.name = kConfig, .letter = 'c', .required = true};
constexpr Option kReleaseOption = {.name = kReleaseVersion, .letter = 'r'};

constexpr std::array<Option, 9> kFormatOptions = {{
    kConfigOption,
    {.name = kClusterId, .letter = 't', .required = true},
    {.name = kAddScram, .letter = 'S'},
    {.name = kIgnoreFormatted, .letter = 'g', .takes_value = false},
    kReleaseOption,
    {.name = kFeature, .letter = 'f'},
    {.name = kStandalone, .letter = 's', .takes_value = false, .exclusive = true},
    {.name = kNoInitialControllers, .letter = 'N', .takes_value = false, .exclusive = true},
    {.name = kInitialControllers, .letter = 'I', .exclusive = true},
}};
constexpr std::array<Option, 1> kInfoOptions = {kConfigOption};
constexpr std::array<Option, 1> kMappingOptions = {kReleaseOption};
constexpr std::array<Option, 1> kDependencyOptions = {{{.name = kFeature, .letter = 'f', .required = true}}};

Result<config::ServerConfig> Load(io::FileSystem& files, const std::string& path) {
  Result<std::string> text = io::ReadFile(files, path);
  if (!text.ok()) return text.error();
  Result<config::ConfigMap> properties = config::ParseProperties(*text);
  if (!properties.ok()) return Error{ErrorKind::kInvalid, path + ": " + properties.error().message};
  config::ConfigInput input;
  input.file = *std::move(properties);
  return config::LoadServerConfig(input);
}

Result<int> RunFormat(const Surroundings& around, const Given& given) {
  Result<config::ServerConfig> config = Load(around.files, given.at(kConfig).back());
  if (!config.ok()) return config.error();
  Result<FormatPlan> plan = PlanFormat(*config, given, around.random);
  if (!plan.ok()) return plan.error();
  const std::string left_out = plan->left_out;
  KB_RETURN_IF_ERROR(Format(around.files, *std::move(plan), given.contains(kIgnoreFormatted), around.random,
                            around.now_ms, around.out));
  if (!left_out.empty()) {
    around.err << "kafka-broker: left at level 0, as this broker does not serve them yet (--feature sets them): "
               << left_out << "\n";
  }
  return 0;
}

Result<int> RunInfo(const Surroundings& around, const Given& given) {
  Result<config::ServerConfig> config = Load(around.files, given.at(kConfig).back());
  if (!config.ok()) return config.error();
  return PrintInfo(around.files, *config, around.out);
}

Result<int> RunRandomUuid(const Surroundings& around, const Given&) {
  around.out << around.random.NextUuid().ToString() << "\n";
  return 0;
}

Result<int> RunVersionMapping(const Surroundings& around, const Given& given) {
  auto release = given.find(kReleaseVersion);
  KB_RETURN_IF_ERROR(PrintVersionMapping(
      release == given.end() ? ReleaseName(metadata::kLatestMetadataVersion) : std::string_view(release->second.back()),
      around.out));
  return 0;
}

Result<int> RunDependencies(const Surroundings& around, const Given& given) {
  KB_RETURN_IF_ERROR(PrintDependencies(given.at(kFeature), around.out));
  return 0;
}

struct Command {
  std::string_view name;
  std::span<const Option> options;
  Result<int> (*run)(const Surroundings&, const Given&);
};
constexpr std::array<Command, 5> kCommands = {{
    {"info", kInfoOptions, RunInfo},
    {"format", kFormatOptions, RunFormat},
    {"version-mapping", kMappingOptions, RunVersionMapping},
    {"feature-dependencies", kDependencyOptions, RunDependencies},
    {"random-uuid", {}, RunRandomUuid},
}};

int RefuseUsage(std::ostream& err, std::string_view message) {
  err << kUsage << "kafka-broker storage: error: " << message << "\n";
  return 1;
}

int Run(const Surroundings& around, std::span<const std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (argument != "-h" && argument != "--help") continue;
    around.out << kUsage;
    return 0;
  }
  if (arguments.empty()) return RefuseUsage(around.err, "too few arguments");
  auto command = std::find_if(kCommands.begin(), kCommands.end(),
                              [&](const Command& one) { return one.name == arguments.front(); });
  if (command == kCommands.end()) return RefuseUsage(around.err, "there is no command '" + arguments.front() + "'");
  Result<Given> given = ParseArguments(command->options, arguments.subspan(1));
  if (!given.ok()) return RefuseUsage(around.err, given.error().message);
  Result<int> code = command->run(around, *given);
  if (code.ok()) return *code;
  around.err << code.error().message << "\n";
  return 1;
}

}  // namespace

std::optional<int> RunSubcommand(const Surroundings& surroundings, int argc, const char* const* argv) {
  if (argc < 2 || argv[1] != std::string_view("storage")) return std::nullopt;
  const std::vector<std::string_view> given(argv + 2, argv + argc);
  Result<std::vector<std::string>> arguments = ExpandFiles(surroundings.files, given);
  if (!arguments.ok()) return RefuseUsage(surroundings.err, arguments.error().message);
  return Run(surroundings, *arguments);
}

}  // namespace kb::storage

#include "storage/format.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "message/feature_level_record.h"
#include "message/user_scram_credential_record.h"
#include "metadata/features.h"
#include "storage/features_text.h"
#include "storage/scram_argument.h"
#include "storage/voters_argument.h"

namespace kb::storage {
namespace {

using metadata::Feature;
using FeatureLevels = std::map<std::string, int16_t, std::less<>>;

Error Wrong(std::string message) {
  return Error{ErrorKind::kInvalid, std::move(message)};
}

std::vector<std::string> ValuesOf(const Given& given, std::string_view option) {
  auto found = given.find(option);
  return found == given.end() ? std::vector<std::string>() : found->second;
}

std::string LastOf(const Given& given, std::string_view option) {
  auto found = given.find(option);
  return found == given.end() ? "" : found->second.back();
}

// It becomes a line of meta.properties.
Result<std::string> ReadClusterId(const Given& given) {
  std::string id = LastOf(given, kClusterId);
  bool is_plain = std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
  if (id.empty() || !is_plain)
    return Wrong("the cluster id '" + id + "' is empty, or has blanks or unusual characters in it");
  return id;
}

Result<FeatureLevels> ReadFeatures(const Given& given) {
  FeatureLevels levels;
  for (const std::string& text : ValuesOf(given, kFeature)) {
    Result<std::pair<std::string, int16_t>> feature = ParseFeature(text);
    if (!feature.ok()) return feature.error();
    levels[feature->first] = feature->second;
  }
  return levels;
}

Result<int16_t> ReadMetadataVersion(const Given& given, const FeatureLevels& levels, bool unstable_enabled) {
  bool has_release = given.contains(kReleaseVersion);
  auto level = levels.find(metadata::kMetadataVersionFeature);
  if (has_release && level != levels.end()) {
    return Wrong("--release-version and --feature metadata.version=… say the same thing: give one of them");
  }
  if (has_release) return ParseRelease(LastOf(given, kReleaseVersion), metadata::kLatestMetadataVersion);
  if (level != levels.end()) {
    if (metadata::MetadataVersionName(level->second).empty()) {
      return Wrong("metadata.version " + std::to_string(level->second) + " is unknown or not yet stable; known are " +
                   std::to_string(metadata::kOldestMetadataVersion) + " to " +
                   std::to_string(metadata::kLatestMetadataVersion));
    }
    return level->second;
  }
  if (unstable_enabled) {
    return Error{
        ErrorKind::kUnsupported,
        "unstable.feature.versions.enable asks for a metadata.version that this broker does not know; name one "
        "with --release-version"};
  }
  return metadata::kLatestMetadataVersion;
}

Status CheckFeature(std::string_view name, int16_t level, int16_t metadata_version, bool dynamic_quorum) {
  const Feature* feature = metadata::FindFeature(name);
  if (feature == nullptr) {
    std::string known;
    for (const Feature& one : metadata::SupportedFeatures())
      known += (known.empty() ? "" : ", ") + std::string(one.name);
    return Wrong("unsupported feature: " + std::string(name) + "; known are " + known);
  }
  std::string wanted = std::string(name) + "=" + std::to_string(level);
  if (name == metadata::kKRaftVersionFeature && (level == 0) == dynamic_quorum) {
    return Wrong("--feature " + wanted +
                 (dynamic_quorum ? ": 0 is for a quorum of controller.quorum.voters only"
                                 : ": a quorum of controller.quorum.voters has level 0"));
  }
  if (level < feature->min_level || level > feature->max_level) {
    return Wrong("--feature " + wanted + ": levels " + std::to_string(feature->min_level) + " to " +
                 std::to_string(feature->max_level) + " are known");
  }
  int16_t needed = metadata::MetadataVersionNeeded(name, level);
  if (metadata_version >= needed) return {};
  return Wrong(wanted + " depends on metadata.version " + std::to_string(needed));
}

// What the cluster begins with, as records and in words.
class BootstrapBuilder {
 public:
  explicit BootstrapBuilder(FormatPlan& plan) : plan_(plan), records_(plan.options.bootstrap.emplace()) {}

  void AddFeatures(const FeatureLevels& asked) {
    for (const Feature& feature : metadata::SupportedFeatures()) {
      if (feature.name == metadata::kKRaftVersionFeature) continue;  // is in the snapshot of the voters
      int16_t level = FormatLevel(feature, plan_.metadata_version);
      int16_t usual = DefaultLevel(feature, plan_.metadata_version);
      if (auto found = asked.find(feature.name); found != asked.end()) {
        level = found->second;
      } else if (level < usual) {
        plan_.left_out +=
            (plan_.left_out.empty() ? "" : ", ") + std::string(feature.name) + "=" + std::to_string(usual);
      }
      if (level > 0) AddFeature(feature.name, level);
    }
  }
  void AddUser(const ScramUser& user) {
    message::UserScramCredentialRecord record;
    record.name = user.name;
    record.mechanism = static_cast<int8_t>(user.mechanism);
    record.salt = AsBytes(user.salt);
    record.stored_key = AsBytes(user.stored_key);
    record.server_key = AsBytes(user.server_key);
    record.iterations = user.iterations;
    records_.Add(record, 0);
    Say("UserScramCredentialRecord(name='" + user.name + "', mechanism=" +
        std::to_string(static_cast<int>(user.mechanism)) + ", iterations=" + std::to_string(user.iterations) + ")");
  }

 private:
  void AddFeature(std::string_view name, int16_t level) {
    message::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    records_.Add(record, 0);
    Say("FeatureLevelRecord(name='" + std::string(name) + "', featureLevel=" + std::to_string(level) + ")");
  }
  void Say(const std::string& record) {
    plan_.bootstrap_text +=
        (plan_.bootstrap_text.empty() ? "" : ", ") + ("ApiMessageAndVersion(" + record + " at version 0)");
  }

  FormatPlan& plan_;
  metadata::RecordList& records_;
};

Result<std::vector<record::Voter>> StandaloneVoter(const config::ServerConfig& config, Random& random) {
  const std::vector<config::Listener>& advertised = config.listeners.advertised;
  const std::vector<config::Listener>& bound = config.listeners.bound;
  auto is_controller = [](const config::Listener& listener) { return listener.is_controller; };
  auto found = std::find_if(advertised.begin(), advertised.end(), is_controller);
  if (found == advertised.end()) {
    found = std::find_if(bound.begin(), bound.end(), is_controller);
    if (found == bound.end()) return Wrong("there is no listener for controllers");
  }
  record::Voter voter;
  voter.id = BrokerId(config.node_id);
  voter.directory_id = random.NextUuid();
  const std::string& host = found->address.host;
  voter.endpoints.push_back({found->name, host.empty() ? "localhost" : host, found->address.port});
  return std::vector{voter};
}

Result<std::vector<record::Voter>> ReadVoters(const config::ServerConfig& config, const Given& given, Random& random) {
  bool standalone = given.contains(kStandalone);
  bool named = given.contains(kInitialControllers);
  if (!config.listeners.quorum_voters.empty()) {
    if (!standalone && !named) return std::vector<record::Voter>();
    return Wrong(
        "controller.quorum.voters makes the quorum a static one; --standalone and --initial-controllers are for a "
        "dynamic one, with controller.quorum.bootstrap.servers");
  }
  if (standalone) return StandaloneVoter(config, random);
  if (given.contains(kNoInitialControllers)) return std::vector<record::Voter>();
  if (!named) {
    return Wrong(
        "controller.quorum.voters is not set, so one of --standalone, --initial-controllers and "
        "--no-initial-controllers is needed");
  }
  auto controller = std::find_if(config.listeners.bound.begin(), config.listeners.bound.end(),
                                 [](const config::Listener& listener) { return listener.is_controller; });
  if (controller == config.listeners.bound.end()) return Wrong("there is no listener for controllers");
  return ParseVoters(LastOf(given, kInitialControllers), controller->name);
}

// What the directories are before anything happens.
struct Found {
  std::vector<std::string> formatted, empty, unreadable;
};

Found Look(io::FileSystem& files, const controller::FormatOptions& options) {
  std::set<std::string> sorted(options.dirs.begin(), options.dirs.end());
  sorted.insert(options.metadata_dir);
  Found found;
  for (const std::string& dir : sorted) {
    Result<std::string> text = io::ReadFile(files, dir + "/" + std::string(controller::kMetaPropertiesName));
    if (text.ok()) {
      found.formatted.push_back(dir);
    } else if (text.error().kind == ErrorKind::kNotFound) {
      found.empty.push_back(dir);
    } else {
      found.unreadable.push_back(dir);
    }
  }
  return found;
}

// Those that are formatted must be this node's and this cluster's.
Status CheckFormatted(io::FileSystem& files, const Found& found, const controller::FormatOptions& options,
                      Random& random) {
  if (found.formatted.empty()) return {};
  controller::DataDirsQuery query{.dirs = found.formatted,
                                  .metadata_dir = found.formatted.front(),
                                  .node_id = options.node_id,
                                  .cluster_id = options.cluster_id};
  Result<controller::DataDirs> dirs = InspectDataDirs(files, query, random);
  return dirs.ok() ? Status() : Status(dirs.error());
}

std::string_view KindOf(const std::string& dir, const controller::FormatOptions& options) {
  if (dir != options.metadata_dir) return "data directory";
  if (options.voters.empty()) return "metadata directory";
  bool votes = std::any_of(options.voters.begin(), options.voters.end(),
                           [&](const record::Voter& voter) { return voter.id == options.node_id; });
  return votes ? "dynamic metadata voter directory" : "dynamic metadata directory";
}

}  // namespace

Result<FormatPlan> PlanFormat(const config::ServerConfig& config, const Given& given, Random& random) {
  FormatPlan plan;
  plan.options.dirs = config.log_dirs;
  plan.options.metadata_dir = config.metadata_log_dir;
  plan.options.node_id = BrokerId(config.node_id);
  Result<std::string> cluster_id = ReadClusterId(given);
  if (!cluster_id.ok()) return cluster_id.error();
  plan.options.cluster_id = *cluster_id;

  Result<FeatureLevels> asked = ReadFeatures(given);
  if (!asked.ok()) return asked.error();
  Result<std::vector<record::Voter>> voters = ReadVoters(config, given, random);
  if (!voters.ok()) return voters.error();
  plan.options.voters = *std::move(voters);
  Result<int16_t> version =
      ReadMetadataVersion(given, *asked, config.settings.Boolean("unstable.feature.versions.enable"));
  if (!version.ok()) return version.error();
  plan.metadata_version = *version;
  bool dynamic_quorum = config.listeners.quorum_voters.empty();
  for (const auto& [name, level] : *asked) KB_RETURN_IF_ERROR(CheckFeature(name, level, *version, dynamic_quorum));

  BootstrapBuilder bootstrap(plan);
  bootstrap.AddFeatures(*asked);
  std::vector<std::string> users = ValuesOf(given, kAddScram);
  if (!users.empty() && *version < metadata::kScramSince) {
    return Wrong("SCRAM users need metadata.version " + std::string(ReleaseName(metadata::kScramSince)) + " or later");
  }
  for (const std::string& argument : users) {
    Result<ScramUser> user = ParseScramArgument(argument, random);
    if (!user.ok()) return user.error();
    bootstrap.AddUser(*user);
  }
  return plan;
}

Status Format(io::FileSystem& files, FormatPlan plan, bool ignore_formatted, Random& random, int64_t now_ms,
              std::ostream& out) {
  Found found = Look(files, plan.options);
  KB_RETURN_IF_ERROR(CheckFormatted(files, found, plan.options, random));
  if (!found.formatted.empty() && !ignore_formatted) {
    return Error{ErrorKind::kBusy,
                 "Log directory " + found.formatted.front() +
                     " is already formatted. Use --ignore-formatted to ignore this directory and format "
                     "the others."};
  }
  for (const std::string& dir : found.unreadable) {
    out << "I/O error trying to read log directory " << dir << ". Ignoring...\n";
  }
  if (found.empty.empty() && found.formatted.empty()) {
    return Error{ErrorKind::kIo, "no directory is there that can be formatted"};
  }
  if (found.empty.empty()) {
    out << "All of the log directories are already formatted.\n";
    return {};
  }
  out << "Bootstrap metadata: BootstrapMetadata(records=[" << plan.bootstrap_text
      << "], metadataVersionLevel=" << plan.metadata_version << ", source=format command)\n";
  for (const std::string& dir : found.empty) {
    out << "Formatting " << KindOf(dir, plan.options) << " " << dir << " with metadata.version "
        << ReleaseName(plan.metadata_version) << ".\n";
  }
  plan.options.dirs = found.empty;
  return FormatDataDirs(files, plan.options, random, now_ms);
}

}  // namespace kb::storage

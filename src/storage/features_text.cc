#include "storage/features_text.h"

#include <array>
#include <optional>

#include "base/number.h"

namespace kb::storage {
namespace {

constexpr std::string_view kUnstableName = "4.4-IV0";
// In the order in which Apache Kafka tells of them.
constexpr std::array<std::string_view, 6> kMapped = {metadata::kKRaftVersionFeature,
                                                     "transaction.version",
                                                     "group.version",
                                                     metadata::kElrFeature,
                                                     "share.version",
                                                     "streams.version"};

Error Wrong(std::string message) {
  return Error{ErrorKind::kInvalid, std::move(message)};
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(" ")) text.remove_prefix(1);
  while (text.ends_with(" ")) text.remove_suffix(1);
  return text;
}

// "4.3.1" to "4.3": what follows a second dot does not matter.
std::string_view FirstTwoParts(std::string_view text) {
  size_t dot = text.find('.');
  size_t second = dot == std::string_view::npos ? dot : text.find('.', dot + 1);
  return text.substr(0, second);
}

std::string Assigned(std::string_view name, int16_t level) {
  return std::string(name) + "=" + std::to_string(level);
}

Status PrintDependency(std::string_view text, std::ostream& out) {
  Result<std::pair<std::string, int16_t>> parsed = ParseFeature(text);
  if (!parsed.ok()) return parsed.error();
  const auto& [name, level] = *parsed;
  if (name == metadata::kMetadataVersionFeature) {
    std::string_view release = ReleaseName(level);
    if (release.empty()) return Wrong("Unknown metadata.version " + std::to_string(level));
    out << Assigned(name, level) << " (" << release << ") has no dependencies.\n";
    return {};
  }
  const metadata::Feature* feature = metadata::FindFeature(name);
  if (feature == nullptr) return Wrong("Unknown feature: " + name);
  if (level < feature->min_level || level > feature->max_level) {
    return Wrong("Feature level " + std::to_string(level) + " is not supported for feature " + name);
  }
  int16_t needed = metadata::MetadataVersionNeeded(name, level);
  if (needed == 0) {
    out << Assigned(name, level) << " has no dependencies.\n";
  } else {
    out << Assigned(name, level) << " requires:\n    " << Assigned(metadata::kMetadataVersionFeature, needed) << " ("
        << ReleaseName(needed) << ")\n";
  }
  return {};
}

}  // namespace

std::string_view ReleaseName(int16_t metadata_version) {
  return metadata_version == kUnstableMetadataVersion ? kUnstableName : metadata::MetadataVersionName(metadata_version);
}

Result<int16_t> ParseRelease(std::string_view text, int16_t most) {
  std::string_view wanted = FirstTwoParts(text);
  for (int16_t version = most; version >= metadata::kOldestMetadataVersion; --version) {
    std::string_view name = ReleaseName(version);
    if (name == wanted) return version;
    bool is_stable = version <= metadata::kLatestMetadataVersion;
    if (is_stable && name.substr(0, name.find('-')) == wanted) return version;
  }
  return Wrong("Unknown metadata.version '" + std::string(text) + "'; known are those from " +
               std::string(ReleaseName(metadata::kOldestMetadataVersion)) + " to " + std::string(ReleaseName(most)));
}

Result<std::pair<std::string, int16_t>> ParseFeature(std::string_view text) {
  size_t equals = text.find('=');
  std::optional<int16_t> level;
  if (equals != std::string_view::npos) level = ParseNumber<int16_t>(Trim(text.substr(equals + 1)));
  if (!level) return Wrong("'" + std::string(text) + "' is not a feature and its level, as in group.version=1");
  return std::pair(std::string(Trim(text.substr(0, equals))), *level);
}

Status PrintVersionMapping(std::string_view release, std::ostream& out) {
  Result<int16_t> version = ParseRelease(release, kUnstableMetadataVersion);
  if (!version.ok()) return version.error();
  out << Assigned(metadata::kMetadataVersionFeature, *version) << " (" << release << ")\n";
  for (std::string_view name : kMapped) {
    const metadata::Feature* feature = metadata::FindFeature(name);
    KB_CHECK(feature != nullptr);
    out << Assigned(name, DefaultLevel(*feature, *version)) << "\n";
  }
  return {};
}

Status PrintDependencies(std::span<const std::string> features, std::ostream& out) {
  for (const std::string& feature : features) KB_RETURN_IF_ERROR(PrintDependency(feature, out));
  return {};
}

}  // namespace kb::storage

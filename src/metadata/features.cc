#include "metadata/features.h"

#include <algorithm>
#include <array>
#include <string>

namespace kb::metadata {
namespace {

constexpr std::array<Feature, 7> kFeatures = {{
    {kMetadataVersionFeature, kOldestMetadataVersion, kLatestMetadataVersion, true, kOldestMetadataVersion},
    {"eligible.leader.replicas.version", 0, 1, true, 26},
    {"group.version", 0, 1, true, 22},
    {kKRaftVersionFeature, 0, 1, true, 21},
    {"share.version", 0, 1, false, 28},
    {"streams.version", 0, 1, false, 29},
    {"transaction.version", 0, 2, false, 24},
}};

// From level kOldestMetadataVersion on.
constexpr std::array<std::string_view, 24> kMetadataVersionNames = {
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"};
static_assert(kMetadataVersionNames.size() == kLatestMetadataVersion - kOldestMetadataVersion + 1);

// The levels of metadata.version that brought records, or fields of them, that the one before does not know.
constexpr int16_t kLevelsOfChange[] = {8, 11, 13, 14, 15, 17, 23, 30};

}  // namespace

std::span<const Feature> SupportedFeatures() { return kFeatures; }

const Feature* FindFeature(std::string_view name) {
  auto feature = std::find_if(kFeatures.begin(), kFeatures.end(), [&](const Feature& f) { return f.name == name; });
  return feature == kFeatures.end() ? nullptr : &*feature;
}

int16_t DefaultLevel(const Feature& feature, int16_t metadata_version) {
  if (feature.name == kMetadataVersionFeature) return metadata_version;
  return metadata_version >= feature.default_since ? feature.max_level : int16_t{0};
}

int16_t FormatLevel(const Feature& feature, int16_t metadata_version) {
  if (!feature.served || feature.name == kKRaftVersionFeature) return 0;
  return DefaultLevel(feature, metadata_version);
}

std::string_view MetadataVersionName(int16_t level) {
  if (level < kOldestMetadataVersion || level > kLatestMetadataVersion) return "";
  return kMetadataVersionNames[static_cast<size_t>(level - kOldestMetadataVersion)];
}

bool MetadataChangedSince(int16_t older, int16_t newer) {
  return std::any_of(std::begin(kLevelsOfChange), std::end(kLevelsOfChange),
                     [&](int16_t level) { return older < level && level <= newer; });
}

int16_t MetadataVersionNeeded(std::string_view feature, int16_t level) {
  return feature == kElrFeature && level >= 1 ? int16_t{23} : int16_t{0};
}

Status CheckFeatureLevel(std::string_view name, int16_t level) {
  const Feature* feature = FindFeature(name);
  if (feature == nullptr) {
    return Error{ErrorKind::kForeign, "the cluster uses feature " + std::string(name) + " at level " +
                                          std::to_string(level) + ", which this broker does not know"};
  }
  if (level >= feature->min_level && level <= feature->max_level) return {};
  return Error{ErrorKind::kForeign, "the cluster uses " + std::string(name) + " at level " + std::to_string(level) +
                                        "; this broker knows levels " + std::to_string(feature->min_level) + " to " +
                                        std::to_string(feature->max_level)};
}

RecordVersions RecordVersionsFor(int16_t metadata_version) {
  RecordVersions versions{};
  versions.register_broker = metadata_version >= 30   ? int16_t{4}
                             : metadata_version >= 17 ? int16_t{3}
                             : metadata_version >= 8  ? int16_t{2}
                                                      : int16_t{1};
  versions.partition = metadata_version >= 23 ? int16_t{2} : metadata_version >= 17 ? int16_t{1} : int16_t{0};
  versions.partition_change = versions.partition;
  versions.broker_registration_change_most = metadata_version >= 30   ? int16_t{3}
                                             : metadata_version >= 17 ? int16_t{2}
                                                                      : int16_t{1};
  versions.register_controller = metadata_version >= 15;
  versions.directories = metadata_version >= 17;
  versions.eligible_leader_replicas = metadata_version >= 23;
  return versions;
}

}  // namespace kb::metadata

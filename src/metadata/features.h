// The features of a cluster (KIP-584) as Apache Kafka 4.3.1 knows them, and what each level of metadata.version allows a
// controller to write. Facts only; immutable tables, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace kb::metadata {

inline constexpr std::string_view kMetadataVersionFeature = "metadata.version";
inline constexpr std::string_view kKRaftVersionFeature = "kraft.version";
inline constexpr int16_t kLatestMetadataVersion = 30;  // 4.3-IV0
inline constexpr int16_t kOldestMetadataVersion = 7;   // 3.3-IV3

struct Feature {
  std::string_view name;
  int16_t min_level;
  int16_t max_level;
  bool served;           // false: kept and reported, and nothing here acts on it yet
  int16_t default_since;  // Apache Kafka formats with max_level from this metadata.version on, with level 0 before
};

// In the order in which Apache Kafka's bootstrap writes them: metadata.version first, then by name.
std::span<const Feature> SupportedFeatures();
// nullptr for a feature that we do not know.
const Feature* FindFeature(std::string_view name);
// What formatting for a metadata.version finalizes where nobody asks for a level: Apache Kafka's, and ours, which leaves
// out what is not served and decides on kraft.version by the quorum.
int16_t DefaultLevel(const Feature& feature, int16_t metadata_version);
int16_t FormatLevel(const Feature& feature, int16_t metadata_version);
// "4.3-IV0"; "" for a level that we do not know.
std::string_view MetadataVersionName(int16_t level);

// kForeign, with a line that says what was found and what is known, for a feature or level outside the table.
Status CheckFeatureLevel(std::string_view name, int16_t level);

// Which record versions a controller writes under a metadata.version.
struct RecordVersions {
  int16_t register_broker;
  int16_t partition;
  int16_t partition_change;
  int16_t broker_registration_change_most;  // the highest allowed: 0 fence, 1 shutdown, 2 directories, 3 cordoned
  bool register_controller;                 // whether it is written at all
  bool directories;                         // partition records carry directories
  bool eligible_leader_replicas;            // partition records may carry ELR
};
RecordVersions RecordVersionsFor(int16_t metadata_version);

}  // namespace kb::metadata

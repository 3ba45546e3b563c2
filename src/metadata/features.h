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
inline constexpr std::string_view kElrFeature = "eligible.leader.replicas.version";
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

// Whether the log may hold, from level `older` (exclusive) up to `newer`, what the older level cannot say.
bool MetadataChangedSince(int16_t older, int16_t newer);
// The metadata.version that a level of a feature needs; 0: any.
int16_t MetadataVersionNeeded(std::string_view feature, int16_t level);

// kForeign, with a line that says what was found and what is known, for a feature or level outside the table.
Status CheckFeatureLevel(std::string_view name, int16_t level);

inline constexpr int16_t kScramSince = 11;        // 3.5-IV2
inline constexpr int16_t kControllersSince = 15;  // 3.7-IV0: controllers register

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

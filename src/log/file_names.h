// Names in a data directory and in a replica directory. Pure functions.
//
//   <topic>-<partition>/                 the partition is what follows the LAST '-': "a.b-c_d-7-0" is partition 0 of "a.b-c_d-7"
//     <20 digits>.log .index .timeindex  a segment, by its base offset
//     <20 digits>.txnindex               only if the segment holds an abort marker
//     <20 digits>.snapshot               producer state at that offset
//     ….deleted                          taken out of the log, to be removed
//     ….cleaned ….swap                   what the cleaner of Apache Kafka was writing or putting in place
//     leader-epoch-checkpoint, partition.metadata
//   <topic>-<partition>.<32 hex>-delete | -stray | -future
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "model/ids.h"

namespace kb::log {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTxnIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

inline constexpr std::string_view kLeaderEpochFile = "leader-epoch-checkpoint";
inline constexpr std::string_view kPartitionMetadataFile = "partition.metadata";

// "00000000000000000042" + suffix. base_offset >= 0.
std::string OffsetFileName(Offset base_offset, std::string_view suffix);

// The inverse: what OffsetFileName would have made with one of the five suffixes. nullopt for every other name.
struct OffsetFile {
  Offset offset;
  std::string_view suffix;  // one of the constants above
};
std::optional<OffsetFile> ParseOffsetFileName(std::string_view name);

enum class ReplicaDirectoryKind { kCurrent, kDelete, kStray, kFuture };
struct ReplicaDirectoryName {
  TopicPartition partition;  // of -delete and -stray names the topic may be cut
  ReplicaDirectoryKind kind = ReplicaDirectoryKind::kCurrent;
};
std::string DirectoryNameOf(const TopicPartition& partition);
// As above with a suffix; the topic is cut so that the name has at most 255 bytes. unique: makes the name new.
std::string DirectoryNameOf(const TopicPartition& partition, ReplicaDirectoryKind kind, const Uuid& unique);
std::optional<ReplicaDirectoryName> ParseDirectoryName(std::string_view name);

}  // namespace kb::log

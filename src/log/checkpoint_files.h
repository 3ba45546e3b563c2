// The small text files beside the segments, in Apache Kafka's formats. All are replaced atomically and durably
// (io::WriteFileAtomically) and read whole; everything here blocks.
//
//   offset checkpoints        "0\n" version, "<n>\n" entries, n times "<topic> <partition> <offset>\n"
//   leader-epoch-checkpoint   the same with "<epoch> <start offset>\n", ascending in both
//   partition.metadata        "version: 0\n" "topic_id: <22 characters>"
//   .kafka_cleanshutdown      {"version":0,"brokerEpoch":N}
//
// A missing or an empty file means no entries. Reading answers kCorrupt for a wrong version, count or line: an offset
// checkpoint is then best treated as empty (the logs know better), the others are not.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "model/ids.h"

namespace kb::log {

inline constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartFile = "log-start-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkFile = "replication-offset-checkpoint";
inline constexpr std::string_view kCleanerFile = "cleaner-offset-checkpoint";
inline constexpr std::string_view kCleanShutdownFile = ".kafka_cleanshutdown";
inline constexpr std::string_view kLockFile = ".lock";

using OffsetCheckpoint = std::map<TopicPartition, Offset>;

Result<OffsetCheckpoint> ReadOffsetCheckpoint(io::FileSystem& files, const std::string& path);
Status WriteOffsetCheckpoint(io::FileSystem& files, const std::string& path, const OffsetCheckpoint& offsets);

struct EpochStart {
  LeaderEpoch epoch;
  Offset start_offset;
  auto operator<=>(const EpochStart&) const = default;
};
Result<std::vector<EpochStart>> ReadEpochCheckpoint(io::FileSystem& files, const std::string& path);
std::string EpochCheckpointText(const std::vector<EpochStart>& entries);

// The topic id of a replica directory. kNotFound when there is no such file.
Result<Uuid> ReadPartitionMetadata(io::FileSystem& files, const std::string& directory);
// Likewise for one that may have been made just before the process was killed: its file has no name of its own yet.
Result<Uuid> ReadTopicId(io::FileSystem& files, const std::string& directory);
// The first half of writing it: nothing is durable, and only ReadTopicId finds it.
Status DraftPartitionMetadata(io::FileSystem& files, const std::string& directory, const Uuid& topic_id);
// The second half. Done again it changes nothing. The caller syncs the directory.
Status AdoptPartitionMetadata(io::FileSystem& files, const std::string& directory);
std::string PartitionMetadataText(const Uuid& topic_id);
Status WritePartitionMetadata(io::FileSystem& files, const std::string& directory, const Uuid& topic_id);

// The marker of a clean stop: the last thing written, the first thing removed. Unreadable content still is a marker.
struct CleanShutdown {
  std::optional<int64_t> broker_epoch;
};
Result<std::optional<CleanShutdown>> ReadCleanShutdown(io::FileSystem& files, const std::string& data_directory);
Status WriteCleanShutdown(io::FileSystem& files, const std::string& data_directory, int64_t broker_epoch);
Status RemoveCleanShutdown(io::FileSystem& files, const std::string& data_directory);

}  // namespace kb::log

// Finding a record by its timestamp: reads time indexes, batch headers and, in the one batch that matters, records.
// Blocks; part of TimestampLookupJob (log/jobs.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "log/segment.h"
#include "model/ids.h"

namespace kb::log {

struct TimestampOffset {
  int64_t timestamp_ms = -1;
  Offset offset{kNoOffset};
  LeaderEpoch leader_epoch{kNoLeaderEpoch};  // of the batch that holds the record
};

// Both look at the segments in order; one that was removed meanwhile is passed over. directory: of the replica.

// The first record at or above from_offset whose timestamp is at least `timestamp`.
Result<std::optional<TimestampOffset>> FindTimestamp(io::FileSystem& files, const std::string& directory,
                                                     const std::vector<SegmentView>& segments, int64_t timestamp,
                                                     Offset from_offset);
// The first record that carries the greatest timestamp of all. Markers count.
Result<std::optional<TimestampOffset>> FindMaxTimestamp(io::FileSystem& files, const std::string& directory,
                                                        const std::vector<SegmentView>& segments, Offset from_offset);

// The time of the first batch that reaches as far as `offset`: of its first record, which is the oldest, or, where that
// is not kept, of its latest. Reads one header. nullopt: there is no such batch, it has no time, or damage is in the
// way.
Result<std::optional<int64_t>> FindTimeOf(io::FileSystem& files, const std::string& directory,
                                          const std::vector<SegmentView>& segments, Offset offset);

}  // namespace kb::log

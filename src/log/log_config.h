// LogConfig: what a topic's configuration says about one partition's log. Filled by whoever reads configuration; plain
// values in Kafka's own units, defaults Apache Kafka's. -1 means "off" where the comment says so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kb::log {

struct LogConfig {
  int32_t segment_bytes = 1 << 30;              // segment.bytes
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;  // segment.ms: in record time, not on the wall
  int64_t segment_jitter_ms = 0;                // segment.jitter.ms
  int32_t segment_index_bytes = 10 << 20;       // segment.index.bytes
  int32_t index_interval_bytes = 4096;          // index.interval.bytes
  bool preallocate = false;                     // preallocate

  bool cleanup_delete = true;                    // cleanup.policy has "delete"
  bool cleanup_compact = false;                  // cleanup.policy has "compact"
  int64_t retention_ms = 7LL * 24 * 3600 * 1000; // retention.ms, -1 off
  int64_t retention_bytes = -1;                  // retention.bytes, -1 off
  int64_t max_compaction_lag_ms = INT64_MAX;     // max.compaction.lag.ms: compacted topics roll at least so often

  int64_t min_compaction_lag_ms = 0;             // min.compaction.lag.ms
  int64_t delete_retention_ms = 24LL * 3600 * 1000;  // delete.retention.ms: how long tombstones stay
  double min_cleanable_dirty_ratio = 0.5;        // min.cleanable.dirty.ratio

  int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;  // producer.id.expiration.ms

  // Producer ids whose state one partition keeps: 280 bytes each, so 28 MB. At the bound the longest silent ones without
  // an open transaction are forgotten: a forgotten producer's next batch is accepted with any sequence.
  size_t most_producers = 100'000;
};

}  // namespace kb::log

// TopicConfig: what counts for one topic, as plain values, and the checks of what a client wants to set.
// Immutable values and pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "config/describe.h"
#include "config/properties.h"
#include "config/server_config.h"

namespace kb::config {

// The numbers are those of a batch's attributes.
enum class Compression : int8_t { kProducer = -1, kUncompressed = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// Fields are named after the topic's keys. -1 is "off" where the comment says so.
struct TopicConfig {
  int32_t segment_bytes = 1 << 30;  // internal.segment.bytes where that is set
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  int32_t segment_index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  bool preallocate = false;
  int64_t file_delete_delay_ms = 60'000;

  bool cleanup_delete = true;
  bool cleanup_compact = false;
  int64_t retention_ms = 604'800'000;  // -1 off
  int64_t retention_bytes = -1;        // -1 off
  int64_t delete_retention_ms = 86'400'000;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = INT64_MAX;
  double min_cleanable_dirty_ratio = 0.5;

  int32_t max_message_bytes = 1'048'588;
  Compression compression_type = Compression::kProducer;
  int32_t compression_level = 0;  // of compression_type, where that has levels
  bool message_timestamp_is_log_append_time = false;
  int64_t message_timestamp_before_max_ms = INT64_MAX;
  int64_t message_timestamp_after_max_ms = 3'600'000;

  int32_t min_insync_replicas = 1;
  bool unclean_leader_election_enable = false;
  int64_t flush_messages = INT64_MAX;
  int64_t flush_ms = INT64_MAX;
  // acks.all.durability, unless the topic's own flush.messages says otherwise: 1 means disk, an explicit 2^63-1 means
  // os. Other values of flush.messages and flush.ms only say how often to flush.
  AckDurability acks_all_durability = AckDurability::kAuto;
};

// own: the topic's dynamic configuration.
TopicConfig ReadTopicConfig(const ConfigMap& own, const Layers& layers);

// Whether these may become a topic's, group's or client-metrics subscription's own values: every key known (kNotFound
// otherwise), every value allowed, values of different keys not against each other (kInvalid). The message is for the
// client. layers: what the rest falls back to. kUnsupported: an interval of a subscription out of its range, for which
// Apache Kafka has a code of its own.
Status CheckTopicConfig(const ConfigMap& own, const Layers& layers);
Status CheckGroupConfig(const ConfigMap& own, const Layers& layers);
Status CheckClientMetricsConfig(const ConfigMap& own);

}  // namespace kb::config

// GroupConfig: what the administrator decides about groups. Filled from `config` by whoever builds a shard; the names
// are Apache Kafka's with dots turned into underscores. Immutable value, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kb::group {

struct GroupConfig {
  int32_t group_min_session_timeout_ms = 6'000;
  int32_t group_max_session_timeout_ms = 1'800'000;
  int32_t group_initial_rebalance_delay_ms = 3'000;
  int32_t group_max_size = INT32_MAX;
  int32_t offset_metadata_max_bytes = 4'096;                // counted, as Apache Kafka does, in UTF-16 units
  int64_t offsets_retention_ms = int64_t{10'080} * 60'000;  // offsets.retention.minutes
  // How long an empty group without offsets is kept (offsets.retention.check.interval.ms: Apache Kafka finds it then).
  int64_t offsets_retention_check_interval_ms = 600'000;
  int64_t offsets_commit_timeout_ms = 5'000;  // how long an appended record may take to be committed

  // Consumer groups (KIP-848). Timeouts and intervals are a group's own matter as well: surroundings.h.
  enum class MigrationPolicy { kDisabled, kUpgrade, kDowngrade, kBidirectional };
  MigrationPolicy group_consumer_migration_policy = MigrationPolicy::kBidirectional;
  int32_t group_consumer_max_size = INT32_MAX;
  std::vector<std::string> group_consumer_assignors = {"uniform", "range"};  // the first: the default
  int64_t group_consumer_regex_refresh_interval_ms = 600'000;

  // Bounds of our own on what clients can make a shard keep. At a bound the request is answered with a retriable error;
  // all of this state expires by itself.
  size_t most_groups = 100'000;                // per shard, about 1 KiB each: 100 MiB
  size_t most_pending_members = 10'000;        // per group: member ids given out and not yet used (v4+ joins)
  size_t most_member_bytes = 4 << 20;          // one member's protocols with their metadata; a record takes 1 MiB
  size_t most_shard_member_bytes = 256 << 20;  // all members of a shard together, member ids given out, too
  size_t most_shard_offset_bytes =
      256 << 20;  // all groups of a shard without their members: 1,000,000 offsets and more
  // One consumer group, which must be written anew as a whole where a write of it has failed, with the tombstones of
  // what has gone: a third of a segment.
  size_t most_group_bytes = (100 << 20) / 3;
};

}  // namespace kb::group

// What the broker is told at start: filled from configuration by `server`, constant while it runs.
#pragma once

#include <cstdint>
#include <string>

#include "broker/quota_window.h"

namespace kb::broker {

struct Options {
  int32_t node_id = 1;
  std::string cluster_id;

  bool authorizer = false;  // authorizer.class.name is set: who may do what is decided by access control entries
  bool auto_create_topics_enable = true;
  int32_t max_request_partition_size_limit = 2000;  // of DescribeTopicPartitions

  int64_t request_slow_ms = 1000;  // request.slow.ms: longer, and there is a line about it; 0, or below: never

  int32_t fetch_max_bytes = 57'671'680;  // fetch.max.bytes
  int32_t max_incremental_fetch_session_cache_slots = 1000;

  QuotaWindowOptions quota_window;             // quota.window.num, quota.window.size.seconds
  QuotaWindowOptions controller_quota_window;  // controller.quota.window.…

  bool consumer_groups = true;  // group.coordinator.rebalance.protocols has `consumer`
  int32_t offsets_topic_num_partitions = 50;
  int16_t offsets_topic_replication_factor = 1;
  int32_t offsets_topic_segment_bytes = 100 << 20;
};

// One of the broker's sockets. Immutable.
struct Listener {
  std::string name;            // as in listener.security.protocol.map
  bool is_controller = false;  // named by controller.listener.names
};

}  // namespace kb::broker

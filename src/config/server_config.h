// ServerConfig: everything the broker is started with, read from server.properties, --override and defaults, and
// checked: each value by itself, the values against each other as Apache Kafka's combined mode has it, and for keys
// that this broker must not ignore.
//
//   Result<ServerConfig> config = LoadServerConfig({.file = *properties, .overrides = overrides});
//   if (!config.ok()) → the message is one line for the operator; exit code 78
//   for (const std::string& line : config->warnings) log.Warning(line);
//
// The fields are what the rooms are built from; any other key is read by name from `settings`. Immutable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/connection_limits.h"
#include "config/listeners.h"
#include "config/properties.h"
#include "config/settings.h"

namespace kb::config {

// What makes an acks=all record of a sole replica durable: a flush before the answer (kAuto as well, when there is no
// other in-sync replica), or the page cache.
enum class AckDurability : uint8_t { kAuto, kDisk, kOs };

struct ServerConfig {
  // Who and where
  int32_t node_id = -1;                    // node.id, or broker.id where only that is set
  std::optional<std::string> broker_rack;  // broker.rack
  Listeners listeners;                     // listeners, advertised.listeners and what belongs to them
  std::vector<std::string> log_dirs;       // log.dirs, else log.dir; as written, not empty
  std::string metadata_log_dir;            // metadata.log.dir, else the first of log_dirs
  AckDurability acks_all_durability = AckDurability::kAuto;
  int64_t storage_min_free_bytes = -1;  // -1: by the size of the file system

  // Topics
  int32_t num_partitions = 1;
  int32_t default_replication_factor = 1;
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  int64_t log_segment_delete_delay_ms = 60'000;
  int64_t log_retention_check_interval_ms = 300'000;
  bool log_cleaner_enable = true;
  int64_t log_initial_task_delay_ms = 30'000;
  int64_t log_scrub_io_max_bytes_per_second = 8 << 20;  // ours: 0 is never (partition/scrubber.h)
  int64_t log_scrub_interval_ms = 604'800'000;
  int64_t log_flush_scheduler_interval_ms = INT64_MAX;
  int32_t log_flush_offset_checkpoint_interval_ms = 60'000;
  int32_t log_flush_start_offset_checkpoint_interval_ms = 60'000;
  int64_t replica_high_watermark_checkpoint_interval_ms = 5'000;
  int32_t producer_id_expiration_ms = 86'400'000;
  int32_t producer_id_expiration_check_interval_ms = 600'000;
  int32_t num_recovery_threads_per_data_dir = 2;

  // Sockets and requests
  std::vector<std::string> http_listeners;  // "*": all but the controllers'
  int32_t socket_request_max_bytes = 104'857'600;
  int32_t socket_send_buffer_bytes = 102'400;     // -1: the system's default
  int32_t socket_receive_buffer_bytes = 102'400;  // -1: the system's default
  int32_t socket_listen_backlog_size = 50;
  int32_t max_connections = INT32_MAX;
  int32_t max_connections_per_ip = INT32_MAX;
  ConnectionLimits max_connections_per_ip_overrides;
  int64_t connections_max_idle_ms = 600'000;  // negative: never
  int32_t max_request_partition_size_limit = 2'000;
  int32_t fetch_max_bytes = 57'671'680;
  int32_t max_incremental_fetch_session_cache_slots = 1'000;
  int32_t request_timeout_ms = 30'000;

  // Groups and their offsets
  int32_t group_min_session_timeout_ms = 6'000;
  int32_t group_max_session_timeout_ms = 1'800'000;
  int32_t group_initial_rebalance_delay_ms = 3'000;
  int32_t group_max_size = INT32_MAX;
  int32_t group_coordinator_append_linger_ms = -1;  // -1: as long as something has come that is not handled
  std::vector<std::string> group_coordinator_rebalance_protocols = {"classic", "consumer", "streams"};
  int32_t group_consumer_session_timeout_ms = 45'000;
  int32_t group_consumer_min_session_timeout_ms = 45'000;
  int32_t group_consumer_max_session_timeout_ms = 60'000;
  int32_t group_consumer_heartbeat_interval_ms = 5'000;
  int32_t group_consumer_min_heartbeat_interval_ms = 5'000;
  int32_t group_consumer_max_heartbeat_interval_ms = 15'000;
  int32_t group_consumer_assignment_interval_ms = 1'000;  // as written; may be changed at run time
  int32_t group_consumer_min_assignment_interval_ms = 0;
  int32_t group_consumer_max_assignment_interval_ms = 15'000;
  int32_t group_consumer_max_size = INT32_MAX;
  int32_t group_consumer_regex_refresh_interval_ms = 600'000;
  std::string group_consumer_migration_policy = "bidirectional";             // in lower case
  std::vector<std::string> group_consumer_assignors = {"uniform", "range"};  // short names, each once
  int32_t offset_metadata_max_bytes = 4'096;
  int32_t offsets_retention_minutes = 10'080;
  int64_t offsets_retention_check_interval_ms = 600'000;
  int32_t offsets_commit_timeout_ms = 5'000;
  int32_t offsets_load_buffer_size = 5'242'880;
  int32_t offsets_topic_num_partitions = 50;
  int16_t offsets_topic_replication_factor = 3;
  int32_t offsets_topic_segment_bytes = 104'857'600;
  int32_t offsets_topic_compression_codec = 0;  // the number of the batch's codec

  // The metadata log
  int64_t metadata_log_max_record_bytes_between_snapshots = 20'971'520;
  int64_t metadata_log_max_snapshot_interval_ms = 3'600'000;
  int32_t metadata_log_segment_bytes = 1'073'741'824;
  int64_t metadata_log_segment_ms = 604'800'000;
  int64_t metadata_max_retention_bytes = 104'857'600;
  int64_t metadata_max_retention_ms = 604'800'000;

  // Transactions
  int32_t transaction_max_timeout_ms = 900'000;

  // Everything, by key.
  Settings settings;
  // Lines for the operator, at most one of a kind: keys that are known and have no effect yet, keys that are unknown.
  std::vector<std::string> warnings;
};

struct ConfigInput {
  // What the file says; nullopt when there is none, and EmbeddedDefaults counts.
  std::optional<ConfigMap> file;
  // Of --override, in order; they win over the file.
  std::vector<std::pair<std::string, std::string>> overrides;
  // Where the embedded default keeps data.
  std::string data_dir = "data";
};

// The rules between keys: kInvalid for the first that is broken. What LoadServerConfig asks, and a change at run time.
Status CheckSettings(const Settings& settings);

// kInvalid or kUnsupported; the message is one line that says what to change.
Result<ServerConfig> LoadServerConfig(const ConfigInput& input);

// What the broker runs with when it is given no file: one node on localhost:9092 whose internal topics have one
// replica. overrides: of the command line; addresses that follow from others (advertised.listeners, the controller's)
// follow them.
ConfigMap EmbeddedDefaults(const std::vector<std::pair<std::string, std::string>>& overrides,
                           std::string_view data_dir);

}  // namespace kb::config

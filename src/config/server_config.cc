#include "config/server_config.h"

#include <algorithm>
#include <span>

#include "config/value.h"

namespace kb::config {
namespace {

using Overrides = std::vector<std::pair<std::string, std::string>>;

Error Broken(std::string_view key, std::string_view rule) {
  return Error{ErrorKind::kInvalid, std::string(key) + ": " + std::string(rule)};
}
Error NotYet(std::string_view key, std::string_view why) {
  return Error{ErrorKind::kUnsupported,
               std::string(key) + ": " + std::string(why) + "; this broker does not start rather than ignore the key"};
}

// Ends the start for the first key that would leave the broker weaker than its owner believes.
Status RefuseWhatMustNotBeIgnored(const ConfigMap& written) {
  for (const auto& [key, value] : written) {
    const Row* row = RowBehind(key);
    if (row == nullptr || row->support != Support::kRefuseWhenSet) continue;
    if (DiffersFromDefault(*row, value)) return NotYet(key, row->why_refused);
  }
  return {};
}

std::string OneLine(std::string_view what, const std::vector<std::string>& keys) {
  std::string line(what);
  for (const std::string& key : keys) line += (&key == keys.data() ? " " : ", ") + key;
  return line;
}

std::vector<std::string> WarningsFor(const ConfigMap& written) {
  std::vector<std::string> without_effect;
  std::vector<std::string> unknown;
  for (const auto& [key, value] : written) {
    const Row* row = FindRow(Scope::kBroker, key);
    if (row == nullptr) {
      (RowBehind(key) != nullptr ? without_effect : unknown).push_back(key);
    } else if (row->support == Support::kNoEffectYet && DiffersFromDefault(*row, value)) {
      without_effect.push_back(key);
    }
  }
  std::vector<std::string> warnings;
  if (!without_effect.empty())
    warnings.push_back(OneLine("Configuration keys that have no effect yet:", without_effect));
  if (!unknown.empty()) warnings.push_back(OneLine("Configuration keys that are unknown:", unknown));
  return warnings;
}

Status CheckRoles(const Settings& settings) {
  if (settings.IsSet("zookeeper.connect") && !settings.IsSet("process.roles")) {
    return Broken("zookeeper.connect", "ZooKeeper is gone since Apache Kafka 4.0; set process.roles=broker,controller");
  }
  if (!settings.IsSet("process.roles")) return Broken("process.roles", "it is missing; set it to broker,controller");
  if (settings.List("process.roles").size() == 1) {
    return Error{ErrorKind::kUnsupported,
                 "process.roles: \"" + settings.List("process.roles").front() +
                     "\" alone is not supported yet; this broker is its own controller, set it to "
                     "broker,controller"};
  }
  return {};
}

Result<int32_t> ReadNodeId(const Settings& settings) {
  if (!settings.IsSet("node.id")) return Broken("node.id", "it is missing; set it to the number of this node, as 1");
  int32_t id = settings.Int("node.id");
  if (settings.Int("broker.id") != id) {
    return Broken("broker.id", "it is set and is not the same as node.id " + std::to_string(id));
  }
  return id;
}

// "this must be at least that", for pairs of integers.
struct AtLeast {
  std::string_view larger;
  std::string_view smaller;
};

constexpr AtLeast kOrder[] = {
    {"replica.lag.time.max.ms", "replica.fetch.wait.max.ms"},
    {"replica.socket.timeout.ms", "replica.fetch.wait.max.ms"},
    {"group.consumer.max.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
    {"group.consumer.max.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
    {"group.consumer.max.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
    {"group.consumer.max.session.timeout.ms", "group.consumer.session.timeout.ms"},
    {"group.consumer.max.assignment.interval.ms", "group.consumer.assignment.interval.ms"},
    {"group.consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms"},
    {"group.share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms"},
    {"group.share.max.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"},
    {"group.share.session.timeout.ms", "group.share.min.session.timeout.ms"},
    {"group.share.max.session.timeout.ms", "group.share.session.timeout.ms"},
    {"group.share.max.assignment.interval.ms", "group.share.assignment.interval.ms"},
    {"group.share.assignment.interval.ms", "group.share.min.assignment.interval.ms"},
    {"group.share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"},
    {"group.share.max.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
    {"group.share.partition.max.record.locks", "group.share.min.partition.max.record.locks"},
    {"group.share.max.partition.max.record.locks", "group.share.partition.max.record.locks"},
    {"group.share.delivery.count.limit", "group.share.min.delivery.count.limit"},
    {"group.share.max.delivery.count.limit", "group.share.delivery.count.limit"},
    {"group.streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms"},
    {"group.streams.max.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"},
    {"group.streams.session.timeout.ms", "group.streams.min.session.timeout.ms"},
    {"group.streams.max.session.timeout.ms", "group.streams.session.timeout.ms"},
    {"group.streams.max.assignment.interval.ms", "group.streams.assignment.interval.ms"},
    {"group.streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms"},
    {"group.streams.max.standby.replicas", "group.streams.num.standby.replicas"},
};

// Heartbeats must come more often than sessions end.
constexpr AtLeast kMore[] = {
    {"group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms"},
    {"group.share.session.timeout.ms", "group.share.heartbeat.interval.ms"},
    {"group.streams.session.timeout.ms", "group.streams.heartbeat.interval.ms"},
};

int64_t NumberOf(const Settings& settings, std::string_view key) {
  return IntegerOf(settings.Find(key).value());
}

Status CheckOrder(const Settings& settings) {
  auto check = [&](const AtLeast& pair, int64_t distance, std::string_view relation) -> Status {
    if (NumberOf(settings, pair.larger) >= NumberOf(settings, pair.smaller) + distance) return {};
    return Broken(pair.larger, std::to_string(NumberOf(settings, pair.larger)) + " is not allowed; it must be " +
                                   std::string(relation) + " " + std::string(pair.smaller) + " (" +
                                   std::to_string(NumberOf(settings, pair.smaller)) + ")");
  };
  for (const AtLeast& pair : kOrder) KB_RETURN_IF_ERROR(check(pair, 0, "at least"));
  for (const AtLeast& pair : kMore) KB_RETURN_IF_ERROR(check(pair, 1, "more than"));
  return {};
}

Status CheckTimes(const Settings& settings) {
  for (std::string_view key : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    if (settings.IsSet(key) && NumberOf(settings, key) == 0) {
      return NotAllowed(key, "0", "at least 1, or -1 for no limit");
    }
  }
  for (std::string_view key : {"log.roll.ms", "log.roll.hours"}) {
    if (settings.IsSet(key) && NumberOf(settings, key) < 1) {
      return NotAllowed(key, *settings.Written(key), "at least 1");
    }
  }
  for (std::string_view key : {"log.roll.jitter.ms", "log.roll.jitter.hours"}) {
    if (settings.IsSet(key) && NumberOf(settings, key) < 0) {
      return NotAllowed(key, *settings.Written(key), "at least 0");
    }
  }
  return {};
}

Status CheckSizes(const Settings& settings) {
  int64_t queued = settings.Long("queued.max.request.bytes");
  if (queued > 0 && queued < settings.Int("socket.request.max.bytes")) {
    return Broken("queued.max.request.bytes", "it must be at least socket.request.max.bytes, or -1 for no limit");
  }
  Result<ConnectionLimits> of_addresses = ParseConnectionLimits(settings.Text(kConnectionLimitsKey));
  if (!of_addresses.ok()) return of_addresses.error();
  if (settings.Int("max.connections.per.ip") == 0 && of_addresses->empty()) {
    return Broken("max.connections.per.ip", "0 would let nobody in");
  }
  constexpr int64_t kLeastCleanerBuffer = (1 << 20) + 1;
  int64_t cleaner_threads = std::max(settings.Int("log.cleaner.threads"), 1);
  if (settings.Long("log.cleaner.dedupe.buffer.size") / cleaner_threads < kLeastCleanerBuffer) {
    return Broken("log.cleaner.dedupe.buffer.size", "it must be more than 1 MiB for each of log.cleaner.threads");
  }
  for (std::string_view key : {"offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"}) {
    if (int32_t codec = settings.Int(key); codec < 0 || codec > 4) {
      return NotAllowed(key, std::to_string(codec), "0 none, 1 gzip, 2 snappy, 3 lz4 or 4 zstd");
    }
  }
  return {};
}

// Classes of Apache Kafka that a list may name by their short or full name; others cannot be loaded here.
Status CheckNamesIn(const Settings& settings, std::string_view key, std::span<const std::string_view> known) {
  for (const std::string& name : settings.List(key)) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string allowed = "among";
    for (std::string_view word : known) allowed += " " + std::string(word);
    return NotAllowed(key, name, allowed);
  }
  return {};
}

Status CheckGroups(const Settings& settings) {
  std::vector<std::string> protocols = settings.List("group.coordinator.rebalance.protocols");
  if (std::find(protocols.begin(), protocols.end(), "classic") == protocols.end()) {
    return Broken("group.coordinator.rebalance.protocols", "classic must be among them");
  }
  constexpr std::string_view kAssignors[] = {"uniform", "range",
                                             "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
                                             "org.apache.kafka.coordinator.group.assignor.RangeAssignor"};
  constexpr std::string_view kShareAssignors[] = {"simple",
                                                  "org.apache.kafka.coordinator.group.assignor.SimpleAssignor"};
  KB_RETURN_IF_ERROR(CheckNamesIn(settings, "group.consumer.assignors", kAssignors));
  KB_RETURN_IF_ERROR(CheckNamesIn(settings, "group.share.assignors", kShareAssignors));
  return {};
}

std::vector<std::string> LogDirs(const Settings& settings) {
  return settings.IsSet("log.dirs") ? settings.List("log.dirs") : settings.List("log.dir");
}

Status CheckLogDirs(const Settings& settings) {
  const std::vector<std::string> log_dirs = LogDirs(settings);
  const std::vector<std::string> cordoned = settings.List("cordoned.log.dirs");
  for (const std::string& dir : cordoned) {
    if (dir == "*" && cordoned.size() > 1)
      return NotAllowed("cordoned.log.dirs", dir, "alone, where it is one of them");
    if (dir != "*" && std::find(log_dirs.begin(), log_dirs.end(), dir) == log_dirs.end()) {
      return NotAllowed("cordoned.log.dirs", dir, "* or among log.dirs");
    }
  }
  return {};
}

Status CheckEarlyListeners(const Settings& settings, const Listeners& listeners) {
  for (const std::string& name : settings.List("early.start.listeners")) {
    if (listeners.FindBound(name) == nullptr) return NotAllowed("early.start.listeners", name, "among listeners");
  }
  return {};
}

Status CheckHttpListeners(const Settings& settings, const Listeners& listeners) {
  for (const std::string& name : settings.List("http.listeners")) {
    if (name != "*" && listeners.FindBound(name) == nullptr) {
      return NotAllowed("http.listeners", name, "* or among listeners");
    }
  }
  return {};
}

AckDurability DurabilityNamed(std::string_view name) {
  if (name == "disk") return AckDurability::kDisk;
  return name == "os" ? AckDurability::kOs : AckDurability::kAuto;
}

void FillTopics(const Settings& s, ServerConfig* c) {
  c->num_partitions = s.Int("num.partitions");
  c->default_replication_factor = s.Int("default.replication.factor");
  c->auto_create_topics_enable = s.Boolean("auto.create.topics.enable");
  c->delete_topic_enable = s.Boolean("delete.topic.enable");
  c->log_segment_delete_delay_ms = s.Long("log.segment.delete.delay.ms");
  c->log_retention_check_interval_ms = s.Long("log.retention.check.interval.ms");
  c->log_cleaner_enable = s.Boolean("log.cleaner.enable");
  c->log_initial_task_delay_ms = s.Long("log.initial.task.delay.ms");
  c->log_scrub_io_max_bytes_per_second = s.Long("log.scrub.io.max.bytes.per.second");
  c->log_scrub_interval_ms = s.Long("log.scrub.interval.ms");
  c->log_flush_scheduler_interval_ms = s.Long("log.flush.scheduler.interval.ms");
  c->log_flush_offset_checkpoint_interval_ms = s.Int("log.flush.offset.checkpoint.interval.ms");
  c->log_flush_start_offset_checkpoint_interval_ms = s.Int("log.flush.start.offset.checkpoint.interval.ms");
  c->replica_high_watermark_checkpoint_interval_ms = s.Long("replica.high.watermark.checkpoint.interval.ms");
  c->producer_id_expiration_ms = s.Int("producer.id.expiration.ms");
  c->producer_id_expiration_check_interval_ms = s.Int("producer.id.expiration.check.interval.ms");
  c->num_recovery_threads_per_data_dir = s.Int("num.recovery.threads.per.data.dir");
  c->storage_min_free_bytes = s.Long("storage.min.free.bytes");
  c->acks_all_durability = DurabilityNamed(s.Text("acks.all.durability"));
}

void FillSockets(const Settings& s, ServerConfig* c) {
  c->http_listeners = s.List("http.listeners");
  c->socket_request_max_bytes = s.Int("socket.request.max.bytes");
  c->socket_send_buffer_bytes = s.Int("socket.send.buffer.bytes");
  c->socket_receive_buffer_bytes = s.Int("socket.receive.buffer.bytes");
  c->socket_listen_backlog_size = s.Int("socket.listen.backlog.size");
  c->max_connections = s.Int("max.connections");
  c->max_connections_per_ip = s.Int("max.connections.per.ip");
  c->max_connections_per_ip_overrides = ParseConnectionLimits(s.Text(kConnectionLimitsKey)).value();
  c->connections_max_idle_ms = s.Long("connections.max.idle.ms");
  c->max_request_partition_size_limit = s.Int("max.request.partition.size.limit");
  c->fetch_max_bytes = s.Int("fetch.max.bytes");
  c->max_incremental_fetch_session_cache_slots = s.Int("max.incremental.fetch.session.cache.slots");
  c->request_timeout_ms = s.Int("request.timeout.ms");
}

void FillGroups(const Settings& s, ServerConfig* c) {
  c->group_min_session_timeout_ms = s.Int("group.min.session.timeout.ms");
  c->group_max_session_timeout_ms = s.Int("group.max.session.timeout.ms");
  c->group_initial_rebalance_delay_ms = s.Int("group.initial.rebalance.delay.ms");
  c->group_max_size = s.Int("group.max.size");
  c->group_coordinator_append_linger_ms = s.Int("group.coordinator.append.linger.ms");
  c->offset_metadata_max_bytes = s.Int("offset.metadata.max.bytes");
  c->offsets_retention_minutes = s.Int("offsets.retention.minutes");
  c->offsets_retention_check_interval_ms = s.Long("offsets.retention.check.interval.ms");
  c->offsets_commit_timeout_ms = s.Int("offsets.commit.timeout.ms");
  c->offsets_load_buffer_size = s.Int("offsets.load.buffer.size");
  c->offsets_topic_num_partitions = s.Int("offsets.topic.num.partitions");
  c->offsets_topic_replication_factor = s.Short("offsets.topic.replication.factor");
  c->offsets_topic_segment_bytes = s.Int("offsets.topic.segment.bytes");
  c->offsets_topic_compression_codec = s.Int("offsets.topic.compression.codec");
  c->transaction_max_timeout_ms = s.Int("transaction.max.timeout.ms");
}

// Names as members ask for them.
std::vector<std::string> ShortAssignorNames(const std::vector<std::string>& written) {
  std::vector<std::string> names;
  for (const std::string& name : written) {
    std::string short_name = name;
    if (name.ends_with(".UniformAssignor")) short_name = "uniform";
    if (name.ends_with(".RangeAssignor")) short_name = "range";
    if (std::find(names.begin(), names.end(), short_name) == names.end()) names.push_back(std::move(short_name));
  }
  return names;
}

void FillConsumerGroups(const Settings& s, ServerConfig* c) {
  c->group_consumer_session_timeout_ms = s.Int("group.consumer.session.timeout.ms");
  c->group_consumer_min_session_timeout_ms = s.Int("group.consumer.min.session.timeout.ms");
  c->group_consumer_max_session_timeout_ms = s.Int("group.consumer.max.session.timeout.ms");
  c->group_consumer_heartbeat_interval_ms = s.Int("group.consumer.heartbeat.interval.ms");
  c->group_consumer_min_heartbeat_interval_ms = s.Int("group.consumer.min.heartbeat.interval.ms");
  c->group_consumer_max_heartbeat_interval_ms = s.Int("group.consumer.max.heartbeat.interval.ms");
  c->group_consumer_assignment_interval_ms = s.Int("group.consumer.assignment.interval.ms");
  c->group_consumer_min_assignment_interval_ms = s.Int("group.consumer.min.assignment.interval.ms");
  c->group_consumer_max_assignment_interval_ms = s.Int("group.consumer.max.assignment.interval.ms");
  c->group_consumer_max_size = s.Int("group.consumer.max.size");
  c->group_consumer_regex_refresh_interval_ms = s.Int("group.consumer.regex.refresh.interval.ms");
  c->group_consumer_migration_policy = s.Text("group.consumer.migration.policy");
  for (char& letter : c->group_consumer_migration_policy) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  c->group_consumer_assignors = ShortAssignorNames(s.List("group.consumer.assignors"));
  c->group_coordinator_rebalance_protocols = s.List("group.coordinator.rebalance.protocols");
}

void FillMetadataLog(const Settings& s, ServerConfig* c) {
  c->metadata_log_max_record_bytes_between_snapshots = s.Long("metadata.log.max.record.bytes.between.snapshots");
  c->metadata_log_max_snapshot_interval_ms = s.Long("metadata.log.max.snapshot.interval.ms");
  c->metadata_log_segment_bytes = s.Int("metadata.log.segment.bytes");
  c->metadata_log_segment_ms = s.Long("metadata.log.segment.ms");
  c->metadata_max_retention_bytes = s.Long("metadata.max.retention.bytes");
  c->metadata_max_retention_ms = s.Long("metadata.max.retention.ms");
}

// The overrides on top of the file.
ConfigMap WrittenByPeople(const ConfigInput& input) {
  ConfigMap written = input.file.value_or(ConfigMap());
  for (const auto& [key, value] : input.overrides) written[key] = value;
  return written;
}

ConfigMap Written(const ConfigInput& input) {
  ConfigMap written = WrittenByPeople(input);
  if (!input.file.has_value()) written.merge(EmbeddedDefaults(input.overrides, input.data_dir));
  return written;
}

}  // namespace

Status CheckSettings(const Settings& settings) {
  KB_RETURN_IF_ERROR(CheckTimes(settings));
  KB_RETURN_IF_ERROR(CheckSizes(settings));
  KB_RETURN_IF_ERROR(CheckOrder(settings));
  KB_RETURN_IF_ERROR(CheckGroups(settings));
  return CheckLogDirs(settings);
}

Result<ServerConfig> LoadServerConfig(const ConfigInput& input) {
  Result<Settings> settings = Settings::Create(Written(input));
  if (!settings.ok()) return settings.error();
  KB_RETURN_IF_ERROR(RefuseWhatMustNotBeIgnored(settings->written()));
  KB_RETURN_IF_ERROR(CheckRoles(*settings));
  Result<int32_t> node_id = ReadNodeId(*settings);
  if (!node_id.ok()) return node_id.error();
  Result<Listeners> listeners = ReadListeners(*settings, *node_id);
  if (!listeners.ok()) return listeners.error();

  ServerConfig config;
  config.node_id = *node_id;
  config.listeners = *std::move(listeners);
  config.log_dirs = LogDirs(*settings);
  config.metadata_log_dir = settings->Text("metadata.log.dir");
  if (config.metadata_log_dir.empty()) config.metadata_log_dir = config.log_dirs.front();
  if (std::string rack = settings->Text("broker.rack"); !rack.empty()) config.broker_rack = rack;

  KB_RETURN_IF_ERROR(CheckSettings(*settings));
  KB_RETURN_IF_ERROR(CheckEarlyListeners(*settings, config.listeners));
  KB_RETURN_IF_ERROR(CheckHttpListeners(*settings, config.listeners));
  FillTopics(*settings, &config);
  FillSockets(*settings, &config);
  FillGroups(*settings, &config);
  FillConsumerGroups(*settings, &config);
  FillMetadataLog(*settings, &config);
  config.warnings = WarningsFor(WrittenByPeople(input));
  config.settings = *std::move(settings);
  return config;
}

namespace {

std::string_view OverrideOf(const Overrides& overrides, std::string_view key, std::string_view otherwise) {
  std::string_view last = otherwise;
  for (const auto& [name, value] : overrides) {
    if (name == key) last = value;
  }
  return last;
}

// Where a socket of this node can be reached: on this machine, unless it is bound to one address.
std::string ReachableAt(const HostPort& bound) {
  bool everywhere = bound.host.empty() || bound.host == "0.0.0.0" || bound.host == "::";
  std::string host = everywhere ? "localhost" : bound.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return host + ":" + std::to_string(bound.port);
}

}  // namespace

ConfigMap EmbeddedDefaults(const Overrides& overrides, std::string_view data_dir) {
  ConfigMap defaults = {
      {"process.roles", "broker,controller"},
      {"node.id", std::string(OverrideOf(overrides, "broker.id", "1"))},
      {"listeners", "PLAINTEXT://:9092,CONTROLLER://localhost:9093"},
      {"controller.listener.names", "CONTROLLER"},
      {"controller.quorum.bootstrap.servers", "localhost:9093"},
      {"log.dirs", std::string(data_dir)},
      // There is nobody else to hold a replica.
      {"offsets.topic.replication.factor", "1"},
      {"transaction.state.log.replication.factor", "1"},
      {"transaction.state.log.min.isr", "1"},
      {"share.coordinator.state.topic.replication.factor", "1"},
      {"share.coordinator.state.topic.min.isr", "1"},
  };
  std::vector<std::string> controllers =
      ListOf(OverrideOf(overrides, "controller.listener.names", defaults["controller.listener.names"]));
  std::string advertised;
  for (const std::string& listener : ListOf(OverrideOf(overrides, "listeners", defaults["listeners"]))) {
    std::optional<HostPort> address = ParseHostPort(listener);
    size_t scheme_end = listener.find("://");
    if (!address.has_value() || scheme_end == std::string::npos) continue;  // ReadListeners will say so
    std::string name = listener.substr(0, scheme_end);
    if (std::find(controllers.begin(), controllers.end(), name) != controllers.end()) {
      defaults["controller.quorum.bootstrap.servers"] = ReachableAt(*address);
    } else {
      advertised += (advertised.empty() ? "" : ",") + name + "://" + ReachableAt(*address);
    }
  }
  if (!advertised.empty()) defaults["advertised.listeners"] = advertised;
  return defaults;
}

}  // namespace kb::config

#include "config/topic_config.h"

#include <re2/re2.h>

#include <algorithm>

#include "config/value.h"

namespace kb::config {
namespace {

// Reads a topic's keys one after the other.
class Reader {
 public:
  Reader(const ConfigMap& own, const Layers& layers) : own_(own), layers_(layers) {}

  std::optional<std::string> Find(std::string_view key) const {
    return ValueOf(RowNamed(Scope::kTopic, key), own_, layers_);
  }
  std::string Text(std::string_view key) const { return Find(key).value(); }
  int64_t Long(std::string_view key) const { return IntegerOf(Text(key)); }
  int32_t Int(std::string_view key) const { return static_cast<int32_t>(Long(key)); }
  bool Boolean(std::string_view key) const { return BooleanOf(Text(key)); }
  double Double(std::string_view key) const { return DoubleOf(Text(key)); }
  bool Has(std::string_view key, std::string_view item) const {
    std::vector<std::string> items = ListOf(Text(key));
    return std::find(items.begin(), items.end(), item) != items.end();
  }

 private:
  const ConfigMap& own_;
  const Layers& layers_;
};

void ReadSegments(const Reader& reader, TopicConfig* config) {
  config->segment_bytes = reader.Int("segment.bytes");
  if (std::optional<std::string> internal = reader.Find("internal.segment.bytes")) {
    config->segment_bytes = static_cast<int32_t>(IntegerOf(*internal));
  }
  config->segment_ms = reader.Long("segment.ms");
  config->segment_jitter_ms = reader.Long("segment.jitter.ms");
  config->segment_index_bytes = reader.Int("segment.index.bytes");
  config->index_interval_bytes = reader.Int("index.interval.bytes");
  config->preallocate = reader.Boolean("preallocate");
  config->file_delete_delay_ms = reader.Long("file.delete.delay.ms");
}

void ReadCleanup(const Reader& reader, TopicConfig* config) {
  config->cleanup_delete = reader.Has("cleanup.policy", "delete");
  config->cleanup_compact = reader.Has("cleanup.policy", "compact");
  config->retention_ms = reader.Long("retention.ms");
  config->retention_bytes = reader.Long("retention.bytes");
  config->delete_retention_ms = reader.Long("delete.retention.ms");
  config->min_compaction_lag_ms = reader.Long("min.compaction.lag.ms");
  config->max_compaction_lag_ms = reader.Long("max.compaction.lag.ms");
  config->min_cleanable_dirty_ratio = reader.Double("min.cleanable.dirty.ratio");
}

void ReadCompression(const Reader& reader, TopicConfig* config) {
  std::string type = reader.Text("compression.type");
  if (type == "uncompressed") config->compression_type = Compression::kUncompressed;
  if (type == "snappy") config->compression_type = Compression::kSnappy;
  if (type == "gzip") {
    config->compression_type = Compression::kGzip;
    config->compression_level = reader.Int("compression.gzip.level");
  } else if (type == "lz4") {
    config->compression_type = Compression::kLz4;
    config->compression_level = reader.Int("compression.lz4.level");
  } else if (type == "zstd") {
    config->compression_type = Compression::kZstd;
    config->compression_level = reader.Int("compression.zstd.level");
  }
}

void ReadMessages(const Reader& reader, TopicConfig* config) {
  config->max_message_bytes = reader.Int("max.message.bytes");
  config->message_timestamp_is_log_append_time = reader.Text("message.timestamp.type") == "LogAppendTime";
  config->message_timestamp_before_max_ms = reader.Long("message.timestamp.before.max.ms");
  config->message_timestamp_after_max_ms = reader.Long("message.timestamp.after.max.ms");
}

AckDurability ReadDurability(const ConfigMap& own, const Layers& layers, const TopicConfig& config) {
  if (own.contains("flush.messages") && config.flush_messages == INT64_MAX) return AckDurability::kOs;
  if (config.flush_messages == 1) return AckDurability::kDisk;
  std::string name = BrokerValue(layers, "acks.all.durability").value();
  if (name == "disk") return AckDurability::kDisk;
  return name == "os" ? AckDurability::kOs : AckDurability::kAuto;
}

Status CheckEach(Scope scope, std::string_view what, const ConfigMap& own) {
  for (const auto& [key, value] : own) {
    const Row* row = FindRow(scope, key);
    if (row == nullptr) {
      return Error{ErrorKind::kNotFound, key + ": there is no such key of a " + std::string(what)};
    }
    Result<std::string> canonical = Canonical(*row, value);
    if (!canonical.ok()) return canonical.error();
  }
  return {};
}

// A group's value must lie within what the broker allows.
struct GroupBounds {
  std::string_view key;
  std::string_view least;  // broker keys; empty: none
  std::string_view most;
};
constexpr GroupBounds kGroupBounds[] = {
    {"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms",
     "group.consumer.max.heartbeat.interval.ms"},
    {"consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms",
     "group.consumer.max.assignment.interval.ms"},
    {"share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"},
    {"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
    {"share.assignment.interval.ms", "group.share.min.assignment.interval.ms",
     "group.share.max.assignment.interval.ms"},
    {"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms",
     "group.share.max.record.lock.duration.ms"},
    {"share.delivery.count.limit", "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit"},
    {"share.partition.max.record.locks", "group.share.min.partition.max.record.locks",
     "group.share.max.partition.max.record.locks"},
    {"streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"},
    {"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms",
     "group.streams.max.heartbeat.interval.ms"},
    {"streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms",
     "group.streams.max.assignment.interval.ms"},
    {"streams.num.standby.replicas", "", "group.streams.max.standby.replicas"},
};

Status CheckGroupBounds(const GroupBounds& bounds, const ConfigMap& own, const Layers& layers) {
  auto set = own.find(bounds.key);
  if (set == own.end()) return {};
  int64_t value = IntegerOf(Canonical(RowNamed(Scope::kGroup, bounds.key), set->second).value());
  if (!bounds.least.empty()) {
    std::string least = BrokerValue(layers, bounds.least).value();
    if (value < IntegerOf(least)) {
      return NotAllowed(bounds.key, set->second, "at least the broker's " + std::string(bounds.least) + ", " + least);
    }
  }
  std::string most = BrokerValue(layers, bounds.most).value();
  if (value > IntegerOf(most)) {
    return NotAllowed(bounds.key, set->second, "at most the broker's " + std::string(bounds.most) + ", " + most);
  }
  return {};
}

// Heartbeats must come more often than sessions end.
Status CheckHeartbeats(std::string_view kind, const ConfigMap& own, const Layers& layers) {
  const std::string session = std::string(kind) + ".session.timeout.ms";
  const std::string heartbeat = std::string(kind) + ".heartbeat.interval.ms";
  const std::string session_ms = ValueOf(RowNamed(Scope::kGroup, session), own, layers).value();
  const std::string heartbeat_ms = ValueOf(RowNamed(Scope::kGroup, heartbeat), own, layers).value();
  if (IntegerOf(session_ms) > IntegerOf(heartbeat_ms)) return {};
  return NotAllowed(session, session_ms, "more than " + heartbeat + ", " + heartbeat_ms);
}

// "client_id=regular expression", which clients a subscription is for.
Status CheckClientMatch(const std::string& pattern) {
  constexpr std::string_view kProperties[] = {"client_instance_id",    "client_id",
                                              "client_software_name",  "client_software_version",
                                              "client_source_address", "client_source_port"};
  const size_t equals = pattern.find('=');
  const std::string name(Trimmed(pattern.substr(0, equals)));
  const bool is_known = std::find(std::begin(kProperties), std::end(kProperties), name) != std::end(kProperties);
  const std::string text = equals == std::string::npos ? "" : pattern.substr(equals + 1);
  if (!is_known || text.empty() || text.find('=') != std::string::npos) {
    return NotAllowed("match", pattern, "client_id=regular expression, or another property of a client");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  re2::RE2 expression(std::string(Trimmed(text)), options);
  if (expression.ok()) return {};
  return NotAllowed("match", pattern, "a regular expression after the '=': " + expression.error());
}

}  // namespace

TopicConfig ReadTopicConfig(const ConfigMap& own, const Layers& layers) {
  Reader reader(own, layers);
  TopicConfig config;
  ReadSegments(reader, &config);
  ReadCleanup(reader, &config);
  ReadCompression(reader, &config);
  ReadMessages(reader, &config);
  config.min_insync_replicas = reader.Int("min.insync.replicas");
  config.unclean_leader_election_enable = reader.Boolean("unclean.leader.election.enable");
  config.flush_messages = reader.Long("flush.messages");
  config.flush_ms = reader.Long("flush.ms");
  config.acks_all_durability = ReadDurability(own, layers, config);
  return config;
}

Status CheckTopicConfig(const ConfigMap& own, const Layers& layers) {
  KB_RETURN_IF_ERROR(CheckEach(Scope::kTopic, "topic", own));
  Reader reader(own, layers);
  if (reader.Long("min.compaction.lag.ms") > reader.Long("max.compaction.lag.ms")) {
    return NotAllowed("min.compaction.lag.ms", reader.Text("min.compaction.lag.ms"),
                      "at most max.compaction.lag.ms, " + reader.Text("max.compaction.lag.ms"));
  }
  if (reader.Boolean("remote.storage.enable")) {
    return NotAllowed("remote.storage.enable", "true", "false: this broker has no tiered storage");
  }
  return {};
}

Status CheckGroupConfig(const ConfigMap& own, const Layers& layers) {
  KB_RETURN_IF_ERROR(CheckEach(Scope::kGroup, "group", own));
  for (const GroupBounds& bounds : kGroupBounds) KB_RETURN_IF_ERROR(CheckGroupBounds(bounds, own, layers));
  for (std::string_view kind : {"consumer", "share", "streams"}) {
    KB_RETURN_IF_ERROR(CheckHeartbeats(kind, own, layers));
  }
  return {};
}

Status CheckClientMetricsConfig(const ConfigMap& own) {
  KB_RETURN_IF_ERROR(CheckEach(Scope::kClientMetrics, "client-metrics subscription", own));
  constexpr int64_t kLeastMs = 100;
  constexpr int64_t kMostMs = 3'600'000;
  if (auto interval = own.find("interval.ms"); interval != own.end()) {
    const int64_t ms = IntegerOf(Canonical(RowNamed(Scope::kClientMetrics, "interval.ms"), interval->second).value());
    if (ms < kLeastMs || ms > kMostMs) {
      return Error{ErrorKind::kUnsupported,
                   NotAllowed("interval.ms", interval->second, "from 100 to 3600000, an hour").message};
    }
  }
  auto match = own.find("match");
  if (match == own.end()) return {};
  for (const std::string& pattern : ListOf(Trimmed(match->second))) KB_RETURN_IF_ERROR(CheckClientMatch(pattern));
  return {};
}

}  // namespace kb::config

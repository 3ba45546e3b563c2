#include "broker/config_view.h"

#include "config/value.h"

namespace kb::broker {

using metadata::ConfigResourceType;

config::Layers ConfigView::LayersOf(const metadata::MetadataImage& image) const {
  return {config_.settings, image.ConfigsOf(ConfigResourceType::kBroker, node_name_),
          image.ConfigsOf(ConfigResourceType::kBroker, "")};
}

namespace {

partition::Durability DurabilityOf(config::AckDurability durability) {
  switch (durability) {
    case config::AckDurability::kAuto:
      return partition::Durability::kAuto;
    case config::AckDurability::kDisk:
      return partition::Durability::kDisk;
    case config::AckDurability::kOs:
      return partition::Durability::kOs;
  }
  return partition::Durability::kAuto;
}

int64_t Integer(const config::Layers& layers, std::string_view key) {
  return config::IntegerOf(config::BrokerValue(layers, key).value());
}

log::LogConfig LogConfigOf(const config::TopicConfig& topic, const config::Layers& layers) {
  log::LogConfig log;
  log.segment_bytes = topic.segment_bytes;
  log.segment_ms = topic.segment_ms;
  log.segment_jitter_ms = topic.segment_jitter_ms;
  log.segment_index_bytes = topic.segment_index_bytes;
  log.index_interval_bytes = topic.index_interval_bytes;
  log.preallocate = topic.preallocate;
  log.cleanup_delete = topic.cleanup_delete;
  log.cleanup_compact = topic.cleanup_compact;
  log.retention_ms = topic.retention_ms;
  log.retention_bytes = topic.retention_bytes;
  log.max_compaction_lag_ms = topic.max_compaction_lag_ms;
  log.min_compaction_lag_ms = topic.min_compaction_lag_ms;
  log.delete_retention_ms = topic.delete_retention_ms;
  log.min_cleanable_dirty_ratio = topic.min_cleanable_dirty_ratio;
  log.producer_id_expiration_ms = Integer(layers, "producer.id.expiration.ms");
  return log;
}

record::ValidateOptions ValidateOptionsOf(const config::TopicConfig& topic) {
  record::ValidateOptions options;
  options.max_message_bytes = topic.max_message_bytes;
  options.compacted = topic.cleanup_compact;
  options.timestamp_type = topic.message_timestamp_is_log_append_time ? record::TimestampType::kLogAppendTime
                                                                      : record::TimestampType::kCreateTime;
  options.timestamp_before_max_ms = topic.message_timestamp_before_max_ms;
  options.timestamp_after_max_ms = topic.message_timestamp_after_max_ms;
  if (topic.compression_type != config::Compression::kProducer) {
    options.codec = static_cast<record::Codec>(topic.compression_type);
    options.level = topic.compression_level;
  }
  return options;
}

}  // namespace

partition::PartitionConfig ConfigView::PartitionConfigOf(const metadata::MetadataImage& image,
                                                         std::string_view name) const {
  const config::Layers layers = LayersOf(image);
  config::TopicConfig topic = config::ReadTopicConfig(image.ConfigsOfTopic(name), layers);
  partition::PartitionConfig config;
  config.log = LogConfigOf(topic, layers);
  config.validate = ValidateOptionsOf(topic);
  config.durability = DurabilityOf(topic.acks_all_durability);
  config.min_insync_replicas = topic.min_insync_replicas;
  config.flush_messages = topic.flush_messages;
  config.flush_ms = topic.flush_ms;
  config.file_delete_delay_ms = topic.file_delete_delay_ms;
  return config;
}

partition::CleaningSettings ConfigView::CleaningSettingsOf(const metadata::MetadataImage& image) const {
  const config::Layers layers = LayersOf(image);
  auto integer = [&](std::string_view key) { return Integer(layers, key); };
  auto real = [&](std::string_view key) { return config::DoubleOf(config::BrokerValue(layers, key).value()); };
  partition::CleaningSettings settings;
  settings.threads = static_cast<int32_t>(integer("log.cleaner.threads"));
  settings.map_bytes = integer("log.cleaner.dedupe.buffer.size");
  settings.map_load_factor = real("log.cleaner.io.buffer.load.factor");
  settings.io_buffer_bytes = integer("log.cleaner.io.buffer.size");
  settings.most_bytes_per_second = real("log.cleaner.io.max.bytes.per.second");
  settings.backoff_ms = integer("log.cleaner.backoff.ms");
  return settings;
}

net::AcceptorOptions ConfigView::ConnectionLimitsOf(const metadata::MetadataImage& image) const {
  const config::Layers layers = LayersOf(image);
  net::AcceptorOptions limits;
  limits.most_connections = static_cast<size_t>(Integer(layers, "max.connections"));
  limits.most_connections_per_ip = static_cast<size_t>(Integer(layers, "max.connections.per.ip"));
  // Allowed at the start, refused later: who is locked out could not take it back.
  if (limits.most_connections == 0) limits.most_connections = static_cast<size_t>(config_.max_connections);
  const std::string of_addresses = config::BrokerValue(layers, config::kConnectionLimitsKey).value_or("");
  // What another version stored may not be readable; it was never allowed here.
  Result<config::ConnectionLimits> parsed = config::ParseConnectionLimits(of_addresses);
  if (!parsed.ok()) return limits;
  for (const auto& [address, most] : *parsed) {
    limits.most_connections_of_ip[net::CanonicalIp(address)] = static_cast<size_t>(most);
  }
  return limits;
}

std::vector<std::string> ConfigView::CordonedLogDirsOf(const metadata::MetadataImage& image) const {
  const config::Layers layers = LayersOf(image);
  std::vector<std::string> directories = config::ListOf(config::BrokerValue(layers, "cordoned.log.dirs").value_or(""));
  return directories == std::vector<std::string>{"*"} ? config_.log_dirs : directories;
}

int64_t ConfigView::FileDeleteDelayMsOf(const metadata::MetadataImage& image) const {
  return Integer(LayersOf(image), "log.segment.delete.delay.ms");
}

}  // namespace kb::broker

#include "server/options.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace kb::server {

broker::Options BrokerOptions(const config::ServerConfig& config) {
  broker::Options options;
  options.node_id = config.node_id;
  options.auto_create_topics_enable = config.auto_create_topics_enable;
  options.max_request_partition_size_limit = config.max_request_partition_size_limit;
  options.request_slow_ms = config.settings.Long("request.slow.ms");
  options.fetch_max_bytes = config.fetch_max_bytes;
  options.max_incremental_fetch_session_cache_slots = config.max_incremental_fetch_session_cache_slots;
  const std::vector<std::string>& protocols = config.group_coordinator_rebalance_protocols;
  options.consumer_groups = std::find(protocols.begin(), protocols.end(), "consumer") != protocols.end();
  options.offsets_topic_num_partitions = config.offsets_topic_num_partitions;
  // There is one node to put a replica on. Apache Kafka has no groups at all then, until the key is changed.
  options.offsets_topic_replication_factor = 1;
  options.offsets_topic_segment_bytes = config.offsets_topic_segment_bytes;
  auto window = [&config](std::string_view samples, std::string_view seconds) {
    return broker::QuotaWindowOptions{config.settings.Int(samples), int64_t{1000} * config.settings.Int(seconds)};
  };
  options.quota_window = window("quota.window.num", "quota.window.size.seconds");
  options.controller_quota_window = window("controller.quota.window.num", "controller.quota.window.size.seconds");
  return options;
}

std::vector<broker::Listener> BrokerListeners(const config::ServerConfig& config) {
  std::vector<broker::Listener> listeners;
  for (const config::Listener& listener : config.listeners.bound) {
    listeners.push_back({listener.name, listener.is_controller});
  }
  return listeners;
}

namespace {

group::GroupConfig::MigrationPolicy MigrationPolicyNamed(std::string_view name) {
  using Policy = group::GroupConfig::MigrationPolicy;
  if (name == "disabled") return Policy::kDisabled;
  if (name == "upgrade") return Policy::kUpgrade;
  return name == "downgrade" ? Policy::kDowngrade : Policy::kBidirectional;
}

}  // namespace

group::GroupConfig GroupOptions(const config::ServerConfig& config) {
  group::GroupConfig options;
  options.group_min_session_timeout_ms = config.group_min_session_timeout_ms;
  options.group_max_session_timeout_ms = config.group_max_session_timeout_ms;
  options.group_initial_rebalance_delay_ms = config.group_initial_rebalance_delay_ms;
  options.group_max_size = config.group_max_size;
  options.offset_metadata_max_bytes = config.offset_metadata_max_bytes;
  options.offsets_retention_ms = int64_t{config.offsets_retention_minutes} * 60'000;
  options.offsets_retention_check_interval_ms = config.offsets_retention_check_interval_ms;
  options.offsets_commit_timeout_ms = config.offsets_commit_timeout_ms;
  options.group_consumer_migration_policy = MigrationPolicyNamed(config.group_consumer_migration_policy);
  options.group_consumer_max_size = config.group_consumer_max_size;
  options.group_consumer_assignors = config.group_consumer_assignors;
  options.group_consumer_regex_refresh_interval_ms = config.group_consumer_regex_refresh_interval_ms;
  options.most_group_bytes = static_cast<size_t>(config.offsets_topic_segment_bytes) / 3;
  return options;
}

// The rate is the broker's: each reactor has its part of it.
partition::Scrubber::Options ScrubOptions(const config::ServerConfig& config, size_t reactors) {
  partition::Scrubber::Options options;
  const int64_t rate = config.log_scrub_io_max_bytes_per_second;
  options.bytes_per_second = rate == 0 ? 0 : std::max<int64_t>(rate / static_cast<int64_t>(reactors), 1);
  options.interval_ms = config.log_scrub_interval_ms;
  options.first_after_ms = config.log_initial_task_delay_ms;
  return options;
}

net::ConnectionOptions ConnectionOptions(const config::ServerConfig& config, size_t) {
  net::ConnectionOptions options;
  options.most_frame_bytes = static_cast<size_t>(config.socket_request_max_bytes);
  constexpr int64_t kMostMs = INT64_MAX / 1'000'000;
  options.idle_ns =
      config.connections_max_idle_ms < 0 ? -1 : std::min(config.connections_max_idle_ms, kMostMs) * kNsPerMs;
  return options;
}

net::AcceptorOptions AcceptorOptions(const config::ServerConfig& config) {
  net::AcceptorOptions options;
  options.most_connections = static_cast<size_t>(config.max_connections);
  options.most_connections_per_ip = static_cast<size_t>(config.max_connections_per_ip);
  for (const auto& [address, most] : config.max_connections_per_ip_overrides) {
    options.most_connections_of_ip[net::CanonicalIp(address)] = static_cast<size_t>(most);
  }
  return options;
}

std::vector<bool> HttpListeners(const config::ServerConfig& config) {
  const std::vector<std::string>& names = config.http_listeners;
  const auto is_named = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<bool> listeners;
  for (const config::Listener& listener : config.listeners.bound) {
    listeners.push_back(is_named(listener.name) || (is_named("*") && !listener.is_controller));
  }
  return listeners;
}

std::vector<net::ListenerOptions> ListenerOptions(const config::ServerConfig& config) {
  std::vector<net::ListenerOptions> listeners;
  for (const config::Listener& listener : config.listeners.bound) {
    listeners.push_back({listener.name, listener.address.host, listener.address.port});
  }
  return listeners;
}

controller::MetadataLog::Options MetadataOptions(const config::ServerConfig& config) {
  controller::MetadataLog::Options options;
  options.metadata_dir = config.metadata_log_dir;
  options.node_id = BrokerId(config.node_id);
  options.segment_bytes = static_cast<uint64_t>(config.metadata_log_segment_bytes);
  options.retention_bytes = static_cast<uint64_t>(config.metadata_max_retention_bytes);
  return options;
}

namespace {

std::string OwnName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

uint16_t BoundPort(const config::ServerConfig& config, const std::string& name, const std::vector<uint16_t>& ports) {
  for (size_t i = 0; i < config.listeners.bound.size() && i < ports.size(); ++i) {
    if (config.listeners.bound[i].name == name) return ports[i];
  }
  return 0;
}

metadata::Endpoint EndpointOf(const config::ServerConfig& config, const config::Listener& listener,
                              const std::vector<uint16_t>& ports) {
  metadata::Endpoint endpoint;
  endpoint.name = listener.name;
  endpoint.host = listener.address.host.empty() ? OwnName() : listener.address.host;
  endpoint.port = listener.address.port != 0 ? listener.address.port : BoundPort(config, listener.name, ports);
  endpoint.security_protocol = static_cast<int16_t>(listener.protocol);
  return endpoint;
}

}  // namespace

std::vector<metadata::Endpoint> Endpoints(const config::ServerConfig& config, const std::vector<uint16_t>& ports) {
  std::vector<metadata::Endpoint> endpoints;
  for (const config::Listener& listener : config.listeners.advertised) {
    endpoints.push_back(EndpointOf(config, listener, ports));
  }
  for (const config::Listener& listener : config.listeners.bound) {
    bool advertised = config.listeners.FindAdvertised(listener.name) != nullptr;
    if (listener.is_controller && !advertised) endpoints.push_back(EndpointOf(config, listener, ports));
  }
  return endpoints;
}

std::string AbsolutePath(const std::string& path) {
  std::string absolute = std::filesystem::absolute(path).string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

std::string DescribeListeners(const config::ServerConfig& config, const std::vector<uint16_t>& ports) {
  std::string line = "listening on";
  std::vector<metadata::Endpoint> endpoints = Endpoints(config, ports);
  for (size_t i = 0; i < config.listeners.bound.size(); ++i) {
    const config::Listener& listener = config.listeners.bound[i];
    line += (i == 0 ? " " : "; ") + listener.name + "://" + listener.address.host + ":" + std::to_string(ports[i]);
    for (const metadata::Endpoint& endpoint : endpoints) {
      if (endpoint.name != listener.name) continue;
      line += ", advertised as " + endpoint.host + ":" + std::to_string(endpoint.port);
    }
  }
  return line;
}

}  // namespace kb::server

#include "broker/group_surroundings.h"

#include <algorithm>

#include "config/describe.h"
#include "config/rows.h"
#include "config/value.h"

namespace kb::broker {
namespace {

std::optional<group::TopicShape> ShapeOf(const metadata::Topic* topic) {
  if (topic == nullptr) return std::nullopt;
  return group::TopicShape{topic->id(), topic->name(), topic->partition_count()};
}

// The group's own value within the broker's bounds. The broker's own is not bounded: it was checked at the start.
int32_t ValueOf(const config::ConfigMap& own, std::string_view key, int32_t of_broker, int32_t least, int32_t most) {
  auto found = own.find(key);
  if (found == own.end()) return of_broker;
  const config::Row* row = config::FindRow(config::Scope::kGroup, key);
  Result<std::string> value = config::Canonical(*row, found->second);
  if (!value.ok()) return of_broker;
  return static_cast<int32_t>(std::clamp<int64_t>(config::IntegerOf(*value), least, std::max(least, most)));
}

}  // namespace

std::optional<group::TopicShape> GroupSurroundings::TopicByName(std::string_view name) const {
  return ShapeOf(image().FindTopic(name));
}

std::optional<group::TopicShape> GroupSurroundings::TopicById(const Uuid& id) const {
  return ShapeOf(image().FindTopic(id));
}

std::vector<std::string> GroupSurroundings::RacksOf(const Uuid& topic_id, int32_t partition) const {
  std::vector<std::string> racks;
  const metadata::Partition* found = image().FindPartition({topic_id, partition});
  if (found == nullptr) return racks;
  for (BrokerId id : found->replicas) {
    const metadata::BrokerRegistration* broker = image().FindBroker(id);
    if (broker != nullptr && broker->rack.has_value()) racks.push_back(*broker->rack);
  }
  return racks;
}

void GroupSurroundings::ForEachTopicName(const std::function<void(std::string_view)>& call) const {
  image().ForEachTopic([&](const metadata::Topic& topic) { call(topic.name()); });
}

group::ConsumerGroupSettings GroupSurroundings::SettingsOf(std::string_view group_id) const {
  const config::ServerConfig& config = cluster_.configs->server();
  const config::ConfigMap& own = image().ConfigsOf(metadata::ConfigResourceType::kGroup, group_id);
  group::ConsumerGroupSettings settings;
  settings.session_timeout_ms =
      ValueOf(own, "consumer.session.timeout.ms", config.group_consumer_session_timeout_ms,
              config.group_consumer_min_session_timeout_ms, config.group_consumer_max_session_timeout_ms);
  settings.heartbeat_interval_ms =
      ValueOf(own, "consumer.heartbeat.interval.ms", config.group_consumer_heartbeat_interval_ms,
              config.group_consumer_min_heartbeat_interval_ms, config.group_consumer_max_heartbeat_interval_ms);
  settings.assignment_interval_ms =
      ValueOf(own, "consumer.assignment.interval.ms", AssignmentIntervalMs(),
              config.group_consumer_min_assignment_interval_ms, config.group_consumer_max_assignment_interval_ms);
  return settings;
}

// May be changed while the broker runs.
int32_t GroupSurroundings::AssignmentIntervalMs() const {
  constexpr std::string_view kKey = "group.consumer.assignment.interval.ms";
  const config::Layers layers = cluster_.configs->LayersOf(image());
  const bool is_dynamic = layers.broker.contains(kKey) || layers.cluster.contains(kKey);
  if (!is_dynamic) return cluster_.configs->server().group_consumer_assignment_interval_ms;
  return static_cast<int32_t>(config::IntegerOf(config::BrokerValue(layers, kKey).value()));
}

}  // namespace kb::broker

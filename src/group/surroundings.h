// Surroundings: what a group shard asks about the world outside of it: the topics that exist, and how one group is
// configured. Answers are those of one moment; TopicsChanged (shard.h) tells when they differ.
//
// Implemented by the runtime over its metadata image, and by tests. Reactor-affine, like the shard.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace kb::group {

struct TopicShape {
  Uuid id;
  std::string name;
  int32_t partitions = 0;
};

// Of one consumer group: its own settings (resource GROUP) over those of the broker.
struct ConsumerGroupSettings {
  int32_t session_timeout_ms = 45'000;
  int32_t heartbeat_interval_ms = 5'000;
  int32_t assignment_interval_ms = 1'000;
};

class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // nullopt: no such topic.
  virtual std::optional<TopicShape> TopicByName(std::string_view name) const = 0;
  virtual std::optional<TopicShape> TopicById(const Uuid& id) const = 0;
  // The racks of a partition's replicas, in any order, those of brokers without one left out.
  virtual std::vector<std::string> RacksOf(const Uuid& topic_id, int32_t partition) const = 0;
  // Each once, in any order.
  virtual void ForEachTopicName(const std::function<void(std::string_view)>& call) const = 0;
  // Ascends with every change of the metadata: their last offset.
  virtual int64_t metadata_version() const = 0;
  virtual ConsumerGroupSettings SettingsOf(std::string_view group_id) const = 0;
};

}  // namespace kb::group

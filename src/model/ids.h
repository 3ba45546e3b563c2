// Kafka's numbers as types: one cannot be passed where another is meant. Values, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/strong.h"
#include "base/uuid.h"

namespace kb {

using Offset = Strong<struct OffsetTag, int64_t>;                  // of a record in its partition
using LeaderEpoch = Strong<struct LeaderEpochTag, int32_t>;        // counts the leaders of a partition
using PartitionEpoch = Strong<struct PartitionEpochTag, int32_t>;  // counts the changes of a partition's state
using BrokerEpoch = Strong<struct BrokerEpochTag, int64_t>;        // metadata offset of a broker's registration
using BrokerId = Strong<struct BrokerIdTag, int32_t>;
using ProducerId = Strong<struct ProducerIdTag, int64_t>;
using ProducerEpoch = Strong<struct ProducerEpochTag, int16_t>;

inline constexpr Offset kNoOffset{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// A partition by its topic's id: what the broker itself goes by. A name may be taken again by another topic.
struct PartitionId {
  Uuid topic_id;
  int32_t partition = -1;
  auto operator<=>(const PartitionId&) const = default;
};

// A partition by its topic's name: what people, directories and checkpoints go by.
struct TopicPartition {
  std::string topic;
  int32_t partition = -1;
  auto operator<=>(const TopicPartition&) const = default;
  std::string ToString() const { return topic + "-" + std::to_string(partition); }
};

enum class IsolationLevel : int8_t { kReadUncommitted = 0, kReadCommitted = 1 };

}  // namespace kb

template <>
struct std::hash<kb::PartitionId> {
  size_t operator()(const kb::PartitionId& id) const noexcept {
    return std::hash<kb::Uuid>{}(id.topic_id) + static_cast<size_t>(id.partition) * 0x9e3779b97f4a7c15;
  }
};
template <>
struct std::hash<kb::TopicPartition> {
  size_t operator()(const kb::TopicPartition& id) const noexcept {
    return std::hash<std::string>{}(id.topic) + static_cast<size_t>(id.partition) * 0x9e3779b97f4a7c15;
  }
};

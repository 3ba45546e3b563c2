// Assignment: which partitions one member has.
//
//   topics_      topic a, end 3 │ topic b, end 5          ascending by id; end: where its partitions end below
//   partitions_  0  4  7        │ 1  2                    ascending within a topic
//
// Compact, because a group keeps two of them for each member, its target and what it has now: two allocations, 20 bytes
// a topic, 4 bytes a partition.
//
// Invariants: topics and, within each, partitions ascend strictly; no topic is without partitions.
// Value, any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/uuid.h"
#include "model/ids.h"

namespace kb::group {

class Assignment {
 public:
  Assignment() = default;
  // In any order; what comes twice counts once.
  explicit Assignment(std::vector<PartitionId> partitions) {
    std::sort(partitions.begin(), partitions.end());
    partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
    Reserve(0, partitions.size());
    for (const PartitionId& id : partitions) Append(id.topic_id, id.partition);
    topics_.shrink_to_fit();
  }

  void Reserve(size_t topics, size_t partitions) {
    topics_.reserve(topics);
    partitions_.reserve(partitions);
  }
  // Behind all that is here.
  void Append(const Uuid& topic_id, int32_t partition) {
    bool known = !topics_.empty() && topics_.back().id == topic_id;
    KB_CHECK(known ? partitions_.back() < partition : topics_.empty() || topics_.back().id < topic_id);
    if (!known) topics_.push_back({topic_id, 0});
    partitions_.push_back(partition);
    topics_.back().end = static_cast<uint32_t>(partitions_.size());
  }

  bool empty() const { return partitions_.empty(); }
  size_t topic_count() const { return topics_.size(); }
  size_t partition_count() const { return partitions_.size(); }

  // topic: below topic_count(). The span lives until the assignment changes.
  const Uuid& topic_id(size_t topic) const { return topics_[topic].id; }
  std::span<const int32_t> partitions(size_t topic) const {
    size_t begin = topic == 0 ? 0 : topics_[topic - 1].end;
    return std::span(partitions_).subspan(begin, topics_[topic].end - begin);
  }
  // Empty where it has none of the topic.
  std::span<const int32_t> partitions_of(const Uuid& topic_id) const {
    auto at = std::lower_bound(topics_.begin(), topics_.end(), topic_id,
                               [](const Topic& topic, const Uuid& id) { return topic.id < id; });
    if (at == topics_.end() || at->id != topic_id) return {};
    return partitions(static_cast<size_t>(at - topics_.begin()));
  }
  bool Has(const Uuid& topic_id, int32_t partition) const {
    auto of_topic = partitions_of(topic_id);
    return std::binary_search(of_topic.begin(), of_topic.end(), partition);
  }

  bool operator==(const Assignment&) const = default;

 private:
  struct Topic {
    Uuid id;
    uint32_t end = 0;
    bool operator==(const Topic&) const = default;
  };
  std::vector<Topic> topics_;
  std::vector<int32_t> partitions_;
};

}  // namespace kb::group

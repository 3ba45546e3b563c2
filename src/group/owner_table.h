// OwnerTable: who is to read each partition of the topics that a group is subscribed to, while an assignor decides it.
//
// Members are their places in the turn in which the assignor takes them; topics are numbered as they are met.
// Lives during one assignment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "group/assignment.h"
#include "group/assignor.h"

namespace kb::group {

inline constexpr int32_t kNobody = -1;

class OwnerTable {
 public:
  struct Topic {
    Uuid id;
    size_t first = 0;  // where its partitions begin in the table
    int32_t partitions = 0;
    std::vector<uint32_t> subscribers;  // ascending; none in a homogeneous group, where they are all
  };

  // All topics of the group, without owners. turn: a permutation of the input's members, not empty. Of a homogeneous
  // group only the first in turn is asked for its topics.
  static Result<OwnerTable> For(const AssignorInput& input, std::span<const uint32_t> turn);

  const std::vector<Topic>& topics() const { return topics_; }
  size_t partition_count() const { return owners_.size(); }
  // Null for a topic that nobody is subscribed to.
  const Topic* Find(const Uuid& id) const;
  // Ascending. The topic is one of topics().
  std::span<const uint32_t> subscribers(const Topic& topic) const { return all_.empty() ? topic.subscribers : all_; }
  // By partition. The topic is one of topics().
  std::span<int32_t> owners(const Topic& topic) {
    return std::span(owners_).subspan(topic.first, static_cast<size_t>(topic.partitions));
  }
  // What of a member's assignment is there and nobody's: the partitions of one topic, which become the member's.
  std::vector<int32_t> Claim(const Topic& topic, std::span<const int32_t> partitions, uint32_t member);

  // In the order of the input.
  std::vector<Assignment> ByMember(std::span<const uint32_t> turn) const;

 private:
  Status Add(const AssignorInput& input, const Uuid& id);

  std::vector<Topic> topics_;
  std::unordered_map<Uuid, uint32_t> index_;  // of topics_
  std::vector<int32_t> owners_;
  std::vector<uint32_t> all_;  // members of a homogeneous group
};

}  // namespace kb::group

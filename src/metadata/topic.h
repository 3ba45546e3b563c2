// Topic and Partition: what the metadata log says about one topic.
//
// Partitions lie in pages of 256, shared between the copies of a topic: changing one partition copies its page (256
// pointers), the list of pages and the Topic itself. Published: immutable, any thread.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "metadata/cow_map.h"
#include "model/ids.h"

namespace kb::metadata {

using BrokerIds = std::vector<BrokerId>;

enum class LeaderRecoveryState : int8_t { kRecovered = 0, kRecovering = 1 };

// One partition, as PartitionRecord and PartitionChangeRecord build it up.
struct Partition {
  BrokerIds replicas;                  // the first is the preferred leader
  std::vector<Uuid> directories;       // of each replica, in the same order
  BrokerIds isr;
  BrokerIds removing_replicas;
  BrokerIds adding_replicas;
  BrokerIds eligible_leader_replicas;  // KIP-966: not in sync any more, and yet with every committed record
  BrokerIds last_known_elr;
  BrokerId leader = kNoBroker;
  LeaderRecoveryState leader_recovery_state = LeaderRecoveryState::kRecovered;
  LeaderEpoch leader_epoch{0};
  PartitionEpoch partition_epoch{0};

  bool HasReplica(BrokerId broker) const { return std::find(replicas.begin(), replicas.end(), broker) != replicas.end(); }
  // Zero (unassigned) when the broker is no replica or none was recorded.
  Uuid DirectoryOf(BrokerId broker) const;
  bool operator==(const Partition&) const = default;
};

using PartitionPtr = std::shared_ptr<const Partition>;

class Topic {
 public:
  static constexpr int32_t kPageSize = 256;
  // More than a topic may have; a greater number in a record is damage, not a reason to allocate.
  static constexpr int32_t kMostPartitions = 1 << 20;

  Topic(std::string name, Uuid id) : name_(std::move(name)), id_(id) {}

  const std::string& name() const { return name_; }
  const Uuid& id() const { return id_; }
  // One more than the highest partition index. Indexes below it exist, unless the log is a strange one.
  int32_t partition_count() const { return partition_count_; }
  // nullptr when there is none.
  const Partition* FindPartition(int32_t index) const {
    if (index < 0 || index >= partition_count_) return nullptr;
    return pages_[static_cast<size_t>(index / kPageSize)]->At(static_cast<size_t>(index % kPageSize));
  }

  // Calls visit(index, partition) for each, ascending.
  template <typename Visit>
  void ForEachPartition(const Visit& visit) const {
    for (int32_t index = 0; index < partition_count_; ++index) {
      if (const Partition* partition = FindPartition(index)) visit(index, *partition);
    }
  }

  // While the topic is being built only. index in [0, kMostPartitions).
  void SetPartition(Edition edition, int32_t index, Partition partition);
  Edition edition() const { return edition_; }
  void set_edition(Edition edition) { edition_ = edition; }

  size_t PagesNotIn(const Topic& other) const;  // for tests

 private:
  struct Page {
    Edition edition = 0;
    std::vector<PartitionPtr> partitions;  // as many as there are: most topics are small
    const Partition* At(size_t i) const { return i < partitions.size() ? partitions[i].get() : nullptr; }
  };

  std::string name_;
  Uuid id_;
  int32_t partition_count_ = 0;
  Edition edition_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;
};

}  // namespace kb::metadata

// PartitionChange: one PartitionChangeRecord in the making. What is not set stays as it is.
#pragma once

#include <vector>

#include "base/arena.h"
#include "controller/wire_lists.h"
#include "message/partition_change_record.h"
#include "metadata/features.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

class PartitionChange {
 public:
  PartitionChange(const metadata::MetadataImage& image, const Uuid& topic_id, int32_t partition)
      : versions_(metadata::RecordVersionsFor(image.metadata_version())) {
    record_.topic_id = topic_id;
    record_.partition_id = partition;
  }
  // Naming a leader, even the same one, begins a new leader epoch.
  PartitionChange& Leader(BrokerId leader) {
    is_empty_ = false;
    record_.leader = leader.value();
    return *this;
  }
  PartitionChange& Isr(const metadata::BrokerIds& isr) { return Set(record_.isr, isr); }
  PartitionChange& Replicas(const metadata::BrokerIds& replicas) { return Set(record_.replicas, replicas); }
  PartitionChange& Removing(const metadata::BrokerIds& replicas) { return Set(record_.removing_replicas, replicas); }
  PartitionChange& Adding(const metadata::BrokerIds& replicas) { return Set(record_.adding_replicas, replicas); }
  PartitionChange& RecoveryState(metadata::LeaderRecoveryState state) {
    is_empty_ = false;
    record_.leader_recovery_state = static_cast<int8_t>(state);
    return *this;
  }
  // These are left out where the metadata version has no such fields.
  PartitionChange& Eligible(const metadata::BrokerIds& eligible) {
    return versions_.eligible_leader_replicas ? Set(record_.eligible_leader_replicas, eligible) : *this;
  }
  PartitionChange& LastKnownEligible(const metadata::BrokerIds& last_known) {
    return versions_.eligible_leader_replicas ? Set(record_.last_known_elr, last_known) : *this;
  }
  PartitionChange& Directories(const std::vector<Uuid>& directories) {
    return versions_.directories ? Set(record_.directories, directories) : *this;
  }

  bool is_empty() const { return is_empty_; }
  void AddTo(metadata::RecordList& records) const { records.Add(record_, versions_.partition_change); }

 private:
  template <typename Field, typename List>
  PartitionChange& Set(Field& field, const List& list) {
    is_empty_ = false;
    field = ToWire(arena_, list);
    return *this;
  }

  const metadata::RecordVersions versions_;
  Arena arena_;
  message::PartitionChangeRecord record_;
  bool is_empty_ = true;
};

}  // namespace kb::controller

// ReplicaMover: what replicas that change their data directory need of the rest of the node: the metadata log and the
// places of replicas on the first reactor, the coordinator at their home. See partition/replica_moves.h.
//
// Shared by all reactors and without a state of its own; each call goes where it has to.
#pragma once

#include <string>

#include "broker/shard.h"
#include "partition/replica_moves.h"

namespace kb::broker {

class ReplicaMover final : public partition::ReplicaMoves {
 public:
  explicit ReplicaMover(Cluster& cluster) : cluster_(cluster) {}

  reactor::Task<bool> Assign(PartitionId id, std::string data_directory) override;
  reactor::Task<Status> Announce(partition::CheckpointEntry entry) override;
  reactor::Task<void> Finished(TopicPartition name, bool moved) override;
  void OutOfService(const PartitionId& id, const TopicPartition& name) override;
  void BackInService(const PartitionId& id, const TopicPartition& name) override;
  double most_bytes_per_second() override;

 private:
  Shard& HomeOf(const PartitionId& id) { return *cluster_.shards[partition::HomeOf(id, cluster_.shards.size())]; }

  Cluster& cluster_;
};

}  // namespace kb::broker

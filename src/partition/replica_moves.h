// ReplicaMoves: what a replica that changes its data directory needs of the rest of the node. An interface: the places
// of replicas and the metadata log live on the first reactor.
//
// Called on the replica's home.
#pragma once

#include <string>

#include "base/result.h"
#include "model/ids.h"
#include "reactor/task.h"

namespace kb::partition {

struct CheckpointEntry;

class ReplicaMoves {
 public:
  virtual ~ReplicaMoves() = default;

  // The metadata shall say that the replica lies in `data_directory`. Goes on when that is durable; false: it is not,
  // and will not be.
  virtual reactor::Task<bool> Assign(PartitionId id, std::string data_directory) = 0;
  // The checkpoint files of entry.data_directory shall have what it says, beside what those of the present directory
  // say. Goes on when they do.
  virtual reactor::Task<Status> Announce(CheckpointEntry entry) = 0;
  // What was announced has happened (moved), or will not. Goes on when new checkpoints would say so.
  virtual reactor::Task<void> Finished(TopicPartition name, bool moved) = 0;
  // For a moment it is not in service.
  virtual void OutOfService(const PartitionId& id, const TopicPartition& name) = 0;
  virtual void BackInService(const PartitionId& id, const TopicPartition& name) = 0;

  virtual double most_bytes_per_second() = 0;
};

}  // namespace kb::partition

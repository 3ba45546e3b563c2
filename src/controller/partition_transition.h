// PartitionTransition: from what a partition is and what its replicas shall be to the one record that takes it there:
// reassignments completed where they can be, a leader elected where there is none or a better one, eligible replicas
// kept as long as too few are in sync (KIP-966). The rules are Apache Kafka's.
#pragma once

#include <cstdint>

#include "controller/partition_change.h"
#include "controller/replica_placement.h"
#include "metadata/image.h"

namespace kb::controller {

enum class Election {
  kOnline,     // keep the leader while it may lead
  kPreferred,  // the first of the replicas, if it may lead
  kUnclean,    // as kOnline, and one that is not in sync rather than none
};

// What a partition shall be. Begins as it is.
struct PartitionTarget {
  explicit PartitionTarget(const metadata::Partition& partition)
      : replicas(partition.replicas),
        isr(partition.isr),
        removing(partition.removing_replicas),
        adding(partition.adding_replicas) {}
  metadata::BrokerIds replicas, isr, removing, adding;
  Election election = Election::kOnline;
};

class PartitionTransition {
 public:
  // min_insync_replicas: of the topic. All outlive this.
  PartitionTransition(const metadata::MetadataImage& image, const PartitionId& id, const metadata::Partition& partition,
                      int32_t min_insync_replicas)
      : image_(image), id_(id), partition_(partition), min_insync_replicas_(min_insync_replicas) {}

  // Adds the record; false: there is nothing to change.
  bool Decide(PartitionTarget target, DirectoryChooser& directories, metadata::RecordList& records) const;

 private:
  struct Elected {
    BrokerId leader = kNoBroker;
    bool is_unclean = false;
  };
  Elected Elect(const PartitionTarget& target, const metadata::BrokerIds& eligible) const;
  bool MayLead(BrokerId broker, const PartitionTarget& target, const metadata::BrokerIds& eligible) const;
  bool MayLastKnownLead(const PartitionTarget& target, const metadata::BrokerIds& eligible) const;
  metadata::BrokerIds Eligible(const PartitionTarget& target) const;
  void PutLastKnown(const std::optional<BrokerId>& leader, PartitionChange& change) const;
  void PutAssignment(const PartitionTarget& target, DirectoryChooser& directories, PartitionChange& change) const;

  const metadata::MetadataImage& image_;
  const PartitionId id_;
  const metadata::Partition& partition_;
  const int32_t min_insync_replicas_;
};

}  // namespace kb::controller

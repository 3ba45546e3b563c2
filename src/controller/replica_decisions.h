// What becomes of requests to elect leaders and to move partitions between brokers: pure functions of an image and the
// request to records and the response, as Apache Kafka's controller decides (the texts are ours).
//
// They hold for any image, also one of a cluster that had several brokers. Where only one broker runs, every partition
// is led by its preferred replica already, and nothing can move.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "message/alter_partition_reassignments_request.h"
#include "message/alter_partition_reassignments_response.h"
#include "message/elect_leaders_request.h"
#include "message/elect_leaders_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

struct ReplicaDecisionContext {
  const metadata::MetadataImage& image;
  Arena& arena;
};

// election_type: 0 the preferred replica, 1 any that is there, even one that is not in sync. Anything else refuses all
// (INVALID_REQUEST). Without a list: all partitions, and those where there is nothing to do are not in the answer.
message::ElectLeadersResponse DecideElectLeaders(const ReplicaDecisionContext& context,
                                                 const message::ElectLeadersRequest& request,
                                                 metadata::RecordList& records);

// Without replicas: takes a reassignment back. One that needs no new replica is complete at once; others stay as they
// are until the replicas that come are in sync.
message::AlterPartitionReassignmentsResponse DecideAlterPartitionReassignments(
    const ReplicaDecisionContext& context, const message::AlterPartitionReassignmentsRequest& request,
    metadata::RecordList& records);

}  // namespace kb::controller

// AlterPartitionReassignments (key 45, KIP-455): other replicas for partitions, or an end of a move that is under way.
// Decided by the controller.
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleAlterPartitionReassignments(RequestContext& context,
                                                      const message::AlterPartitionReassignmentsRequest& request,
                                                      message::AlterPartitionReassignmentsResponse& response) {
  auto alter = [&](controller::Controller& controller) {
    return controller.AlterPartitionReassignments(request, context.arena());
  };
  auto decide = context.shard().cluster().controller->Decide<message::AlterPartitionReassignmentsResponse>(alter);
  response = co_await decide;
}

}  // namespace kb::broker

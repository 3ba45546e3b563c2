// CreatePartitions (key 37): a topic grows; answered when the new partitions are in service.
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleCreatePartitions(RequestContext& context, const message::CreatePartitionsRequest& request,
                                           message::CreatePartitionsResponse& response) {
  auto create = [&](controller::Controller& controller) {
    return controller.CreatePartitions(request, context.api_version(), context.arena());
  };
  auto decide = context.shard().cluster().controller->Decide<message::CreatePartitionsResponse>(create);
  response = co_await decide;
}

}  // namespace kb::broker

// CreateTopics (key 19): decided by the controller; answered when every partition of the new topics is in service.
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleCreateTopics(RequestContext& context, const message::CreateTopicsRequest& request,
                                       message::CreateTopicsResponse& response) {
  auto create = [&](controller::Controller& controller) {
    return controller.CreateTopics(request, context.api_version(), context.arena());
  };
  auto decide = context.shard().cluster().controller->Decide<message::CreateTopicsResponse>(create);
  response = co_await decide;
}

}  // namespace kb::broker

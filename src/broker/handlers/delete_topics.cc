// DeleteTopics (key 20): by name or id; answered when nobody is served from them any more. The files go later.
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleDeleteTopics(RequestContext& context, const message::DeleteTopicsRequest& request,
                                       message::DeleteTopicsResponse& response) {
  auto remove = [&](controller::Controller& controller) {
    return controller.DeleteTopics(request, context.api_version(), context.arena());
  };
  auto decide = context.shard().cluster().controller->Decide<message::DeleteTopicsResponse>(remove);
  response = co_await decide;
}

}  // namespace kb::broker

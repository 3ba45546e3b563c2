// CreateTopics (key 19): decided by the controller; answered when every partition of the new topics is in service.
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "broker/throttle.h"

namespace kb::broker {
namespace {

constexpr int16_t kStrictSince = 6;  // older clients do not know that error

}  // namespace

reactor::Task<void> HandleCreateTopics(RequestContext& context, const message::CreateTopicsRequest& request,
                                       message::CreateTopicsResponse& response) {
  ClientMutationQuota quota(context, kStrictSince);
  auto create = [&](controller::Controller& controller) {
    return controller.CreateTopics(request, context.api_version(), context.arena(), quota.get());
  };
  auto decide = context.shard().cluster().controller->Decide<message::CreateTopicsResponse>(create);
  response = co_await decide;
  quota.Throttle();
}

}  // namespace kb::broker

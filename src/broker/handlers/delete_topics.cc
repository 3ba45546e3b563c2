// DeleteTopics (key 20): by name or id; answered when nobody is served from them any more. The files go later.
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "broker/throttle.h"

namespace kb::broker {
namespace {

constexpr int16_t kStrictSince = 5;  // older clients do not know that error

}  // namespace

reactor::Task<void> HandleDeleteTopics(RequestContext& context, const message::DeleteTopicsRequest& request,
                                       message::DeleteTopicsResponse& response) {
  ClientMutationQuota quota(context, kStrictSince);
  auto remove = [&](controller::Controller& controller) {
    return controller.DeleteTopics(request, context.api_version(), context.arena(), quota.get());
  };
  auto decide = context.shard().cluster().controller->Decide<message::DeleteTopicsResponse>(remove);
  response = co_await decide;
  quota.Throttle();
}

}  // namespace kb::broker

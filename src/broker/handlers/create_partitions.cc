// CreatePartitions (key 37): a topic grows; answered when the new partitions are in service.
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "broker/throttle.h"

namespace kb::broker {
namespace {

constexpr int16_t kStrictSince = 3;  // older clients do not know that error

}  // namespace

reactor::Task<void> HandleCreatePartitions(RequestContext& context, const message::CreatePartitionsRequest& request,
                                           message::CreatePartitionsResponse& response) {
  ClientMutationQuota quota(context, kStrictSince);
  auto create = [&](controller::Controller& controller) {
    return controller.CreatePartitions(request, context.api_version(), context.arena(), quota.get());
  };
  auto decide = context.shard().cluster().controller->Decide<message::CreatePartitionsResponse>(create);
  response = co_await decide;
  quota.Throttle();
}

}  // namespace kb::broker

// ElectLeaders (key 43, KIP-460): the preferred replica, or any that is there, becomes the leader. Decided by the
// controller.
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleElectLeaders(RequestContext& context, const message::ElectLeadersRequest& request,
                                       message::ElectLeadersResponse& response) {
  auto elect = [&](controller::Controller& controller) { return controller.ElectLeaders(request, context.arena()); };
  auto decide = context.shard().cluster().controller->Decide<message::ElectLeadersResponse>(elect);
  response = co_await decide;
  // Before version 1 there is no error for the whole request, and the results say it all.
  if (context.api_version() < 1) response.error_code = 0;
}

}  // namespace kb::broker

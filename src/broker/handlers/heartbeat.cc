// Heartbeat (key 12): a member is alive, and learns whether the group gathers anew.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleHeartbeat(RequestContext& context, const message::HeartbeatRequest& request,
                                    message::HeartbeatResponse& response) {
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version()),
                            &coordinator::GroupCoordinator::Heartbeat);
  group::HeartbeatResponse answer = co_await ask;
  response = group::ToMessage(answer, context.api_version(), context.arena());
}

}  // namespace kb::broker

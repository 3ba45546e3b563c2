// LeaveGroup (key 13): members go, one or several (v3+).
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleLeaveGroup(RequestContext& context, const message::LeaveGroupRequest& request,
                                     message::LeaveGroupResponse& response) {
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version()),
                            &coordinator::GroupCoordinator::LeaveGroup);
  auto answered = co_await ask;
  auto* answer = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker

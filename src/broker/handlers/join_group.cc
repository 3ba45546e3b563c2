// JoinGroup (key 11): a member asks in; answered when the group has gathered.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleJoinGroup(RequestContext& context, const message::JoinGroupRequest& request,
                                    message::JoinGroupResponse& response) {
  group::Caller caller{std::string(context.client_id()), context.peer().Ip()};
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version(), std::move(caller)),
                            &coordinator::GroupCoordinator::JoinGroup);
  auto answered = co_await ask;
  auto* answer = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker

// JoinGroup (key 11): a member asks in; answered when the group has gathered.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleJoinGroup(RequestContext& context, const message::JoinGroupRequest& request,
                                    message::JoinGroupResponse& response) {
  group::Caller caller{std::string(context.client_id()), context.peer().Ip()};
  // From version 1 on a request says how long its group may wait for it, and so it for its group.
  const int32_t patience_ms = context.api_version() >= 1 ? request.rebalance_timeout_ms : request.session_timeout_ms;
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version(), std::move(caller)),
                            &coordinator::GroupCoordinator::JoinGroup);
  auto answered = co_await ask;
  context.trace().EndPark(context.shard().reactor().StampNs(), int64_t{patience_ms} * kNsPerMs);
  auto* answer = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker

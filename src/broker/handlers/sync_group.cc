// SyncGroup (key 14): the leader brings the assignment, everyone gets their part of it.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleSyncGroup(RequestContext& context, const message::SyncGroupRequest& request,
                                    message::SyncGroupResponse& response) {
  const bool is_follower = request.assignments.empty();  // waits for the leader; the leader for its assignment's append
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version()),
                            &coordinator::GroupCoordinator::SyncGroup);
  auto answered = co_await ask;
  if (is_follower) context.EndStage(Stage::kPark);
  auto* answer = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker

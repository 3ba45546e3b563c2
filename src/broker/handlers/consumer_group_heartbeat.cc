// ConsumerGroupHeartbeat (key 68, KIP-848): a member of a consumer group joins, stays, leaves, and hears what it is to
// read.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleConsumerGroupHeartbeat(RequestContext& context,
                                                 const message::ConsumerGroupHeartbeatRequest& request,
                                                 message::ConsumerGroupHeartbeatResponse& response) {
  if (!ServesConsumerGroups(context)) {
    response.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
    co_return;
  }
  const group::GroupConfig& config = context.shard().groups().config();
  auto refused = group::CheckHeartbeat(request, context.api_version(), config);
  if (refused.has_value()) {
    auto* answer = context.Own(std::move(*refused));
    response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
    co_return;
  }
  group::Caller caller{std::string(context.client_id()), context.peer().Ip()};
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version(), std::move(caller)),
                            &coordinator::GroupCoordinator::ConsumerGroupHeartbeat);
  auto answered = co_await ask;
  auto* answer = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker

// OffsetDelete (key 47, KIP-496): a group forgets how far it has come in partitions that it is not subscribed to.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleOffsetDelete(RequestContext& context, const message::OffsetDeleteRequest& request,
                                       message::OffsetDeleteResponse& response) {
  auto ask = AskCoordinator(context, group::FromMessage(request, context.api_version()),
                            &coordinator::GroupCoordinator::OffsetDelete);
  auto answered = co_await ask;
  auto* kept = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker

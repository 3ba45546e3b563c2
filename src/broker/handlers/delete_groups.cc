// DeleteGroups (key 42): empty groups go, with their offsets.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleDeleteGroups(RequestContext& context, const message::DeleteGroupsRequest& request,
                                       message::DeleteGroupsResponse& response) {
  group::DeleteGroupsResponse all;
  group::DeleteGroupsRequest asked_for = group::FromMessage(request, context.api_version());
  for (const std::string& group_id : asked_for.groups) {
    group::DeleteGroupsRequest one{{group_id}};
    std::optional<PartitionId> partition = PartitionOfGroup(context.image(), group_id);
    group::DeleteGroupsResponse deleted;
    if (!partition) {
      deleted = group::ErrorResponse(one, ErrorCode::kNotCoordinator);
    } else {
      Shard& home = context.shard().ShardOf(*partition);
      auto call = reactor::RunOn(home.reactor(), [&] { return home.groups().DeleteGroups(*partition, one); });
      deleted = co_await call;
    }
    std::move(deleted.results.begin(), deleted.results.end(), std::back_inserter(all.results));
  }
  auto* kept = context.Own(std::move(all));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker

// DescribeGroups (key 15): state, protocol and members of classic groups.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "broker/metadata_answers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleDescribeGroups(RequestContext& context, const message::DescribeGroupsRequest& request,
                                         message::DescribeGroupsResponse& response) {
  group::DescribeGroupsResponse all;
  group::DescribeGroupsRequest asked_for = group::FromMessage(request, context.api_version());
  for (const std::string& group_id : asked_for.groups) {
    group::DescribeGroupsRequest one{context.api_version(), {group_id}};
    std::optional<PartitionId> partition = PartitionOfGroup(context.image(), group_id);
    group::DescribeGroupsResponse described;
    if (!partition) {
      described = group::ErrorResponse(one, ErrorCode::kNotCoordinator);
    } else {
      Shard& home = context.shard().ShardOf(*partition);
      auto call = reactor::RunOn(home.reactor(), [&] { return home.groups().DescribeGroups(*partition, one); });
      described = co_await call;
    }
    for (auto& group : described.groups) {
      bool asked = request.include_authorized_operations && group.error == ErrorCode::kNone;
      if (asked) group.authorized_operations = kAllGroupOperations;
      all.groups.push_back(std::move(group));
    }
  }
  auto* kept = context.Own(std::move(all));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker

// ConsumerGroupDescribe (key 69, KIP-848): epochs, members and assignments of consumer groups.
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "broker/metadata_answers.h"
#include "group/convert.h"

namespace kb::broker {
namespace {

using group::ConsumerGroupDescribeRequest;
using group::ConsumerGroupDescribeResponse;

reactor::Task<ConsumerGroupDescribeResponse> DescribeOne(RequestContext& context, std::string group_id) {
  ConsumerGroupDescribeRequest one{{std::move(group_id)}};
  if (!ServesConsumerGroups(context)) co_return group::ErrorResponse(one, ErrorCode::kUnsupportedVersion);
  if (one.groups[0].empty()) co_return group::ErrorResponse(one, ErrorCode::kInvalidGroupId);
  std::optional<PartitionId> partition = PartitionOfGroup(context.image(), one.groups[0]);
  if (!partition) co_return group::ErrorResponse(one, ErrorCode::kNotCoordinator);
  Shard& home = context.shard().ShardOf(*partition);
  auto call = reactor::RunOn(home.reactor(), [&] { return home.groups().ConsumerGroupDescribe(*partition, one); });
  ConsumerGroupDescribeResponse described = co_await call;
  co_return described;
}

}  // namespace

reactor::Task<void> HandleConsumerGroupDescribe(RequestContext& context,
                                                const message::ConsumerGroupDescribeRequest& request,
                                                message::ConsumerGroupDescribeResponse& response) {
  ConsumerGroupDescribeResponse all;
  ConsumerGroupDescribeRequest asked_for = group::FromMessage(request, context.api_version());
  for (std::string& group_id : asked_for.groups) {
    auto describe = DescribeOne(context, std::move(group_id));
    ConsumerGroupDescribeResponse described = co_await describe;
    for (auto& group : described.groups) {
      const bool tells_operations = request.include_authorized_operations && group.error == ErrorCode::kNone;
      if (tells_operations) group.authorized_operations = kAllGroupOperations;
      all.groups.push_back(std::move(group));
    }
  }
  auto* kept = context.Own(std::move(all));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker

// ListGroups (key 16): the groups of all shards, filtered by state (v4+) and type (v5+).
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

reactor::Task<void> HandleListGroups(RequestContext& context, const message::ListGroupsRequest& request,
                                     message::ListGroupsResponse& response) {
  group::ListGroupsRequest filter = group::FromMessage(request, context.api_version());
  std::vector<Shard*>& shards = context.shard().cluster().shards;
  std::vector<reactor::Reactor*> reactors;
  for (Shard* shard : shards) reactors.push_back(&shard->reactor());
  auto each = [&](size_t i) { return shards[i]->groups().ListGroups(filter); };
  auto ask = reactor::RunOnEach(std::move(reactors), each);
  PoolVector<group::ListGroupsResponse> parts = co_await ask;
  group::ListGroupsResponse all;
  for (group::ListGroupsResponse& part : parts) {
    if (part.error != ErrorCode::kNone) all.error = part.error;
    std::move(part.groups.begin(), part.groups.end(), std::back_inserter(all.groups));
  }
  auto* kept = context.Own(std::move(all));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker

// From a handler to the coordinator of a group: which partition of __consumer_offsets keeps it, and asking there.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "broker/request_context.h"
#include "broker/shard.h"
#include "coordinator/group_coordinator.h"
#include "group/partition_of_group.h"
#include "metadata/topic_name.h"
#include "reactor/run_on.h"

namespace kb::broker {

// nullopt while there is no __consumer_offsets: nobody coordinates any group then.
inline std::optional<PartitionId> PartitionOfGroup(const metadata::MetadataImage& image, std::string_view group_id) {
  const metadata::Topic* topic = image.FindTopic(metadata::kConsumerOffsetsTopicName);
  if (topic == nullptr || topic->partition_count() == 0) return std::nullopt;
  return PartitionId{topic->id(), group::PartitionOfGroup(group_id, topic->partition_count())};
}

// Whether the cluster has the consumer protocol (KIP-848), and this broker is to serve it.
inline bool ServesConsumerGroups(RequestContext& context) {
  return context.shard().config().consumer_groups && context.image().FeatureLevel("group.version") >= 1;
}

// Asks the coordinator of request.group_id by one of GroupCoordinator's methods, on the reactor that is home to it.
template <typename Response, typename Request>
reactor::Task<Response> AskCoordinator(RequestContext& context, Request request,
                                       reactor::Task<Response> (coordinator::GroupCoordinator::*method)(PartitionId,
                                                                                                        Request)) {
  std::optional<PartitionId> partition = PartitionOfGroup(context.image(), request.group_id);
  if (!partition) co_return group::ErrorResponse(request, ErrorCode::kNotCoordinator);
  Shard& home = context.shard().ShardOf(*partition);
  if (&home == &context.shard()) {
    auto here = (home.groups().*method)(*partition, std::move(request));
    Response response = co_await here;
    co_return response;
  }
  auto ask = [&] { return (home.groups().*method)(*partition, std::move(request)); };
  auto call = reactor::RunOn(home.reactor(), ask);
  Response response = co_await call;
  co_return response;
}

}  // namespace kb::broker

// DescribeQuorum (key 55, KIP-595, KIP-836): the voters of the metadata log: this node, which leads it.
//
// Asked for anything but partition 0 of __cluster_metadata, and nothing besides, everything is answered with 3.
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

using message::DescribeQuorumRequest;
using message::DescribeQuorumResponse;

struct QuorumView {
  LeaderEpoch epoch{0};
  Offset end{0};      // of the log, which is its high watermark: nobody else votes
  Uuid directory_id;  // zero where the voters are static: nothing records it
  std::vector<metadata::Endpoint> endpoints;
};

controller::Decided<controller::Outcome<QuorumView>> Look(const controller::Controller& controller) {
  QuorumView view{controller.epoch(), controller.committed_end(), Uuid(), controller.node().controller_endpoints};
  for (const record::Voter& voter : controller.quorum().voters) {
    if (voter.id == controller.node_id()) view.directory_id = voter.directory_id;
  }
  return {{std::move(view)}};
}

bool AsksForTheQuorum(const DescribeQuorumRequest& request) {
  return request.topics.size() == 1 && request.topics[0].topic_name == metadata::kMetadataTopicName &&
         request.topics[0].partitions.size() == 1 && request.topics[0].partitions[0].partition_index == 0;
}

void AnswerUnknown(const DescribeQuorumRequest& request, Arena& arena, DescribeQuorumResponse& response) {
  for (const auto& topic : request.topics) {
    auto& one = response.topics.Add(arena);
    one.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      auto& entry = one.partitions.Add(arena);
      entry.partition_index = partition.partition_index;
      entry.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
      entry.error_message = "only partition 0 of __cluster_metadata has a quorum, and it is asked for alone";
    }
  }
}

}  // namespace

reactor::Task<void> HandleDescribeQuorum(RequestContext& context, const DescribeQuorumRequest& request,
                                         DescribeQuorumResponse& response) {
  Arena& arena = context.arena();
  if (!AsksForTheQuorum(request)) {
    AnswerUnknown(request, arena, response);
    co_return;
  }
  ControllerLoop& controller = *context.shard().cluster().controller;
  auto look = [](controller::Controller& on_home) { return Look(on_home); };
  auto call = controller.Decide<controller::Outcome<QuorumView>>(look);
  controller::Outcome<QuorumView> looked = co_await call;
  const QuorumView& view = *context.Own(std::move(looked.response));
  auto& topic = response.topics.Add(arena);
  topic.topic_name = metadata::kMetadataTopicName;
  auto& partition = topic.partitions.Add(arena);
  const int32_t node_id = context.shard().config().node_id;
  partition.leader_id = node_id;
  partition.leader_epoch = view.epoch.value();
  partition.high_watermark = view.end.value();
  auto& voter = partition.current_voters.Add(arena);
  voter.replica_id = node_id;
  voter.log_end_offset = view.end.value();
  voter.last_fetch_timestamp = voter.last_caught_up_timestamp = context.shard().clock().WallMs();
  if (context.api_version() < 2) co_return;
  voter.replica_directory_id = view.directory_id;
  auto& node = response.nodes.Add(arena);
  node.node_id = node_id;
  for (const metadata::Endpoint& endpoint : view.endpoints) {
    auto& listener = node.listeners.Add(arena);
    listener.name = endpoint.name;
    listener.host = endpoint.host;
    listener.port = endpoint.port;
  }
}

}  // namespace kb::broker

// OffsetForLeaderEpoch (key 23, KIP-101, KIP-320): where an epoch ended, so that a reader can see whether its log
// diverged.
#include "broker/handlers.h"
#include "broker/per_partition.h"

namespace kb::broker {
namespace {

using EpochEnd = partition::Partition::EpochEnd;

}  // namespace

reactor::Task<void> HandleOffsetForLeaderEpoch(RequestContext& context,
                                               const message::OffsetForLeaderEpochRequest& request,
                                               message::OffsetForLeaderEpochResponse& response) {
  struct Wanted {
    LeaderEpoch epoch, current;
    size_t topic, partition;
  };
  Arena& arena = context.arena();
  std::vector<PartitionId> ids;
  std::vector<Wanted> wanted;
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.Add(arena);
    answer.topic = topic.topic;
    const metadata::Topic* known = context.image().FindTopic(topic.topic);
    for (const auto& partition : topic.partitions) {
      auto& entry = answer.partitions.Add(arena);
      entry.partition = partition.partition;
      if (known == nullptr || known->FindPartition(partition.partition) == nullptr) {
        entry.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      ids.push_back({known->id(), partition.partition});
      wanted.push_back({LeaderEpoch(partition.leader_epoch), LeaderEpoch(partition.current_leader_epoch),
                        response.topics.size() - 1, answer.partitions.size() - 1});
    }
  }
  auto find = [&wanted](partition::Partition& partition, size_t i) {
    return partition.FindEpochEnd(wanted[i].epoch, wanted[i].current);
  };
  auto missing = [](ErrorCode error) { return EpochEnd{.error = error}; };
  auto ask = OnEachPartition<EpochEnd>(context.shard(), ids, find, missing);
  std::vector<EpochEnd> found = co_await ask;
  for (size_t i = 0; i < found.size(); ++i) {
    auto& entry = response.topics[wanted[i].topic].partitions[wanted[i].partition];
    entry.error_code = static_cast<int16_t>(found[i].error);
    entry.leader_epoch = found[i].epoch.value();
    entry.end_offset = found[i].end_offset.value();
  }
}

}  // namespace kb::broker

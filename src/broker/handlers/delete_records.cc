// DeleteRecords (key 21, KIP-107): moves the start of a log for good. offset -1 means up to the high watermark.
#include <algorithm>

#include "broker/config_view.h"
#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "metadata/topic_name.h"
#include "reactor/run_on.h"

namespace kb::broker {
namespace {

using Deletion = partition::Partition::Deletion;

}  // namespace

reactor::Task<void> HandleDeleteRecords(RequestContext& context, const message::DeleteRecordsRequest& request,
                                        message::DeleteRecordsResponse& response) {
  struct Wanted {
    Offset offset;
    size_t topic, partition;
  };
  Arena& arena = context.arena();
  std::vector<PartitionId> ids;
  std::vector<Wanted> wanted;
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.Add(arena);
    answer.name = topic.name;
    const metadata::Topic* known = context.image().FindTopic(topic.name);
    for (const auto& partition : topic.partitions) {
      auto& entry = answer.partitions.Add(arena);
      entry.partition_index = partition.partition_index;
      entry.low_watermark = -1;
      ErrorCode error = ErrorCode::kNone;
      if (known == nullptr || known->FindPartition(partition.partition_index) == nullptr) {
        error = ErrorCode::kUnknownTopicOrPartition;
      } else if (metadata::IsInternalTopic(topic.name)) {
        error = ErrorCode::kInvalidTopicException;
      }
      entry.error_code = static_cast<int16_t>(error);
      if (error != ErrorCode::kNone) continue;
      ids.push_back({known->id(), partition.partition_index});
      wanted.push_back({Offset(partition.offset), response.topics.size() - 1, answer.partitions.size() - 1});
    }
  }
  auto remove = [&wanted](partition::Partition& partition, size_t i) {
    return partition.DeleteRecords(wanted[i].offset);
  };
  auto missing = [](ErrorCode error) { return Deletion{.error = error}; };
  auto ask = OnEachPartition<Deletion>(context.shard(), ids, remove, missing);
  std::vector<Deletion> done = co_await ask;
  // For good: a power cut must not bring the records back.
  auto is_done = [](const Deletion& one) { return one.error == ErrorCode::kNone; };
  const bool is_any_gone = std::any_of(done.begin(), done.end(), is_done);
  Status saved;
  if (is_any_gone) {
    Cluster& cluster = context.shard().cluster();
    auto save = reactor::RunOn(cluster.shards[0]->reactor(), [&cluster] { return cluster.save_checkpoints(); });
    saved = co_await save;
  }
  for (size_t i = 0; i < done.size(); ++i) {
    if (done[i].error == ErrorCode::kNone && !saved.ok()) done[i] = {.error = ErrorCode::kKafkaStorageError};
    auto& entry = response.topics[wanted[i].topic].partitions[wanted[i].partition];
    entry.error_code = static_cast<int16_t>(done[i].error);
    entry.low_watermark = done[i].low_watermark.value();
  }
}

}  // namespace kb::broker

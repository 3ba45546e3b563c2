// DescribeProducers (key 61, KIP-664): who writes to a partition with a producer id, as its log knows them.
#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

using message::DescribeProducersResponse;

struct Producers {
  ErrorCode error = ErrorCode::kNone;
  std::vector<log::ActiveProducer> active;
};

void Put(Arena& arena, const std::vector<log::ActiveProducer>& producers,
         DescribeProducersResponse::PartitionResponse& answer) {
  answer.active_producers.Reserve(arena, producers.size());
  for (const log::ActiveProducer& producer : producers) {
    auto& one = answer.active_producers.Add(arena);
    one.producer_id = producer.id.value();
    one.producer_epoch = producer.epoch.value();
    one.last_sequence = producer.last_sequence;
    one.last_timestamp = producer.last_timestamp;
    one.coordinator_epoch = producer.coordinator_epoch;
    one.current_txn_start_offset = producer.transaction_first_offset.value();
  }
}

}  // namespace

reactor::Task<void> HandleDescribeProducers(RequestContext& context, const message::DescribeProducersRequest& request,
                                            DescribeProducersResponse& response) {
  Arena& arena = context.arena();
  std::vector<PartitionId> ids;
  std::vector<std::pair<size_t, size_t>> wanted;  // places in the response
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.Add(arena);
    answer.name = topic.name;
    const std::string invalid = metadata::InvalidTopicNameReason(topic.name);
    const metadata::Topic* known = context.image().FindTopic(topic.name);
    for (int32_t index : topic.partition_indexes) {
      auto& entry = answer.partitions.Add(arena);
      entry.partition_index = index;
      if (!invalid.empty()) {
        entry.error_code = static_cast<int16_t>(ErrorCode::kInvalidTopicException);
        entry.error_message = arena.Copy(std::string_view(invalid));
      } else if (known == nullptr || known->FindPartition(index) == nullptr) {
        entry.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
        const std::string what = known == nullptr ? "topic " : "partition " + std::to_string(index) + " of topic ";
        entry.error_message = arena.Copy(std::string_view("there is no " + what + std::string(topic.name)));
      } else {
        ids.push_back({known->id(), index});
        wanted.push_back({response.topics.size() - 1, answer.partitions.size() - 1});
      }
    }
  }
  auto list = [](partition::Partition& partition, size_t) {
    if (partition.offline()) return Producers{ErrorCode::kKafkaStorageError, {}};
    return Producers{ErrorCode::kNone, partition.log().producers().Active()};
  };
  auto missing = [](ErrorCode error) { return Producers{error, {}}; };
  auto ask = OnEachPartition<Producers>(context.shard(), ids, list, missing);
  std::vector<Producers> found = co_await ask;
  for (size_t i = 0; i < found.size(); ++i) {
    auto& entry = response.topics[wanted[i].first].partitions[wanted[i].second];
    entry.error_code = static_cast<int16_t>(found[i].error);
    Put(arena, found[i].active, entry);
  }
}

}  // namespace kb::broker

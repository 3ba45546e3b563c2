// ListPartitionReassignments (key 46): the partitions whose replicas are on the move, of all topics or of those asked
// for.
#include "broker/handlers.h"
#include "broker/metadata_answers.h"

namespace kb::broker {
namespace {

using message::ListPartitionReassignmentsRequest;
using message::ListPartitionReassignmentsResponse;

bool IsMoving(const metadata::Partition& partition) {
  return !partition.adding_replicas.empty() || !partition.removing_replicas.empty();
}

template <typename Entry>
void Describe(Arena& arena, int32_t index, const metadata::Partition& partition, Entry& entry) {
  entry.partition_index = index;
  entry.replicas = BrokerIdList(arena, partition.replicas);
  entry.adding_replicas = BrokerIdList(arena, partition.adding_replicas);
  entry.removing_replicas = BrokerIdList(arena, partition.removing_replicas);
}

}  // namespace

reactor::Task<void> HandleListPartitionReassignments(RequestContext& context,
                                                     const ListPartitionReassignmentsRequest& request,
                                                     ListPartitionReassignmentsResponse& response) {
  Arena& arena = context.arena();
  response.error_message = std::nullopt;
  auto add = [&](const metadata::Topic& topic, auto&& asked_for) {
    decltype(&response.topics[0]) entry = nullptr;
    topic.ForEachPartition([&](int32_t index, const metadata::Partition& partition) {
      if (!IsMoving(partition) || !asked_for(index)) return;
      if (entry == nullptr) {
        entry = &response.topics.Add(arena);
        entry->name = topic.name();
      }
      Describe(arena, index, partition, entry->partitions.Add(arena));
    });
  };
  if (request.topics.is_null()) {
    context.image().ForEachTopic([&](const metadata::Topic& topic) { add(topic, [](int32_t) { return true; }); });
    co_return;
  }
  for (const auto& wanted : request.topics) {
    const metadata::Topic* topic = context.image().FindTopic(wanted.name);
    if (topic == nullptr) continue;
    const auto& indexes = wanted.partition_indexes;
    add(*topic, [&](int32_t index) { return std::find(indexes.begin(), indexes.end(), index) != indexes.end(); });
  }
}

}  // namespace kb::broker

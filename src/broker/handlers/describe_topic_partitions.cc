// DescribeTopicPartitions (key 75, KIP-966): topics in pages. Names sorted; an empty list means all, internal ones too.
//
// The cursor {topic, partition} names the next partition to return: topics before it are left out. A page has at most
// min(request, max.request.partition.size.limit) partitions, at least 1.
#include <algorithm>
#include <set>

#include "broker/handlers.h"
#include "broker/metadata_answers.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

using message::DescribeTopicPartitionsRequest;
using message::DescribeTopicPartitionsResponse;

class Page {
 public:
  Page(RequestContext& context, DescribeTopicPartitionsResponse& response, int32_t limit)
      : image_(context.image()), response_(response), arena_(context.arena()), left_(limit) {}

  // Adds the topic's partitions from `first` on. False when the page is full, with the cursor set.
  bool AddTopic(const metadata::Topic& topic, int32_t first) {
    if (left_ == 0) return Stop(topic.name(), first);
    auto& one = response_.topics.Add(arena_);
    one.name = topic.name();
    one.topic_id = topic.id();
    one.is_internal = metadata::IsInternalTopic(topic.name());
    one.topic_authorized_operations = kAllTopicOperations;
    for (int32_t index = first; index < topic.partition_count(); ++index) {
      const metadata::Partition* partition = topic.FindPartition(index);
      if (partition == nullptr) continue;
      if (left_ == 0) return Stop(topic.name(), index);
      AddPartition(one.partitions.Add(arena_), index, *partition);
      --left_;
    }
    return true;
  }

  // A topic that does not exist takes no room, but needs some.
  bool AddUnknown(std::string_view name) {
    if (left_ == 0) return Stop(name, 0);
    auto& one = response_.topics.Add(arena_);
    one.name = name;
    one.is_internal = metadata::IsInternalTopic(name);
    one.topic_authorized_operations = kAllTopicOperations;
    bool valid = metadata::IsValidTopicName(name);
    one.error_code =
        static_cast<int16_t>(valid ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kInvalidTopicException);
    return true;
  }

 private:
  template <typename Entry>
  void AddPartition(Entry& entry, int32_t index, const metadata::Partition& partition) {
    entry.partition_index = index;
    entry.error_code = LeaderError(image_, partition);
    entry.leader_id = partition.leader.value();
    entry.leader_epoch = partition.leader_epoch.value();
    entry.replica_nodes = BrokerIdList(arena_, partition.replicas);
    entry.isr_nodes = BrokerIdList(arena_, partition.isr);
    entry.eligible_leader_replicas = BrokerIdList(arena_, partition.eligible_leader_replicas);
    entry.last_known_elr = BrokerIdList(arena_, partition.last_known_elr);
    entry.offline_replicas = OfflineReplicas(arena_, image_, partition);
  }

  bool Stop(std::string_view name, int32_t index) {
    auto* cursor = arena_.New<std::remove_pointer_t<decltype(response_.next_cursor)>>();
    cursor->topic_name = name;
    cursor->partition_index = index;
    response_.next_cursor = cursor;
    return false;
  }

  const metadata::MetadataImage& image_;
  DescribeTopicPartitionsResponse& response_;
  Arena& arena_;
  int32_t left_;
};

// A request that makes no sense: the response has no place for an error but its topics.
void RefuseAll(RequestContext& context, const DescribeTopicPartitionsRequest& request,
               DescribeTopicPartitionsResponse& response) {
  for (const auto& topic : request.topics) {
    auto& one = response.topics.Add(context.arena());
    one.name = topic.name;
    one.error_code = static_cast<int16_t>(ErrorCode::kInvalidRequest);
  }
}

}  // namespace

reactor::Task<void> HandleDescribeTopicPartitions(RequestContext& context,
                                                  const DescribeTopicPartitionsRequest& request,
                                                  DescribeTopicPartitionsResponse& response) {
  std::string_view from_name;
  int32_t from_partition = 0;
  if (request.cursor != nullptr) {
    from_name = request.cursor->topic_name;
    from_partition = request.cursor->partition_index;
    if (from_partition < 0) {
      RefuseAll(context, request, response);
      co_return;
    }
  }
  int32_t limit = std::min(request.response_partition_limit, context.shard().config().max_request_partition_size_limit);
  Page page(context, response, std::max(limit, 1));

  auto first_of = [&](std::string_view name) { return name == from_name ? from_partition : 0; };
  if (request.topics.empty()) {
    context.image().ForEachTopicFrom(
        from_name, [&](const metadata::Topic& topic) { return page.AddTopic(topic, first_of(topic.name())); });
    co_return;
  }

  std::set<std::string_view> names;
  for (const auto& topic : request.topics) names.insert(topic.name);
  if (request.cursor != nullptr && !names.contains(from_name)) {
    RefuseAll(context, request, response);
    co_return;
  }
  for (auto name = names.lower_bound(from_name); name != names.end(); ++name) {
    const metadata::Topic* topic = context.image().FindTopic(*name);
    const bool added = topic == nullptr ? page.AddUnknown(*name) : page.AddTopic(*topic, first_of(*name));
    if (!added) break;
  }
}

}  // namespace kb::broker

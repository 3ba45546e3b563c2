// Metadata (key 3): which topics there are, where their partitions live, who the brokers are.
//
//   topics = null (v1+) or empty (v0)   all topics
//   by id (v12+), or else by name       those, each once; unknown ones answered with 3 or 100, or created
//   (auto.create.topics.enable)
//
// A topic that is created on the way is answered with 3 now and found by the client's next try, as in Apache Kafka.
#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "broker/handlers.h"
#include "broker/metadata_answers.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

using message::MetadataRequest;
using message::MetadataResponse;

class MetadataAnswer {
 public:
  MetadataAnswer(RequestContext& context, const MetadataRequest& request, MetadataResponse& response)
      : context_(context), request_(request), response_(response), arena_(context.arena()) {}

  void AddBrokers() {
    for (const auto& [id, broker] : context_.image().brokers()) {
      const metadata::Endpoint* endpoint = broker.FindEndpoint(context_.listener().name);
      if (broker.fenced || endpoint == nullptr) continue;
      auto& one = response_.brokers.Add(arena_);
      one.node_id = id.value();
      one.host = endpoint->host;
      one.port = endpoint->port;
      if (broker.rack) one.rack = *broker.rack;
      // Apache Kafka names any live broker here; clients send controller requests to it and it passes them on.
      response_.controller_id = id.value();
    }
  }

  void AddAll() {
    context_.image().ForEachTopic([&](const metadata::Topic& topic) { AddTopic(topic); });
  }

  // Before version 12 a topic has a name and no id; one that does not refuses the whole request.
  bool MakesSense() const {
    if (context_.api_version() >= 12) return true;
    return std::none_of(request_.topics.begin(), request_.topics.end(),
                        [](const auto& wanted) { return !wanted.name || !wanted.topic_id.is_zero(); });
  }
  void RefuseAll() {
    response_ = {};
    response_.cluster_id = std::nullopt;
    for (const auto& wanted : request_.topics) {
      auto& one = response_.topics.Add(arena_);
      one.error_code = static_cast<int16_t>(ErrorCode::kInvalidRequest);
      one.name = ValidUtf8(wanted.name.value_or(""), arena_);
      one.topic_id = wanted.topic_id;
    }
  }

  // Whether there is one; names do not count then.
  bool AddByIds() {
    std::set<Uuid> ids;
    for (const auto& wanted : request_.topics) {
      if (wanted.topic_id.is_zero() || !ids.insert(wanted.topic_id).second) continue;
      const metadata::Topic* topic = context_.image().FindTopic(wanted.topic_id);
      if (topic != nullptr) {
        AddTopic(*topic);
      } else {
        AddError(ErrorCode::kUnknownTopicId, std::nullopt, wanted.topic_id);
      }
    }
    return !ids.empty();
  }

  // Returns the names that should be created.
  std::vector<std::string> AddNamed() {
    std::vector<std::string> missing;
    std::set<std::string_view> names;
    for (const auto& wanted : request_.topics) {
      if (wanted.name && !names.insert(*wanted.name).second) continue;
      if (!wanted.name) {
        AddError(ErrorCode::kUnknownTopicId, std::nullopt, wanted.topic_id);
      } else if (const metadata::Topic* topic = context_.image().FindTopic(*wanted.name)) {
        AddTopic(*topic);
      } else {
        AddMissing(*wanted.name, missing);
      }
    }
    return missing;
  }

 private:
  void AddTopic(const metadata::Topic& topic) {
    auto& one = response_.topics.Add(arena_);
    one.name = topic.name();
    one.topic_id = topic.id();
    one.is_internal = metadata::IsInternalTopic(topic.name());
    if (request_.include_topic_authorized_operations) one.topic_authorized_operations = kAllTopicOperations;
    one.partitions.Reserve(arena_, static_cast<size_t>(topic.partition_count()));
    topic.ForEachPartition([&](int32_t index, const metadata::Partition& partition) {
      auto& entry = one.partitions.Add(arena_);
      entry.partition_index = index;
      entry.leader_id = partition.leader.value();
      entry.leader_epoch = partition.leader_epoch.value();
      entry.replica_nodes = BrokerIdList(arena_, partition.replicas);
      entry.isr_nodes = BrokerIdList(arena_, partition.isr);
      entry.offline_replicas = OfflineReplicas(arena_, context_.image(), partition);
      entry.error_code = LeaderError(context_.image(), partition);
    });
  }

  void AddMissing(std::string_view name, std::vector<std::string>& missing) {
    bool valid = metadata::IsValidTopicName(name);
    AddError(valid ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kInvalidTopicException, name, Uuid());
    bool may_create = request_.allow_auto_topic_creation && context_.shard().config().auto_create_topics_enable;
    if (valid && may_create) missing.emplace_back(name);
  }

  void AddError(ErrorCode error, std::optional<std::string_view> name, const Uuid& id) {
    auto& one = response_.topics.Add(arena_);
    one.error_code = static_cast<int16_t>(error);
    one.name = std::nullopt;
    if (name) one.name = ValidUtf8(*name, arena_);
    if (name) one.is_internal = metadata::IsInternalTopic(*name);
    if (name && request_.include_topic_authorized_operations) one.topic_authorized_operations = kAllTopicOperations;
    one.topic_id = id;
  }

  RequestContext& context_;
  const MetadataRequest& request_;
  MetadataResponse& response_;
  Arena& arena_;
};

}  // namespace

reactor::Task<void> HandleMetadata(RequestContext& context, const MetadataRequest& request,
                                   MetadataResponse& response) {
  response.cluster_id = context.shard().cluster_id();
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  MetadataAnswer answer(context, request, response);
  if (!answer.MakesSense()) {
    answer.RefuseAll();
    co_return;
  }
  answer.AddBrokers();
  bool all = request.topics.is_null() || (context.api_version() == 0 && request.topics.empty());
  if (all) {
    answer.AddAll();
  } else if (!answer.AddByIds()) {
    std::vector<std::string> missing = answer.AddNamed();
    if (!missing.empty()) context.shard().AutoCreateTopics(std::move(missing));
  }
  co_return;
}

}  // namespace kb::broker

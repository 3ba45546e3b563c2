#include "controller/topic_decisions.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "controller/refusal.h"
#include "controller/replica_placement.h"
#include "controller/wire_lists.h"
#include "message/clear_elr_record.h"
#include "message/config_record.h"
#include "message/partition_record.h"
#include "message/remove_topic_record.h"
#include "message/topic_record.h"
#include "metadata/features.h"
#include "metadata/topic_name.h"
#include "protocol/error_code.h"

namespace kb::controller {
namespace {

using metadata::BrokerIds;
using metadata::MetadataImage;
using metadata::Partition;
using metadata::RecordList;
using metadata::Topic;
using Context = TopicDecisionContext;

const Refusal kDuplicateName{ErrorCode::kInvalidRequest, "the request names this topic more than once"};
const Refusal kTooManyPartitions{ErrorCode::kPolicyViolation, "the request asks for more than " +
                                                                  std::to_string(kMostPartitionsPerRequest) +
                                                                  " new partitions; spread them over several requests"};
const Refusal kTooManyRecords{ErrorCode::kPolicyViolation,
                              "the request's topics, configurations and partitions are more than " +
                                  std::to_string(kMostPartitionsPerRequest) + " together; split the request"};

const Refusal kQuotaUsedUp{ErrorCode::kThrottlingQuotaExceeded,
                           "the client's quota of partitions to create and delete is used up for now"};

bool TakeQuota(const Context& context, size_t partitions) {
  return context.quota == nullptr || context.quota->Take(partitions);
}

// The names that a request has more than once, in the order of their second mention.
template <typename Topics>
std::vector<std::string_view> DuplicateNames(const Topics& topics) {
  std::unordered_set<std::string_view> seen;
  std::unordered_set<std::string_view> reported;
  std::vector<std::string_view> duplicates;
  for (const auto& topic : topics) {
    if (!seen.insert(topic.name).second && reported.insert(topic.name).second) duplicates.push_back(topic.name);
  }
  return duplicates;
}

bool Contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Refusal PlaceReplicas(const Context& context, int32_t first, int32_t count, int16_t replication_factor,
                      std::vector<BrokerIds>& placed) {
  return controller::PlaceReplicas(context.image, context.random, first, count, replication_factor, placed);
}

template <typename Result>
void Put(const Context& context, const Refusal& refusal, Result& result) {
  controller::Put(context.arena, refusal, result);
}

// For a partition that begins with it: somebody has to lead.
Refusal CheckAssignment(const MetadataImage& image, const protocol::Array<int32_t>& brokers,
                        std::optional<size_t> replication_factor, const std::string& what) {
  if (Refusal refusal = CheckReplicas(image, brokers, replication_factor, what)) return refusal;
  bool any_usable = std::any_of(brokers.begin(), brokers.end(), [&](int32_t id) { return image.IsUsable(BrokerId(id)); });
  if (any_usable) return {};
  return {ErrorCode::kInvalidReplicaAssignment,
          "the assignment of " + what + " names only brokers that are fenced or shutting down"};
}

// A new partition, led by the first of its replicas that is there.
void AddPartition(const Context& context, DirectoryChooser& directories, const Uuid& topic_id, int32_t index,
                  const BrokerIds& replicas, RecordList& records) {
  metadata::RecordVersions versions = metadata::RecordVersionsFor(context.image.metadata_version());
  BrokerIds isr;
  for (BrokerId replica : replicas) {
    if (context.image.IsUsable(replica)) isr.push_back(replica);
  }
  KB_CHECK(!isr.empty());
  Arena arena;
  message::PartitionRecord record;
  record.partition_id = index;
  record.topic_id = topic_id;
  record.replicas = ToWire(arena, replicas);
  record.isr = ToWire(arena, isr);
  record.leader = isr.front().value();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  if (versions.directories) {
    for (BrokerId replica : replicas) record.directories.Add(arena, directories.Choose(replica));
  }
  records.Add(record, versions.partition);
}

// ---- CreateTopics --------------------------------------------------------------------------------------------------

using CreatableTopic = message::CreateTopicsRequest::CreatableTopic;
using CreatableTopicResult = message::CreateTopicsResponse::CreatableTopicResult;

Refusal CheckName(const MetadataImage& image, std::string_view name) {
  if (image.FindTopic(name) != nullptr) {
    return {ErrorCode::kTopicAlreadyExists, "topic " + std::string(name) + " already exists"};
  }
  std::string reason = metadata::InvalidTopicNameReason(name);
  if (!reason.empty()) return {ErrorCode::kInvalidTopicException, reason};
  std::string_view other = image.FindCollidingTopic(name);
  if (other.empty()) return {};
  return {ErrorCode::kInvalidTopicException, "topic " + std::string(name) + " and the existing topic " +
                                                 std::string(other) +
                                                 " would share one name in metrics, where '.' reads as '_'"};
}

Refusal CheckConfigs(const Context& context, const CreatableTopic& topic, metadata::ConfigValues& overrides) {
  std::string nulls;
  for (const auto& config : topic.configs) {
    if (config.value) {
      overrides[std::string(config.name)] = std::string(*config.value);
    } else {
      nulls += (nulls.empty() ? "" : ", ") + std::string(config.name);
    }
  }
  if (!nulls.empty()) {
    return {ErrorCode::kInvalidConfig, "a configuration of a new topic needs a value, and these have none: " + nulls};
  }
  Status status = context.rules.CheckTopicConfigs(overrides);
  return status.ok() ? Refusal() : Refusal{ErrorCode::kInvalidConfig, status.error().message};
}

Refusal TakeManualAssignments(const MetadataImage& image, const CreatableTopic& topic,
                              std::vector<BrokerIds>& placed) {
  if (topic.replication_factor != -1) {
    return {ErrorCode::kInvalidRequest, "with manual assignments the replication factor must be -1"};
  }
  if (topic.num_partitions != -1) {
    return {ErrorCode::kInvalidRequest, "with manual assignments the number of partitions must be -1"};
  }
  std::map<int32_t, BrokerIds> assigned;
  std::optional<size_t> replication_factor;
  for (const auto& assignment : topic.assignments) {
    std::string what = "partition " + std::to_string(assignment.partition_index);
    if (assigned.contains(assignment.partition_index)) {
      return {ErrorCode::kInvalidReplicaAssignment, what + " is assigned more than once"};
    }
    if (Refusal refusal = CheckAssignment(image, assignment.broker_ids, replication_factor, what)) return refusal;
    replication_factor = assignment.broker_ids.size();
    assigned.emplace(assignment.partition_index, FromWire(assignment.broker_ids));
  }
  int32_t next = 0;
  for (auto& [index, replicas] : assigned) {
    if (index != next++) {
      return {ErrorCode::kInvalidReplicaAssignment, "the assigned partitions must be numbered 0, 1, 2 … without gaps"};
    }
    placed.push_back(std::move(replicas));
  }
  return {};
}

// The replicas of each partition of a new topic.
Refusal Place(const Context& context, const CreatableTopic& topic, std::vector<BrokerIds>& placed) {
  if (!topic.assignments.empty()) return TakeManualAssignments(context.image, topic, placed);
  if (topic.replication_factor < -1 || topic.replication_factor == 0) {
    return {ErrorCode::kInvalidReplicationFactor, "the replication factor must be above 0, or -1 for the default"};
  }
  if (topic.num_partitions < -1 || topic.num_partitions == 0) {
    return {ErrorCode::kInvalidPartitions, "the number of partitions must be above 0, or -1 for the default"};
  }
  int32_t partitions = topic.num_partitions == -1 ? context.rules.num_partitions() : topic.num_partitions;
  int16_t factor =
      topic.replication_factor == -1 ? context.rules.default_replication_factor() : topic.replication_factor;
  return PlaceReplicas(context, 0, partitions, factor, placed);
}

void AddConfigs(const Context& context, const CreatableTopic& topic, const metadata::ConfigValues& overrides,
                RecordList& records) {
  std::unordered_set<std::string_view> written;
  bool clears_elr = false;
  for (const auto& config : topic.configs) {
    if (!written.insert(config.name).second) continue;  // named twice: the last value counts, in the first place
    message::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(metadata::ConfigResourceType::kTopic);
    record.resource_name = topic.name;
    record.name = config.name;
    record.value = overrides.find(config.name)->second;
    records.Add(record);
    clears_elr |= config.name == "min.insync.replicas";
  }
  if (!clears_elr || !context.image.eligible_leader_replicas_enabled()) return;
  message::ClearElrRecord clear;
  clear.topic_name = topic.name;
  records.Add(clear);
}

struct NewTopic {
  metadata::ConfigValues overrides;
  std::vector<BrokerIds> placed;
};

Refusal CheckNewTopic(const Context& context, const CreatableTopic& topic, NewTopic& created) {
  if (Refusal refusal = CheckName(context.image, topic.name)) return refusal;
  if (Refusal refusal = CheckConfigs(context, topic, created.overrides)) return refusal;
  if (Refusal refusal = Place(context, topic, created.placed)) return refusal;
  return TakeQuota(context, created.placed.size()) ? Refusal() : kQuotaUsedUp;
}

// records: of this topic.
void AddTopic(const Context& context, DirectoryChooser& directories, const CreatableTopic& topic,
              const NewTopic& created, CreatableTopicResult& result, RecordList& records) {
  Uuid id = context.random.NextUuid();
  message::TopicRecord record;
  record.name = topic.name;
  record.topic_id = id;
  records.Add(record);
  AddConfigs(context, topic, created.overrides, records);
  for (size_t i = 0; i < created.placed.size(); ++i) {
    AddPartition(context, directories, id, static_cast<int32_t>(i), created.placed[i], records);
  }
  result.topic_id = id;
  result.num_partitions = static_cast<int32_t>(created.placed.size());
  result.replication_factor = static_cast<int16_t>(created.placed.front().size());
}

// Counted over the whole request, whatever else is wrong with its topics.
bool AsksForTooMuch(const Context& context, const message::CreateTopicsRequest& request,
                    const std::vector<std::string_view>& left_out) {
  int64_t partitions = 0;
  for (const CreatableTopic& topic : request.topics) {
    if (Contains(left_out, topic.name)) continue;
    if (!topic.assignments.empty()) {
      partitions += static_cast<int64_t>(topic.assignments.size());
    } else if (topic.num_partitions == -1) {
      partitions += context.rules.num_partitions();
    } else {
      partitions += std::max(topic.num_partitions, 0);
    }
  }
  return partitions > kMostPartitionsPerRequest;
}

CreatableTopicResult& AddResult(const Context& context, message::CreateTopicsResponse& response, std::string_view name,
                                const Refusal& refusal) {
  CreatableTopicResult& result = response.topics.Add(context.arena);
  result.name = name;
  Put(context, refusal, result);
  return result;
}

}  // namespace

message::CreateTopicsResponse DecideCreateTopics(const Context& context, const message::CreateTopicsRequest& request,
                                                 int16_t version, RecordList& records) {
  message::CreateTopicsResponse response;
  std::vector<std::string_view> left_out = DuplicateNames(request.topics);
  std::vector<std::string_view> duplicates = left_out;
  bool names_metadata_topic =
      !Contains(duplicates, metadata::kMetadataTopicName) &&
      std::any_of(request.topics.begin(), request.topics.end(),
                  [](const CreatableTopic& topic) { return topic.name == metadata::kMetadataTopicName; });
  if (names_metadata_topic) left_out.push_back(metadata::kMetadataTopicName);

  bool too_much = AsksForTooMuch(context, request, left_out);
  RecordList created_records;
  DirectoryChooser directories(context.image);
  decltype(CreatableTopicResult::configs) defaults;  // of all topics that have no values of their own
  for (const CreatableTopic& topic : request.topics) {
    if (Contains(left_out, topic.name)) continue;
    NewTopic created;
    Refusal refusal = too_much ? kTooManyPartitions : CheckNewTopic(context, topic, created);
    CreatableTopicResult& result = AddResult(context, response, topic.name, refusal);
    if (refusal) continue;
    AddTopic(context, directories, topic, created, result, created_records);
    if (version < 5) continue;
    const bool has_defaults = created.overrides.empty();
    if (has_defaults) result.configs = defaults;
    if (result.configs.empty()) context.rules.DescribeTopicConfigs(created.overrides, context.arena, result.configs);
    if (has_defaults) defaults = result.configs;
  }
  // A request is one atomic append, and that has a bound.
  if (created_records.size() > static_cast<size_t>(kMostPartitionsPerRequest)) {
    response.topics = protocol::Array<CreatableTopicResult>();
    for (const CreatableTopic& topic : request.topics) {
      if (!Contains(left_out, topic.name)) AddResult(context, response, topic.name, kTooManyRecords);
    }
    created_records = RecordList();
  }
  for (std::string_view name : duplicates) AddResult(context, response, name, kDuplicateName);
  if (names_metadata_topic) {
    AddResult(context, response, metadata::kMetadataTopicName,
              {ErrorCode::kInvalidRequest, "the name of the metadata log cannot be given to a topic"});
  }
  if (!request.validate_only) records.Append(created_records);
  return response;
}

// ---- DeleteTopics --------------------------------------------------------------------------------------------------

namespace {

using DeletableTopicResult = message::DeleteTopicsResponse::DeletableTopicResult;

// Sorts out which topics a request means, and answers what cannot be meant.
class Deletions {
 public:
  Deletions(const Context& context, message::DeleteTopicsResponse& response) : context_(context), response_(response) {}

  void AddName(std::string_view name) { names_[name]++; }
  void AddId(const Uuid& id) { ids_[id]++; }
  void Answer(std::optional<std::string_view> name, const Uuid& id, const Refusal& refusal) {
    DeletableTopicResult& result = response_.responses.Add(context_.arena);
    result.name = name;
    result.topic_id = id;
    Put(context_, refusal, result);
  }

  void Decide(RecordList& records) {
    for (const auto& [name, mentions] : names_) {
      if (mentions > 1) Answer(name, kZeroUuid, kDuplicateName);
    }
    for (const auto& [id, mentions] : ids_) {
      if (mentions > 1) Answer(std::nullopt, id, {ErrorCode::kInvalidRequest, "the request names this id more than once"});
    }
    FindById();
    FindByName();
    for (const auto& [id, topic] : meant_) {
      if (!TakeQuota(context_, static_cast<size_t>(topic->partition_count()))) {
        Answer(context_.arena.Copy(std::string_view(topic->name())), id, kQuotaUsedUp);
        continue;
      }
      message::RemoveTopicRecord record;
      record.topic_id = id;
      records.Add(record);
      Answer(context_.arena.Copy(std::string_view(topic->name())), id, {});
    }
  }

 private:
  void FindById() {
    for (const auto& [id, mentions] : ids_) {
      if (mentions > 1) continue;
      const Topic* topic = context_.image.FindTopic(id);
      if (topic == nullptr) {
        Answer(std::nullopt, id, {ErrorCode::kUnknownTopicId, "there is no topic with this id"});
      } else {
        meant_.emplace(id, topic);
      }
    }
  }
  void FindByName() {
    for (const auto& [name, mentions] : names_) {
      if (mentions > 1) continue;
      const Topic* topic = context_.image.FindTopic(name);
      if (topic == nullptr) {
        Answer(name, kZeroUuid, {ErrorCode::kUnknownTopicOrPartition, "there is no topic with this name"});
      } else if (!meant_.emplace(topic->id(), topic).second) {
        meant_.erase(topic->id());
        Answer(name, topic->id(), {ErrorCode::kInvalidRequest, "the request names this topic by its name and by its id"});
      }
    }
  }

  const Context& context_;
  message::DeleteTopicsResponse& response_;
  std::map<std::string_view, int> names_;  // → how often
  std::map<Uuid, int> ids_;
  std::map<Uuid, const Topic*> meant_;
};

// The answer while deletion is switched off: the same for all, found or not.
void RefuseAll(const message::DeleteTopicsRequest& request, int16_t version, Deletions& deletions) {
  Refusal refusal{version < 3 ? ErrorCode::kInvalidRequest : ErrorCode::kTopicDeletionDisabled,
                  "deleting topics is switched off (delete.topic.enable=false)"};
  for (std::string_view name : request.topic_names) deletions.Answer(name, kZeroUuid, refusal);
  for (const auto& topic : request.topics) deletions.Answer(topic.name, topic.topic_id, refusal);
}

}  // namespace

message::DeleteTopicsResponse DecideDeleteTopics(const Context& context, const message::DeleteTopicsRequest& request,
                                                 int16_t version, RecordList& records) {
  message::DeleteTopicsResponse response;
  Deletions deletions(context, response);
  if (!context.rules.delete_topic_enable()) {
    RefuseAll(request, version, deletions);
    return response;
  }
  for (std::string_view name : request.topic_names) deletions.AddName(name);
  for (const auto& topic : request.topics) {
    bool has_id = !topic.topic_id.is_zero();
    if (topic.name && has_id) {
      deletions.Answer(topic.name, topic.topic_id,
                       {ErrorCode::kInvalidRequest, "a topic is named by its name or by its id, not by both"});
    } else if (topic.name) {
      deletions.AddName(*topic.name);
    } else if (has_id) {
      deletions.AddId(topic.topic_id);
    } else {
      deletions.Answer(std::nullopt, kZeroUuid, {ErrorCode::kInvalidRequest, "neither a topic's name nor its id is given"});
    }
  }
  deletions.Decide(records);
  return response;
}

// ---- CreatePartitions ----------------------------------------------------------------------------------------------

namespace {

using GrownTopic = message::CreatePartitionsRequest::CreatePartitionsTopic;

Refusal PlaceMore(const Context& context, const Topic& topic, const GrownTopic& wanted, int32_t additional,
                  std::vector<BrokerIds>& placed) {
  size_t factor = topic.FindPartition(0) == nullptr ? 1 : topic.FindPartition(0)->replicas.size();
  if (wanted.assignments.is_null()) {
    return PlaceReplicas(context, topic.partition_count(), additional, static_cast<int16_t>(factor), placed);
  }
  if (wanted.assignments.size() != static_cast<size_t>(additional)) {
    return {ErrorCode::kInvalidReplicaAssignment, std::to_string(additional) + " partitions are to be added, and " +
                                                      std::to_string(wanted.assignments.size()) + " are assigned"};
  }
  for (const auto& assignment : wanted.assignments) {
    std::string what = "new partition " + std::to_string(topic.partition_count() + static_cast<int32_t>(placed.size()));
    if (Refusal refusal = CheckAssignment(context.image, assignment.broker_ids, factor, what)) return refusal;
    placed.push_back(FromWire(assignment.broker_ids));
  }
  return {};
}

Refusal Grow(const Context& context, DirectoryChooser& directories, const GrownTopic& wanted, RecordList& records) {
  const Topic* topic = context.image.FindTopic(wanted.name);
  if (topic == nullptr) return {ErrorCode::kUnknownTopicOrPartition, "there is no topic with this name"};
  if (wanted.count <= topic->partition_count()) {
    return {ErrorCode::kInvalidPartitions, "topic " + std::string(wanted.name) + " has " +
                                               std::to_string(topic->partition_count()) +
                                               " partitions; their number can only grow"};
  }
  int32_t additional = wanted.count - topic->partition_count();
  if (static_cast<size_t>(additional) + records.size() > static_cast<size_t>(kMostPartitionsPerRequest)) {
    return kTooManyPartitions;
  }
  std::vector<BrokerIds> placed;
  if (Refusal refusal = PlaceMore(context, *topic, wanted, additional, placed)) return refusal;
  if (!TakeQuota(context, placed.size())) return kQuotaUsedUp;
  for (size_t i = 0; i < placed.size(); ++i) {
    AddPartition(context, directories, topic->id(), topic->partition_count() + static_cast<int32_t>(i), placed[i],
                 records);
  }
  return {};
}

}  // namespace

message::CreatePartitionsResponse DecideCreatePartitions(const Context& context,
                                                         const message::CreatePartitionsRequest& request,
                                                         int16_t /*version*/, RecordList& records) {
  message::CreatePartitionsResponse response;
  auto answer = [&](std::string_view name, const Refusal& refusal) {
    auto& result = response.results.Add(context.arena);
    result.name = name;
    Put(context, refusal, result);
  };
  std::vector<std::string_view> duplicates = DuplicateNames(request.topics);
  for (std::string_view name : duplicates) answer(name, kDuplicateName);
  RecordList created;
  DirectoryChooser directories(context.image);
  for (const GrownTopic& topic : request.topics) {
    if (!Contains(duplicates, topic.name)) answer(topic.name, Grow(context, directories, topic, created));
  }
  if (!request.validate_only) records.Append(created);
  return response;
}

}  // namespace kb::controller

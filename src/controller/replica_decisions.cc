#include "controller/replica_decisions.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>

#include "controller/partition_transition.h"
#include "controller/refusal.h"
#include "controller/replica_placement.h"
#include "controller/topic_decisions.h"

namespace kb::controller {
namespace {

using metadata::BrokerIds;
using metadata::Partition;
using metadata::RecordList;
using metadata::Topic;
using Context = ReplicaDecisionContext;

constexpr int8_t kPreferredElection = 0;
constexpr int8_t kUncleanElection = 1;

const Refusal kTooManyRecords{ErrorCode::kPolicyViolation, "the request changes more than " +
                                                               std::to_string(kMostPartitionsPerRequest) +
                                                               " partitions; spread them over several requests"};

std::string NameOf(std::string_view topic, int32_t partition) {
  return "partition " + std::to_string(partition) + " of topic " + std::string(topic);
}

// A partition that a request names.
struct Found {
  Refusal refusal;
  const Topic* topic = nullptr;
  const Partition* partition = nullptr;
};

Found FindPartition(const Context& context, std::string_view name, int32_t index) {
  const Topic* topic = context.image.FindTopic(name);
  if (topic == nullptr) {
    return {{ErrorCode::kUnknownTopicOrPartition, "there is no topic named " + std::string(name)}};
  }
  const Partition* partition = topic->FindPartition(index);
  if (partition == nullptr) {
    return {{ErrorCode::kUnknownTopicOrPartition, "there is no " + NameOf(name, index)}};
  }
  return {{}, topic, partition};
}

// Of one topic: its own value, else the brokers' default. What the image does not know is 1.
int32_t MinInSyncReplicas(const Context& context, std::string_view topic, const Partition& partition) {
  constexpr std::string_view kKey = "min.insync.replicas";
  const metadata::ConfigValues& own = context.image.ConfigsOfTopic(topic);
  const metadata::ConfigValues& defaults = context.image.ConfigsOf(metadata::ConfigResourceType::kBroker, "");
  int32_t value = 1;
  for (const metadata::ConfigValues* values : {&own, &defaults}) {
    auto found = values->find(kKey);
    if (found == values->end()) continue;
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), value);
    break;
  }
  return std::min(value, static_cast<int32_t>(partition.replicas.size()));
}

bool MayElectUncleanly(const Context& context, std::string_view topic) {
  constexpr std::string_view kKey = "unclean.leader.election.enable";
  const metadata::ConfigValues& own = context.image.ConfigsOfTopic(topic);
  const metadata::ConfigValues& defaults = context.image.ConfigsOf(metadata::ConfigResourceType::kBroker, "");
  for (const metadata::ConfigValues* values : {&own, &defaults}) {
    auto found = values->find(kKey);
    if (found != values->end()) return found->second == "true";
  }
  return false;
}

// ---- ElectLeaders --------------------------------------------------------------------------------------------------

class Elections {
 public:
  Elections(const Context& context, int8_t type, message::ElectLeadersResponse& response)
      : context_(context), type_(type), directories_(context.image), response_(response) {}

  void ElectAll(RecordList& records) {
    context_.image.ForEachTopic([&](const Topic& topic) {
      auto& answer = AddTopic(topic.name());
      topic.ForEachPartition([&](int32_t index, const Partition& partition) {
        Refusal refusal = Elect(topic, index, partition, records);
        if (refusal.code != ErrorCode::kElectionNotNeeded) AddPartition(answer, index, refusal);
      });
    });
  }

  void ElectNamed(const message::ElectLeadersRequest& request, RecordList& records) {
    for (const auto& named : request.topic_partitions) {
      auto& answer = AddTopic(named.topic);
      for (int32_t index : named.partitions) {
        Found found = FindPartition(context_, named.topic, index);
        Refusal refusal = found.refusal;
        if (!refusal) refusal = Elect(*found.topic, index, *found.partition, records);
        AddPartition(answer, index, refusal);
      }
    }
  }

  void RefuseAll(const message::ElectLeadersRequest& request, const Refusal& refusal) {
    response_.replica_election_results = {};
    response_.error_code = static_cast<int16_t>(refusal.code);
    if (request.topic_partitions.is_null()) return;
    for (const auto& named : request.topic_partitions) {
      auto& answer = AddTopic(named.topic);
      for (int32_t index : named.partitions) AddPartition(answer, index, refusal);
    }
  }

 private:
  using TopicAnswer = message::ElectLeadersResponse::ReplicaElectionResult;

  TopicAnswer& AddTopic(std::string_view name) {
    TopicAnswer& answer = response_.replica_election_results.Add(context_.arena);
    answer.topic = name;
    return answer;
  }
  void AddPartition(TopicAnswer& answer, int32_t index, const Refusal& refusal) {
    auto& one = answer.partition_result.Add(context_.arena);
    one.partition_id = index;
    Put(context_.arena, refusal, one);
  }

  Refusal Elect(const Topic& topic, int32_t index, const Partition& partition, RecordList& records) {
    const bool prefers = type_ == kPreferredElection;
    const bool is_there = prefers ? !partition.replicas.empty() && partition.leader == partition.replicas.front()
                                  : partition.leader != kNoBroker;
    if (is_there) return {ErrorCode::kElectionNotNeeded, NameOf(topic.name(), index) + " needs no election"};
    if (!elected_.insert({topic.id(), index}).second) return {};  // named twice: decided already
    PartitionTransition transition(context_.image, {topic.id(), index}, partition,
                                   MinInSyncReplicas(context_, topic.name(), partition));
    PartitionTarget target(partition);
    target.election = prefers ? Election::kPreferred : Election::kUnclean;
    if (transition.Decide(std::move(target), directories_, records)) return {};
    if (prefers) {
      return {ErrorCode::kPreferredLeaderNotAvailable,
              "the preferred leader of " + NameOf(topic.name(), index) + " is not available"};
    }
    return {ErrorCode::kEligibleLeadersNotAvailable, "no replica of " + NameOf(topic.name(), index) + " is available"};
  }

  const Context& context_;
  const int8_t type_;
  DirectoryChooser directories_;
  std::set<PartitionId> elected_;
  message::ElectLeadersResponse& response_;
};

}  // namespace

message::ElectLeadersResponse DecideElectLeaders(const Context& context, const message::ElectLeadersRequest& request,
                                                 RecordList& records) {
  message::ElectLeadersResponse response;
  Elections elections(context, request.election_type, response);
  if (request.election_type != kPreferredElection && request.election_type != kUncleanElection) {
    elections.RefuseAll(
        request, {ErrorCode::kInvalidRequest, "there is no election of type " + std::to_string(request.election_type)});
    return response;
  }
  RecordList elected;
  if (request.topic_partitions.is_null()) {
    elections.ElectAll(elected);
  } else {
    elections.ElectNamed(request, elected);
  }
  if (elected.size() > static_cast<size_t>(kMostPartitionsPerRequest)) {
    elections.RefuseAll(request, kTooManyRecords);
    return response;
  }
  records.Append(elected);
  return response;
}

// ---- AlterPartitionReassignments -----------------------------------------------------------------------------------

namespace {

using Reassigned = message::AlterPartitionReassignmentsRequest::ReassignablePartition;

bool Contains(const BrokerIds& ids, BrokerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Of those in `ids` that are not in `others`, ascending.
BrokerIds Difference(const BrokerIds& ids, const BrokerIds& others) {
  BrokerIds left;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(left), [&](BrokerId id) { return !Contains(others, id); });
  std::sort(left.begin(), left.end());
  return left;
}

class Reassignments {
 public:
  Reassignments(const Context& context, bool may_change_factor)
      : context_(context), may_change_factor_(may_change_factor), directories_(context.image) {}

  Refusal Alter(std::string_view name, const Reassigned& wanted, RecordList& records) {
    Found found = FindPartition(context_, name, wanted.partition_index);
    if (found.refusal) return found.refusal;
    const PartitionId id{found.topic->id(), wanted.partition_index};
    if (altered_.contains(id)) {  // the second would build on what the first has left behind
      return {ErrorCode::kInvalidRequest, "the request changes " + NameOf(name, id.partition) + " more than once"};
    }
    PartitionTarget target(*found.partition);
    Refusal refusal = wanted.replicas.is_null() ? Cancel(name, id.partition, *found.partition, target)
                                                : Change(name, wanted, *found.partition, target);
    if (refusal) return refusal;
    if (records.size() >= static_cast<size_t>(kMostPartitionsPerRequest)) return kTooManyRecords;
    PartitionTransition transition(context_.image, id, *found.partition,
                                   MinInSyncReplicas(context_, name, *found.partition));
    if (transition.Decide(std::move(target), directories_, records)) altered_.insert(id);
    return {};
  }

 private:
  Refusal Cancel(std::string_view name, int32_t index, const Partition& partition, PartitionTarget& target) const {
    if (partition.adding_replicas.empty() && partition.removing_replicas.empty()) {
      return {ErrorCode::kNoReassignmentInProgress, "no reassignment of " + NameOf(name, index) + " is in progress"};
    }
    const bool may_be_unclean = MayElectUncleanly(context_, name);
    std::erase_if(target.replicas, [&](BrokerId id) { return Contains(partition.adding_replicas, id); });
    std::erase_if(target.isr, [&](BrokerId id) { return Contains(partition.adding_replicas, id); });
    if (target.replicas.empty()) {
      return {ErrorCode::kInvalidReplicaAssignment, "without its new replicas " + NameOf(name, index) + " has none"};
    }
    if (target.isr.empty()) {  // only those who came are in sync
      if (!may_be_unclean) {
        return {ErrorCode::kInvalidReplicaAssignment,
                "taking back the reassignment of " + NameOf(name, index) + " needs an unclean election"};
      }
      target.isr = {target.replicas.front()};
    }
    if (may_be_unclean) target.election = Election::kUnclean;
    target.removing.clear();
    target.adding.clear();
    return {};
  }

  Refusal Change(std::string_view name, const Reassigned& wanted, const Partition& partition,
                 PartitionTarget& target) const {
    Refusal refusal =
        CheckReplicas(context_.image, wanted.replicas, std::nullopt, NameOf(name, wanted.partition_index));
    if (refusal) return refusal;
    const size_t factor = partition.replicas.size() - partition.removing_replicas.size();
    if (!may_change_factor_ && wanted.replicas.size() != factor) {
      return {ErrorCode::kInvalidReplicationFactor,
              "the replication factor of " + NameOf(name, wanted.partition_index) + " would change from " +
                  std::to_string(factor) + " to " + std::to_string(wanted.replicas.size())};
    }
    const BrokerIds replicas = FromWire(wanted.replicas);
    target.replicas = replicas;
    const BrokerIds removing = Difference(partition.replicas, replicas);
    const BrokerIds adding = Difference(replicas, partition.replicas);
    target.replicas.insert(target.replicas.end(), removing.begin(), removing.end());
    if (!removing.empty()) target.removing = removing;
    if (!adding.empty()) target.adding = adding;
    return {};
  }

  const Context& context_;
  const bool may_change_factor_;
  DirectoryChooser directories_;
  std::set<PartitionId> altered_;
};

}  // namespace

message::AlterPartitionReassignmentsResponse DecideAlterPartitionReassignments(
    const Context& context, const message::AlterPartitionReassignmentsRequest& request, RecordList& records) {
  message::AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  response.error_message = std::nullopt;
  Reassignments reassignments(context, request.allow_replication_factor_change);
  RecordList altered;
  for (const auto& topic : request.topics) {
    auto& answer = response.responses.Add(context.arena);
    answer.name = topic.name;
    for (const Reassigned& partition : topic.partitions) {
      auto& one = answer.partitions.Add(context.arena);
      one.partition_index = partition.partition_index;
      Put(context.arena, reassignments.Alter(topic.name, partition, altered), one);
    }
  }
  records.Append(altered);
  return response;
}

}  // namespace kb::controller

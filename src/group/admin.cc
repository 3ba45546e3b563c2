// What administrators ask: ListGroups, DescribeGroups, DeleteGroups.

#include <algorithm>

#include "base/check.h"
#include "group/impl.h"

namespace kb::group {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// As Java's trim().
std::string_view Trimmed(std::string_view text) {
  auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// No entries: everything passes.
class Filter {
 public:
  explicit Filter(const std::vector<std::string>& wanted) {
    for (const std::string& text : wanted) wanted_.insert(Lower(text));
  }
  bool Passes(std::string_view text) const { return wanted_.empty() || wanted_.count(Lower(text)) != 0; }

 private:
  std::set<std::string> wanted_;
};

// The state that the log knows: a group is not Dead before its deletion is committed. Of a group that is not served
// here it is only known whether it has members, not what they are doing.
std::string_view StateOf(const Group& group) {
  if (group.type == GroupType::kConsumer) return NameOf(group.consumer->state());
  if (group.type != GroupType::kClassic) return group.other_members.empty() ? "Empty" : "Unknown";
  return NameOf(group.Is(GroupState::kDead) ? GroupState::kEmpty : group.state);
}

}  // namespace

ListGroupsResponse GroupShard::Impl::ListGroups(const ListGroupsRequest& request) const {
  std::vector<std::string> trimmed;  // of states only, as in Apache Kafka
  for (const std::string& state : request.states_filter) trimmed.emplace_back(Trimmed(state));
  Filter states(trimmed);
  Filter types(request.types_filter);
  ListGroupsResponse response;
  for (const auto& [id, group] : groups_) {
    bool listed = group->visible && states.Passes(StateOf(*group)) && types.Passes(NameOf(group->type));
    if (!listed) continue;
    std::string_view other_protocol = group->type == GroupType::kClassic ? "" : NameOf(group->type);
    response.groups.push_back({id, group->protocol_type.value_or(std::string(other_protocol)),
                               std::string(StateOf(*group)), std::string(NameOf(group->type))});
  }
  return response;
}

DescribeGroupsResponse GroupShard::Impl::DescribeGroups(const DescribeGroupsRequest& request) const {
  DescribeGroupsResponse response;
  response.groups.reserve(request.groups.size());
  for (const std::string& group_id : request.groups) response.groups.push_back(Describe(group_id, request.version));
  return response;
}

DescribeGroupsResponse::Group GroupShard::Impl::Describe(const std::string& group_id, int16_t version) const {
  constexpr int16_t kGroupIdNotFoundVersion = 6;
  DescribeGroupsResponse::Group described;
  described.group_id = group_id;
  const Group* group = Find(group_id);
  bool found = group != nullptr && group->visible && group->type == GroupType::kClassic;
  if (!found) {
    described.group_state = NameOf(GroupState::kDead);
    if (version < kGroupIdNotFoundVersion) return described;
    described.error = ErrorCode::kGroupIdNotFound;
    bool other_type = group != nullptr && group->visible;
    described.error_message = "Group " + group_id + (other_type ? " is not a classic group." : " not found.");
    return described;
  }
  described.group_state = StateOf(*group);
  described.protocol_type = group->protocol_type.value_or("");
  bool stable = group->Is(GroupState::kStable);
  if (stable) described.protocol_data = group->protocol_name.value_or("");
  for (const auto& [id, member] : group->members) {
    auto& listed = described.members.emplace_back();
    listed.member_id = id;
    listed.group_instance_id = member.group_instance_id;
    listed.client_id = member.client_id;
    listed.client_host = member.client_host;
    listed.assignment = member.assignment;  // in a rebalance: that of the generation before
    if (stable) listed.metadata = member.metadata(described.protocol_data);
  }
  return described;
}

void GroupShard::Impl::Delete(Step& step, Ticket ticket, const DeleteGroupsRequest& request) {
  DeleteGroupsResponse response;
  response.results.reserve(request.groups.size());
  for (const std::string& group_id : request.groups) {
    response.results.push_back({group_id, DeleteOne(step, group_id)});
  }
  AnswerWhenWritten(step, ticket, std::move(response));
}

ErrorCode GroupShard::Impl::DeleteOne(Step& step, std::string_view group_id) {
  Group* group = Find(group_id);
  if (group == nullptr || group->Is(GroupState::kDead)) return ErrorCode::kGroupIdNotFound;
  if (group->type == GroupType::kShare) return ErrorCode::kUnsupportedVersion;  // its state is elsewhere as well
  if (!group->HasNobody()) return ErrorCode::kNonEmptyGroup;
  std::vector<OffsetChange> changes;
  for (const auto& [topic, partitions] : group->offsets) {
    for (const auto& [partition, cell] : partitions) WriteTombstone(step, *group, topic, partition, changes);
  }
  WriteOffsets(step, *group, std::move(changes));
  group->RemoveAllPending();
  return WriteGroupDeletion(step, *group) ? ErrorCode::kNone : ErrorCode::kCoordinatorNotAvailable;
}

namespace {

// Topics that are gone are left out.
std::vector<ConsumerGroupDescribeResponse::Topic> Named(const Surroundings& surroundings,
                                                        const Assignment& assignment) {
  std::vector<ConsumerGroupDescribeResponse::Topic> topics;
  for (size_t i = 0; i < assignment.topic_count(); ++i) {
    std::optional<TopicShape> topic = surroundings.TopicById(assignment.topic_id(i));
    if (!topic.has_value()) continue;
    auto partitions = assignment.partitions(i);
    topics.push_back({topic->id, topic->name, {partitions.begin(), partitions.end()}});
  }
  return topics;
}

}  // namespace

ConsumerGroupDescribeResponse GroupShard::Impl::ConsumerGroupDescribe(
    const ConsumerGroupDescribeRequest& request) const {
  ConsumerGroupDescribeResponse response;
  for (const std::string& group_id : request.groups) {
    auto& described = response.groups.emplace_back();
    described.group_id = group_id;
    const Group* group = Find(group_id);
    const bool is_known = group != nullptr && group->visible;
    if (!is_known || group->type != GroupType::kConsumer) {
      described.error = ErrorCode::kGroupIdNotFound;
      described.error_message = "Group " + group_id + (is_known ? " is not a consumer group." : " not found.");
      continue;
    }
    const ConsumerGroup& consumer = *group->consumer;
    described.group_state = NameOf(consumer.state());
    described.group_epoch = consumer.group_epoch;
    described.assignment_epoch = consumer.assignment_epoch;
    described.assignor_name = consumer.PreferredAssignor().value_or(config_.group_consumer_assignors.front());
    for (const auto& [id, member] : consumer.members()) {
      described.members.push_back({.member_id = id,
                                   .instance_id = member.instance_id,
                                   .rack_id = member.rack_id,
                                   .member_epoch = member.epoch,
                                   .client_id = member.client_id,
                                   .client_host = member.client_host,
                                   .subscribed_topic_names = member.subscribed_names,
                                   .subscribed_topic_regex = member.subscribed_regex,
                                   .assignment = Named(surroundings_, HeldBy(member)),
                                   .target_assignment = Named(surroundings_, member.target),
                                   .is_classic = member.classic.has_value()});
    }
  }
  return response;
}

void GroupShard::Impl::WriteOtherTombstones(Step& step, Group& group) {
  for (const std::string& key : group.other_record_keys) step.Write({key, std::nullopt});
}

}  // namespace kb::group

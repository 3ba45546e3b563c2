#include "group/convert.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/utf8.h"

namespace kb::group {
namespace {

constexpr size_t kMostString = 32'767;

// A string of the wire as Java would have read it: it comes back to clients, and they expect valid text. One that would
// grow beyond what a string can be on the wire stays as it is.
std::string Text(std::string_view text) {
  Arena arena;
  std::string_view valid = ValidUtf8(text, arena);
  return std::string(valid.size() <= kMostString ? valid : text);
}

std::optional<std::string> Text(const std::optional<std::string_view>& text) {
  if (!text.has_value()) return std::nullopt;
  return Text(*text);
}

std::optional<std::string_view> View(const std::optional<std::string>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string_view(*text);
}

std::string Owned(ByteView bytes) {
  return std::string(AsText(bytes));
}

int16_t Code(ErrorCode error) {
  return static_cast<int16_t>(error);
}

template <typename T>
std::vector<T> Owned(const protocol::Array<T>& values) {
  return std::vector<T>(values.begin(), values.end());
}

std::vector<std::string> Owned(const protocol::Array<std::string_view>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (std::string_view value : values) texts.push_back(Text(value));
  return texts;
}

}  // namespace

// ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

JoinGroupRequest FromMessage(const message::JoinGroupRequest& message, int16_t version, Caller caller) {
  JoinGroupRequest request;
  request.version = version;
  request.caller = {Text(std::string_view(caller.client_id)), std::move(caller.client_host)};
  request.group_id = Text(message.group_id);
  request.session_timeout_ms = message.session_timeout_ms;
  request.rebalance_timeout_ms = version == 0 ? message.session_timeout_ms : message.rebalance_timeout_ms;
  request.member_id = Text(message.member_id);
  request.group_instance_id = Text(message.group_instance_id);
  request.protocol_type = Text(message.protocol_type);
  request.protocols.reserve(message.protocols.size());
  for (const auto& protocol : message.protocols) {
    request.protocols.push_back({Text(protocol.name), Owned(protocol.metadata)});
  }
  return request;
}

SyncGroupRequest FromMessage(const message::SyncGroupRequest& message, int16_t version) {
  SyncGroupRequest request;
  request.version = version;
  request.group_id = Text(message.group_id);
  request.generation_id = message.generation_id;
  request.member_id = Text(message.member_id);
  request.group_instance_id = Text(message.group_instance_id);
  request.protocol_type = Text(message.protocol_type);
  request.protocol_name = Text(message.protocol_name);
  request.assignments.reserve(message.assignments.size());
  for (const auto& assignment : message.assignments) {
    request.assignments.push_back({Text(assignment.member_id), Owned(assignment.assignment)});
  }
  return request;
}

HeartbeatRequest FromMessage(const message::HeartbeatRequest& message, int16_t) {
  return {Text(message.group_id), message.generation_id, Text(message.member_id), Text(message.group_instance_id)};
}

LeaveGroupRequest FromMessage(const message::LeaveGroupRequest& message, int16_t version) {
  constexpr int16_t kListVersion = 3;
  LeaveGroupRequest request;
  request.group_id = Text(message.group_id);
  if (version < kListVersion) {
    request.members.push_back({Text(message.member_id), std::nullopt});
    return request;
  }
  request.members.reserve(message.members.size());
  for (const auto& member : message.members) {
    request.members.push_back({Text(member.member_id), Text(member.group_instance_id)});
  }
  return request;
}

OffsetCommitRequest FromMessage(const message::OffsetCommitRequest& message, int16_t version) {
  OffsetCommitRequest request;
  request.version = version;
  request.group_id = Text(message.group_id);
  request.generation_id = message.generation_id_or_member_epoch;
  request.member_id = Text(message.member_id);
  request.group_instance_id = Text(message.group_instance_id);
  request.retention_time_ms = message.retention_time_ms;
  request.topics.reserve(message.topics.size());
  for (const auto& topic : message.topics) {
    auto& owned = request.topics.emplace_back();
    owned.name = Text(topic.name);
    owned.topic_id = topic.topic_id;
    owned.partitions.reserve(topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      owned.partitions.push_back({partition.partition_index, partition.committed_offset,
                                  partition.committed_leader_epoch, Text(partition.committed_metadata)});
    }
  }
  return request;
}

std::vector<OffsetFetchRequest> FromMessage(const message::OffsetFetchRequest& message, int16_t version) {
  constexpr int16_t kGroupsVersion = 8;
  std::vector<OffsetFetchRequest> requests;
  auto add_topics = [](const auto& topics, OffsetFetchRequest& request, auto id_of) {
    if (topics.is_null()) return;
    request.topics.emplace();
    request.topics->reserve(topics.size());
    for (const auto& topic : topics) {
      request.topics->push_back({Text(topic.name), id_of(topic), Owned(topic.partition_indexes)});
    }
  };
  if (version < kGroupsVersion) {
    OffsetFetchRequest& request = requests.emplace_back();
    request.group_id = Text(message.group_id);
    request.require_stable = message.require_stable;
    add_topics(message.topics, request, [](const auto&) { return Uuid(); });
    return requests;
  }
  requests.reserve(message.groups.size());
  for (const auto& group : message.groups) {
    OffsetFetchRequest& request = requests.emplace_back();
    request.group_id = Text(group.group_id);
    request.member_id = Text(group.member_id);
    request.member_epoch = group.member_epoch;
    request.require_stable = message.require_stable;
    add_topics(group.topics, request, [](const auto& topic) { return topic.topic_id; });
  }
  return requests;
}

OffsetDeleteRequest FromMessage(const message::OffsetDeleteRequest& message, int16_t) {
  OffsetDeleteRequest request;
  request.group_id = Text(message.group_id);
  request.topics.reserve(message.topics.size());
  for (const auto& topic : message.topics) {
    auto& owned = request.topics.emplace_back();
    owned.name = Text(topic.name);
    owned.partitions.reserve(topic.partitions.size());
    for (const auto& partition : topic.partitions) owned.partitions.push_back(partition.partition_index);
  }
  return request;
}

ListGroupsRequest FromMessage(const message::ListGroupsRequest& message, int16_t) {
  return {Owned(message.states_filter), Owned(message.types_filter)};
}

DescribeGroupsRequest FromMessage(const message::DescribeGroupsRequest& message, int16_t version) {
  return {version, Owned(message.groups)};
}

namespace {

std::vector<std::string> Distinct(const protocol::Array<std::string_view>& names) {
  std::vector<std::string> distinct;
  std::unordered_set<std::string_view> seen;
  for (std::string_view name : names) {
    if (seen.insert(name).second) distinct.push_back(Text(name));
  }
  return distinct;
}

}  // namespace

DeleteGroupsRequest FromMessage(const message::DeleteGroupsRequest& message, int16_t) {
  return {Distinct(message.groups_names)};
}

ConsumerGroupHeartbeatRequest FromMessage(const message::ConsumerGroupHeartbeatRequest& message, int16_t version,
                                          Caller caller) {
  ConsumerGroupHeartbeatRequest request;
  request.version = version;
  request.caller = {Text(std::string_view(caller.client_id)), std::move(caller.client_host)};
  request.group_id = Text(message.group_id);
  request.member_id = Text(message.member_id);
  request.member_epoch = message.member_epoch;
  request.instance_id = Text(message.instance_id);
  request.rack_id = Text(message.rack_id);
  request.rebalance_timeout_ms = message.rebalance_timeout_ms;
  if (!message.subscribed_topic_names.is_null()) request.subscribed_topic_names = Owned(message.subscribed_topic_names);
  request.subscribed_topic_regex = Text(message.subscribed_topic_regex);
  request.server_assignor = Text(message.server_assignor);
  if (message.topic_partitions.is_null()) return request;
  std::vector<PartitionId>& owned = request.owned.emplace();
  for (const auto& topic : message.topic_partitions) {
    for (int32_t partition : topic.partitions) owned.push_back({topic.topic_id, partition});
  }
  std::sort(owned.begin(), owned.end());
  owned.erase(std::unique(owned.begin(), owned.end()), owned.end());
  return request;
}

// One that is named twice is answered twice, as DescribeGroups does; DeleteGroups answers each once.
ConsumerGroupDescribeRequest FromMessage(const message::ConsumerGroupDescribeRequest& message, int16_t) {
  return {Owned(message.group_ids)};
}

namespace {

// As Java's String.trim sees it.
bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}
bool IsBlank(const std::optional<std::string_view>& text) {
  return text.has_value() && IsBlank(*text);
}

const char* RefuseIds(const message::ConsumerGroupHeartbeatRequest& message, int16_t version) {
  constexpr int16_t kMemberIdRequiredVersion = 1;
  constexpr int32_t kLeaving = -1;
  const bool has_joined = message.member_epoch > 0 || message.member_epoch == kLeaving;
  const bool needs_member_id = version >= kMemberIdRequiredVersion || has_joined;
  if (needs_member_id && IsBlank(message.member_id)) return "MemberId can't be empty.";
  if (IsBlank(message.group_id)) return "GroupId can't be empty.";
  if (IsBlank(message.instance_id)) return "InstanceId can't be empty.";
  if (IsBlank(message.rack_id)) return "RackId can't be empty.";
  return nullptr;
}

const char* RefuseEpoch(const message::ConsumerGroupHeartbeatRequest& message) {
  constexpr int32_t kJoining = 0;
  constexpr int32_t kLeavingForAWhile = -2;
  if (message.member_epoch < kLeavingForAWhile) return "MemberEpoch is invalid.";
  if (message.member_epoch == kLeavingForAWhile && !message.instance_id.has_value()) {
    return "InstanceId can't be null.";
  }
  if (message.member_epoch != kJoining) return nullptr;
  if (message.rebalance_timeout_ms == -1) return "RebalanceTimeoutMs must be provided in first request.";
  if (message.topic_partitions.is_null() || message.topic_partitions.size() > 0) {
    return "TopicPartitions must be empty when (re-)joining.";
  }
  if (message.subscribed_topic_names.is_null() && !message.subscribed_topic_regex.has_value()) {
    return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
  }
  return nullptr;
}

// What a group would keep of the member.
size_t BytesOf(const message::ConsumerGroupHeartbeatRequest& message) {
  size_t bytes = message.member_id.size() + message.subscribed_topic_regex.value_or("").size() +
                 message.instance_id.value_or("").size() + message.rack_id.value_or("").size();
  for (std::string_view name : message.subscribed_topic_names) bytes += sizeof(std::string) + name.size();
  for (const auto& topic : message.topic_partitions) bytes += topic.partitions.size() * sizeof(PartitionId);
  return bytes;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::optional<ConsumerGroupHeartbeatResponse> CheckHeartbeat(const message::ConsumerGroupHeartbeatRequest& message,
                                                             int16_t version, const GroupConfig& config) {
  ConsumerGroupHeartbeatResponse refused{.error = ErrorCode::kInvalidRequest};
  const char* reason = RefuseIds(message, version);
  if (reason == nullptr) reason = RefuseEpoch(message);
  if (reason == nullptr && BytesOf(message) > config.most_member_bytes) reason = "The member is too large.";
  if (reason != nullptr) {
    refused.error_message = reason;
    return refused;
  }
  if (!message.server_assignor.has_value()) return std::nullopt;
  const std::vector<std::string>& known = config.group_consumer_assignors;
  if (std::find(known.begin(), known.end(), *message.server_assignor) != known.end()) return std::nullopt;
  refused.error = ErrorCode::kUnsupportedAssignor;
  refused.error_message = "ServerAssignor " + Text(*message.server_assignor) +
                          " is not supported. Supported assignors: " + Joined(known) + ".";
  return refused;
}

// ── Responses ──────────────────────────────────────────────────────────────────────────────────────────────────────

message::JoinGroupResponse ToMessage(const JoinGroupResponse& response, int16_t version, Arena& arena) {
  constexpr int16_t kNullProtocolVersion = 7;
  message::JoinGroupResponse message;
  message.error_code = Code(response.error);
  message.generation_id = response.generation_id;
  message.protocol_type = View(response.protocol_type);
  message.protocol_name = View(response.protocol_name);
  if (version < kNullProtocolVersion && !message.protocol_name.has_value()) message.protocol_name = "";
  message.leader = response.leader;
  message.skip_assignment = response.skip_assignment;
  message.member_id = response.member_id;
  message.members.Reserve(arena, response.members.size());
  for (const auto& member : response.members) {
    auto& listed = message.members.Add(arena);
    listed.member_id = member.member_id;
    listed.group_instance_id = View(member.group_instance_id);
    listed.metadata = AsBytes(member.metadata);
  }
  return message;
}

message::SyncGroupResponse ToMessage(const SyncGroupResponse& response, int16_t, Arena&) {
  message::SyncGroupResponse message;
  message.error_code = Code(response.error);
  message.protocol_type = View(response.protocol_type);
  message.protocol_name = View(response.protocol_name);
  message.assignment = AsBytes(response.assignment);
  return message;
}

message::HeartbeatResponse ToMessage(const HeartbeatResponse& response, int16_t, Arena&) {
  message::HeartbeatResponse message;
  message.error_code = Code(response.error);
  return message;
}

message::LeaveGroupResponse ToMessage(const LeaveGroupResponse& response, int16_t version, Arena& arena) {
  constexpr int16_t kListVersion = 3;
  message::LeaveGroupResponse message;
  message.error_code = Code(response.error);
  if (version < kListVersion) {
    // No list: what became of the one member is what became of the request.
    bool only_member = response.error == ErrorCode::kNone && response.members.size() == 1;
    if (only_member) message.error_code = Code(response.members[0].error);
    return message;
  }
  message.members.Reserve(arena, response.members.size());
  for (const auto& member : response.members) {
    auto& listed = message.members.Add(arena);
    listed.member_id = member.member_id;
    listed.group_instance_id = View(member.group_instance_id);
    listed.error_code = Code(member.error);
  }
  return message;
}

message::OffsetCommitResponse ToMessage(const OffsetCommitResponse& response, int16_t, Arena& arena) {
  message::OffsetCommitResponse message;
  message.topics.Reserve(arena, response.topics.size());
  for (const auto& topic : response.topics) {
    auto& listed = message.topics.Add(arena);
    listed.name = topic.name;
    listed.topic_id = topic.topic_id;
    listed.partitions.Reserve(arena, topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      auto& answered = listed.partitions.Add(arena);
      answered.partition_index = partition.index;
      answered.error_code = Code(partition.error);
    }
  }
  return message;
}

namespace {

template <typename Partition>
void SetPartition(Partition& to, const OffsetFetchResponse::Partition& from) {
  to.partition_index = from.index;
  to.committed_offset = from.committed_offset;
  to.committed_leader_epoch = from.committed_leader_epoch;
  to.metadata = View(from.metadata);
  to.error_code = Code(from.error);
}

// From v2 on an error of the group stands alone; before, its partitions carry it.
bool TellsTopics(const OffsetFetchResponse& group, int16_t version) {
  constexpr int16_t kGroupErrorVersion = 2;
  return group.error == ErrorCode::kNone || version < kGroupErrorVersion;
}

template <typename Topics>
void SetTopics(Topics& to, const std::vector<OffsetFetchResponse::Topic>& from, Arena& arena) {
  to.Reserve(arena, from.size());
  for (const auto& topic : from) {
    auto& listed = to.Add(arena);
    listed.name = topic.name;
    if constexpr (requires { listed.topic_id; }) listed.topic_id = topic.topic_id;
    listed.partitions.Reserve(arena, topic.partitions.size());
    for (const auto& partition : topic.partitions) SetPartition(listed.partitions.Add(arena), partition);
  }
}

}  // namespace

message::OffsetFetchResponse ToMessage(std::span<const OffsetFetchResponse> groups, int16_t version, Arena& arena) {
  constexpr int16_t kGroupsVersion = 8;
  message::OffsetFetchResponse message;
  if (version < kGroupsVersion) {
    KB_CHECK(groups.size() == 1);
    message.error_code = Code(groups[0].error);
    if (TellsTopics(groups[0], version)) SetTopics(message.topics, groups[0].topics, arena);
    return message;
  }
  message.groups.Reserve(arena, groups.size());
  for (const OffsetFetchResponse& group : groups) {
    auto& listed = message.groups.Add(arena);
    listed.group_id = group.group_id;
    listed.error_code = Code(group.error);
    if (TellsTopics(group, version)) SetTopics(listed.topics, group.topics, arena);
  }
  return message;
}

message::OffsetDeleteResponse ToMessage(const OffsetDeleteResponse& response, int16_t, Arena& arena) {
  message::OffsetDeleteResponse message;
  message.error_code = Code(response.error);
  message.topics.Reserve(arena, response.topics.size());
  for (const auto& topic : response.topics) {
    auto& listed = message.topics.Add(arena);
    listed.name = topic.name;
    listed.partitions.Reserve(arena, topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      auto& answered = listed.partitions.Add(arena);
      answered.partition_index = partition.index;
      answered.error_code = Code(partition.error);
    }
  }
  return message;
}

message::ListGroupsResponse ToMessage(const ListGroupsResponse& response, int16_t, Arena& arena) {
  message::ListGroupsResponse message;
  message.error_code = Code(response.error);
  message.groups.Reserve(arena, response.groups.size());
  for (const auto& group : response.groups) {
    auto& listed = message.groups.Add(arena);
    listed.group_id = group.group_id;
    listed.protocol_type = group.protocol_type;
    listed.group_state = group.group_state;
    listed.group_type = group.group_type;
  }
  return message;
}

message::DescribeGroupsResponse ToMessage(const DescribeGroupsResponse& response, int16_t version, Arena& arena) {
  constexpr int16_t kErrorMessageVersion = 6;
  constexpr int16_t kOperationsVersion = 3;
  message::DescribeGroupsResponse message;
  message.groups.Reserve(arena, response.groups.size());
  for (const auto& group : response.groups) {
    auto& listed = message.groups.Add(arena);
    listed.error_code = Code(group.error);
    if (version >= kErrorMessageVersion) listed.error_message = View(group.error_message);
    listed.group_id = group.group_id;
    listed.group_state = group.group_state;
    listed.protocol_type = group.protocol_type;
    listed.protocol_data = group.protocol_data;
    if (version >= kOperationsVersion) listed.authorized_operations = group.authorized_operations;
    listed.members.Reserve(arena, group.members.size());
    for (const auto& member : group.members) {
      auto& described = listed.members.Add(arena);
      described.member_id = member.member_id;
      described.group_instance_id = View(member.group_instance_id);
      described.client_id = member.client_id;
      described.client_host = member.client_host;
      described.member_metadata = AsBytes(member.metadata);
      described.member_assignment = AsBytes(member.assignment);
    }
  }
  return message;
}

message::DeleteGroupsResponse ToMessage(const DeleteGroupsResponse& response, int16_t, Arena& arena) {
  message::DeleteGroupsResponse message;
  message.results.Reserve(arena, response.results.size());
  for (const auto& result : response.results) {
    auto& listed = message.results.Add(arena);
    listed.group_id = result.group_id;
    listed.error_code = Code(result.error);
  }
  return message;
}

namespace {

// At the end of a whole character.
std::optional<std::string_view> Cut(const std::optional<std::string>& text) {
  if (!text.has_value() || text->size() <= kMostString) return View(text);
  size_t end = kMostString;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) --end;
  return std::string_view(*text).substr(0, end);
}

void SetPartitions(protocol::Array<int32_t>& to, std::span<const int32_t> from, Arena& arena) {
  to.Reserve(arena, from.size());
  for (int32_t partition : from) to.Add(arena) = partition;
}

void SetAssignment(message::ConsumerGroupDescribeResponse::Assignment& to,
                   const std::vector<ConsumerGroupDescribeResponse::Topic>& from, Arena& arena) {
  to.topic_partitions.Reserve(arena, from.size());
  for (const auto& topic : from) {
    auto& listed = to.topic_partitions.Add(arena);
    listed.topic_id = topic.topic_id;
    listed.topic_name = topic.name;
    SetPartitions(listed.partitions, topic.partitions, arena);
  }
}

void SetMember(message::ConsumerGroupDescribeResponse::Member& to, const ConsumerGroupDescribeResponse::Member& from,
               Arena& arena) {
  to.member_id = from.member_id;
  to.instance_id = View(from.instance_id);
  to.rack_id = View(from.rack_id);
  to.member_epoch = from.member_epoch;
  to.client_id = from.client_id;
  to.client_host = from.client_host;
  to.subscribed_topic_names.Reserve(arena, from.subscribed_topic_names.size());
  for (const std::string& name : from.subscribed_topic_names) to.subscribed_topic_names.Add(arena) = name;
  to.subscribed_topic_regex = View(from.subscribed_topic_regex);
  SetAssignment(to.assignment, from.assignment, arena);
  SetAssignment(to.target_assignment, from.target_assignment, arena);
  to.member_type = from.is_classic ? 0 : 1;
}

}  // namespace

message::ConsumerGroupHeartbeatResponse ToMessage(const ConsumerGroupHeartbeatResponse& response, int16_t,
                                                  Arena& arena) {
  message::ConsumerGroupHeartbeatResponse message;
  message.error_code = Code(response.error);
  message.error_message = Cut(response.error_message);
  message.member_id = View(response.member_id);
  message.member_epoch = response.member_epoch;
  message.heartbeat_interval_ms = response.heartbeat_interval_ms;
  if (!response.assignment.has_value()) return message;
  const Assignment& from = *response.assignment;
  message.assignment = arena.New<message::ConsumerGroupHeartbeatResponse::Assignment>();
  message.assignment->topic_partitions.Reserve(arena, from.topic_count());
  for (size_t i = 0; i < from.topic_count(); ++i) {
    auto& topic = message.assignment->topic_partitions.Add(arena);
    topic.topic_id = from.topic_id(i);
    SetPartitions(topic.partitions, from.partitions(i), arena);
  }
  return message;
}

message::ConsumerGroupDescribeResponse ToMessage(const ConsumerGroupDescribeResponse& response, int16_t, Arena& arena) {
  message::ConsumerGroupDescribeResponse message;
  message.groups.Reserve(arena, response.groups.size());
  for (const auto& group : response.groups) {
    auto& listed = message.groups.Add(arena);
    listed.error_code = Code(group.error);
    listed.error_message = Cut(group.error_message);
    listed.group_id = group.group_id;
    listed.group_state = group.group_state;
    listed.group_epoch = group.group_epoch;
    listed.assignment_epoch = group.assignment_epoch;
    listed.assignor_name = group.assignor_name;
    listed.authorized_operations = group.authorized_operations;
    listed.members.Reserve(arena, group.members.size());
    for (const auto& member : group.members) SetMember(listed.members.Add(arena), member, arena);
  }
  return message;
}

}  // namespace kb::group

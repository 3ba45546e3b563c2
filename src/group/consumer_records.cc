#include "group/consumer_records.h"

#include <algorithm>
#include <utility>

#include "base/arena.h"
#include "base/check.h"
#include "group/record_bytes.h"
#include "message/consumer_group_current_member_assignment_key.h"
#include "message/consumer_group_current_member_assignment_value.h"
#include "message/consumer_group_member_metadata_key.h"
#include "message/consumer_group_member_metadata_value.h"
#include "message/consumer_group_metadata_key.h"
#include "message/consumer_group_metadata_value.h"
#include "message/consumer_group_partition_metadata_key.h"
#include "message/consumer_group_regular_expression_key.h"
#include "message/consumer_group_regular_expression_value.h"
#include "message/consumer_group_target_assignment_member_key.h"
#include "message/consumer_group_target_assignment_member_value.h"
#include "message/consumer_group_target_assignment_metadata_key.h"
#include "message/consumer_group_target_assignment_metadata_value.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

constexpr int16_t kVersion = 0;

template <typename Message>
std::string KeyBytes(std::string_view group_id, [[maybe_unused]] std::string_view name) {
  Arena arena;
  Message key;
  key.group_id = group_id;
  if constexpr (requires { key.member_id; }) key.member_id = name;
  if constexpr (requires { key.regular_expression; }) key.regular_expression = name;
  return OwnedBytes(protocol::EncodeCoordinatorKey(arena, key));
}

std::string KeyBytes(ConsumerRecordKind kind, std::string_view group_id, std::string_view name) {
  switch (kind) {
    case ConsumerRecordKind::kEpoch:
      return KeyBytes<message::ConsumerGroupMetadataKey>(group_id, name);
    case ConsumerRecordKind::kSubscriptionMetadata:
      return KeyBytes<message::ConsumerGroupPartitionMetadataKey>(group_id, name);
    case ConsumerRecordKind::kSubscription:
      return KeyBytes<message::ConsumerGroupMemberMetadataKey>(group_id, name);
    case ConsumerRecordKind::kTargetMetadata:
      return KeyBytes<message::ConsumerGroupTargetAssignmentMetadataKey>(group_id, name);
    case ConsumerRecordKind::kTarget:
      return KeyBytes<message::ConsumerGroupTargetAssignmentMemberKey>(group_id, name);
    case ConsumerRecordKind::kCurrentAssignment:
      return KeyBytes<message::ConsumerGroupCurrentMemberAssignmentKey>(group_id, name);
    case ConsumerRecordKind::kRegex:
      return KeyBytes<message::ConsumerGroupRegularExpressionKey>(group_id, name);
  }
  KB_CHECK(false);
}

template <typename Message>
RecordBytes Record(ConsumerRecordKind kind, std::string_view group_id, std::string_view name, const Message& value) {
  Arena arena;
  return {KeyBytes(kind, group_id, name), OwnedBytes(protocol::EncodeCoordinatorValue(arena, value, kVersion))};
}

template <typename Message>
Status Read(ByteView bytes, Arena& arena, Message& value) {
  protocol::Reader reader(bytes);
  int16_t version = -1;
  if (!protocol::ReadInt16Prefix(reader, version)) return CorruptRecord(Message::kName);
  if (!Decode(reader, version, arena, value)) return CorruptRecord(Message::kName);
  return {};
}

// Where the partitions of one topic end.
size_t EndOfTopic(const OwnedPartitions& owned, size_t begin) {
  size_t end = begin;
  while (end < owned.size() && owned[end].id.topic_id == owned[begin].id.topic_id) ++end;
  return end;
}

using CurrentAssignment = message::ConsumerGroupCurrentMemberAssignmentValue;

void Write(const OwnedPartitions& owned, Arena& arena, protocol::Array<CurrentAssignment::TopicPartitions>& topics) {
  size_t count = 0;
  for (size_t at = 0; at < owned.size(); at = EndOfTopic(owned, at)) ++count;
  topics.Reserve(arena, count);
  for (size_t at = 0; at < owned.size();) {
    const size_t end = EndOfTopic(owned, at);
    auto& topic = topics.Add(arena);
    topic.topic_id = owned[at].id.topic_id;
    topic.partitions.Reserve(arena, end - at);
    topic.assignment_epochs.Reserve(arena, end - at);
    for (; at < end; ++at) {
      topic.partitions.Add(arena) = owned[at].id.partition;
      topic.assignment_epochs.Add(arena) = owned[at].epoch;
    }
  }
}

// Epochs that are missing, or not one for each partition, are the member's (as in Apache Kafka; -2 stands for none).
OwnedPartitions Read(const protocol::Array<CurrentAssignment::TopicPartitions>& topics, int32_t member_epoch) {
  OwnedPartitions owned;
  for (const auto& topic : topics) {
    const bool has_epochs = topic.assignment_epochs.size() == topic.partitions.size();
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      int32_t epoch = has_epochs ? topic.assignment_epochs[i] : std::max(member_epoch, 0);
      owned.push_back({{topic.topic_id, topic.partitions[i]}, epoch});
    }
  }
  std::stable_sort(owned.begin(), owned.end(), [](const auto& one, const auto& other) { return one.id < other.id; });
  auto same = [](const auto& one, const auto& other) { return one.id == other.id; };
  owned.erase(std::unique(owned.begin(), owned.end(), same), owned.end());
  return owned;
}

}  // namespace

RecordBytes EncodeEpoch(std::string_view group_id, const EpochFacts& facts) {
  message::ConsumerGroupMetadataValue value;
  value.epoch = facts.group_epoch;
  value.metadata_hash = facts.metadata_hash;
  return Record(ConsumerRecordKind::kEpoch, group_id, {}, value);
}

RecordBytes EncodeSubscription(std::string_view group_id, const ConsumerMemberFacts& member) {
  Arena arena;
  message::ConsumerGroupMemberMetadataValue value;
  value.instance_id = ViewOf(member.instance_id);
  value.rack_id = ViewOf(member.rack_id);
  value.client_id = member.client_id;
  value.client_host = member.client_host;
  value.subscribed_topic_names.Reserve(arena, member.subscribed_names.size());
  for (const std::string& name : member.subscribed_names) value.subscribed_topic_names.Add(arena) = name;
  value.subscribed_topic_regex = member.subscribed_regex;
  value.rebalance_timeout_ms = member.rebalance_timeout_ms;
  value.server_assignor = ViewOf(member.server_assignor);
  message::ConsumerGroupMemberMetadataValue::ClassicMemberMetadata classic;
  if (member.classic.has_value()) {
    classic.session_timeout_ms = member.classic->session_timeout_ms;
    classic.supported_protocols.Reserve(arena, member.classic->protocols.size());
    for (const MemberProtocol& protocol : member.classic->protocols) {
      auto& written = classic.supported_protocols.Add(arena);
      written.name = protocol.name;
      written.metadata = AsBytes(protocol.metadata);
    }
    value.classic_member_metadata = &classic;
  }
  return Record(ConsumerRecordKind::kSubscription, group_id, member.id, value);
}

RecordBytes EncodeTargetMetadata(std::string_view group_id, const TargetFacts& facts) {
  message::ConsumerGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = facts.assignment_epoch;
  value.assignment_timestamp = facts.assignment_timestamp_ms;
  return Record(ConsumerRecordKind::kTargetMetadata, group_id, {}, value);
}

RecordBytes EncodeTarget(std::string_view group_id, std::string_view member_id, const Assignment& target) {
  Arena arena;
  message::ConsumerGroupTargetAssignmentMemberValue value;
  value.topic_partitions.Reserve(arena, target.topic_count());
  for (size_t i = 0; i < target.topic_count(); ++i) {
    auto& topic = value.topic_partitions.Add(arena);
    topic.topic_id = target.topic_id(i);
    topic.partitions.Reserve(arena, target.partitions(i).size());
    for (int32_t partition : target.partitions(i)) topic.partitions.Add(arena) = partition;
  }
  return Record(ConsumerRecordKind::kTarget, group_id, member_id, value);
}

RecordBytes EncodeCurrentAssignment(std::string_view group_id, const ConsumerMemberFacts& member) {
  Arena arena;
  CurrentAssignment value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<int8_t>(member.state);
  Write(member.assigned, arena, value.assigned_partitions);
  Write(member.pending_revocation, arena, value.partitions_pending_revocation);
  return Record(ConsumerRecordKind::kCurrentAssignment, group_id, member.id, value);
}

RecordBytes EncodeRegex(std::string_view group_id, std::string_view regex, const ResolvedRegex& resolved) {
  Arena arena;
  message::ConsumerGroupRegularExpressionValue value;
  value.topics.Reserve(arena, resolved.topics.size());
  for (const std::string& topic : resolved.topics) value.topics.Add(arena) = topic;
  value.version = resolved.version;
  value.timestamp = resolved.timestamp_ms;
  return Record(ConsumerRecordKind::kRegex, group_id, regex, value);
}

RecordBytes EncodeConsumerTombstone(ConsumerRecordKind kind, std::string_view group_id, std::string_view name) {
  return {KeyBytes(kind, group_id, name), std::nullopt};
}

Result<EpochFacts> DecodeEpoch(ByteView bytes) {
  Arena arena;
  message::ConsumerGroupMetadataValue value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  return EpochFacts{value.epoch, value.metadata_hash};
}

Status DecodeSubscription(ByteView bytes, ConsumerMemberFacts& member) {
  Arena arena;
  message::ConsumerGroupMemberMetadataValue value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  member.instance_id = OwnedText(value.instance_id);
  member.rack_id = OwnedText(value.rack_id);
  member.client_id = value.client_id;
  member.client_host = value.client_host;
  member.subscribed_names.assign(value.subscribed_topic_names.begin(), value.subscribed_topic_names.end());
  std::sort(member.subscribed_names.begin(), member.subscribed_names.end());
  member.subscribed_names.erase(std::unique(member.subscribed_names.begin(), member.subscribed_names.end()),
                                member.subscribed_names.end());
  member.subscribed_regex = value.subscribed_topic_regex.value_or("");
  member.rebalance_timeout_ms = value.rebalance_timeout_ms;
  member.server_assignor = OwnedText(value.server_assignor);
  member.classic.reset();
  if (value.classic_member_metadata == nullptr) return {};
  member.classic.emplace();
  member.classic->session_timeout_ms = value.classic_member_metadata->session_timeout_ms;
  for (const auto& protocol : value.classic_member_metadata->supported_protocols) {
    member.classic->protocols.push_back({std::string(protocol.name), std::string(AsText(protocol.metadata))});
  }
  return {};
}

Result<TargetFacts> DecodeTargetMetadata(ByteView bytes) {
  Arena arena;
  message::ConsumerGroupTargetAssignmentMetadataValue value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  return TargetFacts{value.assignment_epoch, value.assignment_timestamp};
}

Result<Assignment> DecodeTarget(ByteView bytes) {
  Arena arena;
  message::ConsumerGroupTargetAssignmentMemberValue value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  std::vector<PartitionId> partitions;
  for (const auto& topic : value.topic_partitions) {
    for (int32_t partition : topic.partitions) partitions.push_back({topic.topic_id, partition});
  }
  return Assignment(std::move(partitions));
}

Status DecodeCurrentAssignment(ByteView bytes, ConsumerMemberFacts& member) {
  Arena arena;
  CurrentAssignment value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  member.epoch = value.member_epoch;
  member.previous_epoch = value.previous_member_epoch;
  const bool is_known = value.state >= 0 && value.state <= static_cast<int8_t>(MemberState::kUnreleasedPartitions);
  member.state = is_known ? static_cast<MemberState>(value.state) : MemberState::kUnknown;
  member.assigned = Read(value.assigned_partitions, value.member_epoch);
  member.pending_revocation = Read(value.partitions_pending_revocation, value.member_epoch);
  return {};
}

Result<ResolvedRegex> DecodeRegex(ByteView bytes) {
  Arena arena;
  message::ConsumerGroupRegularExpressionValue value;
  KB_RETURN_IF_ERROR(Read(bytes, arena, value));
  ResolvedRegex resolved;
  for (std::string_view topic : value.topics) resolved.topics.emplace(topic);
  resolved.version = value.version;
  resolved.timestamp_ms = value.timestamp;
  return resolved;
}

}  // namespace kb::group

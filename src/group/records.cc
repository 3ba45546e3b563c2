#include "group/records.h"

#include <utility>

#include "base/arena.h"
#include "base/check.h"
#include "group/record_bytes.h"
#include "message/consumer_group_current_member_assignment_key.h"
#include "message/consumer_group_member_metadata_key.h"
#include "message/consumer_group_metadata_key.h"
#include "message/consumer_group_partition_metadata_key.h"
#include "message/consumer_group_regular_expression_key.h"
#include "message/consumer_group_target_assignment_member_key.h"
#include "message/consumer_group_target_assignment_metadata_key.h"
#include "message/group_metadata_key.h"
#include "message/group_metadata_value.h"
#include "message/legacy_offset_commit_key.h"
#include "message/offset_commit_key.h"
#include "message/offset_commit_value.h"
#include "message/share_group_current_member_assignment_key.h"
#include "message/share_group_member_metadata_key.h"
#include "message/share_group_metadata_key.h"
#include "message/share_group_state_partition_metadata_key.h"
#include "message/share_group_target_assignment_member_key.h"
#include "message/share_group_target_assignment_metadata_key.h"
#include "message/streams_group_current_member_assignment_key.h"
#include "message/streams_group_member_metadata_key.h"
#include "message/streams_group_metadata_key.h"
#include "message/streams_group_target_assignment_member_key.h"
#include "message/streams_group_target_assignment_metadata_key.h"
#include "message/streams_group_topology_key.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

constexpr int16_t kOffsetVersion = 4;
constexpr int16_t kOffsetWithExpiryVersion = 1;  // the only one with room for an expiry time
constexpr int16_t kGroupVersion = 3;

std::string OffsetKeyBytes(std::string_view group_id, std::string_view topic, int32_t partition) {
  message::OffsetCommitKey key;
  key.group = group_id;
  key.topic = topic;
  key.partition = partition;
  return StoredBytes(message::OffsetCommitKey::kKey, key, 0);
}

std::string GroupKeyBytes(std::string_view group_id) {
  Arena arena;
  message::GroupMetadataKey key;
  key.group = group_id;
  return OwnedBytes(protocol::EncodeCoordinatorKey(arena, key));
}

template <typename Message>
bool ReadKey(protocol::Reader& reader, Arena& arena, Message& message) {
  return Decode(reader, 0, arena, message);
}

template <typename Message>
Result<RecordKey> OtherKey(protocol::Reader& reader, GroupType type) {
  Arena arena;
  Message message;
  if (!ReadKey(reader, arena, message)) return CorruptRecord(Message::kName);
  return RecordKey(OtherGroupKey{std::string(message.group_id), type, std::nullopt});
}

template <typename Message>
Result<RecordKey> OtherMemberKey(protocol::Reader& reader, GroupType type) {
  Arena arena;
  Message message;
  if (!ReadKey(reader, arena, message)) return CorruptRecord(Message::kName);
  return RecordKey(OtherGroupKey{std::string(message.group_id), type, std::string(message.member_id)});
}

template <typename Message>
Result<RecordKey> OffsetKeyOf(protocol::Reader& reader) {
  Arena arena;
  Message message;
  if (!ReadKey(reader, arena, message)) return CorruptRecord(Message::kName);
  bool legacy = std::is_same_v<Message, message::LegacyOffsetCommitKey>;
  return RecordKey(OffsetKey{std::string(message.group), std::string(message.topic), message.partition, legacy});
}

template <typename Message>
Result<RecordKey> ConsumerKeyOf(protocol::Reader& reader, ConsumerRecordKind kind) {
  Arena arena;
  Message message;
  if (!ReadKey(reader, arena, message)) return CorruptRecord(Message::kName);
  ConsumerRecordKey key{kind, std::string(message.group_id), {}};
  if constexpr (requires { message.member_id; }) key.name = message.member_id;
  if constexpr (requires { message.regular_expression; }) key.name = message.regular_expression;
  return RecordKey(std::move(key));
}

Result<RecordKey> ClassicKeyOf(protocol::Reader& reader) {
  Arena arena;
  message::GroupMetadataKey message;
  if (!ReadKey(reader, arena, message)) return CorruptRecord(message.kName);
  return RecordKey(ClassicGroupKey{std::string(message.group)});
}

}  // namespace

std::string_view NameOf(GroupType type) {
  switch (type) {
    case GroupType::kClassic:
      return "classic";
    case GroupType::kConsumer:
      return "consumer";
    case GroupType::kShare:
      return "share";
    case GroupType::kStreams:
      return "streams";
  }
  KB_CHECK(false);
}

RecordBytes EncodeOffset(std::string_view group_id, std::string_view topic, int32_t partition,
                         const CommittedOffset& offset) {
  bool with_expiry = offset.expire_timestamp_ms >= 0;
  message::OffsetCommitValue value;
  value.offset = offset.offset;
  value.leader_epoch = offset.leader_epoch;
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.commit_timestamp_ms;
  value.expire_timestamp = offset.expire_timestamp_ms;
  value.topic_id = offset.topic_id;
  int16_t version = with_expiry ? kOffsetWithExpiryVersion : kOffsetVersion;
  return {OffsetKeyBytes(group_id, topic, partition), StoredBytes(version, value, version)};
}

RecordBytes EncodeOffsetTombstone(std::string_view group_id, std::string_view topic, int32_t partition) {
  return {OffsetKeyBytes(group_id, topic, partition), std::nullopt};
}

RecordBytes EncodeGroup(std::string_view group_id, const GroupRecord& group) {
  Arena arena;
  message::GroupMetadataValue value;
  value.protocol_type = group.protocol_type;
  value.generation = group.generation_id;
  value.protocol = ViewOf(group.protocol_name);
  value.leader = ViewOf(group.leader);
  value.current_state_timestamp = group.state_timestamp_ms;
  value.members.Reserve(arena, group.members.size());
  for (const GroupRecord::Member& member : group.members) {
    auto& written = value.members.Add(arena);
    written.member_id = member.member_id;
    written.group_instance_id = ViewOf(member.group_instance_id);
    written.client_id = member.client_id;
    written.client_host = member.client_host;
    written.rebalance_timeout = member.rebalance_timeout_ms;
    written.session_timeout = member.session_timeout_ms;
    written.subscription = AsBytes(member.subscription);
    written.assignment = AsBytes(member.assignment);
  }
  return {GroupKeyBytes(group_id), OwnedBytes(protocol::EncodeCoordinatorValue(arena, value, kGroupVersion))};
}

RecordBytes EncodeGroupTombstone(std::string_view group_id) {
  return {GroupKeyBytes(group_id), std::nullopt};
}

Result<RecordKey> DecodeKey(ByteView key) {
  protocol::Reader reader(key);
  int16_t type = -1;
  if (!protocol::ReadInt16Prefix(reader, type)) return CorruptRecord("record key");
  using enum GroupType;
  switch (type) {
    case 0:
      return OffsetKeyOf<message::LegacyOffsetCommitKey>(reader);
    case 1:
      return OffsetKeyOf<message::OffsetCommitKey>(reader);
    case 2:
      return ClassicKeyOf(reader);
    case 3:
      return ConsumerKeyOf<message::ConsumerGroupMetadataKey>(reader, ConsumerRecordKind::kEpoch);
    case 4:
      return ConsumerKeyOf<message::ConsumerGroupPartitionMetadataKey>(reader,
                                                                       ConsumerRecordKind::kSubscriptionMetadata);
    case 5:
      return ConsumerKeyOf<message::ConsumerGroupMemberMetadataKey>(reader, ConsumerRecordKind::kSubscription);
    case 6:
      return ConsumerKeyOf<message::ConsumerGroupTargetAssignmentMetadataKey>(reader,
                                                                              ConsumerRecordKind::kTargetMetadata);
    case 7:
      return ConsumerKeyOf<message::ConsumerGroupTargetAssignmentMemberKey>(reader, ConsumerRecordKind::kTarget);
    case 8:
      return ConsumerKeyOf<message::ConsumerGroupCurrentMemberAssignmentKey>(reader,
                                                                             ConsumerRecordKind::kCurrentAssignment);
    case 10:
      return OtherMemberKey<message::ShareGroupMemberMetadataKey>(reader, kShare);
    case 11:
      return OtherKey<message::ShareGroupMetadataKey>(reader, kShare);
    case 12:
      return OtherKey<message::ShareGroupTargetAssignmentMetadataKey>(reader, kShare);
    case 13:
      return OtherKey<message::ShareGroupTargetAssignmentMemberKey>(reader, kShare);
    case 14:
      return OtherKey<message::ShareGroupCurrentMemberAssignmentKey>(reader, kShare);
    case 15:
      return OtherKey<message::ShareGroupStatePartitionMetadataKey>(reader, kShare);
    case 16:
      return ConsumerKeyOf<message::ConsumerGroupRegularExpressionKey>(reader, ConsumerRecordKind::kRegex);
    case 17:
      return OtherKey<message::StreamsGroupMetadataKey>(reader, kStreams);
    case 19:
      return OtherMemberKey<message::StreamsGroupMemberMetadataKey>(reader, kStreams);
    case 20:
      return OtherKey<message::StreamsGroupTargetAssignmentMetadataKey>(reader, kStreams);
    case 21:
      return OtherKey<message::StreamsGroupTargetAssignmentMemberKey>(reader, kStreams);
    case 22:
      return OtherKey<message::StreamsGroupCurrentMemberAssignmentKey>(reader, kStreams);
    case 23:
      return OtherKey<message::StreamsGroupTopologyKey>(reader, kStreams);
    default:
      return RecordKey(UnknownKey{type});
  }
}

Result<CommittedOffset> DecodeOffset(const OffsetKey& key, ByteView bytes) {
  protocol::Reader reader(bytes);
  Arena arena;
  int16_t version = -1;
  if (!protocol::ReadInt16Prefix(reader, version)) return CorruptRecord("offset value");
  CommittedOffset offset;
  // Type 0 has one version of its own in the schemas, but brokers that wrote it used the versions of type 1.
  message::OffsetCommitValue value;
  if (!Decode(reader, version, arena, value)) return CorruptRecord(key.legacy ? "value of an old offset" : value.kName);
  offset.offset = value.offset;
  offset.leader_epoch = value.leader_epoch;
  offset.metadata = value.metadata;
  offset.commit_timestamp_ms = value.commit_timestamp;
  offset.expire_timestamp_ms = value.expire_timestamp;
  offset.topic_id = value.topic_id;
  return offset;
}

Result<GroupRecord> DecodeGroup(ByteView bytes) {
  protocol::Reader reader(bytes);
  Arena arena;
  int16_t version = -1;
  message::GroupMetadataValue value;
  if (!protocol::ReadInt16Prefix(reader, version)) return CorruptRecord("group value");
  if (!Decode(reader, version, arena, value)) return CorruptRecord(value.kName);
  GroupRecord group;
  group.protocol_type = value.protocol_type;
  group.generation_id = value.generation;
  group.protocol_name = OwnedText(value.protocol);
  group.leader = OwnedText(value.leader);
  group.state_timestamp_ms = value.current_state_timestamp;
  group.members.reserve(value.members.size());
  for (const auto& member : value.members) {
    group.members.push_back({std::string(member.member_id), OwnedText(member.group_instance_id),
                             std::string(member.client_id), std::string(member.client_host), member.rebalance_timeout,
                             member.session_timeout, std::string(AsText(member.subscription)),
                             std::string(AsText(member.assignment))});
  }
  return group;
}

}  // namespace kb::group

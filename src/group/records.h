// The records of __consumer_offsets that this room writes and reads.
//
//   type  key                          value, as written
//   1     group, topic, partition      offset, leader epoch, metadata, commit time, topic id          version 4
//                                      … with expiry time, without epoch and topic id                 version 1, when a
//                                      commit asks for a retention time of its own
//   2     group                        protocol type, generation, protocol, leader, time, members     version 3
//
// Those of consumer groups (3–8, 16) are in consumer_records.h. Read are all versions up to those that Apache Kafka 4.3
// reads, type 0 (offsets of old) too, and of the records of share and streams groups (10–23) which group and member
// they are about. A type above those is reported as unknown and not as an error: it was written by something newer and
// stays in the log.
//
// Functions of values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "group/outcome.h"

namespace kb::group {

struct CommittedOffset {
  int64_t offset = -1;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_timestamp_ms = -1;
  int64_t expire_timestamp_ms = -1;  // -1: by the retention of the broker
  Uuid topic_id;                     // zero: not known
  bool operator==(const CommittedOffset&) const = default;
};

// A classic group as its record tells it.
struct GroupRecord {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;  // with the leading slash
    int32_t rebalance_timeout_ms = -1;
    int32_t session_timeout_ms = 0;
    std::string subscription;
    std::string assignment;
  };
  std::string protocol_type;
  int32_t generation_id = 0;
  std::optional<std::string> protocol_name;
  std::optional<std::string> leader;
  int64_t state_timestamp_ms = -1;
  std::vector<Member> members;
};

enum class GroupType : uint8_t { kClassic, kConsumer, kShare, kStreams };

// As ListGroups names them.
std::string_view NameOf(GroupType type);

struct OffsetKey {
  std::string group_id;
  std::string topic;
  int32_t partition = 0;
  bool legacy = false;  // type 0: has values of its own
};
struct ClassicGroupKey {
  std::string group_id;
};
// The values are the record types.
enum class ConsumerRecordKind : int16_t {
  kEpoch = 3,
  kSubscriptionMetadata = 4,
  kSubscription = 5,
  kTargetMetadata = 6,
  kTarget = 7,
  kCurrentAssignment = 8,
  kRegex = 16,
};
// name: the member, or the regular expression; empty for the kinds of the group itself.
struct ConsumerRecordKey {
  ConsumerRecordKind kind = ConsumerRecordKind::kEpoch;
  std::string group_id;
  std::string name;
};
// A record of a group that is not served here. member_id: of the records that say that a member exists (10, 19).
struct OtherGroupKey {
  std::string group_id;
  GroupType type = GroupType::kShare;
  std::optional<std::string> member_id;
};
struct UnknownKey {
  int16_t type = -1;
};
using RecordKey = std::variant<OffsetKey, ClassicGroupKey, ConsumerRecordKey, OtherGroupKey, UnknownKey>;

RecordBytes EncodeOffset(std::string_view group_id, std::string_view topic, int32_t partition,
                         const CommittedOffset& offset);
RecordBytes EncodeOffsetTombstone(std::string_view group_id, std::string_view topic, int32_t partition);
RecordBytes EncodeGroup(std::string_view group_id, const GroupRecord& group);
RecordBytes EncodeGroupTombstone(std::string_view group_id);

// kCorrupt: bytes that no version of the record can be.
Result<RecordKey> DecodeKey(ByteView key);
Result<CommittedOffset> DecodeOffset(const OffsetKey& key, ByteView value);
Result<GroupRecord> DecodeGroup(ByteView value);

}  // namespace kb::group

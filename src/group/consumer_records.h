// The records of consumer groups (KIP-848) in __consumer_offsets, as Apache Kafka 4.3 writes them, version 0 of all.
//
//   type  key              value
//   3     group            group epoch, metadata hash
//   4     group            written before 4.1 only; tombstoned when met
//   5     group, member    a member's subscription
//   6     group            assignment epoch and when it was computed
//   7     group, member    a member's target
//   8     group, member    what a member has: epochs, state, partitions
//   16    group, regex     the topics of a regular expression
//
// Functions of values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "group/consumer_group.h"
#include "group/outcome.h"
#include "group/records.h"

namespace kb::group {

struct EpochFacts {
  int32_t group_epoch = 0;
  int64_t metadata_hash = 0;
};
struct TargetFacts {
  int32_t assignment_epoch = 0;
  int64_t assignment_timestamp_ms = 0;
};

RecordBytes EncodeEpoch(std::string_view group_id, const EpochFacts& facts);
RecordBytes EncodeSubscription(std::string_view group_id, const ConsumerMemberFacts& member);
RecordBytes EncodeTargetMetadata(std::string_view group_id, const TargetFacts& facts);
RecordBytes EncodeTarget(std::string_view group_id, std::string_view member_id, const Assignment& target);
RecordBytes EncodeCurrentAssignment(std::string_view group_id, const ConsumerMemberFacts& member);
RecordBytes EncodeRegex(std::string_view group_id, std::string_view regex, const ResolvedRegex& resolved);
// kind: of a key without a member or expression (`name` empty), or with one.
RecordBytes EncodeConsumerTombstone(ConsumerRecordKind kind, std::string_view group_id, std::string_view name = {});

// kCorrupt: bytes that no version of the record can be.
Result<EpochFacts> DecodeEpoch(ByteView value);
// Into the fields of its subscription, or of what it has; the others stay.
Status DecodeSubscription(ByteView value, ConsumerMemberFacts& member);
Result<TargetFacts> DecodeTargetMetadata(ByteView value);
Result<Assignment> DecodeTarget(ByteView value);
// Where the record gives partitions no epoch (before 4.3), they have the member's.
Status DecodeCurrentAssignment(ByteView value, ConsumerMemberFacts& member);
Result<ResolvedRegex> DecodeRegex(ByteView value);

}  // namespace kb::group

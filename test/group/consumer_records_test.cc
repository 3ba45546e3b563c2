// The records of consumer groups, both ways; and the hash by which they notice changed topics.
#include "group/consumer_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/arena.h"
#include "base/random.h"
#include "group/topics_hash.h"
#include "message/consumer_group_current_member_assignment_value.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

using enum ConsumerRecordKind;

ConsumerMemberFacts Member() {
  ConsumerMemberFacts member;
  member.id = "m";
  member.instance_id = "i";
  member.rack_id = "r";
  member.client_id = "c";
  member.client_host = "/127.0.0.1";
  member.subscribed_names = {"t", "\xc3\xa9"};
  member.subscribed_regex = "t.*";
  member.server_assignor = "range";
  member.rebalance_timeout_ms = 30'000;
  member.classic = {.session_timeout_ms = 10'000, .protocols = {{"range", "bytes"}, {"sticky", ""}}};
  member.epoch = 7;
  member.previous_epoch = 6;
  member.state = MemberState::kUnrevokedPartitions;
  member.assigned = {{{Uuid(1, 1), 0}, 3}, {{Uuid(1, 1), 2}, 7}, {{Uuid(2, 1), 0}, 7}};
  member.pending_revocation = {{{Uuid(1, 1), 1}, 3}};
  return member;
}

ConsumerRecordKey KeyOf(const RecordBytes& record) {
  return std::get<ConsumerRecordKey>(DecodeKey(AsBytes(record.key)).value());
}

TEST(ConsumerRecordsTest, KeysNameTheirGroupAndMember) {
  for (ConsumerRecordKind kind :
       {kEpoch, kSubscriptionMetadata, kSubscription, kTargetMetadata, kTarget, kCurrentAssignment, kRegex}) {
    const bool has_name = kind == kSubscription || kind == kTarget || kind == kCurrentAssignment || kind == kRegex;
    RecordBytes tombstone = EncodeConsumerTombstone(kind, "g", has_name ? "name" : "");
    EXPECT_FALSE(tombstone.value.has_value());
    ConsumerRecordKey key = KeyOf(tombstone);
    EXPECT_EQ(key.kind, kind);
    EXPECT_EQ(key.group_id, "g");
    EXPECT_EQ(key.name, has_name ? "name" : "");
    for (size_t length = 2; length < tombstone.key.size(); ++length) {
      EXPECT_FALSE(DecodeKey(AsBytes(tombstone.key).first(length)).ok());
    }
  }
}

TEST(ConsumerRecordsTest, AMemberComesBackFromItsTwoRecords) {
  const ConsumerMemberFacts member = Member();
  RecordBytes subscription = EncodeSubscription("g", member);
  RecordBytes current = EncodeCurrentAssignment("g", member);
  EXPECT_EQ(KeyOf(subscription).kind, kSubscription);
  EXPECT_EQ(KeyOf(current).name, "m");
  ConsumerMemberFacts back;
  back.id = "m";
  ASSERT_TRUE(DecodeSubscription(AsBytes(*subscription.value), back).ok());
  EXPECT_TRUE(back.SameSubscription(member));
  EXPECT_FALSE(back.SameAssignment(member));  // that is in the other
  ASSERT_TRUE(DecodeCurrentAssignment(AsBytes(*current.value), back).ok());
  EXPECT_TRUE(back.SameAssignment(member));
  EXPECT_TRUE(back.SameSubscription(member));
}

TEST(ConsumerRecordsTest, WhatAMemberMayLackComesBackAsLacking) {
  ConsumerMemberFacts member;
  member.id = "m";
  ConsumerMemberFacts back = Member();
  RecordBytes subscription = EncodeSubscription("g", member);
  RecordBytes current = EncodeCurrentAssignment("g", member);
  ASSERT_TRUE(DecodeSubscription(AsBytes(*subscription.value), back).ok());
  ASSERT_TRUE(DecodeCurrentAssignment(AsBytes(*current.value), back).ok());
  EXPECT_TRUE(back.SameSubscription(member));
  EXPECT_TRUE(back.SameAssignment(member));
}

TEST(ConsumerRecordsTest, TheGroupsOwnRecordsComeBack) {
  EpochFacts epoch = DecodeEpoch(AsBytes(*EncodeEpoch("g", {5, -77}).value)).value();
  EXPECT_EQ(epoch.group_epoch, 5);
  EXPECT_EQ(epoch.metadata_hash, -77);
  TargetFacts target = DecodeTargetMetadata(AsBytes(*EncodeTargetMetadata("g", {4, 1'700'000'000'000}).value)).value();
  EXPECT_EQ(target.assignment_epoch, 4);
  EXPECT_EQ(target.assignment_timestamp_ms, 1'700'000'000'000);
  Assignment assignment({{Uuid(2, 1), 0}, {Uuid(1, 1), 2}, {Uuid(1, 1), 0}});
  EXPECT_EQ(DecodeTarget(AsBytes(*EncodeTarget("g", "m", assignment).value)).value(), assignment);
  ResolvedRegex regex{.topics = {"a", "b"}, .version = 9, .timestamp_ms = 17};
  EXPECT_EQ(DecodeRegex(AsBytes(*EncodeRegex("g", "a|b", regex).value)).value(), regex);
}

TEST(ConsumerRecordsTest, AStateOfANewerBrokerIsUnknown) {
  ConsumerMemberFacts member = Member();
  for (int state : {3, 100, -1}) {
    member.state = static_cast<MemberState>(state);
    ConsumerMemberFacts back;
    ASSERT_TRUE(DecodeCurrentAssignment(AsBytes(*EncodeCurrentAssignment("g", member).value), back).ok());
    EXPECT_EQ(back.state, MemberState::kUnknown) << state;
  }
}

// Before 4.3 partitions had no epoch of their own; and what is there twice, or in disorder, counts once and in order.
TEST(ConsumerRecordsTest, PartitionsWithoutEpochsHaveTheMembers) {
  for (int32_t epoch : {5, -2}) {
    Arena arena;
    message::ConsumerGroupCurrentMemberAssignmentValue value;
    value.member_epoch = epoch;
    for (uint64_t id : {2, 1, 2}) {
      auto& topic = value.assigned_partitions.Add(arena);
      topic.topic_id = Uuid(id, 0);
      topic.partitions.Add(arena) = 1;
      topic.partitions.Add(arena) = 0;
    }
    std::string bytes(AsText(protocol::EncodeCoordinatorValue(arena, value, 0).value()));
    ConsumerMemberFacts member;
    ASSERT_TRUE(DecodeCurrentAssignment(AsBytes(bytes), member).ok());
    const int32_t expected = std::max(epoch, 0);
    EXPECT_EQ(member.assigned, (OwnedPartitions{{{Uuid(1, 0), 0}, expected},
                                                {{Uuid(1, 0), 1}, expected},
                                                {{Uuid(2, 0), 0}, expected},
                                                {{Uuid(2, 0), 1}, expected}}));
  }
}

std::vector<std::pair<ConsumerRecordKind, std::string>> AllValues() {
  const ConsumerMemberFacts member = Member();
  return {{kEpoch, *EncodeEpoch("g", {5, -77}).value},
          {kSubscription, *EncodeSubscription("g", member).value},
          {kTargetMetadata, *EncodeTargetMetadata("g", {4, 5}).value},
          {kTarget, *EncodeTarget("g", "m", Assignment({{Uuid(1, 1), 2}})).value},
          {kCurrentAssignment, *EncodeCurrentAssignment("g", member).value},
          {kRegex, *EncodeRegex("g", "a", {.topics = {"a"}, .version = 9, .timestamp_ms = 17}).value}};
}

bool IsRead(ConsumerRecordKind kind, ByteView bytes) {
  ConsumerMemberFacts member;
  switch (kind) {
    case kEpoch:
      return DecodeEpoch(bytes).ok();
    case kSubscription:
      return DecodeSubscription(bytes, member).ok();
    case kTargetMetadata:
      return DecodeTargetMetadata(bytes).ok();
    case kTarget:
      return DecodeTarget(bytes).ok();
    case kCurrentAssignment:
      return DecodeCurrentAssignment(bytes, member).ok();
    case kRegex:
      return DecodeRegex(bytes).ok();
    case kSubscriptionMetadata:
      break;
  }
  return false;
}

TEST(ConsumerRecordsTest, WhatIsCutShortIsAnError) {
  for (const auto& [kind, bytes] : AllValues()) {
    EXPECT_TRUE(IsRead(kind, AsBytes(bytes)));
    for (size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_FALSE(IsRead(kind, AsBytes(bytes).first(length))) << static_cast<int>(kind) << " " << length;
    }
  }
}

// Whatever stands in the log: it is read or it is none, and what was read can be written.
TEST(ConsumerRecordsTest, DamagedBytesDoNoHarm) {
  Random random(5);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    for (auto [kind, bytes] : AllValues()) {
      for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
        bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
      }
      read += IsRead(kind, AsBytes(bytes));
    }
  }
  EXPECT_GT(read, 0);
}

std::vector<std::string> NoRacks(int32_t) {
  return {};
}

TEST(TopicsHashTest, EverythingOfATopicCounts) {
  const Uuid id(1, 2);
  auto hash = [](const Uuid& topic_id, std::string_view name, int32_t partitions, std::vector<std::string> racks) {
    return HashOfTopic({topic_id, name, partitions, [&](int32_t) { return racks; }});
  };
  const int64_t base = hash(id, "t", 2, {"a", "b"});
  EXPECT_EQ(hash(id, "t", 2, {"b", "a"}), base);
  EXPECT_NE(hash(Uuid(1, 3), "t", 2, {"a", "b"}), base);
  EXPECT_NE(hash(id, "u", 2, {"a", "b"}), base);
  EXPECT_NE(hash(id, "t", 3, {"a", "b"}), base);
  EXPECT_NE(hash(id, "t", 2, {"a"}), base);
  EXPECT_NE(hash(id, "t", 2, {"ab"}), base);
}

TEST(TopicsHashTest, ATopicWithRacksHashesAsInApacheKafka) {
  auto racks = [](int32_t) { return std::vector<std::string>{"west-\xc3\xa9", "east"}; };
  EXPECT_EQ(HashOfTopic({Uuid(1, 2), "t", 1, racks}), 8214905643692079892);  // by its own library, hash4j
}

TEST(TopicsHashTest, NoTopicsHashToZeroAndTheirOrderCounts) {
  EXPECT_EQ(HashOfGroup({}), 0);
  EXPECT_NE(HashOfGroup({1, 2}), HashOfGroup({2, 1}));
  EXPECT_NE(HashOfGroup({1}), 1);
  EXPECT_EQ(HashOfTopic({Uuid(1, 2), "t", 1, NoRacks}), HashOfTopic({Uuid(1, 2), "t", 1, NoRacks}));
}

}  // namespace
}  // namespace kb::group

// Records of __consumer_offsets: every version that Apache Kafka 4.3 reads, and what is none.
#include "group/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/arena.h"
#include "message/group_metadata_value.h"
#include "message/legacy_offset_commit_key.h"
#include "message/offset_commit_value.h"
#include "message/golden.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

template <typename Message>
std::string ValueBytes(const Message& message, int16_t version) {
  Arena arena;
  return std::string(AsText(protocol::EncodeCoordinatorValue(arena, message, version).value()));
}

OffsetKey KeyOf(const RecordBytes& record) { return std::get<OffsetKey>(DecodeKey(AsBytes(record.key)).value()); }

TEST(GroupRecordsTest, AnOffsetComesBackAsItWasWritten) {
  CommittedOffset offset{.offset = 42,
                         .leader_epoch = 3,
                         .metadata = "m\xc3\xa9ta",
                         .commit_timestamp_ms = 1'700'000'000'000,
                         .topic_id = Uuid(1, 2)};
  RecordBytes record = EncodeOffset("g", "t", 7, offset);
  OffsetKey key = KeyOf(record);
  EXPECT_EQ(key.group_id, "g");
  EXPECT_EQ(key.topic, "t");
  EXPECT_EQ(key.partition, 7);
  EXPECT_EQ(DecodeOffset(key, AsBytes(*record.value)).value(), offset);
  EXPECT_EQ(record.value->substr(0, 2), std::string("\0\4", 2));
}

TEST(GroupRecordsTest, AnExpiryTimeTakesTheVersionThatHasRoomForIt) {
  CommittedOffset offset{.offset = 42, .leader_epoch = 3, .commit_timestamp_ms = 5, .expire_timestamp_ms = 9,
                         .topic_id = Uuid(1, 2)};
  RecordBytes record = EncodeOffset("g", "t", 7, offset);
  EXPECT_EQ(record.value->substr(0, 2), std::string("\0\1", 2));
  CommittedOffset back = DecodeOffset(KeyOf(record), AsBytes(*record.value)).value();
  EXPECT_EQ(back.expire_timestamp_ms, 9);
  EXPECT_EQ(back.leader_epoch, -1);  // which version 1 has no room for
  EXPECT_TRUE(back.topic_id.is_zero());
}

TEST(GroupRecordsTest, EveryVersionOfAnOffsetIsRead) {
  OffsetKey key{"g", "t", 0, false};
  for (int16_t version = 0; version <= 4; ++version) {
    message::OffsetCommitValue value;
    value.offset = 42;
    value.metadata = "m";
    value.commit_timestamp = 17;
    std::string bytes = ValueBytes(value, version);
    auto offset = DecodeOffset(key, AsBytes(bytes));
    ASSERT_TRUE(offset.ok()) << version;
    EXPECT_EQ(offset->offset, 42);
    EXPECT_EQ(offset->metadata, "m");
    EXPECT_EQ(offset->commit_timestamp_ms, 17);
    EXPECT_EQ(offset->expire_timestamp_ms, -1);
  }
  EXPECT_FALSE(DecodeOffset(key, AsBytes(std::string("\0\5garbage....................", 20))).ok());
}

TEST(GroupRecordsTest, EveryVersionOfAGroupIsRead) {
  for (int16_t version = 0; version <= 4; ++version) {
    Arena arena;
    message::GroupMetadataValue value;
    value.protocol_type = "consumer";
    value.generation = 5;
    value.protocol = "range";
    value.leader = "a";
    auto& member = value.members.Add(arena);
    member.member_id = "a";
    member.session_timeout = 10'000;
    std::string bytes = ValueBytes(value, version);
    auto group = DecodeGroup(AsBytes(bytes));
    ASSERT_TRUE(group.ok()) << version;
    EXPECT_EQ(group->generation_id, 5);
    EXPECT_EQ(group->members.at(0).member_id, "a");
    EXPECT_EQ(group->members.at(0).rebalance_timeout_ms, -1);
    EXPECT_EQ(group->state_timestamp_ms, -1);
  }
}

TEST(GroupRecordsTest, TheOldKindOfOffsetIsRead) {
  Arena arena;
  message::LegacyOffsetCommitKey old;
  old.group = "g";
  old.topic = "t";
  old.partition = 3;
  std::string bytes(AsText(protocol::EncodeCoordinatorKey(arena, old).value()));
  auto key = std::get<OffsetKey>(DecodeKey(AsBytes(bytes)).value());
  EXPECT_EQ(key.partition, 3);
  message::OffsetCommitValue value;
  value.offset = 9;
  EXPECT_EQ(DecodeOffset(key, AsBytes(ValueBytes(value, 0)))->offset, 9);
}

// A newer broker may have written it: it stays in the log and is no reason to stop.
TEST(GroupRecordsTest, AnUnknownTypeIsReported) {
  for (int16_t type : {9, 18, 24, 1000, -1}) {
    uint8_t bytes[] = {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type), 1, 2, 3};
    auto key = DecodeKey(bytes);
    ASSERT_TRUE(key.ok()) << type;
    EXPECT_EQ(std::get<UnknownKey>(*key).type, type);
  }
}

TEST(GroupRecordsTest, WhatIsCutShortIsAnError) {
  RecordBytes offset = EncodeOffset("group", "topic", 1, {.offset = 5, .metadata = "m"});
  RecordBytes group = EncodeGroup("group", {.protocol_type = "consumer", .members = {{.member_id = "a"}}});
  for (size_t length = 0; length < offset.key.size(); ++length) {
    EXPECT_FALSE(DecodeKey(AsBytes(offset.key).first(length)).ok()) << length;
  }
  OffsetKey key = KeyOf(offset);
  for (size_t length = 0; length < offset.value->size(); ++length) {
    EXPECT_FALSE(DecodeOffset(key, AsBytes(*offset.value).first(length)).ok()) << length;
  }
  for (size_t length = 0; length < group.value->size(); ++length) {
    EXPECT_FALSE(DecodeGroup(AsBytes(*group.value).first(length)).ok()) << length;
  }
}

// All keys that the schemas of the group area have been recorded with: each is of a known kind, or unknown by its number.
TEST(GroupRecordsTest, EveryRecordedKeyIsUnderstood) {
  int keys = 0;
  for (const std::string& path : golden::MessageFiles()) {
    if (path.find("/group/") == std::string::npos || path.find("Key.jsonl") == std::string::npos) continue;
    golden::ForEachLine(path, [&](const nlohmann::json& line) {
      if (!line.contains("framed")) return;
      std::string bytes = golden::FromHex(line["framed"].get<std::string>());
      auto key = DecodeKey(AsBytes(bytes));
      EXPECT_TRUE(key.ok()) << path;
      EXPECT_FALSE(key.ok() && std::holds_alternative<UnknownKey>(*key)) << path;
      ++keys;
    });
  }
  EXPECT_GT(keys, 22);
}

}  // namespace
}  // namespace kb::group

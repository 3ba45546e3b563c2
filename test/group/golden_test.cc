// The partitions of __consumer_offsets that Apache Kafka 4.3.1 wrote: read into a shard they give the groups and
// offsets that its administrators were shown, and what this room writes has the same bytes.
#include "message/golden.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "group/consumer_records.h"
#include "group/records.h"
#include "group/shard_fixture.h"
#include "group/topics_hash.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/iterate.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

struct StoredRecord {
  std::string key;
  std::optional<std::string> value;
  RecordOrigin origin;
};
struct Marker {
  ProducerId producer_id;
  bool committed = false;
  int64_t offset = 0;
};

// Calls back for each record of a segment file, and for each transaction marker.
template <typename OnRecord, typename OnMarker>
void ForEachRecord(const std::string& log, OnRecord on_record, OnMarker on_marker) {
  record::Decompressor decompressor;
  ByteView rest = AsBytes(log);
  while (!rest.empty()) {
    record::BatchHeader header(rest);
    auto size = static_cast<size_t>(header.size_bytes());
    ASSERT_LE(size, rest.size());
    record::BatchView batch(rest.first(size));
    rest = rest.subspan(size);
    bool control = (header.attributes() & record::kControlBit) != 0;
    bool transactional = (header.attributes() & record::kTransactionalBit) != 0;
    record::RecordIterator records(batch, decompressor);
    record::RecordView view;
    while (records.Next(&view) == record::RecordIterator::kRecord) {
      std::string key(AsText(*view.key));
      if (control) {
        on_marker(Marker{header.producer_id(), key.at(3) == 1, view.offset.value()});
        continue;
      }
      StoredRecord stored{key, std::nullopt, {view.offset.value(), header.producer_id(), transactional}};
      if (view.value.has_value()) stored.value = std::string(AsText(*view.value));
      on_record(stored);
    }
  }
}

void ReplayLog(GroupShard& shard, const std::string& log) {
  ASSERT_FALSE(log.empty());
  ForEachRecord(
      log,
      [&](const StoredRecord& stored) {
        std::optional<ByteView> value;
        if (stored.value.has_value()) value = AsBytes(*stored.value);
        Status status = shard.Replay(AsBytes(stored.key), value, stored.origin);
        EXPECT_TRUE(status.ok()) << status.error().message;
      },
      [&](const Marker& marker) { shard.ReplayEndOfTransaction(marker.producer_id, marker.committed, marker.offset); });
}

// The record of a consumer group, decoded and encoded.
RecordBytes Again(const ConsumerRecordKey& key, const std::optional<std::string>& value) {
  if (!value.has_value()) return EncodeConsumerTombstone(key.kind, key.group_id, key.name);
  ByteView bytes = AsBytes(*value);
  ConsumerMemberFacts member;
  member.id = key.name;
  switch (key.kind) {
    case ConsumerRecordKind::kEpoch:
      return EncodeEpoch(key.group_id, DecodeEpoch(bytes).value());
    case ConsumerRecordKind::kSubscription:
      EXPECT_TRUE(DecodeSubscription(bytes, member).ok());
      return EncodeSubscription(key.group_id, member);
    case ConsumerRecordKind::kTargetMetadata:
      return EncodeTargetMetadata(key.group_id, DecodeTargetMetadata(bytes).value());
    case ConsumerRecordKind::kTarget:
      return EncodeTarget(key.group_id, key.name, DecodeTarget(bytes).value());
    case ConsumerRecordKind::kCurrentAssignment:
      EXPECT_TRUE(DecodeCurrentAssignment(bytes, member).ok());
      return EncodeCurrentAssignment(key.group_id, member);
    case ConsumerRecordKind::kRegex:
      return EncodeRegex(key.group_id, key.name, DecodeRegex(bytes).value());
    case ConsumerRecordKind::kSubscriptionMetadata:
      break;  // never written by 4.3
  }
  ADD_FAILURE() << "a record that is never written";
  return {};
}

class GoldenGroupsTest : public ShardFixture {
 protected:
  void Open(const std::vector<std::string>& logs) {
    shard_ = std::make_unique<GroupShard>(config_, random_, topics_);
    for (const std::string& log : logs) ReplayLog(*shard_, log);
    now_.wall_ms = 1'795'408'800'000;  // soon after it was written
    Run(shard_->Loaded(now_));
  }
  std::string OffsetOf(std::string group, std::string topic, int32_t partition) {
    auto fetched = Fetched(std::move(group), std::move(topic), partition);
    return std::to_string(fetched.committed_offset) + " " + fetched.metadata.value_or("null") + " " +
           std::to_string(fetched.committed_leader_epoch);
  }
};

// The data directory whose contents are told by its manifest (group "groups").
TEST_F(GoldenGroupsTest, ACleanDirectoryHasTheGroupsOfItsManifest) {
  std::string folder = GOLDEN_SOURCE_DIR "/groups/clean-__consumer_offsets-";
  Open({ReadFile(folder + "0.log"), ReadFile(folder + "2.log"), ReadFile(folder + "3.log")});
  std::vector<std::string> listed;
  for (const auto& group : shard_->ListGroups({}).groups) {
    listed.push_back(group.group_id + " " + group.group_type + " " + group.protocol_type + " " + group.group_state);
  }
  EXPECT_THAT(listed, ElementsAre("g-848 consumer consumer Empty", "g-848-re consumer consumer Empty",
                                  "g-classic classic consumer Empty", "g-share share share Empty",
                                  "g-simple classic  Empty", "g-txn classic  Empty"));
  EXPECT_EQ(OffsetOf("g-simple", "a.b-c_d-7", 0), "2  -1");
  EXPECT_EQ(OffsetOf("g-simple", "codecs", 0), "33 simple 0");
  for (int i = 0; i < 4; ++i) {
    std::string n = std::to_string(i);
    EXPECT_EQ(OffsetOf("g-classic", "grp", i), "1" + n + " meta-" + n + " 0");
    EXPECT_EQ(OffsetOf("g-848", "grp", i), "20  0");
  }
  EXPECT_EQ(OffsetOf("g-txn", "grp", 0), "7 txn-meta -1");  // committed; what another transaction aborted is not there
  EXPECT_EQ(OffsetOf("g-txn", "grp", 1), "3  -1");
  EXPECT_EQ(OffsetOf("g-848-re", "grp", 2), "4 re -1");
  EXPECT_EQ(shard_->counts().offsets, 13u);
}

// What is known of g-848 and g-848-re at each moment of their life, from the records that Apache Kafka wrote.
TEST_F(GoldenGroupsTest, TheLifeOfAConsumerGroupIsUnderstood) {
  std::vector<std::string> seen;
  GroupShard shard(config_, random_, topics_);
  std::optional<Uuid> topic_id;
  int64_t hash = 0;
  auto note = [&](const StoredRecord& stored) {
    std::optional<ByteView> value;
    if (stored.value.has_value()) value = AsBytes(*stored.value);
    ASSERT_TRUE(shard.Replay(AsBytes(stored.key), value, stored.origin).ok());
    Result<RecordKey> key = DecodeKey(AsBytes(stored.key));
    const auto* consumer = std::get_if<ConsumerRecordKey>(&*key);
    if (consumer == nullptr || consumer->group_id != "g-848" || !value.has_value()) return;
    if (consumer->kind == ConsumerRecordKind::kEpoch && hash == 0) hash = DecodeEpoch(*value)->metadata_hash;
    if (consumer->kind != ConsumerRecordKind::kCurrentAssignment) return;
    auto group = shard.ConsumerGroupDescribe({{"g-848"}}).groups.at(0);
    auto holding = ShardInspector::Holdings(shard, "g-848").at(consumer->name);
    EXPECT_EQ(Assignment(holding.assigned), holding.target);
    EXPECT_THAT(holding.revoking, SizeIs(0));
    if (!holding.assigned.empty()) topic_id = holding.assigned.front().topic_id;
    seen.push_back(group.group_state + " " + std::to_string(group.group_epoch) + "/" +
                   std::to_string(group.assignment_epoch) + " " + group.members.at(0).client_id + "@" +
                   std::to_string(holding.epoch) + " " + std::to_string(holding.assigned.size()));
  };
  std::string folder = GOLDEN_SOURCE_DIR "/groups/clean-__consumer_offsets-";
  for (const char* partition : {"0", "2", "3"}) {
    ForEachRecord(ReadFile(folder + partition + ".log"), note, [](const Marker&) {});
  }
  EXPECT_THAT(seen, ElementsAre("Stable 2/2 cl848@2 4"));
  // Our hash of the same topic is the one that it wrote.
  ASSERT_TRUE(topic_id.has_value());
  auto no_racks = [](int32_t) { return std::vector<std::string>(); };
  EXPECT_EQ(HashOfGroup({HashOfTopic({*topic_id, "grp", 4, no_racks})}), hash);
}

TEST_F(GoldenGroupsTest, EveryRecordedPartitionOpens) {
  std::vector<std::string> logs;
  for (const auto& entry : std::filesystem::directory_iterator(golden::Folder() + "/disk")) {
    if (entry.path().filename().string().starts_with("__consumer_offsets-")) {
      logs.push_back(golden::Unzip(entry.path()));
    }
  }
  ASSERT_THAT(logs, SizeIs(11));
  std::sort(logs.begin(), logs.end());
  Open(logs);
  auto groups = shard_->ListGroups({}).groups;
  EXPECT_GT(groups.size(), 10u);
  EXPECT_EQ(OffsetOf("aio-g", "coord", 0), "3  -1");
  EXPECT_EQ(OffsetOf("kp-g", "coord", 1), "5  0");
  EXPECT_EQ(Describe("sarama-g").group_state, "Empty");
  EXPECT_EQ(Describe("sarama-g").protocol_type, "consumer");
  for (const auto& group : groups) EXPECT_NE(group.group_state, "Dead") << group.group_id;
}

TEST_F(GoldenGroupsTest, WhatIsWrittenHasTheBytesThatApacheKafkaWrites) {
  int offsets = 0;
  int groups = 0;
  int tombstones = 0;
  int others = 0;
  std::map<ConsumerRecordKind, int> consumers;
  auto check = [&](const StoredRecord& stored) {
    Result<RecordKey> key = DecodeKey(AsBytes(stored.key));
    ASSERT_TRUE(key.ok());
    RecordBytes again;
    if (const auto* offset = std::get_if<OffsetKey>(&*key)) {
      ++(stored.value.has_value() ? offsets : tombstones);
      again = stored.value.has_value() ? EncodeOffset(offset->group_id, offset->topic, offset->partition,
                                                      DecodeOffset(*offset, AsBytes(*stored.value)).value())
                                       : EncodeOffsetTombstone(offset->group_id, offset->topic, offset->partition);
    } else if (const auto* group = std::get_if<ClassicGroupKey>(&*key)) {
      ++(stored.value.has_value() ? groups : tombstones);
      again = stored.value.has_value() ? EncodeGroup(group->group_id, DecodeGroup(AsBytes(*stored.value)).value())
                                       : EncodeGroupTombstone(group->group_id);
    } else if (const auto* consumer = std::get_if<ConsumerRecordKey>(&*key)) {
      ++consumers[consumer->kind];
      again = Again(*consumer, stored.value);
    } else {
      EXPECT_TRUE(std::holds_alternative<OtherGroupKey>(*key));
      ++others;
      return;
    }
    EXPECT_EQ(again.key, stored.key);
    EXPECT_EQ(again.value, stored.value);
  };
  for (const auto& entry : std::filesystem::directory_iterator(golden::Folder() + "/disk")) {
    if (!entry.path().filename().string().starts_with("__consumer_offsets-")) continue;
    ForEachRecord(golden::Unzip(entry.path()), check, [](const Marker&) {});
  }
  for (const char* partition : {"0", "2", "3"}) {
    std::string path = GOLDEN_SOURCE_DIR "/groups/clean-__consumer_offsets-" + std::string(partition) + ".log";
    ForEachRecord(ReadFile(path), check, [](const Marker&) {});
  }
  RecordProperty("offsets", offsets);
  RecordProperty("groups", groups);
  EXPECT_GT(offsets, 30);
  EXPECT_GT(groups, 20);
  EXPECT_GT(others, 0);
  using enum ConsumerRecordKind;
  for (ConsumerRecordKind kind : {kEpoch, kSubscription, kTargetMetadata, kTarget, kCurrentAssignment, kRegex}) {
    EXPECT_GT(consumers[kind], 0) << static_cast<int>(kind);
  }
}

// What a consumer of Apache Kafka's own saw written during its life, written by this shard.
TEST_F(GoldenGroupsTest, TheLifeOfAGroupLeavesTheSameKindsOfRecords) {
  auto ids = StableGroup(1);
  Commit(ids[0], 1, 3);
  LeaveOne(ids[0]);
  ASSERT_THAT(log_, SizeIs(4));
  auto group = [&](size_t i) { return DecodeGroup(AsBytes(*log_[i].record.value)).value(); };
  GroupRecord created = group(0);
  EXPECT_EQ(created.protocol_type, "");
  EXPECT_EQ(created.generation_id, 0);
  EXPECT_EQ(created.protocol_name, std::nullopt);
  EXPECT_EQ(created.leader, std::nullopt);
  EXPECT_GT(created.state_timestamp_ms, 0);
  GroupRecord stable = group(1);
  EXPECT_EQ(stable.protocol_type, "consumer");
  EXPECT_EQ(stable.generation_id, 1);
  EXPECT_EQ(stable.protocol_name, "range");
  EXPECT_EQ(stable.leader, ids[0]);
  ASSERT_THAT(stable.members, SizeIs(1));
  EXPECT_EQ(stable.members[0].client_host, "/127.0.0.1");
  EXPECT_EQ(stable.members[0].rebalance_timeout_ms, 60'000);
  EXPECT_EQ(stable.members[0].session_timeout_ms, 10'000);
  EXPECT_EQ(stable.members[0].subscription, "metadata");
  EXPECT_EQ(stable.members[0].assignment, "assigned to " + ids[0]);
  GroupRecord empty = group(3);
  EXPECT_EQ(empty.protocol_type, "consumer");
  EXPECT_EQ(empty.generation_id, 2);
  EXPECT_EQ(empty.protocol_name, std::nullopt);
  EXPECT_EQ(empty.leader, std::nullopt);
  EXPECT_THAT(empty.members, SizeIs(0));
}

}  // namespace
}  // namespace kb::group

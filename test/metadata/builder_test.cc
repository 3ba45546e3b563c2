// What each record does to an image, what a builder refuses, and that images share what did not change.
#include "metadata/builder.h"

#include "message/abort_transaction_record.h"
#include "message/begin_transaction_record.h"
#include "message/broker_registration_change_record.h"
#include "message/clear_elr_record.h"
#include "message/client_quota_record.h"
#include "message/config_record.h"
#include "message/delegation_token_record.h"
#include "message/end_transaction_record.h"
#include "message/feature_level_record.h"
#include "message/fence_broker_record.h"
#include "message/no_op_record.h"
#include "message/partition_change_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/remove_access_control_entry_record.h"
#include "message/remove_delegation_token_record.h"
#include "message/remove_topic_record.h"
#include "message/topic_record.h"
#include "message/unfence_broker_record.h"
#include "message/unregister_broker_record.h"
#include "message/zk_migration_state_record.h"
#include "metadata/support.h"

namespace kb::metadata {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Uuid kTopicA(1, 1), kTopicB(1, 2);

class BuilderTest : public ::testing::Test {
 protected:
  template <typename Record>
  Status Replay(const Record& record, int16_t version = Record::kMaxVersion) {
    RecordList list;
    list.Add(record, version);
    RecordPosition position{next_, LeaderEpoch(1), 1000};
    ++next_;
    return builder_.Replay(list[0], position);
  }
  template <typename Record>
  void Must(const Record& record, int16_t version = Record::kMaxVersion) {
    Status replayed = Replay(record, version);
    ASSERT_TRUE(replayed.ok()) << replayed.error().message;
  }

  void CreateTopic(std::string_view name, const Uuid& id) {
    message::TopicRecord record;
    record.name = name;
    record.topic_id = id;
    Must(record);
  }
  void CreatePartition(const Uuid& id, int32_t index, std::initializer_list<int32_t> replicas) {
    message::PartitionRecord record;
    record.topic_id = id;
    record.partition_id = index;
    record.replicas = record.isr = protocol::Array<int32_t>::Of(arena_, replicas);
    record.leader = *replicas.begin();
    record.leader_epoch = record.partition_epoch = 0;
    for (size_t i = 0; i < replicas.size(); ++i) record.directories.Add(arena_, Uuid(9, i));
    Must(record);
  }
  message::PartitionChangeRecord ChangeOf(const Uuid& id, int32_t index) {
    message::PartitionChangeRecord record;
    record.topic_id = id;
    record.partition_id = index;
    return record;
  }
  void SetConfig(std::string_view topic, std::string_view name, std::optional<std::string_view> value) {
    message::ConfigRecord record;
    record.resource_type = 2;
    record.resource_name = topic;
    record.name = name;
    record.value = value;
    Must(record);
  }
  const Partition& PartitionOf(const Uuid& id, int32_t index) {
    return *builder_.current().FindPartition({id, index});
  }

  Arena arena_;
  ImageBuilder builder_{EmptyImage()};
  Offset next_{0};
};

TEST_F(BuilderTest, CreatedChangedAndDeletedAreReportedOnce) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 0, {1});
  CreatePartition(kTopicA, 1, {1});
  auto change = ChangeOf(kTopicA, 0);
  change.leader = -1;
  Must(change);
  auto first = builder_.Publish();
  EXPECT_THAT(first.changes.created_topics, ElementsAre(kTopicA));
  EXPECT_THAT(first.changes.created_partitions, ElementsAre(PartitionId{kTopicA, 0}, PartitionId{kTopicA, 1}));
  EXPECT_THAT(first.changes.changed_partitions, IsEmpty());

  change.leader = 1;
  Must(change);
  CreatePartition(kTopicA, 2, {1});
  auto second = builder_.Publish();
  EXPECT_THAT(second.changes.created_topics, IsEmpty());
  EXPECT_THAT(second.changes.created_partitions, ElementsAre(PartitionId{kTopicA, 2}));
  EXPECT_THAT(second.changes.changed_partitions, ElementsAre(PartitionId{kTopicA, 0}));

  message::RemoveTopicRecord remove;
  remove.topic_id = kTopicA;
  Must(remove);
  CreateTopic("a", kTopicB);
  auto third = builder_.Publish();
  EXPECT_THAT(third.changes.created_topics, ElementsAre(kTopicB));
  ASSERT_EQ(third.changes.deleted_topics.size(), 1u);
  EXPECT_EQ(third.changes.deleted_topics[0].id, kTopicA);
  EXPECT_EQ(third.changes.deleted_topics[0].name, "a");
  EXPECT_EQ(third.changes.deleted_topics[0].partition_count, 3);
  EXPECT_THAT(third.changes.changed_partitions, IsEmpty());

  // What was published before is as it was.
  EXPECT_EQ(first.image->FindTopic("a")->partition_count(), 2);
  EXPECT_EQ(first.image->FindPartition({kTopicA, 0})->leader, kNoBroker);
  EXPECT_EQ(second.image->partition_count(), 3);
  EXPECT_EQ(third.image->partition_count(), 0);
  EXPECT_FALSE(builder_.Publish().changes.any());
}

TEST_F(BuilderTest, CreatedAndDeletedInOneGoLeavesNoTrace) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 0, {1});
  SetConfig("a", "retention.ms", "5");
  message::RemoveTopicRecord remove;
  remove.topic_id = kTopicA;
  Must(remove);
  auto published = builder_.Publish();
  EXPECT_FALSE(published.changes.any());
  EXPECT_EQ(published.image->topic_count(), 0u);
  EXPECT_TRUE(published.image->ConfigsOfTopic("a").empty());
}

TEST_F(BuilderTest, AChangeTouchesOnlyWhatItNames) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 0, {1, 2, 3});
  Partition before = PartitionOf(kTopicA, 0);

  auto isr = ChangeOf(kTopicA, 0);
  isr.isr = protocol::Array<int32_t>::Of(arena_, {1, 2});
  Must(isr);
  EXPECT_THAT(PartitionOf(kTopicA, 0).isr, ElementsAre(BrokerId(1), BrokerId(2)));
  EXPECT_EQ(PartitionOf(kTopicA, 0).leader_epoch, before.leader_epoch);
  EXPECT_EQ(PartitionOf(kTopicA, 0).partition_epoch, before.partition_epoch + 1);

  auto same_leader = ChangeOf(kTopicA, 0);
  same_leader.leader = 1;
  Must(same_leader);
  EXPECT_EQ(PartitionOf(kTopicA, 0).leader_epoch, before.leader_epoch + 1);
  EXPECT_EQ(PartitionOf(kTopicA, 0).directories, before.directories);
}

TEST_F(BuilderTest, NewReplicasKeepTheDirectoriesOfThoseThatStay) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 0, {1, 2});
  auto change = ChangeOf(kTopicA, 0);
  change.replicas = protocol::Array<int32_t>::Of(arena_, {2, 3});
  Must(change);
  EXPECT_THAT(PartitionOf(kTopicA, 0).directories, ElementsAre(Uuid(9, 1), kUnassignedDirectory));
  auto wrong = ChangeOf(kTopicA, 0);
  wrong.directories = protocol::Array<Uuid>::Of(arena_, {Uuid(9, 9)});
  EXPECT_EQ(Replay(wrong).error().kind, ErrorKind::kCorrupt);
}

TEST_F(BuilderTest, PartitionsFromBeforeDirectoriesHadIdsAreMigrating) {
  CreateTopic("a", kTopicA);
  message::PartitionRecord record;
  record.topic_id = kTopicA;
  record.partition_id = 0;
  record.replicas = protocol::Array<int32_t>::Of(arena_, {1});
  Must(record, 0);
  EXPECT_THAT(PartitionOf(kTopicA, 0).directories, ElementsAre(kMigratingDirectory));
}

TEST_F(BuilderTest, ClearingEligibleLeadersOfOneTopicAndOfAll) {
  CreateTopic("a", kTopicA);
  CreateTopic("b", kTopicB);
  for (const Uuid& id : {kTopicA, kTopicB}) {
    CreatePartition(id, 0, {1});
    CreatePartition(id, 1, {1});
    auto change = ChangeOf(id, 0);
    change.eligible_leader_replicas = change.last_known_elr = protocol::Array<int32_t>::Of(arena_, {1});
    Must(change);
  }
  message::ClearElrRecord clear;
  clear.topic_name = "a";
  Must(clear);
  EXPECT_THAT(PartitionOf(kTopicA, 0).eligible_leader_replicas, IsEmpty());
  EXPECT_THAT(PartitionOf(kTopicA, 0).last_known_elr, IsEmpty());
  EXPECT_EQ(PartitionOf(kTopicA, 0).partition_epoch, PartitionEpoch(2));
  EXPECT_EQ(PartitionOf(kTopicA, 1).partition_epoch, PartitionEpoch(0));  // it had none
  EXPECT_FALSE(PartitionOf(kTopicB, 0).eligible_leader_replicas.empty());
  clear.topic_name = "";
  Must(clear);
  EXPECT_THAT(PartitionOf(kTopicB, 0).eligible_leader_replicas, IsEmpty());
  clear.topic_name = "nope";
  EXPECT_EQ(Replay(clear).error().kind, ErrorKind::kCorrupt);
}

TEST_F(BuilderTest, ConfigsAreSetReplacedRemovedAndGoWithTheirTopic) {
  CreateTopic("a", kTopicA);
  SetConfig("a", "retention.ms", "5");
  SetConfig("a", "retention.ms", "6");
  SetConfig("a", "segment.ms", "7");
  EXPECT_EQ(builder_.current().ConfigsOfTopic("a"), (ConfigValues{{"retention.ms", "6"}, {"segment.ms", "7"}}));
  SetConfig("a", "segment.ms", std::nullopt);
  auto published = builder_.Publish();
  EXPECT_THAT(published.changes.changed_configs, ElementsAre(ConfigResource{ConfigResourceType::kTopic, "a"}));
  SetConfig("a", "retention.ms", "6");  // as it is
  EXPECT_THAT(builder_.Publish().changes.changed_configs, IsEmpty());
  message::RemoveTopicRecord remove;
  remove.topic_id = kTopicA;
  Must(remove);
  EXPECT_TRUE(builder_.current().ConfigsOfTopic("a").empty());
  EXPECT_EQ(builder_.Publish().changes.changed_configs.size(), 1u);
}

TEST_F(BuilderTest, FeaturesThatAreNotKnownAreForeignAndLevelZeroIsNone) {
  message::FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = 30;
  Must(feature);
  feature.feature_level = 31;
  EXPECT_EQ(Replay(feature).error().kind, ErrorKind::kForeign);
  feature.feature_level = 6;
  EXPECT_EQ(Replay(feature).error().kind, ErrorKind::kForeign);
  feature.name = "new.feature";
  feature.feature_level = 1;
  EXPECT_EQ(Replay(feature).error().kind, ErrorKind::kForeign);
  feature.name = "share.version";
  Must(feature);
  EXPECT_EQ(builder_.current().FeatureLevel("share.version"), 1);
  feature.feature_level = 0;
  Must(feature);
  EXPECT_EQ(builder_.current().finalized_features().count("share.version"), 0u);
}

TEST_F(BuilderTest, BrokersAreFencedUnfencedChangedAndUnregistered) {
  message::RegisterBrokerRecord broker;
  broker.broker_id = 5;
  broker.broker_epoch = 100;
  broker.rack = std::nullopt;
  Must(broker);
  EXPECT_FALSE(builder_.current().IsUsable(BrokerId(5)));
  message::BrokerRegistrationChangeRecord change;
  change.broker_id = 5;
  change.broker_epoch = 100;
  change.fenced = -1;
  Must(change, 0);
  EXPECT_TRUE(builder_.current().IsUsable(BrokerId(5)));
  change.fenced = 0;
  change.in_controlled_shutdown = 1;
  Must(change, 1);
  EXPECT_FALSE(builder_.current().IsUsable(BrokerId(5)));
  EXPECT_FALSE(builder_.current().FindBroker(BrokerId(5))->fenced);
  message::FenceBrokerRecord fence;
  fence.id = 5;
  fence.epoch = 100;
  Must(fence);
  EXPECT_TRUE(builder_.current().FindBroker(BrokerId(5))->fenced);
  message::UnfenceBrokerRecord unfence;
  unfence.id = 5;
  unfence.epoch = 99;  // of another registration
  EXPECT_EQ(Replay(unfence).error().kind, ErrorKind::kCorrupt);
  message::UnregisterBrokerRecord unregister;
  unregister.broker_id = 5;
  unregister.broker_epoch = 100;
  Must(unregister);
  EXPECT_EQ(builder_.current().FindBroker(BrokerId(5)), nullptr);
  EXPECT_EQ(Replay(change, 1).error().kind, ErrorKind::kCorrupt);
}

TEST_F(BuilderTest, TokensAreKeptForSnapshots) {
  message::DelegationTokenRecord token;
  token.owner = "User:a";
  token.token_id = "t";
  token.renewers.Add(arena_, std::string_view("User:b"));
  Must(token);
  auto image = builder_.Publish().image;
  ImageBuilder again(EmptyImage());
  ASSERT_TRUE(ReplayAll(RecordsOf(*image), again).ok());
  EXPECT_EQ(again.current().delegation_tokens(), image->delegation_tokens());
  message::RemoveDelegationTokenRecord remove;
  remove.token_id = "t";
  Must(remove);
  EXPECT_TRUE(builder_.current().delegation_tokens().empty());
}

TEST_F(BuilderTest, ATransactionTakesEffectAtItsEnd) {
  CreateTopic("a", kTopicA);
  Must(message::BeginTransactionRecord());
  CreateTopic("b", kTopicB);
  CreatePartition(kTopicA, 0, {1});
  auto inside = builder_.Publish();
  EXPECT_THAT(inside.changes.created_topics, ElementsAre(kTopicA));
  EXPECT_EQ(inside.image->FindTopic("b"), nullptr);
  EXPECT_EQ(inside.image->partition_count(), 0);
  EXPECT_NE(builder_.current().FindTopic("b"), nullptr);
  Must(message::EndTransactionRecord());
  auto after = builder_.Publish();
  EXPECT_THAT(after.changes.created_topics, ElementsAre(kTopicB));
  EXPECT_THAT(after.changes.created_partitions, ElementsAre(PartitionId{kTopicA, 0}));
}

TEST_F(BuilderTest, AnAbortedTransactionNeverWas) {
  CreateTopic("a", kTopicA);
  Must(message::BeginTransactionRecord());
  CreateTopic("b", kTopicB);
  CreatePartition(kTopicA, 0, {1});
  SetConfig("a", "retention.ms", "1");
  Must(message::AbortTransactionRecord());
  auto published = builder_.Publish();
  EXPECT_THAT(published.changes.created_topics, ElementsAre(kTopicA));
  EXPECT_THAT(published.changes.created_partitions, IsEmpty());
  EXPECT_EQ(published.image->FindTopic("b"), nullptr);
  EXPECT_TRUE(published.image->ConfigsOfTopic("a").empty());
  EXPECT_EQ(published.image->provenance().last_offset, next_ - 1);
  CreateTopic("b", kTopicB);  // the name is free
}

TEST_F(BuilderTest, TransactionsDoNotNestAndDoNotEndBeforeTheyBegin) {
  EXPECT_FALSE(Replay(message::EndTransactionRecord()).ok());
  EXPECT_FALSE(Replay(message::AbortTransactionRecord()).ok());
  Must(message::BeginTransactionRecord());
  EXPECT_FALSE(Replay(message::BeginTransactionRecord()).ok());
}

TEST_F(BuilderTest, NewerRecordsAreForeign) {
  auto replay = [&](std::string_view record) { return builder_.Replay(AsBytes(record), {next_, LeaderEpoch(1)}); };
  for (std::string_view record : {std::string_view("\x01\x1d\x00\x00", 4), std::string_view("\x01\x06\x00\x00", 4),
                                  std::string_view("\x01\x0d\x00\x00", 4), std::string_view("\x01\x02\x01\x00", 4),
                                  std::string_view("\x01\x03\x03\x00", 4), std::string_view("\x01\x7f\x00", 3)}) {
    Status status = replay(record);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kForeign) << status.error().message;
  }
  EXPECT_EQ(replay("").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(replay(std::string_view("\x01\x02\x00\x05", 4)).error().kind, ErrorKind::kCorrupt);         // cut
  EXPECT_EQ(replay(std::string_view("\x01\x14\x00\x00\x00", 5)).error().kind, ErrorKind::kCorrupt);     // and more
}

TEST_F(BuilderTest, ContradictionsAreDamage) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 0, {1});
  message::TopicRecord topic;
  topic.name = "a";
  topic.topic_id = kTopicB;
  EXPECT_EQ(Replay(topic).error().kind, ErrorKind::kCorrupt);
  topic.name = "b";
  topic.topic_id = kTopicA;
  EXPECT_EQ(Replay(topic).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(Replay(ChangeOf(kTopicA, 1)).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(Replay(ChangeOf(kTopicB, 0)).error().kind, ErrorKind::kCorrupt);
  message::RemoveTopicRecord remove;
  remove.topic_id = kTopicB;
  EXPECT_EQ(Replay(remove).error().kind, ErrorKind::kCorrupt);
  message::PartitionRecord partition;
  partition.topic_id = kTopicA;
  for (int32_t index : {-1, Topic::kMostPartitions, INT32_MAX}) {
    partition.partition_id = index;
    EXPECT_EQ(Replay(partition).error().kind, ErrorKind::kCorrupt) << index;
  }
  EXPECT_EQ(Replay(message::RemoveAccessControlEntryRecord()).error().kind, ErrorKind::kCorrupt);
}

TEST_F(BuilderTest, WhatLeavesNoTraceMovesThePosition) {
  Must(message::NoOpRecord());
  Must(message::ZkMigrationStateRecord());
  auto published = builder_.Publish();
  EXPECT_FALSE(published.changes.any());
  EXPECT_EQ(published.image->provenance(), (Provenance{Offset(1), LeaderEpoch(1), 1000}));
}

TEST_F(BuilderTest, NamesThatWouldCollideInMetricsAreFoundUntilTheyAreGone) {
  CreateTopic("a.b", kTopicA);
  EXPECT_EQ(builder_.current().FindCollidingTopic("a_b"), "a.b");
  EXPECT_EQ(builder_.current().FindCollidingTopic("a.b"), "");
  EXPECT_EQ(builder_.current().FindCollidingTopic("a-b"), "");
  CreateTopic("a_b", kTopicB);  // possible within one request
  message::RemoveTopicRecord remove;
  remove.topic_id = kTopicA;
  Must(remove);
  EXPECT_EQ(builder_.current().FindCollidingTopic("a.b"), "a_b");
  remove.topic_id = kTopicB;
  Must(remove);
  EXPECT_EQ(builder_.current().FindCollidingTopic("a.b"), "");
}

TEST_F(BuilderTest, PartitionsMayComeInAnyOrder) {
  CreateTopic("a", kTopicA);
  CreatePartition(kTopicA, 300, {1});
  CreatePartition(kTopicA, 0, {1});
  EXPECT_EQ(builder_.current().FindTopic("a")->partition_count(), 301);
  EXPECT_EQ(builder_.current().FindPartition({kTopicA, 1}), nullptr);
  EXPECT_NE(builder_.current().FindPartition({kTopicA, 300}), nullptr);
  EXPECT_EQ(builder_.current().partition_count(), 2);
}

// The reason for all the structure: what a change costs does not grow with what there is.
TEST_F(BuilderTest, AChangeAmongThousandsOfTopicsCopiesAHandfulOfPieces) {
  for (uint64_t i = 0; i < 5000; ++i) {
    CreateTopic("topic-" + std::to_string(i), Uuid(7, i));
    for (int32_t p = 0; p < 3; ++p) CreatePartition(Uuid(7, i), p, {1});
  }
  CreateTopic("large", kTopicA);
  for (int32_t p = 0; p < 3000; ++p) CreatePartition(kTopicA, p, {1});
  ImagePtr before = builder_.Publish().image;

  auto change = ChangeOf(kTopicA, 1500);
  change.leader = 1;
  Must(change);
  ImagePtr after = builder_.Publish().image;
  EXPECT_LE(after->PiecesNotIn(*before), 6u);  // three or four nodes, the topic, one page of 256 partitions
  EXPECT_GE(after->PiecesNotIn(*before), 3u);
  EXPECT_EQ(before->FindPartition({kTopicA, 1500})->leader_epoch, LeaderEpoch(0));

  SetConfig("topic-17", "retention.ms", "1");
  CreateTopic("one.more", kTopicB);
  CreatePartition(kTopicB, 0, {1});
  ImagePtr later = builder_.Publish().image;
  EXPECT_LE(later->PiecesNotIn(*after), 16u);
  EXPECT_EQ(after->FindTopic("one.more"), nullptr);
}

}  // namespace
}  // namespace kb::metadata

// What is written about brokers and the partitions they lead, case by case as Apache Kafka 4.3.1 wrote it when it was
// stopped, killed and started.
#include "controller/broker_decisions.h"

#include "controller/support.h"
#include "message/feature_level_record.h"
#include "message/partition_change_record.h"
#include "message/partition_record.h"
#include "message/producer_ids_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"

namespace kb::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using metadata::LeaderRecoveryState;
using metadata::Partition;

constexpr BrokerId kSelf(1), kOther(2);
const Uuid kTopic(3, 3);

class BrokerDecisionsTest : public ::testing::Test {
 protected:
  template <typename Record>
  void Replay(const Record& record, int16_t version = Record::kMaxVersion) {
    RecordList records;
    records.Add(record, version);
    Replay(records);
  }
  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {next_, LeaderEpoch(1), 0});
      ++next_;
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
  }

  void Features(int16_t metadata_version, bool elr) {
    message::FeatureLevelRecord feature;
    feature.name = "metadata.version";
    feature.feature_level = metadata_version;
    Replay(feature);
    if (!elr) return;
    feature.name = "eligible.leader.replicas.version";
    feature.feature_level = 1;
    Replay(feature);
  }
  void Register(BrokerId id) {
    RecordList records;
    DecideRegisterBroker(image(), {.node_id = id, .directories = {Uuid(5, 5)}}, next_, records);
    Replay(records);
  }
  // A topic with one partition in this state.
  void CreatePartition(const Partition& partition) {
    message::TopicRecord topic;
    topic.name = "t";
    topic.topic_id = kTopic;
    Replay(topic);
    Arena arena;
    message::PartitionRecord record;
    record.topic_id = kTopic;
    record.partition_id = 0;
    auto ids = [&](const BrokerIds& list) {
      protocol::Array<int32_t> wire;
      wire.Reserve(arena, 1);
      for (BrokerId id : list) wire.Add(arena, id.value());
      return wire;
    };
    record.replicas = ids(partition.replicas);
    record.isr = ids(partition.isr);
    record.eligible_leader_replicas = ids(partition.eligible_leader_replicas);
    record.last_known_elr = ids(partition.last_known_elr);
    record.leader = partition.leader.value();
    record.leader_epoch = record.partition_epoch = 0;
    for (size_t i = 0; i < partition.replicas.size(); ++i) record.directories.Add(arena, Uuid(5, 5));
    Replay(record);
  }
  static Partition Led(BrokerIds replicas = {kSelf}) {
    return {.replicas = replicas, .isr = replicas, .leader = replicas.front()};
  }

  std::vector<std::string> Unfence(bool led_before) {
    RecordList records;
    DecideUnfence(image(), kSelf, led_before, records);
    Replay(records);
    return What(records);
  }
  std::vector<std::string> Shutdown() {
    RecordList records;
    DecideControlledShutdown(image(), kSelf, records);
    Replay(records);
    return What(records);
  }
  static std::vector<std::string> What(const RecordList& records) {
    std::vector<std::string> what;
    for (size_t i = 0; i < records.size(); ++i) {
      Result<metadata::RecordFrame> frame = metadata::ParseFrame(records[i]);
      std::string name(metadata::RecordTypeName(frame->type));
      what.push_back(name.substr(0, name.size() - 6) + " v" + std::to_string(frame->version));
    }
    return what;
  }
  const MetadataImage& image() const { return builder_.current(); }
  const Partition& partition() const { return *image().FindPartition({kTopic, 0}); }

  metadata::ImageBuilder builder_{std::make_shared<const MetadataImage>()};
  Offset next_{0};
};

TEST_F(BrokerDecisionsTest, StopAndStartWithEligibleLeaders) {
  Features(30, true);
  Register(kSelf);
  EXPECT_THAT(Unfence(false), ElementsAre("BrokerRegistrationChange v3", "BrokerRegistrationChange v0"));
  EXPECT_TRUE(image().IsUsable(kSelf));
  CreatePartition(Led());
  EXPECT_THAT(Shutdown(), ElementsAre("BrokerRegistrationChange v1", "PartitionChange v2"));
  EXPECT_THAT(partition().isr, IsEmpty());
  EXPECT_EQ(partition().leader, kNoBroker);
  EXPECT_EQ(partition().eligible_leader_replicas, BrokerIds{kSelf});
  EXPECT_EQ(partition().last_known_elr, BrokerIds{kSelf});
  EXPECT_FALSE(image().IsUsable(kSelf));
  RecordList fence;
  DecideFence(image(), kSelf, fence);
  Replay(fence);
  EXPECT_TRUE(image().FindBroker(kSelf)->fenced);

  Register(kSelf);
  EXPECT_THAT(Unfence(true),
              ElementsAre("BrokerRegistrationChange v3", "BrokerRegistrationChange v0", "PartitionChange v2"));
  EXPECT_EQ(partition().isr, BrokerIds{kSelf});
  EXPECT_EQ(partition().leader, kSelf);
  EXPECT_THAT(partition().eligible_leader_replicas, IsEmpty());
  EXPECT_THAT(partition().last_known_elr, IsEmpty());
  EXPECT_EQ(partition().leader_epoch, LeaderEpoch(2));
  EXPECT_EQ(partition().leader_recovery_state, LeaderRecoveryState::kRecovered);
}

TEST_F(BrokerDecisionsTest, StopAndStartWithoutEligibleLeadersKeepsTheIsr) {
  Features(21, false);
  Register(kSelf);
  EXPECT_THAT(Unfence(false), ElementsAre("BrokerRegistrationChange v0"));
  CreatePartition(Led());
  EXPECT_THAT(Shutdown(), ElementsAre("BrokerRegistrationChange v1", "PartitionChange v1"));
  EXPECT_EQ(partition().isr, BrokerIds{kSelf});
  EXPECT_EQ(partition().leader, kNoBroker);
  Register(kSelf);
  EXPECT_THAT(Unfence(true), ElementsAre("BrokerRegistrationChange v0", "PartitionChange v1"));
  EXPECT_EQ(partition().leader, kSelf);
  EXPECT_EQ(partition().leader_epoch, LeaderEpoch(2));
}

TEST_F(BrokerDecisionsTest, AStopWithoutLeadershipSaysNothingOfAShutdown) {
  Features(30, true);
  Register(kSelf);
  Unfence(false);
  EXPECT_THAT(Shutdown(), IsEmpty());
}

TEST_F(BrokerDecisionsTest, AfterAKillTheLeaderEpochIsNewAndTheIsrStays) {
  Features(30, true);
  Register(kSelf);
  Unfence(false);
  CreatePartition(Led());
  Register(kSelf);  // no stop in between
  Unfence(/*led_before=*/true);
  EXPECT_EQ(partition().leader, kSelf);
  EXPECT_EQ(partition().isr, BrokerIds{kSelf});
  EXPECT_EQ(partition().leader_epoch, LeaderEpoch(1));
}

TEST_F(BrokerDecisionsTest, WhatNobodyEverLedKeepsItsEpoch) {
  Features(20, false);
  CreatePartition(Led());
  Register(kSelf);
  Unfence(/*led_before=*/false);
  EXPECT_EQ(partition().leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(partition().partition_epoch, PartitionEpoch(0));
}

TEST_F(BrokerDecisionsTest, HalfWayThroughApacheKafkasAnswerToAKill) {
  Features(30, true);
  CreatePartition({.replicas = {kSelf}, .last_known_elr = {kSelf}});  // it had cleared the eligible leaders
  Register(kSelf);
  Unfence(true);
  EXPECT_EQ(partition().leader, kSelf);
  EXPECT_EQ(partition().isr, BrokerIds{kSelf});
  EXPECT_THAT(partition().last_known_elr, IsEmpty());
}

TEST_F(BrokerDecisionsTest, AReplicaThatFellBehindIsNotElected) {
  Features(21, false);
  CreatePartition({.replicas = {kOther, kSelf}, .isr = {kOther}});
  Register(kSelf);
  Unfence(true);
  EXPECT_EQ(partition().leader, kNoBroker);
}

TEST_F(BrokerDecisionsTest, TheLastKnownLeaderOfSeveralReplicasRecovers) {
  Features(30, true);
  CreatePartition({.replicas = {kOther, kSelf}, .last_known_elr = {kSelf}});
  Register(kSelf);
  Unfence(true);
  EXPECT_EQ(partition().leader, kSelf);
  EXPECT_EQ(partition().leader_recovery_state, LeaderRecoveryState::kRecovering);
}

TEST_F(BrokerDecisionsTest, LeavingHandsLeadershipToAnInSyncBrokerThatIsThere) {
  Features(30, true);
  Register(kSelf);
  Unfence(false);
  Register(kOther);
  CreatePartition(Led({kSelf, kOther}));
  Shutdown();  // the other one is fenced: nobody to hand over to
  EXPECT_EQ(partition().leader, kNoBroker);
  EXPECT_EQ(partition().isr, (BrokerIds{kSelf, kOther}));
}

TEST_F(BrokerDecisionsTest, SuccessorTakesOver) {
  Features(30, true);
  Register(kSelf);
  Unfence(false);
  Register(kOther);
  RecordList unfence;
  DecideUnfence(image(), kOther, false, unfence);
  Replay(unfence);
  CreatePartition(Led({kSelf, kOther}));
  Shutdown();
  EXPECT_EQ(partition().leader, kOther);
  EXPECT_EQ(partition().isr, BrokerIds{kOther});
}

TEST_F(BrokerDecisionsTest, DirectoriesAreRecordedWhereTheyDiffer) {
  Features(30, true);
  CreatePartition(Led());
  RecordList records;
  DecideAssignDirectories(image(), kSelf, {{{kTopic, 0}, Uuid(5, 5)}, {{kTopic, 9}, Uuid(5, 6)}}, records);
  EXPECT_TRUE(records.empty());
  DecideAssignDirectories(image(), kSelf, {{{kTopic, 0}, Uuid(5, 6)}}, records);
  Replay(records);
  EXPECT_EQ(partition().DirectoryOf(kSelf), Uuid(5, 6));
  EXPECT_EQ(partition().leader_epoch, LeaderEpoch(0));
}

TEST_F(BrokerDecisionsTest, ProducerIdsComeInBlocksAndOnlyToTheRegistered) {
  Features(30, true);
  RecordList records;
  EXPECT_EQ(DecideProducerIdBlock(image(), kSelf, BrokerEpoch(0), records).error, ErrorCode::kStaleBrokerEpoch);
  Register(kSelf);
  BrokerEpoch epoch = image().FindBroker(kSelf)->epoch;
  EXPECT_EQ(DecideProducerIdBlock(image(), kSelf, epoch + 1, records).error, ErrorCode::kStaleBrokerEpoch);
  EXPECT_TRUE(records.empty());
  for (int64_t first : {0, 1000, 2000}) {
    RecordList block_records;
    ProducerIdBlock block = DecideProducerIdBlock(image(), kSelf, epoch, block_records);
    EXPECT_EQ(block.error, ErrorCode::kNone);
    EXPECT_EQ(block.first, ProducerId(first));
    EXPECT_EQ(block.count, 1000);
    Replay(block_records);
  }
  message::ProducerIdsRecord last;
  last.next_producer_id = INT64_MAX - 999;
  Replay(last);
  EXPECT_EQ(DecideProducerIdBlock(image(), kSelf, epoch, records).error, ErrorCode::kUnknownServerError);
}

TEST_F(BrokerDecisionsTest, BootstrapBelowTransactionsHasNone) {
  RecordList bootstrap;
  message::FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = 13;
  bootstrap.Add(feature);
  RecordList records;
  DecideBootstrap(bootstrap, 1, records);
  EXPECT_THAT(What(records), ElementsAre("FeatureLevel v0"));
}

}  // namespace
}  // namespace kb::controller

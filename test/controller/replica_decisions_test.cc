// Elections and reassignments: what Apache Kafka 4.3.1's controller answers, code for code. The cases of one broker
// were seen there; those of several are of images that a cluster may have left behind.
#include "controller/replica_decisions.h"

#include "controller/support.h"
#include "message/config_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"

namespace kb::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;

constexpr Uuid kTopic{7, 7};
constexpr Uuid kDirectory{5, 5};

class ReplicaDecisionsTest : public ::testing::Test {
 protected:
  ReplicaDecisionsTest() {
    RecordList records;
    AddFeatures(records);
    message::TopicRecord topic;
    topic.name = "topic";
    topic.topic_id = kTopic;
    records.Add(topic);
    Replay(records);
    Register(1);
  }

  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {Offset(next_++), LeaderEpoch(1)});
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
    builder_.Publish();
  }
  void Register(int32_t id, bool fenced = false) {
    RecordList records;
    message::RegisterBrokerRecord broker;
    broker.broker_id = id;
    broker.fenced = fenced;
    broker.log_dirs.Add(arena_, kDirectory);
    records.Add(broker, 3);
    Replay(records);
  }
  protocol::Array<int32_t> Wire(const Ids& ids) {
    protocol::Array<int32_t> wire;
    for (int32_t id : ids) wire.Add(arena_, id);
    return wire;
  }
  void Partition(const Ids& replicas, const Ids& isr, int32_t leader, const Ids& adding = {},
                 const Ids& removing = {}) {
    RecordList records;
    message::PartitionRecord partition;
    partition.topic_id = kTopic;
    partition.partition_id = partitions_++;
    partition.replicas = Wire(replicas);
    partition.isr = Wire(isr);
    partition.adding_replicas = Wire(adding);
    partition.removing_replicas = Wire(removing);
    partition.leader = leader;
    partition.leader_epoch = 0;
    for (size_t i = 0; i < replicas.size(); ++i) partition.directories.Add(arena_, kDirectory);
    records.Add(partition, 1);
    Replay(records);
  }
  const metadata::Partition& Now(int32_t index = 0) { return *builder_.current().FindPartition({kTopic, index}); }

  std::vector<int> Elect(int8_t type, std::optional<std::vector<int32_t>> partitions,
                         std::string_view topic = "topic") {
    message::ElectLeadersRequest request;
    request.election_type = type;
    request.topic_partitions = decltype(request.topic_partitions)::Null();
    if (partitions) {
      auto& one = request.topic_partitions.Add(arena_);
      one.topic = topic;
      one.partitions = Wire(*partitions);
    }
    records_ = RecordList();
    elected_ = DecideElectLeaders({builder_.current(), arena_}, request, records_);
    Replay(records_);
    std::vector<int> codes;
    for (const auto& result : elected_.replica_election_results) {
      for (const auto& partition : result.partition_result) {
        codes.push_back(partition.error_code);
        EXPECT_EQ(partition.error_message.has_value(), partition.error_code != 0);
      }
    }
    return codes;
  }
  // nullopt: cancel.
  int Reassign(std::optional<Ids> replicas, int32_t partition = 0, bool may_change_factor = true,
               std::string_view topic = "topic") {
    message::AlterPartitionReassignmentsRequest request;
    request.allow_replication_factor_change = may_change_factor;
    auto& one = request.topics.Add(arena_);
    one.name = topic;
    auto& wanted = one.partitions.Add(arena_);
    wanted.partition_index = partition;
    wanted.replicas = decltype(wanted.replicas)::Null();
    if (replicas) wanted.replicas = Wire(*replicas);
    if (replicas && replicas->empty()) wanted.replicas = decltype(wanted.replicas)();
    records_ = RecordList();
    auto answer = DecideAlterPartitionReassignments({builder_.current(), arena_}, request, records_);
    Replay(records_);
    EXPECT_EQ(answer.error_code, 0);
    const auto& result = answer.responses[0].partitions[0];
    EXPECT_EQ(result.error_message.has_value(), result.error_code != 0);
    return result.error_code;
  }
  static BrokerIds List(const Ids& ids) {
    BrokerIds list;
    for (int32_t id : ids) list.push_back(BrokerId(id));
    return list;
  }

  Arena arena_;
  metadata::ImageBuilder builder_{std::make_shared<const MetadataImage>()};
  int64_t next_ = 0;
  int32_t partitions_ = 0;
  RecordList records_;
  message::ElectLeadersResponse elected_;
};

TEST_F(ReplicaDecisionsTest, OnOneBrokerNothingIsToBeElected) {
  Partition({1}, {1}, 1);
  for (int8_t type : {0, 1}) {
    EXPECT_THAT(Elect(type, Ids{0}), ElementsAre(84));
    EXPECT_THAT(Elect(type, Ids{0, 1, -1}), ElementsAre(84, 3, 3));
    EXPECT_THAT(Elect(type, Ids{0}, "none"), ElementsAre(3));
    EXPECT_THAT(Elect(type, std::nullopt), IsEmpty());
    EXPECT_EQ(elected_.replica_election_results.size(), 1u) << "the topic is named, with nothing in it";
    EXPECT_TRUE(records_.empty());
  }
}

TEST_F(ReplicaDecisionsTest, AnUnknownKindOfElectionRefusesEverything) {
  Partition({1}, {1}, 1);
  EXPECT_THAT(Elect(2, Ids{0, 5}), ElementsAre(42, 42));
  EXPECT_EQ(elected_.error_code, 42);
  EXPECT_THAT(Elect(-1, std::nullopt), IsEmpty());
  EXPECT_EQ(elected_.error_code, 42);
}

TEST_F(ReplicaDecisionsTest, ThePreferredReplicaIsElectedWhereItIsInSync) {
  Register(2);
  Partition({1, 2}, {2, 1}, 2);
  Partition({1, 2}, {2}, 2);
  EXPECT_THAT(Elect(0, Ids{0, 1}), ElementsAre(0, 80));
  EXPECT_EQ(Now(0).leader, BrokerId(1));
  EXPECT_EQ(Now(1).leader, BrokerId(2));
  EXPECT_THAT(Elect(0, Ids{0}), ElementsAre(84));
}

TEST_F(ReplicaDecisionsTest, AnUncleanElectionTakesWhoIsThere) {
  Register(2, /*fenced=*/true);
  Partition({2, 1}, {2}, -1);
  Partition({2}, {2}, -1);
  EXPECT_THAT(Elect(1, Ids{0, 1, 0}), ElementsAre(0, 83, 0));
  EXPECT_EQ(Now(0).leader, BrokerId(1));
  EXPECT_EQ(Now(0).isr, List({1}));
  EXPECT_EQ(Now(0).leader_recovery_state, metadata::LeaderRecoveryState::kRecovering);
  EXPECT_EQ(Now(1).leader, kNoBroker);
}

TEST_F(ReplicaDecisionsTest, WhatIsAssignedAlreadyStaysAndWhatCannotBeIsRefused) {
  Partition({1}, {1}, 1);
  EXPECT_EQ(Reassign(Ids{1}), 0);
  EXPECT_TRUE(records_.empty());
  EXPECT_EQ(Reassign(Ids{2}), 39);
  EXPECT_EQ(Reassign(Ids{1, 2}), 39);
  EXPECT_EQ(Reassign(Ids{1, 1}), 39);
  EXPECT_EQ(Reassign(Ids{}), 39);
  EXPECT_EQ(Reassign(std::nullopt), 85);
  EXPECT_EQ(Reassign(Ids{1}, 9), 3);
  EXPECT_EQ(Reassign(Ids{1}, 0, true, "none"), 3);
  EXPECT_TRUE(records_.empty());
}

TEST_F(ReplicaDecisionsTest, AReplicaThatComesIsWaitedForAndCanBeCalledOff) {
  Register(2);
  Partition({1}, {1}, 1);
  EXPECT_EQ(Reassign(Ids{2}, 0, /*may_change_factor=*/false), 0);
  EXPECT_EQ(Now().replicas, List({2, 1}));
  EXPECT_EQ(Now().adding_replicas, List({2}));
  EXPECT_EQ(Now().removing_replicas, List({1}));
  EXPECT_EQ(Now().leader, BrokerId(1));
  EXPECT_EQ(Reassign(std::nullopt), 0);
  EXPECT_EQ(Now().replicas, List({1}));
  EXPECT_THAT(Now().adding_replicas, IsEmpty());
  EXPECT_THAT(Now().removing_replicas, IsEmpty());
  EXPECT_GT(Now().leader_epoch, LeaderEpoch(0)) << "who came must not go on as a replica";
  EXPECT_EQ(Reassign(Ids{1, 2}, 0, /*may_change_factor=*/false), 38);
}

TEST_F(ReplicaDecisionsTest, AReplicaThatGoesGoesAtOnce) {
  Register(2);
  Partition({1, 2}, {1, 2}, 2);
  EXPECT_EQ(Reassign(Ids{1}), 0);
  EXPECT_EQ(Now().replicas, List({1}));
  EXPECT_EQ(Now().isr, List({1}));
  EXPECT_EQ(Now().leader, BrokerId(1));
  EXPECT_THAT(Now().removing_replicas, IsEmpty());
}

TEST_F(ReplicaDecisionsTest, OnlyTheOrderOfReplicasChanges) {
  Register(2);
  Partition({1, 2}, {1, 2}, 1);
  EXPECT_EQ(Reassign(Ids{2, 1}), 0);
  EXPECT_EQ(Now().replicas, List({2, 1}));
  EXPECT_EQ(Now().leader, BrokerId(1));
}

TEST_F(ReplicaDecisionsTest, TakingBackWhatOnlyNewReplicasHaveNeedsAnUncleanElection) {
  Register(2);
  Partition({1, 2}, {2}, 2, /*adding=*/{2});
  EXPECT_EQ(Reassign(std::nullopt), 39);
  EXPECT_TRUE(records_.empty());
  RecordList records;
  message::ConfigRecord config;
  config.resource_type = 2;
  config.resource_name = "topic";
  config.name = "unclean.leader.election.enable";
  config.value = "true";
  records.Add(config);
  Replay(records);
  EXPECT_EQ(Reassign(std::nullopt), 0);
  EXPECT_EQ(Now().replicas, List({1}));
  EXPECT_EQ(Now().leader, BrokerId(1));
  EXPECT_EQ(Now().isr, List({1}));
}

}  // namespace
}  // namespace kb::controller

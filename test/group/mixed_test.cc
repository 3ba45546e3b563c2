// Groups that are moved from the classic protocol to the consumer protocol and back, member by member.
#include "group/mixed_fixture.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ── Upgrade: when ──────────────────────────────────────────────────────────────────────────────────────────────────

class UpgradeRefusedTest : public MixedTest {
 protected:
  void ExpectRefused(const std::string& because) {
    const ConsumerGroupHeartbeatResponse refused = Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"})));
    EXPECT_EQ(refused.error, ErrorCode::kGroupIdNotFound);
    EXPECT_EQ(refused.error_message.value_or(""),
              "Cannot upgrade classic group g to consumer group because " + because + ".");
    EXPECT_FALSE(IsConsumerGroup());
    EXPECT_EQ(State(), "Stable");
    SameAfterReplay();
  }
  // A group of one member with this metadata and this assignment.
  void Group1(std::string metadata, std::string assignment, std::string type = "consumer") {
    JoinGroupRequest request = JoinRequest();
    request.version = 3;
    request.protocol_type = type;
    request.protocols = {{"range", std::move(metadata)}};
    Ticket join = Join(request);
    Pass(1);
    SyncGroupRequest sync = SyncRequest(Joined(join).member_id, 1, {{Joined(join).member_id, std::move(assignment)}});
    sync.protocol_type = type;
    EXPECT_EQ(Synced(Sync(std::move(sync))).error, ErrorCode::kNone);
  }
  const std::string kMalformed = "the embedded consumer protocol is malformed";
};

TEST_F(UpgradeRefusedTest, WhereThePolicyForbidsIt) {
  using Policy = GroupConfig::MigrationPolicy;
  for (Policy policy : {Policy::kDisabled, Policy::kDowngrade}) {
    config_.group_consumer_migration_policy = policy;
    Restart();
    if (log_.empty()) ClassicGroup(1);
    ExpectRefused("online upgrade is disabled");
  }
}

TEST_F(UpgradeRefusedTest, OfAGroupThatIsNotOneOfConsumers) {
  Group1(Metadata({"t"}), Assigned({0}), "connect");
  ExpectRefused("the group does not use the consumer embedded protocol");
}

TEST_F(UpgradeRefusedTest, OfAGroupThatIsTooLarge) {
  config_.group_consumer_max_size = 1;
  Restart();
  ClassicGroup(2);
  ExpectRefused("the group size exceeds the consumer group maximum size");
}

TEST_F(UpgradeRefusedTest, OfMembersThatNobodyCanRead) {
  Group1("metadata", Assigned({0}));
  ExpectRefused(kMalformed);
}

TEST_F(UpgradeRefusedTest, OfMetadataThatIsCutShort) {
  Group1(Metadata({"t"}).substr(0, 5), Assigned({0}));
  ExpectRefused(kMalformed);
}

TEST_F(UpgradeRefusedTest, OfAssignmentsThatNobodyCanRead) {
  Group1(Metadata({"t"}), "x");
  ExpectRefused(kMalformed);
}

TEST_F(UpgradeRefusedTest, OfACustomAssignorsUserData) {
  Group1(Metadata({"t"}), AssignedWithUserData());
  ExpectRefused(
      "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor "
      "before re-attempting the upgrade");
}

TEST_F(MixedTest, AGroupThatIsFullIsNotUpgradedForOneMore) {
  config_.group_consumer_max_size = 2;
  Restart();
  ClassicGroup(2);
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(MixedTest, OnlyAJoinUpgrades) {
  ClassicGroup(1);
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new", .epoch = 1}))).error, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new", .epoch = -1}))).error, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(State(), "Stable");
}

// ── Upgrade: what becomes of it ────────────────────────────────────────────────────────────────────────────────────

TEST_F(MixedTest, MembersKeepWhatTheyWereAssigned) {
  std::vector<Client> clients = ClassicGroup(2);
  Client consumer = NewConsumer("new");
  EXPECT_EQ(consumer.epoch, clients[0].epoch + 1);
  EXPECT_THAT(consumer.owned, IsEmpty());
  ConsumerGroupDescribeResponse::Group group = DescribeConsumer();
  EXPECT_EQ(group.group_epoch, clients[0].epoch + 1);
  EXPECT_EQ(group.assignment_epoch, clients[0].epoch + 1);
  ASSERT_THAT(group.members, SizeIs(3));
  for (const auto& member : group.members) {
    EXPECT_EQ(member.is_classic, member.member_id != "new");
    EXPECT_THAT(member.subscribed_topic_names, ElementsAre("t"));
    if (!member.is_classic) continue;
    const Client& client = member.member_id == clients[0].id ? clients[0] : clients[1];
    EXPECT_EQ(member.member_epoch, client.epoch);
    EXPECT_EQ(member.client_host, "/127.0.0.1");
    ASSERT_THAT(member.assignment, SizeIs(1));
    EXPECT_EQ(member.assignment[0].partitions, client.owned);
  }
  EXPECT_EQ(Describe().error, ErrorCode::kGroupIdNotFound);
  SameAfterReplay();
}

TEST_F(MixedTest, TheLogIsToldInTheOrderOfApacheKafka) {
  ClassicGroup(1);
  const size_t first = log_.size();
  NewConsumer("new");
  std::vector<std::string> kinds;
  for (size_t i = first; i < log_.size(); ++i) {
    kinds.push_back(std::to_string(static_cast<int>(log_[i].record.key[1])) +
                    (log_[i].record.value.has_value() ? "" : "-"));
  }
  // The classic group goes; its member comes: subscription, epoch, target, when assigned, has. Then the new member.
  EXPECT_THAT(kinds, ElementsAre("2-", "5", "3", "7", "6", "8", "5", "3", "7", "7", "6", "8"));
}

TEST_F(MixedTest, EveryVersionOfTheEmbeddedProtocolIsRead) {
  std::vector<Client> clients(4);
  std::vector<Ticket> joins;
  for (int16_t version = 0; version <= 3; ++version) {
    JoinGroupRequest request = JoinRequest();
    request.version = 3;
    request.protocols = {{"range", Metadata({"t"}, {}, version, version == 3 ? "rack" : "")}};
    joins.push_back(Join(request));
  }
  Pass(1);
  std::vector<MemberAssignment> assignments;
  for (size_t i = 0; i < 4; ++i) {
    clients[i].id = Joined(joins[i]).member_id;
    clients[i].epoch = 1;
    clients[i].owned = {static_cast<int32_t>(i)};
    assignments.push_back({clients[i].id, Assigned(clients[i].owned, static_cast<int16_t>(i))});
  }
  for (const Client& client : clients) SyncAs(client, assignments);
  NewConsumer("new");
  for (const auto& member : DescribeConsumer().members) {
    if (member.member_id == "new") continue;
    for (size_t i = 0; i < 4; ++i) {
      if (clients[i].id != member.member_id) continue;
      EXPECT_EQ(member.rack_id, i == 3 ? std::optional<std::string>("rack") : std::nullopt);
      ASSERT_THAT(member.assignment, SizeIs(1));
      EXPECT_EQ(member.assignment[0].partitions, clients[i].owned);
    }
  }
  // And each is answered in the version that it speaks.
  for (size_t i = 0; i < 4; ++i) {
    JoinGroupRequest request = JoinRequest(clients[i].id);
    request.protocols = {{"range", Metadata({"t"}, clients[i].owned, static_cast<int16_t>(i))}};
    clients[i].epoch = Joined(Join(request)).generation_id;
    const std::string& assignment = Synced(SyncAs(clients[i])).assignment;
    EXPECT_EQ(assignment, Assigned(PartitionsIn(assignment), static_cast<int16_t>(i)));
  }
}

TEST_F(MixedTest, WhoWaitsForARebalanceIsToldToComeAgain) {
  std::vector<Client> clients = ClassicGroup(2);
  Ticket join = Join(ClassicJoin(clients[0]));  // the leader: the group rebalances
  EXPECT_FALSE(Answered(join));
  NewConsumer("new");
  EXPECT_EQ(Joined(join).error, ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(Joined(join).member_id, clients[0].id);
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
}

TEST_F(MixedTest, WhoWaitsForItsAssignmentIsToldToComeAgain) {
  std::vector<Client> clients = ClassicGroup(2);
  Ticket first = Join(ClassicJoin(clients[0]));
  Ticket second = Join(ClassicJoin(clients[1]));
  clients[0].epoch = clients[1].epoch = Joined(first).generation_id;
  const bool first_leads = Joined(second).leader == clients[0].id;
  Ticket sync = SyncAs(first_leads ? clients[1] : clients[0]);
  EXPECT_FALSE(Answered(sync));
  NewConsumer("new");
  EXPECT_EQ(Synced(sync).error, ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(DescribeConsumer().group_epoch, clients[0].epoch + 1);
}

// Apache Kafka has no protocol yet to read the metadata of, and answers UNKNOWN_SERVER_ERROR.
TEST_F(MixedTest, AGroupThatCollectsItsFirstMembersIsUpgraded) {
  config_.group_initial_rebalance_delay_ms = 3'000;
  Restart();
  Client classic;
  classic.id = NewMember(ClassicJoin(classic));
  Ticket join = Join(ClassicJoin(classic));
  Client consumer = NewConsumer("new");
  EXPECT_EQ(Joined(join).error, ErrorCode::kRebalanceInProgress);
  clients_ = {&classic, &consumer};
  Settle();
  EXPECT_TRUE(IsConsumerGroup());
  SameAfterReplay();
}

TEST_F(MixedTest, WhatAnInterruptedRebalanceForgotIsStillOwned) {
  std::vector<Client> clients = ClassicGroup(2);
  Ticket first = Join(ClassicJoin(clients[0]));
  Ticket second = Join(ClassicJoin(clients[1]));
  EXPECT_TRUE(Answered(first) && Answered(second));
  Client third;
  third.id = NewMember(ClassicJoin(third));
  Join(ClassicJoin(third));
  EXPECT_EQ(State(), "PreparingRebalance");
  Client consumer = NewConsumer("new");
  EXPECT_THAT(consumer.owned, IsEmpty());
  for (const auto& member : DescribeConsumer().members) {
    for (const Client& client : clients) {
      if (client.id != member.member_id) continue;
      ASSERT_THAT(member.assignment, SizeIs(1));
      EXPECT_EQ(member.assignment[0].partitions, client.owned);
    }
  }
}

TEST_F(MixedTest, OffsetsStay) {
  std::vector<Client> clients = ClassicGroup(1);
  EXPECT_EQ(Commit(clients[0].id, clients[0].epoch, 42), ErrorCode::kNone);
  Client consumer = NewConsumer("new");
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 42);
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 42);
  SameAfterReplay();
}

// ── The clients here ──

// Static members have no id before their first answer.
TEST_F(MixedTest, WhoHasNoIdYetHearsItsOwnAnswer) {
  config_.group_initial_rebalance_delay_ms = 3'000;
  Restart();
  Client a{.instance = "a"};
  Client b{.instance = "b"};
  Turn(a);
  Turn(b);
  EXPECT_TRUE(a.id.empty() && b.id.empty());
  Pass(6'000);
  Turn(b);
  Turn(a);
  EXPECT_EQ(a.id.substr(0, 2), "a-");
  EXPECT_EQ(b.id.substr(0, 2), "b-");
}

// ── There and back ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(MixedTest, ARollingUpgradeOfThreeMembersAndBack) {
  std::vector<Client> clients = ClassicGroup(3);
  Watch(clients);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(LeaveOne(clients[i].id), ErrorCode::kNone);
    clients[i] = {.id = "consumer" + std::to_string(i), .classic = false};
    Settle();
    EXPECT_TRUE(IsConsumerGroup());
    EXPECT_EQ(DescribeConsumer().group_state, "Stable");
    for (const Client& client : clients) EXPECT_THAT(client.owned, SizeIs(2));
    SameAfterReplay();
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ConsumerLeaves(clients[i]), ErrorCode::kNone);
    clients[i] = {};
    Settle();
    EXPECT_EQ(IsConsumerGroup(), i < 2);
    for (const Client& client : clients) EXPECT_THAT(client.owned, SizeIs(2));
    SameAfterReplay();
  }
  EXPECT_EQ(State(), "Stable");
}

TEST_F(MixedTest, ARestartChangesNothingOnTheWay) {
  std::vector<Client> clients = ClassicGroup(3);
  Watch(clients);
  for (size_t i = 0; i < 3; ++i) {
    LeaveOne(clients[i].id);
    clients[i] = {.id = "consumer" + std::to_string(i), .classic = false};
    Turn(clients[i]);
    Restart();
    Settle();
    Restart();
    for (Client& client : clients) EXPECT_FALSE(Turn(client)) << client.id;
  }
  for (size_t i = 0; i < 3; ++i) {
    ConsumerLeaves(clients[i]);
    Restart();
    clients[i] = {};
    Settle();
  }
  EXPECT_EQ(State(), "Stable");
}

TEST_F(MixedTest, ADowngradedGroupRebalancesFromItsEpoch) {
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  const int32_t epoch = DescribeConsumer().group_epoch;
  const size_t first = log_.size();
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kNone);
  EXPECT_EQ(State(), "PreparingRebalance");
  std::vector<std::string> kinds;
  for (size_t i = first; i < log_.size(); ++i) {
    kinds.push_back(std::to_string(static_cast<int>(log_[i].record.key[1])) +
                    (log_[i].record.value.has_value() ? "" : "-"));
  }
  EXPECT_THAT(kinds, ElementsAre("8-", "8-", "8-", "7-", "7-", "7-", "6-", "5-", "5-", "5-", "4-", "3-", "2"));
  SameAfterReplay();
  for (const auto& member : Describe().members) {
    for (const Client& client : clients) {
      if (client.id != member.member_id) continue;
      EXPECT_EQ(PartitionsIn(member.assignment), client.owned);
    }
  }
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  clients_.pop_back();
  Settle();
  EXPECT_EQ(clients[0].epoch, epoch + 1);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(MixedTest, WherePolicyOrSizeForbidTheDowngradeItStaysAConsumerGroup) {
  config_.group_consumer_migration_policy = GroupConfig::MigrationPolicy::kUpgrade;
  Restart();
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  Client consumer = NewConsumer("new");
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kNone);
  EXPECT_TRUE(IsConsumerGroup());
  Settle();
  SameAfterReplay();
  config_.group_consumer_migration_policy = GroupConfig::MigrationPolicy::kBidirectional;
  config_.group_max_size = 1;
  Restart();
  consumer = NewConsumer("new");
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kNone);
  EXPECT_TRUE(IsConsumerGroup());
  // It is made up for as soon as somebody goes.
  EXPECT_EQ(LeaveOne(clients[1].id), ErrorCode::kNone);
  EXPECT_FALSE(IsConsumerGroup());
}

TEST_F(MixedTest, TheLastMemberLeavesAnEmptyConsumerGroup) {
  std::vector<Client> clients = ClassicGroup(1);
  Client consumer = NewConsumer("new");
  const LeaveGroupResponse& left =
      Answer<LeaveGroupResponse>(Leave({{clients[0].id, std::nullopt}, {consumer.id, std::nullopt}}));
  for (const auto& member : left.members) EXPECT_EQ(member.error, ErrorCode::kNone);
  EXPECT_EQ(DescribeConsumer().group_state, "Empty");
  SameAfterReplay();
}

TEST_F(MixedTest, AConsumerThatIsFencedLeavesAClassicGroupBehind) {
  std::vector<Client> clients = ClassicGroup(1);
  NewConsumer("new");
  clients_ = {&clients[0]};
  for (int i = 0; i < 46 && IsConsumerGroup(); ++i) {
    Pass(1'000);
    Turn(clients[0]);
  }
  EXPECT_FALSE(IsConsumerGroup());
  Settle();
  EXPECT_EQ(State(), "Stable");
  SameAfterReplay();
}

// ── Static members ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(MixedTest, AStaticMemberTakesItsPlaceWithTheOtherProtocol) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  Client consumer{.id = "new", .classic = false, .instance = "a"};
  const ConsumerGroupHeartbeatResponse joined = Beaten(ConsumerBeat(ConsumerBeatRequest(consumer)));
  EXPECT_EQ(joined.error, ErrorCode::kNone);
  // Nothing has changed but who is who: no epoch, no rebalance.
  EXPECT_EQ(joined.member_epoch, clients[0].epoch);
  ASSERT_TRUE(joined.assignment.has_value());
  auto partitions = joined.assignment->partitions_of(topics_.IdOf("t"));
  EXPECT_EQ(std::vector<int32_t>(partitions.begin(), partitions.end()), clients[0].owned);
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(BeatAs(clients[1]), ErrorCode::kNone);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(2));
  SameAfterReplay();
}

// Apache Kafka leaves them with nobody until the next change.
TEST_F(MixedTest, AnUpgradeByAStaticMemberInARebalanceLeavesNoPartitionOut) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  Watch(clients);
  Ticket first = Join(ClassicJoin({.id = clients[0].id, .instance = "a"}));
  Ticket second = Join(ClassicJoin({.id = clients[1].id, .instance = "b"}));
  EXPECT_TRUE(Answered(first) && Answered(second));
  Client third;
  third.id = NewMember(ClassicJoin(third));
  Join(ClassicJoin(third));
  EXPECT_EQ(State(), "PreparingRebalance");  // and what was assigned is forgotten
  clients[0] = NewConsumer("new", "a");
  clients[1] = Client{.id = clients[1].id, .instance = "b", .epoch = clients[1].epoch};
  clients_.push_back(&third);
  Settle();
  EXPECT_TRUE(IsConsumerGroup());
  SameAfterReplay();
}

TEST_F(MixedTest, AStaticMemberThatComesBackClassicMakesTheGroupClassicAgain) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  Client consumer = NewConsumer("new", "a");
  const std::vector<int32_t> owned = consumer.owned;
  Client back{.instance = "a"};
  const JoinGroupResponse joined = Joined(Join(ClassicJoin(back)));
  EXPECT_EQ(joined.error, ErrorCode::kNone);
  EXPECT_EQ(joined.generation_id, consumer.epoch);
  EXPECT_EQ(joined.protocol_name, "range");
  EXPECT_EQ(joined.leader, "");
  EXPECT_THAT(joined.members, IsEmpty());
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(State(), "Stable");
  back.id = joined.member_id;
  back.epoch = joined.generation_id;
  EXPECT_EQ(PartitionsIn(Synced(SyncAs(back)).assignment), owned);
  EXPECT_EQ(BeatAs(back), ErrorCode::kNone);
  EXPECT_EQ(BeatAs(clients[1]), ErrorCode::kNone);
  SameAfterReplay();
}

TEST_F(MixedTest, AStaticMemberThatComesBackWithOtherTopicsMakesTheClassicGroupRebalance) {
  topics_.Create("u", 1);
  Restart();
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  Client consumer = NewConsumer("new", "a");
  JoinGroupRequest request = ClassicJoin({.instance = "a"});
  request.protocols = {{"range", Metadata({"t", "u"})}};
  const JoinGroupResponse joined = Joined(Join(request));
  EXPECT_EQ(joined.error, ErrorCode::kNone);
  EXPECT_EQ(joined.generation_id, 0);  // it has none: its SyncGroup will be told so
  EXPECT_EQ(State(), "PreparingRebalance");
  SameAfterReplay();
  EXPECT_EQ(Synced(SyncAs({.id = joined.member_id, .instance = "a"})).error, ErrorCode::kIllegalGeneration);
  Client back{.id = joined.member_id, .instance = "a"};
  Ticket again = Join(ClassicJoin(back));
  Ticket other = Join(ClassicJoin(clients[1]));
  EXPECT_EQ(Joined(again).generation_id, consumer.epoch + 1);
  EXPECT_EQ(Joined(other).generation_id, consumer.epoch + 1);
}

TEST_F(MixedTest, AStaticConsumerThatIsNotTheLastIsReplacedInTheConsumerGroup) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  NewConsumer("new-a", "a");
  NewConsumer("new-b", "b");
  const JoinGroupResponse joined = Joined(Join(ClassicJoin({.instance = "a"})));
  EXPECT_EQ(joined.error, ErrorCode::kNone);
  EXPECT_TRUE(IsConsumerGroup());
  EXPECT_EQ(
      PartitionsIn(Synced(SyncAs({.id = joined.member_id, .instance = "a", .epoch = joined.generation_id})).assignment),
      clients[0].owned);
  SameAfterReplay();
}

TEST_F(MixedTest, AStaticClassicMemberIsReplacedByAClassicOne) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  NewConsumer("new-b", "b");
  const JoinGroupResponse joined = Joined(Join(ClassicJoin({.instance = "a"})));
  EXPECT_EQ(joined.error, ErrorCode::kNone);
  EXPECT_NE(joined.member_id, clients[0].id);
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kFencedInstanceId);
  Client back{.id = joined.member_id, .instance = "a", .epoch = joined.generation_id};
  EXPECT_EQ(BeatAs(back), ErrorCode::kNone);
  EXPECT_TRUE(IsConsumerGroup());
  SameAfterReplay();
}

}  // namespace
}  // namespace kb::group

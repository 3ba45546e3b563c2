// Groups that are moved from the classic protocol to the consumer protocol and back, member by member.
//
// The classic members here are what the Java client is with its cooperative assignor: they rejoin when a heartbeat
// tells them to, say what they own, give up what is not assigned to them any more, and then rejoin once more.
#include <algorithm>
#include <numeric>

#include "base/arena.h"
#include "group/consumer_protocol.h"
#include "group/shard_fixture.h"
#include "message/consumer_protocol_assignment.h"
#include "message/consumer_protocol_subscription.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int32_t kPartitions = 6;  // of topic "t"
constexpr int64_t kSessionMs = 10'000;

std::string Metadata(std::vector<std::string> topics, std::vector<int32_t> owned = {}, int16_t version = 3,
                     std::string rack = {}) {
  Arena arena;
  message::ConsumerProtocolSubscription subscription;
  for (const std::string& topic : topics) subscription.topics.Add(arena) = topic;
  if (!owned.empty()) {
    auto& of_topic = subscription.owned_partitions.Add(arena);
    of_topic.topic = "t";
    for (int32_t partition : owned) of_topic.partitions.Add(arena) = partition;
  }
  if (!rack.empty()) subscription.rack_id = rack;
  return std::string(AsText(*protocol::EncodeVersioned(arena, subscription, version)));
}

std::string Assigned(std::vector<int32_t> partitions, int16_t version = 3) {
  return EncodeAssignment({{"t", std::move(partitions)}}, version);
}

std::string AssignedWithUserData() {
  Arena arena;
  message::ConsumerProtocolAssignment assignment;
  assignment.user_data = AsBytes(std::string_view("custom"));
  return std::string(AsText(*protocol::EncodeVersioned(arena, assignment, 1)));
}

std::vector<int32_t> PartitionsIn(const std::string& assignment) {
  auto parsed = ParseAssignment(assignment);
  EXPECT_TRUE(parsed.has_value());
  if (!parsed.has_value() || parsed->partitions.empty()) return {};
  EXPECT_EQ(parsed->partitions.size(), 1u);
  EXPECT_EQ(parsed->partitions[0].topic, "t");
  return parsed->partitions[0].partitions;
}

// A consumer of either protocol.
struct Client {
  std::string id;
  bool classic = true;
  std::optional<std::string> instance;
  int32_t epoch = 0;  // or generation
  std::vector<int32_t> owned;
  int64_t seen_ms = 0;  // when it last heard from the broker
};

class MixedTest : public ShardFixture {
 protected:
  MixedTest() {
    topics_.Create("t", kPartitions);
    topics_.settings.assignment_interval_ms = 0;
    config_.group_initial_rebalance_delay_ms = 0;
    Restart();
  }

  // ── Classic members ──
  JoinGroupRequest ClassicJoin(const Client& client) const {
    JoinGroupRequest request = JoinRequest(client.id);
    request.group_instance_id = client.instance;
    request.protocols = {{"range", Metadata({"t"}, client.owned)}};
    return request;
  }
  // A stable classic group; the partitions are dealt out in turn.
  std::vector<Client> ClassicGroup(size_t size, std::vector<std::optional<std::string>> instances = {}) {
    std::vector<Client> clients(size);
    std::vector<Ticket> joins;
    for (size_t i = 0; i < size; ++i) {
      if (i < instances.size()) clients[i].instance = instances[i];
      if (!clients[i].instance.has_value()) clients[i].id = NewMember(ClassicJoin(clients[i]));
      joins.push_back(Join(ClassicJoin(clients[i])));
      if (i == 0) Pass(1);
    }
    for (int i = 0; i < 3; ++i) {  // those who had been answered before the others came
      for (size_t c = 0; c < size; ++c) {
        if (!Answered(joins[c])) continue;
        clients[c].id = Joined(joins[c]).member_id;
        if (Heartbeat(clients[c].id, Joined(joins[c]).generation_id, clients[c].instance) !=
            ErrorCode::kRebalanceInProgress) {
          continue;
        }
        joins[c] = Join(ClassicJoin(clients[c]));
      }
    }
    std::vector<MemberAssignment> assignments;
    const std::string leader = Joined(joins[0]).leader;
    for (size_t c = 0; c < size; ++c) {
      clients[c].id = Joined(joins[c]).member_id;
      clients[c].epoch = Joined(joins[c]).generation_id;
      for (int32_t p = static_cast<int32_t>(c); p < kPartitions; p += static_cast<int32_t>(size)) {
        clients[c].owned.push_back(p);
      }
      assignments.push_back({clients[c].id, Assigned(clients[c].owned)});
    }
    for (Client& client : clients) {
      Ticket sync = SyncAs(client, client.id == leader ? assignments : std::vector<MemberAssignment>());
      (void)sync;
    }
    EXPECT_EQ(State(), "Stable");
    return clients;
  }
  Ticket SyncAs(const Client& client, std::vector<MemberAssignment> assignments = {}) {
    SyncGroupRequest request = SyncRequest(client.id, client.epoch, std::move(assignments));
    request.group_instance_id = client.instance;
    return Sync(std::move(request));
  }
  ErrorCode BeatAs(const Client& client) { return Heartbeat(client.id, client.epoch, client.instance); }

  // One heartbeat of a classic member and what follows from it. Whether anything did.
  bool ClassicTurn(Client& client) {
    ErrorCode error = BeatAs(client);
    if (error == ErrorCode::kNone) return false;
    if (error == ErrorCode::kUnknownMemberId || error == ErrorCode::kFencedInstanceId) {
      client.owned.clear();
      client.id.clear();
    } else if (error == ErrorCode::kIllegalGeneration) {
      client.owned.clear();
    } else {
      EXPECT_EQ(error, ErrorCode::kRebalanceInProgress);
    }
    return Rejoin(client);
  }
  bool Rejoin(Client& client) {
    Ticket join = Join(ClassicJoin(client));
    if (Answered(join) && Joined(join).error == ErrorCode::kMemberIdRequired) {
      client.id = Joined(join).member_id;
      join = Join(ClassicJoin(client));
    }
    joins_[client.id] = join;
    return FinishJoin(client);
  }
  // False while a classic group waits for its other members.
  bool FinishJoin(Client& client) {
    Ticket join = joins_[client.id];
    if (!Answered(join)) return false;
    joins_.erase(client.id);
    const JoinGroupResponse joined = Joined(join);
    if (joined.error != ErrorCode::kNone) return true;
    client.id = joined.member_id;
    client.epoch = joined.generation_id;
    std::vector<MemberAssignment> assignments;
    if (joined.leader == client.id) assignments = Deal(joined.members);
    syncs_[client.id] = SyncAs(client, assignments);
    return FinishSync(client);
  }
  bool FinishSync(Client& client) {
    Ticket sync = syncs_[client.id];
    if (!Answered(sync)) return false;
    syncs_.erase(client.id);
    if (Synced(sync).error != ErrorCode::kNone) return true;
    std::vector<int32_t> assigned = PartitionsIn(Synced(sync).assignment);
    const bool gives_up = std::any_of(client.owned.begin(), client.owned.end(), [&](int32_t p) {
      return std::find(assigned.begin(), assigned.end(), p) == assigned.end();
    });
    client.owned = assigned;
    NobodySharesAPartition();
    if (gives_up) Rejoin(client);
    return true;
  }
  // The leader's part: what somebody owns stays there.
  static std::vector<MemberAssignment> Deal(const std::vector<JoinGroupResponse::Member>& members) {
    std::vector<std::vector<int32_t>> of(members.size());
    std::vector<bool> taken(kPartitions);
    const size_t most = (kPartitions + members.size() - 1) / members.size();
    for (size_t i = 0; i < members.size(); ++i) {
      auto subscription = ParseSubscription(members[i].metadata);
      if (!subscription.has_value() || subscription->owned.empty()) continue;
      for (int32_t p : subscription->owned[0].partitions) {
        if (of[i].size() < most && !taken[static_cast<size_t>(p)]) {
          of[i].push_back(p);
          taken[static_cast<size_t>(p)] = true;
        } else {
          taken[static_cast<size_t>(p)] = true;  // given up now, dealt out by the rebalance that follows
        }
      }
    }
    for (int32_t p = 0; p < kPartitions; ++p) {
      if (taken[static_cast<size_t>(p)]) continue;
      std::min_element(of.begin(), of.end(), [](auto& a, auto& b) { return a.size() < b.size(); })->push_back(p);
    }
    std::vector<MemberAssignment> assignments;
    for (size_t i = 0; i < members.size(); ++i) assignments.push_back({members[i].member_id, Assigned(of[i])});
    return assignments;
  }

  // ── Consumer members ──
  ConsumerGroupHeartbeatRequest ConsumerBeatRequest(const Client& client) const {
    ConsumerGroupHeartbeatRequest request;
    request.version = 1;
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "g";
    request.member_id = client.id;
    request.member_epoch = client.epoch;
    request.instance_id = client.instance;
    std::vector<PartitionId> owned;
    for (int32_t p : client.owned) owned.push_back({topics_.IdOf("t"), p});
    request.owned = owned;
    if (client.epoch != 0) return request;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names = {"t"};
    return request;
  }
  Ticket ConsumerBeat(ConsumerGroupHeartbeatRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->ConsumerGroupHeartbeat(ticket, std::move(request), now_));
    return ticket;
  }
  const ConsumerGroupHeartbeatResponse& Beaten(Ticket ticket) const {
    return Answer<ConsumerGroupHeartbeatResponse>(ticket);
  }
  // Whether anything happened.
  bool ConsumerTurn(Client& client) {
    const ConsumerGroupHeartbeatResponse answer = Beaten(ConsumerBeat(ConsumerBeatRequest(client)));
    client.seen_ms = now_.monotonic_ms;
    if (answer.error != ErrorCode::kNone) {
      client.epoch = 0;
      client.owned.clear();
      return true;
    }
    const bool is_news = client.epoch != answer.member_epoch || answer.assignment.has_value();
    client.epoch = answer.member_epoch;
    if (answer.assignment.has_value()) {
      auto partitions = answer.assignment->partitions_of(topics_.IdOf("t"));
      client.owned = {partitions.begin(), partitions.end()};
      NobodySharesAPartition();
    }
    return is_news;
  }
  Client NewConsumer(std::string id, std::optional<std::string> instance = std::nullopt) {
    Client client{.id = std::move(id), .classic = false, .instance = std::move(instance)};
    ConsumerTurn(client);
    return client;
  }
  ErrorCode ConsumerLeaves(const Client& client, int32_t epoch = -1) {
    ConsumerGroupHeartbeatRequest request = ConsumerBeatRequest(client);
    request.member_epoch = epoch;
    return Beaten(ConsumerBeat(std::move(request))).error;
  }

  // ── All of them ──
  bool Turn(Client& client) {
    const bool is_late = client.seen_ms != 0 && client.seen_ms + kSessionMs <= now_.monotonic_ms;
    if (is_late) {  // it knows that it may own nothing any more, and begins anew
      joins_.erase(client.id);
      syncs_.erase(client.id);
      client.owned.clear();
      client.epoch = 0;
      if (client.classic) client.id.clear();
    }
    client.seen_ms = now_.monotonic_ms;
    if (!client.classic) return ConsumerTurn(client);
    if (joins_.contains(client.id)) return FinishJoin(client);
    if (syncs_.contains(client.id)) return FinishSync(client);
    return ClassicTurn(client);
  }
  // Until nobody has anything to do: then all that is there has an owner.
  void Settle() {
    bool busy = true;
    for (int round = 0; busy && round < 60; ++round) {
      busy = false;
      for (Client* client : clients_) busy |= Turn(*client);
      Pass(1'000);
      busy |= !joins_.empty() || !syncs_.empty();
    }
    EXPECT_FALSE(busy) << "does not settle";
    std::vector<int32_t> all;
    for (Client* client : clients_) all.insert(all.end(), client->owned.begin(), client->owned.end());
    std::sort(all.begin(), all.end());
    std::vector<int32_t> expected(kPartitions);
    std::iota(expected.begin(), expected.end(), 0);
    if (clients_.empty()) return;
    EXPECT_EQ(all, expected);
  }
  void NobodySharesAPartition() {
    std::map<int32_t, std::string> owners;
    for (Client* client : clients_) {
      if (client->seen_ms + kSessionMs <= now_.monotonic_ms)
        continue;  // others may have been given what it thinks it has
      for (int32_t p : client->owned) {
        bool first = owners.emplace(p, client->id).second;
        EXPECT_TRUE(first) << "t-" << p << " is owned by " << owners[p] << " and " << client->id;
      }
    }
  }
  void Watch(std::vector<Client>& clients) {
    for (Client& client : clients) {
      client.seen_ms = now_.monotonic_ms;
      clients_.push_back(&client);
    }
  }

  void SameAfterReplay() {
    GroupShard other(config_, random_, topics_);
    for (const LogEntry& entry : log_) ReplayInto(other, entry);
    auto here = ShardInspector::DurableState(*shard_)["g"];
    auto there = ShardInspector::DurableState(other)["g"];
    EXPECT_EQ(here.group, there.group);
    EXPECT_EQ(here.offsets, there.offsets);
  }
  ConsumerGroupDescribeResponse::Group DescribeConsumer() const {
    return shard_->ConsumerGroupDescribe({{"g"}}).groups.at(0);
  }
  bool IsConsumerGroup() const { return DescribeConsumer().error == ErrorCode::kNone; }

  std::vector<Client*> clients_;
  std::map<std::string, Ticket> joins_;  // that wait, by member id
  std::map<std::string, Ticket> syncs_;
};

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

// ── JoinGroup ──────────────────────────────────────────────────────────────────────────────────────────────────────

class InConsumerGroupTest : public MixedTest {
 protected:
  InConsumerGroupTest() {
    consumer_ = NewConsumer("consumer");
    clients_ = {&consumer_};
  }
  ErrorCode JoinErrorWith(const std::function<void(JoinGroupRequest&)>& change) {
    JoinGroupRequest request = ClassicJoin({});
    change(request);
    const size_t before = log_.size();
    const JoinGroupResponse joined = Joined(Join(std::move(request)));
    EXPECT_EQ(joined.generation_id, -1);
    EXPECT_EQ(log_.size(), before);
    return joined.error;
  }
  // A classic member that has its share.
  Client Settled(std::optional<std::string> instance = std::nullopt) {
    Client classic{.instance = std::move(instance)};
    clients_.push_back(&classic);
    Settle();
    clients_.pop_back();
    return classic;
  }
  Client consumer_;
};

TEST_F(InConsumerGroupTest, ADynamicMemberIsGivenItsId) {
  const JoinGroupResponse first = Joined(Join(ClassicJoin({})));
  EXPECT_EQ(first.error, ErrorCode::kMemberIdRequired);
  EXPECT_FALSE(first.member_id.empty());
  const JoinGroupResponse second = Joined(Join(ClassicJoin({.id = first.member_id})));
  EXPECT_EQ(second.error, ErrorCode::kNone);
  EXPECT_EQ(second.member_id, first.member_id);
  EXPECT_EQ(second.generation_id, consumer_.epoch + 1);
  EXPECT_EQ(second.protocol_type, "consumer");
  EXPECT_EQ(second.protocol_name, "range");
  EXPECT_EQ(second.leader, "");
  EXPECT_FALSE(second.skip_assignment);
  EXPECT_THAT(second.members, IsEmpty());
  SameAfterReplay();
}

TEST_F(InConsumerGroupTest, AnOldClientJoinsAtOnce) {
  JoinGroupRequest request = ClassicJoin({});
  request.version = 3;
  EXPECT_EQ(Joined(Join(request)).error, ErrorCode::kNone);
}

TEST_F(InConsumerGroupTest, WhoMayNotJoinIsTurnedAway) {
  EXPECT_EQ(JoinErrorWith([](auto& request) { request.protocol_type = "connect"; }),
            ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(JoinErrorWith([](auto& request) { request.protocols.clear(); }), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(JoinErrorWith([](auto& request) {
              request.member_id = "x";
              request.protocols = {{"range", "metadata"}};
            }),
            ErrorCode::kUnknownServerError);
  EXPECT_EQ(JoinErrorWith([](auto& request) {
              request.member_id = "x";
              request.group_instance_id = "nobody";
            }),
            ErrorCode::kUnknownMemberId);
  EXPECT_EQ(JoinErrorWith([](auto& request) { request.session_timeout_ms = 1; }), ErrorCode::kInvalidSessionTimeout);
  Client classic = Settled("a");
  EXPECT_EQ(JoinErrorWith([](auto& request) {
              request.member_id = "x";
              request.group_instance_id = "a";
            }),
            ErrorCode::kFencedInstanceId);
  EXPECT_EQ(JoinErrorWith([](auto& request) { request.protocols[0].name = "other"; }),
            ErrorCode::kInconsistentGroupProtocol);
}

TEST_F(InConsumerGroupTest, PolicyAndSizeAreAskedFirst) {
  config_.group_consumer_max_size = 1;
  Restart();
  EXPECT_EQ(JoinErrorWith([](auto&) {}), ErrorCode::kGroupMaxSizeReached);
  config_.group_consumer_migration_policy = GroupConfig::MigrationPolicy::kDisabled;
  Restart();
  EXPECT_EQ(JoinErrorWith([](auto&) {}), ErrorCode::kInconsistentGroupProtocol);
}

TEST_F(InConsumerGroupTest, AProtocolListedTwiceCountsOnce) {
  JoinGroupRequest request = ClassicJoin({});
  request.version = 3;
  request.protocols.push_back(request.protocols[0]);
  EXPECT_EQ(Joined(Join(request)).error, ErrorCode::kNone);
  EXPECT_EQ(Joined(Join(request)).error, ErrorCode::kNone);
}

TEST_F(InConsumerGroupTest, AMemberGivesUpBeforeItGetsAndComesInSteps) {
  Client a = Settled();
  clients_.push_back(&a);
  EXPECT_THAT(a.owned, SizeIs(3));
  Client b;
  b.id = Joined(Join(ClassicJoin({}))).member_id;
  JoinGroupResponse joined = Joined(Join(ClassicJoin(b)));
  b.epoch = joined.generation_id;
  EXPECT_THAT(PartitionsIn(Synced(SyncAs(b)).assignment), IsEmpty());
  EXPECT_EQ(BeatAs(b), ErrorCode::kNone);  // waits for others
  // a still owns all it had: it is told to give one up, keeps its generation, and is asked back.
  EXPECT_EQ(BeatAs(a), ErrorCode::kRebalanceInProgress);
  joined = Joined(Join(ClassicJoin(a)));
  EXPECT_EQ(joined.generation_id, a.epoch);
  std::vector<int32_t> kept = PartitionsIn(Synced(SyncAs(a)).assignment);
  EXPECT_THAT(kept, SizeIs(2));
  EXPECT_EQ(BeatAs(a), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(BeatAs(b), ErrorCode::kNone);
  a.owned = kept;
  joined = Joined(Join(ClassicJoin(a)));
  EXPECT_EQ(joined.generation_id, b.epoch);
  a.epoch = joined.generation_id;
  EXPECT_EQ(PartitionsIn(Synced(SyncAs(a)).assignment), kept);
  EXPECT_EQ(BeatAs(a), ErrorCode::kNone);
  // What a gave up is free now.
  clients_.push_back(&b);
  Settle();
  for (Client* client : clients_) EXPECT_THAT(client->owned, SizeIs(2));
  SameAfterReplay();
}

TEST_F(InConsumerGroupTest, ARackIsKept) {
  JoinGroupRequest request = ClassicJoin({.id = "x"});
  request.protocols[0].metadata = Metadata({"t"}, {}, 3, "rack");
  Join(request);
  request.protocols[0].metadata = Metadata({"t"});
  Join(request);
  for (const auto& member : DescribeConsumer().members) {
    if (member.member_id != "x") continue;
    EXPECT_EQ(member.rack_id, "rack");
  }
}

// ── SyncGroup, Heartbeat, LeaveGroup ───────────────────────────────────────────────────────────────────────────────

TEST_F(InConsumerGroupTest, RequestsOfAGenerationAreChecked) {
  Client a = Settled("a");
  auto both = [&](Client client, ErrorCode error) {
    EXPECT_EQ(BeatAs(client), error);
    EXPECT_EQ(Synced(SyncAs(client)).error, error);
  };
  both(a, ErrorCode::kNone);
  both({.id = "x", .epoch = a.epoch}, ErrorCode::kUnknownMemberId);
  both({.id = a.id, .instance = "x", .epoch = a.epoch}, ErrorCode::kUnknownMemberId);
  both({.id = "x", .instance = "a", .epoch = a.epoch}, ErrorCode::kFencedInstanceId);
  both({.id = a.id, .epoch = a.epoch - 1}, ErrorCode::kIllegalGeneration);
  both({.id = a.id, .epoch = a.epoch + 1}, ErrorCode::kIllegalGeneration);
  both({.id = consumer_.id, .epoch = consumer_.epoch}, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Heartbeat(a.id, a.epoch, std::nullopt), ErrorCode::kNone);
}

TEST_F(InConsumerGroupTest, ASyncNamesTheProtocolOrNone) {
  Client a = Settled();
  SyncGroupRequest request = SyncRequest(a.id, a.epoch);
  request.protocol_name = "roundrobin";
  EXPECT_EQ(Synced(Sync(request)).error, ErrorCode::kInconsistentGroupProtocol);
  request = SyncRequest(a.id, a.epoch);
  request.protocol_type = "connect";
  EXPECT_EQ(Synced(Sync(request)).error, ErrorCode::kInconsistentGroupProtocol);
  request.version = 4;
  request.protocol_type.reset();
  request.protocol_name.reset();
  const SyncGroupResponse synced = Synced(Sync(request));
  EXPECT_EQ(synced.error, ErrorCode::kNone);
  EXPECT_FALSE(synced.protocol_type.has_value());
  EXPECT_EQ(PartitionsIn(synced.assignment), a.owned);
}

TEST_F(InConsumerGroupTest, ASyncBehindANewTargetIsTooLate) {
  Client a = Settled();
  NewConsumer("another");
  EXPECT_EQ(Synced(SyncAs(a)).error, ErrorCode::kRebalanceInProgress);
}

TEST_F(InConsumerGroupTest, WhoeverIsNamedLeaves) {
  Client a = Settled("a");
  const LeaveGroupResponse left = Answer<LeaveGroupResponse>(
      Leave({{"x", std::nullopt}, {"", "nobody"}, {"x", "a"}, {"", "a"}, {a.id, "a"}, {"", std::nullopt}}));
  EXPECT_EQ(left.error, ErrorCode::kNone);
  std::vector<ErrorCode> errors;
  for (const auto& member : left.members) errors.push_back(member.error);
  EXPECT_THAT(errors,
              ElementsAre(ErrorCode::kUnknownMemberId, ErrorCode::kUnknownMemberId, ErrorCode::kFencedInstanceId,
                          ErrorCode::kNone, ErrorCode::kNone, ErrorCode::kUnknownMemberId));
  EXPECT_EQ(left.members[3].member_id, "");
  EXPECT_THAT(DescribeConsumer().members, SizeIs(1));
  Settle();
  SameAfterReplay();
}

TEST_F(InConsumerGroupTest, NobodyLeavingChangesNothing) {
  const int32_t epoch = DescribeConsumer().group_epoch;
  const size_t before = log_.size();
  EXPECT_EQ(LeaveOne("x"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(DescribeConsumer().group_epoch, epoch);
  EXPECT_EQ(log_.size(), before);
}

TEST_F(InConsumerGroupTest, OffsetsAreCommittedByGeneration) {
  Client a = Settled();
  EXPECT_EQ(Commit(a.id, a.epoch, 1), ErrorCode::kNone);
  EXPECT_EQ(Commit(a.id, a.epoch + 1, 1), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit("x", a.epoch, 1), ErrorCode::kUnknownMemberId);
  OffsetCommitRequest old = CommitRequest(a.id, a.epoch, 1);
  old.version = 8;
  EXPECT_EQ(CommitError(Commit(old)), ErrorCode::kNone);
  OffsetFetchRequest fetch{.group_id = "g", .member_id = a.id, .member_epoch = a.epoch};
  EXPECT_EQ(Answer<OffsetFetchResponse>(Fetch(fetch)).error, ErrorCode::kNone);
  fetch.member_epoch = a.epoch - 1;
  EXPECT_EQ(Answer<OffsetFetchResponse>(Fetch(fetch)).error, ErrorCode::kIllegalGeneration);
}

// ── Timers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

class MixedTimersTest : public InConsumerGroupTest {
 protected:
  // Lets time go by with heartbeats of the consumer and of those who are named.
  void PassAlive(int64_t ms, std::vector<Client*> alive = {}) {
    for (int64_t passed = 0; passed < ms; passed += 1'000) {
      Pass(1'000);
      ConsumerTurn(consumer_);
      for (Client* client : alive) BeatAs(*client);
    }
  }
  bool IsMember(const std::string& id) const {
    for (const auto& member : DescribeConsumer().members) {
      if (member.member_id == id) return true;
    }
    return false;
  }
};

TEST_F(MixedTimersTest, AClassicMembersSessionIsItsOwn) {
  Client a = Settled();
  PassAlive(9'000, {&a});
  EXPECT_EQ(BeatAs(a), ErrorCode::kNone);
  PassAlive(9'000);
  EXPECT_TRUE(IsMember(a.id));
  PassAlive(2'000);
  EXPECT_FALSE(IsMember(a.id));
  SameAfterReplay();
}

TEST_F(MixedTimersTest, SessionsGoOnAfterARestart) {
  Client a = Settled();
  Restart();
  PassAlive(9'000);
  EXPECT_TRUE(IsMember(a.id));
  PassAlive(2'000);
  EXPECT_FALSE(IsMember(a.id));
}

TEST_F(MixedTimersTest, WhoDoesNotComeToTheRebalanceIsOut) {
  Client a = Settled();
  NewConsumer("another");
  EXPECT_EQ(BeatAs(a), ErrorCode::kRebalanceInProgress);
  PassAlive(30'000, {&a});  // heartbeats do not prolong it
  EXPECT_TRUE(IsMember(a.id));
  PassAlive(31'000, {&a});
  EXPECT_FALSE(IsMember(a.id));
}

TEST_F(MixedTimersTest, WhoComesToTheRebalanceStays) {
  Client a = Settled();
  Client another = NewConsumer("another");
  clients_ = {&consumer_, &a, &another};
  Settle();
  for (int i = 0; i < 70; ++i) {
    Pass(1'000);
    for (Client* client : clients_) EXPECT_FALSE(Turn(*client));
  }
}

TEST_F(MixedTimersTest, WhoDoesNotFetchItsAssignmentIsOut) {
  Client a;
  a.id = Joined(Join(ClassicJoin({}))).member_id;
  a.epoch = Joined(Join(ClassicJoin(a))).generation_id;
  PassAlive(59'000, {&a});
  EXPECT_TRUE(IsMember(a.id));
  PassAlive(2'000, {&a});
  EXPECT_FALSE(IsMember(a.id));
}

TEST_F(MixedTimersTest, TimersOfOneProtocolDoNotHitAMemberOfTheOther) {
  Client a;
  a.id = Joined(Join(ClassicJoin({}))).member_id;
  Join(ClassicJoin(a));  // and no SyncGroup
  a = {.id = a.id, .classic = false};
  clients_ = {&consumer_, &a};
  for (int i = 0; i < 70; ++i) {
    Pass(1'000);
    for (Client* client : clients_) ConsumerTurn(*client);
  }
  EXPECT_TRUE(IsMember(a.id));
  EXPECT_NE(a.epoch, 0);
}

// ── Bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(InConsumerGroupTest, AMemberThatNoRecordCanHoldIsTurnedAway) {
  EXPECT_EQ(JoinErrorWith([](auto& request) {
              request.member_id = "x";
              request.protocols.push_back({"large", std::string(600 << 10, 'x')});
            }),
            ErrorCode::kInvalidRequest);
}

TEST_F(InConsumerGroupTest, MembersOfBothProtocolsAreCountedTogether) {
  config_.most_shard_member_bytes = ShardInspector::MemberBytes(*shard_) + 1'000;
  Restart();
  EXPECT_EQ(JoinErrorWith([](auto& request) {
              request.member_id = "x";
              request.protocols[0].metadata += std::string(2'000, 'x');
            }),
            ErrorCode::kCoordinatorLoadInProgress);
}

TEST_F(MixedTest, NothingIsCountedWhenAllHaveGone) {
  std::vector<Client> clients = ClassicGroup(2);
  const size_t classic = ShardInspector::MemberBytes(*shard_);
  Client consumer = NewConsumer("new");
  EXPECT_GT(ShardInspector::MemberBytes(*shard_), classic / 2);
  ConsumerLeaves(consumer);
  EXPECT_GT(ShardInspector::MemberBytes(*shard_), classic / 2);
  consumer = NewConsumer("newer");
  Leave({{clients[0].id, std::nullopt}, {clients[1].id, std::nullopt}, {consumer.id, std::nullopt}});
  EXPECT_EQ(ShardInspector::MemberBytes(*shard_), 0u);
}

// ── Appends that fail ──────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(MixedTest, AnUpgradeThatWasNotWrittenIsTakenBack) {
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  const int32_t generation = clients[0].epoch;
  fail_next_append_ = ErrorCode::kMessageTooLarge;
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kUnknownServerError);
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(State(), "PreparingRebalance");
  Settle();
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(clients[0].epoch, generation + 1);
  SameAfterReplay();
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  EXPECT_TRUE(IsConsumerGroup());
  SameAfterReplay();
}

TEST_F(MixedTest, ARestartAfterAnUpgradeThatWasNotWrittenFindsTheClassicGroup) {
  std::vector<Client> clients = ClassicGroup(2);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kCoordinatorNotAvailable);
  Restart();
  EXPECT_EQ(State(), "Stable");
  for (const Client& client : clients) EXPECT_EQ(BeatAs(client), ErrorCode::kNone);
}

TEST_F(MixedTest, NothingIsToldOfAnUpgradeBeforeItIsCommitted) {
  std::vector<Client> clients = ClassicGroup(2);
  hold_commits_ = true;
  Ticket beat = ConsumerBeat(ConsumerBeatRequest({.id = "new"}));
  EXPECT_FALSE(Answered(beat));
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  Ticket join = Join(ClassicJoin(clients[0]));
  EXPECT_FALSE(Answered(join));
  CommitAll();
  EXPECT_EQ(Beaten(beat).error, ErrorCode::kNone);
  EXPECT_EQ(Joined(join).error, ErrorCode::kNone);
}

TEST_F(MixedTest, ADowngradeThatWasNotWrittenIsWrittenWithTheNextRequest) {
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  clients_.pop_back();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  SameAfterReplay();
  Settle();
  EXPECT_EQ(State(), "Stable");
  SameAfterReplay();
  // The log knows nothing of the member that has gone, also when it is a consumer group again.
  consumer = NewConsumer("newer");
  EXPECT_THAT(DescribeConsumer().members, SizeIs(3));
  SameAfterReplay();
}

TEST_F(MixedTest, WhatADowngradeLeftInTheLogGoesWithTheGroup) {
  std::vector<Client> clients = ClassicGroup(1);
  Client consumer = NewConsumer("new");
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  ConsumerLeaves(consumer);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(LeaveOne(clients[0].id), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(State(), "Empty");
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  GroupShard other(config_, random_, topics_);
  for (const LogEntry& entry : log_) ReplayInto(other, entry);
  other.Loaded(now_);
  EXPECT_TRUE(ShardInspector::DurableState(other).empty());
}

TEST_F(MixedTest, AJoinThatWasNotWrittenIsWrittenWithTheNextRequest) {
  std::vector<Client> clients = ClassicGroup(1);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Joined(Join(ClassicJoin({.id = "x"}))).error, ErrorCode::kCoordinatorNotAvailable);
  Client x{.id = "x"};
  clients_.push_back(&x);
  Settle();
  SameAfterReplay();
}

TEST_F(MixedTest, ASyncWaitsForWhatWasWrittenBefore) {
  std::vector<Client> clients = ClassicGroup(1);
  NewConsumer("new");
  hold_commits_ = true;
  Ticket join = Join(ClassicJoin(clients[0]));
  EXPECT_FALSE(Answered(join));
  clients[0].epoch = DescribeConsumer().assignment_epoch;
  for (const auto& member : DescribeConsumer().members) {
    if (member.member_id == clients[0].id) clients[0].epoch = member.member_epoch;
  }
  Ticket sync = SyncAs(clients[0]);
  EXPECT_FALSE(Answered(sync));
  CommitAll();
  EXPECT_EQ(Synced(sync).error, ErrorCode::kNone);
}

// ── At random ──────────────────────────────────────────────────────────────────────────────────────────────────────

// Members of both protocols come, go, die and come back with the other one, appends fail and brokers restart; in the
// end everything has one owner and the log says what memory does.
TEST_F(MixedTest, WhateverHappensItSettles) {
  topics_.settings.session_timeout_ms = kSessionMs;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    log_.clear();
    clients_.clear();
    joins_.clear();
    syncs_.clear();
    shard_ = nullptr;
    Restart();
    std::vector<std::unique_ptr<Client>> clients;
    int last = 0;
    auto pick = [&](size_t below) { return static_cast<size_t>(random.Next() % below); };
    auto leaves = [&](Client& client) {
      if (client.classic) {
        Leave({{client.id, client.instance}});
      } else {
        ConsumerGroupHeartbeatRequest request = ConsumerBeatRequest(client);
        request.member_epoch = client.instance.has_value() ? -2 : -1;
        ConsumerBeat(std::move(request));
      }
    };
    auto newcomer = [&](Client& client) {
      joins_.erase(client.id);
      syncs_.erase(client.id);
      client.classic = pick(2) == 0;
      client.id = client.classic ? "" : "consumer" + std::to_string(++last);
      client.epoch = 0;
      client.seen_ms = 0;
      client.owned.clear();
    };
    for (int step = 0; step < 120; ++step) {
      if (pick(12) == 0) fail_next_append_ = ErrorCode::kNotEnoughReplicas;
      size_t what = pick(10);
      if ((what == 0 && clients.size() < 5) || clients.empty()) {
        clients.push_back(std::make_unique<Client>());
        if (pick(3) == 0) clients.back()->instance = "i" + std::to_string(++last);
        newcomer(*clients.back());
        clients_.push_back(clients.back().get());
      } else if (what == 1) {
        Client& client = *clients[pick(clients.size())];
        if (pick(2) == 0) {
          leaves(client);
        }
        newcomer(client);  // or it has died
      } else if (what == 2 && pick(4) == 0) {
        CommitAll();
        Restart();
        joins_.clear();
        syncs_.clear();
      } else if (what == 3) {  // longer than a session
        Pass(static_cast<int64_t>(pick(12'000)));
      } else if (what == 4) {
        // Clients that ask and do not wait for the answers, while nothing is committed.
        hold_commits_ = true;
        for (size_t i = 0; i <= pick(4); ++i) {
          if (pick(6) == 0) fail_next_append_ = ErrorCode::kNotEnoughReplicas;
          Client& client = *clients[pick(clients.size())];
          if (pick(3) == 0) {
            leaves(client);
          } else if (client.classic) {
            Join(ClassicJoin(client));
          } else {
            ConsumerBeat(ConsumerBeatRequest(client));
          }
          newcomer(client);
        }
        hold_commits_ = false;
        CommitAll();
      } else {
        Turn(*clients[pick(clients.size())]);
        Pass(100);
      }
    }
    fail_next_append_.reset();
    hold_commits_ = false;
    CommitAll();
    for (int i = 0; i < 130; ++i) {  // the dead are noticed
      for (Client* client : clients_) Turn(*client);
      Pass(1'000);
    }
    Settle();
    SameAfterReplay();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace kb::group

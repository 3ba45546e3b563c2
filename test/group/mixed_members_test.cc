// What members of the classic protocol ask of a consumer group that they are in, and what becomes of those who do not
// ask.
#include <functional>

#include "group/mixed_fixture.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

}  // namespace
}  // namespace kb::group

// JoinGroup and rebalances. Answers and times are those of Apache Kafka 4.3.1, which was asked the same.
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class JoinTest : public ShardFixture {
 protected:
  JoinGroupRequest Old(int16_t version) {
    JoinGroupRequest request = JoinRequest();
    request.version = version;
    return request;
  }
};

// ── What is refused ──

TEST_F(JoinTest, RefusesWhatCanBeSeenInTheRequest) {
  JoinGroupRequest request = JoinRequest();
  request.group_id = "";
  EXPECT_EQ(JoinError(request), ErrorCode::kInvalidGroupId);
  for (int32_t timeout : {-1, 0, 5'999, 1'800'001}) {
    request = JoinRequest("someone");
    request.session_timeout_ms = timeout;
    const JoinGroupResponse& answer = Joined(Join(request));
    EXPECT_EQ(answer.error, ErrorCode::kInvalidSessionTimeout);
    EXPECT_EQ(answer.member_id, "someone");
  }
  EXPECT_TRUE(log_.empty());
}

TEST_F(JoinTest, SessionTimeoutsAtTheBordersAreFine) {
  for (int32_t timeout : {6'000, 1'800'000}) {
    JoinGroupRequest request = JoinRequest();
    request.session_timeout_ms = timeout;
    EXPECT_EQ(JoinError(request), ErrorCode::kMemberIdRequired);
  }
}

TEST_F(JoinTest, AMemberIdThatNobodyGaveIsUnknown) {
  const JoinGroupResponse& no_group = Joined(Join("x"));
  EXPECT_EQ(no_group.error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(no_group.member_id, "x");
  EXPECT_EQ(no_group.generation_id, -1);
  EXPECT_EQ(no_group.protocol_name, std::nullopt);
  StableGroup(1);
  EXPECT_EQ(Joined(Join("x")).error, ErrorCode::kUnknownMemberId);
}

TEST_F(JoinTest, ARefusedJoinDoesNotMakeAGroup) {
  JoinGroupRequest request = JoinRequest();
  request.protocols.clear();
  EXPECT_EQ(JoinError(request), ErrorCode::kInconsistentGroupProtocol);
  request = JoinRequest();
  request.protocol_type = "";
  EXPECT_EQ(JoinError(request), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(shard_->counts().empty, 0u);
}

TEST_F(JoinTest, OthersMustBeOfTheSameTypeAndShareAProtocol) {
  std::string id = StableGroup(1)[0];
  JoinGroupRequest request = JoinRequest();
  request.protocol_type = "connect";
  EXPECT_EQ(JoinError(request), ErrorCode::kInconsistentGroupProtocol);
  request = JoinRequest();
  request.protocols = {{"sticky", ""}};
  EXPECT_EQ(JoinError(request), ErrorCode::kInconsistentGroupProtocol);
  request = JoinRequest(id);
  request.protocols = {{"sticky", ""}};
  EXPECT_EQ(JoinError(request), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(JoinTest, AnEmptyGroupTakesAnyType) {
  std::string id = StableGroup(1)[0];
  LeaveOne(id);
  JoinGroupRequest request = JoinRequest();
  request.version = 0;
  request.protocol_type = "connect";
  Ticket join = Join(request);
  Pass(3'000);
  EXPECT_EQ(Joined(join).protocol_type, "connect");
}

// ── Member ids (KIP-394) ──

TEST_F(JoinTest, FromVersion4OnAMemberIdIsRequired) {
  for (int16_t version : {4, 5, 9}) {
    const JoinGroupResponse& answer = Joined(Join(Old(version)));
    EXPECT_EQ(answer.error, ErrorCode::kMemberIdRequired);
    EXPECT_THAT(answer.member_id, StartsWith("client-"));
    EXPECT_THAT(answer.member_id, SizeIs(7 + 36));
  }
  for (int16_t version : {0, 1, 2, 3}) EXPECT_FALSE(Answered(Join(Old(version))));
}

TEST_F(JoinTest, AGivenMemberIdLastsAsLongAsItsSession) {
  std::string id = NewMember();
  std::string other = NewMember();
  Pass(9'999);
  EXPECT_FALSE(Answered(Join(id)));
  Pass(1);
  EXPECT_EQ(Joined(Join(other)).error, ErrorCode::kUnknownMemberId);
}

TEST_F(JoinTest, ARebalanceWaitsForGivenMemberIds) {
  auto ids = StableGroup(1);
  std::string pending = NewMember();
  Ticket leader = Join(ids[0]);
  EXPECT_FALSE(Answered(leader));
  Ticket second = Join(pending);
  EXPECT_EQ(Joined(leader).generation_id, 2);
  EXPECT_EQ(Joined(second).generation_id, 2);
}

TEST_F(JoinTest, ARebalanceStopsWaitingForAMemberIdThatExpiredOrLeft) {
  auto ids = StableGroup(1);
  NewMember();
  Ticket leader = Join(ids[0]);
  Pass(9'999);
  EXPECT_FALSE(Answered(leader));
  Pass(1);
  EXPECT_EQ(Joined(leader).generation_id, 2);
  Sync(ids[0], 2);
  std::string pending = NewMember();
  leader = Join(ids[0]);
  EXPECT_FALSE(Answered(leader));
  EXPECT_EQ(LeaveOne(pending), ErrorCode::kNone);
  EXPECT_EQ(Joined(leader).generation_id, 3);
}

// ── The first generation (KIP-134) ──

TEST_F(JoinTest, TheFirstGenerationWaitsForTheInitialDelay) {
  Ticket join = Join(NewMember());
  Pass(2'999);
  EXPECT_FALSE(Answered(join));
  EXPECT_EQ(State(), "PreparingRebalance");
  Pass(1);
  const JoinGroupResponse& answer = Joined(join);
  EXPECT_EQ(answer.error, ErrorCode::kNone);
  EXPECT_EQ(answer.generation_id, 1);
  EXPECT_EQ(answer.leader, answer.member_id);
  EXPECT_EQ(answer.protocol_type, "consumer");
  EXPECT_EQ(answer.protocol_name, "range");
  EXPECT_FALSE(answer.skip_assignment);
  ASSERT_THAT(answer.members, SizeIs(1));
  EXPECT_EQ(answer.members[0].metadata, "metadata");
  EXPECT_EQ(State(), "CompletingRebalance");
}

TEST_F(JoinTest, EachNewcomerExtendsTheInitialDelay) {
  Ticket first = Join(Old(0));
  Pass(1'000);
  Ticket second = Join(Old(0));
  Pass(4'999);
  EXPECT_FALSE(Answered(first));  // at 3,000 it was extended to 6,000
  Pass(1);
  EXPECT_TRUE(Answered(first) && Answered(second));
  EXPECT_EQ(Joined(first).leader, Joined(second).leader);
  EXPECT_THAT(Joined(first).members, SizeIs(2));
  EXPECT_THAT(Joined(second).members, IsEmpty());
}

TEST_F(JoinTest, TheInitialDelayEndsWithTheRebalanceTimeout) {
  JoinGroupRequest request = Old(1);
  request.rebalance_timeout_ms = 7'000;
  Ticket first = Join(request);
  for (int i = 0; i < 6; ++i) {
    Pass(1'000);
    Join(request);
  }
  Pass(999);
  EXPECT_FALSE(Answered(first));
  Pass(1);
  EXPECT_TRUE(Answered(first));  // 3,000 + 3,000 + 1,000
}

TEST_F(JoinTest, AGroupThatWasEmptyWaitsAgain) {
  std::string id = StableGroup(1)[0];
  LeaveOne(id);
  Ticket first = Join(Old(0));
  Pass(1'000);
  Join(Old(0));
  Pass(4'999);
  EXPECT_FALSE(Answered(first));
  Pass(1);
  EXPECT_EQ(Joined(first).generation_id, 3);
}

TEST_F(JoinTest, WithoutAnInitialDelayTheFirstMemberIsServedAtOnce) {
  config_.group_initial_rebalance_delay_ms = 0;
  Restart();
  Ticket join = Join(Old(0));
  Pass(0);
  EXPECT_EQ(Joined(join).generation_id, 1);
}

TEST_F(JoinTest, EveryoneLeavingDuringTheInitialDelayLeavesAnEmptyGeneration) {
  std::string id = NewMember();
  Ticket join = Join(id);
  EXPECT_EQ(LeaveOne(id), ErrorCode::kNone);
  EXPECT_EQ(Joined(join).error, ErrorCode::kUnknownMemberId);
  Pass(3'000);
  EXPECT_EQ(State(), "Empty");
}

// ── Rebalances ──

TEST_F(JoinTest, ASecondMemberStartsARebalanceThatEndsWhenAllHaveRejoined) {
  auto ids = StableGroup(1);
  std::string second = NewMember();
  Ticket join = Join(second);
  EXPECT_FALSE(Answered(join));
  EXPECT_EQ(Heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
  Ticket rejoin = Join(ids[0]);
  EXPECT_EQ(Joined(rejoin).leader, ids[0]);  // who led goes on leading
  EXPECT_THAT(Joined(rejoin).members, SizeIs(2));
  EXPECT_EQ(Joined(join).generation_id, 2);
  EXPECT_THAT(Joined(join).members, IsEmpty());
}

TEST_F(JoinTest, WhoDoesNotRejoinWithinTheRebalanceTimeoutIsOut) {
  auto ids = StableGroup(3);
  Ticket first = Join(ids[0]);
  Ticket second = Join(ids[1]);
  for (int i = 0; i < 11; ++i) {  // the third heartbeats, and does not come
    Pass(5'000);
    EXPECT_EQ(Heartbeat(ids[2], 1), ErrorCode::kRebalanceInProgress);
  }
  Pass(4'999);
  EXPECT_FALSE(Answered(first));
  Pass(1);
  EXPECT_EQ(Joined(first).generation_id, 2);
  EXPECT_THAT(Joined(first).members, SizeIs(2));
  EXPECT_TRUE(Answered(second));
  EXPECT_EQ(Heartbeat(ids[2], 1), ErrorCode::kUnknownMemberId);
}

TEST_F(JoinTest, ARebalanceEndsEarlyWhenTheSessionOfTheMissingOneEnds) {
  auto ids = StableGroup(2);
  Pass(1'000);
  Ticket first = Join(ids[0]);
  Pass(8'999);
  EXPECT_FALSE(Answered(first));
  Pass(1);
  EXPECT_EQ(Joined(first).generation_id, 2);
}

TEST_F(JoinTest, ALeaderThatDoesNotRejoinIsReplaced) {
  auto ids = StableGroup(3);
  JoinGroupRequest changed = JoinRequest(ids[1]);
  changed.protocols[0].metadata = "changed";
  Ticket second = Join(changed);
  Ticket third = Join(ids[2]);
  Pass(10'000);
  EXPECT_EQ(Joined(second).leader, ids[1]);  // of those who came, who has been here longest
  EXPECT_THAT(Joined(second).members, SizeIs(2));
  EXPECT_THAT(Joined(third).members, IsEmpty());
}

TEST_F(JoinTest, TheLeaderForcesARebalanceAndAFollowerOnlyWithSomethingNew) {
  auto ids = StableGroup(2);
  Ticket follower = Join(ids[1]);
  EXPECT_EQ(Joined(follower).generation_id, 1);
  EXPECT_EQ(Joined(follower).leader, ids[0]);
  EXPECT_THAT(Joined(follower).members, IsEmpty());
  EXPECT_EQ(State(), "Stable");
  JoinGroupRequest changed = JoinRequest(ids[1]);
  changed.protocols[0].metadata = "changed";
  EXPECT_FALSE(Answered(Join(changed)));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(JoinTest, AJoinThatIsRepeatedWhileAssigningGetsTheSameGeneration) {
  std::string a = NewMember();
  std::string b = NewMember();
  Join(a);
  Join(b);
  Pass(6'000);
  EXPECT_EQ(State(), "CompletingRebalance");
  const JoinGroupResponse& leader = Joined(Join(a));
  EXPECT_EQ(leader.generation_id, 1);
  EXPECT_THAT(leader.members, SizeIs(2));
  const JoinGroupResponse& follower = Joined(Join(b));
  EXPECT_EQ(follower.generation_id, 1);
  EXPECT_THAT(follower.members, IsEmpty());
  JoinGroupRequest changed = JoinRequest(b);
  changed.protocols[0].metadata = "changed";
  EXPECT_FALSE(Answered(Join(changed)));
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(JoinTest, TheOlderOfTwoJoinsOfAMemberIsToldToComeAgain) {
  auto ids = StableGroup(2);
  Ticket older = Join(ids[0]);
  Ticket newer = Join(ids[0]);
  EXPECT_EQ(Joined(older).error, ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(Answered(newer));
  Join(ids[1]);
  EXPECT_EQ(Joined(newer).generation_id, 2);
}

TEST_F(JoinTest, ANewMemberThatWaitsForFiveMinutesIsForgotten) {
  auto ids = StableGroup(1);
  JoinGroupRequest patient = JoinRequest(NewMember());
  patient.rebalance_timeout_ms = 600'000;
  Ticket join = Join(patient);
  for (int i = 0; i < 59; ++i) {
    Pass(5'000);
    EXPECT_EQ(Heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
  }
  EXPECT_FALSE(Answered(join));
  Pass(5'000);
  EXPECT_EQ(Joined(join).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Joined(join).member_id, "");
}

// ── Protocols ──

TEST_F(JoinTest, TheProtocolThatMostWantIsTakenFromThoseThatAllSpeak) {
  auto with = [this](std::vector<MemberProtocol> protocols) {
    JoinGroupRequest request = Old(3);
    request.protocols = std::move(protocols);
    return Join(request);
  };
  Ticket first = with({{"range", "r1"}, {"sticky", "s1"}, {"round", "o1"}});
  with({{"other", ""}, {"sticky", "s2"}, {"range", "r2"}});
  with({{"sticky", "s3"}, {"range", "r3"}, {"round", "o3"}});
  Pass(6'000);
  EXPECT_EQ(Joined(first).protocol_name, "sticky");
  std::vector<std::string> metadata;
  for (const auto& member : Joined(first).members) metadata.push_back(member.metadata);
  EXPECT_THAT(metadata, ::testing::UnorderedElementsAre("s1", "s2", "s3"));
}

TEST_F(JoinTest, AProtocolListedTwiceCountsOnce) {
  JoinGroupRequest request = Old(3);
  request.protocols = {{"range", "1"}, {"range", "2"}};
  Ticket first = Join(request);
  Ticket second = Join(Old(3));
  Pass(6'000);
  EXPECT_EQ(Joined(first).protocol_name, "range");
  EXPECT_EQ(Joined(second).error, ErrorCode::kNone);
}

// ── Size ──

TEST_F(JoinTest, AFullGroupTakesNobodyElse) {
  config_.group_max_size = 2;
  Restart();
  auto ids = StableGroup(2);
  const JoinGroupResponse& refused = Joined(Join());
  EXPECT_EQ(refused.error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(refused.member_id, "");
  EXPECT_FALSE(Answered(Join(ids[0])));  // who is in stays in
}

TEST_F(JoinTest, InARebalanceThoseWhoCameFirstHaveTheirPlaces) {
  config_.group_max_size = 2;
  Restart();
  auto ids = StableGroup(2);
  Join(ids[0]);
  std::string third = NewMember();
  Ticket join = Join(third);
  EXPECT_FALSE(Answered(join));
  EXPECT_EQ(Joined(Join(ids[1])).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(Joined(join).generation_id, 2);
}

TEST_F(JoinTest, AGroupThatIsTooLargeAfterARestartRebalancesDown) {
  StableGroup(3);
  config_.group_max_size = 2;
  Restart();
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(JoinTest, WhatClientsCanMakeUsKeepIsBounded) {
  config_.most_groups = 2;
  config_.most_pending_members = 3;
  config_.most_member_bytes = 1'000;
  config_.most_shard_member_bytes = 2'500;
  Restart();
  for (int i = 0; i < 3; ++i) NewMember();
  EXPECT_EQ(Joined(Join()).error, ErrorCode::kCoordinatorLoadInProgress);
  JoinGroupRequest request = JoinRequest();
  request.group_id = "second";
  EXPECT_EQ(JoinError(request), ErrorCode::kMemberIdRequired);
  request.group_id = "third";
  EXPECT_EQ(JoinError(request), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(CommitSimple("third", "t", 1), ErrorCode::kCoordinatorLoadInProgress);
  request = Old(0);
  request.protocols[0].metadata = std::string(1'001, 'x');
  EXPECT_EQ(JoinError(request), ErrorCode::kInvalidRequest);
  request.protocols[0].metadata = std::string(900, 'x');
  EXPECT_FALSE(Answered(Join(request)));
  EXPECT_EQ(JoinError(request), ErrorCode::kCoordinatorLoadInProgress);
}

TEST_F(JoinTest, MemberIdsThatAreGivenOutTakeRoom) {
  config_.most_shard_member_bytes = 150'000;
  Restart();
  JoinGroupRequest request = JoinRequest();
  request.caller.client_id = std::string(30'000, 'c');
  EXPECT_EQ(JoinError(request), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(JoinError(request), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(JoinError(request), ErrorCode::kCoordinatorLoadInProgress);
  Pass(10'000);
  EXPECT_EQ(JoinError(request), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  EXPECT_EQ(ShardInspector::MemberBytes(*shard_), 0u);
}

TEST_F(JoinTest, WhoIsThereRejoinsHoweverFullItIs) {
  auto ids = StableGroup(2);
  config_.most_shard_member_bytes = ShardInspector::MemberBytes(*shard_);
  Restart();
  Ticket first = Join(ids[0]);
  Ticket second = Join(ids[1]);
  EXPECT_EQ(Joined(first).error, ErrorCode::kNone);
  EXPECT_EQ(Joined(second).error, ErrorCode::kNone);
  EXPECT_EQ(JoinError(JoinRequest()), ErrorCode::kCoordinatorLoadInProgress);
}

// Apache Kafka's answer to what it does not expect.
TEST_F(JoinTest, AMemberIdThatWasGivenOutIsNotForAStaticMember) {
  JoinGroupRequest request = JoinRequest(NewMember());
  request.group_instance_id = "i";
  EXPECT_EQ(JoinError(request), ErrorCode::kUnknownServerError);
}

TEST_F(JoinTest, AMemberIdThatWouldNotFitARecordIsNotMade) {
  JoinGroupRequest request = JoinRequest();
  request.caller.client_id = std::string(32'767 - 36, 'c');
  EXPECT_EQ(JoinError(request), ErrorCode::kInvalidRequest);
  request.caller.client_id.pop_back();
  request.version = 0;
  Ticket join = Join(request);
  Pass(3'000);
  std::string id = Joined(join).member_id;
  EXPECT_EQ(Synced(Sync(id, 1, {{id, "all"}})).error, ErrorCode::kNone);
}

// ── Records ──

TEST_F(JoinTest, TheFirstJoinWritesAnEmptyGroup) {
  NewMember();
  ASSERT_THAT(log_, SizeIs(1));
  NewMember();
  EXPECT_THAT(log_, SizeIs(1));
  Restart();
  EXPECT_EQ(State(), "Empty");
}

TEST_F(JoinTest, AfterARestartMembersGoOnAsIfNothingHadHappened) {
  auto ids = StableGroup(2);
  Restart();
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Heartbeat(ids[0], 1), ErrorCode::kNone);
  EXPECT_EQ(Synced(Sync(ids[1], 1)).assignment, "assigned to " + ids[1]);
  Pass(9'999);
  EXPECT_EQ(State(), "Stable");  // sessions start anew
  Pass(1);
  EXPECT_EQ(State(), "Empty");
}

TEST_F(JoinTest, WhoWaitsWhenTheShardMovesIsToldToLookForIt) {
  auto ids = StableGroup(2);
  Ticket join = Join(ids[0]);
  Restart();
  EXPECT_EQ(Joined(join).error, ErrorCode::kNotCoordinator);
}

// An append may be what tells the runtime that the partition is no longer here.
TEST_F(JoinTest, AShardMayBeUnloadedWhileItsAppendIsUnderWay) {
  Ticket join = NewTicket();
  Outcome outcome = shard_->JoinGroup(join, JoinRequest(), now_);
  Deliver(shard_->Unload(ErrorCode::kNotCoordinator));
  EXPECT_EQ(Joined(join).error, ErrorCode::kNotCoordinator);
  Run(shard_->Failed(outcome.write_id, ErrorCode::kKafkaStorageError, now_));
  EXPECT_EQ(Joined(Join()).error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Heartbeat("x", 1), ErrorCode::kNotCoordinator);
  Run(shard_->Committed(100, now_));
  EXPECT_EQ(shard_->NextDeadlineMs(), std::nullopt);
}

}  // namespace
}  // namespace kb::group

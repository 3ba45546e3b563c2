// SyncGroup, Heartbeat and LeaveGroup in every state. Answers are those of Apache Kafka 4.3.1, which was asked the
// same.
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using ::testing::SizeIs;
using enum ErrorCode;

class SyncTest : public ShardFixture {
 protected:
  // CompletingRebalance, generation 1; the first leads.
  std::vector<std::string> Assigning(size_t size) {
    std::vector<std::string> ids;
    for (size_t i = 0; i < size; ++i) ids.push_back(NewMember());
    for (const std::string& id : ids) Join(id);
    for (int i = 0; i < 10 && State() != "CompletingRebalance"; ++i) Pass(1'000);
    EXPECT_EQ(State(), "CompletingRebalance");
    return ids;
  }
};

// ── SyncGroup ──

TEST_F(SyncTest, AllGetTheirAssignmentsWhenTheLeaderHasMadeThem) {
  auto ids = Assigning(3);
  Ticket second = Sync(ids[1], 1);
  Ticket third = Sync(ids[2], 1);
  EXPECT_FALSE(Answered(second));
  Ticket leader = Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}, {"stranger", "X"}});
  EXPECT_EQ(Synced(leader).assignment, "A");
  EXPECT_EQ(Synced(second).assignment, "B");
  EXPECT_EQ(Synced(third).assignment, "");  // the leader had nothing for it
  EXPECT_EQ(Synced(third).protocol_type, "consumer");
  EXPECT_EQ(Synced(third).protocol_name, "range");
  EXPECT_EQ(State(), "Stable");
}

TEST_F(SyncTest, LatecomersGetWhatWasAssigned) {
  auto ids = Assigning(2);
  Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}});
  EXPECT_EQ(Synced(Sync(ids[1], 1)).assignment, "B");
  EXPECT_EQ(Synced(Sync(ids[0], 1, {{ids[0], "other"}})).assignment, "A");
}

TEST_F(SyncTest, RefusesInThisOrder) {
  auto ids = Assigning(1);
  SyncGroupRequest request = SyncRequest("x", 9);
  request.group_id = "";
  request.protocol_type.reset();
  EXPECT_EQ(Synced(Sync(request)).error, kInconsistentGroupProtocol);  // v5 must name the protocol
  request.version = 4;
  EXPECT_EQ(Synced(Sync(request)).error, kInvalidGroupId);
  request.group_id = "none";
  EXPECT_EQ(Synced(Sync(request)).error, kUnknownMemberId);
  request.group_id = "g";
  EXPECT_EQ(Synced(Sync(request)).error, kUnknownMemberId);
  request = SyncRequest(ids[0], 9);
  request.protocol_type = "connect";
  EXPECT_EQ(Synced(Sync(request)).error, kIllegalGeneration);
  request.generation_id = 1;
  EXPECT_EQ(Synced(Sync(request)).error, kInconsistentGroupProtocol);
  request.protocol_type = "consumer";
  request.protocol_name = "sticky";
  EXPECT_EQ(Synced(Sync(request)).error, kInconsistentGroupProtocol);
}

TEST_F(SyncTest, InARebalanceThereIsNothingToSync) {
  auto ids = StableGroup(2);
  Join(ids[0]);
  EXPECT_EQ(Synced(Sync(ids[1], 1)).error, kRebalanceInProgress);
}

TEST_F(SyncTest, ANewcomerSendsThoseWhoWaitBackToJoin) {
  auto ids = Assigning(2);
  Ticket waiting = Sync(ids[1], 1);
  Join(NewMember());
  EXPECT_EQ(Synced(waiting).error, kRebalanceInProgress);
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(SyncTest, TheOlderOfTwoSyncsOfAMemberIsToldToRejoin) {
  auto ids = Assigning(2);
  Ticket older = Sync(ids[1], 1);
  Ticket newer = Sync(ids[1], 1);
  EXPECT_EQ(Synced(older).error, kRebalanceInProgress);
  Sync(ids[0], 1, {{ids[1], "B"}});
  EXPECT_EQ(Synced(newer).assignment, "B");
}

TEST_F(SyncTest, WhoDoesNotSyncWithinTheRebalanceTimeoutIsOut) {
  auto ids = Assigning(3);
  Ticket second = Sync(ids[1], 1);
  for (int i = 0; i < 11; ++i) {
    Pass(5'000);
    EXPECT_EQ(Heartbeat(ids[0], 1), kNone);  // alive, and not assigning
    EXPECT_EQ(Heartbeat(ids[2], 1), kNone);
  }
  Pass(4'999);
  EXPECT_FALSE(Answered(second));
  Pass(1);
  EXPECT_EQ(Synced(second).error, kRebalanceInProgress);
  EXPECT_EQ(Heartbeat(ids[0], 1), kUnknownMemberId);
  EXPECT_EQ(Heartbeat(ids[2], 1), kUnknownMemberId);
  EXPECT_EQ(Joined(Join(ids[1])).leader, ids[1]);
}

TEST_F(SyncTest, AStableGroupWaitsForTheSyncOfEachMemberToo) {
  auto ids = Assigning(2);
  Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}});
  EXPECT_EQ(State(), "Stable");
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Heartbeat(ids[0], 1), kNone);
    EXPECT_EQ(Heartbeat(ids[1], 1), kNone);
    Pass(5'000);
  }
  EXPECT_EQ(Heartbeat(ids[1], 1), kUnknownMemberId);
  EXPECT_EQ(Heartbeat(ids[0], 1), kRebalanceInProgress);
}

TEST_F(SyncTest, WhoWaitsForItsAssignmentIsNotTimedOut) {
  auto ids = Assigning(2);
  Ticket waiting = Sync(ids[1], 1);
  for (int i = 0; i < 5; ++i) {
    Pass(5'000);
    EXPECT_EQ(Heartbeat(ids[0], 1), kNone);
  }
  Sync(ids[0], 1, {{ids[1], "B"}});
  EXPECT_EQ(Synced(waiting).assignment, "B");
  Pass(9'999);
  EXPECT_EQ(Heartbeat(ids[1], 1), kNone);  // its session began again with the answer
}

TEST_F(SyncTest, TheAssignmentIsHandedOutWhenItIsCommitted) {
  auto ids = Assigning(2);
  hold_commits_ = true;
  Ticket follower = Sync(ids[1], 1);
  Ticket leader = Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}});
  EXPECT_FALSE(Answered(leader) || Answered(follower));
  EXPECT_EQ(State(), "CompletingRebalance");
  CommitAll();
  EXPECT_EQ(Synced(leader).assignment, "A");
  EXPECT_EQ(Synced(follower).assignment, "B");
}

TEST_F(SyncTest, ALeaderThatAsksAgainGetsTheAssignmentThatIsBeingWritten) {
  auto ids = Assigning(1);
  hold_commits_ = true;
  size_t records = log_.size();
  Ticket older = Sync(ids[0], 1, {{ids[0], "A"}});
  Ticket newer = Sync(ids[0], 1, {{ids[0], "other"}});
  EXPECT_THAT(log_, SizeIs(records + 1));
  EXPECT_EQ(Synced(older).error, kRebalanceInProgress);
  CommitAll();
  EXPECT_EQ(Synced(newer).assignment, "A");
}

TEST_F(SyncTest, AnAssignmentThatCannotBeWrittenStartsARebalance) {
  auto ids = Assigning(2);
  Ticket follower = Sync(ids[1], 1);
  fail_next_append_ = kMessageTooLarge;
  Ticket leader = Sync(ids[0], 1, {{ids[0], "A"}});
  EXPECT_EQ(Synced(leader).error, kUnknownServerError);
  EXPECT_EQ(Synced(follower).error, kUnknownServerError);
  EXPECT_EQ(State(), "PreparingRebalance");
  Join(ids[0]);
  EXPECT_EQ(Joined(Join(ids[1])).generation_id, 2);
}

TEST_F(SyncTest, AnAssignmentThatIsNotCommittedInTimeStartsARebalance) {
  auto ids = Assigning(2);
  hold_commits_ = true;
  Ticket leader = Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}});
  Pass(4'999);
  EXPECT_FALSE(Answered(leader));
  Pass(1);
  EXPECT_EQ(Synced(leader).error, kCoordinatorNotAvailable);
  EXPECT_EQ(State(), "PreparingRebalance");
  Join(ids[0]);
  Ticket second = Join(ids[1]);
  CommitAll();  // of generation 1, which is over
  EXPECT_EQ(Joined(second).generation_id, 2);
  EXPECT_EQ(State(), "CompletingRebalance");
  hold_commits_ = false;
  EXPECT_EQ(Synced(Sync(ids[0], 2, {{ids[0], "again"}})).assignment, "again");
}

TEST_F(SyncTest, AMemberThatLeavesWhileAssignmentsAreWrittenStartsARebalance) {
  auto ids = Assigning(2);
  hold_commits_ = true;
  Ticket leader = Sync(ids[0], 1, {{ids[0], "A"}, {ids[1], "B"}});
  LeaveOne(ids[1]);
  EXPECT_EQ(Synced(leader).error, kRebalanceInProgress);
  CommitAll();
  EXPECT_EQ(State(), "PreparingRebalance");
}

// ── Heartbeat ──

TEST_F(SyncTest, HeartbeatInEachState) {
  EXPECT_EQ(Heartbeat("x", 1, std::nullopt, ""), kInvalidGroupId);
  EXPECT_EQ(Heartbeat("x", 1), kUnknownMemberId);  // no group
  std::string pending = NewMember();
  EXPECT_EQ(Heartbeat(pending, 0), kUnknownMemberId);
  LeaveOne(pending);
  auto ids = Assigning(2);
  EXPECT_EQ(Heartbeat("x", 1), kUnknownMemberId);
  EXPECT_EQ(Heartbeat(ids[0], 2), kIllegalGeneration);
  EXPECT_EQ(Heartbeat(ids[0], 1), kNone);  // CompletingRebalance
  Sync(ids[0], 1);
  EXPECT_EQ(Heartbeat(ids[0], 1), kNone);  // Stable
  EXPECT_EQ(Heartbeat(ids[0], 0), kIllegalGeneration);
  Join(ids[0]);
  EXPECT_EQ(Heartbeat(ids[1], 1), kRebalanceInProgress);
  EXPECT_EQ(Heartbeat(ids[1], 2), kIllegalGeneration);
  LeaveOne(ids[0]);
  LeaveOne(ids[1]);
  EXPECT_EQ(State(), "Empty");
  EXPECT_EQ(Heartbeat(ids[0], 1), kUnknownMemberId);
}

TEST_F(SyncTest, ASessionEndsWithoutHeartbeats) {
  auto ids = StableGroup(2);
  Pass(5'000);
  EXPECT_EQ(Heartbeat(ids[0], 1), kNone);
  Pass(4'999);
  EXPECT_EQ(State(), "Stable");
  Pass(1);
  EXPECT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(Heartbeat(ids[0], 1), kRebalanceInProgress);
  EXPECT_EQ(Heartbeat(ids[1], 1), kUnknownMemberId);
}

TEST_F(SyncTest, InARebalanceHeartbeatsKeepTheSession) {
  auto ids = StableGroup(2);
  Join(ids[0]);
  for (int i = 0; i < 5; ++i) {
    Pass(6'000);
    EXPECT_EQ(Heartbeat(ids[1], 1), kRebalanceInProgress);
  }
}

// ── LeaveGroup ──

TEST_F(SyncTest, LeaveAnswersForEachMember) {
  auto ids = StableGroup(3);
  const auto& left = Answer<LeaveGroupResponse>(
      Leave({{ids[0], std::nullopt}, {"x", std::nullopt}, {ids[1], "no such instance"}, {ids[0], std::nullopt}}));
  EXPECT_EQ(left.error, kNone);
  ASSERT_THAT(left.members, SizeIs(4));
  EXPECT_EQ(left.members[0].error, kNone);
  EXPECT_EQ(left.members[1].error, kUnknownMemberId);
  EXPECT_EQ(left.members[2].error, kUnknownMemberId);
  EXPECT_EQ(left.members[3].error, kUnknownMemberId);  // once is enough
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(SyncTest, LeavingNoGroup) {
  EXPECT_EQ(Answer<LeaveGroupResponse>(Leave({{"x", std::nullopt}}, "")).error, kInvalidGroupId);
  const auto& left = Answer<LeaveGroupResponse>(Leave({{"x", "i"}}, "none"));
  EXPECT_EQ(left.error, kNone);
  EXPECT_EQ(left.members.at(0).error, kUnknownMemberId);
  EXPECT_EQ(left.members.at(0).group_instance_id, "i");
}

TEST_F(SyncTest, LeavingWithAWrongIdChangesNothing) {
  StableGroup(2);
  EXPECT_EQ(LeaveOne("x"), kUnknownMemberId);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(SyncTest, AssignmentsThatAreTooLargeAreAsGoodAsNotWritten) {
  config_.most_group_bytes = 2'000;
  Restart();
  auto ids = StableGroup(2);
  for (const std::string& id : ids) Join(id);
  Ticket other = Sync(ids[1], 2);
  EXPECT_EQ(Synced(Sync(ids[0], 2, {{ids[1], std::string(2'000, 'a')}})).error, kUnknownServerError);
  EXPECT_EQ(Synced(other).error, kUnknownServerError);
  EXPECT_EQ(State(), "PreparingRebalance");
  Restart();
  EXPECT_EQ(Synced(Sync(ids[1], 1)).assignment, "assigned to " + ids[1]);
}

TEST_F(SyncTest, AssignmentsCountWithTheMembersOfTheShard) {
  auto ids = StableGroup(1);
  config_.most_shard_member_bytes = ShardInspector::MemberBytes(*shard_) + 1'000;
  Restart();
  Join(ids[0]);
  EXPECT_EQ(Synced(Sync(ids[0], 2, {{ids[0], std::string(1'100, 'a')}})).error, kCoordinatorNotAvailable);
  Join(ids[0]);
  EXPECT_EQ(Synced(Sync(ids[0], 3, {{ids[0], std::string(900, 'a')}})).error, kNone);
}

TEST_F(SyncTest, AssignmentsTakeThePlaceOfTheOnesBeforeHoweverFullItIs) {
  auto ids = StableGroup(1);
  Join(ids[0]);
  EXPECT_EQ(Synced(Sync(ids[0], 2, {{ids[0], std::string(900, 'a')}})).error, kNone);
  config_.most_shard_member_bytes = ShardInspector::MemberBytes(*shard_);
  Restart();
  Join(ids[0]);
  EXPECT_EQ(Synced(Sync(ids[0], 3, {{ids[0], std::string(900, 'b')}})).error, kNone);
}

// Apache Kafka rebalances the group here; nobody in it has changed.
TEST_F(SyncTest, AMemberIdThatLeavesUnusedDisturbsNobody) {
  StableGroup(1);
  std::string pending = NewMember();
  EXPECT_EQ(LeaveOne(pending), kNone);
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Joined(Join(pending)).error, kUnknownMemberId);
}

TEST_F(SyncTest, TheLastOneOutLeavesAnEmptyGenerationInTheLog) {
  auto ids = StableGroup(1);
  hold_commits_ = true;
  Ticket leave = Leave({{ids[0], std::nullopt}});
  EXPECT_FALSE(Answered(leave));
  CommitAll();
  EXPECT_EQ(Answer<LeaveGroupResponse>(leave).members.at(0).error, kNone);
  hold_commits_ = false;
  Restart();
  EXPECT_EQ(State(), "Empty");
  Ticket join = Join(NewMember());
  Pass(3'000);
  EXPECT_EQ(Joined(join).generation_id, 3);
}

TEST_F(SyncTest, LeavingCountsEvenWhenItCannotBeWritten) {
  auto ids = StableGroup(1);
  fail_next_append_ = kNotLeaderOrFollower;
  EXPECT_EQ(LeaveOne(ids[0]), kNotCoordinator);
  EXPECT_EQ(State(), "Empty");
  Restart();  // the log still has the generation; its member is not there and expires
  EXPECT_EQ(State(), "Stable");
  Pass(10'000);
  EXPECT_EQ(State(), "Empty");
}

}  // namespace
}  // namespace kb::group

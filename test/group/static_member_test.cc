// Static members (KIP-345) and skipped assignments (KIP-814). Answers are those of Apache Kafka 4.3.1, which was asked the
// same.
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class StaticMemberTest : public ShardFixture {
 protected:
  JoinGroupRequest Instance(std::string instance, std::string member_id = {}, int16_t version = 9) {
    JoinGroupRequest request = JoinRequest(std::move(member_id));
    request.group_instance_id = std::move(instance);
    request.version = version;
    return request;
  }

  // Stable, generation 1; instance "a" leads.
  void TwoInstances() {
    Ticket join_a = Join(Instance("a"));
    Ticket join_b = Join(Instance("b"));
    Pass(6'000);
    a_ = Joined(join_a).member_id;
    b_ = Joined(join_b).member_id;
    Sync(b_, 1);
    Sync(a_, 1, {{a_, "for a"}, {b_, "for b"}});
    ASSERT_EQ(State(), "Stable");
  }

  std::string a_;
  std::string b_;
};

TEST_F(StaticMemberTest, JoinsAtOnceUnderAnIdThatNamesItsInstance) {
  Ticket join = Join(Instance("a"));
  Pass(3'000);
  EXPECT_EQ(Joined(join).error, ErrorCode::kNone);
  EXPECT_THAT(Joined(join).member_id, StartsWith("a-"));
  EXPECT_EQ(Joined(join).members.at(0).group_instance_id, "a");
}

TEST_F(StaticMemberTest, ARestartedOneTakesItsPlaceHoweverFullItIs) {
  TwoInstances();
  config_.most_shard_member_bytes = ShardInspector::MemberBytes(*shard_);
  Restart();
  EXPECT_EQ(Joined(Join(Instance("b"))).error, ErrorCode::kNone);
  EXPECT_EQ(JoinError(Instance("c")), ErrorCode::kCoordinatorLoadInProgress);
}

TEST_F(StaticMemberTest, ARestartedFollowerTakesItsPlaceWithoutARebalance) {
  TwoInstances();
  const JoinGroupResponse& again = Joined(Join(Instance("b")));
  EXPECT_EQ(again.error, ErrorCode::kNone);
  EXPECT_EQ(again.generation_id, 1);
  EXPECT_NE(again.member_id, b_);
  EXPECT_EQ(again.leader, a_);
  EXPECT_FALSE(again.skip_assignment);
  EXPECT_THAT(again.members, IsEmpty());
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Synced(Sync(again.member_id, 1)).assignment, "for b");
}

TEST_F(StaticMemberTest, ARestartedLeaderIsToldToSkipTheAssignment) {
  TwoInstances();
  const JoinGroupResponse& again = Joined(Join(Instance("a")));
  EXPECT_TRUE(again.skip_assignment);
  EXPECT_EQ(again.leader, again.member_id);
  EXPECT_THAT(again.members, SizeIs(2));
  EXPECT_EQ(Synced(Sync(again.member_id, 1)).assignment, "for a");
}

TEST_F(StaticMemberTest, ARestartedLeaderOfAnOlderVersionDoesNotLearnThatItLeads) {
  TwoInstances();
  const JoinGroupResponse& again = Joined(Join(Instance("a", "", 8)));
  EXPECT_EQ(again.leader, a_);
  EXPECT_FALSE(again.skip_assignment);
  EXPECT_THAT(again.members, IsEmpty());
  // The next to restart is told the leader's new id.
  EXPECT_EQ(Joined(Join(Instance("b", "", 5))).leader, again.member_id);
}

TEST_F(StaticMemberTest, ChangedMetadataIsNoReasonForARebalanceAsLongAsTheProtocolStays) {
  TwoInstances();
  JoinGroupRequest request = Instance("b");
  request.protocols = {{"sticky", "new"}, {"range", "changed"}};
  EXPECT_EQ(Joined(Join(request)).generation_id, 1);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(StaticMemberTest, AProtocolThatWouldNoLongerBeChosenIs) {
  JoinGroupRequest request = Instance("a");
  request.protocols = {{"range", "m"}, {"sticky", "m"}};
  Ticket join = Join(request);
  Pass(3'000);
  std::string id = Joined(join).member_id;
  Sync(id, 1, {{id, "for a"}});
  request.protocols = {{"sticky", "m"}, {"range", "m"}};
  const JoinGroupResponse& again = Joined(Join(request));
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(again.protocol_name, "sticky");
  EXPECT_EQ(State(), "CompletingRebalance");
}

TEST_F(StaticMemberTest, TheOldMemberIdIsFencedEverywhere) {
  TwoInstances();
  Join(Instance("a"));
  EXPECT_EQ(Heartbeat(a_, 1, "a"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Heartbeat(a_, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(JoinError(Instance("a", a_)), ErrorCode::kFencedInstanceId);
  SyncGroupRequest sync = SyncRequest(a_, 1);
  sync.group_instance_id = "a";
  EXPECT_EQ(Synced(Sync(sync)).error, ErrorCode::kFencedInstanceId);
  OffsetCommitRequest commit = CommitRequest(a_, 1, 5);
  commit.group_instance_id = "a";
  EXPECT_EQ(CommitError(Commit(commit)), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Answer<LeaveGroupResponse>(Leave({{a_, "a"}})).members.at(0).error, ErrorCode::kFencedInstanceId);
}

TEST_F(StaticMemberTest, AnInstanceThatNobodyHasIsUnknown) {
  TwoInstances();
  EXPECT_EQ(JoinError(Instance("c", a_)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Heartbeat(a_, 1, "c"), ErrorCode::kUnknownMemberId);
}

TEST_F(StaticMemberTest, WhoWaitsUnderTheOldIdIsFencedAtOnce) {
  TwoInstances();
  Ticket waiting = Join(Instance("a", a_));  // the leader: a rebalance
  EXPECT_FALSE(Answered(waiting));
  Ticket restarted = Join(Instance("a"));
  EXPECT_EQ(Joined(waiting).error, ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Joined(waiting).member_id, a_);
  EXPECT_FALSE(Answered(restarted));
  Join(Instance("b", b_));
  EXPECT_EQ(Joined(restarted).generation_id, 2);
}

TEST_F(StaticMemberTest, ARestartWhileAssignmentsAreBeingMadeStartsOver) {
  Ticket join_a = Join(Instance("a"));
  Ticket join_b = Join(Instance("b"));
  Pass(6'000);
  std::string b = Joined(join_b).member_id;
  Ticket sync = Sync(b, 1);
  Ticket again = Join(Instance("b"));
  EXPECT_EQ(Synced(sync).error, ErrorCode::kFencedInstanceId);
  EXPECT_FALSE(Answered(again));
  EXPECT_EQ(State(), "PreparingRebalance");
  Join(Instance("a", Joined(join_a).member_id));
  EXPECT_EQ(Joined(again).generation_id, 2);
}

TEST_F(StaticMemberTest, StaysInThroughARebalanceThatItMissesUntilItsSessionEnds) {
  config_.group_min_session_timeout_ms = 6'000;
  JoinGroupRequest patient = Instance("b");
  patient.session_timeout_ms = 100'000;
  Ticket join_a = Join(Instance("a"));
  Ticket join_b = Join(patient);
  Pass(6'000);
  std::string a = Joined(join_a).member_id;
  std::string b = Joined(join_b).member_id;
  Sync(b, 1);
  Sync(a, 1);
  Ticket rejoin = Join(Instance("a", a));
  Pass(59'999);
  EXPECT_FALSE(Answered(rejoin));
  Pass(1);
  EXPECT_EQ(Joined(rejoin).generation_id, 2);
  EXPECT_THAT(Joined(rejoin).members, SizeIs(2));  // assigned to, although absent
  EXPECT_EQ(Synced(Sync(a, 2, {{a, ""}, {b, "kept"}})).error, ErrorCode::kNone);
  const JoinGroupResponse& back = Joined(Join(patient));
  EXPECT_EQ(back.generation_id, 2);
  EXPECT_EQ(Synced(Sync(back.member_id, 2)).assignment, "kept");
}

TEST_F(StaticMemberTest, WhenNoneOfThemComesTheRebalanceWaitsForTheEndOfTheirSessions) {
  TwoInstances();
  JoinGroupRequest changed = Instance("a", a_);
  changed.session_timeout_ms = 200'000;
  changed.rebalance_timeout_ms = 20'000;
  Ticket join = Join(changed);
  LeaveOne(a_);  // who started it is gone; b never comes
  EXPECT_EQ(Joined(join).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(State(), "PreparingRebalance");
  Pass(10'000);
  EXPECT_EQ(State(), "Empty");
}

TEST_F(StaticMemberTest, LeavesOnlyWhenToldByNameOfTheInstance) {
  TwoInstances();
  const auto& left = Answer<LeaveGroupResponse>(Leave({{"", "a"}, {"", "c"}, {"", std::nullopt}}));
  EXPECT_EQ(left.members.at(0).error, ErrorCode::kNone);
  EXPECT_EQ(left.members.at(0).member_id, "");
  EXPECT_EQ(left.members.at(1).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(left.members.at(2).error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(State(), "PreparingRebalance");
}

TEST_F(StaticMemberTest, IsStillKnownAfterARestartOfTheBroker) {
  TwoInstances();
  std::string newer = Joined(Join(Instance("a"))).member_id;
  Restart();
  EXPECT_EQ(Heartbeat(newer, 1, "a"), ErrorCode::kNone);
  EXPECT_EQ(Heartbeat(a_, 1, "a"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Joined(Join(Instance("b"))).generation_id, 1);
  EXPECT_EQ(Describe().members.at(0).group_instance_id, "a");
}

TEST_F(StaticMemberTest, DescribeShowsTheProcessThatIsThereNow) {
  TwoInstances();
  JoinGroupRequest moved = Instance("a");
  moved.caller = {"elsewhere", "10.0.0.9"};
  Join(moved);
  EXPECT_EQ(Describe().members.at(0).client_host, "/10.0.0.9");
  EXPECT_EQ(Describe().members.at(0).client_id, "elsewhere");
}

// ── When the new member id cannot be written ──

TEST_F(StaticMemberTest, IsAnsweredWhenItsNewIdIsCommitted) {
  TwoInstances();
  hold_commits_ = true;
  Ticket join = Join(Instance("a"));
  EXPECT_FALSE(Answered(join));
  CommitAll();
  EXPECT_EQ(Joined(join).error, ErrorCode::kNone);
}

TEST_F(StaticMemberTest, KeepsItsOldIdWhenTheNewOneCannotBeWritten) {
  TwoInstances();
  auto before = ShardInspector::DurableState(*shard_);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  JoinGroupRequest request = Instance("a");
  request.protocols = {{"range", "changed"}};
  const JoinGroupResponse& answer = Joined(Join(request));
  EXPECT_EQ(answer.error, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(answer.member_id, "");
  EXPECT_EQ(Heartbeat(a_, 1, "a"), ErrorCode::kNone);
  EXPECT_EQ(ShardInspector::DurableState(*shard_), before);
}

TEST_F(StaticMemberTest, ARebalanceThatBeginsWhileItIsWrittenAnswersIt) {
  TwoInstances();
  hold_commits_ = true;
  Ticket restarted = Join(Instance("b"));
  Ticket leader = Join(Instance("a", a_));
  EXPECT_EQ(Joined(restarted).generation_id, 2);
  EXPECT_EQ(Joined(leader).generation_id, 2);
  CommitAll();  // the fixture sees a second answer
  EXPECT_EQ(State(), "CompletingRebalance");
}

TEST_F(StaticMemberTest, IsToldToRetryWhenTheCommitTakesTooLong) {
  TwoInstances();
  hold_commits_ = true;
  Ticket join = Join(Instance("b"));
  Pass(5'000);
  EXPECT_EQ(Joined(join).error, ErrorCode::kCoordinatorNotAvailable);
  CommitAll();
}

}  // namespace
}  // namespace kb::group

// Consumer groups beside their heartbeats: what administrators see and do, offsets, groups that change their type, and
// writes that are slow or fail.
#include "group/consumer_fixture.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum ErrorCode;

class ConsumerAdminTest : public ConsumerFixture {
 protected:
  void OneMember() {
    MakeTopic("t", 4);
    EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
  }
  std::vector<std::string> List(std::vector<std::string> states = {}, std::vector<std::string> types = {}) const {
    std::vector<std::string> names;
    for (const auto& group : shard_->ListGroups({std::move(states), std::move(types)}).groups) {
      names.push_back(group.group_id + ":" + group.group_state + ":" + group.group_type + ":" + group.protocol_type);
    }
    return names;
  }
  // An offset of t-partition.
  ErrorCode CommitAs(std::string member, int32_t epoch, int32_t partition = 0, int16_t version = 9) {
    OffsetCommitRequest request = CommitRequest(std::move(member), epoch, 7);
    request.version = version;
    request.topics[0].topic_id = topics_.IdOf("t");
    request.topics[0].partitions[0].index = partition;
    return CommitError(Commit(std::move(request)));
  }
  ErrorCode FetchAs(std::optional<std::string> member, int32_t epoch) {
    OffsetFetchRequest request{.group_id = "g", .member_id = std::move(member), .member_epoch = epoch};
    return Answer<OffsetFetchResponse>(Fetch(std::move(request))).error;
  }
  // That is what a restart finds when the log has been cleaned.
  void ExpectOnlyTombstones() const {
    std::map<std::string, bool> is_value;
    for (const LogEntry& entry : log_) is_value[entry.record.key] = entry.record.value.has_value();
    for (const auto& [key, value] : is_value) EXPECT_FALSE(value) << key;
  }
  static constexpr int64_t kRetentionMs = int64_t{7} * 24 * 3'600'000;
};

// ── Administrators ──

TEST_F(ConsumerAdminTest, AGroupIsDescribedWithAllThatIsKnownOfIt) {
  MakeTopic("t", 1);
  ConsumerGroupHeartbeatRequest request = StaticJoinRequest("a", "i", {"t"});
  request.rack_id = "east";
  request.server_assignor = "range";
  Send(request);
  const auto group = DescribeConsumer();
  EXPECT_EQ(group.error, kNone);
  EXPECT_EQ(group.group_id, "g");
  EXPECT_EQ(group.assignor_name, "range");
  ASSERT_THAT(group.members, SizeIs(1));
  const auto& member = group.members[0];
  EXPECT_EQ(member.instance_id, "i");
  EXPECT_EQ(member.rack_id, "east");
  EXPECT_EQ(member.client_id, "client");
  EXPECT_EQ(member.client_host, "/127.0.0.1");
  EXPECT_THAT(member.subscribed_topic_names, ElementsAre("t"));
  EXPECT_EQ(member.subscribed_topic_regex, "");
  EXPECT_FALSE(member.is_classic);
  ASSERT_THAT(member.assignment, SizeIs(1));
  EXPECT_EQ(member.assignment[0].topic_id, topics_.IdOf("t"));
  EXPECT_EQ(TextOf(member.assignment), "t:0");
}

TEST_F(ConsumerAdminTest, OnlyConsumerGroupsAreDescribedAsSuch) {
  EXPECT_EQ(DescribeConsumer("missing").error, kGroupIdNotFound);
  EXPECT_EQ(DescribeConsumer("missing").error_message, "Group missing not found.");
  CommitSimple("simple", "t", 1);
  EXPECT_EQ(DescribeConsumer("simple").error, kGroupIdNotFound);
  EXPECT_EQ(DescribeConsumer("simple").error_message, "Group simple is not a consumer group.");
  OneMember();
  EXPECT_EQ(Describe("g").error, kGroupIdNotFound);
  EXPECT_EQ(Describe("g").error_message, "Group g is not a classic group.");
}

TEST_F(ConsumerAdminTest, AGroupIsSeenWhenItIsCommitted) {
  MakeTopic("t", 1);
  hold_commits_ = true;
  Join("a", {"t"});
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_EQ(DescribeConsumer().error, kGroupIdNotFound);
  CommitAll();
  EXPECT_THAT(List(), ElementsAre("g:Stable:consumer:consumer"));
}

TEST_F(ConsumerAdminTest, IsListedWithTheStateItIsIn) {
  topics_.settings.assignment_interval_ms = 1'000;
  OneMember();
  EXPECT_THAT(List({"stable"}, {"CONSUMER"}), ElementsAre("g:Stable:consumer:consumer"));
  EXPECT_THAT(List({}, {"classic"}), IsEmpty());
  Join("b", {"t"});
  EXPECT_THAT(List(), ElementsAre("g:Assigning:consumer:consumer"));
  Pass(1'000);
  Beat("b", 2);
  EXPECT_THAT(List({"Reconciling"}), ElementsAre("g:Reconciling:consumer:consumer"));
  Beat("a", -1);
  Beat("b", -1);
  EXPECT_THAT(List({"empty"}), ElementsAre("g:Empty:consumer:consumer"));
}

TEST_F(ConsumerAdminTest, OnlyAnEmptyGroupIsDeletedAndNothingIsLeftOfIt) {
  MakeTopic("t", 1);
  JoinRegex("a", "t");
  Pass(0);
  Beat("a", 1);
  CommitAs("a", 2);
  EXPECT_EQ(DeleteOne("g"), kNonEmptyGroup);
  Beat("a", -1);
  EXPECT_EQ(DeleteOne("g"), kNone);
  EXPECT_THAT(List(), IsEmpty());
  ExpectOnlyTombstones();
  Restart();
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
  EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0");
}

TEST_F(ConsumerAdminTest, WhileADeletionIsWrittenTheGroupIsNobodys) {
  OneMember();
  Beat("a", -1);
  hold_commits_ = true;
  Delete({"g"});
  EXPECT_EQ(ErrorOf(Join("a", {"t"})), kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kCoordinatorNotAvailable);
  CommitAll();
  hold_commits_ = false;
  EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
}

TEST_F(ConsumerAdminTest, AFailedDeletionLeavesTheGroup) {
  OneMember();
  Beat("a", -1);
  auto before = ShardInspector::DurableState(*shard_);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(DeleteOne("g"), kCoordinatorNotAvailable);
  EXPECT_EQ(ShardInspector::DurableState(*shard_), before);
  EXPECT_EQ(Told(Join("a", {"t"})), "a@4 t:0,1,2,3");
  ExpectReplayAgrees();
}

// ── Offsets ──

TEST_F(ConsumerAdminTest, AMemberCommitsAtItsEpoch) {
  OneMember();
  EXPECT_EQ(CommitAs("a", 2), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  EXPECT_EQ(CommitAs("a", 3), kStaleMemberEpoch);
  EXPECT_EQ(CommitAs("a", 1), kStaleMemberEpoch);
  EXPECT_EQ(CommitAs("a", -1), kStaleMemberEpoch);
  EXPECT_EQ(CommitAs("b", 2), kUnknownMemberId);
  EXPECT_EQ(CommitAs("", -1), kUnknownMemberId);
  EXPECT_EQ(CommitAs("a", 2, 0, 8), kUnsupportedVersion);
}

TEST_F(ConsumerAdminTest, AnOlderEpochIsGoodForPartitionsThatItHadThen) {
  OneMember();
  GrowTopic("t", 5);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t:0,1,2,3,4");
  EXPECT_EQ(CommitAs("a", 2, 0), kNone);
  EXPECT_EQ(CommitAs("a", 2, 4), kStaleMemberEpoch);
  EXPECT_EQ(CommitAs("a", 3, 4), kNone);
  EXPECT_EQ(CommitAs("a", 2, 9), kStaleMemberEpoch);
  Restart();
  EXPECT_EQ(CommitAs("a", 2, 0), kNone);
  EXPECT_EQ(CommitAs("a", 2, 4), kStaleMemberEpoch);
}

TEST_F(ConsumerAdminTest, MetadataThatIsTooLongIsSaidBeforeWhoseThePartitionIs) {
  OneMember();
  GrowTopic("t", 5);
  Beat("a", 2);
  OffsetCommitRequest request = CommitRequest("a", 2, 7);
  request.topics[0].topic_id = topics_.IdOf("t");
  request.topics[0].partitions = {{.index = 0, .committed_offset = 1},
                                  {.index = 4, .committed_offset = 2, .committed_metadata = std::string(4'097, 'x')}};
  const auto& partitions = Answer<OffsetCommitResponse>(Commit(request)).topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error, kNone);
  EXPECT_EQ(partitions.at(1).error, kOffsetMetadataTooLarge);
}

TEST_F(ConsumerAdminTest, WhatAMemberIsLettingGoOfMayStillBeCommitted) {
  OneMember();
  GrowTopic("t", 6);
  Beat("a", 2);
  Join("b", {"t"});
  EXPECT_EQ(Told(Beat("a", 3, Parts("t", {0, 1, 2, 3, 4, 5}))), "a@3 t:0,1,2");
  EXPECT_EQ(CommitAs("a", 2, 3), kNone);
  EXPECT_EQ(CommitAs("a", 3, 5), kNone);
  EXPECT_EQ(Told(Beat("a", 3, Parts("t", {0, 1, 2}))), "a@4");
  EXPECT_EQ(CommitAs("a", 3, 3), kStaleMemberEpoch);
}

TEST_F(ConsumerAdminTest, OffsetsAreFetchedAtTheMembersEpochOrByNobody) {
  OneMember();
  EXPECT_EQ(FetchAs("a", 2), kNone);
  EXPECT_EQ(FetchAs("a", 1), kStaleMemberEpoch);
  EXPECT_EQ(FetchAs("a", 3), kStaleMemberEpoch);
  EXPECT_EQ(FetchAs("b", 2), kUnknownMemberId);
  EXPECT_EQ(FetchAs(std::nullopt, -1), kNone);
}

TEST_F(ConsumerAdminTest, AnybodyCommitsWhenNobodyIsInTheGroup) {
  OneMember();
  Beat("a", -1);
  EXPECT_EQ(CommitAs("", -1), kNone);
  EXPECT_EQ(CommitAs("a", 2), kUnknownMemberId);
}

TEST_F(ConsumerAdminTest, OffsetsOfTopicsThatNobodySubscribesToExpire) {
  topics_.settings.session_timeout_ms = INT32_MAX;
  OneMember();
  MakeTopic("u", 1);
  CommitAs("a", 2);
  OffsetCommitRequest other = CommitRequest("a", 2, 5);
  other.topics[0].name = "u";
  other.topics[0].topic_id = topics_.IdOf("u");
  EXPECT_EQ(CommitError(Commit(other)), kNone);
  Pass(kRetentionMs - 1);
  EXPECT_EQ(CommittedOffsetOf("g", "u"), 5);
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "u"), -1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
}

// From the commit on, other than in a classic group.
TEST_F(ConsumerAdminTest, AnEmptyGroupGoesWithItsLastOffset) {
  OneMember();
  CommitAs("a", 2);
  Pass(40'000);
  Beat("a", -1);
  Pass(kRetentionMs - 40'001);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_THAT(List(), IsEmpty());
  Restart();
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
}

TEST_F(ConsumerAdminTest, AnEmptyGroupWithoutOffsetsGoesAfterTheCheckInterval) {
  OneMember();
  Beat("a", -1);
  Pass(599'999);
  EXPECT_THAT(List(), SizeIs(1));
  Pass(1);
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_EQ(shard_->NextDeadlineMs(), std::nullopt);
}

TEST_F(ConsumerAdminTest, OffsetsOfADeletedTopicGo) {
  OneMember();
  CommitAs("a", 2);
  DropTopic("t");
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_EQ(shard_->counts().offsets, 0u);
}

// ── From one type to the other ──

TEST_F(ConsumerAdminTest, AnEmptyClassicGroupMakesPlace) {
  auto ids = StableGroup(1);
  ShardFixture::Commit(ids[0], 1, 5);
  LeaveOne(ids[0]);
  OneMember();
  EXPECT_THAT(List(), ElementsAre("g:Stable:consumer:consumer"));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 5);
  EXPECT_EQ(shard_->counts().empty, 0u);
  EXPECT_EQ(shard_->counts().other_types, 1u);
  auto live = ShardInspector::DurableState(*shard_);
  Restart();
  EXPECT_EQ(ShardInspector::DurableState(*shard_), live);
}

TEST_F(ConsumerAdminTest, ASimpleGroupBecomesAConsumerGroup) {
  CommitSimple("g", "t", 3);
  OneMember();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 3);
  auto live = ShardInspector::DurableState(*shard_);
  Restart();
  EXPECT_EQ(ShardInspector::DurableState(*shard_), live);
}

TEST_F(ConsumerAdminTest, AndBackWhenItIsEmpty) {
  OneMember();
  CommitAs("a", 2);
  Beat("a", -1);
  StableGroup(1);
  EXPECT_THAT(List(), ElementsAre("g:Stable:classic:consumer"));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kGroupIdNotFound);
  auto live = ShardInspector::DurableState(*shard_);
  Restart();
  EXPECT_EQ(ShardInspector::DurableState(*shard_), live);
}

TEST_F(ConsumerAdminTest, OrStaysWhenThatCannotBeWritten) {
  OneMember();
  Beat("a", -1);
  auto before = ShardInspector::DurableState(*shard_);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(JoinError(ShardFixture::JoinRequest()), kCoordinatorNotAvailable);
  EXPECT_EQ(ShardInspector::DurableState(*shard_), before);
  EXPECT_EQ(Told(Join("a", {"t"})), "a@4 t:0,1,2,3");
  ExpectReplayAgrees();
}

// ── Writes that are slow, and that fail ──

TEST_F(ConsumerAdminTest, NobodyIsToldWhatIsNotCommitted) {
  MakeTopic("t", 4);
  hold_commits_ = true;
  Ticket join = Join("a", {"t"});
  Ticket beat = Beat("a", 2);  // has nothing to write, and says what the join has made of it
  EXPECT_FALSE(Answered(join));
  EXPECT_FALSE(Answered(beat));
  CommitAll();
  EXPECT_EQ(Told(join), "a@2 t:0,1,2,3");
  EXPECT_EQ(Told(beat), "a@2");
}

TEST_F(ConsumerAdminTest, AWriteThatTakesTooLongIsAnsweredWithAnError) {
  MakeTopic("t", 4);
  hold_commits_ = true;
  Ticket join = Join("a", {"t"});
  Pass(4'999);
  EXPECT_FALSE(Answered(join));
  Pass(1);
  EXPECT_EQ(ErrorOf(join), kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kCoordinatorNotAvailable);
  CommitAll();
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
}

TEST_F(ConsumerAdminTest, AJoinThatCannotBeWrittenIsToldSo) {
  MakeTopic("t", 4);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(ErrorOf(Join("a", {"t"})), kCoordinatorNotAvailable);
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_EQ(ErrorOf(Join("a", {"t"})), kCoordinatorNotAvailable);  // which writes what could not be written
  EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
  EXPECT_THAT(List(), SizeIs(1));
  ExpectReplayAgrees();
}

TEST_F(ConsumerAdminTest, TheNextWriteMendsWhatAFailedOneLeftOut) {
  OneMember();
  Join("b", {"t"});
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(ErrorOf(Beat("a", 2, Parts("t", {0, 1, 2, 3}))), kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Beat("b", 3, {})), kCoordinatorNotAvailable);  // which changes nothing by itself
  ExpectReplayAgrees();
  EXPECT_EQ(Told(Beat("b", 3, {})), "b@3");
  const size_t records = log_.size();
  EXPECT_EQ(Told(Beat("b", 3, {})), "b@3");
  EXPECT_EQ(log_.size(), records);  // mended once
}

// It was told of none of the epochs that it has come to meanwhile.
TEST_F(ConsumerAdminTest, AMemberOutlivesManyWritesThatFail) {
  OneMember();
  Join("b", {"t"});
  const std::vector<PartitionId> owned = Parts("t", {0, 1, 2, 3});
  for (int i = 0; i < 5; ++i) {
    fail_next_append_ = kNotEnoughReplicas;
    EXPECT_EQ(ErrorOf(Join("c" + std::to_string(i), {"t"})), kCoordinatorNotAvailable);
    fail_next_append_ = kNotEnoughReplicas;
    EXPECT_EQ(ErrorOf(Beat("a", 2, owned)), kCoordinatorNotAvailable);
  }
  EXPECT_EQ(ErrorOf(Beat("a", 2, owned)), kCoordinatorNotAvailable);  // mended
  EXPECT_EQ(ErrorOf(Beat("a", 2, owned)), kNone);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(3));  // of those who could not join only the first is known
  ExpectReplayAgrees();
}

TEST_F(ConsumerAdminTest, AnInstanceIdThatItsMemberGivesUpIsFree) {
  MakeTopic("t", 4);
  auto join = [&](const std::string& member, const std::string& instance) {
    ConsumerGroupHeartbeatRequest request = JoinRequest(member, {"t"});
    request.instance_id = instance;
    return ErrorOf(Send(request));
  };
  EXPECT_EQ(join("a", "i"), kNone);
  EXPECT_EQ(join("a", "j"), kNone);
  EXPECT_EQ(join("b", "i"), kNone);
  EXPECT_EQ(join("c", "j"), kUnreleasedInstanceId);
  ExpectReplayAgrees();
}

TEST_F(ConsumerAdminTest, AGroupHasSoManyExpressions) {
  MakeTopic("t", 1);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(ErrorOf(JoinRegex("m" + std::to_string(i), "t" + std::to_string(i))), kNone);
  }
  EXPECT_EQ(ErrorOf(JoinRegex("n", "other")), kCoordinatorLoadInProgress);
  EXPECT_EQ(ErrorOf(JoinRegex("n", "t7")), kNone);
}

TEST_F(ConsumerAdminTest, ALeaveThatCannotBeWrittenIsMendedToo) {
  OneMember();
  JoinRegex("b", "t");
  Pass(0);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(ErrorOf(Beat("b", -1)), kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Beat("b", -1)), kUnknownMemberId);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kCoordinatorNotAvailable);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kNone);
  ExpectReplayAgrees();
  Restart();
  EXPECT_THAT(Shown(), HasSubstr("a@"));
  EXPECT_THAT(DescribeConsumer().members, SizeIs(1));
}

TEST_F(ConsumerAdminTest, AFailedLeaveOfTheLastOneIsMendedByTheDeletion) {
  OneMember();
  fail_next_append_ = kNotEnoughReplicas;
  Beat("a", -1);
  Pass(600'000);
  EXPECT_THAT(List(), IsEmpty());
  ExpectOnlyTombstones();
  Restart();
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
}

TEST_F(ConsumerAdminTest, EveryoneWhoWaitsIsAnsweredWhenTheShardMoves) {
  MakeTopic("t", 4);
  hold_commits_ = true;
  Ticket join = Join("a", {"t"});
  Deliver(shard_->Unload(kNotCoordinator));
  EXPECT_EQ(ErrorOf(join), kNotCoordinator);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kNotCoordinator);
  EXPECT_EQ(shard_->NextDeadlineMs(), std::nullopt);
}

}  // namespace
}  // namespace kb::group

// ConsumerGroupHeartbeat: members join, stay, get and give partitions, and leave.
#include "group/consumer_fixture.h"

namespace kb::group {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using enum ErrorCode;

class ConsumerTest : public ConsumerFixture {
 protected:
  // a has t:0…3 at epoch 2.
  void OneMember() {
    MakeTopic("t", 4);
    EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
  }
  // a and b have two partitions each, at epoch 3.
  void TwoMembers() {
    OneMember();
    Join("b", {"t"});
    Beat("a", 2, Parts("t", {0, 1, 2, 3}));
    EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1}))), "a@3");
    EXPECT_EQ(Told(Beat("b", 3)), "b@3 t:2,3");
    EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
  }
};

// ── Joining ──

TEST_F(ConsumerTest, TheFirstMemberGetsEverythingAtEpochTwo) {
  OneMember();
  EXPECT_EQ(Shown(), "Stable 2/2: a@2 t:0,1,2,3 → t:0,1,2,3");
  EXPECT_EQ(DescribeConsumer().assignor_name, "uniform");
  EXPECT_THAT(log_, SizeIs(5));  // subscription, epoch, target, target's epoch, what it has
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AMemberWithoutAnIdIsGivenOne) {
  MakeTopic("t", 1);
  const auto& answer = Heard(Join("", {"t"}));
  ASSERT_EQ(answer.error, kNone);
  EXPECT_THAT(answer.member_id.value_or(""), SizeIs(22));
  EXPECT_EQ(answer.heartbeat_interval_ms, 5'000);
}

TEST_F(ConsumerTest, TopicsThatDoNotExistGiveNothing) {
  EXPECT_EQ(Told(Join("a", {"missing"})), "a@2 nothing");
  MakeTopic("missing", 2);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 missing:0,1");
}

TEST_F(ConsumerTest, JoiningAgainIsAnsweredWithWhatItHas) {
  OneMember();
  const size_t records = log_.size();
  EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
  EXPECT_EQ(log_.size(), records);
}

TEST_F(ConsumerTest, OnlyNewsAndFullRequestsAreAnsweredWithAnAssignment) {
  OneMember();
  const size_t records = log_.size();
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1, 2, 3}))), "a@2");
  ConsumerGroupHeartbeatRequest full = JoinRequest("a", {"t"});
  full.member_epoch = 2;
  full.owned = Parts("t", {0, 1, 2, 3});
  EXPECT_EQ(Told(Send(full)), "a@2 t:0,1,2,3");
  EXPECT_EQ(log_.size(), records);
}

TEST_F(ConsumerTest, AFullGroupTakesNobodyElse) {
  config_.group_consumer_max_size = 1;
  Restart();
  OneMember();
  EXPECT_EQ(ErrorOf(Join("b", {"t"})), kGroupMaxSizeReached);
  EXPECT_EQ(ErrorOf(Join("", {"t"})), kGroupMaxSizeReached);
  EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");
}

TEST_F(ConsumerTest, OnlyAJoinMakesAGroup) {
  EXPECT_EQ(ErrorOf(Beat("a", 3)), kGroupIdNotFound);
  EXPECT_EQ(ErrorOf(Beat("a", -1)), kGroupIdNotFound);
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("a", "i", -2))), kGroupIdNotFound);
  OneMember();
  EXPECT_EQ(ErrorOf(Beat("b", 2)), kUnknownMemberId);
  EXPECT_EQ(ErrorOf(Beat("b", -1)), kUnknownMemberId);
}

TEST_F(ConsumerTest, ANonEmptyClassicGroupOfAnotherProtocolIsNone) {
  JoinGroupRequest connect = ShardFixture::JoinRequest();
  connect.version = 3;
  connect.protocol_type = "connect";
  ShardFixture::Join(connect);
  EXPECT_EQ(ErrorOf(Join("a", {"t"})), kGroupIdNotFound);
}

// ── Epochs ──

TEST_F(ConsumerTest, AnEpochThatTheMemberDoesNotHaveIsFenced) {
  OneMember();
  EXPECT_EQ(ErrorOf(Beat("a", 3)), kFencedMemberEpoch);
  EXPECT_THAT(Heard(Beat("a", 3)).error_message.value_or(""), HasSubstr("greater member epoch (3)"));
  EXPECT_EQ(ErrorOf(Beat("a", 1)), kFencedMemberEpoch);
  EXPECT_EQ(ErrorOf(Send(BeatRequest("a", 1))), kFencedMemberEpoch);
}

// Its answer was lost. If it has no more than it was given, it hears the same again.
TEST_F(ConsumerTest, TheEpochBeforeIsGoodWithPartitionsThatItHas) {
  OneMember();
  GrowTopic("t", 6);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t:0,1,2,3,4,5");
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kFencedMemberEpoch);
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1, 2, 3}))), "a@3");
  EXPECT_EQ(Told(Beat("a", 2, {})), "a@3");
  EXPECT_EQ(ErrorOf(Beat("a", 2, Parts("t", {0, 9}))), kFencedMemberEpoch);
  GrowTopic("t", 7);
  Beat("a", 3);
  EXPECT_EQ(ErrorOf(Beat("a", 2, {})), kFencedMemberEpoch);
}

// ── Reconciliation ──

TEST_F(ConsumerTest, APartitionIsGivenWhenTheOtherHasLetGoOfIt) {
  OneMember();
  EXPECT_EQ(Told(Join("b", {"t"})), "b@3 nothing");
  EXPECT_EQ(Shown(), "Reconciling 3/3: a@2 t:0,1,2,3 → t:0,1; b@3 nothing → t:2,3");
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1, 2, 3}))), "a@2 t:0,1");
  // It is still responsible for what it has not let go of.
  EXPECT_EQ(Shown(), "Reconciling 3/3: a@2 t:0,1,2,3 → t:0,1; b@3 nothing → t:2,3");
  Beat("b", 3, {});  // notes that it waits at its epoch
  const size_t records = log_.size();
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1, 3}))), "a@2");
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  EXPECT_EQ(Told(Beat("b", 3, {})), "b@3");
  EXPECT_EQ(log_.size(), records);
  ExpectReplayAgrees();
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0, 1}))), "a@3");
  EXPECT_EQ(Told(Beat("b", 3, {})), "b@3 t:2,3");
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AMemberThatDoesNotLetGoInTimeIsFenced) {
  OneMember();
  Join("b", {"t"});
  Beat("a", 2, Parts("t", {0, 1, 2, 3}));
  for (int i = 0; i < 5; ++i) {
    Pass(5'000);
    EXPECT_EQ(ErrorOf(Beat("a", 2, Parts("t", {0, 1, 2, 3}))), kNone);
    EXPECT_EQ(ErrorOf(Beat("b", 3, {})), kNone);
  }
  Pass(5'000);  // 30 s since it was told
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kUnknownMemberId);
  EXPECT_EQ(Told(Beat("b", 3, {})), "b@4 t:0,1,2,3");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AMemberThatHasLetGoInTimeStays) {
  TwoMembers();
  for (int i = 0; i < 10; ++i) {
    Pass(5'000);
    EXPECT_EQ(Told(Beat("a", 3)), "a@3");
    EXPECT_EQ(Told(Beat("b", 3)), "b@3");
  }
}

TEST_F(ConsumerTest, WhatIsNoLongerSubscribedToIsLetGoOfAtOnce) {
  MakeTopic("t", 1);
  MakeTopic("u", 1);
  EXPECT_EQ(Told(Join("a", {"u", "t", "t"})), "a@2 t:0 u:0");
  topics_.settings.assignment_interval_ms = 1'000;  // the target stays for a while
  ConsumerGroupHeartbeatRequest request = BeatRequest("a", 2);
  request.subscribed_topic_names = {"t"};
  EXPECT_EQ(Told(Send(request)), "a@2 t:0");
  EXPECT_EQ(Shown(), "Assigning 3/2: a@2 t:0 u:0 → t:0 u:0");
  Pass(1'000);
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0}))), "a@3");
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0 → t:0");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, TheAssignorThatMostAskForIsTaken) {
  MakeTopic("t", 3);
  MakeTopic("u", 3);
  ConsumerGroupHeartbeatRequest request = JoinRequest("a", {"t", "u"});
  request.server_assignor = "range";
  Send(request);
  EXPECT_EQ(DescribeConsumer().assignor_name, "range");
  request.member_id = "b";
  Send(request);
  EXPECT_THAT(Shown(), HasSubstr("b@3 nothing → t:2 u:2"));
}

// ── Targets at most once in an interval ──

TEST_F(ConsumerTest, TheNextTargetWaitsForTheAssignmentInterval) {
  topics_.settings.assignment_interval_ms = 1'000;
  OneMember();
  EXPECT_EQ(Told(Join("b", {"t"})), "b@2 nothing");
  EXPECT_EQ(Shown(), "Assigning 3/2: a@2 t:0,1,2,3 → t:0,1,2,3; b@2 nothing → nothing");
  Pass(999);
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  Pass(1);
  EXPECT_EQ(Told(Beat("a", 2)), "a@2 t:0,1");
  EXPECT_EQ(Told(Beat("b", 2)), "b@3");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AGroupHasSettingsOfItsOwn) {
  topics_.settings_of["g"] = {
      .session_timeout_ms = 60'000, .heartbeat_interval_ms = 15'000, .assignment_interval_ms = 0};
  MakeTopic("t", 1);
  EXPECT_EQ(Heard(Join("a", {"t"})).heartbeat_interval_ms, 15'000);
  Pass(59'999);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(1));
  Pass(1);
  EXPECT_THAT(DescribeConsumer().members, IsEmpty());
}

// ── Leaving ──

TEST_F(ConsumerTest, WhatALeavingMemberHadGoesToTheOthers) {
  TwoMembers();
  EXPECT_EQ(Told(Beat("a", -1)), "a@-1");
  EXPECT_EQ(Told(Beat("b", 3)), "b@4 t:0,1,2,3");
  EXPECT_EQ(Shown(), "Stable 4/4: b@4 t:0,1,2,3 → t:0,1,2,3");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, TheLastOneLeavesAnEmptyGroup) {
  OneMember();
  Beat("a", -1);
  EXPECT_EQ(Shown(), "Empty 3/2");
  ExpectReplayAgrees();
  Restart();
  EXPECT_EQ(Shown(), "Empty 3/2");
  EXPECT_EQ(Told(Join("b", {"t"})), "b@4 t:0,1,2,3");
}

TEST_F(ConsumerTest, ASilentMemberIsFencedWithItsSession) {
  TwoMembers();
  Pass(44'999);
  Beat("b", 3);
  Pass(1);
  EXPECT_EQ(ErrorOf(Beat("a", 3)), kUnknownMemberId);
  EXPECT_EQ(Told(Beat("b", 3)), "b@4 t:0,1,2,3");
}

TEST_F(ConsumerTest, ARestartGivesEveryoneASessionAnew) {
  TwoMembers();
  Pass(40'000);
  Restart();
  Pass(40'000);
  EXPECT_EQ(Told(Beat("a", 3)), "a@3");
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
  Pass(5'000);
  EXPECT_EQ(ErrorOf(Beat("b", 3)), kUnknownMemberId);
}

TEST_F(ConsumerTest, ARestartGivesTheTimeToLetGoAnew) {
  OneMember();
  Join("b", {"t"});
  Beat("a", 2, Parts("t", {0, 1, 2, 3}));
  Restart();
  Pass(29'999);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kNone);
  Pass(1);
  EXPECT_EQ(ErrorOf(Beat("a", 2)), kUnknownMemberId);
}

// ── Static members ──

class ConsumerStaticTest : public ConsumerTest {
 protected:
  void SetUp() override {
    MakeTopic("t", 4);
    Send(StaticJoinRequest("a", "i", {"t"}));
    Send(StaticJoinRequest("b", "j", {"t"}));
    Send(Owning("a", "i", 2, {0, 1, 2, 3}));
    Send(Owning("a", "i", 2, {0, 1}));
    EXPECT_EQ(Told(Send(StaticBeatRequest("b", "j", 3))), "b@3 t:2,3");
  }
  ConsumerGroupHeartbeatRequest Owning(std::string member, std::string instance, int32_t epoch,
                                       std::vector<int32_t> partitions) {
    ConsumerGroupHeartbeatRequest request = StaticBeatRequest(std::move(member), std::move(instance), epoch);
    request.owned = Parts("t", partitions);
    return request;
  }
};

TEST_F(ConsumerStaticTest, AMemberThatLeavesForAWhileKeepsItsPartitions) {
  EXPECT_EQ(Told(Send(StaticBeatRequest("a", "i", -2))), "a@-2");
  EXPECT_EQ(Shown(), "Reconciling 3/3: a@-2 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
  EXPECT_EQ(Told(Send(StaticBeatRequest("b", "j", 3))), "b@3");
  ExpectReplayAgrees();
  EXPECT_EQ(Told(Send(StaticJoinRequest("a2", "i", {"t"}))), "a2@3 t:0,1");
  EXPECT_EQ(Shown(), "Stable 3/3: a2@3 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
  ExpectReplayAgrees();
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("a", "i", 3))), kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("a", "i", -1))), kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("a", "i", -2))), kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Beat("a", 3)), kUnknownMemberId);
}

// Whoever has let go unasked must say all: an assignment is told once, and again to those who ask as if for the first
// time.
TEST_F(ConsumerStaticTest, OneWhoseLeavingWasLostIsToldWhatItHasWhenItSaysAll) {
  Send(StaticBeatRequest("a", "i", -2));
  log_.pop_back();  // another broker, which has not seen that
  Restart();
  ConsumerGroupHeartbeatRequest request = Owning("a", "i", 3, {});
  EXPECT_EQ(Told(Send(request)), "a@3");
  request.rebalance_timeout_ms = 30'000;
  request.subscribed_topic_names = {"t"};
  EXPECT_EQ(Told(Send(request)), "a@3 t:0,1");
}

TEST_F(ConsumerStaticTest, ItMayComeBackUnderItsOldId) {
  Send(StaticBeatRequest("a", "i", -2));
  EXPECT_EQ(Told(Send(StaticJoinRequest("a", "i", {"t"}))), "a@3 t:0,1");
  ExpectReplayAgrees();
}

TEST_F(ConsumerStaticTest, ItIsGoneWithItsSession) {
  Pass(20'000);
  Send(StaticBeatRequest("b", "j", 3));
  Send(StaticBeatRequest("a", "i", -2));
  Pass(24'999);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(2));
  Pass(1);
  EXPECT_EQ(Told(Send(StaticBeatRequest("b", "j", 3))), "b@4 t:0,1,2,3");
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("a", "i", -2))), kUnknownMemberId);
}

TEST_F(ConsumerStaticTest, AnInstanceThatIsInUseIsNotGivenAway) {
  EXPECT_EQ(ErrorOf(Send(StaticJoinRequest("c", "i", {"t"}))), kUnreleasedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticJoinRequest("a", "i", {"t"}))), kUnreleasedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("c", "i", 3))), kFencedInstanceId);
  EXPECT_EQ(ErrorOf(Send(StaticBeatRequest("c", "k", 3))), kUnknownMemberId);
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0,1 → t:0,1; b@3 t:2,3 → t:2,3");
}

TEST_F(ConsumerStaticTest, TheInstanceIsFreeWhenItsMemberHasLeftForGood) {
  EXPECT_EQ(Told(Send(StaticBeatRequest("a", "i", -1))), "a@-1");
  EXPECT_EQ(Told(Send(StaticJoinRequest("c", "i", {"t"}))), "c@5 t:0,1");
}

TEST_F(ConsumerStaticTest, ANewSubscriptionOfTheOneThatComesBackCounts) {
  MakeTopic("u", 1);
  Send(StaticBeatRequest("a", "i", -2));
  EXPECT_EQ(Told(Send(StaticJoinRequest("a2", "i", {"u"}))), "a2@4 u:0");
  EXPECT_EQ(Told(Send(StaticBeatRequest("b", "j", 3))), "b@4 t:0,1,2,3");
  ExpectReplayAgrees();
}

// ── Topics ──

TEST_F(ConsumerTest, NewPartitionsAreNoticedWithTheNextHeartbeat) {
  OneMember();
  const size_t records = log_.size();
  MakeTopic("other", 3);
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  EXPECT_EQ(log_.size(), records);
  GrowTopic("t", 5);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t:0,1,2,3,4");
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0,1,2,3,4 → t:0,1,2,3,4");
}

TEST_F(ConsumerTest, TopicsThatChangedBeforeARestartAreNoticedAfterIt) {
  OneMember();
  topics_.Grow("t", 5);
  Restart();
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t:0,1,2,3,4");
}

TEST_F(ConsumerTest, ADeletedTopicIsTakenAway) {
  MakeTopic("t", 1);
  MakeTopic("u", 1);
  Join("a", {"t", "u"});
  DropTopic("u");
  EXPECT_EQ(Told(Beat("a", 2, Parts("t", {0}))), "a@3 t:0");
  EXPECT_EQ(Shown(), "Stable 3/3: a@3 t:0 → t:0");
  ExpectReplayAgrees();
  MakeTopic("u", 2);  // another one of that name
  EXPECT_EQ(Told(Beat("a", 3, Parts("t", {0}))), "a@4 t:0 u:0,1");
}

TEST_F(ConsumerTest, OtherRacksAreAChange) {
  OneMember();
  topics_.SetRacks("t", {{0, {"east", "west"}}});
  shard_->TopicsChanged({"t"}, false);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3");
  topics_.SetRacks("t", {{0, {"west", "east"}}});
  shard_->TopicsChanged({"t"}, false);
  EXPECT_EQ(Told(Beat("a", 3)), "a@3");
}

// ── Regular expressions ──

TEST_F(ConsumerTest, AnExpressionIsResolvedBehindTheJoin) {
  MakeTopic("t1", 1);
  MakeTopic("t2", 1);
  MakeTopic("u", 1);
  EXPECT_EQ(Told(JoinRegex("a", "t.*")), "a@1 nothing");
  ExpectReplayAgrees();
  Pass(0);
  EXPECT_EQ(Shown(), "Assigning 2/1: a@1 nothing → nothing");
  ExpectReplayAgrees();
  EXPECT_EQ(Told(Beat("a", 1)), "a@2 t1:0 t2:0");
  EXPECT_EQ(DescribeConsumer().members.at(0).subscribed_topic_regex, "t.*");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AnExpressionAndNamesAddUp) {
  MakeTopic("t1", 1);
  MakeTopic("u", 1);
  ConsumerGroupHeartbeatRequest request = JoinRequest("a", {"u"});
  request.subscribed_topic_regex = "t.|u";
  EXPECT_EQ(Told(Send(request)), "a@2 u:0");
  Pass(0);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t1:0 u:0");
}

TEST_F(ConsumerTest, AnExpressionMustBeOne) {
  MakeTopic("t", 1);
  EXPECT_EQ(ErrorOf(JoinRegex("a", "t(")), kInvalidRegularExpression);
  EXPECT_EQ(ErrorOf(JoinRegex("a", "(?=t)")), kInvalidRegularExpression);
  EXPECT_EQ(Shown(), "error 69");
  EXPECT_THAT(log_, IsEmpty());
  Join("a", {"t"});
  ConsumerGroupHeartbeatRequest request = BeatRequest("a", 2);
  request.subscribed_topic_regex = "[";
  EXPECT_EQ(ErrorOf(Send(request)), kInvalidRegularExpression);
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
}

TEST_F(ConsumerTest, NewTopicsAreFoundTenSecondsAfterTheLastLook) {
  MakeTopic("t1", 1);
  JoinRegex("a", "t.*");
  Pass(0);
  Beat("a", 1);
  MakeTopic("t2", 1);
  Pass(10'000);
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  Pass(1);  // more than ten seconds
  EXPECT_EQ(Told(Beat("a", 2)), "a@2");
  Pass(0);
  EXPECT_EQ(Told(Beat("a", 2)), "a@3 t1:0 t2:0");
  const size_t records = log_.size();
  Pass(11'000);
  EXPECT_EQ(Told(Beat("a", 3)), "a@3");
  Pass(0);
  EXPECT_EQ(log_.size(), records);
}

TEST_F(ConsumerTest, ExpressionsAreLookedAtAgainAfterTheRefreshInterval) {
  MakeTopic("t1", 1);
  topics_.settings.session_timeout_ms = 3'600'000;
  JoinRegex("a", "t.*");
  Pass(0);
  Beat("a", 1);
  const size_t records = log_.size();
  Pass(600'000);
  Beat("a", 2);
  Pass(0);
  EXPECT_EQ(log_.size(), records);
  Pass(1);
  Beat("a", 2);
  Pass(0);
  EXPECT_EQ(log_.size(), records + 1);  // when it was looked at; the group's epoch stays
  EXPECT_EQ(Shown(), "Stable 2/2: a@2 t1:0 → t1:0");
}

TEST_F(ConsumerTest, AnExpressionThatOthersHaveIsKnownAtOnce) {
  MakeTopic("t1", 1);
  JoinRegex("a", "t.*");
  Pass(0);
  Beat("a", 1);
  EXPECT_EQ(Told(JoinRegex("b", "t.*")), "b@3 nothing");
  EXPECT_EQ(Told(Beat("a", -1)), "a@-1");
  EXPECT_EQ(Told(Beat("b", 3)), "b@4 t1:0");
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AnExpressionIsForgottenWithItsLastSubscriber) {
  MakeTopic("t1", 1);
  JoinRegex("a", "t.*");
  Pass(0);
  Beat("a", 1);
  ConsumerGroupHeartbeatRequest request = BeatRequest("a", 2);
  request.subscribed_topic_regex = "";
  request.owned = Parts("t1", {0});
  EXPECT_EQ(Told(Send(request)), "a@2 nothing");
  EXPECT_EQ(Told(Beat("a", 2, {})), "a@3");
  ExpectReplayAgrees();
  Beat("a", -1);
  ExpectReplayAgrees();
}

TEST_F(ConsumerTest, AnExpressionIsForgottenWhenItsLastSubscriberLeaves) {
  MakeTopic("t1", 1);
  JoinRegex("a", "t.*");
  Pass(0);
  EXPECT_THAT(ShardInspector::DurableState(*shard_)["g"].group, HasSubstr("regex 't.*' at"));
  Beat("a", -1);
  EXPECT_THAT(ShardInspector::DurableState(*shard_)["g"].group, Not(HasSubstr("regex")));
  ExpectReplayAgrees();
}

// Other than in Apache Kafka, where they would be nobody's: neither are there new topics, nor do they have another
// hash.
TEST_F(ConsumerTest, WithAnExpressionThatStandsForNothingItsPartitionsGoToOthers) {
  TwoMembers();
  ConsumerGroupHeartbeatRequest request = BeatRequest("a", 3);
  request.subscribed_topic_names.emplace();
  request.subscribed_topic_regex = "t";
  request.owned = Parts("t", {0, 1});
  Send(request);
  Pass(0);
  Beat("a", 3, {});
  Beat("b", 4, Parts("t", {2, 3}));
  Pass(20'000);
  Beat("a", 5, {});
  Beat("b", 4, Parts("t", {2, 3}));
  const std::string before = Shown();
  request = BeatRequest("a", DescribeConsumer().members.at(0).member_epoch);
  request.subscribed_topic_regex = "nothing.*";
  request.owned = Parts("t", {});
  EXPECT_EQ(ErrorOf(Send(request)), kNone) << before;
  Pass(0);
  Beat("b", DescribeConsumer().members.at(1).member_epoch, Parts("t", {2, 3}));
  Beat("a", DescribeConsumer().members.at(0).member_epoch, {});
  Beat("b", DescribeConsumer().members.at(1).member_epoch, Parts("t", {2, 3}));
  EXPECT_THAT(Shown(), HasSubstr("nothing → nothing; b@")) << before;
  EXPECT_THAT(Shown(), HasSubstr("t:0,1,2,3 → t:0,1,2,3"));
  ExpectReplayAgrees();
}

// Apache Kafka looks at when the old one was resolved, and forgets it only then.
TEST_F(ConsumerTest, AnotherExpressionWaitsForTheTenSecondsOrTheNextHeartbeat) {
  MakeTopic("t1", 1);
  MakeTopic("u1", 1);
  JoinRegex("a", "t.*");
  Pass(0);
  Beat("a", 1);
  ConsumerGroupHeartbeatRequest request = BeatRequest("a", 2);
  request.subscribed_topic_regex = "u.*";
  request.owned = Parts("t1", {0});
  EXPECT_EQ(Told(Send(request)), "a@2 nothing");
  Pass(0);
  EXPECT_EQ(Told(Beat("a", 2, {})), "a@2");
  Pass(0);
  EXPECT_EQ(Told(Beat("a", 2, {})), "a@3 u1:0");
  ExpectReplayAgrees();
}

}  // namespace
}  // namespace kb::group

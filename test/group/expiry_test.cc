// When offsets and groups go by themselves (KIP-211).
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using enum ErrorCode;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kDay = 24 * 60 * kMinute;
constexpr int64_t kRetention = 7 * kDay;

class ExpiryTest : public ShardFixture {
 protected:
  static std::string Subscription(const std::string& topic) {
    std::string bytes("\0\1\0\0\0\1\0", 7);
    bytes += static_cast<char>(topic.size());
    bytes += topic;
    bytes += std::string("\xff\xff\xff\xff\0\0\0\0", 8);
    return bytes;
  }
  // Stable, subscribed to `topic`, with a session that outlives the test.
  std::string Subscriber(const std::string& topic) {
    config_.group_max_session_timeout_ms = INT32_MAX;
    Restart();
    JoinGroupRequest request = JoinRequest();
    request.session_timeout_ms = static_cast<int32_t>(2 * kRetention);
    request.protocols[0].metadata = Subscription(topic);
    request.member_id = NewMember(request);
    Ticket join = Join(request);
    Pass(3'000);
    Sync(request.member_id, Joined(join).generation_id);
    EXPECT_EQ(State(), "Stable");
    return request.member_id;
  }
  bool Exists(std::string group) const { return Describe(std::move(group)).error == kNone; }
};

TEST_F(ExpiryTest, OffsetsOfASimpleGroupGoOneByOneAndTheGroupWithTheLast) {
  CommitSimple("g", "a", 1);
  Pass(kDay);
  CommitSimple("g", "b", 2);
  Pass(6 * kDay - 1);
  EXPECT_EQ(CommittedOffsetOf("g", "a"), 1);
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "a"), -1);
  EXPECT_EQ(CommittedOffsetOf("g", "b"), 2);
  Pass(kDay - 1);
  EXPECT_TRUE(Exists("g"));
  Pass(1);
  EXPECT_FALSE(Exists("g"));
  EXPECT_FALSE(shard_->NextDeadlineMs().has_value());  // and nothing is left to wake up for
}

TEST_F(ExpiryTest, ACommitKeepsAnOffset) {
  for (int day = 0; day < 20; ++day) {
    CommitSimple("g", "t", day);
    Pass(kDay);
  }
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 19);
}

TEST_F(ExpiryTest, AnEmptyGroupKeepsItsOffsetsForTheRetentionAfterItsLastMember) {
  auto ids = StableGroup(1);
  Commit(ids[0], 1, 5);
  for (int i = 0; i < 30; ++i) {
    Pass(5'000);
    Heartbeat(ids[0], 1);
  }
  LeaveOne(ids[0]);
  Pass(kRetention - 1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 5);
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_FALSE(Exists("g"));
  EXPECT_FALSE(log_.back().record.value.has_value());  // the group's tombstone comes last
  Restart();
  EXPECT_FALSE(Exists("g"));
}

TEST_F(ExpiryTest, ARestartDoesNotProlongIt) {
  auto ids = StableGroup(1);
  Commit(ids[0], 1, 5);
  LeaveOne(ids[0]);
  Pass(kRetention - 10);
  Restart();
  Pass(9);
  EXPECT_TRUE(Exists("g"));
  Pass(1);
  EXPECT_FALSE(Exists("g"));
}

TEST_F(ExpiryTest, InAStableGroupOnlyWhatNobodySubscribesToExpires) {
  CommitSimple("g", "old", 1);
  std::string id = Subscriber("t");
  Commit(id, 1, 5);
  Pass(kRetention + kMinute);
  EXPECT_EQ(CommittedOffsetOf("g", "old"), -1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 5);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(ExpiryTest, NothingExpiresWhileSubscriptionsCannotBeRead) {
  config_.group_max_session_timeout_ms = INT32_MAX;
  Restart();
  JoinGroupRequest request = JoinRequest();
  request.version = 0;
  request.session_timeout_ms = static_cast<int32_t>(2 * kRetention);
  CommitSimple("g", "old", 1);
  Ticket join = Join(request);
  Pass(3'000);
  Sync(Joined(join).member_id, 1);
  Pass(kRetention + kDay);
  EXPECT_EQ(CommittedOffsetOf("g", "old"), 1);
}

TEST_F(ExpiryTest, ACommitMayAskForItsOwnRetention) {
  CommitSimple("g", "keep", 1);
  OffsetCommitRequest request = CommitRequest("", -1, 2);
  request.version = 2;
  request.retention_time_ms = 10 * kMinute;
  Commit(request);
  Restart();  // it is in the record
  Pass(10 * kMinute - 1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_EQ(CommittedOffsetOf("g", "keep"), 1);
}

TEST_F(ExpiryTest, RetentionsOfAnySizeAreBearable) {
  for (int64_t retention : {int64_t{-2}, int64_t{0}, INT64_MIN, INT64_MAX}) {
    OffsetCommitRequest request = CommitRequest("", -1, 2);
    request.retention_time_ms = retention;
    EXPECT_EQ(CommitError(Commit(request)), kNone);
    Pass(1);
    EXPECT_EQ(CommittedOffsetOf("g", "t"), retention > 0 ? 2 : -1) << retention;
  }
}

TEST_F(ExpiryTest, AGroupThatNobodyEverJoinedGoesAfterTheCheckInterval) {
  NewMember();
  Pass(10 * kMinute - 1);
  EXPECT_TRUE(Exists("g"));
  Pass(1);
  EXPECT_FALSE(Exists("g"));
  EXPECT_FALSE(shard_->NextDeadlineMs().has_value());
}

TEST_F(ExpiryTest, NotWhileAMemberIdIsStillGivenOut) {
  JoinGroupRequest request = JoinRequest();
  request.session_timeout_ms = 15 * 60'000;
  std::string id = NewMember(request);
  Pass(14 * kMinute);
  request.member_id = id;
  EXPECT_FALSE(Answered(Join(request)));
}

TEST_F(ExpiryTest, AFailedDeletionIsTriedAgain) {
  NewMember();
  Pass(10 * kMinute - 1);
  fail_next_append_ = kNotEnoughReplicas;
  Pass(1);
  EXPECT_TRUE(Exists("g"));
  EXPECT_EQ(JoinError(JoinRequest()), kMemberIdRequired);  // alive again
  Pass(20 * kMinute);
  EXPECT_FALSE(Exists("g"));
}

TEST_F(ExpiryTest, AFailedExpiryOfOffsetsIsTriedAgain) {
  CommitSimple("g", "t", 1);
  CommitSimple("g", "u", 1);
  Pass(kRetention - 1);
  fail_next_append_ = kNotEnoughReplicas;
  Pass(1);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
  Pass(10 * kMinute);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
}

TEST_F(ExpiryTest, WhileADeletionIsWrittenTheGroupIsNobodys) {
  NewMember();
  hold_commits_ = true;
  Pass(10 * kMinute);
  EXPECT_EQ(JoinError(JoinRequest()), kCoordinatorNotAvailable);
  EXPECT_EQ(Commit("", -1, 1), kCoordinatorNotAvailable);
  EXPECT_EQ(Heartbeat("x", 1), kCoordinatorNotAvailable);
  EXPECT_EQ(Synced(Sync("x", 1)).error, kCoordinatorNotAvailable);
  EXPECT_EQ(Answer<LeaveGroupResponse>(Leave({{"x", std::nullopt}})).error, kCoordinatorNotAvailable);
  EXPECT_EQ(State(), "Empty");  // which is what is committed
  CommitAll();
  EXPECT_FALSE(Exists("g"));
}

TEST_F(ExpiryTest, AnOffsetThatIsBeingReplacedDoesNotExpire) {
  CommitSimple("g", "t", 1);
  Pass(kRetention - 1);
  hold_commits_ = true;
  Commit(CommitRequest("", -1, 2));
  Pass(1);
  CommitAll();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
}

TEST_F(ExpiryTest, ManyOffsetsGoInSeveralWrites) {
  OffsetCommitRequest request = CommitRequest("", -1, 1);
  request.topics[0].partitions.clear();
  for (int32_t i = 0; i < 2'500; ++i) request.topics[0].partitions.push_back({.index = i, .committed_offset = i});
  Commit(request);
  Pass(kRetention - 1);
  EXPECT_EQ(shard_->counts().offsets, 2'500u);
  now_.wall_ms += 1;
  now_.monotonic_ms += 1;
  Outcome first = shard_->Expire(now_);
  EXPECT_EQ(first.records.size(), GroupShard::kMostRecordsPerWrite);
  Run(std::move(first));
  Pass(0);
  EXPECT_EQ(shard_->counts().offsets, 0u);
  EXPECT_FALSE(Exists("g"));
}

TEST_F(ExpiryTest, ALeapOfTheWallClockDoesNotMakeItSpin) {
  CommitSimple("g", "t", 1);
  now_.wall_ms -= kDay;  // was set back: the timer comes too early
  Pass(kRetention);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
  Pass(kDay);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
}

TEST_F(ExpiryTest, AnIdleShardWithSleepingMembersWakesOncePerSession) {
  auto ids = StableGroup(3);
  int wakes = 0;
  for (int i = 0; i < 10; ++i) {
    int64_t until = now_.monotonic_ms + 9'000;
    while (shard_->NextDeadlineMs().value_or(INT64_MAX) <= until) {
      now_.monotonic_ms = *shard_->NextDeadlineMs();
      Run(shard_->Expire(now_));
      ++wakes;
    }
    now_.monotonic_ms = until;
    for (const std::string& id : ids) EXPECT_EQ(Heartbeat(id, 1), kNone);
  }
  EXPECT_EQ(wakes, 0);  // a timer that was moved is moved before it wakes anybody
}

}  // namespace
}  // namespace kb::group

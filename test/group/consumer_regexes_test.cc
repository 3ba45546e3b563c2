// The regular expressions of consumer groups, where there are many of them and many topics: they are resolved some at a
// time, and what they stand for counts.
#include "group/consumer_fixture.h"
#include "group/records.h"

namespace kb::group {
namespace {

using enum ErrorCode;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

class ConsumerRegexesTest : public ConsumerFixture {
 protected:
  static constexpr int kExpressions = 20;
  static constexpr size_t kTopics = 500;
  static constexpr size_t kMostAtATime = 8;  // of expressions that stand for all of these

  void MakeTopics(const std::string& prefix, size_t count) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) {
      names.push_back(prefix + std::to_string(i));
      topics_.Create(names.back(), 1);
    }
    shard_->TopicsChanged(names, true);
  }
  static std::string Expression(int i) { return std::string(static_cast<size_t>(i + 1), 't') + "*\\d+"; }
  // Each with one of its own that stands for every topic.
  void JoinMany() {
    for (int i = 0; i < kExpressions; ++i) {
      ASSERT_EQ(ErrorOf(JoinRegex("m" + std::to_string(i), "t.*|" + Expression(i))), kNone);
    }
  }
  // Records of expressions from `first` on, tombstones left out.
  size_t Resolved(size_t first = 0) const {
    size_t count = 0;
    for (size_t i = first; i < log_.size(); ++i) {
      Result<RecordKey> key = DecodeKey(AsBytes(log_[i].record.key));
      const auto* of_consumer = std::get_if<ConsumerRecordKey>(&*key);
      const bool is_regex = of_consumer != nullptr && of_consumer->kind == ConsumerRecordKind::kRegex;
      count += is_regex && log_[i].record.value.has_value();
    }
    return count;
  }
  // Runs one step, if there is one to run; how many expressions it resolved.
  size_t Step() {
    const size_t first = log_.size();
    const std::optional<int64_t> next = shard_->NextDeadlineMs();
    if (!next.has_value() || *next > now_.monotonic_ms + 1) return 0;
    const int64_t ms = std::max<int64_t>(*next - now_.monotonic_ms, 0);
    now_.monotonic_ms += ms;
    now_.wall_ms += ms;
    Run(shard_->Expire(now_));
    return Resolved(first);
  }
  void FinishSteps() {
    for (int i = 0; i < 200; ++i) Step();
  }
};

TEST_F(ConsumerRegexesTest, ManyAreResolvedSomeAtATime) {
  MakeTopics("t", kTopics);
  JoinMany();
  int steps = 0;
  for (; Resolved() < kExpressions && steps < 100; ++steps) EXPECT_LE(Step(), kMostAtATime);
  EXPECT_GE(steps, 3);
  EXPECT_EQ(Resolved(), static_cast<size_t>(kExpressions));
  ExpectReplayAgrees();
  EXPECT_EQ(Step(), 0u);
  EXPECT_EQ(Resolved(), static_cast<size_t>(kExpressions));  // once each
}

TEST_F(ConsumerRegexesTest, OneThatTakesLongIsResolvedInParts) {
  MakeTopics("t", 20'000);
  ASSERT_EQ(ErrorOf(JoinRegex("a", "t1")), kNone);
  EXPECT_EQ(Step(), 0u);
  EXPECT_EQ(Step(), 0u);
  EXPECT_EQ(Step(), 1u);
  EXPECT_EQ(Told(JoinRegex("a", "t1")), "a@2 t1:0");
}

TEST_F(ConsumerRegexesTest, AllSeeTheTopicsOfOneMoment) {
  MakeTopics("t", kTopics);
  JoinMany();
  Step();
  MakeTopics("tt", 1);
  FinishSteps();
  const std::string before = ShardInspector::DurableState(*shard_)["g"].group;
  EXPECT_EQ(before.find(" tt0"), std::string::npos);
  Pass(10'000);
  JoinRegex("m0", "t.*|" + Expression(0));
  FinishSteps();
  EXPECT_EQ(Resolved(), static_cast<size_t>(2 * kExpressions));
  EXPECT_NE(ShardInspector::DurableState(*shard_)["g"].group.find(" tt0"), std::string::npos);
  ExpectReplayAgrees();
}

TEST_F(ConsumerRegexesTest, OneThatIsLeftMeanwhileIsForgotten) {
  MakeTopics("t", 20'000);
  ASSERT_EQ(ErrorOf(JoinRegex("a", "t1")), kNone);
  ASSERT_EQ(ErrorOf(JoinRegex("b", "t2")), kNone);
  EXPECT_EQ(Step(), 0u);
  EXPECT_EQ(ErrorOf(Beat("a", -1)), kNone);
  size_t resolved = 0;
  for (int i = 0; i < 20; ++i) resolved += Step();
  EXPECT_EQ(resolved, 1u);
  EXPECT_EQ(ShardInspector::DurableState(*shard_)["g"].group.find("'t1'"), std::string::npos);
  ExpectReplayAgrees();
}

// The epoch that comes with the first of them is not all there is to come.
TEST_F(ConsumerRegexesTest, AStepThatChangesSomethingBringsAnEpoch) {
  MakeTopics("t", kTopics);
  JoinMany();
  const int32_t before = DescribeConsumer().group_epoch;
  EXPECT_GE(Step(), 1u);
  EXPECT_EQ(DescribeConsumer().group_epoch, before + 1);
  ExpectReplayAgrees();
  Restart();  // which forgets how far it has come
  Pass(10'000);
  JoinRegex("m0", "t.*|" + Expression(0));
  FinishSteps();
  std::string state = ShardInspector::DurableState(*shard_)["g"].group;
  for (int i = 0; i < kExpressions; ++i) EXPECT_NE(state.find("'t.*|" + Expression(i) + "'"), std::string::npos) << i;
}

TEST_F(ConsumerRegexesTest, ALogThatCannotBeWrittenIsMendedBeforeTheNextStep) {
  MakeTopics("t", kTopics);
  JoinMany();
  Step();
  fail_next_append_ = kNotEnoughReplicas;
  Step();
  Step();
  ExpectReplayAgrees();
  Pass(1'000);
  FinishSteps();
  ExpectReplayAgrees();
  EXPECT_GE(Resolved(), static_cast<size_t>(kExpressions));
}

TEST_F(ConsumerRegexesTest, WhatTheyStandForIsCounted) {
  MakeTopics("t", kTopics);
  ASSERT_EQ(ErrorOf(JoinRegex("a", "t.*")), kNone);
  const size_t before = ShardInspector::MemberBytes(*shard_);
  Pass(0);
  const size_t after = ShardInspector::MemberBytes(*shard_);
  EXPECT_THAT(after - before, AllOf(Ge(kTopics * sizeof(std::string)), Le(100'000u)));
  Pass(600'001);  // refreshed, and the same
  EXPECT_EQ(ErrorOf(Beat("a", 1)), kUnknownMemberId);
  EXPECT_EQ(ShardInspector::MemberBytes(*shard_), 0u);
}

TEST_F(ConsumerRegexesTest, WhatARefreshFindsIsCountedOnce) {
  topics_.settings.session_timeout_ms = INT32_MAX;
  MakeTopics("t", kTopics);
  ASSERT_EQ(ErrorOf(JoinRegex("a", "t.*")), kNone);
  Pass(0);
  Pass(600'001);
  const size_t once = ShardInspector::MemberBytes(*shard_);
  JoinRegex("a", "t.*");
  const size_t assigned = ShardInspector::MemberBytes(*shard_);  // it has its partitions by now
  Pass(0);
  EXPECT_EQ(Resolved(), 2u);
  EXPECT_EQ(ShardInspector::MemberBytes(*shard_), assigned);
  EXPECT_GE(assigned, once);
}

TEST_F(ConsumerRegexesTest, OneThatStandsForTooMuchStandsForWhatItStoodForBefore) {
  topics_.settings.session_timeout_ms = INT32_MAX;
  config_.most_group_bytes = 50'000;
  Restart();
  MakeTopics("t", 10);
  ASSERT_EQ(ErrorOf(JoinRegex("a", "t.*")), kNone);
  Pass(0);
  Pass(10'001);
  MakeTopics("tt", 1'000);
  ASSERT_EQ(ErrorOf(JoinRegex("b", "tt.*")), kNone);
  Pass(10'000);
  const std::string state = ShardInspector::DurableState(*shard_)["g"].group;
  EXPECT_NE(state.find(" t9\n"), std::string::npos);
  EXPECT_EQ(state.find(" tt9"), std::string::npos);
  ExpectReplayAgrees();
  EXPECT_EQ(Resolved(), 3u);  // and they are not tried over and over again
}

}  // namespace
}  // namespace kb::group

// Offsets: who may commit when, what is visible when, deletion. Answers are those of Apache Kafka 4.3.1, which was
// asked the same.
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum ErrorCode;

class OffsetsTest : public ShardFixture {
 protected:
  // A consumer's subscription as it is on the wire: version 1, the topics, no user data, nothing owned.
  static std::string Subscription(const std::string& topic) {
    std::string bytes("\0\1\0\0\0\1\0", 7);
    bytes += static_cast<char>(topic.size());
    bytes += topic;
    bytes += std::string("\xff\xff\xff\xff\0\0\0\0", 8);
    return bytes;
  }
  std::string Subscriber(const std::string& topic) {
    JoinGroupRequest request = JoinRequest();
    request.protocols[0].metadata = Subscription(topic);
    request.member_id = NewMember(request);
    Ticket join = Join(request);
    Pass(3'000);
    generation_ = Joined(join).generation_id;
    Sync(request.member_id, generation_);
    EXPECT_EQ(State(), "Stable");
    return request.member_id;
  }
  OffsetDeleteResponse DeleteOffset(std::string group, std::string topic) {
    Ticket ticket = NewTicket();
    Run(shard_->OffsetDelete(ticket, {std::move(group), {{std::move(topic), {0}}}}, now_));
    return Answer<OffsetDeleteResponse>(ticket);
  }
  Ticket FetchAll(std::string group, bool require_stable = false) {
    return Fetch({.group_id = std::move(group), .require_stable = require_stable});
  }
};

// ── Who may commit ──

TEST_F(OffsetsTest, ACommitWithoutAGroupMakesASimpleOne) {
  EXPECT_EQ(CommitSimple("simple", "t", 5), kNone);
  EXPECT_EQ(CommittedOffsetOf("simple", "t"), 5);
  EXPECT_EQ(Describe("simple").group_state, "Empty");
  EXPECT_EQ(Describe("simple").protocol_type, "");
  EXPECT_EQ(CommitSimple("", "t", 6), kNone);  // even the empty group id, as ever
  EXPECT_EQ(CommittedOffsetOf("", "t"), 6);
}

TEST_F(OffsetsTest, AGenerationWithoutAGroupIsNone) {
  OffsetCommitRequest request = CommitRequest("x", 5, 1);
  request.version = 8;
  EXPECT_EQ(CommitError(Commit(request)), kIllegalGeneration);
  request.version = 9;
  EXPECT_EQ(CommitError(Commit(request)), kGroupIdNotFound);
  EXPECT_TRUE(log_.empty());
}

TEST_F(OffsetsTest, AnEmptyGroupTakesCommitsWithoutAGeneration) {
  CommitSimple("g", "t", 1);
  EXPECT_EQ(Commit("", -1, 2), kNone);
  EXPECT_EQ(Commit("x", -1, 3), kNone);  // the member id does not matter then
  EXPECT_EQ(Commit("x", 0, 4), kUnknownMemberId);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 3);
}

TEST_F(OffsetsTest, CommitInEachState) {
  std::string a = NewMember();
  std::string b = NewMember();
  EXPECT_EQ(Commit(a, 0, 1), kUnknownMemberId);
  Join(a);
  Join(b);
  Pass(6'000);
  ASSERT_EQ(State(), "CompletingRebalance");
  EXPECT_EQ(Commit(a, 1, 1), kRebalanceInProgress);
  EXPECT_EQ(Commit(a, 0, 1), kIllegalGeneration);
  EXPECT_EQ(Commit("", -1, 1), kUnknownMemberId);
  EXPECT_EQ(Commit(a, -1, 1), kIllegalGeneration);
  Sync(b, 1);
  Sync(a, 1);
  ASSERT_EQ(State(), "Stable");
  EXPECT_EQ(Commit(a, 1, 10), kNone);
  EXPECT_EQ(Commit(a, 2, 1), kIllegalGeneration);
  EXPECT_EQ(Commit("x", 1, 1), kUnknownMemberId);
  EXPECT_EQ(Commit("", -1, 1), kUnknownMemberId);
  EXPECT_EQ(Commit("", 1, 1), kUnknownMemberId);
  Join(a);
  ASSERT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(Commit(b, 1, 11), kNone);
  EXPECT_EQ(Commit(b, 2, 1), kIllegalGeneration);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 11);
}

TEST_F(OffsetsTest, ACommitKeepsTheSession) {
  auto ids = StableGroup(1);
  for (int i = 0; i < 5; ++i) {
    Pass(9'000);
    EXPECT_EQ(Commit(ids[0], 1, i), kNone);
  }
}

TEST_F(OffsetsTest, MetadataThatIsTooLongIsRefusedAloneAndCountedInUtf16) {
  OffsetCommitRequest request = CommitRequest("", -1, 7);
  std::string two_bytes_each;
  for (int i = 0; i < 4'096; ++i) two_bytes_each += "\xc3\xa9";
  request.topics[0].partitions = {{.index = 0, .committed_offset = 1, .committed_metadata = std::string(4'097, 'x')},
                                  {.index = 1, .committed_offset = 2, .committed_metadata = two_bytes_each},
                                  {.index = 2, .committed_offset = 3, .committed_metadata = std::nullopt}};
  Ticket commit = Commit(request);
  const auto& partitions = Answer<OffsetCommitResponse>(commit).topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error, kOffsetMetadataTooLarge);
  EXPECT_EQ(partitions.at(1).error, kNone);
  EXPECT_EQ(partitions.at(2).error, kNone);
  EXPECT_EQ(Fetched("g", "t", 0).committed_offset, -1);
  EXPECT_EQ(Fetched("g", "t", 1).metadata, two_bytes_each);
  EXPECT_EQ(Fetched("g", "t", 2).metadata, "");
}

TEST_F(OffsetsTest, WhatGroupsAndOffsetsTakeIsBounded) {
  EXPECT_EQ(CommitSimple("g", "t", 1), kNone);
  config_.most_shard_offset_bytes = ShardInspector::OffsetBytes(*shard_) + 1'000;
  Restart();
  OffsetCommitRequest request = CommitRequest("", -1, 2);
  request.topics[0].partitions[0].committed_metadata = std::string(1'001, 'm');
  EXPECT_EQ(CommitError(Commit(request)), kCoordinatorLoadInProgress);
  request.topics[0].partitions[0].committed_metadata = std::string(1'000, 'm');
  EXPECT_EQ(CommitError(Commit(request)), kNone);
  EXPECT_EQ(CommitError(Commit(request)), kNone);  // what is there takes no more
  EXPECT_EQ(CommitSimple("g", "u", 1), kCoordinatorLoadInProgress);
  EXPECT_EQ(CommitSimple("h", "t", 1), kCoordinatorLoadInProgress);
  JoinGroupRequest join = JoinRequest();
  join.group_id = "h";
  EXPECT_EQ(JoinError(join), kCoordinatorLoadInProgress);
  EXPECT_EQ(CommitSimple("g", "t", 3), kNone);
  EXPECT_EQ(ShardInspector::OffsetBytes(*shard_), config_.most_shard_offset_bytes - 1'000);
  Restart();
  EXPECT_EQ(ShardInspector::OffsetBytes(*shard_), config_.most_shard_offset_bytes - 1'000);
}

TEST_F(OffsetsTest, ACommitOfNothingAcceptableLeavesNothing) {
  OffsetCommitRequest request = CommitRequest("", -1, 7);
  request.topics[0].partitions[0].committed_metadata = std::string(5'000, 'x');
  Commit(request);
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(shard_->counts().empty, 0u);
}

TEST_F(OffsetsTest, OffsetsAreNotJudged) {
  EXPECT_EQ(CommitSimple("g", "t", -7), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -7);
}

// ── What is visible ──

TEST_F(OffsetsTest, UnknownGroupsAndPartitionsHaveNoOffset) {
  auto none = Fetched("none", "t", 3);
  EXPECT_EQ(none.index, 3);
  EXPECT_EQ(none.committed_offset, -1);
  EXPECT_EQ(none.committed_leader_epoch, -1);
  EXPECT_EQ(none.metadata, "");
  EXPECT_EQ(none.error, kNone);
  CommitSimple("g", "t", 1);
  EXPECT_EQ(Fetched("g", "t", 1).committed_offset, -1);
  EXPECT_EQ(Fetched("g", "other").committed_offset, -1);
  EXPECT_THAT(Answer<OffsetFetchResponse>(FetchAll("none")).topics, IsEmpty());
}

TEST_F(OffsetsTest, AllIsAllThatTheGroupHas) {
  CommitSimple("g", "a", 1);
  CommitSimple("g", "b", 2);
  CommitSimple("other", "c", 3);
  const auto& all = Answer<OffsetFetchResponse>(FetchAll("g"));
  ASSERT_THAT(all.topics, SizeIs(2));
  EXPECT_EQ(all.topics[0].name, "a");
  EXPECT_EQ(all.topics[0].topic_id, kTopicId);
  EXPECT_EQ(all.topics[1].partitions.at(0).committed_offset, 2);
}

TEST_F(OffsetsTest, ACommitIsAnsweredAndVisibleWhenItIsCommitted) {
  CommitSimple("g", "t", 1);
  hold_commits_ = true;
  Ticket commit = Commit(CommitRequest("", -1, 2));
  EXPECT_FALSE(Answered(commit));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
  CommitAll();
  EXPECT_EQ(CommitError(commit), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
}

TEST_F(OffsetsTest, CommitsBecomeVisibleInTheOrderOfTheLog) {
  hold_commits_ = true;
  Ticket first = Commit(CommitRequest("", -1, 1));
  Ticket second = Commit(CommitRequest("", -1, 2));
  Run(shard_->Committed(1, now_));
  EXPECT_TRUE(Answered(first));
  EXPECT_FALSE(Answered(second));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
  CommitAll();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
}

TEST_F(OffsetsTest, RequireStableWaitsForWhatIsBeingCommitted) {
  CommitSimple("g", "t", 1);
  EXPECT_EQ(Fetched("g", "t", 0, /*require_stable=*/true).committed_offset, 1);
  hold_commits_ = true;
  Commit(CommitRequest("", -1, 2));
  Ticket plain = FetchAll("g");
  Ticket stable = FetchAll("g", true);
  Ticket other = FetchAll("none", true);
  EXPECT_TRUE(Answered(plain) && Answered(other));
  EXPECT_FALSE(Answered(stable));
  CommitAll();
  EXPECT_EQ(Answer<OffsetFetchResponse>(stable).topics.at(0).partitions.at(0).committed_offset, 2);
}

TEST_F(OffsetsTest, AnOffsetOfAnotherTopicOfTheSameNameDoesNotCount) {
  CommitSimple("g", "t", 5);
  OffsetFetchRequest request{.group_id = "g"};
  request.topics = {{.name = "t", .topic_id = Uuid(9, 9), .partitions = {0}}};
  EXPECT_EQ(Answer<OffsetFetchResponse>(Fetch(request)).topics.at(0).partitions.at(0).committed_offset, -1);
  request.topics->at(0).topic_id = kTopicId;
  const auto& found = Answer<OffsetFetchResponse>(Fetch(request)).topics.at(0);
  EXPECT_EQ(found.partitions.at(0).committed_offset, 5);
  EXPECT_EQ(found.topic_id, kTopicId);
}

// ── Failures ──

TEST_F(OffsetsTest, AFailedCommitIsAsIfItHadNotBeen) {
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(CommitSimple("new", "t", 1), kCoordinatorNotAvailable);
  EXPECT_EQ(shard_->counts().empty, 0u);
  EXPECT_EQ(shard_->counts().offsets, 0u);
  CommitSimple("g", "t", 1);
  fail_next_append_ = kKafkaStorageError;
  EXPECT_EQ(CommitSimple("g", "t", 2), kNotCoordinator);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
}

TEST_F(OffsetsTest, EveryPartitionOfAFailedCommitGetsTheError) {
  OffsetCommitRequest request = CommitRequest("", -1, 7);
  request.topics[0].partitions = {{.index = 0}, {.index = 1, .committed_metadata = std::string(5'000, 'x')}};
  fail_next_append_ = kMessageTooLarge;
  Ticket commit = Commit(request);
  for (const auto& partition : Answer<OffsetCommitResponse>(commit).topics.at(0).partitions) {
    EXPECT_EQ(partition.error, kUnknownServerError);
  }
}

TEST_F(OffsetsTest, ACommitThatTakesTooLongIsAnsweredAndMayStillCount) {
  hold_commits_ = true;
  Ticket commit = Commit(CommitRequest("", -1, 2));
  Ticket fetch = FetchAll("g", true);
  Pass(4'999);
  EXPECT_FALSE(Answered(commit) || Answered(fetch));
  Pass(1);
  EXPECT_EQ(CommitError(commit), kCoordinatorNotAvailable);
  EXPECT_EQ(Answer<OffsetFetchResponse>(fetch).error, kCoordinatorNotAvailable);
  EXPECT_EQ(Answer<OffsetFetchResponse>(FetchAll("g", true)).error, kCoordinatorNotAvailable);  // nor a later one
  CommitAll();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
}

// The runtime may gather what several requests write; if the batch fails, all of it fails.
TEST_F(OffsetsTest, GatheredWritesFailTogether) {
  Ticket first = NewTicket();
  Ticket second = NewTicket();
  Ticket fetch = NewTicket();
  Outcome one = shard_->OffsetCommit(first, CommitRequest("", -1, 1), now_);
  Outcome two = shard_->OffsetCommit(second, CommitRequest("", -1, 2), now_);
  Outcome read = shard_->OffsetFetch(fetch, {.group_id = "g", .require_stable = true}, now_);
  EXPECT_THAT(read.replies, IsEmpty());
  Run(shard_->Failed(one.write_id, kNotLeaderOrFollower, now_));
  EXPECT_FALSE(Answered(fetch));  // the second may yet succeed
  Run(shard_->Failed(two.write_id, kNotLeaderOrFollower, now_));
  EXPECT_EQ(CommitError(first), kNotCoordinator);
  EXPECT_EQ(CommitError(second), kNotCoordinator);
  EXPECT_THAT(Answer<OffsetFetchResponse>(fetch).topics, IsEmpty());
  EXPECT_EQ(shard_->counts().empty, 0u);
}

TEST_F(OffsetsTest, ALaterWriteMaySucceedWhereTheFirstOfItsGroupFailed) {
  Ticket join = NewTicket();
  Ticket commit = NewTicket();
  Outcome created = shard_->JoinGroup(join, JoinRequest(), now_);
  Outcome committed = shard_->OffsetCommit(commit, CommitRequest("", -1, 5), now_);
  Run(shard_->Failed(created.write_id, kMessageTooLarge, now_));
  EXPECT_EQ(Joined(join).error, kUnknownServerError);
  Run(std::move(committed));
  EXPECT_EQ(CommitError(commit), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 5);
  auto live = ShardInspector::DurableState(*shard_);
  Restart();
  EXPECT_EQ(ShardInspector::DurableState(*shard_), live);
}

TEST_F(OffsetsTest, AGroupWhoseFirstRecordFailsIsGoneWithAllWhoWait) {
  JoinGroupRequest old = JoinRequest();
  old.version = 0;
  fail_next_append_ = kNotEnoughReplicas;
  Ticket join = Join(old);
  EXPECT_EQ(Joined(join).error, kCoordinatorNotAvailable);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(Joined(Join()).error, kCoordinatorNotAvailable);
  EXPECT_EQ(shard_->counts().empty + shard_->counts().preparing_rebalance, 0u);
  Pass(1'000'000);
  EXPECT_TRUE(log_.empty());
}

// ── OffsetDelete ──

TEST_F(OffsetsTest, DeletesOffsetsOfAnEmptyGroup) {
  CommitSimple("g", "t", 1);
  CommitSimple("g", "u", 2);
  EXPECT_EQ(DeleteOffset("g", "t").topics.at(0).partitions.at(0).error, kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_EQ(CommittedOffsetOf("g", "u"), 2);
  size_t records = log_.size();
  EXPECT_EQ(DeleteOffset("g", "t").topics.at(0).partitions.at(0).error, kNone);  // nothing there: fine, and not written
  EXPECT_EQ(log_.size(), records);
  Restart();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
}

TEST_F(OffsetsTest, DeletingFromNoGroup) {
  EXPECT_EQ(DeleteOffset("", "t").error, kInvalidGroupId);
  EXPECT_EQ(DeleteOffset("none", "t").error, kGroupIdNotFound);
}

TEST_F(OffsetsTest, ConsumersKeepTheOffsetsOfWhatTheySubscribeTo) {
  std::string id = Subscriber("t");
  Commit(id, 1, 5);
  EXPECT_EQ(DeleteOffset("g", "t").topics.at(0).partitions.at(0).error, kGroupSubscribedToTopic);
  EXPECT_EQ(DeleteOffset("g", "u").topics.at(0).partitions.at(0).error, kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 5);
}

TEST_F(OffsetsTest, UnreadableSubscriptionsCountAsSubscribedToEverything) {
  StableGroup(1);  // its metadata is no subscription
  EXPECT_EQ(DeleteOffset("g", "t").topics.at(0).partitions.at(0).error, kGroupSubscribedToTopic);
}

TEST_F(OffsetsTest, AGroupThatIsNoConsumersMustBeEmpty) {
  JoinGroupRequest request = JoinRequest();
  request.version = 0;
  request.protocol_type = "connect";
  Ticket join = Join(request);
  Pass(3'000);
  EXPECT_TRUE(Answered(join));
  EXPECT_EQ(DeleteOffset("g", "t").error, kNonEmptyGroup);
}

TEST_F(OffsetsTest, ASimpleGroupWithoutOffsetsIsGone) {
  CommitSimple("g", "t", 1);
  DeleteOffset("g", "t");
  EXPECT_EQ(Describe("g").error, kGroupIdNotFound);
}

// ── Deleted topics ──

TEST_F(OffsetsTest, ADeletedTopicTakesItsOffsetsAlong) {
  CommitSimple("a", "t", 1);
  CommitSimple("a", "u", 2);
  CommitSimple("b", "t", 3);
  Run(shard_->TopicsDeleted({{"t", kTopicId}}, now_));
  EXPECT_EQ(CommittedOffsetOf("a", "t"), -1);
  EXPECT_EQ(CommittedOffsetOf("a", "u"), 2);
  EXPECT_EQ(CommittedOffsetOf("b", "t"), -1);
  Restart();
  EXPECT_EQ(CommittedOffsetOf("a", "t"), -1);
}

TEST_F(OffsetsTest, ANewTopicOfTheSameNameKeepsItsOffsets) {
  CommitSimple("a", "t", 1);
  Run(shard_->TopicsDeleted({{"t", Uuid(5, 5)}}, now_));
  EXPECT_EQ(CommittedOffsetOf("a", "t"), 1);
}

TEST_F(OffsetsTest, ManyGroupsAreSweptInSteps) {
  constexpr int kGroups = 2'500;
  for (int i = 0; i < kGroups; ++i) CommitSimple("group-" + std::to_string(i), i % 2 == 0 ? "t" : "u", i);
  size_t before = log_.size();
  hold_commits_ = true;
  Run(shard_->TopicsDeleted({{"t", kTopicId}}, now_));
  size_t first = log_.size() - before;
  EXPECT_GT(first, 0u);
  EXPECT_LE(first, GroupShard::kMostRecordsPerWrite);
  Run(shard_->TopicsDeleted({{"u", kTopicId}}, now_));  // comes during the walk
  Pass(1);
  CommitAll();
  EXPECT_EQ(shard_->counts().offsets, 0u);
}

// ── Transactions, as the log has them ──

class TransactionalOffsetsTest : public OffsetsTest {
 protected:
  void Replay(const RecordBytes& record, bool transactional, ProducerId producer = ProducerId(1)) {
    std::optional<ByteView> value;
    if (record.value.has_value()) value = AsBytes(*record.value);
    RecordOrigin origin{.offset = next_offset_++, .producer_id = producer, .transactional = transactional};
    ASSERT_TRUE(shard_->Replay(AsBytes(record.key), value, origin).ok());
  }
  // The record of a commit by another shard.
  RecordBytes RecordOf(int64_t offset) {
    GroupShard writer(config_, random_, topics_);
    writer.Loaded(now_);
    return writer.OffsetCommit(1, CommitRequest("", -1, offset), now_).records.at(0);
  }
  TransactionalOffsetsTest() { shard_ = std::make_unique<GroupShard>(config_, random_, topics_); }
};

TEST_F(TransactionalOffsetsTest, CountWhenTheTransactionIsCommitted) {
  Replay(RecordOf(1), false);
  Replay(RecordOf(2), true);
  Run(shard_->Loaded(now_));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 1);
  EXPECT_EQ(Fetched("g", "t", 0, true).error, kUnstableOffsetCommit);
  EXPECT_EQ(Fetched("g", "t", 0, true).committed_offset, -1);
  shard_->ReplayEndOfTransaction(ProducerId(1), true, next_offset_++);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 2);
  EXPECT_EQ(Fetched("g", "t", 0, true).error, kNone);
}

TEST_F(TransactionalOffsetsTest, AreNotAmongAllOffsetsWhileNoneIsCommitted) {
  Replay(RecordOf(2), true);
  Run(shard_->Loaded(now_));
  const OffsetFetchRequest all{.group_id = "g", .require_stable = true};
  EXPECT_THAT(Answer<OffsetFetchResponse>(Fetch(all)).topics, IsEmpty());
  shard_->ReplayEndOfTransaction(ProducerId(1), true, next_offset_++);
  EXPECT_THAT(Answer<OffsetFetchResponse>(Fetch(all)).topics, SizeIs(1));
}

TEST_F(TransactionalOffsetsTest, DoNotCountWhenItIsAborted) {
  Replay(RecordOf(2), true);
  Run(shard_->Loaded(now_));
  shard_->ReplayEndOfTransaction(ProducerId(1), false, next_offset_++);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_EQ(shard_->counts().offsets, 0u);
}

TEST_F(TransactionalOffsetsTest, ALaterCommitOutsideOfTheTransactionWins) {
  Replay(RecordOf(2), true);
  Replay(RecordOf(3), false);
  shard_->ReplayEndOfTransaction(ProducerId(1), true, next_offset_++);
  Run(shard_->Loaded(now_));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 3);
}

TEST_F(TransactionalOffsetsTest, ARemovalEndsThemToo) {
  RecordBytes record = RecordOf(2);
  Replay(record, true);
  Replay({record.key, std::nullopt}, false);
  shard_->ReplayEndOfTransaction(ProducerId(1), true, next_offset_++);
  Run(shard_->Loaded(now_));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
}

TEST_F(TransactionalOffsetsTest, ProducersAreKeptApart) {
  Replay(RecordOf(2), true, ProducerId(1));
  Replay(RecordOf(3), true, ProducerId(2));
  Run(shard_->Loaded(now_));
  shard_->ReplayEndOfTransaction(ProducerId(2), true, next_offset_++);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 3);
  EXPECT_EQ(Fetched("g", "t", 0, true).error, kUnstableOffsetCommit);
  shard_->ReplayEndOfTransaction(ProducerId(1), true, next_offset_++);  // written before, so it is the older one
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 3);
  EXPECT_EQ(Fetched("g", "t", 0, true).error, kNone);
}

}  // namespace
}  // namespace kb::group

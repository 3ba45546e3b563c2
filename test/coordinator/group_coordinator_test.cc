// Groups over a real partition on a simulated disk: what they are told is what they find again after the power failed.
#include "coordinator/group_coordinator.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "group/records.h"
#include "group/simulated_surroundings.h"
#include "record/batch.h"
#include "record/builder.h"
#include "support/pending.h"
#include "support/sim_file_system.h"
#include "support/sim_scheduler.h"

namespace kb::coordinator {
namespace {

using test::IoCall;
using test::PowerLoss;

constexpr BrokerId kNode{1};
constexpr int32_t kFirstEpoch = 2;  // of the first member of a consumer group

class GroupCoordinatorTest : public ::testing::Test {
 protected:
  GroupCoordinatorTest() {
    EXPECT_TRUE(files_.CreateDirectories("/data").ok());
    EXPECT_TRUE(files_.SyncDirectory("/").ok());
    topics_.Create("topic", 2);
    topics_.settings.assignment_interval_ms = 0;
    Boot();
  }
  ~GroupCoordinatorTest() override { Die(); }

  void Boot() {
    reactor_ = scheduler_.MakeReactor(0);
    disk_ = std::make_unique<test::SimDiskPool>(scheduler_);
    reactor::Reactor::Scope scope(**reactor_);
    partitions_ = std::make_unique<partition::PartitionTable>(partition::PartitionTable::Environment{
        **reactor_, *disk_, files_, scheduler_.clock(), NullLogSink(), kNode, [](const std::string&, const Error&) {}});
    group::GroupConfig config;
    config.group_initial_rebalance_delay_ms = 0;
    groups_ = std::make_unique<GroupCoordinator>(GroupCoordinator::Environment{
        **reactor_, *disk_, scheduler_.clock(), NullLogSink(), *partitions_, config, topics_, linger_ms_});
  }
  void Die() {
    if (groups_ == nullptr) return;
    disk_.reset();
    (*reactor_)->Discard();
    {
      reactor::Reactor::Scope scope(**reactor_);
      groups_.reset();
      partitions_.reset();
    }
    reactor_.reset();
  }
  void Restart(PowerLoss loss) {
    Die();
    files_.Cut(loss);
    Boot();
  }

  template <typename T>
  using Pending = test::Pending<T>;
  template <typename F, typename T = typename std::invoke_result_t<F&>::Value>
  Pending<T> Begin(F task) {
    return test::Begin(**reactor_, std::move(task));
  }
  template <typename T>
  T Await(const Pending<T>& pending) {
    bool answered = scheduler_.RunUntil([&] { return pending->has_value(); });
    KB_CHECK(answered);
    return **pending;
  }

  static PartitionId Id(int32_t index) { return {Uuid(1, 1), index}; }
  void Open(int32_t index) {
    partition::OpenRequest request;
    request.id = Id(index);
    request.name = {"__consumer_offsets", index};
    request.leadership.leader = kNode;
    request.data_directory = "/data";
    Status opened = Await(Begin([this, request] { return partitions_->Open(request); }));
    EXPECT_TRUE(opened.ok());
  }
  // Opens, and begins to load.
  void Lead(int32_t index) {
    Open(index);
    reactor::Reactor::Scope scope(**reactor_);
    groups_->PartitionLed(Id(index));
  }
  void LeadAndLoad(int32_t index) {
    Lead(index);
    while (Fetch(index, "any").error == ErrorCode::kCoordinatorLoadInProgress) scheduler_.Step();
  }

  Pending<group::OffsetCommitResponse> BeginCommit(int32_t index, const std::string& group, int64_t offset) {
    group::OffsetCommitRequest request;
    request.version = 9;
    request.group_id = group;
    request.topics.push_back({"topic", Uuid(2, 2), {{0, offset, -1, ""}}});
    return Begin([this, index, request] { return groups_->OffsetCommit(Id(index), request); });
  }
  static ErrorCode ErrorOf(const group::OffsetCommitResponse& response) {
    return response.topics[0].partitions[0].error;
  }
  ErrorCode Commit(int32_t index, const std::string& group, int64_t offset) {
    return ErrorOf(Await(BeginCommit(index, group, offset)));
  }
  group::OffsetFetchResponse Fetch(int32_t index, const std::string& group) {
    group::OffsetFetchRequest request;
    request.group_id = group;
    request.topics.emplace().push_back({"topic", Uuid(), {0}});
    return Await(Begin([this, index, request] { return groups_->OffsetFetch(Id(index), request); }));
  }
  int64_t Committed(int32_t index, const std::string& group) {
    group::OffsetFetchResponse fetched = Fetch(index, group);
    EXPECT_EQ(fetched.error, ErrorCode::kNone);
    return fetched.topics.at(0).partitions.at(0).committed_offset;
  }

  group::JoinGroupRequest JoinRequest(const std::string& member_id = "") {
    group::JoinGroupRequest request;
    request.version = 3;  // the member id comes with the answer
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "group";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 10'000;
    request.member_id = member_id;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", "metadata"});
    return request;
  }
  Pending<group::JoinGroupResponse> BeginJoin(const std::string& member_id = "") {
    return Begin([this, request = JoinRequest(member_id)] { return groups_->JoinGroup(Id(0), request); });
  }
  Pending<group::SyncGroupResponse> BeginSync(const group::JoinGroupResponse& joined, const std::string& assignment) {
    group::SyncGroupRequest request;
    request.version = 3;
    request.group_id = "group";
    request.generation_id = joined.generation_id;
    request.member_id = joined.member_id;
    if (!assignment.empty()) request.assignments.push_back({joined.member_id, assignment});
    return Begin([this, request] { return groups_->SyncGroup(Id(0), request); });
  }
  ErrorCode Heartbeat(const group::JoinGroupResponse& joined) {
    group::HeartbeatRequest request{"group", joined.generation_id, joined.member_id, std::nullopt};
    return Await(Begin([this, request] { return groups_->Heartbeat(Id(0), request); })).error;
  }
  // A group of one member that has its assignment.
  group::JoinGroupResponse JoinAlone() {
    group::JoinGroupResponse joined = Await(BeginJoin());
    EXPECT_EQ(joined.error, ErrorCode::kNone);
    EXPECT_EQ(Await(BeginSync(joined, "all of it")).assignment, "all of it");
    return joined;
  }

  group::ConsumerGroupHeartbeatResponse ConsumerBeat(int32_t epoch, std::optional<std::vector<PartitionId>> owned) {
    return Await(BeginConsumerBeat(epoch, std::move(owned)));
  }
  Pending<group::ConsumerGroupHeartbeatResponse> BeginConsumerBeat(int32_t epoch,
                                                                   std::optional<std::vector<PartitionId>> owned) {
    group::ConsumerGroupHeartbeatRequest request;
    request.version = 1;
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "consumers";
    request.member_id = "member";
    request.member_epoch = epoch;
    request.owned = std::move(owned);
    if (epoch == 0) {
      request.rebalance_timeout_ms = 10'000;
      request.subscribed_topic_names = {"topic"};
    }
    return Begin([this, request] { return groups_->ConsumerGroupHeartbeat(Id(0), request); });
  }
  group::ConsumerGroupDescribeResponse::Group DescribeConsumers() {
    reactor::Reactor::Scope scope(**reactor_);
    return groups_->ConsumerGroupDescribe(Id(0), {{"consumers"}}).groups.at(0);
  }

  // How many records each batch of the partition has.
  std::vector<int32_t> BatchSizes(int32_t index) {
    const std::string log = "/data/__consumer_offsets-" + std::to_string(index) + "/00000000000000000000.log";
    const std::string bytes = files_.Get(log);
    std::vector<int32_t> sizes;
    for (size_t at = 0; at < bytes.size();) {
      record::BatchHeader batch(AsBytes(bytes).subspan(at));
      sizes.push_back(batch.record_count());
      at += static_cast<size_t>(batch.size_bytes());
    }
    return sizes;
  }

  int32_t linger_ms_ = -1;
  group::SimulatedSurroundings topics_;
  test::SimScheduler scheduler_{1};
  test::SimFileSystem files_{1};
  std::unique_ptr<test::SimReactor> reactor_;
  std::unique_ptr<test::SimDiskPool> disk_;
  std::unique_ptr<partition::PartitionTable> partitions_;
  std::unique_ptr<GroupCoordinator> groups_;
};

// ---- where a group is

TEST_F(GroupCoordinatorTest, WhoeverAsksTheWrongPartitionIsSentAway) {
  EXPECT_EQ(Commit(3, "group", 1), ErrorCode::kNotCoordinator);
  EXPECT_EQ(Fetch(3, "group").error, ErrorCode::kNotCoordinator);
}

TEST_F(GroupCoordinatorTest, WhileItLoadsItSaysSo) {
  LeadAndLoad(0);
  Commit(0, "group", 1);
  Restart(PowerLoss::kNothing);
  Lead(0);
  EXPECT_EQ(Fetch(0, "group").error, ErrorCode::kCoordinatorLoadInProgress);
  reactor::Reactor::Scope scope(**reactor_);
  EXPECT_EQ(groups_->ListGroups({}).error, ErrorCode::kCoordinatorLoadInProgress);
}

// ---- committed offsets

TEST_F(GroupCoordinatorTest, ACommittedOffsetSurvivesAPowerCut) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 41), ErrorCode::kNone);
  EXPECT_EQ(Commit(0, "group", 42), ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "group"), 42);
  Restart(PowerLoss::kEverything);
  LeadAndLoad(0);
  EXPECT_EQ(Committed(0, "group"), 42);
  EXPECT_EQ(Committed(0, "another"), -1);
}

TEST_F(GroupCoordinatorTest, ATopicThatIsDeletedWhileItsOffsetsAreLoadedLeavesNone) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 42), ErrorCode::kNone);
  Restart(PowerLoss::kNothing);
  Lead(0);
  ASSERT_EQ(Fetch(0, "group").error, ErrorCode::kCoordinatorLoadInProgress);
  {
    reactor::Reactor::Scope scope(**reactor_);
    groups_->TopicsDeleted({{"topic", Uuid(2, 2)}});
  }
  scheduler_.RunFor(1'000'000'000);  // loaded, and what was to go is gone from the disk
  EXPECT_EQ(Committed(0, "group"), -1);
  EXPECT_EQ(Commit(0, "group", 7), ErrorCode::kNone) << "to a topic of that name that came later";
  Restart(PowerLoss::kEverything);
  LeadAndLoad(0);
  EXPECT_EQ(Committed(0, "group"), 7) << "it was deleted once, on the disk, too";
}

TEST_F(GroupCoordinatorTest, ACommitIsAnsweredWhenItIsOnTheDisk) {
  LeadAndLoad(0);
  uint64_t syncs = files_.calls(IoCall::kSync);
  auto pending = BeginCommit(0, "group", 1);
  scheduler_.RunUntil([&] { return pending->has_value() || files_.calls(IoCall::kSync) > syncs; });
  EXPECT_FALSE(pending->has_value()) << "answered before the sync";
  EXPECT_EQ(ErrorOf(Await(pending)), ErrorCode::kNone);
}

TEST_F(GroupCoordinatorTest, EachPartitionKeepsItsOwnGroups) {
  LeadAndLoad(0);
  LeadAndLoad(1);
  EXPECT_EQ(Commit(0, "here", 1), ErrorCode::kNone);
  EXPECT_EQ(Commit(1, "there", 2), ErrorCode::kNone);
  Restart(PowerLoss::kNothing);
  LeadAndLoad(0);
  LeadAndLoad(1);
  EXPECT_EQ(Committed(0, "here"), 1);
  EXPECT_EQ(Committed(0, "there"), -1);
  EXPECT_EQ(Committed(1, "there"), 2);
}

// ---- what comes in one turn is one batch

TEST_F(GroupCoordinatorTest, CommitsThatComeTogetherShareABatchInTheirOrder) {
  LeadAndLoad(0);
  auto first = BeginCommit(0, "group", 3);
  auto other = BeginCommit(0, "other", 7);
  auto second = BeginCommit(0, "group", 2);
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(ErrorOf(Await(first)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(other)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(second)), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0), std::vector<int32_t>{3});
  EXPECT_EQ(Commit(0, "group", 4), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0), (std::vector<int32_t>{3, 1}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Committed(0, "group"), 4);
    EXPECT_EQ(Committed(0, "other"), 7);
    Restart(PowerLoss::kEverything);
    LeadAndLoad(0);
  }
}

TEST_F(GroupCoordinatorTest, WhenABatchFailsAllThatIsInItFails) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 1), ErrorCode::kNone);
  files_.set_capacity(files_.used_bytes() + 10);
  auto first = BeginCommit(0, "group", 2);
  auto other = BeginCommit(0, "other", 2);
  auto joined = BeginConsumerBeat(0, std::vector<PartitionId>());
  EXPECT_NE(ErrorOf(Await(first)), ErrorCode::kNone);
  EXPECT_NE(ErrorOf(Await(other)), ErrorCode::kNone);
  EXPECT_NE(Await(joined).error, ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "group"), 1);
  EXPECT_EQ(Committed(0, "other"), -1);
  files_.set_capacity(std::nullopt);
  EXPECT_EQ(Commit(0, "other", 3), ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "other"), 3);
}

TEST_F(GroupCoordinatorTest, AWriteThatFillsABatchByItselfGoesAlone) {
  LeadAndLoad(0);
  group::OffsetCommitRequest large;
  large.version = 9;
  large.group_id = "large";
  large.topics.push_back({"topic", Uuid(2, 2), {}});
  for (int32_t i = 0; i < 40; ++i) large.topics[0].partitions.push_back({i, 5, -1, std::string(4'000, 'm')});
  auto before = BeginCommit(0, "group", 1);
  auto all = Begin([this, large] { return groups_->OffsetCommit(Id(0), large); });
  auto behind = BeginCommit(0, "group", 2);
  EXPECT_EQ(ErrorOf(Await(before)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(all)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(behind)), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0), (std::vector<int32_t>{1, 40, 1}));
  EXPECT_EQ(Committed(0, "group"), 2);
  EXPECT_EQ(Committed(0, "large"), 5);
}

// The batch in front of it fails, and it was made by a memory that had what is lost.
TEST_F(GroupCoordinatorTest, AWriteThatFoundNoRoomFailsWithTheBatchBeforeIt) {
  LeadAndLoad(0);
  files_.set_capacity(files_.used_bytes() + 10);
  group::OffsetCommitRequest large;
  large.version = 9;
  large.group_id = "group";
  large.topics.push_back({"topic", Uuid(2, 2), {}});
  for (int32_t i = 0; i < 40; ++i) large.topics[0].partitions.push_back({i, 5, -1, std::string(4'000, 'm')});
  auto before = BeginCommit(0, "group", 1);
  auto all = Begin([this, large] { return groups_->OffsetCommit(Id(0), large); });
  files_.set_capacity(std::nullopt);
  EXPECT_NE(ErrorOf(Await(before)), ErrorCode::kNone);
  EXPECT_NE(ErrorOf(Await(all)), ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "group"), -1);
  EXPECT_EQ(Commit(0, "group", 2), ErrorCode::kNone);
}

// Its second heartbeat writes nothing, and depends on what the first wrote, which is not even appended yet.
TEST_F(GroupCoordinatorTest, AnAnswerWaitsForAWriteThatIsStillBeingGathered) {
  LeadAndLoad(0);
  uint64_t syncs = files_.calls(IoCall::kSync);
  auto joined = BeginConsumerBeat(0, std::vector<PartitionId>());
  auto commit = BeginCommit(0, "other", 1);
  auto beat = BeginConsumerBeat(kFirstEpoch, std::nullopt);
  scheduler_.RunUntil([&] { return beat->has_value() || files_.calls(IoCall::kSync) > syncs; });
  EXPECT_FALSE(beat->has_value()) << "answered before the sync";
  EXPECT_EQ(Await(joined).member_epoch, kFirstEpoch);
  EXPECT_EQ(Await(beat).error, ErrorCode::kNone);
  EXPECT_EQ(Await(beat).member_epoch, kFirstEpoch);
  EXPECT_EQ(ErrorOf(Await(commit)), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0).size(), 1u);
}

TEST_F(GroupCoordinatorTest, AnAnswerFailsWithAWriteThatWasStillBeingGathered) {
  LeadAndLoad(0);
  files_.set_capacity(files_.used_bytes() + 10);
  auto joined = BeginConsumerBeat(0, std::vector<PartitionId>());
  auto commit = BeginCommit(0, "other", 1);
  auto beat = BeginConsumerBeat(kFirstEpoch, std::nullopt);
  EXPECT_NE(Await(joined).error, ErrorCode::kNone);
  EXPECT_NE(Await(beat).error, ErrorCode::kNone);
  EXPECT_NE(ErrorOf(Await(commit)), ErrorCode::kNone);
}

TEST_F(GroupCoordinatorTest, WhatIsGatheredWhenThePartitionGoesIsNotAppended) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 1), ErrorCode::kNone);
  auto commit = BeginCommit(0, "group", 2);
  {
    reactor::Reactor::Scope scope(**reactor_);
    groups_->PartitionGone(Id(0));
  }
  EXPECT_EQ(ErrorOf(Await(commit)), ErrorCode::kNotCoordinator);
  scheduler_.RunFor(100 * kNsPerMs);
  EXPECT_EQ(BatchSizes(0).size(), 1u);
}

TEST_F(GroupCoordinatorTest, WithALingerWritesWaitForOthers) {
  linger_ms_ = 20;
  Restart(PowerLoss::kNothing);
  LeadAndLoad(0);
  auto first = BeginCommit(0, "group", 1);
  scheduler_.RunFor(10 * kNsPerMs);
  auto second = BeginCommit(0, "group", 2);
  scheduler_.RunFor(9 * kNsPerMs);
  EXPECT_FALSE(first->has_value() || second->has_value());
  EXPECT_EQ(ErrorOf(Await(first)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(second)), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0), std::vector<int32_t>{2});
}

TEST_F(GroupCoordinatorTest, WithALingerOfZeroEachWriteIsABatch) {
  linger_ms_ = 0;
  Restart(PowerLoss::kNothing);
  LeadAndLoad(0);
  auto first = BeginCommit(0, "group", 1);
  auto second = BeginCommit(0, "group", 2);
  EXPECT_EQ(ErrorOf(Await(first)), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(Await(second)), ErrorCode::kNone);
  EXPECT_EQ(BatchSizes(0), (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(Committed(0, "group"), 2);
}

// ---- members

TEST_F(GroupCoordinatorTest, AMemberJoinsGetsItsPartAndStays) {
  LeadAndLoad(0);
  group::JoinGroupResponse joined = JoinAlone();
  EXPECT_EQ(joined.leader, joined.member_id);
  EXPECT_EQ(Heartbeat(joined), ErrorCode::kNone);
  scheduler_.RunFor(9'000 * kNsPerMs);
  EXPECT_EQ(Heartbeat(joined), ErrorCode::kNone);
  scheduler_.RunFor(11'000 * kNsPerMs);
  EXPECT_EQ(Heartbeat(joined), ErrorCode::kUnknownMemberId) << "the timer of the shard took it out";
}

TEST_F(GroupCoordinatorTest, ASecondMemberMakesTheFirstJoinAgain) {
  LeadAndLoad(0);
  group::JoinGroupResponse first = JoinAlone();
  auto second = BeginJoin();
  scheduler_.RunFor(100 * kNsPerMs);
  EXPECT_EQ(Heartbeat(first), ErrorCode::kRebalanceInProgress);
  auto again = BeginJoin(first.member_id);
  group::JoinGroupResponse one = Await(again);
  group::JoinGroupResponse two = Await(second);
  EXPECT_EQ(one.generation_id, first.generation_id + 1);
  EXPECT_EQ(two.generation_id, one.generation_id);
  EXPECT_EQ(one.leader, two.leader);
  EXPECT_EQ(one.members.size() + two.members.size(), 2u) << "the leader gets the list";
}

TEST_F(GroupCoordinatorTest, AGroupIsFoundAgainAfterAPowerCut) {
  LeadAndLoad(0);
  group::JoinGroupResponse joined = JoinAlone();
  Restart(PowerLoss::kEverything);
  LeadAndLoad(0);
  EXPECT_EQ(Heartbeat(joined), ErrorCode::kNone);
  scheduler_.RunFor(11'000 * kNsPerMs);
  EXPECT_EQ(Heartbeat(joined), ErrorCode::kUnknownMemberId) << "its session goes on from the loading";
}

// ---- what stands in the way

// ── Consumer groups ────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(GroupCoordinatorTest, AMemberOfAConsumerGroupIsStillInItAfterAPowerCut) {
  LeadAndLoad(0);
  group::ConsumerGroupHeartbeatResponse joined = ConsumerBeat(0, std::vector<PartitionId>());
  ASSERT_EQ(joined.error, ErrorCode::kNone);
  ASSERT_TRUE(joined.assignment.has_value());
  EXPECT_EQ(joined.assignment->partition_count(), 2u);
  Restart(PowerLoss::kEverything);
  LeadAndLoad(0);
  group::ConsumerGroupDescribeResponse::Group described = DescribeConsumers();
  EXPECT_EQ(described.group_state, "Stable");
  ASSERT_EQ(described.members.size(), 1u);
  EXPECT_EQ(described.members[0].member_epoch, joined.member_epoch);
  EXPECT_EQ(ConsumerBeat(joined.member_epoch, std::nullopt).member_epoch, joined.member_epoch);
}

TEST_F(GroupCoordinatorTest, AMemberOfAConsumerGroupGetsThePartitionsThatCome) {
  LeadAndLoad(0);
  group::ConsumerGroupHeartbeatResponse joined = ConsumerBeat(0, std::vector<PartitionId>());
  topics_.Grow("topic", 3);
  EXPECT_FALSE(ConsumerBeat(joined.member_epoch, std::nullopt).assignment.has_value()) << "nobody has told";
  {
    reactor::Reactor::Scope scope(**reactor_);
    groups_->TopicsChanged({"topic"}, false);
  }
  group::ConsumerGroupHeartbeatResponse grown = ConsumerBeat(joined.member_epoch, std::nullopt);
  EXPECT_GT(grown.member_epoch, joined.member_epoch);
  ASSERT_TRUE(grown.assignment.has_value());
  EXPECT_EQ(grown.assignment->partition_count(), 3u);
}

TEST_F(GroupCoordinatorTest, WhereThereIsNoSuchPartitionConsumerGroupsAreNotCoordinated) {
  EXPECT_EQ(ConsumerBeat(0, std::vector<PartitionId>()).error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(DescribeConsumers().error, ErrorCode::kNotCoordinator);
}

TEST_F(GroupCoordinatorTest, APartitionThatCannotBeReadIsUnavailableAndTheOthersGoOn) {
  LeadAndLoad(0);
  LeadAndLoad(1);
  EXPECT_EQ(Commit(0, "group", 7), ErrorCode::kNone);
  EXPECT_EQ(Commit(1, "group", 8), ErrorCode::kNone);
  // A record of the right type that ends in the middle of its fields.
  record::BatchBuilder builder(record::BatchOptions{});
  const std::string key("\0\1\0", 3);
  builder.Append(scheduler_.clock().WallMs(), AsBytes(key), AsBytes("?"));
  std::vector<uint8_t> batch = builder.Build();
  {
    reactor::Reactor::Scope scope(**reactor_);
    EXPECT_EQ(partitions_->Find(Id(0))->AppendOwn(batch).error, ErrorCode::kNone);
  }
  Status closed = Await(Begin([this] { return partitions_->CloseAll(); }));
  EXPECT_TRUE(closed.ok());
  Restart(PowerLoss::kNothing);
  std::map<std::string, std::string> before = files_.Contents();
  LeadAndLoad(0);
  LeadAndLoad(1);
  EXPECT_EQ(Fetch(0, "group").error, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(Commit(0, "group", 9), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(Committed(1, "group"), 8);
  const std::string log = "/data/__consumer_offsets-0/00000000000000000000.log";
  EXPECT_EQ(files_.Get(log), before[log]) << "nothing of it is overwritten";
}

TEST_F(GroupCoordinatorTest, ADiskThatFailsAnswersWhoCommits) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 1), ErrorCode::kNone);
  files_.FailNth(IoCall::kSync, 1, EIO, /*and_all_after=*/true);
  EXPECT_NE(Commit(0, "group", 2), ErrorCode::kNone);
  EXPECT_NE(Commit(0, "group", 3), ErrorCode::kNone);
}

TEST_F(GroupCoordinatorTest, AFullDiskRefusesTheCommitAndTheNextIsTaken) {
  LeadAndLoad(0);
  EXPECT_EQ(Commit(0, "group", 1), ErrorCode::kNone);
  files_.set_capacity(files_.used_bytes() + 10);
  EXPECT_NE(Commit(0, "group", 2), ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "group"), 1);
  files_.set_capacity(std::nullopt);
  EXPECT_EQ(Commit(0, "group", 3), ErrorCode::kNone);
  EXPECT_EQ(Committed(0, "group"), 3);
}

TEST_F(GroupCoordinatorTest, StoppingAnswersEverybodyWhoWaits) {
  LeadAndLoad(0);
  JoinAlone();
  auto joining = BeginJoin();  // for the first member to join again
  scheduler_.RunFor(100 * kNsPerMs);
  EXPECT_FALSE(joining->has_value());
  {
    reactor::Reactor::Scope scope(**reactor_);
    groups_->Stop();
  }
  ErrorCode error = Await(joining).error;
  EXPECT_TRUE(error == ErrorCode::kNotCoordinator || error == ErrorCode::kCoordinatorNotAvailable);
  EXPECT_NE(Commit(0, "group", 1), ErrorCode::kNone);
}

TEST_F(GroupCoordinatorTest, APartitionThatGoesAnswersEverybodyWhoWaits) {
  LeadAndLoad(0);
  JoinAlone();
  auto joining = BeginJoin();
  scheduler_.RunFor(100 * kNsPerMs);
  {
    reactor::Reactor::Scope scope(**reactor_);
    groups_->PartitionGone(Id(0));
  }
  EXPECT_EQ(Await(joining).error, ErrorCode::kNotCoordinator);
  EXPECT_EQ(Commit(0, "group", 1), ErrorCode::kNotCoordinator);
}

}  // namespace
}  // namespace kb::coordinator

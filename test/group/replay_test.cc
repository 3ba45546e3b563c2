// Replay: a shard that has read the log knows what the one that wrote it knew.
//
// A seeded driver lets clients that make mistakes join, sync, commit, leave, crash and administer a few groups, lets
// time pass, commits late and makes appends fail. Whenever nothing is on its way to the log, a fresh shard reads it and
// must agree; and at the end every request has been answered exactly once (the fixture sees second answers).
#include <set>

#include "group/records.h"
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

using Durable = std::map<std::string, ShardInspector::Durable>;

class ReplayTest : public ShardFixture {
 protected:
  struct Client {
    std::string group;
    std::string member_id;
    std::optional<std::string> instance;
    int32_t generation = -1;
    bool leads = false;
    std::vector<std::string> members;  // when it leads
    std::optional<Ticket> joining;
    std::optional<Ticket> syncing;
  };

  void Drive(uint64_t seed, int steps, bool with_failures) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Random random(seed);
    random_ = Random(seed + 1'000);
    Restart();
    for (int i = 0; i < 8; ++i) {
      Client& client = clients_.emplace_back();
      client.group = "group-" + std::to_string(i % 3);
      if (i % 4 == 3) client.instance = "instance-" + std::to_string(i);
    }
    for (int step = 0; step < steps; ++step) {
      SCOPED_TRACE(::testing::Message() << "step " << step);
      hold_commits_ = random.Below(3) == 0;
      gather_ = random.Below(4) == 0;
      if (with_failures && random.Below(20) == 0) fail_next_append_ = SomeError(random);
      Act(random, clients_[random.Below(clients_.size())]);
      if (!hold_commits_ && !gather_) CommitAll();
      Learn();
      if (!with_failures && ShardInspector::PendingWrites(*shard_) == 0) ExpectSameAfterReplay();
      if (HasFailure()) return;
    }
    CommitAll();
    if (with_failures) ExpectSameOffsetsAfterReplay();
    fail_next_append_.reset();
    hold_commits_ = gather_ = false;
    Pass(int64_t{30} * 24 * 3'600'000);
    ExpectNothingLeft();
    Deliver(shard_->Unload(ErrorCode::kNotCoordinator));
    for (Ticket ticket = 1; ticket <= last_ticket_; ++ticket) EXPECT_TRUE(Answered(ticket)) << "ticket " << ticket;
  }

  static ErrorCode SomeError(Random& random) {
    constexpr ErrorCode kErrors[] = {ErrorCode::kNotEnoughReplicas, ErrorCode::kMessageTooLarge,
                                     ErrorCode::kNotLeaderOrFollower};
    return kErrors[random.Below(std::size(kErrors))];
  }

  void Act(Random& random, Client& client) {
    bool confused = random.Below(12) == 0;
    int32_t generation = confused ? client.generation + 1 : client.generation;
    switch (random.Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return ActJoin(random, client, confused);
      case 4:
      case 5:
      case 6:
        return ActSync(random, client, generation);
      case 7:
      case 8: {
        Ticket ticket = NewTicket();
        return Run(shard_->Heartbeat(ticket, {client.group, generation, client.member_id, client.instance}, now_));
      }
      case 9:
      case 10:
        return ActCommit(random, client, generation);
      case 11: {
        Ticket ticket = NewTicket();
        OffsetFetchRequest request{.group_id = client.group, .require_stable = random.Below(2) == 0};
        return Run(shard_->OffsetFetch(ticket, std::move(request), now_));
      }
      case 12:
        if (random.Below(3) != 0) return;
        Leave({{client.member_id, client.instance}}, client.group);
        return;
      case 13:
        return ActAdministrator(random, client);
      case 14:
        client.member_id.clear();  // the process dies; a new one will come
        client.joining.reset();
        client.syncing.reset();
        return;
      case 15:
        return PassSome(random);
    }
  }

  void ActJoin(Random& random, Client& client, bool confused) {
    JoinGroupRequest request = JoinRequest(confused ? "nobody" : client.member_id);
    request.version = static_cast<int16_t>(random.Below(10));
    request.group_id = client.group;
    request.rebalance_timeout_ms = 20'000;
    if (request.version >= 5) request.group_instance_id = client.instance;
    request.protocols[0].metadata = "metadata " + std::to_string(random.Below(3));
    if (random.Below(2) == 0) request.protocols.push_back({"sticky", "s"});
    if (random.Below(4) == 0) std::swap(request.protocols.front(), request.protocols.back());
    client.joining = Join(std::move(request));
  }

  void ActSync(Random& random, Client& client, int32_t generation) {
    SyncGroupRequest request = SyncRequest(client.member_id, generation);
    request.version = 3;
    request.group_id = client.group;
    request.group_instance_id = client.instance;
    request.protocol_type.reset();
    request.protocol_name.reset();
    for (const std::string& member : client.members) {
      if (random.Below(5) != 0) request.assignments.push_back({member, "part " + std::to_string(random.Below(100))});
    }
    client.syncing = Sync(std::move(request));
  }

  void ActCommit(Random& random, const Client& client, int32_t generation) {
    bool simple = random.Below(4) == 0;
    OffsetCommitRequest request =
        CommitRequest(simple ? "" : client.member_id, simple ? -1 : generation, static_cast<int64_t>(random.Below(99)));
    request.group_id = client.group;
    request.version = static_cast<int16_t>(2 + random.Below(9));
    if (!simple) request.group_instance_id = client.instance;
    if (random.Below(5) == 0) request.retention_time_ms = 100'000;
    request.topics[0].name = "topic-" + std::to_string(random.Below(3));
    Commit(std::move(request));
  }

  void ActAdministrator(Random& random, const Client& client) {
    Ticket ticket = NewTicket();
    switch (random.Below(4)) {
      case 0:
        return Run(shard_->DeleteGroups(ticket, {{client.group, "none"}}, now_));
      case 1:
        return Run(shard_->OffsetDelete(ticket, {client.group, {{"topic-1", {0, 1}}}}, now_));
      case 2:
        answers_.try_emplace(ticket);  // asks nothing
        return Run(shard_->TopicsDeleted({{"topic-2", kTopicId}}, now_));
      case 3:
        answers_.try_emplace(ticket);
        shard_->ListGroups({});
        shard_->DescribeGroups({6, {client.group, "none"}});
        return;
    }
  }

  void PassSome(Random& random) {
    constexpr int64_t kSpans[] = {1, 500, 3'000, 6'000, 11'000, 25'000, 700'000, int64_t{8} * 24 * 3'600'000};
    // Long spans are rare: they end everything.
    size_t most = random.Below(10) == 0 ? std::size(kSpans) : 5;
    Pass(kSpans[random.Below(most)]);
  }

  // What the clients make of their answers.
  void Learn() {
    for (Client& client : clients_) {
      if (client.joining.has_value() && Answered(*client.joining)) {
        const JoinGroupResponse& joined = Joined(*client.joining);
        client.joining.reset();
        bool lost = joined.error == ErrorCode::kUnknownMemberId || joined.error == ErrorCode::kFencedInstanceId;
        client.member_id = lost ? "" : joined.member_id;
        client.generation = joined.generation_id;
        client.members.clear();
        for (const auto& member : joined.members) client.members.push_back(member.member_id);
      }
      if (client.syncing.has_value() && Answered(*client.syncing)) {
        if (Synced(*client.syncing).error == ErrorCode::kUnknownMemberId) client.member_id.clear();
        client.syncing.reset();
      }
    }
  }

  Durable Replayed() {
    Random random(1);
    GroupShard fresh(config_, random, topics_);
    for (const LogEntry& entry : log_) ReplayInto(fresh, entry);
    fresh.Loaded(now_);
    ++replays_;
    return ShardInspector::DurableState(fresh);
  }

  void ExpectSameAfterReplay() {
    Durable live = ShardInspector::DurableState(*shard_);
    Durable replayed = Replayed();
    for (const auto& [id, group] : live) {
      // Of a group without records only those know who were given a member id and have not come yet.
      if (group.group.empty() && group.offsets.empty()) continue;
      ASSERT_EQ(replayed.count(id), 1u) << id;
      EXPECT_EQ(replayed[id].offsets, group.offsets) << id;
      // In a rebalance the log has the generation before, or none.
      if (group.rebalancing) continue;
      EXPECT_EQ(replayed[id].group, group.group) << id;
      ++groups_compared_;
    }
    for (const auto& [id, group] : replayed) EXPECT_EQ(live.count(id), 1u) << id;
  }

  void ExpectSameOffsetsAfterReplay() {
    Durable live = ShardInspector::DurableState(*shard_);
    Durable replayed = Replayed();
    for (const auto& [id, group] : live) EXPECT_EQ(replayed[id].offsets, group.offsets) << id;
  }

  // Everybody has gone, everything has expired, and nobody wakes up any more.
  void ExpectNothingLeft() {
    EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
    EXPECT_EQ(ShardInspector::MemberBytes(*shard_), 0u);
    EXPECT_EQ(ShardInspector::PendingWrites(*shard_), 0u);
    EXPECT_EQ(shard_->NextDeadlineMs(), std::nullopt);
    GroupCounts counts = shard_->counts();
    EXPECT_EQ(counts.empty + counts.stable + counts.preparing_rebalance + counts.completing_rebalance + counts.dead,
              0u);
    EXPECT_EQ(counts.offsets, 0u);
    EXPECT_TRUE(Replayed().empty());
  }

  std::vector<Client> clients_;
  int replays_ = 0;
  int groups_compared_ = 0;
};

class SeededReplayTest : public ReplayTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(SeededReplayTest, AFreshShardThatReadsTheLogAgreesAfterEveryStep) {
  Drive(GetParam(), 1'500, /*with_failures=*/false);
  EXPECT_GT(replays_, 500);
  EXPECT_GT(groups_compared_, 100);
}

TEST_P(SeededReplayTest, WithFailingAppendsOffsetsAgreeAndEveryRequestIsAnswered) {
  Drive(GetParam(), 3'000, /*with_failures=*/true);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeededReplayTest, ::testing::Range<uint64_t>(1, 21));

// The driver must reach what it is there for.
TEST_F(ReplayTest, TheDriverGetsGroupsThroughRebalances) {
  std::set<std::string> states;
  std::set<int> join_errors;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    log_.clear();
    clients_.clear();
    shard_.reset();
    answers_.clear();
    last_ticket_ = 0;
    next_offset_ = 0;
    Drive(seed, 1'500, false);
    for (const auto& [ticket, answer] : answers_) {
      if (const auto* joined = std::get_if<JoinGroupResponse>(&answer)) {
        join_errors.insert(static_cast<int>(joined->error));
      }
    }
  }
  for (ErrorCode error : {ErrorCode::kNone, ErrorCode::kMemberIdRequired, ErrorCode::kUnknownMemberId,
                          ErrorCode::kFencedInstanceId, ErrorCode::kRebalanceInProgress}) {
    EXPECT_EQ(join_errors.count(static_cast<int>(error)), 1u) << static_cast<int>(error);
  }
}

// ── Odd logs ──

TEST_F(ReplayTest, ARecordThatIsNoneIsReportedAndLeavesNothing) {
  GroupShard shard(config_, random_, topics_);
  EXPECT_FALSE(shard.Replay(AsBytes(""), std::nullopt, {}).ok());
  RecordBytes offset = EncodeOffset("g", "t", 0, {.offset = 1});
  EXPECT_FALSE(shard.Replay(AsBytes(offset.key), AsBytes("\1\2\3"), {}).ok());
  RecordBytes group = EncodeGroup("g", {});
  EXPECT_FALSE(shard.Replay(AsBytes(group.key), AsBytes("\1\2\3"), {}).ok());
  shard.Loaded(now_);
  EXPECT_TRUE(ShardInspector::DurableState(shard).empty());
}

TEST_F(ReplayTest, AnUnknownTypeOfRecordIsReadPast) {
  GroupShard shard(config_, random_, topics_);
  uint8_t key[] = {0x7f, 0xff, 1, 2, 3};
  EXPECT_TRUE(shard.Replay(key, AsBytes("anything"), {}).ok());
  EXPECT_TRUE(shard.Replay(key, std::nullopt, {}).ok());
}

TEST_F(ReplayTest, TombstonesOfWhatIsNotThereAreFine) {
  GroupShard shard(config_, random_, topics_);
  EXPECT_TRUE(shard.Replay(AsBytes(EncodeOffsetTombstone("g", "t", 0).key), std::nullopt, {}).ok());
  EXPECT_TRUE(shard.Replay(AsBytes(EncodeGroupTombstone("g").key), std::nullopt, {}).ok());
  shard.Loaded(now_);
  EXPECT_TRUE(ShardInspector::DurableState(shard).empty());
}

TEST_F(ReplayTest, AGroupRecordWithoutASensibleLeaderGetsOne) {
  GroupRecord record{.protocol_type = "consumer", .generation_id = 4, .protocol_name = "range", .leader = "gone"};
  record.members.push_back({.member_id = "a", .session_timeout_ms = 10'000});
  record.members.push_back({.member_id = "b", .session_timeout_ms = 10'000});
  record.members.push_back({.member_id = "a", .session_timeout_ms = 10'000});
  log_.push_back({EncodeGroup("g", record), 0});
  Restart();
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Describe().members.size(), 2u);
  EXPECT_FALSE(Answered(Join("a")));  // it leads: a rebalance
}

TEST_F(ReplayTest, AnOldRecordWithoutARebalanceTimeoutUsesTheSession) {
  GroupRecord record{.protocol_type = "consumer", .generation_id = INT32_MAX, .protocol_name = "range", .leader = "a"};
  record.members.push_back({.member_id = "a", .rebalance_timeout_ms = -1, .session_timeout_ms = 10'000});
  record.members.push_back({.member_id = "b", .rebalance_timeout_ms = -1, .session_timeout_ms = 200'000});
  log_.push_back({EncodeGroup("g", record), 0});
  Restart();
  Ticket join = Join("a");
  Pass(199'999);
  EXPECT_FALSE(Answered(join));
  Pass(1);
  EXPECT_EQ(Joined(join).generation_id, 1);  // there is no generation above the highest
}

}  // namespace
}  // namespace kb::group

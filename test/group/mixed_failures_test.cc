// Groups of both protocols when the log cannot be written, and when anything may happen.
#include <cstdlib>
#include <functional>

#include "group/mixed_fixture.h"
#include "group/records.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// ── Appends that fail ──────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(MixedTest, AnUpgradeThatWasNotWrittenIsTakenBack) {
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  const int32_t generation = clients[0].epoch;
  fail_next_append_ = ErrorCode::kMessageTooLarge;
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kUnknownServerError);
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(State(), "PreparingRebalance");
  Settle();
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(clients[0].epoch, generation + 1);
  SameAfterReplay();
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  EXPECT_TRUE(IsConsumerGroup());
  SameAfterReplay();
}

TEST_F(MixedTest, ARestartAfterAnUpgradeThatWasNotWrittenFindsTheClassicGroup) {
  std::vector<Client> clients = ClassicGroup(2);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kCoordinatorNotAvailable);
  Restart();
  EXPECT_EQ(State(), "Stable");
  for (const Client& client : clients) EXPECT_EQ(BeatAs(client), ErrorCode::kNone);
}

TEST_F(MixedTest, NothingIsToldOfAnUpgradeBeforeItIsCommitted) {
  std::vector<Client> clients = ClassicGroup(2);
  hold_commits_ = true;
  Ticket beat = ConsumerBeat(ConsumerBeatRequest({.id = "new"}));
  EXPECT_FALSE(Answered(beat));
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  Ticket join = Join(ClassicJoin(clients[0]));
  EXPECT_FALSE(Answered(join));
  CommitAll();
  EXPECT_EQ(Beaten(beat).error, ErrorCode::kNone);
  EXPECT_EQ(Joined(join).error, ErrorCode::kNone);
}

TEST_F(MixedTest, ADowngradeThatWasNotWrittenIsWrittenWithTheNextRequest) {
  std::vector<Client> clients = ClassicGroup(2);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  clients_.pop_back();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  SameAfterReplay();
  Settle();
  EXPECT_EQ(State(), "Stable");
  SameAfterReplay();
  // The log knows nothing of the member that has gone, also when it is a consumer group again.
  consumer = NewConsumer("newer");
  EXPECT_THAT(DescribeConsumer().members, SizeIs(3));
  SameAfterReplay();
}

TEST_F(MixedTest, WhatADowngradeLeftInTheLogGoesWithTheGroup) {
  std::vector<Client> clients = ClassicGroup(1);
  Client consumer = NewConsumer("new");
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  ConsumerLeaves(consumer);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(LeaveOne(clients[0].id), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(State(), "Empty");
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  GroupShard other(config_, random_, topics_);
  for (const LogEntry& entry : log_) ReplayInto(other, entry);
  other.Loaded(now_);
  EXPECT_TRUE(ShardInspector::DurableState(other).empty());
}

// Requests may come while the shard is being told which of its writes have failed: here a group has lost its first
// record by then, and not yet what it became.
TEST_F(MixedTest, AClassicGroupThatIsMendedByItsUpgradeLeavesNoRecordBehind) {
  gather_ = true;
  Join(ClassicJoin({}));             // makes the group, which waits for whoever uses the member id
  Commit(CommitRequest("", -1, 1));  // so that it does not go
  JoinGroupRequest old = ClassicJoin({});
  old.version = 3;
  Join(old);
  ConsumerBeat(ConsumerBeatRequest({.id = "new"}));
  ConsumerBeat(ConsumerBeatRequest({.id = "new", .epoch = -1}));
  std::vector<Outcome> lost = std::exchange(gathered_, {});
  ASSERT_THAT(lost, SizeIs(4));
  gather_ = false;
  for (size_t i = 0; i < lost.size(); ++i) {
    Run(shard_->Failed(lost[i].write_id, ErrorCode::kNotEnoughReplicas, now_));
    if (i == 0) NewMember(ClassicJoin({}));
  }
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kNone);
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new", .epoch = -1}))).error, ErrorCode::kNone);
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  std::map<std::string, bool> is_left;  // when it is compacted
  for (const LogEntry& entry : log_) is_left[entry.record.key] = entry.record.value.has_value();
  for (const auto& [key, left] : is_left) EXPECT_FALSE(left) << "kind " << static_cast<int>(key[1]);
}

TEST_F(MixedTest, AJoinThatWasNotWrittenIsWrittenWithTheNextRequest) {
  std::vector<Client> clients = ClassicGroup(1);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Joined(Join(ClassicJoin({.id = "x"}))).error, ErrorCode::kCoordinatorNotAvailable);
  Client x{.id = "x"};
  clients_.push_back(&x);
  Settle();
  SameAfterReplay();
}

TEST_F(MixedTest, ASyncWaitsForWhatWasWrittenBefore) {
  std::vector<Client> clients = ClassicGroup(1);
  NewConsumer("new");
  hold_commits_ = true;
  Ticket join = Join(ClassicJoin(clients[0]));
  EXPECT_FALSE(Answered(join));
  clients[0].epoch = DescribeConsumer().assignment_epoch;
  for (const auto& member : DescribeConsumer().members) {
    if (member.member_id == clients[0].id) clients[0].epoch = member.member_epoch;
  }
  Ticket sync = SyncAs(clients[0]);
  EXPECT_FALSE(Answered(sync));
  CommitAll();
  EXPECT_EQ(Synced(sync).error, ErrorCode::kNone);
}

TEST_F(MixedTest, AnUpgradeThatIsTakenBackLosesNobodyWhosePlaceWasTaken) {
  std::vector<Client> clients = ClassicGroup(2, {"a", "b"});
  Watch(clients);
  const std::string id = clients[0].id;
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new", .instance = "a"}))).error,
            ErrorCode::kCoordinatorNotAvailable);
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(BeatAs(clients[1]), ErrorCode::kRebalanceInProgress);
  EXPECT_THAT(Describe().members, SizeIs(2));
  Settle();
  EXPECT_EQ(clients[0].id, id);
  SameAfterReplay();
}

TEST_F(MixedTest, AnUpgradeOfOneIsTakenBackWhenItsPlaceWasTaken) {
  std::vector<Client> clients = ClassicGroup(1, {"a"});
  Watch(clients);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  ConsumerBeat(ConsumerBeatRequest({.id = "new", .instance = "a"}));
  EXPECT_FALSE(IsConsumerGroup());
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  Settle();
  SameAfterReplay();
}

// Nobody was told of the epochs that they would have come to.
TEST_F(MixedTest, AClassicMemberOutlivesManyWritesThatFail) {
  std::vector<Client> clients = ClassicGroup(1);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  for (int i = 0; i < 5; ++i) {
    fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    ConsumerBeat(ConsumerBeatRequest({.id = "c" + std::to_string(i)}));
    fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    EXPECT_EQ(Joined(Join(ClassicJoin(clients[0]))).error, ErrorCode::kCoordinatorNotAvailable);
    fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    EXPECT_EQ(Joined(Join(ClassicJoin({.id = "x" + std::to_string(i)}))).error, ErrorCode::kCoordinatorNotAvailable);
  }
  EXPECT_THAT(DescribeConsumer().members, SizeIs(3));  // of those who could not join only the first is known
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
  SameAfterReplay();  // the heartbeat has mended it
}

TEST_F(MixedTest, ASyncIsNotAnsweredWhileTheLogIsWrittenAnew) {
  std::vector<Client> clients = ClassicGroup(1);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  JoinGroupRequest elsewhere = ClassicJoin(clients[0]);
  elsewhere.caller.client_host = "10.0.0.1";
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Joined(Join(elsewhere)).error, ErrorCode::kCoordinatorNotAvailable);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Synced(SyncAs(clients[0])).error, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(Synced(SyncAs(clients[0])).error, ErrorCode::kCoordinatorNotAvailable);  // which writes it
  SameAfterReplay();
  EXPECT_EQ(Synced(SyncAs(clients[0])).error, ErrorCode::kNone);
}

// A member's subscription goes last, and the group behind all: so Apache Kafka wants to read it.
TEST_F(MixedTest, WhatIsLeftInTheLogGoesInTheOrderOfApacheKafka) {
  std::vector<Client> clients = ClassicGroup(1);
  Client consumer = NewConsumer("new");
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  ConsumerLeaves(consumer);
  const size_t before = log_.size();
  BeatAs(clients[0]);
  std::vector<int> kinds;
  for (size_t i = before; i < log_.size() && !log_[i].record.value.has_value(); ++i) {
    Result<RecordKey> key = DecodeKey(AsBytes(log_[i].record.key));
    kinds.push_back(static_cast<int>(std::get<ConsumerRecordKey>(*key).kind));
  }
  EXPECT_THAT(kinds, ElementsAre(8, 8, 7, 7, 6, 5, 5, 4, 3));
}

TEST_F(MixedTest, WhoCameToTheRebalanceIsNotLateBecauseTheLogCannotBeWritten) {
  topics_.settings.session_timeout_ms = 1'000'000;
  std::vector<Client> clients = ClassicGroup(1);
  Client consumer = NewConsumer("new");
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);  // from here on it is waited for
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  ConsumerBeat(ConsumerBeatRequest({.id = "other"}));
  for (int i = 0; i < 20; ++i) {  // longer than its rebalance timeout
    fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    EXPECT_EQ(Joined(Join(ClassicJoin(clients[0]))).error, ErrorCode::kCoordinatorNotAvailable);
    Pass(5'000);
  }
  fail_next_append_.reset();
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);
}

// Its members have begun a generation in which nobody has been assigned anything: the log still knows the one before.
TEST_F(MixedTest, AGroupThatIsWrittenInTheMiddleOfARebalanceIsThatOfTheGenerationBefore) {
  std::vector<Client> clients = ClassicGroup(1);
  Watch(clients);
  Client consumer = NewConsumer("new");
  clients_.push_back(&consumer);
  Settle();
  clients_.pop_back();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(ConsumerLeaves(consumer), ErrorCode::kCoordinatorNotAvailable);
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  const JoinGroupResponse joined = Joined(Join(ClassicJoin(clients[0])));
  ASSERT_EQ(joined.error, ErrorCode::kNone);
  EXPECT_EQ(State(), "CompletingRebalance");
  clients[0].epoch = joined.generation_id;
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kNone);  // which writes the group
  Restart();
  EXPECT_EQ(State(), "Stable");
  EXPECT_EQ(Synced(SyncAs(clients[0])).error, ErrorCode::kIllegalGeneration);
  clients[0].epoch = joined.generation_id - 1;
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kNone);
  EXPECT_EQ(PartitionsIn(Synced(SyncAs(clients[0])).assignment), clients[0].owned);
  EXPECT_THAT(clients[0].owned, SizeIs(3));
}

// ── … and what is written anew is large ────────────────────────────────────────────────────────────────────────────

class LargeMixedTest : public MixedTest {
 protected:
  static constexpr size_t kConsumers = 400;
  static constexpr size_t kMostRecords = 1'100;

  // A group that was a consumer group of many, all of whose keys are left in the log.
  std::vector<Client> DowngradedInVain() {
    std::vector<Client> clients = ClassicGroup(1);
    std::vector<LeaveGroupRequest::Member> leaving;
    for (size_t i = 0; i < kConsumers; ++i) {
      leaving.push_back({"consumer" + std::to_string(i), std::nullopt});
      NewConsumer(leaving.back().member_id);
    }
    fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    Leave(leaving);
    EXPECT_FALSE(IsConsumerGroup());
    return clients;
  }
  // How many records the largest batch has that `change` writes.
  size_t LargestWrite(const std::function<void()>& change) {
    size_t largest = 0;
    on_write_ = [&](size_t records) { largest = std::max(largest, records); };
    change();
    on_write_ = nullptr;
    return largest;
  }
};

TEST_F(LargeMixedTest, ADeletionWritesNotAllTombstonesAtOnce) {
  std::vector<Client> clients = DowngradedInVain();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(LeaveOne(clients[0].id), ErrorCode::kCoordinatorNotAvailable);
  const size_t largest = LargestWrite([&] {
    EXPECT_EQ(DeleteOne("g"), ErrorCode::kCoordinatorNotAvailable);
    EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  });
  EXPECT_LE(largest, kMostRecords);
  Restart();
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
}

TEST_F(LargeMixedTest, AnEmptyGroupThatGoesWritesNotAllTombstonesAtOnce) {
  std::vector<Client> clients = DowngradedInVain();
  fail_next_append_ = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(LeaveOne(clients[0].id), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_LE(LargestWrite([&] { Pass(1'300'000); }), kMostRecords);
  Restart();
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
}

TEST_F(LargeMixedTest, AnUpgradeWaitsUntilTheTombstonesAreWritten) {
  std::vector<Client> clients = DowngradedInVain();
  const size_t largest = LargestWrite([&] {
    EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kCoordinatorNotAvailable);
    EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kNone);
  });
  EXPECT_LE(largest, kMostRecords);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(2));
  SameAfterReplay();
}

TEST_F(MixedTest, WhoCouldNotBeWrittenAnewDoesNotGetIn) {
  config_.most_group_bytes = 15'000;
  Restart();
  std::vector<Client> clients = ClassicGroup(1);
  const std::string topics(15'000, 'x');
  ConsumerGroupHeartbeatRequest large = ConsumerBeatRequest({.id = "large"});
  large.subscribed_topic_names = {topics};
  NewConsumer("new");
  EXPECT_EQ(Beaten(ConsumerBeat(large)).error, ErrorCode::kGroupMaxSizeReached);
  JoinGroupRequest join = ClassicJoin({.id = "large"});
  join.protocols = {{"range", Metadata({topics})}};
  EXPECT_EQ(Joined(Join(join)).error, ErrorCode::kGroupMaxSizeReached);
  EXPECT_THAT(DescribeConsumer().members, SizeIs(2));
  EXPECT_EQ(BeatAs(clients[0]), ErrorCode::kRebalanceInProgress);  // others go on
  SameAfterReplay();
}

TEST_F(MixedTest, AGroupThatCouldNotBeWrittenAnewIsNotUpgraded) {
  config_.most_group_bytes = 2'000;
  Restart();
  ClassicGroup(2);
  EXPECT_EQ(Beaten(ConsumerBeat(ConsumerBeatRequest({.id = "new"}))).error, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(State(), "Stable");
}

// ── At random ──────────────────────────────────────────────────────────────────────────────────────────────────────

// Members of both protocols come, go, die and come back with the other one, appends fail and brokers restart; in the
// end everything has one owner and the log says what memory does.
TEST_F(MixedTest, WhateverHappensItSettles) {
  topics_.settings.session_timeout_ms = kSessionMs;
  const char* histories = std::getenv("MIXED_HISTORIES");
  const char* first = std::getenv("MIXED_FIRST_SEED");
  const uint64_t first_seed = first == nullptr ? 1 : std::strtoull(first, nullptr, 10);
  const uint64_t end_seed = first_seed + (histories == nullptr ? 60 : std::strtoull(histories, nullptr, 10));
  for (uint64_t seed = first_seed; seed < end_seed; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    random_ = Random(seed);
    log_.clear();
    answers_.clear();
    clients_.clear();
    shard_ = nullptr;
    Restart();
    std::vector<std::unique_ptr<Client>> clients;
    int last = 0;
    auto pick = [&](size_t below) { return static_cast<size_t>(random.Next() % below); };
    history_.clear();
    auto leaves = [&](Client& client) {
      Note(client, "leaves");
      if (client.classic) {
        Leave({{client.id, client.instance}});
      } else {
        ConsumerGroupHeartbeatRequest request = ConsumerBeatRequest(client);
        request.member_epoch = client.instance.has_value() ? -2 : -1;
        ConsumerBeat(std::move(request));
      }
    };
    auto newcomer = [&](Client& client) {
      client.join.reset();
      client.sync.reset();
      client.classic = pick(2) == 0;
      client.id = client.classic ? "" : "consumer" + std::to_string(++last);
      client.epoch = 0;
      client.seen_ms = 0;
      client.owned.clear();
      Note(client, "is new");
    };
    auto fails_next = [&] {
      fail_next_append_ = ErrorCode::kNotEnoughReplicas;
      history_.push_back("the next append fails");
    };
    for (int step = 0; step < 120; ++step) {
      if (pick(12) == 0) fails_next();
      size_t what = pick(10);
      if ((what == 0 && clients.size() < 5) || clients.empty()) {
        clients.push_back(std::make_unique<Client>());
        if (pick(3) == 0) clients.back()->instance = "i" + std::to_string(++last);
        newcomer(*clients.back());
        clients_.push_back(clients.back().get());
      } else if (what == 1) {
        Client& client = *clients[pick(clients.size())];
        if (pick(2) == 0) {
          leaves(client);
        }
        newcomer(client);  // or it has died
      } else if (what == 2 && pick(4) == 0) {
        CommitAll();
        Restart();
        history_.push_back("a restart");
        for (Client* client : clients_) {
          client->join.reset();
          client->sync.reset();
        }
      } else if (what == 3) {  // longer than a session
        Pass(static_cast<int64_t>(pick(12'000)));
      } else if (what == 4) {
        // Clients that ask and do not wait for the answers, while nothing is committed.
        hold_commits_ = true;
        for (size_t i = 0; i <= pick(4); ++i) {
          if (pick(6) == 0) fails_next();
          Client& client = *clients[pick(clients.size())];
          Note(client, "asks and does not wait");
          if (pick(3) == 0) {
            leaves(client);
          } else if (client.classic) {
            Join(ClassicJoin(client));
          } else {
            ConsumerBeat(ConsumerBeatRequest(client));
          }
          newcomer(client);
        }
        hold_commits_ = false;
        CommitAll();
      } else {
        Turn(*clients[pick(clients.size())]);
        Pass(100);
      }
      if (HasFailure()) FAIL() << History(60);
    }
    fail_next_append_.reset();
    hold_commits_ = false;
    CommitAll();
    for (int i = 0; i < 130; ++i) {  // the dead are noticed
      for (Client* client : clients_) Turn(*client);
      Pass(1'000);
    }
    Settle();
    SameAfterReplay();
    if (HasFailure()) FAIL() << ShardInspector::DurableState(*shard_)["g"].group << History(2'000);
  }
}

}  // namespace
}  // namespace kb::group

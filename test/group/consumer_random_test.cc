// Consumer groups under seeded histories: members of one group join, heartbeat, change what they want, leave, crash and
// come back; answers get lost; topics come, grow and go; appends fail; the shard is restarted from its log. After every
// step
//
//   * a shard that reads the log knows what this one knows (unless a failed append still has to be mended)
//   * no partition is owned by two members, neither as the shard sees it nor as the members see it
//
// and when everything has calmed down each member has exactly its target, every partition that somebody wants is had by
// one member, and further heartbeats write nothing.
//
// CONSUMER_HISTORIES: how many histories, CONSUMER_FIRST_SEED: from which on.
#include <cstdlib>
#include <map>
#include <set>

#include "group/consumer_fixture.h"
#include "group/regex.h"

namespace kb::group {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A client as it sees itself.
struct Client {
  std::string id;
  std::optional<std::string> instance_id;
  int32_t epoch = 0;  // 0: is about to join
  std::vector<std::string> names;
  std::string regex;
  std::vector<PartitionId> assigned;  // as it was told last
  std::vector<PartitionId> owned;     // what it really has
  bool says_all = true;               // its next heartbeat is a full one
  std::optional<Ticket> waits_for;
  bool loses_answer = false;  // of what it waits for
};

const char* kNames[] = {"t1", "t2", "u1", "u2"};
const char* kRegexes[] = {"t.*", "u.*", ".*", "t1|u1"};

class ConsumerRandomTest : public ConsumerFixture {
 protected:
  void Drive(uint64_t seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Begin(seed);
    const int steps = 100;
    for (int i = 0; i < steps && !HasFatalFailure() && !HasNonfatalFailure(); ++i) {
      step_ = i;
      Step();
      Listen();
      CheckReplay();
      CheckOwners();
    }
    if (HasNonfatalFailure()) return;
    CalmDown();
    if (HasNonfatalFailure()) return;
    CheckSettled();
  }

  void Begin(uint64_t seed) {
    log_.clear();
    answers_.clear();
    next_offset_ = committed_ = 0;
    hold_commits_ = gather_ = false;
    fail_next_append_.reset();
    clients_.clear();
    chance_ = Random(seed);
    random_ = Random(seed + 1);
    topics_ = SimulatedSurroundings();
    topics_.settings.assignment_interval_ms = chance_.Below(2) == 0 ? 0 : 1'000;
    config_.offsets_retention_check_interval_ms = int64_t{1} << 40;  // the group stays
    config_.group_consumer_max_size = chance_.Below(4) == 0 ? 3 : 100;
    with_failures_ = chance_.Below(2) == 0;
    shard_.reset();
    mirror_.reset();
    Restart();
    MakeTopic("t1", 3);
  }

  bool Chance(uint64_t percent) { return chance_.Below(100) < percent; }

  // ── What happens ──

  void Step() {
    if (with_failures_ && Chance(5)) fail_next_append_ = ErrorCode::kNotEnoughReplicas;
    if (Chance(10)) hold_commits_ = !hold_commits_;
    if (hold_commits_ && Chance(30)) CommitAll();
    if (Chance(10)) gather_ = !gather_;
    if (!gather_ || Chance(30)) Settle();
    const uint64_t dice = chance_.Below(100);
    if (dice < 8) {
      AddClient();
    } else if (dice < 70) {
      if (Client* client = AnyClient()) Act(*client);
    } else if (dice < 80) {
      ChangeTopics();
    } else if (dice < 97) {
      Pass(Chance(10) ? 20'000 : static_cast<int64_t>(chance_.Below(3'000)));
    } else {
      StartAnew();
    }
    if (!hold_commits_ && (!gather_ || Chance(30))) CommitAll();
  }

  void AddClient() {
    if (clients_.size() >= 5) return;
    Client client;
    client.id = "m" + std::to_string(++last_client_);
    if (Chance(40)) client.instance_id = "i" + std::to_string(chance_.Below(2));
    Choose(client);
    clients_.push_back(std::move(client));
    Send(clients_.back());
  }

  void Choose(Client& client) {
    client.names.clear();
    client.regex.clear();
    if (Chance(30)) client.regex = kRegexes[chance_.Below(std::size(kRegexes))];
    if (!client.regex.empty() && Chance(70)) return;
    for (const char* name : kNames) {
      if (Chance(60)) client.names.emplace_back(name);
    }
  }

  Client* AnyClient() { return clients_.empty() ? nullptr : &clients_[chance_.Below(clients_.size())]; }

  void Act(Client& client) {
    const uint64_t dice = chance_.Below(100);
    const bool is_idle = !client.waits_for.has_value();
    if (dice < 4) {
      Forget(client);  // crashed
    } else if (!is_idle) {
      return;
    } else if (dice < 8 && client.epoch > 0) {
      Send(client, -1);
      Forget(client);
    } else if (dice < 16 && client.epoch > 0 && client.instance_id.has_value()) {
      Send(client, -2);
      client.owned.clear();
      client.assigned.clear();  // it does not take it back unasked
      Client other = client;    // one more of its name: its old self does not end, or it is started twice
      other.says_all = true;    // nobody knows that it has let go, if its leaving is lost
      const bool is_doubled = Chance(30) && clients_.size() < 5;
      client.id = "m" + std::to_string(++last_client_);
      Reset(client);
      if (is_doubled) clients_.push_back(std::move(other));
    } else if (dice < 26) {
      Choose(client);
      client.says_all = true;
      Send(client);
    } else if (dice < 30 && client.epoch > 1) {
      ConsumerGroupHeartbeatRequest old = RequestOf(client);
      old.member_epoch = client.epoch - 1;
      ConsumerFixture::Send(std::move(old));
      client.says_all = true;  // the answer may have had news
    } else if (dice < 36) {
      Send(client);
      client.loses_answer = true;
    } else {
      Send(client);
    }
  }

  void Forget(Client& client) {
    if (&client != &clients_.back()) std::swap(client, clients_.back());
    clients_.pop_back();
  }

  // Has lost everything and joins again.
  void Reset(Client& client) {
    client.epoch = 0;
    client.assigned.clear();
    client.owned.clear();
    client.says_all = true;
  }

  ConsumerGroupHeartbeatRequest RequestOf(Client& client) {
    ConsumerGroupHeartbeatRequest request = BeatRequest(client.id, client.epoch);
    request.instance_id = client.instance_id;
    request.owned = client.owned;
    if (client.epoch == 0 || client.says_all) {
      request.rebalance_timeout_ms = 10'000;
      request.subscribed_topic_names = client.names;
      request.subscribed_topic_regex = client.regex;
    } else if (client.owned == client.assigned && Chance(30)) {
      request.owned.reset();
    }
    return request;
  }

  void Send(Client& client) {
    if (client.owned != client.assigned && (calm_ || Chance(70))) client.owned = client.assigned;
    client.waits_for = ConsumerFixture::Send(RequestOf(client));
    client.loses_answer = false;
  }
  void Send(Client& client, int32_t leave_epoch) {
    ConsumerGroupHeartbeatRequest request = BeatRequest(client.id, leave_epoch);
    request.instance_id = client.instance_id;
    ConsumerFixture::Send(std::move(request));
  }

  // That the histories lead where something can go wrong.
  void Reached(const std::string& what) { ++reached_[what]; }

  void ChangeTopics() {
    const std::string name = kNames[chance_.Below(std::size(kNames))];
    std::optional<TopicShape> topic = topics_.TopicByName(name);
    if (!topic.has_value()) {
      MakeTopic(name, 1 + static_cast<int32_t>(chance_.Below(5)));
    } else if (Chance(50) && topic->partitions < 8) {
      GrowTopic(name, topic->partitions + 1);
    } else {
      DropTopic(name);
    }
  }

  // A restart, or another broker that has less of the log.
  void StartAnew() {
    if (committed_ < next_offset_) Reached("a restart with records that are not committed");
    if (Chance(50)) {
      std::erase_if(log_, [&](const LogEntry& entry) { return entry.offset >= committed_; });
      next_offset_ = committed_;
      mirror_.reset();
    }
    fail_next_append_.reset();
    Restart();
    CommitAll();
  }

  // ── What clients hear ──

  void Listen() {
    for (Client& client : clients_) {
      if (!client.waits_for.has_value() || !Answered(*client.waits_for)) continue;
      const ConsumerGroupHeartbeatResponse answer = Heard(*client.waits_for);
      client.waits_for.reset();
      if (client.loses_answer) {
        client.says_all = true;
      } else {
        Hear(client, answer);
      }
    }
  }

  void Hear(Client& client, const ConsumerGroupHeartbeatResponse& answer) {
    Reached("error " + std::to_string(static_cast<int>(answer.error)));
    switch (answer.error) {
      case ErrorCode::kNone:
        EXPECT_EQ(answer.member_id, client.id);
        EXPECT_GE(answer.member_epoch, client.epoch);
        client.epoch = answer.member_epoch;
        client.says_all = false;
        if (answer.assignment.has_value()) Take(client, *answer.assignment);
        return;
      case ErrorCode::kFencedMemberEpoch:
      case ErrorCode::kUnknownMemberId:
      case ErrorCode::kGroupIdNotFound:
        return Reset(client);
      case ErrorCode::kFencedInstanceId:
        // Another one has its instance id: it ends, and comes back as somebody else.
        client.id = "m" + std::to_string(++last_client_);
        client.instance_id.reset();
        return Reset(client);
      case ErrorCode::kUnreleasedInstanceId:
      case ErrorCode::kGroupMaxSizeReached:
      case ErrorCode::kCoordinatorNotAvailable:
      case ErrorCode::kNotCoordinator:
        client.says_all = true;
        return;  // asks again
      default:
        ADD_FAILURE() << "error " << static_cast<int>(answer.error);
    }
  }

  // Lets go first, then takes.
  void Take(Client& client, const Assignment& assignment) {
    client.assigned.clear();
    for (size_t i = 0; i < assignment.topic_count(); ++i) {
      for (int32_t partition : assignment.partitions(i)) {
        client.assigned.push_back({assignment.topic_id(i), partition});
      }
    }
    const bool lets_go =
        !std::includes(client.assigned.begin(), client.assigned.end(), client.owned.begin(), client.owned.end());
    if (!lets_go) client.owned = client.assigned;
  }

  // ── What must be ──

  // The mirror reads the log as it grows.
  void CheckReplay() {
    if (!gathered_.empty()) return;  // the log is behind
    if (mirror_ == nullptr) {
      mirror_ = std::make_unique<GroupShard>(config_, mirror_random_, topics_);
      mirrored_ = 0;
    }
    for (; mirrored_ < log_.size(); ++mirrored_) ReplayInto(*mirror_, log_[mirrored_]);
    auto live = ShardInspector::DurableState(*shard_)["g"];
    if (live.rebalancing) return Reached("a failed append is to be mended");
    ++compared_;
    if (live.group.find("regex '") != std::string::npos) Reached("an expression is resolved");
    EXPECT_EQ(ShardInspector::DurableState(*mirror_)["g"].group, live.group) << "after step " << step_;
  }

  void CheckOwners() {
    auto holdings = ShardInspector::Holdings(*shard_, "g");
    std::map<PartitionId, std::string> owner;
    for (const auto& [id, holding] : holdings) {
      if (!holding.revoking.empty()) Reached("a member lets go");
      if (holding.epoch == -2) Reached("a member is away");
      for (const auto* part : {&holding.assigned, &holding.revoking}) {
        for (const PartitionId& one : *part) {
          EXPECT_TRUE(owner.emplace(one, id).second)
              << id << " and " << owner[one] << " own the same after step " << step_;
        }
      }
    }
    std::map<PartitionId, std::string> in_use;
    for (const Client& client : clients_) {
      if (!holdings.contains(client.id)) continue;  // fenced, and does not know it yet
      for (const PartitionId& one : client.owned) {
        EXPECT_TRUE(in_use.emplace(one, client.id).second)
            << client.id << " and " << in_use[one] << " use the same after step " << step_;
      }
    }
  }

  // Everybody who is left heartbeats, nothing fails, and those who have gone are forgotten.
  void CalmDown() {
    fail_next_append_.reset();
    hold_commits_ = gather_ = false;
    calm_ = true;
    CommitAll();
    Listen();
    std::set<std::string> instances;
    for (size_t i = clients_.size(); i-- > 0;) {  // of those with one instance id, one stays
      const auto& instance = clients_[i].instance_id;
      if (instance.has_value() && !instances.insert(*instance).second) Forget(clients_[i]);
    }
    while (clients_.size() > static_cast<size_t>(config_.group_consumer_max_size)) clients_.pop_back();
    for (int round = 0; round < 80; ++round) {
      step_ = 1'000 + round;
      Round();
      CheckOwners();
    }
    CheckReplay();
    calm_ = false;
  }

  void Round() {
    for (Client& client : clients_) {
      if (!client.waits_for.has_value()) Send(client);
      Listen();
    }
    Pass(1'500);
    Listen();
  }

  std::set<PartitionId> Wanted() const {
    std::set<PartitionId> wanted;
    for (const TopicShape& topic : topics_.topics()) {
      bool wants = false;
      for (const Client& client : clients_) {
        wants |= std::count(client.names.begin(), client.names.end(), topic.name) > 0;
        wants |= !client.regex.empty() && TopicRegex(client.regex).Matches(topic.name);
      }
      for (int32_t partition = 0; wants && partition < topic.partitions; ++partition) {
        wanted.insert({topic.id, partition});
      }
    }
    return wanted;
  }

  void CheckSettled() {
    if (clients_.empty()) return;
    auto holdings = ShardInspector::Holdings(*shard_, "g");
    EXPECT_EQ(holdings.size(), clients_.size());
    std::set<PartitionId> had;
    for (const Client& client : clients_) {
      ASSERT_TRUE(holdings.contains(client.id)) << client.id << " is not in " << Shown();
      EXPECT_EQ(Assignment(client.owned), holdings[client.id].target) << client.id << " in " << Shown();
      EXPECT_EQ(client.owned, holdings[client.id].assigned);
      had.insert(client.owned.begin(), client.owned.end());
    }
    EXPECT_EQ(had, Wanted()) << Shown() << '\n' << ShardInspector::DurableState(*shard_)["g"].group;
    EXPECT_EQ(DescribeConsumer().group_state, "Stable");
    const size_t records = log_.size();
    for (int round = 0; round < 5; ++round) Round();
    EXPECT_EQ(log_.size(), records) << Shown();
    ++settled_;
  }

  Random chance_{1};
  Random mirror_random_{1};
  std::vector<Client> clients_;
  int last_client_ = 0;
  bool with_failures_ = false;
  bool calm_ = false;
  int step_ = 0;
  std::unique_ptr<GroupShard> mirror_;  // has read log_[0, mirrored_)
  size_t mirrored_ = 0;
  std::map<std::string, int> reached_;
  uint64_t compared_ = 0;
  uint64_t settled_ = 0;
};

TEST_F(ConsumerRandomTest, HistoriesKeepTheirPromisesAndSettle) {
  const uint64_t histories = FromEnvironment("CONSUMER_HISTORIES", 200);
  const uint64_t first = FromEnvironment("CONSUMER_FIRST_SEED", 1);
  for (uint64_t seed = first; seed < first + histories && !HasFailure(); ++seed) Drive(seed);
  EXPECT_GT(compared_, histories * 20);
  EXPECT_GT(settled_, histories / 2);
  if (histories < 100) return;
  for (const char* what : {"a member lets go", "a member is away", "an expression is resolved",
                           "a failed append is to be mended", "a restart with records that are not committed",
                           "error 0", "error 15", "error 25", "error 81", "error 82", "error 110", "error 111"}) {
    EXPECT_GT(reached_[what], 0) << what;
    RecordProperty(what, reached_[what]);
  }
}

}  // namespace
}  // namespace kb::group

// MixedTest: clients of both protocols in one group, which move from one to the other.
//
// The classic members here are what the Java client is with its cooperative assignor: they rejoin when a heartbeat
// tells them to, say what they own, give up what is not assigned to them any more, and then rejoin once more.
#pragma once

#include <algorithm>
#include <numeric>

#include "base/arena.h"
#include "group/consumer_protocol.h"
#include "group/shard_fixture.h"
#include "message/consumer_protocol_assignment.h"
#include "message/consumer_protocol_subscription.h"
#include "protocol/framed.h"

namespace kb::group {
constexpr int32_t kPartitions = 6;  // of topic "t"
constexpr int64_t kSessionMs = 10'000;

inline std::string Metadata(std::vector<std::string> topics, std::vector<int32_t> owned = {}, int16_t version = 3,
                            std::string rack = {}) {
  Arena arena;
  message::ConsumerProtocolSubscription subscription;
  for (const std::string& topic : topics) subscription.topics.Add(arena) = topic;
  if (!owned.empty()) {
    auto& of_topic = subscription.owned_partitions.Add(arena);
    of_topic.topic = "t";
    for (int32_t partition : owned) of_topic.partitions.Add(arena) = partition;
  }
  if (!rack.empty()) subscription.rack_id = rack;
  return std::string(AsText(*protocol::EncodeVersioned(arena, subscription, version)));
}

inline std::string Assigned(std::vector<int32_t> partitions, int16_t version = 3) {
  return EncodeAssignment({{"t", std::move(partitions)}}, version);
}

inline std::string AssignedWithUserData() {
  Arena arena;
  message::ConsumerProtocolAssignment assignment;
  assignment.user_data = AsBytes(std::string_view("custom"));
  return std::string(AsText(*protocol::EncodeVersioned(arena, assignment, 1)));
}

inline std::vector<int32_t> PartitionsIn(const std::string& assignment) {
  auto parsed = ParseAssignment(assignment);
  EXPECT_TRUE(parsed.has_value());
  if (!parsed.has_value() || parsed->partitions.empty()) return {};
  EXPECT_EQ(parsed->partitions.size(), 1u);
  EXPECT_EQ(parsed->partitions[0].topic, "t");
  return parsed->partitions[0].partitions;
}

// A consumer of either protocol.
struct Client {
  std::string id;
  bool classic = true;
  std::optional<std::string> instance;
  int32_t epoch = 0;  // or generation
  std::vector<int32_t> owned;
  int64_t seen_ms = 0;  // when it last heard from the broker
  // What it waits for. By client: until a static member has its answer, it has no id to be told by.
  std::optional<Ticket> join;
  std::optional<Ticket> sync;
};

class MixedTest : public ShardFixture {
 protected:
  MixedTest() {
    topics_.Create("t", kPartitions);
    topics_.settings.assignment_interval_ms = 0;
    config_.group_initial_rebalance_delay_ms = 0;
    Restart();
  }

  // ── Classic members ──
  JoinGroupRequest ClassicJoin(const Client& client) const {
    JoinGroupRequest request = JoinRequest(client.id);
    request.group_instance_id = client.instance;
    request.protocols = {{"range", Metadata({"t"}, client.owned)}};
    return request;
  }
  // A stable classic group; the partitions are dealt out in turn.
  std::vector<Client> ClassicGroup(size_t size, std::vector<std::optional<std::string>> instances = {}) {
    std::vector<Client> clients(size);
    std::vector<Ticket> joins;
    for (size_t i = 0; i < size; ++i) {
      if (i < instances.size()) clients[i].instance = instances[i];
      if (!clients[i].instance.has_value()) clients[i].id = NewMember(ClassicJoin(clients[i]));
      joins.push_back(Join(ClassicJoin(clients[i])));
      if (i == 0) Pass(1);
    }
    for (int i = 0; i < 3; ++i) {  // those who had been answered before the others came
      for (size_t c = 0; c < size; ++c) {
        if (!Answered(joins[c])) continue;
        clients[c].id = Joined(joins[c]).member_id;
        if (Heartbeat(clients[c].id, Joined(joins[c]).generation_id, clients[c].instance) !=
            ErrorCode::kRebalanceInProgress) {
          continue;
        }
        joins[c] = Join(ClassicJoin(clients[c]));
      }
    }
    std::vector<MemberAssignment> assignments;
    const std::string leader = Joined(joins[0]).leader;
    for (size_t c = 0; c < size; ++c) {
      clients[c].id = Joined(joins[c]).member_id;
      clients[c].epoch = Joined(joins[c]).generation_id;
      for (int32_t p = static_cast<int32_t>(c); p < kPartitions; p += static_cast<int32_t>(size)) {
        clients[c].owned.push_back(p);
      }
      assignments.push_back({clients[c].id, Assigned(clients[c].owned)});
    }
    for (Client& client : clients) {
      Ticket sync = SyncAs(client, client.id == leader ? assignments : std::vector<MemberAssignment>());
      (void)sync;
    }
    EXPECT_EQ(State(), "Stable");
    return clients;
  }
  Ticket SyncAs(const Client& client, std::vector<MemberAssignment> assignments = {}) {
    SyncGroupRequest request = SyncRequest(client.id, client.epoch, std::move(assignments));
    request.group_instance_id = client.instance;
    return Sync(std::move(request));
  }
  ErrorCode BeatAs(const Client& client) { return Heartbeat(client.id, client.epoch, client.instance); }

  // One heartbeat of a classic member and what follows from it. Whether anything did.
  bool ClassicTurn(Client& client) {
    ErrorCode error = BeatAs(client);
    Note(client, "heartbeats", error);
    if (error == ErrorCode::kNone) return false;
    if (!IsOut(client, error)) {
      EXPECT_EQ(error, ErrorCode::kRebalanceInProgress);
    }
    return Rejoin(client);
  }
  // Whether this says that it has lost what it had, whatever it had asked.
  static bool IsOut(Client& client, ErrorCode error) {
    const bool is_unknown = error == ErrorCode::kUnknownMemberId || error == ErrorCode::kFencedInstanceId;
    if (!is_unknown && error != ErrorCode::kIllegalGeneration) return false;
    client.owned.clear();
    if (is_unknown) client.id.clear();
    return true;
  }
  bool Rejoin(Client& client) {
    client.seen_ms = now_.monotonic_ms;
    Ticket join = Join(ClassicJoin(client));
    if (Answered(join) && Joined(join).error == ErrorCode::kMemberIdRequired) {
      client.id = Joined(join).member_id;
      join = Join(ClassicJoin(client));
    }
    client.join = join;
    return FinishJoin(client);
  }
  // False while a classic group waits for its other members.
  bool FinishJoin(Client& client) {
    if (!Answered(*client.join)) return false;
    const JoinGroupResponse joined = Joined(*std::exchange(client.join, std::nullopt));
    Note(client, "has joined as " + joined.member_id + " in " + std::to_string(joined.generation_id), joined.error);
    if (joined.error != ErrorCode::kNone) {
      IsOut(client, joined.error);
      return true;
    }
    client.id = joined.member_id;
    client.epoch = joined.generation_id;
    std::vector<MemberAssignment> assignments;
    if (joined.leader == client.id) assignments = Deal(joined.members);
    client.seen_ms = now_.monotonic_ms;
    client.sync = SyncAs(client, assignments);
    return FinishSync(client);
  }
  bool FinishSync(Client& client) {
    if (!Answered(*client.sync)) return false;
    const Ticket sync = *std::exchange(client.sync, std::nullopt);
    Note(client, "has synced", Synced(sync).error);
    if (Synced(sync).error != ErrorCode::kNone) {
      IsOut(client, Synced(sync).error);
      return true;
    }
    std::vector<int32_t> assigned = PartitionsIn(Synced(sync).assignment);
    const bool gives_up = std::any_of(client.owned.begin(), client.owned.end(), [&](int32_t p) {
      return std::find(assigned.begin(), assigned.end(), p) == assigned.end();
    });
    client.owned = assigned;
    NobodySharesAPartition();
    if (gives_up) Rejoin(client);
    return true;
  }
  // The leader's part: what somebody owns stays there.
  static std::vector<MemberAssignment> Deal(const std::vector<JoinGroupResponse::Member>& members) {
    std::vector<std::vector<int32_t>> of(members.size());
    std::vector<bool> taken(kPartitions);
    const size_t most = (kPartitions + members.size() - 1) / members.size();
    for (size_t i = 0; i < members.size(); ++i) {
      auto subscription = ParseSubscription(members[i].metadata);
      if (!subscription.has_value() || subscription->owned.empty()) continue;
      for (int32_t p : subscription->owned[0].partitions) {
        if (of[i].size() < most && !taken[static_cast<size_t>(p)]) {
          of[i].push_back(p);
          taken[static_cast<size_t>(p)] = true;
        } else {
          taken[static_cast<size_t>(p)] = true;  // given up now, dealt out by the rebalance that follows
        }
      }
    }
    for (int32_t p = 0; p < kPartitions; ++p) {
      if (taken[static_cast<size_t>(p)]) continue;
      std::min_element(of.begin(), of.end(), [](auto& a, auto& b) { return a.size() < b.size(); })->push_back(p);
    }
    std::vector<MemberAssignment> assignments;
    for (size_t i = 0; i < members.size(); ++i) assignments.push_back({members[i].member_id, Assigned(of[i])});
    return assignments;
  }

  // ── Consumer members ──
  ConsumerGroupHeartbeatRequest ConsumerBeatRequest(const Client& client) const {
    ConsumerGroupHeartbeatRequest request;
    request.version = 1;
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "g";
    request.member_id = client.id;
    request.member_epoch = client.epoch;
    request.instance_id = client.instance;
    std::vector<PartitionId> owned;
    for (int32_t p : client.owned) owned.push_back({topics_.IdOf("t"), p});
    request.owned = owned;
    if (client.epoch != 0) return request;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names = {"t"};
    return request;
  }
  Ticket ConsumerBeat(ConsumerGroupHeartbeatRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->ConsumerGroupHeartbeat(ticket, std::move(request), now_));
    return ticket;
  }
  const ConsumerGroupHeartbeatResponse& Beaten(Ticket ticket) const {
    return Answer<ConsumerGroupHeartbeatResponse>(ticket);
  }
  // Whether anything happened.
  bool ConsumerTurn(Client& client) {
    const ConsumerGroupHeartbeatResponse answer = Beaten(ConsumerBeat(ConsumerBeatRequest(client)));
    client.seen_ms = now_.monotonic_ms;
    Note(client, "is told epoch " + std::to_string(answer.member_epoch), answer.error);
    if (answer.error != ErrorCode::kNone) {
      client.epoch = 0;
      client.owned.clear();
      return true;
    }
    const bool is_news = client.epoch != answer.member_epoch || answer.assignment.has_value();
    client.epoch = answer.member_epoch;
    if (answer.assignment.has_value()) {
      auto partitions = answer.assignment->partitions_of(topics_.IdOf("t"));
      client.owned = {partitions.begin(), partitions.end()};
      NobodySharesAPartition();
    }
    return is_news;
  }
  Client NewConsumer(std::string id, std::optional<std::string> instance = std::nullopt) {
    Client client{.id = std::move(id), .classic = false, .instance = std::move(instance)};
    ConsumerTurn(client);
    return client;
  }
  ErrorCode ConsumerLeaves(const Client& client, int32_t epoch = -1) {
    ConsumerGroupHeartbeatRequest request = ConsumerBeatRequest(client);
    request.member_epoch = epoch;
    return Beaten(ConsumerBeat(std::move(request))).error;
  }

  // ── All of them ──
  bool Turn(Client& client) {
    // Its session has begun with the answer, whenever it hears that.
    const std::optional<Ticket> waits_for = client.join.has_value() ? client.join : client.sync;
    const bool has_answer = waits_for.has_value() && Answered(*waits_for);
    if (has_answer) client.seen_ms = answered_ms_.at(*waits_for);
    const bool is_late = client.seen_ms != 0 && client.seen_ms + kSessionMs <= now_.monotonic_ms;
    if (is_late) {  // it knows that it may own nothing any more, and begins anew
      client.join.reset();
      client.sync.reset();
      client.owned.clear();
      client.epoch = 0;
      if (client.classic) client.id.clear();
    }
    if (is_late || !has_answer) client.seen_ms = now_.monotonic_ms;
    if (!client.classic) return ConsumerTurn(client);
    if (client.join.has_value()) return FinishJoin(client);
    if (client.sync.has_value()) return FinishSync(client);
    return ClassicTurn(client);
  }
  // Until nobody has anything to do: then all that is there has an owner.
  void Settle() {
    bool busy = true;
    for (int round = 0; busy && round < 60; ++round) {
      busy = false;
      for (Client* client : clients_) busy |= Turn(*client);
      Pass(1'000);
      for (Client* client : clients_) busy |= client->join.has_value() || client->sync.has_value();
    }
    EXPECT_FALSE(busy) << "does not settle";
    std::vector<int32_t> all;
    for (Client* client : clients_) all.insert(all.end(), client->owned.begin(), client->owned.end());
    std::sort(all.begin(), all.end());
    std::vector<int32_t> expected(kPartitions);
    std::iota(expected.begin(), expected.end(), 0);
    if (clients_.empty()) return;
    EXPECT_EQ(all, expected);
  }
  void NobodySharesAPartition() {
    std::map<int32_t, std::string> owners;
    for (Client* client : clients_) {
      if (client->seen_ms + kSessionMs <= now_.monotonic_ms)
        continue;  // others may have been given what it thinks it has
      for (int32_t p : client->owned) {
        bool first = owners.emplace(p, client->id).second;
        EXPECT_TRUE(first) << "t-" << p << " is owned by " << owners[p] << " and " << client->id;
      }
    }
  }
  void Watch(std::vector<Client>& clients) {
    for (Client& client : clients) {
      client.seen_ms = now_.monotonic_ms;
      clients_.push_back(&client);
    }
  }

  // ── What has happened, for those who look for the cause ──
  void Note(const Client& client, const std::string& what, ErrorCode error = ErrorCode::kNone) {
    std::string owned;
    for (int32_t p : client.owned) owned += " " + std::to_string(p);
    history_.push_back(std::to_string(now_.monotonic_ms) + (client.classic ? " classic " : " consumer ") +
                       (client.id.empty() ? "-" : client.id) + " " + client.instance.value_or("dynamic") + " at " +
                       std::to_string(client.epoch) + " with {" + owned + " } " + what +
                       (error == ErrorCode::kNone ? "" : ": error " + std::to_string(static_cast<int>(error))));
  }
  std::string History(size_t most) const {
    std::string text;
    for (size_t i = history_.size() - std::min(most, history_.size()); i < history_.size(); ++i) {
      text += history_[i] + "\n";
    }
    return text;
  }

  void SameAfterReplay() {
    GroupShard other(config_, random_, topics_);
    for (const LogEntry& entry : log_) ReplayInto(other, entry);
    auto here = ShardInspector::DurableState(*shard_)["g"];
    auto there = ShardInspector::DurableState(other)["g"];
    EXPECT_EQ(here.group, there.group);
    EXPECT_EQ(here.offsets, there.offsets);
  }
  ConsumerGroupDescribeResponse::Group DescribeConsumer() const {
    return shard_->ConsumerGroupDescribe({{"g"}}).groups.at(0);
  }
  bool IsConsumerGroup() const { return DescribeConsumer().error == ErrorCode::kNone; }

  std::vector<Client*> clients_;
  std::vector<std::string> history_;
};

}  // namespace kb::group

// A shard with a log that is a vector, a clock that moves when told to, and verbs for what clients do.
//
//   Ticket a = JoinAs("a");              // asks, with the member id when it is told to come back with one
//   Pass(3'000);                         // every timer on the way fires at its time
//   EXPECT_EQ(Joined(a).generation_id, 1);
//
// What is written is committed at once, unless hold_commits is set; then CommitAll does it. fail_next_append makes the
// next append fail with that error. While gather is set, what is written is not appended before Settle.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "group/shard.h"
#include "group/simulated_surroundings.h"

namespace kb::group {

// What a shard would know after a restart, as text: what must be the same in two shards with the same log.
class ShardInspector {
 public:
  struct Durable {
    std::string group;  // what the records of a classic or consumer group say; of another: its keys
    std::string offsets;
    bool rebalancing = false;  // what it knows is not what its last record says
    bool operator==(const Durable& other) const { return group == other.group && offsets == other.offsets; }
  };
  // A member of a consumer group.
  struct Holding {
    std::vector<PartitionId> assigned;
    std::vector<PartitionId> revoking;
    Assignment target;
    int32_t epoch = 0;
  };
  static std::map<std::string, Durable> DurableState(const GroupShard& shard);
  static std::map<std::string, Holding> Holdings(const GroupShard& shard, const std::string& group_id);
  static size_t PendingWrites(const GroupShard& shard);
  static size_t MemberBytes(const GroupShard& shard);
  static size_t OffsetBytes(const GroupShard& shard);
};

struct LogEntry {
  RecordBytes record;
  int64_t offset = 0;
};

class ShardFixture : public ::testing::Test {
 protected:
  ShardFixture() { Restart(); }

  // ── The runtime ──
  // A new shard that has read the log, as after a restart or a change of leader.
  void Restart() {
    gathered_.clear();
    if (shard_ != nullptr) Deliver(shard_->Unload(ErrorCode::kNotCoordinator));
    shard_ = std::make_unique<GroupShard>(config_, random_, topics_);
    for (const LogEntry& entry : log_) ReplayInto(*shard_, entry);
    Run(shard_->Loaded(now_));
  }

  static void ReplayInto(GroupShard& shard, const LogEntry& entry) {
    std::optional<ByteView> value;
    if (entry.record.value.has_value()) value = AsBytes(*entry.record.value);
    ASSERT_TRUE(shard.Replay(AsBytes(entry.record.key), value, {.offset = entry.offset}).ok());
  }

  void Deliver(std::vector<Reply> replies) {
    for (Reply& reply : replies) {
      answered_ms_[reply.ticket] = now_.monotonic_ms;
      bool first = answers_.try_emplace(reply.ticket, std::move(reply.response)).second;
      EXPECT_TRUE(first) << "ticket " << reply.ticket << " was answered twice";
    }
  }

  void Run(Outcome outcome) {
    Deliver(std::move(outcome.replies));
    EXPECT_EQ(outcome.write_id == 0, outcome.records.empty());
    if (outcome.write_id == 0) return;
    gathered_.push_back(std::move(outcome));
    if (!gather_) Settle();
  }

  // Appends what is gathered, as one batch. What comes of a failure is a batch of its own.
  void Settle() {
    while (!gathered_.empty()) {
      std::vector<Outcome> batch = std::exchange(gathered_, {});
      if (fail_next_append_.has_value()) {
        Fail(batch, *std::exchange(fail_next_append_, std::nullopt));
      } else {
        Append(batch);
      }
    }
  }
  void Append(std::vector<Outcome>& batch) {
    for (Outcome& outcome : batch) {
      if (on_write_) on_write_(outcome.records.size());
      int64_t base = next_offset_;
      for (RecordBytes& record : outcome.records) log_.push_back({std::move(record), next_offset_++});
      shard_->Appended(outcome.write_id, base);
    }
    if (!hold_commits_) CommitAll();
  }
  void Fail(const std::vector<Outcome>& batch, ErrorCode error) {
    std::vector<Outcome> outcomes;
    for (const Outcome& outcome : batch) outcomes.push_back(shard_->Failed(outcome.write_id, error, now_));
    for (Outcome& outcome : outcomes) Run(std::move(outcome));
  }

  void CommitAll() {
    Settle();
    committed_ = next_offset_;
    Run(shard_->Committed(next_offset_, now_));
  }

  // Lets time go by; each timer fires at its moment.
  void Pass(int64_t ms) {
    int64_t until = now_.monotonic_ms + ms;
    for (int calls = 0; calls < 100'000; ++calls) {
      std::optional<int64_t> next = shard_->NextDeadlineMs();
      if (!next.has_value() || *next > until) break;
      int64_t step = std::max<int64_t>(*next - now_.monotonic_ms, 0);
      now_.monotonic_ms += step;
      now_.wall_ms += step;
      Settle();
      Run(shard_->Expire(now_));
    }
    now_.wall_ms += until - now_.monotonic_ms;
    now_.monotonic_ms = until;
  }

  Ticket NewTicket() { return ++last_ticket_; }
  bool Answered(Ticket ticket) const { return answers_.count(ticket) != 0; }

  template <typename T>
  const T& Answer(Ticket ticket) const {
    auto found = answers_.find(ticket);
    if (found == answers_.end()) {
      ADD_FAILURE() << "ticket " << ticket << " has no answer";
      static const T kNone{};
      return kNone;
    }
    return std::get<T>(found->second);
  }

  // ── Clients ──
  JoinGroupRequest JoinRequest(std::string member_id = {}) const {
    return {.version = 9,
            .caller = {"client", "127.0.0.1"},
            .group_id = "g",
            .session_timeout_ms = 10'000,
            .rebalance_timeout_ms = 60'000,
            .member_id = std::move(member_id),
            .protocol_type = "consumer",
            .protocols = {{"range", "metadata"}}};
  }
  Ticket Join(JoinGroupRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->JoinGroup(ticket, std::move(request), now_));
    return ticket;
  }
  Ticket Join(std::string member_id = {}) { return Join(JoinRequest(std::move(member_id))); }
  ErrorCode JoinError(JoinGroupRequest request) { return Joined(Join(std::move(request))).error; }
  const JoinGroupResponse& Joined(Ticket ticket) const { return Answer<JoinGroupResponse>(ticket); }

  // Asks for a member id, as a client of v4 and later does.
  std::string NewMember(JoinGroupRequest request) {
    const JoinGroupResponse& answer = Joined(Join(std::move(request)));
    EXPECT_EQ(answer.error, ErrorCode::kMemberIdRequired);
    return answer.member_id;
  }
  std::string NewMember() { return NewMember(JoinRequest()); }

  SyncGroupRequest SyncRequest(std::string member_id, int32_t generation,
                               std::vector<MemberAssignment> assignments = {}) const {
    return {.version = 5,
            .group_id = "g",
            .generation_id = generation,
            .member_id = std::move(member_id),
            .protocol_type = "consumer",
            .protocol_name = "range",
            .assignments = std::move(assignments)};
  }
  Ticket Sync(SyncGroupRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->SyncGroup(ticket, std::move(request), now_));
    return ticket;
  }
  Ticket Sync(std::string member_id, int32_t generation, std::vector<MemberAssignment> assignments = {}) {
    return Sync(SyncRequest(std::move(member_id), generation, std::move(assignments)));
  }
  const SyncGroupResponse& Synced(Ticket ticket) const { return Answer<SyncGroupResponse>(ticket); }

  ErrorCode Heartbeat(std::string member_id, int32_t generation, std::optional<std::string> instance = std::nullopt,
                      std::string group = "g") {
    Ticket ticket = NewTicket();
    Run(shard_->Heartbeat(ticket, {std::move(group), generation, std::move(member_id), std::move(instance)}, now_));
    return Answer<HeartbeatResponse>(ticket).error;
  }

  Ticket Leave(std::vector<LeaveGroupRequest::Member> members, std::string group = "g") {
    Ticket ticket = NewTicket();
    Run(shard_->LeaveGroup(ticket, {std::move(group), std::move(members)}, now_));
    return ticket;
  }
  ErrorCode LeaveOne(std::string member_id) {
    const LeaveGroupResponse& left = Answer<LeaveGroupResponse>(Leave({{std::move(member_id), std::nullopt}}));
    return left.members.size() == 1 ? left.members[0].error : left.error;
  }

  OffsetCommitRequest CommitRequest(std::string member_id, int32_t generation, int64_t offset) const {
    OffsetCommitRequest request;
    request.version = 9;
    request.group_id = "g";
    request.generation_id = generation;
    request.member_id = std::move(member_id);
    request.topics = {{.name = "t", .topic_id = kTopicId, .partitions = {{.index = 0, .committed_offset = offset}}}};
    return request;
  }
  Ticket Commit(OffsetCommitRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->OffsetCommit(ticket, std::move(request), now_));
    return ticket;
  }
  ErrorCode CommitError(Ticket ticket) const {
    return Answer<OffsetCommitResponse>(ticket).topics.at(0).partitions.at(0).error;
  }
  ErrorCode Commit(std::string member_id, int32_t generation, int64_t offset) {
    return CommitError(Commit(CommitRequest(std::move(member_id), generation, offset)));
  }
  ErrorCode CommitSimple(std::string group, std::string topic, int64_t offset) {
    OffsetCommitRequest request = CommitRequest("", -1, offset);
    request.group_id = std::move(group);
    request.topics[0].name = std::move(topic);
    return CommitError(Commit(std::move(request)));
  }

  Ticket Fetch(OffsetFetchRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->OffsetFetch(ticket, std::move(request), now_));
    return ticket;
  }
  OffsetFetchResponse::Partition Fetched(std::string group, std::string topic, int32_t partition = 0,
                                         bool require_stable = false) {
    OffsetFetchRequest request{.group_id = std::move(group), .require_stable = require_stable};
    request.topics = {{.name = std::move(topic), .partitions = {partition}}};
    const auto& answer = Answer<OffsetFetchResponse>(Fetch(std::move(request)));
    if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1) {
      ADD_FAILURE() << "not one partition in the answer";
      return {};
    }
    return answer.topics[0].partitions[0];
  }
  int64_t CommittedOffsetOf(std::string group, std::string topic) {
    return Fetched(std::move(group), std::move(topic)).committed_offset;
  }

  DescribeGroupsResponse::Group Describe(std::string group = "g", int16_t version = 6) const {
    return shard_->DescribeGroups({version, {std::move(group)}}).groups.at(0);
  }
  std::string State(std::string group = "g") const { return Describe(std::move(group)).group_state; }

  DeleteGroupsResponse Delete(std::vector<std::string> groups) {
    Ticket ticket = NewTicket();
    Run(shard_->DeleteGroups(ticket, {std::move(groups)}, now_));
    return Answered(ticket) ? Answer<DeleteGroupsResponse>(ticket) : DeleteGroupsResponse{};
  }
  ErrorCode DeleteOne(std::string group) { return Delete({std::move(group)}).results.at(0).error; }

  // A Stable group of dynamic members; the first is the leader. Everybody is assigned its own name.
  std::vector<std::string> StableGroup(size_t size) {
    std::vector<std::string> ids;
    for (size_t i = 0; i < size; ++i) ids.push_back(NewMember());
    return Stabilize(ids);
  }
  std::vector<std::string> Stabilize(const std::vector<std::string>& ids) {
    std::vector<Ticket> joins;
    for (const std::string& id : ids) joins.push_back(Join(id));
    for (int i = 0; i < 20 && !Answered(joins[0]); ++i) Pass(1'000);
    generation_ = Joined(joins[0]).generation_id;
    std::vector<MemberAssignment> assignments;
    for (const std::string& id : ids) assignments.push_back({id, "assigned to " + id});
    for (const std::string& id : ids) {
      bool leads = Joined(joins[0]).leader == id;
      Sync(id, generation_, leads ? assignments : std::vector<MemberAssignment>());
    }
    EXPECT_EQ(State(), "Stable");
    return ids;
  }

  static constexpr Uuid kTopicId{1, 2};

  GroupConfig config_;
  Random random_{7};
  SimulatedSurroundings topics_;
  Now now_{.wall_ms = 1'700'000'000'000, .monotonic_ms = 1'000'000};
  std::unique_ptr<GroupShard> shard_;
  std::vector<LogEntry> log_;
  int64_t next_offset_ = 0;
  bool hold_commits_ = false;
  int64_t committed_ = 0;  // exclusive
  bool gather_ = false;
  std::vector<Outcome> gathered_;
  std::optional<ErrorCode> fail_next_append_;
  std::function<void(size_t records)> on_write_;  // is told of each
  std::map<Ticket, Response> answers_;
  std::map<Ticket, int64_t> answered_ms_;  // when, monotonic
  Ticket last_ticket_ = 0;
  int32_t generation_ = 0;  // of the last StableGroup
};

}  // namespace kb::group

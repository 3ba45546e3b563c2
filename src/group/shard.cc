#include "group/shard.h"

#include <algorithm>

#include "base/check.h"
#include "group/impl.h"

namespace kb::group {
namespace {

constexpr size_t kTimersPerCall = 64;

}  // namespace

// ── Writes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Outcome GroupShard::Impl::Finish(Step step) {
  last_now_ = step.now;
  if (!HasRecords(step)) {
    KB_CHECK(step.effects.empty());
    return std::move(step.out);
  }
  Write& write = writes_.emplace_back();
  write.id = ++last_write_id_;
  write.records = step.out.records.size();
  write.deadline_ms = step.now.monotonic_ms + config_.offsets_commit_timeout_ms;
  write.effects = std::move(step.effects);
  step.out.write_id = write.id;
  return std::move(step.out);
}

void GroupShard::Impl::AnswerWhenWritten(Step& step, Ticket ticket, Response response) {
  if (HasRecords(step)) {
    step.effects.push_back(ReplyWhenWritten{{ticket, std::move(response)}});
  } else {
    step.Answer(ticket, std::move(response));
  }
}

namespace {

template <typename Writes>
auto FirstUnsettled(Writes& writes) {
  auto unsettled = writes.end();
  while (unsettled != writes.begin() && std::prev(unsettled)->end_offset < 0) --unsettled;
  return unsettled;
}

}  // namespace

void GroupShard::Impl::Appended(WriteId write_id, int64_t base_offset) {
  if (unloaded_.has_value()) return;
  auto write = FirstUnsettled(writes_);
  KB_CHECK(write != writes_.end() && write->id == write_id);
  write->end_offset = base_offset + static_cast<int64_t>(write->records);
}

Outcome GroupShard::Impl::Failed(WriteId write_id, ErrorCode log_error, Now now) {
  if (unloaded_.has_value()) return {};
  auto failed = FirstUnsettled(writes_);
  KB_CHECK(failed != writes_.end() && failed->id == write_id);
  Write write = std::move(*failed);
  writes_.erase(failed);
  Step step(now);
  ErrorCode error = ErrorOfFailedWrite(log_error);
  for (Effect& effect : write.effects) {
    std::visit([&](auto& one) { OnFailed(step, one, error); }, effect);
  }
  return Finish(std::move(step));
}

Outcome GroupShard::Impl::Committed(int64_t high_watermark, Now now) {
  Step step(now);
  while (!writes_.empty() && writes_.front().end_offset >= 0 && writes_.front().end_offset <= high_watermark) {
    Write write = std::move(writes_.front());
    writes_.pop_front();
    if (timed_out_writes_ > 0) --timed_out_writes_;
    committing_offset_ = write.end_offset - 1;
    for (Effect& effect : write.effects) {
      std::visit([&](auto& one) { OnCommitted(step, one); }, effect);
    }
  }
  return Finish(std::move(step));
}

// The answers that wait for a write that takes too long. What it says may still become true.
void GroupShard::Impl::TimeOutWrite(Step& step, Write& write) {
  std::erase_if(write.effects, [&](Effect& effect) { return TimeOut(step, effect); });
}

bool GroupShard::Impl::TimeOut(Step& step, Effect& effect) {
  constexpr ErrorCode kError = ErrorCode::kCoordinatorNotAvailable;
  if (auto* reply = std::get_if<ReplyWhenWritten>(&effect)) {
    OnFailed(step, *reply, kError);
    return true;
  }
  if (auto* fetch = std::get_if<FetchWhenWritten>(&effect)) {
    step.Answer(fetch->ticket, ErrorResponse(fetch->request, kError));
    return true;
  }
  if (auto* assignment = std::get_if<AssignmentWritten>(&effect)) {
    OnFailed(step, *assignment, kError);
    return true;
  }
  if (auto* rejoin = std::get_if<StaticRejoinWritten>(&effect)) {
    Group* group = Find(rejoin->group);
    Member* member = group == nullptr ? nullptr : group->Find(rejoin->new_member_id);
    if (member != nullptr && group->Is(GroupState::kStable) && member->awaiting_join == rejoin->ticket) {
      AnswerJoin(step, *group, *member, {.error = kError});
    }
  }
  return false;
}

void GroupShard::Impl::OnCommitted(Step&, GroupCreated& effect) {
  if (Group* group = Find(effect.group)) group->visible = true;
}

void GroupShard::Impl::OnCommitted(Step&, GroupConverted&) {}

void GroupShard::Impl::OnCommitted(Step&, GroupWritten& effect) {
  if (Group* group = Find(effect.group)) group->visible = true;
}

void GroupShard::Impl::OnCommitted(Step&, GroupDeleted& effect) {
  if (Group* group = Find(effect.group)) Erase(*group);
}

void GroupShard::Impl::OnCommitted(Step& step, ReplyWhenWritten& effect) {
  step.out.replies.push_back(std::move(effect.reply));
}

void GroupShard::Impl::OnCommitted(Step& step, FetchWhenWritten& effect) {
  step.Answer(effect.ticket, FetchCommitted(effect.request));
}

void GroupShard::Impl::OnFailed(Step& step, GroupCreated& effect, ErrorCode error) {
  Group* group = Find(effect.group);
  if (group == nullptr || group->consumer != nullptr) return;  // what it has become has writes of its own
  Dissolve(step, *group, error);
  EraseIfNothing(*group);
}

void GroupShard::Impl::OnFailed(Step& step, GroupConverted& effect, ErrorCode error) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  if (group->consumer != nullptr) {  // it has become one again, and the log has records of the one before
    group->consumer->must_rewrite = true;
    group->consumer->lost_tombstones.merge(effect.tombstones);
    return;
  }
  Dissolve(step, *group, error);
  SetType(*group, effect.from);
  group->other_record_keys = std::move(effect.record_keys);
  group->consumer = std::move(effect.consumer);
  group->has_record = group->consumer != nullptr;
  if (group->consumer == nullptr || group->lost_tombstones.empty()) return;
  group->consumer->must_rewrite = true;
  group->consumer->lost_tombstones.merge(group->lost_tombstones);
  group->lost_tombstones.clear();
}

// What is in memory is right, and the log says what was right before: see the table in shard.h.
void GroupShard::Impl::OnFailed(Step&, GroupWritten&, ErrorCode) {}

void GroupShard::Impl::OnFailed(Step& step, GroupDeleted& effect, ErrorCode) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  SetState(*group, GroupState::kEmpty);
  ArmCleanupAt(*group, step.now.wall_ms + config_.offsets_retention_check_interval_ms, step.now);
}

void GroupShard::Impl::OnFailed(Step& step, ReplyWhenWritten& effect, ErrorCode error) {
  step.Answer(effect.reply.ticket, WithError(std::move(effect.reply.response), error));
}

void GroupShard::Impl::OnFailed(Step& step, FetchWhenWritten& effect, ErrorCode) {
  // An earlier write may still be under way: ask again.
  Fetch(step, effect.ticket, std::move(effect.request));
}

// ── Groups ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Group* GroupShard::Impl::Find(std::string_view group_id) {
  auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : found->second.get();
}

const Group* GroupShard::Impl::Find(std::string_view group_id) const {
  auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : found->second.get();
}

Group* GroupShard::Impl::Find(const GroupRef& ref) {
  Group* group = Find(ref.id);
  return group != nullptr && group->incarnation == ref.incarnation ? group : nullptr;
}

Group& GroupShard::Impl::Create(std::string_view group_id, Now now) {
  auto made = std::make_unique<Group>();
  Group& group = *made;
  group.id = group_id;
  group.incarnation = ++last_incarnation_;
  group.state_timestamp_ms = now.wall_ms;
  group.shard_member_bytes = &member_bytes_;
  ++groups_in_state_[static_cast<size_t>(group.state)];
  auto [at, added] = groups_.try_emplace(group.id, std::move(made));
  KB_CHECK(added);
  offset_bytes_ += BytesOfGroup(group.id);
  return group;
}

void GroupShard::Impl::Erase(Group& group) {
  while (!group.members.empty()) group.Remove(std::string(group.members.begin()->first));
  group.RemoveAllPending();
  ForgetOffsets(group);
  offset_bytes_ -= BytesOfGroup(group.id);
  SetType(group, GroupType::kConsumer);  // takes it out of the counts of classic groups
  groups_.erase(groups_.find(group.id));
}

void GroupShard::Impl::EraseIfNothing(Group& group) {
  bool known = group.has_record || !group.offsets.empty() || !group.other_record_keys.empty();
  bool wanted = !group.members.empty() || !group.pending_members.empty();
  if (!known && !wanted && group.Is(GroupState::kEmpty)) Erase(group);
}

void GroupShard::Impl::SetState(Group& group, GroupState to) {
  if (group.type == GroupType::kClassic) {
    --groups_in_state_[static_cast<size_t>(group.state)];
    ++groups_in_state_[static_cast<size_t>(to)];
  }
  group.state = to;
}

void GroupShard::Impl::Transition(Group& group, GroupState to, Now now) {
  SetState(group, to);
  group.state_timestamp_ms = now.wall_ms;
}

// A consumer group's own part comes and goes beside this.
void GroupShard::Impl::SetType(Group& group, GroupType type) {
  size_t& in_state = groups_in_state_[static_cast<size_t>(group.state)];
  if (group.type == GroupType::kClassic) --in_state;
  if (type == GroupType::kClassic) ++in_state;
  group.type = type;
}

void GroupShard::Impl::Dissolve(Step& step, Group& group, ErrorCode error) {
  for (auto& [id, member] : group.members) {
    if (member.awaiting_join.has_value()) AnswerJoin(step, group, member, {.error = error, .member_id = id});
    if (member.awaiting_sync.has_value()) AnswerSync(step, member, {.error = error});
  }
  while (!group.members.empty()) group.Remove(std::string(group.members.begin()->first));
  group.RemoveAllPending();
  group.join_timer.Cancel();
  group.sync_timer.Cancel();
  SetState(group, GroupState::kEmpty);
  group.generation_id = 0;
  group.protocol_type.reset();
  group.protocol_name.reset();
  group.has_record = false;
}

// ── Timers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Arm(Timers::Timer& timer, TimerTarget target, int64_t deadline_ms) {
  if (!timer.exists()) timer = timers_.Make(target);
  timer.Arm(deadline_ms);
}

std::optional<int64_t> GroupShard::Impl::NextDeadlineMs() {
  std::optional<int64_t> next = timers_.NextDeadlineMs();
  if (timed_out_writes_ < writes_.size()) {
    int64_t write = writes_[timed_out_writes_].deadline_ms;
    next = next.has_value() ? std::min(*next, write) : write;
  }
  return next;
}

bool GroupShard::Impl::MayBeDueBefore(int64_t ms) const {
  if (timed_out_writes_ < writes_.size() && writes_[timed_out_writes_].deadline_ms < ms) return true;
  return timers_.MayBeDueBefore(ms);
}

Outcome GroupShard::Impl::Expire(Now now) {
  Step step(now);
  while (timed_out_writes_ < writes_.size() && writes_[timed_out_writes_].deadline_ms <= now.monotonic_ms) {
    KB_CHECK(writes_[timed_out_writes_].end_offset >= 0);
    TimeOutWrite(step, writes_[timed_out_writes_++]);
  }
  // One timer's records make a write: what fails together belongs together.
  for (size_t i = 0; i < kTimersPerCall && !HasRecords(step); ++i) {
    std::optional<TimerTarget> target = timers_.PopDue(now.monotonic_ms);
    if (!target.has_value()) break;
    Tick(step, *target);
  }
  return Finish(std::move(step));
}

void GroupShard::Impl::Tick(Step& step, const TimerTarget& target) {
  switch (target.kind) {
    case TimerTarget::Kind::kSession:
      return SessionTimerFired(step, *target.group, *target.member);
    case TimerTarget::Kind::kPendingMember:
      return PendingMemberTimerFired(step, *target.group, std::string(*target.pending_member_id));
    case TimerTarget::Kind::kJoin:
      return JoinTimerFired(step, *target.group);
    case TimerTarget::Kind::kSync:
      return SyncTimerFired(step, *target.group);
    case TimerTarget::Kind::kCleanup:
      return CleanupTimerFired(step, *target.group);
    case TimerTarget::Kind::kSweep:
      return Sweep(step);
    case TimerTarget::Kind::kConsumerSession:
    case TimerTarget::Kind::kConsumerRebalance:
    case TimerTarget::Kind::kConsumerJoin:
    case TimerTarget::Kind::kConsumerSync:
      return ConsumerTimerFired(step, *target.group, *target.consumer_member, target.kind);
    case TimerTarget::Kind::kRegex:
      return ResolveRegexes(step, *target.group);
  }
}

// ── Coming and going ───────────────────────────────────────────────────────────────────────────────────────────────

Outcome GroupShard::Impl::Loaded(Now now) {
  KB_CHECK(!loaded_);
  loaded_ = true;
  new_topics_version_ = surroundings_.metadata_version();
  Step step(now);
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = *at->second;
    ++at;  // the group may go
    group.visible = true;
    for (auto& [id, member] : group.members) RestartSession(group, member, now);
    if (group.consumer != nullptr) StartConsumerTimers(group, now);
    bool too_large = group.members.size() > static_cast<size_t>(config_.group_max_size);
    if (too_large) PrepareRebalance(step, group);
    ArmCleanup(group, now);
    EraseIfNothing(group);
  }
  return Finish(std::move(step));
}

std::vector<Reply> GroupShard::Impl::Unload(ErrorCode error) {
  Step step(last_now_);
  for (Write& write : writes_) {
    for (Effect& effect : write.effects) {
      if (auto* reply = std::get_if<ReplyWhenWritten>(&effect)) OnFailed(step, *reply, error);
      if (auto* fetch = std::get_if<FetchWhenWritten>(&effect)) {
        step.Answer(fetch->ticket, ErrorResponse(fetch->request, error));
      }
    }
  }
  writes_.clear();
  timed_out_writes_ = 0;
  unloaded_ = error;
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members) {
      if (member.awaiting_join.has_value()) AnswerJoin(step, *group, member, {.error = error});
      if (member.awaiting_sync.has_value()) AnswerSync(step, member, {.error = error});
    }
  }
  groups_.clear();
  groups_in_state_ = {};
  offset_count_ = offset_bytes_ = member_bytes_ = 0;
  sweep_timer_.Cancel();
  deleted_topics_.clear();
  return std::move(step.out.replies);
}

GroupCounts GroupShard::Impl::counts() const {
  auto in = [this](GroupState state) { return groups_in_state_[static_cast<size_t>(state)]; };
  GroupCounts counts;
  counts.preparing_rebalance = in(GroupState::kPreparingRebalance);
  counts.completing_rebalance = in(GroupState::kCompletingRebalance);
  counts.stable = in(GroupState::kStable);
  counts.empty = in(GroupState::kEmpty);
  counts.dead = in(GroupState::kDead);
  size_t classic = 0;
  for (size_t count : groups_in_state_) classic += count;
  counts.other_types = groups_.size() - classic;
  counts.offsets = offset_count_;
  return counts;
}

// ── The doors ──────────────────────────────────────────────────────────────────────────────────────────────────────

GroupShard::GroupShard(const GroupConfig& config, Random& random, const Surroundings& surroundings)
    : impl_(std::make_unique<Impl>(config, random, surroundings)) {}
GroupShard::~GroupShard() = default;

Status GroupShard::Replay(ByteView key, std::optional<ByteView> value, const RecordOrigin& origin) {
  return impl_->Replay(key, value, origin);
}

void GroupShard::ReplayEndOfTransaction(ProducerId producer_id, bool committed, int64_t offset) {
  impl_->ReplayEndOfTransaction(producer_id, committed, offset);
}

Outcome GroupShard::Loaded(Now now) {
  return impl_->Loaded(now);
}

Outcome GroupShard::JoinGroup(Ticket ticket, JoinGroupRequest request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Join(step, ticket, std::move(request)); });
}

Outcome GroupShard::SyncGroup(Ticket ticket, SyncGroupRequest request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Sync(step, ticket, std::move(request)); });
}

Outcome GroupShard::Heartbeat(Ticket ticket, const HeartbeatRequest& request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Beat(step, ticket, request); });
}

Outcome GroupShard::LeaveGroup(Ticket ticket, const LeaveGroupRequest& request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Leave(step, ticket, request); });
}

Outcome GroupShard::OffsetCommit(Ticket ticket, OffsetCommitRequest request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Commit(step, ticket, std::move(request)); });
}

Outcome GroupShard::OffsetFetch(Ticket ticket, OffsetFetchRequest request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Fetch(step, ticket, std::move(request)); });
}

Outcome GroupShard::OffsetDelete(Ticket ticket, const OffsetDeleteRequest& request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->DeleteOffsets(step, ticket, request); });
}

Outcome GroupShard::DeleteGroups(Ticket ticket, const DeleteGroupsRequest& request, Now now) {
  return impl_->Serve(ticket, request, now, [&](auto& step) { impl_->Delete(step, ticket, request); });
}

Outcome GroupShard::ConsumerGroupHeartbeat(Ticket ticket, ConsumerGroupHeartbeatRequest request, Now now) {
  return impl_->Serve(ticket, request, now,
                      [&](auto& step) { impl_->ConsumerHeartbeat(step, ticket, std::move(request)); });
}

ConsumerGroupDescribeResponse GroupShard::ConsumerGroupDescribe(const ConsumerGroupDescribeRequest& request) const {
  return impl_->ConsumerGroupDescribe(request);
}

void GroupShard::TopicsChanged(const std::vector<std::string>& names, bool any_created) {
  impl_->TopicsChanged(names, any_created);
}

ListGroupsResponse GroupShard::ListGroups(const ListGroupsRequest& request) const {
  return impl_->ListGroups(request);
}

DescribeGroupsResponse GroupShard::DescribeGroups(const DescribeGroupsRequest& request) const {
  return impl_->DescribeGroups(request);
}

Outcome GroupShard::TopicsDeleted(std::vector<DeletedTopic> topics, Now now) {
  Impl::Step step(now);
  impl_->TopicsDeleted(step, std::move(topics));
  return impl_->Finish(std::move(step));
}

void GroupShard::Appended(WriteId write_id, int64_t base_offset) {
  impl_->Appended(write_id, base_offset);
}

Outcome GroupShard::Failed(WriteId write_id, ErrorCode log_error, Now now) {
  return impl_->Failed(write_id, log_error, now);
}

Outcome GroupShard::Committed(int64_t high_watermark, Now now) {
  return impl_->Committed(high_watermark, now);
}

std::optional<int64_t> GroupShard::NextDeadlineMs() const {
  return impl_->NextDeadlineMs();
}

bool GroupShard::MayBeDueBefore(int64_t ms) const {
  return impl_->MayBeDueBefore(ms);
}

Outcome GroupShard::Expire(Now now) {
  return impl_->Expire(now);
}

std::vector<Reply> GroupShard::Unload(ErrorCode error) {
  return impl_->Unload(error);
}

GroupCounts GroupShard::counts() const {
  return impl_->counts();
}

}  // namespace kb::group

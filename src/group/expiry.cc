// Committed offsets and empty groups go when nobody has needed them for long enough (KIP-211), or with their topic.
//
//   group                                        an offset expires
//   ─────                                        ─────────────────
//   simple (only offsets, nobody ever joined)    retention after it was committed
//   Empty                                        retention after the group became empty (an old record does not say
//   when:
//                                                after the commit)
//   Stable, consumers, subscriptions readable    retention after the commit, for topics that nobody subscribes to
//   otherwise                                    not now
//
// An offset committed with a retention time of its own (OffsetCommit v2–v4) expires when that says. A group that is
// Empty and has no offsets left goes with them. Each group has a timer at the earliest moment at which something may
// expire; it only has to move when an offset comes that could expire before it.
#include <algorithm>

#include "group/impl.h"

namespace kb::group {

// ── Expiry ─────────────────────────────────────────────────────────────────────────────────────────────────────────

bool GroupShard::Impl::MayExpire(const Group& group) const {
  if (group.type == GroupType::kConsumer) return true;
  if (group.type != GroupType::kClassic) return false;
  if (!group.protocol_type.has_value()) return true;
  if (group.Is(GroupState::kEmpty)) return true;
  return group.Is(GroupState::kStable) && group.SubscribedTopics().has_value();
}

// Only where MayExpire.
int64_t GroupShard::Impl::ExpiryWallMs(const Group& group, const CommittedOffset& offset) const {
  if (offset.expire_timestamp_ms >= 0) return offset.expire_timestamp_ms;
  bool since_empty = group.protocol_type.has_value() && group.Is(GroupState::kEmpty) && group.state_timestamp_ms >= 0;
  int64_t base = since_empty ? group.state_timestamp_ms : offset.commit_timestamp_ms;
  return base > INT64_MAX - config_.offsets_retention_ms ? INT64_MAX : base + config_.offsets_retention_ms;
}

void GroupShard::Impl::ArmCleanupAt(Group& group, int64_t wall_ms, Now now) {
  int64_t wait_ms = wall_ms <= now.wall_ms ? 0 : wall_ms - now.wall_ms;
  int64_t deadline_ms = wait_ms > INT64_MAX / 2 ? INT64_MAX / 2 : now.monotonic_ms + wait_ms;
  Arm(group.cleanup_timer, {.kind = TimerTarget::Kind::kCleanup, .group = &group}, deadline_ms);
}

void GroupShard::Impl::ArmCleanup(Group& group, Now now) {
  std::optional<int64_t> wall_ms = NextExpiryWallMs(group, now);
  if (wall_ms.has_value()) {
    ArmCleanupAt(group, *wall_ms, now);
  } else {
    group.cleanup_timer.Cancel();
  }
}

// An offset has come. Later ones expire later, so most of the time there is nothing to do.
void GroupShard::Impl::ArmCleanupFor(Group& group, const CommittedOffset& offset, Now now) {
  if (group.type != GroupType::kClassic && !MayExpire(group)) return;
  bool expires_by_itself = offset.expire_timestamp_ms >= 0;
  if (group.cleanup_timer.armed() && !expires_by_itself) return;
  int64_t wall_ms = ExpiryWallMs(group, offset);
  int64_t deadline_ms = wall_ms <= now.wall_ms ? now.monotonic_ms : now.monotonic_ms + (wall_ms - now.wall_ms);
  if (!group.cleanup_timer.armed() || deadline_ms < group.cleanup_timer.deadline_ms()) {
    ArmCleanupAt(group, wall_ms, now);
  }
}

std::optional<int64_t> GroupShard::Impl::NextExpiryWallMs(const Group& group, Now now) const {
  if (!MayExpire(group)) return std::nullopt;
  bool nothing = group.HasNobody() && group.offsets.empty();
  if (nothing) return now.wall_ms + config_.offsets_retention_check_interval_ms;
  auto subscribed = group.SubscribedTopics();
  std::optional<int64_t> earliest;
  auto note = [&](int64_t wall_ms) { earliest = std::min(earliest.value_or(INT64_MAX), wall_ms); };
  for (const auto& [topic, partitions] : group.offsets) {
    if (subscribed.has_value() && subscribed->count(topic) != 0) continue;
    for (const auto& [partition, cell] : partitions) {
      bool settled = cell.committed.has_value() && cell.pending_writes == 0 && cell.open_transactions == 0;
      note(settled ? ExpiryWallMs(group, *cell.committed) : now.wall_ms + config_.offsets_retention_check_interval_ms);
    }
  }
  return earliest;
}

GroupShard::Impl::Expired GroupShard::Impl::ExpireOffsets(Step& step, Group& group) {
  Expired result;
  auto subscribed = group.SubscribedTopics();
  std::vector<OffsetChange> changes;
  for (const auto& [topic, partitions] : group.offsets) {
    bool wanted = subscribed.has_value() && subscribed->count(topic) != 0;
    for (const auto& [partition, cell] : partitions) {
      bool settled = cell.committed.has_value() && cell.pending_writes == 0 && cell.open_transactions == 0;
      bool expired = settled && !wanted && ExpiryWallMs(group, *cell.committed) <= step.now.wall_ms;
      if (expired && changes.size() < kMostRecordsPerWrite) {
        WriteTombstone(step, group, topic, partition, changes);
      } else {
        result.all = false;
        result.more |= expired;
      }
    }
  }
  WriteOffsets(step, group, std::move(changes));
  return result;
}

void GroupShard::Impl::CleanupTimerFired(Step& step, Group& group) {
  if (group.Is(GroupState::kDead) || !MayExpire(group)) return;
  Expired expired = ExpireOffsets(step, group);
  bool over = expired.all && group.HasNobody() && group.pending_members.empty();
  if (over && group.has_record) {
    if (!WriteGroupDeletion(step, group)) ArmCleanupAt(group, step.now.wall_ms, step.now);
    return;
  }
  if (over && group.offsets.empty()) return EraseIfNothing(group);
  if (expired.more) return ArmCleanupAt(group, step.now.wall_ms, step.now);
  ArmCleanup(group, step.now);
}

bool GroupShard::Impl::WriteGroupDeletion(Step& step, Group& group) {
  const size_t first = step.out.records.size();
  WriteLostTombstones(step, group, kMostRecordsPerWrite);
  NoteWritten(step, group, first);
  if (!group.lost_tombstones.empty()) return false;
  if (group.type == GroupType::kClassic) step.Write(EncodeGroupTombstone(group.id));
  if (group.type == GroupType::kConsumer) WriteConsumerTombstones(step, group);
  WriteOtherTombstones(step, group);
  SetState(group, GroupState::kDead);
  step.effects.push_back(GroupDeleted{RefTo(group)});
  return true;
}

// ── Deleted topics ─────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::TopicsDeleted(Step& step, std::vector<DeletedTopic> topics) {
  bool walking = !deleted_topics_.empty();
  std::vector<DeletedTopic>& list = walking ? deleted_topics_next_ : deleted_topics_;
  std::move(topics.begin(), topics.end(), std::back_inserter(list));
  if (!walking && !deleted_topics_.empty()) Sweep(step);
}

void GroupShard::Impl::Sweep(Step& step) {
  constexpr size_t kGroupsPerStep = 1'000;
  auto at = sweep_after_.has_value() ? groups_.upper_bound(*sweep_after_) : groups_.begin();
  for (size_t visited = 0; at != groups_.end() && visited < kGroupsPerStep; ++visited, ++at) {
    SweepGroup(step, *at->second);
    sweep_after_ = at->first;
    if (step.out.records.size() >= kMostRecordsPerWrite) break;
  }
  bool done = at == groups_.end();
  if (done) {
    sweep_after_.reset();
    deleted_topics_ = std::exchange(deleted_topics_next_, {});
  }
  if (!done || !deleted_topics_.empty()) {
    Arm(sweep_timer_, {.kind = TimerTarget::Kind::kSweep}, step.now.monotonic_ms);
  }
}

void GroupShard::Impl::SweepGroup(Step& step, Group& group) {
  if (group.Is(GroupState::kDead)) return;
  std::vector<OffsetChange> changes;
  for (const DeletedTopic& topic : deleted_topics_) {
    auto partitions = group.offsets.find(topic.name);
    if (partitions == group.offsets.end()) continue;
    for (const auto& [partition, cell] : partitions->second) {
      const Uuid& committed_to = cell.committed.has_value() ? cell.committed->topic_id : kZeroUuid;
      bool other_topic = !committed_to.is_zero() && !topic.topic_id.is_zero() && committed_to != topic.topic_id;
      if (!other_topic) WriteTombstone(step, group, topic.name, partition, changes);
    }
  }
  WriteOffsets(step, group, std::move(changes));
}

}  // namespace kb::group

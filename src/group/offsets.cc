// Committed offsets: from a commit to their expiry (KIP-211).
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

#include "base/check.h"
#include "group/impl.h"
#include "group/partition_of_group.h"

namespace kb::group {

// ── OffsetCommit ───────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

int64_t ExpiryOf(const OffsetCommitRequest& request, Now now) {
  constexpr int64_t kDefaultRetention = -1;
  if (request.retention_time_ms == kDefaultRetention) return -1;
  int64_t longest = INT64_MAX - now.wall_ms;
  return std::max<int64_t>(now.wall_ms + std::min(request.retention_time_ms, longest), 0);
}

// A record with an expiry time has no room for these, and memory shall not know more than the log.
void ForgetWhatTheRecordLacks(CommittedOffset& offset) {
  offset.leader_epoch = -1;
  offset.topic_id = Uuid();
}

}  // namespace

void GroupShard::Impl::Commit(Step& step, Ticket ticket, OffsetCommitRequest request) {
  ErrorCode error = ErrorCode::kNone;
  Group* group = GroupToCommitTo(request, step.now, error);
  if (group == nullptr) return step.Answer(ticket, ErrorResponse(request, error));
  OffsetCommitResponse response = ErrorResponse(request, ErrorCode::kNone);
  std::vector<OffsetChange> changes;
  int64_t expire_ms = ExpiryOf(request, step.now);
  for (size_t t = 0; t < request.topics.size(); ++t) {
    OffsetCommitRequest::Topic& topic = request.topics[t];
    for (size_t p = 0; p < topic.partitions.size(); ++p) {
      OffsetCommitRequest::Partition& partition = topic.partitions[p];
      std::string metadata = std::move(partition.committed_metadata).value_or("");
      if (Utf16Length(metadata) > static_cast<size_t>(config_.offset_metadata_max_bytes)) {
        response.topics[t].partitions[p].error = ErrorCode::kOffsetMetadataTooLarge;
        continue;
      }
      CommittedOffset offset{partition.committed_offset,
                             partition.committed_leader_epoch,
                             std::move(metadata),
                             step.now.wall_ms,
                             expire_ms,
                             topic.topic_id};
      if (expire_ms >= 0) ForgetWhatTheRecordLacks(offset);
      step.Write(EncodeOffset(group->id, topic.name, partition.index, offset));
      changes.push_back({topic.name, partition.index, std::move(offset)});
    }
  }
  step.effects.reserve(2);
  WriteOffsets(step, *group, std::move(changes));
  EraseIfNothing(*group);  // nothing of the commit was acceptable, and it was the first
  AnswerWhenWritten(step, ticket, std::move(response));
}

Group* GroupShard::Impl::GroupToCommitTo(const OffsetCommitRequest& request, Now now, ErrorCode& error) {
  constexpr int16_t kGroupIdNotFoundVersion = 9;
  Group* group = Find(request.group_id);
  if (group == nullptr && request.generation_id >= 0) {
    bool knows = request.version >= kGroupIdNotFoundVersion;
    error = knows ? ErrorCode::kGroupIdNotFound : ErrorCode::kIllegalGeneration;
    return nullptr;
  }
  if (group == nullptr && groups_.size() >= config_.most_groups) {
    error = ErrorCode::kCoordinatorLoadInProgress;
    return nullptr;
  }
  // A consumer that assigns itself, or an administrator: a group with nothing but offsets.
  if (group == nullptr) return &Create(request.group_id, now);
  if (std::optional<ErrorCode> refused = RefuseCommit(*group, request)) {
    error = *refused;
    return nullptr;
  }
  bool keeps_session = group->Is(GroupState::kStable) || group->Is(GroupState::kPreparingRebalance);
  Member* member = group->Find(request.member_id);
  if (keeps_session && member != nullptr) RestartSession(*group, *member, now);
  return group;
}

std::optional<ErrorCode> GroupShard::Impl::RefuseCommit(Group& group, const OffsetCommitRequest& request) const {
  if (group.Is(GroupState::kDead)) return ErrorCode::kCoordinatorNotAvailable;
  if (group.type == GroupType::kShare) return ErrorCode::kGroupIdNotFound;
  if (group.type != GroupType::kClassic && request.generation_id < 0 && group.HasNobody()) return std::nullopt;
  if (group.type == GroupType::kConsumer) return RefuseConsumerCommit(*group.consumer, request);
  if (group.type == GroupType::kStreams) return ErrorCode::kUnknownMemberId;
  if (request.generation_id < 0 && group.Is(GroupState::kEmpty)) return std::nullopt;
  bool names_member = !request.member_id.empty() || request.group_instance_id.has_value();
  if (request.generation_id < 0 && !names_member) return ErrorCode::kUnknownMemberId;
  if (auto error = CheckMember(group, request.member_id, request.group_instance_id)) return error;
  if (request.generation_id != group.generation_id) return ErrorCode::kIllegalGeneration;
  if (group.Is(GroupState::kCompletingRebalance)) return ErrorCode::kRebalanceInProgress;
  return std::nullopt;
}

// An epoch that the member has left behind is good for partitions that it had then already, and has still.
std::optional<ErrorCode> GroupShard::Impl::RefuseConsumerCommit(const ConsumerGroup& consumer,
                                                                const OffsetCommitRequest& request) const {
  constexpr int16_t kMemberEpochVersion = 9;
  const ConsumerMember* member = consumer.Find(request.member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  const bool is_classic = member->classic.has_value();
  if (!is_classic && request.version < kMemberEpochVersion) return ErrorCode::kUnsupportedVersion;
  if (request.generation_id == member->epoch) return std::nullopt;
  const ErrorCode stale = is_classic ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
  if (request.generation_id > member->epoch) return stale;
  for (const OffsetCommitRequest::Topic& topic : request.topics) {
    for (const OffsetCommitRequest::Partition& partition : topic.partitions) {
      const PartitionId id{topic.topic_id, partition.index};
      const OwnedPartition* owned = FindIn(member->assigned, id);
      if (owned == nullptr) owned = FindIn(member->pending_revocation, id);
      if (owned == nullptr || request.generation_id < owned->epoch) return stale;
    }
  }
  return std::nullopt;
}

// ── Being written ──────────────────────────────────────────────────────────────────────────────────────────────────

OffsetCell& GroupShard::Impl::CellOf(Group& group, const std::string& topic, int32_t partition) {
  auto [cell, added] = group.offsets[topic].try_emplace(partition);
  if (added) ++offset_count_;
  return cell->second;
}

void GroupShard::Impl::DropCellIfUnused(Group& group, const std::string& topic, int32_t partition) {
  auto partitions = group.offsets.find(topic);
  if (partitions == group.offsets.end()) return;
  auto cell = partitions->second.find(partition);
  if (cell == partitions->second.end() || !cell->second.unused()) return;
  partitions->second.erase(cell);
  --offset_count_;
  if (partitions->second.empty()) group.offsets.erase(partitions);
}

void GroupShard::Impl::WriteOffsets(Step& step, Group& group, std::vector<OffsetChange> changes) {
  if (changes.empty()) return;
  for (const OffsetChange& change : changes) ++CellOf(group, change.topic, change.partition).pending_writes;
  ++group.pending_offset_writes;
  step.effects.push_back(OffsetsWritten{RefTo(group), std::move(changes)});
}

void GroupShard::Impl::WriteTombstone(Step& step, const Group& group, const std::string& topic, int32_t partition,
                                      std::vector<OffsetChange>& changes) {
  step.Write(EncodeOffsetTombstone(group.id, topic, partition));
  changes.push_back({topic, partition, std::nullopt});
}

void GroupShard::Impl::OnCommitted(Step& step, OffsetsWritten& effect) {
  Group* group = Find(effect.group);
  bool same = group != nullptr;
  // The group's first write failed after this one had begun; the log has these offsets all the same.
  if (group == nullptr) group = &FindOrReplay(effect.group.id);
  group->visible = true;
  if (same) --group->pending_offset_writes;
  for (OffsetChange& change : effect.changes) {
    if (same) --CellOf(*group, change.topic, change.partition).pending_writes;
    if (change.value.has_value()) ArmCleanupFor(*group, *change.value, step.now);
    ApplyOffset(*group, change, committing_offset_);
  }
  EraseIfNothing(*group);
}

void GroupShard::Impl::OnFailed(Step& step, OffsetsWritten& effect, ErrorCode) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  --group->pending_offset_writes;
  for (OffsetChange& change : effect.changes) {
    --CellOf(*group, change.topic, change.partition).pending_writes;
    DropCellIfUnused(*group, change.topic, change.partition);
  }
  bool unwatched = !group->cleanup_timer.armed();
  if (unwatched) ArmCleanupAt(*group, step.now.wall_ms + config_.offsets_retention_check_interval_ms, step.now);
  EraseIfNothing(*group);
}

void GroupShard::Impl::ApplyOffset(Group& group, OffsetChange& change, int64_t record_offset) {
  OffsetCell& cell = CellOf(group, change.topic, change.partition);
  if (change.value.has_value()) {
    cell.committed = std::move(change.value);
    cell.record_offset = record_offset;
    return;
  }
  cell.committed.reset();
  cell.record_offset = -1;
  // A removal is the last word also for transactions that are still open.
  if (cell.open_transactions > 0) ForgetTransactionalChanges(group.id, change.topic, change.partition);
  cell.open_transactions = 0;
  DropCellIfUnused(group, change.topic, change.partition);
}

void GroupShard::Impl::ForgetTransactionalChanges(const std::string& group_id, const std::string& topic,
                                                  int32_t partition) {
  for (auto& [producer, changes] : open_transactions_) {
    std::erase_if(changes, [&](const TransactionalChange& open) {
      return open.group_id == group_id && open.change.partition == partition && open.change.topic == topic;
    });
  }
}

// ── OffsetFetch ────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Fetch(Step& step, Ticket ticket, OffsetFetchRequest request) {
  Group* group = Find(request.group_id);
  bool must_wait = request.require_stable && group != nullptr && group->pending_offset_writes > 0;
  if (!must_wait) return step.Answer(ticket, FetchCommitted(request));
  KB_CHECK(!writes_.empty());
  if (timed_out_writes_ == writes_.size()) {
    return step.Answer(ticket, ErrorResponse(request, ErrorCode::kCoordinatorNotAvailable));
  }
  writes_.back().effects.push_back(FetchWhenWritten{ticket, std::move(request)});
}

namespace {

OffsetFetchResponse::Partition Answered(int32_t partition, const OffsetCell* cell, const Uuid& wanted_topic,
                                        bool require_stable) {
  OffsetFetchResponse::Partition answer{.index = partition};
  if (cell == nullptr) return answer;
  if (require_stable && cell->open_transactions > 0) {
    answer.error = ErrorCode::kUnstableOffsetCommit;
    return answer;
  }
  if (!cell->committed.has_value()) return answer;
  const CommittedOffset& offset = *cell->committed;
  // An offset of an earlier topic of the same name means nothing in this one.
  bool other_topic = !wanted_topic.is_zero() && !offset.topic_id.is_zero() && offset.topic_id != wanted_topic;
  if (other_topic) return answer;
  answer.committed_offset = offset.offset;
  answer.committed_leader_epoch = offset.leader_epoch;
  answer.metadata = offset.metadata;
  return answer;
}

const OffsetCell* CellAt(const Group* group, std::string_view topic, int32_t partition) {
  if (group == nullptr) return nullptr;
  auto partitions = group->offsets.find(topic);
  if (partitions == group->offsets.end()) return nullptr;
  auto cell = partitions->second.find(partition);
  return cell == partitions->second.end() ? nullptr : &cell->second;
}

void AddTopic(const Group* group, const OffsetFetchRequest::Topic& wanted, bool require_stable,
              OffsetFetchResponse& response) {
  auto& topic = response.topics.emplace_back();
  topic.name = wanted.name;
  topic.topic_id = wanted.topic_id;
  topic.partitions.reserve(wanted.partitions.size());
  for (int32_t partition : wanted.partitions) {
    const OffsetCell* cell = CellAt(group, wanted.name, partition);
    topic.partitions.push_back(Answered(partition, cell, wanted.topic_id, require_stable));
  }
}

void AddAllTopics(const Group& group, bool require_stable, OffsetFetchResponse& response) {
  for (const auto& [name, partitions] : group.offsets) {
    OffsetFetchResponse::Topic topic;
    topic.name = name;
    for (const auto& [partition, cell] : partitions) {
      bool unstable = require_stable && cell.open_transactions > 0;
      if (!cell.committed.has_value() && !unstable) continue;
      if (cell.committed.has_value()) topic.topic_id = cell.committed->topic_id;
      topic.partitions.push_back(Answered(partition, &cell, kZeroUuid, require_stable));
    }
    if (!topic.partitions.empty()) response.topics.push_back(std::move(topic));
  }
}

}  // namespace

// Members of a consumer group must be up to date; administrators name no member.
ErrorCode GroupShard::Impl::RefuseFetch(const Group& group, const OffsetFetchRequest& request) const {
  bool is_administrator = !request.member_id.has_value() && request.member_epoch < 0;
  if (is_administrator) return ErrorCode::kNone;
  std::string_view member_id =
      request.member_id.has_value() ? std::string_view(*request.member_id) : std::string_view();
  if (group.type == GroupType::kStreams) {
    return group.other_members.contains(std::string(member_id)) ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
  }
  if (group.type != GroupType::kConsumer) return ErrorCode::kNone;
  const ConsumerMember* member = group.consumer->Find(member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  if (request.member_epoch == member->epoch) return ErrorCode::kNone;
  // It may not have been told of its epoch yet.
  const bool may_be_behind = group.pending_consumer_writes > 0 || group.consumer->must_rewrite;
  if (may_be_behind && request.member_epoch == member->previous_epoch) return ErrorCode::kNone;
  return member->classic.has_value() ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
}

OffsetFetchResponse GroupShard::Impl::FetchCommitted(const OffsetFetchRequest& request) const {
  OffsetFetchResponse response;
  response.group_id = request.group_id;
  const Group* group = Find(request.group_id);
  response.error = group == nullptr ? ErrorCode::kNone : RefuseFetch(*group, request);
  if (response.error != ErrorCode::kNone) return response;
  if (group != nullptr && group->type == GroupType::kShare) group = nullptr;
  if (request.topics.has_value()) {
    for (const auto& topic : *request.topics) AddTopic(group, topic, request.require_stable, response);
  } else if (group != nullptr) {
    AddAllTopics(*group, request.require_stable, response);
  }
  return response;
}

// ── OffsetDelete ───────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::DeleteOffsets(Step& step, Ticket ticket, const OffsetDeleteRequest& request) {
  auto refuse = [&](ErrorCode error) { step.Answer(ticket, OffsetDeleteResponse{.error = error}); };
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  Group* group = Find(request.group_id);
  bool exists = group != nullptr && group->type != GroupType::kShare && !group->Is(GroupState::kDead);
  if (!exists) return refuse(ErrorCode::kGroupIdNotFound);
  bool classic = group->type == GroupType::kClassic;
  bool busy = classic ? !group->Is(GroupState::kEmpty) && !group->uses_consumer_protocol()
                      : group->type == GroupType::kStreams && !group->HasNobody();
  if (busy) return refuse(ErrorCode::kNonEmptyGroup);
  auto subscribed = group->SubscribedTopics();
  bool unknown = classic && !subscribed.has_value() && group->uses_consumer_protocol();
  OffsetDeleteResponse response;
  std::vector<OffsetChange> changes;
  for (const auto& topic : request.topics) {
    bool refused = unknown || (subscribed.has_value() && subscribed->count(topic.name) != 0);
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (int32_t partition : topic.partitions) {
      answered.partitions.push_back({partition, refused ? ErrorCode::kGroupSubscribedToTopic : ErrorCode::kNone});
      bool there = !refused && CellAt(group, topic.name, partition) != nullptr;
      if (there) WriteTombstone(step, *group, topic.name, partition, changes);
    }
  }
  WriteOffsets(step, *group, std::move(changes));
  AnswerWhenWritten(step, ticket, std::move(response));
}

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

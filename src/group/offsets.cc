// Committed offsets: from a commit to their removal by those who have them; by time they go in expiry.cc.
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

bool HasTooMuchMetadata(const OffsetCommitRequest::Partition& partition, const GroupConfig& config) {
  return partition.committed_metadata.has_value() &&
         Utf16Length(*partition.committed_metadata) > static_cast<size_t>(config.offset_metadata_max_bytes);
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
      if (HasTooMuchMetadata(partition, config_)) {
        response.topics[t].partitions[p].error = ErrorCode::kOffsetMetadataTooLarge;
        continue;
      }
      std::string metadata = std::move(partition.committed_metadata).value_or("");
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
  const bool has_room = (group != nullptr || HasRoomForGroup(request.group_id)) && HasRoomForOffsets(group, request);
  if (!has_room) {
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
      if (HasTooMuchMetadata(partition, config_)) continue;  // it is told so, whoever has it
      const PartitionId id{topic.topic_id, partition.index};
      const OwnedPartition* owned = FindIn(member->assigned, id);
      if (owned == nullptr) owned = FindIn(member->pending_revocation, id);
      if (owned == nullptr || request.generation_id < owned->epoch) return stale;
    }
  }
  return std::nullopt;
}

namespace {

const OffsetCell* CellAt(const Group* group, std::string_view topic, int32_t partition) {
  if (group == nullptr) return nullptr;
  auto partitions = group->offsets.find(topic);
  if (partitions == group->offsets.end()) return nullptr;
  auto cell = partitions->second.find(partition);
  return cell == partitions->second.end() ? nullptr : &cell->second;
}

// With the nodes that hold them.
size_t BytesOfCell(size_t metadata_bytes) {
  return sizeof(OffsetCell) + 48 + metadata_bytes;
}
size_t BytesOfTopic(std::string_view topic) {
  return sizeof(Group::Partitions) + 64 + topic.size();
}
size_t MetadataBytes(const OffsetCell& cell) {
  return cell.committed.has_value() ? cell.committed->metadata.size() : 0;
}

}  // namespace

void GroupShard::Impl::ForgetOffsets(Group& group) {
  for (const auto& [topic, partitions] : group.offsets) {
    offset_count_ -= partitions.size();
    offset_bytes_ -= BytesOfTopic(topic) + partitions.size() * BytesOfCell(0);
    for (const auto& [partition, cell] : partitions) offset_bytes_ -= MetadataBytes(cell);
  }
  group.offsets.clear();
}

size_t GroupShard::Impl::BytesOfGroup(std::string_view group_id) {
  return sizeof(Group) + 64 + 2 * group_id.size();
}

// Of a commit. What is there already takes no room.
bool GroupShard::Impl::HasRoomForOffsets(const Group* group, const OffsetCommitRequest& request) const {
  auto grows_by = [&](bool exactly) {
    size_t bytes = 0;
    for (const OffsetCommitRequest::Topic& topic : request.topics) {
      const bool is_new = !exactly || group == nullptr || group->offsets.find(topic.name) == group->offsets.end();
      if (is_new) bytes += BytesOfTopic(topic.name);
      for (const OffsetCommitRequest::Partition& partition : topic.partitions) {
        const size_t wants = partition.committed_metadata.has_value() ? partition.committed_metadata->size() : 0;
        const OffsetCell* cell = exactly ? CellAt(group, topic.name, partition.index) : nullptr;
        bytes += cell == nullptr ? BytesOfCell(wants) : std::max(wants, MetadataBytes(*cell)) - MetadataBytes(*cell);
      }
    }
    return bytes;
  };
  auto fits = [&](size_t bytes) { return bytes == 0 || offset_bytes_ + bytes <= config_.most_shard_offset_bytes; };
  return fits(grows_by(false)) || fits(grows_by(true));
}

// ── Being written ──────────────────────────────────────────────────────────────────────────────────────────────────

OffsetCell& GroupShard::Impl::CellOf(Group& group, const std::string& topic, int32_t partition) {
  auto [of_topic, is_new] = group.offsets.try_emplace(topic);
  if (is_new) offset_bytes_ += BytesOfTopic(topic);
  auto [cell, added] = of_topic->second.try_emplace(partition);
  if (added) {
    ++offset_count_;
    offset_bytes_ += BytesOfCell(0);
  }
  return cell->second;
}

void GroupShard::Impl::DropCellIfUnused(Group& group, const std::string& topic, int32_t partition) {
  auto partitions = group.offsets.find(topic);
  if (partitions == group.offsets.end()) return;
  auto cell = partitions->second.find(partition);
  if (cell == partitions->second.end() || !cell->second.unused()) return;
  partitions->second.erase(cell);
  --offset_count_;
  offset_bytes_ -= BytesOfCell(0);  // unused: without metadata
  if (!partitions->second.empty()) return;
  offset_bytes_ -= BytesOfTopic(topic);
  group.offsets.erase(partitions);
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
  offset_bytes_ -= MetadataBytes(cell);
  if (change.value.has_value()) {
    offset_bytes_ += change.value->metadata.size();
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
      // What only an open transaction knows is not there yet, as in Apache Kafka, although nobody is told to wait.
      if (!cell.committed.has_value()) continue;
      topic.topic_id = cell.committed->topic_id;
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

}  // namespace kb::group

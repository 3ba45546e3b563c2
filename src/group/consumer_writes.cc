// The records of a consumer group: noting what is being written, writing all of it anew after a failure, and reading
// them back.
//
// Memory changes with the request and the log follows. Where an append fails the log lacks something, and the group is
// marked: whatever is done with it next begins with writing it as a whole (MendLog). Until that is committed nobody is
// told anything, so nobody has seen what a restart would not find.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "group/impl.h"

namespace kb::group {

// ── Writing ────────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::NoteWritten(Step& step, Group& group, size_t first) {
  if (step.out.records.size() == first) return;
  group.has_record = true;
  ++group.pending_consumer_writes;
  step.effects.push_back(ConsumerGroupWritten{RefTo(group), step.Tombstones(first)});
}

void GroupShard::Impl::OnCommitted(Step&, ConsumerGroupWritten& effect) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  group->visible = true;
  group->upgraded_from.reset();
  group->replaced_in_upgrade.clear();
  --group->pending_consumer_writes;
}

void GroupShard::Impl::OnFailed(Step& step, ConsumerGroupWritten& effect, ErrorCode) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  --group->pending_consumer_writes;
  if (group->consumer == nullptr) return LoseTombstones(*group, effect.tombstones);
  ConsumerGroup& consumer = *group->consumer;
  consumer.must_rewrite = true;
  consumer.lost_tombstones.insert(effect.tombstones.begin(), effect.tombstones.end());
  // As long as others are under way, the log may come to know something of the consumer group.
  const bool is_unknown = group->upgraded_from.has_value() && group->pending_consumer_writes == 0;
  if (is_unknown) TakeBackUpgrade(step, *group);
}

// Of a classic group: whose own key is not among them, for it is written.
void GroupShard::Impl::LoseTombstones(Group& group, const std::set<std::string>& keys) {
  group.lost_tombstones.insert(keys.begin(), keys.end());
  group.lost_tombstones.erase(EncodeGroupTombstone(group.id).key);
}

// The last of them first: keys begin with the kind of the record, and Apache Kafka wants to read what a member has, its
// target and its subscription gone in this order, and the group behind all.
void GroupShard::Impl::WriteTombstones(Step& step, const std::set<std::string>& keys) {
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) step.Write({*key, std::nullopt});
}

// In that order, too.
void GroupShard::Impl::WriteLostTombstones(Step& step, Group& group, size_t most) {
  for (; most > 0 && !group.lost_tombstones.empty(); --most) {
    step.Write(
        {std::move(group.lost_tombstones.extract(std::prev(group.lost_tombstones.end())).value()), std::nullopt});
  }
}

namespace {

// That in which the members were assigned what they have. Nobody has been assigned anything in one that has only begun,
// or whose rebalance began anew.
int32_t GenerationOfAssignments(const Group& group) {
  const bool has_begun = group.Is(GroupState::kCompletingRebalance);
  const bool is_interrupted =
      group.Is(GroupState::kPreparingRebalance) &&
      std::all_of(group.members.begin(), group.members.end(), [](auto& one) { return one.second.assignment.empty(); });
  return has_begun || is_interrupted ? std::max(group.generation_id - 1, 0) : group.generation_id;
}

}  // namespace

void GroupShard::Impl::MendLog(Step& step, Group& group) {
  if (group.consumer == nullptr) {
    // The assignment that is being written is its record.
    const bool is_written = group.lost_tombstones.empty() || group.writing_assignment_of.has_value();
    if (is_written || group.Is(GroupState::kDead)) return;
    WriteLostTombstones(step, group, kMostRecordsPerWrite);
    // Alone it would do to bring the classic group back; the rest is for the day when it is a consumer group again.
    GroupRecord record = group.ToRecord(group.CurrentAssignments());
    record.generation_id = GenerationOfAssignments(group);
    group.has_record = true;  // here already: what is being done may be to make it a consumer group again
    return step.Write(EncodeGroup(group.id, record));
  }
  ConsumerGroup& consumer = *group.consumer;
  if (!consumer.must_rewrite || group.Is(GroupState::kDead)) return;
  WriteTombstones(step, consumer.lost_tombstones);
  WriteWholeGroup(step, group);
  consumer.must_rewrite = false;
  consumer.lost_tombstones.clear();
}

bool GroupShard::Impl::MendedFirst(Step& step, Group& group) {
  const bool is_behind =
      group.consumer != nullptr ? group.consumer->must_rewrite : group.lost_tombstones.size() > kMostRecordsPerWrite;
  if (is_behind) Mend(step, group);
  return is_behind;
}

// Two parts of it would not do: a restart in between would find partitions with one member that had let go of them for
// another.
bool GroupShard::Impl::FitsInAWrite(std::string_view group_id, const ConsumerGroup& consumer, size_t more) const {
  constexpr size_t kOfARecord = 32;  // what frames it
  const size_t records = 3 * (consumer.members().size() + 1) + consumer.resolved().size() + 3;
  return consumer.bytes() + more + records * (group_id.size() + kOfARecord) <= config_.most_group_bytes;
}

void GroupShard::Impl::WriteWholeGroup(Step& step, const Group& group) {
  const ConsumerGroup& consumer = *group.consumer;
  for (const auto& [id, member] : consumer.members()) step.Write(EncodeSubscription(group.id, member));
  for (const auto& [regex, resolved] : consumer.resolved()) step.Write(EncodeRegex(group.id, regex, resolved));
  step.Write(EncodeEpoch(group.id, {consumer.group_epoch, consumer.metadata_hash}));
  for (const auto& [id, member] : consumer.members()) {
    if (member.has_target) step.Write(EncodeTarget(group.id, id, member.target));
  }
  step.Write(EncodeTargetMetadata(group.id, {consumer.assignment_epoch, consumer.assignment_timestamp_ms}));
  for (const auto& [id, member] : consumer.members()) step.Write(EncodeCurrentAssignment(group.id, member));
}

// In the order in which Apache Kafka writes them, and wants to read them.
void GroupShard::Impl::WriteMemberTombstones(Step& step, const Group& group, const std::string& member_id) {
  using enum ConsumerRecordKind;
  for (ConsumerRecordKind kind : {kCurrentAssignment, kTarget, kSubscription}) {
    step.Write(EncodeConsumerTombstone(kind, group.id, member_id));
  }
}

// Likewise.
void GroupShard::Impl::WriteConsumerTombstones(Step& step, const Group& group) {
  using enum ConsumerRecordKind;
  const ConsumerGroup& consumer = *group.consumer;
  auto write = [&](ConsumerRecordKind kind, std::string_view name) {
    step.Write(EncodeConsumerTombstone(kind, group.id, name));
  };
  WriteTombstones(step, consumer.lost_tombstones);
  for (const auto& [id, member] : consumer.members()) write(kCurrentAssignment, id);
  for (const auto& [id, member] : consumer.members()) write(kTarget, id);
  write(kTargetMetadata, {});
  for (const auto& [id, member] : consumer.members()) write(kSubscription, id);
  for (const auto& [regex, resolved] : consumer.resolved()) write(kRegex, regex);
  write(kSubscriptionMetadata, {});
  write(kEpoch, {});
}

void GroupShard::Impl::AnswerWhenCommitted(Step& step, const Group& group, Ticket ticket, Response response) {
  if (HasRecords(step)) {
    step.effects.push_back(ReplyWhenWritten{{ticket, std::move(response)}});
  } else if (group.pending_consumer_writes == 0) {
    step.Answer(ticket, std::move(response));
  } else if (timed_out_writes_ < writes_.size()) {
    // Writes are committed in their order: behind the last one everything is.
    writes_.back().effects.push_back(ReplyWhenWritten{{ticket, std::move(response)}});
  } else {
    step.Answer(ticket, WithError(std::move(response), ErrorCode::kCoordinatorNotAvailable));
  }
}

// ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

ConsumerGroup& GroupShard::Impl::ConsumerOrReplay(std::string_view group_id) {
  Group& group = FindOrReplay(group_id);
  if (group.type == GroupType::kConsumer) return *group.consumer;
  Step nobody_waits({});
  Dissolve(nobody_waits, group, ErrorCode::kNone);
  SetType(group, GroupType::kConsumer);
  group.consumer = std::make_unique<ConsumerGroup>(&member_bytes_);
  group.has_record = true;
  return *group.consumer;
}

namespace {

ConsumerMember& MemberOrReplay(ConsumerGroup& consumer, const std::string& id) {
  ConsumerMember* member = consumer.Find(id);
  return member != nullptr ? *member : consumer.Update(consumer.FactsOf(id));
}

// A record may be the first of its member that is left: compaction keeps only the last of each key.
Status ReplayMember(ConsumerGroup& consumer, const ConsumerRecordKey& key, ByteView value) {
  ConsumerMemberFacts facts = consumer.FactsOf(key.name);
  KB_RETURN_IF_ERROR(key.kind == ConsumerRecordKind::kSubscription ? DecodeSubscription(value, facts)
                                                                   : DecodeCurrentAssignment(value, facts));
  consumer.Update(std::move(facts));
  return {};
}

Status ReplayValue(ConsumerGroup& consumer, const ConsumerRecordKey& key, ByteView value) {
  switch (key.kind) {
    case ConsumerRecordKind::kEpoch: {
      Result<EpochFacts> facts = DecodeEpoch(value);
      if (!facts.ok()) return facts.error();
      consumer.group_epoch = facts->group_epoch;
      consumer.metadata_hash = facts->metadata_hash;
      return {};
    }
    case ConsumerRecordKind::kSubscriptionMetadata:
      consumer.has_subscription_metadata = true;
      return {};
    case ConsumerRecordKind::kTargetMetadata: {
      Result<TargetFacts> facts = DecodeTargetMetadata(value);
      if (!facts.ok()) return facts.error();
      consumer.assignment_epoch = facts->assignment_epoch;
      consumer.assignment_timestamp_ms = facts->assignment_timestamp_ms;
      return {};
    }
    case ConsumerRecordKind::kTarget: {
      Result<Assignment> target = DecodeTarget(value);
      if (!target.ok()) return target.error();
      ConsumerMember& member = MemberOrReplay(consumer, key.name);
      member.target = std::move(*target);
      member.has_target = true;
      return {};
    }
    case ConsumerRecordKind::kSubscription:
    case ConsumerRecordKind::kCurrentAssignment:
      return ReplayMember(consumer, key, value);
    case ConsumerRecordKind::kRegex: {
      Result<ResolvedRegex> resolved = DecodeRegex(value);
      if (!resolved.ok()) return resolved.error();
      consumer.SetResolved(key.name, std::move(*resolved));
      return {};
    }
  }
  KB_CHECK(false);
}

// Of everything but the group itself.
void ReplayTombstone(ConsumerGroup& consumer, const ConsumerRecordKey& key) {
  ConsumerMember* member = consumer.Find(key.name);
  switch (key.kind) {
    case ConsumerRecordKind::kEpoch:
      return;
    case ConsumerRecordKind::kSubscriptionMetadata:
      consumer.has_subscription_metadata = false;
      return;
    case ConsumerRecordKind::kTargetMetadata:
      consumer.assignment_epoch = -1;
      consumer.assignment_timestamp_ms = 0;
      return;
    case ConsumerRecordKind::kTarget:
      if (member == nullptr) return;
      member->target = {};
      member->has_target = false;
      return;
    case ConsumerRecordKind::kSubscription:
      if (member != nullptr) consumer.Remove(key.name);
      return;
    case ConsumerRecordKind::kCurrentAssignment: {
      if (member == nullptr) return;
      ConsumerMemberFacts facts = *member;
      facts.epoch = facts.previous_epoch = -1;
      facts.assigned.clear();
      facts.pending_revocation.clear();
      consumer.Update(std::move(facts));
      return;
    }
    case ConsumerRecordKind::kRegex:
      consumer.RemoveResolved(key.name);
      return;
  }
}

}  // namespace

Status GroupShard::Impl::ReplayConsumer(const ConsumerRecordKey& key, std::optional<ByteView> value) {
  if (value.has_value()) {
    // Read first: nothing is taken from a record that is none.
    ConsumerGroup scratch;
    KB_RETURN_IF_ERROR(ReplayValue(scratch, key, *value));
    return ReplayValue(ConsumerOrReplay(key.group_id), key, *value);
  }
  Group* group = Find(key.group_id);
  if (group == nullptr || group->consumer == nullptr) return {};
  ReplayTombstone(*group->consumer, key);
  if (key.kind != ConsumerRecordKind::kEpoch) return {};
  group->consumer.reset();
  group->has_record = false;
  SetType(*group, GroupType::kClassic);  // what is left of it: offsets
  return {};
}

}  // namespace kb::group

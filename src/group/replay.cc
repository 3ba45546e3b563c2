// Records → state: at start, and when this broker becomes leader of the partition.
#include "base/check.h"
#include "group/impl.h"

namespace kb::group {

Status GroupShard::Impl::Replay(ByteView key, std::optional<ByteView> value, const RecordOrigin& origin) {
  Result<RecordKey> decoded = DecodeKey(key);
  if (!decoded.ok()) return decoded.error();
  if (const auto* offset = std::get_if<OffsetKey>(&*decoded)) return ReplayOffset(*offset, value, origin);
  if (const auto* classic = std::get_if<ClassicGroupKey>(&*decoded)) return ReplayGroup(*classic, value);
  if (const auto* consumer = std::get_if<ConsumerRecordKey>(&*decoded)) return ReplayConsumer(*consumer, value);
  if (const auto* other = std::get_if<OtherGroupKey>(&*decoded)) ReplayOther(*other, key, !value.has_value());
  return {};
}

// A group that the log mentions. Nobody has joined it as far as is known: a simple group, until a record says more.
Group& GroupShard::Impl::FindOrReplay(std::string_view group_id) {
  Group* group = Find(group_id);
  if (group == nullptr) group = &Create(group_id, {.wall_ms = -1});
  group->visible = true;
  return *group;
}

// ── Offsets ────────────────────────────────────────────────────────────────────────────────────────────────────────

Status GroupShard::Impl::ReplayOffset(const OffsetKey& key, std::optional<ByteView> value, const RecordOrigin& origin) {
  OffsetChange change{key.topic, key.partition, std::nullopt};
  if (value.has_value()) {
    Result<CommittedOffset> offset = DecodeOffset(key, *value);
    if (!offset.ok()) return offset.error();
    change.value = std::move(*offset);
  }
  if (!change.value.has_value() && Find(key.group_id) == nullptr) return {};
  Group& group = FindOrReplay(key.group_id);
  if (origin.transactional && change.value.has_value()) {
    ++CellOf(group, key.topic, key.partition).open_transactions;
    open_transactions_[origin.producer_id.value()].push_back({key.group_id, std::move(change), origin.offset});
  } else {
    ApplyOffset(group, change, origin.offset);
  }
  return {};
}

void GroupShard::Impl::ReplayEndOfTransaction(ProducerId producer_id, bool committed, int64_t) {
  auto open = open_transactions_.find(producer_id.value());
  if (open == open_transactions_.end()) return;
  std::vector<TransactionalChange> changes = std::move(open->second);
  open_transactions_.erase(open);
  for (TransactionalChange& one : changes) {
    Group& group = FindOrReplay(one.group_id);
    OffsetCell& cell = CellOf(group, one.change.topic, one.change.partition);
    KB_CHECK(cell.open_transactions > 0);
    --cell.open_transactions;
    // An offset committed outside of the transaction, after the one inside, is the newer one.
    if (committed && one.record_offset > cell.record_offset) {
      if (loaded_) ArmCleanupFor(group, *one.change.value, last_now_);
      ApplyOffset(group, one.change, one.record_offset);
    } else {
      DropCellIfUnused(group, one.change.topic, one.change.partition);
    }
  }
}

// ── Groups ─────────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

Member MemberOf(GroupRecord::Member& record, const std::string& protocol_name) {
  Member member;
  member.id = std::move(record.member_id);
  member.group_instance_id = std::move(record.group_instance_id);
  member.client_id = std::move(record.client_id);
  member.client_host = std::move(record.client_host);
  bool has_timeout = record.rebalance_timeout_ms != -1;
  member.rebalance_timeout_ms = has_timeout ? record.rebalance_timeout_ms : record.session_timeout_ms;
  member.session_timeout_ms = record.session_timeout_ms;
  member.protocols.push_back({protocol_name, std::move(record.subscription)});
  member.assignment = std::move(record.assignment);
  return member;
}

}  // namespace

Status GroupShard::Impl::ReplayGroup(const ClassicGroupKey& key, std::optional<ByteView> value) {
  Group* known = Find(key.group_id);
  if (!value.has_value() && known == nullptr) return {};
  std::optional<GroupRecord> record;
  if (value.has_value()) {
    Result<GroupRecord> decoded = DecodeGroup(*value);
    if (!decoded.ok()) return decoded.error();
    record = std::move(*decoded);
  }
  Group& group = FindOrReplay(key.group_id);
  Step nobody_waits({});
  if (group.type == GroupType::kClassic || record.has_value()) {
    Dissolve(nobody_waits, group, ErrorCode::kNone);
    SetType(group, GroupType::kClassic);
    group.consumer.reset();
    group.state_timestamp_ms = -1;
  }
  if (!record.has_value()) return {};
  group.has_record = true;
  group.generation_id = record->generation_id;
  group.state_timestamp_ms = record->state_timestamp_ms;
  if (!record->protocol_type.empty()) group.protocol_type = record->protocol_type;
  group.protocol_name = record->protocol_name;
  std::string protocol_name = record->protocol_name.value_or("");
  for (GroupRecord::Member& member : record->members) {
    if (group.Find(member.member_id) != nullptr) continue;  // twice in one record: the first counts
    group.Add(MemberOf(member, protocol_name), record->protocol_type);
  }
  if (group.members.empty()) return {};
  bool leader_is_member = record->leader.has_value() && group.Find(*record->leader) != nullptr;
  if (leader_is_member) group.leader = record->leader;
  SetState(group, GroupState::kStable);
  return {};
}

void GroupShard::Impl::ReplayOther(const OtherGroupKey& key, ByteView key_bytes, bool tombstone) {
  Group* known = Find(key.group_id);
  if (tombstone && known == nullptr) return;
  Group& group = FindOrReplay(key.group_id);
  std::string bytes(AsText(key_bytes));
  if (tombstone) {
    group.other_record_keys.erase(bytes);
    if (key.member_id.has_value()) group.other_members.erase(*key.member_id);
    if (group.other_record_keys.empty()) SetType(group, GroupType::kClassic);  // what is left of it: offsets
    return;
  }
  Step nobody_waits({});
  if (group.type == GroupType::kClassic) Dissolve(nobody_waits, group, ErrorCode::kNone);
  group.consumer.reset();
  SetType(group, key.type);
  group.other_record_keys.insert(std::move(bytes));
  if (key.member_id.has_value()) group.other_members.insert(*key.member_id);
}

}  // namespace kb::group

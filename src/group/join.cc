// JoinGroup, and the rebalance from its beginning to the new generation.
#include <algorithm>

#include "base/check.h"
#include "group/impl.h"

namespace kb::group {
namespace {

// A member that waits in its first JoinGroup cannot heartbeat, and a client that gave up leaves its member behind
// without a word (the connection is not watched while its request waits). So it has this long.
constexpr int64_t kNewMemberTimeoutMs = 5 * 60'000;
constexpr size_t kUuidTextSize = 36;
constexpr size_t kMostString = 32'767;  // what a record can hold

JoinGroupResponse JoinError(ErrorCode error, std::string member_id = {}) {
  return {.error = error, .member_id = std::move(member_id)};
}

// As Java writes a UUID: 8-4-4-4-12 hexadecimal digits.
std::string UuidText(const Uuid& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kUuidTextSize);
  for (size_t i = 0; i < Uuid::kSize; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[id.bytes()[i] >> 4];
    text += kDigits[id.bytes()[i] & 15];
  }
  return text;
}

size_t BytesOf(const std::vector<MemberProtocol>& protocols) {
  size_t bytes = 0;
  for (const MemberProtocol& protocol : protocols) {
    bytes += sizeof protocol + protocol.name.size() + protocol.metadata.size();
  }
  return bytes;
}

}  // namespace

// ── Who may join ───────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Join(Step& step, Ticket ticket, JoinGroupRequest request) {
  if (std::optional<ErrorCode> error = RefuseJoin(request)) {
    return step.Answer(ticket, JoinError(*error, request.member_id));
  }
  Group* known = Find(request.group_id);
  const bool is_mixed = known != nullptr && known->type == GroupType::kConsumer && !known->HasNobody();
  if (is_mixed) return MixedJoin(step, *known, ticket, std::move(request));
  if (known != nullptr && known->type == GroupType::kClassic) Mend(step, *known);
  ErrorCode error = ErrorCode::kNone;
  Group* group = GroupToJoin(step, request, error);
  if (group == nullptr) return step.Answer(ticket, JoinError(error, request.member_id));
  if (!HasRoom(*group, request.member_id)) {
    group->RemovePending(request.member_id);
    if (Member* member = group->Find(request.member_id)) Evict(step, *group, *member);
    step.Answer(ticket, JoinError(ErrorCode::kGroupMaxSizeReached));
  } else if (request.member_id.empty()) {
    JoinUnknown(step, *group, ticket, std::move(request));
  } else {
    JoinKnown(step, *group, ticket, std::move(request));
  }
  CompleteJoinIfAllJoined(step, *group);
}

// What can be said without looking at the group. The last three are bounds of our own.
std::optional<ErrorCode> GroupShard::Impl::RefuseJoin(const JoinGroupRequest& request) const {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  if (request.session_timeout_ms < config_.group_min_session_timeout_ms ||
      request.session_timeout_ms > config_.group_max_session_timeout_ms) {
    return ErrorCode::kInvalidSessionTimeout;
  }
  size_t longest_name = std::max(request.caller.client_id.size(), request.group_instance_id.value_or("").size());
  if (longest_name + 1 + kUuidTextSize > kMostString) return ErrorCode::kInvalidRequest;
  const size_t bytes = BytesOf(request.protocols);
  if (bytes > config_.most_member_bytes) return ErrorCode::kInvalidRequest;
  const size_t has = BytesOfMember(request.group_id, request.member_id, request.group_instance_id);
  const size_t wants = sizeof(Member) + bytes + 3 * longest_name;
  // Whoever is there and wants no more stays, however full it is.
  if (wants <= has || member_bytes_ + wants - has <= config_.most_shard_member_bytes) return std::nullopt;
  return ErrorCode::kCoordinatorLoadInProgress;
}

// Of the member whose place it is, or that a static one takes the place of. 0: there is none.
size_t GroupShard::Impl::BytesOfMember(const std::string& group_id, const std::string& member_id,
                                       const std::optional<std::string>& instance_id) const {
  const Group* group = Find(group_id);
  if (group == nullptr) return 0;
  if (group->consumer != nullptr) {
    const ConsumerMember* member = instance_id && member_id.empty() ? group->consumer->FindStatic(*instance_id)
                                                                    : std::as_const(*group->consumer).Find(member_id);
    return member == nullptr ? 0 : member->bytes();
  }
  auto member = group->members.find(instance_id && member_id.empty() ? group->StaticMemberId(*instance_id) : member_id);
  return member == group->members.end() ? 0 : member->second.bytes();
}

// Bounds of our own.
bool GroupShard::Impl::HasRoomForGroup(std::string_view group_id) const {
  return groups_.size() < config_.most_groups &&
         offset_bytes_ + BytesOfGroup(group_id) <= config_.most_shard_offset_bytes;
}

Group* GroupShard::Impl::GroupToJoin(Step& step, const JoinGroupRequest& request, ErrorCode& error) {
  Group* group = Find(request.group_id);
  if (group != nullptr && group->type == GroupType::kClassic) return group;
  bool can_be_replaced = group == nullptr || (group->type != GroupType::kShare && group->HasNobody());
  if (!can_be_replaced) {
    error = ErrorCode::kInconsistentGroupProtocol;
  } else if (group != nullptr && group->Is(GroupState::kDead)) {
    error = ErrorCode::kCoordinatorNotAvailable;
  } else if (!request.member_id.empty()) {
    error = ErrorCode::kUnknownMemberId;
  } else if (request.protocol_type.empty() || request.protocols.empty()) {
    error = ErrorCode::kInconsistentGroupProtocol;  // here already, so that such a request does not make a group
  } else if (group == nullptr && !HasRoomForGroup(request.group_id)) {
    error = ErrorCode::kCoordinatorLoadInProgress;
  }
  if (error != ErrorCode::kNone) return nullptr;
  if (group == nullptr) {
    group = &Create(request.group_id, step.now);
    step.effects.push_back(GroupCreated{RefTo(*group)});
  } else {
    const size_t first = step.out.records.size();
    if (group->consumer != nullptr) {
      WriteConsumerTombstones(step, *group);
      group->consumer->regex_timer.Cancel();
    }
    WriteOtherTombstones(step, *group);
    step.effects.push_back(GroupConverted{RefTo(*group), step.Tombstones(first), group->type,
                                          std::move(group->other_record_keys), std::move(group->consumer)});
    group->other_record_keys.clear();
    SetType(*group, GroupType::kClassic);
    group->state_timestamp_ms = step.now.wall_ms;
  }
  group->has_record = true;
  step.Write(EncodeGroup(group->id, group->ToEmptyRecord()));
  ArmCleanup(*group, step.now);
  return group;
}

// While a rebalance collects its members, those who wait already count and not those who may never come back.
bool GroupShard::Impl::HasRoom(Group& group, std::string_view member_id) {
  auto limit = static_cast<size_t>(config_.group_max_size);
  Member* member = group.Find(member_id);
  switch (group.state) {
    case GroupState::kEmpty:
    case GroupState::kDead:
      return true;
    case GroupState::kPreparingRebalance:
      return (member != nullptr && member->awaiting_join.has_value()) || group.awaiting_join_count() < limit;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return member != nullptr || group.members.size() < limit;
  }
  KB_CHECK(false);
}

void GroupShard::Impl::JoinUnknown(Step& step, Group& group, Ticket ticket, JoinGroupRequest request) {
  if (group.Is(GroupState::kDead)) return step.Answer(ticket, JoinError(ErrorCode::kCoordinatorNotAvailable));
  if (!group.Supports(request.protocol_type, request.protocols)) {
    return step.Answer(ticket, JoinError(ErrorCode::kInconsistentGroupProtocol));
  }
  constexpr int16_t kMemberIdRequiredVersion = 4;  // KIP-394
  std::string member_id = NewMemberId(request);
  if (request.group_instance_id.has_value()) {
    if (!group.StaticMemberId(*request.group_instance_id).empty()) {
      RejoinStatic(step, group, ticket, std::move(request), std::move(member_id));
    } else {
      AddMember(step, group, ticket, std::move(request), std::move(member_id));
    }
  } else if (request.version >= kMemberIdRequiredVersion) {
    GiveMemberId(step, group, ticket, request, std::move(member_id));
  } else {
    AddMember(step, group, ticket, std::move(request), std::move(member_id));
  }
}

std::string GroupShard::Impl::NewMemberId(const JoinGroupRequest& request) {
  return request.group_instance_id.value_or(request.caller.client_id) + "-" + UuidText(random_.NextUuid());
}

void GroupShard::Impl::GiveMemberId(Step& step, Group& group, Ticket ticket, const JoinGroupRequest& request,
                                    std::string member_id) {
  if (group.pending_members.size() >= config_.most_pending_members) {
    return step.Answer(ticket, JoinError(ErrorCode::kCoordinatorLoadInProgress));
  }
  auto& [pending_id, timer] = group.AddPending(member_id);
  Arm(timer, {.kind = TimerTarget::Kind::kPendingMember, .group = &group, .pending_member_id = &pending_id},
      step.now.monotonic_ms + request.session_timeout_ms);
  AnswerWhenWritten(step, ticket, JoinError(ErrorCode::kMemberIdRequired, std::move(member_id)));
}

void GroupShard::Impl::JoinKnown(Step& step, Group& group, Ticket ticket, JoinGroupRequest request) {
  const std::string& id = request.member_id;
  if (group.Is(GroupState::kDead)) return step.Answer(ticket, JoinError(ErrorCode::kCoordinatorNotAvailable, id));
  if (!group.Supports(request.protocol_type, request.protocols)) {
    return step.Answer(ticket, JoinError(ErrorCode::kInconsistentGroupProtocol, id));
  }
  if (group.IsPending(id)) {
    // Member ids are given out to dynamic members only.
    if (request.group_instance_id.has_value()) return step.Answer(ticket, JoinError(ErrorCode::kUnknownServerError));
    return AddMember(step, group, ticket, std::move(request), std::string(id));
  }
  if (std::optional<ErrorCode> error = CheckMember(group, id, request.group_instance_id)) {
    return step.Answer(ticket, JoinError(*error, id));
  }
  Member& member = *group.Find(id);
  bool unchanged = member.protocols == request.protocols;
  switch (group.state) {
    case GroupState::kPreparingRebalance:
      return UpdateMember(step, group, member, ticket, std::move(request));
    case GroupState::kCompletingRebalance:
      // The answer to its JoinGroup may have been lost.
      if (unchanged) return AnswerCurrentGeneration(step, group, member, ticket);
      return UpdateMember(step, group, member, ticket, std::move(request));
    case GroupState::kStable:
      // A leader that joins again wants a rebalance, whatever it has seen change.
      if (unchanged && !group.IsLeader(id)) return AnswerCurrentGeneration(step, group, member, ticket);
      return UpdateMember(step, group, member, ticket, std::move(request));
    case GroupState::kEmpty:
    case GroupState::kDead:
      KB_CHECK(false);  // an empty group has no member that CheckMember could have found
  }
}

std::optional<ErrorCode> GroupShard::Impl::CheckMember(Group& group, const std::string& member_id,
                                                       const std::optional<std::string>& group_instance_id) const {
  if (group_instance_id.has_value()) {
    std::string current = group.StaticMemberId(*group_instance_id);
    if (current.empty()) return ErrorCode::kUnknownMemberId;
    if (current != member_id) return ErrorCode::kFencedInstanceId;
  }
  if (group.Find(member_id) == nullptr) return ErrorCode::kUnknownMemberId;
  return std::nullopt;
}

// ── Members ────────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::AddMember(Step& step, Group& group, Ticket ticket, JoinGroupRequest request,
                                 std::string member_id) {
  Member joining;
  joining.id = std::move(member_id);
  joining.group_instance_id = std::move(request.group_instance_id);
  joining.client_id = std::move(request.caller.client_id);
  joining.client_host = "/" + request.caller.client_host;
  joining.rebalance_timeout_ms = request.rebalance_timeout_ms;
  joining.session_timeout_ms = request.session_timeout_ms;
  joining.protocols = std::move(request.protocols);
  joining.is_new = true;
  joining.awaiting_join = ticket;
  if (group.Is(GroupState::kPreparingRebalance) && group.initial_rebalance) group.new_member_added = true;
  Member& member = group.Add(std::move(joining), request.protocol_type);
  Arm(member.session, {.kind = TimerTarget::Kind::kSession, .group = &group, .member = &member},
      step.now.monotonic_ms + kNewMemberTimeoutMs);
  RebalanceOrCompleteJoin(step, group);
}

void GroupShard::Impl::UpdateMember(Step& step, Group& group, Member& member, Ticket ticket, JoinGroupRequest request) {
  group.UpdateProtocols(member, std::move(request.protocols), request.rebalance_timeout_ms, request.session_timeout_ms);
  Park(step, group, member, ticket);
  RebalanceOrCompleteJoin(step, group);
}

// One JoinGroup of a member can wait. An older one is told to come again: its client is most likely gone.
void GroupShard::Impl::Park(Step& step, Group& group, Member& member, Ticket ticket) {
  if (member.awaiting_join.has_value()) {
    step.Answer(*member.awaiting_join, JoinError(ErrorCode::kRebalanceInProgress, member.id));
  }
  group.SetAwaitingJoin(member, ticket);
}

void GroupShard::Impl::AnswerJoin(Step& step, Group& group, Member& member, JoinGroupResponse response) {
  KB_CHECK(member.awaiting_join.has_value());
  step.Answer(*member.awaiting_join, std::move(response));
  group.SetAwaitingJoin(member, std::nullopt);
}

JoinGroupResponse GroupShard::Impl::CurrentGeneration(const Group& group, const std::string& member_id) const {
  return {.generation_id = group.generation_id,
          .protocol_type = group.protocol_type,
          .protocol_name = group.protocol_name,
          .leader = group.leader.value_or(""),
          .member_id = member_id};
}

void GroupShard::Impl::AnswerCurrentGeneration(Step& step, Group& group, const Member& member, Ticket ticket) {
  JoinGroupResponse response = CurrentGeneration(group, member.id);
  if (group.IsLeader(member.id)) response.members = group.MembersForLeader();
  step.Answer(ticket, std::move(response));
}

// ── Static members (KIP-345) ───────────────────────────────────────────────────────────────────────────────────────

// A new process of a known instance: it takes over its predecessor's place under a new member id.
void GroupShard::Impl::RejoinStatic(Step& step, Group& group, Ticket ticket, JoinGroupRequest request,
                                    std::string new_member_id) {
  constexpr int16_t kSkipAssignmentVersion = 9;  // KIP-814
  StaticRejoinWritten undo;
  undo.group = RefTo(group);
  undo.group_instance_id = *request.group_instance_id;
  undo.old_member_id = group.StaticMemberId(*request.group_instance_id);
  undo.new_member_id = new_member_id;
  undo.old_leader = group.leader.value_or("");
  undo.ticket = ticket;
  undo.can_skip_assignment = request.version >= kSkipAssignmentVersion;
  Member& old = *group.Find(undo.old_member_id);
  if (old.awaiting_join.has_value()) {
    AnswerJoin(step, group, old, JoinError(ErrorCode::kFencedInstanceId, undo.old_member_id));
  }
  if (old.awaiting_sync.has_value()) AnswerSync(step, old, {.error = ErrorCode::kFencedInstanceId});

  Member& member = group.Rename(undo.old_member_id, new_member_id);
  undo.old_rebalance_timeout_ms = member.rebalance_timeout_ms;
  undo.old_session_timeout_ms = member.session_timeout_ms;
  undo.old_protocols = member.protocols;
  member.is_new = false;
  member.client_id = std::move(request.caller.client_id);
  member.client_host = "/" + request.caller.client_host;
  group.UpdateProtocols(member, std::move(request.protocols), request.rebalance_timeout_ms, request.session_timeout_ms);
  RestartSession(group, member, step.now);
  Park(step, group, member, ticket);
  switch (group.state) {
    case GroupState::kStable:
      return RejoinStableStatic(step, group, member, std::move(undo));
    case GroupState::kCompletingRebalance:
      // The leader may already be assigning to the old member id, which nobody has any more.
      return PrepareRebalance(step, group);
    case GroupState::kPreparingRebalance:
      return CompleteJoinIfAllJoined(step, group);
    case GroupState::kEmpty:
    case GroupState::kDead:
      KB_CHECK(false);  // it has a member
  }
}

// No rebalance as long as the group's protocol stays: the newcomer goes on with its predecessor's assignment.
void GroupShard::Impl::RejoinStableStatic(Step& step, Group& group, Member&, StaticRejoinWritten undo) {
  if (group.SelectProtocol() != group.protocol_name) return PrepareRebalance(step, group);
  step.Write(EncodeGroup(group.id, group.ToRecord(group.CurrentAssignments())));
  group.has_record = true;
  step.effects.push_back(std::move(undo));
}

void GroupShard::Impl::OnCommitted(Step& step, StaticRejoinWritten& effect) {
  Group* group = Find(effect.group);
  Member* member = group == nullptr ? nullptr : group->Find(effect.new_member_id);
  bool waits = member != nullptr && group->Is(GroupState::kStable) && member->awaiting_join == effect.ticket;
  if (!waits) return;  // a rebalance has begun and will answer it, or did
  group->visible = true;
  JoinGroupResponse response = CurrentGeneration(*group, member->id);
  if (effect.can_skip_assignment) {
    response.skip_assignment = group->IsLeader(member->id);
    if (response.skip_assignment) response.members = group->MembersForLeader();
  } else {
    response.leader = effect.old_leader;  // so that a leader does not take itself for one and assign anew
  }
  AnswerJoin(step, *group, *member, std::move(response));
  RestartSession(*group, *member, step.now);
}

void GroupShard::Impl::OnFailed(Step& step, StaticRejoinWritten& effect, ErrorCode error) {
  Group* group = Find(effect.group);
  Member* member = group == nullptr ? nullptr : group->Find(effect.new_member_id);
  bool waits = member != nullptr && group->Is(GroupState::kStable) && member->awaiting_join == effect.ticket;
  if (!waits) return;  // a rebalance has begun: the new member id takes part in it and is written with it
  JoinGroupResponse response = CurrentGeneration(*group, {});
  response.error = error;
  response.leader = effect.old_leader;
  AnswerJoin(step, *group, *member, std::move(response));
  Member& old = group->Rename(effect.new_member_id, effect.old_member_id);
  group->UpdateProtocols(old, std::move(effect.old_protocols), effect.old_rebalance_timeout_ms,
                         effect.old_session_timeout_ms);
  RestartSession(*group, old, step.now);
}

// ── Rebalance ──────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::RebalanceOrCompleteJoin(Step& step, Group& group) {
  switch (group.state) {
    case GroupState::kEmpty:
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return PrepareRebalance(step, group);
    case GroupState::kPreparingRebalance:
      return CompleteJoinIfAllJoined(step, group);
    case GroupState::kDead:
      KB_CHECK(false);  // nobody joins or leaves a dead group
  }
}

void GroupShard::Impl::PrepareRebalance(Step& step, Group& group) {
  if (group.Is(GroupState::kCompletingRebalance)) DropAssignment(step, group, ErrorCode::kRebalanceInProgress);
  group.sync_timer.Cancel();
  bool initial = group.Is(GroupState::kEmpty);
  Transition(group, GroupState::kPreparingRebalance, step.now);
  int64_t wait_ms = group.MaxRebalanceTimeoutMs();
  group.initial_rebalance = initial;
  if (initial) {
    // The first member is seldom the only one: give the others time to come, or there is a rebalance for each of them.
    group.initial_delay_ms = config_.group_initial_rebalance_delay_ms;
    group.initial_remaining_ms = std::max<int64_t>(wait_ms - group.initial_delay_ms, 0);
    wait_ms = group.initial_delay_ms;
  } else if (group.AllMembersJoined()) {
    return CompleteJoin(step, group);
  }
  Arm(group.join_timer, {.kind = TimerTarget::Kind::kJoin, .group = &group}, step.now.monotonic_ms + wait_ms);
}

// Not out of an empty group: there the initial delay decides.
void GroupShard::Impl::CompleteJoinIfAllJoined(Step& step, Group& group) {
  bool complete = group.Is(GroupState::kPreparingRebalance) && group.AllMembersJoined() && !group.initial_rebalance;
  if (complete) CompleteJoin(step, group);
}

void GroupShard::Impl::JoinTimerFired(Step& step, Group& group) {
  if (!group.Is(GroupState::kPreparingRebalance)) return;
  bool extend = group.initial_rebalance && group.new_member_added && group.initial_remaining_ms != 0;
  if (!extend) return CompleteJoin(step, group);
  group.new_member_added = false;
  int64_t waited_ms = group.initial_delay_ms;
  group.initial_delay_ms = std::min<int64_t>(config_.group_initial_rebalance_delay_ms, group.initial_remaining_ms);
  group.initial_remaining_ms = std::max<int64_t>(group.initial_remaining_ms - waited_ms, 0);
  group.join_timer.Arm(step.now.monotonic_ms + group.initial_delay_ms);
}

void GroupShard::Impl::CompleteJoin(Step& step, Group& group) {
  group.join_timer.Cancel();
  RemoveAbsentMembers(step, group);
  if (!group.members.empty() && !group.ElectJoinedLeader()) {
    // Only static members are left and none of them has come: until their sessions end there is nothing to do but wait.
    group.initial_rebalance = false;
    Arm(group.join_timer, {.kind = TimerTarget::Kind::kJoin, .group = &group},
        step.now.monotonic_ms + group.MaxRebalanceTimeoutMs());
    return;
  }
  group.new_member_added = false;
  group.generation_id = group.generation_id == INT32_MAX ? 1 : group.generation_id + 1;
  group.pending_sync.clear();
  if (group.members.empty()) {
    BecomeEmpty(step, group);
  } else {
    StartGeneration(step, group);
  }
}

// Dynamic members that did not rejoin are out; static ones keep their place until their session ends.
void GroupShard::Impl::RemoveAbsentMembers(Step& step, Group& group) {
  for (auto at = group.members.begin(); at != group.members.end();) {
    Member& member = at->second;
    ++at;
    if (!member.awaiting_join.has_value() && !member.is_static()) Evict(step, group, member);
  }
}

void GroupShard::Impl::StartGeneration(Step& step, Group& group) {
  group.protocol_name = group.SelectProtocol();
  Transition(group, GroupState::kCompletingRebalance, step.now);
  for (auto& [id, member] : group.members) {
    if (member.awaiting_join.has_value()) {
      JoinGroupResponse response = CurrentGeneration(group, id);
      if (group.IsLeader(id)) response.members = group.MembersForLeader();
      AnswerJoin(step, group, member, std::move(response));
    }
    RestartSession(group, member, step.now);
    member.is_new = false;
    group.pending_sync.insert(id);
  }
  Arm(group.sync_timer, {.kind = TimerTarget::Kind::kSync, .group = &group},
      step.now.monotonic_ms + group.MaxRebalanceTimeoutMs());
}

void GroupShard::Impl::BecomeEmpty(Step& step, Group& group) {
  group.protocol_name.reset();
  Transition(group, GroupState::kEmpty, step.now);
  Mend(step, group);
  step.Write(EncodeGroup(group.id, group.ToEmptyRecord()));
  group.has_record = true;
  step.effects.push_back(GroupWritten{RefTo(group)});
  ArmCleanup(group, step.now);
}

}  // namespace kb::group

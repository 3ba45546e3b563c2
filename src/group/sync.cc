// What members of a generation do: fetch their assignments, heartbeat, leave, and run out of time.
#include "base/check.h"
#include "group/impl.h"

namespace kb::group {

// ── SyncGroup ──────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Sync(Step& step, Ticket ticket, SyncGroupRequest request) {
  constexpr int16_t kProtocolVersion = 5;  // KIP-559
  auto refuse = [&](ErrorCode error) { step.Answer(ticket, SyncGroupResponse{.error = error}); };
  bool lacks_protocol = !request.protocol_type.has_value() || !request.protocol_name.has_value();
  if (request.version >= kProtocolVersion && lacks_protocol) return refuse(ErrorCode::kInconsistentGroupProtocol);
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  Group* group = Find(request.group_id);
  if (group == nullptr) return refuse(ErrorCode::kUnknownMemberId);
  if (group->type == GroupType::kConsumer) return MixedSync(step, *group, ticket, request);
  if (group->type != GroupType::kClassic) return refuse(ErrorCode::kUnknownMemberId);
  Mend(step, *group);
  if (std::optional<ErrorCode> error = RefuseSync(*group, request)) return refuse(*error);
  Member& member = *group->Find(request.member_id);
  switch (group->state) {
    case GroupState::kPreparingRebalance:
      return refuse(ErrorCode::kRebalanceInProgress);
    case GroupState::kCompletingRebalance:
      return SyncCompleting(step, *group, member, ticket, std::move(request));
    case GroupState::kStable:
      return SyncStable(step, *group, member, ticket);
    case GroupState::kEmpty:
    case GroupState::kDead:
      KB_CHECK(false);  // it has a member
  }
}

std::optional<ErrorCode> GroupShard::Impl::RefuseSync(Group& group, const SyncGroupRequest& request) const {
  auto differs = [](const std::optional<std::string>& said, const std::optional<std::string>& is) {
    return said.has_value() && said != is;
  };
  if (group.Is(GroupState::kDead)) return ErrorCode::kCoordinatorNotAvailable;
  if (auto error = CheckMember(group, request.member_id, request.group_instance_id)) return error;
  if (request.generation_id != group.generation_id) return ErrorCode::kIllegalGeneration;
  if (differs(request.protocol_type, group.protocol_type) || differs(request.protocol_name, group.protocol_name)) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  return std::nullopt;
}

// Bounds of our own. Apache Kafka's is that of a batch, and UNKNOWN_SERVER_ERROR its answer there.
std::optional<ErrorCode> GroupShard::Impl::RefuseAssignments(const Group& group,
                                                             const SyncGroupRequest& request) const {
  size_t bytes = 0;
  for (const MemberAssignment& assigned : request.assignments) bytes += assigned.assignment.size();
  size_t metadata = 0;
  size_t before = 0;  // what they take the place of
  for (const auto& [id, member] : group.members) {
    metadata += member.metadata(*group.protocol_name).size();
    before += member.assignment.size();
  }
  if (bytes + metadata > config_.most_group_bytes) return ErrorCode::kUnknownServerError;
  if (bytes > before && member_bytes_ + bytes - before > config_.most_shard_member_bytes)
    return ErrorCode::kCoordinatorNotAvailable;
  return std::nullopt;
}

void GroupShard::Impl::SyncCompleting(Step& step, Group& group, Member& member, Ticket ticket,
                                      SyncGroupRequest request) {
  // A second SyncGroup of a member: the first one's client is most likely gone.
  if (member.awaiting_sync.has_value()) AnswerSync(step, member, {.error = ErrorCode::kRebalanceInProgress});
  member.awaiting_sync = ticket;
  NoLongerPendingSync(group, member.id);
  if (!group.IsLeader(member.id)) return;
  if (std::optional<ErrorCode> error = RefuseAssignments(group, request)) {  // as if it could not be written
    DropAssignment(step, group, *error);
    return PrepareRebalance(step, group);
  }
  WriteAssignment(step, group, std::move(request.assignments));
}

void GroupShard::Impl::SyncStable(Step& step, Group& group, Member& member, Ticket ticket) {
  NoLongerPendingSync(group, member.id);
  RestartSession(group, member, step.now);
  step.Answer(ticket, SyncGroupResponse{.protocol_type = group.protocol_type,
                                        .protocol_name = group.protocol_name,
                                        .assignment = member.assignment});
}

void GroupShard::Impl::NoLongerPendingSync(Group& group, std::string_view member_id) {
  auto found = group.pending_sync.find(member_id);
  if (found != group.pending_sync.end()) group.pending_sync.erase(found);
  if (group.pending_sync.empty()) group.sync_timer.Cancel();
}

void GroupShard::Impl::WriteAssignment(Step& step, Group& group, std::vector<MemberAssignment> assignments) {
  // A leader that asks again while its assignment is being written waits for that one: a second record with another
  // assignment would be the one that a restart finds.
  if (group.writing_assignment_of == group.generation_id) return;
  AssignmentWritten written{RefTo(group), group.generation_id, {}};
  for (MemberAssignment& assigned : assignments) {
    if (group.Find(assigned.member_id) == nullptr) continue;
    written.assignments.insert_or_assign(std::move(assigned.member_id), std::move(assigned.assignment));
  }
  step.Write(EncodeGroup(group.id, group.ToRecord(written.assignments)));
  group.has_record = true;
  group.writing_assignment_of = group.generation_id;
  step.effects.push_back(std::move(written));
}

void GroupShard::Impl::OnCommitted(Step& step, AssignmentWritten& effect) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  group->visible = true;
  bool current = group->Is(GroupState::kCompletingRebalance) && group->generation_id == effect.generation_id;
  if (group->writing_assignment_of == effect.generation_id) group->writing_assignment_of.reset();
  if (current) HandOutAssignment(step, *group, effect);
}

void GroupShard::Impl::OnFailed(Step& step, AssignmentWritten& effect, ErrorCode error) {
  Group* group = Find(effect.group);
  if (group == nullptr) return;
  bool current = group->Is(GroupState::kCompletingRebalance) && group->generation_id == effect.generation_id;
  if (group->writing_assignment_of == effect.generation_id) group->writing_assignment_of.reset();
  if (!current) return;
  DropAssignment(step, *group, error);
  PrepareRebalance(step, *group);
}

void GroupShard::Impl::HandOutAssignment(Step& step, Group& group, AssignmentWritten& written) {
  Transition(group, GroupState::kStable, step.now);
  for (auto& [id, member] : group.members) {
    auto assigned = written.assignments.find(id);
    group.SetAssignment(member, assigned == written.assignments.end() ? std::string() : std::move(assigned->second));
    if (!member.awaiting_sync.has_value()) continue;
    AnswerSync(
        step, member,
        {.protocol_type = group.protocol_type, .protocol_name = group.protocol_name, .assignment = member.assignment});
    // While it waited its session was not watched.
    RestartSession(group, member, step.now);
  }
  ArmCleanup(group, step.now);
}

void GroupShard::Impl::DropAssignment(Step& step, Group& group, ErrorCode error) {
  for (auto& [id, member] : group.members) {
    group.SetAssignment(member, {});
    if (!member.awaiting_sync.has_value()) continue;
    AnswerSync(step, member, {.error = error});
    RestartSession(group, member, step.now);
  }
}

void GroupShard::Impl::AnswerSync(Step& step, Member& member, SyncGroupResponse response) {
  KB_CHECK(member.awaiting_sync.has_value());
  step.Answer(*member.awaiting_sync, std::move(response));
  member.awaiting_sync.reset();
}

// Members were told of a generation and never asked for their assignment.
void GroupShard::Impl::SyncTimerFired(Step& step, Group& group) {
  bool watched = group.Is(GroupState::kCompletingRebalance) || group.Is(GroupState::kStable);
  if (!watched || group.pending_sync.empty()) return;
  while (!group.pending_sync.empty()) Evict(step, group, *group.Find(*group.pending_sync.begin()));
  PrepareRebalance(step, group);
}

// ── Heartbeat ──────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Beat(Step& step, Ticket ticket, const HeartbeatRequest& request) {
  Group* group = Find(request.group_id);
  if (group != nullptr) Mend(step, *group);
  step.Answer(ticket, HeartbeatResponse{Beat(group, request, step.now)});
}

ErrorCode GroupShard::Impl::Beat(Group* group, const HeartbeatRequest& request, Now now) {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  if (group == nullptr) return ErrorCode::kUnknownMemberId;
  if (group->type == GroupType::kConsumer) return MixedBeat(*group, request, now);
  if (group->type != GroupType::kClassic) return ErrorCode::kUnknownMemberId;
  if (group->Is(GroupState::kDead)) return ErrorCode::kCoordinatorNotAvailable;
  if (auto error = CheckMember(*group, request.member_id, request.group_instance_id)) return *error;
  if (request.generation_id != group->generation_id) return ErrorCode::kIllegalGeneration;
  RestartSession(*group, *group->Find(request.member_id), now);
  // A member may heartbeat between its JoinGroup and its SyncGroup.
  return group->Is(GroupState::kPreparingRebalance) ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone;
}

void GroupShard::Impl::RestartSession(Group& group, Member& member, Now now) {
  Arm(member.session, {.kind = TimerTarget::Kind::kSession, .group = &group, .member = &member},
      now.monotonic_ms + member.session_timeout_ms);
}

// ── LeaveGroup ─────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::Leave(Step& step, Ticket ticket, const LeaveGroupRequest& request) {
  LeaveGroupResponse response;
  if (request.group_id.empty()) return step.Answer(ticket, LeaveGroupResponse{.error = ErrorCode::kInvalidGroupId});
  Group* group = Find(request.group_id);
  const bool is_consumer = group != nullptr && group->type == GroupType::kConsumer;
  if (is_consumer && !group->Is(GroupState::kDead)) return MixedLeave(step, *group, ticket, request);
  bool known = group != nullptr && group->type == GroupType::kClassic;
  if (known) Mend(step, *group);
  if (known && group->Is(GroupState::kDead)) {
    return step.Answer(ticket, LeaveGroupResponse{.error = ErrorCode::kCoordinatorNotAvailable});
  }
  size_t before = known ? group->members.size() : 0;
  response.members.reserve(request.members.size());
  for (const LeaveGroupRequest::Member& leaving : request.members) {
    ErrorCode error = known ? LeaveOne(step, *group, leaving) : ErrorCode::kUnknownMemberId;
    response.members.push_back({leaving.member_id, leaving.group_instance_id, error});
  }
  if (known && group->members.size() != before) {
    RebalanceOrCompleteJoin(step, *group);
  } else if (known) {
    CompleteJoinIfAllJoined(step, *group);  // a member id that was waited for is no longer
    EraseIfNothing(*group);
  }
  AnswerWhenWritten(step, ticket, std::move(response));
}

ErrorCode GroupShard::Impl::LeaveOne(Step& step, Group& group, const LeaveGroupRequest::Member& leaving) {
  std::string member_id = leaving.member_id;
  if (member_id.empty()) {
    // An administrator removes an instance without knowing who it currently is.
    member_id = leaving.group_instance_id.has_value() ? group.StaticMemberId(*leaving.group_instance_id) : "";
    if (member_id.empty()) return ErrorCode::kUnknownMemberId;
  } else if (group.IsPending(member_id)) {
    group.RemovePending(member_id);
    return ErrorCode::kNone;
  } else if (auto error = CheckMember(group, member_id, leaving.group_instance_id)) {
    return *error;
  }
  Evict(step, group, *group.Find(member_id));
  return ErrorCode::kNone;
}

// ── Running out of time ────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::SessionTimerFired(Step& step, Group& group, Member& member) {
  // A member that waits in JoinGroup or SyncGroup is there, as far as anybody can tell; it gets a new session with its
  // answer. Only a new member's wait is limited.
  bool waits = member.awaiting_join.has_value() || member.awaiting_sync.has_value();
  if (waits && !member.is_new) return;
  Evict(step, group, member);
  RebalanceOrCompleteJoin(step, group);
}

void GroupShard::Impl::PendingMemberTimerFired(Step& step, Group& group, const std::string& member_id) {
  group.RemovePending(member_id);
  CompleteJoinIfAllJoined(step, group);
  EraseIfNothing(group);
}

void GroupShard::Impl::Evict(Step& step, Group& group, Member& member) {
  if (member.awaiting_join.has_value()) AnswerJoin(step, group, member, {.error = ErrorCode::kUnknownMemberId});
  if (member.awaiting_sync.has_value()) AnswerSync(step, member, {.error = ErrorCode::kUnknownMemberId});
  NoLongerPendingSync(group, member.id);
  group.Remove(std::string(member.id));
}

}  // namespace kb::group

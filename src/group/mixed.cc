// Groups that move between the classic protocol and the consumer protocol (KIP-848, group.consumer.migration.policy).
//
//             a ConsumerGroupHeartbeat joins a group of consumers
//     classic ────────────────────────────────────────────────────► consumer
//             ◄────────────────────────────────────────────────────
//             the last member of the consumer protocol goes, and those who stay speak the classic one
//
// In between there are members of both kinds in a consumer group. To a classic member it looks like a classic group
// that has no leader:
//
//   JoinGroup    takes what its subscription says, the partitions that it owns too, one step towards its target
//                (reconcile.h) and is told its member epoch as the generation
//   SyncGroup    hands out what it has by now, as bytes of the embedded protocol (consumer_protocol.h)
//   Heartbeat    REBALANCE_IN_PROGRESS as long as there is another step to take; then it has its rebalance timeout to
//                come (join timer), and again as long for its SyncGroup (sync timer)
//
// Failed appends. An upgrade that was not written is taken back, unless something that was written after it was: the
// log has the classic group, and one consumer that cannot get in must not cost the others theirs (it costs them a
// rebalance). A downgrade stays, for whoever left has left; the classic group remembers which keys of the consumer
// group are still in the log, and writes itself and their tombstones with the next request (MendLog). Of both the rule
// of consumer_writes.cc holds: who asked for it is told when it is committed.
//
// Semantics: Apache Kafka 4.3's GroupMetadataManager, ConsumerGroup.fromClassicGroup, ClassicGroup.fromConsumerGroup.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "group/consumer_protocol.h"
#include "group/impl.h"

namespace kb::group {
namespace {

using Policy = GroupConfig::MigrationPolicy;

constexpr std::string_view kConsumerType = "consumer";

bool AllowsUpgrade(Policy policy) {
  return policy == Policy::kUpgrade || policy == Policy::kBidirectional;
}
bool AllowsDowngrade(Policy policy) {
  return policy == Policy::kDowngrade || policy == Policy::kBidirectional;
}

// A protocol that is listed twice counts once, as in classic groups.
ClassicFacts FactsOf(int32_t session_timeout_ms, const std::vector<MemberProtocol>& protocols) {
  ClassicFacts facts;
  facts.session_timeout_ms = session_timeout_ms;
  std::set<std::string_view> seen;
  for (const MemberProtocol& protocol : protocols) {
    if (seen.insert(protocol.name).second) facts.protocols.push_back(protocol);
  }
  return facts;
}

// What it says for the protocol of its generation. While a group collects its first members there is none yet, and one
// who came since may not speak it any more: then for the protocol that it wants most, as all say the same.
std::string_view MetadataOf(const Member& member, const std::optional<std::string>& protocol_name) {
  for (const MemberProtocol& protocol : member.protocols) {
    if (protocol.name == protocol_name) return protocol.metadata;
  }
  return member.protocols.front().metadata;
}

// The protocol that a classic member in a consumer group is told it speaks: the one that it wants most.
const MemberProtocol& ProtocolOf(const ConsumerMemberFacts& member) {
  static const MemberProtocol kNone;
  const std::vector<MemberProtocol>& protocols = member.classic->protocols;
  return protocols.empty() ? kNone : protocols.front();
}

OwnedPartitions OwnedSince(int32_t epoch, const Assignment& assignment) {
  OwnedPartitions owned;
  owned.reserve(assignment.partition_count());
  for (size_t topic = 0; topic < assignment.topic_count(); ++topic) {
    for (int32_t partition : assignment.partitions(topic)) {
      owned.push_back({{assignment.topic_id(topic), partition}, epoch});
    }
  }
  return owned;
}

// By ids, topics that do not exist left out.
std::vector<PartitionId> Resolved(const Surroundings& surroundings, const std::vector<TopicPartitionsByName>& topics) {
  std::vector<PartitionId> partitions;
  for (const TopicPartitionsByName& one : topics) {
    std::optional<TopicShape> topic = surroundings.TopicByName(one.topic);
    if (!topic.has_value()) continue;
    for (int32_t partition : one.partitions) partitions.push_back({topic->id, partition});
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

// As the bytes that a member of this metadata can read.
std::string EncodedFor(std::string_view metadata, const Surroundings& surroundings, const Assignment& assignment) {
  std::vector<TopicPartitionsByName> topics;
  for (size_t i = 0; i < assignment.topic_count(); ++i) {
    std::optional<TopicShape> topic = surroundings.TopicById(assignment.topic_id(i));
    if (!topic.has_value()) continue;
    auto partitions = assignment.partitions(i);
    topics.push_back({topic->name, {partitions.begin(), partitions.end()}});
  }
  // Metadata of a protocol other than the first was never looked at; the oldest version is one that everybody reads.
  return EncodeAssignment(topics, EmbeddedVersionOf(metadata).value_or(0));
}

// Who a classic request is from. Null: `error` says why.
ConsumerMember* FindClassic(ConsumerGroup& consumer, const std::string& member_id,
                            const std::optional<std::string>& group_instance_id, ErrorCode& error) {
  ConsumerMember* member = consumer.Find(member_id);
  if (group_instance_id.has_value()) {
    member = consumer.FindStatic(*group_instance_id);
    if (member != nullptr && member->id != member_id) {
      error = ErrorCode::kFencedInstanceId;
      return nullptr;
    }
  }
  if (member == nullptr) error = ErrorCode::kUnknownMemberId;
  return member;
}

// Who a request of a generation is from.
ConsumerMember* FindOfGeneration(ConsumerGroup& consumer, const std::string& member_id,
                                 const std::optional<std::string>& group_instance_id, int32_t generation_id,
                                 ErrorCode& error) {
  ConsumerMember* member = FindClassic(consumer, member_id, group_instance_id, error);
  if (member == nullptr) return nullptr;
  if (!member->classic.has_value()) {
    error = ErrorCode::kUnknownMemberId;
  } else if (generation_id != member->epoch) {
    error = ErrorCode::kIllegalGeneration;
  } else {
    return member;
  }
  return nullptr;
}

// Whether something that it is to get is still with others.
bool WaitsForOthers(const ConsumerGroup& consumer, const ConsumerMember& member) {
  for (size_t topic = 0; topic < member.target.topic_count(); ++topic) {
    for (int32_t partition : member.target.partitions(topic)) {
      const PartitionId id{member.target.topic_id(topic), partition};
      if (FindIn(member.assigned, id) == nullptr && consumer.IsOwned(id)) return true;
    }
  }
  return false;
}

}  // namespace

// ── Upgrade ────────────────────────────────────────────────────────────────────────────────────────────────────────

MaybeRefused GroupShard::Impl::Upgraded(const Group& group, std::unique_ptr<ConsumerGroup>& upgraded) {
  auto refuse = [&](const std::string& because) {
    return Refusal{ErrorCode::kGroupIdNotFound,
                   "Cannot upgrade classic group " + group.id + " to consumer group because " + because + "."};
  };
  if (!AllowsUpgrade(config_.group_consumer_migration_policy)) return refuse("online upgrade is disabled");
  if (!group.uses_consumer_protocol()) return refuse("the group does not use the consumer embedded protocol");
  if (group.members.size() > static_cast<size_t>(config_.group_consumer_max_size)) {
    return refuse("the group size exceeds the consumer group maximum size");
  }
  auto consumer = std::make_unique<ConsumerGroup>(&member_bytes_);
  consumer->group_epoch = group.generation_id;
  consumer->assignment_epoch = group.generation_id;
  for (const bool is_assigned : {true, false}) {  // what is assigned comes before what somebody only says it owns
    for (const auto& [id, member] : group.members) {
      if (member.assignment.empty() == is_assigned) continue;
      std::optional<EmbeddedSubscription> subscription = ParseSubscription(MetadataOf(member, group.protocol_name));
      std::optional<EmbeddedAssignment> assignment = ParseAssignment(member.assignment);
      if (!subscription.has_value() || !assignment.has_value()) {
        return refuse("the embedded consumer protocol is malformed");
      }
      if (assignment->has_user_data) {
        return refuse(
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default "
            "assignor before re-attempting the upgrade");
      }
      AddUpgraded(*consumer, group.generation_id, member, *subscription, *assignment);
    }
  }
  if (!FitsInAWrite(group.id, *consumer, 0)) return refuse("its members have too much to be written at once");
  consumer->metadata_hash = MetadataHashOf(*consumer);
  upgraded = std::move(consumer);
  return std::nullopt;
}

// It goes on with what it was assigned last, and has had it since that generation. One that has been assigned nothing
// yet, or whose group has forgotten it because a rebalance began anew, has what it said when it joined. Apache Kafka
// takes it to have nothing then, and may give to others what it still has.
void GroupShard::Impl::AddUpgraded(ConsumerGroup& consumer, int32_t generation_id, const Member& member,
                                   const EmbeddedSubscription& subscription,
                                   const EmbeddedAssignment& assignment) const {
  const bool is_assigned = !member.assignment.empty();
  std::vector<PartitionId> has = Resolved(surroundings_, is_assigned ? assignment.partitions : subscription.owned);
  if (!is_assigned) std::erase_if(has, [&](const PartitionId& id) { return consumer.IsOwned(id); });
  Assignment assigned(std::move(has));
  ConsumerMemberFacts facts;
  facts.id = member.id;
  facts.instance_id = member.group_instance_id;
  facts.rack_id = subscription.rack_id;
  facts.client_id = member.client_id;
  facts.client_host = member.client_host;
  facts.subscribed_names = subscription.topics;
  facts.rebalance_timeout_ms = member.rebalance_timeout_ms;
  facts.classic = FactsOf(member.session_timeout_ms, member.protocols);
  facts.epoch = facts.previous_epoch = generation_id;
  facts.assigned = OwnedSince(generation_id, assigned);
  ConsumerMember& added = consumer.Update(std::move(facts));
  added.target = std::move(assigned);
  added.has_target = true;
}

void GroupShard::Impl::TakeBackUpgrade(Step& step, Group& group) {
  const bool is_left = group.consumer->classic_members() > 0 || !group.replaced_in_upgrade.empty();
  if (!is_left) return;  // nobody for whom it would be taken back
  std::vector<std::string> newcomers;
  for (const auto& [id, member] : group.consumer->members()) {
    if (!member.classic.has_value()) newcomers.push_back(id);
  }
  std::set<std::string> lost = std::move(group.consumer->lost_tombstones);
  for (const std::string& id : newcomers) group.consumer->Remove(id);
  // A newcomer may have come in the place of one of theirs, which has it back with what nobody else has been given.
  for (ConsumerMemberFacts& replaced : std::exchange(group.replaced_in_upgrade, {})) {
    const bool is_back =
        group.consumer->Find(replaced.id) != nullptr || group.consumer->FindStatic(*replaced.instance_id) != nullptr;
    if (is_back) continue;
    for (OwnedPartitions* owned : {&replaced.assigned, &replaced.pending_revocation}) {
      std::erase_if(*owned, [&](const OwnedPartition& one) { return group.consumer->IsOwned(one.id); });
    }
    group.consumer->Update(std::move(replaced));
  }
  BecomeClassic(step, group, {}, *group.upgraded_from);
  LoseTombstones(group, lost);
  PrepareRebalance(step, group);
}

// ── Downgrade ──────────────────────────────────────────────────────────────────────────────────────────────────────

// Whether the group is to be a classic one when these are gone. Some stay, and all who stay are classic members.
bool GroupShard::Impl::DowngradesWithout(const ConsumerGroup& consumer, const std::vector<std::string>& leaving) const {
  if (!AllowsDowngrade(config_.group_consumer_migration_policy)) return false;
  size_t classic_leaving = 0;
  for (const std::string& id : leaving) classic_leaving += consumer.Find(id)->classic.has_value();
  const size_t stay = consumer.members().size() - leaving.size();
  return stay > 0 && consumer.classic_members() - classic_leaving == stay &&
         stay <= static_cast<size_t>(config_.group_max_size);
}

// The same, when a classic member takes the place of this one.
bool GroupShard::Impl::DowngradesInsteadOf(const ConsumerGroup& consumer, const ConsumerMember& replaced) const {
  return AllowsDowngrade(config_.group_consumer_migration_policy) && !replaced.classic.has_value() &&
         consumer.classic_members() == consumer.members().size() - 1 &&
         consumer.members().size() <= static_cast<size_t>(config_.group_max_size);
}

void GroupShard::Impl::Downgrade(Step& step, Group& group, const std::vector<std::string>& leaving,
                                 int32_t generation_id, bool rebalance) {
  WriteConsumerTombstones(step, group);
  BecomeClassic(step, group, leaving, generation_id);
  step.Write(EncodeGroup(group.id, group.ToRecord(group.CurrentAssignments())));
  if (rebalance) PrepareRebalance(step, group);
  ArmCleanup(group, step.now);
}

// In memory only: Stable, of all but those who leave. Each is assigned what it has, and has not let go of yet. Apache
// Kafka assigns it its target; should the group become a consumer group again before it has rebalanced, others would be
// given what this one still has.
void GroupShard::Impl::BecomeClassic(Step& step, Group& group, const std::vector<std::string>& leaving,
                                     int32_t generation_id) {
  std::unique_ptr<ConsumerGroup> consumer = std::move(group.consumer);
  for (const std::string& id : leaving) consumer->Remove(id);
  group.upgraded_from.reset();
  group.replaced_in_upgrade.clear();
  SetType(group, GroupType::kClassic);
  for (const auto& [id, member] : consumer->members()) group.Add(ClassicOf(member), std::string(kConsumerType));
  group.generation_id = generation_id;
  group.protocol_name = group.SelectProtocol();
  Transition(group, GroupState::kStable, step.now);
  for (auto& [id, member] : group.members) {
    Assignment has = HeldBy(*consumer->Find(id));
    group.SetAssignment(member, EncodedFor(member.metadata(*group.protocol_name), surroundings_, has));
    RestartSession(group, member, step.now);
  }
}

Member GroupShard::Impl::ClassicOf(const ConsumerMemberFacts& member) {
  Member classic;
  classic.id = member.id;
  classic.group_instance_id = member.instance_id;
  classic.client_id = member.client_id;
  classic.client_host = member.client_host;
  classic.rebalance_timeout_ms = member.rebalance_timeout_ms;
  classic.session_timeout_ms = member.classic->session_timeout_ms;
  classic.protocols = member.classic->protocols;
  return classic;
}

// ── Classic members of a consumer group: JoinGroup ─────────────────────────────────────────────────────────────────

std::optional<ErrorCode> GroupShard::Impl::RefuseMixedJoin(ConsumerGroup& consumer, const JoinGroupRequest& request,
                                                           std::optional<EmbeddedSubscription>& subscription) const {
  if (config_.group_consumer_migration_policy == Policy::kDisabled) return ErrorCode::kInconsistentGroupProtocol;
  const bool is_full = consumer.members().size() >= static_cast<size_t>(config_.group_consumer_max_size);
  if (is_full && consumer.Find(request.member_id) == nullptr) return ErrorCode::kGroupMaxSizeReached;
  if (!consumer.SupportsClassic(request.protocol_type, request.protocols)) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  constexpr int16_t kMemberIdRequiredVersion = 4;  // KIP-394
  const ConsumerMember* member = consumer.Find(request.member_id);
  if (request.group_instance_id.has_value()) {
    member = consumer.FindStatic(*request.group_instance_id);
    ErrorCode error = ErrorCode::kNone;
    if (!request.member_id.empty()) FindClassic(consumer, request.member_id, request.group_instance_id, error);
    if (error != ErrorCode::kNone) return error;
  } else if (request.member_id.empty() && request.version >= kMemberIdRequiredVersion) {
    return ErrorCode::kMemberIdRequired;
  }
  size_t bytes = 0;
  for (const MemberProtocol& protocol : request.protocols) bytes += protocol.name.size() + protocol.metadata.size();
  if (bytes > kMostConsumerMemberBytes) return ErrorCode::kInvalidRequest;  // a bound of our own
  subscription = ParseSubscription(request.protocols.front().metadata);
  if (!subscription.has_value()) return ErrorCode::kUnknownServerError;
  ConsumerMemberFacts facts = consumer.FactsOf(member == nullptr ? request.member_id : member->id);
  const size_t before = member == nullptr ? 0 : facts.bytes();
  facts.id = request.member_id;
  const size_t after = MixedFacts(std::move(facts), request, *subscription).bytes();
  const bool fits = after <= before || FitsInAWrite(request.group_id, consumer, after - before);
  if (!fits) return ErrorCode::kGroupMaxSizeReached;  // and another one
  // A state that only a newer broker knows: it must give up what it has, and begin anew.
  const bool is_unknown = member != nullptr && member->state == MemberState::kUnknown;
  if (is_unknown && !subscription->owned.empty()) return ErrorCode::kFencedMemberEpoch;
  return std::nullopt;
}

void GroupShard::Impl::MixedJoin(Step& step, Group& group, Ticket ticket, JoinGroupRequest request) {
  std::optional<EmbeddedSubscription> subscription;
  std::optional<ErrorCode> error = RefuseMixedJoin(*group.consumer, request, subscription);
  // A member id that is given out is remembered by nobody: whoever comes with one is let in.
  if (request.member_id.empty() && (!error.has_value() || error == ErrorCode::kMemberIdRequired)) {
    request.member_id = random_.NextUuid().ToString();
  } else if (error.has_value()) {
    request.member_id.clear();
  }
  if (error.has_value()) {
    return step.Answer(ticket, JoinGroupResponse{.error = *error, .member_id = std::move(request.member_id)});
  }
  if (MendedFirst(step, group)) {
    if (ConsumerMember* member = group.consumer->Find(request.member_id)) {
      member->join.Cancel();  // it has come
      RestartConsumerSession(group, *member, step.now);
    }
    return step.Answer(ticket, JoinGroupResponse{.error = ErrorCode::kCoordinatorNotAvailable,
                                                 .member_id = std::move(request.member_id)});
  }
  Change(step, group, ticket, [&] { return MixedJoinAccepted(step, group, request, *subscription); });
}

JoinGroupResponse GroupShard::Impl::MixedJoinAccepted(Step& step, Group& group, const JoinGroupRequest& request,
                                                      const EmbeddedSubscription& subscription) {
  ConsumerGroup& consumer = *group.consumer;
  const int32_t epoch_before = consumer.group_epoch;
  bool downgrades = false;
  if (request.group_instance_id.has_value()) {
    if (const ConsumerMember* holder = consumer.FindStatic(*request.group_instance_id)) {
      downgrades = DowngradesInsteadOf(consumer, *holder);
      if (holder->id != request.member_id) ReplaceMember(step, group, std::string(holder->id), request.member_id);
    }
  }
  const ConsumerMemberFacts before = consumer.FactsOf(request.member_id);
  const bool changed = Subscribe(step, group, before, MixedFacts(before, request, subscription));
  if (!downgrades) AssignIfDue(step, group);
  // When the group is to rebalance as a classic one right away, there is nothing to take over before.
  const bool is_stale = downgrades && consumer.assignment_epoch < consumer.group_epoch;
  const std::optional<std::vector<PartitionId>> owned = Resolved(surroundings_, subscription.owned);
  if (!is_stale) ReconcileMember(step, group, request.member_id, changed, owned);
  ConsumerMember& member = *consumer.Find(request.member_id);
  JoinGroupResponse response;
  response.generation_id = member.epoch;
  response.protocol_type = kConsumerType;
  response.protocol_name = ProtocolOf(member).name;
  response.member_id = member.id;
  if (downgrades) {
    // A classic group that is stable asks nobody to come for what it has not got yet.
    Downgrade(step, group, {}, epoch_before, is_stale || consumer.state() != ConsumerGroupState::kStable);
    return response;
  }
  member.join.Cancel();
  member.rebalance.Cancel();
  RestartConsumerSession(group, member, step.now);
  StartSyncTimer(group, member, step.now);
  return response;
}

ConsumerMemberFacts GroupShard::Impl::MixedFacts(ConsumerMemberFacts member, const JoinGroupRequest& request,
                                                 const EmbeddedSubscription& subscription) {
  if (request.group_instance_id.has_value()) member.instance_id = request.group_instance_id;
  if (subscription.rack_id.has_value()) member.rack_id = subscription.rack_id;
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.subscribed_names = subscription.topics;
  member.subscribed_regex.clear();
  member.client_id = request.caller.client_id;
  member.client_host = "/" + request.caller.client_host;
  member.classic = FactsOf(request.session_timeout_ms, request.protocols);
  return member;
}

// ── SyncGroup, Heartbeat, LeaveGroup ───────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::StartJoinTimer(Group& group, ConsumerMember& member, Now now) {
  if (member.join.armed()) return;
  Arm(member.join, {.kind = TimerTarget::Kind::kConsumerJoin, .group = &group, .consumer_member = &member},
      now.monotonic_ms + member.rebalance_timeout_ms);
}

void GroupShard::Impl::StartSyncTimer(Group& group, ConsumerMember& member, Now now) {
  Arm(member.sync, {.kind = TimerTarget::Kind::kConsumerSync, .group = &group, .consumer_member = &member},
      now.monotonic_ms + member.rebalance_timeout_ms);
}

void GroupShard::Impl::MixedSync(Step& step, Group& group, Ticket ticket, const SyncGroupRequest& request) {
  auto refuse = [&](ErrorCode error) { step.Answer(ticket, SyncGroupResponse{.error = error}); };
  ConsumerGroup& consumer = *group.consumer;
  ErrorCode error = ErrorCode::kNone;
  ConsumerMember* member =
      FindOfGeneration(consumer, request.member_id, request.group_instance_id, request.generation_id, error);
  if (member == nullptr) return refuse(error);
  const MemberProtocol& protocol = ProtocolOf(*member);
  if (request.protocol_type.value_or(std::string(kConsumerType)) != kConsumerType ||
      request.protocol_name.value_or(protocol.name) != protocol.name) {
    return refuse(ErrorCode::kInconsistentGroupProtocol);
  }
  // One that still has to let go of something has come to the rebalance already, and comes again when it has done so.
  if (consumer.assignment_epoch > member->epoch && member->state != MemberState::kUnrevokedPartitions) {
    StartJoinTimer(group, *member, step.now);
    return refuse(ErrorCode::kRebalanceInProgress);
  }
  RestartConsumerSession(group, *member, step.now);
  if (MendedFirst(step, group)) {
    if (member->sync.armed()) StartSyncTimer(group, *member, step.now);  // it has come
    return refuse(ErrorCode::kCoordinatorNotAvailable);
  }
  member->sync.Cancel();
  SyncGroupResponse response;
  response.protocol_type = request.protocol_type;
  response.protocol_name = request.protocol_name;
  response.assignment = EncodedFor(protocol.metadata, surroundings_, AssignmentOf(member->assigned));
  AnswerWhenCommitted(step, group, ticket, std::move(response));
}

ErrorCode GroupShard::Impl::MixedBeat(Group& group, const HeartbeatRequest& request, Now now) {
  ConsumerGroup& consumer = *group.consumer;
  ErrorCode error = ErrorCode::kNone;
  ConsumerMember* member =
      FindOfGeneration(consumer, request.member_id, request.group_instance_id, request.generation_id, error);
  if (member == nullptr) return error;
  RestartConsumerSession(group, *member, now);
  const bool must_come = member->epoch < consumer.assignment_epoch ||
                         member->state == MemberState::kUnrevokedPartitions ||
                         (member->state == MemberState::kUnreleasedPartitions && !WaitsForOthers(consumer, *member));
  if (!must_come) return ErrorCode::kNone;
  StartJoinTimer(group, *member, now);
  return ErrorCode::kRebalanceInProgress;
}

// Whoever is named goes, a member of the consumer protocol too: an administrator may send it.
void GroupShard::Impl::MixedLeave(Step& step, Group& group, Ticket ticket, const LeaveGroupRequest& request) {
  ConsumerGroup& consumer = *group.consumer;
  LeaveGroupResponse response;
  response.members.reserve(request.members.size());
  std::set<std::string> leaving;
  for (const LeaveGroupRequest::Member& named : request.members) {
    ErrorCode error = ErrorCode::kNone;
    std::string member_id = named.member_id;
    if (member_id.empty() && named.group_instance_id.has_value()) {
      if (const ConsumerMember* holder = consumer.FindStatic(*named.group_instance_id)) member_id = holder->id;
    }
    const ConsumerMember* member = FindClassic(consumer, member_id, named.group_instance_id, error);
    if (member != nullptr) leaving.insert(member->id);
    response.members.push_back({named.member_id, named.group_instance_id, error});
  }
  Change(step, group, ticket, [&] {
    FenceMembers(step, group, {leaving.begin(), leaving.end()});
    return response;
  });
}

}  // namespace kb::group

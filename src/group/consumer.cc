// ConsumerGroupHeartbeat: members of a consumer group join, stay and leave.
//
//   find the group, or make it ─► refuse ─► Install ─► Subscribe ─► AssignIfDue ─► ReconcileMember
//
// Everything that can be refused is refused before anything changes.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "group/impl.h"
#include "group/regex.h"

namespace kb::group {
namespace {

constexpr int32_t kJoining = 0;
constexpr int32_t kLeavingForAWhile = -2;

ConsumerGroupHeartbeatResponse Refused(Refusal& refusal) {
  ConsumerGroupHeartbeatResponse response;
  response.error = refusal.error;
  response.error_message = std::move(refusal.message);
  return response;
}

// What a request says of its member; what it does not say stays.
ConsumerMemberFacts Updated(ConsumerMemberFacts member, const ConsumerGroupHeartbeatRequest& request) {
  if (request.instance_id.has_value()) member.instance_id = request.instance_id;
  if (request.rack_id.has_value()) member.rack_id = request.rack_id;
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.server_assignor.has_value()) member.server_assignor = request.server_assignor;
  if (request.subscribed_topic_names.has_value()) {
    member.subscribed_names = *request.subscribed_topic_names;
    std::vector<std::string>& names = member.subscribed_names;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  if (request.subscribed_topic_regex.has_value()) member.subscribed_regex = *request.subscribed_topic_regex;
  member.client_id = request.caller.client_id;
  member.client_host = "/" + request.caller.client_host;
  member.classic.reset();
  return member;
}

// As Updated would leave it: what members say most of the time.
bool SaysNothingNew(const ConsumerMemberFacts& member, const ConsumerGroupHeartbeatRequest& request) {
  const bool is_same_client = member.client_id == request.caller.client_id && member.client_host.starts_with('/') &&
                              std::string_view(member.client_host).substr(1) == request.caller.client_host;
  return is_same_client && !member.classic.has_value() && !request.instance_id.has_value() &&
         !request.rack_id.has_value() && request.rebalance_timeout_ms == -1 && !request.server_assignor.has_value() &&
         !request.subscribed_topic_names.has_value() && !request.subscribed_topic_regex.has_value();
}

bool IsSubset(const std::optional<std::vector<PartitionId>>& owned, const OwnedPartitions& assigned) {
  if (!owned.has_value()) return false;
  return std::all_of(owned->begin(), owned->end(), [&](const PartitionId& id) { return FindIn(assigned, id); });
}

// 0 may always join anew. A member may have missed the answer that took it to its epoch.
std::optional<std::string> RefuseEpoch(const ConsumerMemberFacts& member,
                                       const ConsumerGroupHeartbeatRequest& request) {
  const int32_t epoch = request.member_epoch;
  if (epoch == kJoining || epoch == member.epoch) return std::nullopt;
  if (epoch < member.epoch && epoch == member.previous_epoch && IsSubset(request.owned, member.assigned)) {
    return std::nullopt;
  }
  return std::string("The consumer group member has a ") + (epoch > member.epoch ? "greater" : "smaller") +
         " member epoch (" + std::to_string(epoch) + ") than the one known by the group coordinator (" +
         std::to_string(member.epoch) + "). The member must abandon all its partitions and rejoin.";
}

MaybeRefused UnknownMember(const ConsumerGroupHeartbeatRequest& request) {
  return Refusal{ErrorCode::kUnknownMemberId,
                 "Member " + request.member_id + " is not a member of group " + request.group_id + "."};
}

// holder: who has the instance id.
MaybeRefused RefuseStatic(const ConsumerMember* holder, const ConsumerGroupHeartbeatRequest& request) {
  if (holder == nullptr) {
    return Refusal{ErrorCode::kUnknownMemberId, "Instance id " + *request.instance_id + " is unknown."};
  }
  if (holder->id == request.member_id) return std::nullopt;
  return Refusal{ErrorCode::kFencedInstanceId, "Static member " + request.member_id + " with instance id " +
                                                   *request.instance_id + " was fenced by member " + holder->id + "."};
}

MaybeRefused RefuseState(const ConsumerMemberFacts& member, const ConsumerGroupHeartbeatRequest& request) {
  if (std::optional<std::string> message = RefuseEpoch(member, request)) {
    return Refusal{ErrorCode::kFencedMemberEpoch, std::move(*message)};
  }
  const bool gave_up_all = request.owned.has_value() && request.owned->empty();
  if (member.state != MemberState::kUnknown || gave_up_all) return std::nullopt;
  return Refusal{ErrorCode::kFencedMemberEpoch,
                 "The consumer group member is in a unknown state. The member must abandon all its partitions and "
                 "rejoin."};
}

}  // namespace

void GroupShard::Impl::ConsumerHeartbeat(Step& step, Ticket ticket, ConsumerGroupHeartbeatRequest request) {
  if (request.member_epoch < 0) return ConsumerLeave(step, ticket, request);
  ConsumerFound found;
  MaybeRefused refused = FindConsumerGroup(request, found);
  if (!refused.has_value()) refused = RefuseBeat(found.consumer(), request);
  if (refused.has_value()) return step.Answer(ticket, Refused(*refused));
  if (request.member_id.empty()) request.member_id = random_.NextUuid().ToString();
  if (found.group != nullptr && MendedFirst(step, *found.group)) {
    if (ConsumerMember* member = found.consumer().Find(request.member_id);
        member != nullptr && found.fresh == nullptr) {
      RestartConsumerSession(*found.group, *member, step.now);
    }
    Refusal refusal{ErrorCode::kCoordinatorNotAvailable, "Group " + request.group_id + " is being written anew."};
    return step.Answer(ticket, Refused(refusal));
  }
  Group& group = found.group != nullptr ? *found.group : Create(request.group_id, step.now);
  Change(step, group, ticket, [&] {
    if (found.fresh != nullptr) Install(step, group, std::move(found.fresh));
    return Beat(step, group, request);
  });
}

MaybeRefused GroupShard::Impl::FindConsumerGroup(const ConsumerGroupHeartbeatRequest& request, ConsumerFound& found) {
  Group* group = Find(request.group_id);
  const bool joins = request.member_epoch == kJoining;
  if (group == nullptr && !joins) {
    return Refusal{ErrorCode::kGroupIdNotFound, "Consumer group " + request.group_id + " not found."};
  }
  if (group == nullptr && !HasRoomForGroup(request.group_id)) {
    return Refusal{ErrorCode::kCoordinatorLoadInProgress, "There are too many groups."};
  }
  if (group != nullptr && group->Is(GroupState::kDead)) {
    return Refusal{ErrorCode::kCoordinatorNotAvailable, "Group " + request.group_id + " is being deleted."};
  }
  found.group = group;
  if (group != nullptr && group->type == GroupType::kConsumer) return std::nullopt;
  const bool is_empty = group == nullptr || (group->type == GroupType::kClassic && group->Is(GroupState::kEmpty));
  if (joins && is_empty) {
    found.fresh = std::make_unique<ConsumerGroup>(&member_bytes_);
    return std::nullopt;
  }
  if (joins && group->type == GroupType::kClassic) return Upgraded(*group, found.fresh);
  return Refusal{ErrorCode::kGroupIdNotFound, "Group " + request.group_id + " is not a consumer group."};
}

MaybeRefused GroupShard::Impl::RefuseBeat(ConsumerGroup& consumer, const ConsumerGroupHeartbeatRequest& request) const {
  const ConsumerMember* member = consumer.Find(request.member_id);
  if (member == nullptr && consumer.members().size() >= static_cast<size_t>(config_.group_consumer_max_size)) {
    return Refusal{ErrorCode::kGroupMaxSizeReached, "The consumer group has reached its maximum capacity of " +
                                                        std::to_string(config_.group_consumer_max_size) + " members."};
  }
  if (MaybeRefused refused = RefuseBytes(request)) return refused;
  const bool joins = request.member_epoch == kJoining;
  if (request.instance_id.has_value()) {
    const ConsumerMember* holder = consumer.FindStatic(*request.instance_id);
    if (!joins) {
      if (MaybeRefused refused = RefuseStatic(holder, request)) return refused;
    } else if (holder != nullptr && !holder->classic.has_value() && holder->epoch != kLeavingForAWhile) {
      return Refusal{ErrorCode::kUnreleasedInstanceId,
                     "Static member " + request.member_id + " with instance id " + *request.instance_id +
                         " cannot join the group because the instance id is owned by " + holder->id + " member."};
    }
    if (holder != nullptr) member = holder;
  } else if (member == nullptr && !joins) {
    return UnknownMember(request);
  }
  if (member != nullptr) {
    if (MaybeRefused refused = RefuseState(*member, request)) return refused;
  }
  if (MaybeRefused refused = RefuseGrowth(consumer, member, request)) return refused;
  return RefuseRegex(consumer, member, request);
}

// Bounds of our own.
MaybeRefused GroupShard::Impl::RefuseBytes(const ConsumerGroupHeartbeatRequest& request) const {
  const bool brings_nothing = !request.subscribed_topic_names.has_value() &&
                              !request.subscribed_topic_regex.has_value() && !request.rack_id.has_value();
  if (brings_nothing && request.member_epoch != kJoining) return std::nullopt;
  size_t bytes = request.subscribed_topic_regex.value_or("").size() + 2 * request.member_id.size() +
                 2 * request.instance_id.value_or("").size() + request.rack_id.value_or("").size();
  if (request.subscribed_topic_names.has_value()) {
    for (const std::string& name : *request.subscribed_topic_names) bytes += sizeof name + name.size();
  }
  if (bytes <= kMostConsumerMemberBytes) return std::nullopt;
  return Refusal{ErrorCode::kInvalidRequest, "The subscription of the member is too large."};
}

// What is refused as a whole is not written in part: whoever cannot be written anew does not get in.
MaybeRefused GroupShard::Impl::RefuseGrowth(const ConsumerGroup& consumer, const ConsumerMember* member,
                                            const ConsumerGroupHeartbeatRequest& request) const {
  const bool brings_something = request.member_epoch == kJoining || request.subscribed_topic_names.has_value() ||
                                request.subscribed_topic_regex.has_value();
  if (!brings_something) return std::nullopt;
  ConsumerMemberFacts facts = consumer.FactsOf(member == nullptr ? request.member_id : member->id);
  const size_t before = member == nullptr ? 0 : facts.bytes();
  facts.id = request.member_id;
  const size_t after = Updated(std::move(facts), request).bytes();
  if (after <= before) return std::nullopt;
  if (member_bytes_ + (after - before) > config_.most_shard_member_bytes) {
    return Refusal{ErrorCode::kCoordinatorLoadInProgress, "There are too many members."};
  }
  if (FitsInAWrite(request.group_id, consumer, after - before)) return std::nullopt;
  return Refusal{ErrorCode::kGroupMaxSizeReached, "The members of the consumer group have too much to be written."};
}

// A new expression must be one. What others are subscribed to already has been looked at.
MaybeRefused GroupShard::Impl::RefuseRegex(const ConsumerGroup& consumer, const ConsumerMember* member,
                                           const ConsumerGroupHeartbeatRequest& request) const {
  if (!request.subscribed_topic_regex.has_value() || request.subscribed_topic_regex->empty()) return std::nullopt;
  const std::string& regex = *request.subscribed_topic_regex;
  if (consumer.SubscribersOf(regex) > 0 || (member != nullptr && member->subscribed_regex == regex))
    return std::nullopt;
  if (consumer.subscribed_regexes().size() >= kMostRegexes) {  // a bound of our own: each is matched with every topic
    return Refusal{ErrorCode::kCoordinatorLoadInProgress, "The members of the group have too many expressions."};
  }
  Status compiled = TopicRegex::Check(regex);
  if (compiled.ok()) return std::nullopt;
  return Refusal{
      ErrorCode::kInvalidRegularExpression,
      "SubscribedTopicRegex `" + regex + "` is not a valid regular expression: " + compiled.error().message + "."};
}

void GroupShard::Impl::Install(Step& step, Group& group, std::unique_ptr<ConsumerGroup> consumer) {
  const bool had_record = group.has_record;
  const int32_t generation_id = group.generation_id;
  // Those who wait for a rebalance of the classic group are told that there is one.
  Dissolve(step, group, ErrorCode::kRebalanceInProgress);
  WriteLostTombstones(step, group, group.lost_tombstones.size());
  if (had_record) step.Write(EncodeGroupTombstone(group.id));
  SetType(group, GroupType::kConsumer);
  group.consumer = std::move(consumer);
  ArmCleanup(group, step.now);
  if (group.consumer->members().empty()) return;
  group.upgraded_from = generation_id;
  WriteWholeGroup(step, group);
  for (const auto& [id, member] : group.consumer->members()) {
    RestartConsumerSession(group, *group.consumer->Find(id), step.now);
  }
}

ConsumerGroupHeartbeatResponse GroupShard::Impl::Beat(Step& step, Group& group,
                                                      const ConsumerGroupHeartbeatRequest& request) {
  ConsumerGroup& consumer = *group.consumer;
  if (request.instance_id.has_value() && request.member_epoch == kJoining) {
    if (const ConsumerMember* holder = consumer.FindStatic(*request.instance_id)) {
      const bool is_upgrading = group.upgraded_from.has_value() && holder->classic.has_value();
      if (is_upgrading) group.replaced_in_upgrade.push_back(*holder);
      ReplaceMember(step, group, std::string(holder->id), request.member_id);
    }
  }
  const ConsumerMember* known = consumer.Find(request.member_id);
  const OwnedPartitions had = known != nullptr ? known->assigned : OwnedPartitions();
  bool subscription_changed = false;
  if (known != nullptr && SaysNothingNew(*known, request)) {
    Subscribe(step, group, *known, *known);
  } else {
    const ConsumerMemberFacts before = consumer.FactsOf(request.member_id);
    subscription_changed = Subscribe(step, group, before, Updated(before, request));
  }
  // Who takes the place of a static member changes nothing. But a classic group may be upgraded in the middle of a
  // rebalance, when some partitions are nobody's (Apache Kafka leaves them with nobody until the next change).
  auto leaves_some_out = [&] {
    int64_t open = 0;
    for (const auto& [name, interest] : consumer.interests())
      open += TopicNamed(name).value_or(KnownTopic()).partitions;
    for (const auto& [id, one] : consumer.members()) open -= static_cast<int64_t>(one.target.partition_count());
    return open != 0;
  };
  if (group.upgraded_from == consumer.group_epoch && leaves_some_out()) {
    BumpEpoch(step, group, consumer.metadata_hash);
  }
  AssignIfDue(step, group);
  ReconcileMember(step, group, request.member_id, subscription_changed, request.owned);
  ConsumerMember& member = *consumer.Find(request.member_id);
  const ConsumerGroupSettings settings = surroundings_.SettingsOf(group.id);
  ArmConsumerSession(group, member, settings.session_timeout_ms, step.now);
  ConsumerGroupHeartbeatResponse response;
  response.member_id = member.id;
  response.member_epoch = member.epoch;
  response.heartbeat_interval_ms = settings.heartbeat_interval_ms;
  const bool says_all = request.rebalance_timeout_ms != -1 && request.owned.has_value() &&
                        (request.subscribed_topic_names.has_value() || request.subscribed_topic_regex.has_value());
  const bool is_news = request.member_epoch == kJoining || says_all || had != member.assigned;
  if (is_news) response.assignment = AssignmentOf(member.assigned);
  return response;
}

// A static member comes back under another id: it has what it had.
void GroupShard::Impl::ReplaceMember(Step& step, Group& group, const std::string& old_id, const std::string& new_id) {
  ConsumerGroup& consumer = *group.consumer;
  if (const ConsumerMember* other = new_id == old_id ? nullptr : consumer.Find(new_id)) {
    const std::string regex = other->subscribed_regex;
    consumer.Remove(new_id);
    if (!regex.empty()) DropRegexIfUnused(step, group, regex);
  }
  ConsumerMember& old = *consumer.Find(old_id);
  ConsumerMemberFacts facts = old;
  Assignment target = std::move(old.target);
  facts.id = new_id;
  facts.epoch = 0;
  facts.previous_epoch = 0;
  consumer.Remove(old_id);
  WriteMemberTombstones(step, group, old_id);
  ConsumerMember& member = consumer.Update(std::move(facts));
  member.target = std::move(target);
  member.has_target = true;
  step.Write(EncodeSubscription(group.id, member));
  step.Write(EncodeTarget(group.id, member.id, member.target));
  step.Write(EncodeCurrentAssignment(group.id, member));
}

void GroupShard::Impl::RestartConsumerSession(Group& group, ConsumerMember& member, Now now) {
  const int64_t timeout_ms = member.classic.has_value() ? member.classic->session_timeout_ms
                                                        : surroundings_.SettingsOf(group.id).session_timeout_ms;
  ArmConsumerSession(group, member, timeout_ms, now);
}

void GroupShard::Impl::ArmConsumerSession(Group& group, ConsumerMember& member, int64_t timeout_ms, Now now) {
  Arm(member.session, {.kind = TimerTarget::Kind::kConsumerSession, .group = &group, .consumer_member = &member},
      now.monotonic_ms + timeout_ms);
}

void GroupShard::Impl::StartRebalanceTimer(Group& group, ConsumerMember& member, Now now) {
  Arm(member.rebalance, {.kind = TimerTarget::Kind::kConsumerRebalance, .group = &group, .consumer_member = &member},
      now.monotonic_ms + member.rebalance_timeout_ms);
}

// Of a group that was read back.
void GroupShard::Impl::StartConsumerTimers(Group& group, Now now) {
  for (const auto& [id, known] : group.consumer->members()) {
    ConsumerMember& member = *group.consumer->Find(id);
    RestartConsumerSession(group, member, now);
    const bool revokes = member.state == MemberState::kUnrevokedPartitions && !member.classic.has_value();
    if (revokes) StartRebalanceTimer(group, member, now);
  }
}

// ── Leaving ────────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::ConsumerLeave(Step& step, Ticket ticket, const ConsumerGroupHeartbeatRequest& request) {
  ConsumerFound found;
  MaybeRefused refused = FindConsumerGroup(request, found);
  const ConsumerMember* member = nullptr;
  if (!refused.has_value() && request.instance_id.has_value()) {
    member = found.consumer().FindStatic(*request.instance_id);
    refused = RefuseStatic(member, request);
  } else if (!refused.has_value()) {
    member = found.consumer().Find(request.member_id);
    if (member == nullptr) refused = UnknownMember(request);
  }
  if (refused.has_value()) return step.Answer(ticket, Refused(*refused));
  Group& group = *found.group;
  Change(step, group, ticket, [&] {
    ConsumerGroupHeartbeatResponse response;
    response.member_id = member->id;
    response.member_epoch = request.member_epoch;
    if (request.member_epoch == kLeavingForAWhile) {
      LeaveForAWhile(step, group, *member);
    } else {
      FenceMembers(step, group, {member->id});
    }
    return response;
  });
}

// A static member keeps what it has until its session ends, for whoever comes back with its instance id.
void GroupShard::Impl::LeaveForAWhile(Step& step, Group& group, const ConsumerMember& member) {
  ConsumerMemberFacts facts = member;
  facts.epoch = kLeavingForAWhile;
  facts.pending_revocation.clear();
  for (OwnedPartition& one : facts.assigned) one.epoch = 0;
  ConsumerMember& left = group.consumer->Update(std::move(facts));
  left.rebalance.Cancel();
  step.Write(EncodeCurrentAssignment(group.id, left));
}

void GroupShard::Impl::FenceMembers(Step& step, Group& group, const std::vector<std::string>& member_ids) {
  if (member_ids.empty()) return;
  ConsumerGroup& consumer = *group.consumer;
  if (DowngradesWithout(consumer, member_ids)) {
    return Downgrade(step, group, member_ids, consumer.group_epoch, /*rebalance=*/true);
  }
  std::set<std::string> regexes;
  for (const std::string& id : member_ids) {
    const ConsumerMember& member = *consumer.Find(id);
    if (!member.subscribed_regex.empty()) regexes.insert(member.subscribed_regex);
    WriteMemberTombstones(step, group, id);
    consumer.Remove(id);
  }
  for (const std::string& regex : regexes) DropRegexIfUnused(step, group, regex);
  BumpEpoch(step, group, MetadataHashOf(consumer));
  if (consumer.members().empty()) ArmCleanup(group, step.now);
}

// Whichever of a member's timers: it is fenced. Unless it speaks another protocol by now than that of the timer.
void GroupShard::Impl::ConsumerTimerFired(Step& step, Group& group, const ConsumerMember& member,
                                          TimerTarget::Kind kind) {
  const bool is_classic_timer = kind == TimerTarget::Kind::kConsumerJoin || kind == TimerTarget::Kind::kConsumerSync;
  if (is_classic_timer && !member.classic.has_value()) return;
  Change(step, group, [&] { FenceMembers(step, group, {member.id}); });
}

}  // namespace kb::group

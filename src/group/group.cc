#include "group/group.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "group/consumer_protocol.h"

namespace kb::group {
namespace {

// Calls visit for each protocol name of a member once, however often it is listed.
template <typename Visit>
void ForEachProtocolName(const std::vector<MemberProtocol>& protocols, Visit visit) {
  std::unordered_set<std::string_view> seen;
  for (const MemberProtocol& protocol : protocols) {
    if (seen.insert(protocol.name).second) visit(protocol.name);
  }
}

}  // namespace

std::string_view NameOf(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
    case GroupState::kDead:
      return "Dead";
  }
  KB_CHECK(false);
}

std::string_view Member::metadata(std::string_view protocol_name) const {
  for (const MemberProtocol& protocol : protocols) {
    if (protocol.name == protocol_name) return protocol.metadata;
  }
  return {};
}

size_t Member::bytes() const {
  size_t bytes = sizeof(Member) + 2 * id.size() + client_id.size() + assignment.size();
  for (const MemberProtocol& protocol : protocols) {
    bytes += sizeof protocol + protocol.name.size() + protocol.metadata.size();
  }
  return bytes;
}

bool Group::HasNobody() const {
  switch (type) {
    case GroupType::kClassic:
      return Is(GroupState::kEmpty);
    case GroupType::kConsumer:
      return consumer->members().empty();
    case GroupType::kShare:
    case GroupType::kStreams:
      return other_members.empty();
  }
  KB_CHECK(false);
}

Member* Group::Find(std::string_view member_id) {
  auto found = members.find(member_id);
  return found == members.end() ? nullptr : &found->second;
}

std::string Group::StaticMemberId(std::string_view group_instance_id) const {
  auto found = static_members.find(group_instance_id);
  return found == static_members.end() ? std::string() : found->second;
}

int32_t Group::MaxRebalanceTimeoutMs() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members) longest = std::max(longest, member.rebalance_timeout_ms);
  return longest;
}

bool Group::Supports(std::string_view joining_type, const std::vector<MemberProtocol>& protocols) const {
  if (Is(GroupState::kEmpty)) return !joining_type.empty() && !protocols.empty();
  if (protocol_type != joining_type) return false;
  return std::any_of(protocols.begin(), protocols.end(), [this](const MemberProtocol& protocol) {
    auto found = protocol_support_.find(protocol.name);
    return (found == protocol_support_.end() ? 0 : found->second) == members.size();
  });
}

std::string Group::SelectProtocol() const {
  KB_CHECK(!members.empty() && leader.has_value());
  std::map<std::string_view, size_t> votes;
  auto is_candidate = [this](const MemberProtocol& protocol) {
    auto found = protocol_support_.find(protocol.name);
    return found != protocol_support_.end() && found->second == members.size();
  };
  for (const auto& [id, member] : members) {
    auto wanted = std::find_if(member.protocols.begin(), member.protocols.end(), is_candidate);
    if (wanted != member.protocols.end()) ++votes[wanted->name];
  }
  std::string_view best;
  size_t most = 0;
  for (const MemberProtocol& protocol : members.find(*leader)->second.protocols) {
    auto found = votes.find(protocol.name);
    if (found != votes.end() && found->second > most) {
      most = found->second;
      best = protocol.name;
    }
  }
  return std::string(best);
}

std::optional<std::set<std::string, std::less<>>> Group::SubscribedTopics() const {
  std::set<std::string, std::less<>> topics;
  if (type == GroupType::kConsumer) {
    for (const auto& [topic, interest] : consumer->interests()) topics.insert(topic);
    return topics;
  }
  if (!uses_consumer_protocol()) return std::nullopt;
  if (members.empty()) return topics;
  if (!protocol_name.has_value()) return std::nullopt;
  for (const auto& [id, member] : members) {
    std::optional<EmbeddedSubscription> subscription = ParseSubscription(member.metadata(*protocol_name));
    if (!subscription.has_value()) return std::nullopt;
    topics.insert(subscription->topics.begin(), subscription->topics.end());
  }
  return topics;
}

namespace {

size_t PendingBytes(std::string_view member_id) {
  constexpr size_t kNode = 96;
  return kNode + member_id.size();
}

}  // namespace

std::pair<const std::string, Timers::Timer>& Group::AddPending(std::string member_id) {
  auto [at, added] = pending_members.try_emplace(std::move(member_id));
  if (added) *shard_member_bytes += PendingBytes(at->first);
  return *at;
}

void Group::RemovePending(std::string_view member_id) {
  auto found = pending_members.find(member_id);
  if (found == pending_members.end()) return;
  *shard_member_bytes -= PendingBytes(found->first);
  pending_members.erase(found);
}

void Group::RemoveAllPending() {
  while (!pending_members.empty()) RemovePending(std::string(pending_members.begin()->first));
}

Member& Group::Add(Member member, const std::string& joining_type) {
  if (members.empty()) protocol_type = joining_type;
  KB_CHECK(protocol_type == joining_type);
  if (member.is_static()) static_members[*member.group_instance_id] = member.id;
  if (!leader.has_value()) leader = member.id;
  RemovePending(member.id);
  member.joined = ++last_joined_;
  Count(member, +1);
  if (member.awaiting_join.has_value()) ++awaiting_join_count_;
  auto [at, added] = members.try_emplace(member.id, std::move(member));
  KB_CHECK(added);
  return at->second;
}

void Group::UpdateProtocols(Member& member, std::vector<MemberProtocol> protocols, int32_t rebalance_timeout_ms,
                            int32_t session_timeout_ms) {
  Count(member, -1);
  member.protocols = std::move(protocols);
  Count(member, +1);
  member.rebalance_timeout_ms = rebalance_timeout_ms;
  member.session_timeout_ms = session_timeout_ms;
}

void Group::SetAssignment(Member& member, std::string assignment) {
  *shard_member_bytes += assignment.size();
  *shard_member_bytes -= member.assignment.size();
  member.assignment = std::move(assignment);
}

void Group::Remove(std::string_view member_id) {
  auto found = members.find(member_id);
  KB_CHECK(found != members.end());
  Member& member = found->second;
  KB_CHECK(!member.awaiting_join.has_value() && !member.awaiting_sync.has_value());
  Count(member, -1);
  if (member.is_static()) {
    auto instance = static_members.find(*member.group_instance_id);
    if (instance != static_members.end() && instance->second == member.id) static_members.erase(instance);
  }
  bool was_leader = IsLeader(member_id);
  pending_sync.erase(member.id);
  members.erase(found);
  if (!was_leader) return;
  const Member* next = FirstJoined();
  leader = next == nullptr ? std::nullopt : std::optional<std::string>(next->id);
}

Member& Group::Rename(std::string_view old_id, const std::string& new_id) {
  auto node = members.extract(members.find(old_id));
  KB_CHECK(!node.empty());
  Member renamed;
  Member& old = node.mapped();
  KB_CHECK(old.is_static() && !old.awaiting_join.has_value() && !old.awaiting_sync.has_value());
  if (IsLeader(old_id)) leader = new_id;
  if (pending_sync.erase(old.id) != 0) pending_sync.insert(new_id);
  Count(old, -1);
  static_members[*old.group_instance_id] = new_id;
  renamed = std::move(old);
  renamed.session = Timers::Timer();
  renamed.id = new_id;
  Count(renamed, +1);
  auto [at, added] = members.try_emplace(new_id, std::move(renamed));
  KB_CHECK(added);
  return at->second;
}

void Group::SetAwaitingJoin(Member& member, std::optional<Ticket> ticket) {
  if (member.awaiting_join.has_value()) --awaiting_join_count_;
  if (ticket.has_value()) ++awaiting_join_count_;
  member.awaiting_join = ticket;
}

bool Group::ElectJoinedLeader() {
  if (!leader.has_value()) return false;
  Member* current = Find(*leader);
  KB_CHECK(current != nullptr);
  if (current->awaiting_join.has_value()) return true;
  const Member* first = nullptr;
  for (const auto& [id, member] : members) {
    if (member.awaiting_join.has_value() && (first == nullptr || member.joined < first->joined)) first = &member;
  }
  if (first == nullptr) return false;
  leader = first->id;
  return true;
}

std::vector<JoinGroupResponse::Member> Group::MembersForLeader() const {
  std::vector<JoinGroupResponse::Member> list;
  list.reserve(members.size());
  for (const auto& [id, member] : members) {
    list.push_back({id, member.group_instance_id, std::string(member.metadata(protocol_name.value_or("")))});
  }
  return list;
}

GroupRecord Group::ToRecord(const std::map<std::string, std::string, std::less<>>& assignments) const {
  GroupRecord record = ToEmptyRecord();
  record.protocol_name = protocol_name;
  record.leader = leader;
  record.members.reserve(members.size());
  for (const auto& [id, member] : members) {
    auto assignment = assignments.find(id);
    record.members.push_back({id, member.group_instance_id, member.client_id, member.client_host,
                              member.rebalance_timeout_ms, member.session_timeout_ms,
                              std::string(member.metadata(protocol_name.value_or(""))),
                              assignment == assignments.end() ? std::string() : assignment->second});
  }
  return record;
}

GroupRecord Group::ToEmptyRecord() const {
  GroupRecord record;
  record.protocol_type = protocol_type.value_or("");
  record.generation_id = generation_id;
  record.state_timestamp_ms = state_timestamp_ms;
  return record;
}

std::map<std::string, std::string, std::less<>> Group::CurrentAssignments() const {
  std::map<std::string, std::string, std::less<>> assignments;
  for (const auto& [id, member] : members) assignments.emplace(id, member.assignment);
  return assignments;
}

void Group::Count(const Member& member, int by) {
  *shard_member_bytes += static_cast<size_t>(by) * member.bytes();
  ForEachProtocolName(member.protocols, [&](const std::string& name) {
    size_t& count = protocol_support_[name];
    count += static_cast<size_t>(by);
    if (count == 0) protocol_support_.erase(name);
  });
}

const Member* Group::FirstJoined() const {
  const Member* first = nullptr;
  for (const auto& [id, member] : members) {
    if (first == nullptr || member.joined < first->joined) first = &member;
  }
  return first;
}

}  // namespace kb::group

#include "group/consumer_group.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "group/group.h"
#include "group/regex_run.h"

namespace kb::group {
namespace {

// Adds to a count that exists only while it is above zero.
template <typename Counts>
void Add(Counts& counts, std::string_view name, int by) {
  auto found = counts.find(name);
  if (found == counts.end()) {
    KB_CHECK(by > 0);
    counts.emplace(name, static_cast<uint32_t>(by));
    return;
  }
  KB_CHECK(by > 0 || found->second >= static_cast<uint32_t>(-by));
  found->second += static_cast<uint32_t>(by);
  if (found->second == 0) counts.erase(found);
}

}  // namespace

std::string_view NameOf(ConsumerGroupState state) {
  switch (state) {
    case ConsumerGroupState::kEmpty:
      return "Empty";
    case ConsumerGroupState::kAssigning:
      return "Assigning";
    case ConsumerGroupState::kReconciling:
      return "Reconciling";
    case ConsumerGroupState::kStable:
      return "Stable";
  }
  KB_CHECK(false);
}

const OwnedPartition* FindIn(const OwnedPartitions& owned, const PartitionId& id) {
  auto at = std::lower_bound(owned.begin(), owned.end(), id,
                             [](const OwnedPartition& one, const PartitionId& other) { return one.id < other; });
  return at == owned.end() || at->id != id ? nullptr : &*at;
}

Assignment AssignmentOf(const OwnedPartitions& owned) {
  std::vector<PartitionId> partitions;
  partitions.reserve(owned.size());
  for (const OwnedPartition& one : owned) partitions.push_back(one.id);
  return Assignment(std::move(partitions));
}

Assignment HeldBy(const ConsumerMemberFacts& member) {
  std::vector<PartitionId> partitions;
  for (const OwnedPartitions* owned : {&member.assigned, &member.pending_revocation}) {
    for (const OwnedPartition& one : *owned) partitions.push_back(one.id);
  }
  return Assignment(std::move(partitions));
}

bool ConsumerMemberFacts::SameSubscription(const ConsumerMemberFacts& other) const {
  return id == other.id && instance_id == other.instance_id && rack_id == other.rack_id &&
         client_id == other.client_id && client_host == other.client_host &&
         subscribed_names == other.subscribed_names && subscribed_regex == other.subscribed_regex &&
         server_assignor == other.server_assignor && rebalance_timeout_ms == other.rebalance_timeout_ms &&
         classic == other.classic;
}

bool ConsumerMemberFacts::SameAssignment(const ConsumerMemberFacts& other) const {
  return epoch == other.epoch && previous_epoch == other.previous_epoch && state == other.state &&
         assigned == other.assigned && pending_revocation == other.pending_revocation;
}

size_t ConsumerMemberFacts::bytes() const {
  size_t bytes =
      sizeof(ConsumerMember) + 3 * id.size() + client_id.size() + client_host.size() + subscribed_regex.size();
  bytes += 2 * instance_id.value_or("").size() + rack_id.value_or("").size();
  for (const std::string& name : subscribed_names) bytes += sizeof name + name.size();
  // What it has, and again as its target.
  bytes += 2 * sizeof(OwnedPartition) * (assigned.size() + pending_revocation.size());
  if (!classic.has_value()) return bytes;
  for (const MemberProtocol& protocol : classic->protocols) {
    bytes += sizeof protocol + protocol.name.size() + protocol.metadata.size();
  }
  return bytes;
}

size_t ResolvedRegex::bytes() const {
  constexpr size_t kOfOne = sizeof(std::string) + 32;  // a node of the set
  size_t bytes = topics.size() * kOfOne;
  for (const std::string& topic : topics) bytes += topic.size();
  return bytes;
}

ConsumerGroup::ConsumerGroup(size_t* shard_bytes) : shard_bytes_(shard_bytes) {}

ConsumerGroup::~ConsumerGroup() {
  if (shard_bytes_ != nullptr) *shard_bytes_ -= bytes_;
}

ConsumerMember* ConsumerGroup::Find(std::string_view member_id) {
  auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerMember* ConsumerGroup::Find(std::string_view member_id) const {
  auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

ConsumerMember* ConsumerGroup::FindStatic(std::string_view instance_id) {
  auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : Find(found->second);
}

ConsumerMemberFacts ConsumerGroup::FactsOf(const std::string& member_id) const {
  if (const ConsumerMember* known = Find(member_id)) return *known;
  ConsumerMemberFacts facts;
  facts.id = member_id;
  return facts;
}

ConsumerGroupState ConsumerGroup::state() const {
  if (members_.empty()) return ConsumerGroupState::kEmpty;
  if (group_epoch > assignment_epoch) return ConsumerGroupState::kAssigning;
  bool reconciled = std::all_of(members_.begin(), members_.end(),
                                [this](const auto& one) { return one.second.IsReconciledTo(assignment_epoch); });
  return reconciled ? ConsumerGroupState::kStable : ConsumerGroupState::kReconciling;
}

ConsumerMember& ConsumerGroup::Update(ConsumerMemberFacts facts) {
  auto [at, added] = members_.try_emplace(facts.id);
  ConsumerMember& member = at->second;
  if (added) member.joined = ++last_joined_;
  if (!added) {
    Count(member, -1);
    ForgetInstance(member);
  }
  static_cast<ConsumerMemberFacts&>(member) = std::move(facts);
  Count(member, 1);
  if (member.instance_id.has_value()) static_members_[*member.instance_id] = member.id;
  return member;
}

void ConsumerGroup::Remove(std::string_view member_id) {
  auto found = members_.find(member_id);
  KB_CHECK(found != members_.end());
  const ConsumerMember& member = found->second;
  Count(member, -1);
  ForgetInstance(member);
  members_.erase(found);
}

void ConsumerGroup::ForgetInstance(const ConsumerMemberFacts& member) {
  if (!member.instance_id.has_value()) return;
  auto of_instance = static_members_.find(*member.instance_id);
  if (of_instance != static_members_.end() && of_instance->second == member.id) static_members_.erase(of_instance);
}

void ConsumerGroup::Count(const ConsumerMemberFacts& member, int by) {
  CountBytes(static_cast<size_t>(by) * member.bytes());
  for (const std::string& name : member.subscribed_names) CountInterest(name, by, 0);
  if (!member.subscribed_regex.empty()) Add(subscribed_regexes_, member.subscribed_regex, by);
  if (member.server_assignor.has_value()) Add(assignors_, *member.server_assignor, by);
  for (const OwnedPartitions* owned : {&member.assigned, &member.pending_revocation}) {
    for (const OwnedPartition& one : *owned) {
      uint32_t& owners = owners_[one.id];
      owners += static_cast<uint32_t>(by);
      if (owners == 0) owners_.erase(one.id);
    }
  }
  if (!member.classic.has_value()) return;
  classic_members_ += static_cast<size_t>(by);
  for (const MemberProtocol& protocol : member.classic->protocols) Add(classic_protocols_, protocol.name, by);
}

void ConsumerGroup::CountBytes(size_t bytes) {
  bytes_ += bytes;
  if (shard_bytes_ != nullptr) *shard_bytes_ += bytes;
}

void ConsumerGroup::CountInterest(std::string_view topic, int names, int regexes) {
  auto found = interests_.find(topic);
  if (found == interests_.end()) {
    found = interests_.emplace(std::string(topic), Interest{}).first;
    ++interest_changes_;
  }
  Interest& interest = found->second;
  interest.names += static_cast<uint32_t>(names);
  interest.regexes += static_cast<uint32_t>(regexes);
  if (interest.names > 0 || interest.regexes > 0) return;
  interests_.erase(found);
  ++interest_changes_;
}

void ConsumerGroup::SetResolved(std::string_view regex, ResolvedRegex resolved) {
  ResolvedRegex& known = resolved_[std::string(regex)];
  CountBytes(resolved.bytes() - known.bytes());
  // Most often they are the same: what stays is not touched.
  std::vector<std::string_view> differing;
  std::set_difference(known.topics.begin(), known.topics.end(), resolved.topics.begin(), resolved.topics.end(),
                      std::back_inserter(differing));
  for (std::string_view gone : differing) CountInterest(gone, 0, -1);
  differing.clear();
  std::set_difference(resolved.topics.begin(), resolved.topics.end(), known.topics.begin(), known.topics.end(),
                      std::back_inserter(differing));
  for (std::string_view added : differing) CountInterest(added, 0, 1);
  known = std::move(resolved);
}

void ConsumerGroup::RemoveResolved(std::string_view regex) {
  auto found = resolved_.find(regex);
  if (found == resolved_.end()) return;
  for (const std::string& topic : found->second.topics) CountInterest(topic, 0, -1);
  CountBytes(size_t{0} - found->second.bytes());
  resolved_.erase(found);
}

uint32_t ConsumerGroup::SubscribersOf(std::string_view regex) const {
  auto found = subscribed_regexes_.find(regex);
  return found == subscribed_regexes_.end() ? 0 : found->second;
}

bool ConsumerGroup::IsHomogeneous() const {
  if (subscribed_regexes_.empty()) {
    return std::all_of(interests_.begin(), interests_.end(),
                       [this](const auto& one) { return one.second.names == members_.size(); });
  }
  if (subscribed_regexes_.size() > 1 || subscribed_regexes_.begin()->second != members_.size()) return false;
  return std::all_of(interests_.begin(), interests_.end(),
                     [](const auto& one) { return one.second.regexes == 1 && one.second.names == 0; });
}

std::optional<std::string_view> ConsumerGroup::PreferredAssignor() const {
  auto most = std::max_element(assignors_.begin(), assignors_.end(),
                               [](const auto& one, const auto& other) { return one.second < other.second; });
  if (most == assignors_.end()) return std::nullopt;
  return most->first;
}

bool ConsumerGroup::SupportsClassic(std::string_view protocol_type,
                                    const std::vector<MemberProtocol>& protocols) const {
  if (protocol_type != "consumer") return false;
  if (members_.empty()) return !protocols.empty();
  return std::any_of(protocols.begin(), protocols.end(), [this](const MemberProtocol& protocol) {
    auto found = classic_protocols_.find(protocol.name);
    return (found == classic_protocols_.end() ? 0 : found->second) == classic_members_;
  });
}

}  // namespace kb::group

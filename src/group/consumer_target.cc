// From the subscriptions of a consumer group's members to what each member has:
//
//   subscription changed ──┐
//   topics changed ────────┴─► group epoch ─► target of each member (at most once in an assignment interval)
//   regular expressions are resolved by themselves (consumer_regexes.cc) ─► group epoch
#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "group/assignor.h"
#include "group/impl.h"
#include "group/java_order.h"
#include "group/partition_of_group.h"
#include "group/reconcile.h"
#include "group/topics_hash.h"

namespace kb::group {

// ── Subscriptions ──────────────────────────────────────────────────────────────────────────────────────────────────

bool GroupShard::Impl::Subscribe(Step& step, Group& group, const ConsumerMemberFacts& before,
                                 const ConsumerMemberFacts& after) {
  ConsumerGroup& consumer = *group.consumer;
  const std::string& regex = after.subscribed_regex;
  const bool names_changed = after.subscribed_names != before.subscribed_names;
  const bool regex_changed = regex != before.subscribed_regex;
  // An expression that is still to be resolved changes the target later.
  const bool has_topics = regex.empty() || consumer.resolved().find(regex) != consumer.resolved().end();
  const bool is_new_regex = regex_changed && !regex.empty() && consumer.SubscribersOf(regex) == 0;
  const bool bump = names_changed || (regex_changed && !is_new_regex && has_topics);
  const bool is_same = consumer.Find(after.id) != nullptr && after.SameSubscription(before);
  if (!is_same) {  // as hardly any heartbeat is
    step.Write(EncodeSubscription(group.id, after));
    consumer.Update(after);
  }
  // In this order, as Apache Kafka: when the expression that is being left was resolved still counts.
  ResolveRegexesIfDue(group, is_new_regex, step.now);
  if (regex_changed && !before.subscribed_regex.empty()) DropRegexIfUnused(step, group, before.subscribed_regex);
  if (bump || consumer.topics_seen != changed_topics_) {
    int64_t hash = MetadataHashOf(consumer);
    if (bump || hash != consumer.metadata_hash) BumpEpoch(step, group, hash);
    if (consumer.has_subscription_metadata) {
      step.Write(EncodeConsumerTombstone(ConsumerRecordKind::kSubscriptionMetadata, group.id));
      consumer.has_subscription_metadata = false;
    }
  }
  return names_changed || regex_changed;
}

void GroupShard::Impl::BumpEpoch(Step& step, Group& group, int64_t metadata_hash) {
  ConsumerGroup& consumer = *group.consumer;
  // One that a damaged record left at the end of its range goes on at the beginning, as in Java.
  consumer.group_epoch = static_cast<int32_t>(static_cast<uint32_t>(consumer.group_epoch) + 1);
  consumer.metadata_hash = metadata_hash;
  step.Write(EncodeEpoch(group.id, {consumer.group_epoch, metadata_hash}));
}

// ── Topics ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::TopicsChanged(const std::vector<std::string>& names, bool any_created) {
  ++changed_topics_;
  for (const std::string& name : names) known_topics_.erase(name);
  if (any_created) new_topics_version_ = surroundings_.metadata_version();
}

// Members of a group mostly want what others in it want already: then there is nothing to look at.
int64_t GroupShard::Impl::MetadataHashOf(ConsumerGroup& consumer) {
  const bool is_known =
      consumer.topics_seen == changed_topics_ && consumer.interests_seen == consumer.interest_changes();
  if (is_known) return consumer.hash_seen;
  std::vector<int64_t> hashes;
  hashes.reserve(consumer.interests().size());
  for (const auto& [name, interest] : consumer.interests()) {
    if (std::optional<KnownTopic> topic = TopicNamed(name)) hashes.push_back(topic->hash);
  }
  consumer.topics_seen = changed_topics_;
  consumer.interests_seen = consumer.interest_changes();
  consumer.hash_seen = HashOfGroup(hashes);
  return consumer.hash_seen;
}

std::optional<KnownTopic> GroupShard::Impl::TopicNamed(std::string_view name) {
  auto known = known_topics_.find(name);
  if (known != known_topics_.end()) return known->second;
  std::optional<TopicShape> topic = surroundings_.TopicByName(name);
  if (!topic.has_value()) return std::nullopt;
  auto racks_of = [&](int32_t partition) { return surroundings_.RacksOf(topic->id, partition); };
  const int64_t hash = HashOfTopic({topic->id, topic->name, topic->partitions, racks_of});
  if (known_topics_.size() >= kMostKnownTopics) known_topics_.clear();
  return known_topics_.emplace(topic->name, KnownTopic{topic->id, topic->partitions, hash}).first->second;
}

bool GroupShard::Impl::IsSubscribed(const ConsumerGroup& consumer, const ConsumerMemberFacts& member,
                                    const Uuid& topic_id) const {
  std::optional<TopicShape> topic = surroundings_.TopicById(topic_id);
  if (!topic.has_value()) return false;
  if (std::binary_search(member.subscribed_names.begin(), member.subscribed_names.end(), topic->name)) return true;
  auto resolved = consumer.resolved().find(member.subscribed_regex);
  return resolved != consumer.resolved().end() && resolved->second.topics.contains(topic->name);
}

// ── Target ─────────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

// Topics that members are subscribed to, by their ids. Members with the same subscription share a list.
class SubscribedTopics {
 public:
  struct Topics {
    std::vector<Uuid> ids;  // of those that exist
    size_t names = 0;
  };
  using TopicNamed = std::function<std::optional<KnownTopic>(std::string_view name)>;
  SubscribedTopics(const ConsumerGroup& consumer, TopicNamed topic_named)
      : consumer_(consumer), topic_named_(std::move(topic_named)) {}

  // Lives as long as this.
  const Topics& Of(const ConsumerMember& member) {
    auto [at, is_new] = known_.try_emplace({&member.subscribed_names, &member.subscribed_regex});
    if (is_new) at->second = Find(member);
    return at->second;
  }
  std::optional<int32_t> PartitionsOf(const Uuid& topic_id) const {
    auto found = partitions_.find(topic_id);
    return found == partitions_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  struct Key {
    const std::vector<std::string>* names;
    const std::string* regex;
    bool operator<(const Key& other) const {
      return *names != *other.names ? *names < *other.names : *regex < *other.regex;
    }
  };

  Topics Find(const ConsumerMember& member) {
    const std::vector<std::string_view> names = NamesOf(member);
    std::vector<int32_t> hashes;
    hashes.reserve(names.size());
    for (std::string_view name : names) hashes.push_back(JavaStringHash(name));
    Topics topics;
    topics.names = names.size();
    topics.ids.reserve(names.size());
    for (uint32_t i : JavaWalk(hashes, TableSize::kCopy)) {
      auto topic = topic_named_(names[i]);
      if (!topic.has_value()) continue;
      topics.ids.push_back(topic->id);
      partitions_[topic->id] = topic->partitions;
    }
    return topics;
  }
  // Ascending, each once.
  std::vector<std::string_view> NamesOf(const ConsumerMember& member) const {
    std::vector<std::string_view> names(member.subscribed_names.begin(), member.subscribed_names.end());
    auto resolved = consumer_.resolved().find(member.subscribed_regex);
    if (resolved == consumer_.resolved().end()) return names;
    const auto& by_regex = resolved->second.topics;
    if (names.empty()) return {by_regex.begin(), by_regex.end()};
    std::vector<std::string_view> all;
    std::set_union(names.begin(), names.end(), by_regex.begin(), by_regex.end(), std::back_inserter(all));
    return all;
  }

  const ConsumerGroup& consumer_;
  const TopicNamed topic_named_;
  std::map<Key, Topics> known_;
  std::unordered_map<Uuid, int32_t> partitions_;
};

// In the order in which Apache Kafka walks over them, so that ties are decided alike: one who is just joining comes
// last.
std::vector<const ConsumerMember*> InTurn(const ConsumerGroup& consumer) {
  std::vector<const ConsumerMember*> members;
  for (const auto& [id, member] : consumer.members()) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](auto* one, auto* other) { return one->joined < other->joined; });
  const bool last_is_new = !members.empty() && !members.back()->has_target;
  std::vector<int32_t> hashes;
  for (const ConsumerMember* member : members) hashes.push_back(JavaStringHash(member->id));
  if (last_is_new) hashes.pop_back();
  std::vector<const ConsumerMember*> in_turn;
  for (uint32_t i : TimelineWalk(hashes)) in_turn.push_back(members[i]);
  if (last_is_new) in_turn.push_back(members.back());
  return in_turn;
}

}  // namespace

void GroupShard::Impl::AssignIfDue(Step& step, Group& group) {
  ConsumerGroup& consumer = *group.consumer;
  if (consumer.assignment_epoch >= consumer.group_epoch) return;
  const int64_t interval_ms = surroundings_.SettingsOf(group.id).assignment_interval_ms;
  const bool is_soon = consumer.assignment_timestamp_ms != 0 && interval_ms != 0 &&
                       step.now.wall_ms - interval_ms < consumer.assignment_timestamp_ms;
  if (is_soon) return;
  SubscribedTopics topics(consumer, [this](std::string_view name) { return TopicNamed(name); });
  AssignorInput input;
  input.homogeneous = consumer.IsHomogeneous();
  input.partitions_of = [&](const Uuid& id) { return topics.PartitionsOf(id); };
  for (const ConsumerMember* member : InTurn(consumer)) {
    const SubscribedTopics::Topics& of_member = topics.Of(*member);
    std::optional<std::string_view> instance_id;
    if (member->instance_id.has_value()) instance_id = *member->instance_id;
    input.members.push_back({member->id, instance_id, of_member.ids, of_member.names, &member->target});
  }
  Assignor assign = FindAssignor(consumer.PreferredAssignor().value_or(config_.group_consumer_assignors.front()));
  if (assign == nullptr) assign = FindAssignor(config_.group_consumer_assignors.front());
  KB_CHECK(assign != nullptr);
  AssignmentResult assigned = assign(input);
  KB_CHECK(assigned.ok());  // every topic in the input exists
  for (size_t i = 0; i < input.members.size(); ++i) {
    ConsumerMember& member = *consumer.Find(input.members[i].member_id);
    if (member.has_target && member.target == (*assigned)[i]) continue;
    member.target = std::move((*assigned)[i]);
    member.has_target = true;
    step.Write(EncodeTarget(group.id, member.id, member.target));
  }
  consumer.assignment_epoch = consumer.group_epoch;
  consumer.assignment_timestamp_ms = step.now.wall_ms;
  step.Write(EncodeTargetMetadata(group.id, {consumer.assignment_epoch, consumer.assignment_timestamp_ms}));
}

// ── What a member has ──────────────────────────────────────────────────────────────────────────────────────────────

void GroupShard::Impl::ReconcileMember(Step& step, Group& group, const std::string& member_id,
                                       bool subscription_changed,
                                       const std::optional<std::vector<PartitionId>>& owned) {
  ConsumerGroup& consumer = *group.consumer;
  ConsumerMember& member = *consumer.Find(member_id);
  if (!subscription_changed && member.IsReconciledTo(consumer.assignment_epoch)) return;
  Reconciliation by{.target_epoch = consumer.assignment_epoch,
                    .target = member.target,
                    .subscription_changed = subscription_changed,
                    .is_subscribed = [&](const Uuid& id) { return IsSubscribed(consumer, member, id); },
                    .is_owned = [&](const PartitionId& id) { return consumer.IsOwned(id); },
                    .owned = owned};
  std::optional<ConsumerMemberFacts> reconciled = Reconcile(member, by);
  KB_CHECK(reconciled.has_value());  // RefuseBeat
  if (reconciled->SameAssignment(member)) return;
  consumer.Update(std::move(*reconciled));
  step.Write(EncodeCurrentAssignment(group.id, member));
  if (member.classic.has_value()) return;
  if (member.state == MemberState::kUnrevokedPartitions) {
    StartRebalanceTimer(group, member, step.now);
  } else {
    member.rebalance.Cancel();
  }
}

}  // namespace kb::group

// The regular expressions of consumer groups: when they are resolved, and what comes of it.
//
// A run (regex_run.h) takes one after the other behind the group's timer, a bounded number of matches each time it
// fires. What an expression stands for counts, and is written, as soon as it is known. A step that changes something
// brings a new group epoch with it: wherever a run ends, by a failed append or a restart, the target is computed anew.
#include <algorithm>
#include <utility>

#include "group/impl.h"
#include "group/regex_run.h"

namespace kb::group {
namespace {

constexpr int64_t kShortestIntervalMs = 10'000;
// A match takes about 0.1 µs, and so does taking over a topic that matched.
constexpr size_t kMatchesPerStep = 8'192;
// What it costs to compile one, in matches.
size_t CostOf(std::string_view regex) {
  return 128 + regex.size();
}

// Compiles the next one that somebody is subscribed to. False: there is none.
bool BeginNext(const ConsumerGroup& consumer, RegexRun& run) {
  auto next = consumer.subscribed_regexes().upper_bound(run.regex);
  if (next == consumer.subscribed_regexes().end()) return false;
  run.regex = next->first;
  run.compiled.emplace(run.regex);
  run.next_topic = 0;
  run.resolved = {{}, run.version, run.timestamp_ms};
  return true;
}

}  // namespace

void GroupShard::Impl::DropRegexIfUnused(Step& step, Group& group, const std::string& regex) {
  if (group.consumer->SubscribersOf(regex) > 0) return;
  step.Write(EncodeConsumerTombstone(ConsumerRecordKind::kRegex, group.id, regex));
  group.consumer->RemoveResolved(regex);
}

void GroupShard::Impl::ResolveRegexesIfDue(Group& group, bool is_new, Now now) {
  ConsumerGroup& consumer = *group.consumer;
  if (consumer.subscribed_regexes().empty() || consumer.regex_timer.armed()) return;
  bool is_due = is_new || consumer.subscribed_regexes().size() != consumer.resolved().size();
  if (!consumer.resolved().empty()) {
    const ResolvedRegex& last = consumer.resolved().begin()->second;
    if (now.wall_ms - kShortestIntervalMs <= last.timestamp_ms) return;
    is_due |= last.version < new_topics_version_;
    is_due |= now.wall_ms - config_.group_consumer_regex_refresh_interval_ms > last.timestamp_ms;
  }
  if (!is_due) return;
  consumer.regex_run.reset();
  Arm(consumer.regex_timer, {.kind = TimerTarget::Kind::kRegex, .group = &group}, now.monotonic_ms);
}

void GroupShard::Impl::ResolveRegexes(Step& step, Group& group) {
  constexpr int64_t kRetryMs = 1'000;
  constexpr int64_t kNextStepMs = 1;  // others are served in between
  ConsumerGroup& consumer = *group.consumer;
  if (consumer.members().empty()) return;  // it may be about to go
  if (MendedFirst(step, group)) return consumer.regex_timer.Arm(step.now.monotonic_ms + kRetryMs);
  if (consumer.regex_run == nullptr) BeginRegexRun(consumer, step.now);
  bool is_over = false;
  Change(step, group, [&] { is_over = ResolveSome(step, group, *consumer.regex_run); });
  if (is_over) {
    consumer.regex_run.reset();
  } else {
    consumer.regex_timer.Arm(step.now.monotonic_ms + kNextStepMs);
  }
}

void GroupShard::Impl::BeginRegexRun(ConsumerGroup& consumer, Now now) {
  consumer.regex_run = std::make_unique<RegexRun>();
  RegexRun& run = *consumer.regex_run;
  run.version = surroundings_.metadata_version();
  run.timestamp_ms = now.wall_ms;
  // Groups whose runs begin at the same time share a copy.
  run.topics = topic_names_version_ == run.version ? topic_names_.lock() : nullptr;
  if (run.topics == nullptr) {
    auto topics = std::make_shared<TopicNames>();
    surroundings_.ForEachTopicName([&](std::string_view topic) { topics->Add(topic); });
    run.topics = std::move(topics);
    topic_names_ = run.topics;
    topic_names_version_ = run.version;
  }
  run.is_looked_at.resize(run.topics->size());
}

// Also looks at each topic that matches, once: all of them at the end would take too long. What it has cost, in
// matches.
size_t GroupShard::Impl::MatchSome(RegexRun& run, size_t most) {
  constexpr size_t kCostOfLooking = 8;
  size_t cost = 0;
  for (; run.next_topic < run.topics->size() && cost < most; ++run.next_topic) {
    ++cost;
    const std::string_view name = (*run.topics)[run.next_topic];
    if (!run.compiled->Matches(name)) continue;
    run.resolved.topics.emplace(name);
    if (run.is_looked_at[run.next_topic]) continue;
    run.is_looked_at[run.next_topic] = true;
    TopicNamed(name);
    cost += kCostOfLooking;
  }
  return std::min(cost, most);
}

bool GroupShard::Impl::ResolveSome(Step& step, Group& group, RegexRun& run) {
  ConsumerGroup& consumer = *group.consumer;
  bool has_changed = false;
  bool is_over = false;
  for (size_t left = kMatchesPerStep; left > 0;) {
    if (!run.compiled.has_value()) {
      is_over = !BeginNext(consumer, run);
      if (is_over) break;
      left -= std::min(left, CostOf(run.regex));
    }
    left -= MatchSome(run, left);
    if (run.next_topic < run.topics->size()) break;
    left -= std::min(left, run.resolved.topics.size());
    has_changed |= TakeResolved(step, group, run);
    run.compiled.reset();
  }
  // Looking at all topics is for the end; until then the epoch says that something has changed.
  const int64_t hash = is_over ? MetadataHashOf(consumer) : consumer.metadata_hash;
  if (has_changed || hash != consumer.metadata_hash) BumpEpoch(step, group, hash);
  return is_over;
}

// Whether the target may be another by that.
bool GroupShard::Impl::TakeResolved(Step& step, Group& group, RegexRun& run) {
  ConsumerGroup& consumer = *group.consumer;
  if (consumer.SubscribersOf(run.regex) == 0) return false;  // left meanwhile
  auto before = consumer.resolved().find(run.regex);
  const bool is_first = before == consumer.resolved().end();
  const size_t had = is_first ? 0 : before->second.bytes();
  const size_t growth = std::max(run.resolved.bytes(), had) - had;
  const bool has_room = growth == 0 || (member_bytes_ + growth <= config_.most_shard_member_bytes &&
                                        FitsInAWrite(group.id, consumer, growth));
  if (!has_room) {
    run.resolved.topics.clear();
    if (!is_first) run.resolved.topics = before->second.topics;
  }
  bool has_changed = is_first ? !run.resolved.topics.empty() : before->second.topics != run.resolved.topics;
  step.Write(EncodeRegex(group.id, run.regex, run.resolved));
  consumer.SetResolved(run.regex, std::move(run.resolved));
  return has_changed || (is_first && HasStrayTarget(consumer, run.regex));
}

// Whether someone is to have what it is no longer subscribed to, now that its new expression is resolved. When that
// stands for no topic at all, nothing else says that its partitions are wanted by others (Apache Kafka leaves them with
// nobody).
bool GroupShard::Impl::HasStrayTarget(const ConsumerGroup& consumer, std::string_view regex) const {
  return std::any_of(consumer.members().begin(), consumer.members().end(), [&](const auto& one) {
    const ConsumerMember& member = one.second;
    if (member.subscribed_regex != regex) return false;
    for (size_t i = 0; i < member.target.topic_count(); ++i) {
      if (!IsSubscribed(consumer, member, member.target.topic_id(i))) return true;
    }
    return false;
  });
}

}  // namespace kb::group

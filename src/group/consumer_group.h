// ConsumerGroup: a group of the consumer protocol (KIP-848): who is in it, what each is to have and what each has.
//
//            group epoch      counts changes of members, subscriptions and topics
//              ≥ assignment epoch   the group epoch for which the target was computed
//                  ≥ member epoch     the assignment epoch that the member has taken over
//
//   subscriptions ─assignor─► target of each member ─reconciliation─► what each member has (reconcile.h)
//
//   state of the group   Empty         nobody in it
//                        Assigning     group epoch > assignment epoch
//                        Reconciling   some member has not what it is to have
//                        Stable
//
// Members of the classic protocol may be in it as well, while a group is being moved from one protocol to the other
// (mixed.cc): `classic` says what such a member brought along.
//
// This file keeps what is known of all members together in step with each of them: topics and regular expressions
// subscribed to, owners of partitions, instance ids, assignors asked for. It knows no records, answers and timers'
// meaning.
//
// Invariants:
//   * owners_ counts each partition once for every member that has it, or has not let go of it yet
//   * static_members maps each instance id to the member that has it
//
// Semantics: Apache Kafka 4.3's ConsumerGroup, ModernGroup. Reactor-affine.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "group/assignment.h"
#include "group/requests.h"
#include "group/timer_queue.h"
#include "model/ids.h"

namespace kb::group {

struct RegexRun;
struct TimerTarget;

enum class ConsumerGroupState : uint8_t { kEmpty, kAssigning, kReconciling, kStable };

std::string_view NameOf(ConsumerGroupState state);

// As in the record; anything else that a record says is kUnknown.
enum class MemberState : int8_t {
  kStable = 0,                // has its target
  kUnrevokedPartitions = 1,   // must let go of some partitions first
  kUnreleasedPartitions = 2,  // waits for partitions that others have not let go of
  kUnknown = 127,
};

// A partition that a member has, and the assignment epoch at which it was given to it: commits of an older epoch of the
// member are accepted down to there.
struct OwnedPartition {
  PartitionId id;
  int32_t epoch = 0;
  bool operator==(const OwnedPartition&) const = default;
};

// Ascending by id, each once.
using OwnedPartitions = std::vector<OwnedPartition>;

// Null where it is not among them.
const OwnedPartition* FindIn(const OwnedPartitions& owned, const PartitionId& id);

// What a member of the classic protocol brought along in its JoinGroup.
struct ClassicFacts {
  int32_t session_timeout_ms = 0;
  std::vector<MemberProtocol> protocols;  // most wanted first
  bool operator==(const ClassicFacts&) const = default;
};

// What the records know of a member.
struct ConsumerMemberFacts {
  std::string id;
  // ── its subscription record
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;                    // with the leading slash
  std::vector<std::string> subscribed_names;  // ascending, each once
  std::string subscribed_regex;               // empty: none
  std::optional<std::string> server_assignor;
  int32_t rebalance_timeout_ms = -1;
  std::optional<ClassicFacts> classic;
  // ── its current-assignment record
  int32_t epoch = 0;  // -2: a static member that has left for a while
  int32_t previous_epoch = -1;
  MemberState state = MemberState::kStable;
  OwnedPartitions assigned;
  OwnedPartitions pending_revocation;

  bool is_static() const { return instance_id.has_value(); }
  bool IsReconciledTo(int32_t assignment_epoch) const {
    return state == MemberState::kStable && epoch == assignment_epoch;
  }
  bool SameSubscription(const ConsumerMemberFacts& other) const;  // the subscription record would be the same
  bool SameAssignment(const ConsumerMemberFacts& other) const;    // the current-assignment record would be the same
  size_t bytes() const;
};

Assignment AssignmentOf(const OwnedPartitions& owned);
// What it has, and has not let go of yet.
Assignment HeldBy(const ConsumerMemberFacts& member);

struct ConsumerMember : ConsumerMemberFacts {
  Assignment target;
  bool has_target = false;                   // a record says so, maybe an empty one
  uint64_t joined = 0;                       // ascending with the order of coming
  TimerQueue<TimerTarget>::Timer session;    // no heartbeat in time
  TimerQueue<TimerTarget>::Timer rebalance;  // has not let go of partitions in time
  TimerQueue<TimerTarget>::Timer join;       // classic: has not come to the rebalance in time
  TimerQueue<TimerTarget>::Timer sync;       // classic: has not fetched its assignment in time
};

// What a regular expression stands for, as of a version of the metadata.
struct ResolvedRegex {
  std::set<std::string, std::less<>> topics;
  int64_t version = 0;
  int64_t timestamp_ms = 0;
  bool operator==(const ResolvedRegex&) const = default;
  size_t bytes() const;
};

class ConsumerGroup {
 public:
  using Members = std::map<std::string, ConsumerMember, std::less<>>;
  using Regexes = std::map<std::string, ResolvedRegex, std::less<>>;
  // How many members name a topic, and how many resolved expressions stand for it.
  struct Interest {
    uint32_t names = 0;
    uint32_t regexes = 0;
  };
  using Interests = std::map<std::string, Interest, std::less<>>;

  // shard_bytes: where the members of all groups of a shard are added up, as long as this one lives.
  explicit ConsumerGroup(size_t* shard_bytes = nullptr);
  ~ConsumerGroup();
  ConsumerGroup(const ConsumerGroup&) = delete;
  ConsumerGroup& operator=(const ConsumerGroup&) = delete;

  // ── What the records of the group say ──
  int32_t group_epoch = 1;
  int64_t metadata_hash = 0;
  int32_t assignment_epoch = 0;
  int64_t assignment_timestamp_ms = 0;
  bool has_subscription_metadata = false;  // a record of before 4.1 is in the log, to be tombstoned

  // ── What the log does not say ──
  std::optional<uint64_t> topics_seen;  // the shard's count of changed topics when the metadata hash was last looked at
  uint64_t interests_seen = 0;          // … interest_changes() then
  int64_t hash_seen = 0;                // … and what it was
  bool must_rewrite = false;            // a write failed: the log lacks what is here (consumer_writes.cc)
  std::set<std::string> lost_tombstones;       // … and has these keys of what is not here any more
  TimerQueue<TimerTarget>::Timer regex_timer;  // armed: expressions are to be resolved, or some more
  std::unique_ptr<RegexRun> regex_run;         // … as far as that has come (consumer_regexes.cc)

  const Members& members() const { return members_; }
  // Of all members, and of the topics that expressions stand for: no less than their records have, keys left out.
  size_t bytes() const { return bytes_; }
  ConsumerMember* Find(std::string_view member_id);
  const ConsumerMember* Find(std::string_view member_id) const;
  // The member that has the instance id; null for none.
  ConsumerMember* FindStatic(std::string_view instance_id);
  // What is known of the member; of one who is not here, its id.
  ConsumerMemberFacts FactsOf(const std::string& member_id) const;
  ConsumerGroupState state() const;

  // Adds it, or brings it up to date; its target and timers stay. The member it returns lives until it is removed.
  ConsumerMember& Update(ConsumerMemberFacts facts);
  void Remove(std::string_view member_id);
  void SetResolved(std::string_view regex, ResolvedRegex resolved);
  void RemoveResolved(std::string_view regex);

  const Regexes& resolved() const { return resolved_; }
  // Expressions that members are subscribed to, and how many each.
  const std::map<std::string, uint32_t, std::less<>>& subscribed_regexes() const { return subscribed_regexes_; }
  uint32_t SubscribersOf(std::string_view regex) const;
  const Interests& interests() const { return interests_; }
  // Counts the topics that have come to interests() and gone.
  uint64_t interest_changes() const { return interest_changes_; }
  // All are subscribed to the same topics.
  bool IsHomogeneous() const;
  // Whether someone has it, or has not let go of it.
  bool IsOwned(const PartitionId& id) const { return owners_.contains(id); }
  // The assignor that most ask for; nullopt: nobody asks for one.
  std::optional<std::string_view> PreferredAssignor() const;

  size_t classic_members() const { return classic_members_; }
  // Whether a classic member of this type, with one of these protocols, fits to the classic members that are here.
  bool SupportsClassic(std::string_view protocol_type, const std::vector<MemberProtocol>& protocols) const;
  // Topics that members subscribe to, by name or by a resolved expression.
  bool IsSubscribedTo(std::string_view topic) const { return interests_.find(topic) != interests_.end(); }

 private:
  void Count(const ConsumerMemberFacts& member, int by);
  // Its instance id stands for nobody.
  void ForgetInstance(const ConsumerMemberFacts& member);
  void CountInterest(std::string_view topic, int names, int regexes);
  // modulo: may be a negative number.
  void CountBytes(size_t bytes);

  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id → member id
  Interests interests_;
  uint64_t interest_changes_ = 0;
  std::map<std::string, uint32_t, std::less<>> subscribed_regexes_;
  Regexes resolved_;
  std::map<std::string, uint32_t, std::less<>> assignors_;
  std::map<std::string, uint32_t, std::less<>> classic_protocols_;
  size_t classic_members_ = 0;
  uint64_t last_joined_ = 0;
  size_t bytes_ = 0;
  size_t* shard_bytes_;
  std::unordered_map<PartitionId, uint32_t> owners_;
};

}  // namespace kb::group

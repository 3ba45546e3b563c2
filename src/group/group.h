// Group: one group of a shard: its members (classic groups), and its committed offsets (groups of every type).
//
//             ┌────────────── members rejoin, or leave, or expire ──────────────┐
//             ▼                                                                  │
//   Empty → PreparingRebalance → CompletingRebalance → Stable ──────────────────┤
//     ▲      waits for JoinGroups   waits for the leader's SyncGroup  heartbeats │
//     └──────────┴ nobody left                                                   │
//   Empty → Dead while its deletion is being written ────────────────────────────┘ (back to Empty if that fails)
//
// This file keeps the bookkeeping consistent (who is leader, who waits, which protocols all members speak); the flows
// between the states are in impl.h's files. Nothing here knows records, timers' meaning or answers.
//
// Invariants, asserted where they are relied on:
//   * leader is set exactly when there are members, and names one of them
//   * static_members maps each instance id to the member that has it
//   * awaiting_join_count() counts the members whose JoinGroup waits
//   * a member id is either a member's or pending, not both
//
// Reactor-affine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "group/consumer_group.h"
#include "group/outcome.h"
#include "group/records.h"
#include "group/requests.h"
#include "group/timer_queue.h"

namespace kb::group {

struct Group;
struct Member;

// What a timer is about. Pointers: their objects own the timer, so it cannot outlive them.
struct TimerTarget {
  enum class Kind {
    kSession,        // of a member: no heartbeat (or JoinGroup) in time
    kPendingMember,  // a member id that was given out and not used
    kJoin,           // of a group: the rebalance has taken long enough
    kSync,           // of a group: members that have not fetched their assignments
    kCleanup,        // of a group: offsets, or the group, may have expired
    kSweep,          // of the shard: offsets of deleted topics
    // of a consumer group's member, see ConsumerMember
    kConsumerSession,
    kConsumerRebalance,
    kConsumerJoin,
    kConsumerSync,
    kRegex,  // of a consumer group: its regular expressions are to be resolved
  };
  Kind kind = Kind::kSweep;
  Group* group = nullptr;
  Member* member = nullptr;
  const std::string* pending_member_id = nullptr;  // the key in Group::pending_members
  ConsumerMember* consumer_member = nullptr;
};
using Timers = TimerQueue<TimerTarget>;

enum class GroupState : uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };

std::string_view NameOf(GroupState state);

struct Member {
  std::string id;
  std::optional<std::string> group_instance_id;
  std::string client_id;
  std::string client_host;  // with the leading slash
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  std::vector<MemberProtocol> protocols;  // most wanted first
  std::string assignment;
  uint64_t joined = 0;  // ascending with the order of joining
  // A member that was added and has not yet been told its first generation. It cannot heartbeat yet, so its timer is a
  // long one and runs although its JoinGroup waits.
  bool is_new = false;
  std::optional<Ticket> awaiting_join;
  std::optional<Ticket> awaiting_sync;
  Timers::Timer session;

  bool is_static() const { return group_instance_id.has_value(); }
  // Its metadata for a protocol; empty when it does not speak it.
  std::string_view metadata(std::string_view protocol_name) const;
  size_t bytes() const;
};

// A partition's offset of a group.
struct OffsetCell {
  std::optional<CommittedOffset> committed;
  int64_t record_offset = -1;      // of the record that says so
  uint32_t pending_writes = 0;     // records appended, or about to be, and not yet committed
  uint32_t open_transactions = 0;  // transactions that have committed an offset here and have not ended
  bool unused() const { return !committed.has_value() && pending_writes == 0 && open_transactions == 0; }
};

struct Group {
  using Members = std::map<std::string, Member, std::less<>>;
  using Partitions = std::map<int32_t, OffsetCell>;

  std::string id;
  uint64_t incarnation = 0;  // tells it from an earlier group of the same id
  GroupType type = GroupType::kClassic;

  // ── Any type ──
  std::map<std::string, Partitions, std::less<>> offsets;
  size_t pending_offset_writes = 0;  // writes of offsets that are not committed yet
  bool visible = false;              // a record of it has been committed
  bool has_record = false;           // a group record (not only offsets) is in the log: must be tombstoned when it goes

  // ── Consumer: there exactly when that is the type ──
  std::unique_ptr<ConsumerGroup> consumer;
  std::optional<int32_t> upgraded_from;  // the generation of the classic group, while no record says that it is none
  std::vector<ConsumerMemberFacts> replaced_in_upgrade;  // … and its static members in whose place consumers have come

  // ── Classic or consumer: of a group that was, or may have been, a consumer group ──
  size_t pending_consumer_writes = 0;     // writes of its records, tombstones too, that are not committed yet
  std::set<std::string> lost_tombstones;  // classic: the log has these keys of the consumer group that it was

  // ── Types that are not served ──
  std::set<std::string> other_record_keys;
  std::set<std::string> other_members;

  // ── Classic ──
  GroupState state = GroupState::kEmpty;
  int64_t state_timestamp_ms = -1;  // wall time of the last transition; -1: a record of old did not say
  int32_t generation_id = 0;
  std::optional<std::string> protocol_type;  // none: nobody ever joined, only offsets were committed
  std::optional<std::string> protocol_name;  // that of the generation
  std::optional<std::string> leader;
  Members members;
  std::map<std::string, std::string, std::less<>> static_members;     // instance id → member id
  std::map<std::string, Timers::Timer, std::less<>> pending_members;  // given out, not joined; see AddPending
  std::set<std::string, std::less<>> pending_sync;                    // members that have not sent SyncGroup
  bool new_member_added = false;                                      // since the initial delay was last extended
  bool initial_rebalance = false;                                     // the join timer is the initial delay
  int64_t initial_delay_ms = 0;                                       // the delay that is running
  int64_t initial_remaining_ms = 0;                                   // by how much it may still be extended
  std::optional<int32_t> writing_assignment_of;  // the generation whose assignment is being written
  Timers::Timer join_timer;
  Timers::Timer sync_timer;
  Timers::Timer cleanup_timer;
  size_t* shard_member_bytes = nullptr;  // where the members of all groups of the shard are added up

  bool Is(GroupState which) const { return state == which; }
  // No member of whatever kind.
  bool HasNobody() const;
  bool is_simple() const { return type == GroupType::kClassic && !has_record && members.empty(); }
  bool uses_consumer_protocol() const { return protocol_type == "consumer"; }
  Member* Find(std::string_view member_id);
  bool IsLeader(std::string_view member_id) const { return leader.has_value() && *leader == member_id; }
  bool IsPending(std::string_view member_id) const { return pending_members.find(member_id) != pending_members.end(); }
  // A member id is given out. The timer is to be armed.
  std::pair<const std::string, Timers::Timer>& AddPending(std::string member_id);
  // If it is pending.
  void RemovePending(std::string_view member_id);
  void RemoveAllPending();
  // The member id that an instance id stands for; empty when there is none.
  std::string StaticMemberId(std::string_view group_instance_id) const;
  size_t awaiting_join_count() const { return awaiting_join_count_; }
  bool AllMembersJoined() const { return members.size() == awaiting_join_count_ && pending_members.empty(); }
  int32_t MaxRebalanceTimeoutMs() const;

  // Whether someone with this type and these protocols may join: any when the group is empty, else it must be of the
  // group's type and speak a protocol that every member speaks.
  bool Supports(std::string_view joining_type, const std::vector<MemberProtocol>& protocols) const;
  // The protocol of the next generation: among those that all speak, the one that most members want most; of equals the
  // one that the leader wants most. There are members.
  std::string SelectProtocol() const;
  // Topics that the members subscribe to; nothing when that cannot be known (not consumers, or metadata that is none).
  std::optional<std::set<std::string, std::less<>>> SubscribedTopics() const;

  // The first member makes its protocol type the group's and becomes leader.
  Member& Add(Member member, const std::string& joining_type);
  void UpdateProtocols(Member& member, std::vector<MemberProtocol> protocols, int32_t rebalance_timeout_ms,
                       int32_t session_timeout_ms);
  void SetAssignment(Member& member, std::string assignment);
  // Its waiting requests must have been answered.
  void Remove(std::string_view member_id);
  // The same member under another id, waiting for nothing. Its timer stays behind.
  Member& Rename(std::string_view old_id, const std::string& new_id);
  void SetAwaitingJoin(Member& member, std::optional<Ticket> ticket);
  // Makes sure that the leader is someone who has rejoined. False: nobody has.
  bool ElectJoinedLeader();
  std::vector<JoinGroupResponse::Member> MembersForLeader() const;
  // As SyncGroup writes it, with the assignments of `assignments`; members without one get an empty one.
  GroupRecord ToRecord(const std::map<std::string, std::string, std::less<>>& assignments) const;
  // Nobody in it, as it is written when it comes into being and when the last member has left.
  GroupRecord ToEmptyRecord() const;
  std::map<std::string, std::string, std::less<>> CurrentAssignments() const;

 private:
  // Adds a member to, or takes it out of, what is known of all members together.
  void Count(const Member& member, int by);
  const Member* FirstJoined() const;

  std::map<std::string, size_t, std::less<>> protocol_support_;  // protocol → members that speak it
  size_t awaiting_join_count_ = 0;
  uint64_t last_joined_ = 0;
};

}  // namespace kb::group

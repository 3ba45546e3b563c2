// GroupShard::Impl: what a shard is made of. Only this room's files (and its tests' inspector) include this.
//
//   shard.cc    the doors, the life of a write, timers, loading and unloading
//   replay.cc   records → state
//   join.cc     JoinGroup: who may join, and when a rebalance begins and ends
//   sync.cc     SyncGroup, Heartbeat, LeaveGroup: members of a generation
//   offsets.cc  OffsetCommit, OffsetFetch, OffsetDelete
//   expiry.cc   offsets and groups that go by themselves, or with a topic
//   offsets_page.cc     all of them, page by page
//   admin.cc    ListGroups, DescribeGroups, DeleteGroups, ConsumerGroupDescribe
//   consumer.cc         ConsumerGroupHeartbeat: who is in a consumer group
//   consumer_target.cc  who is to have and has what
//   consumer_regexes.cc which topics its regular expressions stand for
//   consumer_writes.cc  its records
//   mixed.cc    classic groups that become consumer groups and back; classic members of consumer groups
//
// A call collects into a Step: answers, records, and effects, which are what remains to be done when the records are
// committed, or when they could not be written. Finish makes a Write of the records and effects. Effects name their
// group by id and incarnation, because it may be gone by then.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "group/consumer_protocol.h"
#include "group/consumer_records.h"
#include "group/group.h"
#include "group/records.h"
#include "group/regex_run.h"
#include "group/shard.h"

namespace kb::group {

struct GroupRef {
  std::string id;
  uint64_t incarnation = 0;
};

struct OffsetChange {
  std::string topic;
  int32_t partition = 0;
  std::optional<CommittedOffset> value;  // none: removed
};

// ── Effects ──

struct OffsetsWritten {
  GroupRef group;
  std::vector<OffsetChange> changes;
};
// The first record of a group that a JoinGroup made; not written: the group goes, with everyone who waits in it.
struct GroupCreated {
  GroupRef group;
};
// An empty group of another type made place for a classic one; not written: it is back.
struct GroupConverted {
  GroupRef group;
  std::set<std::string> tombstones;  // keys
  GroupType from = GroupType::kConsumer;
  std::set<std::string> record_keys;
  std::unique_ptr<ConsumerGroup> consumer;
};
// Records of a consumer group, or of its becoming a classic one; not written: the group is to be written anew, or an
// upgrade is taken back.
struct ConsumerGroupWritten {
  GroupRef group;
  std::set<std::string> tombstones;  // keys
};
// A later record of a group.
struct GroupWritten {
  GroupRef group;
};
struct AssignmentWritten {
  GroupRef group;
  int32_t generation_id = 0;
  std::map<std::string, std::string, std::less<>> assignments;
};
struct StaticRejoinWritten {
  GroupRef group;
  std::string group_instance_id;
  std::string old_member_id;
  std::string new_member_id;
  std::string old_leader;
  int32_t old_rebalance_timeout_ms = 0;
  int32_t old_session_timeout_ms = 0;
  std::vector<MemberProtocol> old_protocols;
  Ticket ticket = 0;
  bool can_skip_assignment = false;
};
struct GroupDeleted {
  GroupRef group;
};
// An answer that says so only when it is so.
struct ReplyWhenWritten {
  Reply reply;
};
// An OffsetFetch that wants to see what was being written when it came.
struct FetchWhenWritten {
  Ticket ticket = 0;
  OffsetFetchRequest request;
};

using Effect =
    std::variant<OffsetsWritten, GroupCreated, GroupConverted, GroupWritten, AssignmentWritten, StaticRejoinWritten,
                 GroupDeleted, ConsumerGroupWritten, ReplyWhenWritten, FetchWhenWritten>;

// What a client is told instead of an answer.
struct Refusal {
  ErrorCode error = ErrorCode::kNone;
  std::string message;
};
using MaybeRefused = std::optional<Refusal>;

// A topic that groups are interested in.
struct KnownTopic {
  Uuid id;
  int32_t partitions = 0;
  int64_t hash = 0;  // topics_hash.h
};

class GroupShard::Impl {
 public:
  Impl(const GroupConfig& config, Random& random, const Surroundings& surroundings)
      : config_(config), random_(random), surroundings_(surroundings) {}

  struct Step {
    explicit Step(Now at) : now(at) {}
    Now now;
    Outcome out;
    std::vector<Effect> effects;

    void Answer(Ticket ticket, Response response) { out.replies.push_back({ticket, std::move(response)}); }
    void Write(RecordBytes record) { out.records.push_back(std::move(record)); }
    // Keys of the tombstones among the records from `first` on.
    std::set<std::string> Tombstones(size_t first) const {
      std::set<std::string> keys;
      for (size_t i = first; i < out.records.size(); ++i) {
        if (!out.records[i].value.has_value()) keys.insert(out.records[i].key);
      }
      return keys;
    }
  };

  // An Outcome with records, until they are committed. In the order of the log; the unsettled ones are the last.
  struct Write {
    WriteId id = 0;
    size_t records = 0;
    int64_t end_offset = -1;  // exclusive; -1: not settled yet
    int64_t deadline_ms = 0;
    std::vector<Effect> effects;
  };

  using Groups = std::map<std::string, std::unique_ptr<Group>, std::less<>>;

  // ── shard.cc ──
  // What every request goes through.
  template <typename Request, typename Call>
  Outcome Serve(Ticket ticket, const Request& request, Now now, Call call) {
    Step step(now);
    if (unloaded_.has_value()) {
      step.Answer(ticket, ErrorResponse(request, *unloaded_));
    } else {
      call(step);
    }
    return Finish(std::move(step));
  }
  Outcome Finish(Step step);
  void Appended(WriteId write_id, int64_t base_offset);
  Outcome Failed(WriteId write_id, ErrorCode log_error, Now now);
  Outcome Committed(int64_t high_watermark, Now now);
  std::optional<int64_t> NextDeadlineMs();
  bool MayBeDueBefore(int64_t ms) const;
  Outcome Expire(Now now);
  Outcome Loaded(Now now);
  std::vector<Reply> Unload(ErrorCode error);
  GroupCounts counts() const;

  Group* Find(std::string_view group_id);
  const Group* Find(std::string_view group_id) const;
  Group* Find(const GroupRef& ref);
  Group& Create(std::string_view group_id, Now now);
  void Erase(Group& group);
  // Drops a group of which neither the log nor anybody knows anything any more.
  void EraseIfNothing(Group& group);
  static GroupRef RefTo(const Group& group) { return {group.id, group.incarnation}; }
  void SetState(Group& group, GroupState to);
  // SetState, and notes when.
  void Transition(Group& group, GroupState to, Now now);
  void SetType(Group& group, GroupType type);
  // Makes the timer first where there is none yet.
  void Arm(Timers::Timer& timer, TimerTarget target, int64_t deadline_ms);
  void Tick(Step& step, const TimerTarget& target);
  void TimeOutWrite(Step& step, Write& write);
  bool TimeOut(Step& step, Effect& effect);
  // Answers `error` to everyone who waits in the group, and leaves it without members, as if nobody had ever joined.
  void Dissolve(Step& step, Group& group, ErrorCode error);
  bool HasRecords(const Step& step) const { return !step.out.records.empty(); }
  // Now, or when what the step writes is committed.
  void AnswerWhenWritten(Step& step, Ticket ticket, Response response);

  void OnCommitted(Step& step, OffsetsWritten& effect);
  void OnCommitted(Step& step, GroupCreated& effect);
  void OnCommitted(Step& step, GroupConverted& effect);
  void OnCommitted(Step& step, GroupWritten& effect);
  void OnCommitted(Step& step, AssignmentWritten& effect);
  void OnCommitted(Step& step, StaticRejoinWritten& effect);
  void OnCommitted(Step& step, GroupDeleted& effect);
  void OnCommitted(Step& step, ConsumerGroupWritten& effect);
  void OnCommitted(Step& step, ReplyWhenWritten& effect);
  void OnCommitted(Step& step, FetchWhenWritten& effect);
  void OnFailed(Step& step, OffsetsWritten& effect, ErrorCode error);
  void OnFailed(Step& step, GroupCreated& effect, ErrorCode error);
  void OnFailed(Step& step, GroupConverted& effect, ErrorCode error);
  void OnFailed(Step& step, GroupWritten& effect, ErrorCode error);
  void OnFailed(Step& step, AssignmentWritten& effect, ErrorCode error);
  void OnFailed(Step& step, StaticRejoinWritten& effect, ErrorCode error);
  void OnFailed(Step& step, GroupDeleted& effect, ErrorCode error);
  void OnFailed(Step& step, ConsumerGroupWritten& effect, ErrorCode error);
  void OnFailed(Step& step, ReplyWhenWritten& effect, ErrorCode error);
  void OnFailed(Step& step, FetchWhenWritten& effect, ErrorCode error);

  // ── replay.cc ──
  Status Replay(ByteView key, std::optional<ByteView> value, const RecordOrigin& origin);
  void ReplayEndOfTransaction(ProducerId producer_id, bool committed, int64_t offset);
  Status ReplayOffset(const OffsetKey& key, std::optional<ByteView> value, const RecordOrigin& origin);
  ConsumerGroup& ConsumerOrReplay(std::string_view group_id);
  Status ReplayGroup(const ClassicGroupKey& key, std::optional<ByteView> value);
  void ReplayOther(const OtherGroupKey& key, ByteView key_bytes, bool tombstone);
  Group& FindOrReplay(std::string_view group_id);

  // ── join.cc ──
  void Join(Step& step, Ticket ticket, JoinGroupRequest request);
  std::optional<ErrorCode> RefuseJoin(const JoinGroupRequest& request) const;
  Group* GroupToJoin(Step& step, const JoinGroupRequest& request, ErrorCode& error);
  size_t BytesOfMember(const std::string& group_id, const std::string& member_id,
                       const std::optional<std::string>& instance_id) const;
  bool HasRoomForGroup(std::string_view group_id) const;
  bool HasRoom(Group& group, std::string_view member_id);
  void JoinUnknown(Step& step, Group& group, Ticket ticket, JoinGroupRequest request);
  void JoinKnown(Step& step, Group& group, Ticket ticket, JoinGroupRequest request);
  void GiveMemberId(Step& step, Group& group, Ticket ticket, const JoinGroupRequest& request, std::string member_id);
  void AddMember(Step& step, Group& group, Ticket ticket, JoinGroupRequest request, std::string member_id);
  void UpdateMember(Step& step, Group& group, Member& member, Ticket ticket, JoinGroupRequest request);
  void RejoinStatic(Step& step, Group& group, Ticket ticket, JoinGroupRequest request, std::string new_member_id);
  void RejoinStableStatic(Step& step, Group& group, Member& member, StaticRejoinWritten undo);
  void AnswerCurrentGeneration(Step& step, Group& group, const Member& member, Ticket ticket);
  JoinGroupResponse CurrentGeneration(const Group& group, const std::string& member_id) const;
  std::optional<ErrorCode> CheckMember(Group& group, const std::string& member_id,
                                       const std::optional<std::string>& group_instance_id) const;
  void Park(Step& step, Group& group, Member& member, Ticket ticket);
  void AnswerJoin(Step& step, Group& group, Member& member, JoinGroupResponse response);
  void RebalanceOrCompleteJoin(Step& step, Group& group);
  void PrepareRebalance(Step& step, Group& group);
  void CompleteJoinIfAllJoined(Step& step, Group& group);
  void JoinTimerFired(Step& step, Group& group);
  void CompleteJoin(Step& step, Group& group);
  void RemoveAbsentMembers(Step& step, Group& group);
  void StartGeneration(Step& step, Group& group);
  void BecomeEmpty(Step& step, Group& group);
  std::string NewMemberId(const JoinGroupRequest& request);

  // ── sync.cc ──
  void Sync(Step& step, Ticket ticket, SyncGroupRequest request);
  std::optional<ErrorCode> RefuseSync(Group& group, const SyncGroupRequest& request) const;
  std::optional<ErrorCode> RefuseAssignments(const Group& group, const SyncGroupRequest& request) const;
  void SyncCompleting(Step& step, Group& group, Member& member, Ticket ticket, SyncGroupRequest request);
  void SyncStable(Step& step, Group& group, Member& member, Ticket ticket);
  void WriteAssignment(Step& step, Group& group, std::vector<MemberAssignment> assignments);
  void HandOutAssignment(Step& step, Group& group, AssignmentWritten& written);
  void DropAssignment(Step& step, Group& group, ErrorCode error);
  void AnswerSync(Step& step, Member& member, SyncGroupResponse response);
  void NoLongerPendingSync(Group& group, std::string_view member_id);
  void SyncTimerFired(Step& step, Group& group);
  void Beat(Step& step, Ticket ticket, const HeartbeatRequest& request);
  ErrorCode Beat(Group* group, const HeartbeatRequest& request, Now now);
  void Leave(Step& step, Ticket ticket, const LeaveGroupRequest& request);
  ErrorCode LeaveOne(Step& step, Group& group, const LeaveGroupRequest::Member& leaving);
  void SessionTimerFired(Step& step, Group& group, Member& member);
  void PendingMemberTimerFired(Step& step, Group& group, const std::string& member_id);
  // Answers what the member waits for, and removes it.
  void Evict(Step& step, Group& group, Member& member);
  void RestartSession(Group& group, Member& member, Now now);

  // ── offsets_page.cc ──
  OffsetsPage OffsetsAfter(const OffsetsPlace& after, size_t most) const;

  // ── offsets.cc ──
  void Commit(Step& step, Ticket ticket, OffsetCommitRequest request);
  Group* GroupToCommitTo(const OffsetCommitRequest& request, Now now, ErrorCode& error);
  std::optional<ErrorCode> RefuseCommit(Group& group, const OffsetCommitRequest& request) const;
  std::optional<ErrorCode> RefuseConsumerCommit(const ConsumerGroup& consumer,
                                                const OffsetCommitRequest& request) const;
  ErrorCode RefuseFetch(const Group& group, const OffsetFetchRequest& request) const;
  void Fetch(Step& step, Ticket ticket, OffsetFetchRequest request);
  OffsetFetchResponse FetchCommitted(const OffsetFetchRequest& request) const;
  void DeleteOffsets(Step& step, Ticket ticket, const OffsetDeleteRequest& request);
  // Notes the changes as being written. They must be among the step's records.
  void WriteOffsets(Step& step, Group& group, std::vector<OffsetChange> changes);
  void WriteTombstone(Step& step, const Group& group, const std::string& topic, int32_t partition,
                      std::vector<OffsetChange>& changes);
  static size_t BytesOfGroup(std::string_view group_id);
  bool HasRoomForOffsets(const Group* group, const OffsetCommitRequest& request) const;
  void ForgetOffsets(Group& group);
  OffsetCell& CellOf(Group& group, const std::string& topic, int32_t partition);
  void ApplyOffset(Group& group, OffsetChange& change, int64_t record_offset);
  void DropCellIfUnused(Group& group, const std::string& topic, int32_t partition);
  void ForgetTransactionalChanges(const std::string& group_id, const std::string& topic, int32_t partition);
  // Expiry. See offsets.cc for when what expires.
  void ArmCleanup(Group& group, Now now);
  void ArmCleanupFor(Group& group, const CommittedOffset& offset, Now now);
  void ArmCleanupAt(Group& group, int64_t wall_ms, Now now);
  void CleanupTimerFired(Step& step, Group& group);
  struct Expired {
    bool all = true;    // nothing is left that has not expired
    bool more = false;  // a write is full; call again
  };
  Expired ExpireOffsets(Step& step, Group& group);
  int64_t ExpiryWallMs(const Group& group, const CommittedOffset& offset) const;
  bool MayExpire(const Group& group) const;
  // False: so much has to go before that this is only a part of it.
  bool WriteGroupDeletion(Step& step, Group& group);
  std::optional<int64_t> NextExpiryWallMs(const Group& group, Now now) const;
  void TopicsDeleted(Step& step, std::vector<DeletedTopic> topics);
  void Sweep(Step& step);
  void SweepGroup(Step& step, Group& group);

  // ── consumer.cc: ConsumerGroupHeartbeat ──
  // A consumer group that a request is about. Fresh: not yet in groups_, or still classic there.
  struct ConsumerFound {
    Group* group = nullptr;
    std::unique_ptr<ConsumerGroup> fresh;
    ConsumerGroup& consumer() const { return fresh != nullptr ? *fresh : *group->consumer; }
  };
  void ConsumerHeartbeat(Step& step, Ticket ticket, ConsumerGroupHeartbeatRequest request);
  MaybeRefused FindConsumerGroup(const ConsumerGroupHeartbeatRequest& request, ConsumerFound& found);
  MaybeRefused RefuseBeat(ConsumerGroup& consumer, const ConsumerGroupHeartbeatRequest& request) const;
  MaybeRefused RefuseBytes(const ConsumerGroupHeartbeatRequest& request) const;
  // Of a member (null: a new one) that brings something.
  MaybeRefused RefuseGrowth(const ConsumerGroup& consumer, const ConsumerMember* member,
                            const ConsumerGroupHeartbeatRequest& request) const;
  MaybeRefused RefuseRegex(const ConsumerGroup& consumer, const ConsumerMember* member,
                           const ConsumerGroupHeartbeatRequest& request) const;
  // Makes the group a consumer group, with the records that say so.
  void Install(Step& step, Group& group, std::unique_ptr<ConsumerGroup> consumer);
  ConsumerGroupHeartbeatResponse Beat(Step& step, Group& group, const ConsumerGroupHeartbeatRequest& request);
  void ReplaceMember(Step& step, Group& group, const std::string& old_id, const std::string& new_id);
  void RestartConsumerSession(Group& group, ConsumerMember& member, Now now);
  void ArmConsumerSession(Group& group, ConsumerMember& member, int64_t timeout_ms, Now now);
  void StartRebalanceTimer(Group& group, ConsumerMember& member, Now now);
  void StartConsumerTimers(Group& group, Now now);
  void ConsumerLeave(Step& step, Ticket ticket, const ConsumerGroupHeartbeatRequest& request);
  void LeaveForAWhile(Step& step, Group& group, const ConsumerMember& member);
  // They are no longer in the group.
  void FenceMembers(Step& step, Group& group, const std::vector<std::string>& member_ids);
  void ConsumerTimerFired(Step& step, Group& group, const ConsumerMember& member, TimerTarget::Kind kind);

  // ── mixed.cc: groups that move between the classic protocol and the consumer protocol ──
  // What a classic group becomes when someone joins it with the consumer protocol.
  MaybeRefused Upgraded(const Group& group, std::unique_ptr<ConsumerGroup>& upgraded);
  void AddUpgraded(ConsumerGroup& consumer, int32_t generation_id, const Member& member,
                   const EmbeddedSubscription& subscription, const EmbeddedAssignment& assignment) const;
  // Of an upgrade that was not written: the classic group is back, and rebalances.
  void TakeBackUpgrade(Step& step, Group& group);
  bool DowngradesWithout(const ConsumerGroup& consumer, const std::vector<std::string>& leaving) const;
  bool DowngradesInsteadOf(const ConsumerGroup& consumer, const ConsumerMember& replaced) const;
  // Makes the group a classic one of this generation, with the records that say so.
  void Downgrade(Step& step, Group& group, const std::vector<std::string>& leaving, int32_t generation_id,
                 bool rebalance);
  void BecomeClassic(Step& step, Group& group, const std::vector<std::string>& leaving, int32_t generation_id);
  static Member ClassicOf(const ConsumerMemberFacts& member);
  // What classic members ask of a consumer group.
  void MixedJoin(Step& step, Group& group, Ticket ticket, JoinGroupRequest request);
  std::optional<ErrorCode> RefuseMixedJoin(ConsumerGroup& consumer, const JoinGroupRequest& request,
                                           std::optional<EmbeddedSubscription>& subscription) const;
  JoinGroupResponse MixedJoinAccepted(Step& step, Group& group, const JoinGroupRequest& request,
                                      const EmbeddedSubscription& subscription);
  static ConsumerMemberFacts MixedFacts(ConsumerMemberFacts member, const JoinGroupRequest& request,
                                        const EmbeddedSubscription& subscription);
  void MixedSync(Step& step, Group& group, Ticket ticket, const SyncGroupRequest& request);
  ErrorCode MixedBeat(Group& group, const HeartbeatRequest& request, Now now);
  void MixedLeave(Step& step, Group& group, Ticket ticket, const LeaveGroupRequest& request);
  // If it does not run.
  void StartJoinTimer(Group& group, ConsumerMember& member, Now now);
  void StartSyncTimer(Group& group, ConsumerMember& member, Now now);

  // ── consumer_target.cc: from subscriptions to what each member has ──
  // Brings a member's subscription from `before` to `after`, with the records that say so, and the group's epoch with
  // it. Whether what it is subscribed to has changed.
  bool Subscribe(Step& step, Group& group, const ConsumerMemberFacts& before, const ConsumerMemberFacts& after);
  void BumpEpoch(Step& step, Group& group, int64_t metadata_hash);
  void AssignIfDue(Step& step, Group& group);
  void ReconcileMember(Step& step, Group& group, const std::string& member_id, bool subscription_changed,
                       const std::optional<std::vector<PartitionId>>& owned);
  // Where topics that the group is interested in stand; also notes that they were looked at.
  int64_t MetadataHashOf(ConsumerGroup& consumer);
  // As of the last TopicsChanged. nullopt: there is none.
  std::optional<KnownTopic> TopicNamed(std::string_view name);
  bool IsSubscribed(const ConsumerGroup& consumer, const ConsumerMemberFacts& member, const Uuid& topic_id) const;
  void TopicsChanged(const std::vector<std::string>& names, bool any_created);

  // ── consumer_regexes.cc ──
  // Of the group, when someone has left an expression.
  void DropRegexIfUnused(Step& step, Group& group, const std::string& regex);
  // Sets regex_timer when it is time to resolve the group's expressions. is_new: there is one that nobody had before.
  void ResolveRegexesIfDue(Group& group, bool is_new, Now now);
  void ResolveRegexes(Step& step, Group& group);
  void BeginRegexRun(ConsumerGroup& consumer, Now now);
  size_t MatchSome(RegexRun& run, size_t most);
  // Whether all are resolved now.
  bool ResolveSome(Step& step, Group& group, RegexRun& run);
  bool TakeResolved(Step& step, Group& group, RegexRun& run);
  bool HasStrayTarget(const ConsumerGroup& consumer, std::string_view regex) const;

  // ── consumer_writes.cc ──
  // What every change of a consumer group goes through: `change` writes what it changes, and behind what the log lacks.
  template <typename Changing>
  void Change(Step& step, Group& group, Changing change) {
    const size_t first = step.out.records.size();
    MendLog(step, group);
    change();
    NoteWritten(step, group, first);
  }
  // … and `change` returns what is answered when it is committed.
  template <typename Changing>
  void Change(Step& step, Group& group, Ticket ticket, Changing change) {
    Response response;
    Change(step, group, [&] { response = change(); });
    AnswerWhenCommitted(step, group, ticket, std::move(response));
  }
  // Whether a write has failed and the log has to be written anew before anything else; then the step does that. As
  // long as it fails nobody joins, and nobody is taken further: whoever was not told how far would be fenced when that
  // happened twice.
  bool MendedFirst(Step& step, Group& group);
  // Writes what the log lacks, if anything.
  void Mend(Step& step, Group& group) {
    Change(step, group, [] {});
  }
  // Whether the group can be written anew, in one write as it must, when it grows by `more` bytes.
  bool FitsInAWrite(std::string_view group_id, const ConsumerGroup& consumer, size_t more) const;
  // What the step has written of the group from record `first` on is noted as being written.
  void NoteWritten(Step& step, Group& group, size_t first);
  // The whole group, where a write of it has failed before: a consumer group, or a classic one that was a consumer
  // group. Change notes it as written.
  void MendLog(Step& step, Group& group);
  static void WriteTombstones(Step& step, const std::set<std::string>& keys);
  void WriteLostTombstones(Step& step, Group& group, size_t most);
  static void LoseTombstones(Group& group, const std::set<std::string>& keys);
  void WriteWholeGroup(Step& step, const Group& group);
  void WriteMemberTombstones(Step& step, const Group& group, const std::string& member_id);
  void WriteConsumerTombstones(Step& step, const Group& group);
  // When everything of the group that the answer depends on is committed.
  void AnswerWhenCommitted(Step& step, const Group& group, Ticket ticket, Response response);
  Status ReplayConsumer(const ConsumerRecordKey& key, std::optional<ByteView> value);

  // ── admin.cc ──
  ConsumerGroupDescribeResponse ConsumerGroupDescribe(const ConsumerGroupDescribeRequest& request) const;
  void Delete(Step& step, Ticket ticket, const DeleteGroupsRequest& request);
  ErrorCode DeleteOne(Step& step, std::string_view group_id);
  ListGroupsResponse ListGroups(const ListGroupsRequest& request) const;
  DescribeGroupsResponse DescribeGroups(const DescribeGroupsRequest& request) const;
  DescribeGroupsResponse::Group Describe(const std::string& group_id, int16_t version) const;
  void WriteOtherTombstones(Step& step, Group& group);

  const GroupConfig config_;
  Random& random_;
  const Surroundings& surroundings_;
  // These two outlive groups_, whose members hold timers and are counted.
  Timers timers_;
  size_t member_bytes_ = 0;  // of all members, as Member::bytes and ConsumerMemberFacts::bytes count
  Groups groups_;
  std::deque<Write> writes_;
  size_t timed_out_writes_ = 0;  // the first so many of writes_ have been answered already
  WriteId last_write_id_ = 0;
  uint64_t last_incarnation_ = 0;
  size_t offset_count_ = 0;
  size_t offset_bytes_ = 0;                  // of all groups: their ids, and their offsets
  std::array<size_t, 5> groups_in_state_{};  // classic groups
  bool loaded_ = false;
  std::optional<ErrorCode> unloaded_;  // with this error: nothing is served any more
  int64_t committing_offset_ = -1;     // of the write whose effects are being applied
  Now last_now_;

  // Of what a member of a consumer group brings along: it goes into one record, which is to fit max.message.bytes. Were
  // it refused by the log, the group could not be written anew either as long as the member is in it.
  static constexpr size_t kMostConsumerMemberBytes = 512 << 10;
  static constexpr size_t kMostRegexes = 100;  // of one group
  static constexpr size_t kMostKnownTopics = 100'000;
  uint64_t changed_topics_ = 0;     // how often topics have changed
  int64_t new_topics_version_ = 0;  // of the metadata, when topics were last created
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  std::unordered_map<std::string, KnownTopic, NameHash, std::equal_to<>> known_topics_;  // as far as they were needed
  std::weak_ptr<const TopicNames> topic_names_;  // of the latest run that resolves expressions …
  int64_t topic_names_version_ = 0;              // … and the version of the metadata

  // Offsets of transactions that have not ended, by producer.
  struct TransactionalChange {
    std::string group_id;
    OffsetChange change;
    int64_t record_offset = 0;
  };
  std::unordered_map<int64_t, std::vector<TransactionalChange>> open_transactions_;

  // Topics whose offsets are being removed: a walk over the groups, resumed behind sweep_after_.
  std::vector<DeletedTopic> deleted_topics_;
  std::vector<DeletedTopic> deleted_topics_next_;  // came during a walk: for the next one
  std::optional<std::string> sweep_after_;
  Timers::Timer sweep_timer_;
};

// The same kind of answer, saying `error`.
Response WithError(Response response, ErrorCode error);

}  // namespace kb::group

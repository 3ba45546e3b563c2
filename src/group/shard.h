// GroupShard: the groups of one partition of __consumer_offsets, and their offsets. A pure state machine:
// (request, now) → (records to append, answers), and Replay(record). It does no I/O and knows no clock, thread or log.
//
//   runtime                                   shard
//   ───────                                   ─────
//   partition becomes leader
//   each record of the log, in order      →   Replay, ReplayEndOfTransaction
//   end of the log                        →   Loaded                      → Outcome
//   request                               →   JoinGroup, OffsetCommit, …  → Outcome
//     sends outcome.replies
//     appends outcome.records as one batch
//       appended at offsets [base, …)     →   Appended(write_id, base)
//       not appended                      →   Failed(write_id, error)     → Outcome (answers only)
//   high watermark moved                  →   Committed(high_watermark)   → Outcome
//   NextDeadlineMs() has come             →   Expire(now)                 → Outcome
//   partition no longer ours              →   Unload(error)               → answers to everyone who waits
//
// Writing. Every Outcome with a write_id must be settled once, in the order of the ids, by Appended or Failed, before
// the next Committed or Expire. Requests may come in between, so a runtime may gather the records of several Outcomes
// into one batch. When an append fails, every write that is not settled by then fails, in the order of the ids: each
// was made by a memory that the lost records were part of. So the latest write is committed only if all before it are,
// and an answer that depends on any of them may wait for the latest. The answers that depend on a write are kept here
// and come out of Committed, or as errors out of Failed, or (COORDINATOR_NOT_AVAILABLE) out of Expire when the write is
// not committed within offsets.commit.timeout.ms. They are never in the Outcome that carries the records.
//
// What is visible when. Offsets become visible to OffsetFetch when their record is committed; OffsetFetch with
// require_stable waits for the offsets of its group that are not committed yet. A group becomes visible to ListGroups
// and DescribeGroups when its first record is committed. Members, timers and states that are in no record live in
// memory only and change at once; the records say as much as Apache Kafka's do:
//   * a new group        its (empty) record is written at the first JoinGroup; not appended: the group is gone again
//   and
//                        everyone in it gets the error
//   * SyncGroup          the group turns Stable, and assignments are handed out, when the record is committed; not
//                        appended: all who wait get the error and the group rebalances
//   * static rejoin      (a known group.instance.id in a Stable group) the new member id counts at once, is answered
//   when
//                        committed; not appended: the old member id is back
//   * group turned Empty counts at once; not appended: a replay may bring back the previous generation, whose members
//                        then expire
//   * group deleted      Dead from the request on (others get COORDINATOR_NOT_AVAILABLE), gone when committed; not
//                        appended: alive again
// So a failed append needs no reload, and a client that makes appends fail (a record too large) disturbs only its
// group.
//
//   * consumer groups    everything counts at once, and whatever depends on it is answered when it is committed; not
//                        appended: memory is ahead of the log, and the next request writes the whole group anew
//   * upgrade            (a classic group becomes a consumer group) counts at once; not appended: it is a classic group
//                        again and rebalances, unless something that was written after it was
//   * downgrade          (and back) counts at once; not appended: it stays classic, and the next request writes it,
//   with
//                        the tombstones of the consumer group
//
// Groups of the other types (share, streams) that Apache Kafka left in the log are kept: their ids, types and the keys
// of their records, their offsets fully. They are listed and their offsets are served, and they are not touched
// otherwise. An empty group of one type makes place for one of another, as in Apache Kafka.
//
// Semantics: Apache Kafka 4.3's classic groups (GroupMetadataManager, ClassicGroup, OffsetMetadataManager); KIP-62,
// KIP-848 (consumer groups), KIP-134 (initial rebalance delay), KIP-211 (offset expiry), KIP-345 (static members),
// KIP-394 (member id required), KIP-447 (require stable), KIP-559 (protocol in SyncGroup), KIP-814 (skip assignment),
// KIP-848's OffsetFetch fields.
//
// Timers are a heap with lazy deletion, touched neither by heartbeats nor by commits; nothing here walks over all
// groups except ListGroups, and the removal of a topic's offsets, in bounded steps.
//
// Reactor-affine: lives on the home reactor of its partition.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "group/config.h"
#include "group/offsets_page.h"
#include "group/outcome.h"
#include "group/requests.h"
#include "group/responses.h"
#include "group/surroundings.h"
#include "model/ids.h"

namespace kb::group {

// Where a replayed record comes from.
struct RecordOrigin {
  int64_t offset = 0;
  ProducerId producer_id = kNoProducerId;  // of its batch
  bool transactional = false;              // of its batch: counts only when the transaction is committed
};

// A topic that was deleted. With an id, offsets committed under another id (a topic of the same name made since) stay.
struct DeletedTopic {
  std::string name;
  Uuid topic_id;
};

// How many groups a shard has, by state: for metrics.
struct GroupCounts {
  size_t preparing_rebalance = 0;
  size_t completing_rebalance = 0;
  size_t stable = 0;
  size_t empty = 0;
  size_t dead = 0;
  size_t other_types = 0;
  size_t offsets = 0;
};

class GroupShard {
 public:
  // random makes member ids; it and the surroundings outlive the shard.
  GroupShard(const GroupConfig& config, Random& random, const Surroundings& surroundings);
  ~GroupShard();
  GroupShard(const GroupShard&) = delete;
  GroupShard& operator=(const GroupShard&) = delete;

  // ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────
  // Records in the order of the log, control batches left out. Not ok: the record is none that Apache Kafka 4.3 could
  // read (an unknown record type is read past, as there: a newer broker may have written it). The caller then decides
  // whether the shard is refused; the shard has taken nothing from that record.
  Status Replay(ByteView key, std::optional<ByteView> value, const RecordOrigin& origin);
  // A transaction marker (control batch) of a producer, at its offset in the log. Also after Loaded, when the
  // transaction coordinator completes one.
  void ReplayEndOfTransaction(ProducerId producer_id, bool committed, int64_t offset);
  // The log has been read to its end: timers start. Before this no request may come.
  Outcome Loaded(Now now);

  // ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────
  // The ticket's reply is in this Outcome or in a later one.
  Outcome JoinGroup(Ticket ticket, JoinGroupRequest request, Now now);
  Outcome SyncGroup(Ticket ticket, SyncGroupRequest request, Now now);
  Outcome Heartbeat(Ticket ticket, const HeartbeatRequest& request, Now now);
  Outcome LeaveGroup(Ticket ticket, const LeaveGroupRequest& request, Now now);
  Outcome OffsetCommit(Ticket ticket, OffsetCommitRequest request, Now now);
  Outcome OffsetFetch(Ticket ticket, OffsetFetchRequest request, Now now);
  Outcome OffsetDelete(Ticket ticket, const OffsetDeleteRequest& request, Now now);
  Outcome DeleteGroups(Ticket ticket, const DeleteGroupsRequest& request, Now now);
  Outcome ConsumerGroupHeartbeat(Ticket ticket, ConsumerGroupHeartbeatRequest request, Now now);
  // Committed state, of consumer groups the state as it is; no ticket, as there is nothing to wait for.
  ListGroupsResponse ListGroups(const ListGroupsRequest& request) const;
  DescribeGroupsResponse DescribeGroups(const DescribeGroupsRequest& request) const;
  ConsumerGroupDescribeResponse ConsumerGroupDescribe(const ConsumerGroupDescribeRequest& request) const;

  // The committed offsets behind `after`, in order, of groups of every type: a page that looked at `most` (> 0)
  // partitions and groups, whether they have any or not.
  OffsetsPage OffsetsAfter(const OffsetsPlace& after, size_t most) const;

  // Topics are gone: their offsets go too, in steps of at most kMostRecordsPerWrite records, the first in this Outcome
  // and the others as timers that are due at once.
  Outcome TopicsDeleted(std::vector<DeletedTopic> topics, Now now);

  // Topics have come (any_created), gone or changed their partitions; the surroundings show them already. Groups look
  // at it with their next heartbeat.
  void TopicsChanged(const std::vector<std::string>& names, bool any_created);

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────
  void Appended(WriteId write_id, int64_t base_offset);
  // log_error: what the partition said (NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, MESSAGE_TOO_LARGE,
  // KAFKA_STORAGE_ERROR, …); clients get what Apache Kafka makes of it. The Outcome may hold records of its own.
  Outcome Failed(WriteId write_id, ErrorCode log_error, Now now);
  // Every record below high_watermark is committed.
  Outcome Committed(int64_t high_watermark, Now now);

  // ── Timers ───────────────────────────────────────────────────────────────────────────────────────────────────────
  // When Expire wants to be called next, in the monotonic milliseconds of Now; in the past when it should be at once.
  std::optional<int64_t> NextDeadlineMs() const;
  // False: NextDeadlineMs() is not before `ms`. Costs next to nothing, and is true more often than it need be.
  bool MayBeDueBefore(int64_t ms) const;
  // Does what is due, a bounded amount of it: call again while NextDeadlineMs() is not after now.
  Outcome Expire(Now now);

  // ── Leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────
  // Answers everyone who waits with `error` (NOT_COORDINATOR) and forgets everything. Whatever is asked afterwards gets
  // the same answer, and an append that was under way may still be settled, to no effect.
  std::vector<Reply> Unload(ErrorCode error);

  GroupCounts counts() const;

  // At most this many tombstones in one write: with ids of 100 bytes about 256 KiB, well below max.message.bytes.
  static constexpr size_t kMostRecordsPerWrite = 1'000;

 private:
  friend class ShardInspector;  // tests: compares the durable state of two shards
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What clients are told when a write to __consumer_offsets fails with log_error.
ErrorCode ErrorOfFailedWrite(ErrorCode log_error);

// A response of the right kind saying `error`: what a runtime answers when it has no shard (or no
// loaded one) to ask. Names and ids that a client looks for in an answer come from the request.
ConsumerGroupHeartbeatResponse ErrorResponse(const ConsumerGroupHeartbeatRequest& request, ErrorCode error);
ConsumerGroupDescribeResponse ErrorResponse(const ConsumerGroupDescribeRequest& request, ErrorCode error);
JoinGroupResponse ErrorResponse(const JoinGroupRequest& request, ErrorCode error);
SyncGroupResponse ErrorResponse(const SyncGroupRequest& request, ErrorCode error);
HeartbeatResponse ErrorResponse(const HeartbeatRequest& request, ErrorCode error);
LeaveGroupResponse ErrorResponse(const LeaveGroupRequest& request, ErrorCode error);
OffsetCommitResponse ErrorResponse(const OffsetCommitRequest& request, ErrorCode error);
OffsetFetchResponse ErrorResponse(const OffsetFetchRequest& request, ErrorCode error);
OffsetDeleteResponse ErrorResponse(const OffsetDeleteRequest& request, ErrorCode error);
DescribeGroupsResponse ErrorResponse(const DescribeGroupsRequest& request, ErrorCode error);
DeleteGroupsResponse ErrorResponse(const DeleteGroupsRequest& request, ErrorCode error);

}  // namespace kb::group

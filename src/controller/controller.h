// Controller: decides what goes into the metadata log, and knows what is in it.
//
//   request ─ decision over working() ─ records ─┬─ replayed onto working() at once: the next decision sees them
//                                                └─ pending ─ TakeAppend() ─ [write + fdatasync elsewhere] ─ Commit()
//                                                                                                │
//                                      published() and the changes, for the reactors ────────────┘
//
// Two images: working() has everything decided; published() only what is on the disk. A response is given when
// everything it depends on is committed: each decision says up to which offset (`answer_after`).
//
// At most one append is under way. What is decided meanwhile goes into one batch together, and into one fdatasync: a
// group commit; so what a crash can tear is a single batch at the end of the log.
//
// Reactor-affine, does no I/O and never waits. When an append fails for lack of room, Abandon() takes back everything
// that is not on the disk; when it fails otherwise, nobody knows what is there, and the process ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log_sink.h"
#include "base/random.h"
#include "base/result.h"
#include "controller/broker_decisions.h"
#include "controller/config_decisions.h"
#include "controller/metadata_log.h"
#include "controller/replica_decisions.h"
#include "controller/topic_decisions.h"
#include "controller/topic_rules.h"
#include "metadata/builder.h"
#include "metadata/image.h"
#include "metadata/snapshot.h"

namespace kb::controller {

template <typename Response>
struct Decided {
  Response response;
  // Answer when this offset is committed (Commit returns it or more). kNoOffset: at once.
  Offset answer_after = kNoOffset;
};

// The answer to a request whose errors only its handler can place. error: nothing of it has happened.
template <typename Response>
struct Outcome {
  Response response;
  ErrorCode error = ErrorCode::kNone;
  std::string_view error_message = {};
};

class Controller {
 public:
  struct Options {
    NodeIdentity node;
    std::string cluster_id;
    int min_insync_replicas = 1;  // the node's configuration, for the bootstrap of a new cluster
    uint64_t bytes_between_snapshots = 20ull << 20;
  };

  // rules, clock, random and log outlive this.
  Controller(Options options, LoadedMetadata loaded, const TopicRules& rules, const Clock& clock, Random& random,
             LogSink& log);
  ~Controller();

  // --- Life of the node. Each makes records pending.

  // Takes over in `epoch` (MetadataLog::Begin): LeaderChange, the bootstrap records where the log is fresh, the
  // registrations of this node, unfenced, and the leadership of every partition that it may lead.
  void Start(LeaderEpoch epoch);

  // Gives leadership up and fences this node, the way Apache Kafka stops. What is asked afterwards is answered with
  // NOT_CONTROLLER.
  void Stop();

  // --- Requests, after Start. Each is decided now. quota: of the client, if he has one.

  Decided<message::CreateTopicsResponse> CreateTopics(const message::CreateTopicsRequest& request, int16_t version,
                                                      Arena& arena, MutationQuota* quota = nullptr);
  Decided<message::DeleteTopicsResponse> DeleteTopics(const message::DeleteTopicsRequest& request, int16_t version,
                                                      Arena& arena, MutationQuota* quota = nullptr);
  Decided<message::CreatePartitionsResponse> CreatePartitions(const message::CreatePartitionsRequest& request,
                                                              int16_t version, Arena& arena,
                                                              MutationQuota* quota = nullptr);
  Decided<message::ElectLeadersResponse> ElectLeaders(const message::ElectLeadersRequest& request, Arena& arena);
  Decided<message::AlterPartitionReassignmentsResponse> AlterPartitionReassignments(
      const message::AlterPartitionReassignmentsRequest& request, Arena& arena);
  // Records where replicas of this node lie. Returns what to wait for. After Stop nothing happens.
  Offset AssignDirectories(const std::vector<std::pair<PartitionId, Uuid>>& places);
  // Replicas are placed in other directories of this node, if there are any. After Stop nothing happens.
  void CordonDirectories(const std::vector<Uuid>& directories);
  Decided<ProducerIdBlock> AllocateProducerIds(BrokerId broker, BrokerEpoch broker_epoch);

  // rules: only during the call. at_controller: asked on a controller's listener.
  Decided<message::AlterConfigsResponse> AlterConfigs(const message::AlterConfigsRequest& request,
                                                      const ConfigRules& rules, bool at_controller, Arena& arena);
  Decided<message::IncrementalAlterConfigsResponse> IncrementalAlterConfigs(
      const message::IncrementalAlterConfigsRequest& request, const ConfigRules& rules, bool at_controller,
      Arena& arena);

  // Any other decision: decide(records) reads working() and returns the response.
  template <typename Response, typename Decision>
  Decided<Outcome<Response>> Decide(const Decision& decide) {
    metadata::RecordList records;
    Response response = decide(records);
    if (stopped_) return {{response, ErrorCode::kNotController, "this node is shutting down"}};
    return {{response}, Propose(records)};
  }

  // Any records that a decision elsewhere has made. Returns what to wait for. Not after Stop.
  Offset Write(const metadata::RecordList& records);

  // --- The way to the disk.

  struct Append {
    Offset base_offset;
    Offset last_offset;
    std::vector<uint8_t> batch;  // for MetadataLog::Append
  };
  // The next batch; nullopt when nothing is pending, or while an append is under way.
  std::optional<Append> TakeAppend();
  bool has_pending() const;

  struct Committed {
    Offset last_offset;  // everything up to here is on the disk; answer who waited for it
    metadata::ImagePtr old_image;
    metadata::ImagePtr new_image;    // published() from now on
    metadata::ImageChanges changes;  // from old to new
  };
  // The append that was taken is on the disk.
  Committed Commit();
  // Nothing of the append that was taken is on the disk, nor will be: it and all that was decided since have not
  // happened, and who waits for an offset above the last commit is refused (RefuseAll). Offsets are given anew.
  void Abandon();

  // --- Snapshots.

  // An image to write as a snapshot now, or null: the log has grown by bytes_between_snapshots since the last. Asked
  // after a Commit; answers once per growth.
  metadata::ImagePtr TakeSnapshotDue();
  const metadata::QuorumControl& quorum() const { return quorum_; }

  // --- What is known.

  const metadata::ImagePtr& published() const { return published_; }
  const metadata::MetadataImage& working() const { return builder_->current(); }
  BrokerId node_id() const { return options_.node.node_id; }
  const NodeIdentity& node() const { return options_.node; }
  int min_insync_replicas() const { return options_.min_insync_replicas; }
  Random& random() { return random_; }
  // One beyond the last offset that is on the disk: the high watermark of the metadata log.
  Offset committed_end() const { return committed_ + 1; }
  const std::string& cluster_id() const { return options_.cluster_id; }
  LeaderEpoch epoch() const { return epoch_; }
  bool stopped() const { return stopped_; }
  BrokerEpoch broker_epoch() const { return broker_epoch_; }

 private:
  struct Entry;
  struct Queue;

  // The batch at the end of the queue, begun anew.
  Entry& NewEntry();
  void CloseLast();
  void ReplayNext(Entry& entry, ByteView record);
  // Replays the records onto working() and makes them pending, all in one batch. Returns what to wait for.
  Offset Propose(const metadata::RecordList& records);
  // Likewise where records need not take effect together.
  Offset ProposeInParts(const metadata::RecordList& records);
  void ProposeLeaderChange();
  void ProposeAbort();
  // For a decision that wrote nothing and may have seen what is not on the disk yet.
  Offset WaitForAll() const;
  TopicDecisionContext ContextFor(Arena& arena, MutationQuota* quota);

  const Options options_;
  const TopicRules& rules_;
  const Clock& clock_;
  Random& random_;
  LogSink& log_;

  std::unique_ptr<metadata::ImageBuilder> builder_;  // never null
  metadata::ImagePtr published_;
  metadata::QuorumControl quorum_;
  metadata::RecordList bootstrap_;
  const bool is_fresh_;
  const bool aborts_transaction_;

  LeaderEpoch epoch_{0};  // 0: not started
  BrokerEpoch broker_epoch_{-1};
  Offset next_offset_;  // of the next record decided
  Offset committed_;    // last offset on the disk
  std::unique_ptr<Queue> queue_;
  uint64_t bytes_since_snapshot_;
  bool stopped_ = false;
};

// The answer to a request whose decision could not be written: `error` in all of its results. The message outlives the
// encoding.
void RefuseAll(ErrorCode error, std::string_view message, message::CreateTopicsResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, message::DeleteTopicsResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, message::CreatePartitionsResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, message::ElectLeadersResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, message::AlterPartitionReassignmentsResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, ProducerIdBlock& block);
template <typename Response>
void RefuseAll(ErrorCode error, std::string_view message, Outcome<Response>& outcome) {
  outcome.error = error;
  outcome.error_message = message;
}

// Writes everything pending and waits for the disk: at start and at stop, where nobody needs to be told of changes.
Status Drain(Controller& controller, MetadataLog& log);

}  // namespace kb::controller

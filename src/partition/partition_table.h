// PartitionTable: the partitions of one reactor, and what a request needs of several of them at once.
//
// A partition's home is a function of its id and the number of reactors (HomeOf), the same on every reactor; it is not
// written anywhere, so the number may change at every start.
//
// A partition is here from the moment the broker decides to have it: opening (recovery runs on the disk pool; requests
// for it wait), open, or failed (requests are answered with KAFKA_STORAGE_ERROR). Reactor-affine.
#pragma once

#include <cstdint>
#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "partition/future_replica.h"
#include "partition/partition.h"
#include "partition/replica_moves.h"

namespace kb::partition {

// Which of `reactors` is home to a partition. The partitions of one topic go round, from a place that its id decides.
inline size_t HomeOf(const PartitionId& id, size_t reactors) {
  return (std::hash<Uuid>{}(id.topic_id) + static_cast<size_t>(static_cast<uint32_t>(id.partition))) % reactors;
}

// What is needed to open a partition: made by whoever knows the log directories.
struct OpenRequest {
  PartitionId id;
  TopicPartition name;
  PartitionConfig config;
  Leadership leadership;
  std::string data_directory;  // holds <topic>-<partition>; empty: one that is offline does
  bool is_new = false;         // the start has not found it in any data directory
  bool was_clean = false;      // the node's last stop
  std::optional<Offset> recovery_point = Offset(0);  // from the checkpoints; nullopt: there are none that could tell
  std::optional<Offset> log_start_offset;
  std::optional<Offset> clean_end;  // where the last cleaning ended, if there ever was one
  bool was_compacted = false;       // or may have been: its offsets may have gaps, whatever its policy is now
};

// For the checkpoint files: what of a partition survives a restart.
struct CheckpointEntry {
  TopicPartition name;
  Uuid topic_id;
  std::string data_directory;
  Offset recovery_point;
  Offset log_start_offset;
  Offset high_watermark;
  std::optional<Offset> clean_end;
};

// One replica in one data directory, for DescribeLogDirs.
struct ReplicaSize {
  TopicPartition name;
  std::string data_directory;
  uint64_t size_bytes = 0;
  int64_t offset_lag = 0;  // of a future one: behind the present one
  bool is_future = false;
};

// A replica's way to another data directory (KIP-113).
struct MoveRequest {
  PartitionId id;
  std::string to;
  std::string directory_name = {};  // of a future replica that is there already; empty: none is
};

// What producers have brought to a partition since it was opened here.
struct Traffic {
  uint64_t records = 0;
  uint64_t bytes = 0;
};

// What is to be cleaned.
struct CleaningCandidate {
  PartitionId id;
  double dirty_ratio = 0;
};

class PartitionTable {
 public:
  struct Environment {
    reactor::Reactor& reactor;
    reactor::DiskPool& disk;
    io::FileSystem& files;
    const Clock& clock;
    LogSink& log;
    BrokerId node_id;
    // A data directory's device failed, as a partition here noticed; perhaps more than once.
    std::function<void(const std::string& data_directory, const Error&)> on_storage_failure;
    ReplicaMoves* moves = nullptr;  // nullptr: none can be moved
    // Where its partitions count, and as which shard; without one they count for themselves.
    metrics::Registry* registry = nullptr;
    size_t metrics_shard = 0;
  };

  explicit PartitionTable(const Environment& environment);
  ~PartitionTable();

  // Opens (or creates) the partition's log on the disk pool and puts it into service. kNone, or why it is not served.
  // A few are opened at once, in the order of these calls; one that a request waits for is the next.
  reactor::Task<Status> Open(OpenRequest request);

  // nullptr when it is not here, is still opening, or failed to open.
  std::shared_ptr<Partition> Find(const PartitionId& id) const;
  // As Find, but waits while it is opening.
  reactor::Task<std::shared_ptr<Partition>> Await(PartitionId id);
  // UNKNOWN_TOPIC_OR_PARTITION where there is none, KAFKA_STORAGE_ERROR where it failed.
  ErrorCode ErrorOf(const PartitionId& id) const;

  // Takes the partition out of service, answers who waits, and renames its directory to "…-delete" on the disk pool;
  // the files go after file_delete_delay_ms.
  reactor::Task<Status> Delete(PartitionId id, int64_t file_delete_delay_ms);

  // What the metadata says now of a partition that is here; one that is opening takes it then.
  void Update(const PartitionId& id, const Leadership& leadership, const PartitionConfig& config);

  // Moves a replica to another data directory, see partition/moving.cc. kNone: it is on its way, or there already (what
  // was on its way elsewhere is called off).
  reactor::Task<ErrorCode> Move(MoveRequest request);
  // Of all that are open, or of those of `names`, and their future ones.
  reactor::Task<std::vector<ReplicaSize>> Sizes(const std::set<TopicPartition>* names);
  bool IsOffline(const std::string& data_directory) const { return failed_directories_.contains(data_directory); }

  // Everything at once for several partitions: one call per home and request. outcomes[i] is that of items[i]; both are
  // the caller's, and stay. What need not wait is done by the call itself: the task is empty when that is all. It must be
  // started at once, or what comes later would get ahead of it.
  reactor::Task<void> Produce(std::span<const ProduceItem> items, const ProduceOptions& options,
                              std::span<ProduceOutcome> outcomes);
  reactor::Task<void> Read(std::span<const ReadRequest> requests, std::span<ReadOutcome> outcomes);
  // Registers one watch with all of them. seen[i]: the high watermark that the reader knows of ids[i].
  void AddWatch(std::span<const PartitionId> ids, std::span<const Offset> seen, const std::shared_ptr<Watch>& watch);
  void DropWatch(std::span<const PartitionId> ids, const std::shared_ptr<Watch>& watch);

  template <typename Visit>
  void ForEach(const Visit& visit) {  // visit(Partition&), those that are open
    for (auto& [id, entry] : entries_) {
      if (entry->partition != nullptr) visit(*entry->partition);
    }
  }
  std::vector<PartitionId> Ids() const;  // of those that are open
  std::vector<CheckpointEntry> Checkpoint();
  // Makes the recovery points worth their name: what was appended becomes durable, and what spares a scan of it is saved.
  // One partition after the other, so that flushes that somebody waits for get their turn. Now and then.
  reactor::Task<void> SaveProgress();
  // Removes what retention no longer keeps, forgets producers that have been silent for too long, and closes files that
  // nobody uses. Now and then.
  reactor::Task<void> ApplyRetention();

  // For partition/cleaning.h. The partition that is to be cleaned first, if any is dirty enough.
  std::optional<CleaningCandidate> Dirtiest(const std::vector<PartitionId>& but_not);
  bool MarkCompacted(const PartitionId& id);                           // see Partition
  void UnmarkCompacted(const PartitionId& id, int64_t retry_ms);       // see Partition
  reactor::Task<bool> Clean(PartitionId id, CleaningOptions options);  // see Partition
  reactor::Task<void> StopCleaning();                                  // of all
  size_t size() const { return entries_.size(); }
  // Nothing where there is none.
  Traffic TrafficOf(const PartitionId& id) const;
  // Of those, how many there are that somebody should know of.
  struct Condition {
    size_t opening = 0;      // being recovered, or waiting for their turn
    size_t offline = 0;      // could not be opened, or their device failed
    size_t uncleanable = 0;  // see Partition
  };
  Condition condition() const;
  const PartitionMetrics& metrics() const { return metrics_; }
  // That were opened, or failed to, since the start. From any thread.
  size_t done_opening() const { return done_opening_.load(std::memory_order_relaxed); }

  // While `why` is not empty, the partitions of a data directory take no records of clients, those to come neither.
  void RefuseRecords(const std::string& data_directory, const std::string& why);

  // Takes all partitions of a data directory out of service.
  void FailDataDirectory(const std::string& data_directory, const Error& error);

  // At a clean stop: flushes and closes everything. Returns the first error.
  reactor::Task<Status> CloseAll();

 private:
  static constexpr int kMostOpening = 4;  // as many as the disk pool has threads, so that it has time for requests
  struct Entry {
    TopicPartition name;
    std::string data_directory;
    Leadership leadership;
    PartitionConfig config;
    std::shared_ptr<Partition> partition;
    std::shared_ptr<FutureReplica> future;
    Traffic traffic;
    bool failed = false;
    reactor::Signal changed;  // opened, failed or deleted; a turn is done
    // Batches that came while it was opening, in the order of their coming.
    uint64_t turns_taken = 0;
    uint64_t turns_done = 0;
    reactor::Completion<void> may_open;
    std::optional<std::list<std::shared_ptr<Entry>>::iterator> queued;  // in to_open_
    bool has_opened() const { return partition != nullptr || failed; }
  };
  // Opens the log and puts the partition into service.
  reactor::Task<Status> Serve(std::shared_ptr<Entry> entry, const OpenRequest& request);
  void OpenNext();
  // Closes one after the other until none is left; the first error goes into `first`.
  reactor::Task<void> CloseNext(std::deque<PartitionId>& left, Status& first);
  void Want(Entry& entry);
  std::shared_ptr<Entry> FindEntry(const PartitionId& id) const;
  void CountAppended(Entry& entry, const ProduceItem& item, const ProduceOutcome& outcome);
  ProduceOutcome Append(Entry& entry, const ProduceItem& item, const ProduceOptions& options);
  // What is not done yet: those with a turn are not appended, others may wait to be committed.
  reactor::Task<void> FinishProduce(std::span<const ProduceItem> items, ProduceOptions options,
                                    std::span<ProduceOutcome> outcomes);
  reactor::Task<void> FinishRead(std::span<const ReadRequest> requests, std::span<ReadOutcome> outcomes, size_t first);
  reactor::Task<ProduceOutcome> AppendLong(std::shared_ptr<Partition> partition, const ProduceItem& item,
                                           const ProduceOptions& options);
  reactor::Task<void> AppendInTurn(std::shared_ptr<Entry> entry, const ProduceItem& item, const ProduceOptions& options,
                                   ProduceOutcome& outcome, std::shared_ptr<Partition>& partition);
  reactor::Task<void> RemoveLater(std::string directory, int64_t delay_ms);
  reactor::Task<void> RemoveLater(log::RemovalJob job, int64_t delay_ms);

  // Moving. What went wrong, and on which side.
  struct MoveFailure {
    Error error;
    bool is_of_target = false;
    bool source_is_gone = false;  // its name, that is
  };
  using MoveStep = std::optional<MoveFailure>;
  using FuturePtr = std::shared_ptr<FutureReplica>;
  reactor::Task<void> RunMove(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future);
  reactor::Task<MoveStep> Copy(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future);
  reactor::Task<MoveStep> OpenFuture(std::shared_ptr<Entry> entry, std::shared_ptr<Partition> source, FuturePtr future);
  reactor::Task<MoveStep> CatchUp(std::shared_ptr<Partition> source, FuturePtr future, bool is_throttled);
  reactor::Task<MoveStep> CopyPiece(std::shared_ptr<Partition> source, FuturePtr future, bool may_wait);
  reactor::Task<bool> AssignFuture(PartitionId id, FuturePtr future);
  reactor::Task<void> PutInPlace(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future);
  reactor::Task<MoveStep> Exchange(std::shared_ptr<Entry> entry, FuturePtr future, CheckpointEntry state);
  reactor::Task<void> Forget(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future);
  void MoveFailed(const Entry& entry, const FutureReplica& future, const MoveFailure& failure);
  reactor::Task<void> StopMoves();

  const Environment environment_;
  const std::unique_ptr<metrics::Registry> own_registry_;
  const PartitionMetrics metrics_;
  RateLimitedLog damage_log_;
  record::Decompressor decompressor_;
  std::unordered_map<PartitionId, std::shared_ptr<Entry>> entries_;
  std::list<std::shared_ptr<Entry>> to_open_;
  int opening_ = 0;
  std::atomic<size_t> done_opening_{0};
  std::set<std::string> failed_directories_;
  bool is_moving_ = false;  // one at a time
  reactor::Signal moved_;
  std::map<std::string, std::string> refusals_;  // why a data directory takes no records; empty when it does
};

}  // namespace kb::partition

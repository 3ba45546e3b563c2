// Partition: one replica on its home reactor. Holds the log, knows who leads, and decides what readers may see.
//
//   Append ──► log (page cache) ──► flush (disk pool) ──► high watermark ──► waiting producers, waiting fetches
//
//   log start offset <= high watermark <= log end offset
//
// The high watermark. With other replicas in sync it is what all of them have. A sole replica has nobody else: what it
// acknowledges for acks=all must be on the disk, so its high watermark is the flushed offset, and readers see nothing
// that could still vanish (Durability::kDisk). A flush begins as soon as somebody waits for it (a producer with acks=all,
// a reader at the high watermark), when kMostUnflushedBytes lie unflushed, or kLongestUnflushedNs after the append at the
// latest; one is under way at a time and takes everything that was appended before it began: a group commit. So acks=1,
// which promises nothing about the disk, costs no flush per request. With Durability::kOs the high watermark follows the
// log end at once, as in Apache Kafka.
//
// A write or a flush that fails takes the log directory offline: this partition answers KAFKA_STORAGE_ERROR from then
// on. A flush is never tried again, the kernel has dropped the pages. A full disk fails the append and nothing else.
//
// Reactor-affine: lives on its home reactor from opening to removal; use it under a PartitionTable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/log_sink.h"
#include "log/jobs.h"
#include "log/log.h"
#include "model/ids.h"
#include "partition/metrics.h"
#include "protocol/error_code.h"
#include "reactor/closure.h"
#include "reactor/completion.h"
#include "reactor/disk_pool.h"
#include "reactor/intrusive_list.h"
#include "reactor/reactor.h"
#include "reactor/task.h"
#include "record/validate.h"

namespace kb::partition {

enum class Durability {
  kAuto,  // kDisk for a sole replica, kOs while others are in sync
  kDisk,
  kOs,
};

// What configuration says about one partition: filled from the topic's by the broker.
struct PartitionConfig {
  log::LogConfig log;
  record::ValidateOptions validate;  // all but the time
  Durability durability = Durability::kAuto;
  int32_t min_insync_replicas = 1;
  int64_t flush_messages = INT64_MAX;  // a flush begins when that many records are unflushed
  int64_t flush_ms = INT64_MAX;        // or that long after an append
  int64_t file_delete_delay_ms = 60'000;
};

// Who leads, as the metadata image says.
struct Leadership {
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch{0};
  int32_t replicas = 1;
  int32_t isr = 1;
};

// How one partition is cleaned.
struct CleaningOptions {
  log::CleanOptions clean;
  double most_bytes_per_second = 1e300;  // read and written
  int64_t retry_ms = 15'000;             // after one that found no room
};

// One batch of a Produce request.
struct ProduceItem {
  PartitionId id;
  MutableByteView batch;  // in the request's frame; header fields are rewritten in place
};

// When what became of the batches of one request at one home (Clock::StampNs).
struct ProduceStamps {
  int64_t begun_ns = 0;     // by whoever brought the batches to another reactor; 0: they were there already
  int64_t appended_ns = 0;  // all of them, or refused
  int64_t durable_ns = 0;   // the high watermark has passed all, or the time was over; 0: nobody had to wait for it
};

struct ProduceOptions {
  int16_t acks = -1;
  int16_t api_version = 0;
  int32_t timeout_ms = 30'000;
  ProduceStamps* stamps = nullptr;  // to be filled, if anybody wants them; stays until the outcomes are there
};

struct ProduceOutcome {
  ErrorCode error = ErrorCode::kNone;
  int64_t base_offset = -1;
  int64_t log_append_time_ms = -1;
  int64_t log_start_offset = -1;
  std::vector<record::RecordError> record_errors;
  std::string error_message;
  Leadership leadership;  // with NOT_LEADER_OR_FOLLOWER: where to go
  Offset required{0};     // acknowledged when the high watermark is here, if it waits
  bool waits = false;     // acks=all, or the topic's flush.messages asks for the disk
  bool is_long = false;   // nothing was done: looking at the batch takes too long for a reactor; see ProduceValidated
  std::optional<uint64_t> turn = {};  // nothing was done: the PartitionTable has others of the partition before it
};

struct ReadRequest {
  PartitionId id;
  Offset fetch_offset{0};
  int32_t max_bytes = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
  IsolationLevel isolation = IsolationLevel::kReadUncommitted;
};

struct ReadOutcome {
  ErrorCode error = ErrorCode::kNone;
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start_offset = kNoOffset;
  std::optional<log::EpochEndOffset> diverging;
  std::vector<log::AbortedTransaction> aborted;  // read_committed only
  std::optional<log::Slice> slice;               // absent: nothing to read
  Offset next_offset = kNoOffset;  // CORRUPT_MESSAGE only: behind the damage
  bool being_flushed = false;  // records at the offset are here, and readable after the flush that is under way now
  Leadership leadership;
};

// What a fetch that found too little waits for. Fires once: when `needed_bytes` more have become readable here, or the
// partition changed in any other way.
class Watch {
 public:
  Watch(reactor::Closure fire, int64_t needed_bytes) : fire_(std::move(fire)), needed_bytes_(needed_bytes) {}
  void Advance(int64_t bytes) {
    needed_bytes_ -= bytes;
    if (needed_bytes_ <= 0) Fire();
  }
  void Fire() {
    if (auto fire = std::exchange(fire_, {})) fire();
  }
  bool fired() const { return !fire_; }

 private:
  reactor::Closure fire_;
  int64_t needed_bytes_;
};

struct CommitTag;

// Somebody's place among those who wait until the high watermark has reached an offset. Whoever gives up destroys it.
class CommitWaiter : public reactor::ListNode<CommitTag> {
 public:
  virtual ~CommitWaiter() = default;
  // kNone, or why it never will. Once; may destroy this.
  virtual void Done(ErrorCode error) = 0;

 private:
  friend class Partition;
  Offset offset_{0};
};

struct OffsetLookup {
  ErrorCode error = ErrorCode::kNone;
  int64_t offset = -1;
  int64_t timestamp_ms = -1;
  int32_t leader_epoch = -1;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  static constexpr int64_t kLongestUnflushedNs = 500'000'000;
  // Unpacked bytes that a reactor looks at: a millisecond's work of the slowest codec.
  static constexpr size_t kMostUnpackedBytes = 256 << 10;
  static constexpr uint64_t kMostUnflushedBytes = 16 << 20;
  // After so many a checkpoint is due before its time: a start after a crash reads no more than a few of them.
  static constexpr uint64_t kMostUncheckpointedBytes = 128 << 20;

  struct Environment {
    reactor::Reactor& reactor;
    reactor::DiskPool& disk;
    const Clock& clock;
    LogSink& log;
    BrokerId node_id;
    RateLimitedLog& damage_log;
    const PartitionMetrics& metrics;
    // The device under the log failed. Called once by each partition that notices.
    std::function<void(const Error&)> on_storage_failure;
  };

  // Held by counted references: a read that waits for the disk keeps its partition, also when the topic is deleted.
  static std::shared_ptr<Partition> Make(const Environment& environment, PartitionId id, TopicPartition name,
                                         std::unique_ptr<log::Log> log, const PartitionConfig& config,
                                         const Leadership& leadership);
  ~Partition();

  const PartitionId& id() const { return id_; }
  const TopicPartition& name() const { return name_; }
  const Leadership& leadership() const { return leadership_; }
  log::Log& log() { return *log_; }
  Offset high_watermark() const { return high_watermark_; }
  Offset last_stable_offset() const;
  Offset log_start_offset() const;
  Offset log_end_offset() const;
  bool offline() const { return offline_; }
  int64_t file_delete_delay_ms() const { return config_.file_delete_delay_ms; }

  void UpdateLeadership(const Leadership& leadership);
  void UpdateConfig(const PartitionConfig& config);
  // While `why` is not empty, records of clients are refused (KAFKA_STORAGE_ERROR, which they try again); all else goes on.
  void RefuseRecords(std::string why) { refusal_ = std::move(why); }

  // Checks and appends one batch from a client (record::FindBatch found it). Does not wait: with acks=all the caller
  // waits for outcome.required.
  ProduceOutcome Produce(MutableByteView batch, const ProduceOptions& options, record::Decompressor& decompressor);

  // For a batch that was validated elsewhere, by the options that ProduceChecks() gave.
  record::ValidateOptions ProduceChecks() const;
  ProduceOutcome ProduceValidated(record::ValidatedBatch validated, const record::ValidateOptions& checks,
                                  const ProduceOptions& options);

  // Appends a batch of the broker's own (offsets, group metadata). As acks=all; the caller waits for outcome.required.
  ProduceOutcome AppendOwn(MutableByteView batch);

  // Calls `done` when the high watermark has reached `offset` (kNone) or never will (why). Perhaps at once.
  void WhenCommitted(Offset offset, std::function<void(ErrorCode)> done);
  // Likewise; `waiter` is the caller's.
  void WhenCommitted(Offset offset, CommitWaiter& waiter);

  // Reads at most request.max_bytes, but always at least the first whole batch: the caller applies the limits of the
  // whole request. May wait for the disk when the data is cold, or was never read since the start (log/integrity.h).
  // CORRUPT_MESSAGE when the offset lies in damage; a read that begins before it ends there.
  reactor::Task<ReadOutcome> Read(ReadRequest request);
  // Likewise, when it need not wait. False: it must, and `outcome` means nothing.
  bool TryRead(const ReadRequest& request, ReadOutcome& outcome);

  // `watch` hears of everything that becomes readable above `seen` (a high watermark).
  void AddWatch(std::shared_ptr<Watch> watch, Offset seen);
  void DropWatch(const std::shared_ptr<Watch>& watch);

  // timestamp: a time in ms, or one of ListOffsets' special values (-1 latest, -2 earliest, -3 max timestamp, -4
  // earliest local). May wait for the disk: all but the earliest wait until everything appended is readable, so that who
  // wrote with acks=1 finds what he wrote.
  reactor::Task<OffsetLookup> FindOffset(int64_t timestamp, IsolationLevel isolation, LeaderEpoch current_leader_epoch);

  struct EpochEnd {
    ErrorCode error = ErrorCode::kNone;
    LeaderEpoch epoch = kNoLeaderEpoch;
    Offset end_offset = kNoOffset;
  };
  EpochEnd FindEpochEnd(LeaderEpoch wanted, LeaderEpoch current_leader_epoch) const;

  struct Deletion {
    ErrorCode error = ErrorCode::kNone;
    Offset low_watermark = kNoOffset;
  };
  // offset -1: everything below the high watermark. Waits for the flush of what is to be deleted.
  reactor::Task<Deletion> DeleteRecords(Offset offset);

  // Flushes, and saves what spares the next start the reading of the active segment, should this process be killed. Goes
  // on when that is under way or done.
  reactor::Task<void> Checkpoint();
  // Checks the next piece of what nobody has read yet. Returns how many bytes that were; 0: there is none left.
  reactor::Task<uint64_t> ScrubSome(log::ScrubCursor& cursor);
  // Goes on when no flush is under way.
  reactor::Task<void> Flushed();
  // Another object is to serve this replica: nothing is appended any more, what was is flushed and acknowledged, and who
  // still waits then is sent away (NOT_LEADER_OR_FOLLOWER). The log can still be read for a copy.
  reactor::Task<void> HandOver();
  // Up to max_bytes from offset on, to the end of the log, for a copy of it; may end inside of a batch. May wait for the
  // disk.
  reactor::Task<log::ReadResult> ReadForCopy(Offset offset, uint64_t max_bytes);
  // Flushes everything and leaves the files as a clean stop leaves them. Only reads may follow.
  reactor::Task<Status> Close();

  // Cleaning (partition/cleaning.h). What there is to clean; nothing while this partition cannot be cleaned: it is
  // offline, being cleaned or closed, or an earlier cleaning met damage.
  std::optional<log::CleanablePart> Cleanable(int64_t now_ms);
  // replaced: takes what is to be removed later. Whether it came to its end; what is wrong is logged.
  reactor::Task<bool> Clean(CleaningOptions options, std::function<void(log::RemovalJob)> replaced);
  // It is to be compacted, and is not any more, because a cleaning met damage.
  bool is_uncleanable() const { return config_.log.cleanup_compact && !may_be_cleaned_; }
  // Ends a cleaning that is under way and lets none begin any more.
  reactor::Task<void> StopCleaning();
  // Likewise, but for a while.
  reactor::Task<void> PauseCleaning();
  void ResumeCleaning() { cleaning_is_paused_ = false; }
  // The log counts as a compacted one from now on; true: it did not before.
  bool MarkCompacted();
  // That could not be written down: it does not, and is not cleaned for a while.
  void UnmarkCompacted(int64_t retry_ms);
  // Where the last cleaning ended; absent while the log was never compacted. From the checkpoint, and for it.
  const std::optional<Offset>& clean_end() const { return clean_end_; }
  void set_clean_end(std::optional<Offset> clean_end) { clean_end_ = clean_end; }

  // The device under this partition failed, as somebody else noticed.
  void TakeOffline(const Error& error);
  // It is deleted: answers everyone who waits (UNKNOWN_TOPIC_OR_PARTITION), fires all watches, and refuses whatever still
  // comes. Its files may be gone then, and missing files must not look like a failed disk.
  void Retire();

 private:
  class OwnedWaiter;
  Partition(const Environment& environment, PartitionId id, TopicPartition name, std::unique_ptr<log::Log> log,
            const PartitionConfig& config);

  // Why this replica cannot serve: offline, or it does not lead. current: what the client knows; -1 when it does not
  // say.
  ErrorCode CheckLeader(LeaderEpoch current = kNoLeaderEpoch) const;
  // Of a retired one.
  ErrorCode GoneError() const;
  bool ReadersWaitForDisk() const;
  reactor::Task<void> WaitUntilReadable();
  bool TooFewInSync() const;
  ProduceOutcome CheckProduce(const ProduceOptions& options) const;
  ProduceOutcome Append(MutableByteView batch, log::AppendOrigin origin, int64_t now_ms);
  ProduceOutcome FailureOf(const log::AppendFailure& failure);
  void TellOfDamage();
  ReadOutcome Describe() const;
  std::optional<log::ReadOptions> PrepareRead(const ReadRequest& request, ReadOutcome& outcome);
  using Aborted = std::optional<std::vector<log::AbortedTransaction>>;
  void FinishRead(log::ReadResult& read, Aborted& aborted, ReadOutcome& outcome);
  ReadOutcome Unreadable(ErrorCode error) const;
  void Appended();
  void AdvanceHighWatermark(Offset to);
  bool MayBeCleaned() const;
  reactor::Task<Result<bool>> RunCleaning(log::CleanJob& job, double most_bytes_per_second,
                                          const std::function<void(log::RemovalJob)>& replaced);
  reactor::Task<void> Throttle(uint64_t bytes, double most_bytes_per_second);
  void Count(const log::CleanStatistics& statistics, const Result<bool>& done);
  void CleaningFailed(const Error& error, int64_t retry_ms);
  void StartFlush();
  // Goes on when what is below `end` (exclusive) is on the disk, or never will be.
  reactor::Task<void> FlushUpTo(Offset end);
  void RequestCheckpoint();
  void FlushLater();
  bool TooManyUnflushed() const;
  reactor::Task<void> FlushLoop(std::shared_ptr<Partition> self);
  void Fail(const Error& error);
  void AnswerAll(ErrorCode error);

  const Environment environment_;
  const PartitionId id_;
  const TopicPartition name_;
  std::unique_ptr<log::Log> log_;
  PartitionConfig config_;
  Leadership leadership_;
  Offset high_watermark_{0};
  bool flushing_ = false;
  Offset flush_wanted_{0};  // flushing goes on until everything below is on the disk
  int64_t flush_due_ns_ = INT64_MAX;  // when a timer will begin one
  uint64_t unflushed_bytes_ = 0;       // appended since the last flush began
  uint64_t uncheckpointed_bytes_ = 0;  // appended since the last checkpoint was asked for
  bool offline_ = false;
  bool retired_ = false;
  bool handed_over_ = false;
  std::string refusal_;  // why no records are taken
  std::optional<Offset> clean_end_;
  bool may_be_cleaned_ = true;
  bool cleaning_is_paused_ = false;
  bool is_being_cleaned_ = false;
  int64_t clean_not_before_ms_ = 0;
  reactor::Signal cleaned_;
  reactor::List<CommitWaiter, CommitTag> waiters_;  // ascending by offset
  std::vector<std::shared_ptr<Watch>> watches_;
  reactor::Signal flushed_;
};

}  // namespace kb::partition

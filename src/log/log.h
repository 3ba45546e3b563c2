// Log: the records of one partition on this node, in Apache Kafka's own files.
//
//   log start offset          recovery point        log end offset
//        ▼                          ▼                     ▼
//   [ segment 0 ][ segment 14 ][ segment 21 (active: the only one that is appended to) ]
//     sealed       sealed
//
//   log_start_offset <= log_end_offset;  recovery_point <= log_end_offset: everything below it is on the disk
//
// What may block is a job (log/jobs.h). Everything else here goes to the page cache or stays in memory, and a reactor may
// call it. Time is an argument; this room knows no threads and no clock.
//
// When something fails. A write that fails leaves nothing visible: the file is cut back, and if even that fails, before the
// next append. A flush that fails makes the log refuse all appends (failure()): what the kernel still has is unknown. Reads
// go on.
//
// After a crash Open ends the log behind the last whole batch (log/recovery.h) and rebuilds what is derived: indexes,
// producer state, leader epochs.
//
// Costs at rest: no descriptors and no index in memory once ReleaseIdle was called; 200 bytes a segment; 280 bytes a
// producer.
//
// Reactor-affine: lives on its partition's home. Open may run anywhere; the log is then handed to its home.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "io/file_system.h"
#include "log/cleaner.h"
#include "log/jobs.h"
#include "log/leader_epoch_cache.h"
#include "log/log_config.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/tail_ring.h"
#include "model/ids.h"
#include "record/batch.h"

namespace kb::log {

struct LogOptions {
  std::string directory;  // of the replica: <data directory>/<topic>-<partition>; created if missing
  // The directory was made just now, for a replica of this topic: it is empty, and nothing about it is durable. Its
  // partition.metadata is drafted, and becomes durable with the directory's name by the first flush, so before any
  // record does.
  std::optional<Uuid> made_for_topic = std::nullopt;
  LogConfig config;
  // The last stop of the node was clean (the marker was there): no scan, but the tail is checked all the same.
  bool was_clean = false;
  // From the recovery-point checkpoint; 0 when it does not name the log. Bounds the scan after an unclean stop, and tells
  // damage that was durable once (kept, readers go past it) from a torn tail (cut). nullopt: there is no checkpoint that
  // could tell, so that all is scanned, and whatever whole batches follow may have been durable.
  std::optional<Offset> recovery_point = Offset(0);
  // It was compacted once, by its policy of then, or may have been: offsets may be missing between its segments.
  bool was_compacted = false;
  std::optional<Offset> log_start_offset;  // from the log-start checkpoint
  int64_t now_ms = 0;
  uint64_t jitter_seed = 1;
};

// What Open found and did.
struct RecoveryReport {
  bool scanned = false;            // an unclean stop: batches above the recovery point were checked
  uint64_t scanned_bytes = 0;
  uint64_t truncated_bytes = 0;    // cut off the end
  size_t deleted_segments = 0;     // behind a cut
  size_t rebuilt_indexes = 0;
  size_t damaged_batches = 0;      // below the recovery point: kept, not readable as they are
  std::vector<std::string> notes;  // a line for the operator for each thing that was not as it should be
};

// Who appends decides what is checked.
enum class AppendOrigin {
  kClient,       // sequences and epochs are checked, duplicates recognised
  kCoordinator,  // markers and the broker's own batches: as kClient for what carries a producer id
};

enum class AppendError {
  kOutOfOrderSequence,     // OUT_OF_ORDER_SEQUENCE_NUMBER
  kStaleProducerEpoch,     // INVALID_PRODUCER_EPOCH
  kInvalidTxnState,        // INVALID_TXN_STATE
  kStaleCoordinatorEpoch,  // TRANSACTION_COORDINATOR_FENCED
  kTooLargeForSegment,     // RECORD_LIST_TOO_LARGE
  kUnexpectedOffset,       // AppendAsFollower: the batch does not continue this log
  kNoSpace,                // KAFKA_STORAGE_ERROR; nothing was appended, and the log goes on when there is room
  kStorage,                // KAFKA_STORAGE_ERROR; nothing was appended, the log directory is of no use any more
};

struct AppendFailure {
  AppendError error = AppendError::kStorage;
  std::string message;
  int os_errno = 0;
};

struct AppendOptions {
  LeaderEpoch leader_epoch{0};
  int64_t now_ms = 0;
  AppendOrigin origin = AppendOrigin::kClient;
  bool new_transaction_from_zero = false;  // transactions v2: a producer unknown here must begin with sequence 0
};

struct AppendResult {
  std::optional<AppendFailure> failure;
  // Of what was appended; for a duplicate, of the original.
  Offset base_offset{kNoOffset};
  Offset last_offset{kNoOffset};
  int64_t max_timestamp = record::kNoTimestamp;  // the greatest of the batches
  bool is_duplicate = false;                     // nothing was written
  bool rolled = false;                           // a segment was sealed: a flush is due, whatever the durability rule
  bool ok() const { return !failure.has_value(); }
};

// A range of one segment file, whole or cut at a byte limit. The bytes stay as they are while the reference is held,
// unless the log is truncated into them.
struct Slice {
  std::shared_ptr<const io::File> file;
  uint64_t position = 0;
  uint64_t size_bytes = 0;
  Offset first_offset{kNoOffset};  // base offset of the first batch: may be below the offset asked for
};

struct ReadOptions {
  Offset offset{0};
  uint64_t max_bytes = 0;
  Offset end_offset{0};      // nothing at or above it: high watermark, last stable offset or log end
  bool at_least_one = true;  // the first batch comes whole even if it is larger than max_bytes
  bool may_block = false;    // on the disk pool, or after a Prefetch
  Offset from_segment{0};    // ReadResult::segment of a read for the same offset: those before have nothing for it
};

enum class ReadStatus {
  kOk,         // slice, or nothing to read (slice.size_bytes == 0)
  kOutOfRange, // below the log start or above the log end
  kNeedsDisk,  // it is not in memory, or not checked yet: PreparePrefetch, then read again with may_block (it may take
               // several, when what the first finds leads on)
  kDamaged,    // CORRUPT_MESSAGE: the offset lies in damage (log/integrity.h); next_offset is behind it
  kFailed,     // failure says why
};

struct ReadResult {
  ReadStatus status = ReadStatus::kOk;
  Slice slice;
  // The first batch is larger than max_bytes and at_least_one was not set: the slice is empty.
  bool first_batch_too_large = false;
  Offset next_offset{kNoOffset};
  Offset segment{0};  // that the read came to
  std::optional<Error> failure;
};

// Damage that a check has found, to be told to the operator: bytes of a file that no reader is shown.
struct FoundDamage {
  std::string path;
  Stretch stretch;
};

// Reactor-affine, see above.
class Log {
 public:
  // Recovers the log of a directory, or makes an empty one. Blocks; takes as long as the scan, if there is one. files
  // outlives the log and its jobs. report may be null.
  static Result<std::unique_ptr<Log>> Open(io::FileSystem& files, LogOptions options, RecoveryReport* report = nullptr);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // ---- state
  Offset log_start_offset() const { return log_start_offset_; }
  Offset log_end_offset() const { return log_end_offset_; }
  Offset recovery_point() const { return recovery_point_; }
  // What may be put on record of it. Below that the next start believes what is derived: where a full disk has kept
  // leader epochs or the indexes of a sealed segment from being written, it is what lies before those.
  Offset RecoveryPointToRecord() const;
  // Below it no transaction is open, and all that ended did so below high_watermark; never above it.
  Offset LastStableOffset(Offset high_watermark) const;
  uint64_t size_bytes() const;
  size_t segments() const { return segments_.size(); }
  // Set once a flush, or the repair of a failed write, has failed.
  const std::optional<Error>& failure() const { return failure_; }
  const std::string& directory() const { return directory_; }
  const LogConfig& config() const { return config_; }
  void UpdateConfig(const LogConfig& config);
  const LeaderEpochCache& leader_epochs() const { return epochs_; }
  const ProducerState& producers() const { return producers_; }

  // ---- append
  // batches: one or more whole batches that record/validate accepted, one behind the other. Gives them the next offsets
  // and the leader epoch, in place and outside their checksums, and writes them. All or nothing.
  AppendResult Append(MutableByteView batches, const AppendOptions& options);
  // Batches of a leader, with the offsets and epochs they have. The first must not begin below the log end; gaps are fine.
  AppendResult AppendAsFollower(ByteView batches, int64_t now_ms);
  // This replica leads in a new epoch, or learns of one: it begins at the log end.
  void BeginEpoch(LeaderEpoch epoch);
  // Seals the active segment, if it holds anything, and starts a new one at the log end.
  Status Roll(int64_t now_ms);

  // ---- durability
  // At most one flush at a time: prepare the next when the last is completed.
  FlushJob PrepareFlush();
  // status: what Run returned. Moves the recovery point, or makes the log refuse appends.
  void FlushCompleted(const FlushJob& job, const Status& status);
  // Whether anything was appended or sealed since what the last PrepareFlush took. (Leader epochs without records wait for
  // the next flush that has a reason: nobody needs them after a crash.)
  bool needs_flush() const;
  // As PrepareFlush, and saves indexes and producer state of the active segment too, so that the scan after a crash starts
  // at the log end of now. Now and then, before the recovery point checkpoint is written.
  FlushJob PrepareCheckpoint();
  // The next PrepareFlush is a PrepareCheckpoint, if that would save anything: then a flush is needed, too.
  void RequestCheckpoint();
  // Not even the directory's name is durable: there was no flush yet.
  bool is_unnamed() const { return is_unnamed_; }
  bool checkpoint_is_due() const { return checkpoint_is_due_; }
  // For a clean stop: as PrepareCheckpoint, with the files exactly as Apache Kafka leaves them. Only reads may follow.
  FlushJob PrepareClose();

  // ---- read
  ReadResult Read(const ReadOptions& options) const;
  PrefetchJob PreparePrefetch(const ReadOptions& options, bool with_aborted = false) const;
  void PrefetchCompleted(const PrefetchJob& job);
  // The aborted transactions that overlap what a read from offset returns; perhaps some more. nullopt: needs the disk, as
  // Read. end_offset: as in ReadOptions.
  std::optional<std::vector<AbortedTransaction>> AbortedTransactions(Offset offset, Offset end_offset,
                                                                     bool may_block = false) const;
  // Bytes from the batch of `from` up to `to`, for a fetch that waits: 0 when from >= to; UINT64_MAX when they lie in two
  // segments or it takes a disk to know (a waiting fetch should then just read).
  uint64_t BytesBetween(Offset from, Offset to) const;

  // ---- integrity: see log/integrity.h
  // What checks have found since the last call.
  std::vector<FoundDamage> TakeFoundDamage();
  // The next piece, at the cursor or behind it, that nobody has checked; nullopt: there is none.
  std::optional<ScrubJob> PrepareScrub(ScrubCursor& cursor);
  // Returns whether that led on; else the segment is gone or replaced, and the cursor should skip it.
  bool ScrubCompleted(const ScrubJob& job);

  // ---- look-ups
  TimestampLookupJob PrepareTimestampLookup(int64_t timestamp) const;
  TimestampLookupJob PrepareMaxTimestampLookup() const;
  OffsetTimeJob PrepareOffsetTime(Offset offset) const;
  EpochEndOffset EndOffsetForEpoch(LeaderEpoch epoch) const { return epochs_.EndOffsetFor(epoch, log_end_offset_); }

  // ---- removal
  // Moves the log start up; log_start <= offset <= log_end, else nothing happens. Files go with the next retention.
  void DeleteRecordsTo(Offset offset);
  // Takes out the oldest segments that retention and the log start allow to go (STORAGE: log start, size, time, in this
  // order), never anything at or above high_watermark. Rolls first when all would go.
  RemovalJob ApplyRetention(int64_t now_ms, Offset high_watermark);
  // Cuts everything at and above offset. Blocks; no job of this log may be under way.
  Result<RemovalJob> TruncateTo(Offset offset, int64_t now_ms);
  // Forgets all and starts empty at offset. Blocks likewise.
  Result<RemovalJob> TruncateFullyAndStartAt(Offset offset, int64_t now_ms);

  // ---- cleaning: see log/cleaner.h. At most one at a time; retention waits for its end, and nothing may be truncated.
  // first_dirty: where the last cleaning ended. Nothing to clean: dirty_bytes is 0.
  CleanablePart Cleanable(Offset first_dirty, Offset high_watermark, int64_t now_ms);
  // Reads what Cleanable needs for max.compaction.lag.ms and a restart forgot: one small read for each segment. Blocks;
  // where this was not called before, Cleanable does.
  void LearnFirstTimes();
  CleanJob PrepareClean(const CleanablePart& part, CleanOptions options);
  // Puts a group in place; what it replaces is to be removed later. After an error the log refuses appends.
  Result<RemovalJob> ReplaceCleaned(CleanJob& job);
  void CleanCompleted(const CleanJob& job);
  bool is_being_cleaned() const { return is_being_cleaned_; }
  // Grows whenever segments were replaced: jobs that opened files by name may have met either.
  uint64_t replacements() const { return replacements_; }

  // ---- housekeeping
  size_t ExpireProducers(int64_t now_ms) { return producers_.Expire(now_ms, config_.producer_id_expiration_ms); }
  void HighWatermarkAdvanced(Offset high_watermark) { producers_.HighWatermarkAdvanced(high_watermark); }
  // Closes files and drops memory that nothing used since the last call. Descriptors stay while something is unflushed.
  void ReleaseIdle();
  size_t open_files() const;

 private:
  friend class LogRecovery;
  Log(io::FileSystem& files, LogOptions options);

  struct Incoming;  // what Append learned about its batches
  static Incoming Summarize(ByteView batches);
  AppendResult Refuse(AppendError error, std::string message, int os_errno = 0) const;
  AppendResult Refuse(const Error& error);
  std::optional<AppendResult> CheckProducers(ByteView batches, const AppendOptions& options) const;
  AppendResult Write(ByteView batches, const Incoming& incoming, int64_t now_ms);
  void Account(ByteView batches, uint64_t position, int64_t now_ms);
  bool ShouldRoll(const Incoming& incoming, int64_t now_ms) const;
  Status StartSegment(Offset base_offset, int64_t now_ms);

  void AddUnwrittenIndexes();
  void AddToFlush(FlushJob& job, size_t segment) const;
  static void AddIndexesToFlush(FlushJob& job, const Segment& segment);
  void AddSnapshot(FlushJob& job);
  void AddObsolete(FlushJob& job, std::optional<Offset> snapshot) const;

  Lookup Locate(size_t segment, Offset offset, Blocking blocking) const;
  Lookup EndOf(size_t segment, Offset end_offset, uint64_t most, Blocking blocking) const;
  ReadResult SliceOf(size_t segment, const BatchLocation& first, uint64_t end, const ReadOptions& options) const;
  bool IsInMemory(const io::File& file, uint64_t position, uint64_t size) const;

  void ForgetChecks();
  void TakeChecked(Offset segment_base, const std::vector<Stretch>& checked);

  int64_t LargestTimestamp(size_t segment) const;
  int64_t FirstBatchTime(Segment& segment);
  RemovalJob TakeOldest(size_t segments);
  Status Reload(int64_t now_ms);
  Segment& active() { return *segments_.back(); }
  const Segment& active() const { return *segments_.back(); }
  // Of the segment that holds, or would hold, an offset at or above the first base offset.
  size_t SegmentAt(Offset offset) const;
  // Where the segment's offsets end, exclusive.
  Offset EndOffsetOf(size_t segment) const;

  io::FileSystem& files_;
  const std::string directory_;
  LogConfig config_;
  Random random_;
  std::vector<std::unique_ptr<Segment>> segments_;  // ascending by base offset; the last is the active one; never empty
  Offset log_start_offset_{0};
  Offset log_end_offset_{0};
  Offset recovery_point_{0};
  LeaderEpochCache epochs_;
  ProducerState producers_;
  std::vector<FoundDamage> found_damage_;
  TailRing tail_;                          // where the last batches of the active segment are
  std::optional<Error> failure_;
  uint64_t truncations_ = 0;
  uint64_t replacements_ = 0;
  bool is_being_cleaned_ = false;
  FlushJob unflushed_;                     // what the next flush does beside syncing segments
  bool epochs_changed_ = false;
  bool is_unnamed_;  // see LogOptions::made_for_topic
  std::optional<LeaderEpoch>
      saved_epoch_;                     // the latest in the checkpoint file; none: the next start learns all of them
  bool has_unwritten_indexes_ = false;  // of sealed segments: the start could not write them, or they are not synced
  bool checkpoint_is_due_ = false;
  std::optional<Offset> last_snapshot_;    // offset of the newest producer snapshot
  // Of the one before, which stays until there is another: the recovery point that is on record may lie below the newest.
  std::optional<Offset> previous_snapshot_;
};

}  // namespace kb::log

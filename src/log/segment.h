// Segment: one stretch of a log: <base offset>.log and its indexes.
//
//   .log    [ batch ][ batch ][ batch ] …            size_bytes() of them count; bytes behind mean nothing
//   .index         ▲ every index_interval_bytes or so
//
// A segment keeps its files closed until somebody needs them, and its index on the disk (log/index_file.h). Two kinds of
// callers: the home reactor through Segment, and jobs on the disk pool through a SegmentView, a copy of what a reader needs.
//
// The files are the truth, an index is a hint: a lookup accepts an entry only if the batch header at its position carries
// its offset. So a wrong index can make a read slow, and never wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file_system.h"
#include "log/file_names.h"
#include "log/index_file.h"
#include "log/integrity.h"
#include "log/log_config.h"
#include "log/tail_ring.h"
#include "model/ids.h"
#include "record/batch.h"

namespace kb::log {

enum class Blocking { kNever, kAllowed };

// What a lookup came to.
struct Lookup {
  enum Outcome {
    kFound,      // batch
    kEnd,        // no batch of this segment reaches so far
    kNeedsDisk,  // Blocking::kNever, and not everything was in memory
    kUnchecked,  // what would hold the offset has not been checked yet
    kDamaged,    // the offset lies in damage; next_offset is behind it
    kFailed,     // error: could not be read, or, where nothing was checked, damage is in the way. `batch` then is the first
                 // whole one behind it, if there is one (size_bytes > 0)
  };
  Outcome outcome = kEnd;
  BatchLocation batch;
  // With kFound: up to here all batches are whole; behind it something is damaged, or unknown, or it is the segment's end.
  uint64_t whole_until = 0;
  bool more_is_unknown = false;
  Offset next_offset{kNoOffset};
  bool index_is_damaged = false;  // the index lied; the answer is right all the same
  std::optional<Error> error;
};

// What it takes to read one segment, as of some moment. A value: usable on any thread. Null files are not open.
struct SegmentView {
  Offset base_offset{0};
  uint64_t size_bytes = 0;
  std::shared_ptr<io::File> log;
  std::shared_ptr<io::File> index;  // stays null with index_entries == 0
  size_t index_entries = 0;               // in the file
  std::vector<OffsetIndexEntry> index_tail;
  std::vector<TimeIndexEntry> time_tail;
  size_t time_entries = 0;
  int64_t max_timestamp = record::kNoTimestamp;
  bool is_active = false;
  std::shared_ptr<const Integrity> integrity;  // null: all of it is known to be whole, or the reader takes what comes

  // Opens what is needed to find batches and is not open yet. Blocks.
  Status Open(io::FileSystem& files, const std::string& directory);
};

// Finds batches. A short-lived helper over a view's or a segment's parts, which outlive it.
class SegmentReader {
 public:
  explicit SegmentReader(const SegmentView& view);
  SegmentReader(Offset base_offset, uint64_t size_bytes, const io::File* log, const io::File* index, size_t index_entries,
                const std::vector<OffsetIndexEntry>& index_tail, const Integrity* integrity = nullptr);

  // The first batch whose last offset is at or above `offset`.
  Lookup Find(Offset offset, Blocking blocking) const;
  // Where to begin the check of an unknown part for an offset in it: at a batch near it that an index entry vouches for,
  // else at the part's begin. Blocks.
  Unknown PartFor(Offset offset, const Unknown& unknown) const;
  // The batch that begins at `position`, which must be where a batch begins.
  Lookup BatchAt(uint64_t position, Blocking blocking) const;

 private:
  struct Start;
  Start StartFor(Offset offset, Blocking blocking) const;
  Lookup FindIn(uint64_t begin, uint64_t end, Offset offset, Blocking blocking) const;
  Lookup ScanFrom(uint64_t position, uint64_t end, Offset offset, Blocking blocking) const;
  Lookup ScanPastDamage(uint64_t position, Offset offset, Blocking blocking) const;

  const Offset base_offset_;
  const uint64_t size_bytes_;
  const io::File* log_;
  const io::File* index_;
  const size_t index_entries_;
  const std::vector<OffsetIndexEntry>& tail_;
  const Integrity* integrity_;
};

// Checks what a reader of `offset` needs to have checked, if anything: the piece that it lies in, or what follows the whole
// batches in which it does. Reads at least `least_bytes`, if there are so many. Blocks. The view is open.
Result<std::vector<Stretch>> CheckPiece(const SegmentView& view, Offset offset, uint64_t least_bytes);

// What is known of a segment when the log is opened.
struct SegmentState {
  uint64_t size_bytes = 0;
  OffsetIndex index;
  TimeIndex time_index;
  TxnIndex txn_index;
  int64_t max_timestamp = record::kNoTimestamp;
  Offset max_timestamp_offset{kNoOffset};
  int64_t first_batch_timestamp = record::kNoTimestamp;  // max timestamp of the first batch
  uint64_t bytes_since_index_entry = 0;
  int64_t created_ms = 0;
  size_t abort_markers = 0;  // that a scan saw; 0 where none was made
};

// Builds .index and .timeindex of a segment anew from its batches, and replaces the files. Damaged batches are passed over.
// size_bytes: of the log. Blocks. The state has no transaction index.
Result<SegmentState> RebuildIndexes(io::FileSystem& files, const std::string& directory, Offset base_offset,
                                    uint64_t size_bytes, int32_t index_interval_bytes);

// Reactor-affine.
class Segment {
 public:
  Segment(std::string_view directory, Offset base_offset, SegmentState state)
      : directory_(directory), base_offset_(base_offset), state_(std::move(state)) {}

  Offset base_offset() const { return base_offset_; }
  uint64_t size_bytes() const { return state_.size_bytes; }
  int64_t max_timestamp() const { return state_.max_timestamp; }
  int64_t first_batch_timestamp() const { return state_.first_batch_timestamp; }
  int64_t created_ms() const { return state_.created_ms; }
  int64_t roll_jitter_ms() const { return roll_jitter_ms_; }
  void set_roll_jitter_ms(int64_t jitter_ms) { roll_jitter_ms_ = jitter_ms; }
  std::string PathOf(std::string_view suffix) const;
  // All files the segment may have, by path.
  std::vector<std::string> Paths() const;

  // ---- writing: the active segment only
  // Writes batches at the end. On failure the file is as before, or needs_repair() is set.
  Status Write(io::FileSystem& files, ByteView batches);
  // Accounts for a batch of the bytes just written, at `position`.
  void Account(const record::BatchHeader& batch, uint32_t position, const LogConfig& config);
  // A write failed and could not be cut off: done again before the next one, and before the segment is sealed.
  bool needs_repair() const { return needs_repair_; }
  bool IndexesAreFull(const LogConfig& config) const;
  void AddAborted(io::FileSystem& files, const AbortedTransaction& transaction);
  // The time index ends with an entry for the greatest timestamp of all.
  void AddFinalTimeEntry();
  // That, and writes the tails of the indexes.
  Status Seal(io::FileSystem& files);
  // What cannot be written stays in memory; the first reason why.
  Status SpillIndexes(io::FileSystem& files);
  bool indexes_are_written() const {
    return state_.index.tail().empty() && state_.time_index.tail().empty() && state_.txn_index.tail().empty();
  }

  // ---- reading
  Lookup Find(Offset offset, Blocking blocking, io::FileSystem& files) const;
  // The open log file; with Blocking::kAllowed it is opened, else null when it is not.
  Result<std::shared_ptr<io::File>> LogFile(io::FileSystem& files, Blocking blocking) const;
  SegmentView View() const;
  // Takes the files that a job opened.
  void Adopt(const SegmentView& view) const;
  // Nothing is known of the content: found at the start, or to be checked once more. end: of its offsets, exclusive.
  void ForgetChecks(Offset end);
  // What a job found. Returns whether it was taken.
  bool AddChecked(const std::vector<Stretch>& checked);
  // Null: it is all whole.
  const std::shared_ptr<const Integrity>& integrity() const { return integrity_; }
  // A job built them anew.
  void ReplaceIndexes(const SegmentState& rebuilt);
  const TxnIndex& txn_index() const { return state_.txn_index; }
  const SegmentState& state() const { return state_; }
  // For recovery, which finds out one by one.
  SegmentState& mutable_state() { return state_; }
  // The aborted transactions, all of them, when they are in memory.
  const std::vector<AbortedTransaction>* aborted() const;
  void AdoptAborted(std::vector<AbortedTransaction> aborted) const;

  // Lets go of what was not used since the last call.
  void ReleaseIdle(bool may_close_log);
  size_t open_files() const { return (log_ != nullptr) + (index_ != nullptr); }

 private:
  void AddTimeEntry();
  Status Repair(io::FileSystem& files);

  const std::string_view directory_;  // the log's
  const Offset base_offset_;
  SegmentState state_;
  int64_t roll_jitter_ms_ = 0;
  bool needs_repair_ = false;
  mutable bool used_ = false;
  mutable std::shared_ptr<io::File> log_;
  mutable std::shared_ptr<io::File> index_;
  mutable std::optional<std::vector<AbortedTransaction>> aborted_;
  std::shared_ptr<const Integrity> integrity_;
};

}  // namespace kb::log

// Jobs: what a log needs done that may block. A log hands out a job at home, any thread runs it (the disk pool), and home
// gives it back to the log:
//
//   FlushJob job = log.PrepareFlush();      home
//   Status status = job.Run();              disk pool
//   log.FlushCompleted(job, status);        home
//
// A job owns counted references to the files it works on and copies of all else: the log may go on, be truncated or be
// destroyed meanwhile. A job is used by one thread at a time and run once; one that is never run or never given back does
// no harm. The file system passed to Log::Open outlives all jobs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "log/offset_lookup.h"
#include "log/segment.h"
#include "model/ids.h"

namespace kb::log {

// Makes everything appended before PrepareFlush durable: segments, the indexes and producer snapshots of rolled segments,
// the leader epochs, the directory. An error is final: the kernel has dropped the pages, and the log refuses appends.
// A full disk is none: the records have their room already, and what else is written can wait. Only at a clean stop it
// cannot: the next start would believe what is there.
class FlushJob {
 public:
  Status Run();
  // The log is durable below this, when Run succeeded.
  Offset target_offset() const { return target_offset_; }
  // Nothing to do: everything is on the disk already. Running it is fine and cheap.
  bool empty() const { return files_.empty() && paths_.empty() && contents_.empty() && !sync_directory_; }

 private:
  friend class Log;
  friend class LogRecovery;
  struct Content {
    std::string path;
    std::string bytes;
    bool replace_atomically = false;
  };
  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  Offset target_offset_{0};
  uint64_t truncations_ = 0;                     // of the log when the job was made
  std::vector<std::shared_ptr<io::File>> files_; // synced first: logs
  std::vector<std::string> paths_;               // synced if still there: indexes, logs that are not open
  // Synced before contents_ are written, so that a partition.metadata is found only in a directory that stays: this
  // one.
  std::string data_directory_ = {};
  std::vector<Content> contents_;                // written and synced then: they speak of what was synced before
  std::vector<std::string> obsolete_;            // removed last: an older snapshot between two segments
  bool sync_directory_ = false;
  std::optional<LeaderEpoch> latest_epoch_;  // in the checkpoint of epochs, if that is written
  bool has_all_indexes_ = false;             // those of all sealed segments are written
  bool is_short_of_room_ = false;  // a content could not be written; each can be written later, or be derived
  bool is_last_ = false;           // nothing can be written later
  std::optional<Error> obstacle_;  // something else could not be written that a clean stop needs
};

// Brings what a read needs into memory: opens files, checks what nobody has checked, repairs a damaged index, reads the
// range ahead.
class PrefetchJob {
 public:
  // What cannot be brought is not an error here: the read that follows meets it and says so.
  void Run();
  // Why what the read needs could not be checked: it cannot be had then.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  friend class Log;
  bool Check(SegmentView& view);
  void ReadAhead(const SegmentView& view, uint64_t position) const;
  void ReadAborted();
  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  uint64_t truncations_ = 0;  // both: of the log when the job was made
  uint64_t replacements_ = 0;
  Offset offset_{0};
  uint64_t max_bytes_ = 0;
  std::vector<SegmentView> segments_;  // the one with offset_, and the next in case it has no batch there
  int32_t index_interval_bytes_ = 0;
  std::optional<std::pair<Offset, SegmentState>> rebuilt_;  // indexes of a sealed segment, built anew
  bool active_index_is_damaged_ = false;
  struct Checked {
    Offset segment_base;
    std::vector<Stretch> stretches;
  };
  std::vector<Checked> checked_;
  std::optional<Error> failure_;
  struct Aborted {
    Offset segment_base;
    std::string path;
    std::vector<AbortedTransaction> transactions;
  };
  std::vector<Aborted> aborted_;
};

// Where a scrub is in a log.
struct ScrubCursor {
  Offset segment_base{0};  // of the segment that is next, or under way
  bool anew = false;       // also what was checked before, and what this process has written
  Offset forgotten{-1};    // anew: of the segment whose checks were dropped last
  void SkipSegment() { segment_base = segment_base + 1; }
};

// Checks a piece of a segment that nobody has read, so that damage is found while there may be a copy elsewhere. What it had
// to read from the disk leaves the page cache again.
class ScrubJob {
 public:
  static constexpr uint64_t kPieceBytes = 1 << 20;
  Status Run();
  uint64_t bytes() const;  // that were checked

 private:
  friend class Log;
  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  uint64_t truncations_ = 0;
  uint64_t replacements_ = 0;
  SegmentView segment_;
  Unknown part_;
  std::vector<Stretch> checked_;
};

// Answers ListOffsets by timestamp (timestamp >= 0) or for the maximum timestamp. Reads what is in the log when it is made.
class TimestampLookupJob {
 public:
  // nullopt: no record is that late (or, for the maximum, there is none at all).
  Result<std::optional<TimestampOffset>> Run();

 private:
  friend class Log;
  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  std::optional<int64_t> timestamp_;  // nullopt: the maximum
  Offset from_offset_{0};
  std::vector<SegmentView> segments_;
};

// When the record at an offset, or the first behind it, was made: to the batch, see FindTimeOf (log/offset_lookup.h).
class OffsetTimeJob {
 public:
  // nullopt: not known (no such record, none of its batch's time, damage).
  Result<std::optional<int64_t>> Run();

 private:
  friend class Log;
  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  Offset offset_{0};
  std::vector<SegmentView> segments_;  // the one with the offset, and the next in case it has no batch there
};

// Removes files that have been taken out of the log. Two steps: Rename gives them the suffix .deleted and is due at once;
// Remove is due after file.delete.delay.ms (who was reading them by name is done then; slices keep their files anyway).
// A crash in between is fine: the next Open removes .deleted files.
class RemovalJob {
 public:
  Status Rename();
  Status Remove();
  bool empty() const { return paths_.empty(); }
  size_t segments() const { return segments_; }
  uint64_t bytes() const { return bytes_; }

 private:
  friend class Log;
  io::FileSystem* file_system_ = nullptr;
  std::vector<std::string> paths_;
  std::optional<std::pair<std::string, std::string>> snapshot_;  // path and bytes: written before anything goes
  size_t segments_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace kb::log

// Cleaning (compaction): of every key only the latest record stays. What a topic with cleanup.policy=compact is for.
//
//   0         first dirty      first uncleanable   active segment
//   [ cleaned ][ dirty segments ][ not yet         ][ …
//              └ read for keys ┘  open transactions, younger than min.compaction.lag.ms, not on the disk yet
//   └────────── written anew ───┘
//
// A CleanJob reads the dirty segments into a map (key → last offset), then writes all segments below the first
// uncleanable one anew, in groups that become one segment each. A group is put in place before the next is begun:
//
//   CleanJob job = log.PrepareClean(*part, options);                    home
//   while (true) {
//     Result<CleanJob::Progress> progress = job.Run();                  disk pool, some megabytes at a time
//     kMore: again   kGroup: log.ReplaceCleaned(job), again   kDone or an error: leave
//   }
//   job.Discard();                                                      disk pool, after an error
//   log.CleanCompleted(job);                                            home
//
// What stays of a batch, byte for byte what Apache Kafka leaves:
//   - a record without a key goes, as does one whose key comes again below the first uncleanable offset;
//   - the first cleaning that keeps a tombstone (a record without a value) writes a delete horizon into its batch: now +
//     delete.retention.ms; a cleaning behind that time removes it;
//   - data of aborted transactions goes. A marker stays while there is data of its transaction; then it gets a horizon. It
//     also stays while a producer snapshot below it knows the transaction as open: a start that begins with that snapshot
//     would wait for it for ever (Apache Kafka lets it go);
//   - offsets do not change, nor first and last offset, producer and sequence of a batch. A batch of which nothing is left
//     goes, unless it is the last one on the disk of a producer that is known, or ends at the first uncleanable offset: then
//     its header stays, without records. Batches of which nothing goes are copied as they are.
//
// Swap. <base>.log.cleaned and its indexes are written and synced, then renamed to .swap and the directory synced; now
// the cleaning has happened: the old segments become .deleted, oldest first, and .swap loses its suffix, the log last.
// Opening the log after a crash finishes this, or removes what was not synced (log/leftovers.h). Old files stay readable
// for who holds them.
//
// Only whole segments that are on the disk are cleaned: a record must not go because of a later one that a power cut
// would take. A damaged batch ends the cleaning with an error and what was not put in place is not.
//
// A job is used by one thread at a time. Its memory: the map, one batch (packed and once more unpacked), what is written
// with one call.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "log/log_config.h"
#include "log/offset_map.h"
#include "log/segment.h"
#include "log/segment_scan.h"
#include "model/ids.h"
#include "record/compression.h"

namespace kb::log {

// What of a log a cleaning would work on.
struct CleanablePart {
  Offset first_dirty{0};
  Offset first_uncleanable{0};  // where a segment begins
  uint64_t clean_bytes = 0;
  uint64_t dirty_bytes = 0;
  bool is_overdue = false;  // some dirty record waits longer than max.compaction.lag.ms
  double dirty_ratio() const {
    uint64_t all = clean_bytes + dirty_bytes;
    return all == 0 ? 0.0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
  }
};

struct CleanOptions {
  OffsetMap::Options map;
  int64_t now_ms = 0;                // horizons count from it, and expire by it
  uint64_t bytes_per_run = 4 << 20;  // read or written before Run returns with kMore
  size_t write_bytes = 256 << 10;    // gathered for one write
};

struct CleanStatistics {
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t records_kept = 0;
  uint64_t records_removed = 0;
  size_t segments_before = 0;
  size_t segments_after = 0;
};

// Which batches belong to aborted transactions, and which markers nobody needs any more. Batches are shown to it in
// order, from one that lies before every transaction in the list on.
class TransactionFilter {
 public:
  TransactionFilter() = default;
  explicit TransactionFilter(std::vector<AbortedTransaction> aborted);

  // A data batch: whether its transaction was aborted.
  bool IsAborted(const record::BatchHeader& batch);
  // A control batch: whether no data of its transaction was seen. An abort marker with data still is one for the
  // transaction index: *kept.
  bool IsUnneeded(const record::BatchHeader& batch, const std::optional<TransactionMarker>& marker,
                  std::optional<AbortedTransaction>* kept);

 private:
  struct Open {
    AbortedTransaction transaction;
    bool has_data = false;
  };
  void Advance(Offset last_offset);

  std::vector<AbortedTransaction> aborted_;  // ascending by first offset
  size_t next_ = 0;
  std::unordered_map<ProducerId, Open> being_aborted_;
  std::unordered_map<ProducerId, bool> being_committed_;
};

class CleanJob {
 public:
  enum class Progress { kMore, kGroup, kDone };
  CleanJob(CleanJob&&) = default;

  // kCorrupt: a damaged batch, as the message says. Whatever the error, Run is not called again.
  Result<Progress> Run();
  // Removes the files that were not put in place. After an error, or to give up between two Runs. Blocks. If they cannot be
  // removed, the log fails with CleanCompleted: what comes next must not be written beside them.
  void Discard();

  // After kDone: everything below is clean.
  Offset clean_end() const { return clean_end_; }
  const CleanStatistics& statistics() const { return statistics_; }

 private:
  friend class Log;
  CleanJob() = default;

  struct Source {
    Offset base_offset{0};
    Offset end_offset{0};  // base of the next segment
    uint64_t size_bytes = 0;
    size_t index_entries = 0;
    size_t time_entries = 0;
    size_t aborted_entries = 0;
  };
  // A transaction index as it was when the job was made.
  struct AbortedSource {
    std::string path;
    size_t on_disk = 0;
    std::vector<TxnIndexEntry> tail;
  };
  struct LastOfProducer {
    std::optional<Offset> last_data_offset;
    ProducerEpoch epoch;
    // All that is known of it may go with a power cut: its last batch is the last one that the first pass meets.
    bool is_in_doubt = false;
    std::optional<Offset> last_met;
  };
  // The segments [first, end) of sources_ that become one.
  struct Group {
    size_t first = 0;
    size_t end = 0;
    Offset base_offset{0};
    std::unique_ptr<Segment> segment;  // what is known of the new one
    std::vector<TxnIndexEntry> aborted;
    std::unique_ptr<io::File> log;
    std::vector<uint8_t> buffer;  // bytes not written yet, from `written` on
    uint64_t written = 0;
    bool is_changed = false;
    std::vector<std::string_view> suffixes;  // of the files that it has
  };
  // What decides about a record.
  struct Looked {
    Offset offset{0};
    KeyHash key;
    bool has_key = false;
    bool has_value = false;
  };
  // What is to become of the records of a batch.
  struct Verdict {
    std::vector<bool> kept;
    size_t kept_count = 0;
    bool keeps_tombstone = false;
  };
  enum class Phase { kStart, kMap, kBetweenGroups, kCopy };

  std::string PathOf(Offset base_offset, std::string_view suffix, std::string_view stage = "") const;
  Error Damaged(const Source& source, const std::string& what) const;
  uint64_t done_bytes() const { return statistics_.read_bytes + statistics_.written_bytes; }

  Status LoadAborted();
  Status LoadSnapshots();
  bool IsAwaited(const record::BatchHeader& marker);
  TransactionFilter FilterFrom(Offset offset) const;
  Status OpenSource(size_t source);
  // The next batch of the open source, whole and with a right checksum; nullopt at the end of the segment.
  Result<std::optional<record::BatchView>> NextBatch();

  Result<bool> MapSome(uint64_t stop_at);                 // whether the map is complete
  Result<bool> MapBatch(const record::BatchView& batch);  // whether there was room
  bool MapLooked();
  void MeetProducer(const record::BatchHeader& batch);

  bool BeginGroup();
  Status StartCopy();
  Result<bool> CopySome(uint64_t stop_at);  // whether the group is complete
  Status CopyBatch(const record::BatchView& batch);
  Result<Verdict> Judge(const record::BatchView& batch);
  void JudgeLooked(const record::BatchHeader& batch, Verdict& verdict);
  Looked LookAt(const record::RecordView& record) const;
  bool IsLastOfProducer(const record::BatchHeader& batch) const;
  bool Keeps(const Looked& record, const record::BatchHeader& batch) const;
  Status WriteAnew(const record::BatchView& batch, const std::vector<bool>& kept, std::optional<int64_t> horizon_ms);
  Status WriteEmpty(const record::BatchHeader& batch);
  Status Write(const record::BatchView& batch);
  Status WriteBuffer();
  Result<bool> FinishGroup();  // whether it is to be put in place
  Status DropGroup();
  Status PutAside();
  Status WriteIndex(std::string_view suffix, std::string_view bytes);

  io::FileSystem* file_system_ = nullptr;
  std::string directory_;
  LogConfig config_;
  CleanOptions options_;
  uint64_t truncations_ = 0;
  Offset first_dirty_{0};
  Offset first_uncleanable_{0};
  std::vector<Source> sources_;
  std::vector<AbortedSource> aborted_sources_;
  std::unordered_map<ProducerId, LastOfProducer> last_of_producers_;

  Phase phase_ = Phase::kStart;
  std::vector<AbortedTransaction> aborted_;
  std::map<Offset, std::vector<ProducerId>> open_at_snapshots_;  // of those above what is copied
  std::unordered_set<ProducerId> awaited_;                       // open at some snapshot, and no marker was met since
  TransactionFilter filter_;
  std::unique_ptr<OffsetMap> map_;
  Offset mapped_end_{0};  // all keys below it are in the map
  Offset clean_end_{0};
  bool map_is_full_ = false;
  size_t source_ = 0;
  std::unique_ptr<io::File> source_file_;
  std::unique_ptr<SegmentScan> scan_;
  std::vector<uint8_t> batch_;
  std::vector<Looked> looked_;  // records whose keys are being looked up
  std::unique_ptr<record::Decompressor> decompressor_;
  Group group_;
  bool directory_is_dirty_ = false;
  Status discarded_;  // whether nothing is left that a start would put in place
  CleanStatistics statistics_;
};

}  // namespace kb::log

#include "log/recovery.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "log/checkpoint_files.h"
#include "log/leftovers.h"
#include "log/segment_scan.h"
#include "record/builder.h"

namespace kb::log {
namespace {

// An index whose last entry lies further than this before the end of its segment has lost entries. Far more than a batch
// has as a rule: one that is larger only makes us look again.
constexpr uint64_t kLongestGapBytes = 16 << 20;
// Leader epochs that the checkpoint does not tell are learned from the batches, if that does not take long.
constexpr uint64_t kMostEpochScanBytes = 1 << 30;

// So much before a producer snapshot is looked through for batches that were in flight.
constexpr uint64_t kRecalledBytes = 2 << 20;
// After a clean stop, only where something was written so short a time ago: several times as long as a client repeats a
// batch (delivery.timeout.ms is 2 minutes). Otherwise a start with many partitions would read for nothing.
constexpr int64_t kRepeatedWithinMs = 10 * 60 * 1000;

// A log start on record that is further behind the log's end is no lost end; and one batch holds no more offsets.
constexpr int64_t kMostLostOffsets = INT32_MAX;

constexpr Offset kNowhere{INT64_MAX};

// A segment while it is being looked at.
struct Piece {
  Offset base_offset{0};
  Offset limit = kNowhere;  // base of the next segment
  uint64_t file_bytes = 0;  // of the .log as it was found
  std::unique_ptr<Segment> segment;
  bool is_behind_gap = false;
  bool derives_aborted = false;  // the transaction index is made from the batches, from derives_from on
  Offset derives_from{0};
  std::vector<TxnIndexEntry> aborted;
  bool is_last() const { return limit == kNowhere; }
};

// Where a scan begins, and what is known of the bytes before.
struct ScanStart {
  uint64_t position = 0;
  Offset offset{0};  // of the batch there
  SegmentState state;
};

// What a scan came to.
struct ScanResult {
  uint64_t end = 0;  // of the last whole batch
  Offset next_offset{0};
  bool is_cut = false;  // what is behind `end` is to go
};

// The end of an index file.
template <typename Entry>
struct IndexEnd {
  bool is_sound = false;  // it is there, and holds whole entries
  size_t entries = 0;
  std::optional<Entry> last;
};

template <typename Entry>
Result<IndexEnd<Entry>> ReadIndexEnd(io::FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kRead);
  if (!file.ok()) {
    if (file.error().kind == ErrorKind::kNotFound) return IndexEnd<Entry>();
    return file.error();
  }
  Result<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.error();
  if (*size % Entry::kSize != 0) return IndexEnd<Entry>();
  IndexEnd<Entry> end{true, static_cast<size_t>(*size / Entry::kSize), {}};
  if (end.entries == 0) return end;
  uint8_t bytes[Entry::kSize];
  Result<size_t> got = (*file)->ReadAt(*size - Entry::kSize, bytes);
  if (!got.ok()) return got.error();
  if (*got != Entry::kSize) return IndexEnd<Entry>();
  end.last = Entry::Decode(bytes);
  return end;
}

// Cuts off what is behind the entries that count: preallocated by Apache Kafka, or from before a crash.
template <typename Entry>
Status TrimTo(io::FileSystem& files, const std::string& path, const IndexFile<Entry>& index) {
  Result<uint64_t> size = files.SizeOf(path);
  if (!size.ok()) return size.error().kind == ErrorKind::kNotFound ? Status() : Status(size.error());
  const uint64_t wanted = index.on_disk() * Entry::kSize;
  if (*size == wanted) return {};
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kReadWrite);
  if (!file.ok()) return file.error();
  return (*file)->Truncate(wanted);
}

bool Ascends(const auto& entries, auto field) {
  auto falls = [&](const auto& a, const auto& b) { return a.*field >= b.*field; };
  return std::adjacent_find(entries.begin(), entries.end(), falls) == entries.end();
}

class Recovery {
 public:
  Recovery(io::FileSystem& files, LogOptions& options, RecoveryReport& report, bool is_reload)
      : files_(files),
        options_(options),
        report_(report),
        is_reload_(is_reload),
        producers_(options.config.most_producers) {}

  Status Run();

  // ---- what it came to
  std::vector<Piece> pieces_;
  Offset log_start_offset_{0};
  Offset log_end_offset_{0};
  Offset recovery_point_{0};
  Offset taken_below_{0};  // offsets from the log's end up to this one were given to records that are lost
  LeaderEpochCache epochs_;
  bool epochs_changed_ = false;
  std::optional<LeaderEpoch> saved_epoch_;
  std::optional<Offset> last_snapshot_, previous_snapshot_;

 private:
  const std::string& directory() const { return options_.directory; }
  Offset recovery_point() const { return options_.recovery_point.value_or(Offset(0)); }
  Offset durable_below() const { return options_.recovery_point.value_or(kNowhere); }
  std::string PathOf(std::string_view name) const { return directory() + "/" + std::string(name); }
  std::string PathOf(Offset offset, std::string_view suffix) const { return PathOf(OffsetFileName(offset, suffix)); }
  std::string WhereIs(const Piece& piece, uint64_t position, Offset offset) const;
  void Note(std::string line) { report_.notes.push_back(directory() + ": " + std::move(line)); }
  Result<std::unique_ptr<io::File>> OpenLog(const Piece& piece, io::OpenMode mode) const;

  void FindLogStart();
  Status LoadEpochs();
  Status LearnEpochs();
  void NoteEpochOf(const record::BatchHeader& batch);

  Status ListPieces();
  Status LoadSegments();
  bool MayBeginBehindGap(const Piece& piece) const;
  Status CreateFirstSegment(Offset base_offset);
  Status DropFrom(size_t first);
  Status LoadTrusted(Piece& piece);
  Status LoadLastAfterCleanStop(Piece& piece);
  Result<bool> RecoverSegment(Piece& piece, bool may_start_inside);
  Result<std::optional<SegmentState>> SoundState(const Piece& piece) const;
  Status KeepAborted(Piece& piece);

  ScanStart StartAtFirstByte() const;
  std::optional<ScanStart> StartAtLastEntry(const Piece& piece, const io::File& log, SegmentState state) const;
  std::optional<ScanStart> StartAtCheckpoint(const Piece& piece, const io::File& log) const;
  Result<ScanResult> ScanFrom(Piece& piece, const io::File& log, std::optional<ScanStart> start, Offset cut_above);
  Result<ScanResult> Scan(Piece& piece, const io::File& log, ScanStart start, Offset cut_above);
  bool SpeaksOfMore(const Piece& piece, const ScanResult& scan) const;
  Status FinishScan(Piece& piece, io::File& log, const ScanResult& scan);
  bool IsTrustedLater(const Piece& piece) const;
  Status ReplaceIndexes(Piece& piece);

  Status LoadProducers();
  Offset RestoreProducers(Offset at_most);
  Status ReplayFrom(Offset from);
  std::optional<Offset> RestoreSnapshot(Offset at_most);
  std::optional<Offset> CheckpointIn(const Piece& piece);
  Status WriteSnapshotOf(size_t piece);
  Status DropSnapshotsAbove(Offset offset);
  Status ReplayInto(Piece& piece, Offset from);
  bool MayBeRepeated() const;
  void Recall(Offset snapshot);
  uint64_t IndexedBefore(const Piece& piece, uint64_t position) const;
  Status WriteAborted(Piece& piece, Offset replayed_from);
  Status TidySnapshots();

  io::FileSystem& files_;
  LogOptions& options_;
  RecoveryReport& report_;
  const bool is_reload_;
  ReplicaFiles listed_;
  bool epochs_are_known_ = false;
  bool left_out_snapshot_ = false;  // one that could not be read
  size_t synced_ = 0;  // so many pieces are on the disk
  // A producer snapshot inside the segment with the recovery point: a checkpoint, synced after that segment's indexes.
  std::optional<Offset> checkpoint_;

 public:
  ProducerState producers_;
};

Status Recovery::Run() {
  if (options_.made_for_topic) {
    KB_RETURN_IF_ERROR(DraftPartitionMetadata(files_, directory(), *options_.made_for_topic));
    return CreateFirstSegment(Offset(0));
  }
  KB_RETURN_IF_ERROR(files_.CreateDirectories(directory()));
  KB_RETURN_IF_ERROR(ClearLeftovers(files_, directory(), &report_.notes));
  Result<ReplicaFiles> listed = ListReplicaFiles(files_, directory());
  if (!listed.ok()) return listed.error();
  listed_ = std::move(*listed);
  KB_RETURN_IF_ERROR(RemoveOrphans(files_, directory(), listed_));
  // A start that ended early may have removed segments: they must not come back into what is written now.
  if (!options_.was_clean) KB_RETURN_IF_ERROR(files_.SyncDirectory(directory()));
  KB_RETURN_IF_ERROR(LoadEpochs());
  KB_RETURN_IF_ERROR(LoadSegments());

  FindLogStart();
  KB_RETURN_IF_ERROR(LearnEpochs());
  epochs_changed_ |= epochs_.TruncateFromEnd(log_end_offset_);
  epochs_changed_ |= epochs_.TruncateFromStart(log_start_offset_);
  KB_RETURN_IF_ERROR(LoadProducers());
  KB_RETURN_IF_ERROR(TidySnapshots());
  recovery_point_ = options_.was_clean ? log_end_offset_ : std::min(recovery_point(), log_end_offset_);
  return {};
}

// One that is on record and lies behind the log's end is wrong, or the end of the log was lost: it never was behind the
// high watermark. Apache Kafka removes the whole log then and begins there. Here what is left stays: nobody can tell
// whether it was to go, and records that come back are the lesser harm. Where the end may have been lost, its offsets
// are not given away a second time, or who has read so far would miss what is written next.
void Recovery::FindLogStart() {
  const Offset recorded = options_.log_start_offset.value_or(Offset(0));
  log_start_offset_ = pieces_.front().base_offset;
  if (recorded <= log_end_offset_) {
    log_start_offset_ = std::max(log_start_offset_, recorded);
    return;
  }
  // After a clean stop two files must say so.
  const bool may_be_lost = !options_.was_clean || recorded <= recovery_point();
  const bool is_taken = may_be_lost && !is_reload_ && recorded - log_end_offset_ <= kMostLostOffsets;
  if (is_taken) taken_below_ = recorded;
  Note("the log start on record, " + ToString(recorded) + ", lies behind the log's end at " +
       ToString(log_end_offset_) + ": it is ignored, and all records that are there stay" +
       (is_taken ? "; the log goes on at that offset" : ""));
}

std::string Recovery::WhereIs(const Piece& piece, uint64_t position, Offset offset) const {
  return OffsetFileName(piece.base_offset, kLogSuffix) + " byte " + std::to_string(position) + " (offset " +
         ToString(offset) + ")";
}

Result<std::unique_ptr<io::File>> Recovery::OpenLog(const Piece& piece, io::OpenMode mode) const {
  return files_.Open(PathOf(piece.base_offset, kLogSuffix), mode);
}

// ---- leader epochs

Status Recovery::LoadEpochs() {
  Result<std::vector<EpochStart>> entries = ReadEpochCheckpoint(files_, PathOf(kLeaderEpochFile));
  if (entries.ok()) {
    epochs_are_known_ = !entries->empty();
    epochs_ = LeaderEpochCache(std::move(*entries));
    saved_epoch_ = epochs_.latest_epoch();
    return {};
  }
  if (entries.error().kind != ErrorKind::kCorrupt) return entries.error();
  Note("leader epochs are learned from the batches: " + entries.error().message);
  return {};
}

void Recovery::NoteEpochOf(const record::BatchHeader& batch) {
  bool is_new = batch.leader_epoch() > epochs_.latest_epoch().value_or(kNoLeaderEpoch);
  // The checkpoint may still have it begin in what was cut off, or truncated.
  is_new |= batch.leader_epoch() == epochs_.latest_epoch() && epochs_.entries().back().start_offset > batch.base_offset();
  if (is_new && epochs_.Assign(batch.leader_epoch(), batch.base_offset())) epochs_changed_ = true;
}

// A directory without the checkpoint, as course harnesses write it.
Status Recovery::LearnEpochs() {
  if (epochs_are_known_) return {};
  uint64_t size = 0;
  for (const Piece& piece : pieces_) size += piece.segment->size_bytes();
  if (size == 0 || size > kMostEpochScanBytes) return {};
  epochs_.Clear();
  for (const Piece& piece : pieces_) {
    Result<std::unique_ptr<io::File>> log = OpenLog(piece, io::OpenMode::kRead);
    if (!log.ok()) return log.error();
    SegmentScan scan(**log, 0, piece.segment->size_bytes(), piece.base_offset, SegmentScan::kHeadersOnly);
    SegmentScan::Answer answer;
    while ((answer = scan.Next()) == SegmentScan::kBatch) NoteEpochOf(scan.header());
    if (answer == SegmentScan::kFailed) return scan.error();
  }
  return {};
}

// ---- segments

Status Recovery::ListPieces() {
  for (Offset base : listed_.logs) {
    Result<uint64_t> size = files_.SizeOf(PathOf(base, kLogSuffix));
    if (!size.ok()) return size.error();
    if (*size > INT32_MAX) {
      return Error{ErrorKind::kCorrupt, PathOf(base, kLogSuffix) + " is larger than a segment can be"};
    }
    if (!pieces_.empty()) pieces_.back().limit = base;
    Piece piece;
    piece.base_offset = base;
    piece.file_bytes = *size;
    pieces_.push_back(std::move(piece));
  }
  return {};
}

Status Recovery::LoadSegments() {
  if (listed_.logs.empty()) return CreateFirstSegment(options_.log_start_offset.value_or(Offset(0)));
  KB_RETURN_IF_ERROR(ListPieces());
  size_t first_recovered = pieces_.size() - 1;
  if (!options_.was_clean) {
    report_.scanned = true;
    // The segment that ends at the recovery point may have been sealed behind that flush: its indexes need not be durable.
    while (first_recovered > 0 && pieces_[first_recovered].base_offset >= recovery_point()) --first_recovered;
    checkpoint_ = CheckpointIn(pieces_[first_recovered]);
  }
  for (size_t i = 0; i < first_recovered; ++i) KB_RETURN_IF_ERROR(LoadTrusted(pieces_[i]));
  if (options_.was_clean) return LoadLastAfterCleanStop(pieces_.back());
  for (size_t i = first_recovered; i < pieces_.size(); ++i) {
    Result<bool> is_cut = RecoverSegment(pieces_[i], i == first_recovered);
    if (!is_cut.ok()) return is_cut.error();
    if (*is_cut) return DropFrom(i + 1);
    if (pieces_[i].is_last()) continue;
    if (log_end_offset_ >= pieces_[i].limit) {
      (void)pieces_[i].segment->Seal(files_);
      continue;
    }
    Note("no records from " + ToString(log_end_offset_) + " up to " + ToString(pieces_[i].limit));
    if (!MayBeginBehindGap(pieces_[i + 1])) return DropFrom(i + 1);
    pieces_[i + 1].is_behind_gap = true;
    (void)pieces_[i].segment->Seal(files_);
  }
  return {};
}

// A log that is compacted, or was, has such gaps, and one that follows it. In another one, where nothing was durable,
// it is the end of a segment that was lost while a later one was not: who reads or writes in order finds the log's end
// there. Nothing in the later one was acknowledged then: a flush would have taken all before it along. And would have
// written the snapshot of the later one behind that, so that one that is whole tells, whatever the configuration and
// the checkpoints say today, that nothing is lost.
bool Recovery::MayBeginBehindGap(const Piece& piece) const {
  if (options_.config.cleanup_compact || options_.was_compacted || log_end_offset_ < durable_below()) return true;
  Result<std::string> snapshot = io::ReadFile(files_, PathOf(piece.base_offset, kSnapshotSuffix));
  ProducerState unused(options_.config.most_producers);
  return snapshot.ok() && unused.Restore(AsBytes(*snapshot), options_.now_ms).ok();
}

Status Recovery::CreateFirstSegment(Offset base_offset) {
  Result<std::unique_ptr<io::File>> log = files_.Open(PathOf(base_offset, kLogSuffix), io::OpenMode::kTruncate);
  if (!log.ok()) return log.error();
  Piece piece;
  piece.base_offset = base_offset;
  piece.segment = std::make_unique<Segment>(directory(), base_offset, StartAtFirstByte().state);
  pieces_.push_back(std::move(piece));
  log_end_offset_ = base_offset;
  return {};
}

Status Recovery::DropFrom(size_t first) {
  if (first >= pieces_.size()) return {};
  for (size_t i = first; i < pieces_.size(); ++i) {
    for (std::string_view suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix, kSnapshotSuffix}) {
      Status status = files_.Remove(PathOf(pieces_[i].base_offset, suffix));
      if (!status.ok() && status.error().kind != ErrorKind::kNotFound) return status;
    }
    listed_.snapshots.erase(pieces_[i].base_offset);
  }
  report_.deleted_segments += pieces_.size() - first;
  pieces_.resize(first);
  if (!pieces_.empty()) pieces_.back().limit = kNowhere;
  // Before anything is appended: a segment that came back after the next crash would begin inside of what is written now.
  return files_.SyncDirectory(directory());
}

// What the files say about a segment without reading it through; nullopt when its indexes must be built anew.
Result<std::optional<SegmentState>> Recovery::SoundState(const Piece& piece) const {
  const std::optional<SegmentState> unsound;
  auto index = ReadIndexEnd<OffsetIndexEntry>(files_, PathOf(piece.base_offset, kIndexSuffix));
  if (!index.ok()) return index.error();
  auto time_index = ReadIndexEnd<TimeIndexEntry>(files_, PathOf(piece.base_offset, kTimeIndexSuffix));
  if (!time_index.ok()) return time_index.error();
  if (!index->is_sound || !time_index->is_sound) return unsound;

  auto is_inside = [&](int32_t relative_offset) {
    return relative_offset >= 0 && piece.base_offset + relative_offset < piece.limit;
  };
  SegmentState state;
  uint64_t indexed = 0;
  if (index->last) {
    const OffsetIndexEntry& last = *index->last;
    indexed = static_cast<uint64_t>(std::max(last.position, 0));
    if (last.position <= 0 || indexed >= piece.file_bytes || !is_inside(last.relative_offset)) return unsound;
  }
  if (piece.file_bytes - indexed > kLongestGapBytes) return unsound;
  if (time_index->last) {
    const TimeIndexEntry& last = *time_index->last;
    if (last.timestamp < 0 || !is_inside(last.relative_offset)) return unsound;
    state.max_timestamp = last.timestamp;
    state.max_timestamp_offset = piece.base_offset + last.relative_offset;
  }
  state.size_bytes = piece.file_bytes;
  state.created_ms = options_.now_ms;
  state.index = OffsetIndex(index->entries, index->last);
  state.time_index = TimeIndex(time_index->entries, time_index->last);
  return std::optional(std::move(state));
}

Status Recovery::LoadTrusted(Piece& piece) {
  Result<std::optional<SegmentState>> state = SoundState(piece);
  if (!state.ok()) return state.error();
  bool is_sound = state->has_value();
  if (is_sound && !(*state)->time_index.last() && piece.file_bytes >= record::kBatchHeaderBytes) {
    // A time index may be empty when no record has a time; the first batch tells whether that may be.
    Result<std::unique_ptr<io::File>> log = OpenLog(piece, io::OpenMode::kRead);
    if (!log.ok()) return log.error();
    uint8_t bytes[record::kBatchHeaderBytes];
    Result<size_t> got = (*log)->ReadAt(0, bytes);
    if (!got.ok()) return got.error();
    is_sound = record::BatchHeader(ByteView(bytes)).max_timestamp() < 0;
  }
  if (!is_sound) {
    Result<SegmentState> rebuilt = RebuildIndexes(files_, directory(), piece.base_offset, piece.file_bytes,
                                                  options_.config.index_interval_bytes);
    if (!rebuilt.ok()) return rebuilt.error();
    ++report_.rebuilt_indexes;
    Note("built the indexes of segment " + ToString(piece.base_offset) + " anew");
    *state = std::move(*rebuilt);
    (*state)->created_ms = options_.now_ms;
  }
  piece.segment = std::make_unique<Segment>(directory(), piece.base_offset, std::move(**state));
  return KeepAborted(piece);
}

// A marker of a clean stop says what was meant. The end of the log is looked at all the same.
Status Recovery::LoadLastAfterCleanStop(Piece& piece) {
  Result<std::optional<SegmentState>> state = SoundState(piece);
  if (!state.ok()) return state.error();
  Result<std::unique_ptr<io::File>> log = OpenLog(piece, io::OpenMode::kReadWrite);
  if (!log.ok()) return log.error();
  std::optional<ScanStart> start;
  if (state->has_value()) start = StartAtLastEntry(piece, **log, std::move(**state));
  Result<ScanResult> scan = ScanFrom(piece, **log, std::move(start), kNowhere);
  if (!scan.ok()) return scan.error();
  KB_RETURN_IF_ERROR(FinishScan(piece, **log, *scan));
  return KeepAborted(piece);
}

// Returns whether the log ends in this segment because of what was found there.
Result<bool> Recovery::RecoverSegment(Piece& piece, bool may_start_inside) {
  Result<std::unique_ptr<io::File>> log = OpenLog(piece, io::OpenMode::kReadWrite);
  if (!log.ok()) return log.error();
  std::optional<ScanStart> start;
  if (may_start_inside) {
    start = StartAtCheckpoint(piece, **log);
    if (!start) checkpoint_.reset();
  }
  if (!start) start = StartAtFirstByte();
  start->offset = std::max(start->offset, piece.base_offset);
  Result<ScanResult> scan = ScanFrom(piece, **log, std::move(start), durable_below());
  if (!scan.ok()) return scan.error();
  KB_RETURN_IF_ERROR(FinishScan(piece, **log, *scan));
  piece.derives_aborted = true;
  piece.derives_from = may_start_inside ? checkpoint_.value_or(piece.base_offset) : piece.base_offset;
  return scan->is_cut;
}

// Keeps the transaction index as it is, unless it is broken, lacks markers or speaks of what is not there.
Status Recovery::KeepAborted(Piece& piece) {
  auto index = ReadIndexEnd<TxnIndexEntry>(files_, PathOf(piece.base_offset, kTxnIndexSuffix));
  if (!index.ok()) return index.error();
  const Offset end = piece.is_last() ? log_end_offset_ : piece.limit;
  bool is_missing = !index->is_sound && piece.segment->state().abort_markers > 0;
  bool is_broken = !index->is_sound && listed_.indexes[piece.base_offset].contains(kTxnIndexSuffix);
  bool speaks_of_more = index->last && index->last->transaction.last_offset >= end;
  piece.derives_aborted = is_missing || is_broken || speaks_of_more;
  piece.derives_from = piece.base_offset;
  piece.segment->mutable_state().txn_index = TxnIndex(index->entries, index->last);
  return {};
}

// ---- scanning

ScanStart Recovery::StartAtFirstByte() const {
  ScanStart start;
  start.state.created_ms = options_.now_ms;
  return start;
}

// At the batch that the last index entry names, if it is there.
std::optional<ScanStart> Recovery::StartAtLastEntry(const Piece& piece, const io::File& log, SegmentState state) const {
  static const std::vector<OffsetIndexEntry> kNoTail;
  SegmentReader reader(piece.base_offset, piece.file_bytes, &log, nullptr, 0, kNoTail);
  ScanStart start{0, piece.base_offset, std::move(state)};
  start.state.bytes_since_index_entry = 0;
  if (!start.state.index.last()) return start;

  const OffsetIndexEntry last = *start.state.index.last();
  Lookup first = reader.BatchAt(0, Blocking::kAllowed);
  Lookup named = reader.BatchAt(static_cast<uint64_t>(last.position), Blocking::kAllowed);
  if (first.outcome != Lookup::kFound || named.outcome != Lookup::kFound) return std::nullopt;
  if (named.batch.last_offset != piece.base_offset + last.relative_offset) return std::nullopt;
  uint8_t bytes[record::kBatchHeaderBytes];
  Result<size_t> got = log.ReadAt(0, bytes);
  if (!got.ok()) return std::nullopt;
  start.state.first_batch_timestamp = record::BatchHeader(ByteView(bytes)).max_timestamp();
  start.position = named.batch.position;
  start.offset = named.batch.base_offset;
  return start;
}

// At the last index entry below the checkpoint: the indexes up to it were synced before it was written.
std::optional<ScanStart> Recovery::StartAtCheckpoint(const Piece& piece, const io::File& log) const {
  if (!checkpoint_) return std::nullopt;
  auto index = ReadIndex<OffsetIndexEntry>(files_, PathOf(piece.base_offset, kIndexSuffix));
  auto time_index = ReadIndex<TimeIndexEntry>(files_, PathOf(piece.base_offset, kTimeIndexSuffix));
  if (!index.ok() || !time_index.ok()) return std::nullopt;
  auto is_above = [&](const auto& entry) { return piece.base_offset + entry.relative_offset >= *checkpoint_; };
  index->erase(std::find_if(index->begin(), index->end(), is_above), index->end());
  // Behind the entries of a file that Apache Kafka had mapped lie zeros.
  std::erase_if(*index, [](const OffsetIndexEntry& entry) { return entry.position <= 0; });
  if (index->empty()) return std::nullopt;
  const OffsetIndexEntry last = index->back();
  // Of an entry that is torn its offset may be missing: it goes back then.
  int64_t before = -1;
  auto is_later = [&](const TimeIndexEntry& entry) {
    const bool ascends = entry.relative_offset > std::exchange(before, entry.relative_offset);
    return entry.timestamp <= 0 || !ascends || entry.relative_offset > last.relative_offset;
  };
  time_index->erase(std::find_if(time_index->begin(), time_index->end(), is_later), time_index->end());
  bool is_plausible = Ascends(*index, &OffsetIndexEntry::relative_offset) &&
                      Ascends(*index, &OffsetIndexEntry::position) && Ascends(*time_index, &TimeIndexEntry::timestamp);
  if (!is_plausible || static_cast<uint64_t>(last.position) >= piece.file_bytes) return std::nullopt;

  SegmentState state = StartAtFirstByte().state;
  state.index = OffsetIndex(index->size(), last);
  if (!time_index->empty()) {
    state.time_index = TimeIndex(time_index->size(), time_index->back());
    state.max_timestamp = time_index->back().timestamp;
    state.max_timestamp_offset = piece.base_offset + time_index->back().relative_offset;
  }
  return StartAtLastEntry(piece, log, std::move(state));
}

// From `start`, or from the first byte when there is none or it turns out that it cannot be trusted.
Result<ScanResult> Recovery::ScanFrom(Piece& piece, const io::File& log, std::optional<ScanStart> start,
                                      Offset cut_above) {
  const bool had_start = start.has_value();
  if (had_start) {
    Result<ScanResult> scan = Scan(piece, log, std::move(*start), cut_above);
    if (!scan.ok() || !SpeaksOfMore(piece, *scan)) return scan;
  }
  if (piece.file_bytes > 0) {
    ++report_.rebuilt_indexes;
    Note("built the indexes of segment " + ToString(piece.base_offset) + " anew");
  }
  start = StartAtFirstByte();
  start->offset = piece.base_offset;
  return Scan(piece, log, std::move(*start), cut_above);
}

// Whether the indexes name a batch that is not there.
bool Recovery::SpeaksOfMore(const Piece& piece, const ScanResult& scan) const {
  const SegmentState& state = piece.segment->state();
  auto is_beyond = [&](const auto& last) { return last && piece.base_offset + last->relative_offset >= scan.next_offset; };
  return is_beyond(state.index.last()) || is_beyond(state.time_index.last());
}

// Checks batches and accounts for them in a new Segment. Damage at an offset at or above cut_above ends the log; below it,
// it stays if a whole batch or a segment follows.
Result<ScanResult> Recovery::Scan(Piece& piece, const io::File& log, ScanStart start, Offset cut_above) {
  ScanResult result{start.position, start.offset, false};
  start.state.size_bytes = piece.file_bytes;
  piece.segment = std::make_unique<Segment>(directory(), piece.base_offset, std::move(start.state));
  SegmentState& state = piece.segment->mutable_state();
  SegmentScan scan(log, start.position, piece.file_bytes, piece.base_offset, SegmentScan::kCheckCrc, piece.limit);
  while (true) {
    SegmentScan::Answer answer = scan.Next();
    if (answer == SegmentScan::kEnd) return result;
    if (answer == SegmentScan::kFailed) return scan.error();
    // The base offset is outside of the checksum: a sector that was lost can end right behind it, and leaves zeros there. One
    // that goes back is taken for such a torn tail where nothing was durable.
    const bool goes_back = answer == SegmentScan::kBatch && scan.header().base_offset() < result.next_offset &&
                           result.next_offset >= cut_above;
    // One that leaps up and is not its own would move the end of the log, and what follows it would look torn.
    const bool leaps = answer == SegmentScan::kBatch && scan.header().base_offset() > result.next_offset;
    if (leaps && result.next_offset < cut_above) {
      const Unknown rest{static_cast<uint32_t>(scan.position()), static_cast<uint32_t>(piece.file_bytes), result.next_offset,
                         piece.limit};
      Result<std::vector<Stretch>> checked = CheckBatches(log, piece.base_offset, rest, {1, kNoOffset});
      if (!checked.ok()) return checked.error();
      if (checked->size() > 1 && checked->front().is_damaged) {
        ++report_.damaged_batches;
        Note("damage at " + WhereIs(piece, scan.position(), result.next_offset) + " stays: whole batches follow it");
        scan.SkipTo(checked->front().end);
        continue;
      }
    }
    if (answer == SegmentScan::kBatch && !goes_back) {
      record::BatchHeader batch = scan.header();
      piece.segment->Account(batch, static_cast<uint32_t>(scan.position()), options_.config);
      if (epochs_are_known_) NoteEpochOf(batch);
      if (scan.marker() && !scan.marker()->commit) ++state.abort_markers;
      result.end = scan.position() + scan.size_bytes();
      result.next_offset = std::max(result.next_offset, batch.next_offset());
      report_.scanned_bytes += scan.size_bytes();
      continue;
    }
    const std::string where = WhereIs(piece, scan.position(), result.next_offset);
    const bool was_durable = result.next_offset < cut_above;
    if (was_durable && scan.Resynchronize(result.next_offset, piece.limit)) {
      ++report_.damaged_batches;
      Note("damage at " + where + " stays: whole batches follow it");
      continue;
    }
    result.is_cut = !was_durable || piece.is_last();
    if (!result.is_cut) ++report_.damaged_batches;
    Note((result.is_cut ? "the log ends at " : "damage up to the end of the segment at ") + where +
         ": no whole batch follows");
    return result;
  }
}

// Makes the files say what the scan found.
Status Recovery::FinishScan(Piece& piece, io::File& log, const ScanResult& scan) {
  if (scan.is_cut && scan.end < piece.file_bytes) {
    report_.truncated_bytes += piece.file_bytes - scan.end;
    KB_RETURN_IF_ERROR(log.Truncate(scan.end));
    KB_RETURN_IF_ERROR(log.Sync());
    piece.segment->mutable_state().size_bytes = scan.end;
  }
  log_end_offset_ = std::max(scan.next_offset, piece.base_offset);
  if (IsTrustedLater(piece)) return ReplaceIndexes(piece);
  KB_RETURN_IF_ERROR(TrimTo(files_, piece.segment->PathOf(kIndexSuffix), piece.segment->state().index));
  KB_RETURN_IF_ERROR(TrimTo(files_, piece.segment->PathOf(kTimeIndexSuffix), piece.segment->state().time_index));
  (void)piece.segment->SpillIndexes(files_);
  return {};
}

// Whether all of the segment's indexes was made just now, while a checkpoint says that the part before it is on the disk.
bool Recovery::IsTrustedLater(const Piece& piece) const {
  const SegmentState& state = piece.segment->state();
  const bool is_new = state.index.on_disk() == 0 && !state.index.tail().empty();
  auto inside = listed_.snapshots.upper_bound(piece.base_offset);
  return is_new && inside != listed_.snapshots.end() && *inside < piece.limit;
}

// At once and durably: a start that ends early must not leave them torn behind that checkpoint. Entries of the time
// index may be there before, from the ends of earlier lives.
Status Recovery::ReplaceIndexes(Piece& piece) {
  SegmentState& state = piece.segment->mutable_state();
  const std::string times_path = piece.segment->PathOf(kTimeIndexSuffix);
  std::vector<TimeIndexEntry> times;
  if (state.time_index.on_disk() > 0) {
    auto before = ReadIndex<TimeIndexEntry>(files_, times_path);
    if (!before.ok()) return before.error();
    times = std::move(*before);
    times.resize(state.time_index.on_disk());
  }
  times.insert(times.end(), state.time_index.tail().begin(), state.time_index.tail().end());
  KB_RETURN_IF_ERROR(
      io::WriteFileAtomically(files_, piece.segment->PathOf(kIndexSuffix), EncodeIndex(state.index.tail())));
  KB_RETURN_IF_ERROR(io::WriteFileAtomically(files_, times_path, EncodeIndex(times)));
  state.index = OffsetIndex(state.index.entries(), state.index.last());
  state.time_index = TimeIndex(state.time_index.entries(), state.time_index.last());
  return {};
}

// ---- producer state

// The newest checkpoint at or below the recovery point, inside of the segment.
std::optional<Offset> Recovery::CheckpointIn(const Piece& piece) {
  std::optional<Offset> restored = RestoreSnapshot(std::min(recovery_point(), piece.limit - 1));
  if (!restored || *restored <= piece.base_offset) return std::nullopt;
  return restored;
}

// Restores the newest readable snapshot at or below an offset. Damaged ones are removed; one that cannot be read now, for want
// of descriptors or because of the disk, may be good the next time.
std::optional<Offset> Recovery::RestoreSnapshot(Offset at_most) {
  while (true) {
    auto above = listed_.snapshots.upper_bound(at_most);
    if (above == listed_.snapshots.begin()) return std::nullopt;
    const Offset offset = *std::prev(above);
    Result<std::string> bytes = io::ReadFile(files_, PathOf(offset, kSnapshotSuffix));
    Status status = bytes.ok() ? producers_.Restore(AsBytes(*bytes), options_.now_ms) : Status(bytes.error());
    if (status.ok()) return offset;
    left_out_snapshot_ = true;
    Note("left out the producer snapshot at " + ToString(offset) + ": " + status.error().message);
    if (status.error().kind == ErrorKind::kCorrupt) (void)files_.Remove(PathOf(offset, kSnapshotSuffix));
    listed_.snapshots.erase(offset);
  }
}

Status Recovery::LoadProducers() {
  // What is not known, or not believed, is derived from the batches; everything before it must be in a snapshot.
  Offset derived_from = log_end_offset_;
  for (const Piece& piece : pieces_) {
    if (piece.derives_aborted) derived_from = std::min(derived_from, piece.derives_from);
  }
  const Offset believed = options_.was_clean ? log_end_offset_ : std::max(derived_from, recovery_point());
  if (!options_.was_clean) KB_RETURN_IF_ERROR(DropSnapshotsAbove(believed));
  const Offset derived_start = RestoreProducers(derived_from);
  auto newest = listed_.snapshots.upper_bound(std::min(believed, log_end_offset_));
  const bool there_is_a_newer = newest != listed_.snapshots.begin() && *std::prev(newest) > derived_start;
  if (!there_is_a_newer) return ReplayFrom(derived_start);
  // The later one knows of batches that were cleaned away, or retention took: what it says of producers is believed.
  for (Piece& piece : pieces_) {
    if (std::min(piece.limit, log_end_offset_) > derived_start) KB_RETURN_IF_ERROR(ReplayInto(piece, derived_start));
    if (piece.derives_aborted) KB_RETURN_IF_ERROR(WriteAborted(piece, derived_start));
    piece.derives_aborted = false;
  }
  return ReplayFrom(RestoreProducers(std::min(believed, log_end_offset_)));
}

// From the newest snapshot at or below an offset, or from nothing. Returns where the batches begin that are not in it.
Offset Recovery::RestoreProducers(Offset at_most) {
  producers_.Clear();
  std::optional<Offset> restored = RestoreSnapshot(at_most);
  // Behind one from before the log's first batch there is a gap: who wrote in it would be refused the next sequence.
  if (restored && *restored < pieces_.front().base_offset) restored.reset();
  if (restored) {
    if (!producers_.empty() && MayBeRepeated()) Recall(*restored);
    return *restored;
  }
  producers_.Clear();
  // Without any snapshot a clean stop is believed to have had nothing to remember, save in the segment that is at hand.
  bool believes = options_.was_clean && !is_reload_ && !left_out_snapshot_;
  return believes ? std::min(at_most, pieces_.back().base_offset) : pieces_.front().base_offset;
}

Status Recovery::ReplayFrom(Offset from) {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    Piece& piece = pieces_[i];
    const bool has_snapshot = i == 0 || from >= piece.base_offset || listed_.snapshots.contains(piece.base_offset);
    if (!has_snapshot && (piece.is_last() || piece.is_behind_gap)) KB_RETURN_IF_ERROR(WriteSnapshotOf(i));
    if (std::min(piece.limit, log_end_offset_) > from) KB_RETURN_IF_ERROR(ReplayInto(piece, from));
    if (piece.derives_aborted) KB_RETURN_IF_ERROR(WriteAborted(piece, from));
  }
  return {};
}

// Of a segment that is about to be replayed. It says that everything before is on the disk (MayBeginBehindGap).
Status Recovery::WriteSnapshotOf(size_t piece) {
  const Offset base = pieces_[piece].base_offset;
  for (; synced_ < piece && (!options_.was_clean || is_reload_); ++synced_) {
    if (pieces_[synced_].limit <= recovery_point()) continue;
    Result<std::unique_ptr<io::File>> log = OpenLog(pieces_[synced_], io::OpenMode::kRead);
    if (!log.ok()) return log.error();
    KB_RETURN_IF_ERROR((*log)->Sync());
  }
  KB_RETURN_IF_ERROR(io::WriteFileAtomically(files_, PathOf(base, kSnapshotSuffix), producers_.Snapshot()));
  listed_.snapshots.insert(base);
  return {};
}

// They may be torn, or know of batches that are lost. What is replayed from the batches takes their place.
Status Recovery::DropSnapshotsAbove(Offset offset) {
  std::set<Offset> kept;  // until they are replaced: that they are there says something
  for (const Piece& piece : pieces_) {
    if (piece.is_behind_gap) kept.insert(piece.base_offset);
  }
  for (auto above = listed_.snapshots.upper_bound(offset); above != listed_.snapshots.end();) {
    Status status = kept.contains(*above) ? Status() : files_.Remove(PathOf(*above, kSnapshotSuffix));
    if (!status.ok() && status.error().kind != ErrorKind::kNotFound) return status;
    above = listed_.snapshots.erase(above);
  }
  return {};
}

Status Recovery::ReplayInto(Piece& piece, Offset from) {
  uint64_t position = 0;
  if (from > piece.base_offset) {
    Lookup found = piece.segment->Find(from, Blocking::kAllowed, files_);
    if (found.outcome == Lookup::kEnd) return {};
    if (found.outcome == Lookup::kFound) position = found.batch.position;
  }
  Result<std::unique_ptr<io::File>> log = OpenLog(piece, io::OpenMode::kRead);
  if (!log.ok()) return log.error();
  SegmentScan scan(**log, position, piece.segment->size_bytes(), piece.base_offset, SegmentScan::kHeadersOnly);
  while (true) {
    SegmentScan::Answer answer = scan.Next();
    if (answer == SegmentScan::kEnd) return {};
    if (answer == SegmentScan::kFailed) return scan.error();
    if (answer == SegmentScan::kDamaged) {
      if (scan.Resynchronize(piece.base_offset, piece.limit)) continue;
      return {};
    }
    if (scan.header().base_offset() < from) continue;
    std::optional<AbortedTransaction> aborted = producers_.Update(scan.header(), scan.marker(), options_.now_ms);
    if (aborted) piece.aborted.push_back({*aborted});
  }
}

// Whether clients may have batches in flight that are here: they lost the answer, and send them again.
bool Recovery::MayBeRepeated() const {
  if (!options_.was_clean || is_reload_) return true;
  Result<int64_t> modified_ms = files_.ModifiedMs(PathOf(pieces_.back().base_offset, kLogSuffix));
  return modified_ms.ok() && options_.now_ms - *modified_ms < kRepeatedWithinMs;
}

// The last batches before the snapshot: it knows one of each producer, and more may have been in flight, also in the segment
// before. What cannot be read is left out: the state is as good as the snapshot then.
void Recovery::Recall(Offset snapshot) {
  struct Range {
    const Piece* piece;
    uint64_t from, end;
  };
  std::vector<Range> ranges;  // newest first
  uint64_t wanted = kRecalledBytes;
  for (auto piece = pieces_.rbegin(); piece != pieces_.rend() && wanted > 0; ++piece) {
    if (piece->base_offset >= snapshot) continue;
    Lookup found = piece->segment->Find(snapshot, Blocking::kAllowed, files_);
    if (found.outcome == Lookup::kFailed) break;
    const uint64_t end = found.outcome == Lookup::kFound ? found.batch.position : piece->segment->size_bytes();
    ranges.push_back({&*piece, IndexedBefore(*piece, end > wanted ? end - wanted : 0), end});
    wanted -= std::min(wanted, end);
  }
  ProducerState recent(options_.config.most_producers);
  for (const Range& range : std::views::reverse(ranges)) {
    Result<std::unique_ptr<io::File>> log = OpenLog(*range.piece, io::OpenMode::kRead);
    if (!log.ok()) continue;
    SegmentScan scan(**log, range.from, range.end, range.piece->base_offset, SegmentScan::kHeadersOnly);
    while (scan.Next() == SegmentScan::kBatch) {
      if (scan.header().has_producer()) recent.Update(scan.header(), scan.marker(), options_.now_ms);
    }
  }
  producers_.Recall(recent);
}

// Of the last batch at or before a position that the index names; 0 when it names none.
uint64_t Recovery::IndexedBefore(const Piece& piece, uint64_t position) const {
  auto index = ReadIndex<OffsetIndexEntry>(files_, PathOf(piece.base_offset, kIndexSuffix));
  uint64_t before = 0;
  if (!index.ok() || position == 0) return before;
  for (const OffsetIndexEntry& entry : *index) {
    bool is_before = entry.position > 0 && static_cast<uint64_t>(entry.position) <= position;
    if (is_before) before = std::max(before, static_cast<uint64_t>(entry.position));
  }
  return before;
}

// The transaction index as the replay found it, behind what was there below the replayed part.
Status Recovery::WriteAborted(Piece& piece, Offset replayed_from) {
  const std::string path = piece.segment->PathOf(kTxnIndexSuffix);
  Result<std::vector<TxnIndexEntry>> before = ReadIndex<TxnIndexEntry>(files_, path);
  if (!before.ok() && before.error().kind != ErrorKind::kNotFound) return before.error();
  std::vector<TxnIndexEntry> entries;
  if (before.ok()) entries = *before;
  // What was written behind the last flush may be torn: zeros that a later entry follows.
  Offset last_before{-1};
  auto is_later = [&](const TxnIndexEntry& entry) {
    const AbortedTransaction& each = entry.transaction;
    const bool is_whole = each.first_offset < each.last_offset && each.last_offset > std::exchange(last_before, each.last_offset);
    return !is_whole || each.last_offset >= replayed_from;
  };
  entries.erase(std::find_if(entries.begin(), entries.end(), is_later), entries.end());
  entries.insert(entries.end(), piece.aborted.begin(), piece.aborted.end());
  if (entries.empty() && before.ok()) KB_RETURN_IF_ERROR(files_.Remove(path));
  if (!entries.empty()) KB_RETURN_IF_ERROR(io::WriteFileAtomically(files_, path, EncodeIndex(entries)));
  std::optional<TxnIndexEntry> last;
  if (!entries.empty()) last = entries.back();
  piece.segment->mutable_state().txn_index = TxnIndex(entries.size(), last);
  return {};
}

// Keeps the snapshots of segments, the newest one above the last segment's base, and the newest one below the recovery
// point that is on record: until there is another on record, the next start begins there if this one ends early.
Status Recovery::TidySnapshots() {
  auto is_of_segment = [&](Offset offset) {
    return std::ranges::any_of(pieces_, [&](const Piece& piece) { return piece.base_offset == offset; });
  };
  std::optional<Offset> newest;
  for (Offset offset : listed_.snapshots) {
    if (offset > log_end_offset_) continue;
    if (offset <= recovery_point()) previous_snapshot_ = offset;
    if (offset > pieces_.back().base_offset) newest = offset;
  }
  const bool is_kept_anyway = previous_snapshot_ && (previous_snapshot_ == newest || is_of_segment(*previous_snapshot_));
  if (is_kept_anyway || options_.was_clean) previous_snapshot_.reset();
  for (Offset offset : listed_.snapshots) {
    if (is_of_segment(offset) || offset == newest) last_snapshot_ = offset;
    if (is_of_segment(offset) || offset == newest || offset == previous_snapshot_) continue;
    Status status = files_.Remove(PathOf(offset, kSnapshotSuffix));
    if (!status.ok() && status.error().kind != ErrorKind::kNotFound) return status;
  }
  return {};
}

}  // namespace

Result<SegmentState> RebuildIndexes(io::FileSystem& files, const std::string& directory, Offset base_offset,
                                    uint64_t size_bytes, int32_t index_interval_bytes) {
  Result<std::unique_ptr<io::File>> log =
      files.Open(directory + "/" + OffsetFileName(base_offset, kLogSuffix), io::OpenMode::kRead);
  if (!log.ok()) return log.error();
  LogConfig config;
  config.index_interval_bytes = index_interval_bytes;
  SegmentState start;
  start.size_bytes = size_bytes;
  Segment segment(directory, base_offset, std::move(start));
  SegmentState& state = segment.mutable_state();
  SegmentScan scan(**log, 0, size_bytes, base_offset, SegmentScan::kHeadersOnly);
  for (SegmentScan::Answer answer = scan.Next(); answer != SegmentScan::kEnd; answer = scan.Next()) {
    if (answer == SegmentScan::kFailed) return scan.error();
    if (answer == SegmentScan::kDamaged) {
      if (scan.Resynchronize(base_offset, base_offset + INT32_MAX)) continue;
      break;
    }
    segment.Account(scan.header(), static_cast<uint32_t>(scan.position()), config);
    if (scan.marker() && !scan.marker()->commit) ++state.abort_markers;
  }
  segment.AddFinalTimeEntry();
  KB_RETURN_IF_ERROR(
      io::WriteFileAtomically(files, segment.PathOf(kIndexSuffix), EncodeIndex(state.index.tail())));
  KB_RETURN_IF_ERROR(
      io::WriteFileAtomically(files, segment.PathOf(kTimeIndexSuffix), EncodeIndex(state.time_index.tail())));
  state.index = OffsetIndex(state.index.entries(), state.index.last());
  state.time_index = TimeIndex(state.time_index.entries(), state.time_index.last());
  return state;
}

namespace {

// A batch without records, as compaction leaves them, takes the offsets up to `next`: who reads goes past it, and the
// log has no gap. Where there is no room for it the log goes on without.
void TakeOffsets(Log& log, Offset next, int64_t now_ms) {
  record::BatchOptions options;
  options.base_offset = log.log_end_offset();
  options.leader_epoch = log.leader_epochs().latest_epoch().value_or(kNoLeaderEpoch);
  (void)log.AppendAsFollower(record::BatchBuilder(options).Build(next - 1), now_ms);
}

}  // namespace

Result<std::unique_ptr<Log>> LogRecovery::Run(io::FileSystem& files, LogOptions options, RecoveryReport& report,
                                              bool is_reload) {
  const int64_t now_ms = options.now_ms;
  Recovery recovery(files, options, report, is_reload);
  KB_RETURN_IF_ERROR(recovery.Run());
  const bool was_clean = options.was_clean;
  const bool is_new = options.made_for_topic.has_value();
  std::unique_ptr<Log> log(new Log(files, std::move(options)));
  for (Piece& piece : recovery.pieces_) {
    // Segments refer to the directory's name by view: the log's, which stays.
    log->segments_.push_back(
        std::make_unique<Segment>(log->directory_, piece.base_offset, piece.segment->state()));
    // The indexes of what was scanned may have been written just now, and its last bytes be in memory only.
    bool is_recovered = piece.limit >= recovery.recovery_point_;
    if (is_recovered && !piece.is_last()) Log::AddIndexesToFlush(log->unflushed_, *log->segments_.back());
    // What a truncation that did not end has cut off must not come back in a segment that is sealed next.
    if (is_recovered && !was_clean && !is_new)
      log->unflushed_.paths_.push_back(log->segments_.back()->PathOf(kLogSuffix));
    if (!piece.is_last() && !log->segments_.back()->indexes_are_written()) log->has_unwritten_indexes_ = true;
  }
  log->log_start_offset_ = recovery.log_start_offset_;
  log->log_end_offset_ = recovery.log_end_offset_;
  log->ForgetChecks();
  log->recovery_point_ = recovery.recovery_point_;
  log->epochs_ = std::move(recovery.epochs_);
  log->epochs_changed_ = recovery.epochs_changed_;
  log->saved_epoch_ = recovery.saved_epoch_;
  log->producers_ = std::move(recovery.producers_);
  log->last_snapshot_ = recovery.last_snapshot_;
  log->previous_snapshot_ = recovery.previous_snapshot_;
  log->unflushed_.sync_directory_ = true;  // what is in it may have been made just now
  if (recovery.taken_below_ > log->log_end_offset_) TakeOffsets(*log, recovery.taken_below_, now_ms);
  return log;
}

}  // namespace kb::log

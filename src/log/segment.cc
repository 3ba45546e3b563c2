#include "log/segment.h"

#include <algorithm>
#include <array>

#include "log/segment_scan.h"

namespace kb::log {
namespace {

// Enough for the batches between two index entries, as a rule, in one read.
constexpr size_t kScanBytes = 4096;
// An index is searched entry by entry down to this many, which are then read at once.
constexpr size_t kIndexBlockEntries = 256;

Error Damaged(Offset base_offset, uint64_t position) {
  return Error{ErrorKind::kCorrupt, "segment " + OffsetFileName(base_offset, kLogSuffix) + ": no whole batch at byte " +
                                        std::to_string(position)};
}

// An index entry whose batch is not there may have been right once: so many others are tried before the part is read from
// its begin.
constexpr int kMostEntriesTried = 16;

Lookup NeedsDisk() {
  Lookup lookup;
  lookup.outcome = Lookup::kNeedsDisk;
  return lookup;
}
Lookup Failed(Error error) {
  Lookup lookup;
  lookup.outcome = Lookup::kFailed;
  lookup.error = std::move(error);
  return lookup;
}
Lookup Found(const BatchLocation& batch, uint64_t whole_until) {
  Lookup lookup;
  lookup.outcome = Lookup::kFound;
  lookup.batch = batch;
  lookup.whole_until = whole_until;
  return lookup;
}

std::string JoinPath(std::string_view directory, Offset base_offset, std::string_view suffix) {
  return std::string(directory) + "/" + OffsetFileName(base_offset, suffix);
}

// Reads all of `into`, or says why not.
enum class Fetched { kAll, kShort, kNeedsDisk, kFailed };
Fetched Fetch(const io::File& file, uint64_t position, MutableByteView into, Blocking blocking,
              std::optional<Error>* error) {
  bool may_block = blocking == Blocking::kAllowed;
  Result<size_t> got = may_block ? file.ReadAt(position, into) : file.ReadCached(position, into);
  if (!got.ok()) {
    *error = got.error();
    return Fetched::kFailed;
  }
  if (*got == into.size()) return Fetched::kAll;
  return may_block ? Fetched::kShort : Fetched::kNeedsDisk;
}

// Headers of consecutive batches, read some at a time.
class HeaderWindow {
 public:
  HeaderWindow(const io::File& file, uint64_t end, Blocking blocking) : file_(file), end_(end), blocking_(blocking) {}

  // kAll: header() is the one at position.
  Fetched Load(uint64_t position, std::optional<Error>* error) {
    if (position + record::kBatchHeaderBytes > end_) return Fetched::kShort;
    if (position < at_ || position + record::kBatchHeaderBytes > at_ + size_) {
      size_ = 0;
      at_ = position;
      size_t wanted = static_cast<size_t>(std::min<uint64_t>(kScanBytes, end_ - position));
      Fetched fetched = Fetch(file_, position, MutableByteView(bytes_).first(wanted), blocking_, error);
      if (fetched != Fetched::kAll) return fetched;
      size_ = wanted;
    }
    header_at_ = static_cast<size_t>(position - at_);
    return Fetched::kAll;
  }
  record::BatchHeader header() const {
    return record::BatchHeader(ByteView(bytes_).subspan(header_at_, record::kBatchHeaderBytes));
  }

 private:
  const io::File& file_;
  const uint64_t end_;
  const Blocking blocking_;
  std::array<uint8_t, kScanBytes> bytes_;
  uint64_t at_ = 0;
  size_t size_ = 0;
  size_t header_at_ = 0;
};

bool IsWhole(const record::BatchHeader& header, uint64_t position, uint64_t end, Offset base_offset) {
  return header.length_is_sane() && static_cast<uint64_t>(header.size_bytes()) <= end - position &&
         header.magic() == record::kMagic && header.last_offset_delta() >= 0 && header.base_offset() >= base_offset;
}

BatchLocation LocationOf(const record::BatchHeader& header, uint64_t position) {
  return {header.base_offset(), header.last_offset(), static_cast<uint32_t>(position),
          static_cast<uint32_t>(header.size_bytes())};
}

}  // namespace

// ---- SegmentView

Status SegmentView::Open(io::FileSystem& files, const std::string& directory) {
  if (log == nullptr) {
    // For both: the active segment's file is adopted by who appends to it.
    Result<std::unique_ptr<io::File>> file =
        files.Open(JoinPath(directory, base_offset, kLogSuffix), io::OpenMode::kReadWrite);
    if (!file.ok()) return file.error();
    log = std::move(*file);
  }
  if (index == nullptr && index_entries > 0) {
    Result<std::unique_ptr<io::File>> file =
        files.Open(JoinPath(directory, base_offset, kIndexSuffix), io::OpenMode::kRead);
    // Without it a read is slow and right; the entry count says that it should be there, so it will be built anew.
    if (file.ok()) index = std::move(*file);
    if (!file.ok() && file.error().kind != ErrorKind::kNotFound) return file.error();
  }
  return {};
}

// ---- SegmentReader

SegmentReader::SegmentReader(const SegmentView& view)
    : SegmentReader(view.base_offset, view.size_bytes, view.log.get(), view.index.get(), view.index_entries,
                    view.index_tail, view.integrity.get()) {}

SegmentReader::SegmentReader(Offset base_offset, uint64_t size_bytes, const io::File* log, const io::File* index,
                             size_t index_entries, const std::vector<OffsetIndexEntry>& index_tail,
                             const Integrity* integrity)
    : base_offset_(base_offset),
      size_bytes_(size_bytes),
      log_(log),
      index_(index),
      index_entries_(index_entries),
      tail_(index_tail),
      integrity_(integrity) {}

// Where a scan for an offset begins.
struct SegmentReader::Start {
  enum { kAt, kNeedsDisk, kDamaged, kFailed } outcome = kAt;
  std::optional<OffsetIndexEntry> entry;  // none: at the first byte
  std::optional<Error> error;
};

SegmentReader::Start SegmentReader::StartFor(Offset offset, Blocking blocking) const {
  const int64_t wanted = offset - base_offset_;
  auto is_above = [&](const OffsetIndexEntry& entry) { return entry.relative_offset > wanted; };
  if (!tail_.empty() && !is_above(tail_.front())) {
    auto above = std::partition_point(tail_.begin(), tail_.end(), [&](const auto& entry) { return !is_above(entry); });
    return {Start::kAt, *std::prev(above), {}};
  }
  if (index_entries_ == 0) return {};
  if (index_ == nullptr) return {blocking == Blocking::kAllowed ? Start::kDamaged : Start::kNeedsDisk, {}, {}};

  std::array<uint8_t, (kIndexBlockEntries + 1) * OffsetIndexEntry::kSize> bytes;
  std::optional<Error> error;
  auto read = [&](size_t first, size_t count) {
    return Fetch(*index_, first * OffsetIndexEntry::kSize, MutableByteView(bytes).first(count * OffsetIndexEntry::kSize),
                 blocking, &error);
  };
  auto entry_at = [&](size_t i) { return OffsetIndexEntry::Decode(bytes.data() + i * OffsetIndexEntry::kSize); };
  auto unreadable = [&](Fetched fetched) -> Start {
    if (fetched == Fetched::kFailed) return {Start::kFailed, {}, std::move(error)};
    return {fetched == Fetched::kNeedsDisk ? Start::kNeedsDisk : Start::kDamaged, {}, {}};
  };

  size_t low = 0;  // entries below it are not above the offset; those from high on are
  size_t high = index_entries_;
  while (high - low > kIndexBlockEntries) {
    size_t middle = (low + high) / 2;
    if (Fetched fetched = read(middle, 1); fetched != Fetched::kAll) return unreadable(fetched);
    (is_above(entry_at(0)) ? high : low) = is_above(entry_at(0)) ? middle : middle + 1;
  }
  const size_t first = low == 0 ? 0 : low - 1;
  if (Fetched fetched = read(first, high - first); fetched != Fetched::kAll) return unreadable(fetched);
  Start start;
  for (size_t i = 0; i < high - first && !is_above(entry_at(i)); ++i) start.entry = entry_at(i);
  return start;
}

Lookup SegmentReader::Find(Offset offset, Blocking blocking) const {
  if (size_bytes_ == 0) return {};
  if (integrity_ == nullptr) return FindIn(0, size_bytes_, offset, blocking);
  const Integrity::Place place = integrity_->At(offset);
  Lookup lookup;
  lookup.outcome = place.what == Integrity::Place::kDamaged ? Lookup::kDamaged : Lookup::kUnchecked;
  lookup.next_offset = place.next_offset;
  if (place.what != Integrity::Place::kWhole) return lookup;
  lookup = FindIn(place.begin, std::min(place.end, size_bytes_), offset, blocking);
  lookup.more_is_unknown = place.more_is_unknown;
  return lookup;
}

// In [begin, end), which is where the batch lies if it is there at all.
Lookup SegmentReader::FindIn(uint64_t begin, uint64_t end, Offset offset, Blocking blocking) const {
  if (begin >= end) return {};
  if (log_ == nullptr) return NeedsDisk();
  Start start = StartFor(offset, blocking);
  if (start.outcome == Start::kNeedsDisk) return NeedsDisk();
  if (start.outcome == Start::kFailed) return Failed(std::move(*start.error));
  bool index_is_damaged = start.outcome == Start::kDamaged;
  uint64_t position = begin;
  // An entry for what lies before says nothing here, right or wrong.
  bool is_useful = start.entry && (start.entry->position < 0 || static_cast<uint64_t>(start.entry->position) > begin);
  if (!index_is_damaged && is_useful) {
    position = static_cast<uint64_t>(start.entry->position);
    Lookup named = start.entry->position < 0 || position >= end ? Lookup{} : BatchAt(position, blocking);
    if (named.outcome == Lookup::kNeedsDisk) return named;
    bool is_right = named.outcome == Lookup::kFound &&
                    named.batch.last_offset - base_offset_ == int64_t{start.entry->relative_offset};
    if (!is_right) {
      index_is_damaged = true;
      position = begin;
    }
  }
  Lookup found = ScanFrom(position, end, offset, blocking);
  found.index_is_damaged = index_is_damaged;
  return found;
}

Unknown SegmentReader::PartFor(Offset offset, const Unknown& unknown) const {
  Unknown part = unknown;
  for (int tried = 0; tried < kMostEntriesTried && offset >= unknown.begin_offset; ++tried) {
    Start start = StartFor(offset, Blocking::kAllowed);
    bool is_inside = start.outcome == Start::kAt && start.entry && start.entry->position > static_cast<int64_t>(unknown.begin) &&
                     start.entry->position < static_cast<int64_t>(unknown.end);
    if (!is_inside) break;
    SegmentScan scan(*log_, static_cast<uint64_t>(start.entry->position), unknown.end, base_offset_,
                     SegmentScan::kCheckCrc, unknown.end_offset);
    const Offset named = base_offset_ + start.entry->relative_offset;
    bool is_right = scan.Next() == SegmentScan::kBatch && scan.header().last_offset() == named &&
                    scan.header().base_offset() >= unknown.begin_offset;
    if (is_right) {
      part.begin = static_cast<uint32_t>(start.entry->position);
      part.begin_offset = scan.header().base_offset();
      break;
    }
    offset = named - 1;
  }
  return part;
}

Result<std::vector<Stretch>> CheckPiece(const SegmentView& view, Offset offset, uint64_t least_bytes) {
  if (view.integrity == nullptr) return std::vector<Stretch>();
  std::optional<Unknown> unknown = view.integrity->UnknownFor(offset);
  if (!unknown) return std::vector<Stretch>();
  const bool is_inside = view.integrity->At(offset).what == Integrity::Place::kUnknown;
  if (!is_inside) return CheckBatches(*view.log, view.base_offset, *unknown, {least_bytes, kNoOffset});
  const Unknown part = SegmentReader(view).PartFor(offset, *unknown);
  return CheckBatches(*view.log, view.base_offset, part, {least_bytes, offset});
}

Lookup SegmentReader::BatchAt(uint64_t position, Blocking blocking) const {
  if (log_ == nullptr) return NeedsDisk();
  if (position >= size_bytes_) return {};
  std::optional<Error> error;
  HeaderWindow window(*log_, std::min<uint64_t>(size_bytes_, position + record::kBatchHeaderBytes), blocking);
  switch (window.Load(position, &error)) {
    case Fetched::kAll: break;
    case Fetched::kShort: return Failed(Damaged(base_offset_, position));
    case Fetched::kNeedsDisk: return NeedsDisk();
    case Fetched::kFailed: return Failed(std::move(*error));
  }
  if (!IsWhole(window.header(), position, size_bytes_, base_offset_)) return Failed(Damaged(base_offset_, position));
  return Found(LocationOf(window.header(), position), size_bytes_);
}

Lookup SegmentReader::ScanFrom(uint64_t position, uint64_t end, Offset offset, Blocking blocking) const {
  HeaderWindow window(*log_, end, blocking);
  std::optional<Error> error;
  while (position < end) {
    Fetched fetched = window.Load(position, &error);
    if (fetched == Fetched::kNeedsDisk) return NeedsDisk();
    if (fetched == Fetched::kFailed) return Failed(std::move(*error));
    if (fetched == Fetched::kShort || !IsWhole(window.header(), position, end, base_offset_)) {
      return ScanPastDamage(position, offset, blocking);
    }
    record::BatchHeader header = window.header();
    if (header.last_offset() >= offset) return Found(LocationOf(header, position), end);
    position += static_cast<uint64_t>(header.size_bytes());
  }
  return {};
}

// The batch at `position` is not whole, so where the next one begins must be searched. An offset that lies in the damage
// is an answer too: it cannot be read, and whoever wants to go on asks for a later one.
Lookup SegmentReader::ScanPastDamage(uint64_t position, Offset offset, Blocking blocking) const {
  if (blocking == Blocking::kNever) return NeedsDisk();
  SegmentScan scan(*log_, position, size_bytes_, base_offset_, SegmentScan::kHeadersOnly);
  while (true) {
    switch (scan.Next()) {
      case SegmentScan::kBatch: break;
      case SegmentScan::kEnd: return {};
      case SegmentScan::kFailed: return Failed(scan.error());
      case SegmentScan::kDamaged:
        if (!scan.Resynchronize(base_offset_, base_offset_ + INT32_MAX)) return Failed(Damaged(base_offset_, position));
        continue;
    }
    if (scan.header().last_offset() < offset) continue;
    Lookup lookup = Found(LocationOf(scan.header(), scan.position()), size_bytes_);
    if (scan.header().base_offset() <= offset) return lookup;
    lookup.outcome = Lookup::kFailed;
    lookup.error = Damaged(base_offset_, position);
    return lookup;
  }
}

// ---- Segment

std::string Segment::PathOf(std::string_view suffix) const { return JoinPath(directory_, base_offset_, suffix); }

std::vector<std::string> Segment::Paths() const {
  std::vector<std::string> paths{PathOf(kLogSuffix), PathOf(kIndexSuffix), PathOf(kTimeIndexSuffix)};
  if (state_.txn_index.entries() > 0) paths.push_back(PathOf(kTxnIndexSuffix));
  return paths;
}

Status Segment::Repair(io::FileSystem& files) {
  if (!needs_repair_) return {};
  Result<std::shared_ptr<io::File>> log = LogFile(files, Blocking::kAllowed);
  if (!log.ok()) return log.error();
  KB_RETURN_IF_ERROR((*log)->Truncate(state_.size_bytes));
  needs_repair_ = false;
  return {};
}

Status Segment::Write(io::FileSystem& files, ByteView batches) {
  KB_RETURN_IF_ERROR(Repair(files));
  Result<std::shared_ptr<io::File>> log = LogFile(files, Blocking::kAllowed);
  if (!log.ok()) return log.error();
  Status status = (*log)->WriteAt(state_.size_bytes, batches);
  if (!status.ok()) {
    needs_repair_ = !(*log)->Truncate(state_.size_bytes).ok();
    return status;
  }
  state_.size_bytes += batches.size();
  return {};
}

void Segment::Account(const record::BatchHeader& batch, uint32_t position, const LogConfig& config) {
  const Offset last_offset = batch.last_offset();
  if (position == 0) state_.first_batch_timestamp = batch.max_timestamp();
  if (batch.max_timestamp() > state_.max_timestamp) {
    state_.max_timestamp = batch.max_timestamp();
    state_.max_timestamp_offset = last_offset;
  }
  if (state_.bytes_since_index_entry > static_cast<uint64_t>(config.index_interval_bytes) && !IndexesAreFull(config)) {
    state_.index.Add({static_cast<int32_t>(last_offset - base_offset_), static_cast<int32_t>(position)});
    AddTimeEntry();
    state_.bytes_since_index_entry = 0;
  }
  state_.bytes_since_index_entry += static_cast<uint64_t>(batch.size_bytes());
}

void Segment::AddTimeEntry() {
  const std::optional<TimeIndexEntry>& last = state_.time_index.last();
  if (state_.max_timestamp <= (last ? last->timestamp : record::kNoTimestamp)) return;
  state_.time_index.Add({state_.max_timestamp, static_cast<int32_t>(state_.max_timestamp_offset - base_offset_)});
}

bool Segment::IndexesAreFull(const LogConfig& config) const {
  size_t most = static_cast<size_t>(config.segment_index_bytes);
  // One time entry is kept for the end of the segment.
  return state_.index.entries() >= most / OffsetIndexEntry::kSize ||
         state_.time_index.entries() + 1 >= most / TimeIndexEntry::kSize;
}

void Segment::AddAborted(io::FileSystem& files, const AbortedTransaction& transaction) {
  state_.txn_index.Add({transaction});
  if (aborted_) aborted_->push_back(transaction);
  // Not being written now is no harm: it stays in memory and is tried again.
  (void)state_.txn_index.Spill(files, PathOf(kTxnIndexSuffix));
}

void Segment::AddFinalTimeEntry() {
  if (state_.size_bytes > 0) AddTimeEntry();
}

Status Segment::Seal(io::FileSystem& files) {
  KB_RETURN_IF_ERROR(Repair(files));
  AddFinalTimeEntry();
  return SpillIndexes(files);
}

Status Segment::SpillIndexes(io::FileSystem& files) {
  Status first = state_.index.Spill(files, PathOf(kIndexSuffix));
  Status second = state_.time_index.Spill(files, PathOf(kTimeIndexSuffix));
  Status third;
  if (!state_.txn_index.tail().empty()) third = state_.txn_index.Spill(files, PathOf(kTxnIndexSuffix));
  for (Status* status : {&first, &second, &third}) KB_RETURN_IF_ERROR(*status);
  return {};
}

Lookup Segment::Find(Offset offset, Blocking blocking, io::FileSystem& files) const {
  used_ = true;
  if (blocking == Blocking::kAllowed) {
    SegmentView view = View();
    Status status = view.Open(files, std::string(directory_));
    if (!status.ok()) return Failed(status.error());
    Adopt(view);
  }
  return SegmentReader(base_offset_, state_.size_bytes, log_.get(), index_.get(), state_.index.on_disk(),
                       state_.index.tail(), integrity_.get())
      .Find(offset, blocking);
}

Result<std::shared_ptr<io::File>> Segment::LogFile(io::FileSystem& files, Blocking blocking) const {
  used_ = true;
  if (log_ == nullptr && blocking == Blocking::kAllowed) {
    Result<std::unique_ptr<io::File>> file = files.Open(PathOf(kLogSuffix), io::OpenMode::kCreate);
    if (!file.ok()) return file.error();
    log_ = std::move(*file);
  }
  return log_;
}

SegmentView Segment::View() const {
  SegmentView view;
  view.base_offset = base_offset_;
  view.size_bytes = state_.size_bytes;
  view.log = log_;
  view.index = index_;
  view.index_entries = state_.index.on_disk();
  view.index_tail = state_.index.tail();
  view.time_entries = state_.time_index.on_disk();
  view.time_tail = state_.time_index.tail();
  view.max_timestamp = state_.max_timestamp;
  view.integrity = integrity_;
  return view;
}

void Segment::ForgetChecks(Offset end) {
  integrity_ = nullptr;
  if (state_.size_bytes == 0) return;
  integrity_ = std::make_shared<const Integrity>(base_offset_, state_.size_bytes, std::max(end, base_offset_));
}

bool Segment::AddChecked(const std::vector<Stretch>& checked) {
  if (integrity_ == nullptr) return false;
  bool added = false;
  Integrity more = integrity_->With(checked, &added);
  if (!added) return false;
  integrity_ = more.is_whole() ? nullptr : std::make_shared<const Integrity>(std::move(more));
  return true;
}

void Segment::Adopt(const SegmentView& view) const {
  used_ = true;
  if (log_ == nullptr) log_ = view.log;
  if (index_ == nullptr) index_ = view.index;
}

void Segment::ReplaceIndexes(const SegmentState& rebuilt) {
  state_.index = rebuilt.index;
  state_.time_index = rebuilt.time_index;
  state_.max_timestamp = rebuilt.max_timestamp;
  state_.max_timestamp_offset = rebuilt.max_timestamp_offset;
  index_ = nullptr;
}

const std::vector<AbortedTransaction>* Segment::aborted() const {
  used_ = true;
  if (state_.txn_index.entries() == 0) aborted_.emplace();
  return aborted_ ? &*aborted_ : nullptr;
}

void Segment::AdoptAborted(std::vector<AbortedTransaction> aborted) const {
  used_ = true;
  if (aborted.size() != state_.txn_index.on_disk()) return;  // one more was added meanwhile: read again
  for (const TxnIndexEntry& entry : state_.txn_index.tail()) aborted.push_back(entry.transaction);
  aborted_ = std::move(aborted);
}

void Segment::ReleaseIdle(bool may_close_log) {
  if (!used_) {
    if (may_close_log) log_ = nullptr;
    index_ = nullptr;
    aborted_.reset();
  }
  used_ = false;
}

}  // namespace kb::log

#include "log/cleaner.h"

#include <algorithm>
#include <utility>

#include "log/leftovers.h"
#include "log/log.h"
#include "record/builder.h"
#include "record/iterate.h"

namespace kb::log {
namespace {

// A group is put in place between two reads of the home, with a handful of renames for each of its segments.
constexpr size_t kMostSegmentsOfGroup = 32;
// Keys that are hashed before the first of them is looked up: memory brings their slots meanwhile.
constexpr size_t kLookedAtOnce = 32;
// What stays of one batch, unpacked: far more than a batch that a broker accepted comes to.
constexpr size_t kMostUnpackedBytes = 512 << 20;
constexpr std::string_view kSuffixes[] = {kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix, kLogSuffix};

}  // namespace

// ---- TransactionFilter

TransactionFilter::TransactionFilter(std::vector<AbortedTransaction> aborted) : aborted_(std::move(aborted)) {
  auto begins_earlier = [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; };
  std::sort(aborted_.begin(), aborted_.end(), begins_earlier);
}

void TransactionFilter::Advance(Offset last_offset) {
  for (; next_ < aborted_.size() && aborted_[next_].first_offset <= last_offset; ++next_) {
    being_aborted_[aborted_[next_].producer_id] = Open{aborted_[next_], false};
  }
}

bool TransactionFilter::IsAborted(const record::BatchHeader& batch) {
  Advance(batch.last_offset());
  if (!batch.is_transactional()) return false;
  if (auto open = being_aborted_.find(batch.producer_id()); open != being_aborted_.end()) {
    open->second.has_data = true;
    return true;
  }
  being_committed_[batch.producer_id()] = true;
  return false;
}

bool TransactionFilter::IsUnneeded(const record::BatchHeader& batch, const std::optional<TransactionMarker>& marker,
                                   std::optional<AbortedTransaction>* kept) {
  Advance(batch.last_offset());
  if (batch.record_count() == 0) return true;
  if (!marker) return false;
  if (marker->commit) return being_committed_.erase(batch.producer_id()) == 0;
  auto open = being_aborted_.find(batch.producer_id());
  if (open == being_aborted_.end()) return true;
  const Open closed = open->second;
  being_aborted_.erase(open);
  if (closed.has_data) *kept = closed.transaction;
  return !closed.has_data;
}

// ---- CleanJob: what it is made of

std::string CleanJob::PathOf(Offset base_offset, std::string_view suffix, std::string_view stage) const {
  return directory_ + "/" + OffsetFileName(base_offset, suffix) + std::string(stage);
}

Error CleanJob::Damaged(const Source& source, const std::string& what) const {
  return Error{ErrorKind::kCorrupt, PathOf(source.base_offset, kLogSuffix) + " byte " +
                                        std::to_string(scan_ ? scan_->position() : 0) + ": " + what};
}

Status CleanJob::LoadAborted() {
  for (const AbortedSource& source : aborted_sources_) {
    std::vector<TxnIndexEntry> entries;
    if (source.on_disk > 0) {
      Result<std::vector<TxnIndexEntry>> read = ReadIndex<TxnIndexEntry>(*file_system_, source.path);
      if (!read.ok()) return read.error();
      if (read->size() < source.on_disk) return Error{ErrorKind::kCorrupt, source.path + " lacks entries"};
      read->resize(source.on_disk);
      entries = std::move(*read);
    }
    entries.insert(entries.end(), source.tail.begin(), source.tail.end());
    for (const TxnIndexEntry& entry : entries) {
      if (entry.transaction.first_offset < first_uncleanable_) aborted_.push_back(entry.transaction);
    }
  }
  return {};
}

// A snapshot that comes while the job runs lies above all that is cleaned.
Status CleanJob::LoadSnapshots() {
  Result<ReplicaFiles> listed = ListReplicaFiles(*file_system_, directory_);
  if (!listed.ok()) return listed.error();
  for (Offset offset : listed->snapshots) {
    if (offset >= first_uncleanable_) break;
    Result<std::string> bytes = io::ReadFile(*file_system_, PathOf(offset, kSnapshotSuffix));
    if (!bytes.ok() && bytes.error().kind == ErrorKind::kNotFound) continue;  // another took its place
    if (!bytes.ok()) return bytes.error();
    ProducerState state(config_.most_producers);
    if (!state.Restore(AsBytes(*bytes), options_.now_ms).ok()) continue;  // nor does a start believe it
    for (const ActiveProducer& producer : state.Active()) {
      if (producer.transaction_first_offset != kNoOffset) open_at_snapshots_[offset].push_back(producer.id);
    }
  }
  return {};
}

// Whether a snapshot below a marker knows its transaction as open.
bool CleanJob::IsAwaited(const record::BatchHeader& marker) {
  while (!open_at_snapshots_.empty() && open_at_snapshots_.begin()->first <= marker.base_offset()) {
    const std::vector<ProducerId>& open = open_at_snapshots_.begin()->second;
    awaited_.insert(open.begin(), open.end());
    open_at_snapshots_.erase(open_at_snapshots_.begin());
  }
  return awaited_.erase(marker.producer_id()) > 0;
}

TransactionFilter CleanJob::FilterFrom(Offset offset) const {
  std::vector<AbortedTransaction> aborted = aborted_;
  std::erase_if(aborted, [&](const AbortedTransaction& each) { return each.last_offset < offset; });
  return TransactionFilter(std::move(aborted));
}

Status CleanJob::OpenSource(size_t source) {
  const Source& from = sources_[source];
  scan_.reset();
  Result<std::unique_ptr<io::File>> file = file_system_->Open(PathOf(from.base_offset, kLogSuffix), io::OpenMode::kRead);
  if (!file.ok()) return file.error();
  source_ = source;
  source_file_ = std::move(*file);
  scan_ = std::make_unique<SegmentScan>(*source_file_, 0, from.size_bytes, from.base_offset, SegmentScan::kCheckCrc,
                                        from.end_offset);
  return {};
}

Result<std::optional<record::BatchView>> CleanJob::NextBatch() {
  switch (scan_->Next()) {
    case SegmentScan::kEnd: return std::optional<record::BatchView>();
    case SegmentScan::kFailed: return scan_->error();
    case SegmentScan::kDamaged: return Damaged(sources_[source_], "no whole batch");
    case SegmentScan::kBatch: break;
  }
  batch_.resize(scan_->size_bytes());
  Result<size_t> got = source_file_->ReadAt(scan_->position(), batch_);
  if (!got.ok()) return got.error();
  std::optional<record::BatchView> batch;
  if (*got == batch_.size()) batch = record::BatchView::First(batch_);
  if (!batch || batch->bytes().size() != batch_.size()) return Damaged(sources_[source_], "changed while it was read");
  statistics_.read_bytes += batch_.size();
  return batch;
}

// ---- first pass: the map

Result<bool> CleanJob::MapBatch(const record::BatchView& batch) {
  if (batch.is_control()) {
    std::optional<AbortedTransaction> unused;
    filter_.IsUnneeded(batch, scan_->marker(), &unused);
    return true;
  }
  if (filter_.IsAborted(batch) || batch.last_offset() < first_dirty_) return true;
  record::RecordIterator records(batch, *decompressor_);
  record::RecordView record;
  record::RecordIterator::Answer answer;
  while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
    if (!record.key || record.offset < first_dirty_) continue;
    looked_.push_back(LookAt(record));
    if (looked_.size() == kLookedAtOnce && !MapLooked()) return false;
  }
  if (answer != record::RecordIterator::kEnd) return Damaged(sources_[source_], "the records cannot be read");
  return MapLooked();
}

bool CleanJob::MapLooked() {
  bool had_room = true;
  for (const Looked& record : looked_) had_room = had_room && map_->Put(record.key, record.offset);
  looked_.clear();
  return had_room;
}

CleanJob::Looked CleanJob::LookAt(const record::RecordView& record) const {
  Looked looked{record.offset, {}, record.key.has_value(), record.value.has_value()};
  if (record.key) looked.key = map_->Hash(*record.key);
  return looked;
}

void CleanJob::MeetProducer(const record::BatchHeader& batch) {
  if (!batch.has_producer() || batch.is_control()) return;
  auto found = last_of_producers_.find(batch.producer_id());
  if (found != last_of_producers_.end()) found->second.last_met = batch.last_offset();
}

Result<bool> CleanJob::MapSome(uint64_t stop_at) {
  while (done_bytes() < stop_at) {
    Result<std::optional<record::BatchView>> batch = NextBatch();
    if (!batch.ok()) return batch.error();
    if (!*batch) {
      if (source_ + 1 == sources_.size()) {
        mapped_end_ = first_uncleanable_;
        return true;
      }
      KB_RETURN_IF_ERROR(OpenSource(source_ + 1));
      continue;
    }
    Result<bool> had_room = MapBatch(**batch);
    if (!had_room.ok()) return had_room.error();
    if (!*had_room) {
      if (mapped_end_ > first_dirty_) return true;
      return Error{ErrorKind::kInvalid, directory_ + ": the keys of one batch do not fit into log.cleaner.dedupe.buffer.size"};
    }
    mapped_end_ = std::max(mapped_end_, (*batch)->next_offset());
    MeetProducer(**batch);
  }
  return false;
}

// ---- second pass: groups of segments are written anew

// The group that begins with the segment source_; false when all are done.
bool CleanJob::BeginGroup() {
  if (source_ == sources_.size() || sources_[source_].base_offset >= mapped_end_) return false;
  group_ = Group();
  group_.first = group_.end = source_;
  group_.base_offset = sources_[source_].base_offset;
  uint64_t log_bytes = 0, index_bytes = 0, time_bytes = 0;
  const auto most_index_bytes = static_cast<uint64_t>(config_.segment_index_bytes);
  for (size_t i = source_; i < sources_.size() && sources_[i].base_offset < mapped_end_; ++i) {
    const Source& source = sources_[i];
    log_bytes += source.size_bytes;
    index_bytes += source.index_entries * OffsetIndexEntry::kSize;
    time_bytes += source.time_entries * TimeIndexEntry::kSize;
    bool fits = log_bytes <= static_cast<uint64_t>(config_.segment_bytes) && index_bytes <= most_index_bytes &&
                time_bytes <= most_index_bytes && source.end_offset - group_.base_offset <= INT32_MAX;
    if (i > source_ && (!fits || i - source_ == kMostSegmentsOfGroup)) break;
    group_.end = i + 1;
  }
  return true;
}

Status CleanJob::StartCopy() {
  SegmentState state;
  group_.segment = std::make_unique<Segment>(directory_, group_.base_offset, std::move(state));
  group_.is_changed = group_.end - group_.first > 1;
  group_.suffixes.push_back(kLogSuffix);
  Result<std::unique_ptr<io::File>> log =
      file_system_->Open(PathOf(group_.base_offset, kLogSuffix, kCleanedSuffix), io::OpenMode::kTruncate);
  if (!log.ok()) return log.error();
  group_.log = std::move(*log);
  return OpenSource(group_.first);
}

Result<bool> CleanJob::CopySome(uint64_t stop_at) {
  while (done_bytes() < stop_at) {
    Result<std::optional<record::BatchView>> batch = NextBatch();
    if (!batch.ok()) return batch.error();
    if (*batch) {
      KB_RETURN_IF_ERROR(CopyBatch(**batch));
      continue;
    }
    if (source_ + 1 == group_.end) return true;
    KB_RETURN_IF_ERROR(OpenSource(source_ + 1));
  }
  return false;
}

bool CleanJob::IsLastOfProducer(const record::BatchHeader& batch) const {
  if (!batch.has_producer()) return false;
  auto found = last_of_producers_.find(batch.producer_id());
  if (found == last_of_producers_.end()) return false;
  const LastOfProducer& last = found->second;
  if (last.last_data_offset) return *last.last_data_offset == batch.last_offset();
  // Where the first pass did not meet it, the cleanings before have left few.
  if (last.is_in_doubt) return batch.is_control() || batch.last_offset() == last.last_met.value_or(batch.last_offset());
  return batch.is_control() && batch.producer_epoch() == last.epoch;
}

bool CleanJob::Keeps(const Looked& record, const record::BatchHeader& batch) const {
  if (batch.is_control() || record.offset >= mapped_end_) return true;
  if (!record.has_key) return false;
  std::optional<Offset> latest = map_->Find(record.key);
  if (latest && record.offset < *latest) return false;
  if (record.has_value) return true;
  std::optional<int64_t> horizon_ms = batch.delete_horizon_ms();
  return !horizon_ms || options_.now_ms < *horizon_ms;
}

Result<CleanJob::Verdict> CleanJob::Judge(const record::BatchView& batch) {
  Verdict verdict;
  record::RecordIterator records(batch, *decompressor_);
  record::RecordView record;
  record::RecordIterator::Answer answer;
  while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
    looked_.push_back(LookAt(record));
    if (looked_.size() == kLookedAtOnce) JudgeLooked(batch, verdict);
  }
  if (answer != record::RecordIterator::kEnd) return Damaged(sources_[source_], "the records cannot be read");
  JudgeLooked(batch, verdict);
  return verdict;
}

void CleanJob::JudgeLooked(const record::BatchHeader& batch, Verdict& verdict) {
  for (const Looked& record : looked_) {
    const bool keeps = Keeps(record, batch);
    verdict.kept.push_back(keeps);
    verdict.kept_count += keeps ? 1 : 0;
    verdict.keeps_tombstone |= keeps && !record.has_value;
  }
  looked_.clear();
}

Status CleanJob::CopyBatch(const record::BatchView& batch) {
  std::optional<AbortedTransaction> aborted;
  const bool is_unneeded =
      batch.is_control() ? filter_.IsUnneeded(batch, scan_->marker(), &aborted) : filter_.IsAborted(batch);
  if (aborted) group_.aborted.push_back({*aborted});
  const std::optional<int64_t> horizon_ms = batch.delete_horizon_ms();
  const bool is_expired = horizon_ms && *horizon_ms <= options_.now_ms;
  const bool is_awaited = scan_->marker() && IsAwaited(batch);
  const bool takes_all = is_unneeded && (!batch.is_control() || (is_expired && !is_awaited));

  Result<Verdict> verdict = takes_all ? Verdict() : Judge(batch);
  if (!verdict.ok()) return verdict.error();
  const size_t kept_count = verdict->kept_count;
  const auto count = static_cast<uint64_t>(std::max(batch.record_count(), 0));
  statistics_.records_kept += kept_count;
  statistics_.records_removed += count - kept_count;
  if (kept_count == 0) {
    // The end of what is cleaned stays known, and so does what a producer sent last.
    bool keeps_header = IsLastOfProducer(batch) || batch.next_offset() == first_uncleanable_;
    if (keeps_header && count == 0) return Write(batch);
    group_.is_changed = true;
    return keeps_header ? WriteEmpty(batch) : Status();
  }
  const bool needs_horizon = !horizon_ms && (verdict->keeps_tombstone || (batch.is_control() && is_unneeded));
  if (kept_count == count && !needs_horizon) return Write(batch);
  group_.is_changed = true;
  return WriteAnew(batch, verdict->kept, needs_horizon ? options_.now_ms + config_.delete_retention_ms : horizon_ms);
}

namespace {

record::BatchOptions OptionsOf(const record::BatchHeader& batch) {
  record::BatchOptions options;
  options.base_offset = batch.base_offset();
  options.leader_epoch = batch.leader_epoch();
  options.codec = batch.codec();
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.transactional = batch.is_transactional();
  options.control = batch.is_control();
  if (batch.timestamp_type() == record::TimestampType::kLogAppendTime) options.log_append_time_ms = batch.max_timestamp();
  return options;
}

}  // namespace

Status CleanJob::WriteAnew(const record::BatchView& batch, const std::vector<bool>& kept,
                           std::optional<int64_t> horizon_ms) {
  record::BatchOptions options = OptionsOf(batch);
  options.delete_horizon_ms = horizon_ms;
  record::BatchBuilder builder(options);
  record::RecordIterator records(batch, *decompressor_);
  record::RecordView record;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (records.Next(&record) != record::RecordIterator::kRecord) return Damaged(sources_[source_], "unreadable");
    bool is_in_order = record.offset >= builder.next_offset() && record.offset <= batch.last_offset();
    if (!is_in_order) return Damaged(sources_[source_], "the offsets of its records are out of order");
    if (kept[i]) builder.AppendAt(record.offset, record.timestamp, record.key, record.value, record.headers);
    if (builder.size_bytes() > kMostUnpackedBytes)
      return Damaged(sources_[source_], "unpacks to more than a batch may");
  }
  const std::vector<uint8_t> bytes = builder.Build(batch.last_offset());
  return Write(record::BatchView(bytes));
}

Status CleanJob::WriteEmpty(const record::BatchHeader& batch) {
  record::BatchOptions options = OptionsOf(batch);
  options.codec = record::Codec::kNone;
  options.max_timestamp = batch.max_timestamp();
  const std::vector<uint8_t> bytes = record::BatchBuilder(options).Build(batch.last_offset());
  return Write(record::BatchView(bytes));
}

Status CleanJob::Write(const record::BatchView& batch) {
  const uint64_t position = group_.written + group_.buffer.size();
  if (position + batch.bytes().size() > INT32_MAX) {
    return Error{ErrorKind::kUnsupported, directory_ + ": packed anew, a segment grew beyond what one can hold"};
  }
  group_.segment->Account(batch, static_cast<uint32_t>(position), config_);
  group_.segment->mutable_state().size_bytes = position + batch.bytes().size();
  group_.buffer.insert(group_.buffer.end(), batch.bytes().begin(), batch.bytes().end());
  return group_.buffer.size() >= options_.write_bytes ? WriteBuffer() : Status();
}

Status CleanJob::WriteBuffer() {
  if (group_.buffer.empty()) return {};
  KB_RETURN_IF_ERROR(group_.log->WriteAt(group_.written, ByteView(group_.buffer)));
  group_.written += group_.buffer.size();
  statistics_.written_bytes += group_.buffer.size();
  group_.buffer.clear();
  return {};
}

Status CleanJob::WriteIndex(std::string_view suffix, std::string_view bytes) {
  group_.suffixes.push_back(suffix);
  Result<std::unique_ptr<io::File>> file =
      file_system_->Open(PathOf(group_.base_offset, suffix, kCleanedSuffix), io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  KB_RETURN_IF_ERROR((*file)->WriteAt(0, AsBytes(bytes)));
  return (*file)->Sync();
}

Result<bool> CleanJob::FinishGroup() {
  KB_RETURN_IF_ERROR(WriteBuffer());
  scan_.reset();
  source_file_.reset();
  source_ = group_.end;
  size_t aborted_before = 0;
  for (size_t i = group_.first; i < group_.end; ++i) aborted_before += sources_[i].aborted_entries;
  if (!group_.is_changed && aborted_before == group_.aborted.size()) {
    (void)DropGroup();
    return false;
  }
  SegmentState& state = group_.segment->mutable_state();
  group_.segment->AddFinalTimeEntry();
  KB_RETURN_IF_ERROR(WriteIndex(kIndexSuffix, EncodeIndex(state.index.tail())));
  KB_RETURN_IF_ERROR(WriteIndex(kTimeIndexSuffix, EncodeIndex(state.time_index.tail())));
  std::optional<TxnIndexEntry> last_aborted;
  if (!group_.aborted.empty()) {
    KB_RETURN_IF_ERROR(WriteIndex(kTxnIndexSuffix, EncodeIndex(group_.aborted)));
    last_aborted = group_.aborted.back();
  }
  state.index = OffsetIndex(state.index.entries(), state.index.last());
  state.time_index = TimeIndex(state.time_index.entries(), state.time_index.last());
  state.txn_index = TxnIndex(group_.aborted.size(), last_aborted);
  KB_RETURN_IF_ERROR(PutAside());
  statistics_.segments_before += group_.end - group_.first;
  ++statistics_.segments_after;
  return true;
}

// .cleaned becomes .swap: from here on a crash finishes what was begun.
Status CleanJob::PutAside() {
  const std::string log = PathOf(group_.base_offset, kLogSuffix, kCleanedSuffix);
  Result<int64_t> modified_ms = file_system_->ModifiedMs(PathOf(sources_[group_.end - 1].base_offset, kLogSuffix));
  if (modified_ms.ok()) (void)file_system_->SetModifiedMs(log, *modified_ms);
  KB_RETURN_IF_ERROR(group_.log->Sync());
  group_.log.reset();
  KB_RETURN_IF_ERROR(file_system_->SyncDirectory(directory_));
  for (std::string_view suffix : group_.suffixes) {
    KB_RETURN_IF_ERROR(file_system_->Rename(PathOf(group_.base_offset, suffix, kCleanedSuffix),
                                            PathOf(group_.base_offset, suffix, kSwapSuffix)));
  }
  return file_system_->SyncDirectory(directory_);
}

Result<CleanJob::Progress> CleanJob::Run() {
  const uint64_t stop_at = done_bytes() + options_.bytes_per_run;
  if (std::exchange(directory_is_dirty_, false)) KB_RETURN_IF_ERROR(file_system_->SyncDirectory(directory_));
  if (phase_ == Phase::kStart) {
    KB_RETURN_IF_ERROR(LoadAborted());
    KB_RETURN_IF_ERROR(LoadSnapshots());
    map_ = std::make_unique<OffsetMap>(options_.map);
    decompressor_ = std::make_unique<record::Decompressor>();
    size_t first = 0;
    while (first + 1 < sources_.size() && sources_[first].end_offset <= first_dirty_) ++first;
    filter_ = FilterFrom(sources_[first].base_offset);
    mapped_end_ = first_dirty_;
    KB_RETURN_IF_ERROR(OpenSource(first));
    phase_ = Phase::kMap;
  }
  if (phase_ == Phase::kMap) {
    Result<bool> is_complete = MapSome(stop_at);
    if (!is_complete.ok()) return is_complete.error();
    if (!*is_complete) return Progress::kMore;
    filter_ = FilterFrom(sources_.front().base_offset);
    source_ = 0;
    phase_ = Phase::kBetweenGroups;
  }
  while (true) {
    if (phase_ == Phase::kBetweenGroups) {
      if (!BeginGroup()) break;
      KB_RETURN_IF_ERROR(StartCopy());
      phase_ = Phase::kCopy;
    }
    Result<bool> is_complete = CopySome(stop_at);
    if (!is_complete.ok()) return is_complete.error();
    if (!*is_complete) return Progress::kMore;
    phase_ = Phase::kBetweenGroups;
    Result<bool> is_new = FinishGroup();
    if (!is_new.ok()) return is_new.error();
    if (*is_new) return Progress::kGroup;
  }
  clean_end_ = mapped_end_;
  map_.reset();  // giving so much back takes a while: here, not at home
  return Progress::kDone;
}

Status CleanJob::DropGroup() {
  group_.log.reset();
  Status dropped;
  bool was_put_aside = false;
  // The log last: while it is there, a start that finds it puts it in place and derives the others.
  for (std::string_view suffix : kSuffixes) {
    if (std::find(group_.suffixes.begin(), group_.suffixes.end(), suffix) == group_.suffixes.end()) continue;
    (void)file_system_->Remove(PathOf(group_.base_offset, suffix, kCleanedSuffix));
    Status removed = file_system_->Remove(PathOf(group_.base_offset, suffix, kSwapSuffix));
    was_put_aside |= removed.ok();
    if (!removed.ok() && removed.error().kind != ErrorKind::kNotFound) dropped = removed;
  }
  group_.suffixes.clear();
  // It must not come back: what a truncation takes next may be what made it leave records out.
  if (was_put_aside && dropped.ok()) dropped = file_system_->SyncDirectory(directory_);
  return dropped;
}

void CleanJob::Discard() {
  discarded_ = DropGroup();
  map_.reset();
}

// ---- Log

int64_t Log::FirstBatchTime(Segment& segment) {
  if (segment.first_batch_timestamp() != record::kNoTimestamp || segment.size_bytes() == 0) {
    return segment.first_batch_timestamp();
  }
  // Not known after a restart.
  uint8_t bytes[record::kBatchHeaderBytes];
  Result<std::unique_ptr<io::File>> file = files_.Open(segment.PathOf(kLogSuffix), io::OpenMode::kRead);
  if (!file.ok()) return record::kNoTimestamp;
  Result<size_t> got = (*file)->ReadAt(0, bytes);
  if (!got.ok() || *got != sizeof(bytes)) return record::kNoTimestamp;
  return segment.mutable_state().first_batch_timestamp = record::BatchHeader(ByteView(bytes)).max_timestamp();
}

void Log::LearnFirstTimes() {
  for (size_t i = 0; i + 1 < segments_.size(); ++i) (void)FirstBatchTime(*segments_[i]);
}

CleanablePart Log::Cleanable(Offset first_dirty, Offset high_watermark, int64_t now_ms) {
  CleanablePart part;
  part.first_dirty = first_dirty;
  if (first_dirty < log_start_offset_ || first_dirty > log_end_offset_) part.first_dirty = log_start_offset_;
  Offset end = std::min({LastStableOffset(high_watermark), recovery_point_, active().base_offset()});
  size_t uncleanable = SegmentAt(end);
  for (size_t i = SegmentAt(part.first_dirty); config_.min_compaction_lag_ms > 0 && i < uncleanable; ++i) {
    if (segments_[i]->max_timestamp() > now_ms - config_.min_compaction_lag_ms) uncleanable = i;
  }
  part.first_uncleanable = std::max(segments_[uncleanable]->base_offset(), segments_.front()->base_offset());
  for (size_t i = 0; i < uncleanable; ++i) {
    bool is_dirty = EndOffsetOf(i) > part.first_dirty;
    (is_dirty ? part.dirty_bytes : part.clean_bytes) += segments_[i]->size_bytes();
    if (!is_dirty || config_.max_compaction_lag_ms == INT64_MAX) continue;
    int64_t time_ms = FirstBatchTime(*segments_[i]);
    if (time_ms > 0 && time_ms < now_ms - config_.max_compaction_lag_ms) part.is_overdue = true;
  }
  return part;
}

CleanJob Log::PrepareClean(const CleanablePart& part, CleanOptions options) {
  CleanJob job;
  job.file_system_ = &files_;
  job.directory_ = directory_;
  job.config_ = config_;
  options.map.secret[0] = random_.Next();
  options.map.secret[1] = random_.Next();
  job.options_ = options;
  job.truncations_ = truncations_;
  job.first_dirty_ = part.first_dirty;
  job.first_uncleanable_ = part.first_uncleanable;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const SegmentState& state = segments_[i]->state();
    if (state.txn_index.entries() > 0) {
      job.aborted_sources_.push_back(
          {segments_[i]->PathOf(kTxnIndexSuffix), state.txn_index.on_disk(), state.txn_index.tail()});
    }
    if (segments_[i]->base_offset() >= part.first_uncleanable) continue;
    job.sources_.push_back({segments_[i]->base_offset(), EndOffsetOf(i), state.size_bytes, state.index.entries(),
                            state.time_index.entries(), state.txn_index.entries()});
  }
  for (const ActiveProducer& producer : producers_.Active()) {
    // Not one that a power cut would take: then the one before it is the last.
    const BatchMemory* last = producers_.Find(producer.id)->LastBatchBelow(recovery_point_);
    CleanJob::LastOfProducer& entry = job.last_of_producers_[producer.id];
    if (last != nullptr) entry.last_data_offset = last->last_offset;
    entry.epoch = producer.epoch;
    entry.is_in_doubt = recovery_point_ < log_end_offset_;
  }
  KB_CHECK(!job.sources_.empty());
  is_being_cleaned_ = true;
  return job;
}

Result<RemovalJob> Log::ReplaceCleaned(CleanJob& job) {
  CleanJob::Group& group = job.group_;
  const size_t first = SegmentAt(group.base_offset);
  const size_t end = first + (group.end - group.first);
  KB_CHECK(is_being_cleaned_ && job.truncations_ == truncations_ && end < segments_.size());
  RemovalJob removal;
  removal.file_system_ = &files_;
  removal.segments_ = end - first;
  for (size_t i = first; i < end; ++i) {
    KB_CHECK(segments_[i]->base_offset() == job.sources_[group.first + (i - first)].base_offset);
    const Offset base = segments_[i]->base_offset();
    for (std::string_view suffix : kSuffixes) removal.paths_.push_back(segments_[i]->PathOf(suffix));
    bool snapshot_is_needed = i == first || base == last_snapshot_ || base == previous_snapshot_;
    if (!snapshot_is_needed) removal.paths_.push_back(segments_[i]->PathOf(kSnapshotSuffix));
    removal.bytes_ += segments_[i]->size_bytes();
  }
  // Names only, and they must change between two reads: here, not on the disk pool.
  Status status = removal.Rename();
  for (std::string_view suffix : kSuffixes) {
    bool has = std::find(group.suffixes.begin(), group.suffixes.end(), suffix) != group.suffixes.end();
    if (!has || !status.ok()) continue;
    status = files_.Rename(job.PathOf(group.base_offset, suffix, kSwapSuffix), job.PathOf(group.base_offset, suffix));
  }
  if (!status.ok()) {
    // Half of it is done; opening the log anew finishes it.
    group.suffixes.clear();
    failure_ = status.error();
    return status.error();
  }
  SegmentState state = group.segment->state();
  state.created_ms = segments_[first]->created_ms();
  auto at = segments_.begin() + static_cast<ptrdiff_t>(first);
  *at = std::make_unique<Segment>(directory_, group.base_offset, std::move(state));
  segments_.erase(at + 1, segments_.begin() + static_cast<ptrdiff_t>(end));
  ++replacements_;
  group.suffixes.clear();
  job.directory_is_dirty_ = true;
  return removal;
}

void Log::CleanCompleted(const CleanJob& job) {
  KB_CHECK(job.truncations_ == truncations_);
  is_being_cleaned_ = false;
  if (!job.discarded_.ok() && !failure_) failure_ = job.discarded_.error();
}

}  // namespace kb::log

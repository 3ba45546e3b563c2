#include "log/log.h"

#include <algorithm>
#include <utility>

#include "base/shortage.h"
#include "log/checkpoint_files.h"
#include "log/recovery.h"

namespace kb::log {
namespace {

// How far apart the probes are that tell whether a range is in memory: the kernel reads ahead in pieces of this size.
constexpr uint64_t kProbeBytes = 128 << 10;
// A reader waits for the check of so many bytes, rather than to be sent fewer.
constexpr uint64_t kMostWaitedForBytes = 1 << 20;

}  // namespace

Log::Log(io::FileSystem& files, LogOptions options)
    : files_(files),
      directory_(std::move(options.directory)),
      config_(options.config),
      random_(options.jitter_seed),
      producers_(options.config.most_producers),
      is_unnamed_(options.made_for_topic.has_value()) {}

Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::Open(io::FileSystem& files, LogOptions options, RecoveryReport* report) {
  RecoveryReport unread;
  return LogRecovery::Run(files, std::move(options), report != nullptr ? *report : unread, /*is_reload=*/false);
}

// ---- state

Offset Log::LastStableOffset(Offset high_watermark) const {
  Offset stable = std::min(high_watermark, log_end_offset_);
  if (std::optional<Offset> unstable = producers_.FirstUnstableOffset(high_watermark)) {
    stable = std::min(stable, std::max(*unstable, log_start_offset_));
  }
  return stable;
}

uint64_t Log::size_bytes() const {
  uint64_t size = 0;
  for (const auto& segment : segments_) size += segment->size_bytes();
  return size;
}

void Log::UpdateConfig(const LogConfig& config) {
  config_ = config;
  producers_.set_most_producers(config.most_producers);
}

size_t Log::SegmentAt(Offset offset) const {
  auto above = std::partition_point(segments_.begin(), segments_.end(),
                                    [&](const auto& segment) { return segment->base_offset() <= offset; });
  return above == segments_.begin() ? 0 : static_cast<size_t>(above - segments_.begin() - 1);
}

Offset Log::EndOffsetOf(size_t segment) const {
  return segment + 1 < segments_.size() ? segments_[segment + 1]->base_offset() : log_end_offset_;
}

size_t Log::open_files() const {
  size_t open = 0;
  for (const auto& segment : segments_) open += segment->open_files();
  return open;
}

void Log::ReleaseIdle() {
  for (size_t i = 0; i < segments_.size(); ++i) {
    // A descriptor is where the kernel reports that writing back failed: it stays until that is known.
    segments_[i]->ReleaseIdle(EndOffsetOf(i) <= recovery_point_);
  }
  if (active().open_files() == 0) {
    (void)active().SpillIndexes(files_);
    tail_.Clear();
  }
}

// ---- append

struct Log::Incoming {
  Offset base_offset{0};
  Offset last_offset{0};
  int64_t max_timestamp = record::kNoTimestamp;
  uint64_t size_bytes = 0;
};

Log::Incoming Log::Summarize(ByteView batches) {
  Incoming incoming;
  incoming.size_bytes = batches.size();
  record::BatchWalk walk(batches);
  bool is_first = true;
  while (std::optional<record::BatchView> batch = walk.Next()) {
    if (std::exchange(is_first, false)) incoming.base_offset = batch->base_offset();
    incoming.last_offset = batch->last_offset();
    incoming.max_timestamp = std::max(incoming.max_timestamp, batch->max_timestamp());
  }
  KB_CHECK(!is_first && walk.rest().empty());  // whole batches were promised
  return incoming;
}

AppendResult Log::Refuse(AppendError error, std::string message, int os_errno) const {
  AppendResult result;
  result.failure = AppendFailure{error, std::move(message), os_errno};
  return result;
}

AppendResult Log::Refuse(const Error& error) {
  if (IsShortage(error)) return Refuse(AppendError::kNoSpace, error.message, error.os_errno);
  failure_ = error;
  return Refuse(AppendError::kStorage, error.message, error.os_errno);
}

std::optional<AppendResult> Log::CheckProducers(ByteView batches, const AppendOptions& options) const {
  record::BatchWalk walk(batches);
  while (std::optional<record::BatchView> batch = walk.Next()) {
    if (!batch->has_producer()) continue;
    ProducerState::Judgement judgement = producers_.Check(*batch, options.new_transaction_from_zero);
    if (judgement.verdict == ProducerVerdict::kAccepted) continue;
    std::string who = "producer " + ToString(batch->producer_id()) + " epoch " + ToString(batch->producer_epoch()) +
                      " sequence " + std::to_string(batch->base_sequence());
    switch (judgement.verdict) {
      case ProducerVerdict::kAccepted: break;
      case ProducerVerdict::kDuplicate: {
        AppendResult duplicate;
        duplicate.is_duplicate = true;
        duplicate.base_offset = judgement.duplicate_of.first_offset();
        duplicate.last_offset = judgement.duplicate_of.last_offset;
        duplicate.max_timestamp = judgement.duplicate_of.timestamp;
        return duplicate;
      }
      case ProducerVerdict::kOutOfOrderSequence:
        return Refuse(AppendError::kOutOfOrderSequence, "out of order: " + who);
      case ProducerVerdict::kStaleProducerEpoch:
        return Refuse(AppendError::kStaleProducerEpoch, "a newer epoch has written: " + who);
      case ProducerVerdict::kInvalidTxnState:
        return Refuse(AppendError::kInvalidTxnState, "outside of the open transaction: " + who);
      case ProducerVerdict::kStaleCoordinatorEpoch:
        return Refuse(AppendError::kStaleCoordinatorEpoch, "a newer coordinator has written: " + who);
    }
  }
  return std::nullopt;
}

AppendResult Log::Append(MutableByteView batches, const AppendOptions& options) {
  if (failure_) return Refuse(AppendError::kStorage, failure_->message, failure_->os_errno);
  if (batches.size() > static_cast<size_t>(config_.segment_bytes)) {
    return Refuse(AppendError::kTooLargeForSegment, std::to_string(batches.size()) + " bytes, and a segment has " +
                                                        std::to_string(config_.segment_bytes));
  }
  if (std::optional<AppendResult> decided = CheckProducers(batches, options)) return std::move(*decided);
  Offset next = log_end_offset_;
  for (size_t at = 0; at < batches.size();) {
    std::optional<record::BatchView> first = record::BatchView::First(batches.subspan(at));
    KB_CHECK(first.has_value());  // whole batches were promised
    record::MutableBatchView batch(batches.subspan(at, first->bytes().size()));
    batch.SetBaseOffset(next);
    batch.SetLeaderEpoch(options.leader_epoch);
    next = batch.next_offset();
    at += batch.bytes().size();
  }
  return Write(batches, Summarize(batches), options.now_ms);
}

AppendResult Log::AppendAsFollower(ByteView batches, int64_t now_ms) {
  if (failure_) return Refuse(AppendError::kStorage, failure_->message, failure_->os_errno);
  Incoming incoming = Summarize(batches);
  if (incoming.base_offset < log_end_offset_) {
    return Refuse(AppendError::kUnexpectedOffset, "the leader's batch begins at " + ToString(incoming.base_offset) +
                                                      ", the log ends at " + ToString(log_end_offset_));
  }
  return Write(batches, incoming, now_ms);
}

bool Log::ShouldRoll(const Incoming& incoming, int64_t now_ms) const {
  const Segment& segment = active();
  if (incoming.last_offset - segment.base_offset() > INT32_MAX) return true;
  if (segment.size_bytes() == 0) return false;
  if (segment.size_bytes() + incoming.size_bytes > static_cast<uint64_t>(config_.segment_bytes)) return true;
  if (segment.IndexesAreFull(config_)) return true;
  int64_t segment_ms = config_.segment_ms;
  if (config_.cleanup_compact) segment_ms = std::min(segment_ms, config_.max_compaction_lag_ms);
  // In record time, so that a producer of old records fills segments as it would have then.
  bool has_time = segment.first_batch_timestamp() != record::kNoTimestamp;
  int64_t waited_ms = has_time ? incoming.max_timestamp - segment.first_batch_timestamp() : now_ms - segment.created_ms();
  return waited_ms > segment_ms - segment.roll_jitter_ms();
}

AppendResult Log::Write(ByteView batches, const Incoming& incoming, int64_t now_ms) {
  AppendResult result;
  if (ShouldRoll(incoming, now_ms)) {
    if (Status status = StartSegment(incoming.base_offset, now_ms); !status.ok()) return Refuse(status.error());
    result.rolled = true;
  }
  const uint64_t position = active().size_bytes();
  if (Status status = active().Write(files_, batches); !status.ok()) {
    // What was cut off again must not come back in a segment that is sealed next.
    AddToFlush(unflushed_, segments_.size() - 1);
    return Refuse(status.error());
  }
  Account(batches, position, now_ms);
  result.base_offset = incoming.base_offset;
  result.last_offset = incoming.last_offset;
  result.max_timestamp = incoming.max_timestamp;
  log_end_offset_ = incoming.last_offset + 1;
  return result;
}

void Log::Account(ByteView batches, uint64_t position, int64_t now_ms) {
  record::BatchWalk walk(batches);
  while (std::optional<record::BatchView> batch = walk.Next()) {
    active().Account(*batch, static_cast<uint32_t>(position), config_);
    tail_.Add({batch->base_offset(), batch->last_offset(), static_cast<uint32_t>(position),
               static_cast<uint32_t>(batch->bytes().size())});
    if (epochs_.Assign(batch->leader_epoch(), batch->base_offset())) epochs_changed_ = true;
    if (std::optional<AbortedTransaction> aborted = producers_.Update(*batch, now_ms)) {
      active().AddAborted(files_, *aborted);
    }
    position += batch->bytes().size();
  }
  if (active().state().index.tail_is_long()) (void)active().SpillIndexes(files_);
}

void Log::BeginEpoch(LeaderEpoch epoch) {
  if (epochs_.Assign(epoch, log_end_offset_)) epochs_changed_ = true;
}

Status Log::Roll(int64_t now_ms) {
  if (active().size_bytes() == 0) return {};
  return StartSegment(log_end_offset_, now_ms);
}

Status Log::StartSegment(Offset base_offset, int64_t now_ms) {
  KB_CHECK(base_offset >= log_end_offset_);
  // A sealed segment's indexes are believed at the next start: without the last entries they would be plausible and wrong.
  if (!segments_.empty()) {
    // Nor must what a failed write left come back there.
    if (active().needs_repair()) AddToFlush(unflushed_, segments_.size() - 1);
    KB_RETURN_IF_ERROR(active().Seal(files_));
  }
  const std::string path = directory_ + "/" + OffsetFileName(base_offset, kLogSuffix);
  Result<std::unique_ptr<io::File>> file = files_.Open(path, io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  if (config_.preallocate) {
    Status status = (*file)->Preallocate(static_cast<uint64_t>(config_.segment_bytes));
    if (!status.ok()) {
      // The log may go on in the segment it has: an empty one in the middle of it would hide records at the next start. So
      // would one that a power cut brings back.
      unflushed_.sync_directory_ = true;
      if (Status removed = files_.Remove(path); !removed.ok()) failure_ = removed.error();
      return status;
    }
  }
  log_end_offset_ = base_offset;  // there may be a gap before it: in a log that follows a compacted one
  if (!segments_.empty()) {
    AddIndexesToFlush(unflushed_, active());  // its log may be on the disk already
    AddSnapshot(unflushed_);
  }
  SegmentState state;
  state.created_ms = now_ms;
  SegmentView view;
  view.log = std::move(*file);
  segments_.push_back(std::make_unique<Segment>(directory_, base_offset, std::move(state)));
  active().Adopt(view);
  int64_t most_jitter_ms = std::min(config_.segment_jitter_ms, config_.segment_ms);
  if (most_jitter_ms > 0) {
    active().set_roll_jitter_ms(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(most_jitter_ms))));
  }
  tail_.Clear();
  unflushed_.sync_directory_ = true;
  return {};
}

// ---- durability

bool Log::needs_flush() const {
  return recovery_point_ < log_end_offset_ || !unflushed_.contents_.empty() || checkpoint_is_due_ ||
         has_unwritten_indexes_;
}

Offset Log::RecoveryPointToRecord() const {
  Offset point = recovery_point_;
  const auto is_unsaved = [this](const EpochStart& entry) { return saved_epoch_ && entry.epoch > *saved_epoch_; };
  const std::vector<EpochStart>& epochs = epochs_.entries();
  for (auto entry = epochs.rbegin(); entry != epochs.rend() && is_unsaved(*entry); ++entry) {
    point = std::min(point, entry->start_offset);
  }
  for (size_t i = 0; has_unwritten_indexes_ && i + 1 < segments_.size(); ++i) {
    if (!segments_[i]->indexes_are_written()) point = std::min(point, segments_[i]->base_offset());
  }
  return point;
}

void Log::AddToFlush(FlushJob& job, size_t segment) const {
  const Segment& source = *segments_[segment];
  Result<std::shared_ptr<io::File>> log = source.LogFile(files_, Blocking::kNever);
  if (log.ok() && *log != nullptr) {
    job.files_.push_back(*log);
  } else {
    job.paths_.push_back(source.PathOf(kLogSuffix));
  }
}

void Log::AddIndexesToFlush(FlushJob& job, const Segment& segment) {
  for (std::string& path : segment.Paths()) {
    if (!path.ends_with(kLogSuffix)) job.paths_.push_back(std::move(path));
  }
}

// Producer state as of the log end: at a roll for the segment that begins there, or in between as a checkpoint.
void Log::AddSnapshot(FlushJob& job) {
  if (last_snapshot_ && *last_snapshot_ >= log_end_offset_) return;
  AddObsolete(job, previous_snapshot_);
  job.contents_.push_back(
      {directory_ + "/" + OffsetFileName(log_end_offset_, kSnapshotSuffix), producers_.Snapshot(), false});
  previous_snapshot_ = std::exchange(last_snapshot_, log_end_offset_);
}

// Those that are no segment's are not needed for ever.
void Log::AddObsolete(FlushJob& job, std::optional<Offset> snapshot) const {
  if (!snapshot || segments_[SegmentAt(*snapshot)]->base_offset() == *snapshot) return;
  job.obsolete_.push_back(directory_ + "/" + OffsetFileName(*snapshot, kSnapshotSuffix));
}

// Indexes that the start could not write.
void Log::AddUnwrittenIndexes() {
  unflushed_.has_all_indexes_ = true;
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    if (segments_[i]->indexes_are_written()) continue;
    unflushed_.has_all_indexes_ &= segments_[i]->SpillIndexes(files_).ok();
    AddIndexesToFlush(unflushed_, *segments_[i]);
  }
}

FlushJob Log::PrepareFlush() {
  if (std::exchange(checkpoint_is_due_, false)) {
    (void)active().SpillIndexes(files_);
    if (log_end_offset_ > active().base_offset()) AddSnapshot(unflushed_);
    AddIndexesToFlush(unflushed_, active());
  }
  if (has_unwritten_indexes_) AddUnwrittenIndexes();
  unflushed_.file_system_ = &files_;
  unflushed_.directory_ = directory_;
  unflushed_.target_offset_ = log_end_offset_;
  unflushed_.truncations_ = truncations_;
  if (is_unnamed_) unflushed_.data_directory_ = directory_.substr(0, directory_.rfind('/'));
  if (epochs_changed_) {
    unflushed_.contents_.push_back(
        {directory_ + "/" + std::string(kLeaderEpochFile), EpochCheckpointText(epochs_.entries()), true});
    epochs_changed_ = false;
    unflushed_.latest_epoch_ = epochs_.latest_epoch();
  }
  if (recovery_point_ < log_end_offset_) {
    for (size_t i = SegmentAt(recovery_point_); i < segments_.size(); ++i) AddToFlush(unflushed_, i);
  }
  return std::exchange(unflushed_, FlushJob());
}

FlushJob Log::PrepareCheckpoint() {
  checkpoint_is_due_ = true;
  return PrepareFlush();
}

void Log::RequestCheckpoint() {
  const bool is_saved = log_end_offset_ == active().base_offset() || last_snapshot_ == log_end_offset_;
  if (!is_saved || is_unnamed() || recovery_point_ < log_end_offset_) checkpoint_is_due_ = true;
}

FlushJob Log::PrepareClose() {
  // Those of recovered segments, too, if there was no room for them then. What was not written makes the stop an unclean one.
  Status written = active().Seal(files_);
  for (const auto& segment : segments_) {
    if (segment->indexes_are_written()) continue;
    Status status = segment->SpillIndexes(files_);
    AddIndexesToFlush(unflushed_, *segment);
    if (written.ok()) written = status;
  }
  if (!written.ok()) unflushed_.obstacle_ = written.error();
  unflushed_.is_last_ = true;
  if (config_.preallocate) {
    // Gives back what was reserved. Not being able to is no reason not to stop.
    Result<std::shared_ptr<io::File>> log = active().LogFile(files_, Blocking::kNever);
    if (log.ok() && *log != nullptr) (void)(*log)->Truncate(active().size_bytes());
  }
  checkpoint_is_due_ = false;
  if (log_end_offset_ > Offset(0)) AddSnapshot(unflushed_);
  AddObsolete(unflushed_, std::exchange(previous_snapshot_, std::nullopt));
  AddIndexesToFlush(unflushed_, active());
  return PrepareFlush();
}

void Log::FlushCompleted(const FlushJob& job, const Status& status) {
  if (!status.ok()) {
    if (!failure_) failure_ = status.error();
    return;
  }
  if (job.is_short_of_room_) {
    epochs_changed_ = true;
    last_snapshot_.reset();  // it may be the one that is missing: the next checkpoint writes another
  }
  if (!job.data_directory_.empty()) is_unnamed_ = false;
  if (job.truncations_ != truncations_) return;  // it may have synced what is gone, and not what took its place
  if (job.latest_epoch_ && !job.is_short_of_room_) saved_epoch_ = job.latest_epoch_;
  if (job.has_all_indexes_) has_unwritten_indexes_ = false;
  recovery_point_ = std::max(recovery_point_, std::min(job.target_offset_, log_end_offset_));
}

// ---- read

Lookup Log::Locate(size_t segment, Offset offset, Blocking blocking) const {
  if (segment + 1 == segments_.size()) {
    if (std::optional<BatchLocation> batch = tail_.Find(offset)) {
      Lookup found;
      found.outcome = Lookup::kFound;
      found.batch = *batch;
      found.whole_until = segments_[segment]->size_bytes();
      return found;
    }
  }
  return segments_[segment]->Find(offset, blocking, files_);
}

// Where the bytes below end_offset end in a segment, as the position of a batch: of the first that is not below it. What
// lies behind `most` is not asked for.
Lookup Log::EndOf(size_t segment, Offset end_offset, uint64_t most, Blocking blocking) const {
  Lookup whole;
  whole.outcome = Lookup::kFound;
  whole.batch.position = static_cast<uint32_t>(most);
  if (end_offset >= EndOffsetOf(segment)) return whole;
  Lookup end = Locate(segment, end_offset, blocking);
  // It lies behind: in damage, in what has not been checked, or there is no such batch.
  if (end.outcome != Lookup::kFound && end.outcome != Lookup::kNeedsDisk && end.outcome != Lookup::kFailed) return whole;
  if (end.outcome == Lookup::kFound) end.batch.position = std::min(end.batch.position, whole.batch.position);
  return end;
}

ReadResult Log::Read(const ReadOptions& options) const {
  const Blocking blocking = options.may_block ? Blocking::kAllowed : Blocking::kNever;
  ReadResult nothing;
  if (options.offset < log_start_offset_ || options.offset > log_end_offset_) {
    nothing.status = ReadStatus::kOutOfRange;
    return nothing;
  }
  const Offset end_offset = std::min(options.end_offset, log_end_offset_);
  auto unable = [&](Lookup lookup) {
    ReadResult result = nothing;
    const bool waits = lookup.outcome == Lookup::kNeedsDisk || lookup.outcome == Lookup::kUnchecked;
    result.status = waits ? ReadStatus::kNeedsDisk : ReadStatus::kFailed;
    if (lookup.outcome == Lookup::kDamaged) result.status = ReadStatus::kDamaged;
    result.next_offset = lookup.next_offset;
    result.failure = std::move(lookup.error);
    return result;
  };
  if (options.offset >= end_offset) return nothing;
  for (size_t i = SegmentAt(std::max(options.offset, options.from_segment));
       i < segments_.size() && segments_[i]->base_offset() < end_offset; ++i) {
    Lookup first = Locate(i, options.offset, blocking);
    if (first.outcome == Lookup::kEnd) continue;  // compacted away, up to the end of the segment
    nothing.segment = segments_[i]->base_offset();
    if (first.outcome != Lookup::kFound) return unable(std::move(first));
    if (first.batch.base_offset >= end_offset) return nothing;
    Lookup end = EndOf(i, end_offset, first.whole_until, blocking);
    if (end.outcome != Lookup::kFound) return unable(std::move(end));
    // Rather than a small rest of what is checked, the next piece.
    const uint64_t wanted = std::min(options.max_bytes, kMostWaitedForBytes);
    bool is_rest = first.more_is_unknown && end.batch.position == first.whole_until &&
                   first.whole_until - first.batch.position < wanted;
    if (is_rest && !options.may_block) return unable(Lookup{Lookup::kUnchecked});
    ReadResult result = SliceOf(i, first.batch, end.batch.position, options);
    result.segment = nothing.segment;
    return result;
  }
  return nothing;
}

ReadResult Log::SliceOf(size_t segment, const BatchLocation& first, uint64_t end, const ReadOptions& options) const {
  ReadResult result;
  if (end <= first.position) return result;  // the first batch reaches beyond the end offset
  if (!options.at_least_one && first.size_bytes > options.max_bytes) {
    result.first_batch_too_large = true;
    return result;
  }
  uint64_t limit = options.at_least_one ? std::max<uint64_t>(options.max_bytes, first.size_bytes) : options.max_bytes;
  const Blocking blocking = options.may_block ? Blocking::kAllowed : Blocking::kNever;
  Result<std::shared_ptr<io::File>> file = segments_[segment]->LogFile(files_, blocking);
  if (!file.ok()) {
    result.status = ReadStatus::kFailed;
    result.failure = file.error();
    return result;
  }
  uint64_t size = std::min(end - first.position, limit);
  bool is_recent = segment + 1 == segments_.size() && tail_.Find(first.base_offset).has_value();
  bool needs_disk = *file == nullptr ||
                    (!options.may_block && !is_recent && !IsInMemory(**file, first.position, size));
  if (needs_disk) {
    result.status = ReadStatus::kNeedsDisk;
    return result;
  }
  result.slice = {*file, first.position, size, first.base_offset};
  return result;
}

// A sample: what is missing between two probes costs one short stall.
bool Log::IsInMemory(const io::File& file, uint64_t position, uint64_t size) const {
  uint8_t byte;
  for (uint64_t at = 0; at < size; at += kProbeBytes) {
    Result<size_t> got = file.ReadCached(position + at, {&byte, 1});
    if (!got.ok() || *got == 0) return false;
  }
  Result<size_t> last = file.ReadCached(position + size - 1, {&byte, 1});
  return last.ok() && *last == 1;
}

PrefetchJob Log::PreparePrefetch(const ReadOptions& options, bool with_aborted) const {
  PrefetchJob job;
  job.file_system_ = &files_;
  job.directory_ = directory_;
  job.truncations_ = truncations_;
  job.replacements_ = replacements_;
  job.offset_ = options.offset;
  job.max_bytes_ = options.max_bytes;
  job.index_interval_bytes_ = config_.index_interval_bytes;
  const size_t first = SegmentAt(std::max(options.offset, options.from_segment));
  constexpr size_t kMostSegments = 2;  // the next, in case the first has nothing at or above the offset
  for (size_t i = first; i < std::min(segments_.size(), first + kMostSegments); ++i) {
    job.segments_.push_back(segments_[i]->View());
    job.segments_.back().is_active = i + 1 == segments_.size();
  }
  for (size_t i = SegmentAt(options.offset); with_aborted && i < segments_.size(); ++i) {
    if (segments_[i]->base_offset() >= options.end_offset) break;
    if (segments_[i]->aborted() != nullptr) continue;
    job.aborted_.push_back({segments_[i]->base_offset(), segments_[i]->PathOf(kTxnIndexSuffix), {}});
  }
  return job;
}

void Log::PrefetchCompleted(const PrefetchJob& job) {
  if (job.replacements_ != replacements_) return;  // the files it opened may be those that were replaced
  auto segment_of = [&](Offset base_offset) -> Segment* {
    Segment& segment = *segments_[SegmentAt(base_offset)];
    return segment.base_offset() == base_offset ? &segment : nullptr;  // it may be gone, or cut
  };
  for (const SegmentView& view : job.segments_) {
    Segment* segment = segment_of(view.base_offset);
    if (segment != nullptr && segment->size_bytes() >= view.size_bytes) segment->Adopt(view);
  }
  if (job.truncations_ == truncations_) {
    for (const PrefetchJob::Checked& checked : job.checked_) TakeChecked(checked.segment_base, checked.stretches);
  }
  if (job.rebuilt_) {
    Segment* segment = segment_of(job.rebuilt_->first);
    bool is_same = segment != nullptr && segment != &active() && segment->size_bytes() == job.rebuilt_->second.size_bytes;
    if (is_same) segment->ReplaceIndexes(job.rebuilt_->second);
  }
  for (const PrefetchJob::Aborted& aborted : job.aborted_) {
    if (Segment* segment = segment_of(aborted.segment_base)) segment->AdoptAborted(aborted.transactions);
  }
  // The index of the active segment changes under a job's hands: seal it, and the next job builds it anew.
  if (job.active_index_is_damaged_) (void)Roll(active().created_ms());
}

std::optional<std::vector<AbortedTransaction>> Log::AbortedTransactions(Offset offset, Offset end_offset,
                                                                        bool may_block) const {
  std::vector<AbortedTransaction> overlapping;
  for (size_t i = SegmentAt(offset); i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (may_block && segment.aborted() == nullptr) {
      PrefetchJob::Aborted read{segment.base_offset(), segment.PathOf(kTxnIndexSuffix), {}};
      Result<std::vector<TxnIndexEntry>> entries = ReadIndex<TxnIndexEntry>(files_, read.path);
      if (!entries.ok()) return std::nullopt;
      for (const TxnIndexEntry& entry : *entries) read.transactions.push_back(entry.transaction);
      read.transactions.resize(std::min(read.transactions.size(), segment.txn_index().on_disk()));
      segment.AdoptAborted(std::move(read.transactions));
    }
    if (segment.aborted() == nullptr) return std::nullopt;
    for (const AbortedTransaction& each : *segment.aborted()) {
      if (each.last_offset >= offset && each.first_offset < end_offset) overlapping.push_back(each);
      // What aborts later began at or above what was stable then.
      if (each.last_stable_offset >= end_offset) return overlapping;
    }
  }
  return overlapping;
}

// ---- integrity

void Log::ForgetChecks() {
  for (size_t i = 0; i < segments_.size(); ++i) segments_[i]->ForgetChecks(EndOffsetOf(i));
}

void Log::TakeChecked(Offset segment_base, const std::vector<Stretch>& checked) {
  Segment& segment = *segments_[SegmentAt(segment_base)];
  if (segment.base_offset() != segment_base || !segment.AddChecked(checked)) return;
  for (const Stretch& stretch : checked) {
    if (stretch.is_damaged) found_damage_.push_back({segment.PathOf(kLogSuffix), stretch});
  }
}

std::vector<FoundDamage> Log::TakeFoundDamage() { return std::exchange(found_damage_, {}); }

std::optional<ScrubJob> Log::PrepareScrub(ScrubCursor& cursor) {
  auto first = std::partition_point(segments_.begin(), segments_.end(),
                                    [&](const auto& segment) { return segment->base_offset() < cursor.segment_base; });
  for (auto i = static_cast<size_t>(first - segments_.begin()); i < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    if (cursor.anew && cursor.forgotten != segment.base_offset()) segment.ForgetChecks(EndOffsetOf(i));
    cursor.forgotten = cursor.segment_base = segment.base_offset();
    std::optional<Unknown> part = segment.integrity() == nullptr ? std::nullopt : segment.integrity()->FirstUnknown();
    if (!part) continue;
    ScrubJob job;
    job.file_system_ = &files_;
    job.directory_ = directory_;
    job.truncations_ = truncations_;
    job.replacements_ = replacements_;
    job.segment_ = segment.View();
    job.part_ = *part;
    return job;
  }
  return std::nullopt;
}

bool Log::ScrubCompleted(const ScrubJob& job) {
  if (job.truncations_ != truncations_ || job.replacements_ != replacements_) return false;
  TakeChecked(job.segment_.base_offset, job.checked_);
  const Segment& segment = *segments_[SegmentAt(job.segment_.base_offset)];
  if (segment.base_offset() != job.segment_.base_offset) return false;
  std::optional<Unknown> left = segment.integrity() == nullptr ? std::nullopt : segment.integrity()->FirstUnknown();
  return !left || left->begin != job.part_.begin;
}

uint64_t Log::BytesBetween(Offset from, Offset to) const {
  to = std::min(to, log_end_offset_);
  if (from >= to) return 0;
  const size_t segment = SegmentAt(from);
  if (to > EndOffsetOf(segment)) return UINT64_MAX;
  Lookup start = Locate(segment, from, Blocking::kNever);
  Lookup end = EndOf(segment, to, segments_[segment]->size_bytes(), Blocking::kNever);
  if (start.outcome != Lookup::kFound || end.outcome != Lookup::kFound) return UINT64_MAX;
  return end.batch.position > start.batch.position ? end.batch.position - start.batch.position : 0;
}

// ---- look-ups

TimestampLookupJob Log::PrepareTimestampLookup(int64_t timestamp) const {
  TimestampLookupJob job = PrepareMaxTimestampLookup();
  job.timestamp_ = timestamp;
  std::erase_if(job.segments_, [&](const SegmentView& view) { return view.max_timestamp < timestamp; });
  return job;
}

TimestampLookupJob Log::PrepareMaxTimestampLookup() const {
  TimestampLookupJob job;
  job.file_system_ = &files_;
  job.directory_ = directory_;
  job.from_offset_ = log_start_offset_;
  for (size_t i = SegmentAt(log_start_offset_); i < segments_.size(); ++i) job.segments_.push_back(segments_[i]->View());
  return job;
}

OffsetTimeJob Log::PrepareOffsetTime(Offset offset) const {
  OffsetTimeJob job;
  job.file_system_ = &files_;
  job.directory_ = directory_;
  job.offset_ = std::max(offset, log_start_offset_);
  const size_t first = SegmentAt(job.offset_);
  for (size_t i = first; i < segments_.size() && i < first + 2; ++i) job.segments_.push_back(segments_[i]->View());
  return job;
}

// ---- removal

void Log::DeleteRecordsTo(Offset offset) {
  if (offset <= log_start_offset_ || offset > log_end_offset_) return;
  log_start_offset_ = offset;
  if (epochs_.TruncateFromStart(offset)) epochs_changed_ = true;
}

RemovalJob Log::TakeOldest(size_t segments) {
  RemovalJob job;
  job.file_system_ = &files_;
  KB_CHECK(segments < segments_.size());
  const Offset new_start = segments_[segments]->base_offset();
  for (size_t i = 0; i < segments; ++i) {
    for (std::string& path : segments_[i]->Paths()) job.paths_.push_back(std::move(path));
    job.paths_.push_back(segments_[i]->PathOf(kSnapshotSuffix));
    job.bytes_ += segments_[i]->size_bytes();
  }
  // When all goes, what producers have sent is in no batch any more: the snapshot must be there first.
  if (new_start == log_end_offset_) {
    job.snapshot_.emplace(directory_ + "/" + OffsetFileName(new_start, kSnapshotSuffix), producers_.Snapshot());
  }
  job.segments_ = segments;
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(segments));
  recovery_point_ = std::max(recovery_point_, std::min(new_start, log_end_offset_));
  DeleteRecordsTo(new_start);
  return job;
}

RemovalJob Log::ApplyRetention(int64_t now_ms, Offset high_watermark) {
  if (is_being_cleaned_) return {};
  auto is_empty_active = [&](size_t i) { return i + 1 == segments_.size() && segments_[i]->size_bytes() == 0; };
  auto oldest_while = [&](size_t from, auto&& may_go) {
    size_t count = from;
    while (count < segments_.size() && EndOffsetOf(count) <= high_watermark && !is_empty_active(count) && may_go(count)) {
      ++count;
    }
    return count;
  };
  size_t count = oldest_while(0, [&](size_t i) {
    return i + 1 < segments_.size() && segments_[i + 1]->base_offset() <= log_start_offset_;
  });
  if (config_.cleanup_delete && config_.retention_bytes >= 0) {
    uint64_t size = 0;
    for (size_t i = count; i < segments_.size(); ++i) size += segments_[i]->size_bytes();
    uint64_t kept = static_cast<uint64_t>(config_.retention_bytes);
    uint64_t excess = size > kept ? size - kept : 0;
    count = oldest_while(count, [&](size_t i) {
      if (excess < segments_[i]->size_bytes()) return false;
      excess -= segments_[i]->size_bytes();
      return true;
    });
  }
  if (config_.cleanup_delete && config_.retention_ms >= 0) {
    count = oldest_while(count, [&](size_t i) { return now_ms - LargestTimestamp(i) > config_.retention_ms; });
  }
  if (count == segments_.size() && !Roll(now_ms).ok()) --count;  // no room for a new one: the last stays for now
  if (count == 0) return {};
  return TakeOldest(count);
}

// Of the records; of the file when no record has a time.
int64_t Log::LargestTimestamp(size_t segment) const {
  const Segment& source = *segments_[segment];
  if (source.max_timestamp() != record::kNoTimestamp) return source.max_timestamp();
  Result<int64_t> modified_ms = files_.ModifiedMs(source.PathOf(kLogSuffix));
  return modified_ms.ok() ? *modified_ms : INT64_MAX;
}

Result<RemovalJob> Log::TruncateTo(Offset offset, int64_t now_ms) {
  KB_CHECK(!is_being_cleaned_);
  if (offset >= log_end_offset_) return RemovalJob();
  if (offset <= segments_.front()->base_offset()) return TruncateFullyAndStartAt(offset, now_ms);
  const size_t cut = SegmentAt(offset);
  SegmentView view = segments_[cut]->View();
  view.integrity = nullptr;  // whatever is there is to go
  KB_RETURN_IF_ERROR(view.Open(files_, directory_));
  Lookup found = SegmentReader(view).Find(offset, Blocking::kAllowed);
  if (found.outcome == Lookup::kFailed) return *found.error;
  RemovalJob job;
  job.file_system_ = &files_;
  // The last segment first: a crash in between leaves a log that is longer than wanted, never one with a hole.
  for (size_t i = segments_.size() - 1; i > cut; --i) {
    for (std::string& path : segments_[i]->Paths()) job.paths_.push_back(std::move(path));
    job.paths_.push_back(segments_[i]->PathOf(kSnapshotSuffix));
    job.bytes_ += segments_[i]->size_bytes();
  }
  job.segments_ = segments_.size() - cut - 1;
  // A checkpoint of what is cut must not come back into what is written there next.
  for (const std::optional<Offset>& snapshot : {previous_snapshot_, last_snapshot_}) {
    if (snapshot && *snapshot > offset) job.paths_.push_back(directory_ + "/" + OffsetFileName(*snapshot, kSnapshotSuffix));
  }
  KB_RETURN_IF_ERROR(job.Rename());
  KB_RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  if (found.outcome == Lookup::kFound) {
    Result<std::shared_ptr<io::File>> log = segments_[cut]->LogFile(files_, Blocking::kAllowed);
    if (!log.ok()) return log.error();
    KB_RETURN_IF_ERROR((*log)->Truncate(found.batch.position));
    KB_RETURN_IF_ERROR((*log)->Sync());
  }
  if (epochs_.TruncateFromEnd(offset)) epochs_changed_ = true;
  recovery_point_ = std::min(recovery_point_, offset);
  const Offset log_start = std::min(log_start_offset_, offset);
  log_start_offset_ = log_start;
  KB_RETURN_IF_ERROR(Reload(now_ms));
  // The batch that held it may have begun below, or was compacted away: nothing but the name of a segment tells then where
  // the log ends, and that what comes next is not what was durable.
  if (log_end_offset_ < offset) KB_RETURN_IF_ERROR(StartSegment(offset, now_ms));
  DeleteRecordsTo(log_start);  // it was inside the batch that is cut: behind the end of what was read just now
  return job;
}

Result<RemovalJob> Log::TruncateFullyAndStartAt(Offset offset, int64_t now_ms) {
  KB_CHECK(!is_being_cleaned_);
  RemovalJob job;
  job.file_system_ = &files_;
  Result<std::vector<io::DirectoryEntry>> entries = files_.List(directory_);
  if (!entries.ok()) return entries.error();
  for (const io::DirectoryEntry& entry : *entries) {
    if (ParseOffsetFileName(entry.name)) job.paths_.push_back(directory_ + "/" + entry.name);
  }
  std::reverse(job.paths_.begin(), job.paths_.end());  // the last segment first, as above
  job.bytes_ = size_bytes();
  job.segments_ = segments_.size();
  KB_RETURN_IF_ERROR(job.Rename());
  KB_RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  ++truncations_;
  segments_.clear();
  tail_.Clear();
  producers_.Clear();
  epochs_.Clear();
  epochs_changed_ = true;
  unflushed_ = {};
  last_snapshot_.reset();
  previous_snapshot_.reset();
  log_start_offset_ = log_end_offset_ = recovery_point_ = offset;
  if (Status status = StartSegment(offset, now_ms); !status.ok()) {
    failure_ = status.error();
    segments_.push_back(std::make_unique<Segment>(directory_, offset, SegmentState()));
    return status.error();
  }
  return job;
}

// After a truncation what is left of the files is read as at a start: the one way to state that is tested everywhere.
Status Log::Reload(int64_t now_ms) {
  LogOptions options;
  options.directory = directory_;
  options.config = config_;
  options.was_clean = true;
  options.recovery_point = recovery_point_;
  options.log_start_offset = log_start_offset_;
  options.now_ms = now_ms;
  const Offset durable = recovery_point_;
  KB_RETURN_IF_ERROR(io::WriteFileAtomically(files_, directory_ + "/" + std::string(kLeaderEpochFile),
                                             EpochCheckpointText(epochs_.entries())));
  RecoveryReport unread;
  Result<std::unique_ptr<Log>> reloaded = LogRecovery::Run(files_, std::move(options), unread, /*is_reload=*/true);
  if (!reloaded.ok()) return reloaded.error();
  Log& source = **reloaded;
  ++truncations_;
  // Segments refer to the directory's name by view: it is this log's from here on.
  segments_.clear();
  for (const auto& segment : source.segments_) {
    segments_.push_back(std::make_unique<Segment>(directory_, segment->base_offset(), segment->state()));
  }
  log_start_offset_ = source.log_start_offset_;
  log_end_offset_ = source.log_end_offset_;
  ForgetChecks();
  recovery_point_ = std::min(durable, log_end_offset_);
  epochs_ = source.epochs_;
  epochs_changed_ = source.epochs_changed_;
  saved_epoch_ = source.saved_epoch_;
  has_unwritten_indexes_ = source.has_unwritten_indexes_;
  producers_ = source.producers_;
  last_snapshot_ = source.last_snapshot_;
  previous_snapshot_ = source.previous_snapshot_;
  unflushed_ = std::exchange(source.unflushed_, FlushJob());
  for (size_t i = SegmentAt(recovery_point_ - 1); i + 1 < segments_.size(); ++i) {
    AddIndexesToFlush(unflushed_, *segments_[i]);  // of those that were sealed since the last flush
    AddToFlush(unflushed_, i);
  }
  tail_.Clear();
  return {};
}

}  // namespace kb::log

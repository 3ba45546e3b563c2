#include "partition/partition.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/pool.h"

namespace kb::partition {

namespace {

// ListOffsets' special timestamps.
constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;
constexpr int64_t kMaxTimestamp = -3;
constexpr int64_t kEarliestLocal = -4;
// What one finds may lead on to the next segment; far more than it takes.
constexpr int kMostPrefetches = 16;

ErrorCode ErrorOf(log::AppendError error) {
  switch (error) {
    case log::AppendError::kOutOfOrderSequence:
      return ErrorCode::kOutOfOrderSequenceNumber;
    case log::AppendError::kStaleProducerEpoch:
      return ErrorCode::kInvalidProducerEpoch;
    case log::AppendError::kInvalidTxnState:
      return ErrorCode::kInvalidTxnState;
    case log::AppendError::kStaleCoordinatorEpoch:
      return ErrorCode::kTransactionCoordinatorFenced;
    case log::AppendError::kTooLargeForSegment:
      return ErrorCode::kRecordListTooLarge;
    case log::AppendError::kUnexpectedOffset:
      return ErrorCode::kUnknownServerError;
    case log::AppendError::kNoSpace:
    case log::AppendError::kStorage:
      return ErrorCode::kKafkaStorageError;
  }
  return ErrorCode::kUnknownServerError;
}

}  // namespace

Partition::Partition(const Environment& environment, PartitionId id, TopicPartition name, std::unique_ptr<log::Log> log,
                     const PartitionConfig& config)
    : environment_(environment),
      id_(id),
      name_(std::move(name)),
      log_(std::move(log)),
      config_(config),
      high_watermark_(log_->log_start_offset()) {}

std::shared_ptr<Partition> Partition::Make(const Environment& environment, PartitionId id, TopicPartition name,
                                           std::unique_ptr<log::Log> log, const PartitionConfig& config,
                                           const Leadership& leadership) {
  std::shared_ptr<Partition> made(new Partition(environment, id, std::move(name), std::move(log), config));
  made->UpdateLeadership(leadership);
  // What a restart found is on the disk as far as the recovery point says; the rest is flushed before it counts.
  made->Appended();
  return made;
}

// For those who only want to be told.
class Partition::OwnedWaiter final : public CommitWaiter, public Pooled {
 public:
  explicit OwnedWaiter(std::function<void(ErrorCode)> done) : done_(std::move(done)) {}
  void Done(ErrorCode error) override {
    std::unique_ptr<OwnedWaiter> self(this);
    done_(error);
  }

 private:
  std::function<void(ErrorCode)> done_;
};

Partition::~Partition() {
  while (CommitWaiter* waiter = waiters_.PopFront()) {
    if (auto* owned = dynamic_cast<OwnedWaiter*>(waiter)) delete owned;
  }
}

Offset Partition::last_stable_offset() const {
  return log_->LastStableOffset(high_watermark_);
}
Offset Partition::log_start_offset() const {
  return log_->log_start_offset();
}
Offset Partition::log_end_offset() const {
  return log_->log_end_offset();
}

void Partition::UpdateLeadership(const Leadership& leadership) {
  bool led = leadership_.leader == environment_.node_id;
  bool leads = leadership.leader == environment_.node_id;
  bool new_epoch = leadership.leader_epoch > leadership_.leader_epoch || !led;
  leadership_ = leadership;
  if (leads && new_epoch) log_->BeginEpoch(leadership.leader_epoch);
  if (!leads && led) AnswerAll(ErrorCode::kNotLeaderOrFollower);
}

void Partition::UpdateConfig(const PartitionConfig& config) {
  config_ = config;
  log_->UpdateConfig(config.log);
  Appended();
}

ErrorCode Partition::GoneError() const {
  return handed_over_ ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kUnknownTopicOrPartition;
}

ErrorCode Partition::CheckLeader(LeaderEpoch current) const {
  if (retired_) return GoneError();
  if (offline_) return ErrorCode::kKafkaStorageError;
  if (handed_over_) return ErrorCode::kNotLeaderOrFollower;
  if (current != kNoLeaderEpoch && current < leadership_.leader_epoch) return ErrorCode::kFencedLeaderEpoch;
  if (current > leadership_.leader_epoch) return ErrorCode::kUnknownLeaderEpoch;
  if (leadership_.leader != environment_.node_id) return ErrorCode::kNotLeaderOrFollower;
  return ErrorCode::kNone;
}

bool Partition::ReadersWaitForDisk() const {
  switch (config_.durability) {
    case Durability::kDisk:
      return true;
    case Durability::kOs:
      return false;
    case Durability::kAuto:
      return leadership_.isr <= 1;
  }
  return true;
}

bool Partition::TooFewInSync() const {
  return leadership_.isr < std::min(config_.min_insync_replicas, leadership_.replicas);
}

ProduceOutcome Partition::CheckProduce(const ProduceOptions& options) const {
  ProduceOutcome outcome;
  outcome.leadership = leadership_;
  outcome.error = CheckLeader();
  if (outcome.error != ErrorCode::kNone) return outcome;
  if (options.acks == -1 && TooFewInSync()) {
    outcome.error = ErrorCode::kNotEnoughReplicas;
  } else if (!refusal_.empty()) {
    outcome.error = ErrorCode::kKafkaStorageError;
    outcome.error_message = refusal_;
  }
  return outcome;
}

record::ValidateOptions Partition::ProduceChecks() const {
  record::ValidateOptions checks = config_.validate;
  checks.now_ms = environment_.clock.WallMs();
  return checks;
}

ProduceOutcome Partition::Produce(MutableByteView batch, const ProduceOptions& options,
                                  record::Decompressor& decompressor) {
  ProduceOutcome outcome = CheckProduce(options);
  if (outcome.error != ErrorCode::kNone) return outcome;
  record::ValidateOptions checks = ProduceChecks();
  checks.most_unpacked_bytes = kMostUnpackedBytes;
  record::ValidatedBatch validated = record::ValidateBatch(batch, checks, decompressor);
  outcome.is_long = validated.is_long;
  return outcome.is_long ? outcome : ProduceValidated(std::move(validated), checks, options);
}

ProduceOutcome Partition::ProduceValidated(record::ValidatedBatch validated, const record::ValidateOptions& checks,
                                           const ProduceOptions& options) {
  ProduceOutcome outcome = CheckProduce(options);  // it may have been validated for a while
  if (outcome.error != ErrorCode::kNone) return outcome;
  if (validated.error != record::BatchError::kNone) {
    outcome.error = static_cast<ErrorCode>(validated.error);
    // Apache Kafka gives a reason where single records are at fault, and a bare code otherwise.
    if (!validated.record_errors.empty()) outcome.error_message = validated.message;
    outcome.record_errors = std::move(validated.record_errors);
    outcome.log_start_offset = log_->log_start_offset().value();
    return outcome;
  }
  outcome = Append(validated.bytes, log::AppendOrigin::kClient, checks.now_ms);
  outcome.waits = outcome.error == ErrorCode::kNone && (options.acks == -1 || TooManyUnflushed());
  bool append_time = checks.timestamp_type == record::TimestampType::kLogAppendTime;
  if (outcome.error == ErrorCode::kNone && append_time) outcome.log_append_time_ms = checks.now_ms;
  return outcome;
}

ProduceOutcome Partition::AppendOwn(MutableByteView batch) {
  ProduceOutcome outcome;
  outcome.leadership = leadership_;
  outcome.error = CheckLeader();
  if (outcome.error == ErrorCode::kNone && TooFewInSync()) outcome.error = ErrorCode::kNotEnoughReplicas;
  if (outcome.error != ErrorCode::kNone) return outcome;
  outcome = Append(batch, log::AppendOrigin::kCoordinator, environment_.clock.WallMs());
  outcome.waits = outcome.error == ErrorCode::kNone;
  if (outcome.waits && ReadersWaitForDisk()) StartFlush();
  return outcome;
}

ProduceOutcome Partition::Append(MutableByteView batch, log::AppendOrigin origin, int64_t now_ms) {
  log::AppendOptions options;
  options.leader_epoch = leadership_.leader_epoch;
  options.now_ms = now_ms;
  options.origin = origin;
  log::AppendResult appended = log_->Append(batch, options);
  if (!appended.ok()) return FailureOf(*appended.failure);
  ProduceOutcome outcome;
  outcome.base_offset = appended.base_offset.value();
  outcome.log_start_offset = log_->log_start_offset().value();
  // The answer to a duplicate waits like the original: what it names must not vanish either.
  outcome.required = appended.last_offset + 1;
  if (appended.is_duplicate) {
    outcome.log_append_time_ms = appended.max_timestamp;
  } else {
    unflushed_bytes_ += batch.size();
    uncheckpointed_bytes_ += batch.size();
    if (uncheckpointed_bytes_ >= kMostUncheckpointedBytes) RequestCheckpoint();
    if (appended.rolled) StartFlush();
    Appended();
  }
  return outcome;
}

ProduceOutcome Partition::FailureOf(const log::AppendFailure& failure) {
  ProduceOutcome outcome;
  outcome.error = ErrorOf(failure.error);
  outcome.error_message = failure.message;
  outcome.leadership = leadership_;
  outcome.log_start_offset = log_->log_start_offset().value();
  if (failure.error == log::AppendError::kStorage) {
    Fail(Error{ErrorKind::kIo, failure.message, failure.os_errno});
  }
  return outcome;
}

// Something was appended, or the rule changed: readers see it now, or after the flush that starts here or later.
void Partition::Appended() {
  bool needs_disk = ReadersWaitForDisk();
  AdvanceHighWatermark(needs_disk ? std::min(log_->recovery_point(), log_->log_end_offset()) : log_->log_end_offset());
  bool somebody_waits = needs_disk && (!waiters_.empty() || !watches_.empty());
  bool too_much = needs_disk && unflushed_bytes_ >= kMostUnflushedBytes;
  // The first record: whoever finds it must find out of which topic it is.
  if (somebody_waits || too_much || TooManyUnflushed() || log_->is_unnamed()) {
    StartFlush();
  } else {
    FlushLater();
  }
}

void Partition::AdvanceHighWatermark(Offset to) {
  if (to <= high_watermark_) return;
  auto bytes = static_cast<int64_t>(log_->BytesBetween(high_watermark_, to));
  high_watermark_ = to;
  log_->HighWatermarkAdvanced(to);
  while (!waiters_.empty() && waiters_.front()->offset_ <= to) waiters_.PopFront()->Done(ErrorCode::kNone);
  // The size of what is cold is not known without the disk: who waits looks for himself then.
  for (auto& watch : watches_) watch->Advance(bytes > 0 ? bytes : INT64_MAX);
  std::erase_if(watches_, [](const std::shared_ptr<Watch>& watch) { return watch->fired(); });
}

// flush.messages: nobody is answered while that many records are not on the disk.
bool Partition::TooManyUnflushed() const {
  return log_->log_end_offset() - log_->recovery_point() >= config_.flush_messages;
}

void Partition::FlushLater() {
  int64_t longest_ns = ReadersWaitForDisk() ? kLongestUnflushedNs : INT64_MAX;
  if (config_.flush_ms <= longest_ns / kNsPerMs - 1) longest_ns = config_.flush_ms * kNsPerMs;
  if (longest_ns == INT64_MAX || !log_->needs_flush()) return;
  int64_t due_ns = environment_.reactor.turn_ns() + longest_ns;
  if (due_ns >= flush_due_ns_) return;
  flush_due_ns_ = due_ns;
  environment_.reactor.After(longest_ns, [weak = weak_from_this()] {
    if (std::shared_ptr<Partition> self = weak.lock()) {
      self->flush_due_ns_ = INT64_MAX;
      self->StartFlush();
    }
  });
}

void Partition::StartFlush() {
  if (offline_ || retired_ || !log_->needs_flush()) return;
  flush_wanted_ = log_->log_end_offset();
  if (flushing_) return;
  flushing_ = true;
  environment_.reactor.Spawn(FlushLoop(shared_from_this()));
}

reactor::Task<void> Partition::FlushLoop(std::shared_ptr<Partition> self) {
  reactor::Yield yield;  // what else this turn of the reactor brings goes with it
  co_await yield;
  bool is_wanted = true;
  while (is_wanted && !offline_ && !retired_ && log_->needs_flush()) {
    unflushed_bytes_ = 0;
    log::FlushJob job = log_->PrepareFlush();
    auto run = environment_.disk.Run([&job] { return job.Run(); });
    Status status = co_await run;
    log_->FlushCompleted(job, status);
    if (!status.ok()) {
      Fail(status.error());
      break;
    }
    if (ReadersWaitForDisk()) AdvanceHighWatermark(std::min(log_->recovery_point(), log_->log_end_offset()));
    flushed_.NotifyAll();
    is_wanted = log_->recovery_point() < flush_wanted_;
  }
  flushing_ = false;
  flushed_.NotifyAll();
  self.reset();
}

void Partition::Fail(const Error& error) {
  if (offline_ || retired_) return;
  offline_ = true;
  environment_.log.Error("partition " + name_.ToString() + " is offline: " + error.message);
  AnswerAll(ErrorCode::kKafkaStorageError);
  environment_.on_storage_failure(error);
}

void Partition::Retire() {
  retired_ = true;
  AnswerAll(GoneError());
}

void Partition::AnswerAll(ErrorCode error) {
  reactor::List<CommitWaiter, CommitTag> waiters;
  waiters.TakeAll(waiters_);
  while (CommitWaiter* waiter = waiters.PopFront()) waiter->Done(error);
  auto watches = std::exchange(watches_, {});
  for (auto& watch : watches) watch->Fire();
}

void Partition::TakeOffline(const Error& error) {
  Fail(error);
}

void Partition::WhenCommitted(Offset offset, std::function<void(ErrorCode)> done) {
  WhenCommitted(offset, *new OwnedWaiter(std::move(done)));
}

void Partition::WhenCommitted(Offset offset, CommitWaiter& waiter) {
  if (retired_) return waiter.Done(GoneError());
  if (offline_) return waiter.Done(ErrorCode::kKafkaStorageError);
  if (offset <= high_watermark_) return waiter.Done(ErrorCode::kNone);
  waiter.offset_ = offset;
  CommitWaiter* before = waiters_.back();  // nearly always
  while (before != nullptr && before->offset_ > offset) before = waiters_.Before(*before);
  if (before == nullptr) {
    waiters_.PushFront(waiter);
  } else {
    waiters_.InsertAfter(*before, waiter);
  }
  StartFlush();
}

void Partition::AddWatch(std::shared_ptr<Watch> watch, Offset seen) {
  if (CheckLeader() != ErrorCode::kNone) return watch->Fire();
  if (high_watermark_ > seen) {
    auto bytes = static_cast<int64_t>(log_->BytesBetween(seen, high_watermark_));
    watch->Advance(bytes > 0 ? bytes : INT64_MAX);
  }
  if (watch->fired()) return;
  watches_.push_back(std::move(watch));
  if (ReadersWaitForDisk()) StartFlush();
}

void Partition::DropWatch(const std::shared_ptr<Watch>& watch) {
  std::erase(watches_, watch);
}

ReadOutcome Partition::Describe() const {
  ReadOutcome outcome;
  outcome.high_watermark = high_watermark_;
  outcome.last_stable_offset = last_stable_offset();
  outcome.log_start_offset = log_->log_start_offset();
  outcome.leadership = leadership_;
  return outcome;
}

// What is to be read; nothing when `outcome` is the answer already.
std::optional<log::ReadOptions> Partition::PrepareRead(const ReadRequest& request, ReadOutcome& outcome) {
  outcome = Unreadable(CheckLeader(request.current_leader_epoch));
  if (outcome.error != ErrorCode::kNone) return std::nullopt;
  outcome = Describe();
  if (request.last_fetched_epoch != kNoLeaderEpoch) {
    log::EpochEndOffset end = log_->EndOffsetForEpoch(request.last_fetched_epoch);
    bool unknown = end.epoch == kNoLeaderEpoch || end.end_offset == kNoOffset;
    if (unknown) {
      outcome = Unreadable(ErrorCode::kOffsetOutOfRange);
      return std::nullopt;
    }
    if (end.epoch < request.last_fetched_epoch || end.end_offset < request.fetch_offset) {
      outcome.diverging = end;
      return std::nullopt;
    }
  }
  if (request.fetch_offset < log_->log_start_offset() || request.fetch_offset > log_->log_end_offset()) {
    outcome = Unreadable(ErrorCode::kOffsetOutOfRange);
    return std::nullopt;
  }
  log::ReadOptions options;
  options.offset = request.fetch_offset;
  options.max_bytes = static_cast<uint64_t>(std::max(request.max_bytes, 0));
  bool committed_only = request.isolation == IsolationLevel::kReadCommitted;
  options.end_offset = committed_only ? outcome.last_stable_offset : outcome.high_watermark;
  if (options.offset < options.end_offset) return options;
  if (ReadersWaitForDisk() && options.offset < log_->log_end_offset()) {
    StartFlush();
    outcome.being_flushed = flushing_;
  }
  return std::nullopt;
}

bool Partition::TryRead(const ReadRequest& request, ReadOutcome& outcome) {
  std::optional<log::ReadOptions> options = PrepareRead(request, outcome);
  if (!options) return true;
  log::ReadResult read = log_->Read(*options);
  Aborted aborted;
  if (request.isolation == IsolationLevel::kReadCommitted) {
    aborted = log_->AbortedTransactions(options->offset, options->end_offset);
    if (!aborted) return false;
  }
  if (read.status == log::ReadStatus::kNeedsDisk) return false;
  FinishRead(read, aborted, outcome);
  return true;
}

reactor::Task<ReadOutcome> Partition::Read(ReadRequest request) {
  ReadOutcome outcome;
  std::optional<log::ReadOptions> options = PrepareRead(request, outcome);
  if (!options) co_return outcome;
  const bool committed_only = request.isolation == IsolationLevel::kReadCommitted;
  log::ReadResult read = log_->Read(*options);
  Aborted aborted;
  if (committed_only) aborted = log_->AbortedTransactions(options->offset, options->end_offset);
  for (int round = 0; round < kMostPrefetches; ++round) {
    if (read.status != log::ReadStatus::kNeedsDisk && (!committed_only || aborted)) break;
    options->from_segment = read.segment;
    log::PrefetchJob job = log_->PreparePrefetch(*options, committed_only);
    auto run = environment_.disk.Run([&job] { return job.Run(); });
    co_await run;
    if (retired_) co_return Unreadable(GoneError());
    log_->PrefetchCompleted(job);
    TellOfDamage();
    options->may_block = true;  // what it needs is in memory now
    read = log_->Read(*options);
    if (read.status == log::ReadStatus::kNeedsDisk && job.failure()) {
      read.failure = job.failure();
      break;
    }
    if (committed_only) aborted = log_->AbortedTransactions(options->offset, options->end_offset, true);
  }
  FinishRead(read, aborted, outcome);
  co_return outcome;
}

void Partition::FinishRead(log::ReadResult& read, Aborted& aborted, ReadOutcome& outcome) {
  switch (read.status) {
    case log::ReadStatus::kOk:
      if (read.slice.size_bytes > 0) outcome.slice = std::move(read.slice);
      if (aborted) outcome.aborted = std::move(*aborted);
      return;
    case log::ReadStatus::kOutOfRange:
      outcome = Unreadable(ErrorCode::kOffsetOutOfRange);
      return;
    case log::ReadStatus::kDamaged:
      outcome = Unreadable(ErrorCode::kCorruptMessage);
      outcome.next_offset = read.next_offset;
      return;
    case log::ReadStatus::kNeedsDisk:
    case log::ReadStatus::kFailed:
      if (read.failure) environment_.log.Error("reading " + name_.ToString() + ": " + read.failure->message);
      outcome = Unreadable(read.failure && read.failure->kind == ErrorKind::kCorrupt ? ErrorCode::kCorruptMessage
                                                                                     : ErrorCode::kKafkaStorageError);
      return;
  }
}

void Partition::TellOfDamage() {
  for (const log::FoundDamage& damage : log_->TakeFoundDamage()) {
    environment_.metrics.damage->Add();
    const log::Stretch& stretch = damage.stretch;
    std::string line = name_.ToString() + ": " + damage.path + " is damaged from byte " +
                       std::to_string(stretch.begin) + " to " + std::to_string(stretch.end);
    if (stretch.begin_offset < stretch.end_offset) {
      line += ": who asks for offsets " + ToString(stretch.begin_offset) + " to " + ToString(stretch.end_offset - 1) +
              " is told CORRUPT_MESSAGE, and can go on at offset " + ToString(stretch.end_offset);
    } else {
      line += ", between offsets " + ToString(stretch.begin_offset - 1) + " and " + ToString(stretch.begin_offset) +
              ": readers go past it";
    }
    environment_.damage_log.Write(Severity::kError, "damage in " + name_.ToString(), line);
  }
}

reactor::Task<uint64_t> Partition::ScrubSome(log::ScrubCursor& cursor) {
  std::optional<log::ScrubJob> job;
  if (!offline_ && !retired_) job = log_->PrepareScrub(cursor);
  if (!job) co_return 0;
  auto run = environment_.disk.Run([&job] { return job->Run(); });
  Status status = co_await run;
  if (!status.ok()) {
    // Gone with retention, or unreadable: whoever reads it will say so, too.
    const bool is_gone = status.error().kind == ErrorKind::kNotFound;
    if (!is_gone) environment_.damage_log.Write(Severity::kError, "scrub", "scrub: " + status.error().message);
    cursor.SkipSegment();
    co_return 1;
  }
  if (!log_->ScrubCompleted(*job)) cursor.SkipSegment();
  TellOfDamage();
  environment_.metrics.scrubbed_bytes->Add(job->bytes());
  co_return job->bytes();
}

ReadOutcome Partition::Unreadable(ErrorCode error) const {
  ReadOutcome outcome;
  outcome.error = error;
  outcome.leadership = leadership_;
  return outcome;
}

// Until everything appended so far is readable, if it is a flush that stands between.
reactor::Task<void> Partition::WaitUntilReadable() {
  if (!ReadersWaitForDisk() || high_watermark_ >= log_->log_end_offset()) co_return;
  reactor::Completion<ErrorCode> done;  // stays: whoever is told is told once, also when the partition retires
  WhenCommitted(log_->log_end_offset(), [&done](ErrorCode error) { done.Set(error); });
  auto wait = done.Wait();
  co_await wait;
}

reactor::Task<OffsetLookup> Partition::FindOffset(int64_t timestamp, IsolationLevel isolation,
                                                  LeaderEpoch current_leader_epoch) {
  OffsetLookup found;
  found.error = CheckLeader(current_leader_epoch);
  if (found.error != ErrorCode::kNone) co_return found;
  if (timestamp != kEarliest && timestamp != kEarliestLocal) {
    auto readable = WaitUntilReadable();
    co_await readable;
  }
  bool committed_only = isolation == IsolationLevel::kReadCommitted;
  Offset end = committed_only ? last_stable_offset() : high_watermark_;
  if (timestamp == kLatest || timestamp == kEarliest || timestamp == kEarliestLocal) {
    Offset offset = timestamp == kLatest ? end : log_->log_start_offset();
    found.offset = offset.value();
    std::optional<LeaderEpoch> epoch =
        timestamp == kLatest ? log_->leader_epochs().latest_epoch() : log_->leader_epochs().EpochFor(offset);
    if (epoch) found.leader_epoch = epoch->value();
    co_return found;
  }
  Result<std::optional<log::TimestampOffset>> result = std::optional<log::TimestampOffset>();
  uint64_t replacements = 0;
  do {  // again when segments were replaced under its hands
    replacements = log_->replacements();
    log::TimestampLookupJob job =
        timestamp == kMaxTimestamp ? log_->PrepareMaxTimestampLookup() : log_->PrepareTimestampLookup(timestamp);
    auto run = environment_.disk.Run([&job] { return job.Run(); });
    result = co_await run;
  } while (replacements != log_->replacements());
  if (retired_) {
    found.error = GoneError();
    co_return found;
  }
  if (!result.ok()) {
    environment_.log.Error("looking up a time in " + name_.ToString() + ": " + result.error().message);
    found.error = ErrorCode::kKafkaStorageError;
    co_return found;
  }
  const std::optional<log::TimestampOffset>& hit = result.value();
  if (!hit || hit->offset >= end) co_return found;  // none that a reader may see: -1, no error
  found.offset = hit->offset.value();
  found.timestamp_ms = hit->timestamp_ms;
  found.leader_epoch = hit->leader_epoch.value();
  co_return found;
}

Partition::EpochEnd Partition::FindEpochEnd(LeaderEpoch wanted, LeaderEpoch current_leader_epoch) const {
  EpochEnd found;
  found.error = CheckLeader(current_leader_epoch);
  if (found.error != ErrorCode::kNone) return found;
  log::EpochEndOffset end = log_->EndOffsetForEpoch(wanted);
  found.epoch = end.epoch;
  found.end_offset = end.end_offset;
  return found;
}

reactor::Task<Partition::Deletion> Partition::DeleteRecords(Offset offset) {
  Deletion deletion;
  deletion.error = CheckLeader();
  if (deletion.error != ErrorCode::kNone) co_return deletion;
  if (!config_.log.cleanup_delete && config_.log.cleanup_compact) {
    deletion.error = ErrorCode::kPolicyViolation;
    co_return deletion;
  }
  if (offset == kNoOffset || offset > high_watermark_) {
    auto readable = WaitUntilReadable();
    co_await readable;
    deletion.error = CheckLeader();
    if (deletion.error != ErrorCode::kNone) co_return deletion;
  }
  Offset target = offset == kNoOffset ? high_watermark_ : offset;
  if (target < Offset(0) || target > high_watermark_) {
    deletion.error = ErrorCode::kOffsetOutOfRange;
    co_return deletion;
  }
  if (target > log_->log_start_offset()) log_->DeleteRecordsTo(target);
  deletion.low_watermark = log_->log_start_offset();
  co_return deletion;
}

void Partition::RequestCheckpoint() {
  uncheckpointed_bytes_ = 0;
  log_->RequestCheckpoint();
  if (log_->checkpoint_is_due()) StartFlush();
}

reactor::Task<void> Partition::Checkpoint() {
  RequestCheckpoint();
  while (log_->checkpoint_is_due() && !offline_ && !retired_) {
    StartFlush();
    auto wait = flushed_.Wait();
    co_await wait;
  }
}

reactor::Task<void> Partition::FlushUpTo(Offset end) {
  while (log_->recovery_point() < end && log_->needs_flush() && !offline_ && !retired_) {
    StartFlush();
    auto wait = flushed_.Wait();
    co_await wait;
  }
}

reactor::Task<void> Partition::Flushed() {
  while (flushing_) {
    auto wait = flushed_.Wait();
    co_await wait;
  }
}

reactor::Task<void> Partition::HandOver() {
  handed_over_ = true;
  auto flush = FlushUpTo(log_->log_end_offset());
  co_await flush;
  auto flushed = Flushed();
  co_await flushed;
  Retire();
}

reactor::Task<log::ReadResult> Partition::ReadForCopy(Offset offset, uint64_t max_bytes) {
  log::ReadOptions options;
  options.offset = offset;
  options.max_bytes = max_bytes;
  options.end_offset = log_->log_end_offset();
  log::ReadResult read = log_->Read(options);
  for (int round = 0; round < kMostPrefetches && read.status == log::ReadStatus::kNeedsDisk; ++round) {
    options.from_segment = read.segment;
    log::PrefetchJob job = log_->PreparePrefetch(options);
    auto run = environment_.disk.Run([&job] { return job.Run(); });
    co_await run;
    log_->PrefetchCompleted(job);
    TellOfDamage();
    options.may_block = true;  // what it needs is in memory now
    read = log_->Read(options);
    if (read.status == log::ReadStatus::kNeedsDisk && job.failure()) {
      read.failure = job.failure();
      break;
    }
  }
  co_return read;
}

reactor::Task<Status> Partition::Close() {
  auto flushed = Flushed();
  co_await flushed;
  if (offline_) co_return Status();
  log::FlushJob job = log_->PrepareClose();
  auto run = environment_.disk.Run([&job] { return job.Run(); });
  Status status = co_await run;
  log_->FlushCompleted(job, status);
  if (status.ok()) AdvanceHighWatermark(log_->log_end_offset());
  co_return status;
}

}  // namespace kb::partition

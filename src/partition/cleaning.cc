#include "partition/cleaning.h"

#include <algorithm>
#include <utility>

#include "base/shortage.h"
#include "reactor/run_on.h"

namespace kb::partition {

// ---- one partition, at its home

std::optional<log::CleanablePart> Partition::Cleanable(int64_t now_ms) {
  if (!MayBeCleaned() || is_being_cleaned_ || now_ms < clean_not_before_ms_ || log_->failure()) return std::nullopt;
  log::CleanablePart part = log_->Cleanable(clean_end_.value_or(log_->log_start_offset()), high_watermark_, now_ms);
  bool is_due = part.is_overdue || part.dirty_ratio() > config_.log.min_cleanable_dirty_ratio;
  if (part.dirty_bytes == 0 || !is_due) return std::nullopt;
  return part;
}

bool Partition::MayBeCleaned() const {
  return config_.log.cleanup_compact && may_be_cleaned_ && !cleaning_is_paused_ && !handed_over_ && !offline_ && !retired_;
}

bool Partition::MarkCompacted() {
  if (clean_end_ || !MayBeCleaned()) return false;
  clean_end_ = log_->log_start_offset();
  return true;
}

void Partition::UnmarkCompacted(int64_t retry_ms) {
  clean_end_.reset();
  clean_not_before_ms_ = environment_.clock.WallMs() + retry_ms;
}

// Waits until that many bytes were allowed; in short steps, so that nobody who ends the cleaning waits long.
reactor::Task<void> Partition::Throttle(uint64_t bytes, double most_bytes_per_second) {
  constexpr double kLongestNs = 1e15;
  constexpr double kShortestNs = 1e6;
  constexpr double kStepNs = 1e8;
  double left_ns = std::min(static_cast<double>(bytes) / most_bytes_per_second * 1e9, kLongestNs);
  while (left_ns >= kShortestNs && MayBeCleaned()) {
    double step_ns = std::min(left_ns, kStepNs);
    left_ns -= step_ns;
    reactor::Sleep sleep(static_cast<int64_t>(step_ns));
    co_await sleep;
  }
}

// From the first read to the last rename; whether it came to its end.
reactor::Task<Result<bool>> Partition::RunCleaning(log::CleanJob& job, double most_bytes_per_second,
                                                   const std::function<void(log::RemovalJob)>& replaced) {
  uint64_t throttled = 0;
  while (MayBeCleaned()) {
    auto run = environment_.disk.Run([&job] { return job.Run(); });
    Result<log::CleanJob::Progress> progress = co_await run;
    if (!progress.ok()) co_return progress.error();
    if (*progress == log::CleanJob::Progress::kDone) co_return true;
    if (*progress == log::CleanJob::Progress::kGroup) {
      if (!MayBeCleaned()) co_return false;
      Result<log::RemovalJob> removal = log_->ReplaceCleaned(job);
      if (!removal.ok()) {
        Fail(removal.error());
        co_return removal.error();
      }
      replaced(std::move(*removal));
    }
    const uint64_t bytes = job.statistics().read_bytes + job.statistics().written_bytes;
    auto throttle = Throttle(bytes - std::exchange(throttled, bytes), most_bytes_per_second);
    co_await throttle;
  }
  co_return false;
}

reactor::Task<bool> Partition::Clean(CleaningOptions options, std::function<void(log::RemovalJob)> replaced) {
  std::shared_ptr<Partition> self = shared_from_this();
  options.clean.now_ms = environment_.clock.WallMs();
  std::optional<log::CleanablePart> part = Cleanable(options.clean.now_ms);
  if (!part) co_return false;
  is_being_cleaned_ = true;
  // What a power cut could still take makes a cleaning keep more than it must: of two batches of a producer both.
  auto flush = FlushUpTo(log_->log_end_offset());
  co_await flush;
  is_being_cleaned_ = false;
  part = Cleanable(options.clean.now_ms);
  if (!part) {
    cleaned_.NotifyAll();
    co_return false;
  }
  is_being_cleaned_ = true;
  const uint64_t bytes_before = log_->size_bytes();
  log::CleanJob job = log_->PrepareClean(*part, options.clean);
  auto run = RunCleaning(job, options.most_bytes_per_second, replaced);
  Result<bool> done = co_await run;
  if (!done.ok() || !*done) {
    auto discard = environment_.disk.Run([&job] { job.Discard(); });
    co_await discard;
  }
  log_->CleanCompleted(job);
  Count(job.statistics(), done);
  if (!done.ok()) {
    CleaningFailed(done.error(), options.retry_ms);
  } else if (*done) {
    clean_end_ = job.clean_end();
    environment_.log.Info("cleaned " + name_.ToString() + " up to " + ToString(job.clean_end()) + ": " +
                          std::to_string(bytes_before) + " bytes became " + std::to_string(log_->size_bytes()));
  }
  is_being_cleaned_ = false;
  cleaned_.NotifyAll();
  co_return done.ok() && *done;
}

void Partition::Count(const log::CleanStatistics& statistics, const Result<bool>& done) {
  const PartitionMetrics& metrics = environment_.metrics;
  metrics.cleaner_read_bytes->Add(statistics.read_bytes);
  metrics.cleaner_written_bytes->Add(statistics.written_bytes);
  if (!done.ok()) metrics.failed_cleanings->Add();
  if (!done.ok() || !*done) return;
  metrics.cleanings->Add();
  metrics.cleaner_removed_records->Add(statistics.records_removed);
}

void Partition::CleaningFailed(const Error& error, int64_t retry_ms) {
  // What is damaged is so the next time, too. Room and descriptors may come.
  const bool may_pass = IsShortage(error);
  if (may_pass) {
    clean_not_before_ms_ = environment_.clock.WallMs() + retry_ms;
  } else {
    may_be_cleaned_ = false;
  }
  if (offline_ || retired_) return;  // which was said
  environment_.log.Error("cleaning " + name_.ToString() + " ended: " + error.message +
                         (may_pass ? "" : "; it is not cleaned any more until a restart"));
}

reactor::Task<void> Partition::StopCleaning() {
  may_be_cleaned_ = false;
  auto pause = PauseCleaning();
  co_await pause;
}

reactor::Task<void> Partition::PauseCleaning() {
  cleaning_is_paused_ = true;
  while (is_being_cleaned_) {
    auto wait = cleaned_.Wait();
    co_await wait;
  }
}

// ---- the partitions of one home

std::optional<CleaningCandidate> PartitionTable::Dirtiest(const std::vector<PartitionId>& but_not) {
  const int64_t now_ms = environment_.clock.WallMs();
  std::optional<CleaningCandidate> dirtiest;
  for (auto& [id, entry] : entries_) {
    if (entry->partition == nullptr || std::find(but_not.begin(), but_not.end(), id) != but_not.end()) continue;
    std::optional<log::CleanablePart> part = entry->partition->Cleanable(now_ms);
    if (!part || (dirtiest && part->dirty_ratio() <= dirtiest->dirty_ratio)) continue;
    dirtiest = CleaningCandidate{id, part->dirty_ratio()};
  }
  return dirtiest;
}

bool PartitionTable::MarkCompacted(const PartitionId& id) {
  std::shared_ptr<Partition> partition = Find(id);
  return partition != nullptr && partition->MarkCompacted();
}

void PartitionTable::UnmarkCompacted(const PartitionId& id, int64_t retry_ms) {
  if (std::shared_ptr<Partition> partition = Find(id)) partition->UnmarkCompacted(retry_ms);
}

reactor::Task<bool> PartitionTable::Clean(PartitionId id, CleaningOptions options) {
  std::shared_ptr<Partition> partition = Find(id);
  if (partition == nullptr) co_return false;
  auto replaced = [this, delay_ms = partition->file_delete_delay_ms()](log::RemovalJob job) {
    environment_.reactor.Spawn(RemoveLater(std::move(job), delay_ms));
  };
  auto clean = partition->Clean(options, replaced);
  bool is_done = co_await clean;
  co_return is_done;
}

reactor::Task<void> PartitionTable::StopCleaning() {
  auto entries = entries_;  // the table may change while this waits
  for (auto& [id, entry] : entries) {
    if (entry->partition == nullptr) continue;
    auto stop = entry->partition->StopCleaning();
    co_await stop;
  }
}

// ---- all homes

CleaningOptions CleaningSettings::Share() const {
  constexpr int64_t kLeastMapBytes = 1 << 20;
  constexpr int64_t kLeastBufferBytes = 16 << 10;
  constexpr double kRunsPerSecond = 5;  // where the disk is rationed, so that no run takes many seconds' worth
  const int32_t shares = std::max(threads, 1);
  CleaningOptions share;
  share.clean.map.most_bytes = static_cast<size_t>(std::max(map_bytes / shares, kLeastMapBytes));
  if (map_load_factor > 0.01 && map_load_factor <= 1) share.clean.map.load_factor = map_load_factor;
  // As in Apache Kafka half of it is for reading.
  share.clean.write_bytes = static_cast<size_t>(std::max(io_buffer_bytes / shares / 2, kLeastBufferBytes));
  share.most_bytes_per_second = std::max(most_bytes_per_second / shares, 1.0);
  const auto bytes_per_run = static_cast<double>(share.clean.bytes_per_run);
  share.clean.bytes_per_run =
      static_cast<uint64_t>(std::clamp(share.most_bytes_per_second / kRunsPerSecond, 1.0, bytes_per_run));
  share.retry_ms = std::max<int64_t>(backoff_ms, 1000);
  return share;
}

void Cleaning::Start() {
  is_keeping_ = true;
  environment_.reactors[0]->Spawn(Keep());
}

void Cleaning::LookAgain() {
  if (look_again_) look_again_->TrySet();
}

reactor::Task<void> Cleaning::Keep() {
  constexpr int64_t kShortestMs = 100;
  constexpr int64_t kLongestMs = 1'000'000'000;
  while (!stopping_) {
    const CleaningSettings settings = environment_.settings();
    look_again_.emplace();  // before the look: one that ends meanwhile makes room for another
    std::optional<Choice> choice;
    if (under_way_.size() < static_cast<size_t>(std::max(settings.threads, 0))) {
      auto choose = ChooseDirtiest();
      choice = co_await choose;
    }
    if (choice && !stopping_) {
      under_way_.push_back(choice->candidate.id);
      environment_.reactors[0]->Spawn(CleanOne(*choice, settings.Share()));
      continue;
    }
    if (stopping_) break;
    auto wait = look_again_->WaitFor(std::clamp(settings.backoff_ms, kShortestMs, kLongestMs) * kNsPerMs);
    co_await wait;
  }
  is_keeping_ = false;
  changed_.NotifyAll();
}

reactor::Task<std::optional<Cleaning::Choice>> Cleaning::ChooseDirtiest() {
  const std::vector<PartitionId> but_not = under_way_;
  auto each = [this, &but_not](size_t i) { return environment_.tables[i]->Dirtiest(but_not); };
  auto look = reactor::RunOnEach(environment_.reactors, each);
  PoolVector<std::optional<CleaningCandidate>> found = co_await look;
  std::optional<Choice> choice;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i] || (choice && found[i]->dirty_ratio <= choice->candidate.dirty_ratio)) continue;
    choice = Choice{i, *found[i]};
  }
  co_return choice;
}

reactor::Task<void> Cleaning::CleanOne(Choice choice, CleaningOptions options) {
  reactor::Reactor& home = *environment_.reactors[choice.home];
  PartitionTable& table = *environment_.tables[choice.home];
  const PartitionId id = choice.candidate.id;
  auto mark = reactor::RunOn(home, [&table, &id] { return table.MarkCompacted(id); });
  bool is_first = co_await mark;
  bool is_named = true;
  if (is_first) {
    auto checkpoint = environment_.write_checkpoints();
    Status written = co_await checkpoint;
    is_named = written.ok();
  }
  if (is_named) {
    auto clean = reactor::RunOn(home, [&table, &id, &options] { return table.Clean(id, options); });
    bool is_done = co_await clean;
    if (is_done) {
      auto checkpoint = environment_.write_checkpoints();
      (void)co_await checkpoint;  // written again with the others
    }
  } else {
    auto unmark = reactor::RunOn(home, [&table, &id, &options] { table.UnmarkCompacted(id, options.retry_ms); });
    co_await unmark;
  }
  std::erase(under_way_, id);
  LookAgain();
  changed_.NotifyAll();
}

reactor::Task<void> Cleaning::Stop() {
  stopping_ = true;
  LookAgain();
  auto each = [this](size_t i) { return environment_.tables[i]->StopCleaning(); };
  auto all = reactor::RunOnEach(environment_.reactors, each);
  co_await all;
  while (is_keeping_ || !under_way_.empty()) {
    auto wait = changed_.Wait();
    co_await wait;
  }
}

}  // namespace kb::partition

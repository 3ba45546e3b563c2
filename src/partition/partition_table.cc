#include "partition/partition_table.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/pool.h"
#include "log/log_directory.h"

namespace kb::partition {

PartitionTable::PartitionTable(const Environment& environment)
    : environment_(environment),
      own_registry_(environment.registry == nullptr ? std::make_unique<metrics::Registry>(1) : nullptr),
      metrics_(own_registry_ != nullptr ? PartitionMetrics::Of(*own_registry_, 0)
                                        : PartitionMetrics::Of(*environment.registry, environment.metrics_shard)),
      damage_log_(environment.log, environment.clock, /*burst=*/10) {}
PartitionTable::~PartitionTable() = default;

std::shared_ptr<PartitionTable::Entry> PartitionTable::FindEntry(const PartitionId& id) const {
  auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second;
}

std::shared_ptr<Partition> PartitionTable::Find(const PartitionId& id) const {
  auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second->partition;
}

reactor::Task<std::shared_ptr<Partition>> PartitionTable::Await(PartitionId id) {
  std::shared_ptr<Entry> entry = FindEntry(id);
  while (entry != nullptr && entry->partition == nullptr && !entry->failed) {
    Want(*entry);
    auto wait = entry->changed.Wait();
    co_await wait;
  }
  co_return entry == nullptr ? nullptr : entry->partition;
}

ErrorCode PartitionTable::ErrorOf(const PartitionId& id) const {
  auto found = entries_.find(id);
  if (found == entries_.end()) return ErrorCode::kUnknownTopicOrPartition;
  return found->second->failed ? ErrorCode::kKafkaStorageError : ErrorCode::kNone;
}

namespace {

struct Opened {
  Result<std::unique_ptr<log::Log>> log;
  log::RecoveryReport report;
};

// Makes the directory of a replica, or makes sure of it. What is new becomes durable with its first record, not before:
// the metadata log knows of it, and what a power cut takes of an empty replica is made anew.
Status PrepareDirectory(io::FileSystem& files, const OpenRequest& request, log::LogOptions& options) {
  if (request.is_new) {
    Result<bool> exists = files.Exists(options.directory);
    if (!exists.ok()) return exists.error();
    if (!*exists) {
      options.made_for_topic = request.id.topic_id;
      return files.CreateDirectories(options.directory);
    }
  }
  return log::CreateReplicaDirectory(files, request.data_directory, request.name, request.id.topic_id);
}

// On the disk pool; nobody else knows the log yet.
Opened OpenLog(io::FileSystem& files, const OpenRequest& request, int64_t now_ms, uint64_t seed) {
  log::RecoveryReport report;
  log::LogOptions options;
  options.directory = request.data_directory + "/" + log::DirectoryNameOf(request.name);
  Status made = PrepareDirectory(files, request, options);
  if (!made.ok()) return {made.error(), report};
  options.config = request.config.log;
  options.was_clean = request.was_clean;
  options.recovery_point = request.recovery_point;
  options.was_compacted = request.was_compacted;
  options.log_start_offset = request.log_start_offset;
  options.now_ms = now_ms;
  options.jitter_seed = seed;
  Result<std::unique_ptr<log::Log>> log = log::Log::Open(files, std::move(options), &report);
  // What a killed process left in the page cache becomes durable before anybody is served from it, so that readers find
  // all of it at once.
  if (log.ok() && (*log)->needs_flush()) {
    log::FlushJob flush = (*log)->PrepareFlush();
    Status flushed = flush.Run();
    (*log)->FlushCompleted(flush, flushed);
    if (!flushed.ok()) return {flushed.error(), std::move(report)};
  }
  const log::LogConfig& config = request.config.log;
  if (log.ok() && config.cleanup_compact && config.max_compaction_lag_ms < INT64_MAX) (*log)->LearnFirstTimes();
  return {std::move(log), std::move(report)};
}

}  // namespace

void PartitionTable::OpenNext() {
  while (opening_ < kMostOpening && !to_open_.empty()) {
    std::shared_ptr<Entry> next = std::move(to_open_.front());
    to_open_.pop_front();
    next->queued.reset();
    ++opening_;
    next->may_open.Set();
  }
}

// A request waits for it.
void PartitionTable::Want(Entry& entry) {
  if (entry.queued) to_open_.splice(to_open_.begin(), to_open_, *entry.queued);
}

reactor::Task<Status> PartitionTable::Open(OpenRequest request) {
  auto entry = std::make_shared<Entry>();
  entry->name = request.name;
  entry->data_directory = request.data_directory;
  entry->leadership = request.leadership;
  entry->config = request.config;
  std::shared_ptr<Entry>& place = entries_[request.id];
  KB_CHECK(place == nullptr || place->failed);
  place = entry;
  entry->queued = to_open_.insert(to_open_.end(), entry);
  OpenNext();
  auto may_open = entry->may_open.Wait();
  co_await may_open;
  auto serve = Serve(entry, request);
  Status served = co_await serve;
  --opening_;
  done_opening_.fetch_add(1, std::memory_order_relaxed);
  OpenNext();
  co_return served;
}

reactor::Task<Status> PartitionTable::Serve(std::shared_ptr<Entry> entry, const OpenRequest& request) {
  Opened opened{Error{ErrorKind::kIo, "its data directory is offline"}, {}};
  if (!request.data_directory.empty() && !IsOffline(request.data_directory)) {
    int64_t now_ms = environment_.clock.WallMs();
    uint64_t seed = environment_.reactor.random().Next();
    auto run = environment_.disk.Run(
        [this, &request, now_ms, seed] { return OpenLog(environment_.files, request, now_ms, seed); });
    opened = co_await run;
    // It may have failed meanwhile.
    if (IsOffline(request.data_directory)) opened.log = Error{ErrorKind::kIo, "its data directory is offline"};
  }
  for (const std::string& note : opened.report.notes) {
    environment_.log.Warning(request.name.ToString() + ": " + note);
  }
  if (!opened.log.ok()) {
    entry->failed = true;
    entry->changed.NotifyAll();
    environment_.log.Error("partition " + request.name.ToString() + " cannot be opened: " + opened.log.error().message);
    co_return opened.log.error();
  }
  Partition::Environment environment{environment_.reactor,
                                     environment_.disk,
                                     environment_.clock,
                                     environment_.log,
                                     environment_.node_id,
                                     damage_log_,
                                     metrics_,
                                     [this, directory = request.data_directory](const Error& error) {
                                       environment_.on_storage_failure(directory, error);
                                     }};
  entry->partition = Partition::Make(environment, request.id, request.name, std::move(opened.log).value(),
                                     entry->config, entry->leadership);
  // Where the log has lost its end, what takes that place is dirty.
  std::optional<Offset> clean_end = request.clean_end;
  if (clean_end) clean_end = std::min(*clean_end, entry->partition->log_end_offset());
  entry->partition->set_clean_end(clean_end);
  auto refusal = refusals_.find(entry->data_directory);
  if (refusal != refusals_.end()) entry->partition->RefuseRecords(refusal->second);
  entry->changed.NotifyAll();
  co_return Status();
}

void PartitionTable::Update(const PartitionId& id, const Leadership& leadership, const PartitionConfig& config) {
  std::shared_ptr<Entry> entry = FindEntry(id);
  if (entry == nullptr) return;
  entry->leadership = leadership;
  entry->config = config;
  if (entry->partition == nullptr) return;
  entry->partition->UpdateConfig(config);
  entry->partition->UpdateLeadership(leadership);
}

reactor::Task<Status> PartitionTable::Delete(PartitionId id, int64_t file_delete_delay_ms) {
  auto wait = Await(id);
  (void)co_await wait;
  std::shared_ptr<Entry> entry = FindEntry(id);
  if (entry == nullptr) co_return Status();
  while (entry->future != nullptr || !entry->has_opened()) {
    if (entry->future != nullptr) entry->future->Cancel();
    moved_.NotifyAll();  // it may be waiting for its turn
    auto changed = entry->changed.Wait();
    co_await changed;
  }
  std::shared_ptr<Partition> partition = entry->partition;
  entries_.erase(id);
  if (partition != nullptr) {
    partition->Retire();
    auto stop = partition->StopCleaning();
    co_await stop;
    auto flushed = partition->Flushed();
    co_await flushed;
  }
  if (entry->data_directory.empty()) co_return Status();
  Uuid unique = environment_.reactor.random().NextUuid();
  auto rename = environment_.disk.Run([this, &entry, &unique] {
    return log::RenameReplicaDirectory(environment_.files, entry->data_directory, entry->name,
                                       log::ReplicaDirectoryKind::kDelete, unique);
  });
  Result<std::string> renamed = co_await rename;
  if (!renamed.ok()) {
    environment_.log.Error("removing " + entry->name.ToString() + ": " + renamed.error().message);
    co_return renamed.error();
  }
  environment_.reactor.Spawn(RemoveLater(entry->data_directory + "/" + *renamed, file_delete_delay_ms));
  co_return Status();
}

reactor::Task<void> PartitionTable::RemoveLater(std::string directory, int64_t delay_ms) {
  reactor::Sleep sleep(delay_ms * kNsPerMs);
  co_await sleep;
  auto remove = environment_.disk.Run([this, &directory] { return environment_.files.RemoveRecursively(directory); });
  Status removed = co_await remove;
  // What is left is found and removed at the next start.
  if (!removed.ok()) environment_.log.Warning("removing " + directory + ": " + removed.error().message);
}

namespace {

// What is waited for after the appends of one request.
struct Commits {
  const Clock& clock;
  size_t left = 0;
  reactor::Completion<void> all = {};
  int64_t done_ns = 0;  // a stamp
};

class Commit final : public CommitWaiter {
 public:
  void Begin(Commits& commits) {
    commits_ = &commits;
    ++commits.left;
  }
  void Done(ErrorCode error) override {
    error_ = error;
    if (--commits_->left > 0) return;
    commits_->done_ns = commits_->clock.StampNs();
    commits_->all.TrySet();
  }
  const std::optional<ErrorCode>& error() const { return error_; }

 private:
  Commits* commits_ = nullptr;
  std::optional<ErrorCode> error_;
};

bool WaitsStill(const ProduceOutcome& outcome, const Partition* partition) {
  return outcome.waits && outcome.required > partition->high_watermark();
}

}  // namespace

ProduceOutcome PartitionTable::Append(Entry& entry, const ProduceItem& item, const ProduceOptions& options) {
  ProduceOutcome outcome;
  if (entry.partition == nullptr) {
    outcome.error = ErrorCode::kKafkaStorageError;
    return outcome;
  }
  outcome = entry.partition->Produce(item.batch, options, decompressor_);
  if (!outcome.is_long) CountAppended(entry, item, outcome);
  return outcome;
}

// A duplicate counts again: it came, and was answered as if it had been appended.
void PartitionTable::CountAppended(Entry& entry, const ProduceItem& item, const ProduceOutcome& outcome) {
  if (outcome.error != ErrorCode::kNone || item.batch.size() < record::kBatchHeaderBytes) return;
  const auto records = static_cast<uint64_t>(record::BatchHeader(item.batch).record_count());
  metrics_.messages_in->Add(records);
  metrics_.bytes_in->Add(item.batch.size());
  entry.traffic.records += records;
  entry.traffic.bytes += item.batch.size();
}

Traffic PartitionTable::TrafficOf(const PartitionId& id) const {
  auto found = entries_.find(id);
  return found == entries_.end() ? Traffic() : found->second->traffic;
}

PartitionTable::Condition PartitionTable::condition() const {
  Condition condition;
  for (const auto& [id, entry] : entries_) {
    if (entry->partition == nullptr) {
      ++(entry->failed ? condition.offline : condition.opening);
      continue;
    }
    condition.offline += entry->partition->offline();
    condition.uncleanable += entry->partition->is_uncleanable();
  }
  return condition;
}

// Validates on the disk pool, so that a batch that unpacks to much keeps no reactor busy.
reactor::Task<ProduceOutcome> PartitionTable::AppendLong(std::shared_ptr<Partition> partition, const ProduceItem& item,
                                                         const ProduceOptions& options) {
  const record::ValidateOptions checks = partition->ProduceChecks();
  auto run = environment_.disk.Run([&item, &checks] {
    record::Decompressor decompressor;
    return record::ValidateBatch(item.batch, checks, decompressor);
  });
  record::ValidatedBatch validated = co_await run;
  ProduceOutcome outcome = partition->ProduceValidated(std::move(validated), checks, options);
  co_return outcome;
}

// Behind what earlier requests have brought for the same partition: batches of one producer must not overtake each
// other.
reactor::Task<void> PartitionTable::AppendInTurn(std::shared_ptr<Entry> entry, const ProduceItem& item,
                                                 const ProduceOptions& options, ProduceOutcome& outcome,
                                                 std::shared_ptr<Partition>& partition) {
  const uint64_t turn = *std::exchange(outcome.turn, std::nullopt);
  Want(*entry);
  while (!entry->has_opened() || entry->turns_done != turn) {
    auto wait = entry->changed.Wait();
    co_await wait;
  }
  partition = entry->partition;
  if (!outcome.is_long || partition == nullptr) outcome = Append(*entry, item, options);
  if (outcome.is_long) {
    auto append = AppendLong(partition, item, options);
    outcome = co_await append;
    CountAppended(*entry, item, outcome);
  }
  ++entry->turns_done;
  entry->changed.NotifyAll();
}

reactor::Task<void> PartitionTable::Produce(std::span<const ProduceItem> items, const ProduceOptions& options,
                                            std::span<ProduceOutcome> outcomes) {
  bool all_done = true;
  for (size_t i = 0; i < items.size(); ++i) {
    auto found = entries_.find(items[i].id);
    if (found == entries_.end()) {
      outcomes[i].error = ErrorCode::kUnknownTopicOrPartition;
      continue;
    }
    Entry& entry = *found->second;
    if (entry.has_opened() && entry.turns_done == entry.turns_taken) {
      outcomes[i] = Append(entry, items[i], options);
      if (WaitsStill(outcomes[i], entry.partition.get())) all_done = false;
      if (!outcomes[i].is_long) continue;
    }
    outcomes[i].turn = entry.turns_taken++;
    all_done = false;
  }
  if (options.stamps != nullptr) options.stamps->appended_ns = environment_.clock.StampNs();
  return all_done ? reactor::Task<void>() : FinishProduce(items, options, outcomes);
}

reactor::Task<void> PartitionTable::FinishProduce(std::span<const ProduceItem> items, ProduceOptions options,
                                                  std::span<ProduceOutcome> outcomes) {
  PoolVector<std::shared_ptr<Partition>> partitions(items.size());  // that took the batches: an entry may get another
  PoolVector<reactor::Task<void>> waiting_for_their_turn;
  for (size_t i = 0; i < items.size(); ++i) {
    std::shared_ptr<Entry> entry = FindEntry(items[i].id);
    if (entry == nullptr) continue;
    if (outcomes[i].turn) {
      // None waits for another partition of its request.
      waiting_for_their_turn.push_back(AppendInTurn(entry, items[i], options, outcomes[i], partitions[i]));
      waiting_for_their_turn.back().Start();
    } else {
      partitions[i] = entry->partition;
    }
  }
  for (reactor::Task<void>& task : waiting_for_their_turn) co_await task;
  // The others were appended by Produce.
  if (options.stamps != nullptr && !waiting_for_their_turn.empty()) {
    options.stamps->appended_ns = environment_.clock.StampNs();
  }
  PoolVector<Commit> waiting(items.size());
  Commits commits{.clock = environment_.clock};
  commits.left = 1;  // this loop itself: some are answered inside of it
  for (size_t i = 0; i < items.size(); ++i) {
    if (!WaitsStill(outcomes[i], partitions[i].get())) continue;
    waiting[i].Begin(commits);
    partitions[i]->WhenCommitted(outcomes[i].required, waiting[i]);
  }
  if (--commits.left > 0) {
    auto wait = commits.all.WaitFor(int64_t{std::max(options.timeout_ms, 0)} * kNsPerMs);
    co_await wait;
    const bool in_time = commits.left == 0;
    if (options.stamps != nullptr) {
      options.stamps->durable_ns = in_time ? commits.done_ns : environment_.clock.StampNs();
    }
  }
  for (size_t i = 0; i < items.size(); ++i) {
    if (!WaitsStill(outcomes[i], partitions[i].get())) continue;
    outcomes[i].error = waiting[i].error().value_or(ErrorCode::kRequestTimedOut);
    if (outcomes[i].error != ErrorCode::kNone) outcomes[i].base_offset = -1;
  }
}

reactor::Task<void> PartitionTable::Read(std::span<const ReadRequest> requests, std::span<ReadOutcome> outcomes) {
  for (size_t i = 0; i < requests.size(); ++i) {
    auto found = entries_.find(requests[i].id);
    Partition* partition = found == entries_.end() ? nullptr : found->second->partition.get();
    if (partition == nullptr || !partition->TryRead(requests[i], outcomes[i])) {
      return FinishRead(requests, outcomes, i);
    }
  }
  return {};
}

reactor::Task<void> PartitionTable::FinishRead(std::span<const ReadRequest> requests, std::span<ReadOutcome> outcomes,
                                               size_t first) {
  for (size_t i = first; i < requests.size(); ++i) {
    auto wait = Await(requests[i].id);
    std::shared_ptr<Partition> partition = co_await wait;
    if (partition == nullptr) {
      outcomes[i].error = ErrorOf(requests[i].id);
      continue;
    }
    auto read = partition->Read(requests[i]);
    outcomes[i] = co_await read;
  }
}

void PartitionTable::AddWatch(std::span<const PartitionId> ids, std::span<const Offset> seen,
                              const std::shared_ptr<Watch>& watch) {
  for (size_t i = 0; i < ids.size() && !watch->fired(); ++i) {
    std::shared_ptr<Partition> partition = Find(ids[i]);
    if (partition == nullptr) {
      watch->Fire();
    } else {
      partition->AddWatch(watch, seen[i]);
    }
  }
}

void PartitionTable::DropWatch(std::span<const PartitionId> ids, const std::shared_ptr<Watch>& watch) {
  for (const PartitionId& id : ids) {
    if (std::shared_ptr<Partition> partition = Find(id)) partition->DropWatch(watch);
  }
}

std::vector<PartitionId> PartitionTable::Ids() const {
  std::vector<PartitionId> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry->partition != nullptr) ids.push_back(id);
  }
  return ids;
}

std::vector<CheckpointEntry> PartitionTable::Checkpoint() {
  std::vector<CheckpointEntry> entries;
  entries.reserve(entries_.size());
  for (auto& [id, entry] : entries_) {
    if (entry->partition == nullptr || entry->partition->offline()) continue;
    log::Log& log = entry->partition->log();
    entries.push_back({entry->name, id.topic_id, entry->data_directory, log.RecoveryPointToRecord(),
                       log.log_start_offset(), entry->partition->high_watermark(), entry->partition->clean_end()});
  }
  return entries;
}

reactor::Task<void> PartitionTable::SaveProgress() {
  auto entries = entries_;  // the table may change while this waits
  for (auto& [id, entry] : entries) {
    std::shared_ptr<Partition> partition = entry->partition;
    if (partition == nullptr) continue;
    auto checkpoint = partition->Checkpoint();
    co_await checkpoint;
  }
}

reactor::Task<void> PartitionTable::ApplyRetention() {
  auto entries = entries_;  // the table may change while this waits
  for (auto& [id, entry] : entries) {
    std::shared_ptr<Partition> partition = entry->partition;
    if (partition == nullptr || partition->offline()) continue;
    int64_t now_ms = environment_.clock.WallMs();
    log::Log& log = partition->log();
    log.ExpireProducers(now_ms);
    log::RemovalJob job = log.ApplyRetention(now_ms, partition->high_watermark());
    log.ReleaseIdle();
    if (job.empty()) continue;
    environment_.log.Info("retention takes " + std::to_string(job.segments()) + " segments, " +
                          std::to_string(job.bytes()) + " bytes, of " + partition->name().ToString());
    auto rename = environment_.disk.Run([&job] { return job.Rename(); });
    Status renamed = co_await rename;
    if (!renamed.ok()) {
      // Some are gone and some are not: what retention takes next would leave a hole.
      partition->TakeOffline(renamed.error());
      continue;
    }
    environment_.reactor.Spawn(RemoveLater(std::move(job), partition->file_delete_delay_ms()));
  }
}

reactor::Task<void> PartitionTable::RemoveLater(log::RemovalJob job, int64_t delay_ms) {
  reactor::Sleep sleep(delay_ms * kNsPerMs);
  co_await sleep;
  auto remove = environment_.disk.Run([&job] { return job.Remove(); });
  Status removed = co_await remove;
  if (!removed.ok()) environment_.log.Warning("retention: " + removed.error().message);
}

void PartitionTable::RefuseRecords(const std::string& data_directory, const std::string& why) {
  refusals_[data_directory] = why;
  for (auto& [id, entry] : entries_) {
    if (entry->data_directory == data_directory && entry->partition != nullptr) entry->partition->RefuseRecords(why);
  }
}

void PartitionTable::FailDataDirectory(const std::string& data_directory, const Error& error) {
  failed_directories_.insert(data_directory);
  // A copy: going offline calls back to whoever tells the other reactors, and those come here again.
  auto entries = entries_;
  for (auto& [id, entry] : entries) {
    if (entry->data_directory == data_directory && entry->partition != nullptr) entry->partition->TakeOffline(error);
    if (entry->future != nullptr && entry->future->data_directory() == data_directory) entry->future->Stop();
  }
  moved_.NotifyAll();
}

reactor::Task<Status> PartitionTable::CloseAll() {
  auto moves = StopMoves();
  co_await moves;
  std::deque<PartitionId> left;
  for (const auto& [id, entry] : entries_) left.push_back(id);
  // Several at a time, as many as the disk pool has threads for: they wait for the disk, which syncs several as fast as one.
  Status first;
  std::vector<reactor::Task<void>> closing;
  for (int i = 0; i < kMostOpening; ++i) {
    closing.push_back(CloseNext(left, first));
    closing.back().Start();
  }
  for (reactor::Task<void>& one : closing) co_await one;
  co_return first;
}

reactor::Task<void> PartitionTable::CloseNext(std::deque<PartitionId>& left, Status& first) {
  while (!left.empty()) {
    const PartitionId id = left.front();
    left.pop_front();
    auto wait = Await(id);
    std::shared_ptr<Partition> partition = co_await wait;
    if (partition == nullptr) continue;
    auto stop = partition->StopCleaning();
    co_await stop;
    auto close = partition->Close();
    Status closed = co_await close;
    if (!closed.ok() && first.ok()) first = closed;
  }
}

}  // namespace kb::partition

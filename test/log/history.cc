#include "log/history.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <iostream>
#include <memory>
#include <vector>

#include "base/random.h"
#include "log/cleaner.h"
#include "log/file_names.h"
#include "log/history_files.h"
#include "log/history_model.h"
#include "log/log.h"
#include "log/log_directory.h"
#include "log/read_waiting.h"
#include "record/builder.h"
#include "record/control.h"

namespace kb::log {
namespace {

using test::IoCall;
using test::PowerLoss;

constexpr const char* kDirectory = "/data/topic-0";
constexpr int64_t kT0 = 1'700'000'000'000;

int32_t Next(int32_t sequence) {
  return static_cast<int32_t>((int64_t{sequence} + 1) & INT32_MAX);
}

// A producer and the coordinator of its transactions. What is sent stays in flight until it is on the disk.
struct Client {
  struct Sent {
    std::vector<uint8_t> bytes;
    int32_t first_sequence, last_sequence;
    int64_t last_offset = -1;  // -1: not in the log, as far as the client knows
  };
  int64_t id = 0;
  bool is_transactional = false;
  int16_t epoch = 0;
  int32_t next_sequence = 0;
  std::deque<Sent> in_flight;
  bool is_open = false;        // a transaction
  std::optional<bool> ending;  // its marker: commit or abort
  int64_t marker_offset = -1;
  bool is_forgotten = false;  // by the log: it must begin with a new epoch
  bool has_unwritten() const {
    return std::any_of(in_flight.begin(), in_flight.end(), [](auto& s) { return s.last_offset < 0; });
  }
};

// For what is told.
std::string TextOf(const std::vector<EpochStart>& epochs) {
  std::string text;
  for (const EpochStart& each : epochs) text += " " + ToString(each.epoch) + " from " + ToString(each.start_offset);
  return text.empty() ? " none" : text;
}

std::string OfProducer(const record::BatchHeader& batch) {
  if (!batch.has_producer()) return "";
  return " of producer " + ToString(batch.producer_id()) + " epoch " + ToString(batch.producer_epoch()) + " sequence " +
         std::to_string(batch.base_sequence());
}

// What is different, or "". An index of nothing may be missing or empty; what was to go may have gone.
std::string FirstChange(const std::map<std::string, std::string>& before,
                        const std::map<std::string, std::string>& after) {
  for (const auto& [path, content] : after) {
    auto old = before.find(path);
    if (old == before.end() ? !content.empty() : old->second != content) return "changed " + path;
  }
  for (const auto& [path, content] : before) {
    // What a cleaning could not remove that failed goes as well.
    const bool may_go =
        path.ends_with(kDeletedSuffix) || path.ends_with(kSnapshotSuffix) || path.ends_with(kCleanedSuffix);
    if (!after.contains(path) && !may_go) return "removed " + path;
  }
  return "";
}

class History {
 public:
  explicit History(const HistoryOptions& options) : options_(options), random_(options.seed), files_(options.seed) {}
  HistoryReport Run();

 private:
  // ---- saying what is wrong
  // False: the history ends here, or the power is off.
  bool Expect(bool holds, const std::string& otherwise) {
    if (!holds && !files_.is_off() && report_.complaint.empty()) report_.complaint = otherwise;
    return holds;
  }
  bool is_over() const { return !report_.complaint.empty(); }
  bool is_alive() const { return !is_over() && !files_.is_off() && !wants_end_; }
  void Tell(const std::string& what) {
    if (options_.is_told) std::cout << "  " << what << std::endl;
  }
  void TellFiles(const std::map<std::string, std::string>& contents) {
    std::string all = "files:";
    for (const auto& [path, content] : contents)
      all += " " + path.substr(path.rfind('/') + 15) + "=" + std::to_string(content.size());
    Tell(all);
  }
  bool OneIn(uint64_t n) { return random_.Below(n) == 0; }
  // Without a checkpoint nobody can tell what was durable: torn batches may stay. Then nothing may be torn.
  PowerLoss Possible(PowerLoss loss) const {
    return point_is_lost_ && loss == PowerLoss::kSomething ? PowerLoss::kEverything : loss;
  }
  int64_t Upto(uint64_t n) { return static_cast<int64_t>(random_.Below(n + 1)); }

  void Configure();
  // ---- starts
  Status Open();
  void Start();
  void BeforeStart();
  bool LookAtLog();
  bool ReadAll(std::vector<std::string>& found);
  bool JudgeState(const std::vector<std::string>& found);
  bool JudgeProducers(const std::vector<std::string>& found);
  bool JudgeAborted(const HistoryReplay& full, const HistoryReplay& present, const std::vector<std::string>& found);
  std::vector<EpochStart> Epochs() const;
  bool JudgeEpochs(const std::vector<std::string>& found);
  bool JudgeReads(const std::vector<std::string>& found);
  bool JudgeTimestamps(const std::vector<std::string>& found);
  bool StartOnceMore();
  void SendAgain(Client& client);
  void LearnFromLog(Client& client);
  void LearnEnded();

  // ---- life
  void Arm();
  void Live();
  void Step();
  void End();
  void CloseCleanly();
  void DropJobs();

  // ---- verbs
  std::vector<uint8_t> BuildBatch(const record::BatchOptions& options, size_t records);
  record::BatchOptions AnyOptions();
  AppendResult Append(std::vector<uint8_t>& bytes);
  bool IsForgotten(const std::vector<uint8_t>& bytes);
  void BeginAnew(Client& client);
  void AppendPlain();
  void AppendOf(Client& client);
  void Write(Client& client, Client::Sent& sent);
  void EndTransaction(Client& client);
  void AppendFollowing();
  void AppendSomething();
  void Flush(bool is_checkpoint);
  void Acknowledge();
  void Record();
  void Truncate();
  int64_t FirstBase() const;
  void StartAnewAt(int64_t at);
  void Retain();
  void Clean();
  void PutCleanedInPlace(CleanJob& job);
  void JudgeCleaning(const CleanJob& job, bool is_done);
  void ReadSomewhere();
  void SetCapacity();
  void FailSomething();

  const HistoryOptions options_;
  Random random_;
  test::SimFileSystem files_;
  HistoryReport report_;
  LogConfig config_;
  bool is_follower_ = false;
  std::unique_ptr<Log> log_;
  HistoryModel model_;
  std::vector<Client> clients_;
  std::deque<RemovalJob> removals_;
  std::set<std::pair<int64_t, int64_t>> aborted_ever_;  // producer, offset of the marker
  std::map<std::pair<int64_t, int64_t>, int64_t> ended_ever_;  // producer and first offset → marker
  std::set<std::pair<int64_t, int64_t>> open_again_;           // of those: their markers were truncated
  LeaderEpoch leader_epoch_{0};
  int32_t coordinator_epoch_ = 0;
  int64_t now_ms_ = kT0;
  int64_t time_ms_ = kT0;
  int64_t first_dirty_ = 0;
  // On record: what the checkpoint files say.
  int64_t recorded_point_ = 0;
  bool point_is_lost_ = false;  // until it is written again
  int64_t recorded_start_ = 0;
  int64_t greatest_start_ = 0;
  bool was_clean_ = false;
  PowerLoss armed_loss_ = PowerLoss::kSomething;
  bool clients_were_lost_ = false;  // once: what they think of their transactions is what the log said then
  bool began_anew_ = false;
  bool snapshots_are_lost_ = false;  // those of what retention took went with what a follower left behind
  bool is_torn_ = false;             // power was lost after the clean stop
  bool failed_at_start_ = false;
  bool wants_end_ = false;         // something failed for good: the log directory is offline
  bool clients_are_lost_ = false;  // a truncation took what they were told of
  std::map<std::string, std::string> at_stop_;
};

// ---- the whole

HistoryReport History::Run() {
  Configure();
  Expect(files_.CreateDirectories("/data").ok() && files_.SyncDirectory("/").ok(), "no data directory");
  Expect(CreateReplicaDirectory(files_, "/data", {"topic", 0}, Uuid(7, 7)).ok(), "no replica directory");
  files_.Ignore(options_.ignored);
  Start();
  const int lives = options_.first_cut > 0 ? 2 : 2 + static_cast<int>(random_.Below(4));
  for (int life = 0; life < lives && !is_over(); ++life) {
    const uint64_t before = files_.changing_calls();
    if (life == 0 && options_.first_cut > 0) {
      files_.CutAt(options_.first_cut, armed_loss_ = PowerLoss::kSomething);
    } else if (life > 0 || options_.first_cut == 0) {
      Arm();
    }
    Live();
    if (life == 0) report_.first_life_calls = files_.changing_calls() - before;
    End();
    if (!is_over()) Start();
  }
  log_.reset();
  report_.files = files_.Contents();
  return report_;
}

void History::Configure() {
  auto one_of = [&](std::initializer_list<int32_t> values) { return values.begin()[random_.Below(values.size())]; };
  config_.segment_bytes = one_of({1200, 1500, 2500, 5000, 1 << 20});
  config_.index_interval_bytes = one_of({1, 60, 150, 400, 4096});
  config_.segment_index_bytes = one_of({36, 60, 240, 10 << 20, 10 << 20});
  if (OneIn(3)) config_.segment_ms = one_of({20, 200, 1000});
  if (OneIn(3)) config_.segment_jitter_ms = one_of({10, 100});
  config_.preallocate = OneIn(6);
  config_.cleanup_compact = OneIn(3);
  config_.cleanup_delete = !config_.cleanup_compact || OneIn(2);
  config_.retention_ms = OneIn(2) ? one_of({200, 600, 2000}) : -1;
  config_.retention_bytes = OneIn(2) ? one_of({1000, 4000, 10000}) : -1;
  config_.delete_retention_ms = one_of({0, 100, 1000});
  if (OneIn(4)) config_.min_compaction_lag_ms = one_of({50, 300});
  is_follower_ = OneIn(6);
  for (int64_t id = 0; id < 5; ++id) {
    Client& client = clients_.emplace_back();
    client.id = 1000 + id;
    client.is_transactional = id >= 3;
    // Sequences wrap, too. A producer that is not known may begin anywhere.
    if (OneIn(4)) client.next_sequence = INT32_MAX - static_cast<int32_t>(random_.Below(20));
  }
}

// ---- starts

Status History::Open() {
  log_.reset();
  LogOptions options;
  options.directory = kDirectory;
  options.config = config_;
  options.was_clean = was_clean_;
  options.recovery_point = Offset(recorded_point_);
  if (point_is_lost_) options.recovery_point.reset();
  if (recorded_start_ > 0) options.log_start_offset = Offset(recorded_start_);
  options.now_ms = now_ms_;
  options.jitter_seed = options_.seed;
  RecoveryReport found;
  Result<std::unique_ptr<Log>> log = Log::Open(files_, std::move(options), &found);
  for (const std::string& note : found.notes) Tell("note: " + note);
  if (!log.ok()) return log.error();
  log_ = std::move(*log);
  return {};
}

// Until a start went well, and the log was looked at.
void History::Start() {
  for (int tries = 0; !is_over(); ++tries) {
    if (files_.is_off()) {
      files_.PowerOn();
      ++(armed_loss_ == PowerLoss::kNothing ? report_.kills : report_.power_cuts);
      Tell("power on, loss " + std::to_string(static_cast<int>(armed_loss_)));
      if (armed_loss_ != PowerLoss::kNothing) model_.PowerLost();
    }
    files_.StopFailing();
    if (!Expect(tries < 20, "no start went well")) return;
    const bool may_fail = tries < 3 && OneIn(3);
    if (may_fail) BeforeStart();
    ++report_.starts;
    Status status = Open();
    const bool was_cut = files_.is_off();
    if (was_cut) ++report_.cut_starts;
    if (!status.ok() && !was_cut) {
      ++report_.failed_calls;
      if (!Expect(may_fail, "the log does not open: " + status.error().message)) return;
    }
    if (status.ok() && !was_cut) {
      failed_at_start_ = may_fail;
      files_.StopFailing();
      files_.set_capacity({});
      if (LookAtLog()) break;
    }
    was_clean_ = false;  // the marker goes before the logs are opened
    log_.reset();
  }
  was_clean_ = wants_end_ = false;
  // Who finds that a log ended before the recovery point on record (a truncation did not end) writes the lower one.
  recorded_point_ = std::min(recorded_point_, is_over() ? 0 : log_->recovery_point().value());
  if (!is_over()) first_dirty_ = std::min(first_dirty_, log_->log_end_offset().value());
  for (Client& client : clients_) SendAgain(client);
  clients_are_lost_ = false;
}

// A start may be cut, or fail.
void History::BeforeStart() {
  if (OneIn(3)) return FailSomething();
  armed_loss_ = Possible(OneIn(3) ? PowerLoss::kNothing : PowerLoss::kSomething);
  files_.CutAt(1 + random_.Below(25), armed_loss_);
}

// Whether the log keeps its promises; false as well when the power went meanwhile.
bool History::LookAtLog() {
  const auto contents = files_.Contents();
  TellFiles(contents);
  if (was_clean_ && !is_torn_) {
    const std::string change = FirstChange(at_stop_, contents);
    // What cannot be looked at is built anew; what a failed write left is cut off: that nothing else is, is judged below.
    const bool may_change = (failed_at_start_ && change.ends_with("index")) ||
                            (!model_.attempts.empty() && change.ends_with(kLogSuffix));
    if (!Expect(change.empty() || may_change, "a start after a clean stop " + change)) return false;
  }
  std::vector<std::string> found;
  if (!ReadAll(found)) return false;
  const int64_t start = log_->log_start_offset().value(), end = log_->log_end_offset().value();
  greatest_start_ = std::max(greatest_start_, start);
  Tell("start " + std::to_string(start) + " end " + std::to_string(end) + ", must be " +
       std::to_string(model_.log_start) + " and " + std::to_string(model_.required_end) + ".." +
       std::to_string(model_.end));
  model_.least_log_start = recorded_start_;
  // Where nobody knows what was durable, what lies behind a gap may have been.
  const bool may_have_holes = config_.cleanup_compact || point_is_lost_;
  const std::string complaint = model_.Judge(found, start, end, may_have_holes);
  if (!Expect(complaint.empty(), complaint) || files_.is_off()) return false;
  model_.TakeOver(found, start, end);
  if (!model_.ghosts.empty()) clients_are_lost_ = clients_were_lost_ = true;
  if (std::exchange(snapshots_are_lost_, false))
    model_.batches.erase(model_.batches.begin(), model_.batches.lower_bound(start));
  if (failed_at_start_)
    return JudgeState(found) && !files_.is_off();  // an index that could not be written stays in memory
  const std::string about_files = JudgeFiles(contents, config_, config_.cleanup_compact || began_anew_, model_);
  if (!Expect(about_files.empty(), about_files)) return false;
  if (!JudgeState(found)) return false;
  if (!StartOnceMore()) return false;
  return !files_.is_off() && !is_over();
}

bool History::ReadAll(std::vector<std::string>& found) {
  ReadOptions options;
  options.offset = log_->log_start_offset();
  options.end_offset = log_->log_end_offset();
  options.may_block = true;
  options.max_bytes = 1 + random_.Below(3000);
  while (options.offset < options.end_offset) {
    ReadResult result = ReadWaiting(*log_, options);
    const std::string where = "read at " + ToString(options.offset) + ": ";
    if (!Expect(result.status == ReadStatus::kOk, where + (result.failure ? result.failure->message : "?")))
      return false;
    if (result.slice.size_bytes == 0) return true;  // compacted up to the end, or a lost end of a segment
    std::string bytes(result.slice.size_bytes, '\0');
    MutableByteView into(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size());
    Result<size_t> got = result.slice.file->ReadAt(result.slice.position, into);
    if (!Expect(got.ok() && *got == bytes.size(), where + "fewer bytes than promised")) return false;
    record::BatchWalk walk(AsBytes(bytes));
    const Offset before = options.offset;
    while (auto batch = walk.Next()) {
      found.emplace_back(AsText(batch->bytes()));
      options.offset = batch->next_offset();
    }
    if (!Expect(options.offset > before, where + "no batch")) return false;
  }
  return true;
}

bool History::JudgeState(const std::vector<std::string>& found) {
  return JudgeProducers(found) && JudgeEpochs(found) && JudgeReads(found) && JudgeTimestamps(found);
}

// Producers and transactions are what the batches say; of what retention took, they may know more.
bool History::JudgeProducers(const std::vector<std::string>& found) {
  const HistoryReplay full = model_.Replay(), present = HistoryModel::Replay(found);
  for (const auto& [id, facts] : present.producers) {
    const std::string who = "producer " + std::to_string(id);
    const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
    if (!Expect(entry != nullptr, who + " is not known")) return false;
    const ProducerFacts& all = full.producers.at(id);
    // Of a producer whose last batch a truncation took behind what was compacted away, a snapshot tells.
    if (config_.cleanup_compact && clients_were_lost_ && entry->epoch.value() > facts.epoch) continue;
    if (!Expect(entry->epoch.value() == facts.epoch, who + " has another epoch")) return false;
    // A transaction that is open may have begun in what is gone.
    const int64_t open = entry->transaction_first_offset.value();
    const int64_t known_open = std::max(facts.open_since, all.open_since);
    // Its data may have been cleaned away as of one that ended, before a truncation took the end.
    const bool may_be_open = (open >= 0 && open <= known_open) || open_again_.contains({id, open});
    if (!Expect(open == facts.open_since || may_be_open, who + " has a transaction open since " + std::to_string(open) +
                                                             ", not " + std::to_string(facts.open_since))) {
      return false;
    }
    const bool knows_more = !facts.last.empty() && entry->has_batches() &&
                            entry->last_batch()->last_offset.value() > facts.last.back().last_offset;
    if (config_.cleanup_compact && knows_more) continue;
    // Of those before the last a compacted log may have others than were sent one behind the other.
    for (const ProducerFacts::Sent& sent : facts.last) {
      const BatchMemory* known = entry->Find(sent.first_sequence, sent.last_sequence);
      // Nor does a start that cannot read a batch fail because of that.
      const bool may_lack = config_.cleanup_compact || failed_at_start_;
      const bool may_be_forgotten = may_lack && sent.last_offset != facts.last.back().last_offset;
      const bool is_known = (known == nullptr && may_be_forgotten) ||
                            (known != nullptr && known->last_offset.value() == sent.last_offset &&
                             known->first_offset().value() == sent.first_offset);
      if (!Expect(is_known, who + ": sequence " + std::to_string(sent.first_sequence) + " is not known")) return false;
    }
    if (facts.last.empty()) continue;
    const bool is_last = entry->last_sequence() == facts.last.back().last_sequence;
    if (!Expect(is_last, who + " has sent something else last")) return false;
    if (!facts.ends_with_marker) continue;
    if (!Expect(entry->coordinator_epoch == facts.coordinator_epoch, who + " has another coordinator")) return false;
  }
  for (const Client& client : clients_) {
    const ProducerEntry* entry = log_->producers().Find(ProducerId(client.id));
    const bool should_be_closed = !client.is_open && !clients_were_lost_ && !is_follower_;
    const bool hangs = should_be_closed && entry != nullptr && entry->transaction_first_offset != kNoOffset;
    if (!Expect(!hangs, "a transaction hangs, of producer " + std::to_string(client.id))) return false;
  }
  return JudgeAborted(full, present, found);
}

void History::LearnEnded() {
  const HistoryReplay replay = model_.Replay();
  for (const AbortedTransaction& each : replay.aborted) {
    aborted_ever_.emplace(each.producer_id.value(), each.last_offset.value());
  }
  for (const auto& [transaction, marker] : replay.ended) ended_ever_[transaction] = marker;
}

bool History::JudgeAborted(const HistoryReplay& full, const HistoryReplay& present,
                           const std::vector<std::string>& found) {
  LearnEnded();
  const Offset start = log_->log_start_offset(), end = log_->log_end_offset();
  auto got = log_->AbortedTransactions(start, end, /*may_block=*/true);
  if (!Expect(got.has_value(), "the aborted transactions cannot be read")) return false;
  std::set<std::pair<int64_t, int64_t>> listed;
  for (const AbortedTransaction& each : *got) {
    listed.emplace(each.producer_id.value(), each.last_offset.value());
    const bool was_aborted = aborted_ever_.contains({each.producer_id.value(), each.last_offset.value()});
    // What it was of may have been truncated and cleaned; its marker is there.
    const bool may_be = clients_were_lost_ && model_.batches.contains(each.last_offset.value());
    if (!Expect(was_aborted || may_be,
                "a transaction is called aborted that was not: marker " + ToString(each.last_offset)))
      return false;
  }
  auto has_data = [&](const AbortedTransaction& transaction) {
    return std::any_of(found.begin(), found.end(), [&](const std::string& bytes) {
      const record::BatchView batch(AsBytes(bytes));
      return batch.producer_id() == transaction.producer_id && !batch.is_control() && batch.record_count() > 0 &&
             batch.base_offset() >= transaction.first_offset && batch.base_offset() < transaction.last_offset;
    });
  };
  for (const AbortedTransaction& each : present.aborted) {
    const bool is_listed = listed.contains({each.producer_id.value(), each.last_offset.value()});
    if (!Expect(is_listed || !has_data(each),
                "an aborted transaction is not listed: marker " + ToString(each.last_offset)))
      return false;
  }
  if (config_.cleanup_compact || clients_were_lost_ || log_->log_start_offset() > Offset(0)) return true;
  // Where it began is not known any more when that is gone.
  auto is_of = [](const std::vector<AbortedTransaction>& all, const AbortedTransaction& each) {
    return std::any_of(all.begin(), all.end(), [&](const AbortedTransaction& one) {
      return one.producer_id == each.producer_id && one.last_offset == each.last_offset &&
             each.first_offset <= one.first_offset;
    });
  };
  for (const AbortedTransaction& each : *got) {
    const bool is_true = is_of(full.aborted, each) || is_of(present.aborted, each);
    if (!Expect(is_true, "an aborted transaction has other offsets: marker " + ToString(each.last_offset)))
      return false;
  }
  return true;
}

// A log start that was not on record goes back; the epochs below it are forgotten, or some are met in batches.
std::vector<EpochStart> History::Epochs() const {
  LeaderEpochCache epochs = log_->leader_epochs();
  epochs.TruncateFromStart(Offset(greatest_start_));
  return epochs.entries();
}

bool History::JudgeEpochs(const std::vector<std::string>& found) {
  for (const std::string& bytes : found) {
    const record::BatchView batch(AsBytes(bytes));
    if (batch.base_offset().value() < greatest_start_) continue;  // see Epochs
    std::optional<LeaderEpoch> epoch = log_->leader_epochs().EpochFor(batch.base_offset());
    if (!Expect(epoch == batch.leader_epoch(),
                "offset " + ToString(batch.base_offset()) + " is of another leader epoch")) {
      return false;
    }
  }
  const auto& entries = log_->leader_epochs().entries();
  for (size_t i = 1; i < entries.size(); ++i) {
    const bool ascends =
        entries[i - 1].epoch < entries[i].epoch && entries[i - 1].start_offset <= entries[i].start_offset;
    if (!Expect(ascends, "leader epochs do not ascend")) return false;
  }
  return true;
}

// From any offset on, the first batch that reaches it.
bool History::JudgeReads(const std::vector<std::string>& found) {
  for (int i = 0; i < 8 && !found.empty(); ++i) {
    ReadOptions options;
    const int64_t start = log_->log_start_offset().value();
    options.offset = Offset(start + Upto(static_cast<uint64_t>(log_->log_end_offset().value() - start)));
    options.end_offset = log_->log_end_offset();
    options.max_bytes = 1;
    options.may_block = true;
    ReadResult result = ReadWaiting(*log_, options);
    auto wanted = std::find_if(found.begin(), found.end(), [&](const std::string& bytes) {
      return record::BatchView(AsBytes(bytes)).last_offset() >= options.offset;
    });
    const std::string where = "a read at " + ToString(options.offset);
    if (!Expect(result.status == ReadStatus::kOk, where + " fails")) return false;
    const bool is_right = wanted == found.end()
                              ? result.slice.size_bytes == 0
                              : result.slice.first_offset == record::BatchView(AsBytes(*wanted)).base_offset() &&
                                    result.slice.size_bytes == wanted->size();
    if (!Expect(is_right, where + " finds another batch")) return false;
  }
  return true;
}

bool History::JudgeTimestamps(const std::vector<std::string>& found) {
  const int64_t wanted = kT0 + Upto(static_cast<uint64_t>(time_ms_ - kT0));
  std::optional<TimestampOffset> first;
  for (const std::string& bytes : found) {
    const record::BatchView batch(AsBytes(bytes));
    if (first || batch.max_timestamp() < wanted) continue;
    for (const HistoryRecord& record : model_.RecordsOf(batch)) {
      const bool matches = record.timestamp >= wanted && record.offset >= log_->log_start_offset().value();
      if (matches && !first) first = {record.timestamp, Offset(record.offset), batch.leader_epoch()};
    }
  }
  auto got = log_->PrepareTimestampLookup(wanted).Run();
  const std::string what = "the look-up of time " + std::to_string(wanted);
  if (!Expect(got.ok(), what + " fails")) return false;
  const bool is_same = got->has_value() == first.has_value() &&
                       (!first || ((*got)->offset == first->offset && (*got)->timestamp_ms == first->timestamp_ms));
  return Expect(is_same, what + " finds another record: " + (got->has_value() ? ToString((*got)->offset) : "none") +
                             ", not " + (first ? ToString(first->offset) : "none"));
}

// A second start, right behind the first, changes nothing. (If it finds no checkpoint inside of a segment any more, it
// may make denser or thinner indexes, once.)
bool History::StartOnceMore() {
  auto contents = files_.Contents();
  const Offset start = log_->log_start_offset(), end = log_->log_end_offset();
  const std::string producers = log_->producers().Snapshot();
  const auto epochs = Epochs();
  for (int more = 2; more > 0; --more) {
    Status status = Open();
    if (!Expect(status.ok(), "a second start fails")) return false;
    const std::string other = "a second start comes to another ";
    if (!Expect(log_->log_start_offset() == start, other + "log start")) return false;
    if (!Expect(log_->log_end_offset() == end, other + "log end, " + ToString(log_->log_end_offset()))) return false;
    const std::string difference = TextOf(Epochs()) + ", not" + TextOf(epochs);
    if (!Expect(Epochs() == epochs, other + "list of leader epochs:" + difference)) return false;
    if (!Expect(log_->producers().Snapshot() == producers, "a second start comes to other producers")) return false;
    const auto again = files_.Contents();
    const std::string change = FirstChange(contents, again);
    if (change.empty()) return true;
    const bool may_change = more == 2 && change.ends_with("index");
    if (!Expect(may_change, "a second start " + change)) return false;
    const std::string complaint = JudgeFiles(again, config_, config_.cleanup_compact || began_anew_, model_);
    if (!Expect(complaint.empty(), complaint)) return false;
    contents = again;
  }
  return true;
}

// What was not acknowledged comes again, in order: once in the log, or an answer where it is.
void History::SendAgain(Client& client) {
  if (is_over()) return;
  const ProducerFacts facts = model_.Replay().producers[client.id];
  if (clients_are_lost_ || is_follower_) return LearnFromLog(client);
  // Newest first: where a truncation took what made a cleaning forget a batch below the log start, its sequences came
  // again.
  // The log need not know those any more, once there was a truncation.
  const ProducerEntry* entry = log_->producers().Find(ProducerId(client.id));
  auto may_be_unknown = [&](const ProducerFacts::Sent& known) {
    if (!clients_were_lost_ || known.last_offset >= model_.log_start) return false;
    return entry == nullptr || entry->Find(known.first_sequence, known.last_sequence) == nullptr;
  };
  auto position = [&](const Client::Sent& sent) {
    return std::find_if(facts.last.rbegin(), facts.last.rend(), [&](const ProducerFacts::Sent& known) {
      return facts.epoch == client.epoch && known.first_sequence == sent.first_sequence &&
             known.last_sequence == sent.last_sequence && !may_be_unknown(known);
    });
  };
  bool misses_one = false;
  for (Client::Sent& sent : client.in_flight) {
    auto known = position(sent);
    const bool is_there = known != facts.last.rend();
    sent.last_offset = is_there ? known->last_offset : -1;
    if (is_there && misses_one) clients_are_lost_ = true;  // only where holes may be: the model says
    misses_one |= !is_there;
  }
  if (clients_are_lost_) {
    clients_are_lost_ = false;
    client.in_flight.clear();
    client.next_sequence = Next(facts.last.back().last_sequence);
  }
  if (client.ending && (misses_one || !facts.ends_with_marker)) client.marker_offset = -1;
  for (Client::Sent& sent : client.in_flight) {
    ++report_.resent;
    const int64_t known = sent.last_offset;
    if (known < 0) {
      Write(client, sent);
      if (sent.last_offset < 0) return;
      continue;
    }
    AppendResult result = Append(sent.bytes);
    if (!result.ok()) return;
    ++report_.duplicates;
    const std::string where = ToString(result.last_offset) + ", not at " + std::to_string(known);
    const std::string what = OfProducer(record::BatchHeader(ByteView(sent.bytes)));
    if (!Expect(result.is_duplicate, "a batch sent again" + what + " is in the log twice: at " + where)) return;
    if (!Expect(result.last_offset.value() == known, "a batch sent again" + what + " was found at " + where)) return;
  }
}

// A client goes on from what is in the log. What is not on the disk is still in flight.
void History::LearnFromLog(Client& client) {
  client.in_flight.clear();
  client.ending.reset();
  // It may know more than the batches tell that a cleaning left.
  const ProducerEntry* entry = log_->producers().Find(ProducerId(client.id));
  client.is_open = entry != nullptr && entry->transaction_first_offset != kNoOffset;
  if (entry == nullptr) return;
  client.epoch = entry->epoch.value();
  client.next_sequence = entry->has_batches() ? Next(entry->last_sequence()) : 0;
  if (is_follower_) return;
  for (const auto& [base, bytes] : model_.batches) {
    const record::BatchView batch(AsBytes(bytes));
    if (batch.last_offset().value() < model_.durable || batch.producer_id().value() != client.id) continue;
    if (std::optional<TransactionMarker> marker = ParseTransactionMarker(batch)) {
      client.ending = marker->commit;
      client.marker_offset = batch.last_offset().value();
      client.is_open = true;
      continue;
    }
    Client::Sent& sent = client.in_flight.emplace_back();
    sent.bytes.assign(batch.bytes().begin(), batch.bytes().end());
    sent.first_sequence = batch.base_sequence();
    sent.last_sequence = batch.last_sequence();
    sent.last_offset = batch.last_offset().value();
  }
}

// ---- life

void History::Arm() {
  if (OneIn(4)) return;
  const PowerLoss losses[] = {PowerLoss::kNothing, PowerLoss::kEverything, PowerLoss::kSomething,
                              PowerLoss::kSomething};
  armed_loss_ = Possible(losses[random_.Below(4)]);
  files_.CutAt(1 + random_.Below(OneIn(3) ? 40 : 200), armed_loss_);
}

void History::Live() {
  const int64_t steps = 10 + Upto(60);
  for (int64_t step = 0; step < steps && is_alive(); ++step) {
    now_ms_ += Upto(40);
    files_.set_now_ms(now_ms_);
    Step();
    if (log_->failure()) wants_end_ = true;
  }
}

void History::Step() {
  switch (random_.Below(32)) {
    case 0:
      (void)log_->Roll(now_ms_);
      break;
    case 1:
    case 2:
    case 3:
    case 4:
      return Flush(false);
    case 5:
    case 6:
      return Flush(true);
    case 7:
    case 8:
      return Record();
    case 9:
      return OneIn(3) ? Truncate() : void();
    case 10:
      return OneIn(12) ? StartAnewAt(model_.end + Upto(20)) : void();
    case 11:
      return Retain();
    case 12:
      if (is_follower_) break;
      leader_epoch_ = leader_epoch_ + 1;
      log_->BeginEpoch(leader_epoch_);
      break;
    case 13:
      return log_->ReleaseIdle();
    case 14:
    case 15:
      return Clean();
    case 16:
      return ReadSomewhere();
    case 17:
      return OneIn(2) ? SetCapacity() : void();
    case 18:
      return OneIn(4) ? FailSomething() : void();
    case 19:
      if (removals_.empty()) break;
      (void)removals_.front().Remove();
      removals_.pop_front();
      break;
    case 20:
      log_->HighWatermarkAdvanced(Offset(model_.durable));
      break;
    default:
      AppendSomething();
  }
}

// How a life ends, if the power did not go by itself.
void History::End() {
  if (is_over()) return;
  files_.set_capacity({});
  removals_.clear();
  const bool may_be_clean = !files_.is_off() && !wants_end_;
  if (may_be_clean && OneIn(2)) CloseCleanly();
  if (is_over()) return;
  log_.reset();
  if (!files_.is_off() && (!was_clean_ || OneIn(2))) {
    const PowerLoss losses[] = {PowerLoss::kNothing, PowerLoss::kEverything, PowerLoss::kSomething};
    const PowerLoss loss = Possible(losses[random_.Below(3)]);
    files_.Cut(loss);
    ++(loss == PowerLoss::kNothing ? report_.kills : report_.power_cuts);
    Tell("cut, loss " + std::to_string(static_cast<int>(loss)));
    if (loss != PowerLoss::kNothing) model_.PowerLost();
    is_torn_ = loss != PowerLoss::kNothing;
    const bool loses_point = loss != PowerLoss::kSomething && !was_clean_ && OneIn(4);
    point_is_lost_ |= loses_point;
  }
  if (was_clean_) at_stop_ = files_.Contents();
  if (was_clean_) TellFiles(at_stop_);
  if (OneIn(4)) first_dirty_ = 0;  // the cleaner's checkpoint is lost
}

void History::CloseCleanly() {
  FlushJob job = log_->PrepareClose();
  Status status = job.Run();
  log_->FlushCompleted(job, status);
  is_torn_ = false;
  const bool is_clean =
      status.ok() && !files_.is_off() && !log_->failure() && log_->recovery_point() == log_->log_end_offset();
  if (!is_clean) return;
  Tell("clean stop");
  ++report_.clean_stops;
  Acknowledge();
  recorded_point_ = log_->RecoveryPointToRecord().value();
  recorded_start_ = log_->log_start_offset().value();
  point_is_lost_ = false;
  was_clean_ = true;
}

// ---- appends

record::BatchOptions History::AnyOptions() {
  record::BatchOptions options;
  if (OneIn(5)) options.codec = static_cast<record::Codec>(random_.Below(record::kCodecs));
  if (OneIn(10)) options.log_append_time_ms = now_ms_;
  return options;
}

std::vector<uint8_t> History::BuildBatch(const record::BatchOptions& options, size_t records) {
  record::BatchBuilder builder(options);
  for (size_t i = 0; i < records; ++i) {
    time_ms_ += Upto(12);
    // Some are old, and some have no time at all.
    int64_t timestamp = OneIn(8) ? kT0 + Upto(static_cast<uint64_t>(time_ms_ - kT0)) : time_ms_;
    const std::string key = "key-" + std::to_string(random_.Below(12));
    const std::string value(random_.Below(110), static_cast<char>('a' + random_.Below(26)));
    std::optional<ByteView> key_bytes, value_bytes;
    if (!OneIn(15)) key_bytes = AsBytes(key);
    if (!OneIn(4)) value_bytes = AsBytes(value);
    builder.Append(timestamp, key_bytes, value_bytes);
  }
  time_ms_ = std::max(time_ms_, now_ms_);
  return builder.Build();
}

AppendResult History::Append(std::vector<uint8_t>& bytes) {
  AppendOptions options;
  options.leader_epoch = leader_epoch_;
  options.now_ms = now_ms_;
  AppendResult result = log_->Append(bytes, options);
  if (!result.ok()) {
    if (result.failure->error == AppendError::kNoSpace || result.failure->error == AppendError::kStorage) {
      ++report_.failed_calls;
      model_.AddAttempt(bytes);
      return result;
    }
    Expect(result.failure->error == AppendError::kOutOfOrderSequence && IsForgotten(bytes),
           "an append is refused: " + result.failure->message);
    return result;
  }
  if (result.is_duplicate) return result;
  Tell("append " + ToString(result.base_offset) + ".." + ToString(result.last_offset) +
       OfProducer(record::BatchHeader(ByteView(bytes))));
  const int64_t wanted = model_.end;
  Expect(result.base_offset.value() == wanted,
         "an append begins at " + ToString(result.base_offset) + ", not " + std::to_string(wanted));
  model_.Add(bytes);
  ++report_.appended;
  return result;
}

// Whether of a producer's batches none is left, nor a snapshot, but a marker is: then it must begin anew, as in Apache
// Kafka.
bool History::IsForgotten(const std::vector<uint8_t>& bytes) {
  const record::BatchView batch{ByteView(bytes)};
  const ProducerEntry* entry = log_->producers().Find(batch.producer_id());
  bool is_forgotten = entry != nullptr && !entry->has_batches() &&
                      (model_.log_start > 0 || config_.cleanup_compact || point_is_lost_);
  // Or where a truncation took what made a cleaning forget a batch, and the snapshot that knew it was not on record: of what
  // is left, the log must know the last.
  if (entry != nullptr && config_.cleanup_compact && clients_were_lost_) {
    const ProducerFacts facts = model_.Replay().producers[batch.producer_id().value()];
    // And where none is left, an older snapshot may know one from before.
    is_forgotten |= facts.last.empty() || entry->last_sequence() == facts.last.back().last_sequence;
  }
  for (Client& client : clients_) client.is_forgotten |= is_forgotten && client.id == batch.producer_id().value();
  return is_forgotten;
}

void History::BeginAnew(Client& client) {
  client.is_forgotten = false;
  ++client.epoch;
  client.next_sequence = 0;
  client.in_flight.clear();
  client.ending.reset();
  const ProducerEntry* entry = log_->producers().Find(ProducerId(client.id));
  client.is_open = entry != nullptr && entry->transaction_first_offset != kNoOffset;
}

void History::AppendPlain() {
  std::vector<uint8_t> bytes = BuildBatch(AnyOptions(), 1 + random_.Below(4));
  if (OneIn(4)) {
    const std::vector<uint8_t> second = BuildBatch(AnyOptions(), 1 + random_.Below(2));
    bytes.insert(bytes.end(), second.begin(), second.end());
  }
  (void)Append(bytes);
}

void History::AppendOf(Client& client) {
  if (client.is_forgotten) BeginAnew(client);
  while (client.has_unwritten()) {  // in order
    auto first =
        std::find_if(client.in_flight.begin(), client.in_flight.end(), [](auto& sent) { return sent.last_offset < 0; });
    Write(client, *first);
    if (first->last_offset < 0) return;
  }
  if (client.ending) return EndTransaction(client);
  if (client.in_flight.size() >= 5) return;
  if (client.is_open && OneIn(4)) {
    client.ending = OneIn(2);
    client.marker_offset = -1;
    return EndTransaction(client);
  }
  if (!client.is_open && client.in_flight.empty() && OneIn(12)) {
    ++client.epoch;
    client.next_sequence = 0;
  }
  const size_t records = 1 + random_.Below(3);
  record::BatchOptions options = AnyOptions();
  options.producer_id = ProducerId(client.id);
  options.producer_epoch = ProducerEpoch(client.epoch);
  options.base_sequence = client.next_sequence;
  options.transactional = client.is_transactional;
  Client::Sent sent;
  sent.bytes = BuildBatch(options, records);
  sent.first_sequence = client.next_sequence;
  sent.last_sequence =
      static_cast<int32_t>((int64_t{client.next_sequence} + static_cast<int64_t>(records) - 1) & INT32_MAX);
  client.next_sequence = Next(sent.last_sequence);
  client.is_open = client.is_transactional;
  client.in_flight.push_back(std::move(sent));
  Write(client, client.in_flight.back());
}

void History::Write(Client& client, Client::Sent& sent) {
  AppendResult result = Append(sent.bytes);
  if (!result.ok()) return;
  Expect(!result.is_duplicate, "a batch of producer " + std::to_string(client.id) + " is taken for a duplicate");
  sent.last_offset = result.last_offset.value();
}

// The coordinator writes the marker until it is on the disk.
void History::EndTransaction(Client& client) {
  if (client.marker_offset >= 0 && !OneIn(10)) return;
  if (OneIn(8)) ++coordinator_epoch_;
  std::vector<uint8_t> bytes = record::BuildEndTransactionMarker({.timestamp = now_ms_,
                                                                  .producer_id = ProducerId(client.id),
                                                                  .producer_epoch = ProducerEpoch(client.epoch),
                                                                  .marker = {*client.ending, coordinator_epoch_}});
  AppendResult result = Append(bytes);
  if (result.ok()) client.marker_offset = result.last_offset.value();
}

// As a leader's batches come, with the offsets and epochs they have.
void History::AppendFollowing() {
  Client& client = clients_[random_.Below(clients_.size())];
  record::BatchOptions options = AnyOptions();
  if (OneIn(6)) leader_epoch_ = leader_epoch_ + 1;
  options.leader_epoch = leader_epoch_;
  options.base_offset = Offset(model_.end + (config_.cleanup_compact && OneIn(4) ? Upto(5) : 0));
  std::vector<uint8_t> bytes;
  const bool ends = client.is_open && OneIn(4);
  if (ends) {
    bytes = record::BuildEndTransactionMarker({.timestamp = now_ms_,
                                               .producer_id = ProducerId(client.id),
                                               .producer_epoch = ProducerEpoch(client.epoch),
                                               .marker = {OneIn(2), coordinator_epoch_}});
    record::MutableBatchView batch{MutableByteView(bytes)};
    batch.SetBaseOffset(options.base_offset);
    batch.SetLeaderEpoch(leader_epoch_);
  } else {
    options.producer_id = ProducerId(client.id);
    options.producer_epoch = ProducerEpoch(client.epoch);
    options.base_sequence = client.next_sequence;
    options.transactional = client.is_transactional;
    bytes = BuildBatch(options, 1 + random_.Below(4));
  }
  AppendResult result = log_->AppendAsFollower(bytes, now_ms_);
  if (!result.ok()) {
    ++report_.failed_calls;
    model_.AddAttempt(bytes);
    return;
  }
  Tell("follow " + ToString(result.base_offset) + ".." + ToString(result.last_offset) +
       OfProducer(record::BatchHeader(ByteView(bytes))));
  ++report_.appended;
  model_.Add(bytes);
  client.is_open = client.is_transactional && !ends;
  if (!ends) client.next_sequence = Next(record::BatchView(ByteView(bytes)).last_sequence());
}

void History::AppendSomething() {
  if (is_follower_) return AppendFollowing();
  if (OneIn(3)) return AppendPlain();
  AppendOf(clients_[random_.Below(clients_.size())]);
}

// ---- flushes

void History::Flush(bool is_checkpoint) {
  FlushJob job = is_checkpoint ? log_->PrepareCheckpoint() : log_->PrepareFlush();
  if (OneIn(3)) AppendSomething();
  if (!is_alive()) return;
  if (OneIn(8)) (void)log_->Roll(now_ms_);
  Status status = job.Run();
  if (OneIn(3) && is_alive()) AppendSomething();
  log_->FlushCompleted(job, status);
  if (!status.ok()) ++report_.failed_calls;
  Tell(std::string(is_checkpoint ? "checkpoint" : "flush") + " up to " + ToString(log_->recovery_point()));
  if (status.ok()) Acknowledge();
}

void History::Acknowledge() {
  const int64_t point = log_->recovery_point().value();
  model_.Flushed(point);
  for (Client& client : clients_) {
    while (!client.in_flight.empty()) {
      const Client::Sent& first = client.in_flight.front();
      if (first.last_offset < 0 || first.last_offset >= point) break;
      client.in_flight.pop_front();
      ++report_.acknowledged;
    }
    const bool is_ended =
        client.ending && client.marker_offset >= 0 && client.marker_offset < point && client.in_flight.empty();
    if (!is_ended) continue;
    client.ending.reset();
    client.is_open = false;
  }
}

// The house keeping writes the checkpoint files.
void History::Record() {
  if (point_is_lost_) Flush(true);  // it comes behind a flush; gaps and damage that were let be are below the point then
  if (!is_alive() || log_->failure()) return;
  point_is_lost_ = false;
  recorded_point_ = log_->RecoveryPointToRecord().value();
  // Not before what lies below it is on the disk.
  recorded_start_ = std::min(log_->log_start_offset().value(), recorded_point_);
  Tell("record " + std::to_string(recorded_point_) + ", start " + std::to_string(recorded_start_));
}

// ---- removal

void History::Truncate() {
  auto at = model_.batches.lower_bound(model_.log_start + Upto(static_cast<uint64_t>(model_.end - model_.log_start)));
  if (at == model_.batches.end()) return;
  const int64_t to = at->first;
  if (point_is_lost_) return;
  if (to <= FirstBase()) return StartAnewAt(to);  // nothing stays: so does the log
  const int64_t kept_end = model_.EndBelow(to);
  // Half a truncation would leave a log that ends below its start on record, which is not believed then.
  if (recorded_start_ > kept_end) return;
  Tell("truncate to " + std::to_string(to));
  // Whoever truncates writes the lower recovery point first: where the log ends, should the truncation end early.
  recorded_point_ = std::min(recorded_point_, kept_end);
  recorded_start_ = std::min(recorded_start_, to);
  first_dirty_ = std::min(first_dirty_, to);
  LearnEnded();
  for (const auto& [transaction, marker] : ended_ever_) {
    if (transaction.second < to && to <= marker) open_again_.insert(transaction);
  }
  model_.Truncating(to);
  clients_are_lost_ = clients_were_lost_ = true;
  Result<RemovalJob> job = log_->TruncateTo(Offset(to), now_ms_);
  if (!job.ok()) {
    wants_end_ = true;
    return;
  }
  ++report_.truncations;
  model_.Truncated(to);
  Expect(log_->log_end_offset().value() == to, "the truncated log ends elsewhere");
  for (Client& client : clients_) SendAgain(client);
  clients_are_lost_ = false;
  (void)job->Remove();
}

int64_t History::FirstBase() const {
  int64_t first = INT64_MAX;
  for (const auto& [path, content] : files_.Contents()) {
    std::optional<OffsetFile> file = ParseOffsetFileName(path.substr(path.rfind('/') + 1));
    if (file && file->suffix == kLogSuffix) first = std::min(first, file->offset.value());
  }
  return first;
}

// What a follower does that is too far behind.
void History::StartAnewAt(int64_t at) {
  if (point_is_lost_) return;
  Tell("start anew at " + std::to_string(at));
  recorded_point_ = recorded_start_ = first_dirty_ = 0;
  model_.Truncating(0);
  model_.log_start = at;
  clients_are_lost_ = clients_were_lost_ = snapshots_are_lost_ = began_anew_ = true;
  Result<RemovalJob> job = log_->TruncateFullyAndStartAt(Offset(at), now_ms_);
  if (!job.ok()) {
    wants_end_ = true;
    return;
  }
  ++report_.truncations;
  model_.StartedAnewAt(at);
  snapshots_are_lost_ = false;
  greatest_start_ = at;
  model_.least_log_start = 0;
  for (Client& client : clients_) SendAgain(client);
  clients_are_lost_ = false;
  removals_.push_back(std::move(*job));
}

void History::Retain() {
  const int64_t start = log_->log_start_offset().value();
  if (OneIn(2) && model_.durable > start)
    log_->DeleteRecordsTo(Offset(start + Upto(static_cast<uint64_t>(std::min<int64_t>(model_.durable - start, 12)))));
  RemovalJob job = log_->ApplyRetention(now_ms_, Offset(model_.durable));
  model_.log_start = log_->log_start_offset().value();
  greatest_start_ = std::max(greatest_start_, model_.log_start);
  Expect(model_.log_start <= std::max(model_.durable, start), "retention took what is not on the disk");
  Tell("retention: start " + std::to_string(model_.log_start));
  report_.removed_segments += job.segments();
  // The program ends before it is done, or it cannot be done: nothing more is removed then, so that no hole is left.
  if (OneIn(6) || !job.Rename().ok()) {
    wants_end_ = true;
    return;
  }
  removals_.push_back(std::move(job));
}

void History::Clean() {
  if (!config_.cleanup_compact) return;
  CleanablePart part = log_->Cleanable(Offset(first_dirty_), Offset(model_.durable), now_ms_);
  if (part.dirty_bytes == 0) return;
  Tell("clean " + ToString(part.first_dirty) + ".." + ToString(part.first_uncleanable));
  CleanOptions options;
  options.now_ms = now_ms_;
  options.bytes_per_run = 500 + random_.Below(3000);
  if (OneIn(4)) options.map.most_bytes = 12 * OffsetMap::kSlotBytes;
  LearnEnded();
  CleanJob job = log_->PrepareClean(part, options);
  model_.cleaning = {part.first_uncleanable.value(), part.first_uncleanable.value(), greatest_start_, now_ms_};
  bool is_done = false;
  while (is_alive()) {
    Result<CleanJob::Progress> progress = job.Run();
    if (!progress.ok()) {
      ++report_.failed_calls;
      job.Discard();
      break;
    }
    if (*progress == CleanJob::Progress::kDone) {
      is_done = true;
      break;
    }
    if (*progress == CleanJob::Progress::kGroup) PutCleanedInPlace(job);
    if (OneIn(3) && is_alive()) AppendSomething();
    if (OneIn(6) && is_alive()) Flush(OneIn(2));
    if (log_->failure()) wants_end_ = true;
  }
  if (!is_alive()) return;
  log_->CleanCompleted(job);
  if (log_->failure()) {
    wants_end_ = true;  // the next start may put in place what could not be removed
    return;
  }
  JudgeCleaning(job, is_done);
}

void History::PutCleanedInPlace(CleanJob& job) {
  Result<RemovalJob> removal = log_->ReplaceCleaned(job);
  if (!removal.ok()) {
    wants_end_ = true;
    return;
  }
  if (!OneIn(4)) removals_.push_back(std::move(*removal));
}

void History::JudgeCleaning(const CleanJob& job, bool is_done) {
  if (is_done) {
    ++report_.cleanings;
    first_dirty_ = job.clean_end().value();
    model_.cleaning->end = first_dirty_;
    model_.cleaning->is_done = true;
  }
  files_.StopFailing();
  std::vector<std::string> found;
  if (!ReadAll(found)) return;
  const int64_t start = log_->log_start_offset().value(), end = log_->log_end_offset().value();
  const std::string complaint = model_.Judge(found, start, end, /*may_have_holes=*/true);
  if (Expect(complaint.empty(), complaint)) model_.TakeOver(found, start, end);
}

// ---- what else happens

void History::ReadSomewhere() {
  ReadOptions options;
  options.offset = Offset(model_.log_start + Upto(static_cast<uint64_t>(model_.end - model_.log_start)));
  options.end_offset = log_->log_end_offset();
  options.max_bytes = random_.Below(2000);
  if (OneIn(3)) files_.DropCaches();
  ReadResult result = log_->Read(options);
  if (result.status != ReadStatus::kNeedsDisk) return;
  PrefetchJob job = log_->PreparePrefetch(options, OneIn(2));
  job.Run();
  log_->PrefetchCompleted(job);
}

void History::SetCapacity() {
  if (OneIn(2)) return files_.set_capacity({});
  files_.set_capacity(files_.used_bytes() + random_.Below(2500));
}

void History::FailSomething() {
  if (OneIn(3)) return files_.StopFailing();
  const IoCall call = test::kAllIoCalls[random_.Below(std::size(test::kAllIoCalls))];
  int os_errno = EIO;
  if (call == IoCall::kOpen && OneIn(2)) os_errno = EMFILE;
  if (call == IoCall::kWrite && OneIn(2)) os_errno = ENOSPC;
  Tell("call " + std::to_string(static_cast<int>(call)) + " will fail");
  files_.FailNth(call, 1 + random_.Below(6), os_errno, OneIn(4));
}

}  // namespace

void HistoryReport::Add(const HistoryReport& other) {
  appended += other.appended;
  acknowledged += other.acknowledged;
  starts += other.starts;
  power_cuts += other.power_cuts;
  kills += other.kills;
  clean_stops += other.clean_stops;
  cut_starts += other.cut_starts;
  duplicates += other.duplicates;
  resent += other.resent;
  cleanings += other.cleanings;
  removed_segments += other.removed_segments;
  truncations += other.truncations;
  failed_calls += other.failed_calls;
}

HistoryReport RunHistory(const HistoryOptions& options) {
  return History(options).Run();
}

}  // namespace kb::log

// How a replica changes its data directory (KIP-113), at its home. The partition goes on serving but for a moment.
//
//   1  <to>/<topic>-<n>.<hex>-future is made, and follows the log; rate-limited, one replica of this home at a time
//   2  it has come to the end of the log: the metadata shall name its directory
//   3  the partition is out of service: what it has is flushed and acknowledged, the rest is copied, all of it synced
//   4  the checkpoint files of <to> say what those of <from> say
//   5  <from>/<topic>-<n> → <from>/….<hex>-delete, synced;  <to>/….<hex>-future → <to>/<topic>-<n>, synced
//   6  the partition is opened there
//
// A crash before the first rename of 5 leaves the replica where it was, and a copy that is continued or removed;
// between the two the future replica is the only one, and the start puts it in place (partition/data_directories.cc);
// later it is there. 2 stands before 5 for Apache Kafka's sake: its start goes by the directory in the metadata.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/shortage.h"
#include "log/log_directory.h"
#include "partition/partition_table.h"

namespace kb::partition {

namespace {

constexpr int64_t kShortageDelayNs = 1'000'000'000;
constexpr int64_t kLongestNapNs = 100'000'000;

}  // namespace

reactor::Task<ErrorCode> PartitionTable::Move(MoveRequest request) {
  auto wait = Await(request.id);
  (void)co_await wait;
  std::shared_ptr<Entry> entry = FindEntry(request.id);
  if (entry == nullptr || environment_.moves == nullptr) co_return ErrorCode::kReplicaNotAvailable;
  // What is on its way elsewhere is called off.
  while (!entry->has_opened() || (entry->future != nullptr && entry->future->data_directory() != request.to)) {
    if (entry->future != nullptr) entry->future->Cancel();
    moved_.NotifyAll();  // it may be waiting for its turn
    auto changed = entry->changed.Wait();
    co_await changed;
    if (FindEntry(request.id) != entry) co_return ErrorCode::kReplicaNotAvailable;
  }
  if (entry->failed || entry->partition->offline()) co_return ErrorCode::kKafkaStorageError;
  if (entry->data_directory == request.to || entry->future != nullptr) co_return ErrorCode::kNone;
  if (!failed_directories_.empty()) co_return ErrorCode::kKafkaStorageError;

  std::string name = request.directory_name;
  if (name.empty()) {
    Uuid unique = environment_.reactor.random().NextUuid();
    name = log::DirectoryNameOf(entry->name, log::ReplicaDirectoryKind::kFuture, unique);
  }
  auto future = std::make_shared<FutureReplica>(environment_.files, entry->name, request.to, name);
  entry->future = future;
  auto create = environment_.disk.Run([&future, &request] { return future->Create(request.id.topic_id); });
  Status created = co_await create;
  if (!created.ok()) {
    MoveFailed(*entry, *future, {created.error(), /*is_of_target=*/true});
    entry->future.reset();
    entry->changed.NotifyAll();
    co_return ErrorCode::kKafkaStorageError;
  }
  environment_.log.Info("replica " + entry->name.ToString() + " is on its way from " + entry->data_directory + " to " +
                        request.to);
  environment_.reactor.Spawn(RunMove(request.id, entry, future));
  co_return ErrorCode::kNone;
}

reactor::Task<void> PartitionTable::RunMove(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future) {
  while (is_moving_ && !future->is_halted()) {
    auto wait = moved_.Wait();
    co_await wait;
  }
  bool is_moved = false;
  if (!future->is_halted()) {
    is_moving_ = true;
    auto copy = Copy(id, entry, future);
    MoveStep failed = co_await copy;
    if (failed) MoveFailed(*entry, *future, *failed);
    if (!failed && !future->is_halted()) {
      auto put = PutInPlace(id, entry, future);
      co_await put;
      is_moved = entry->data_directory == future->data_directory();
    }
    // Damaged, or in nobody's way. A copy is kept while the disk under either of the two is gone.
    const bool is_lost = entry->partition != nullptr && entry->partition->offline();
    const bool may_be_tried_again = failed && (!failed->is_of_target || IsShortage(failed->error));
    if (may_be_tried_again && !is_lost) future->Cancel();
    is_moving_ = false;
    moved_.NotifyAll();
  }
  if (entry->partition != nullptr) entry->partition->ResumeCleaning();
  if (!is_moved && future->is_cancelled()) {
    auto forget = Forget(id, entry, future);
    co_await forget;
  }
  entry->future.reset();
  entry->changed.NotifyAll();
}

// Where it was is where it stays.
reactor::Task<void> PartitionTable::Forget(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future) {
  Uuid unique = environment_.reactor.random().NextUuid();
  auto remove = environment_.disk.Run([&future, &unique] { return future->Remove(unique); });
  Status removed = co_await remove;
  // What is left there must not meet another copy of the same replica at the next start: no more moves until then.
  if (!removed.ok()) environment_.on_storage_failure(future->data_directory(), removed.error());
  // Nobody waits for it: a change that deletes this topic may be waiting for us.
  auto assign = [](ReplicaMoves* moves, PartitionId of, std::string directory) -> reactor::Task<void> {
    auto assigned = moves->Assign(of, std::move(directory));
    (void)co_await assigned;
  };
  environment_.reactor.Spawn(assign(environment_.moves, id, entry->data_directory));
}

void PartitionTable::MoveFailed(const Entry& entry, const FutureReplica& future, const MoveFailure& failure) {
  environment_.log.Error("replica " + entry.name.ToString() + " stays in " + entry.data_directory + ", its way to " +
                         future.data_directory() + " ended: " + failure.error.message);
  if (failure.is_of_target && !IsShortage(failure.error)) environment_.on_storage_failure(future.data_directory(), failure.error);
}

reactor::Task<PartitionTable::MoveStep> PartitionTable::Copy(PartitionId id, std::shared_ptr<Entry> entry,
                                                             FuturePtr future) {
  std::shared_ptr<Partition> source = entry->partition;
  if (source == nullptr) co_return MoveFailure{Error{ErrorKind::kIo, "the partition is not in service"}};
  auto pause = source->PauseCleaning();
  co_await pause;
  auto open = OpenFuture(entry, source, future);
  MoveStep failed = co_await open;
  if (failed) co_return failed;
  auto copy = CatchUp(source, future, /*is_throttled=*/true);
  failed = co_await copy;
  if (failed || future->is_halted()) co_return failed;
  auto assign = AssignFuture(id, future);
  bool is_assigned = co_await assign;
  if (!is_assigned && !future->is_halted()) {
    co_return MoveFailure{Error{ErrorKind::kIo, "the metadata cannot say so"}};
  }
  if (future->is_halted()) co_return failed;
  auto rest = CatchUp(source, future, /*is_throttled=*/true);
  failed = co_await rest;
  co_return failed;
}

// The metadata log may wait for us (a change that deletes this topic): so whoever halts us ends the wait.
reactor::Task<bool> PartitionTable::AssignFuture(PartitionId id, FuturePtr future) {
  auto result = std::make_shared<std::optional<bool>>();
  auto assign = [](ReplicaMoves* moves, PartitionId of, FuturePtr waiting,
                   std::shared_ptr<std::optional<bool>> done) -> reactor::Task<void> {
    auto assigned = moves->Assign(of, waiting->data_directory());
    *done = co_await assigned;
    waiting->changed().NotifyAll();
  };
  environment_.reactor.Spawn(assign(environment_.moves, id, future, result));
  while (!result->has_value() && !future->is_halted()) {
    auto wait = future->changed().Wait();
    co_await wait;
  }
  co_return result->value_or(false);
}

reactor::Task<PartitionTable::MoveStep> PartitionTable::OpenFuture(std::shared_ptr<Entry> entry,
                                                                   std::shared_ptr<Partition> source,
                                                                   FuturePtr future) {
  const log::LogConfig config = entry->config.log;
  const bool was_compacted = source->clean_end().has_value() || config.cleanup_compact;
  int64_t now_ms = environment_.clock.WallMs();
  auto open = environment_.disk.Run([&] { return future->Open(config, was_compacted, now_ms); });
  Status status = co_await open;
  if (status.ok()) {
    // What a crash took from the source, its later records may have replaced.
    Offset agreed{0};
    if (std::optional<LeaderEpoch> epoch = future->latest_epoch()) {
      log::EpochEndOffset end = source->log().EndOffsetForEpoch(*epoch);
      if (end.epoch == *epoch) agreed = end.end_offset;
    }
    Offset start = source->log_start_offset();
    // What was cleaned away meanwhile must not come back: a key's tombstone may have gone with it.
    if (was_compacted) agreed = std::min(agreed, start);
    auto follow = environment_.disk.Run([&] { return future->Follow(start, agreed, now_ms); });
    status = co_await follow;
  }
  if (!status.ok()) co_return MoveFailure{status.error(), /*is_of_target=*/true};
  future->Refresh();
  co_return std::nullopt;
}

reactor::Task<PartitionTable::MoveStep> PartitionTable::CatchUp(std::shared_ptr<Partition> source, FuturePtr future,
                                                                bool is_throttled) {
  while (!future->is_halted() || !is_throttled) {
    const Offset end = source->log_end_offset();
    if (future->log_end_offset() >= end) break;
    const uint64_t before = future->size_bytes();
    const int64_t began_ns = environment_.clock.MonotonicNs();
    auto copy = CopyPiece(source, future, /*may_wait=*/is_throttled);
    MoveStep failed = co_await copy;
    if (failed) co_return failed;
    if (future->log_end_offset() >= end) break;  // what came meanwhile is little
    const double rate = is_throttled ? environment_.moves->most_bytes_per_second() : INFINITY;
    const double bytes = future->size_bytes() > before ? static_cast<double>(future->size_bytes() - before) : 0;
    const double due_ns = static_cast<double>(began_ns) + bytes / rate * 1e9;
    while (!future->is_halted()) {
      const double left_ns = due_ns - static_cast<double>(environment_.clock.MonotonicNs());
      if (left_ns < 1e6) break;
      reactor::Sleep nap(static_cast<int64_t>(std::min(left_ns, static_cast<double>(kLongestNapNs))));
      co_await nap;
    }
  }
  co_return std::nullopt;
}

reactor::Task<PartitionTable::MoveStep> PartitionTable::CopyPiece(std::shared_ptr<Partition> source, FuturePtr future,
                                                                  bool may_wait) {
  if (source->offline()) co_return MoveFailure{Error{ErrorKind::kIo, "its data directory is offline"}};
  const int64_t now_ms = environment_.clock.WallMs();
  const Offset from = future->log_end_offset();
  const Offset start = source->log_start_offset();
  if (from < start) {  // retention was faster
    auto follow = environment_.disk.Run([&] { return future->Follow(start, from, now_ms); });
    Status status = co_await follow;
    if (!status.ok()) co_return MoveFailure{status.error(), /*is_of_target=*/true};
    future->Refresh();
    co_return std::nullopt;
  }
  const Offset end = source->log_end_offset();
  auto reading = source->ReadForCopy(from, FutureReplica::kPieceBytes);
  log::ReadResult read = co_await reading;
  if (read.status == log::ReadStatus::kOutOfRange) co_return std::nullopt;  // likewise: the next look tells
  if (read.status != log::ReadStatus::kOk) {
    std::string why =
        read.failure ? read.failure->message : "damage at offset " + ToString(from) + ": a copy would lose it";
    co_return MoveFailure{Error{ErrorKind::kCorrupt, std::move(why)}};
  }
  auto append = environment_.disk.Run([&]() -> Status {
    if (read.slice.size_bytes == 0) return future->SkipTo(end, now_ms);
    return future->Append(read.slice, now_ms);
  });
  Status appended = co_await append;
  future->Refresh();
  if (appended.ok()) co_return std::nullopt;
  if (appended.error().kind == ErrorKind::kCorrupt) co_return MoveFailure{appended.error()};
  if (!IsShortage(appended.error())) co_return MoveFailure{appended.error(), /*is_of_target=*/true};
  if (!may_wait) co_return MoveFailure{appended.error()};
  reactor::Sleep pause(kShortageDelayNs);  // there may be room later
  co_await pause;
  co_return std::nullopt;
}

// From here on it cannot be called off. Whatever happens, the partition is opened again, here or there.
reactor::Task<void> PartitionTable::PutInPlace(PartitionId id, std::shared_ptr<Entry> entry, FuturePtr future) {
  std::shared_ptr<Partition> source = entry->partition;
  if (source == nullptr || source->offline()) co_return;
  environment_.moves->OutOfService(id, entry->name);
  entry->partition.reset();  // requests wait, as while it is opening
  auto hand_over = source->HandOver();
  co_await hand_over;

  log::Log& log = source->log();
  CheckpointEntry state{
      entry->name,          id.topic_id,        future->data_directory(), log.log_end_offset(), log.log_start_offset(),
      log.log_end_offset(), source->clean_end()};
  OpenRequest request;
  request.id = id;
  request.name = entry->name;
  request.recovery_point = log.RecoveryPointToRecord();
  request.log_start_offset = log.log_start_offset();
  request.clean_end = source->clean_end();
  request.was_compacted = request.clean_end.has_value();
  auto rest = CatchUp(source, future, /*is_throttled=*/false);
  MoveStep failed = co_await rest;
  if (!failed && source->offline()) failed = MoveFailure{Error{ErrorKind::kIo, "its data directory is offline"}};
  if (!failed) {
    auto exchange = Exchange(entry, future, state);
    failed = co_await exchange;
  }
  if (failed) {
    MoveFailed(*entry, *future, *failed);
    failed->source_is_gone ? future->Stop() : future->Cancel();
  } else {
    entry->data_directory = future->data_directory();
    request.was_clean = true;
    request.recovery_point = state.recovery_point;
  }
  auto finish = environment_.moves->Finished(entry->name, !failed);
  co_await finish;
  request.config = entry->config;
  // Neither name can be had: the next start finds the future replica, whole. Nothing may be made anew here.
  if (!failed || !failed->source_is_gone) request.data_directory = entry->data_directory;
  auto serve = Serve(entry, request);
  Status served = co_await serve;
  if (!served.ok()) co_return;  // which was said
  environment_.moves->BackInService(id, entry->name);
  if (!failed)
    environment_.log.Info("replica " + entry->name.ToString() + " lies in " + entry->data_directory + " now");
}

reactor::Task<PartitionTable::MoveStep> PartitionTable::Exchange(std::shared_ptr<Entry> entry, FuturePtr future,
                                                                 CheckpointEntry state) {
  auto close = environment_.disk.Run([&future] { return future->Close(); });
  Status status = co_await close;
  if (!status.ok()) co_return MoveFailure{status.error(), /*is_of_target=*/true};
  auto announce = environment_.moves->Announce(std::move(state));
  status = co_await announce;
  if (!status.ok()) co_return MoveFailure{status.error()};
  Uuid unique = environment_.reactor.random().NextUuid();
  log::DirectoryExchange exchange;
  exchange.from = entry->data_directory;
  exchange.to = future->data_directory();
  exchange.name = log::DirectoryNameOf(entry->name);
  exchange.gone = log::DirectoryNameOf(entry->name, log::ReplicaDirectoryKind::kDelete, unique);
  exchange.future = future->directory_name();
  auto run = environment_.disk.Run([&] { return exchange.Run(environment_.files); });
  status = co_await run;
  if (!status.ok()) co_return MoveFailure{status.error(), exchange.target_failed, !exchange.source_is_there};
  environment_.reactor.Spawn(RemoveLater(exchange.from + "/" + exchange.gone, entry->config.file_delete_delay_ms));
  co_return std::nullopt;
}

reactor::Task<void> PartitionTable::StopMoves() {
  auto entries = entries_;  // the table may change while this waits
  for (auto& [id, entry] : entries) {
    if (entry->future != nullptr) entry->future->Stop();
  }
  moved_.NotifyAll();
  for (auto& [id, entry] : entries) {
    while (entry->future != nullptr) {
      entry->future->Stop();
      moved_.NotifyAll();
      auto wait = entry->changed.Wait();
      co_await wait;
    }
  }
}

reactor::Task<std::vector<ReplicaSize>> PartitionTable::Sizes(const std::set<TopicPartition>* names) {
  std::vector<ReplicaSize> sizes;
  auto entries = entries_;  // the table may change while this waits
  for (auto& [id, entry] : entries) {
    if (names != nullptr && !names->contains(entry->name)) continue;
    auto wait = Await(id);
    std::shared_ptr<Partition> partition = co_await wait;
    if (partition == nullptr) continue;
    sizes.push_back({entry->name, entry->data_directory, partition->log().size_bytes()});
    const std::shared_ptr<FutureReplica>& future = entry->future;
    if (future == nullptr) continue;
    sizes.push_back({entry->name, future->data_directory(), future->size_bytes(),
                     partition->log_end_offset() - future->log_end_offset(), /*is_future=*/true});
  }
  co_return sizes;
}

}  // namespace kb::partition

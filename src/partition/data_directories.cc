#include "partition/data_directories.h"

#include <algorithm>
#include <utility>

#include "log/log_directory.h"
#include "metadata/topic_name.h"

namespace kb::partition {

DataDirectories::DataDirectories(io::FileSystem& files, std::vector<Directory> directories, LogSink& log,
                                 bool some_are_missing)
    : files_(files), log_(log), some_are_missing_(some_are_missing) {
  for (Directory& directory : directories) states_.push_back(State{std::move(directory)});
}

Status DataDirectories::Load(const Wanted& wanted, Random& random) {
  for (State& state : states_) KB_RETURN_IF_ERROR(LoadOne(state, wanted, random));
  KB_RETURN_IF_ERROR(SettleFutures());
  for (State& state : states_) KB_RETURN_IF_ERROR(CheckRecoveryPoints(state));
  for (State& state : states_) {
    // Whatever happens from here on is not a clean stop until MarkClean says so.
    if (state.was_clean) KB_RETURN_IF_ERROR(log::RemoveCleanShutdown(files_, state.directory.path));
  }
  return Status();
}

namespace {

// A checkpoint is derived: what cannot be read counts as saying nothing, and the logs are checked instead.
log::OffsetCheckpoint ReadOrNothing(io::FileSystem& files, const std::string& path, LogSink& log,
                                    bool* is_unreadable = nullptr) {
  Result<log::OffsetCheckpoint> read = log::ReadOffsetCheckpoint(files, path);
  if (is_unreadable != nullptr) *is_unreadable = !read.ok();
  if (read.ok()) return std::move(read).value();
  log.Warning(read.error().message + "; it is ignored, and the logs are checked instead");
  return {};
}

}  // namespace

Status DataDirectories::LoadOne(State& state, const Wanted& wanted, Random& random) {
  const std::string& path = state.directory.path;
  Result<std::optional<log::CleanShutdown>> clean = log::ReadCleanShutdown(files_, path);
  if (!clean.ok()) return clean.error();
  state.was_clean = clean->has_value();
  state.recovery_points = ReadOrNothing(files_, path + "/" + std::string(log::kRecoveryPointFile), log_);
  state.log_starts = ReadOrNothing(files_, path + "/" + std::string(log::kLogStartFile), log_);
  state.clean_ends =
      ReadOrNothing(files_, path + "/" + std::string(log::kCleanerFile), log_, &state.clean_ends_are_unknown);
  state.high_watermarks = ReadOrNothing(files_, path + "/" + std::string(log::kHighWatermarkFile), log_);

  Result<log::DataDirectoryContents> contents = log::ScanDataDirectory(files_, path);
  if (!contents.ok()) return contents.error();
  for (const std::string& name : contents->foreign) {
    log_.Warning("ignoring " + path + "/" + name + ": it is no replica's directory");
  }
  for (const log::ReplicaDirectory& replica : contents->replicas) {
    if (replica.kind == log::ReplicaDirectoryKind::kDelete) {
      KB_RETURN_IF_ERROR(files_.RemoveRecursively(path + "/" + replica.name));
      continue;
    }
    if (replica.kind == log::ReplicaDirectoryKind::kFuture) {
      KB_RETURN_IF_ERROR(LoadFuture(state, replica, wanted));
      continue;
    }
    bool ours = replica.kind == log::ReplicaDirectoryKind::kCurrent;
    if (!ours || replica.partition.topic == metadata::kMetadataTopicName) continue;
    Result<Uuid> topic_id = log::ReadTopicId(files_, path + "/" + replica.name);
    if (!topic_id.ok() && topic_id.error().kind != ErrorKind::kNotFound) {
      log_.Error(topic_id.error().message);
    }
    std::optional<Uuid> id;
    if (topic_id.ok()) id = *topic_id;
    // One without an id beside one that has its place: nobody knows of which topic of that name it was.
    const bool is_nobodys = !id && places_.contains(replica.partition);
    if (is_nobodys || !wanted(replica.partition, id).has_value()) {
      Result<std::string> renamed = log::RenameReplicaDirectory(files_, path, replica.partition,
                                                                log::ReplicaDirectoryKind::kStray, random.NextUuid());
      if (!renamed.ok()) return renamed.error();
      log_.Warning("the metadata knows no replica " + replica.partition.ToString() + " in " + path +
                   ": its directory is now " + *renamed);
      continue;
    }
    if (places_.contains(replica.partition)) {
      return Error{ErrorKind::kCorrupt, "replica " + replica.partition.ToString() + " is in two data directories: " +
                                            states_[places_[replica.partition].directory].directory.path + " and " +
                                            path};
    }
    places_[replica.partition].directory = static_cast<size_t>(&state - states_.data());
    ++state.replicas;
  }
  return Status();
}

// One that nobody can go on with is removed: of a replica that is not ours, or without the id of its topic. Of two
// copies of one replica (a move that was sent elsewhere, and could not tidy up) the one stays that the metadata names:
// it alone may be whole, with the present one gone already.
Status DataDirectories::LoadFuture(State& state, const log::ReplicaDirectory& replica, const Wanted& wanted) {
  const std::string& path = state.directory.path;
  Result<Uuid> topic_id = log::ReadPartitionMetadata(files_, path + "/" + replica.name);
  std::optional<Uuid> named;
  if (topic_id.ok()) named = wanted(replica.partition, *topic_id);
  Future found{replica.partition, path, replica.name};
  auto first = std::find_if(futures_.begin(), futures_.end(),
                            [&](const Future& future) { return future.name == replica.partition; });
  if (named && first == futures_.end()) {
    futures_.push_back(std::move(found));
    return Status();
  }
  if (named == state.directory.id && first->path != path) std::swap(*first, found);
  return files_.RemoveRecursively(found.path + "/" + found.directory_name);
}

Status DataDirectories::SettleFutures() {
  std::vector<Future> on_their_way;
  for (const Future& future : futures_) {
    const std::string name = log::DirectoryNameOf(future.name);
    if (auto place = places_.find(future.name); place != places_.end()) {
      if (place->second.directory != IndexOf(future.path)) {
        on_their_way.push_back(future);
      } else {
        KB_RETURN_IF_ERROR(files_.RemoveRecursively(future.path + "/" + future.directory_name));
      }
    } else if (some_are_missing_) {
      log_.Error("replica " + future.name.ToString() + " may lie in the data directory that is missing; " +
                 future.path + "/" + future.directory_name + " is left as it is");
    } else {
      KB_RETURN_IF_ERROR(log::RenameDurably(files_, future.path, future.directory_name, name));
      log_.Info("replica " + name + " lies in " + future.path + " now: its move was all but done");
      const size_t directory = IndexOf(future.path);
      places_[future.name].directory = directory;
      ++states_[directory].replicas;
    }
  }
  futures_ = std::move(on_their_way);
  return Status();
}

// A replica that the checkpoint does not name came later than it: nothing of it need be durable. Without a checkpoint,
// in a directory where there are replicas, that cannot be told. So there is one from the first start on.
Status DataDirectories::CheckRecoveryPoints(State& state) {
  const std::string path = state.directory.path + "/" + std::string(log::kRecoveryPointFile);
  state.has_recovery_points = !state.recovery_points.empty();
  if (state.has_recovery_points) return Status();
  Result<log::OffsetCheckpoint> read = log::ReadOffsetCheckpoint(files_, path);
  Result<uint64_t> size = files_.SizeOf(path);
  if (!size.ok() && size.error().kind != ErrorKind::kNotFound) return size.error();
  state.has_recovery_points = read.ok() && size.ok() && *size > 0;
  if (state.has_recovery_points || state.replicas > 0) return Status();
  state.has_recovery_points = true;
  return log::WriteOffsetCheckpoint(files_, path, {});
}

bool DataDirectories::was_clean() const {
  return std::all_of(states_.begin(), states_.end(), [](const State& state) { return state.was_clean; });
}

// nullptr: in one that is missing.
DataDirectories::State* DataDirectories::StateFor(const TopicPartition& name, const Uuid& directory_id) {
  if (auto wish = wishes_.find(name); wish != wishes_.end()) return &states_[IndexOf(wish->second)];
  for (State& state : states_) {
    if (state.directory.id == directory_id) return &state;
  }
  const bool is_named = directory_id != kMigratingDirectory && directory_id != kUnassignedDirectory;
  if (some_are_missing_ && is_named) return nullptr;
  return &*std::min_element(states_.begin(), states_.end(),
                            [](const State& a, const State& b) { return a.replicas < b.replicas; });
}

size_t DataDirectories::IndexOf(const std::string& path) const {
  auto found =
      std::find_if(states_.begin(), states_.end(), [&](const State& state) { return state.directory.path == path; });
  KB_CHECK(found != states_.end());
  return static_cast<size_t>(found - states_.begin());
}

const DataDirectories::Directory* DataDirectories::FindDirectory(const std::string& path) const {
  for (const State& state : states_) {
    if (state.directory.path == path) return &state.directory;
  }
  return nullptr;
}

const Uuid& DataDirectories::DirectoryOf(const TopicPartition& name) const {
  auto place = places_.find(name);
  return place == places_.end() ? kUnassignedDirectory : states_[place->second.directory].directory.id;
}

void DataDirectories::Wish(const TopicPartition& name, const std::string& path) {
  if (FindDirectory(path) == nullptr || places_.contains(name)) return;
  if (wishes_.size() >= kMostWishes) wishes_.erase(wishes_.begin());
  wishes_[name] = path;
}

void DataDirectories::Announce(const CheckpointEntry& entry) {
  announced_.insert_or_assign(entry.name, entry);
}

void DataDirectories::Moved(const TopicPartition& name) {
  auto announced = announced_.find(name);
  auto place = places_.find(name);
  if (announced != announced_.end() && place != places_.end()) {  // else it was deleted meanwhile
    --states_[place->second.directory].replicas;
    place->second.directory = IndexOf(announced->second.data_directory);
    ++states_[place->second.directory].replicas;
  }
  announced_.erase(name);
}

void DataDirectories::Withdraw(const TopicPartition& name) {
  announced_.erase(name);
}

namespace {

std::optional<Offset> Find(const log::OffsetCheckpoint& checkpoint, const TopicPartition& name) {
  auto found = checkpoint.find(name);
  return found == checkpoint.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

void DataDirectories::PlaceReplica(const Uuid& directory_id, OpenRequest& request) {
  auto found = places_.find(request.name);
  const bool known = found != places_.end();
  State* chosen = known ? &states_[found->second.directory] : StateFor(request.name, directory_id);
  request.data_directory.clear();
  if (chosen == nullptr) return;
  State& state = *chosen;
  request.data_directory = state.directory.path;
  wishes_.erase(request.name);
  Place& place = places_[request.name];
  place.topic_id = request.id.topic_id;
  request.is_new = !known;
  if (!known) {
    place.directory = static_cast<size_t>(&state - states_.data());
    ++state.replicas;
    return;
  }
  request.was_clean = state.was_clean;
  request.recovery_point = Find(state.recovery_points, request.name);
  if (!request.recovery_point && state.has_recovery_points) request.recovery_point = Offset(0);
  request.log_start_offset = Find(state.log_starts, request.name);
  request.clean_end = Find(state.clean_ends, request.name);
  request.was_compacted = request.clean_end || state.clean_ends_are_unknown;
}

void DataDirectories::Forget(const TopicPartition& name) {
  auto found = places_.find(name);
  if (found == places_.end()) return;
  State& state = states_[found->second.directory];
  --state.replicas;
  forgotten_[name] = ++forgettings_;
  places_.erase(found);
}

CheckpointJob DataDirectories::PrepareCheckpoints(const std::vector<CheckpointEntry>& entries) {
  CheckpointJob job(files_);
  job.forgettings_ = forgettings_;
  for (State& state : states_) {
    const std::string& path = state.directory.path;
    auto recovery_points = state.recovery_points, log_starts = state.log_starts,
         high_watermarks = state.high_watermarks;
    auto clean_ends = state.clean_ends;
    size_t served = 0;
    for (auto* offsets : {&recovery_points, &log_starts, &high_watermarks, &clean_ends}) {
      std::erase_if(*offsets, [&](const auto& one) {
        auto place = places_.find(one.first);
        return place == places_.end() || &states_[place->second.directory] != &state || forgotten_.contains(one.first);
      });
    }
    auto put = [&](const CheckpointEntry& entry) {
      recovery_points[entry.name] = entry.recovery_point;
      high_watermarks[entry.name] = entry.high_watermark;
      // Not before what lies below it is on the disk: after a power cut the log would end below its start. And one that
      // was found to be wrong must not be there until the log has grown past it.
      const Offset log_start = std::min(entry.log_start_offset, entry.recovery_point);
      log_starts.erase(entry.name);
      if (log_start > Offset(0)) log_starts[entry.name] = log_start;
      if (entry.clean_end) clean_ends[entry.name] = *entry.clean_end;
    };
    for (const auto& [name, entry] : announced_) {
      if (entry.data_directory == path) put(entry);
    }
    for (const CheckpointEntry& entry : entries) {
      auto place = places_.find(entry.name);
      // It may have been deleted since its reactor was asked.
      const bool is_here = place != places_.end() && place->second.topic_id == entry.topic_id;
      if (!is_here || entry.data_directory != path) continue;
      put(entry);
      ++served;
    }
    state.all_are_served = served == state.replicas;
    auto add = [&](std::string_view name, log::OffsetCheckpoint& content, log::OffsetCheckpoint& now) {
      if (content != now) job.to_write_.push_back({path + "/" + std::string(name), std::move(now), &content});
    };
    // The log starts first: retention moves both, and what it removes may come back after a power cut, with indexes
    // that were never synced. Below a new log start nobody reads it; below a new recovery point alone it would be
    // believed. An old recovery point only makes the next start scan more of the log.
    add(log::kLogStartFile, state.log_starts, log_starts);
    add(log::kRecoveryPointFile, state.recovery_points, recovery_points);
    add(log::kHighWatermarkFile, state.high_watermarks, high_watermarks);
    add(log::kCleanerFile, state.clean_ends, clean_ends);
  }
  return job;
}

Status CheckpointJob::Run() {
  Status first;
  for (File& file : to_write_) {
    Status status = log::WriteOffsetCheckpoint(*files_, file.path, file.offsets);
    file.written = status.ok();
    if (!status.ok() && first.ok()) first = status;
  }
  return first;
}

void DataDirectories::CheckpointsWritten(CheckpointJob& job) {
  bool all_written = true;
  for (CheckpointJob::File& file : job.to_write_) {
    all_written &= file.written;
    if (file.written) *file.content = std::move(file.offsets);
  }
  if (all_written) std::erase_if(forgotten_, [&](const auto& one) { return one.second <= job.forgettings_; });
}

Status DataDirectories::MarkClean(BrokerEpoch broker_epoch) {
  for (State& state : states_) {
    if (!state.all_are_served) continue;
    KB_RETURN_IF_ERROR(log::WriteCleanShutdown(files_, state.directory.path, broker_epoch.value()));
  }
  return Status();
}

}  // namespace kb::partition

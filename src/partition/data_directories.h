// DataDirectories: which replica lives in which data directory, what the checkpoints of the last run said of it, and
// where a new one goes. Also writes the checkpoint files.
//
// At start Load() reads everything, drops what was being deleted, and sets strays aside: directories whose topic is not
// in the metadata any more (or is another topic of the same name) are renamed to "…-stray" and kept, as in Apache
// Kafka.
//
// Future replicas (partition/moving.cc) whose present one is there are left for who moves replicas; one that is alone was
// being put in place, and is, unless a data directory is missing that might have the present one.
//
// Load and MarkClean block: at start and at stop. The rest is for the first reactor; a CheckpointJob runs on the disk pool.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log_sink.h"
#include "base/random.h"
#include "io/file_system.h"
#include "log/checkpoint_files.h"
#include "log/log_directory.h"
#include "partition/partition_table.h"

namespace kb::partition {

// The checkpoint files that are to be written.
class CheckpointJob {
 public:
  // Blocks. One that fails hinders none of the others; the first failure is the answer.
  Status Run();

 private:
  friend class DataDirectories;
  struct File {
    std::string path;
    log::OffsetCheckpoint offsets;
    log::OffsetCheckpoint* content;  // in DataDirectories: what the file says
    bool written = false;
  };
  explicit CheckpointJob(io::FileSystem& files) : files_(&files) {}
  io::FileSystem* files_;
  std::vector<File> to_write_;
  uint64_t forgettings_ = 0;  // when it was prepared
};

class DataDirectories {
 public:
  struct Directory {
    std::string path;
    Uuid id;
  };

  // some_are_missing: there are others, which cannot be read.
  DataDirectories(io::FileSystem& files, std::vector<Directory> directories, LogSink& log, bool some_are_missing = false);

  // wanted(name, topic id of the directory or nullopt): the data directory that the metadata names for this replica (it
  // may lie in another); nullopt when the metadata has no such replica here.
  using Wanted = std::function<std::optional<Uuid>(const TopicPartition& name, const std::optional<Uuid>& topic_id)>;
  Status Load(const Wanted& wanted, Random& random);

  // Fills in where the replica is, or will be: where it was found; else where somebody wished it to be; else in the
  // directory that the metadata names; else in the one with the fewest replicas. None, when it lies in one that is missing.
  void PlaceReplica(const Uuid& directory_id, OpenRequest& request);
  void Forget(const TopicPartition& name);

  // Moving.
  static constexpr size_t kMostWishes = 10'000;
  // Where a replica shall be made, should it ever be. Beyond kMostWishes the first are forgotten.
  void Wish(const TopicPartition& name, const std::string& path);
  const Directory* FindDirectory(const std::string& path) const;
  // Of a replica that was placed.
  const Uuid& DirectoryOf(const TopicPartition& name) const;
  // Checkpoints speak of it in entry.data_directory, too, until one of the next two is called.
  void Announce(const CheckpointEntry& entry);
  void Moved(const TopicPartition& name);
  void Withdraw(const TopicPartition& name);
  struct Future {
    TopicPartition name;
    std::string path;            // of the data directory
    std::string directory_name;  // in it
  };
  // What was on its way when the node went down; once.
  std::vector<Future> TakeFutures() { return std::exchange(futures_, {}); }

  size_t replicas() const { return places_.size(); }
  bool was_clean() const;

  // entries: of the partitions of all reactors that are open and sound. Of the others, which are opening or offline, the
  // files go on saying what they said. Files whose content is as it was are not written. One job at a time.
  CheckpointJob PrepareCheckpoints(const std::vector<CheckpointEntry>& entries);
  void CheckpointsWritten(CheckpointJob& job);
  // The last act of a clean stop. A directory with a replica that was not open and sound when the last CheckpointJob was
  // prepared is left out: nobody knows the state of its files.
  Status MarkClean(BrokerEpoch broker_epoch);

 private:
  struct State {
    Directory directory;
    bool was_clean = false;
    size_t replicas = 0;
    log::OffsetCheckpoint recovery_points, log_starts, high_watermarks, clean_ends;  // what the files say
    bool all_are_served = true;        // when the last CheckpointJob was prepared
    bool has_recovery_points = false;  // the checkpoint was there, and whole
    bool clean_ends_are_unknown = false;  // any log may have been cleaned
  };
  Status LoadOne(State& state, const Wanted& wanted, Random& random);
  Status CheckRecoveryPoints(State& state);
  Status LoadFuture(State& state, const log::ReplicaDirectory& replica, const Wanted& wanted);
  Status SettleFutures();
  State* StateFor(const TopicPartition& name, const Uuid& directory_id);
  size_t IndexOf(const std::string& path) const;

  io::FileSystem& files_;
  LogSink& log_;
  std::vector<State> states_;
  struct Place {
    size_t directory = 0;  // index of the state
    Uuid topic_id;         // zero until it is to be opened
  };
  std::map<TopicPartition, Place> places_;
  std::vector<Future> futures_;
  std::map<TopicPartition, CheckpointEntry> announced_;
  std::map<TopicPartition, std::string> wishes_;
  const bool some_are_missing_;
  // What the files may still say of these names was said of a replica that is gone. And when it went.
  std::map<TopicPartition, uint64_t> forgotten_;
  uint64_t forgettings_ = 0;
};

}  // namespace kb::partition

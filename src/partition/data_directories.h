// DataDirectories: which replica lives in which data directory, what the checkpoints of the last run said of it, and
// where a new one goes. Also writes the checkpoint files.
//
// At start Load() reads everything, drops what was being deleted, and sets strays aside: directories whose topic is not
// in the metadata any more (or is another topic of the same name) are renamed to "…-stray" and kept, as in Apache
// Kafka.
//
// Load and MarkClean block: at start and at stop. The rest is for the first reactor; a CheckpointJob runs on the disk pool.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log_sink.h"
#include "base/random.h"
#include "io/file_system.h"
#include "log/checkpoint_files.h"
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

  DataDirectories(io::FileSystem& files, std::vector<Directory> directories, LogSink& log);

  // wanted(name, topic id of the directory or nullopt): whether the metadata has this replica here.
  using Wanted = std::function<bool(const TopicPartition& name, const std::optional<Uuid>& topic_id)>;
  Status Load(const Wanted& wanted, Random& random);

  // Fills in where the replica is, or will be: where it was found; else in the directory that the metadata names; else
  // in the one with the fewest replicas.
  void PlaceReplica(const Uuid& directory_id, OpenRequest& request);
  void Forget(const TopicPartition& name);

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
  State& StateFor(const Uuid& directory_id);

  io::FileSystem& files_;
  LogSink& log_;
  std::vector<State> states_;
  struct Place {
    size_t directory = 0;  // index of the state
    Uuid topic_id;         // zero until it is to be opened
  };
  std::map<TopicPartition, Place> places_;
  // What the files may still say of these names was said of a replica that is gone. And when it went.
  std::map<TopicPartition, uint64_t> forgotten_;
  uint64_t forgettings_ = 0;
};

}  // namespace kb::partition

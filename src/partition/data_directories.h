// DataDirectories: which replica lives in which data directory, what the checkpoints of the last run said of it, and
// where a new one goes. Also writes the checkpoint files.
//
// At start Load() reads everything, drops what was being deleted, and sets strays aside: directories whose topic is not
// in the metadata any more (or is another topic of the same name) are renamed to "…-stray" and kept, as in Apache
// Kafka.
//
// Load, WriteCheckpoints and MarkClean block: at start, at stop, or on the disk pool. The rest is for the first
// reactor.
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
  void Place(const Uuid& directory_id, OpenRequest& request);
  void Forget(const TopicPartition& name);

  size_t replicas() const { return places_.size(); }
  bool was_clean() const;

  // Of the partitions of all reactors; directories whose content is as it was are not written.
  Status WriteCheckpoints(const std::vector<CheckpointEntry>& entries);
  // The last act of a clean stop.
  Status MarkClean(BrokerEpoch broker_epoch);

 private:
  struct State {
    Directory directory;
    bool was_clean = false;
    size_t replicas = 0;
    log::OffsetCheckpoint recovery_points, log_starts, high_watermarks;  // as last read or written
    bool has_recovery_points = false;  // the checkpoint was there, and whole
  };
  Status LoadOne(State& state, const Wanted& wanted, Random& random);
  Status CheckRecoveryPoints(State& state);
  State& StateFor(const Uuid& directory_id);

  io::FileSystem& files_;
  LogSink& log_;
  std::vector<State> states_;
  std::map<TopicPartition, size_t> places_;  // index of the directory
};

}  // namespace kb::partition

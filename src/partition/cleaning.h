// Cleaning: keeps the compacted partitions of a node clean. Looks for the dirtiest one over all homes, has it cleaned
// at its home and on the disk pool (log/cleaner.h), and looks again; when nothing is dirty enough, after a while. At
// most log.cleaner.threads partitions at a time, each with its share of memory and of the disk.
//
//   look at all homes ──► dirtiest ──► (its first time: checkpoint) ──► Partition::Clean at its home ──► checkpoint
//
// A log is named in cleaner-offset-checkpoint before its first cleaning takes anything out of it: gaps between the
// offsets of an unnamed log are damage.
//
// A cleaning that meets damage ends with one line, and its partition is left alone until a restart; where room or
// descriptors are short, it is tried again later. Nobody else notices either.
//
// Reactor-affine: of the first reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "log/cleaner.h"
#include "partition/partition_table.h"
#include "reactor/completion.h"
#include "reactor/task.h"

namespace kb::partition {

// As configured for the node.
struct CleaningSettings {
  int32_t threads = 1;                   // log.cleaner.threads; 0: nothing is cleaned
  int64_t map_bytes = 128 << 20;         // log.cleaner.dedupe.buffer.size
  double map_load_factor = 0.9;          // log.cleaner.io.buffer.load.factor
  int64_t io_buffer_bytes = 512 << 10;   // log.cleaner.io.buffer.size
  double most_bytes_per_second = 1e300;  // log.cleaner.io.max.bytes.per.second: read and written
  int64_t backoff_ms = 15'000;           // log.cleaner.backoff.ms

  // One thread's share.
  CleaningOptions Share() const;
};

class Cleaning {
 public:
  struct Environment {
    std::vector<reactor::Reactor*> reactors;
    std::vector<PartitionTable*> tables;                       // of these reactors; they outlive this
    std::function<CleaningSettings()> settings;                // as of now: they may change at run time
    std::function<reactor::Task<Status>()> write_checkpoints;  // of all partitions
  };
  explicit Cleaning(Environment environment) : environment_(std::move(environment)) {}

  void Start();
  // Settings have changed, or something is dirty: no need to wait any longer.
  void LookAgain();
  // Ends what is under way. No partition is cleaned afterwards, and no checkpoint is being written on its behalf.
  reactor::Task<void> Stop();

 private:
  struct Choice {
    size_t home = 0;
    CleaningCandidate candidate;
  };
  reactor::Task<void> Keep();
  reactor::Task<std::optional<Choice>> ChooseDirtiest();
  reactor::Task<void> CleanOne(Choice choice, CleaningOptions options);

  const Environment environment_;
  bool stopping_ = false;
  bool is_keeping_ = false;
  std::vector<PartitionId> under_way_;
  std::optional<reactor::Completion<void>> look_again_;
  reactor::Signal changed_;  // one is done
};

}  // namespace kb::partition

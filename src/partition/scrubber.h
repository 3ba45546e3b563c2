// Scrubber: reads what nobody reads, slowly, so that damage is found while there may still be a copy elsewhere.
//
//   first round     what was there at the start and has not been read since
//   later rounds    everything, also what this process has written: disks forget
//
// A round goes through the partitions of one reactor, one after the other, piece by piece on the disk pool, and rests
// between pieces so that it stays below bytes_per_second. What it finds is remembered, logged and answered as if a
// reader had found it (log/integrity.h); while a later round is in a segment, readers of that segment check it with it.
// After a restart it begins anew.
//
// Reactor-affine. Run goes on until Stop; the scrubber stays until its reactor ends.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "partition/partition_table.h"
#include "reactor/task.h"

namespace kb::partition {

class Scrubber {
 public:
  struct Options {
    int64_t bytes_per_second = 0;     // 0: never
    int64_t interval_ms = INT64_MAX;  // between the begins of two rounds
    int64_t first_after_ms = 0;
  };
  struct Statistics {
    uint64_t rounds = 0;  // completed
    uint64_t bytes = 0;
  };

  Scrubber(PartitionTable& table, const Clock& clock, const Options& options)
      : table_(table), clock_(clock), options_(options) {}

  reactor::Task<void> Run();
  void Stop() { stopping_ = true; }
  const Statistics& statistics() const { return statistics_; }

 private:
  reactor::Task<void> Round();
  reactor::Task<void> ScrubPartition(PartitionId id);

  PartitionTable& table_;
  const Clock& clock_;
  const Options options_;
  Statistics statistics_;
  bool stopping_ = false;
};

}  // namespace kb::partition

// LagMeter: how far committed offsets are behind the ends of their partitions, in records and in time.
//
//   records    high watermark - max(offset, log start)          what a consumer that goes on there has to read
//   time       when the first of these records was made         (its batch's first record; see log/offset_lookup.h)
//
// The time takes a look into a file, on the disk pool, kMostAtOnce in one run, so that neither the reactor, which tells
// where to look, nor a disk thread is kept for long. What was found is remembered by
// partition and offset, because who is behind and does not move on is asked about again and again; at most
// kMostRemembered of them, 40 bytes each, and when they are full, all are forgotten.
//
// Partitions that are not in service (opening, failed, offline, gone) have no lag. Reactor-affine: asks the partitions
// of this reactor.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "partition/partition_table.h"
#include "reactor/disk_pool.h"
#include "reactor/task.h"

namespace kb::partition {

struct LagQuestion {
  PartitionId id;
  int64_t offset = 0;  // committed: of the next record to be read
};

struct Lag {
  int64_t records = -1;             // -1: the partition is not in service here
  std::optional<int64_t> since_ms;  // of the first of these records; not asked for, none, or not known
};

class LagMeter {
 public:
  static constexpr size_t kMostRemembered = 100'000;
  static constexpr size_t kMostAtOnce = 32;

  LagMeter(PartitionTable& table, reactor::DiskPool& disk) : table_(table), disk_(disk) {}

  // Does not wait: no times.
  Lag Measure(const LagQuestion& question) const;
  // In the order of the questions, with times.
  reactor::Task<std::vector<Lag>> MeasureTimes(std::vector<LagQuestion> questions);

 private:
  struct Place {
    PartitionId id;
    int64_t offset = 0;
    bool operator==(const Place&) const = default;
  };
  struct HashOfPlace {
    size_t operator()(const Place& place) const {
      return std::hash<PartitionId>{}(place.id) ^ (static_cast<size_t>(place.offset) * 0x9e3779b97f4a7c15);
    }
  };
  struct Open {  // a time that is not remembered
    Lag* lag;
    Place place;
    log::OffsetTimeJob job;
    std::optional<int64_t> time_ms;
  };
  // From memory, or into `open`.
  void Recall(const LagQuestion& question, Lag& lag, std::vector<Open>& open) const;
  void Remember(const Open& found);

  PartitionTable& table_;
  reactor::DiskPool& disk_;
  std::unordered_map<Place, int64_t, HashOfPlace> remembered_;
};

}  // namespace kb::partition

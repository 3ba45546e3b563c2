// LeaderEpochCache: which leader epoch began at which offset of one log, and hence where the log of a past leader ended.
//
//   entry := epoch, start offset      ascending in both; an epoch ends where its successor starts
//
// The file (leader-epoch-checkpoint) is not written here: text() goes into the log's flush, which is in time, because an
// epoch that a crash loses has its batches above the recovery point and is learned from them again.
//
// Reactor-affine. Semantics: KIP-101, KIP-279.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "log/checkpoint_files.h"
#include "model/ids.h"

namespace kb::log {

// Where a leader epoch ended: the answer of OffsetForLeaderEpoch.
struct EpochEndOffset {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = kNoOffset;
  auto operator<=>(const EpochEndOffset&) const = default;
};

class LeaderEpochCache {
 public:
  LeaderEpochCache() = default;
  explicit LeaderEpochCache(std::vector<EpochStart> entries) : entries_(std::move(entries)) {}

  // Notes that `epoch` begins at start_offset. Entries that it contradicts (a later epoch, or one that starts behind it)
  // go; an epoch that is known already keeps its start. Returns whether anything changed.
  bool Assign(LeaderEpoch epoch, Offset start_offset);

  // wanted, or the greatest known epoch below it, and where that one ends: {wanted's floor, start of the next}. For the
  // latest epoch the end is log_end_offset. {wanted, start of the first} when wanted lies below all known epochs; no
  // epoch and no offset when wanted is -1, above the latest, or nothing is known.
  EpochEndOffset EndOffsetFor(LeaderEpoch wanted, Offset log_end_offset) const;

  // The epoch that the record at `offset` was written in.
  std::optional<LeaderEpoch> EpochFor(Offset offset) const;
  std::optional<LeaderEpoch> latest_epoch() const;
  const std::vector<EpochStart>& entries() const { return entries_; }

  // The log was cut to end at / to start at an offset. The earliest entry that remains then begins at the log's start.
  bool TruncateFromEnd(Offset end_offset);
  bool TruncateFromStart(Offset start_offset);
  void Clear() { entries_.clear(); }

 private:
  std::vector<EpochStart> entries_;
};

}  // namespace kb::log

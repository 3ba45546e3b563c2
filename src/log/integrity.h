// Integrity: what is known of the bytes of a segment that were there before this process wrote to it.
//
//   bytes     0                                                        found_bytes       size
//             [ whole ][ damaged ][ whole ][ …unknown… ][ whole ][ …unknown… ][ written here ]
//   offsets   0       40         60       75           300     420           900
//
// What this process wrote was checked before (record/validate), so a segment that it made has no Integrity at all: all
// of it is whole. What was found at the start is unknown until it is first read. Then a piece of it is checked
// (CheckBatches), on the disk pool, and what came out is remembered here, as stretches:
//
//   whole     batches with the right checksum, one behind the other, offsets ascending
//   damaged   bytes that no reader is shown. They stand for offsets that are answered with CORRUPT_MESSAGE; none, if
//             what lies around them leaves none out. A batch may be damaged though its checksum is right: its base offset
//             is outside of it.
//
// Stretches begin and end between batches, ascend in bytes and offsets, do not overlap, and neighbours of a kind are
// one. So an offset is found without meeting anything that is not whole. At most kMostStretches; beyond them what was
// known is forgotten, and checked again when it is read again.
//
// Immutable values, any thread. CheckBatches blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "model/ids.h"

namespace kb::log {

struct Stretch {
  uint32_t begin = 0;  // bytes
  uint32_t end = 0;
  Offset begin_offset{0};  // of whole ones: what is asked for from here on lies in it, also where compaction left a gap
  Offset end_offset{0};
  bool is_damaged = false;
  bool operator==(const Stretch&) const = default;
};

// Bytes of which nothing is known, between two stretches. The next batch in there, if there is one, begins at `begin`
// and has an offset of at least begin_offset; all are below end_offset.
struct Unknown {
  uint32_t begin = 0;
  uint32_t end = 0;
  Offset begin_offset{0};
  Offset end_offset{0};
};

class Integrity {
 public:
  static constexpr size_t kMostStretches = 4096;  // 128 KiB; a segment that was read here and there has a few

  // Of a segment with `found_bytes` bytes of unknown content, whose offsets lie in [base_offset, found_end).
  Integrity(Offset base_offset, uint64_t found_bytes, Offset found_end);

  // What a reader who asks for an offset meets.
  struct Place {
    enum { kWhole, kDamaged, kUnknown } what = kUnknown;
    // kWhole: bytes that are whole, and in which the first batch at or above the offset lies if the segment has one.
    // `end` may be kOpenEnd: up to the end of the segment.
    uint64_t begin = 0;
    uint64_t end = 0;
    bool more_is_unknown = false;  // kWhole: what comes at `end` has not been checked
    Offset next_offset{0};         // kDamaged: reading can go on here
  };
  static constexpr uint64_t kOpenEnd = UINT64_MAX;
  Place At(Offset offset) const;  // one below the segment means its first

  // The unknown bytes in which an offset lies, or that follow the whole ones in which it does.
  std::optional<Unknown> UnknownFor(Offset offset) const;
  std::optional<Unknown> FirstUnknown() const;

  bool is_whole() const;  // all of it is known, and good
  const std::vector<Stretch>& stretches() const { return stretches_; }

  // With what a check found. It must lie in what is unknown, in bytes and offsets, else none of it is taken (somebody
  // else may have checked the same meanwhile). added: whether it was.
  Integrity With(const std::vector<Stretch>& checked, bool* added = nullptr) const;

 private:
  void Insert(const Stretch& stretch);
  Unknown Between(size_t next) const;  // in front of stretch `next`, or of the end

  Offset base_offset_;
  uint32_t found_bytes_;
  Offset found_end_;
  std::vector<Stretch> stretches_;
};

// How much to check: at least so many bytes, and on until what is known reaches above an offset.
struct CheckGoal {
  uint64_t least_bytes = 0;
  Offset beyond{-1};
};

// Checks batches from the begin of an unknown part on: length, magic, checksum, and that offsets ascend. Ends in front
// of a batch, behind a whole one, or at the end of the part. Result: stretches without gaps, the first at part.begin.
// Where offsets fall back behind a leap, either what leaped or what fell back is at the wrong place, and taken for
// damaged.
Result<std::vector<Stretch>> CheckBatches(const io::File& log, Offset base_offset, const Unknown& part,
                                          const CheckGoal& goal);

}  // namespace kb::log

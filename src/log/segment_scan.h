// SegmentScan: walks over the batches of a segment file from some batch on and judges each: is its length possible, its
// magic known, its checksum right, do its offsets belong here. For recovery and rebuilding; blocks.
//
//   SegmentScan scan(file, 0, size, base_offset, SegmentScan::kCheckCrc);
//   while (scan.Next() == SegmentScan::kBatch) … scan.header() …
//   scan.position()     end of what is whole, after kEnd or kDamaged
//
// Reads in pieces of kWindowBytes; a batch that is larger is summed piece by piece, so no length in a file decides about
// memory. When only headers are wanted, large batches are jumped over.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file_system.h"
#include "log/producer_state.h"
#include "model/ids.h"
#include "record/batch.h"

namespace kb::log {

class SegmentScan {
 public:
  enum Depth { kHeadersOnly, kCheckCrc };
  enum Answer {
    kBatch,
    kEnd,      // exactly at `end`
    kDamaged,  // what begins at position() is not a whole, right batch
    kFailed,   // error(): the file could not be read
  };
  static constexpr size_t kWindowBytes = 256 << 10;

  // [from, end): bytes of the file; a batch begins at `from`. base_offset: of the segment; limit: of the next one.
  SegmentScan(const io::File& file, uint64_t from, uint64_t end, Offset base_offset, Depth depth,
              Offset limit = Offset(INT64_MAX))
      : file_(file),
        end_(end),
        base_offset_(base_offset),
        limit_(limit),
        depth_(depth),
        next_(from),
        position_(from) {}

  Answer Next();
  // After kDamaged: looks for the next batch that is whole and right, checksum included, with its offsets in
  // [at_least, below). When there is one the next Next() returns it. What lies inside of the damaged batch is passed over
  // if its length can be believed: records may hold what looks like a batch.
  bool Resynchronize(Offset at_least, Offset below);
  // The next Next() looks here, which must be where a batch begins.
  void SkipTo(uint64_t position) { next_ = position; }

  // Of the batch that Next returned; valid until the next call.
  record::BatchHeader header() const { return record::BatchHeader(header_); }
  uint32_t size_bytes() const { return size_bytes_; }
  // With a control batch that is a transaction marker.
  const std::optional<TransactionMarker>& marker() const { return marker_; }
  uint64_t position() const { return position_; }
  bool has_failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  // The bytes [position, position + size), size <= kWindowBytes; fewer where the file ends before. Empty on failure.
  ByteView Window(uint64_t position, size_t size);
  // At least one byte from position on, and at most `most`: whatever the window has. Empty at the end and on failure.
  ByteView Some(uint64_t position, uint64_t most);
  bool HeaderIsPlausible(const record::BatchHeader& header, uint64_t position) const;
  bool CrcIsRight(const record::BatchHeader& header, uint64_t position);
  bool IsWholeBatchAt(uint64_t position, Offset at_least, Offset below);
  uint64_t FirstBehindDamage(Offset below);
  Answer Judge(Answer answer);

  const io::File& file_;
  const uint64_t end_;
  const Offset base_offset_;
  const Offset limit_;
  const Depth depth_;
  uint64_t next_;      // where Next looks
  uint64_t position_;  // of the batch, or of the damage
  uint32_t size_bytes_ = 0;
  uint8_t header_[record::kBatchHeaderBytes] = {};
  bool has_header_ = false;  // header_ is what lies at position_
  std::optional<TransactionMarker> marker_;
  std::vector<uint8_t> window_;
  uint64_t window_at_ = 0;
  std::optional<Error> error_;
};

}  // namespace kb::log

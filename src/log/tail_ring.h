// TailRing: where the last batches of the active segment lie, so that a reader at the tail (almost every consumer) costs
// no index and no read.
//
// Holds up to kCapacity batches, 24 bytes each; the memory is taken with the first batch and dropped by Clear. Ascending in
// offset and position, without gaps between positions. Reactor-affine.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/ids.h"

namespace kb::log {

// A batch in a segment file.
struct BatchLocation {
  Offset base_offset{kNoOffset};
  Offset last_offset{kNoOffset};
  uint32_t position = 0;
  uint32_t size_bytes = 0;
};

class TailRing {
 public:
  static constexpr size_t kCapacity = 256;  // a group commit of 32 producers leaves the high watermark well inside

  void Add(const BatchLocation& batch);
  void Clear();
  // The first batch whose last offset is at or above `offset`. nullopt: that batch lies before the ring, or behind it.
  std::optional<BatchLocation> Find(Offset offset) const;

 private:
  const BatchLocation& At(size_t i) const { return batches_[(first_ + i) % batches_.size()]; }
  std::vector<BatchLocation> batches_;
  size_t first_ = 0;
};

}  // namespace kb::log

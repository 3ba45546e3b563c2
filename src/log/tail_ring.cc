#include "log/tail_ring.h"

#include "base/check.h"

namespace kb::log {

void TailRing::Add(const BatchLocation& batch) {
  if (batches_.size() < kCapacity) {
    KB_CHECK(first_ == 0);
    batches_.push_back(batch);
    return;
  }
  batches_[first_] = batch;
  first_ = (first_ + 1) % kCapacity;
}

void TailRing::Clear() {
  batches_ = {};
  first_ = 0;
}

std::optional<BatchLocation> TailRing::Find(Offset offset) const {
  if (batches_.empty() || At(0).base_offset > offset) return std::nullopt;
  size_t low = 0;
  size_t high = batches_.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (At(middle).last_offset < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == batches_.size()) return std::nullopt;
  return At(low);
}

}  // namespace kb::log

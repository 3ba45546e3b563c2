#include "base/arena.h"

#include <algorithm>

namespace kb {

void* Arena::AllocateSlow(size_t size) {
  size_t next = std::clamp(capacity_ * 2, kFirstBlock, kMostBlock);
  next = std::max(next, size);
  blocks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(next));
  block_ = blocks_.back().get();
  capacity_ = next;
  used_ = size;
  allocated_ += next;
  return block_;  // new[] aligns for std::max_align_t
}

void Arena::Reset() {
  used_ = 0;
  if (blocks_.size() > 1) {
    blocks_.front() = std::move(blocks_.back());
    blocks_.resize(1);
    block_ = blocks_.front().get();
    allocated_ = capacity_;
  }
}

}  // namespace kb

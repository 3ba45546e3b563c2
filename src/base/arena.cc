#include "base/arena.h"

#include <algorithm>

#include "base/pool.h"

namespace kb {

struct alignas(std::max_align_t) Arena::Block {
  Block* before;
  size_t size;  // with this
};

void* Arena::AllocateSlow(size_t size) {
  const size_t next = std::max(std::clamp(capacity_ * 2, kFirstBlock, kMostBlock), size + sizeof(Block));
  newest_ = new (Pool::Allocate(next)) Block{newest_, next};
  block_ = reinterpret_cast<uint8_t*>(newest_ + 1);
  capacity_ = next - sizeof(Block);
  used_ = size;
  allocated_ += next;
  return block_;
}

void Arena::FreeBlocks(Block* newest) {
  while (newest != nullptr) {
    Block* before = newest->before;
    Pool::Free(newest, newest->size);
    newest = before;
  }
}

void Arena::Reset() {
  used_ = 0;
  if (newest_ == nullptr) return;
  FreeBlocks(std::exchange(newest_->before, nullptr));
  allocated_ = newest_->size;
}

}  // namespace kb

// FramePool: memory for coroutine frames, kept per thread by size, so that a handler costs no trip to the allocator.
//
// Each frame is a block of its own from the heap: it may be freed on another thread and then stays there. At most
// kMostKeptBytes are kept per thread. Under AddressSanitizer nothing is kept, so that a use after the end is seen.
#pragma once

#include <cstddef>

namespace kb::reactor {

class FramePool {
 public:
  static constexpr size_t kMostKeptBytes = 1 << 20;  // about 2,000 frames of 512 bytes: the requests in work at a time
  static void* Allocate(size_t size);
  static void Free(void* frame, size_t size) noexcept;
};

}  // namespace kb::reactor

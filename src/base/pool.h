// Pool: memory kept per thread by size, so that what a request needs for a moment costs no trip to the allocator:
// coroutine frames, request buffers, arenas, the vectors of a handler.
//
//   Pooled            a base class: `new` and `delete` of the derived class go to the pool
//   PoolAllocator<T>  for containers and std::allocate_shared; PoolVector<T>, PoolString
//
// Each piece is a block of its own from the heap: it may be freed on another thread and then stays there, until some of
// them are handed on. At most kMostKeptBytes are kept per thread, in pieces of at most kLargest; what is larger comes from
// the heap and goes back to it. Under AddressSanitizer nothing is kept, so that a use after the end is seen.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kb {

class Pool {
 public:
  // About 2,000 frames of 512 bytes, or 60 requests of 16 KiB: the requests that are in work at a time.
  static constexpr size_t kMostKeptBytes = 1 << 20;
  static constexpr size_t kLargest = 128 << 10;

  // Aligned for everything. Throws std::bad_alloc. size above 0.
  static void* Allocate(size_t size);
  // size: that it was allocated with.
  static void Free(void* memory, size_t size) noexcept;
  // Keeps the first min(old, size) bytes; perhaps in place. memory may be null with old == 0. Never returns null.
  static void* Resize(void* memory, size_t old, size_t size);
};

class Pooled {
 public:
  static void* operator new(size_t size) { return Pool::Allocate(size); }
  static void operator delete(void* memory, size_t size) noexcept { Pool::Free(memory, size); }
};

template <typename T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT: as the standard's allocators
  T* allocate(size_t count) { return static_cast<T*>(Pool::Allocate(count * sizeof(T))); }
  void deallocate(T* first, size_t count) noexcept { Pool::Free(first, count * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

template <typename T>
using PoolVector = std::vector<T, PoolAllocator<T>>;
using PoolString = std::basic_string<char, std::char_traits<char>, PoolAllocator<char>>;

template <typename T, typename... Args>
std::shared_ptr<T> MakePooled(Args&&... args) {
  return std::allocate_shared<T>(PoolAllocator<T>(), std::forward<Args>(args)...);
}

}  // namespace kb

// Arena: memory for one request. Bump allocation, freed as a whole; nothing in it has a destructor that must run.
//
// Everything decoded from a request, and everything its response is built from, lives in the request's arena until the
// response's last byte has left. The first block is small and grows by doubling up to kMostBlock, so an idle or tiny
// request costs little. Blocks come from the thread's pool. Reactor-affine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bytes.h"

namespace kb {

class Arena {
 public:
  static constexpr size_t kFirstBlock = 1024;
  static constexpr size_t kMostBlock = 256 * 1024;

  Arena() = default;
  ~Arena() { FreeBlocks(newest_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised, aligned memory; never null.
  void* Allocate(size_t size, size_t alignment = alignof(std::max_align_t)) {
    size_t start = (used_ + alignment - 1) & ~(alignment - 1);
    if (start + size > capacity_ || block_ == nullptr) return AllocateSlow(size);
    used_ = start + size;
    return block_ + start;
  }

  template <typename T>
  T* AllocateArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena runs no destructors");
    T* first = static_cast<T*>(Allocate(count * sizeof(T), alignof(T)));
    for (size_t i = 0; i < count; ++i) new (first + i) T();
    return first;
  }

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena runs no destructors");
    return new (Allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  // A copy that lives as long as the arena.
  std::string_view Copy(std::string_view text) { return AsText(Copy(AsBytes(text))); }
  ByteView Copy(ByteView bytes) {
    if (bytes.empty()) return {};
    auto* to = static_cast<uint8_t*>(Allocate(bytes.size(), 1));
    std::memcpy(to, bytes.data(), bytes.size());
    return {to, bytes.size()};
  }

  // Bytes taken from the heap so far.
  size_t allocated_bytes() const { return allocated_; }

  // Forgets everything and keeps the current block for the next request.
  void Reset();

 private:
  struct Block;  // a piece of memory that begins with the way to the one before
  void* AllocateSlow(size_t size);
  static void FreeBlocks(Block* newest);

  uint8_t* block_ = nullptr;  // the newest one's space; new space is cut from it
  size_t used_ = 0;
  size_t capacity_ = 0;
  size_t allocated_ = 0;
  Block* newest_ = nullptr;
};

}  // namespace kb

#include "base/pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace kb {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif

// Small sizes in steps of 64 bytes, larger ones in four steps a doubling: at most a fifth is wasted.
constexpr size_t kStep = 64;
constexpr size_t kSmall = 4096;
constexpr size_t kSmallClasses = kSmall / kStep;
constexpr size_t kPerDoubling = 4;
constexpr size_t kDoublings = std::bit_width(Pool::kLargest) - std::bit_width(kSmall);
constexpr size_t kClasses = kSmallClasses + kDoublings * kPerDoubling;

constexpr size_t ClassOf(size_t size) {
  if (size <= kSmall) return (size - 1) / kStep;
  const size_t doubling = static_cast<size_t>(std::bit_width(size - 1)) - std::bit_width(kSmall);
  const size_t step = (kSmall << doubling) / kPerDoubling;
  return kSmallClasses + doubling * kPerDoubling + (size - 1 - (kSmall << doubling)) / step;
}

constexpr size_t SizeOf(size_t size_class) {
  if (size_class < kSmallClasses) return (size_class + 1) * kStep;
  const size_t doubling = (size_class - kSmallClasses) / kPerDoubling;
  const size_t step = (kSmall << doubling) / kPerDoubling;
  return (kSmall << doubling) + ((size_class - kSmallClasses) % kPerDoubling + 1) * step;
}

static_assert(SizeOf(kClasses - 1) == Pool::kLargest && ClassOf(Pool::kLargest) == kClasses - 1);
static_assert(ClassOf(kSmall + 1) == kSmallClasses && SizeOf(kSmallClasses) == kSmall + kSmall / kPerDoubling);

struct FreePiece {
  FreePiece* next;
};

// One thread's. Trivially destructible on purpose: pieces may still be freed while a thread ends, so the Closer gives
// the memory back and from then on nothing is kept.
struct Kept {
  std::array<FreePiece*, kClasses> first;
  std::array<uint16_t, kSmallClasses> count;
  size_t bytes;
  size_t next_to_go;
  bool closed;
};

thread_local constinit Kept kept{};

// Where small pieces wander from one thread to the other (what a request leaves with another reactor is freed there), one gathers
// them and the other runs short. So who has many leaves a chain of them here, one for each class, and who has none takes it.
constexpr uint16_t kChain = 32;
constinit std::array<std::atomic<FreePiece*>, kSmallClasses> left_for_others{};

void LeaveSome(size_t size_class) {
  if (left_for_others[size_class].load(std::memory_order_relaxed) != nullptr) return;
  FreePiece* first = kept.first[size_class];
  FreePiece* last = first;
  for (uint16_t i = 1; i < kChain; ++i) last = last->next;
  FreePiece* rest = std::exchange(last->next, nullptr);
  FreePiece* none = nullptr;
  if (!left_for_others[size_class].compare_exchange_strong(none, first, std::memory_order_release)) {
    last->next = rest;
    return;
  }
  kept.first[size_class] = rest;
  kept.count[size_class] = static_cast<uint16_t>(kept.count[size_class] - kChain);
  kept.bytes -= kChain * SizeOf(size_class);
}

// Of an empty class. Whether there was something.
bool TakeLeft(size_t size_class) {
  if (left_for_others[size_class].load(std::memory_order_relaxed) == nullptr) return false;
  FreePiece* chain = left_for_others[size_class].exchange(nullptr, std::memory_order_acquire);
  if (chain == nullptr) return false;
  kept.first[size_class] = chain;
  kept.count[size_class] = kChain;
  kept.bytes += kChain * SizeOf(size_class);
  return true;
}

void* TakeFirst(size_t size_class) {
  FreePiece* piece = std::exchange(kept.first[size_class], kept.first[size_class]->next);
  kept.bytes -= SizeOf(size_class);
  if (size_class < kSmallClasses) --kept.count[size_class];
  return piece;
}

struct Closer {
  Closer() = default;
  ~Closer() {
    for (FreePiece*& first : kept.first) {
      while (first != nullptr) {
        FreePiece* piece = first;
        first = piece->next;
        std::free(piece);
      }
    }
    kept.closed = true;
  }
  void Touch() {}
};

thread_local Closer closer;

// Gives up pieces of other classes for one of this class, of all in turn: a burst of requests of one kind must not take the
// place of those that come then.
bool MakeRoom(size_t size_class) {
  size_t passed = 0;
  while (kept.bytes + SizeOf(size_class) > Pool::kMostKeptBytes) {
    if (++passed > kClasses) return false;
    kept.next_to_go = (kept.next_to_go + 1) % kClasses;
    if (kept.next_to_go == size_class || kept.first[kept.next_to_go] == nullptr) continue;
    std::free(TakeFirst(kept.next_to_go));
    passed = 0;
  }
  return true;
}

void* FromHeap(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* Pool::Allocate(size_t size) {
  if (!kKeep || size > kLargest) return FromHeap(size);
  const size_t size_class = ClassOf(size);
  if (kept.first[size_class] == nullptr && !(size_class < kSmallClasses && TakeLeft(size_class))) {
    return FromHeap(SizeOf(size_class));
  }
  return TakeFirst(size_class);
}

void Pool::Free(void* memory, size_t size) noexcept {
  if (!kKeep || size > kLargest || kept.closed) return std::free(memory);
  const size_t size_class = ClassOf(size);
  if (!MakeRoom(size_class)) return std::free(memory);
  closer.Touch();  // registers it for this thread's end
  auto* piece = static_cast<FreePiece*>(memory);
  piece->next = kept.first[size_class];
  kept.first[size_class] = piece;
  kept.bytes += SizeOf(size_class);
  if (size_class < kSmallClasses && ++kept.count[size_class] >= 2 * kChain) LeaveSome(size_class);
}

void* Pool::Resize(void* memory, size_t old, size_t size) {
  if (old == 0) return Allocate(size);
  const bool both_from_heap = !kKeep || (old > kLargest && size > kLargest);
  if (both_from_heap) {
    void* moved = std::realloc(memory, size);  // moves large ones by their pages
    if (moved == nullptr) throw std::bad_alloc();
    return moved;
  }
  if (old <= kLargest && size <= kLargest && ClassOf(old) == ClassOf(size)) return memory;
  void* moved = Allocate(size);
  std::memcpy(moved, memory, std::min(old, size));
  Free(memory, old);
  return moved;
}

}  // namespace kb

#include "base/pool.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

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
  size_t bytes;
  bool closed;
};

thread_local constinit Kept kept{};

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

// Gives up larger pieces for one of this class: a burst of large requests must not take the place of the small ones.
bool MakeRoom(size_t size_class) {
  for (size_t larger = kClasses; kept.bytes + SizeOf(size_class) > Pool::kMostKeptBytes;) {
    while (larger > size_class && kept.first[larger - 1] == nullptr) --larger;
    if (larger <= size_class + 1) return false;
    FreePiece* piece = kept.first[larger - 1];
    kept.first[larger - 1] = piece->next;
    kept.bytes -= SizeOf(larger - 1);
    std::free(piece);
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
  FreePiece* piece = kept.first[size_class];
  if (piece == nullptr) return FromHeap(SizeOf(size_class));
  kept.first[size_class] = piece->next;
  kept.bytes -= SizeOf(size_class);
  return piece;
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

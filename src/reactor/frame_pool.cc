#include "reactor/frame_pool.h"

#include <array>
#include <cstdlib>
#include <new>

namespace kb::reactor {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif

constexpr size_t kStep = 64;
constexpr size_t kLargest = 4096;  // larger frames are rare and go to the heap
constexpr size_t kClasses = kLargest / kStep;

struct FreeFrame {
  FreeFrame* next;
};

// One thread's. Trivially destructible on purpose: frames may still be freed while a thread ends, so the Closer gives the
// memory back and from then on nothing is kept.
struct Kept {
  std::array<FreeFrame*, kClasses> first;
  size_t bytes;
  bool closed;
};

thread_local constinit Kept kept{};

struct Closer {
  Closer() = default;
  ~Closer() {
    for (FreeFrame*& first : kept.first) {
      while (first != nullptr) {
        FreeFrame* frame = first;
        first = frame->next;
        std::free(frame);
      }
    }
    kept.closed = true;
  }
  void Touch() {}
};

thread_local Closer closer;

size_t ClassOf(size_t size) { return (size - 1) / kStep; }
size_t SizeOf(size_t size_class) { return (size_class + 1) * kStep; }

void* FromHeap(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* FramePool::Allocate(size_t size) {
  if (!kKeep || size > kLargest) return FromHeap(size);
  size_t size_class = ClassOf(size);
  FreeFrame* frame = kept.first[size_class];
  if (frame == nullptr) return FromHeap(SizeOf(size_class));
  kept.first[size_class] = frame->next;
  kept.bytes -= SizeOf(size_class);
  return frame;
}

void FramePool::Free(void* memory, size_t size) noexcept {
  size_t size_class = ClassOf(size);
  if (!kKeep || size > kLargest || kept.closed || kept.bytes + SizeOf(size_class) > kMostKeptBytes) {
    std::free(memory);
    return;
  }
  closer.Touch();  // registers it for this thread's end
  auto* frame = static_cast<FreeFrame*>(memory);
  frame->next = kept.first[size_class];
  kept.first[size_class] = frame;
  kept.bytes += SizeOf(size_class);
}

}  // namespace kb::reactor

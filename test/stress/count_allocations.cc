// How often a process asks for memory: with LD_PRELOAD, every call of malloc, calloc, realloc and operator new adds one to the
// first eight bytes of the file that COUNT_ALLOCATIONS names (which must have them), in the machine's byte order. What is
// there before the counter is found, or when there is no such file, is not counted.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t>* counter = nullptr;

void Count() {
  if (counter != nullptr) counter->fetch_add(1, std::memory_order_relaxed);
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

__attribute__((constructor)) void FindCounter() {
  const char* path = getenv("COUNT_ALLOCATIONS");
  const int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = mmap(nullptr, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) counter = static_cast<std::atomic<uint64_t>*>(mapped);
}

}  // namespace

// dlsym asks calloc for memory itself: that one is served by hand until the real one is known.
extern "C" void* calloc(size_t count, size_t size) {
  static char early[4096];
  static size_t used = 0;
  static bool looking = false;
  static void* (*next)(size_t, size_t) = nullptr;
  if (next == nullptr) {
    if (looking) {
      void* here = early + used;
      used += (count * size + 15) & ~size_t{15};
      return used <= sizeof early ? here : nullptr;
    }
    looking = true;
    next = Next<void* (*)(size_t, size_t)>("calloc");
  }
  Count();
  return next(count, size);
}
extern "C" void* malloc(size_t size) {
  static auto next = Next<void* (*)(size_t)>("malloc");
  Count();
  return next(size);
}
extern "C" void* realloc(void* memory, size_t size) {
  static auto next = Next<void* (*)(void*, size_t)>("realloc");
  Count();
  return next(memory, size);
}
void* operator new(size_t size) {
  static auto next = Next<void* (*)(size_t)>("_Znwm");
  Count();
  return next(size);
}
void* operator new[](size_t size) {
  static auto next = Next<void* (*)(size_t)>("_Znam");
  Count();
  return next(size);
}
void* operator new(size_t size, std::align_val_t alignment) {
  static auto next = Next<void* (*)(size_t, std::align_val_t)>("_ZnwmSt11align_val_t");
  Count();
  return next(size, alignment);
}

// A disk that is slower than the one at hand: with LD_PRELOAD, fsync and fdatasync of a process return no sooner than
// FLUSH_US microseconds after they were called. They do what they are for, and then sleep for the rest: the processor
// is as free as while a disk works. Several at a time do not wait for each other, as on a network volume.
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

int64_t FlushNs() {
  const char* text = getenv("FLUSH_US");
  return text == nullptr ? 0 : strtoll(text, nullptr, 10) * 1000;
}

int AtLeast(const char* name, int descriptor) {
  static const int64_t flush_ns = FlushNs();
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const int result = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(descriptor);
  const int error = errno;
  until.tv_nsec += flush_ns % kNsPerSecond;
  until.tv_sec += flush_ns / kNsPerSecond + until.tv_nsec / kNsPerSecond;
  until.tv_nsec %= kNsPerSecond;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
  errno = error;
  return result;
}

}  // namespace

extern "C" int fsync(int descriptor) {
  return AtLeast("fsync", descriptor);
}
extern "C" int fdatasync(int descriptor) {
  return AtLeast("fdatasync", descriptor);
}

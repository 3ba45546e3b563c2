#include "base/clock.h"

#include <ctime>

namespace kb {
namespace {

int64_t NowNs(clockid_t which) {
  timespec now;
  clock_gettime(which, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class RealClock final : public Clock {
 public:
  int64_t WallMs() const override { return NowNs(CLOCK_REALTIME) / kNsPerMs; }
  int64_t MonotonicNs() const override { return NowNs(CLOCK_MONOTONIC); }
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

}  // namespace kb

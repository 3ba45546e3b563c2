#include "base/clock.h"

#include <ctime>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>

#include <atomic>
#endif

namespace kb {
namespace {

int64_t NowNs(clockid_t which) {
  timespec now;
  clock_gettime(which, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

#if defined(__x86_64__)

// The processor's own counter, read in 10 ns where the kernel's clock, which is made of it, takes 25. What a tick of it
// is worth is learnt by comparison when kLearnNs have passed; the kernel's clock is read until then, and where the
// counter does not promise to run evenly.
class TickCounter {
 public:
  TickCounter() : usable_(RunsEvenly() && ReadBoth(base_)) {}

  int64_t NowNs() const {
    const uint64_t worth = worth_.load(std::memory_order_relaxed);
    if (worth == 0) [[unlikely]]
      return Learn();
    // Signed: after a suspension the counter may be behind where it was.
    const auto ticks = static_cast<int64_t>(__rdtsc() - base_.ticks);
    return base_.ns + static_cast<int64_t>((static_cast<__int128>(ticks) * static_cast<int64_t>(worth)) >> kWorthShift);
  }

 private:
  static constexpr int64_t kLearnNs = 1'000'000'000;
  static constexpr uint64_t kMostApart = 20'000;  // ticks, some microseconds: else something came between
  static constexpr int kWorthShift = 32;
  struct Reading {
    uint64_t ticks = 0;
    int64_t ns = 0;
  };

  static bool RunsEvenly() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kInvariant = 1u << 8;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & kInvariant) != 0;
  }
  static bool ReadBoth(Reading& reading) {
    reading.ticks = __rdtsc();
    reading.ns = kb::NowNs(CLOCK_MONOTONIC);
    return __rdtsc() - reading.ticks < kMostApart;
  }

  int64_t Learn() const {
    if (!usable_) return kb::NowNs(CLOCK_MONOTONIC);
    Reading now;
    const bool good = ReadBoth(now);
    const uint64_t ticks = now.ticks - base_.ticks;
    if (!good || now.ns - base_.ns < kLearnNs || ticks >> 62 != 0 || ticks == 0) return now.ns;
    const auto worth = (static_cast<unsigned __int128>(now.ns - base_.ns) << kWorthShift) / ticks;
    // Below 100 MHz, or above 10 GHz: that is no such counter.
    const bool plausible =
        worth < static_cast<uint64_t>(10) << kWorthShift && worth > (uint64_t{1} << kWorthShift) / 10;
    uint64_t none = 0;  // who comes second takes what the first has found: there is one scale
    if (plausible) worth_.compare_exchange_strong(none, static_cast<uint64_t>(worth), std::memory_order_relaxed);
    return now.ns;
  }

  Reading base_;
  const bool usable_;
  mutable std::atomic<uint64_t> worth_{0};  // ns a tick, times 2^kWorthShift; 0: not known
};

#else

class TickCounter {
 public:
  int64_t NowNs() const { return kb::NowNs(CLOCK_MONOTONIC); }
};

#endif

class RealClock final : public Clock {
 public:
  int64_t WallMs() const override { return NowNs(CLOCK_REALTIME) / kNsPerMs; }
  int64_t MonotonicNs() const override { return NowNs(CLOCK_MONOTONIC); }
  int64_t StampNs() const override { return ticks_.NowNs(); }

 private:
  const TickCounter ticks_;
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

}  // namespace kb

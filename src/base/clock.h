// Clock: what time it is. A parameter everywhere, so that tests and simulations decide.
#pragma once

#include <cstdint>

namespace kb {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970, as records and logs carry it. May jump.
  virtual int64_t WallMs() const = 0;
  // Nanoseconds since some fixed moment; never goes back. For time-outs, deadlines and durations.
  virtual int64_t MonotonicNs() const = 0;
  // Nanoseconds since some moment of its own, as cheaply as they can be had: for durations that are measured for every
  // request, and for nothing else. Right to a few parts in a million. Two readings on different processors may be the
  // wrong way round by some nanoseconds.
  virtual int64_t StampNs() const { return MonotonicNs(); }
};

inline constexpr int64_t kNsPerMs = 1'000'000;

// The machine's clocks. One for the process.
Clock& SystemClock();

}  // namespace kb

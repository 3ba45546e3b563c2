#include "base/clock.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>

namespace kb {
namespace {

// Whether a stretch of `pause_ms` is as long by stamps as by the clock. What comes between two readings counts for one of
// them only: on a busy machine a comparison may fail, and is made again.
bool StampsAgree(const Clock& clock, int pause_ms) {
  const int64_t begin_ns = clock.MonotonicNs();
  const int64_t begin_stamp = clock.StampNs();
  poll(nullptr, 0, pause_ms);  // what is waited for is time itself
  const int64_t took_ns = clock.MonotonicNs() - begin_ns;
  const int64_t took_by_stamps = clock.StampNs() - begin_stamp;
  return std::abs(took_by_stamps - took_ns) < took_ns / 10'000 + 10'000;
}

// The worth of a tick is learnt after a second: before, across and behind that, stamps go as the clock does.
TEST(SystemClock, StampsRunAsTheClockDoes) {
  for (int round = 0; round < 4; ++round) {
    bool agree = false;
    for (int attempt = 0; attempt < 100 && !agree; ++attempt) {
      agree = StampsAgree(SystemClock(), attempt == 0 ? 400 : 20);
    }
    EXPECT_TRUE(agree) << round;
  }
}

}  // namespace
}  // namespace kb

#include "reactor/closure.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace kb::reactor {
namespace {

TEST(Closure, CallsWhatItHolds) {
  int calls = 0;
  Closure closure = [&calls] { ++calls; };
  closure();
  closure();
  EXPECT_EQ(calls, 2);
}

TEST(Closure, TakesMoveOnlyCaptures) {
  auto value = std::make_unique<int>(7);
  int seen = 0;
  Closure closure = [value = std::move(value), &seen] { seen = *value; };
  Closure moved = std::move(closure);
  EXPECT_FALSE(closure);  // NOLINT: that is what is tested
  moved();
  EXPECT_EQ(seen, 7);
}

TEST(Closure, LargeCallableSurvivesMoves) {
  std::array<uint64_t, 32> numbers{};
  numbers[31] = 99;
  uint64_t seen = 0;
  Closure closure = [numbers, &seen] { seen = numbers[31]; };
  static_assert(sizeof(numbers) > Closure::kInlineBytes);
  Closure second = std::move(closure);
  Closure third;
  third = std::move(second);
  third();
  EXPECT_EQ(seen, 99u);
}

TEST(Closure, DestroysItsCapturesExactlyOnce) {
  auto counted = std::make_shared<int>(0);
  {
    Closure first = [counted] {};
    Closure second = std::move(first);
    first = std::move(second);
    EXPECT_EQ(counted.use_count(), 2);
    first.Reset();
    EXPECT_EQ(counted.use_count(), 1);
    first = [counted] {};
    first = [] {};
    EXPECT_EQ(counted.use_count(), 1);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(ClosureDeathTest, EmptyOneMustNotBeCalled) {
  Closure empty;
  EXPECT_DEATH(empty(), "CHECK failed");
}

}  // namespace
}  // namespace kb::reactor

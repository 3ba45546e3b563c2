#include "reactor/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace kb::reactor {
namespace {

class TimerQueueTest : public testing::Test {
 protected:
  TimerId At(int64_t deadline_ns, int name) {
    return timers_.Add(deadline_ns, [this, name] { fired_.push_back(name); });
  }
  std::vector<int> FiredBy(int64_t now_ns) {
    fired_.clear();
    while (Closure due = timers_.TakeDue(now_ns)) due();
    return fired_;
  }

  TimerQueue timers_;
  std::vector<int> fired_;
};

TEST_F(TimerQueueTest, FiresInOrderOfDeadlines) {
  At(30, 3);
  At(10, 1);
  At(20, 2);
  EXPECT_EQ(timers_.next_deadline_ns(), 10);
  EXPECT_EQ(FiredBy(9), std::vector<int>());
  EXPECT_EQ(FiredBy(20), (std::vector<int>{1, 2}));
  EXPECT_EQ(FiredBy(1000), (std::vector<int>{3}));
  EXPECT_EQ(timers_.next_deadline_ns(), TimerQueue::kNever);
}

TEST_F(TimerQueueTest, EqualDeadlinesFireInOrderOfAdding) {
  for (int i = 0; i < 50; ++i) At(7, i);
  std::vector<int> expected(50);
  for (int i = 0; i < 50; ++i) expected[static_cast<size_t>(i)] = i;
  EXPECT_EQ(FiredBy(7), expected);
}

TEST_F(TimerQueueTest, CancelledOneDoesNotFire) {
  At(1, 1);
  TimerId second = At(2, 2);
  At(3, 3);
  EXPECT_TRUE(timers_.Cancel(second));
  EXPECT_FALSE(timers_.Cancel(second));
  EXPECT_EQ(FiredBy(10), (std::vector<int>{1, 3}));
}

TEST_F(TimerQueueTest, OldIdDoesNotCancelTheSlotsNextTimer) {
  TimerId old = At(1, 1);
  FiredBy(1);
  TimerId next = At(2, 2);
  EXPECT_EQ(old.slot, next.slot);  // the slot is used again, which is the point
  EXPECT_FALSE(timers_.Cancel(old));
  EXPECT_EQ(FiredBy(2), (std::vector<int>{2}));
}

TEST_F(TimerQueueTest, IdOfNoTimerCancelsNothing) { EXPECT_FALSE(timers_.Cancel(TimerId())); }

TEST_F(TimerQueueTest, AgreesWithASortedMapOverRandomOperations) {
  Random random(42);
  std::map<std::pair<int64_t, int>, TimerId> model;
  int64_t now_ns = 0;
  int name = 0;
  for (int step = 0; step < 20'000; ++step) {
    uint64_t choice = random.Below(10);
    if (choice < 5) {
      int64_t deadline_ns = now_ns + static_cast<int64_t>(random.Below(1000));
      model[{deadline_ns, name}] = At(deadline_ns, name);
      ++name;
    } else if (choice < 8 && !model.empty()) {
      auto victim = std::next(model.begin(), static_cast<ptrdiff_t>(random.Below(model.size())));
      EXPECT_TRUE(timers_.Cancel(victim->second));
      model.erase(victim);
    } else {
      now_ns += static_cast<int64_t>(random.Below(100));
      std::vector<int> expected;
      while (!model.empty() && model.begin()->first.first <= now_ns) {
        expected.push_back(model.begin()->first.second);
        model.erase(model.begin());
      }
      ASSERT_EQ(FiredBy(now_ns), expected) << "at step " << step;
    }
    ASSERT_EQ(timers_.size(), model.size());
  }
}

}  // namespace
}  // namespace kb::reactor

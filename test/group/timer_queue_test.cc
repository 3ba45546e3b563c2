#include "group/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace kb::group {
namespace {

using Queue = TimerQueue<int>;

std::vector<int> Due(Queue& queue, int64_t now_ms) {
  std::vector<int> fired;
  while (auto target = queue.PopDue(now_ms)) fired.push_back(*target);
  return fired;
}

TEST(TimerQueueTest, FiresInTheOrderOfDeadlinesAndNotBefore) {
  Queue queue;
  auto a = queue.Make(1);
  auto b = queue.Make(2);
  a.Arm(20);
  b.Arm(10);
  EXPECT_EQ(queue.NextDeadlineMs(), 10);
  EXPECT_THAT(Due(queue, 9), ::testing::IsEmpty());
  EXPECT_THAT(Due(queue, 20), ::testing::ElementsAre(2, 1));
  EXPECT_EQ(queue.NextDeadlineMs(), std::nullopt);
  EXPECT_FALSE(a.armed());
}

TEST(TimerQueueTest, EqualDeadlinesFireInTheOrderOfArming) {
  Queue queue;
  std::vector<Queue::Timer> timers;
  for (int i = 0; i < 5; ++i) {
    timers.push_back(queue.Make(i));
    timers.back().Arm(7);
  }
  EXPECT_THAT(Due(queue, 7), ::testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST(TimerQueueTest, MovingIntoTheFutureLeavesTheHeapAlone) {
  Queue queue;
  auto timer = queue.Make(1);
  for (int64_t deadline = 10; deadline < 1'000; ++deadline) timer.Arm(deadline);
  EXPECT_EQ(queue.heap_size(), 1u);
  EXPECT_EQ(queue.NextDeadlineMs(), 999);
  EXPECT_THAT(Due(queue, 998), ::testing::IsEmpty());
  EXPECT_THAT(Due(queue, 999), ::testing::ElementsAre(1));
}

TEST(TimerQueueTest, MovingToEarlierFiresOnceAndEarlier) {
  Queue queue;
  auto timer = queue.Make(1);
  timer.Arm(100);
  timer.Arm(50);
  EXPECT_EQ(queue.NextDeadlineMs(), 50);
  EXPECT_THAT(Due(queue, 50), ::testing::ElementsAre(1));
  EXPECT_THAT(Due(queue, 200), ::testing::IsEmpty());
}

TEST(TimerQueueTest, CancelledAndDestroyedTimersDoNotFire) {
  Queue queue;
  auto kept = queue.Make(1);
  kept.Arm(10);
  kept.Cancel();
  {
    auto gone = queue.Make(2);
    gone.Arm(10);
  }
  auto reused = queue.Make(3);  // in the place of the one that is gone
  reused.Arm(11);
  EXPECT_THAT(Due(queue, 100), ::testing::ElementsAre(3));
}

TEST(TimerQueueTest, AMovedHandleIsTheSameTimer) {
  Queue queue;
  auto a = queue.Make(1);
  a.Arm(5);
  Queue::Timer b = std::move(a);
  EXPECT_TRUE(b.armed());
  EXPECT_EQ(b.deadline_ms(), 5);
  b = Queue::Timer();
  EXPECT_THAT(Due(queue, 5), ::testing::IsEmpty());
}

TEST(TimerQueueTest, StaleEntriesNeverOutnumberTheTimersByMuch) {
  Queue queue;
  std::vector<Queue::Timer> timers;
  for (int i = 0; i < 100; ++i) timers.push_back(queue.Make(i));
  for (int64_t round = 1'000; round > 0; --round) {
    for (auto& timer : timers) timer.Arm(round);  // ever earlier: each makes an entry
  }
  EXPECT_LE(queue.heap_size(), 2 * timers.size() + Queue::kSlack + 1);
  for (int i = 0; i < 10'000; ++i) queue.Make(i).Arm(1);  // come and gone
  EXPECT_LE(queue.heap_size(), 2 * timers.size() + Queue::kSlack + 1);
}

// Against a map, which is slow and obviously right.
TEST(TimerQueueTest, AgreesWithAModelUnderRandomUse) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Queue queue;
    std::map<int, Queue::Timer> timers;
    std::map<int, int64_t> due;
    int64_t now = 0;
    for (int step = 0; step < 2'000; ++step) {
      int id = static_cast<int>(random.Below(20));
      switch (random.Below(5)) {
        case 0:
        case 1:
          if (timers.count(id) == 0) timers[id] = queue.Make(id);
          due[id] = now + static_cast<int64_t>(random.Below(50));
          timers[id].Arm(due[id]);
          break;
        case 2:
          if (timers.count(id) != 0) timers[id].Cancel();
          due.erase(id);
          break;
        case 3:
          timers.erase(id);
          due.erase(id);
          break;
        case 4: {
          now += static_cast<int64_t>(random.Below(20));
          std::vector<int> expected;
          int64_t earliest = INT64_MAX;
          for (auto [timer, at] : due) earliest = std::min(earliest, at);
          EXPECT_EQ(queue.NextDeadlineMs(), due.empty() ? std::nullopt : std::optional(earliest));
          std::erase_if(due, [&](const auto& entry) {
            if (entry.second > now) return false;
            expected.push_back(entry.first);
            return true;
          });
          EXPECT_THAT(Due(queue, now), ::testing::UnorderedElementsAreArray(expected));
          break;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kb::group

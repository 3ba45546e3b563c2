// Coroutines: lifetime, order, and that neither the stack nor the run queue is used more than promised.
#include "reactor/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "reactor/completion.h"
#include "support/sim_scheduler.h"

namespace kb::reactor {
namespace {

class TaskTest : public testing::Test {
 protected:
  Reactor& home() { return **reactor_; }
  void RunAll() {
    while (scheduler_.Step()) {
    }
  }

  test::SimScheduler scheduler_{1};
  std::unique_ptr<test::SimReactor> reactor_ = scheduler_.MakeReactor(0);
  Reactor::Scope scope_{home()};
};

Task<int> Immediately(int value) { co_return value; }
Task<int> AfterYield(int value) {
  co_await Yield();
  co_return value;
}
Task<std::unique_ptr<std::string>> MoveOnly() { co_return std::make_unique<std::string>("moved"); }

// Says when it is destroyed.
struct Tracker {
  explicit Tracker(int& alive) : alive(&alive) { ++*this->alive; }
  Tracker(const Tracker& other) : alive(other.alive) { ++*alive; }
  ~Tracker() { --*alive; }
  int* alive;
};

TEST_F(TaskTest, IsLazy) {
  bool started = false;
  auto body = [&]() -> Task<void> {
    started = true;
    co_return;
  };
  {
    Task<void> task = body();
    EXPECT_FALSE(started);
  }
  EXPECT_FALSE(started);
}

TEST_F(TaskTest, PathWithoutWaitingDoesNotSuspend) {
  int result = 0;
  home().Spawn([&]() -> Task<void> {
    int a = co_await Immediately(20);
    int b = co_await Immediately(22);
    result = a + b;
  });
  EXPECT_EQ(result, 42) << "it is there before the reactor has turned";
  EXPECT_EQ(home().live_tasks(), 0u);
}

TEST_F(TaskTest, WaitsThroughTheRunQueue) {
  int result = 0;
  home().Spawn([&]() -> Task<void> { result = co_await AfterYield(42); });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(home().live_tasks(), 1u);
  RunAll();
  EXPECT_EQ(result, 42);
  EXPECT_EQ(home().live_tasks(), 0u);
}

TEST_F(TaskTest, CarriesMoveOnlyValues) {
  std::string result;
  home().Spawn([&]() -> Task<void> {
    std::unique_ptr<std::string> value = co_await MoveOnly();
    result = *value;
  });
  EXPECT_EQ(result, "moved");
}

size_t StackDepth() {
  char here;
  return reinterpret_cast<size_t>(&here);
}

TEST_F(TaskTest, AMillionAwaitsUseOneStackFrame) {
  size_t lowest = SIZE_MAX;
  size_t highest = 0;
  auto note = [&] {
    lowest = std::min(lowest, StackDepth());
    highest = std::max(highest, StackDepth());
  };
  int64_t sum = 0;
  home().Spawn([&]() -> Task<void> {
    for (int i = 0; i < 1'000'000; ++i) {
      // Every second one waits, so both ways of going on are in the chain.
      if (i % 2 == 0) {
        sum += co_await Immediately(1);
      } else {
        sum += co_await AfterYield(1);
      }
      if (i % 1000 == 1) note();
    }
  });
  RunAll();
  EXPECT_EQ(sum, 1'000'000);
  EXPECT_LT(highest - lowest, 4096u);
}

Task<int> Nested(int depth) {
  if (depth == 0) {
    co_await Yield();
    co_return 0;
  }
  int below = co_await Nested(depth - 1);
  co_return below + 1;
}

TEST_F(TaskTest, DeepChainUnwindsThroughTheRunQueue) {
  int result = 0;
  home().Spawn([&]() -> Task<void> { result = co_await Nested(500); });
  RunAll();
  EXPECT_EQ(result, 500);
}

TEST_F(TaskTest, StartedOnesAreUnderWayTogether) {
  std::vector<int> order;
  auto work = [&](int name) -> Task<int> {
    order.push_back(name);
    co_await Yield();
    order.push_back(10 + name);
    co_return name;
  };
  int sum = 0;
  home().Spawn([&]() -> Task<void> {
    Task<int> first = work(1);
    Task<int> second = work(2);
    first.Start();
    second.Start();
    sum += co_await first;
    sum += co_await second;
  });
  RunAll();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 11, 12}));
  EXPECT_EQ(sum, 3);
}

TEST_F(TaskTest, DestroyingAWaitingTaskDestroysItsWholeChain) {
  int alive = 0;
  Completion<> never;
  auto inner = [&]() -> Task<void> {
    Tracker tracker(alive);
    co_await never.Wait();
  };
  auto outer = [&]() -> Task<void> {
    Tracker tracker(alive);
    Task<void> task = inner();
    co_await task;
  };
  {
    Task<void> task = outer();
    task.Start();
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
  never.Set();  // nobody is there any more
  RunAll();
}

TEST_F(TaskTest, DestroyedWhileInTheRunQueueIsNotResumed) {
  int alive = 0;
  Completion<> event;
  auto body = [&]() -> Task<void> {
    Tracker tracker(alive);
    co_await event.Wait();
    ADD_FAILURE() << "resumed after its end";
  };
  {
    Task<void> task = body();
    task.Start();
    event.Set();
    EXPECT_TRUE(home().HasWork());
  }
  EXPECT_EQ(alive, 0);
  RunAll();
}

TEST_F(TaskTest, SpawnedLambdaIsKeptUntilItsTaskEnds) {
  auto counted = std::make_shared<int>(5);
  int seen = 0;
  home().Spawn([counted, &seen]() -> Task<void> {
    co_await Yield();
    seen = *counted;
  });
  EXPECT_EQ(counted.use_count(), 2);
  RunAll();
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(counted.use_count(), 1);
}

// -------------------------------------------------------------------------------------------- completion.h

TEST_F(TaskTest, SetBeforeWaitDoesNotSuspend) {
  std::string result;
  Completion<std::string> completion;
  completion.Set("early");
  home().Spawn([&]() -> Task<void> { result = co_await completion.Wait(); });
  EXPECT_EQ(result, "early");
}

TEST_F(TaskTest, CompletionMayGoBeforeItsWaiterGoesOn) {
  auto completion = std::make_unique<Completion<std::string>>();
  std::string result;
  home().Spawn([&]() -> Task<void> {
    auto wait = completion->Wait();
    result = co_await wait;
  });
  completion->Set("late");
  completion.reset();
  RunAll();
  EXPECT_EQ(result, "late");
}

TEST_F(TaskTest, CompletionThatIsNeverSetLetsGoOfItsWaiter) {
  auto completion = std::make_unique<Completion<int>>();
  home().Spawn([&]() -> Task<void> { co_await completion->Wait(); });
  completion.reset();
  RunAll();
  EXPECT_EQ(home().live_tasks(), 1u);
  home().Discard();
  EXPECT_EQ(home().live_tasks(), 0u);
}

TEST_F(TaskTest, WaitForGivesUpAfterItsTime) {
  Completion<int> completion;
  std::optional<int> result = 1;
  int64_t start_ns = scheduler_.now_ns();
  home().Spawn([&]() -> Task<void> {
    auto wait = completion.WaitFor(5'000);
    result = co_await wait;
  });
  RunAll();
  EXPECT_EQ(result, std::nullopt);
  EXPECT_EQ(scheduler_.now_ns() - start_ns, 5'000);
  EXPECT_TRUE(completion.TrySet(3)) << "late, but not refused";
  EXPECT_FALSE(completion.TrySet(4));
}

TEST_F(TaskTest, WaitForTakesWhatComesInTimeAndLeavesNoTimer) {
  Completion<int> completion;
  std::optional<int> result;
  home().Spawn([&]() -> Task<void> {
    auto wait = completion.WaitFor(5'000);
    result = co_await wait;
  });
  completion.Set(3);
  home().Turn(0);
  EXPECT_EQ(result, 3);
  EXPECT_EQ(home().next_timer_ns(), TimerQueue::kNever);
}

TEST_F(TaskTest, SleepIsCancelledWithItsTask) {
  {
    auto body = []() -> Task<void> { co_await Sleep(1'000); };
    Task<void> task = body();
    task.Start();
    EXPECT_NE(home().next_timer_ns(), TimerQueue::kNever);
  }
  EXPECT_EQ(home().next_timer_ns(), TimerQueue::kNever);
}

TEST_F(TaskTest, SignalWakesAllThatWait) {
  Signal signal;
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    home().Spawn([&]() -> Task<void> {
      co_await signal.Wait();
      ++woken;
    });
  }
  EXPECT_TRUE(signal.has_waiters());
  signal.NotifyAll();
  EXPECT_FALSE(signal.has_waiters());
  RunAll();
  EXPECT_EQ(woken, 3);
}

TEST_F(TaskTest, WaitGroupGoesOnWhenAllAreDone) {
  WaitGroup group(3);
  bool done = false;
  home().Spawn([&]() -> Task<void> {
    co_await group.Wait();
    done = true;
  });
  group.Done();
  group.Done();
  RunAll();
  EXPECT_FALSE(done);
  group.Done();
  RunAll();
  EXPECT_TRUE(done);
}

TEST_F(TaskTest, ClosedGateLetsOutButNotIn) {
  Gate gate;
  Gate::Pass first = gate.Enter();
  bool closed = false;
  home().Spawn([&]() -> Task<void> {
    auto wait = gate.Closed();
    co_await wait;
    closed = true;
  });
  EXPECT_TRUE(first);
  EXPECT_FALSE(gate.Enter());
  RunAll();
  EXPECT_FALSE(closed);
  first = Gate::Pass();
  RunAll();
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace kb::reactor

// Crossing threads: RunOn, RunOnEach, DiskPool, Published; with real threads, and in a simulation.
#include "reactor/run_on.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "reactor/disk_pool.h"
#include "reactor/published.h"
#include "reactor/reactor_group.h"
#include "support/sim_scheduler.h"

namespace kb::reactor {
namespace {

class RunOnTest : public testing::Test {
 protected:
  void SetUp() override {
    auto group = ReactorGroup::Create({.reactors = 3}, SystemClock());
    ASSERT_TRUE(group.ok());
    group_ = *std::move(group);
    group_->Start();
  }
  Reactor& at(size_t index) { return group_->at(index); }

  // Runs the task that `body` makes on reactor 0, to its end.
  template <typename F>
  void OnFirst(F body) {
    std::promise<void> done;
    auto whole = [&]() -> Task<void> {
      Task<void> task = body();
      co_await task;
      done.set_value();
    };
    at(0).Post([&] { at(0).Spawn(whole()); });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(120)), std::future_status::ready);
    // The frame of `whole` must have ended before we return.
    std::promise<void> ended;
    at(0).Post([&] { ended.set_value(); });
    ended.get_future().wait();
  }

  std::unique_ptr<ReactorGroup> group_;
};

TEST_F(RunOnTest, CallsThereAndGoesOnHere) {
  OnFirst([&]() -> Task<void> {
    auto call = RunOn(at(1), [] { return Reactor::Current()->index(); });
    int there = co_await call;
    EXPECT_EQ(there, 1);
    EXPECT_TRUE(at(0).IsCurrent());
  });
}

TEST_F(RunOnTest, OnItselfIsAPlainCall) {
  OnFirst([&]() -> Task<void> {
    bool others_ran = false;
    at(0).Defer([&] { others_ran = true; });
    auto call = RunOn(at(0), [] { return 7; });
    int result = co_await call;
    EXPECT_EQ(result, 7);
    EXPECT_FALSE(others_ran) << "it was suspended";
    auto task_call = RunOn(at(0), []() -> Task<std::string> { co_return "inline"; });
    std::string text = co_await task_call;
    EXPECT_EQ(text, "inline");
    EXPECT_FALSE(others_ran);
    co_await Yield();
    EXPECT_TRUE(others_ran);
  });
}

TEST_F(RunOnTest, PingPongKeepsItsCount) {
  constexpr int kRounds = 5'000;
  OnFirst([&]() -> Task<void> {
    int64_t on_one = 0;  // touched on reactor 1 only, while we wait
    for (int i = 0; i < kRounds; ++i) {
      auto call = RunOn(at(1), [&] { return ++on_one; });
      int64_t seen = co_await call;
      EXPECT_EQ(seen, i + 1);
    }
  });
}

TEST_F(RunOnTest, RunsAWholeTaskThere) {
  OnFirst([&]() -> Task<void> {
    auto call = RunOn(at(2), [&]() -> Task<std::unique_ptr<int>> {
      EXPECT_TRUE(at(2).IsCurrent());
      co_await Sleep(1'000);
      EXPECT_TRUE(at(2).IsCurrent());
      auto inner = RunOn(at(1), [] { return 20; });
      int value = co_await inner;
      co_return std::make_unique<int>(value + 1);
    });
    std::unique_ptr<int> result = co_await call;
    EXPECT_EQ(*result, 21);
    EXPECT_TRUE(at(0).IsCurrent());
  });
}

TEST_F(RunOnTest, EachTargetAnswersInItsPlace) {
  OnFirst([&]() -> Task<void> {
    auto calls = RunOnEach({&at(2), &at(0), &at(1)}, [](size_t i) {
      return std::to_string(i) + ":" + std::to_string(Reactor::Current()->index());
    });
    PoolVector<std::string> answers = co_await calls;
    EXPECT_EQ(answers, (PoolVector<std::string>{"0:2", "1:0", "2:1"}));

    auto tasks = RunOnEach({&at(0), &at(1), &at(2)}, [](size_t i) -> Task<int> {
      co_await Yield();
      co_return static_cast<int>(i) * 10 + Reactor::Current()->index();
    });
    PoolVector<int> results = co_await tasks;
    EXPECT_EQ(results, (PoolVector<int>{0, 11, 22}));

    auto nothing = RunOnEach({}, [](size_t) { return 1; });
    PoolVector<int> none = co_await nothing;
    EXPECT_TRUE(none.empty());
  });
}

TEST_F(RunOnTest, ATaskMayBeEmpty) {
  OnFirst([&]() -> Task<void> {
    for (int target : {0, 1}) {
      int called = 0;
      auto call = RunOn(at(target), [&called]() -> Task<void> {
        ++called;
        return {};
      });
      co_await call;
      EXPECT_EQ(called, 1);
    }
    std::atomic<int> called{0};
    auto calls = RunOnEach({&at(0), &at(1)}, [&called](size_t) -> Task<void> {
      ++called;
      return {};
    });
    co_await calls;
    EXPECT_EQ(called, 2);
  });
}

TEST_F(RunOnTest, ATaskEndsWhereItRan) {
  struct EndsOn {
    explicit EndsOn(int index) : index(index) {}
    EndsOn(EndsOn&& other) noexcept : index(std::exchange(other.index, -1)) {}
    ~EndsOn() { EXPECT_TRUE(index < 0 || Reactor::Current()->index() == index); }
    int index;
  };
  const auto run = [](EndsOn, bool waits) -> Task<int> {
    if (waits) {
      Yield yield;
      co_await yield;
    }
    co_return Reactor::Current()->index();
  };
  OnFirst([&]() -> Task<void> {
    for (int target : {0, 1}) {
      for (bool waits : {false, true}) {
        auto call = RunOn(at(target), [&run, target, waits] { return run(EndsOn(target), waits); });
        int index = co_await call;
        EXPECT_EQ(index, target);
      }
    }
  });
}

TEST_F(RunOnTest, ManyCallersCrossAtTheSameTime) {
  constexpr int kCallers = 200;
  constexpr int kCalls = 50;
  std::atomic<int> finished{0};
  std::promise<void> all;
  std::vector<int64_t> counters(3);
  for (int caller = 0; caller < kCallers; ++caller) {
    Reactor& home = at(static_cast<size_t>(caller) % 3);
    home.Post([&, caller] {
      Reactor::Current()->Spawn([&, caller]() -> Task<void> {
        for (int i = 0; i < kCalls; ++i) {
          size_t target = static_cast<size_t>(caller + i) % 3;
          auto call = RunOn(at(target), [&counters, target] { ++counters[target]; });
          co_await call;
        }
        if (++finished == kCallers) all.set_value();
      });
    });
  }
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(120)), std::future_status::ready);
  group_->Stop();
  EXPECT_EQ(counters[0] + counters[1] + counters[2], kCallers * kCalls);
}

TEST_F(RunOnTest, DiskPoolRunsElsewhereAndComesBack) {
  ThreadDiskPool disk(2);
  OnFirst([&]() -> Task<void> {
    std::thread::id here = std::this_thread::get_id();
    auto job = disk.Run([&] {
      EXPECT_EQ(Reactor::Current(), nullptr);
      return std::this_thread::get_id();
    });
    std::thread::id there = co_await job;
    EXPECT_NE(there, here);
    EXPECT_TRUE(at(0).IsCurrent());
  });
  EXPECT_EQ(disk.threads(), 1u) << "threads come when they are needed";
}

TEST_F(RunOnTest, DiskPoolStopFinishesWhatWasSubmitted) {
  ThreadDiskPool disk(2);
  std::atomic<int> ran{0};
  for (int i = 0; i < 500; ++i) {
    disk.Submit([&] { ++ran; }, at(0), [] {});
  }
  disk.Stop();
  EXPECT_EQ(ran, 500);
  disk.Submit([&] { ++ran; }, at(0), [] {});
  EXPECT_EQ(ran, 500);
}

TEST_F(RunOnTest, PublishedValueIsTheSameThroughoutATaskAndFreedAfterItsLastHolder) {
  auto first = std::make_shared<const int>(1);
  std::weak_ptr<const int> first_alive = first;
  Published<int> published(group_->all(), std::move(first));
  std::atomic<int> swaps{0};
  OnFirst([&]() -> Task<void> {
    ImageRef<int> held = published.Hold();
    ImageRef<int> copy = held;
    EXPECT_EQ(published.Get(), 1);
    auto publish = published.Publish(std::make_shared<const int>(2), [&](Reactor& reactor, int old_value, int value) {
      EXPECT_TRUE(reactor.IsCurrent());
      EXPECT_EQ(old_value, 1);
      EXPECT_EQ(value, 2);
      ++swaps;
    });
    co_await publish;
    EXPECT_EQ(swaps, 3);
    EXPECT_EQ(published.Get(), 2);
    EXPECT_EQ(*held, 1);
    held = ImageRef<int>();
    EXPECT_FALSE(first_alive.expired());
    copy = ImageRef<int>();
    EXPECT_TRUE(first_alive.expired());
    auto there = RunOn(at(2), [&] { return published.Get(); });
    int seen = co_await there;
    EXPECT_EQ(seen, 2);
  });
  group_->Stop();
}

// ----------------------------------------------------------------------------------------------- simulated

TEST(SimulatedRunOn, TwoReactorsInOneThreadAndADiskGiveTheSameRunForTheSameSeed) {
  auto run = [](uint64_t seed) {
    test::SimScheduler scheduler(seed);
    auto a = scheduler.MakeReactor(0);
    auto b = scheduler.MakeReactor(1);
    test::SimDiskPool disk(scheduler);
    int finished = 0;
    for (int i = 0; i < 10; ++i) {
      (*a)->Post([&] {
        (*a)->Spawn([&]() -> Task<void> {
          auto write = disk.Run([] { return 4; });
          int from_disk = co_await write;
          auto call = RunOn(**b, [&] { return from_disk + Reactor::Current()->index(); });
          int result = co_await call;
          EXPECT_EQ(result, 5);
          EXPECT_TRUE((*a)->IsCurrent());
          ++finished;
        });
      });
    }
    EXPECT_TRUE(scheduler.RunUntil([&] { return finished == 10; }));
    return scheduler.trace();
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(SimulatedRunOn, PowerCutInTheMiddleLeavesNothingBehind) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    test::SimScheduler scheduler(seed);
    auto a = scheduler.MakeReactor(0);
    auto b = scheduler.MakeReactor(1);
    auto disk = std::make_unique<test::SimDiskPool>(scheduler);
    auto counted = std::make_shared<int>();
    for (int i = 0; i < 5; ++i) {
      (*a)->Post([&, counted] {
        (*a)->Spawn([&, counted]() -> Task<void> {
          for (;;) {
            auto write = disk->Run([counted] { return 1; });
            co_await write;
            auto call = RunOn(**b, [&, counted]() -> Task<void> { co_await Sleep(1'000); });
            co_await call;
          }
        });
      });
    }
    for (uint64_t step = 0; step < 20 + seed; ++step) scheduler.Step();
    disk.reset();
    (*a)->Discard();
    (*b)->Discard();
    EXPECT_EQ(counted.use_count(), 1) << "seed " << seed;
    a.reset();
    b.reset();
    while (scheduler.Step()) {
    }
  }
}

}  // namespace
}  // namespace kb::reactor

// The event loop itself: on real threads with epoll, and turned by hand under the simulated clock.
#include "reactor/reactor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "reactor/completion.h"
#include "reactor/epoll_poller.h"
#include "reactor/reactor_group.h"
#include "support/sim_scheduler.h"

namespace kb::reactor {
namespace {

std::unique_ptr<Reactor> MakeReactor() {
  auto poller = EpollPoller::Create();
  return std::make_unique<Reactor>(0, SystemClock(), 1, *std::move(poller));
}

std::unique_ptr<ReactorGroup> StartGroup(int reactors) {
  auto group = ReactorGroup::Create({.reactors = reactors}, SystemClock());
  EXPECT_TRUE(group.ok());
  (*group)->Start();
  return *std::move(group);
}

TEST(Mailbox, TellsExactlyOneWriterToWakeASleeper) {
  Mailbox mailbox;
  EXPECT_FALSE(mailbox.Put([] {}));  // awake: it will look by itself
  EXPECT_FALSE(mailbox.PrepareToSleep()) << "there is a message";
  Closure taken[4];
  EXPECT_EQ(mailbox.Take(taken), 1u);
  EXPECT_TRUE(mailbox.PrepareToSleep());
  EXPECT_TRUE(mailbox.Put([] {}));
  EXPECT_FALSE(mailbox.Put([] {}));
}

// Producers hammer a reactor that goes to sleep between messages: a lost wake-up would hang the test, a lost or reordered
// message would fail it.
TEST(Mailbox, ThousandsOfMessagesFromManyThreadsArriveInEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 20'000;
  auto group = StartGroup(1);
  Reactor& target = group->at(0);
  std::vector<int> next(kThreads);
  int disordered = 0;
  int received = 0;
  std::promise<void> all;
  std::vector<std::thread> producers;
  for (int thread = 0; thread < kThreads; ++thread) {
    producers.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        target.Post([&, thread, i] {
          if (next[static_cast<size_t>(thread)]++ != i) ++disordered;
          if (++received == kThreads * kMessages) all.set_value();
        });
        if (i % 64 == thread) std::this_thread::yield();
      }
    });
  }
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(120)), std::future_status::ready);
  for (std::thread& producer : producers) producer.join();
  group->Stop();
  EXPECT_EQ(disordered, 0);
}

TEST(Reactor, IsCurrentOnlyWhereItTurns) {
  auto reactor = MakeReactor();
  EXPECT_EQ(Reactor::Current(), nullptr);
  bool current = false;
  reactor->Post([&] { current = reactor->IsCurrent(); });
  reactor->Turn(0);
  EXPECT_TRUE(current);
  EXPECT_FALSE(reactor->IsCurrent());
}

TEST(ReactorDeathTest, ItsOwnThingsAreRefusedElsewhere) {
  auto reactor = MakeReactor();
  EXPECT_DEATH(reactor->Defer([] {}), "CHECK failed");
  EXPECT_DEATH(reactor->After(1, [] {}), "CHECK failed");
}

TEST(Reactor, PostToItselfKeepsTheOrder) {
  auto reactor = MakeReactor();
  std::vector<int> order;
  reactor->Post([&] {
    reactor->Post([&] { order.push_back(2); });
    reactor->Post([&] { order.push_back(3); });
    order.push_back(1);
  });
  reactor->Turn(0);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Reactor, TimerIsNotLookedAtTooEarly) {
  auto reactor = MakeReactor();
  Reactor::Scope scope(*reactor);
  int64_t start_ns = reactor->NowNs();
  bool fired = false;
  reactor->After(1'200'000, [&] { fired = true; });  // 1.2 ms: the sleep is rounded up to 2
  reactor->Turn(Reactor::kForever);
  EXPECT_TRUE(fired) << "it woke before the deadline";
  EXPECT_GE(reactor->NowNs() - start_ns, 1'200'000);
}

TEST(Reactor, BudgetsOfATurnLeaveTheRestForTheNext) {
  auto reactor = MakeReactor();
  size_t messages = 0;
  size_t tasks = 0;
  for (size_t i = 0; i < Reactor::kMessagesPerTurn + 1; ++i) reactor->Post([&] { ++messages; });
  reactor->Turn(0);
  EXPECT_EQ(messages, Reactor::kMessagesPerTurn);
  reactor->Turn(0);
  EXPECT_EQ(messages, Reactor::kMessagesPerTurn + 1);
  {
    Reactor::Scope scope(*reactor);
    for (size_t i = 0; i < Reactor::kTasksPerTurn + 1; ++i) reactor->Defer([&] { ++tasks; });
  }
  reactor->Turn(Reactor::kForever);  // does not sleep: there is work
  EXPECT_EQ(tasks, Reactor::kTasksPerTurn);
  reactor->Turn(Reactor::kForever);
  EXPECT_EQ(tasks, Reactor::kTasksPerTurn + 1);
}

// Notes how long the reactor would sleep, and how often it is woken.
class NotingPoller final : public Poller {
 public:
  Result<IoRegistration> Add(int, uint32_t, IoHandler&) override { return IoRegistration(); }
  void Modify(IoRegistration, int, uint32_t) override {}
  void Remove(IoRegistration, int) override {}
  void Wait(int64_t timeout_ns, size_t) override {
    timeouts_ns.push_back(timeout_ns);
    if (while_asleep) while_asleep();
  }
  void Dispatch() override {}
  void Wake() override { ++wakes; }

  std::vector<int64_t> timeouts_ns;
  int wakes = 0;
  std::function<void()> while_asleep;
};

class SleepTest : public testing::Test {
 protected:
  int64_t SleepOfNextTurn() {
    reactor_.Turn(Reactor::kForever);
    return poller_->timeouts_ns.back();
  }
  // As another thread would: outside the reactor.
  void Post() {
    reactor_.Post([] {});
  }

  test::SimClock clock_;
  NotingPoller* poller_ = new NotingPoller();
  Reactor reactor_{0, clock_, 1, std::unique_ptr<Poller>(poller_)};
};

TEST_F(SleepTest, WithoutWorkItSleepsForEver) { EXPECT_EQ(SleepOfNextTurn(), Reactor::kForever); }

TEST_F(SleepTest, SleepsUntilTheFirstTimerAndNotAtAllWithWork) {
  {
    Reactor::Scope scope(reactor_);
    reactor_.After(9'000, [] {});
    reactor_.After(5'000, [] {});
  }
  EXPECT_EQ(SleepOfNextTurn(), 5'000);
  clock_.AdvanceTo(clock_.MonotonicNs() + 6'000);
  EXPECT_EQ(SleepOfNextTurn(), 0) << "one is due";
  EXPECT_EQ(SleepOfNextTurn(), 3'000);
  Post();
  EXPECT_EQ(SleepOfNextTurn(), 0);
  EXPECT_EQ(SleepOfNextTurn(), 3'000);
}

TEST_F(SleepTest, IsWokenOnceAndOnlyWhenItSleeps) {
  Post();
  Post();
  EXPECT_EQ(poller_->wakes, 0) << "it is awake and will look";
  SleepOfNextTurn();
  poller_->while_asleep = [&] {
    std::thread([&] {
      Post();
      Post();
    }).join();
  };
  EXPECT_EQ(SleepOfNextTurn(), Reactor::kForever);
  EXPECT_EQ(poller_->wakes, 1);
}

TEST(Reactor, DiscardDestroysWhatWaits) {
  auto reactor = MakeReactor();
  auto counted = std::make_shared<int>();
  reactor->Post([counted] {});
  {
    Reactor::Scope scope(*reactor);
    reactor->Defer([counted] {});
    reactor->After(1'000'000'000, [counted] {});
    reactor->Spawn([counted]() -> Task<void> { co_await Sleep(1'000'000'000); });
  }
  EXPECT_EQ(counted.use_count(), 5);
  EXPECT_EQ(reactor->live_tasks(), 1u);
  reactor->Discard();
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(reactor->live_tasks(), 0u);
  reactor->Post([counted] {});
  reactor.reset();
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(Reactor, SimulatedOnesTakeTurnsInOneThreadAndTheSeedDecidesHow) {
  auto run = [](uint64_t seed) {
    test::SimScheduler scheduler(seed);
    auto a = scheduler.MakeReactor(0);
    auto b = scheduler.MakeReactor(1);
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) {
      (*a)->Post([&order, i] { order.push_back(i); });
      (*b)->Post([&order, i] { order.push_back(100 + i); });
      scheduler.Step();
    }
    while (scheduler.Step()) {
    }
    EXPECT_EQ(order.size(), 40u);
    return std::pair(order, scheduler.trace());
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1).first, run(2).first);
}

TEST(Reactor, SimulatedTimePassesOnlyWhenNothingCanRun) {
  test::SimScheduler scheduler(1);
  auto reactor = scheduler.MakeReactor(0);
  int64_t start_ns = scheduler.now_ns();
  int64_t woke_ns = 0;
  (*reactor)->Post([&] {
    (*reactor)->Spawn([&]() -> Task<void> {
      co_await Sleep(3'600'000'000'000);
      woke_ns = scheduler.now_ns();
    });
  });
  while (scheduler.Step()) {
  }
  EXPECT_EQ(woke_ns - start_ns, 3'600'000'000'000);
}

// ------------------------------------------------------------------------------------------------- epoll

class Recorder final : public IoHandler {
 public:
  void OnIo(uint32_t readiness) override {
    ++calls;
    last = readiness;
    if (then) then();
  }
  int calls = 0;
  uint32_t last = 0;
  Closure then;
};

class EpollTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, first_), 0);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second_), 0);
  }
  void TearDown() override {
    for (int descriptor : {first_[0], first_[1], second_[0], second_[1]}) close(descriptor);
  }
  void Send(int descriptor) { ASSERT_EQ(write(descriptor, "x", 1), 1); }

  std::unique_ptr<Reactor> reactor_ = MakeReactor();
  int first_[2];
  int second_[2];
};

TEST_F(EpollTest, TellsReadableUntilItWasRead) {
  Recorder recorder;
  auto registration = reactor_->poller().Add(first_[0], kReadable, recorder);
  ASSERT_TRUE(registration.ok());
  reactor_->Turn(0);
  EXPECT_EQ(recorder.calls, 0);
  Send(first_[1]);
  reactor_->Turn(0);
  reactor_->Turn(0);
  EXPECT_EQ(recorder.calls, 2);
  EXPECT_EQ(recorder.last, kReadable);
  reactor_->poller().Modify(*registration, first_[0], 0);
  reactor_->Turn(0);
  EXPECT_EQ(recorder.calls, 2);
  reactor_->poller().Remove(*registration, first_[0]);
}

TEST_F(EpollTest, HandlerRemovedByAnEventOfTheSameBatchIsNotCalled) {
  Recorder first;
  Recorder second;
  auto a = reactor_->poller().Add(first_[0], kReadable, first);
  auto b = reactor_->poller().Add(second_[0], kReadable, second);
  first.then = [&] { reactor_->poller().Remove(*b, second_[0]); };
  second.then = [&] { reactor_->poller().Remove(*a, first_[0]); };
  Send(first_[1]);
  Send(second_[1]);
  reactor_->Turn(0);
  EXPECT_EQ(first.calls + second.calls, 1);
}

TEST_F(EpollTest, PeerThatIsGoneIsReportedWithoutInterest) {
  Recorder recorder;
  auto registration = reactor_->poller().Add(first_[0], 0, recorder);
  close(first_[1]);
  reactor_->Turn(0);
  EXPECT_EQ(recorder.calls, 1);
  EXPECT_NE(recorder.last & kBroken, 0u);
  reactor_->poller().Remove(*registration, first_[0]);
  first_[1] = dup(first_[0]);
}

TEST(ReactorGroup, StopsAndStartsAgain) {
  auto group = StartGroup(2);
  for (int round = 0; round < 3; ++round) {
    std::promise<int> ran;
    group->at(1).Post([&] { ran.set_value(Reactor::Current()->index()); });
    EXPECT_EQ(ran.get_future().get(), 1);
    group->Stop();
    group->Start();
  }
}

}  // namespace
}  // namespace kb::reactor

// What a reactor pays for work that is not here and not now: mailboxes, crossing to another thread, timers.
#include <benchmark/benchmark.h>

#include <array>
#include <future>

#include "base/clock.h"
#include "reactor/mailbox.h"
#include "reactor/reactor_group.h"
#include "reactor/run_on.h"
#include "reactor/timer_queue.h"

namespace kb::reactor {
namespace {

// Without the other thread: what the queue itself costs.
void MailboxPutAndTake(benchmark::State& state) {
  Mailbox mailbox;
  std::array<Closure, 64> taken;
  int ran = 0;
  for (auto _ : state) {
    bool wake = mailbox.Put([&ran] { ++ran; });
    benchmark::DoNotOptimize(wake);
    size_t count = mailbox.Take(taken);
    for (size_t i = 0; i < count; ++i) {
      taken[i]();
      taken[i] = {};
    }
  }
  if (ran != state.iterations()) state.SkipWithError("a message was lost");
}
BENCHMARK(MailboxPutAndTake);

// To another reactor that sleeps, and back: two messages, two wake-ups.
void RoundTrip(benchmark::State& state) {
  auto group = ReactorGroup::Create({.reactors = 2}, SystemClock());
  if (!group.ok()) return state.SkipWithError(group.error().message.c_str());
  (*group)->Start();
  Reactor& here = (*group)->at(0);
  Reactor& there = (*group)->at(1);
  constexpr int kTrips = 1000;
  for (auto _ : state) {
    std::promise<int> done;
    auto trips = [&]() -> Task<void> {
      int count = 0;
      for (int i = 0; i < kTrips; ++i) {
        auto call = RunOn(there, [] { return 1; });
        int one = co_await call;
        count += one;
      }
      done.set_value(count);
    };
    here.Post([&] { here.Spawn(trips()); });
    if (done.get_future().get() != kTrips) return state.SkipWithError("a trip was lost");
    std::promise<void> ended;  // the frame of `trips`, which lies on our stack
    here.Post([&] { ended.set_value(); });
    ended.get_future().wait();
  }
  state.SetItemsProcessed(state.iterations() * kTrips);
}
BENCHMARK(RoundTrip)->UseRealTime()->Unit(benchmark::kMicrosecond);

// Every request of a group and every waiting fetch sets a timer and takes it back; few fire. Argument: others waiting.
void TimerAddAndCancel(benchmark::State& state) {
  TimerQueue timers;
  for (int64_t i = 0; i < state.range(0); ++i) timers.Add(1'000'000 + (i * 7919) % 1'000'003, [] {});
  int64_t deadline_ns = 0;
  for (auto _ : state) {
    deadline_ns = (deadline_ns + 104'729) % 2'000'003;
    TimerId id = timers.Add(deadline_ns, [] {});
    if (!timers.Cancel(id)) return state.SkipWithError("a timer was lost");
  }
}
BENCHMARK(TimerAddAndCancel)->Arg(0)->Arg(1'000)->Arg(100'000);

void TimerFires(benchmark::State& state) {
  TimerQueue timers;
  for (int64_t i = 0; i < state.range(0); ++i) timers.Add(i, [] {});
  int64_t now_ns = 0;
  for (auto _ : state) {
    Closure due = timers.TakeDue(now_ns);
    due();
    timers.Add(state.range(0) + now_ns++, [] {});
  }
}
BENCHMARK(TimerFires)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace kb::reactor

// SimScheduler: time and threads of a simulation. Turns any number of reactors in one thread, in an order that its seed
// decides, under a clock that stands still while anything can run and then jumps to the next thing that will.
//
//   SimScheduler scheduler(seed);
//   auto reactor = scheduler.MakeReactor(0);
//   scheduler.RunUntil([&] { return done; });
//
// Same seed, same program: same run. trace() is a fingerprint of it. For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "reactor/disk_pool.h"
#include "reactor/reactor.h"

namespace kb::test {

class SimClock final : public Clock {
 public:
  int64_t WallMs() const override { return wall_start_ms_ + now_ns_ / kNsPerMs; }
  int64_t MonotonicNs() const override { return now_ns_; }
  int64_t StampNs() const override { return now_ns_ + (stamps_ += stamp_step_ns_); }
  // From now on each stamp takes that long, so that what lies between two of them can be told from nothing.
  void set_stamp_step_ns(int64_t stamp_step_ns) { stamp_step_ns_ = stamp_step_ns; }
  void AdvanceTo(int64_t now_ns) {
    if (now_ns > now_ns_) now_ns_ = now_ns;
  }
  void set_wall_start_ms(int64_t wall_start_ms) { wall_start_ms_ = wall_start_ms; }

 private:
  int64_t now_ns_ = 1'000'000'000;
  int64_t wall_start_ms_ = 1'700'000'000'000;
  int64_t stamp_step_ns_ = 0;
  mutable int64_t stamps_ = 0;
};

class SimScheduler;

// A reactor that a scheduler turns while this exists.
class SimReactor {
 public:
  SimReactor(SimScheduler& scheduler, int index, uint64_t seed);
  ~SimReactor();
  reactor::Reactor& operator*() { return reactor_; }
  reactor::Reactor* operator->() { return &reactor_; }

 private:
  SimScheduler& scheduler_;
  reactor::Reactor reactor_;
};

class SimScheduler {
 public:
  explicit SimScheduler(uint64_t seed) : random_(seed) {}

  SimClock& clock() { return clock_; }
  Random& random() { return random_; }
  int64_t now_ns() const { return clock_.MonotonicNs(); }

  std::unique_ptr<SimReactor> MakeReactor(int index);

  // Runs `event` after delay_ns, outside any reactor. Equal times: in the order of the calls.
  void After(int64_t delay_ns, reactor::Closure event);
  // As above, after a time below most_ns that the seed decides.
  void Sometime(int64_t most_ns, reactor::Closure event);

  // One event or one turn of a reactor; moves the clock first if nothing can run now. False: nothing will ever happen.
  bool Step();
  // Steps until `done`, at most most_ns of simulated time. False: it did not come to that.
  bool RunUntil(const std::function<bool()>& done, int64_t most_ns = 120'000'000'000);
  void RunFor(int64_t duration_ns);

  uint64_t trace() const { return trace_; }
  uint64_t steps() const { return steps_; }
  // Mixes something that happened into the trace.
  void Note(uint64_t what);

 private:
  friend class SimReactor;
  static bool CanRun(reactor::Reactor& reactor, int64_t now_ns);
  bool StepNow();
  int64_t NextTimeNs();

  SimClock clock_;
  Random random_;
  std::vector<reactor::Reactor*> reactors_;
  std::map<std::pair<int64_t, uint64_t>, reactor::Closure> events_;  // by time and order
  uint64_t order_ = 0;
  uint64_t steps_ = 0;
  uint64_t trace_ = 14695981039346656037u;
};

// Runs each job at a time that the seed decides. Destroying it drops what has not run.
class SimDiskPool final : public reactor::DiskPool {
 public:
  explicit SimDiskPool(SimScheduler& scheduler, int64_t most_delay_ns = 5'000'000)
      : scheduler_(scheduler), most_delay_ns_(most_delay_ns), alive_(std::make_shared<bool>(true)) {}
  ~SimDiskPool() override { Drop(); }
  void Submit(reactor::Closure job, reactor::Reactor& home, reactor::Closure done) override;
  // Forgets what has not run; what is submitted later runs again.
  void Drop();
  size_t waiting() const { return waiting_; }

 private:
  struct Job {
    reactor::Closure job;
    reactor::Reactor* home;
    reactor::Closure done;
  };
  SimScheduler& scheduler_;
  const int64_t most_delay_ns_;
  std::shared_ptr<bool> alive_;
  size_t waiting_ = 0;
};

}  // namespace kb::test

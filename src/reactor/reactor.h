// Reactor: one event loop. Everything mutable in the broker lives on one and is touched only there.
//
//   Turn:  poll (sleep only when there is nothing to run) -> events -> mailbox -> timers -> run queue
//
// Each part of a turn has a budget, so that none can keep the others waiting. Without work, messages or timers it sleeps
// without a time-out: idle costs nothing. Sleeping time is rounded up, so that a timer is never looked at too early and
// the loop never spins towards a deadline.
//
// Identity is a parameter: a reactor is "current" on a thread while it turns there. In production each has a thread
// (reactor_group.h); in a simulation several take turns in one.
//
// Who may call: Post(), Stop(), index(), IsCurrent() from any thread; everything else only while the reactor is current
// (in a turn, or under a Scope while nobody turns it).
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "reactor/closure.h"
#include "reactor/intrusive_list.h"
#include "reactor/mailbox.h"
#include "reactor/poller.h"
#include "reactor/thread_annotations.h"
#include "reactor/timer_queue.h"

namespace kb::reactor {

template <typename T>
class Task;
class RootPromise;

struct RunQueueTag;
struct RootTag;

// Something that waits for its turn in a reactor's run queue, at most once at a time. Destroying it takes it out.
class Runnable : public ListNode<RunQueueTag> {
 public:
  using RunFunction = void (*)(Runnable& self);
  void Run() { run_(*this); }
  bool Runs(RunFunction run) const { return run_ == run; }

 protected:
  explicit Runnable(RunFunction run) : run_(run) {}
  ~Runnable() = default;

 private:
  const RunFunction run_;
};

class KB_CAPABILITY("reactor") Reactor {
 public:
  // Budgets of one turn. A task is a resumed coroutine or a deferred closure: some microseconds each, so a turn stays
  // below a few milliseconds.
  static constexpr size_t kEventsPerTurn = 256;
  static constexpr size_t kMessagesPerTurn = 1024;
  static constexpr size_t kTimersPerTurn = 1024;
  static constexpr size_t kTasksPerTurn = 1024;
  static constexpr int64_t kForever = -1;

  // `clock` outlives it. `index` counts from 0 within a group; a reactor outside one (the acceptor's) has its own.
  Reactor(int index, const Clock& clock, uint64_t seed, std::unique_ptr<Poller> poller);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // The one that turns on this thread; nullptr outside.
  static Reactor* Current();
  bool IsCurrent() const { return Current() == this; }
  void AssertCurrent() const KB_ASSERT_CAPABILITY(this) { KB_CHECK(IsCurrent()); }

  int index() const { return index_; }
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  Poller& poller() { return *poller_; }
  int64_t NowNs() const { return clock_.MonotonicNs(); }
  // For durations only, see Clock.
  int64_t StampNs() const { return clock_.StampNs(); }
  // The time when this turn began: good enough for idle times, and free.
  int64_t turn_ns() const { return turn_ns_; }

  // Thread-safe. Runs `message` in one of the next turns; what one thread posts runs in the order of its posting. After
  // Discard() it is destroyed instead.
  void Post(Closure message);

  // Runs `closure` behind what is already waiting to run.
  void Defer(Closure closure);
  // Puts `runnable` behind what is already waiting to run; nothing if it waits already.
  void Schedule(Runnable& runnable);

  // Runs `closure` once delay_ns have passed (at once for delays <= 0, but never within this call).
  TimerId After(int64_t delay_ns, Closure closure);
  // True if it had not run; then it never will.
  bool CancelTimer(TimerId id);

  // Starts `task`, runs it up to its first wait before it returns, and lets it go on by itself.
  void Spawn(Task<void> task);
  // As above for a callable that returns a Task<void>: it is kept until the task is done, so captures are safe.
  template <typename F>
    requires std::is_same_v<std::invoke_result_t<F&>, Task<void>>
  void Spawn(F factory);
  // Spawned tasks that have not finished.
  size_t live_tasks() const KB_NO_THREAD_SAFETY_ANALYSIS { return live_tasks_; }

  // Turns until Stop().
  void Run();
  // Thread-safe. Ends Run() after the turn in which it is noticed.
  void Stop();
  // One turn; sleeps at most max_wait_ns (kForever: as long as there is nothing to do).
  void Turn(int64_t max_wait_ns);

  // For a scheduler that turns several reactors: is there something to run now, and when is the next timer due
  // (TimerQueue::kNever without one).
  bool HasWork() const KB_NO_THREAD_SAFETY_ANALYSIS { return !run_queue_.empty() || !mailbox_.empty(); }
  int64_t next_timer_ns() const KB_NO_THREAD_SAFETY_ANALYSIS { return timers_.next_deadline_ns(); }

  // Forgets all that is waiting: destroys messages, timers and spawned tasks without running them, and drops what is
  // posted from now on. Only when no reactor turns any more and no disk job is running, because tasks that wait for those
  // are destroyed under them. Do this to all reactors before any object that their tasks use is destroyed.
  void Discard();
  bool discarded() const { return discarded_; }

  // Makes a reactor that nobody is turning current on this thread: for setting up and for tests.
  class Scope {
   public:
    explicit Scope(Reactor& reactor);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Reactor* const outer_;
  };

 private:
  friend class RootPromise;
  struct Deferred;

  int64_t WaitNs(int64_t max_wait_ns) const KB_REQUIRES(this);
  void Poll(int64_t max_wait_ns) KB_REQUIRES(this);
  void RunMessages() KB_REQUIRES(this);
  void RunTimers() KB_REQUIRES(this);
  void RunTasks() KB_REQUIRES(this);
  void DestroyTasks() KB_REQUIRES(this);

  const int index_;
  const Clock& clock_;
  Random random_;
  const std::unique_ptr<Poller> poller_;
  Mailbox mailbox_;
  TimerQueue timers_ KB_GUARDED_BY(this);
  List<Runnable, RunQueueTag> run_queue_ KB_GUARDED_BY(this);
  List<RootPromise, RootTag> tasks_ KB_GUARDED_BY(this);
  size_t live_tasks_ KB_GUARDED_BY(this) = 0;
  int64_t turn_ns_ = 0;
  bool stopping_ = false;
  bool discarded_ = false;
};

// The current one, which must exist.
Reactor& CurrentReactor();

// A suspended coroutine's place: first with what it waits for, then in the run queue of its reactor. Lives in the awaiter,
// that is in the coroutine's frame; destroying the frame takes it out of wherever it is.
class Waiter : public Runnable {
 public:
  Waiter() : Runnable([](Runnable& self) { static_cast<Waiter&>(self).coroutine_.resume(); }) {}
  // From await_suspend.
  void Suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    home_ = &CurrentReactor();
  }
  // Lets the coroutine go on, through the run queue. On its reactor.
  void Resume() {
    home_->AssertCurrent();
    home_->Schedule(*this);
  }
  Reactor& home() const { return *home_; }

 private:
  std::coroutine_handle<> coroutine_;
  Reactor* home_ = nullptr;
};

}  // namespace kb::reactor

#include "reactor/task.h"

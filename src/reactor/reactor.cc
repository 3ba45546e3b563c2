#include "reactor/reactor.h"

#include <algorithm>
#include <array>

#include "base/pool.h"

namespace kb::reactor {
namespace {

thread_local constinit Reactor* current = nullptr;

constexpr size_t kMessagesPerTake = 32;

}  // namespace

// A closure in the run queue.
struct Reactor::Deferred final : Runnable, Pooled {
  explicit Deferred(Closure closure) : Runnable(&RunAndDelete), closure(std::move(closure)) {}
  static void RunAndDelete(Runnable& self) {
    std::unique_ptr<Deferred> deferred(static_cast<Deferred*>(&self));
    deferred->closure();
  }

  Closure closure;
};

Reactor* Reactor::Current() { return current; }

Reactor& CurrentReactor() {
  KB_CHECK(current != nullptr);
  return *current;
}

Reactor::Scope::Scope(Reactor& reactor) : outer_(std::exchange(current, &reactor)) {}
Reactor::Scope::~Scope() { current = outer_; }

Reactor::Reactor(int index, const Clock& clock, uint64_t seed, std::unique_ptr<Poller> poller)
    : index_(index), clock_(clock), random_(seed), poller_(std::move(poller)), turn_ns_(clock.MonotonicNs()) {}

Reactor::~Reactor() { Discard(); }

void Reactor::Post(Closure message) {
  if (IsCurrent()) {
    Defer(std::move(message));
  } else if (mailbox_.Put(std::move(message))) {
    poller_->Wake();
  }
}

void Reactor::Defer(Closure closure) {
  AssertCurrent();
  if (discarded_) return;
  run_queue_.PushBack(*new Deferred(std::move(closure)));
}

void Reactor::Schedule(Runnable& runnable) {
  AssertCurrent();
  if (!runnable.linked() && !discarded_) run_queue_.PushBack(runnable);
}

TimerId Reactor::After(int64_t delay_ns, Closure closure) {
  AssertCurrent();
  int64_t now_ns = NowNs();
  int64_t deadline_ns = delay_ns < INT64_MAX - now_ns ? now_ns + std::max<int64_t>(delay_ns, 0) : INT64_MAX - 1;
  return timers_.Add(deadline_ns, std::move(closure));
}

bool Reactor::CancelTimer(TimerId id) {
  AssertCurrent();
  return timers_.Cancel(id);
}

void Reactor::Spawn(Task<void> task) {
  AssertCurrent();
  Task<void>::Handle handle = task.Release();
  handle.promise().Detach(*this);
  handle.resume();
}

void Reactor::Run() {
  while (!stopping_) Turn(kForever);
  stopping_ = false;
}

void Reactor::Stop() {
  Post([this] { stopping_ = true; });
}

void Reactor::Turn(int64_t max_wait_ns) {
  Scope scope(*this);
  AssertCurrent();
  Poll(max_wait_ns);
  RunMessages();
  RunTimers();
  RunTasks();
}

// How long there is nothing to do, as far as this thread knows.
int64_t Reactor::WaitNs(int64_t max_wait_ns) const {
  if (!run_queue_.empty()) return 0;
  if (timers_.size() == 0) return max_wait_ns;
  int64_t until_timer_ns = std::max<int64_t>(timers_.next_deadline_ns() - NowNs(), 0);
  return max_wait_ns < 0 ? until_timer_ns : std::min(until_timer_ns, max_wait_ns);
}

void Reactor::Poll(int64_t max_wait_ns) {
  int64_t wait_ns = WaitNs(max_wait_ns);
  if (wait_ns != 0 && !mailbox_.PrepareToSleep()) wait_ns = 0;
  poller_->Wait(wait_ns, kEventsPerTurn);
  if (wait_ns != 0) mailbox_.Awake();
  turn_ns_ = NowNs();
  poller_->Dispatch();
}

void Reactor::RunMessages() {
  std::array<Closure, kMessagesPerTake> messages;
  for (size_t done = 0; done < kMessagesPerTurn;) {
    size_t count = mailbox_.Take(messages);
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) {
      messages[i]();
      messages[i].Reset();
    }
    done += count;
  }
}

void Reactor::RunTimers() {
  for (size_t done = 0; done < kTimersPerTurn; ++done) {
    Closure due = timers_.TakeDue(turn_ns_);
    if (!due) return;
    due();
  }
}

void Reactor::RunTasks() {
  for (size_t done = 0; done < kTasksPerTurn; ++done) {
    Runnable* next = run_queue_.PopFront();
    if (next == nullptr) return;
    next->Run();
  }
}

void Reactor::Discard() {
  Scope scope(*this);
  AssertCurrent();
  discarded_ = true;
  timers_.Clear();
  std::array<Closure, kMessagesPerTake> messages;
  while (mailbox_.Take(messages) > 0) {
  }
  DestroyTasks();
  // A waiter left the run queue with its frame. Other Runnables (a connection's) are not ours to destroy.
  while (Runnable* left = run_queue_.PopFront()) {
    if (left->Runs(&Deferred::RunAndDelete)) delete static_cast<Deferred*>(left);
  }
}

void Reactor::DestroyTasks() {
  while (RootPromise* task = tasks_.front()) {
    --live_tasks_;
    task->Unlink();
    task->Destroy();
  }
}

void RootPromise::Detach(Reactor& owner) {
  owner.AssertCurrent();
  owner_ = &owner;
  owner.tasks_.PushBack(*this);
  ++owner.live_tasks_;
}

void RootPromise::Finish(std::coroutine_handle<RootPromise> self) {
  if (owner_ == nullptr) return ResumeContinuation();
  owner_->AssertCurrent();
  --owner_->live_tasks_;
  Unlink();
  self.destroy();
}

}  // namespace kb::reactor

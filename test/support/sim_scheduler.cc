#include "support/sim_scheduler.h"

#include <algorithm>

namespace kb::test {
namespace {

// Waits for nothing: the scheduler turns a reactor only when it has work, and simulated sockets post their events.
class SimPoller final : public reactor::Poller {
 public:
  Result<reactor::IoRegistration> Add(int, uint32_t, reactor::IoHandler&) override {
    KB_CHECK(false && "a simulation has no descriptors");
    return reactor::IoRegistration();
  }
  void Modify(reactor::IoRegistration, int, uint32_t) override {}
  void Remove(reactor::IoRegistration, int) override {}
  void Wait(int64_t, size_t) override {}
  void Dispatch() override {}
  void Wake() override {}
};

constexpr uint64_t kEventMark = 1000;

}  // namespace

SimReactor::SimReactor(SimScheduler& scheduler, int index, uint64_t seed)
    : scheduler_(scheduler), reactor_(index, scheduler.clock_, seed, std::make_unique<SimPoller>()) {
  scheduler_.reactors_.push_back(&reactor_);
}

SimReactor::~SimReactor() { std::erase(scheduler_.reactors_, &reactor_); }

std::unique_ptr<SimReactor> SimScheduler::MakeReactor(int index) {
  return std::make_unique<SimReactor>(*this, index, random_.Next());
}

void SimScheduler::After(int64_t delay_ns, reactor::Closure event) {
  events_.emplace(std::pair(now_ns() + std::max<int64_t>(delay_ns, 0), order_++), std::move(event));
}

void SimScheduler::Sometime(int64_t most_ns, reactor::Closure event) {
  After(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(most_ns) + 1)), std::move(event));
}

bool SimScheduler::Step() {
  if (StepNow()) return true;
  int64_t next_ns = NextTimeNs();
  if (next_ns == reactor::TimerQueue::kNever) return false;
  clock_.AdvanceTo(next_ns);
  return StepNow();
}

bool SimScheduler::CanRun(reactor::Reactor& reactor, int64_t now_ns) {
  return reactor.HasWork() || reactor.next_timer_ns() <= now_ns;
}

// The seed chooses among the reactors that can run and the first event that is due.
bool SimScheduler::StepNow() {
  std::vector<reactor::Reactor*> ready;
  for (reactor::Reactor* reactor : reactors_) {
    if (CanRun(*reactor, now_ns())) ready.push_back(reactor);
  }
  bool event_due = !events_.empty() && events_.begin()->first.first <= now_ns();
  size_t choices = ready.size() + (event_due ? 1 : 0);
  if (choices == 0) return false;
  ++steps_;
  size_t chosen = choices == 1 ? 0 : random_.Below(choices);
  if (chosen < ready.size()) {
    Note(static_cast<uint64_t>(ready[chosen]->index()));
    ready[chosen]->Turn(0);
    return true;
  }
  auto first = events_.extract(events_.begin());
  Note(kEventMark + first.key().second);
  first.mapped()();
  return true;
}

int64_t SimScheduler::NextTimeNs() {
  int64_t next_ns = events_.empty() ? reactor::TimerQueue::kNever : events_.begin()->first.first;
  for (reactor::Reactor* reactor : reactors_) next_ns = std::min(next_ns, reactor->next_timer_ns());
  return next_ns;
}

bool SimScheduler::RunUntil(const std::function<bool()>& done, int64_t most_ns) {
  int64_t end_ns = now_ns() + most_ns;
  while (!done()) {
    if (now_ns() > end_ns || !Step()) return false;
  }
  return true;
}

void SimScheduler::RunFor(int64_t duration_ns) {
  int64_t end_ns = now_ns() + duration_ns;
  for (;;) {
    if (StepNow()) continue;
    int64_t next_ns = NextTimeNs();
    clock_.AdvanceTo(std::min(next_ns, end_ns));
    if (next_ns > end_ns) return;
  }
}

void SimScheduler::Note(uint64_t what) {
  for (uint64_t word : {what, static_cast<uint64_t>(now_ns())}) trace_ = (trace_ ^ word) * 1099511628211u;
}

void SimDiskPool::Submit(reactor::Closure job, reactor::Reactor& home, reactor::Closure done) {
  ++waiting_;
  auto held = std::make_unique<Job>(std::move(job), &home, std::move(done));
  scheduler_.Sometime(most_delay_ns_, [this, held = std::move(held), alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    --waiting_;
    held->job();
    held->job.Reset();
    held->home->Post(std::move(held->done));
  });
}

void SimDiskPool::Drop() {
  waiting_ = 0;
  alive_ = std::make_shared<bool>(true);
}

}  // namespace kb::test

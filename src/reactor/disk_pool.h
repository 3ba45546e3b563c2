// DiskPool: where work goes that may block: fsync, cold reads, recovery, deletion. An interface, so that a simulation can
// run a job at a time of its own choosing.
//
//   auto sync = disk.Run([&] { return file.Sync(); });      // captures stay in the caller's frame
//   Status status = co_await sync;                          // back on the reactor
//
// Jobs run in any order and at the same time: whoever needs an order awaits one job before the next. The queue is as long
// as there are coroutines waiting; each waits for one job.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "reactor/run_on.h"

namespace kb::reactor {

// What DiskPool::Run returns.
template <typename Pool, typename F>
class [[nodiscard]] DiskCall {
 public:
  using R = std::invoke_result_t<F&>;
  DiskCall(Pool& pool, F f) : pool_(pool), f_(std::move(f)) {}
  DiskCall(const DiskCall&) = delete;
  DiskCall& operator=(const DiskCall&) = delete;
  ~DiskCall() { KB_CHECK(!under_way_ || waiter_.home().discarded()); }

  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    waiter_.Suspend(coroutine);
    under_way_ = true;
    pool_.Submit([this] { result_.emplace(internal::CallKept(f_)); }, waiter_.home(),
                 [this] {
                   under_way_ = false;
                   waiter_.Resume();
                 });
  }
  R await_resume() { return internal::Unkept<R>(result_); }

 private:
  Pool& pool_;
  F f_;
  std::optional<Kept<R>> result_;
  Waiter waiter_;
  bool under_way_ = false;
};

// Thread-safe.
class DiskPool {
 public:
  virtual ~DiskPool() = default;
  // Runs `job` somewhere where it may block, then posts `done` to `home`.
  virtual void Submit(Closure job, Reactor& home, Closure done) = 0;

  // Awaitable from a coroutine of a reactor: f() runs in the pool; gives its result. The frame must stay until then.
  template <typename F>
  DiskCall<DiskPool, F> Run(F f) {
    return DiskCall<DiskPool, F>(*this, std::move(f));
  }
};

// Threads. Each is started when a job finds none idle, up to `most_threads`, and stays until Stop().
//
// A mutex and a condition variable, no lock-free queue: a job is at least one system call that waits for a disk, the lock
// is held for some pointer moves, and an idle thread costs nothing (moodycamel's blocking queue spins before it sleeps).
class ThreadDiskPool final : public DiskPool {
 public:
  explicit ThreadDiskPool(size_t most_threads, std::string name = "disk");
  ~ThreadDiskPool() override;
  void Submit(Closure job, Reactor& home, Closure done) override;
  // Runs what was submitted, then ends the threads. What is submitted later is dropped. From a thread that is neither of
  // the pool nor a reactor's.
  void Stop();
  size_t threads() const;

 private:
  struct Job {
    Closure job;
    Reactor* home;
    Closure done;
  };
  void Work();

  const size_t most_threads_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace kb::reactor

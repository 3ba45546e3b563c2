#include "reactor/disk_pool.h"

#include "reactor/reactor_group.h"

namespace kb::reactor {

ThreadDiskPool::ThreadDiskPool(size_t most_threads, std::string name)
    : most_threads_(most_threads), name_(std::move(name)) {
  KB_CHECK(most_threads > 0);
}

ThreadDiskPool::~ThreadDiskPool() { Stop(); }

void ThreadDiskPool::Submit(Closure job, Reactor& home, Closure done) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    jobs_.push_back({std::move(job), &home, std::move(done)});
    if (jobs_.size() > idle_ && threads_.size() < most_threads_) {
      threads_.push_back(StartThread(name_ + "-" + std::to_string(threads_.size()), [this] { Work(); }));
    }
  }
  changed_.notify_one();
}

void ThreadDiskPool::Stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

size_t ThreadDiskPool::threads() const {
  std::lock_guard lock(mutex_);
  return threads_.size();
}

void ThreadDiskPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return !jobs_.empty() || stopping_; });
    --idle_;
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.job();
    job.job.Reset();  // before `done`: what it captured may end with the waiting frame
    job.home->Post(std::move(job.done));
    lock.lock();
  }
}

}  // namespace kb::reactor

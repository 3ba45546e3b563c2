// HeldDiskPool: keeps the jobs until the test lets them run, so that a test can stand between an append and its flush.
// For one thread.
#pragma once

#include <deque>
#include <utility>

#include "reactor/disk_pool.h"
#include "reactor/reactor.h"

namespace kb::test {

class HeldDiskPool final : public reactor::DiskPool {
 public:
  void Submit(reactor::Closure job, reactor::Reactor& home, reactor::Closure done) override {
    jobs_.push_back({std::move(job), &home, std::move(done)});
  }
  size_t waiting() const { return jobs_.size(); }
  // Runs the job that has waited longest.
  void RunOne() {
    KB_CHECK(!jobs_.empty());
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job.job();
    job.job.Reset();
    job.home->Post(std::move(job.done));
  }

 private:
  struct Job {
    reactor::Closure job;
    reactor::Reactor* home;
    reactor::Closure done;
  };
  std::deque<Job> jobs_;
};

}  // namespace kb::test

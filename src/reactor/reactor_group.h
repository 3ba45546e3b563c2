// ReactorThread, ReactorGroup: reactors on threads of their own. For production and for tests with real threads.
//
// Order at the end: Stop() ends the turning and joins; the disk pool is stopped; Discard() destroys what tasks and messages
// are left, while the objects they use still exist; then those objects; then the reactors.
//
// Owned and called by one thread (main).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "reactor/reactor.h"

namespace kb::reactor {

// One reactor on epoll with its thread. All signals are blocked there: they are main's.
class ReactorThread {
 public:
  // cpu: pinned to that one; -1: not pinned.
  static Result<std::unique_ptr<ReactorThread>> Create(int index, std::string name, const Clock& clock, uint64_t seed,
                                                       int cpu = -1);
  ~ReactorThread();  // Stop(), Discard()
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;

  Reactor& reactor() { return *reactor_; }
  void Start();
  // Ends the turning: asks for it once, and waits.
  void RequestStop();
  void Stop();

 private:
  ReactorThread(std::string name, int cpu, std::unique_ptr<Reactor> reactor);
  void Main();

  const std::string name_;
  const int cpu_;
  const std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
  bool stop_requested_ = false;
};

struct ReactorGroupOptions {
  int reactors = 1;
  uint64_t seed = 0;  // of reactor i: seed + i
  bool pin = false;   // to the CPUs that the process may use, in their order
};

class ReactorGroup {
 public:
  static Result<std::unique_ptr<ReactorGroup>> Create(const ReactorGroupOptions& options, const Clock& clock);
  ~ReactorGroup();  // Stop(), Discard()

  size_t size() const { return threads_.size(); }
  Reactor& at(size_t index) { return threads_.at(index)->reactor(); }
  std::vector<Reactor*> all();

  void Start();
  void Stop();
  void Discard();

 private:
  ReactorGroup() = default;
  std::vector<std::unique_ptr<ReactorThread>> threads_;
};

// The CPUs that this process may use.
std::vector<int> AllowedCpus();

// A thread with that name (15 characters are seen) in which every signal is blocked: signals are main's.
std::thread StartThread(const std::string& name, std::function<void()> main);

}  // namespace kb::reactor

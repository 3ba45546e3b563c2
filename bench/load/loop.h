// The one thread's loop: waits for what the broker does, or for a time.
//
// A broker from which nothing comes for kSilenceSeconds, while something is expected, ends the program with one line.
// Once a second it says how far it is, when it was given somewhere to say it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace kb::load {

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnEvents(uint32_t events) = 0;  // of epoll
};

class Loop {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The descriptor is readable, and writable if it is asked for, until it says otherwise (level-triggered). Closing a
  // descriptor ends it; the watcher must not go in the middle of a Turn.
  void Add(int descriptor, Watcher* watcher, bool writable);
  void Change(int descriptor, Watcher* watcher, bool writable);

  // Called at most once a second, from Turn.
  void set_progress(std::function<void()> progress) { progress_ = std::move(progress); }

  // Waits until something happens, or until_ns at the latest, and hands out what has happened.
  void Turn(int64_t until_ns = kNever);

 private:
  const int epoll_;
  std::function<void()> progress_;
  int64_t heard_ns_;
  int64_t next_progress_ns_;
};

}  // namespace kb::load

// Mailbox: how one thread hands work to a reactor. Many writers, one reader, no lock.
//
// Messages of one writing thread come out in the order in which it wrote them; between threads there is no order.
// Unbounded by itself: every message is either an answer to something or part of a request that holds a place in some
// connection's bounded window, so there are never more than (connections x requests in flight + disk jobs + timers).
//
// The reader is woken only when it sleeps (an eventfd write is a system call; a busy reactor looks anyway). Why no wake-up
// is lost: both sides change the one word state_ by read-modify-write, so they are ordered with each other.
//
//   writer: enqueue; old = state_.exchange(awake)      acq_rel       reader: old = state_.exchange(asleep)   acq_rel
//           wake if old was asleep                                           sleep only if the queue is empty
//
// If the writer's exchange comes later, it reads `asleep` and wakes. If it comes earlier, the reader's exchange (acquire)
// reads a value of the release sequence which the writer's exchange (release) heads or continues, so it sees the enqueue
// in the emptiness check behind it and does not sleep. No fences: TSan understands this, too.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

#include "reactor/closure.h"

namespace kb::reactor {

class Mailbox {
 public:
  Mailbox();
  ~Mailbox();  // what was not read is destroyed, not run

  // Thread-safe. True: the reader sleeps and the caller must wake it (of several writers exactly one is told).
  [[nodiscard]] bool Put(Closure message);

  // Reader only. Moves at most into.size() messages out; returns how many.
  size_t Take(std::span<Closure> into);

  // Reader only. True: it may sleep now, and will be woken. False: there are messages.
  [[nodiscard]] bool PrepareToSleep();
  // Reader only: after a sleep, or instead of one.
  void Awake();
  // Reader only, or while no writer is active.
  bool empty() const;

 private:
  struct Queue;
  std::unique_ptr<Queue> queue_;  // hides the queue's large header from everyone who includes this one
  alignas(64) std::atomic<bool> asleep_{false};
};

}  // namespace kb::reactor

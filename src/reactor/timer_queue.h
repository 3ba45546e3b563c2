// TimerQueue: closures to be called at a time. A heap of four children per node over slots that know their place in it:
// adding and cancelling are O(log n), asking for the next deadline O(1). Equal deadlines fire in the order of their adding.
//
// Reactor-affine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "reactor/closure.h"

namespace kb::reactor {

// Names a timer. Never reused soon: cancelling one that has fired or was cancelled does nothing.
struct TimerId {
  uint32_t slot = 0;
  uint32_t generation = 0;  // 0: no timer
  explicit operator bool() const { return generation != 0; }
  bool operator==(const TimerId&) const = default;
};

class TimerQueue {
 public:
  static constexpr int64_t kNever = INT64_MAX;

  TimerId Add(int64_t deadline_ns, Closure closure);
  // True if it was still waiting.
  bool Cancel(TimerId id);
  // Takes the earliest closure whose deadline is not after now_ns; an empty one when there is none.
  Closure TakeDue(int64_t now_ns);
  int64_t next_deadline_ns() const { return heap_.empty() ? kNever : heap_[0].deadline_ns; }
  size_t size() const { return heap_.size(); }
  // Destroys all without calling them.
  void Clear();

 private:
  struct Entry {
    int64_t deadline_ns;
    uint64_t order;
    uint32_t slot;
    bool operator<(const Entry& other) const {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns : order < other.order;
    }
  };
  struct Slot {
    Closure closure;
    uint32_t position = 0;  // in heap_; the next free slot + 1 while unused
    uint32_t generation = 1;
    bool used = false;
  };

  uint32_t TakeSlot();
  Closure ReleaseSlot(uint32_t slot);
  void RemoveAt(size_t position);
  void Place(size_t position, const Entry& entry);
  void MoveUp(size_t position);
  void MoveDown(size_t position);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  uint32_t free_slots_ = 0;  // first free slot + 1; 0: none
  uint64_t order_ = 0;
};

}  // namespace kb::reactor

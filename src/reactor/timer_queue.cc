#include "reactor/timer_queue.h"

#include <algorithm>
#include <utility>

namespace kb::reactor {
namespace {

constexpr size_t kChildren = 4;  // shallower than two, and four entries are two cache lines

}  // namespace

TimerId TimerQueue::Add(int64_t deadline_ns, Closure closure) {
  uint32_t slot = TakeSlot();
  slots_[slot].closure = std::move(closure);
  heap_.push_back({deadline_ns, order_++, slot});
  slots_[slot].position = static_cast<uint32_t>(heap_.size() - 1);
  MoveUp(heap_.size() - 1);
  return {slot, slots_[slot].generation};
}

bool TimerQueue::Cancel(TimerId id) {
  if (id.slot >= slots_.size()) return false;
  Slot& slot = slots_[id.slot];
  if (!slot.used || slot.generation != id.generation) return false;
  RemoveAt(slot.position);
  Closure cancelled = ReleaseSlot(id.slot);  // destroyed last: what it captured may call us
  return true;
}

Closure TimerQueue::TakeDue(int64_t now_ns) {
  if (heap_.empty() || heap_[0].deadline_ns > now_ns) return Closure();
  uint32_t slot = heap_[0].slot;
  RemoveAt(0);
  return ReleaseSlot(slot);
}

void TimerQueue::Clear() {
  while (!heap_.empty()) TakeDue(kNever);
}

uint32_t TimerQueue::TakeSlot() {
  uint32_t index;
  if (free_slots_ != 0) {
    index = free_slots_ - 1;
    free_slots_ = slots_[index].position;
  } else {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  slots_[index].used = true;
  return index;
}

Closure TimerQueue::ReleaseSlot(uint32_t index) {
  Slot& slot = slots_[index];
  Closure closure = std::move(slot.closure);
  slot.used = false;
  if (++slot.generation == 0) slot.generation = 1;
  slot.position = free_slots_;
  free_slots_ = index + 1;
  return closure;
}

void TimerQueue::RemoveAt(size_t position) {
  Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  Place(position, last);
  MoveUp(position);
  MoveDown(slots_[last.slot].position);
}

void TimerQueue::Place(size_t position, const Entry& entry) {
  heap_[position] = entry;
  slots_[entry.slot].position = static_cast<uint32_t>(position);
}

void TimerQueue::MoveUp(size_t position) {
  Entry entry = heap_[position];
  while (position > 0) {
    size_t parent = (position - 1) / kChildren;
    if (!(entry < heap_[parent])) break;
    Place(position, heap_[parent]);
    position = parent;
  }
  Place(position, entry);
}

void TimerQueue::MoveDown(size_t position) {
  Entry entry = heap_[position];
  for (;;) {
    size_t first = position * kChildren + 1;
    if (first >= heap_.size()) break;
    size_t end = std::min(first + kChildren, heap_.size());
    size_t least = first;
    for (size_t child = first + 1; child < end; ++child) {
      if (heap_[child] < heap_[least]) least = child;
    }
    if (!(heap_[least] < entry)) break;
    Place(position, heap_[least]);
    position = least;
  }
  Place(position, entry);
}

}  // namespace kb::reactor

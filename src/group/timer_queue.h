// TimerQueue: when to look at what. A binary heap with lazy deletion under timers that are moved far more often than
// they fire: a heartbeat moves its member's timer into the future, which writes one number and leaves the heap alone;
// the entry in the heap finds out when its time comes and goes back in at the new one.
//
//   heap_    entries {deadline, slot, stamp}, earliest first; an entry is stale when its slot no longer points to it
//   slots_   per timer: when it really is due, and the deadline of the entry that stands for it in the heap
//
// An earlier deadline pushes a second entry and makes the first stale. When more than half of the heap is stale it is
// rebuilt, so the heap is never longer than 2 × timers + kSlack.
//
// Timer is the handle: it belongs to what it is about and is cancelled when that goes. Equal deadlines fire in the
// order in which they were pushed, so that a run can be repeated. Reactor-affine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace kb::group {

template <typename Target>
class TimerQueue {
 public:
  static constexpr size_t kSlack = 64;

  // Movable. An empty one may be destroyed, moved onto and asked whether it is armed.
  class Timer {
   public:
    Timer() = default;
    Timer(Timer&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), slot_(other.slot_) {}
    Timer& operator=(Timer&& other) noexcept {
      std::swap(queue_, other.queue_);
      std::swap(slot_, other.slot_);
      return *this;
    }
    ~Timer() {
      if (queue_ != nullptr) queue_->Free(slot_);
    }

    void Arm(int64_t deadline_ms) {
      KB_CHECK(queue_ != nullptr);
      queue_->Arm(slot_, deadline_ms);
    }
    void Cancel() {
      if (queue_ != nullptr) queue_->slots_[slot_].due_ms = kNever;
    }
    bool exists() const { return queue_ != nullptr; }
    bool armed() const { return queue_ != nullptr && queue_->slots_[slot_].due_ms != kNever; }
    int64_t deadline_ms() const {
      KB_CHECK(armed());
      return queue_->slots_[slot_].due_ms;
    }

   private:
    friend class TimerQueue;
    Timer(TimerQueue* queue, uint32_t slot) : queue_(queue), slot_(slot) {}
    TimerQueue* queue_ = nullptr;
    uint32_t slot_ = 0;
  };

  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Not armed. The queue outlives its timers.
  Timer Make(Target target) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].target = std::move(target);
    return Timer(this, slot);
  }

  // The deadline of the earliest armed timer. Throws stale entries away on the way, hence not const.
  std::optional<int64_t> NextDeadlineMs() {
    Settle();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline_ms;
  }

  // False: no timer is due before `ms`. An entry that is too early stands in for its timer.
  bool MayBeDueBefore(int64_t ms) const { return !heap_.empty() && heap_.front().deadline_ms < ms; }

  // Takes the earliest timer that is due at now_ms, disarms it and returns what it was about.
  std::optional<Target> PopDue(int64_t now_ms) {
    Settle();
    if (heap_.empty() || heap_.front().deadline_ms > now_ms) return std::nullopt;
    Slot& slot = slots_[heap_.front().slot];
    PopFront();
    Unqueue(slot);
    slot.due_ms = kNever;
    return slot.target;
  }

  size_t heap_size() const { return heap_.size(); }

 private:
  static constexpr int64_t kNever = INT64_MAX;
  static constexpr uint64_t kNotQueued = 0;

  struct Entry {
    int64_t deadline_ms;
    uint64_t stamp;  // ascending: breaks ties, and tells the slot's entry from its stale ones
    uint32_t slot;
    bool operator>(const Entry& other) const {
      return deadline_ms != other.deadline_ms ? deadline_ms > other.deadline_ms : stamp > other.stamp;
    }
  };
  struct Slot {
    int64_t due_ms = kNever;
    int64_t queued_ms = kNever;    // deadline of its entry in the heap
    uint64_t queued = kNotQueued;  // stamp of that entry
    Target target{};
  };

  void Arm(uint32_t index, int64_t deadline_ms) {
    Slot& slot = slots_[index];
    slot.due_ms = deadline_ms;
    if (slot.queued == kNotQueued || deadline_ms < slot.queued_ms) Push(index);
  }

  void Push(uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.queued == kNotQueued) ++queued_;
    slot.queued = ++last_stamp_;
    slot.queued_ms = slot.due_ms;
    heap_.push_back({slot.due_ms, slot.queued, index});
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    if (heap_.size() > 2 * queued_ + kSlack) Rebuild();
  }

  void Unqueue(Slot& slot) {
    slot.queued = kNotQueued;
    --queued_;
  }

  void PopFront() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }

  bool IsStale(const Entry& entry) const { return slots_[entry.slot].queued != entry.stamp; }

  // Leaves at the front an entry whose timer is really due then, or nothing.
  void Settle() {
    while (!heap_.empty()) {
      Entry front = heap_.front();
      Slot& slot = slots_[front.slot];
      if (!IsStale(front) && slot.due_ms == front.deadline_ms) return;
      PopFront();
      if (slot.queued != front.stamp) continue;
      Unqueue(slot);
      if (slot.due_ms != kNever) Push(front.slot);
    }
  }

  void Rebuild() {
    std::erase_if(heap_, [this](const Entry& entry) { return IsStale(entry); });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void Free(uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.queued != kNotQueued) Unqueue(slot);
    slot = Slot();
    free_.push_back(index);
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t queued_ = 0;  // entries that are not stale
  uint64_t last_stamp_ = 0;
};

}  // namespace kb::group

// EpollPoller: the kernel's. One epoll instance and one eventfd for Wake().
//
// An event carries slot and generation of its registration, not a pointer: a handler that one event of a batch destroys
// is not called by the next. The eventfd is edge-triggered and never read, which saves a system call for each wake-up.
#pragma once

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "reactor/poller.h"

namespace kb::reactor {

class EpollPoller final : public Poller {
 public:
  static Result<std::unique_ptr<EpollPoller>> Create();
  ~EpollPoller() override;
  EpollPoller(const EpollPoller&) = delete;
  EpollPoller& operator=(const EpollPoller&) = delete;

  Result<IoRegistration> Add(int descriptor, uint32_t interest, IoHandler& handler) override;
  void Modify(IoRegistration registration, int descriptor, uint32_t interest) override;
  void Remove(IoRegistration registration, int descriptor) override;
  void Wait(int64_t timeout_ns, size_t most_events) override;
  void Dispatch() override;
  void Wake() override;

 private:
  struct Slot {
    IoHandler* handler = nullptr;
    uint32_t generation = 1;
    uint32_t next_free = 0;  // + 1; 0: none
  };
  EpollPoller(int epoll, int wake);
  Slot* Find(IoRegistration registration);
  IoRegistration TakeSlot(IoHandler& handler);
  void ReleaseSlot(IoRegistration registration);

  const int epoll_;
  const int wake_;
  std::vector<Slot> slots_;
  uint32_t free_slots_ = 0;
  const std::unique_ptr<epoll_event[]> events_;
  int noted_ = 0;  // of events_
};

}  // namespace kb::reactor

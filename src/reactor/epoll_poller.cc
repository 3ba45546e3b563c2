#include "reactor/epoll_poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/clock.h"

namespace kb::reactor {
namespace {

constexpr uint64_t kWakeToken = UINT64_MAX;
constexpr size_t kMostEvents = 256;

uint32_t ToEpoll(uint32_t interest) {
  return ((interest & kReadable) != 0 ? uint32_t{EPOLLIN} : 0) | ((interest & kWritable) != 0 ? uint32_t{EPOLLOUT} : 0);
}

uint32_t FromEpoll(uint32_t events) {
  uint32_t readiness = 0;
  if ((events & EPOLLIN) != 0) readiness |= kReadable;
  if ((events & EPOLLOUT) != 0) readiness |= kWritable;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) readiness |= kBroken;
  return readiness;
}

uint64_t TokenOf(IoRegistration registration) {
  return (uint64_t{registration.generation} << 32) | registration.slot;
}

IoRegistration RegistrationOf(uint64_t token) {
  return {static_cast<uint32_t>(token), static_cast<uint32_t>(token >> 32)};
}

// Milliseconds for epoll_wait, rounded up: waking before the deadline would mean spinning until it.
int TimeoutMs(int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  int64_t timeout_ms = timeout_ns / kNsPerMs + (timeout_ns % kNsPerMs != 0 ? 1 : 0);
  return static_cast<int>(std::min<int64_t>(timeout_ms, INT_MAX));
}

}  // namespace

Result<std::unique_ptr<EpollPoller>> EpollPoller::Create() {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return OsError(errno, "epoll_create1");
  int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    int error = errno;
    close(epoll);
    return OsError(error, "eventfd");
  }
  std::unique_ptr<EpollPoller> poller(new EpollPoller(epoll, wake));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeToken}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) return OsError(errno, "epoll_ctl of the eventfd");
  return poller;
}

EpollPoller::EpollPoller(int epoll, int wake)
    : epoll_(epoll), wake_(wake), events_(std::make_unique<epoll_event[]>(kMostEvents)) {}

EpollPoller::~EpollPoller() {
  close(wake_);
  close(epoll_);
}

Result<IoRegistration> EpollPoller::Add(int descriptor, uint32_t interest, IoHandler& handler) {
  IoRegistration registration = TakeSlot(handler);
  epoll_event event{.events = ToEpoll(interest), .data = {.u64 = TokenOf(registration)}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    int error = errno;
    ReleaseSlot(registration);
    return OsError(error, "epoll_ctl add");
  }
  return registration;
}

void EpollPoller::Modify(IoRegistration registration, int descriptor, uint32_t interest) {
  KB_CHECK(Find(registration) != nullptr);
  epoll_event event{.events = ToEpoll(interest), .data = {.u64 = TokenOf(registration)}};
  KB_CHECK(epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0);
}

void EpollPoller::Remove(IoRegistration registration, int descriptor) {
  KB_CHECK(Find(registration) != nullptr);
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  ReleaseSlot(registration);
}

void EpollPoller::Wait(int64_t timeout_ns, size_t most_events) {
  int most = static_cast<int>(std::min(most_events, kMostEvents));
  noted_ = epoll_wait(epoll_, events_.get(), most, TimeoutMs(timeout_ns));
  if (noted_ >= 0) return;
  KB_CHECK(errno == EINTR);
  noted_ = 0;
}

void EpollPoller::Dispatch() {
  int count = std::exchange(noted_, 0);
  for (int i = 0; i < count; ++i) {
    if (events_[i].data.u64 == kWakeToken) continue;
    Slot* slot = Find(RegistrationOf(events_[i].data.u64));
    if (slot != nullptr) slot->handler->OnIo(FromEpoll(events_[i].events));
  }
}

void EpollPoller::Wake() {
  uint64_t one = 1;
  // It could fail only after 2^64 unread wake-ups.
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
}

EpollPoller::Slot* EpollPoller::Find(IoRegistration registration) {
  if (registration.slot >= slots_.size()) return nullptr;
  Slot& slot = slots_[registration.slot];
  return slot.generation == registration.generation && slot.handler != nullptr ? &slot : nullptr;
}

IoRegistration EpollPoller::TakeSlot(IoHandler& handler) {
  uint32_t index;
  if (free_slots_ != 0) {
    index = free_slots_ - 1;
    free_slots_ = slots_[index].next_free;
  } else {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  slots_[index].handler = &handler;
  return {index, slots_[index].generation};
}

void EpollPoller::ReleaseSlot(IoRegistration registration) {
  Slot& slot = slots_[registration.slot];
  slot.handler = nullptr;
  // Never 0 (no registration) and never all ones (the eventfd's token).
  if (++slot.generation == UINT32_MAX) slot.generation = 1;
  slot.next_free = free_slots_;
  free_slots_ = registration.slot + 1;
}

}  // namespace kb::reactor

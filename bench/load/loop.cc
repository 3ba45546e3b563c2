#include "load/loop.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "load/usage.h"
#include "load/wire.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr int64_t kSecondNs = 1000000000;
constexpr int kMostEvents = 32;  // few: in between, whoever turns the loop may have something due

epoll_event EventOf(Watcher* watcher, bool writable) {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = watcher;
  return event;
}

}  // namespace

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), heard_ns_(NowNs()), next_progress_ns_(heard_ns_ + kSecondNs) {
  if (epoll_ < 0) raw::Die(std::string("epoll_create1: ") + strerror(errno));
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // else the kernel wakes whoever waits for a time up to 50 µs late
}

Loop::~Loop() {
  close(epoll_);
}

void Loop::Add(int descriptor, Watcher* watcher, bool writable) {
  epoll_event event = EventOf(watcher, writable);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) raw::Die(std::string("epoll_ctl: ") + strerror(errno));
}

void Loop::Change(int descriptor, Watcher* watcher, bool writable) {
  epoll_event event = EventOf(watcher, writable);
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0) raw::Die(std::string("epoll_ctl: ") + strerror(errno));
}

void Loop::Turn(int64_t until_ns) {
  const int64_t silence_ns = heard_ns_ + kSilenceSeconds * kSecondNs;
  const int64_t now_ns = NowNs();
  const int64_t wait_ns =
      std::max<int64_t>(0, std::min({until_ns, silence_ns, progress_ ? next_progress_ns_ : kNever}) - now_ns);
  const timespec wait{.tv_sec = wait_ns / kSecondNs, .tv_nsec = wait_ns % kSecondNs};
  epoll_event events[kMostEvents];
  const int count = epoll_pwait2(epoll_, events, kMostEvents, &wait, nullptr);
  if (count < 0 && errno != EINTR) raw::Die(std::string("epoll_wait: ") + strerror(errno));
  for (int i = 0; i < count; ++i) static_cast<Watcher*>(events[i].data.ptr)->OnEvents(events[i].events);
  const int64_t after_ns = NowNs();
  if (count > 0) {
    heard_ns_ = after_ns;
  } else if (after_ns >= silence_ns) {
    raw::Die("no answer within " + std::to_string(kSilenceSeconds) + " seconds");
  }
  if (progress_ && after_ns >= next_progress_ns_) {
    next_progress_ns_ = after_ns + kSecondNs;
    progress_();
  }
}

}  // namespace kb::load

// Poller: what a reactor waits on when it has nothing to do: descriptors, a time-out, or a wake-up from another thread.
// An interface, so that a simulation can be the kernel: its poller returns at once and its sockets post their events.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace kb::reactor {

// What a descriptor is ready for, and what one is interested in. Level-triggered.
inline constexpr uint32_t kReadable = 1;  // bytes, end of stream, or a connection to accept
inline constexpr uint32_t kWritable = 2;
inline constexpr uint32_t kBroken = 4;  // error, or closed in both directions. Reported whatever the interest is

class IoHandler {
 public:
  // On the reactor where it is registered.
  virtual void OnIo(uint32_t readiness) = 0;

 protected:
  ~IoHandler() = default;
};

// Names a registration. An event that was collected before Remove() is not delivered after it.
struct IoRegistration {
  uint32_t slot = 0;
  uint32_t generation = 0;  // 0: none
  explicit operator bool() const { return generation != 0; }
};

// Reactor-affine, but for Wake().
class Poller {
 public:
  virtual ~Poller() = default;

  // The handler must stay until Remove(). The descriptor is non-blocking, and removed before it is closed.
  virtual Result<IoRegistration> Add(int descriptor, uint32_t interest, IoHandler& handler) = 0;
  virtual void Modify(IoRegistration registration, int descriptor, uint32_t interest) = 0;
  virtual void Remove(IoRegistration registration, int descriptor) = 0;

  // Waits until something is ready, someone calls Wake(), or timeout_ns has passed (0: does not wait; negative: for ever).
  // Never returns early because of rounding. Notes at most `most_events` events for Dispatch().
  virtual void Wait(int64_t timeout_ns, size_t most_events) = 0;
  // Calls the handlers of what the last Wait() noted.
  virtual void Dispatch() = 0;

  // Thread-safe. Ends the present Wait(), or else the next.
  virtual void Wake() = 0;
};

}  // namespace kb::reactor

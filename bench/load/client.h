// One connection of a run: what it asks next, and what it makes of an answer. Answers come in the order of the
// requests. Lives on its Loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "load/loop.h"
#include "load/wire.h"

namespace kb::load {

class Client : public Watcher {
 public:
  Client(Loop* loop, uint16_t port);  // connected when it is made; `loop` outlives it

  size_t in_flight() const { return since_ns_.size(); }
  void OnEvents(uint32_t events) final;

 protected:
  // A request, in two pieces of which the second may be empty; both stay where they are until it is answered. It leaves
  // with the next Flush. since_ns: what its latency is counted from.
  void Ask(std::string_view head, std::string_view body, int64_t since_ns);
  void Flush();

  // An answer, without its length, to the oldest request.
  virtual void OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) = 0;
  // All answers that came with one recv have been handed over: time to ask again.
  virtual void OnAnswered() {}

 private:
  Loop* const loop_;
  Wire wire_;
  std::deque<int64_t> since_ns_;  // of the requests without an answer
  bool blocked_ = false;          // the socket takes no more
};

}  // namespace kb::load

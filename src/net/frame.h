// Frame: one request's bytes as they came, in one piece, without the four bytes of length before them.
//
// Its owner keeps it until the response has been given to the connection (or longer: slices of a response may point
// into it, if the response keeps it). The bytes may be read from any thread meanwhile; the Frame itself is destroyed on
// its connection's reactor, where its memory is counted.
#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "net/buffer.h"
#include "net/memory.h"

namespace kb::net {

class Frame {
 public:
  Frame() = default;
  Frame(Buffer buffer, MemoryLease lease, int64_t arrived_ns)
      : buffer_(std::move(buffer)), lease_(std::move(lease)), arrived_ns_(arrived_ns) {}

  ByteView bytes() const { return buffer_.view(); }
  // Monotonic; the turn in which its last byte was read.
  int64_t arrived_ns() const { return arrived_ns_; }

 private:
  Buffer buffer_;
  MemoryLease lease_;
  int64_t arrived_ns_ = 0;
};

}  // namespace kb::net

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
  Frame(Buffer buffer, MemoryLease lease, int64_t read_ns, int64_t delivered_ns)
      : buffer_(std::move(buffer)), lease_(std::move(lease)), read_ns_(read_ns), delivered_ns_(delivered_ns) {}

  ByteView bytes() const { return buffer_.view(); }
  // Stamps (Clock): when its last byte was read, and when it was handed up. Later than that for what came behind
  // another frame, or while delivery was paused.
  int64_t read_ns() const { return read_ns_; }
  int64_t delivered_ns() const { return delivered_ns_; }

 private:
  Buffer buffer_;
  MemoryLease lease_;
  int64_t read_ns_ = 0;
  int64_t delivered_ns_ = 0;
};

}  // namespace kb::net

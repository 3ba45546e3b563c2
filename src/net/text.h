// Requests that are text, beside the frames: a connection whose first four bytes are no size that a frame may have, and
// that a TextHandler takes, consists of them from then on.
//
//   text request := line* empty line            a line ends with "\n" or "\r\n"; kMostTextBytes at most
//
// Where a text ends is all that net knows of it. Answers to texts leave without a length in front of them; all else
// (order, limits, memory, ends) is as it is with frames, but that an unfinished text does not count as activity: who
// sends one byte now and then is as idle as who sends none.
//
// EmptyLine: a value, any thread. TextHandler: of its connections' reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "net/frame.h"

namespace kb::net {

class Connection;

inline constexpr size_t kMostTextBytes = 8 << 10;

class TextHandler {
 public:
  virtual ~TextHandler() = default;
  // Whether a connection to `listener` that begins with these four bytes is one of texts.
  virtual bool Takes(int listener, ByteView first_four) const = 0;
  // As FrameHandler::OnFrame. A text without its empty line is the beginning of one that is too long: what follows is
  // not known to be the next, so it must be answered with Then::kClose.
  virtual void OnText(Connection& connection, uint64_t sequence, Frame text) = 0;
};

// Looks for the first empty line in bytes that come in pieces. A new one for each text.
class EmptyLine {
 public:
  // How many of `bytes`, which continue those before, belong to the text; nullopt: all, and it goes on.
  std::optional<size_t> Find(ByteView bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const uint8_t byte = bytes[i];
      if (byte == '\n' && place_ != Place::kInLine) return i + 1;
      if (byte == '\n') {
        place_ = Place::kLineStart;
      } else {
        place_ = byte == '\r' && place_ == Place::kLineStart ? Place::kBehindReturn : Place::kInLine;
      }
    }
    return std::nullopt;
  }

 private:
  // A text does not begin with an empty line: one that is in front of it is passed over with its first line.
  enum class Place : uint8_t { kInLine, kLineStart, kBehindReturn } place_ = Place::kInLine;
};

}  // namespace kb::net

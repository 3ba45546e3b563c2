// A connection to the broker on this machine that never makes its owner wait, with requests going out and answers
// coming in.
//
// Nothing is copied on its way out: what was queued is sent from where it lies, and must stay there until it was
// answered. Nothing is cleared before it is overwritten: this program runs on the processors that the broker is
// measured on.
//
// A broker that closes the connection or sends what is no frame ends the program with one line. One thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

namespace kb::load {

// Longer than any broker thinks about an answer that it was asked for.
inline constexpr int kSilenceSeconds = 30;

class Wire {
 public:
  static constexpr size_t kReadBytes = 256 << 10;

  // Begins to connect to 127.0.0.1:port, from 127.0.0.`source`: another source has ports of its own. read_bytes: room
  // for one recv, at least.
  explicit Wire(uint16_t port, uint8_t source = 1, size_t read_bytes = kReadBytes);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int descriptor() const { return descriptor_; }

  // Returns when the connection stands.
  void AwaitConnected();
  // What became of it, once the descriptor has said that it can be written to.
  void CheckConnected();

  void Queue(std::string_view bytes) { queue_.push_back(bytes); }
  // Sends what the socket takes. False: there is more, and the descriptor says when to call again.
  bool Flush();

  // One recv of what there is.
  void Receive();
  // Takes the next whole frame out of what was received, without its length. Valid until the next Receive.
  bool NextFrame(std::string_view* frame);

  // For what is asked outside of a run: sends, and returns when the answer is there.
  std::string_view Call(std::string_view request);

 private:
  std::string_view arrived() const { return {input_.get() + begin_, end_ - begin_}; }
  void Grow();
  void Await(short events);

  const int descriptor_;
  const size_t read_bytes_;
  std::deque<std::string_view> queue_;
  std::unique_ptr<char[]> input_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace kb::load

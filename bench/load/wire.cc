#include "load/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr size_t kMostParts = 64;  // of one sendmsg
constexpr int32_t kLeastFrameBytes = 4, kMostFrameBytes = 1 << 30;

[[noreturn]] void DieOf(const char* what, int error) {
  raw::Die(std::string(what) + ": " + strerror(error));
}

sockaddr_in Address(uint8_t last, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFu) | last);
  return address;
}

int Begin(uint16_t port, uint8_t source) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) DieOf("socket", errno);
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source != 1) {
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const sockaddr_in from = Address(source, 0);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) DieOf("bind", errno);
  }
  const sockaddr_in to = Address(1, port);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) {
    DieOf("connect", errno);
  }
  return descriptor;
}

}  // namespace

Wire::Wire(uint16_t port, uint8_t source, size_t read_bytes)
    : descriptor_(Begin(port, source)), read_bytes_(read_bytes) {}

Wire::~Wire() {
  close(descriptor_);
}

void Wire::Await(short events) {
  pollfd waiting{.fd = descriptor_, .events = events, .revents = 0};
  const int ready = poll(&waiting, 1, kSilenceSeconds * 1000);
  if (ready < 0) DieOf("poll", errno);
  if (ready == 0) raw::Die("no answer within " + std::to_string(kSilenceSeconds) + " seconds");
}

void Wire::AwaitConnected() {
  Await(POLLOUT);
  CheckConnected();
}

void Wire::CheckConnected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) DieOf("connect", error);
}

bool Wire::Flush() {
  while (!queue_.empty()) {
    iovec parts[kMostParts];
    const size_t count = std::min(queue_.size(), kMostParts);
    for (size_t i = 0; i < count; ++i) parts[i] = {const_cast<char*>(queue_[i].data()), queue_[i].size()};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) DieOf("send", errno);
    auto left = static_cast<size_t>(sent);
    while (!queue_.empty() && left >= queue_.front().size()) {
      left -= queue_.front().size();
      queue_.pop_front();
    }
    if (left > 0) queue_.front().remove_prefix(left);
  }
  return true;
}

void Wire::Receive() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ < read_bytes_) Grow();
  const ssize_t got = recv(descriptor_, input_.get() + end_, capacity_ - end_, MSG_DONTWAIT);
  if (got == 0) raw::Die("the broker closed a connection");
  if (got < 0 && errno != EAGAIN) DieOf("recv", errno);
  if (got > 0) end_ += static_cast<size_t>(got);
}

void Wire::Grow() {
  const std::string_view had = arrived();
  const size_t wanted = 2 * had.size() + read_bytes_;
  if (wanted <= capacity_) {
    memmove(input_.get(), had.data(), had.size());
  } else {
    auto grown = std::make_unique_for_overwrite<char[]>(wanted);
    std::copy(had.begin(), had.end(), grown.get());
    input_ = std::move(grown);
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = had.size();
}

bool Wire::NextFrame(std::string_view* frame) {
  const std::string_view in = arrived();
  if (in.size() < 4) return false;
  const auto size = LoadBigEndian<int32_t>(reinterpret_cast<const uint8_t*>(in.data()));
  if (size < kLeastFrameBytes || size > kMostFrameBytes) raw::Die("a frame of " + std::to_string(size) + " bytes");
  if (in.size() - 4 < static_cast<size_t>(size)) return false;
  *frame = in.substr(4, static_cast<size_t>(size));
  begin_ += 4 + static_cast<size_t>(size);
  return true;
}

std::string_view Wire::Call(std::string_view request) {
  Queue(request);
  while (!Flush()) Await(POLLOUT);
  std::string_view frame;
  while (!NextFrame(&frame)) {
    Await(POLLIN);
    Receive();
  }
  return frame;
}

}  // namespace kb::load

// TcpTransport: the kernel's sockets. Non-blocking, TCP_NODELAY (responses are whole when they are written; nothing gains
// by waiting), keep-alive (a peer that vanished without a word is noticed by the kernel).
//
// TcpTransport is immutable and thread-safe; sockets and listeners belong to their reactor.
#pragma once

#include "net/socket.h"

namespace kb::net {

// Of each connection, in bytes; -1 is the kernel's choice (socket.send.buffer.bytes, socket.receive.buffer.bytes). A small
// send buffer keeps what is under way in the processor's cache: a fetch of 1 MiB pieces over loopback costs a third less
// with 100 KiB than with the 4 MiB that the kernel would grow it to.
struct SocketBuffers {
  int send = -1;
  int receive = -1;
};

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(SocketBuffers buffers = {}) : buffers_(buffers) {}
  Result<std::vector<std::unique_ptr<Listener>>> Listen(const std::string& host, uint16_t port, int backlog) override;

 private:
  const SocketBuffers buffers_;
};

// Takes over a connected stream socket (also one end of a socketpair) and makes it non-blocking.
std::unique_ptr<Socket> AdoptDescriptor(int descriptor, const Address& peer);

}  // namespace kb::net

// TcpTransport: the kernel's sockets. Non-blocking, TCP_NODELAY (responses are whole when they are written; nothing gains
// by waiting), keep-alive (a peer that vanished without a word is noticed by the kernel).
//
// TcpTransport is thread-safe and has no state; sockets and listeners belong to their reactor.
#pragma once

#include "net/socket.h"

namespace kb::net {

class TcpTransport final : public Transport {
 public:
  Result<std::vector<std::unique_ptr<Listener>>> Listen(const std::string& host, uint16_t port, int backlog) override;
};

// Takes over a connected stream socket (also one end of a socketpair) and makes it non-blocking.
std::unique_ptr<Socket> AdoptDescriptor(int descriptor, const Address& peer);

}  // namespace kb::net

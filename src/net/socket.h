// Socket, Listener, Transport: the network as net needs it, behind interfaces: TCP (tcp.h), later TLS, and a
// simulation.
//
// A socket belongs to one reactor from Watch() on, and to whoever holds it before. Nothing here blocks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "reactor/poller.h"
#include "reactor/reactor.h"

namespace kb::net {

// An IP address and port. IPv4 as IPv4-mapped IPv6. Immutable value.
struct Address {
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;

  bool operator==(const Address&) const = default;
  std::string Ip() const;        // 192.0.2.1 or 2001:db8::1
  std::string ToString() const;  // 192.0.2.1:9092 or [2001:db8::1]:9092
};

// An address as Address::Ip() writes it; the text itself where it is none.
std::string CanonicalIp(const std::string& text);

// Bytes of a file that are sent without passing through the broker. Movable.
struct FileRange {
  // How to read where there is no descriptor, or where a copy is cheaper: as pread, returns bytes read or -errno.
  using ReadFunction = int64_t (*)(const void* file, uint64_t position, MutableByteView into);

  int descriptor = -1;  // for sendfile; -1: only `read`
  uint64_t position = 0;
  uint64_t size = 0;
  std::shared_ptr<const void> keep_alive;  // holds the file open until the last byte has left
  const void* file = nullptr;              // passed to `read`
  ReadFunction read = nullptr;             // needed when descriptor is -1; pread on the descriptor otherwise
};

// Results of I/O: bytes moved, or -errno. -EAGAIN: would have to wait; Watch()'s handler is told when to try again.
class Socket {
 public:
  virtual ~Socket() = default;  // closes; what is unsent may be lost

  // Fills the parts one after the other. 0: the peer has ended its stream (parts are not all empty).
  virtual int64_t Read(std::span<const MutableByteView> parts) = 0;
  // Takes bytes from the parts in order. more: further bytes follow at once, so a part-filled packet may wait for them.
  virtual int64_t Write(std::span<const ByteView> parts, bool more) = 0;
  // Sends at most `size` bytes from `position` of range's file. 0: the file ends there.
  virtual int64_t SendFile(const FileRange& range, uint64_t position, uint64_t size) = 0;
  // Tells the peer that no more comes; reading goes on.
  virtual void ShutdownWrite() = 0;

  virtual const Address& peer() const = 0;

  // From now on `handler` hears on `home` what the socket is ready for, of what is in `interest`. The handler must stay
  // until Unwatch() or the end of the socket.
  virtual Status Watch(reactor::Reactor& home, reactor::IoHandler& handler, uint32_t interest) = 0;
  virtual void SetInterest(uint32_t interest) = 0;
  virtual void Unwatch() = 0;
};

// Where peers knock. Belongs to one reactor from Watch() on.
class Listener {
 public:
  virtual ~Listener() = default;  // stops listening

  // The next socket; nullptr when nobody waits. An error says in os_errno what is exhausted (EMFILE, ENFILE, ENOBUFS,
  // ENOMEM); peers that have gone again are passed over.
  virtual Result<std::unique_ptr<Socket>> Accept() = 0;
  // When descriptors have run out: takes one waiting peer with the spare descriptor and closes it at once, so that it
  // can go elsewhere instead of waiting in the backlog. False: nobody waits, or not even that works.
  virtual bool TurnAway() = 0;

  virtual const Address& local() const = 0;
  virtual Status Watch(reactor::Reactor& home, reactor::IoHandler& handler) = 0;
  virtual void Unwatch() = 0;  // peers wait in the backlog; Watch() may follow
};

// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  // Listens at `host`: a name or an address; empty: every address of both families; "localhost": the loopback address
  // of both families. Port 0: the kernel chooses one, the same for all. At least one listener, all with the same port.
  // Errors (kBusy: the port is taken) name host and port.
  virtual Result<std::vector<std::unique_ptr<Listener>>> Listen(const std::string& host, uint16_t port,
                                                                int backlog) = 0;
};

}  // namespace kb::net

#include "net/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace kb::net {
namespace {

constexpr size_t kMostParts = 64;  // iovecs of one call
constexpr size_t kSmallWriteBytes = 256;
constexpr int kTriesForOnePort = 16;  // when the kernel's choice for one family is taken in the other
constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool IsMapped(const Address& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.ip.begin());
}

// A descriptor with one owner.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { Close(); }
  void Close() {
    if (value_ >= 0) close(std::exchange(value_, -1));
  }
  int get() const { return value_; }
  bool open() const { return value_ >= 0; }

 private:
  int value_;
};

Address FromSockaddr(const sockaddr_storage& from) {
  Address address;
  if (from.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(from);
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.ip.begin());
    std::memcpy(address.ip.data() + 12, &in.sin_addr, 4);
    address.port = ntohs(in.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(from);
    std::memcpy(address.ip.data(), &in.sin6_addr, 16);
    address.port = ntohs(in.sin6_port);
  }
  return address;
}

// A descriptor's registration with the poller of its reactor.
class Watched {
 public:
  ~Watched() { Stop(); }
  Status Start(int descriptor, reactor::Reactor& home, reactor::IoHandler& handler, uint32_t interest) {
    KB_CHECK(home_ == nullptr);
    auto registration = home.poller().Add(descriptor, interest, handler);
    if (!registration.ok()) return registration.error();
    descriptor_ = descriptor;
    registration_ = *registration;
    home_ = &home;
    return {};
  }
  void SetInterest(uint32_t interest) {
    KB_CHECK(home_ != nullptr);
    home_->poller().Modify(registration_, descriptor_, interest);
  }
  void Stop() {
    if (home_ != nullptr) std::exchange(home_, nullptr)->poller().Remove(registration_, descriptor_);
  }

 private:
  reactor::Reactor* home_ = nullptr;
  reactor::IoRegistration registration_;
  int descriptor_ = -1;
};

int64_t ResultOf(ssize_t moved) {
  if (moved >= 0) return moved;
  return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

template <typename Part>
size_t ToIovecs(std::span<const Part> parts, std::array<iovec, kMostParts>& iovecs) {
  size_t count = std::min(parts.size(), kMostParts);
  for (size_t i = 0; i < count; ++i) {
    iovecs[i] = {const_cast<uint8_t*>(parts[i].data()), parts[i].size()};
  }
  return count;
}

size_t SizeOf(std::span<const ByteView> parts) {
  size_t size = 0;
  for (const ByteView& part : parts) size += part.size();
  return size;
}

class TcpSocket final : public Socket {
 public:
  TcpSocket(Descriptor descriptor, const Address& peer) : descriptor_(std::move(descriptor)), peer_(peer) {}

  int64_t Read(std::span<const MutableByteView> parts) override {
    std::array<iovec, kMostParts> iovecs;
    size_t count = ToIovecs(parts, iovecs);
    for (;;) {
      // The usual case has one part, and recv gets to the socket by a shorter way than readv.
      int64_t moved = ResultOf(count == 1 ? recv(descriptor_.get(), iovecs[0].iov_base, iovecs[0].iov_len, 0)
                                          : readv(descriptor_.get(), iovecs.data(), static_cast<int>(count)));
      if (moved != -EINTR) return moved;
    }
  }

  int64_t Write(std::span<const ByteView> parts, bool more) override {
    if (!more && SizeOf(parts) <= kSmallWriteBytes) return WriteSmall(parts);
    std::array<iovec, kMostParts> iovecs;
    msghdr message{};
    message.msg_iov = iovecs.data();
    message.msg_iovlen = ToIovecs(parts, iovecs);
    if (message.msg_iovlen < parts.size()) more = true;
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    for (;;) {
      int64_t moved = ResultOf(sendmsg(descriptor_.get(), &message, flags));
      if (moved != -EINTR) return moved;
    }
  }

  int64_t SendFile(const FileRange& range, uint64_t position, uint64_t size) override {
    if (range.descriptor < 0) return -EINVAL;
    auto offset = static_cast<off_t>(position);
    for (;;) {
      int64_t moved = ResultOf(sendfile(descriptor_.get(), range.descriptor, &offset, size));
      if (moved != -EINTR) return moved;
    }
  }

  void ShutdownWrite() override { shutdown(descriptor_.get(), SHUT_WR); }
  const Address& peer() const override { return peer_; }

  Status Watch(reactor::Reactor& home, reactor::IoHandler& handler, uint32_t interest) override {
    return watched_.Start(descriptor_.get(), home, handler, interest);
  }
  void SetInterest(uint32_t interest) override { watched_.SetInterest(interest); }
  void Unwatch() override { watched_.Stop(); }

 private:
  // Most answers: send gets to the socket by a shorter way than sendmsg, and copying so little is cheaper than a list.
  int64_t WriteSmall(std::span<const ByteView> parts) {
    std::array<uint8_t, kSmallWriteBytes> bytes;
    size_t size = 0;
    for (const ByteView& part : parts) {
      std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      size += part.size();
    }
    for (;;) {
      int64_t moved = ResultOf(send(descriptor_.get(), bytes.data(), size, MSG_NOSIGNAL));
      if (moved != -EINTR) return moved;
    }
  }

  Descriptor descriptor_;  // closed after watched_ has let go of it
  const Address peer_;
  Watched watched_;
};

// One for the process would be enough, but each listener's own needs no sharing.
Descriptor OpenSpare() {
  return Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Errors of accept that concern one peer, or a signal: go on with the next.
bool PassesOver(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
         error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP ||
         error == ENETUNREACH || error == ETIMEDOUT || error == EPERM;
}

void PrepareConnection(int descriptor) {
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

class TcpListener final : public Listener {
 public:
  TcpListener(Descriptor descriptor, const Address& local)
      : descriptor_(std::move(descriptor)), spare_(OpenSpare()), local_(local) {}

  Result<std::unique_ptr<Socket>> Accept() override {
    for (;;) {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      Descriptor accepted(
          accept4(descriptor_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted.open()) {
        PrepareConnection(accepted.get());
        return std::unique_ptr<Socket>(std::make_unique<TcpSocket>(std::move(accepted), FromSockaddr(from)));
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::unique_ptr<Socket>();
      if (!PassesOver(errno)) return OsError(errno, "accept on " + local_.ToString());
    }
  }

  bool TurnAway() override {
    if (!spare_.open()) spare_ = OpenSpare();
    if (!spare_.open()) return false;
    spare_.Close();
    Descriptor accepted(accept4(descriptor_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    bool turned_away = accepted.open();
    accepted.Close();
    spare_ = OpenSpare();
    return turned_away;
  }

  const Address& local() const override { return local_; }
  Status Watch(reactor::Reactor& home, reactor::IoHandler& handler) override {
    return watched_.Start(descriptor_.get(), home, handler, reactor::kReadable);
  }
  void Unwatch() override { watched_.Stop(); }

 private:
  Descriptor descriptor_;
  Descriptor spare_;
  const Address local_;
  Watched watched_;
};

// ------------------------------------------------------------------------------------------------ listening

// Where to listen: one or two socket addresses.
struct Place {
  sockaddr_storage address{};
  socklen_t length = 0;
  bool both_families = false;  // an IPv6 socket that takes IPv4, too
};

Place V4Place(in_addr_t ip) {
  Place place;
  auto& in = reinterpret_cast<sockaddr_in&>(place.address);
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = ip;
  place.length = sizeof in;
  return place;
}

Place V6Place(const in6_addr& ip, bool both_families) {
  Place place;
  auto& in = reinterpret_cast<sockaddr_in6&>(place.address);
  in.sin6_family = AF_INET6;
  in.sin6_addr = ip;
  place.length = sizeof in;
  place.both_families = both_families;
  return place;
}

void SetPort(Place& place, uint16_t port) {
  if (place.address.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(place.address).sin_port = htons(port);
  if (place.address.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(place.address).sin6_port = htons(port);
}

// The first address of a name, IPv4 preferred (as a Java broker does).
Result<Place> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return Error{ErrorKind::kInvalid, "cannot resolve the listener's host '" + host + "': " + gai_strerror(error)};
  }
  const addrinfo* chosen = found;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      chosen = each;
      break;
    }
  }
  Place place;
  std::memcpy(&place.address, chosen->ai_addr, chosen->ai_addrlen);
  place.length = chosen->ai_addrlen;
  freeaddrinfo(found);
  return place;
}

Result<std::vector<Place>> PlacesOf(const std::string& host) {
  // A Java broker takes both wildcards for "all addresses of both families", and so do people's configurations.
  if (host.empty() || host == "0.0.0.0" || host == "::") return std::vector<Place>{V6Place(in6addr_any, true)};
  if (host == "localhost") {
    return std::vector<Place>{V4Place(htonl(INADDR_LOOPBACK)), V6Place(in6addr_loopback, false)};
  }
  auto place = Resolve(host);
  if (!place.ok()) return place.error();
  return std::vector<Place>{*place};
}

Error ListenError(int error, const char* what, const std::string& host, uint16_t port) {
  std::string where = (host.empty() ? "all addresses" : host) + ", port " + std::to_string(port);
  if (error == EADDRINUSE) return {ErrorKind::kBusy, where + ": the port is in use", error};
  return OsError(error, std::string(what) + " on " + where);
}

// Sockets inherit them from the one that accepts.
void SetBuffers(int descriptor, const SocketBuffers& buffers) {
  if (buffers.send > 0) setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffers.send, sizeof buffers.send);
  if (buffers.receive > 0) setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffers.receive, sizeof buffers.receive);
}

// What a listener is to be.
struct Wish {
  const std::string& host;
  uint16_t port;
  int backlog;
  SocketBuffers buffers;
};

Result<std::unique_ptr<Listener>> ListenAt(const Place& place, const Wish& wish) {
  Descriptor descriptor(socket(place.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.open()) return ListenError(errno, "socket", wish.host, wish.port);
  int on = 1;
  // A restart must not wait for connections of the former process to be forgotten.
  setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SetBuffers(descriptor.get(), wish.buffers);
  if (place.address.ss_family == AF_INET6) {
    int only_v6 = place.both_families ? 0 : 1;
    setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&place.address), place.length) != 0) {
    return ListenError(errno, "bind", wish.host, wish.port);
  }
  if (listen(descriptor.get(), wish.backlog) != 0) return ListenError(errno, "listen", wish.host, wish.port);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  return std::unique_ptr<Listener>(std::make_unique<TcpListener>(std::move(descriptor), FromSockaddr(bound)));
}

// This machine has no such family (no IPv6), which is no reason not to serve the other.
bool LacksFamily(const Error& error) {
  return error.os_errno == EAFNOSUPPORT || error.os_errno == EADDRNOTAVAIL;
}

Result<std::vector<std::unique_ptr<Listener>>> ListenAtAll(std::vector<Place> places, Wish wish) {
  std::vector<std::unique_ptr<Listener>> listeners;
  std::optional<Error> lacking;
  for (Place& place : places) {
    SetPort(place, wish.port);
    auto listener = ListenAt(place, wish);
    if (listener.ok()) {
      wish.port = (*listener)->local().port;  // port 0: what the first one got is for all
      listeners.push_back(*std::move(listener));
    } else if (LacksFamily(listener.error()) && (places.size() > 1 || place.both_families)) {
      lacking = listener.error();
    } else {
      return listener.error();
    }
  }
  if (listeners.empty()) return *lacking;
  return listeners;
}

}  // namespace

std::string CanonicalIp(const std::string& text) {
  in6_addr v6{};
  in_addr v4{};
  char canonical[INET6_ADDRSTRLEN] = {};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return inet_ntop(AF_INET, &v4, canonical, sizeof canonical);
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return inet_ntop(AF_INET, v6.s6_addr + 12, canonical, sizeof canonical);
  return inet_ntop(AF_INET6, &v6, canonical, sizeof canonical);
}

std::string Address::Ip() const {
  char text[INET6_ADDRSTRLEN];
  if (!IsMapped(*this)) return inet_ntop(AF_INET6, ip.data(), text, sizeof text);
  char* end = text;  // by hand: some requests ask for it each time, and inet_ntop is a printf
  for (size_t i = 12; i < ip.size(); ++i) {
    if (i > 12) *end++ = '.';
    end = std::to_chars(end, text + sizeof text, ip[i]).ptr;
  }
  return {text, end};
}

std::string Address::ToString() const {
  std::string host = IsMapped(*this) ? Ip() : '[' + Ip() + ']';
  return host + ':' + std::to_string(port);
}

Result<std::vector<std::unique_ptr<Listener>>> TcpTransport::Listen(const std::string& host, uint16_t port,
                                                                    int backlog) {
  auto places = PlacesOf(host);
  if (!places.ok()) return places.error();
  Wish wish{host, port, backlog, buffers_};
  for (int tries = 0;; ++tries) {
    auto listeners = ListenAtAll(*places, wish);
    bool unlucky = !listeners.ok() && listeners.error().kind == ErrorKind::kBusy && port == 0;
    if (unlucky && tries < kTriesForOnePort) continue;
    if (!listeners.ok() && places->front().both_families && LacksFamily(listeners.error())) {
      return ListenAtAll({V4Place(htonl(INADDR_ANY))}, wish);
    }
    return listeners;
  }
}

std::unique_ptr<Socket> AdoptDescriptor(int descriptor, const Address& peer) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  PrepareConnection(descriptor);
  return std::make_unique<TcpSocket>(Descriptor(descriptor), peer);
}

}  // namespace kb::net

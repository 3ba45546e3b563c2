#include "support/sim_network.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

namespace kb::test {
namespace sim_internal {

// Bytes on their way in one direction.
struct Pipe {
  std::string arrived;        // not read yet
  size_t under_way = 0;       // written, not arrived
  int64_t last_arrival_ns = 0;
  bool write_ended = false;   // by the sender
  bool end_arrived = false;
};

// Both directions, and how to tell each end that something has changed.
struct Link {
  Link(SimScheduler& scheduler, const SimNetworkOptions& options) : scheduler(scheduler), options(options) {}

  SimScheduler& scheduler;
  const SimNetworkOptions options;
  Pipe to_server;
  Pipe to_client;
  bool server_closed = false;
  bool client_closed = false;
  bool reset = false;
  std::function<void()> on_server_change;
  std::string client_unsent;
  size_t client_sent = 0;  // of client_unsent
  std::string client_received;
  bool client_reads = true;
  bool client_will_end = false;

  size_t Room(const Pipe& pipe) const {
    size_t held = pipe.arrived.size() + pipe.under_way;
    return held >= options.window_bytes ? 0 : options.window_bytes - held;
  }
  void TellServer() {
    if (on_server_change) on_server_change();
  }
};

using LinkPtr = std::shared_ptr<Link>;

void ClientChanged(const LinkPtr& link);

void Arrive(const LinkPtr& link, bool to_server) { to_server ? link->TellServer() : ClientChanged(link); }

// Runs `then` when what was sent before has arrived, and a little later.
template <typename F>
void Later(const LinkPtr& link, Pipe& pipe, F then) {
  int64_t now_ns = link->scheduler.now_ns();
  auto delay_ns = static_cast<int64_t>(link->scheduler.random().Below(
      static_cast<uint64_t>(link->options.most_delay_ns) + 1));
  pipe.last_arrival_ns = std::max(now_ns + delay_ns, pipe.last_arrival_ns);
  link->scheduler.After(pipe.last_arrival_ns - now_ns, std::move(then));
}

uint64_t Fingerprint(std::string_view bytes) {
  uint64_t hash = 14695981039346656037u;
  for (char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 1099511628211u;
  return hash;
}

void SendPiece(const LinkPtr& link, bool to_server, std::string piece) {
  Pipe& pipe = to_server ? link->to_server : link->to_client;
  link->scheduler.Note(Fingerprint(piece));
  pipe.under_way += piece.size();
  Later(link, pipe, [link, to_server, piece = std::move(piece)] {
    Pipe& pipe = to_server ? link->to_server : link->to_client;
    pipe.under_way -= piece.size();
    pipe.arrived += piece;
    Arrive(link, to_server);
  });
}

// Writes what there is room for, in one piece or more. Returns how much.
size_t SendSome(const LinkPtr& link, bool to_server, std::string_view bytes) {
  Pipe& pipe = to_server ? link->to_server : link->to_client;
  size_t size = std::min(bytes.size(), link->Room(pipe));
  std::string_view rest = bytes.substr(0, size);
  Random& random = link->scheduler.random();
  while (!rest.empty()) {
    bool cut = link->options.splits && random.Below(4) == 0;
    size_t piece = cut ? 1 + random.Below(rest.size()) : rest.size();
    SendPiece(link, to_server, std::string(rest.substr(0, piece)));
    rest.remove_prefix(piece);
  }
  return size;
}

void EndStream(const LinkPtr& link, bool to_server) {
  Pipe& pipe = to_server ? link->to_server : link->to_client;
  if (std::exchange(pipe.write_ended, true)) return;
  Later(link, pipe, [link, to_server] {
    (to_server ? link->to_server : link->to_client).end_arrived = true;
    Arrive(link, to_server);
  });
}

void ResetBoth(const LinkPtr& link) {
  link->reset = true;
  link->TellServer();
}

// The client takes what has arrived and sends what there is room for now.
void ClientChanged(const LinkPtr& link) {
  if (link->client_closed) {
    if (!link->to_client.arrived.empty()) ResetBoth(link);  // answers to somebody who has gone
    return;
  }
  if (link->client_reads && !link->to_client.arrived.empty()) {
    link->client_received += std::exchange(link->to_client.arrived, {});
    link->TellServer();  // there is room again
  }
  link->client_sent += SendSome(link, true, std::string_view(link->client_unsent).substr(link->client_sent));
  if (link->client_sent == link->client_unsent.size()) {
    link->client_unsent.clear();
    link->client_sent = 0;
  }
  if (link->client_will_end && link->client_unsent.empty()) EndStream(link, true);
}

class SimSocket final : public net::Socket {
 public:
  SimSocket(LinkPtr link, const net::Address& peer)
      : core_(std::make_shared<Core>()), peer_(peer) {
    core_->link = std::move(link);
  }

  ~SimSocket() override {
    Unwatch();
    Link& link = *core_->link;
    link.on_server_change = nullptr;
    link.server_closed = true;
    if (link.to_server.arrived.empty()) {
      EndStream(core_->link, false);
    } else {
      ResetBoth(core_->link);
    }
  }

  int64_t Read(std::span<const MutableByteView> parts) override {
    Link& link = *core_->link;
    if (link.reset) return -ECONNRESET;
    std::string& arrived = link.to_server.arrived;
    if (arrived.empty()) return link.to_server.end_arrived ? 0 : -EAGAIN;
    size_t most = arrived.size();
    if (link.options.splits && link.scheduler.random().Below(4) == 0) most = 1 + link.scheduler.random().Below(most);
    size_t read = 0;
    for (MutableByteView part : parts) {
      size_t count = std::min(part.size(), most - read);
      std::copy_n(arrived.data() + read, count, part.data());
      read += count;
    }
    arrived.erase(0, read);
    ClientChanged(core_->link);
    return static_cast<int64_t>(read);
  }

  int64_t Write(std::span<const ByteView> parts, bool) override {
    Link& link = *core_->link;
    if (link.reset) return -EPIPE;
    size_t room = link.Room(link.to_client);
    std::string bytes;
    for (ByteView part : parts) bytes += AsText(part).substr(0, room - bytes.size());
    size_t sent = SendSome(core_->link, false, bytes);
    return sent == 0 ? -EAGAIN : static_cast<int64_t>(sent);
  }

  int64_t SendFile(const net::FileRange&, uint64_t, uint64_t) override { return -EINVAL; }
  void ShutdownWrite() override { EndStream(core_->link, false); }
  const net::Address& peer() const override { return peer_; }

  Status Watch(reactor::Reactor& home, reactor::IoHandler& handler, uint32_t interest) override {
    core_->home = &home;
    core_->handler = &handler;
    core_->link->on_server_change = [core = std::weak_ptr(core_)] { Core::Tell(core); };
    SetInterest(interest);
    return {};
  }
  void SetInterest(uint32_t interest) override {
    core_->interest = interest;
    Core::Tell(core_);
  }
  void Unwatch() override { core_->handler = nullptr; }

 private:
  // Level-triggered: as long as the socket is ready for what is asked, each turn says so.
  struct Core {
    LinkPtr link;
    reactor::Reactor* home = nullptr;
    reactor::IoHandler* handler = nullptr;
    uint32_t interest = 0;
    bool told = false;

    uint32_t Readiness() const {
      uint32_t ready = 0;
      if (!link->to_server.arrived.empty() || link->to_server.end_arrived) ready |= reactor::kReadable;
      if (link->Room(link->to_client) > 0) ready |= reactor::kWritable;
      ready &= interest;
      return link->reset ? ready | reactor::kBroken : ready;
    }
    static void Tell(const std::weak_ptr<Core>& weak) {
      auto core = weak.lock();
      if (core == nullptr || core->handler == nullptr || core->told || core->Readiness() == 0) return;
      core->told = true;
      core->home->Post([weak] {
        auto told = weak.lock();
        if (told == nullptr) return;
        told->told = false;
        uint32_t ready = told->Readiness();
        if (told->handler != nullptr && ready != 0) told->handler->OnIo(ready);
        Tell(weak);
      });
    }
  };

  std::shared_ptr<Core> core_;
  const net::Address peer_;
};

class SimListener final : public net::Listener {
 public:
  SimListener(SimNetwork& network, uint16_t port) : network_(network), alive_(std::make_shared<bool>(true)) {
    local_.ip[15] = 1;
    local_.port = port;
  }
  ~SimListener() override {
    network_.listeners_.erase(local_.port);
    for (auto& [link, peer] : waiting_) ResetBoth(link);
  }

  void Knock(LinkPtr link, const net::Address& peer) {
    waiting_.emplace_back(std::move(link), peer);
    Tell();
  }
  Result<std::unique_ptr<net::Socket>> Accept() override {
    if (waiting_.empty()) return std::unique_ptr<net::Socket>();
    if (network_.failing_accepts_ > 0) {
      --network_.failing_accepts_;
      return OsError(network_.failing_errno_, "accept");
    }
    auto [link, peer] = std::move(waiting_.front());
    waiting_.pop_front();
    return std::unique_ptr<net::Socket>(std::make_unique<SimSocket>(std::move(link), peer));
  }
  bool TurnAway() override {
    if (waiting_.empty()) return false;
    ResetBoth(waiting_.front().first);
    waiting_.pop_front();
    return true;
  }
  const net::Address& local() const override { return local_; }
  Status Watch(reactor::Reactor& home, reactor::IoHandler& handler) override {
    home_ = &home;
    handler_ = &handler;
    Tell();
    return {};
  }
  void Unwatch() override { handler_ = nullptr; }

 private:
  void Tell() {
    if (handler_ == nullptr || waiting_.empty() || std::exchange(told_, true)) return;
    home_->Post([this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      told_ = false;
      if (handler_ != nullptr && !waiting_.empty()) handler_->OnIo(reactor::kReadable);
      if (!alive.expired()) Tell();
    });
  }

  SimNetwork& network_;
  std::shared_ptr<bool> alive_;
  net::Address local_;
  std::deque<std::pair<LinkPtr, net::Address>> waiting_;
  reactor::Reactor* home_ = nullptr;
  reactor::IoHandler* handler_ = nullptr;
  bool told_ = false;
};

}  // namespace sim_internal

using sim_internal::ClientChanged;

SimClient::~SimClient() { Close(); }

void SimClient::Send(ByteView bytes) {
  link_->client_unsent += AsText(bytes);
  ClientChanged(link_);
}

void SimClient::ShutdownWrite() {
  link_->client_will_end = true;
  ClientChanged(link_);
}

void SimClient::Close() {
  if (link_->client_closed) return;
  ShutdownWrite();
  link_->client_closed = true;
  link_->client_unsent.clear();
  link_->client_sent = 0;
  sim_internal::EndStream(link_, true);
}

void SimClient::Reset() {
  link_->client_closed = true;
  sim_internal::ResetBoth(link_);
}

void SimClient::set_reading(bool reading) {
  link_->client_reads = reading;
  ClientChanged(link_);
}

std::string_view SimClient::received() const { return link_->client_received; }

std::string SimClient::Take(size_t bytes) {
  std::string taken = link_->client_received.substr(0, bytes);
  link_->client_received.erase(0, bytes);
  return taken;
}

bool SimClient::ended() const { return link_->to_client.end_arrived || link_->reset; }
bool SimClient::was_reset() const { return link_->reset; }

SimNetwork::SimNetwork(SimScheduler& scheduler, SimNetworkOptions options) : scheduler_(scheduler), options_(options) {}
SimNetwork::~SimNetwork() = default;

Result<std::vector<std::unique_ptr<net::Listener>>> SimNetwork::Listen(const std::string& host, uint16_t port, int) {
  if (port == 0) port = next_port_++;
  if (listeners_.contains(port)) {
    return Error{ErrorKind::kBusy, host + ", port " + std::to_string(port) + ": the port is in use", EADDRINUSE};
  }
  auto listener = std::make_unique<sim_internal::SimListener>(*this, port);
  listeners_[port] = listener.get();
  std::vector<std::unique_ptr<net::Listener>> listeners;
  listeners.push_back(std::move(listener));
  return listeners;
}

std::unique_ptr<SimClient> SimNetwork::Connect(uint16_t port, uint8_t last_ip_byte) {
  auto found = listeners_.find(port);
  if (found == listeners_.end()) return nullptr;
  net::Address peer;
  peer.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, last_ip_byte};
  peer.port = next_port_++;
  auto link = std::make_shared<sim_internal::Link>(scheduler_, options_);
  found->second->Knock(link, peer);
  return std::make_unique<SimClient>(link);
}

void SimNetwork::FailAccepts(int count, int os_errno) {
  failing_accepts_ = count;
  failing_errno_ = os_errno;
}

}  // namespace kb::test

#include "net/acceptor.h"

#include <cerrno>
#include <unordered_map>

#include "net/connection_set.h"

namespace kb::net {

class Ledger {
 public:
  explicit Ledger(const AcceptorOptions& limits) : limits_(limits) {}

  // False: this address has as many as it may.
  bool Enter(const std::string& ip) {
    size_t& of_ip = by_ip_[ip];
    if (of_ip >= LimitOf(ip)) {
      if (of_ip == 0) by_ip_.erase(ip);
      return false;
    }
    ++of_ip;
    ++total_;
    return true;
  }
  void Leave(const std::string& ip) {
    auto found = by_ip_.find(ip);
    KB_CHECK(found != by_ip_.end() && total_ > 0);
    --total_;
    if (--found->second == 0) by_ip_.erase(found);
    if (on_leave_) on_leave_();
  }
  bool full() const { return total_ >= limits_.most_connections; }
  void set_limits(const AcceptorOptions& limits) { limits_ = limits; }
  size_t total() const { return total_; }
  void set_on_leave(std::function<void()> on_leave) { on_leave_ = std::move(on_leave); }

 private:
  size_t LimitOf(const std::string& ip) const {
    auto found = limits_.most_connections_of_ip.find(ip);
    return found == limits_.most_connections_of_ip.end() ? limits_.most_connections_per_ip : found->second;
  }

  AcceptorOptions limits_;
  size_t total_ = 0;
  std::unordered_map<std::string, size_t> by_ip_;
  std::function<void()> on_leave_;  // the acceptor's, while it exists
};

Admission::~Admission() {
  home_.Post([ledger = std::move(ledger_), peer = peer_] { ledger->Leave(peer.Ip()); });
}

// One open listener.
class Acceptor::Door final : public reactor::IoHandler {
 public:
  Door(Acceptor& acceptor, int number, std::string name, std::unique_ptr<Listener> listener)
      : acceptor_(acceptor), number_(number), name_(std::move(name)), listener_(std::move(listener)) {}
  void OnIo(uint32_t) override { acceptor_.AcceptFrom(*this); }

  int number() const { return number_; }
  const std::string& name() const { return name_; }
  Listener& listener() { return *listener_; }

 private:
  Acceptor& acceptor_;
  const int number_;
  const std::string name_;
  const std::unique_ptr<Listener> listener_;
};

Acceptor::Acceptor(reactor::Reactor& home, Transport& transport, const AcceptorOptions& options,
                   std::vector<ConnectionSet*> targets, LogSink& log)
    : home_(home),
      transport_(transport),
      options_(options),
      targets_(std::move(targets)),
      log_(log, home.clock()),
      ledger_(std::make_shared<Ledger>(options)) {
  KB_CHECK(!targets_.empty());
  ledger_->set_on_leave([this] { Reconsider(); });
}

Acceptor::~Acceptor() {
  reactor::Reactor::Scope scope(home_);
  Stop();
  ledger_->set_on_leave(nullptr);
}

Result<uint16_t> Acceptor::Bind(const ListenerOptions& options) {
  auto listeners = transport_.Listen(options.host, options.port, options_.backlog);
  if (!listeners.ok()) {
    Error error = listeners.error();
    error.message = "listener " + options.name + ": " + error.message;
    return error;
  }
  uint16_t port = listeners->front()->local().port;
  for (auto& listener : *listeners) {
    doors_.push_back(std::make_unique<Door>(*this, listeners_, options.name, std::move(listener)));
  }
  ++listeners_;
  return port;
}

void Acceptor::Start() {
  home_.AssertCurrent();
  started_ = true;
  Reconsider();
}

void Acceptor::SetLimits(const AcceptorOptions& limits) {
  home_.AssertCurrent();
  ledger_->set_limits(limits);
  Reconsider();
}

void Acceptor::Stop() {
  home_.AssertCurrent();
  started_ = false;
  Reconsider();
  home_.CancelTimer(pause_timer_);
  doors_.clear();
}

size_t Acceptor::connections() const {
  return ledger_->total();
}

// Listens exactly when it may.
void Acceptor::Reconsider() {
  bool wanted = started_ && !paused_ && !ledger_->full();
  if (wanted && !watching_) Watch();
  if (!wanted && watching_) Unwatch();
}

void Acceptor::Watch() {
  watching_ = true;
  for (auto& door : doors_) {
    Status status = door->listener().Watch(home_, *door);
    if (!status.ok()) log_.Write(Severity::kError, "watch", "listener " + door->name() + ": " + status.error().message);
  }
}

void Acceptor::Unwatch() {
  watching_ = false;
  for (auto& door : doors_) door->listener().Unwatch();
}

void Acceptor::AcceptFrom(Door& door) {
  bool is_exhausted = false;
  for (int i = 0; i < kAcceptsPerTurn && watching_; ++i) {
    auto socket = door.listener().Accept();
    if (socket.ok()) {
      if (*socket == nullptr) break;
      HandOver(*std::move(socket), door.number());
      Reconsider();
      continue;
    }
    // Asked anew for each: what was lacking may be back, and then nobody more is turned away.
    is_exhausted = true;
    log_.Write(Severity::kError, "exhausted", "listener " + door.name() + ": " + socket.error().message);
    if (!door.listener().TurnAway()) break;
  }
  if (is_exhausted) Pause();
}

// Takes the socket if so.
bool Acceptor::HoldsBack(std::unique_ptr<Socket>& socket) {
  int64_t ms = options_.hold_back_ms ? options_.hold_back_ms(socket->peer()) : 0;
  if (ms <= 0) return false;
  std::unique_ptr<Socket> held = std::move(socket);
  if (*held_back_ >= kMostHeldBack) return true;
  ++*held_back_;
  home_.After(ms * kNsPerMs, [count = held_back_, held = std::move(held)] { --*count; });
  return true;
}

void Acceptor::HandOver(std::unique_ptr<Socket> socket, int listener) {
  if (HoldsBack(socket)) return;
  std::string ip = socket->peer().Ip();
  if (!ledger_->Enter(ip)) {
    log_.Write(Severity::kWarning, "per ip", "connection of " + ip + " refused: it has as many as it may have");
    return;
  }
  auto admission = std::make_unique<Admission>(home_, ledger_, socket->peer());
  ConnectionSet& target = *targets_[next_target_++ % targets_.size()];
  target.home().Post([&target, listener, socket = std::move(socket), admission = std::move(admission)]() mutable {
    target.Adopt(std::move(socket), listener, std::move(admission));
  });
}

void Acceptor::Pause() {
  paused_ = true;
  Reconsider();
  pause_timer_ = home_.After(kPauseNs, [this] {
    paused_ = false;
    Reconsider();
  });
}

}  // namespace kb::net

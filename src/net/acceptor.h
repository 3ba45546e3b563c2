// Acceptor: opens the listeners, takes peers in, and hands each socket to the next reactor, round robin.
//
// It lives on a reactor of its own: in production that one has a thread which does nothing else, so a flood of
// connections does not delay requests; in a simulation it is turned like any other.
//
//   max.connections         reached: no listener is watched until one closes; peers wait in the backlog
//   max.connections.per.ip  exceeded: the new one is closed at once
//   whom to hold back       somebody else says: he is not let in, and hears of it after a while, so that he does not knock
//                           again at once
//   descriptors run out     waiting peers are turned away with the spare descriptor, then accepting pauses for kPauseNs
//
// Bind() before the reactor turns, from the thread that sets things up; everything else on the reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_sink.h"
#include "net/socket.h"
#include "reactor/reactor.h"

namespace kb::net {

class ConnectionSet;

struct ListenerOptions {
  std::string name;  // PLAINTEXT
  std::string host;  // see Transport::Listen
  uint16_t port = 0;
};

struct AcceptorOptions {
  size_t most_connections = INT32_MAX;                     // max.connections
  size_t most_connections_per_ip = INT32_MAX;              // max.connections.per.ip
  std::map<std::string, size_t> most_connections_of_ip;    // max.connections.per.ip.overrides; by Address::Ip()
  int backlog = 4096;                                      // the kernel caps it at net.core.somaxconn
  // How many milliseconds a peer is to be held back before his connection is closed; 0: he is let in. Asked on the
  // acceptor's reactor, once for each who knocks. Empty: nobody is.
  std::function<int64_t(const Address&)> hold_back_ms;
};

// Who has been let in. Shared by the acceptor and every connection; touched on the acceptor's reactor only.
class Ledger;

// One connection's place; gives it back when destroyed, on any thread.
class Admission {
 public:
  Admission(reactor::Reactor& home, std::shared_ptr<Ledger> ledger, const Address& peer)
      : home_(home), ledger_(std::move(ledger)), peer_(peer) {}
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

 private:
  reactor::Reactor& home_;
  std::shared_ptr<Ledger> ledger_;
  const Address peer_;
};

class Acceptor {
 public:
  static constexpr int64_t kPauseNs = 100'000'000;
  static constexpr int kAcceptsPerTurn = 64;
  static constexpr size_t kMostHeldBack = 1000;  // each has a descriptor; who comes then is closed at once

  // All outlive it; `targets` also every connection.
  Acceptor(reactor::Reactor& home, Transport& transport, const AcceptorOptions& options,
           std::vector<ConnectionSet*> targets, LogSink& log);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Opens a listener; peers may knock from now on and wait. Returns the port. The listener's number in
  // Connection::listener() is the order of the calls. The error names the listener, host and port.
  Result<uint16_t> Bind(const ListenerOptions& listener);
  // Begins to accept.
  void Start();
  // The numbers of connections that may be, from now on; the backlog stays. Who is in stays in.
  void SetLimits(const AcceptorOptions& limits);
  // Closes the listeners. Peers in the backlog are reset by the kernel.
  void Stop();

  size_t connections() const;

 private:
  class Door;

  void AcceptFrom(Door& door);
  void HandOver(std::unique_ptr<Socket> socket, int listener);
  bool HoldsBack(std::unique_ptr<Socket>& socket);
  void Pause();  // for kPauseNs: something is exhausted
  void Watch();
  void Unwatch();
  void Reconsider();

  reactor::Reactor& home_;
  Transport& transport_;
  const AcceptorOptions options_;
  const std::vector<ConnectionSet*> targets_;
  RateLimitedLog log_;
  std::shared_ptr<Ledger> ledger_;
  std::vector<std::unique_ptr<Door>> doors_;
  int listeners_ = 0;
  size_t next_target_ = 0;
  const std::shared_ptr<size_t> held_back_ = std::make_shared<size_t>(0);  // their timers may outlive us
  bool started_ = false;
  bool paused_ = false;
  bool watching_ = false;
  reactor::TimerId pause_timer_;
};

}  // namespace kb::net

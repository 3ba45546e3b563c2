// Listeners: the addresses a broker listens on and tells its clients, from listeners, advertised.listeners,
// listener.security.protocol.map, controller.listener.names and inter.broker.listener.name, and the quorum's addresses.
// The rules are those of Apache Kafka 4.3.1's combined mode. Immutable values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace kb::config {

enum class SecurityProtocol : int16_t { kPlaintext = 0, kSsl = 1, kSaslPlaintext = 2, kSaslSsl = 3 };

struct HostPort {
  std::string host;  // no brackets around IPv6; empty: every address
  uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

struct Listener {
  std::string name;  // upper case, as Kafka keeps it
  HostPort address;
  SecurityProtocol protocol = SecurityProtocol::kPlaintext;
  bool is_controller = false;  // named by controller.listener.names
};

struct QuorumVoter {
  int32_t id = -1;
  HostPort address;
};

struct Listeners {
  std::vector<Listener> bound;  // in the order of `listeners`
  // What clients are told, controller listeners included if they are named. Without advertised.listeners: the bound
  // ones of the broker. An empty host stands for this machine's own name, which whoever has a resolver fills in; port 0
  // for the port that was bound.
  std::vector<Listener> advertised;
  std::string inter_broker_name;
  std::vector<QuorumVoter> quorum_voters;  // of controller.quorum.voters: none, or this node
  std::vector<HostPort> quorum_bootstrap;  // of controller.quorum.bootstrap.servers

  const Listener* FindBound(std::string_view name) const;
  const Listener* FindAdvertised(std::string_view name) const;
};

// node_id: this node's. kInvalid: a rule is broken; kUnsupported: allowed in Apache Kafka and not built here (TLS,
// SASL, several controllers). The message is one line that names the key.
Result<Listeners> ReadListeners(const Settings& settings, int32_t node_id);

// "host:port", "[::1]:port"; a scheme in front is ignored, as Apache Kafka does. nullopt when it is neither.
std::optional<HostPort> ParseHostPort(std::string_view text);

}  // namespace kb::config

#include "config/listeners.h"

#include <algorithm>
#include <map>

#include "base/number.h"
#include "config/value.h"

namespace kb::config {
namespace {

using ProtocolMap = std::map<std::string, SecurityProtocol, std::less<>>;

constexpr std::string_view kListeners = "listeners";
constexpr std::string_view kAdvertised = "advertised.listeners";
constexpr std::string_view kProtocolMap = "listener.security.protocol.map";
constexpr std::string_view kControllerNames = "controller.listener.names";
constexpr std::string_view kInterBrokerName = "inter.broker.listener.name";
constexpr std::string_view kInterBrokerProtocol = "security.inter.broker.protocol";
constexpr std::string_view kVoters = "controller.quorum.voters";
constexpr std::string_view kBootstrap = "controller.quorum.bootstrap.servers";

Error Broken(std::string_view key, std::string_view rule) {
  return Error{ErrorKind::kInvalid, std::string(key) + ": " + std::string(rule)};
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return upper;
}

std::optional<SecurityProtocol> ProtocolNamed(std::string_view name) {
  std::string upper = UpperCase(name);
  if (upper == "PLAINTEXT") return SecurityProtocol::kPlaintext;
  if (upper == "SSL") return SecurityProtocol::kSsl;
  if (upper == "SASL_PLAINTEXT") return SecurityProtocol::kSaslPlaintext;
  if (upper == "SASL_SSL") return SecurityProtocol::kSaslSsl;
  return std::nullopt;
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Listener* Find(const std::vector<Listener>& listeners, std::string_view name) {
  auto found = std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) { return l.name == name; });
  return found == listeners.end() ? nullptr : &*found;
}

std::string NamesOf(const std::vector<Listener>& listeners) {
  std::string names;
  for (const Listener& listener : listeners) names += (names.empty() ? "" : ", ") + listener.name;
  return names;
}

bool IsIPv4(std::string_view host) {
  return std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}
bool IsIPv6(std::string_view host) {
  return host.find(':') != std::string_view::npos;
}

// listener.security.protocol.map: NAME:PROTOCOL,…
Result<ProtocolMap> ReadProtocolMap(const Settings& settings, const std::vector<std::string>& controller_names) {
  ProtocolMap protocols;
  for (const std::string& entry : ListOf(settings.Text(kProtocolMap))) {
    size_t colon = entry.rfind(':');
    std::string_view name = Trimmed(std::string_view(entry).substr(0, colon));
    if (colon == std::string::npos || name.empty()) {
      return NotAllowed(kProtocolMap, entry, "NAME:PROTOCOL,NAME:PROTOCOL,…");
    }
    std::string_view protocol = Trimmed(std::string_view(entry).substr(colon + 1));
    std::optional<SecurityProtocol> known = ProtocolNamed(protocol);
    if (!known.has_value()) {
      return NotAllowed(kProtocolMap, protocol,
                        "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL behind the listener's name");
    }
    protocols[UpperCase(name)] = *known;
  }
  // Nobody has to map the controller's listeners when nothing but plain text is in use.
  if (!settings.IsSet(kProtocolMap)) {
    for (const std::string& name : controller_names) protocols.try_emplace(name, SecurityProtocol::kPlaintext);
  }
  return protocols;
}

// NAME://host:port
Result<Listener> ReadListener(std::string_view key, const std::string& text, const ProtocolMap& protocols,
                              const std::vector<std::string>& controller_names) {
  constexpr std::string_view kShape = "NAME://host:port with a port from 0 to 65535";
  size_t scheme_end = text.find("://");
  if (scheme_end == std::string::npos || scheme_end == 0) return NotAllowed(key, text, kShape);
  std::optional<HostPort> address = ParseHostPort(std::string_view(text).substr(scheme_end + 3));
  if (!address.has_value()) return NotAllowed(key, text, kShape);
  Listener listener;
  listener.name = UpperCase(std::string_view(text).substr(0, scheme_end));
  listener.address = *address;
  auto protocol = protocols.find(listener.name);
  if (protocol == protocols.end()) {
    return Broken(key, "the listener " + listener.name + " has no entry in " + std::string(kProtocolMap));
  }
  listener.protocol = protocol->second;
  listener.is_controller = Contains(controller_names, listener.name);
  if (listener.protocol != SecurityProtocol::kPlaintext) {
    return Error{ErrorKind::kUnsupported, std::string(key) + ": \"" + text +
                                              "\" needs TLS or SASL, as " + std::string(kProtocolMap) +
                                              " says, which this broker does not have yet; it does not start rather "
                                              "than speak plain text there"};
  }
  return listener;
}

Result<std::vector<Listener>> ReadListenerList(const Settings& settings, std::string_view key,
                                               const ProtocolMap& protocols,
                                               const std::vector<std::string>& controller_names) {
  std::vector<Listener> listeners;
  for (const std::string& text : settings.List(key)) {
    Result<Listener> listener = ReadListener(key, text, protocols, controller_names);
    if (!listener.ok()) return listener.error();
    if (Find(listeners, listener->name) != nullptr) {
      return Broken(key, "two listeners have the name " + listener->name);
    }
    listeners.push_back(*std::move(listener));
  }
  return listeners;
}

// Two listeners may share a port only as one IPv4 and one IPv6 address.
Status CheckPorts(const std::vector<Listener>& listeners) {
  std::map<uint16_t, std::vector<std::string_view>> hosts_by_port;
  for (const Listener& listener : listeners) {
    if (listener.address.port != 0) hosts_by_port[listener.address.port].push_back(listener.address.host);
  }
  for (const auto& [port, hosts] : hosts_by_port) {
    if (hosts.size() == 1) continue;
    bool is_pair =
        hosts.size() == 2 && ((IsIPv4(hosts[0]) && IsIPv6(hosts[1])) || (IsIPv6(hosts[0]) && IsIPv4(hosts[1])));
    if (!is_pair) return Broken(kListeners, "two listeners have the port " + std::to_string(port));
  }
  return {};
}

Status CheckControllerNames(const std::vector<std::string>& names, const std::vector<Listener>& bound) {
  for (const std::string& name : names) {
    if (Find(bound, name) == nullptr) {
      return Broken(kControllerNames, name + " is not among the names in listeners (" + NamesOf(bound) + ")");
    }
  }
  return {};
}

std::vector<Listener> OfTheBroker(const std::vector<Listener>& listeners) {
  std::vector<Listener> of_broker;
  std::copy_if(listeners.begin(), listeners.end(), std::back_inserter(of_broker),
               [](const Listener& listener) { return !listener.is_controller; });
  return of_broker;
}

Status CheckAdvertised(const std::vector<Listener>& advertised, const std::vector<Listener>& bound) {
  for (const Listener& listener : advertised) {
    if (Find(bound, listener.name) == nullptr) {
      return Broken(kAdvertised, listener.name + " is not among the names in listeners (" + NamesOf(bound) + ")");
    }
    if (listener.address.host == "0.0.0.0") {
      return Broken(kAdvertised,
                    "clients cannot connect to 0.0.0.0; set it to an address or name of this machine, as " +
                        listener.name + "://localhost:" + std::to_string(listener.address.port));
    }
  }
  if (OfTheBroker(advertised).empty()) {
    return Broken(kAdvertised, "there must be a listener that is not in controller.listener.names");
  }
  return {};
}

Result<std::string> ReadInterBrokerName(const Settings& settings, const ProtocolMap& protocols,
                                        const std::vector<Listener>& advertised) {
  if (settings.IsSet(kInterBrokerName) && settings.IsSet(kInterBrokerProtocol)) {
    return Broken(kInterBrokerName, "only one of it and security.inter.broker.protocol may be set");
  }
  std::string name = UpperCase(settings.IsSet(kInterBrokerName) ? settings.Text(kInterBrokerName)
                                                                : settings.Text(kInterBrokerProtocol));
  if (settings.IsSet(kInterBrokerName) && !protocols.contains(name)) {
    return Broken(kInterBrokerName, "\"" + name + "\" has no entry in listener.security.protocol.map");
  }
  std::vector<Listener> of_broker = OfTheBroker(advertised);
  if (Find(of_broker, name) == nullptr) {
    return Broken(kInterBrokerName, "\"" + name + "\" is not an advertised listener of the broker (" +
                                        NamesOf(of_broker) + "); name one of these");
  }
  return name;
}

// id@host:port
Result<QuorumVoter> ReadVoter(const std::string& text) {
  constexpr std::string_view kShape = "id@host:port,…, with hosts that can be connected to";
  QuorumVoter voter;
  size_t at = text.find('@');
  if (at == std::string::npos) return NotAllowed(kVoters, text, kShape);
  auto id = ParseNumber<decltype(voter.id)>(std::string_view(text).substr(0, at));
  std::optional<HostPort> address = ParseHostPort(std::string_view(text).substr(at + 1));
  if (!id || !address || address->host == "0.0.0.0") return NotAllowed(kVoters, text, kShape);
  voter.id = *id;
  voter.address = *address;
  return voter;
}

Status ReadVoters(const Settings& settings, int32_t node_id, Listeners* listeners) {
  for (const std::string& text : settings.List(kVoters)) {
    Result<QuorumVoter> voter = ReadVoter(text);
    if (!voter.ok()) return voter.error();
    listeners->quorum_voters.push_back(*std::move(voter));
  }
  const std::vector<QuorumVoter>& voters = listeners->quorum_voters;
  bool has_node =
      std::any_of(voters.begin(), voters.end(), [&](const QuorumVoter& voter) { return voter.id == node_id; });
  if (!voters.empty() && !has_node) {
    return Broken(kVoters, "node.id " + std::to_string(node_id) + " must be one of the voters of a controller");
  }
  if (voters.size() > 1) {
    return Error{ErrorKind::kUnsupported, std::string(kVoters) +
                                              ": several voters are not supported yet; this broker is "
                                              "its own only controller"};
  }
  return {};
}

Status ReadBootstrap(const Settings& settings, Listeners* listeners) {
  for (const std::string& text : settings.List(kBootstrap)) {
    std::optional<HostPort> address = ParseHostPort(text);
    if (!address.has_value()) return NotAllowed(kBootstrap, text, "host:port");
    listeners->quorum_bootstrap.push_back(*address);
  }
  if (listeners->quorum_voters.empty() && listeners->quorum_bootstrap.empty()) {
    return Broken(kBootstrap, "it or controller.quorum.voters must name the controller, as localhost:9093");
  }
  if (listeners->quorum_bootstrap.size() > 1) {
    return Error{ErrorKind::kUnsupported, std::string(kBootstrap) +
                                              ": several controllers are not supported yet; this "
                                              "broker is its own only controller"};
  }
  return {};
}

}  // namespace

const Listener* Listeners::FindBound(std::string_view name) const {
  return Find(bound, name);
}
const Listener* Listeners::FindAdvertised(std::string_view name) const {
  return Find(advertised, name);
}

std::optional<HostPort> ParseHostPort(std::string_view text) {
  constexpr std::string_view kHostCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._:";
  if (size_t scheme = text.find("://"); scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  }
  if (host.find_first_not_of(kHostCharacters) != std::string_view::npos) return std::nullopt;
  auto port = ParseNumber<decltype(HostPort::port)>(port_text);
  if (!port) return std::nullopt;
  return HostPort{std::string(host), *port};
}

Result<Listeners> ReadListeners(const Settings& settings, int32_t node_id) {
  Listeners listeners;
  std::vector<std::string> controller_names = settings.List(kControllerNames);
  if (controller_names.empty()) {
    return Broken(kControllerNames, "it is missing; it names the listeners of the controller, as CONTROLLER");
  }
  KB_RETURN_IF_ERROR(ReadVoters(settings, node_id, &listeners));
  KB_RETURN_IF_ERROR(ReadBootstrap(settings, &listeners));

  Result<ProtocolMap> protocols = ReadProtocolMap(settings, controller_names);
  if (!protocols.ok()) return protocols.error();
  Result<std::vector<Listener>> bound = ReadListenerList(settings, kListeners, *protocols, controller_names);
  if (!bound.ok()) return bound.error();
  listeners.bound = *std::move(bound);
  KB_RETURN_IF_ERROR(CheckPorts(listeners.bound));
  KB_RETURN_IF_ERROR(CheckControllerNames(controller_names, listeners.bound));

  if (settings.IsSet(kAdvertised)) {
    Result<std::vector<Listener>> told = ReadListenerList(settings, kAdvertised, *protocols, controller_names);
    if (!told.ok()) return told.error();
    listeners.advertised = *std::move(told);
  } else {
    listeners.advertised = OfTheBroker(listeners.bound);
  }
  KB_RETURN_IF_ERROR(CheckAdvertised(listeners.advertised, listeners.bound));

  Result<std::string> inter_broker = ReadInterBrokerName(settings, *protocols, listeners.advertised);
  if (!inter_broker.ok()) return inter_broker.error();
  listeners.inter_broker_name = *std::move(inter_broker);
  return listeners;
}

}  // namespace kb::config

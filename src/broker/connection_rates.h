// ConnectionRates: how many connections an address may make a second (the quota connection_creation_rate of ips,
// KIP-612).
//
// What has an address of its own counts for it alone; what is said of the default, for each other address. Lives on the
// acceptor's reactor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/ip_address.h"
#include "broker/quota_ledger.h"
#include "metadata/image.h"

namespace kb::broker {

// What the metadata says. Immutable once read, any thread. A name that is no address (Apache Kafka resolves it) does
// not count, but for localhost.
struct ConnectionRateLimits {
  static ConnectionRateLimits Of(const metadata::MetadataImage& image);
  std::optional<double> of_default;
  std::map<IpAddress, double> of_address;
};

class ConnectionRates {
 public:
  explicit ConnectionRates(const QuotaWindowOptions& options) : ledger_(options, options) {}

  void SetLimits(ConnectionRateLimits limits) { limits_ = std::move(limits); }
  // A connection comes. How long its peer has to wait before it is turned away; 0: it is welcome, and counted.
  int64_t Admit(const IpAddress& ip, int64_t now_ms);

 private:
  ConnectionRateLimits limits_;
  QuotaLedger ledger_;
};

}  // namespace kb::broker

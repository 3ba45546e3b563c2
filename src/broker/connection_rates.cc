#include "broker/connection_rates.h"

#include <algorithm>
#include <string>

#include "controller/quota_decisions.h"

namespace kb::broker {

ConnectionRateLimits ConnectionRateLimits::Of(const metadata::MetadataImage& image) {
  ConnectionRateLimits limits;
  for (const auto& [entity, values] : image.client_quotas()) {
    auto ip = entity.find(controller::kQuotaIp);
    auto value = values.find(controller::kConnectionCreationRate);
    if (ip == entity.end() || value == values.end() || !(value->second > 0)) continue;
    if (!ip->second) {
      limits.of_default = value->second;
    } else if (auto address = ParseIpAddress(*ip->second == "localhost" ? "127.0.0.1" : *ip->second)) {
      limits.of_address[*address] = value->second;
    }
  }
  return limits;
}

int64_t ConnectionRates::Admit(const IpAddress& ip, int64_t now_ms) {
  std::optional<double> bound = limits_.of_default;
  if (auto own = limits_.of_address.find(ip); own != limits_.of_address.end()) bound = own->second;
  if (!bound) return 0;
  const std::string sharer(ip.begin(), ip.end());
  int64_t wait_ms = ledger_.Charge(sharer, *bound, 1, now_ms);
  if (wait_ms == 0) return 0;
  ledger_.TakeBack(sharer, 1, now_ms);
  return std::min(wait_ms, ledger_.options().window_ms);
}

}  // namespace kb::broker

#include "broker/quota_ledger.h"

#include <algorithm>

namespace kb::broker {

int64_t QuotaLedger::Charge(const std::string& sharer, double bound, double value, int64_t now_ms) {
  Clean(now_ms);
  RateWindow& rate = rates_[sharer];
  rate.Record(options_, value, now_ms);
  return rate.ThrottleMs(options_, bound, now_ms);
}

void QuotaLedger::TakeBack(const std::string& sharer, double value, int64_t now_ms) {
  auto found = rates_.find(sharer);
  if (found != rates_.end()) found->second.Record(options_, -value, now_ms);
}

int64_t QuotaLedger::Mutate(const std::string& sharer, double bound, double mutations, bool strict, int64_t now_ms) {
  Clean(now_ms);
  Bucket& bucket = buckets_[sharer];
  bucket.last_use_ms = now_ms;
  if (strict) {
    int64_t wait_ms = bucket.tokens.ThrottleMs(controller_options_, bound, now_ms);
    if (wait_ms > 0) return wait_ms;
  }
  bucket.tokens.Take(controller_options_, bound, mutations, now_ms);
  return strict ? 0 : bucket.tokens.ThrottleMs(controller_options_, bound, now_ms);
}

// Costs as much as there are entries, and is done when they have doubled: next to nothing for each that is made.
void QuotaLedger::Clean(int64_t now_ms) {
  if (size() < clean_at_) return;
  std::erase_if(rates_, [&](const auto& entry) { return entry.second.IsObsolete(options_, now_ms); });
  // A bucket that was used up far is full again later than that; then its owner begins anew.
  std::erase_if(buckets_, [&](const auto& entry) {
    return now_ms - entry.second.last_use_ms >= std::max<int64_t>(controller_options_.span_ms(), 3'600'000);
  });
  clean_at_ = std::max(kCleanFrom, 2 * size());
}

}  // namespace kb::broker

// QuotaLedger: what was used of quotas by those whose home this reactor is. One entry per sharer (QuotaTable::Limit),
// made when he first uses something and dropped once it is as good as new; so a client can make many of them, and not
// keep them.
//
// The bound comes with each call: a quota that changes counts at once. Reactor-affine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "broker/quota_window.h"

namespace kb::broker {

class QuotaLedger {
 public:
  QuotaLedger(const QuotaWindowOptions& options, const QuotaWindowOptions& controller_options)
      : options_(options), controller_options_(controller_options) {}

  // Records the value; how long the client is to be throttled.
  int64_t Charge(const std::string& sharer, double bound, double value, int64_t now_ms);
  // Takes back what was charged and has not happened.
  void TakeBack(const std::string& sharer, double value, int64_t now_ms);

  // Controller mutations (KIP-599). Strict: refused (the time to wait) as long as the quota is used up, and recorded
  // otherwise, however much it is; permissive: recorded always.
  int64_t Mutate(const std::string& sharer, double bound, double mutations, bool strict, int64_t now_ms);

  const QuotaWindowOptions& options() const { return options_; }
  size_t size() const { return rates_.size() + buckets_.size(); }

 private:
  static constexpr size_t kCleanFrom = 1'000;
  void Clean(int64_t now_ms);

  struct Bucket {
    TokenBucket tokens;
    int64_t last_use_ms = 0;
  };

  const QuotaWindowOptions options_;
  const QuotaWindowOptions controller_options_;
  std::unordered_map<std::string, RateWindow> rates_;
  std::unordered_map<std::string, Bucket> buckets_;
  size_t clean_at_ = kCleanFrom;
};

}  // namespace kb::broker

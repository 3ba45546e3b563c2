// RateWindow and TokenBucket: how much of something there was lately, and how long to wait until it is as little as a
// quota allows. Apache Kafka's arithmetic (Rate over SampledStat, TokenBucket, QuotaUtils), so that its figures and
// ours agree.
//
//   RateWindow    |sample|sample|…|current|        rate := sum of the samples ÷ seconds since the oldest began,
//                 └ samples × window_ms ─┘         and at least those of (samples - 1) whole windows
//   TokenBucket   refilled with `bound` tokens a second, up to samples × window × bound; more may be taken than there
//   are
//
// Time is a parameter, in milliseconds, and does not go back. Plain values, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kb::broker {

// quota.window.num and quota.window.size.seconds, or those of the controller's quota.
struct QuotaWindowOptions {
  int32_t samples = 11;
  int64_t window_ms = 1000;
  int64_t span_ms() const { return samples * window_ms; }
};

class RateWindow {
 public:
  // value may be negative: what was recorded and has not happened after all.
  void Record(const QuotaWindowOptions& options, double value, int64_t now_ms);
  // Per second.
  double Rate(const QuotaWindowOptions& options, int64_t now_ms);
  // How long nothing may be recorded for the rate to come down to the bound; 0 when it is not above it.
  int64_t ThrottleMs(const QuotaWindowOptions& options, double bound, int64_t now_ms);
  // Nothing of it counts any more: it is as good as new.
  bool IsObsolete(const QuotaWindowOptions& options, int64_t now_ms) const;

 private:
  struct Sample {
    int64_t start_ms;
    int64_t last_event_ms;
    double value;
  };
  void Purge(const QuotaWindowOptions& options, int64_t now_ms);
  int64_t SpanMs(const QuotaWindowOptions& options, int64_t now_ms);

  std::vector<Sample> samples_;  // at most one more than options.samples: one that overlaps the beginning
  size_t current_ = 0;
};

class TokenBucket {
 public:
  void Take(const QuotaWindowOptions& options, double bound, double tokens, int64_t now_ms);
  // Below 0: the quota is used up.
  double Left(const QuotaWindowOptions& options, double bound, int64_t now_ms);
  // How long until it is not; 0 when it is not used up.
  int64_t ThrottleMs(const QuotaWindowOptions& options, double bound, int64_t now_ms);

 private:
  double tokens_ = 0;
  int64_t last_update_ms_ = -(int64_t{1} << 60);  // long ago, whatever the clock counts from: a new bucket is full
};

}  // namespace kb::broker

#include "broker/quota_window.h"

#include <algorithm>
#include <cmath>

namespace kb::broker {
namespace {

constexpr double kMsPerSecond = 1000.0;

int64_t Round(double value) {
  constexpr double kMost = 9.2e18;
  return static_cast<int64_t>(std::floor(std::clamp(value, -kMost, kMost) + 0.5));
}

}  // namespace

void RateWindow::Record(const QuotaWindowOptions& options, double value, int64_t now_ms) {
  if (samples_.empty()) samples_.push_back({now_ms, now_ms, 0});
  if (now_ms - samples_[current_].start_ms >= options.window_ms) {
    current_ = (current_ + 1) % (static_cast<size_t>(options.samples) + 1);
    if (current_ >= samples_.size()) {
      current_ = samples_.size();
      samples_.emplace_back();
    }
    samples_[current_] = {now_ms, now_ms, 0};
  }
  samples_[current_].value += value;
  samples_[current_].last_event_ms = now_ms;
}

void RateWindow::Purge(const QuotaWindowOptions& options, int64_t now_ms) {
  for (Sample& sample : samples_) {
    if (now_ms - sample.last_event_ms >= options.span_ms()) sample = {now_ms, now_ms, 0};
  }
}

int64_t RateWindow::SpanMs(const QuotaWindowOptions& options, int64_t now_ms) {
  Purge(options, now_ms);
  int64_t oldest_ms = now_ms;
  for (const Sample& sample : samples_) oldest_ms = std::min(oldest_ms, sample.start_ms);
  int64_t elapsed_ms = now_ms - oldest_ms;
  int64_t whole_windows = elapsed_ms / options.window_ms;
  int64_t least = options.samples - 1;
  if (whole_windows < least) elapsed_ms += (least - whole_windows) * options.window_ms;
  return std::max<int64_t>(elapsed_ms, 1);
}

double RateWindow::Rate(const QuotaWindowOptions& options, int64_t now_ms) {
  Purge(options, now_ms);
  double sum = 0;
  for (const Sample& sample : samples_) sum += sample.value;
  return sum / (static_cast<double>(SpanMs(options, now_ms)) / kMsPerSecond);
}

int64_t RateWindow::ThrottleMs(const QuotaWindowOptions& options, double bound, int64_t now_ms) {
  double rate = Rate(options, now_ms);
  if (rate <= bound) return 0;
  return Round((rate - bound) / bound * static_cast<double>(SpanMs(options, now_ms)));
}

bool RateWindow::IsObsolete(const QuotaWindowOptions& options, int64_t now_ms) const {
  return std::all_of(samples_.begin(), samples_.end(),
                     [&](const Sample& sample) { return now_ms - sample.last_event_ms >= options.span_ms(); });
}

double TokenBucket::Left(const QuotaWindowOptions& options, double bound, int64_t now_ms) {
  double most = static_cast<double>(options.span_ms()) / kMsPerSecond * bound;
  double fresh = bound * (static_cast<double>(now_ms - last_update_ms_) / kMsPerSecond);
  tokens_ = std::min(most, tokens_ + fresh);
  last_update_ms_ = now_ms;
  return tokens_;
}

void TokenBucket::Take(const QuotaWindowOptions& options, double bound, double tokens, int64_t now_ms) {
  tokens_ = Left(options, bound, now_ms) - tokens;
}

int64_t TokenBucket::ThrottleMs(const QuotaWindowOptions& options, double bound, int64_t now_ms) {
  double left = Left(options, bound, now_ms);
  return left >= 0 ? 0 : Round(-left / bound * kMsPerSecond);
}

}  // namespace kb::broker

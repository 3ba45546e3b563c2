#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace kb::load {

size_t Histogram::BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kHalfBits - 1);
  return static_cast<size_t>(shift) * kHalf + static_cast<size_t>(value >> shift);
}

int64_t Histogram::MiddleOf(size_t bucket) {
  if (bucket < 2 * kHalf) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kHalf - 1;
  const uint64_t low = static_cast<uint64_t>(bucket - shift * kHalf) << shift;
  return static_cast<int64_t>(low + ((uint64_t{1} << shift) >> 1));
}

void Histogram::Add(int64_t value) {
  value = std::max<int64_t>(value, 0);
  ++counts_[BucketOf(static_cast<uint64_t>(value))];
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  ++count_;
}

int64_t Histogram::Percentile(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  if (wanted >= count_) return max_;
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) return std::clamp(MiddleOf(bucket), min_, max_);
  }
  return max_;
}

std::vector<std::pair<double, int64_t>> Histogram::Tail() const {
  constexpr int kPointsOfATenth = 10;
  std::vector<std::pair<double, int64_t>> tail;
  if (count_ == 0) return tail;
  const double last = 1.0 / static_cast<double>(count_);
  for (int point = 0;; ++point) {
    const double above = 0.5 * std::pow(10, -static_cast<double>(point) / kPointsOfATenth);
    if (above <= last) break;
    tail.emplace_back(above, Percentile(1 - above));
  }
  tail.emplace_back(last, max_);
  return tail;
}

}  // namespace kb::load

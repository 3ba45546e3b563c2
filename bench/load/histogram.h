// Latencies, counted in fixed memory whatever their number and range.
//
//   value    0 … 255 │ 256 … 511 │ 512 … 1023 │ …      each further range twice as wide,
//   buckets  256     │ 128       │ 128        │ …      cut into 128 buckets
//
// So a bucket is at most 1/128 of its values wide, from nanoseconds to centuries: three significant digits, nearly.
// A percentile is the middle of the bucket it falls into, never beyond the least and the greatest value that were
// added. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace kb::load {

class Histogram {
 public:
  void Add(int64_t value);  // a negative one counts as 0

  int64_t count() const { return count_; }
  int64_t max() const { return max_; }
  // At least `share` (0 to 1) of the values are at or below it. 0 where there is none.
  int64_t Percentile(double share) const;
  // (share above, value) from half of the values down to the last one, ten points for each power of ten.
  std::vector<std::pair<double, int64_t>> Tail() const;

 private:
  static constexpr int kHalfBits = 7;
  static constexpr size_t kHalf = size_t{1} << kHalfBits;
  static constexpr size_t kBuckets = (64 - kHalfBits) * kHalf;

  static size_t BucketOf(uint64_t value);
  static int64_t MiddleOf(size_t bucket);

  std::array<int64_t, kBuckets> counts_{};
  int64_t count_ = 0;
  int64_t min_ = 0;
  int64_t max_ = 0;
};

}  // namespace kb::load

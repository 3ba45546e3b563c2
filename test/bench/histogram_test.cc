// Percentiles of the histogram against the sorted values themselves: never further off than the bucket's width allows.
#include "load/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace kb::load {
namespace {

constexpr double kShares[] = {0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1.0};

int64_t Exact(const std::vector<int64_t>& sorted, double share) {
  const auto wanted = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(wanted, 1) - 1];
}

void ExpectWithinBound(std::vector<int64_t> values) {
  auto histogram = std::make_unique<Histogram>();
  for (const int64_t value : values) histogram->Add(value);
  std::sort(values.begin(), values.end());
  ASSERT_EQ(histogram->count(), static_cast<int64_t>(values.size()));
  EXPECT_EQ(histogram->max(), values.back());
  for (const double share : kShares) {
    const auto exact = static_cast<double>(Exact(values, share));
    EXPECT_NEAR(static_cast<double>(histogram->Percentile(share)), exact, exact / 128) << "share " << share;
  }
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int64_t value = 255; value >= 0; --value) histogram.Add(value);
  for (int64_t value = 0; value < 256; ++value) {
    EXPECT_EQ(histogram.Percentile(static_cast<double>(value + 1) / 256), value);
  }
}

TEST(HistogramTest, EveryBorderOfABucketIsWithinTheBound) {
  for (int bit = 0; bit < 63; ++bit) {
    for (const int64_t value : {(int64_t{1} << bit) - 1, int64_t{1} << bit, (int64_t{1} << bit) + 1}) {
      // Another value beyond, so that it is not the least and greatest that give the answer.
      Histogram histogram;
      histogram.Add(0);
      histogram.Add(value);
      histogram.Add(std::numeric_limits<int64_t>::max());
      EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.5)), static_cast<double>(value),
                  static_cast<double>(value) / 128)
          << value;
    }
  }
}

TEST(HistogramTest, PercentilesOfEvenLatencies) {
  std::mt19937_64 random(1);
  std::vector<int64_t> values;
  for (int i = 0; i < 100000; ++i) values.push_back(static_cast<int64_t>(random() % 10000000));
  ExpectWithinBound(values);
}

TEST(HistogramTest, PercentilesOfLatenciesWithALongTail) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> latency(12, 2);
  std::vector<int64_t> values;
  for (int i = 0; i < 100000; ++i) values.push_back(static_cast<int64_t>(latency(random)));
  ExpectWithinBound(values);
}

TEST(HistogramTest, OneValueIsAllPercentilesExactly) {
  Histogram histogram;
  histogram.Add(123456789);
  for (const double share : kShares) EXPECT_EQ(histogram.Percentile(share), 123456789);
}

TEST(HistogramTest, NothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.99), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_TRUE(histogram.Tail().empty());
}

TEST(HistogramTest, ANegativeValueCountsAsZero) {
  Histogram histogram;
  histogram.Add(-5);
  EXPECT_EQ(histogram.count(), 1);
  EXPECT_EQ(histogram.Percentile(1), 0);
}

TEST(HistogramTest, TheTailEndsWithTheGreatestAndNeverFalls) {
  Histogram histogram;
  for (int64_t value = 1; value <= 100000; ++value) histogram.Add(value);
  const auto tail = histogram.Tail();
  ASSERT_GT(tail.size(), 40u);
  EXPECT_EQ(tail.front().first, 0.5);
  EXPECT_NEAR(static_cast<double>(tail.front().second), 50000, 50000.0 / 128);
  EXPECT_EQ(tail.back(), std::make_pair(1e-5, int64_t{100000}));
  for (size_t i = 1; i < tail.size(); ++i) {
    EXPECT_LT(tail[i].first, tail[i - 1].first);
    EXPECT_GE(tail[i].second, tail[i - 1].second);
  }
}

}  // namespace
}  // namespace kb::load

#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <limits>

namespace kb::metrics {
namespace {

TEST(Metrics, SumsOverShards) {
  Registry registry(3);
  registry.counter(0, "requests").Add(2);
  registry.counter(2, "requests").Add(3);
  registry.gauge(1, "open").Add(5);
  registry.gauge(1, "open").Add(-1);
  auto samples = registry.Collect();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].name, "open");
  EXPECT_EQ(samples[0].value, 4);
  EXPECT_EQ(samples[1].value, 5);
}

TEST(Metrics, SameNameAndLabelsIsTheSameMetric) {
  Registry registry(1);
  Counter& first = registry.counter(0, "requests", "", "api=\"Fetch\"");
  Counter& other = registry.counter(0, "requests", "", "api=\"Produce\"");
  EXPECT_EQ(&registry.counter(0, "requests", "", "api=\"Fetch\""), &first);
  EXPECT_NE(&first, &other);
}

TEST(Histogram, BucketsCoverAllValuesInOrder) {
  for (size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    EXPECT_EQ(Histogram::BucketOf(Histogram::LowestOf(bucket)), bucket);
    if (bucket > 0) {
      EXPECT_EQ(Histogram::BucketOf(Histogram::LowestOf(bucket) - 1), bucket - 1);
    }
  }
  EXPECT_EQ(Histogram::BucketOf(std::numeric_limits<uint64_t>::max()), Histogram::kBuckets - 1);
}

TEST(Histogram, QuantileIsOffByAtMostAQuarter) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 10'000; ++value) histogram.Record(value);
  HistogramSum sum;
  sum.Add(histogram);
  EXPECT_EQ(sum.count, 10'000u);
  EXPECT_EQ(sum.sum, 50'005'000u);
  EXPECT_LE(sum.Quantile(0.5), 5'001u);
  EXPECT_GE(sum.Quantile(0.5), 3'750u);
  EXPECT_LE(sum.Quantile(1.0), 10'000u);
  EXPECT_GE(sum.Quantile(1.0), 7'500u);
  EXPECT_EQ(HistogramSum().Quantile(0.5), 0u);
}

TEST(Metrics, ExpositionNamesTypesOnce) {
  Registry registry(1);
  registry.counter(0, "a_total", "Things.", "kind=\"x\"").Add(1);
  registry.counter(0, "a_total", "Things.", "kind=\"y\"").Add(2);
  registry.histogram(0, "h").Record(3);
  EXPECT_EQ(registry.Exposition(),
            "# HELP a_total Things.\n"
            "# TYPE a_total counter\n"
            "a_total{kind=\"x\"} 1\n"
            "a_total{kind=\"y\"} 2\n"
            "# TYPE h summary\n"
            "h{quantile=\"0.5\"} 3\n"
            "h{quantile=\"0.95\"} 3\n"
            "h{quantile=\"0.99\"} 3\n"
            "h{quantile=\"0.999\"} 3\n"
            "h_sum 3\n"
            "h_count 1\n");
}

}  // namespace
}  // namespace kb::metrics

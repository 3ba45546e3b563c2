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

TEST(Durations, BucketsAreOneTwoFiveAndABoundIsInItsOwn) {
  EXPECT_EQ(Durations::BoundNs(0), 1'000);
  EXPECT_EQ(Durations::BoundNs(1), 2'000);
  EXPECT_EQ(Durations::BoundNs(2), 5'000);
  EXPECT_EQ(Durations::BoundNs(3), 10'000);
  EXPECT_EQ(Durations::BoundNs(Durations::kBounds - 1), 50'000'000'000);
  EXPECT_EQ(Durations::BucketOf(-1), 0u);
  EXPECT_EQ(Durations::BucketOf(0), 0u);
  for (size_t bucket = 0; bucket < Durations::kBounds; ++bucket) {
    EXPECT_EQ(Durations::BucketOf(Durations::BoundNs(bucket)), bucket);
    EXPECT_EQ(Durations::BucketOf(Durations::BoundNs(bucket) + 1), bucket + 1);
  }
  // Every duration, by the definition.
  for (int64_t ns = 1; ns > 0 && ns < std::numeric_limits<int64_t>::max() / 10; ns = ns * 5 / 4 + 1) {
    size_t bucket = 0;
    while (bucket < Durations::kBounds && ns > Durations::BoundNs(bucket)) ++bucket;
    ASSERT_EQ(Durations::BucketOf(ns), bucket) << ns;
  }
  EXPECT_EQ(Durations::BucketOf(std::numeric_limits<int64_t>::max()), Durations::kBounds);
}

TEST(Durations, ShardsShareNoCacheLine) {
  EXPECT_EQ(alignof(Durations), 64u);
  EXPECT_LE(sizeof(Durations), 256u);
}

TEST(Durations, AreAHistogramOfPrometheusInSeconds) {
  Registry registry(2);
  registry.durations(0, "d_seconds", "Times.", "a=\"b\"").Record(3'000);
  registry.durations(1, "d_seconds", "Times.", "a=\"b\"").Record(1'250'000'000);
  registry.durations(1, "d_seconds", "Times.", "a=\"b\"").Record(99'000'000'000);
  const std::string text = registry.Exposition();
  EXPECT_TRUE(
      text.starts_with("# HELP d_seconds Times.\n"
                       "# TYPE d_seconds histogram\n"
                       "d_seconds_bucket{a=\"b\",le=\"0.000001\"} 0\n"
                       "d_seconds_bucket{a=\"b\",le=\"0.000002\"} 0\n"
                       "d_seconds_bucket{a=\"b\",le=\"0.000005\"} 1\n"
                       "d_seconds_bucket{a=\"b\",le=\"0.00001\"} 1\n"))
      << text;
  EXPECT_TRUE(
      text.ends_with("d_seconds_bucket{a=\"b\",le=\"1\"} 1\n"
                     "d_seconds_bucket{a=\"b\",le=\"2\"} 2\n"
                     "d_seconds_bucket{a=\"b\",le=\"5\"} 2\n"
                     "d_seconds_bucket{a=\"b\",le=\"10\"} 2\n"
                     "d_seconds_bucket{a=\"b\",le=\"20\"} 2\n"
                     "d_seconds_bucket{a=\"b\",le=\"50\"} 2\n"
                     "d_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"
                     "d_seconds_sum{a=\"b\"} 100.250003\n"
                     "d_seconds_count{a=\"b\"} 3\n"))
      << text;
  registry.durations(0, "e_seconds").Record(0);
  EXPECT_TRUE(registry.Exposition().ends_with("e_seconds_sum 0\ne_seconds_count 1\n"));
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

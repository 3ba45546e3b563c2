// Counters, gauges and histograms, one set of them per reactor, summed when somebody asks.
//
// A metric belongs to one shard and is written by that shard's reactor only, so writing is a plain load and store (relaxed
// atomics compile to just that); any thread may read. Names are Kafka's where Kafka has them.
//
// Registry: thread-safe. Counter, Gauge, Histogram: written by one thread, read by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kb::metrics {

// Only grows.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Goes up and down.
class Gauge {
 public:
  void Add(int64_t n) { Set(value() + n); }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// How often which magnitude: four buckets to each power of two, so a quantile is off by at most a quarter.
class Histogram {
 public:
  static constexpr size_t kBuckets = 252;
  void Record(uint64_t value);
  static size_t BucketOf(uint64_t value);
  static uint64_t LowestOf(size_t bucket);  // smallest value in it
  uint64_t count(size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

// Several shards' histograms together.
struct HistogramSum {
  std::vector<uint64_t> buckets = std::vector<uint64_t>(Histogram::kBuckets);
  uint64_t count = 0;
  uint64_t sum = 0;
  void Add(const Histogram& histogram);
  // The lowest value of the bucket in which the q-th part (0..1) of all lies; 0 without values.
  uint64_t Quantile(double q) const;
};

enum class Kind { kCounter, kGauge, kHistogram };

// What one metric amounts to over all shards.
struct Sample {
  std::string name;
  std::string labels;  // as in the exposition: `a="b",c="d"`, or nothing
  std::string help;
  Kind kind = Kind::kCounter;
  int64_t value = 0;       // counters and gauges
  HistogramSum histogram;  // histograms
};

class Registry {
 public:
  // One shard for each reactor, and shard `reactors` for everybody else (under the owner's own serialisation).
  explicit Registry(size_t shards);
  ~Registry();

  // The metric of that name and labels in that shard, made at the first call. Stays as long as the registry. Not for the
  // hot path: keep the reference.
  Counter& counter(size_t shard, std::string_view name, std::string_view help = "", std::string_view labels = "");
  Gauge& gauge(size_t shard, std::string_view name, std::string_view help = "", std::string_view labels = "");
  Histogram& histogram(size_t shard, std::string_view name, std::string_view help = "", std::string_view labels = "");

  // Summed over the shards, sorted by name and labels.
  std::vector<Sample> Collect() const;
  // In the text format of Prometheus, version 0.0.4.
  std::string Exposition() const;

 private:
  struct Family;
  Family& Find(Kind kind, std::string_view name, std::string_view help, std::string_view labels);

  const size_t shards_;
  mutable std::mutex mutex_;  // of the list; the values need none
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace kb::metrics

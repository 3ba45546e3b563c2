// Counters, gauges and histograms, one set of them per reactor, summed when somebody asks.
//
// A metric belongs to one shard and is written by that shard's reactor only, so writing is a plain load and store (relaxed
// atomics compile to just that); any thread may read. Names are Kafka's where Kafka has them.
//
// Registry: thread-safe. Counter, Gauge, Histogram: written by one thread, read by any.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
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

// How often something took how long, in steps of 1, 2 and 5 from a microsecond to 50 seconds: a histogram of
// Prometheus, whose bounds are the same everywhere and can be added up. 200 bytes, and no cache line of another
// shard's.
class alignas(64) Durations {
 public:
  static constexpr size_t kBounds = 24;
  static constexpr size_t kBuckets = kBounds + 1;  // the last: longer than all bounds
  void Record(int64_t ns) {                        // what is below 0 counts as 0
    auto& bucket = buckets_[BucketOf(ns)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const auto more = static_cast<uint64_t>(ns > 0 ? ns : 0);
    sum_ns_.store(sum_ns_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  static size_t BucketOf(int64_t ns) {
    if (ns <= 0) return 0;
    const size_t bucket = kBucketOfBits[static_cast<size_t>(std::bit_width(static_cast<uint64_t>(ns)))];
    return bucket + (bucket < kBounds && ns > kBoundsNs[bucket] ? 1 : 0);
  }
  // Longest duration in it; not of the last.
  static int64_t BoundNs(size_t bucket) { return kBoundsNs.at(bucket); }
  uint64_t count(size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }

 private:
  static const std::array<int64_t, kBounds> kBoundsNs;
  static const std::array<uint8_t, 65> kBucketOfBits;
  std::atomic<uint64_t> sum_ns_{0};
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
};

// Several shards' together.
struct DurationsSum {
  std::array<uint64_t, Durations::kBuckets> buckets{};
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  void Add(const Durations& durations);
};

// Several shards' histograms together.
struct HistogramSum {
  std::vector<uint64_t> buckets;  // none before the first Add
  uint64_t count = 0;
  uint64_t sum = 0;
  void Add(const Histogram& histogram);
  // The lowest value of the bucket in which the q-th part (0..1) of all lies; 0 without values.
  uint64_t Quantile(double q) const;
};

enum class Kind { kCounter, kGauge, kHistogram, kDurations };

// What one metric amounts to over all shards.
struct Sample {
  std::string name;
  std::string labels;  // as in the exposition: `a="b",c="d"`, or nothing
  std::string help;
  Kind kind = Kind::kCounter;
  int64_t value = 0;       // counters and gauges
  HistogramSum histogram;  // histograms
  DurationsSum durations;  // durations
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
  // Its name ends in _seconds.
  Durations& durations(size_t shard, std::string_view name, std::string_view help = "", std::string_view labels = "");

  // Summed over the shards, sorted by name and labels.
  std::vector<Sample> Collect() const;
  std::vector<Sample> Collect(const std::function<bool(std::string_view name)>& is_wanted) const;
  // In the text format of Prometheus, version 0.0.4.
  std::string Exposition() const;
  // Of those whose name is wanted.
  std::string Exposition(const std::function<bool(std::string_view name)>& is_wanted) const;

 private:
  struct Family;
  Family& Find(Kind kind, std::string_view name, std::string_view help, std::string_view labels);

  const size_t shards_;
  mutable std::mutex mutex_;  // of the list; the values need none
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace kb::metrics

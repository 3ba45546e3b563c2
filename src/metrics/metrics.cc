#include "metrics/metrics.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/check.h"

namespace kb::metrics {
namespace {

// Values below 4 have a bucket each; above, two bits behind the leading one choose among four.
constexpr size_t kSmall = 4;

constexpr int64_t BoundOf(size_t bucket) {
  constexpr int64_t kSteps[] = {1, 2, 5};
  int64_t bound = 1'000;
  for (size_t decade = bucket / 3; decade > 0; --decade) bound *= 10;
  return bound * kSteps[bucket % 3];
}

}  // namespace

constexpr std::array<int64_t, Durations::kBounds> Durations::kBoundsNs = [] {
  std::array<int64_t, kBounds> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = BoundOf(i);
  return bounds;
}();

// By the number of bits of a duration: the bucket of the shortest of them. As each bound is at least twice the one
// before, the bucket of any is this or the next.
constexpr std::array<uint8_t, 65> Durations::kBucketOfBits = [] {
  std::array<uint8_t, 65> buckets{};
  for (size_t bits = 1; bits < buckets.size(); ++bits) {
    size_t bucket = 0;
    while (bucket < kBounds && static_cast<uint64_t>(BoundOf(bucket)) < uint64_t{1} << (bits - 1)) ++bucket;
    buckets[bits] = static_cast<uint8_t>(bucket);
  }
  return buckets;
}();

void DurationsSum::Add(const Durations& durations) {
  for (size_t i = 0; i < Durations::kBuckets; ++i) {
    const uint64_t some = durations.count(i);
    buckets[i] += some;
    count += some;
  }
  sum_ns += durations.sum_ns();
}

size_t Histogram::BucketOf(uint64_t value) {
  if (value < kSmall) return static_cast<size_t>(value);
  int exponent = 63 - std::countl_zero(value);  // >= 2
  size_t quarter = (value >> (exponent - 2)) & 3;
  return kSmall + static_cast<size_t>(exponent - 2) * 4 + quarter;
}

uint64_t Histogram::LowestOf(size_t bucket) {
  if (bucket < kSmall) return bucket;
  size_t exponent = (bucket - kSmall) / 4 + 2;
  uint64_t quarter = (bucket - kSmall) % 4;
  return (4 + quarter) << (exponent - 2);
}

void Histogram::Record(uint64_t value) {
  auto& bucket = buckets_[BucketOf(value)];
  bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

void HistogramSum::Add(const Histogram& histogram) {
  buckets.resize(Histogram::kBuckets);
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    buckets[i] += histogram.count(i);
    count += histogram.count(i);
  }
  sum += histogram.sum();
}

uint64_t HistogramSum::Quantile(double q) const {
  uint64_t rank = static_cast<uint64_t>(q * static_cast<double>(count));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (buckets[i] > 0 && (seen > rank || seen == count)) return Histogram::LowestOf(i);
  }
  return 0;
}

// One metric: a value of its kind for each shard.
struct Registry::Family {
  Kind kind;
  std::string name;
  std::string help;
  std::string labels;
  std::deque<Counter> counters;
  std::deque<Gauge> gauges;
  std::deque<Histogram> histograms;
  std::deque<Durations> durations;
};

Registry::Registry(size_t shards) : shards_(shards) {}
Registry::~Registry() = default;

Registry::Family& Registry::Find(Kind kind, std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mutex_);
  for (auto& family : families_) {
    if (family->name == name && family->labels == labels) {
      KB_CHECK(family->kind == kind);
      return *family;
    }
  }
  families_.push_back(std::make_unique<Family>());
  Family& family = *families_.back();
  family.kind = kind;
  family.name = name;
  family.help = help;
  family.labels = labels;
  if (kind == Kind::kCounter) family.counters.resize(shards_);
  if (kind == Kind::kGauge) family.gauges.resize(shards_);
  if (kind == Kind::kHistogram) family.histograms.resize(shards_);
  if (kind == Kind::kDurations) family.durations.resize(shards_);
  return family;
}

Counter& Registry::counter(size_t shard, std::string_view name, std::string_view help, std::string_view labels) {
  return Find(Kind::kCounter, name, help, labels).counters.at(shard);
}
Gauge& Registry::gauge(size_t shard, std::string_view name, std::string_view help, std::string_view labels) {
  return Find(Kind::kGauge, name, help, labels).gauges.at(shard);
}
Histogram& Registry::histogram(size_t shard, std::string_view name, std::string_view help, std::string_view labels) {
  return Find(Kind::kHistogram, name, help, labels).histograms.at(shard);
}
Durations& Registry::durations(size_t shard, std::string_view name, std::string_view help, std::string_view labels) {
  return Find(Kind::kDurations, name, help, labels).durations.at(shard);
}

std::vector<Sample> Registry::Collect() const {
  return Collect([](std::string_view) { return true; });
}

std::vector<Sample> Registry::Collect(const std::function<bool(std::string_view name)>& is_wanted) const {
  std::vector<Sample> samples;
  {
    std::lock_guard lock(mutex_);
    for (const auto& family : families_) {
      if (!is_wanted(family->name)) continue;
      Sample sample{.name = family->name, .labels = family->labels, .help = family->help, .kind = family->kind};
      for (const Counter& counter : family->counters) sample.value += static_cast<int64_t>(counter.value());
      for (const Gauge& gauge : family->gauges) sample.value += gauge.value();
      for (const Histogram& histogram : family->histograms) sample.histogram.Add(histogram);
      for (const Durations& durations : family->durations) sample.durations.Add(durations);
      samples.push_back(std::move(sample));
    }
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.name, a.labels) < std::tie(b.name, b.labels);
  });
  return samples;
}

namespace {

std::string Line(const std::string& name, const std::string& labels, const std::string& more, uint64_t value) {
  std::string all = labels;
  if (!labels.empty() && !more.empty()) all += ',';
  all += more;
  return name + (all.empty() ? "" : "{" + all + "}") + ' ' + std::to_string(value) + '\n';
}

std::string SummaryLines(const Sample& sample) {
  std::string text;
  for (const char* q : {"0.5", "0.95", "0.99", "0.999"}) {
    text += Line(sample.name, sample.labels, std::string("quantile=\"") + q + '"',
                 sample.histogram.Quantile(std::stod(q)));
  }
  text += Line(sample.name + "_sum", sample.labels, "", sample.histogram.sum);
  return text + Line(sample.name + "_count", sample.labels, "", sample.histogram.count);
}

// As a decimal fraction, exactly.
std::string Seconds(uint64_t ns) {
  constexpr uint64_t kNsPerSecond = 1'000'000'000;
  std::string text = std::to_string(ns / kNsPerSecond);
  std::string fraction = std::to_string(kNsPerSecond + ns % kNsPerSecond);
  fraction[0] = '.';
  fraction.resize(fraction.find_last_not_of("0.") == std::string::npos ? 0 : fraction.find_last_not_of('0') + 1);
  return text + fraction;
}

std::string DurationLines(const Sample& sample) {
  std::string text;
  uint64_t up_to_here = 0;
  for (size_t i = 0; i < Durations::kBounds; ++i) {
    up_to_here += sample.durations.buckets[i];
    const std::string bound = Seconds(static_cast<uint64_t>(Durations::BoundNs(i)));
    text += Line(sample.name + "_bucket", sample.labels, "le=\"" + bound + '"', up_to_here);
  }
  text += Line(sample.name + "_bucket", sample.labels, "le=\"+Inf\"", sample.durations.count);
  const std::string braces = sample.labels.empty() ? "" : '{' + sample.labels + '}';
  text += sample.name + "_sum" + braces + ' ' + Seconds(sample.durations.sum_ns) + '\n';
  return text + Line(sample.name + "_count", sample.labels, "", sample.durations.count);
}

std::string Lines(const Sample& sample) {
  if (sample.kind == Kind::kHistogram) return SummaryLines(sample);
  if (sample.kind == Kind::kDurations) return DurationLines(sample);
  std::string braces = sample.labels.empty() ? "" : '{' + sample.labels + '}';
  return sample.name + braces + ' ' + std::to_string(sample.value) + '\n';
}

const char* TypeName(Kind kind) {
  switch (kind) {
    case Kind::kCounter: return "counter";
    case Kind::kGauge: return "gauge";
    case Kind::kHistogram: return "summary";
    case Kind::kDurations:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

std::string Registry::Exposition() const {
  return Exposition([](std::string_view) { return true; });
}

std::string Registry::Exposition(const std::function<bool(std::string_view name)>& is_wanted) const {
  std::string text;
  std::string last_name;
  for (const Sample& sample : Collect(is_wanted)) {
    if (sample.name != last_name) {
      if (!sample.help.empty()) text += "# HELP " + sample.name + ' ' + sample.help + '\n';
      text += "# TYPE " + sample.name + ' ' + TypeName(sample.kind) + '\n';
      last_name = sample.name;
    }
    text += Lines(sample);
  }
  return text;
}

}  // namespace kb::metrics

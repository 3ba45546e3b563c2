#include "metrics/metrics.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/check.h"

namespace kb::metrics {
namespace {

// Values below 4 have a bucket each; above, two bits behind the leading one choose among four.
constexpr size_t kSmall = 4;

}  // namespace

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

std::vector<Sample> Registry::Collect() const {
  std::vector<Sample> samples;
  {
    std::lock_guard lock(mutex_);
    for (const auto& family : families_) {
      Sample sample{.name = family->name, .labels = family->labels, .help = family->help, .kind = family->kind};
      for (const Counter& counter : family->counters) sample.value += static_cast<int64_t>(counter.value());
      for (const Gauge& gauge : family->gauges) sample.value += gauge.value();
      for (const Histogram& histogram : family->histograms) sample.histogram.Add(histogram);
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

std::string Lines(const Sample& sample) {
  if (sample.kind == Kind::kHistogram) return SummaryLines(sample);
  std::string braces = sample.labels.empty() ? "" : '{' + sample.labels + '}';
  return sample.name + braces + ' ' + std::to_string(sample.value) + '\n';
}

const char* TypeName(Kind kind) {
  switch (kind) {
    case Kind::kCounter: return "counter";
    case Kind::kGauge: return "gauge";
    case Kind::kHistogram: return "summary";
  }
  return "untyped";
}

}  // namespace

std::string Registry::Exposition() const {
  std::string text;
  std::string last_name;
  for (const Sample& sample : Collect()) {
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

#include "broker/topic_traffic.h"

#include <algorithm>
#include <iterator>

#include "base/pool.h"
#include "broker/consumer_lag.h"
#include "broker/shard.h"
#include "reactor/completion.h"
#include "reactor/run_on.h"

namespace kb::broker {
namespace {

enum Family : size_t { kRecordsIn, kBytesIn, kBytesOut };
constexpr std::string_view kNames[] = {
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_brokertopicmetrics_bytesin_total",
    "kafka_server_brokertopicmetrics_bytesout_total",
};

}  // namespace

void SentBytes::Forget(const metadata::MetadataImage& image) {
  std::erase_if(by_topic_, [&](const auto& entry) { return image.FindTopic(entry.first) == nullptr; });
  forget_at_ = std::max(2 * by_topic_.size(), kFewTopics);
}

uint64_t SentBytes::Of(const Uuid& topic) const {
  const auto found = by_topic_.find(topic);
  return found == by_topic_.end() ? 0 : found->second;
}

bool TopicTraffic::Tells(std::string_view name) {
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool TopicTraffic::done() const {
  return family_ == std::size(kNames);
}

std::vector<TopicTraffic::Asked> TopicTraffic::TakePage(const metadata::MetadataImage& image) {
  std::vector<Asked> page;
  size_t partitions = 0;
  image.ForEachTopicFrom(next_name_, [&](const metadata::Topic& topic) {
    partitions += static_cast<size_t>(topic.partition_count());
    const bool is_full = page.size() == kMostTopics || (partitions > kMostPartitions && !page.empty());
    if (!is_full) page.push_back({topic.id(), std::string(topic.name()), topic.partition_count()});
    return !is_full;
  });
  if (!page.empty()) next_name_ = page.back().name + '\0';
  return page;
}

uint64_t TopicTraffic::CountAt(Shard& home, const Asked& topic) const {
  if (family_ == kBytesOut) return home.sent_bytes().Of(topic.id);
  uint64_t count = 0;
  for (int32_t index = 0; index < topic.partitions; ++index) {
    const PartitionId id{topic.id, index};
    if (&home.ShardOf(id) != &home) continue;
    const partition::Traffic traffic = home.partitions().TrafficOf(id);
    count += family_ == kRecordsIn ? traffic.records : traffic.bytes;
  }
  return count;
}

reactor::Task<std::string> TopicTraffic::Next() {
  auto turn = reactor::Yield();  // all of it may be at home here, and nothing else would make it wait
  co_await turn;
  std::string text;
  if (!std::exchange(has_begun_, true)) {
    text = registry_.Exposition([this](std::string_view name) { return name == kNames[family_]; });
  }
  auto image = here_.cluster().images->Hold();
  const std::vector<Asked> page = TakePage(*image);
  if (page.empty()) {
    ++family_;
    has_begun_ = false;
    next_name_.clear();
    co_return text;
  }
  const std::vector<Shard*>& shards = here_.cluster().shards;
  std::vector<reactor::Reactor*> reactors;
  for (Shard* shard : shards) reactors.push_back(&shard->reactor());
  auto each = [&](size_t i) {
    std::vector<uint64_t> counts;
    counts.reserve(page.size());
    for (const Asked& topic : page) counts.push_back(CountAt(*shards[i], topic));
    return counts;
  };
  auto all = reactor::RunOnEach(reactors, each);
  const PoolVector<std::vector<uint64_t>> counts = co_await all;
  for (size_t t = 0; t < page.size(); ++t) {
    uint64_t sum = 0;
    for (const std::vector<uint64_t>& of_reactor : counts) sum += of_reactor[t];
    if (sum == 0) continue;
    text += std::string(kNames[family_]) + "{topic=\"" + LabelValue(page[t].name) + "\"} " + std::to_string(sum) + '\n';
  }
  co_return text;
}

}  // namespace kb::broker

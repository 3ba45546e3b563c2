#include "broker/consumer_lag.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"
#include "broker/per_partition.h"
#include "coordinator/group_coordinator.h"
#include "metadata/topic_name.h"
#include "reactor/completion.h"

namespace kb::broker {
namespace {

struct Name {
  std::string_view name;
  std::string_view help;
};
constexpr Name kNames[] = {
    {"kafka_consumergroup_current_offset", "Offset that a group has committed for a partition."},
    {"kafka_consumergroup_lag", "Records of a partition that a group has not yet committed."},
    {"kafka_consumergroup_lag_seconds", "Age of the first record that a group has not yet committed; 0 without such."},
};

std::string Heading(const Name& of) {
  return "# HELP " + std::string(of.name) + ' ' + std::string(of.help) + "\n# TYPE " + std::string(of.name) +
         " gauge\n";
}

}  // namespace

std::string LabelValue(std::string_view text) {
  Arena arena;
  std::string value;
  for (char c : ValidUtf8(text, arena)) {
    if (c == '\\' || c == '"') value += '\\';
    if (c == '\n') {
      value += "\\n";
    } else {
      value += c;
    }
  }
  return value;
}

reactor::Task<std::string> ConsumerLag::Next() {
  auto turn = reactor::Yield();  // all of it may be at home here, and nothing else would make it wait
  co_await turn;
  auto image = here_.cluster().images->Hold();
  const metadata::Topic* topic = image->FindTopic(metadata::kConsumerOffsetsTopicName);
  if (topic == nullptr || partition_ >= topic->partition_count()) {
    ++family_;
    partition_ = 0;
    has_heading_ = false;
    co_return std::string();
  }
  const PartitionId id{topic->id(), partition_};
  Shard& home = here_.ShardOf(id);
  auto read = reactor::RunOn(home.reactor(), [&] { return home.groups().OffsetsAfter(id, place_, kMostAtOnce); });
  group::OffsetsPage page = co_await read;
  place_ = page.is_last ? group::OffsetsPlace() : page.next;
  if (page.is_last) ++partition_;

  const Questions questions = Ask(page, *image);
  if (questions.asked.empty()) co_return std::string();
  auto measure = Measure(questions.asked);
  const std::vector<partition::Lag> lags = co_await measure;
  std::string text = Render(page, questions, lags);
  if (text.empty() || std::exchange(has_heading_, true)) co_return text;
  co_return Heading(kNames[family_]) + text;
}

ConsumerLag::Questions ConsumerLag::Ask(const group::OffsetsPage& page, const metadata::MetadataImage& image) const {
  Questions questions;
  for (size_t g = 0; g < page.groups.size(); ++g) {
    for (size_t t = 0; t < page.groups[g].topics.size(); ++t) {
      const group::OffsetsPage::Topic& committed = page.groups[g].topics[t];
      const metadata::Topic* topic = image.FindTopic(committed.name);
      if (topic == nullptr) continue;
      for (const group::OffsetsPage::Partition& partition : committed.partitions) {
        const bool is_other = !partition.topic_id.is_zero() && partition.topic_id != topic->id();
        if (is_other || partition.offset < 0 || topic->FindPartition(partition.index) == nullptr) continue;
        questions.lines.push_back({g, t, partition.index});
        questions.asked.push_back({{topic->id(), partition.index}, partition.offset});
      }
    }
  }
  return questions;
}

reactor::Task<std::vector<partition::Lag>> ConsumerLag::Measure(
    const std::vector<partition::LagQuestion>& questions) const {
  std::vector<partition::Lag> lags(questions.size());
  ByHome homes(here_, questions,
               [](const partition::LagQuestion& question) -> const PartitionId& { return question.id; });
  const bool with_times = family_ == kSeconds;
  auto each = [&](size_t home) -> reactor::Task<void> {
    partition::LagMeter& meter = homes.shards[home]->lag_meter();
    std::vector<partition::LagQuestion> own;
    for (size_t i : homes.places[home]) own.push_back(questions[i]);
    std::vector<partition::Lag> measured;
    if (with_times) {
      auto times = meter.MeasureTimes(std::move(own));
      measured = co_await times;
    } else {
      for (const partition::LagQuestion& question : own) measured.push_back(meter.Measure(question));
    }
    for (size_t k = 0; k < measured.size(); ++k) lags[homes.places[home][k]] = measured[k];
  };
  auto all = reactor::RunOnEach(homes.reactors, each);
  co_await all;
  co_return lags;
}

std::string ConsumerLag::Render(const group::OffsetsPage& page, const Questions& questions,
                                const std::vector<partition::Lag>& lags) const {
  std::string text;
  std::string labels;  // of the group and the topic
  for (size_t i = 0; i < questions.lines.size(); ++i) {
    const Line& line = questions.lines[i];
    const bool is_new =
        i == 0 || line.group != questions.lines[i - 1].group || line.topic != questions.lines[i - 1].topic;
    const group::OffsetsPage::Group& group = page.groups[line.group];
    if (is_new) {
      labels = std::string(kNames[family_].name) + "{consumergroup=\"" + LabelValue(group.id) + "\",topic=\"" +
               LabelValue(group.topics[line.topic].name) + "\",partition=\"";
    }
    const std::string value = ValueOf(questions.asked[i], lags[i]);
    if (!value.empty()) text += labels + std::to_string(line.partition) + "\"} " + value + '\n';
  }
  return text;
}

// Empty: there is none.
std::string ConsumerLag::ValueOf(const partition::LagQuestion& question, const partition::Lag& lag) const {
  if (lag.records < 0) return std::string();
  if (family_ == kOffset) return std::to_string(question.offset);
  if (family_ == kRecords) return std::to_string(lag.records);
  if (lag.records == 0) return "0";
  if (!lag.since_ms) return std::string();
  const int64_t age_ms = std::max<int64_t>(here_.clock().WallMs() - *lag.since_ms, 0);
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03d", static_cast<long long>(age_ms / 1000), static_cast<int>(age_ms % 1000));
  return text;
}

}  // namespace kb::broker

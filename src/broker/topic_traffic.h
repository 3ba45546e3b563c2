// What came and went for each topic, as text for Prometheus, a piece at a time.
//
//   kafka_server_brokertopicmetrics_bytesin_total 5000                  of all topics, also those that are gone
//   kafka_server_brokertopicmetrics_bytesin_total{topic="t"} 3000       of a topic, since it, or this process, began
//
// Names and labels are those of the JMX exporter; the lines of a name are together, so the total of the registry is
// said here. A topic for which nothing has come or gone has no line. What came is counted at the home of its partition
// (partition/partition_table.h), what went by the reactor that sent it (SentBytes).
//
// A piece is one message to each reactor about at most kMostTopics topics, and their lines: memory does not grow with
// the number of topics, and values of one scrape may be some milliseconds apart. Reactor-affine: used on the reactor of
// `here`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/uuid.h"
#include "metadata/image.h"
#include "metrics/metrics.h"
#include "reactor/task.h"

namespace kb::broker {

class Shard;

// Bytes of batches that consumers on one reactor were sent, by topic. Reactor-affine.
class SentBytes {
 public:
  // Topics that are gone are forgotten now and then: there are never more than twice as many here as there are. image:
  // gives the present one, by pointer. (That of the request may be older than the topic.)
  template <typename PresentImage>
  void Add(const Uuid& topic, uint64_t bytes, const PresentImage& image) {
    by_topic_[topic] += bytes;
    if (by_topic_.size() > forget_at_) Forget(*image());
  }
  uint64_t Of(const Uuid& topic) const;
  size_t topics() const { return by_topic_.size(); }

 private:
  void Forget(const metadata::MetadataImage& image);
  static constexpr size_t kFewTopics = 64;
  std::unordered_map<Uuid, uint64_t> by_topic_;
  size_t forget_at_ = kFewTopics;
};

class TopicTraffic {
 public:
  // Looked at in one piece, or one topic that has more: half a millisecond of work for a reactor that has them all.
  static constexpr size_t kMostTopics = 500;
  static constexpr size_t kMostPartitions = 10'000;

  TopicTraffic(Shard& here, const metrics::Registry& registry) : here_(here), registry_(registry) {}

  // The names that are told here, and so not elsewhere.
  static bool Tells(std::string_view name);

  bool done() const;
  // The next lines; perhaps none. Not when done.
  reactor::Task<std::string> Next();

 private:
  struct Asked {
    Uuid id;
    std::string name;
    int32_t partitions;
  };
  std::vector<Asked> TakePage(const metadata::MetadataImage& image);
  uint64_t CountAt(Shard& home, const Asked& topic) const;

  Shard& here_;
  const metrics::Registry& registry_;
  size_t family_ = 0;
  bool has_begun_ = false;  // the family
  std::string next_name_;   // topics from here on are to be asked about
};

}  // namespace kb::broker

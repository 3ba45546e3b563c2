// Publishing one change of a cluster that has many topics: what it costs a reactor.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "base/arena.h"
#include "message/partition_change_record.h"
#include "message/partition_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"
#include "metadata/record.h"

namespace kb::metadata {
namespace {

Uuid IdOf(int64_t topic) {
  return Uuid(1, static_cast<uint64_t>(topic) + 1);
}

class Cluster {
 public:
  explicit Cluster(int64_t topics) : builder_(std::make_shared<const MetadataImage>()) {
    for (int64_t i = 0; i < topics && error_.empty(); ++i) {
      const std::string name = "topic-" + std::to_string(i);
      RecordList records;
      message::TopicRecord topic;
      topic.name = name;
      topic.topic_id = IdOf(i);
      records.Add(topic);
      Arena arena;
      message::PartitionRecord partition;
      partition.partition_id = 0;
      partition.topic_id = IdOf(i);
      partition.replicas.Add(arena, 1);
      partition.isr.Add(arena, 1);
      partition.leader = 1;
      partition.directories.Add(arena, Uuid(3, 3));
      records.Add(partition, 1);
      Replay(records);
    }
    image_ = builder_.Publish().image;
  }

  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {next_offset_, LeaderEpoch(1), 0});
      if (!replayed.ok() && error_.empty()) error_ = replayed.error().message;
      ++next_offset_;
    }
  }
  // One partition has another leader epoch: what a reactor does with it is to let go of the image before.
  void Change(int64_t topic) {
    message::PartitionChangeRecord change;
    change.partition_id = 0;
    change.topic_id = IdOf(topic);
    change.leader = 1;
    RecordList records;
    records.Add(change, 0);
    Replay(records);
    image_ = builder_.Publish().image;
  }
  const std::string& error() const { return error_; }

 private:
  ImageBuilder builder_;
  ImagePtr image_;
  Offset next_offset_{0};
  std::string error_;  // the first
};

// The first reactor's part; the others only swap a pointer.
void PublishOneChange(benchmark::State& state) {
  Cluster cluster(state.range(0));
  int64_t topic = 0;
  for (auto _ : state) cluster.Change(topic = (topic + 7919) % state.range(0));
  if (!cluster.error().empty()) state.SkipWithError(cluster.error().c_str());
}
BENCHMARK(PublishOneChange)->Arg(100)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kb::metadata

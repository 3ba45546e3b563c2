// DescribeLogDirs (key 35, KIP-113, KIP-827): what lies in which data directory, how large it is, and how much room
// there is.
//
// A directory that failed, or could not be read at the start, is named with KAFKA_STORAGE_ERROR. A partition that
// nobody has here is left out.
#include <map>
#include <set>

#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "metadata/topic_name.h"
#include "reactor/run_on.h"

namespace kb::broker {
namespace {

using message::DescribeLogDirsRequest;
using message::DescribeLogDirsResponse;
using partition::ReplicaSize;
using Result = DescribeLogDirsResponse::DescribeLogDirsResult;

std::set<TopicPartition> NamesOf(const DescribeLogDirsRequest& request) {
  std::set<TopicPartition> names;
  for (const auto& topic : request.topics) {
    for (int32_t index : topic.partitions) names.insert({std::string(topic.topic), index});
  }
  return names;
}

// Of all homes, by topic and partition.
reactor::Task<std::vector<ReplicaSize>> SizesOf(Cluster& cluster, const std::set<TopicPartition>* names) {
  std::vector<reactor::Reactor*> reactors;
  for (Shard* shard : cluster.shards) reactors.push_back(&shard->reactor());
  auto each = [&cluster, names](size_t i) { return cluster.shards[i]->partitions().Sizes(names); };
  auto ask = reactor::RunOnEach(reactors, each);
  PoolVector<std::vector<ReplicaSize>> parts = co_await ask;
  std::vector<ReplicaSize> all;
  for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  std::sort(all.begin(), all.end(), [](const ReplicaSize& a, const ReplicaSize& b) { return a.name < b.name; });
  co_return all;
}

class Answer {
 public:
  Answer(RequestContext& context, const std::vector<ReplicaSize>& sizes, Result& result)
      : arena_(context.arena()), sizes_(sizes), result_(result) {}

  void AddReplicas(const std::string& directory) {
    DescribeLogDirsResponse::DescribeLogDirsTopic* topic = nullptr;
    for (const ReplicaSize& size : sizes_) {
      if (size.data_directory != directory) continue;
      if (topic == nullptr || topic->name != size.name.topic) {
        topic = &result_.topics.Add(arena_);
        topic->name = arena_.Copy(std::string_view(size.name.topic));
      }
      auto& entry = topic->partitions.Add(arena_);
      entry.partition_index = size.name.partition;
      entry.partition_size = static_cast<int64_t>(size.size_bytes);
      entry.offset_lag = size.offset_lag;
      entry.is_future_key = size.is_future;
    }
  }

 private:
  Arena& arena_;
  const std::vector<ReplicaSize>& sizes_;
  Result& result_;
};

bool IsCordoned(const metadata::MetadataImage& image, int32_t node_id, const Uuid& directory) {
  const metadata::BrokerRegistration* broker = image.FindBroker(BrokerId(node_id));
  if (broker == nullptr || !broker->cordoned_directories) return false;
  const std::vector<Uuid>& cordoned = *broker->cordoned_directories;
  return std::find(cordoned.begin(), cordoned.end(), directory) != cordoned.end();
}

}  // namespace

reactor::Task<void> HandleDescribeLogDirs(RequestContext& context, const DescribeLogDirsRequest& request,
                                          DescribeLogDirsResponse& response) {
  Cluster& cluster = context.shard().cluster();
  const std::set<TopicPartition> names = NamesOf(request);
  auto ask = SizesOf(cluster, request.topics.is_null() ? nullptr : &names);
  const std::vector<ReplicaSize> sizes = co_await ask;
  auto measure = context.shard().disk().Run([&cluster] {
    std::vector<kb::Result<io::Space>> spaces;
    for (const LogDir& directory : cluster.log_dirs) spaces.push_back(cluster.files->SpaceOf(directory.path));
    return spaces;
  });
  const std::vector<kb::Result<io::Space>> spaces = co_await measure;
  for (size_t i = 0; i < cluster.log_dirs.size(); ++i) {
    const LogDir& directory = cluster.log_dirs[i];
    auto& result = response.results.Add(context.arena());
    result.log_dir = directory.path;
    if (!directory.is_there || context.shard().partitions().IsOffline(directory.configured) || !spaces[i].ok()) {
      result.error_code = static_cast<int16_t>(ErrorCode::kKafkaStorageError);
      continue;
    }
    result.total_bytes = static_cast<int64_t>(spaces[i]->total_bytes);
    result.usable_bytes = static_cast<int64_t>(spaces[i]->available_bytes);
    result.is_cordoned = IsCordoned(context.image(), context.shard().config().node_id, directory.id);
    Answer(context, sizes, result).AddReplicas(directory.configured);
  }
}

}  // namespace kb::broker

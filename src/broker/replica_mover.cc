#include "broker/replica_mover.h"

#include <charconv>
#include <limits>
#include <utility>

#include "broker/controller_loop.h"
#include "coordinator/group_coordinator.h"
#include "metadata/topic_name.h"
#include "reactor/run_on.h"

namespace kb::broker {

namespace {

// A dynamic value of the broker, or of all brokers; this key has no other place.
constexpr std::string_view kMostBytesPerSecond = "replica.alter.log.dirs.io.max.bytes.per.second";

std::optional<double> Find(const metadata::ConfigValues& values) {
  auto found = values.find(kMostBytesPerSecond);
  if (found == values.end()) return std::nullopt;
  int64_t bytes = 0;
  const std::string& text = found->second;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || bytes <= 0) return std::nullopt;
  return static_cast<double>(bytes);
}

}  // namespace

reactor::Task<bool> ReplicaMover::Assign(PartitionId id, std::string data_directory) {
  auto on_first = [this, &id, &data_directory]() -> reactor::Task<bool> {
    const partition::DataDirectories::Directory* directory = cluster_.directories->FindDirectory(data_directory);
    if (directory == nullptr) co_return false;
    auto assign = cluster_.controller->AssignDirectories({{id, directory->id}});
    bool is_assigned = co_await assign;
    co_return is_assigned;
  };
  auto call = reactor::RunOn(cluster_.shards[0]->reactor(), on_first);
  bool is_assigned = co_await call;
  co_return is_assigned;
}

reactor::Task<Status> ReplicaMover::Announce(partition::CheckpointEntry entry) {
  auto on_first = [this, &entry]() {
    cluster_.directories->Announce(entry);
    return cluster_.save_checkpoints();
  };
  auto call = reactor::RunOn(cluster_.shards[0]->reactor(), on_first);
  Status saved = co_await call;
  co_return saved;
}

reactor::Task<void> ReplicaMover::Finished(TopicPartition name, bool moved) {
  auto on_first = [this, &name, moved] {
    moved ? cluster_.directories->Moved(name) : cluster_.directories->Withdraw(name);
  };
  auto call = reactor::RunOn(cluster_.shards[0]->reactor(), on_first);
  co_await call;
}

void ReplicaMover::OutOfService(const PartitionId& id, const TopicPartition& name) {
  if (name.topic == metadata::kConsumerOffsetsTopicName) HomeOf(id).groups().PartitionGone(id);
}

void ReplicaMover::BackInService(const PartitionId& id, const TopicPartition& name) {
  if (name.topic == metadata::kConsumerOffsetsTopicName) HomeOf(id).groups().PartitionLed(id);
}

double ReplicaMover::most_bytes_per_second() {
  reactor::Reactor* here = reactor::Reactor::Current();
  Shard& shard = *cluster_.shards[static_cast<size_t>(here->index())];
  const metadata::MetadataImage& image = shard.image();
  const std::string node = std::to_string(cluster_.options.node_id);
  for (const std::string& name : {node, std::string()}) {
    std::optional<double> rate = Find(image.ConfigsOf(metadata::ConfigResourceType::kBroker, name));
    if (rate) return *rate;
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace kb::broker

// AlterReplicaLogDirs (key 34, KIP-113): replicas are to lie in other data directories of this broker. Answered when
// they are on their way (partition/moving.cc).
//
// A replica that is not there yet is made there, should it ever be (UNKNOWN_TOPIC_OR_PARTITION now).
#include <algorithm>
#include <map>

#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "log/file_names.h"
#include "reactor/run_on.h"

namespace kb::broker {
namespace {

using message::AlterReplicaLogDirsRequest;
using message::AlterReplicaLogDirsResponse;

// Where each is to go. Who is named twice goes where he was sent last.
std::map<TopicPartition, std::string_view> WishesOf(const AlterReplicaLogDirsRequest& request) {
  std::map<TopicPartition, std::string_view> wishes;
  for (const auto& directory : request.dirs) {
    for (const auto& topic : directory.topics) {
      for (int32_t index : topic.partitions) wishes[{std::string(topic.name), index}] = directory.path;
    }
  }
  return wishes;
}

// Of the directory that a replica would lie in while it is on its way.
bool IsNameTooLong(const TopicPartition& name) {
  constexpr size_t kMost = 255;
  const size_t suffix = 1 + 2 * Uuid::kSize + std::string_view("-future").size();
  return log::DirectoryNameOf(name).size() + suffix > kMost;
}

class Mover {
 public:
  explicit Mover(RequestContext& context) : context_(context), cluster_(context.shard().cluster()) {}

  reactor::Task<ErrorCode> Move(const TopicPartition& name, std::string_view path) {
    if (IsNameTooLong(name)) co_return ErrorCode::kInvalidTopicException;
    auto directory = std::find_if(cluster_.log_dirs.begin(), cluster_.log_dirs.end(),
                                  [&](const LogDir& one) { return one.path == path; });
    if (directory == cluster_.log_dirs.end()) co_return ErrorCode::kLogDirNotFound;
    if (!directory->is_there || context_.shard().partitions().IsOffline(directory->configured)) {
      co_return ErrorCode::kKafkaStorageError;
    }
    if (IsCordoned(directory->id)) co_return ErrorCode::kInvalidReplicaAssignment;
    const metadata::Topic* topic = context_.image().FindTopic(name.topic);
    if (topic == nullptr || topic->FindPartition(name.partition) == nullptr) {
      auto wish = reactor::RunOn(cluster_.shards[0]->reactor(),
                                 [this, &name, directory] { cluster_.directories->Wish(name, directory->configured); });
      co_await wish;
      co_return ErrorCode::kUnknownTopicOrPartition;
    }
    partition::MoveRequest request{{topic->id(), name.partition}, directory->configured};
    Shard& home = context_.shard().ShardOf(request.id);
    auto move = reactor::RunOn(home.reactor(), [&home, &request] { return home.partitions().Move(request); });
    ErrorCode error = co_await move;
    co_return error;
  }

 private:
  bool IsCordoned(const Uuid& directory) const {
    const metadata::BrokerRegistration* broker = context_.image().FindBroker(BrokerId(cluster_.options.node_id));
    if (broker == nullptr || !broker->cordoned_directories) return false;
    const std::vector<Uuid>& cordoned = *broker->cordoned_directories;
    return std::find(cordoned.begin(), cordoned.end(), directory) != cordoned.end();
  }

  RequestContext& context_;
  Cluster& cluster_;
};

}  // namespace

reactor::Task<void> HandleAlterReplicaLogDirs(RequestContext& context, const AlterReplicaLogDirsRequest& request,
                                              AlterReplicaLogDirsResponse& response) {
  Mover mover(context);
  decltype(&response.results[0]) topic = nullptr;
  const std::map<TopicPartition, std::string_view> wishes = WishesOf(request);
  for (const auto& [name, path] : wishes) {
    auto move = mover.Move(name, path);
    ErrorCode error = co_await move;
    if (topic == nullptr || topic->topic_name != name.topic) {
      topic = &response.results.Add(context.arena());
      topic->topic_name = context.arena().Copy(std::string_view(name.topic));
    }
    auto& entry = topic->partitions.Add(context.arena());
    entry.partition_index = name.partition;
    entry.error_code = static_cast<int16_t>(error);
  }
}

}  // namespace kb::broker

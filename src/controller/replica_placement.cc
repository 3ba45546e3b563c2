#include "controller/replica_placement.h"

#include <algorithm>
#include <set>

namespace kb::controller {

using metadata::BrokerIds;
using metadata::BrokerRegistration;
using metadata::MetadataImage;

namespace {

std::vector<Uuid> UsableDirectories(const BrokerRegistration& registration) {
  if (!registration.cordoned_directories) return registration.directories;
  const std::vector<Uuid>& cordoned = *registration.cordoned_directories;
  std::vector<Uuid> usable;
  for (const Uuid& directory : registration.directories) {
    if (std::find(cordoned.begin(), cordoned.end(), directory) == cordoned.end()) usable.push_back(directory);
  }
  return usable.empty() ? registration.directories : usable;
}

bool MayTakeReplicas(const MetadataImage& image, BrokerId id, const BrokerRegistration& registration) {
  if (!image.IsUsable(id)) return false;
  if (!registration.cordoned_directories) return true;
  const std::vector<Uuid>& all = registration.directories;
  const std::vector<Uuid>& cordoned = *registration.cordoned_directories;
  auto is_cordoned = [&](const Uuid& one) {
    return std::find(cordoned.begin(), cordoned.end(), one) != cordoned.end();
  };
  return all.empty() || !std::all_of(all.begin(), all.end(), is_cordoned);
}

}  // namespace

Uuid DirectoryChooser::Choose(BrokerId broker) {
  auto known = replicas_.find(broker);
  if (known == replicas_.end()) known = replicas_.emplace(broker, Count(broker)).first;
  std::map<Uuid, int64_t>& counts = known->second;
  if (counts.empty()) return kMigratingDirectory;
  auto fewest = std::min_element(counts.begin(), counts.end(),
                                 [](const auto& left, const auto& right) { return left.second < right.second; });
  ++fewest->second;
  return fewest->first;
}

// Directory → replicas in it. A walk over everything, and so only done where there is a choice.
std::map<Uuid, int64_t> DirectoryChooser::Count(BrokerId broker) const {
  std::map<Uuid, int64_t> counts;
  const BrokerRegistration* registration = image_.FindBroker(broker);
  if (registration == nullptr) return counts;
  for (const Uuid& directory : UsableDirectories(*registration)) counts[directory] = 0;
  if (counts.size() < 2) return counts;
  image_.ForEachTopic([&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t, const metadata::Partition& partition) {
      if (!partition.HasReplica(broker)) return;
      auto count = counts.find(partition.DirectoryOf(broker));
      if (count != counts.end()) ++count->second;
    });
  });
  return counts;
}

Refusal PlaceReplicas(const MetadataImage& image, Random& random, int32_t first, int32_t count,
                      int16_t replication_factor, std::vector<BrokerIds>& placed) {
  std::vector<BrokerId> brokers;
  for (const auto& [id, broker] : image.brokers()) {
    if (MayTakeReplicas(image, id, broker)) brokers.push_back(id);
  }
  if (static_cast<size_t>(replication_factor) > brokers.size()) {
    return {ErrorCode::kInvalidReplicationFactor, "a replication factor of " + std::to_string(replication_factor) +
                                                      " needs as many brokers, and only " +
                                                      std::to_string(brokers.size()) + " can take replicas now"};
  }
  size_t start = random.Below(brokers.size()) + static_cast<size_t>(first);
  for (int32_t i = 0; i < count; ++i) {
    BrokerIds& replicas = placed.emplace_back();
    for (int16_t r = 0; r < replication_factor; ++r) {
      replicas.push_back(brokers[(start + static_cast<size_t>(i) + static_cast<size_t>(r)) % brokers.size()]);
    }
  }
  return {};
}

Refusal CheckReplicas(const MetadataImage& image, const protocol::Array<int32_t>& brokers,
                      std::optional<size_t> replication_factor, const std::string& what) {
  auto refuse = [&](const std::string& why) {
    return Refusal{ErrorCode::kInvalidReplicaAssignment, "the assignment of " + what + " " + why};
  };
  if (brokers.empty()) return refuse("names no broker");
  std::set<int32_t> seen;
  for (int32_t broker : brokers) {
    if (!seen.insert(broker).second) return refuse("names broker " + std::to_string(broker) + " more than once");
    if (image.FindBroker(BrokerId(broker)) == nullptr) {
      return refuse("names broker " + std::to_string(broker) + ", and no such broker is registered");
    }
  }
  if (replication_factor && brokers.size() != *replication_factor) {
    return refuse("has " + std::to_string(brokers.size()) + " replicas where others have " +
                  std::to_string(*replication_factor));
  }
  return {};
}

BrokerIds FromWire(const protocol::Array<int32_t>& ids) {
  BrokerIds list;
  for (int32_t id : ids) list.push_back(BrokerId(id));
  return list;
}

}  // namespace kb::controller

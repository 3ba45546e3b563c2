// Where replicas go: on which brokers, in which of a broker's data directories, and which assignments a client may
// make. Functions of an image.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "controller/refusal.h"
#include "metadata/image.h"
#include "protocol/types.h"

namespace kb::controller {

// A broker's data directory for new replicas: the usable one with the fewest. Counts what it has chosen. The image
// outlives it.
class DirectoryChooser {
 public:
  explicit DirectoryChooser(const metadata::MetadataImage& image) : image_(image) {}
  Uuid Choose(BrokerId broker);

 private:
  std::map<Uuid, int64_t> Count(BrokerId broker) const;

  const metadata::MetadataImage& image_;
  std::map<BrokerId, std::map<Uuid, int64_t>> replicas_;
};

// Adds the replicas of `count` partitions from `first` on, in stripes from a random broker on, over those that are
// usable and have a data directory that is not cordoned. INVALID_REPLICATION_FACTOR when there are too few.
Refusal PlaceReplicas(const metadata::MetadataImage& image, Random& random, int32_t first, int32_t count,
                      int16_t replication_factor, std::vector<metadata::BrokerIds>& placed);

// INVALID_REPLICA_ASSIGNMENT when a client's assignment is empty, names a broker twice or one that is not registered,
// or has not replication_factor replicas (nullopt: any number). what: the partition, for the message.
Refusal CheckReplicas(const metadata::MetadataImage& image, const protocol::Array<int32_t>& brokers,
                      std::optional<size_t> replication_factor, const std::string& what);

metadata::BrokerIds FromWire(const protocol::Array<int32_t>& ids);

}  // namespace kb::controller

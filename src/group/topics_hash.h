// The hashes by which a consumer group notices that its topics have changed: Apache Kafka 4.1's
// (Utils.computeTopicHash, computeGroupHash), because they stand in the group's epoch record: XXH3, 64 bits, of numbers
// in little-endian order.
//
//   topic   0x00, id (two longs), name, partitions, for each partition: its number, and its racks ascending, each as
//   its
//           length and itself; text as UTF-16 units followed by their count
//   group   the topics' hashes, ascending by topic name; 0 without any
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace kb::group {

struct TopicToHash {
  const Uuid& id;
  std::string_view name;
  int32_t partitions = 0;
  // Racks of one partition, in any order.
  std::function<std::vector<std::string>(int32_t partition)> racks_of;
};

int64_t HashOfTopic(const TopicToHash& topic);
int64_t HashOfGroup(const std::vector<int64_t>& topic_hashes);

}  // namespace kb::group

// OffsetsPage: some of the committed offsets of a shard, for who walks over all of them without keeping the shard for
// long.
//
// Values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.h"

namespace kb::group {

// A place in the order of groups, topics and partitions; a page begins behind it. Without values: before all.
struct OffsetsPlace {
  std::string group_id;
  std::string topic;
  int32_t partition = -1;
};

struct OffsetsPage {
  struct Partition {
    int32_t index = 0;
    int64_t offset = 0;
    Uuid topic_id;  // zero: not known
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
  };
  struct Group {
    std::string id;
    std::vector<Topic> topics;
  };
  std::vector<Group> groups;
  bool is_last = true;
  OffsetsPlace next;  // behind what was looked at, unless it is the last
};

}  // namespace kb::group

#include "group/owner_table.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace kb::group {

Result<OwnerTable> OwnerTable::For(const AssignorInput& input, std::span<const uint32_t> turn) {
  KB_CHECK(!turn.empty());
  OwnerTable table;
  for (uint32_t place = 0; place < (input.homogeneous ? 1 : turn.size()); ++place) {
    for (const Uuid& id : input.members[turn[place]].topics) {
      auto known = table.index_.find(id);
      if (known == table.index_.end()) KB_RETURN_IF_ERROR(table.Add(input, id));
      if (input.homogeneous) continue;
      Topic& topic = known == table.index_.end() ? table.topics_.back() : table.topics_[known->second];
      if (topic.subscribers.empty() || topic.subscribers.back() != place) topic.subscribers.push_back(place);
    }
  }
  if (input.homogeneous) {
    table.all_.resize(turn.size());
    std::iota(table.all_.begin(), table.all_.end(), 0);
  }
  return table;
}

Status OwnerTable::Add(const AssignorInput& input, const Uuid& id) {
  std::optional<int32_t> partitions = input.partitions_of(id);
  if (!partitions.has_value()) {
    return Error{ErrorKind::kNotFound, "a member is subscribed to topic " + id.ToString() + ", which does not exist"};
  }
  KB_CHECK(*partitions >= 0);
  index_[id] = static_cast<uint32_t>(topics_.size());
  topics_.push_back({id, owners_.size(), *partitions, {}});
  owners_.resize(owners_.size() + static_cast<size_t>(*partitions), kNobody);
  return {};
}

const OwnerTable::Topic* OwnerTable::Find(const Uuid& id) const {
  auto at = index_.find(id);
  return at == index_.end() ? nullptr : &topics_[at->second];
}

std::vector<int32_t> OwnerTable::Claim(const Topic& topic, std::span<const int32_t> partitions, uint32_t member) {
  std::vector<int32_t> claimed;
  claimed.reserve(partitions.size());
  std::span<int32_t> owner = owners(topic);
  for (int32_t partition : partitions) {
    if (partition < 0 || partition >= topic.partitions || owner[partition] != kNobody) continue;
    owner[partition] = static_cast<int32_t>(member);
    claimed.push_back(partition);
  }
  return claimed;
}

std::vector<Assignment> OwnerTable::ByMember(std::span<const uint32_t> turn) const {
  std::vector<const Topic*> ascending;
  for (const Topic& topic : topics_) ascending.push_back(&topic);
  std::sort(ascending.begin(), ascending.end(), [](const Topic* a, const Topic* b) { return a->id < b->id; });

  // Calls back for each partition with an owner, in the order in which assignments hold them.
  auto for_each = [&](auto visit) {
    for (const Topic* topic : ascending) {
      for (int32_t partition = 0; partition < topic->partitions; ++partition) {
        int32_t owner = owners_[topic->first + static_cast<size_t>(partition)];
        if (owner != kNobody) visit(turn[static_cast<size_t>(owner)], topic, partition);
      }
    }
  };
  struct Size {
    size_t topics = 0, partitions = 0;
    const Topic* last = nullptr;
  };
  std::vector<Size> sizes(turn.size());
  for_each([&](uint32_t member, const Topic* topic, int32_t) {
    Size& size = sizes[member];
    if (std::exchange(size.last, topic) != topic) ++size.topics;
    ++size.partitions;
  });
  std::vector<Assignment> assignments(turn.size());
  for (size_t i = 0; i < turn.size(); ++i) assignments[i].Reserve(sizes[i].topics, sizes[i].partitions);
  for_each([&](uint32_t member, const Topic* topic, int32_t partition) {
    assignments[member].Append(topic->id, partition);
  });
  return assignments;
}

}  // namespace kb::group

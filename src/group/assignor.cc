// The way to the assignors, and `range`.
#include "group/assignor.h"

#include <algorithm>
#include <numeric>

#include "group/java_order.h"
#include "group/owner_table.h"

namespace kb::group {
namespace {

bool StandsBefore(const MemberToAssign& a, const MemberToAssign& b) {
  if (a.instance_id.has_value() != b.instance_id.has_value()) return a.instance_id.has_value();
  if (a.instance_id.has_value()) return JavaLess(*a.instance_id, *b.instance_id);
  return JavaLess(a.member_id, b.member_id);
}

// Cuts a topic into one range for each of its subscribers.
void Cut(std::span<int32_t> owners, std::span<const uint32_t> subscribers) {
  size_t least = owners.size() / subscribers.size();
  size_t extra = owners.size() % subscribers.size();
  size_t next = 0;
  for (size_t i = 0; i < subscribers.size(); ++i) {
    size_t size = least + (i < extra ? 1 : 0);
    std::fill_n(owners.begin() + static_cast<ptrdiff_t>(next), size, static_cast<int32_t>(subscribers[i]));
    next += size;
  }
}

}  // namespace

AssignmentResult AssignRanges(const AssignorInput& input) {
  if (input.members.empty()) return std::vector<Assignment>();
  std::vector<uint32_t> line(input.members.size());
  std::iota(line.begin(), line.end(), 0);
  std::stable_sort(line.begin(), line.end(),
                   [&](uint32_t a, uint32_t b) { return StandsBefore(input.members[a], input.members[b]); });
  Result<OwnerTable> table = OwnerTable::For(input, line);
  if (!table.ok()) return table.error();
  for (const OwnerTable::Topic& topic : table->topics()) Cut(table->owners(topic), table->subscribers(topic));
  return table->ByMember(line);
}

Assignor FindAssignor(std::string_view name) {
  if (name == kAssignorNames[0]) return &AssignUniformly;
  if (name == kAssignorNames[1]) return &AssignRanges;
  return nullptr;
}

}  // namespace kb::group

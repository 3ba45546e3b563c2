// The server's assignors of the consumer protocol (KIP-848): who in a group is to read which partition. `uniform` and
// `range`, with the results of Apache Kafka 4.3.1's UniformAssignor and RangeAssignor.
//
// range: each topic for itself. Its subscribers stand in line, static members first by instance id, then the others by
//   member id (both as Java compares text). Of n partitions each of m members gets the next n/m, the first n%m one
//   more. What members have does not matter. Topics of the same size with the same subscribers are cut alike
//   (co-partitioning).
//
// uniform, homogeneous: balance first, then as few moves as possible. With n partitions and m members:
//   1. Each member in turn may keep n/m partitions. One more while there are extra ones (n%m), but only if it has that
//      many, or if it and all who follow in turn must take one.
//   2. What it has beyond that is taken from it: the last ones in the walks of Java's tables, over its topics and over
//      the partitions of each.
//   3. Partitions that nobody had (topics in turn, partitions ascending), then those that were taken away (in the order
//      in which they were), go to the members with room, in turn, each filled up before the next.
//
// uniform, heterogeneous: members are subscribed to different topics.
//   1. Everyone keeps what is still subscribed to.
//   2. Topic by topic (by partitions per subscriber descending, then subscribers ascending, then id ascending, as two
//      signed numbers) the partitions without an owner, ascending, go to the subscribers like water into a vessel: to
//      those with the fewest partitions (of all topics), by turns, level by level.
//   3. The same topics by turns, 16 times or until all together moved nothing: while its subscribers differ by two or
//      more, one of those with the most gives its last partition of the topic to one of those with the fewest
//      (uniform_heterogeneous.cc tells how).
//
// The turn of members is the walk over a java.util.HashMap of their ids, that of topics the walk over a
// java.util.HashSet of their ids (java_order.h). So the results are those of Apache Kafka to the last partition, if
// members and topics went into its tables in the order in which they stand here. Its coordinator takes members in the
// walk of their TimelineHashMap (TimelineWalk), the one that joins now last; topics in the walk over a HashSet of their
// names. Two limits: its tables turn crowded bins into trees, which is not modelled; and what a member has stands
// ascending here, there as its history left it, so that of two that share a bin the other may be taken. Either way the
// result is as balanced, with as many moves.
//
// Racks: neither assignor of 4.3.1 asks for them.
// Beyond what Apache Kafka checks: what a member has of partitions that do not exist, or that an earlier one in turn
// has, too, counts as not had.
//
// Pure functions, any thread. O((members × topics + partitions) log), the third step of heterogeneous up to 16 times
// that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "group/assignment.h"

namespace kb::group {

// Views: must outlive the call.
struct MemberToAssign {
  std::string_view member_id;
  std::optional<std::string_view> instance_id;
  std::span<const Uuid> topics;          // subscribed to; each once
  size_t subscribed_names = 0;           // … and how many names that is, if more than topics that exist (TopicIds.size)
  const Assignment* assigned = nullptr;  // its target until now; null for none
};

struct AssignorInput {
  std::vector<MemberToAssign> members;  // each id once
  bool homogeneous = false;             // all are subscribed to the same topics: then those of any member count
  std::function<std::optional<int32_t>(const Uuid& topic_id)> partitions_of;  // nullopt: no such topic
};

// One for each member, in the order of the input. Fails with kNotFound when a member is subscribed to a topic that does
// not exist (PartitionAssignorException; Apache Kafka answers the heartbeat with UNKNOWN_SERVER_ERROR).
using AssignmentResult = Result<std::vector<Assignment>>;
using Assignor = AssignmentResult (*)(const AssignorInput& input);

AssignmentResult AssignUniformly(const AssignorInput& input);
AssignmentResult AssignRanges(const AssignorInput& input);

// Names of all, the default first (group.consumer.assignors).
inline constexpr std::array<std::string_view, 2> kAssignorNames = {"uniform", "range"};
// Null for an unknown name.
Assignor FindAssignor(std::string_view name);

}  // namespace kb::group

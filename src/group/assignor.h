// The server's assignors of the consumer protocol (KIP-848): who in a group is to read which partition. `uniform` and
// `range`, with the results of Apache Kafka 4.3.1's UniformAssignor and RangeAssignor.
//
// range: each topic for itself. Its subscribers stand in line, static members first by instance id, then the others by
//   member id (both as Java compares text). Each gets the next n/m partitions of the topic's n, the first n%m one more.
//   What members have does not matter; topics with as many partitions and the same subscribers are cut alike
//   (co-partitioning).
//
// uniform, homogeneous: balance first, then as few moves as possible. With n partitions and m members:
//   1. Each member in turn may keep n/m partitions. One more as long as there are extra ones (n%m), but only if it has
//   that
//      many, or if all members that follow it, and itself, must take an extra one.
//   2. What it has beyond that is taken from it: its topics and a topic's partitions in the walk of Java's tables; a
//   topic
//      that still fits whole stays whole, even behind one that was cut.
//   3. Partitions nobody had (topics in turn, partitions ascending), then those that were taken away (in the order in
//   which
//      they were), go to the members with room, in turn, each filled up before the next.
//
// uniform, heterogeneous: members that are subscribed to different topics.
//   1. Everyone keeps what is still subscribed to.
//   2. Topic by topic, by partitions per subscriber descending, then subscribers ascending, then topic id ascending
//   (two
//      signed numbers): its partitions without an owner, ascending, go to its subscribers like water into a vessel: to
//      those with the fewest partitions (of all topics), by turns, level by level.
//   3. The same topics by turns, up to 16 times or until a whole turn moved nothing: while its subscribers differ by
//   two or
//      more, one of those with the most gives the last one of its partitions to one with the fewest
//      (uniform_heterogeneous.cc tells how).
//
// Ties are decided by turns, and the turn of members is the walk over a java.util.HashMap of their ids; that of topics
// the walk over a java.util.HashSet of their ids (java_order.h). So the results are those of Apache Kafka to the last
// partition, if it has put members and topics into its tables in the order in which they stand here. Two limits: its
// table turns crowded bins into trees, which is not modelled; and what a member has stands in ascending order here,
// while in Apache Kafka it stands as its history left it, so that of partitions (or topics) that share a bin another
// one may be taken. In both cases the result is another one of the same quality: as balanced, with as many moves.
//
// Racks: neither assignor of 4.3.1 asks for them.
// Beyond what Apache Kafka checks: what a member has of partitions that do not exist, or that an earlier member in turn
// has, too, counts as not had.
//
// Pure functions, any thread. O((members × topics + partitions) log).
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

// Reconciliation: from what a member of a consumer group has to what it is to have.
//
//   Stable ──new target──► lets go of what is not in it ──► Unrevoked     until the member says that it no longer has
//   it
//                        └─ nothing to let go of ─────────► Unreleased    until others have let go of what it is to get
//                                                         └► Stable       member epoch := assignment epoch
//
// A member gets a partition only when nobody else has it, and keeps its epoch until it has let go of what it must. So
// no partition is ever owned by two.
//
// Semantics: Apache Kafka 4.3's CurrentAssignmentBuilder. A pure function, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "group/consumer_group.h"

namespace kb::group {

struct Reconciliation {
  int32_t target_epoch = 0;
  const Assignment& target;
  bool subscription_changed = false;  // what is no longer subscribed to is let go of at once
  // Topics the member is subscribed to now.
  std::function<bool(const Uuid& topic_id)> is_subscribed;
  // Whether anybody has the partition, or has not let go of it.
  std::function<bool(const PartitionId& id)> is_owned;
  // What the member says it has, ascending; nullopt: it did not say.
  const std::optional<std::vector<PartitionId>>& owned;
};

// nullopt: its state is one that only a newer broker knows, and it has not given up everything (FENCED_MEMBER_EPOCH).
std::optional<ConsumerMemberFacts> Reconcile(ConsumerMemberFacts member, const Reconciliation& by);

}  // namespace kb::group

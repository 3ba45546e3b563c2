// Groups that move between the classic protocol and the consumer protocol (KIP-848, group.consumer.migration.policy).
#include "group/impl.h"

namespace kb::group {

MaybeRefused GroupShard::Impl::Upgraded(const Group& group, std::unique_ptr<ConsumerGroup>&) const {
  return Refusal{ErrorCode::kGroupIdNotFound, "Group " + group.id + " is not a consumer group."};
}

}  // namespace kb::group

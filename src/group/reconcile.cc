#include "group/reconcile.h"

#include <algorithm>
#include <utility>

namespace kb::group {
namespace {

bool ById(const OwnedPartition& one, const OwnedPartition& other) {
  return one.id < other.id;
}

class Reconciler {
 public:
  Reconciler(ConsumerMemberFacts member, const Reconciliation& by) : member_(std::move(member)), by_(by) {}

  std::optional<ConsumerMemberFacts> Run() && {
    switch (member_.state) {
      case MemberState::kStable:
        if (member_.epoch != by_.target_epoch) {
          TakeTarget(member_.epoch);
        } else if (by_.subscription_changed) {
          DropUnsubscribed();
        }
        break;
      case MemberState::kUnrevokedPartitions:
        if (!SaysItHas(member_.pending_revocation)) {
          TakeTarget(member_.epoch);
        } else if (by_.subscription_changed) {
          DropUnsubscribed();
        }
        break;
      case MemberState::kUnreleasedPartitions:
        TakeTarget(member_.epoch);
        break;
      case MemberState::kUnknown:
        if (!by_.owned.has_value() || !by_.owned->empty()) return std::nullopt;
        TakeTarget(by_.target_epoch);
        break;
    }
    return std::move(member_);
  }

 private:
  // A member that does not say what it has may have anything.
  bool SaysItHas(const OwnedPartitions& any_of) const {
    if (!by_.owned.has_value()) return true;
    return std::any_of(by_.owned->begin(), by_.owned->end(),
                       [&](const PartitionId& id) { return FindIn(any_of, id) != nullptr; });
  }

  void SetEpoch(int32_t epoch) {
    member_.previous_epoch = member_.epoch;
    member_.epoch = epoch;
  }

  // Lets go of what is no longer subscribed to, and stays at its epoch.
  void DropUnsubscribed() {
    OwnedPartitions kept;
    OwnedPartitions revoked = member_.pending_revocation;
    for (const OwnedPartition& one : member_.assigned) {
      (by_.is_subscribed(one.id.topic_id) ? kept : revoked).push_back(one);
    }
    if (kept.size() == member_.assigned.size()) return;
    std::sort(revoked.begin(), revoked.end(), ById);
    SetEpoch(member_.epoch);
    member_.assigned = std::move(kept);
    if (!SaysItHas(revoked)) return;  // it has let go of them already
    member_.state = MemberState::kUnrevokedPartitions;
    member_.pending_revocation = std::move(revoked);
  }

  void TakeTarget(int32_t epoch) {
    OwnedPartitions kept;
    OwnedPartitions revoked;
    for (const OwnedPartition& one : member_.assigned) (IsToHave(one.id) ? kept : revoked).push_back(one);
    if (!revoked.empty() && SaysItHas(revoked)) {
      SetEpoch(epoch);
      member_.state = MemberState::kUnrevokedPartitions;
      member_.assigned = std::move(kept);
      member_.pending_revocation = std::move(revoked);
      return;
    }
    bool waits = AddFree(kept);
    SetEpoch(by_.target_epoch);
    member_.state = waits ? MemberState::kUnreleasedPartitions : MemberState::kStable;
    member_.assigned = std::move(kept);
    member_.pending_revocation.clear();
  }

  bool IsToHave(const PartitionId& id) const {
    return by_.target.Has(id.topic_id, id.partition) && by_.is_subscribed(id.topic_id);
  }

  // Adds what it is to have and nobody else has. Whether something is left that others have.
  bool AddFree(OwnedPartitions& kept) const {
    const size_t had = kept.size();
    bool waits = false;
    for (size_t topic = 0; topic < by_.target.topic_count(); ++topic) {
      const Uuid& topic_id = by_.target.topic_id(topic);
      if (!by_.is_subscribed(topic_id)) continue;
      for (int32_t partition : by_.target.partitions(topic)) {
        PartitionId id{topic_id, partition};
        if (FindIn(member_.assigned, id) != nullptr) continue;
        if (by_.is_owned(id) && FindIn(member_.pending_revocation, id) == nullptr) {
          waits = true;
        } else {
          kept.push_back({id, by_.target_epoch});
        }
      }
    }
    std::inplace_merge(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(had), kept.end(), ById);
    return waits;
  }

  ConsumerMemberFacts member_;
  const Reconciliation& by_;
};

}  // namespace

std::optional<ConsumerMemberFacts> Reconcile(ConsumerMemberFacts member, const Reconciliation& by) {
  return Reconciler(std::move(member), by).Run();
}

}  // namespace kb::group

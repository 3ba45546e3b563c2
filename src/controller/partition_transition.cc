#include "controller/partition_transition.h"

#include <algorithm>
#include <optional>

namespace kb::controller {

using metadata::BrokerIds;
using metadata::LeaderRecoveryState;
using metadata::Partition;

namespace {

// metadata.version 3.6-IV0: before it a replica that left the ISR needed a new leader epoch.
constexpr int16_t kNoEpochForShrinkSince = 12;

bool Contains(const BrokerIds& ids, BrokerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}
bool ContainsAll(const BrokerIds& ids, const BrokerIds& others) {
  return std::all_of(others.begin(), others.end(), [&](BrokerId id) { return Contains(ids, id); });
}
BrokerIds Without(const BrokerIds& ids, const BrokerIds& others) {
  BrokerIds left;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(left), [&](BrokerId id) { return !Contains(others, id); });
  return left;
}

// Those who come are in sync, and who stays is enough: who leaves can leave.
void CompleteReassignment(PartitionTarget& target) {
  if (target.removing.empty() && target.adding.empty()) return;
  BrokerIds isr = Without(target.isr, target.removing);
  BrokerIds replicas = Without(target.replicas, target.removing);
  if (!target.removing.empty() && (isr.empty() || replicas.empty())) return;
  if (!ContainsAll(isr, target.adding)) return;
  // Fewer replicas than before: not at the price of an ISR that need not be smaller.
  if (target.adding.size() < target.removing.size() && !ContainsAll(isr, replicas)) return;
  target.isr = std::move(isr);
  target.replicas = std::move(replicas);
  target.removing.clear();
  target.adding.clear();
}

}  // namespace

bool PartitionTransition::MayLead(BrokerId broker, const PartitionTarget& target, const BrokerIds& eligible) const {
  const bool has_all = Contains(target.isr, broker) || (target.isr.empty() && Contains(eligible, broker));
  return has_all && image_.IsUsable(broker);
}

bool PartitionTransition::MayLastKnownLead(const PartitionTarget& target, const BrokerIds& eligible) const {
  return image_.eligible_leader_replicas_enabled() && eligible.empty() && target.isr.empty() &&
         partition_.last_known_elr.size() == 1 && image_.IsUsable(partition_.last_known_elr.front());
}

PartitionTransition::Elected PartitionTransition::Elect(const PartitionTarget& target,
                                                        const BrokerIds& eligible) const {
  auto may_lead = [&](BrokerId broker) { return MayLead(broker, target, eligible); };
  const BrokerIds& replicas = target.replicas;
  if (target.election == Election::kPreferred && !replicas.empty() && may_lead(replicas.front())) {
    return {replicas.front()};
  }
  if (may_lead(partition_.leader)) return {partition_.leader};
  auto online = std::find_if(replicas.begin(), replicas.end(), may_lead);
  if (online != replicas.end()) return {*online};
  if (MayLastKnownLead(target, eligible)) return {partition_.last_known_elr.front(), true};
  if (target.election == Election::kUnclean) {
    auto any = std::find_if(replicas.begin(), replicas.end(), [&](BrokerId id) { return image_.IsUsable(id); });
    if (any != replicas.end()) return {*any, true};
  }
  return {};
}

BrokerIds PartitionTransition::Eligible(const PartitionTarget& target) const {
  if (!image_.eligible_leader_replicas_enabled()) return partition_.eligible_leader_replicas;
  if (target.isr.size() >= static_cast<size_t>(std::max(min_insync_replicas_, 0))) return {};
  BrokerIds candidates = partition_.eligible_leader_replicas;
  for (BrokerId id : partition_.isr) {
    if (!Contains(candidates, id)) candidates.push_back(id);
  }
  std::sort(candidates.begin(), candidates.end());
  return Without(candidates, target.isr);
}

// leader: what the record names, if it names one.
void PartitionTransition::PutLastKnown(const std::optional<BrokerId>& leader, PartitionChange& change) const {
  if (!image_.eligible_leader_replicas_enabled() || !leader) return;
  if (*leader == kNoBroker && partition_.last_known_elr.empty()) {
    change.LastKnownEligible({partition_.leader});
  } else if (*leader != kNoBroker && !partition_.last_known_elr.empty()) {
    change.LastKnownEligible({});
  }
}

void PartitionTransition::PutAssignment(const PartitionTarget& target, DirectoryChooser& chooser,
                                        PartitionChange& change) const {
  std::vector<Uuid> directories;
  for (BrokerId replica : target.replicas) {
    directories.push_back(partition_.HasReplica(replica) ? partition_.DirectoryOf(replica) : chooser.Choose(replica));
  }
  if (directories != partition_.directories) change.Directories(directories);
  if (target.replicas != partition_.replicas) change.Replicas(target.replicas);
  if (target.removing != partition_.removing_replicas) change.Removing(target.removing);
  if (target.adding != partition_.adding_replicas) change.Adding(target.adding);
}

bool PartitionTransition::Decide(PartitionTarget target, DirectoryChooser& directories,
                                 metadata::RecordList& records) const {
  PartitionChange change(image_, id_.topic_id, id_.partition);
  CompleteReassignment(target);
  BrokerIds eligible = Eligible(target);
  const Elected elected = Elect(target, eligible);
  std::optional<BrokerId> leader;
  if (elected.leader != partition_.leader) {
    leader = elected.leader;
    if (elected.is_unclean) {
      target.isr = {elected.leader};
      eligible.clear();
      const bool is_recovering = partition_.leader_recovery_state == LeaderRecoveryState::kRecovering;
      if (!is_recovering) change.RecoveryState(LeaderRecoveryState::kRecovering);
    } else if (Contains(eligible, elected.leader)) {
      target.isr = {elected.leader};
      eligible = Without(eligible, target.isr);
    }
  }
  // Who is no replica any more must not go on as if it were: so there is a new leader epoch.
  const bool loses_replicas = !ContainsAll(target.replicas, partition_.replicas);
  const bool shrink_needs_epoch =
      image_.metadata_version() < kNoEpochForShrinkSince && !ContainsAll(target.isr, partition_.isr);
  if (!leader && (loses_replicas || shrink_needs_epoch)) leader = partition_.leader;

  if (!image_.eligible_leader_replicas_enabled()) eligible.clear();
  if (leader) change.Leader(*leader);
  if (eligible != partition_.eligible_leader_replicas) change.Eligible(eligible);
  const bool may_be_empty = image_.eligible_leader_replicas_enabled();
  if (target.isr != partition_.isr && (!target.isr.empty() || may_be_empty)) change.Isr(target.isr);
  PutLastKnown(leader, change);
  PutAssignment(target, directories, change);
  if (change.is_empty()) return false;
  change.AddTo(records);
  return true;
}

}  // namespace kb::controller

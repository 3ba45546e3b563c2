#include "server/gauges.h"

#include <string>

#include "coordinator/group_coordinator.h"

namespace kb::server {
namespace {

metrics::Gauge& Make(metrics::Registry& registry, broker::Shard& shard, const char* name, const char* help) {
  return registry.gauge(static_cast<size_t>(shard.reactor().index()), name, help);
}

}  // namespace

Gauges::Gauges(metrics::Registry& registry, broker::Shard& shard)
    : shard_(shard),
      partitions_(Make(registry, shard, "kafka_server_replicamanager_partitioncount", "Partitions here.")),
      opening_(Make(registry, shard, "broker_partitions_opening",
                    "Of those, being recovered or waiting for it: not served yet.")),
      offline_(Make(registry, shard, "kafka_server_replicamanager_offlinereplicacount",
                    "Of those, not served because their disk or their files failed.")),
      uncleanable_(Make(registry, shard, "kafka_log_logcleanermanager_uncleanable_partitions_count",
                        "Compacted partitions that are not cleaned any more because damage was met.")),
      offsets_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numoffsets",
                    "Partitions for which groups have committed offsets.")),
      preparing_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance",
                      "Classic groups that wait for their members to join.")),
      completing_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance",
                       "Classic groups that wait for their leader.")),
      stable_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numgroupsstable",
                   "Classic groups whose members have their assignments.")),
      empty_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numgroupsempty",
                  "Classic groups without members.")),
      dead_(Make(registry, shard, "kafka_coordinator_group_groupmetadatamanager_numgroupsdead",
                 "Classic groups that are being deleted.")),
      other_types_(Make(registry, shard, "broker_groups_not_classic", "Groups of the other types.")) {}

void Gauges::Refresh() {
  const partition::PartitionTable::Condition condition = shard_.partitions().condition();
  partitions_.Set(static_cast<int64_t>(shard_.partitions().size()));
  opening_.Set(static_cast<int64_t>(condition.opening));
  offline_.Set(static_cast<int64_t>(condition.offline));
  uncleanable_.Set(static_cast<int64_t>(condition.uncleanable));
  const group::GroupCounts groups = shard_.groups().counts();
  offsets_.Set(static_cast<int64_t>(groups.offsets));
  preparing_.Set(static_cast<int64_t>(groups.preparing_rebalance));
  completing_.Set(static_cast<int64_t>(groups.completing_rebalance));
  stable_.Set(static_cast<int64_t>(groups.stable));
  empty_.Set(static_cast<int64_t>(groups.empty));
  dead_.Set(static_cast<int64_t>(groups.dead));
  other_types_.Set(static_cast<int64_t>(groups.other_types));
}

}  // namespace kb::server

// Asking many partitions at once: each home gets one message for all of its partitions, and the answers come back in
// the order of the question.
#pragma once

#include <utility>
#include <vector>

#include "base/pool.h"
#include "broker/shard.h"
#include "reactor/run_on.h"

namespace kb::broker {

// The places in `ids` by the reactor that is home to them.
struct ByHome {
  PoolVector<reactor::Reactor*> reactors;
  PoolVector<Shard*> shards;
  PoolVector<PoolVector<size_t>> places;  // of each of them, ascending

  template <typename Ids, typename IdOf>
  ByHome(Shard& here, const Ids& ids, const IdOf& id_of) {
    PoolVector<size_t> slot_of(here.cluster().shards.size(), SIZE_MAX);
    for (size_t i = 0; i < ids.size(); ++i) {
      Shard& home = here.ShardOf(id_of(ids[i]));
      size_t& slot = slot_of[static_cast<size_t>(home.reactor().index())];
      if (slot == SIZE_MAX) {
        slot = reactors.size();
        reactors.push_back(&home.reactor());
        shards.push_back(&home);
        places.emplace_back();
      }
      places[slot].push_back(i);
    }
  }
};

// Calls ask(partition, i) for each ids[i] on its home, one after the other there; missing(error) stands in for a
// partition that is not in service. ask may return R or Task<R>. Everything that `ask` refers to must be safe to read
// from the other reactors while the caller waits.
template <typename R, typename Ask, typename Missing>
reactor::Task<std::vector<R>> OnEachPartition(Shard& here, const std::vector<PartitionId>& ids, const Ask& ask,
                                              const Missing& missing) {
  std::vector<R> answers(ids.size());
  if (ids.empty()) co_return answers;
  ByHome homes(here, ids, [](const PartitionId& id) -> const PartitionId& { return id; });
  auto each = [&](size_t home) -> reactor::Task<void> {
    partition::PartitionTable& table = homes.shards[home]->partitions();
    for (size_t i : homes.places[home]) {
      auto wait = table.Await(ids[i]);
      std::shared_ptr<partition::Partition> partition = co_await wait;
      if (partition == nullptr) {
        answers[i] = missing(table.ErrorOf(ids[i]));
        continue;
      }
      if constexpr (reactor::kIsTask<decltype(ask(*partition, i))>) {
        auto asked = ask(*partition, i);
        answers[i] = co_await asked;
      } else {
        answers[i] = ask(*partition, i);
      }
    }
  };
  auto all = reactor::RunOnEach(homes.reactors, each);
  co_await all;
  co_return answers;
}

}  // namespace kb::broker

#include "broker/shard.h"

#include "broker/controller_loop.h"
#include "coordinator/group_coordinator.h"

namespace kb::broker {

namespace {

FetchSessionCache::Options SessionOptions(const Cluster& cluster, const reactor::Reactor& reactor) {
  FetchSessionCache::Options options;
  size_t shards = cluster.shards.size();
  auto slots = static_cast<size_t>(std::max(cluster.options.max_incremental_fetch_session_cache_slots, 0));
  options.slots = (slots + shards - 1) / shards;
  options.reactor_index = static_cast<uint32_t>(reactor.index());
  options.reactors = static_cast<uint32_t>(shards);
  return options;
}

}  // namespace

Shard::Shard(const Environment& environment, std::unique_ptr<partition::PartitionTable> partitions)
    : cluster_(environment.cluster),
      reactor_(environment.reactor),
      disk_(environment.disk),
      partitions_(std::move(partitions)),
      metrics_(environment.registry, static_cast<size_t>(environment.reactor.index())),
      request_times_(environment.registry, static_cast<size_t>(environment.reactor.index()), environment.log,
                     *environment.cluster.clock, environment.cluster.options.request_slow_ms),
      lag_meter_(*partitions_, environment.disk),
      fetch_sessions_(SessionOptions(environment.cluster, environment.reactor), environment.reactor.random()),
      client_log_(environment.log, *environment.cluster.clock),
      quota_ledger_(environment.cluster.options.quota_window, environment.cluster.options.controller_quota_window) {}

Shard::~Shard() = default;

void Shard::set_groups(std::unique_ptr<coordinator::GroupCoordinator> groups) {
  groups_ = std::move(groups);
}

void Shard::AutoCreateTopics(std::vector<std::string> names) {
  ControllerLoop* controller = cluster_.controller;
  reactor::Reactor& home = cluster_.shards[0]->reactor();
  home.Post([controller, &home, names = std::move(names)]() mutable {
    home.Spawn(controller->AutoCreate(std::move(names)));
  });
}

reactor::Task<Shard::NewProducerId> Shard::TakeProducerId() {
  // Several may run out at once and each fetch a block; what is left of the earlier one is lost, as at a restart.
  while (next_producer_id_ >= producer_ids_end_) {
    auto allocate = [this](controller::Controller& controller) {
      return controller.AllocateProducerIds(BrokerId(config().node_id), controller.broker_epoch());
    };
    auto decide = cluster_.controller->Decide<controller::ProducerIdBlock>(allocate);
    controller::ProducerIdBlock block = co_await decide;
    if (block.error != ErrorCode::kNone) co_return NewProducerId{block.error, kNoProducerId};
    if (next_producer_id_ < producer_ids_end_) break;
    next_producer_id_ = block.first;
    producer_ids_end_ = block.first + block.count;
  }
  NewProducerId taken{ErrorCode::kNone, next_producer_id_};
  ++next_producer_id_;
  co_return taken;
}

uint64_t Shard::Park(const std::shared_ptr<reactor::Completion<void>>& wait) {
  uint64_t place = ++last_parked_;
  if (stopping_) {
    wait->TrySet();
  } else {
    parked_.emplace(place, wait);
  }
  return place;
}

void Shard::BeginStop() {
  stopping_ = true;
  for (const auto& [place, wait] : std::exchange(parked_, {})) wait->TrySet();
}

}  // namespace kb::broker

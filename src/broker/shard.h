// Shard: one reactor's part of the broker, and the way from it to the others.
//
// Everything here is reactor-affine but for what is said to be shared read-only. A handler asks its own shard; what
// belongs to another reactor it reaches by RunOn(shard.ShardOf(id).reactor(), …).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_levels.h"
#include "base/log_sink.h"
#include "base/pool.h"
#include "broker/fetch_session.h"
#include "broker/metrics.h"
#include "broker/options.h"
#include "broker/quota_ledger.h"
#include "broker/quota_table.h"
#include "broker/request_times.h"
#include "broker/topic_traffic.h"
#include "metadata/image.h"
#include "partition/data_directories.h"
#include "partition/lag_meter.h"
#include "partition/partition_table.h"
#include "reactor/completion.h"
#include "reactor/published.h"
#include "reactor/reactor.h"

namespace kb::coordinator {
class GroupCoordinator;
}

namespace kb::broker {

class ControllerLoop;
class ConfigView;

// One of log.dirs.
struct LogDir {
  std::string configured;
  std::string path;  // absolute, as clients see it
  Uuid id;
  bool is_there = false;  // could be read at the start
};

// Shared by all shards, read-only once the broker runs.
struct Cluster {
  Options options;
  std::vector<class Shard*> shards;  // by reactor index
  reactor::Published<metadata::MetadataImage>* images = nullptr;
  ControllerLoop* controller = nullptr;  // lives on shards[0]'s reactor
  const ConfigView* configs = nullptr;   // what configuration says, per image
  const Clock* clock = nullptr;
  io::FileSystem* files = nullptr;
  std::vector<LogDir> log_dirs;                       // in the order of log.dirs
  partition::DataDirectories* directories = nullptr;  // on the first reactor
  LogLevels* log_levels = nullptr;  // thread-safe
  // Puts what an image's configuration says of the node itself into force; goes on when it is. On the first reactor.
  std::function<reactor::Task<void>(metadata::ImagePtr)> apply_configs;
  // Goes on when the checkpoint files say what is the case now. On the first reactor.
  std::function<reactor::Task<Status>()> save_checkpoints;
  // Goes on when the quotas of addresses count that the image has. On the first reactor.
  std::function<reactor::Task<void>(const metadata::MetadataImage&)> load_connection_rates;
};

class Shard {
 public:
  struct Environment {
    Cluster& cluster;
    reactor::Reactor& reactor;
    reactor::DiskPool& disk;
    LogSink& log;
    metrics::Registry& registry;  // where it counts, as the shard of its reactor's index
  };
  Shard(const Environment& environment, std::unique_ptr<partition::PartitionTable> partitions);
  ~Shard();

  Cluster& cluster() { return cluster_; }
  reactor::Reactor& reactor() { return reactor_; }
  reactor::DiskPool& disk() { return disk_; }
  const Options& config() const { return cluster_.options; }
  const std::string& cluster_id() const { return cluster_.options.cluster_id; }
  const Clock& clock() const { return *cluster_.clock; }
  partition::PartitionTable& partitions() { return *partitions_; }
  partition::LagMeter& lag_meter() { return lag_meter_; }
  const BrokerMetrics& metrics() const { return metrics_; }
  RequestTimes& request_times() { return request_times_; }
  SentBytes& sent_bytes() { return sent_bytes_; }
  FetchSessionCache& fetch_sessions() { return fetch_sessions_; }
  RateLimitedLog& client_log() { return client_log_; }  // about what clients did wrong
  coordinator::GroupCoordinator& groups() { return *groups_; }
  // What counts by the image that this reactor has; and what was used by those who are at home here.
  const QuotaTable& quotas() const { return quotas_; }
  void LoadQuotas(const metadata::MetadataImage& image) { quotas_ = QuotaTable(image); }
  QuotaLedger& quota_ledger() { return quota_ledger_; }
  void set_groups(std::unique_ptr<coordinator::GroupCoordinator> groups);

  // The shard that is home to a partition; touch nothing of it but reactor() unless it is this one.
  Shard& ShardOf(const PartitionId& id) { return *cluster_.shards[partition::HomeOf(id, cluster_.shards.size())]; }

  // Likewise for those who share a quota.
  Shard& ShardOfSharer(const std::string& sharer) {
    return *cluster_.shards[std::hash<std::string>()(sharer) % cluster_.shards.size()];
  }

  // Valid until the next wait; a request has its own (RequestContext::image).
  const metadata::MetadataImage& image() const { return cluster_.images->Get(); }

  // Starts to create topics that somebody asked for, with the defaults, and does not wait. Names that are being created
  // already are left alone.
  void AutoCreateTopics(std::vector<std::string> names);

  // The node is about to stop: who waits for data goes on now, and nobody waits any more.
  void BeginStop();
  bool stopping() const { return stopping_; }
  uint64_t Park(const std::shared_ptr<reactor::Completion<void>>& wait);  // returns its place, for Unpark
  void Unpark(uint64_t place) { parked_.erase(place); }

  // A fresh producer id; kNoProducerId with the error that stood in the way.
  struct NewProducerId {
    ErrorCode error = ErrorCode::kNone;
    ProducerId id = kNoProducerId;
  };
  reactor::Task<NewProducerId> TakeProducerId();

 private:
  Cluster& cluster_;
  reactor::Reactor& reactor_;
  reactor::DiskPool& disk_;
  std::unique_ptr<partition::PartitionTable> partitions_;
  const BrokerMetrics metrics_;
  RequestTimes request_times_;
  SentBytes sent_bytes_;
  partition::LagMeter lag_meter_;
  FetchSessionCache fetch_sessions_;
  RateLimitedLog client_log_;
  QuotaTable quotas_;
  QuotaLedger quota_ledger_;
  std::unique_ptr<coordinator::GroupCoordinator> groups_;
  using Parked = std::shared_ptr<reactor::Completion<void>>;
  std::map<uint64_t, Parked, std::less<>, PoolAllocator<std::pair<const uint64_t, Parked>>> parked_;  // as they came
  uint64_t last_parked_ = 0;
  bool stopping_ = false;
  ProducerId next_producer_id_{0};  // of the block that this shard holds
  ProducerId producer_ids_end_{0};  // exclusive
};

}  // namespace kb::broker

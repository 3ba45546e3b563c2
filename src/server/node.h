// Node: one broker with its controller, put together from its parts; where the order of starting and stopping stands.
//
//   Bind      the ports, before anything on disk is touched
//   Load      lock, inspect, format if new, read the metadata log, take over as its leader     (blocks, before reactors
//   turn) Start     open the partitions, accept connections                                          (on the reactors)
//   Stop      refuse connections, answer who waits, drain, give leadership up, flush, mark the stop as clean
//
// Everything it stands on is handed in (files, clock, network, disk pool, reactors), so that several of them can run in
// one thread under a simulator. Bind and Load are called by the thread that sets things up.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log_levels.h"
#include "base/log_sink.h"
#include "base/result.h"
#include "broker/config_view.h"
#include "broker/connection_rates.h"
#include "broker/controller_loop.h"
#include "broker/dispatch.h"
#include "broker/group_surroundings.h"
#include "broker/options.h"
#include "broker/replica_mover.h"
#include "broker/shard.h"
#include "broker/topic_rules.h"
#include "config/server_config.h"
#include "controller/controller.h"
#include "controller/data_dirs.h"
#include "controller/metadata_log.h"
#include "io/file_system.h"
#include "metrics/metrics.h"
#include "net/acceptor.h"
#include "net/connection_set.h"
#include "partition/cleaning.h"
#include "partition/data_directories.h"
#include "reactor/completion.h"
#include "reactor/disk_pool.h"
#include "reactor/published.h"
#include "reactor/reactor.h"
#include "server/space_watch.h"

namespace kb::server {

class Node {
 public:
  struct Environment {
    io::FileSystem& files;
    const Clock& clock;
    LogSink& log;
    net::Transport& transport;
    reactor::DiskPool& disk;
    std::vector<reactor::Reactor*> reactors;  // by index
    reactor::Reactor& acceptor_reactor;
    uint64_t seed;
    std::function<void(const Error&)> on_fatal;  // the process must end with code 1; perhaps from a reactor's thread
    std::function<std::string()> process_metrics;  // see StatusPages; may be none
    LogLevel log_level = LogLevel::kInfo;        // of all modules, until somebody changes it at run time
  };

  Node(const Environment& environment, const config::ServerConfig& config);
  ~Node();

  // Ports of the listeners, in the order of the configuration. kBusy: taken.
  Result<std::vector<uint16_t>> Bind();
  // kForeign, kCorrupt: the data directory is not ours or damaged; kBusy: somebody else has it; kIo.
  Status Load();
  // Goes on when the partitions are in service. On the first reactor; accepting has begun by then.
  reactor::Task<void> Start();
  // The clean stop; at most about `deadline_ns` (monotonic) is spent on connections. On the first reactor.
  reactor::Task<Status> Stop(int64_t deadline_ns);

  // For the banner: what was found and how long it took.
  const std::string& cluster_id() const { return cluster_.options.cluster_id; }
  size_t partitions() const;
  // Of those, how many are open, or failed to. From any thread.
  size_t done_opening() const;

 private:
  struct Part;  // what each reactor has
  enum class State { kStarting, kServing, kStopping };
  Status LockDirectories();
  Status LoadMetadata(const controller::DataDirs& dirs);
  Status LoadDirectories(const metadata::MetadataImage& image, const controller::DataDirs& dirs);
  controller::NodeIdentity Identity(const controller::DataDirs& dirs, Random& random) const;
  void BuildShards();
  void BuildPages();
  reactor::Task<void> RefreshGauges();
  std::string WhyNotReady() const;
  net::AcceptorOptions DoorOptions();
  reactor::Task<void> LoadConnectionRates(const metadata::MetadataImage& image);
  reactor::Task<void> ApplyConfigs(metadata::ImagePtr image);
  void CordonDirectories(const metadata::MetadataImage& image);
  reactor::Task<void> KeepHouse();
  reactor::Task<void> WatchSpace();
  void TellShortage(const SpaceWatch::Change& change);
  reactor::Task<void> SaveProgress();
  void StartCleaning();
  reactor::Task<void> ApplyRetention();
  reactor::Task<Status> WriteCheckpoints();
  reactor::Task<Status> SaveCheckpoints();

  const Environment environment_;
  const config::ServerConfig& config_;
  LogLevels log_levels_;
  LogSink& log_;  // for what is said here
  Random random_;
  metrics::Registry registry_;
  std::vector<broker::Listener> listeners_;
  std::vector<uint16_t> ports_;
  broker::Cluster cluster_;
  broker::ReplicaMover mover_{cluster_};
  const broker::ConfigView configs_;
  const broker::GroupSurroundings surroundings_{cluster_};
  broker::ConfiguredTopicRules rules_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::unique_ptr<broker::ConnectionRates> connection_rates_;  // lives on the acceptor's reactor
  std::unique_ptr<net::Acceptor> acceptor_;
  std::vector<std::unique_ptr<io::FileLock>> locks_;
  std::unique_ptr<partition::DataDirectories> directories_;
  std::unique_ptr<reactor::Published<metadata::MetadataImage>> images_;
  std::unique_ptr<broker::ControllerLoop> controller_;
  bool stopping_ = false;
  std::atomic<State> state_{State::kStarting};  // as stopping_, for all reactors
  std::atomic<size_t> to_open_{0};
  // Who asks while the checkpoints are being written waits for the next writing.
  uint64_t checkpoints_wanted_ = 0, checkpoints_saved_ = 0;
  bool writing_checkpoints_ = false;
  reactor::Signal checkpoints_written_;
  int chores_under_way_ = 0;
  reactor::Signal house_kept_;
  std::optional<reactor::Completion<void>> call_;  // what the house's keeper waits for between chores
  bool retention_is_urgent_ = false;
  std::unique_ptr<partition::Cleaning> cleaning_;
};

}  // namespace kb::server

#include "server/node.h"

#include <algorithm>
#include <set>
#include <utility>

#include "controller/data_dirs.h"
#include "coordinator/group_coordinator.h"
#include "log/checkpoint_files.h"
#include "log/log_directory.h"
#include "metadata/topic_name.h"
#include "reactor/run_on.h"
#include "server/gauges.h"
#include "server/options.h"
#include "server/status_pages.h"

namespace kb::server {

// One reactor's part of the node.
struct Node::Part {
  std::unique_ptr<broker::Shard> shard;
  std::unique_ptr<partition::Scrubber> scrubber;
  std::unique_ptr<broker::Dispatch> dispatch;
  std::unique_ptr<Gauges> gauges;
  std::unique_ptr<StatusPages> pages;
  std::unique_ptr<http::Front> front;
  std::unique_ptr<net::ConnectionSet> connections;
};

Node::Node(const Environment& environment, const config::ServerConfig& config)
    : environment_(environment),
      config_(config),
      log_levels_(environment.log, {"broker", "controller", "coordinator", "net", "partition", "server"},
                  environment.log_level),
      log_(log_levels_.Of("server")),
      random_(environment.seed),
      registry_(environment.reactors.size()),
      configs_(config),
      rules_(configs_) {
  cluster_.options = BrokerOptions(config);
  cluster_.clock = &environment.clock;
  cluster_.files = &environment.files;
  cluster_.configs = &configs_;
  cluster_.log_levels = &log_levels_;
  cluster_.apply_configs = [this](metadata::ImagePtr image) { return ApplyConfigs(std::move(image)); };
  cluster_.save_checkpoints = [this] { return SaveCheckpoints(); };
  cluster_.load_connection_rates = [this](const metadata::MetadataImage& image) { return LoadConnectionRates(image); };
  connection_rates_ = std::make_unique<broker::ConnectionRates>(cluster_.options.quota_window);
  listeners_ = BrokerListeners(config);
  BuildShards();
  BuildPages();
}

Node::~Node() {
  // What belongs to a reactor ends on it. Connections first: they hold requests that point into everything else.
  {
    reactor::Reactor::Scope scope(environment_.acceptor_reactor);
    acceptor_.reset();
  }
  for (size_t i = 0; i < parts_.size(); ++i) {
    reactor::Reactor::Scope scope(*environment_.reactors[i]);
    parts_[i]->connections.reset();
  }
  for (size_t i = 0; i < parts_.size(); ++i) {
    reactor::Reactor::Scope scope(*environment_.reactors[i]);
    parts_[i].reset();
  }
}

size_t Node::partitions() const {
  return directories_ == nullptr ? 0 : directories_->replicas();
}

size_t Node::done_opening() const {
  size_t done = 0;
  for (const auto& part : parts_) done += part->shard->partitions().done_opening();
  return done;
}

void Node::BuildShards() {
  for (size_t i = 0; i < environment_.reactors.size(); ++i) parts_.push_back(std::make_unique<Part>());
  cluster_.shards.resize(parts_.size());
  std::vector<net::ConnectionSet*> sets;
  for (size_t i = 0; i < parts_.size(); ++i) {
    reactor::Reactor& reactor = *environment_.reactors[i];
    Part& part = *parts_[i];
    partition::PartitionTable::Environment table{
        reactor,
        environment_.disk,
        environment_.files,
        environment_.clock,
        log_levels_.Of("partition"),
        BrokerId(cluster_.options.node_id),
        [this](const std::string& directory, const Error& error) {
          // Every reactor takes its partitions of that directory out of service.
          for (auto& each : parts_) {
            each->shard->reactor().Post([shard = each->shard.get(), directory, error] {
              shard->partitions().FailDataDirectory(directory, error);
            });
          }
        },
        &mover_,
        &registry_,
        i};
    part.shard = std::make_unique<broker::Shard>(
        broker::Shard::Environment{cluster_, reactor, environment_.disk, log_levels_.Of("broker"), registry_},
        std::make_unique<partition::PartitionTable>(table));
    part.scrubber = std::make_unique<partition::Scrubber>(part.shard->partitions(), environment_.clock,
                                                          ScrubOptions(config_, parts_.size()));
    cluster_.shards[i] = part.shard.get();
    coordinator::GroupCoordinator::Environment groups{reactor,
                                                      environment_.disk,
                                                      environment_.clock,
                                                      log_levels_.Of("coordinator"),
                                                      part.shard->partitions(),
                                                      GroupOptions(config_),
                                                      surroundings_,
                                                      config_.group_coordinator_append_linger_ms};
    part.shard->set_groups(std::make_unique<coordinator::GroupCoordinator>(groups));
    part.dispatch = std::make_unique<broker::Dispatch>(*part.shard, listeners_);
    part.connections = std::make_unique<net::ConnectionSet>(reactor, ConnectionOptions(config_, parts_.size()),
                                                            *part.dispatch, log_levels_.Of("net"), registry_, i);
    sets.push_back(part.connections.get());
  }
  acceptor_ = std::make_unique<net::Acceptor>(environment_.acceptor_reactor, environment_.transport, DoorOptions(), sets,
                                              log_levels_.Of("net"));
}

net::AcceptorOptions Node::DoorOptions() {
  net::AcceptorOptions options = AcceptorOptions(config_);
  options.hold_back_ms = [this](const net::Address& peer) {
    return connection_rates_->Admit(peer.ip, environment_.clock.MonotonicNs() / kNsPerMs);
  };
  return options;
}

reactor::Task<void> Node::LoadConnectionRates(const metadata::MetadataImage& image) {
  auto limits = broker::ConnectionRateLimits::Of(image);
  auto set = [this, &limits] { connection_rates_->SetLimits(std::move(limits)); };
  auto call = reactor::RunOn(environment_.acceptor_reactor, set);
  co_await call;
}

void Node::BuildPages() {
  for (const std::unique_ptr<Part>& part : parts_) {
    part->gauges = std::make_unique<Gauges>(registry_, *part->shard);
    part->pages = std::make_unique<StatusPages>(
        StatusPages::Environment{*part->shard, environment_.disk, registry_, [this] { return RefreshGauges(); },
                                 [this] { return WhyNotReady(); }, environment_.process_metrics});
    part->front = std::make_unique<http::Front>(*part->pages, HttpListeners(config_));
    part->connections->set_texts(part->front.get());
  }
}

// From any reactor, several at a time.
reactor::Task<void> Node::RefreshGauges() {
  auto each = [this](size_t i) { parts_[i]->gauges->Refresh(); };
  auto refresh = reactor::RunOnEach(environment_.reactors, each);
  co_await refresh;
}

// From any reactor.
std::string Node::WhyNotReady() const {
  switch (state_.load(std::memory_order_relaxed)) {
    case State::kServing:
      return "";
    case State::kStopping:
      return "stopping";
    case State::kStarting:
      break;
  }
  return "opening partitions: " + std::to_string(done_opening()) + " of " +
         std::to_string(to_open_.load(std::memory_order_relaxed));
}

Result<std::vector<uint16_t>> Node::Bind() {
  for (const net::ListenerOptions& listener : ListenerOptions(config_)) {
    Result<uint16_t> port = acceptor_->Bind(listener);
    if (!port.ok()) return port.error();
    ports_.push_back(*port);
  }
  return ports_;
}

Status Node::LockDirectories() {
  for (const std::string& path : config_.log_dirs) {
    KB_RETURN_IF_ERROR(environment_.files.CreateDirectories(path));
    Result<std::unique_ptr<io::FileLock>> lock = log::LockDataDirectory(environment_.files, path);
    if (!lock.ok()) return lock.error();
    locks_.push_back(std::move(lock).value());
  }
  return Status();
}

Status Node::Load() {
  KB_RETURN_IF_ERROR(LockDirectories());
  controller::DataDirsQuery query;
  query.dirs = config_.log_dirs;
  query.metadata_dir = config_.metadata_log_dir;
  query.node_id = BrokerId(config_.node_id);
  Result<bool> unformatted = controller::IsUnformatted(environment_.files, query);
  if (!unformatted.ok()) return unformatted.error();
  if (*unformatted) {
    controller::FormatOptions format;
    format.dirs = query.dirs;
    format.metadata_dir = query.metadata_dir;
    format.node_id = query.node_id;
    format.cluster_id = random_.NextUuid().ToString();
    KB_RETURN_IF_ERROR(controller::FormatDataDirs(environment_.files, format, random_, environment_.clock.WallMs()));
    log_.Info("formatted " + query.metadata_dir + " for the new cluster " + format.cluster_id);
  }
  Result<controller::DataDirs> dirs = controller::InspectDataDirs(environment_.files, query, random_);
  if (!dirs.ok()) return dirs.error();
  for (const std::string& line : dirs->offline) log_.Error(line);
  return LoadMetadata(*dirs);
}

controller::NodeIdentity Node::Identity(const controller::DataDirs& dirs, Random& random) const {
  controller::NodeIdentity node;
  node.node_id = BrokerId(config_.node_id);
  node.incarnation_id = random.NextUuid();
  node.rack = config_.broker_rack;
  for (const metadata::Endpoint& endpoint : Endpoints(config_, ports_)) {
    auto listener = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const broker::Listener& one) { return one.name == endpoint.name; });
    bool is_controller = listener != listeners_.end() && listener->is_controller;
    (is_controller ? node.controller_endpoints : node.broker_endpoints).push_back(endpoint);
  }
  for (const controller::DataDir& dir : dirs.dirs) node.directories.push_back(dir.id);
  return node;
}

Status Node::LoadMetadata(const controller::DataDirs& dirs) {
  auto log = std::make_unique<controller::MetadataLog>(environment_.files, MetadataOptions(config_),
                                                       log_levels_.Of("controller"));
  Result<controller::LoadedMetadata> loaded = log->Inspect();
  if (!loaded.ok()) return loaded.error();
  // From here on the directory is changed.
  KB_RETURN_IF_ERROR(controller::WriteDirectoryIds(environment_.files, dirs, BrokerId(config_.node_id)));
  Result<LeaderEpoch> epoch = log->Begin(*loaded);
  if (!epoch.ok()) return epoch.error();

  cluster_.options.cluster_id = dirs.cluster_id;
  controller::Controller::Options options;
  options.node = Identity(dirs, random_);
  options.cluster_id = dirs.cluster_id;
  options.bytes_between_snapshots = static_cast<uint64_t>(config_.metadata_log_max_record_bytes_between_snapshots);
  options.min_insync_replicas = config_.settings.Int("min.insync.replicas");
  auto controller = std::make_unique<controller::Controller>(std::move(options), std::move(loaded).value(), rules_,
                                                             environment_.clock, random_, log_levels_.Of("controller"));
  rules_.set_controller(controller.get());
  controller->Start(*epoch);
  KB_RETURN_IF_ERROR(controller::Drain(*controller, *log));
  images_ =
      std::make_unique<reactor::Published<metadata::MetadataImage>>(environment_.reactors, controller->published());
  cluster_.images = images_.get();
  for (const auto& part : parts_) part->shard->LoadQuotas(*controller->published());
  connection_rates_->SetLimits(broker::ConnectionRateLimits::Of(*controller->published()));
  KB_RETURN_IF_ERROR(LoadDirectories(*controller->published(), dirs));
  controller_ = std::make_unique<broker::ControllerLoop>(
      broker::ControllerLoop::Environment{cluster_, *environment_.reactors[0], environment_.disk,
                                          log_levels_.Of("controller"), *directories_, environment_.on_fatal},
      std::move(controller), std::move(log));
  cluster_.controller = controller_.get();
  return Status();
}

namespace {

// The absolute path is what Java makes of it: the directory of the process before it, nothing resolved.
std::vector<broker::LogDir> LogDirs(const std::vector<std::string>& configured,
                                    const partition::DataDirectories& directories) {
  std::vector<broker::LogDir> dirs;
  for (const std::string& path : configured) {
    broker::LogDir dir{path, AbsolutePath(path), Uuid(), false};
    auto is_same = [&](const broker::LogDir& one) { return one.path == dir.path; };
    if (std::any_of(dirs.begin(), dirs.end(), is_same)) continue;
    if (const partition::DataDirectories::Directory* found = directories.FindDirectory(path)) {
      dir.id = found->id;
      dir.is_there = true;
    }
    dirs.push_back(std::move(dir));
  }
  return dirs;
}

}  // namespace

Status Node::LoadDirectories(const metadata::MetadataImage& image, const controller::DataDirs& dirs) {
  std::vector<partition::DataDirectories::Directory> directories;
  for (const controller::DataDir& dir : dirs.dirs) directories.push_back({dir.path, dir.id});
  directories_ = std::make_unique<partition::DataDirectories>(environment_.files, std::move(directories),
                                                              log_levels_.Of("partition"), !dirs.offline.empty());
  cluster_.directories = directories_.get();
  cluster_.log_dirs = LogDirs(config_.log_dirs, *directories_);
  auto wanted = [&](const TopicPartition& name, const std::optional<Uuid>& topic_id) -> std::optional<Uuid> {
    const metadata::Topic* topic = image.FindTopic(name.topic);
    if (topic == nullptr || (topic_id && *topic_id != topic->id())) return std::nullopt;
    const metadata::Partition* partition = topic->FindPartition(name.partition);
    const BrokerId here(config_.node_id);
    if (partition == nullptr || !partition->HasReplica(here)) return std::nullopt;
    return partition->DirectoryOf(here);
  };
  return directories_->Load(wanted, random_);
}

reactor::Task<void> Node::Start() {
  to_open_.store(partitions(), std::memory_order_relaxed);
  CordonDirectories(images_->Get());
  environment_.acceptor_reactor.Post([this, limits = configs_.ConnectionLimitsOf(images_->Get())] {
    acceptor_->SetLimits(limits);
    acceptor_->Start();
  });
  auto open = controller_->OpenAll();
  co_await open;
  if (!stopping_) state_.store(State::kServing, std::memory_order_relaxed);
  environment_.reactors[0]->Spawn(KeepHouse());
  environment_.reactors[0]->Spawn(WatchSpace());
  if (config_.log_cleaner_enable && !stopping_) StartCleaning();
  for (auto& part : parts_) {
    part->shard->reactor().Post([part = part.get()] { part->shard->reactor().Spawn(part->scrubber->Run()); });
  }
}

void Node::StartCleaning() {
  partition::Cleaning::Environment environment;
  environment.reactors = environment_.reactors;
  for (const std::unique_ptr<Part>& part : parts_) environment.tables.push_back(&part->shard->partitions());
  environment.settings = [this] { return configs_.CleaningSettingsOf(images_->Get()); };
  environment.write_checkpoints = [this] { return SaveCheckpoints(); };
  cleaning_ = std::make_unique<partition::Cleaning>(std::move(environment));
  cleaning_->Start();
}

reactor::Task<void> Node::ApplyConfigs(metadata::ImagePtr image) {
  auto set = [this, limits = configs_.ConnectionLimitsOf(*image)] { acceptor_->SetLimits(limits); };
  auto call = reactor::RunOn(environment_.acceptor_reactor, set);
  co_await call;
  if (cleaning_ != nullptr) cleaning_->LookAgain();
  CordonDirectories(*image);
}

void Node::CordonDirectories(const metadata::MetadataImage& image) {
  std::vector<Uuid> cordoned;
  for (const std::string& path : configs_.CordonedLogDirsOf(image)) {
    for (const broker::LogDir& directory : cluster_.log_dirs) {
      if (directory.configured == path && directory.is_there) cordoned.push_back(directory.id);
    }
  }
  controller_->CordonDirectories(cordoned);
}

reactor::Task<Status> Node::WriteCheckpoints() {
  auto each = [this](size_t i) { return parts_[i]->shard->partitions().Checkpoint(); };
  auto gather = reactor::RunOnEach(environment_.reactors, each);
  PoolVector<std::vector<partition::CheckpointEntry>> parts = co_await gather;
  std::vector<partition::CheckpointEntry> all;
  for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  partition::CheckpointJob job = directories_->PrepareCheckpoints(all);
  auto write = environment_.disk.Run([&job] { return job.Run(); });
  Status written = co_await write;
  directories_->CheckpointsWritten(job);
  co_return written;
}

reactor::Task<Status> Node::SaveCheckpoints() {
  const uint64_t wanted = ++checkpoints_wanted_;
  while (checkpoints_saved_ < wanted) {
    if (writing_checkpoints_) {
      auto wait = checkpoints_written_.Wait();
      co_await wait;
      continue;
    }
    writing_checkpoints_ = true;
    const uint64_t covered = checkpoints_wanted_;
    auto write = WriteCheckpoints();
    Status written = co_await write;
    writing_checkpoints_ = false;
    if (written.ok()) checkpoints_saved_ = covered;
    checkpoints_written_.NotifyAll();
    if (!written.ok()) co_return written;
  }
  co_return Status();
}

reactor::Task<void> Node::SaveProgress() {
  auto each = [this](size_t i) { return parts_[i]->shard->partitions().SaveProgress(); };
  auto save = reactor::RunOnEach(environment_.reactors, each);
  co_await save;
}

reactor::Task<void> Node::ApplyRetention() {
  auto each = [this](size_t i) { return parts_[i]->shard->partitions().ApplyRetention(); };
  auto retain = reactor::RunOnEach(environment_.reactors, each);
  co_await retain;
}

namespace {

// Something to do every so often.
class Chore {
 public:
  Chore(int64_t interval_ms, int64_t now_ns, int64_t first_after_ms = INT64_MAX)
      : interval_ns_(std::clamp(interval_ms, kShortestMs, kLongestMs) * kNsPerMs),
        next_ns_(now_ns + std::min(interval_ns_, std::min(first_after_ms, kLongestMs) * kNsPerMs)) {}
  int64_t next_ns() const { return next_ns_; }
  // Whether it is due; the next time is counted from now.
  bool IsDue(int64_t now_ns) {
    if (now_ns < next_ns_) return false;
    next_ns_ = now_ns + interval_ns_;
    return true;
  }

 private:
  static constexpr int64_t kShortestMs = 100;
  static constexpr int64_t kLongestMs = 1'000'000'000'000;
  const int64_t interval_ns_;
  int64_t next_ns_;
};

}  // namespace

// Checkpoints now and then, so that the next start has little to check; retention; what nobody uses is closed.
reactor::Task<void> Node::KeepHouse() {
  const Clock& clock = environment_.clock;
  int64_t now_ns = clock.MonotonicNs();
  Chore save(config_.log_flush_offset_checkpoint_interval_ms, now_ns);
  // All files of checkpoints are written together, if they changed.
  Chore write(std::min<int64_t>({config_.log_flush_offset_checkpoint_interval_ms,
                                 config_.log_flush_start_offset_checkpoint_interval_ms,
                                 config_.replica_high_watermark_checkpoint_interval_ms}),
              now_ns);
  Chore retain(config_.log_retention_check_interval_ms, now_ns, config_.log_initial_task_delay_ms);
  while (!stopping_) {
    int64_t next_ns = std::min({save.next_ns(), write.next_ns(), retain.next_ns()});
    call_.emplace();
    auto called = call_->WaitFor(std::max<int64_t>(next_ns - clock.MonotonicNs(), kNsPerMs));
    co_await called;
    if (stopping_) break;
    ++chores_under_way_;
    now_ns = clock.MonotonicNs();
    bool saves = save.IsDue(now_ns);
    if (saves) {
      auto progress = SaveProgress();
      co_await progress;
    }
    if (write.IsDue(now_ns) || saves) {
      auto checkpoint = SaveCheckpoints();
      Status written = co_await checkpoint;
      if (!written.ok()) log_.Error("checkpoints: " + written.error().message);
    }
    if (std::exchange(retention_is_urgent_, false) || retain.IsDue(now_ns)) {
      auto retention = ApplyRetention();
      co_await retention;
    }
    --chores_under_way_;
    house_kept_.NotifyAll();
  }
}

reactor::Task<void> Node::WatchSpace() {
  if (config_.storage_min_free_bytes == 0) co_return;
  SpaceWatch watch(environment_.files, config_.log_dirs, config_.storage_min_free_bytes);
  while (!stopping_) {
    ++chores_under_way_;
    auto look = environment_.disk.Run([&watch] { return watch.Look(); });
    std::vector<SpaceWatch::Change> changes = co_await look;
    for (const SpaceWatch::Change& change : changes) TellShortage(change);
    --chores_under_way_;
    house_kept_.NotifyAll();
    reactor::Sleep sleep(1000 * kNsPerMs);
    co_await sleep;
  }
}

void Node::TellShortage(const SpaceWatch::Change& change) {
  if (change.is_short) {
    log_.Error(change.message);
    retention_is_urgent_ = true;
    if (call_) call_->TrySet();
  } else {
    log_.Info(change.message);
  }
  for (auto& part : parts_) {
    part->shard->reactor().Post([shard = part->shard.get(), change] {
      shard->partitions().RefuseRecords(change.directory, change.is_short ? change.message : std::string());
    });
  }
}

reactor::Task<Status> Node::Stop(int64_t deadline_ns) {
  stopping_ = true;
  state_.store(State::kStopping, std::memory_order_relaxed);
  auto close_door = reactor::RunOn(environment_.acceptor_reactor, [this] { acceptor_->Stop(); });
  co_await close_door;
  auto quiesce = [this, deadline_ns](size_t i) -> reactor::Task<void> {
    Part& part = *parts_[i];
    part.shard->BeginStop();
    part.scrubber->Stop();
    part.shard->groups().Stop();
    auto drain = part.connections->Drain(deadline_ns);
    co_await drain;
  };
  auto drained = reactor::RunOnEach(environment_.reactors, quiesce);
  co_await drained;

  auto fence = controller_->Stop();
  co_await fence;
  while (chores_under_way_ > 0) {  // they write the same files
    auto wait = house_kept_.Wait();
    co_await wait;
  }
  if (cleaning_ != nullptr) {
    auto stop = cleaning_->Stop();
    co_await stop;
  }
  auto close = [this](size_t i) { return parts_[i]->shard->partitions().CloseAll(); };
  auto closing = reactor::RunOnEach(environment_.reactors, close);
  PoolVector<Status> closed = co_await closing;
  auto checkpoint = SaveCheckpoints();
  Status written = co_await checkpoint;
  for (const Status& status : closed) {
    if (!status.ok()) co_return status;
  }
  if (!written.ok()) co_return written;
  auto mark = environment_.disk.Run([this]() -> Status {
    KB_RETURN_IF_ERROR(directories_->MarkClean(controller_->broker_epoch()));
    locks_.clear();
    for (const std::string& path : config_.log_dirs) {
      KB_RETURN_IF_ERROR(log::RemoveLockFile(environment_.files, path));
    }
    return Status();
  });
  Status marked = co_await mark;
  co_return marked;
}

}  // namespace kb::server

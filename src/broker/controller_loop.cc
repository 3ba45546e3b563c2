#include "broker/controller_loop.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/shortage.h"
#include "broker/config_view.h"
#include "config/broker_change.h"
#include "coordinator/group_coordinator.h"
#include "metadata/topic_name.h"

namespace kb::broker {

using controller::Controller;

ControllerLoop::ControllerLoop(const Environment& environment, std::unique_ptr<Controller> controller,
                               std::unique_ptr<controller::MetadataLog> log)
    : environment_(environment), controller_(std::move(controller)), log_(std::move(log)) {
  applied_ = controller_->published()->provenance().last_offset;
}

ControllerLoop::~ControllerLoop() = default;

reactor::Task<bool> ControllerLoop::WaitApplied(Offset offset) {
  Kick();
  if (offset <= applied_) co_return true;
  reactor::Completion<bool> done;
  waiters_.push_back({offset, &done});
  auto wait = done.Wait();
  bool is_written = co_await wait;
  co_return is_written;
}

void ControllerLoop::AnswerApplied() {
  auto waits = std::stable_partition(waiters_.begin(), waiters_.end(),
                                     [this](const Waiter& waiter) { return waiter.offset <= applied_; });
  for (auto waiter = waiters_.begin(); waiter != waits; ++waiter) waiter->done->Set(true);
  waiters_.erase(waiters_.begin(), waits);
  progress_.NotifyAll();
}

void ControllerLoop::Refuse(const Error& shortage) {
  if (!std::exchange(is_short_of_room_, true)) {
    environment_.log.Error("changes of the metadata are refused until there is room: " + shortage.message);
  }
  controller_->Abandon();
  for (const Waiter& waiter : std::exchange(waiters_, {})) waiter.done->Set(false);
  progress_.NotifyAll();
}

void ControllerLoop::Kick() {
  if (writing_ || !controller_->has_pending()) return;
  writing_ = true;
  environment_.reactor.Spawn(WriteLoop());
}

reactor::Task<void> ControllerLoop::WriteLoop() {
  while (std::optional<Controller::Append> append = controller_->TakeAppend()) {
    auto run = environment_.disk.Run([this, &append] { return log_->Append(append->base_offset, append->batch); });
    Status written = co_await run;
    if (!written.ok() && IsShortage(written.error())) {
      Refuse(written.error());
      continue;
    }
    if (!written.ok()) {
      environment_.on_fatal(written.error());
      co_return;  // writing_ stays: nothing is decided any more
    }
    if (std::exchange(is_short_of_room_, false)) environment_.log.Info("the metadata log has room again");
    Controller::Committed committed = controller_->Commit();
    Offset last = committed.last_offset;
    auto apply = Apply(std::move(committed));
    co_await apply;
    applied_ = last;
    AnswerApplied();
    if (metadata::ImagePtr due = controller_->TakeSnapshotDue(); due != nullptr && !snapshotting_) {
      auto snapshot = WriteSnapshot(std::move(due));
      co_await snapshot;
    }
  }
  writing_ = false;
  progress_.NotifyAll();
}

reactor::Task<void> ControllerLoop::WriteSnapshot(metadata::ImagePtr image) {
  snapshotting_ = true;
  int64_t now_ms = environment_.cluster.clock->WallMs();
  auto run = environment_.disk.Run([this, &image, now_ms] {
    Status written = log_->WriteSnapshot(*image, controller_->quorum(), now_ms);
    if (!written.ok()) return written;
    return log_->RemoveOld();
  });
  Status written = co_await run;
  // The log itself is whole; the next growth tries again.
  if (!written.ok()) environment_.log.Error("metadata snapshot: " + written.error().message);
  snapshotting_ = false;
}

namespace {

// Names of topics that consumer groups are to look at again: created, deleted, with more partitions or other replicas.
std::vector<std::string> ChangedTopics(const metadata::MetadataImage& image, const metadata::ImageChanges& changes) {
  std::set<std::string> names;
  for (const auto& topic : changes.deleted_topics) names.insert(topic.name);
  auto add = [&](const Uuid& id) {
    if (const metadata::Topic* topic = image.FindTopic(id)) names.insert(topic->name());
  };
  for (const Uuid& id : changes.created_topics) add(id);
  for (const PartitionId& id : changes.created_partitions) add(id.topic_id);
  for (const PartitionId& id : changes.changed_partitions) add(id.topic_id);
  return {names.begin(), names.end()};
}

}  // namespace

bool ControllerLoop::NamesBrokers(const metadata::ImageChanges& changes) {
  return std::any_of(changes.changed_configs.begin(), changes.changed_configs.end(),
                     [](const auto& resource) { return resource.type == metadata::ConfigResourceType::kBroker; });
}

void ControllerLoop::TellWithoutEffect(const metadata::MetadataImage& before, const metadata::MetadataImage& after) {
  const config::Layers was = environment_.cluster.configs->LayersOf(before);
  const config::Layers is = environment_.cluster.configs->LayersOf(after);
  std::vector<std::string> keys = config::ChangedWithoutEffect(was.broker, is.broker);
  for (std::string& key : config::ChangedWithoutEffect(was.cluster, is.cluster)) keys.push_back(std::move(key));
  if (keys.empty()) return;
  std::string line = "Configuration keys that were changed at run time and have no effect here:";
  for (const std::string& key : keys) line += (&key == keys.data() ? " " : ", ") + key;
  environment_.log.Warning(line);
}

// The order: what is gone makes room (a topic of the same name may come right behind), what is new is opened, and only
// then do clients hear of it.
reactor::Task<void> ControllerLoop::Apply(Controller::Committed committed) {
  const metadata::ImageChanges& changes = committed.changes;
  if (!changes.deleted_topics.empty()) {
    auto remove = DeletePartitions(changes);
    co_await remove;
    // What the files say of them would be believed of later topics of the same names.
    auto save = environment_.cluster.save_checkpoints();
    Status saved = co_await save;
    if (!saved.ok()) environment_.log.Error("checkpoints: " + saved.error().message);
  }
  if (!changes.created_partitions.empty()) {
    const bool until_open = changes.created_partitions.size() <= kMostAwaited;
    auto open = OpenPartitions(*committed.new_image, changes.created_partitions, until_open);
    co_await open;
  }
  if (!changes.changed_partitions.empty() || !changes.changed_configs.empty()) {
    auto update = UpdatePartitions(*committed.new_image, changes);
    co_await update;
  }
  if (committed.new_image == nullptr) co_return;
  if (changes.quotas_changed) {
    auto load = environment_.cluster.load_connection_rates(*committed.new_image);
    co_await load;
  }
  auto deleted = std::make_shared<std::vector<group::DeletedTopic>>();
  for (const auto& topic : changes.deleted_topics) deleted->push_back({topic.name, topic.id});
  auto changed = std::make_shared<std::vector<std::string>>(ChangedTopics(*committed.new_image, changes));
  const bool any_created = !changes.created_topics.empty();
  const bool quotas_changed = changes.quotas_changed;
  auto on_swap = [this, deleted, changed, any_created, quotas_changed](
                     reactor::Reactor& reactor, const metadata::MetadataImage&, const metadata::MetadataImage& image) {
    Shard& shard = *environment_.cluster.shards[static_cast<size_t>(reactor.index())];
    if (quotas_changed) shard.LoadQuotas(image);
    coordinator::GroupCoordinator& groups = shard.groups();
    if (!changed->empty()) groups.TopicsChanged(*changed, any_created);
    if (!deleted->empty()) groups.TopicsDeleted(*deleted);
  };
  auto publish = environment_.cluster.images->Publish(committed.new_image, on_swap);
  co_await publish;
  if (!NamesBrokers(changes)) co_return;
  TellWithoutEffect(*committed.old_image, *committed.new_image);
  auto apply = environment_.cluster.apply_configs(committed.new_image);
  co_await apply;
}

namespace {

// Work for several shards: one vector of T for each.
template <typename T>
struct PerShard {
  std::vector<std::vector<T>> work;
  explicit PerShard(size_t shards) : work(shards) {}
  std::vector<T>& Of(const PartitionId& id) { return work[partition::HomeOf(id, work.size())]; }
};

std::vector<reactor::Reactor*> ReactorsOf(const Cluster& cluster) {
  std::vector<reactor::Reactor*> reactors;
  for (Shard* shard : cluster.shards) reactors.push_back(&shard->reactor());
  return reactors;
}

partition::Leadership LeadershipOf(const metadata::Partition& partition) {
  return {partition.leader, partition.leader_epoch, static_cast<int32_t>(partition.replicas.size()),
          static_cast<int32_t>(partition.isr.size())};
}

}  // namespace

reactor::Task<void> ControllerLoop::DeletePartitions(const metadata::ImageChanges& changes) {
  PerShard<PartitionId> work(environment_.cluster.shards.size());
  for (const auto& topic : changes.deleted_topics) {
    for (int32_t index = 0; index < topic.partition_count; ++index) {
      PartitionId id{topic.id, index};
      work.Of(id).push_back(id);
      environment_.directories.Forget({topic.name, index});
    }
  }
  int64_t delay_ms = environment_.cluster.configs->FileDeleteDelayMsOf(environment_.cluster.images->Get());
  auto each = [&](size_t i) -> reactor::Task<void> {
    partition::PartitionTable& table = environment_.cluster.shards[i]->partitions();
    for (const PartitionId& id : work.work[i]) {
      environment_.cluster.shards[i]->groups().PartitionGone(id);
      auto remove = table.Delete(id, delay_ms);
      (void)co_await remove;  // it says so itself
      // It may have come back into service before that, at the end of its way to another directory.
      environment_.cluster.shards[i]->groups().PartitionGone(id);
    }
  };
  auto all = reactor::RunOnEach(ReactorsOf(environment_.cluster), each);
  co_await all;
}

partition::OpenRequest ControllerLoop::OpenRequestFor(const metadata::MetadataImage& image,
                                                      const metadata::Topic& topic, int32_t index,
                                                      std::optional<partition::PartitionConfig>& defaults) {
  const metadata::Partition& partition = *topic.FindPartition(index);
  partition::OpenRequest request;
  request.id = {topic.id(), index};
  request.name = {topic.name(), index};
  const bool has_defaults = image.ConfigsOfTopic(topic.name()).empty();
  if (has_defaults && defaults) {
    request.config = *defaults;
  } else {
    request.config = environment_.cluster.configs->PartitionConfigOf(image, topic.name());
    if (has_defaults) defaults = request.config;
  }
  request.leadership = LeadershipOf(partition);
  environment_.directories.PlaceReplica(partition.DirectoryOf(controller_->node_id()), request);
  return request;
}

// Partitions that are being opened; of each vector one part for each shard, which nobody else touches until it is done.
struct ControllerLoop::Opening {
  explicit Opening(size_t shards) : work(shards), short_of_room(shards), left(shards) {}
  PerShard<partition::OpenRequest> work;
  PerShard<PartitionId> short_of_room;
  size_t left;  // shards that are not done
};

reactor::Task<void> ControllerLoop::OpenPartitions(const metadata::MetadataImage& image,
                                                   const std::vector<PartitionId>& ids, bool until_open) {
  auto opening = std::make_shared<Opening>(environment_.cluster.shards.size());
  std::vector<std::pair<PartitionId, Uuid>> elsewhere;  // than the metadata says
  std::optional<partition::PartitionConfig> defaults;
  for (const PartitionId& id : ids) {
    const metadata::Topic* topic = image.FindTopic(id.topic_id);
    if (topic == nullptr || !topic->FindPartition(id.partition)->HasReplica(controller_->node_id())) continue;
    opening->work.Of(id).push_back(OpenRequestFor(image, *topic, id.partition, defaults));
    const Uuid& directory = environment_.directories.DirectoryOf({topic->name(), id.partition});
    const Uuid recorded = topic->FindPartition(id.partition)->DirectoryOf(controller_->node_id());
    if (directory != kUnassignedDirectory && directory != recorded) elsewhere.push_back({id, directory});
  }
  // The next write takes it; nobody waits for it.
  if (!elsewhere.empty()) controller_->AssignDirectories(elsewhere);
  ++openings_;
  auto begin = [&](size_t i) { environment_.cluster.shards[i]->reactor().Spawn(OpenOn(i, opening)); };
  auto begun = reactor::RunOnEach(ReactorsOf(environment_.cluster), begin);
  co_await begun;
  while (until_open && opening->left > 0) {
    auto wait = progress_.Wait();
    co_await wait;
  }
}

// On the shard's reactor. All are known there before this waits for the first time.
reactor::Task<void> ControllerLoop::OpenOn(size_t i, std::shared_ptr<Opening> opening) {
  Shard& shard = *environment_.cluster.shards[i];
  auto open_one = [&](const partition::OpenRequest& request) -> reactor::Task<void> {
    auto open = shard.partitions().Open(request);
    Status opened = co_await open;
    if (!opened.ok() && IsShortage(opened.error())) opening->short_of_room.work[i].push_back(request.id);
    if (request.name.topic != metadata::kConsumerOffsetsTopicName) co_return;
    if (shard.partitions().Find(request.id) != nullptr) shard.groups().PartitionLed(request.id);
  };
  std::vector<reactor::Task<void>> tasks;
  for (const partition::OpenRequest& request : opening->work.work[i]) {
    tasks.push_back(open_one(request));
    tasks.back().Start();
  }
  for (reactor::Task<void>& task : tasks) co_await task;
  environment_.reactor.Post([this, opening] { OpenedOne(*opening); });
}

void ControllerLoop::OpenedOne(Opening& opening) {
  if (--opening.left > 0) return;
  --openings_;
  std::vector<PartitionId> again;
  for (const auto& failed : opening.short_of_room.work) again.insert(again.end(), failed.begin(), failed.end());
  if (!again.empty()) environment_.reactor.Spawn(OpenLater(std::move(again)));
  progress_.NotifyAll();
}

// What could not be opened for lack of room, or of descriptors, is not given up.
reactor::Task<void> ControllerLoop::OpenLater(std::vector<PartitionId> ids) {
  constexpr int64_t kDelayNs = 5'000'000'000;
  reactor::Sleep sleep(kDelayNs);
  co_await sleep;
  while (writing_) {  // a change that is being applied might delete them
    auto wait = progress_.Wait();
    co_await wait;
  }
  if (controller_->stopped()) co_return;
  writing_ = true;
  metadata::ImagePtr image = controller_->published();
  auto open = OpenPartitions(*image, ids, /*until_open=*/true);
  co_await open;
  writing_ = false;
  progress_.NotifyAll();
  Kick();
}

reactor::Task<void> ControllerLoop::UpdatePartitions(const metadata::MetadataImage& image,
                                                     const metadata::ImageChanges& changes) {
  struct Update {
    PartitionId id;
    partition::Leadership leadership;
    partition::PartitionConfig config;
  };
  PerShard<Update> work(environment_.cluster.shards.size());
  auto add = [&](const metadata::Topic& topic, int32_t index) {
    PartitionId id{topic.id(), index};
    work.Of(id).push_back({id, LeadershipOf(*topic.FindPartition(index)),
                           environment_.cluster.configs->PartitionConfigOf(image, topic.name())});
  };
  auto add_topic = [&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const metadata::Partition&) { add(topic, index); });
  };
  for (const PartitionId& id : changes.changed_partitions) {
    if (const metadata::Topic* topic = image.FindTopic(id.topic_id)) add(*topic, id.partition);
  }
  for (const metadata::ConfigResource& resource : changes.changed_configs) {
    if (resource.type == metadata::ConfigResourceType::kTopic) {
      if (const metadata::Topic* topic = image.FindTopic(resource.name)) add_topic(*topic);
    } else if (resource.type == metadata::ConfigResourceType::kBroker) {
      image.ForEachTopic(add_topic);
    }
  }
  auto each = [&](size_t i) {
    for (const Update& update : work.work[i]) {
      environment_.cluster.shards[i]->partitions().Update(update.id, update.leadership, update.config);
    }
  };
  auto all = reactor::RunOnEach(ReactorsOf(environment_.cluster), each);
  co_await all;
}

reactor::Task<void> ControllerLoop::OpenAll() {
  std::vector<PartitionId> ids;
  metadata::ImagePtr image = controller_->published();
  image->ForEachTopic([&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const metadata::Partition&) { ids.push_back({topic.id(), index}); });
  });
  auto open = OpenPartitions(*image, ids, /*until_open=*/true);
  co_await open;
  auto resume = ResumeMoves();
  co_await resume;
  Kick();
}

reactor::Task<bool> ControllerLoop::AssignDirectories(std::vector<std::pair<PartitionId, Uuid>> places) {
  if (controller_->stopped()) co_return false;
  auto wait = WaitApplied(controller_->AssignDirectories(places));
  bool is_written = co_await wait;
  co_return is_written;
}

void ControllerLoop::CordonDirectories(const std::vector<Uuid>& directories) {
  controller_->CordonDirectories(directories);
}

// What was on its way to another data directory when the node went down.
reactor::Task<void> ControllerLoop::ResumeMoves() {
  for (partition::DataDirectories::Future& future : environment_.directories.TakeFutures()) {
    const metadata::Topic* topic = controller_->published()->FindTopic(future.name.topic);
    if (topic == nullptr) continue;
    partition::MoveRequest request{{topic->id(), future.name.partition}, future.path, future.directory_name};
    Shard& home = *environment_.cluster.shards[partition::HomeOf(request.id, environment_.cluster.shards.size())];
    auto move = reactor::RunOn(home.reactor(), [&home, &request] { return home.partitions().Move(request); });
    (void)co_await move;  // it says so itself
  }
}

reactor::Task<void> ControllerLoop::AutoCreate(std::vector<std::string> names) {
  for (const std::string& name : names) {
    auto create = EnsureTopic(name, -1, -1, {});
    ErrorCode error = co_await create;
    if (error != ErrorCode::kNone && error != ErrorCode::kTopicAlreadyExists) {
      environment_.log.Warning("topic " + name +
                               " was asked for and cannot be created: " + std::string(ErrorName(error)));
    }
  }
}

reactor::Task<ErrorCode> ControllerLoop::EnsureTopic(std::string name, int32_t partitions, int16_t replication_factor,
                                                     std::map<std::string, std::string> configs) {
  auto in_service = [this, &name] { return environment_.cluster.images->Get().FindTopic(name) != nullptr; };
  if (in_service()) co_return ErrorCode::kNone;
  while (being_created_.contains(name)) {
    auto wait = progress_.Wait();
    co_await wait;
    if (in_service()) co_return ErrorCode::kNone;
  }
  being_created_[name] = 1;
  Arena arena;
  message::CreateTopicsRequest request;
  auto& topic = request.topics.Add(arena);
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = replication_factor;
  for (const auto& [key, value] : configs) {
    auto& config = topic.configs.Add(arena);
    config.name = key;
    config.value = value;
  }
  controller::Decided<message::CreateTopicsResponse> decided = controller_->CreateTopics(request, 4, arena);
  auto wait = WaitApplied(decided.answer_after);
  bool is_written = co_await wait;
  if (!is_written) controller::RefuseAll(kRefusal, kRefusalMessage, decided.response);
  being_created_.erase(name);
  progress_.NotifyAll();
  co_return static_cast<ErrorCode>(decided.response.topics[0].error_code);
}

reactor::Task<void> ControllerLoop::Stop() {
  controller_->Stop();
  Kick();
  while (writing_ || openings_ > 0 || controller_->has_pending()) {
    auto wait = progress_.Wait();
    co_await wait;
    if (!writing_) Kick();
  }
}

}  // namespace kb::broker

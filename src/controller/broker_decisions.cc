#include "controller/broker_decisions.h"

#include <algorithm>

#include "base/arena.h"
#include "controller/partition_change.h"
#include "controller/wire_lists.h"
#include "message/begin_transaction_record.h"
#include "message/broker_registration_change_record.h"
#include "message/config_record.h"
#include "message/end_transaction_record.h"
#include "message/feature_level_record.h"
#include "message/producer_ids_record.h"
#include "message/register_broker_record.h"
#include "message/register_controller_record.h"
#include "message/unregister_broker_record.h"
#include "metadata/builder.h"

namespace kb::controller {
namespace {

using metadata::BrokerIds;
using metadata::MetadataImage;
using metadata::Partition;
using metadata::RecordList;
using metadata::RecordVersions;

constexpr int16_t kTransactionsSince = 14;  // metadata.version 3.6-IV2: Begin and EndTransaction may be written
constexpr std::string_view kMinInSyncReplicas = "min.insync.replicas";

bool Contains(const BrokerIds& ids, BrokerId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }
BrokerIds Without(BrokerIds ids, BrokerId id) {
  std::erase(ids, id);
  return ids;
}

RecordVersions VersionsOf(const MetadataImage& image) { return metadata::RecordVersionsFor(image.metadata_version()); }

// Which versions of each feature this broker can work with.
template <typename Record>
void PutFeatures(Arena& arena, Record& record) {
  for (const metadata::Feature& feature : metadata::SupportedFeatures()) {
    auto& to = record.features.Add(arena);
    to.name = feature.name;
    to.min_supported_version = feature.min_level;
    to.max_supported_version = feature.max_level;
  }
}

// The image that bootstrap records lead to; they were read and checked before.
metadata::ImagePtr ImageOf(const RecordList& records) {
  metadata::ImageBuilder builder(std::make_shared<const MetadataImage>());
  for (size_t i = 0; i < records.size(); ++i) {
    Status replayed = builder.Replay(records[i], {Offset(static_cast<int64_t>(i)), LeaderEpoch(0)});
    KB_CHECK(replayed.ok());
  }
  return builder.Publish().image;
}

// Whether this replica has, or had last, every committed record. With a single replica nobody else can have more.
bool WasLastLeader(const Partition& partition, BrokerId broker) {
  if (!partition.isr.empty() || !partition.eligible_leader_replicas.empty()) return false;
  if (!partition.last_known_elr.empty()) return partition.last_known_elr == BrokerIds{broker};
  return partition.replicas == BrokerIds{broker};
}

void ElectIfPossible(const MetadataImage& image, const metadata::Topic& topic, int32_t index,
                     const Partition& partition, BrokerId broker, bool led_before, RecordList& records) {
  PartitionChange change(image, topic.id(), index);
  if (partition.leader == broker) {
    // An earlier run led under this epoch, and what it wrote last may be gone.
    if (led_before) change.Leader(broker).AddTo(records);
    return;
  }
  if (partition.leader != kNoBroker) return;
  if (Contains(partition.isr, broker)) {
    change.Leader(broker).AddTo(records);
  } else if (Contains(partition.eligible_leader_replicas, broker)) {
    change.Isr({broker}).Leader(broker).Eligible(Without(partition.eligible_leader_replicas, broker));
    change.LastKnownEligible({}).AddTo(records);
  } else if (WasLastLeader(partition, broker)) {
    if (partition.replicas.size() > 1) change.RecoveryState(metadata::LeaderRecoveryState::kRecovering);
    change.Isr({broker}).Leader(broker);
    if (!partition.last_known_elr.empty()) change.Eligible({}).LastKnownEligible({});
    change.AddTo(records);
  }
}

// Who leads when the broker leaves: the first of the assignment that is in sync and there.
BrokerId Successor(const MetadataImage& image, const Partition& partition, BrokerId leaving) {
  for (BrokerId replica : partition.replicas) {
    if (replica != leaving && Contains(partition.isr, replica) && image.IsUsable(replica)) return replica;
  }
  return kNoBroker;
}

void StepDown(const MetadataImage& image, const metadata::Topic& topic, int32_t index, const Partition& partition,
              BrokerId broker, RecordList& records) {
  PartitionChange change(image, topic.id(), index);
  BrokerId successor = Successor(image, partition, broker);
  if (successor != kNoBroker) {
    change.Isr(Without(partition.isr, broker));
    if (partition.leader == broker) change.Leader(successor);
    change.AddTo(records);
    return;
  }
  if (partition.leader != broker) return;
  change.Leader(kNoBroker);
  if (image.eligible_leader_replicas_enabled() && partition.isr == BrokerIds{broker}) {
    BrokerIds eligible = Without(partition.eligible_leader_replicas, broker);
    eligible.push_back(broker);
    change.Isr({}).Eligible(eligible).LastKnownEligible({broker});
  }
  change.AddTo(records);
}

template <typename Fill>
void AddRegistrationChange(const MetadataImage& image, BrokerId broker, int16_t version, const Fill& fill,
                           RecordList& records) {
  const metadata::BrokerRegistration* registration = image.FindBroker(broker);
  KB_CHECK(registration != nullptr);
  message::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.value();
  record.broker_epoch = registration->epoch.value();
  fill(record);
  records.Add(record, version);
}

void AddFenced(const MetadataImage& image, BrokerId broker, int8_t fenced, RecordList& records) {
  AddRegistrationChange(image, broker, 0, [&](auto& record) { record.fenced = fenced; }, records);
}

}  // namespace

RecordList DefaultBootstrap() {
  RecordList records;
  for (const metadata::Feature& feature : metadata::SupportedFeatures()) {
    int16_t level = FormatLevel(feature, metadata::kLatestMetadataVersion);
    if (level == 0) continue;
    message::FeatureLevelRecord record;
    record.name = feature.name;
    record.feature_level = level;
    records.Add(record);
  }
  return records;
}

void DecideBootstrap(const RecordList& bootstrap, int min_insync_replicas, RecordList& records) {
  metadata::ImagePtr image = ImageOf(bootstrap);
  bool in_transaction = image->metadata_version() >= kTransactionsSince;
  if (in_transaction) {
    message::BeginTransactionRecord begin;
    begin.name = "Bootstrap records";
    records.Add(begin);
  }
  records.Append(bootstrap);
  // With ELR the minimum must be known to the controller for every topic, so it becomes a dynamic default.
  if (image->eligible_leader_replicas_enabled()) {
    std::string value = std::to_string(min_insync_replicas);
    message::ConfigRecord config;
    config.resource_type = static_cast<int8_t>(metadata::ConfigResourceType::kBroker);
    config.name = kMinInSyncReplicas;
    config.value = value;
    records.Add(config);
  }
  if (in_transaction) records.Add(message::EndTransactionRecord());
}

void DecideRegisterController(const MetadataImage& image, const NodeIdentity& node, RecordList& records) {
  if (!VersionsOf(image).register_controller) return;
  Arena arena;
  message::RegisterControllerRecord record;
  record.controller_id = node.node_id.value();
  record.incarnation_id = node.incarnation_id;
  PutEndpoints(arena, node.controller_endpoints, record);
  PutFeatures(arena, record);
  records.Add(record);
}

void DecideRegisterBroker(const MetadataImage& image, const NodeIdentity& node, Offset offset, RecordList& records) {
  RecordVersions versions = VersionsOf(image);
  Arena arena;
  message::RegisterBrokerRecord record;
  record.broker_id = node.node_id.value();
  record.incarnation_id = node.incarnation_id;
  record.broker_epoch = offset.value();
  PutEndpoints(arena, node.broker_endpoints, record);
  PutFeatures(arena, record);
  record.rack = std::nullopt;
  if (node.rack) record.rack = *node.rack;
  record.fenced = true;
  if (versions.register_broker >= 3) {
    std::vector<Uuid> sorted = node.directories;
    std::sort(sorted.begin(), sorted.end());
    record.log_dirs = ToWire(arena, sorted);
  }
  records.Add(record, versions.register_broker);
}

void DecideUnfence(const MetadataImage& image, BrokerId broker, bool led_before, RecordList& records) {
  if (VersionsOf(image).broker_registration_change_most >= 3) {
    auto no_cordoned = [](auto& record) { record.cordoned_log_dirs = protocol::Array<Uuid>(); };
    AddRegistrationChange(image, broker, 3, no_cordoned, records);
  }
  AddFenced(image, broker, -1, records);
  image.ForEachTopic([&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const Partition& partition) {
      if (!partition.HasReplica(broker)) return;
      ElectIfPossible(image, topic, index, partition, broker, led_before, records);
    });
  });
}

void DecideControlledShutdown(const MetadataImage& image, BrokerId broker, RecordList& records) {
  RecordList changes;
  image.ForEachTopic([&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const Partition& partition) {
      if (partition.leader != broker && !Contains(partition.isr, broker)) return;
      StepDown(image, topic, index, partition, broker, changes);
    });
  });
  if (changes.empty()) return;
  AddRegistrationChange(image, broker, 1, [](auto& record) { record.in_controlled_shutdown = 1; }, records);
  records.Append(changes);
}

void DecideFence(const MetadataImage& image, BrokerId broker, RecordList& records) {
  AddFenced(image, broker, 1, records);
}

Refusal DecideUnregister(const MetadataImage& image, BrokerId node, BrokerId broker, RecordList& records) {
  const metadata::BrokerRegistration* registration = image.FindBroker(broker);
  const std::string name = "broker " + std::to_string(broker.value());
  if (registration == nullptr) return {ErrorCode::kBrokerIdNotRegistered, name + " is not registered"};
  // Apache Kafka does it, and the broker stays without a partition until it is started again.
  if (broker == node) return {ErrorCode::kInvalidRequest, name + " is running: it answers this request"};
  image.ForEachTopic([&](const metadata::Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const Partition& partition) {
      if (partition.leader == broker || Contains(partition.isr, broker)) {
        StepDown(image, topic, index, partition, broker, records);
      }
    });
  });
  message::UnregisterBrokerRecord record;
  record.broker_id = broker.value();
  record.broker_epoch = registration->epoch.value();
  records.Add(record, 0);
  return {};
}

void DecideAssignDirectories(const MetadataImage& image, BrokerId broker,
                             const std::vector<std::pair<PartitionId, Uuid>>& places, RecordList& records) {
  if (!VersionsOf(image).directories) return;
  for (const auto& [id, directory] : places) {
    const Partition* partition = image.FindPartition(id);
    if (partition == nullptr || !partition->HasReplica(broker) || partition->DirectoryOf(broker) == directory) continue;
    std::vector<Uuid> directories = partition->directories;
    for (size_t i = 0; i < directories.size(); ++i) {
      if (partition->replicas[i] == broker) directories[i] = directory;
    }
    PartitionChange(image, id.topic_id, id.partition).Directories(directories).AddTo(records);
  }
}

void DecideCordon(const MetadataImage& image, BrokerId broker, std::vector<Uuid> directories, RecordList& records) {
  const metadata::BrokerRegistration* registration = image.FindBroker(broker);
  if (registration == nullptr || VersionsOf(image).broker_registration_change_most < 3) return;
  std::vector<Uuid> present = registration->cordoned_directories.value_or(std::vector<Uuid>());
  std::sort(present.begin(), present.end());
  std::sort(directories.begin(), directories.end());
  if (present == directories) return;
  Arena arena;
  auto cordoned = [&](auto& record) { record.cordoned_log_dirs = ToWire(arena, directories); };
  AddRegistrationChange(image, broker, 3, cordoned, records);
}

ProducerIdBlock DecideProducerIdBlock(const MetadataImage& image, BrokerId broker, BrokerEpoch broker_epoch,
                                      RecordList& records) {
  const metadata::BrokerRegistration* registration = image.FindBroker(broker);
  if (registration == nullptr || registration->epoch != broker_epoch) return {.error = ErrorCode::kStaleBrokerEpoch};
  ProducerId first = image.producer_ids().next;
  if (first.value() > INT64_MAX - kProducerIdBlockSize) return {.error = ErrorCode::kUnknownServerError};
  message::ProducerIdsRecord record;
  record.broker_id = broker.value();
  record.broker_epoch = broker_epoch.value();
  record.next_producer_id = first.value() + kProducerIdBlockSize;
  records.Add(record);
  return {ErrorCode::kNone, first, kProducerIdBlockSize};
}

}  // namespace kb::controller

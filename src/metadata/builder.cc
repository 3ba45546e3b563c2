#include "metadata/builder.h"

#include <algorithm>
#include <unordered_set>

#include "message/abort_transaction_record.h"
#include "message/access_control_entry_record.h"
#include "message/begin_transaction_record.h"
#include "message/broker_registration_change_record.h"
#include "message/clear_elr_record.h"
#include "message/client_quota_record.h"
#include "message/config_record.h"
#include "message/delegation_token_record.h"
#include "message/end_transaction_record.h"
#include "message/feature_level_record.h"
#include "message/fence_broker_record.h"
#include "message/no_op_record.h"
#include "message/partition_change_record.h"
#include "message/partition_record.h"
#include "message/producer_ids_record.h"
#include "message/register_broker_record.h"
#include "message/register_controller_record.h"
#include "message/remove_access_control_entry_record.h"
#include "message/remove_delegation_token_record.h"
#include "message/remove_topic_record.h"
#include "message/remove_user_scram_credential_record.h"
#include "message/topic_record.h"
#include "message/unfence_broker_record.h"
#include "message/unregister_broker_record.h"
#include "message/user_scram_credential_record.h"
#include "message/zk_migration_state_record.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/topic_name.h"
#include "protocol/reader.h"

namespace kb::metadata {
namespace {

Error Damaged(std::string what) { return Error{ErrorKind::kCorrupt, std::move(what)}; }

BrokerIds ToIds(const protocol::Array<int32_t>& ids) {
  BrokerIds list;
  list.reserve(ids.size());
  for (int32_t id : ids) list.push_back(BrokerId(id));
  return list;
}

std::vector<Uuid> ToUuids(const protocol::Array<Uuid>& ids) { return {ids.begin(), ids.end()}; }

template <typename Wire>
std::vector<Endpoint> ToEndpoints(const Wire& endpoints) {
  std::vector<Endpoint> list;
  for (const auto& endpoint : endpoints) {
    list.push_back({std::string(endpoint.name), std::string(endpoint.host), endpoint.port, endpoint.security_protocol});
  }
  return list;
}

template <typename Wire>
std::vector<FeatureSupport> ToFeatures(const Wire& features) {
  std::vector<FeatureSupport> list;
  for (const auto& feature : features) {
    list.push_back({std::string(feature.name), feature.min_supported_version, feature.max_supported_version});
  }
  return list;
}

QuotaEntity ToEntity(const protocol::Array<message::ClientQuotaRecord::EntityData>& entity) {
  QuotaEntity key;
  for (const auto& part : entity) {
    std::optional<std::string> name;
    if (part.entity_name) name = std::string(*part.entity_name);
    key.emplace(part.entity_type, std::move(name));
  }
  return key;
}

std::string ToBytes(ByteView bytes) { return std::string(AsText(bytes)); }

template <typename Record>
std::string NameOf(const Record& partition) {
  return "partition " + std::to_string(partition.partition_id) + " of topic id " + partition.topic_id.ToString();
}

bool HasCollisionCharacter(std::string_view name) { return name.find_first_of("._") != std::string_view::npos; }

// Replicas keep their directories when the list of replicas changes without saying new ones.
std::vector<Uuid> CarryDirectories(const Partition& old, const BrokerIds& replicas) {
  std::vector<Uuid> directories;
  for (BrokerId replica : replicas) directories.push_back(old.DirectoryOf(replica));
  return directories;
}

void Merge(const message::PartitionChangeRecord& change, Partition& partition) {
  if (!change.replicas.is_null()) {
    BrokerIds replicas = ToIds(change.replicas);
    partition.directories = CarryDirectories(partition, replicas);
    partition.replicas = std::move(replicas);
  }
  if (!change.directories.is_null()) partition.directories = ToUuids(change.directories);
  if (!change.isr.is_null()) partition.isr = ToIds(change.isr);
  if (!change.removing_replicas.is_null()) partition.removing_replicas = ToIds(change.removing_replicas);
  if (!change.adding_replicas.is_null()) partition.adding_replicas = ToIds(change.adding_replicas);
  if (!change.eligible_leader_replicas.is_null()) {
    partition.eligible_leader_replicas = ToIds(change.eligible_leader_replicas);
  }
  if (!change.last_known_elr.is_null()) partition.last_known_elr = ToIds(change.last_known_elr);
  if (change.leader_recovery_state != -1) {
    partition.leader_recovery_state = static_cast<LeaderRecoveryState>(change.leader_recovery_state);
  }
  if (change.leader != -2) {  // naming a leader, even the same one, begins a new leader epoch
    partition.leader = BrokerId(change.leader);
    ++partition.leader_epoch;
  }
  ++partition.partition_epoch;
}

}  // namespace

bool ImageChanges::any() const {
  return !created_topics.empty() || !deleted_topics.empty() || !created_partitions.empty() ||
         !changed_partitions.empty() || !changed_configs.empty() || brokers_changed || controllers_changed ||
         features_changed || producer_ids_changed || scram_changed || quotas_changed || acls_changed || tokens_changed;
}

// In the order in which the records came, each once.
struct ImageBuilder::Touched {
  template <typename Key, typename Hash = std::hash<Key>>
  struct Once {
    std::vector<Key> list;
    std::unordered_set<Key, Hash> seen;
    void Add(const Key& key) {
      if (seen.insert(key).second) list.push_back(key);
    }
  };
  Once<Uuid> topics;
  Once<PartitionId> partitions;
  Once<ConfigResource, ConfigResourceHash> configs;
  bool brokers = false, controllers = false, features = false, producer_ids = false;
  bool scram = false, quotas = false, acls = false, tokens = false;
};

// One overload per record type. Each checks first and changes the draft afterwards.
struct Applier {
  MetadataImage& draft;
  ImageBuilder::Touched& touched;
  const Edition edition;

  // --- Topics.

  Topic* OwnTopic(const Uuid& id) {
    const std::shared_ptr<Topic>* found = draft.topics_by_id_.Find(id);
    if (found == nullptr) return nullptr;
    if ((*found)->edition() == edition) return found->get();
    auto own = std::make_shared<Topic>(**found);
    own->set_edition(edition);
    Topic* topic = own.get();
    draft.topics_by_id_.Set(edition, id, std::move(own));
    return topic;
  }

  Status Apply(const message::TopicRecord& record) {
    std::string name(record.name);
    if (draft.FindTopic(record.topic_id) != nullptr || draft.FindTopic(name) != nullptr) {
      return Damaged("topic " + name + " with id " + record.topic_id.ToString() + " is created a second time");
    }
    auto topic = std::make_shared<Topic>(name, record.topic_id);
    topic->set_edition(edition);
    draft.topics_by_id_.Set(edition, record.topic_id, std::move(topic));
    draft.topic_ids_.Set(edition, name, record.topic_id);
    draft.topic_names_.Insert(edition, name);
    if (HasCollisionCharacter(name)) AddCollision(name);
    touched.topics.Add(record.topic_id);
    return {};
  }

  void AddCollision(const std::string& name) {
    std::string key = CollisionKey(name);
    const std::vector<std::string>* others = draft.collisions_.Find(key);
    std::vector<std::string> names = others == nullptr ? std::vector<std::string>() : *others;
    names.push_back(name);
    draft.collisions_.Set(edition, key, std::move(names));
  }

  void RemoveCollision(const std::string& name) {
    std::string key = CollisionKey(name);
    std::vector<std::string> names = *draft.collisions_.Find(key);
    std::erase(names, name);
    if (names.empty()) {
      draft.collisions_.Erase(edition, key);
    } else {
      draft.collisions_.Set(edition, key, std::move(names));
    }
  }

  Status Apply(const message::RemoveTopicRecord& record) {
    const Topic* topic = draft.FindTopic(record.topic_id);
    if (topic == nullptr) return Damaged("topic id " + record.topic_id.ToString() + " is removed and does not exist");
    std::string name = topic->name();
    topic->ForEachPartition([&](int32_t, const Partition&) { --draft.partition_count_; });
    draft.topics_by_id_.Erase(edition, record.topic_id);
    draft.topic_ids_.Erase(edition, name);
    draft.topic_names_.Erase(edition, name);
    if (HasCollisionCharacter(name)) RemoveCollision(name);
    touched.topics.Add(record.topic_id);
    ConfigResource resource{ConfigResourceType::kTopic, name};
    if (draft.configs_.Erase(edition, resource)) touched.configs.Add(resource);
    return {};
  }

  Status Apply(const message::PartitionRecord& record) {
    Topic* topic = OwnTopic(record.topic_id);
    if (topic == nullptr) return Damaged(NameOf(record) + " is created, and there is no such topic");
    if (record.partition_id < 0 || record.partition_id >= Topic::kMostPartitions) {
      return Damaged(NameOf(record) + " has an index that no partition can have");
    }
    Partition partition;
    partition.replicas = ToIds(record.replicas);
    partition.directories = ToUuids(record.directories);
    if (partition.directories.size() != partition.replicas.size()) {
      if (!partition.directories.empty()) return Damaged(NameOf(record) + " has not one directory per replica");
      partition.directories.assign(partition.replicas.size(), kMigratingDirectory);
    }
    partition.isr = ToIds(record.isr);
    partition.removing_replicas = ToIds(record.removing_replicas);
    partition.adding_replicas = ToIds(record.adding_replicas);
    partition.eligible_leader_replicas = ToIds(record.eligible_leader_replicas);
    partition.last_known_elr = ToIds(record.last_known_elr);
    partition.leader = BrokerId(record.leader);
    partition.leader_recovery_state = static_cast<LeaderRecoveryState>(record.leader_recovery_state);
    partition.leader_epoch = LeaderEpoch(record.leader_epoch);
    partition.partition_epoch = PartitionEpoch(record.partition_epoch);
    if (topic->FindPartition(record.partition_id) == nullptr) ++draft.partition_count_;
    topic->SetPartition(edition, record.partition_id, std::move(partition));
    touched.partitions.Add({record.topic_id, record.partition_id});
    return {};
  }

  Status Apply(const message::PartitionChangeRecord& record) {
    PartitionId id{record.topic_id, record.partition_id};
    const Partition* old = draft.FindPartition(id);
    if (old == nullptr) {
      return Damaged(NameOf(record) + " is changed and does not exist");
    }
    Partition partition = *old;
    Merge(record, partition);
    if (partition.directories.size() != partition.replicas.size()) {
      return Damaged(NameOf(record) + " has not one directory per replica");
    }
    OwnTopic(record.topic_id)->SetPartition(edition, record.partition_id, std::move(partition));
    touched.partitions.Add(id);
    return {};
  }

  Status ClearElr(const Topic& topic) {
    message::PartitionChangeRecord change;
    change.topic_id = topic.id();
    change.eligible_leader_replicas = change.last_known_elr = protocol::Array<int32_t>();
    std::vector<int32_t> partitions;
    topic.ForEachPartition([&](int32_t index, const Partition& partition) {
      if (!partition.eligible_leader_replicas.empty() || !partition.last_known_elr.empty()) partitions.push_back(index);
    });
    for (int32_t index : partitions) {
      change.partition_id = index;
      KB_RETURN_IF_ERROR(Apply(change));
    }
    return {};
  }

  Status Apply(const message::ClearElrRecord& record) {
    if (!record.topic_name.empty()) {
      const Topic* topic = draft.FindTopic(record.topic_name);
      if (topic == nullptr) {
        return Damaged("the eligible leaders of topic " + std::string(record.topic_name) +
                       " are cleared, and there is no such topic");
      }
      return ClearElr(*topic);
    }
    std::vector<Uuid> ids;
    draft.ForEachTopic([&](const Topic& topic) { ids.push_back(topic.id()); });
    for (const Uuid& id : ids) KB_RETURN_IF_ERROR(ClearElr(*draft.FindTopic(id)));
    return {};
  }

  // --- Configurations and features.

  Status Apply(const message::ConfigRecord& record) {
    ConfigResource resource{static_cast<ConfigResourceType>(record.resource_type), std::string(record.resource_name)};
    auto values = std::make_shared<ConfigValues>(draft.ConfigsOf(resource.type, resource.name));
    if (record.value) {
      (*values)[std::string(record.name)] = std::string(*record.value);
    } else {
      values->erase(std::string(record.name));
    }
    if (values->empty()) {
      draft.configs_.Erase(edition, resource);
    } else {
      draft.configs_.Set(edition, resource, std::move(values));
    }
    touched.configs.Add(resource);
    return {};
  }

  Status Apply(const message::FeatureLevelRecord& record) {
    KB_RETURN_IF_ERROR(CheckFeatureLevel(record.name, record.feature_level));
    if (record.feature_level == 0) {
      draft.features_.Own(edition).erase(std::string(record.name));
    } else {
      draft.features_.Own(edition)[std::string(record.name)] = record.feature_level;
    }
    touched.features = true;
    return {};
  }

  // --- Brokers and controllers.

  Status Apply(const message::RegisterBrokerRecord& record) {
    BrokerRegistration broker;
    broker.id = BrokerId(record.broker_id);
    broker.epoch = BrokerEpoch(record.broker_epoch);
    broker.incarnation_id = record.incarnation_id;
    broker.endpoints = ToEndpoints(record.end_points);
    broker.features = ToFeatures(record.features);
    if (record.rack) broker.rack = std::string(*record.rack);
    broker.fenced = record.fenced;
    broker.in_controlled_shutdown = record.in_controlled_shutdown;
    broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
    broker.directories = ToUuids(record.log_dirs);
    if (!record.cordoned_log_dirs.is_null()) broker.cordoned_directories = ToUuids(record.cordoned_log_dirs);
    draft.brokers_.Own(edition)[broker.id] = std::move(broker);
    touched.brokers = true;
    return {};
  }

  Status Apply(const message::UnregisterBrokerRecord& record) {
    draft.brokers_.Own(edition).erase(BrokerId(record.broker_id));
    touched.brokers = true;
    return {};
  }

  // The registration that a record speaks of, ours to write; nullptr when it is not that of this epoch.
  BrokerRegistration* OwnBroker(int32_t id, int64_t epoch) {
    const BrokerRegistration* broker = draft.FindBroker(BrokerId(id));
    if (broker == nullptr || broker->epoch != BrokerEpoch(epoch)) return nullptr;
    touched.brokers = true;
    return &draft.brokers_.Own(edition)[BrokerId(id)];
  }

  static Error NoSuchBroker(int32_t id, int64_t epoch) {
    return Damaged("broker " + std::to_string(id) + " with epoch " + std::to_string(epoch) +
                   " is changed and is not registered");
  }

  Status SetFenced(int32_t id, int64_t epoch, bool fenced) {
    BrokerRegistration* broker = OwnBroker(id, epoch);
    if (broker == nullptr) return NoSuchBroker(id, epoch);
    broker->fenced = fenced;
    return {};
  }
  Status Apply(const message::FenceBrokerRecord& record) { return SetFenced(record.id, record.epoch, true); }
  Status Apply(const message::UnfenceBrokerRecord& record) { return SetFenced(record.id, record.epoch, false); }

  Status Apply(const message::BrokerRegistrationChangeRecord& record) {
    if (record.fenced < -1 || record.fenced > 1 || record.in_controlled_shutdown < 0 ||
        record.in_controlled_shutdown > 1) {
      return Damaged("broker " + std::to_string(record.broker_id) + " is changed in a way that is not known");
    }
    BrokerRegistration* broker = OwnBroker(record.broker_id, record.broker_epoch);
    if (broker == nullptr) return NoSuchBroker(record.broker_id, record.broker_epoch);
    if (record.fenced != 0) broker->fenced = record.fenced == 1;
    if (record.in_controlled_shutdown == 1) broker->in_controlled_shutdown = true;
    if (!record.log_dirs.empty()) broker->directories = ToUuids(record.log_dirs);
    if (!record.cordoned_log_dirs.is_null()) broker->cordoned_directories = ToUuids(record.cordoned_log_dirs);
    return {};
  }

  Status Apply(const message::RegisterControllerRecord& record) {
    ControllerRegistration controller;
    controller.id = BrokerId(record.controller_id);
    controller.incarnation_id = record.incarnation_id;
    controller.zk_migration_ready = record.zk_migration_ready;
    controller.endpoints = ToEndpoints(record.end_points);
    controller.features = ToFeatures(record.features);
    draft.controllers_.Own(edition)[controller.id] = std::move(controller);
    touched.controllers = true;
    return {};
  }

  Status Apply(const message::ProducerIdsRecord& record) {
    draft.producer_ids_ = {BrokerId(record.broker_id), BrokerEpoch(record.broker_epoch),
                           ProducerId(record.next_producer_id)};
    touched.producer_ids = true;
    return {};
  }

  // --- Users, quotas, rights.

  Status Apply(const message::UserScramCredentialRecord& record) {
    ScramKey key{std::string(record.name), static_cast<ScramMechanism>(record.mechanism)};
    draft.scram_.Own(edition)[key] = {ToBytes(record.salt), ToBytes(record.stored_key), ToBytes(record.server_key),
                                      record.iterations};
    touched.scram = true;
    return {};
  }
  Status Apply(const message::RemoveUserScramCredentialRecord& record) {
    draft.scram_.Own(edition).erase({std::string(record.name), static_cast<ScramMechanism>(record.mechanism)});
    touched.scram = true;
    return {};
  }

  Status Apply(const message::ClientQuotaRecord& record) {
    QuotaEntity entity = ToEntity(record.entity);
    auto& quotas = draft.quotas_.Own(edition);
    if (record.remove) {
      auto found = quotas.find(entity);
      if (found != quotas.end()) {
        found->second.erase(std::string(record.key));
        if (found->second.empty()) quotas.erase(found);
      }
    } else {
      quotas[entity][std::string(record.key)] = record.value;
    }
    touched.quotas = true;
    return {};
  }

  Status Apply(const message::AccessControlEntryRecord& record) {
    auto entry = std::make_shared<AccessControlEntry>();
    entry->resource_type = record.resource_type;
    entry->resource_name = std::string(record.resource_name);
    entry->pattern_type = record.pattern_type;
    entry->principal = std::string(record.principal);
    entry->host = std::string(record.host);
    entry->operation = record.operation;
    entry->permission_type = record.permission_type;
    draft.acls_.Set(edition, record.id, std::move(entry));
    touched.acls = true;
    return {};
  }
  Status Apply(const message::RemoveAccessControlEntryRecord& record) {
    if (!draft.acls_.Erase(edition, record.id)) {
      return Damaged("access control entry " + record.id.ToString() + " is removed and does not exist");
    }
    touched.acls = true;
    return {};
  }

  Status Apply(const message::DelegationTokenRecord& record) {
    DelegationToken token;
    token.owner = std::string(record.owner);
    token.requester = std::string(record.requester);
    for (std::string_view renewer : record.renewers) token.renewers.emplace_back(renewer);
    token.issue_timestamp_ms = record.issue_timestamp;
    token.max_timestamp_ms = record.max_timestamp;
    token.expiration_timestamp_ms = record.expiration_timestamp;
    draft.tokens_.Own(edition)[std::string(record.token_id)] = std::move(token);
    touched.tokens = true;
    return {};
  }
  Status Apply(const message::RemoveDelegationTokenRecord& record) {
    draft.tokens_.Own(edition).erase(std::string(record.token_id));
    touched.tokens = true;
    return {};
  }

  // --- What leaves no trace.

  Status Apply(const message::NoOpRecord&) { return {}; }
  Status Apply(const message::ZkMigrationStateRecord&) { return {}; }  // there is no ZooKeeper any more
};

ImageBuilder::ImageBuilder(ImagePtr base)
    : base_(std::move(base)), draft_(*base_), touched_(std::make_unique<Touched>()) {
  ++draft_.edition_;
}
ImageBuilder::~ImageBuilder() = default;

template <typename Record>
Status ImageBuilder::DecodeAndApply(uint32_t version, ByteView body) {
  arena_.Reset();
  protocol::Reader reader(body);
  Record record;
  if (!Decode(reader, static_cast<int16_t>(version), arena_, record)) {
    return Damaged("a " + std::string(Record::kName) + " that cannot be read");
  }
  if (reader.left() != 0) return Damaged("bytes behind a " + std::string(Record::kName));
  return Applier{draft_, *touched_, draft_.edition_}.Apply(record);
}

Status ImageBuilder::Apply(uint32_t type, uint32_t version, ByteView body) {
  switch (type) {
    case message::RegisterBrokerRecord::kKey: return DecodeAndApply<message::RegisterBrokerRecord>(version, body);
    case message::UnregisterBrokerRecord::kKey: return DecodeAndApply<message::UnregisterBrokerRecord>(version, body);
    case message::TopicRecord::kKey: return DecodeAndApply<message::TopicRecord>(version, body);
    case message::PartitionRecord::kKey: return DecodeAndApply<message::PartitionRecord>(version, body);
    case message::ConfigRecord::kKey: return DecodeAndApply<message::ConfigRecord>(version, body);
    case message::PartitionChangeRecord::kKey: return DecodeAndApply<message::PartitionChangeRecord>(version, body);
    case message::FenceBrokerRecord::kKey: return DecodeAndApply<message::FenceBrokerRecord>(version, body);
    case message::UnfenceBrokerRecord::kKey: return DecodeAndApply<message::UnfenceBrokerRecord>(version, body);
    case message::RemoveTopicRecord::kKey: return DecodeAndApply<message::RemoveTopicRecord>(version, body);
    case message::DelegationTokenRecord::kKey: return DecodeAndApply<message::DelegationTokenRecord>(version, body);
    case message::UserScramCredentialRecord::kKey:
      return DecodeAndApply<message::UserScramCredentialRecord>(version, body);
    case message::FeatureLevelRecord::kKey: return DecodeAndApply<message::FeatureLevelRecord>(version, body);
    case message::ClientQuotaRecord::kKey: return DecodeAndApply<message::ClientQuotaRecord>(version, body);
    case message::ProducerIdsRecord::kKey: return DecodeAndApply<message::ProducerIdsRecord>(version, body);
    case message::BrokerRegistrationChangeRecord::kKey:
      return DecodeAndApply<message::BrokerRegistrationChangeRecord>(version, body);
    case message::AccessControlEntryRecord::kKey:
      return DecodeAndApply<message::AccessControlEntryRecord>(version, body);
    case message::RemoveAccessControlEntryRecord::kKey:
      return DecodeAndApply<message::RemoveAccessControlEntryRecord>(version, body);
    case message::NoOpRecord::kKey: return DecodeAndApply<message::NoOpRecord>(version, body);
    case message::ZkMigrationStateRecord::kKey: return DecodeAndApply<message::ZkMigrationStateRecord>(version, body);
    case message::RemoveUserScramCredentialRecord::kKey:
      return DecodeAndApply<message::RemoveUserScramCredentialRecord>(version, body);
    case message::RemoveDelegationTokenRecord::kKey:
      return DecodeAndApply<message::RemoveDelegationTokenRecord>(version, body);
    case message::RegisterControllerRecord::kKey:
      return DecodeAndApply<message::RegisterControllerRecord>(version, body);
    case message::ClearElrRecord::kKey: return DecodeAndApply<message::ClearElrRecord>(version, body);
    default: KB_CHECK(!"a type of the table without a case");
  }
  return {};
}

Status ImageBuilder::Begin() {
  if (in_transaction_) return Damaged("a transaction begins inside a transaction");
  before_transaction_ = draft_;
  touched_before_transaction_ = std::make_unique<Touched>(*touched_);
  ++draft_.edition_;  // so that what was saved is not written any more
  in_transaction_ = true;
  return {};
}

Status ImageBuilder::End(bool keep) {
  if (!in_transaction_) return Damaged("a transaction ends that did not begin");
  in_transaction_ = false;
  if (!keep) {
    Edition edition = draft_.edition_ + 1;
    Provenance provenance = draft_.provenance_;
    draft_ = before_transaction_;
    draft_.edition_ = edition;
    draft_.provenance_ = provenance;
    touched_ = std::move(touched_before_transaction_);
  }
  before_transaction_ = MetadataImage();
  touched_before_transaction_ = nullptr;
  return {};
}

Status ImageBuilder::Replay(ByteView record, const RecordPosition& position) {
  Result<RecordFrame> frame = ParseFrame(record);
  if (!frame.ok()) return frame.error();
  std::string_view name = RecordTypeName(frame->type);
  if (name.empty()) {
    return Error{ErrorKind::kForeign, "a record of type " + std::to_string(frame->type) +
                                          ", which this broker does not know; a newer version wrote it"};
  }
  if (static_cast<int64_t>(frame->version) > RecordTypeMaxVersion(frame->type)) {
    return Error{ErrorKind::kForeign,
                 "a " + std::string(name) + " of version " + std::to_string(frame->version) +
                     "; this broker knows versions up to " + std::to_string(RecordTypeMaxVersion(frame->type))};
  }
  switch (frame->type) {
    case message::BeginTransactionRecord::kKey: KB_RETURN_IF_ERROR(Begin()); break;
    case message::EndTransactionRecord::kKey: KB_RETURN_IF_ERROR(End(/*keep=*/true)); break;
    case message::AbortTransactionRecord::kKey: KB_RETURN_IF_ERROR(End(/*keep=*/false)); break;
    default: KB_RETURN_IF_ERROR(Apply(frame->type, frame->version, frame->body));
  }
  Advance(position);
  return {};
}

void ImageBuilder::Advance(const RecordPosition& position) {
  draft_.provenance_ = {position.offset, position.epoch, position.timestamp_ms};
}

ImageChanges ImageBuilder::Compare(const MetadataImage& to, const Touched& touched) const {
  ImageChanges changes;
  for (const Uuid& id : touched.topics.list) {
    const Topic* before = base_->FindTopic(id);
    const Topic* after = to.FindTopic(id);
    if (before == nullptr && after != nullptr) changes.created_topics.push_back(id);
    if (before != nullptr && after == nullptr) {
      changes.deleted_topics.push_back({id, before->name(), before->partition_count()});
    }
  }
  for (const PartitionId& id : touched.partitions.list) {
    const Partition* before = base_->FindPartition(id);
    const Partition* after = to.FindPartition(id);
    if (after == nullptr) continue;
    if (before == nullptr) {
      changes.created_partitions.push_back(id);
    } else if (!(*before == *after)) {
      changes.changed_partitions.push_back(id);
    }
  }
  for (const ConfigResource& resource : touched.configs.list) {
    if (base_->ConfigsOf(resource.type, resource.name) != to.ConfigsOf(resource.type, resource.name)) {
      changes.changed_configs.push_back(resource);
    }
  }
  changes.brokers_changed = touched.brokers;
  changes.controllers_changed = touched.controllers;
  changes.features_changed = touched.features;
  changes.producer_ids_changed = touched.producer_ids;
  changes.scram_changed = touched.scram;
  changes.quotas_changed = touched.quotas;
  changes.acls_changed = touched.acls;
  changes.tokens_changed = touched.tokens;
  return changes;
}

ImageBuilder::Published ImageBuilder::Publish() {
  if (in_transaction_) {
    ImageChanges changes = Compare(before_transaction_, *touched_before_transaction_);
    auto image = std::make_shared<const MetadataImage>(before_transaction_);
    // What the transaction touches is compared with the new base when it ends. Touching too much costs a comparison.
    touched_before_transaction_ = std::make_unique<Touched>();
    base_ = image;
    return {std::move(image), std::move(changes)};
  }
  ImageChanges changes = Compare(draft_, *touched_);
  auto image = std::make_shared<const MetadataImage>(draft_);
  touched_ = std::make_unique<Touched>();
  ++draft_.edition_;  // what was published is not written any more
  base_ = image;
  return {std::move(image), std::move(changes)};
}

}  // namespace kb::metadata

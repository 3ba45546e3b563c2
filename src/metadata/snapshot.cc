#include "metadata/snapshot.h"

#include <algorithm>

#include "base/arena.h"
#include "message/access_control_entry_record.h"
#include "message/client_quota_record.h"
#include "message/config_record.h"
#include "message/delegation_token_record.h"
#include "message/feature_level_record.h"
#include "message/k_raft_version_record.h"
#include "message/partition_record.h"
#include "message/producer_ids_record.h"
#include "message/register_broker_record.h"
#include "message/register_controller_record.h"
#include "message/snapshot_footer_record.h"
#include "message/snapshot_header_record.h"
#include "message/topic_record.h"
#include "message/user_scram_credential_record.h"
#include "message/voters_record.h"
#include "metadata/batch.h"
#include "metadata/features.h"
#include "protocol/reader.h"

namespace kb::metadata {
namespace {

// Large enough that a batch's 61 bytes do not matter, small enough to be read without a thought (Apache Kafka reads 8 MiB).
constexpr size_t kMostBatchBytes = 512 * 1024;

// Turns an image into records, in an arena that is emptied after each.
class Writer {
 public:
  explicit Writer(const MetadataImage& image)
      : image_(image), versions_(RecordVersionsFor(image.metadata_version())) {}

  RecordList Take() {
    WriteFeatures();
    for (const auto& [id, broker] : image_.brokers()) WriteBroker(broker);
    for (const auto& [id, controller] : image_.controllers()) WriteController(controller);
    image_.ForEachTopic([&](const Topic& topic) { WriteTopic(topic); });
    WriteConfigs();
    WriteQuotas();
    WriteProducerIds();
    WriteAccessControl();
    WriteUsers();
    return std::move(records_);
  }

 private:
  template <typename Record>
  void Add(const Record& record, int16_t version) {
    records_.Add(record, version);
    arena_.Reset();
  }

  void WriteFeature(std::string_view name, int16_t level) {
    message::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    Add(record, 0);
  }
  void WriteFeatures() {  // metadata.version first: it says how to read the rest
    if (image_.metadata_version() != 0) WriteFeature(kMetadataVersionFeature, image_.metadata_version());
    for (const auto& [name, level] : image_.finalized_features()) {
      if (name != kMetadataVersionFeature) WriteFeature(name, level);
    }
  }

  template <typename Record>
  void PutEndpoints(const std::vector<Endpoint>& endpoints, Record& record) {
    for (const Endpoint& endpoint : endpoints) {
      auto& to = record.end_points.Add(arena_);
      to.name = endpoint.name;
      to.host = endpoint.host;
      to.port = endpoint.port;
      to.security_protocol = endpoint.security_protocol;
    }
  }
  template <typename Record>
  void PutFeatures(const std::vector<FeatureSupport>& features, Record& record) {
    for (const FeatureSupport& feature : features) {
      auto& to = record.features.Add(arena_);
      to.name = feature.name;
      to.min_supported_version = feature.min_level;
      to.max_supported_version = feature.max_level;
    }
  }
  protocol::Array<Uuid> ToWire(const std::vector<Uuid>& ids) {
    protocol::Array<Uuid> wire;
    wire.Reserve(arena_, ids.size());
    for (const Uuid& id : ids) wire.Add(arena_, id);
    return wire;
  }
  protocol::Array<int32_t> ToWire(const BrokerIds& ids) {
    protocol::Array<int32_t> wire;
    wire.Reserve(arena_, ids.size());
    for (BrokerId id : ids) wire.Add(arena_, id.value());
    return wire;
  }

  void WriteBroker(const BrokerRegistration& broker) {
    message::RegisterBrokerRecord record;
    record.broker_id = broker.id.value();
    record.incarnation_id = broker.incarnation_id;
    record.broker_epoch = broker.epoch.value();
    PutEndpoints(broker.endpoints, record);
    PutFeatures(broker.features, record);
    record.rack = std::nullopt;
    if (broker.rack) record.rack = *broker.rack;
    record.fenced = broker.fenced;
    record.in_controlled_shutdown = broker.in_controlled_shutdown;
    if (versions_.register_broker >= 2) record.is_migrating_zk_broker = broker.is_migrating_zk_broker;
    if (versions_.register_broker >= 3) record.log_dirs = ToWire(broker.directories);
    if (versions_.register_broker >= 4 && broker.cordoned_directories) {
      record.cordoned_log_dirs = ToWire(*broker.cordoned_directories);
    }
    Add(record, versions_.register_broker);
  }

  void WriteController(const ControllerRegistration& controller) {
    if (!versions_.register_controller) return;
    message::RegisterControllerRecord record;
    record.controller_id = controller.id.value();
    record.incarnation_id = controller.incarnation_id;
    record.zk_migration_ready = controller.zk_migration_ready;
    PutEndpoints(controller.endpoints, record);
    PutFeatures(controller.features, record);
    Add(record, 0);
  }

  void WriteTopic(const Topic& topic) {
    message::TopicRecord record;
    record.name = topic.name();
    record.topic_id = topic.id();
    Add(record, 0);
    topic.ForEachPartition(
        [&](int32_t index, const Partition& partition) { WritePartition(topic.id(), index, partition); });
  }

  void WritePartition(const Uuid& topic_id, int32_t index, const Partition& partition) {
    message::PartitionRecord record;
    record.partition_id = index;
    record.topic_id = topic_id;
    record.replicas = ToWire(partition.replicas);
    record.isr = ToWire(partition.isr);
    record.removing_replicas = ToWire(partition.removing_replicas);
    record.adding_replicas = ToWire(partition.adding_replicas);
    record.leader = partition.leader.value();
    record.leader_recovery_state = static_cast<int8_t>(partition.leader_recovery_state);
    record.leader_epoch = partition.leader_epoch.value();
    record.partition_epoch = partition.partition_epoch.value();
    if (versions_.directories) record.directories = ToWire(partition.directories);
    if (versions_.eligible_leader_replicas) {
      if (!partition.eligible_leader_replicas.empty()) {
        record.eligible_leader_replicas = ToWire(partition.eligible_leader_replicas);
      }
      if (!partition.last_known_elr.empty()) record.last_known_elr = ToWire(partition.last_known_elr);
    }
    Add(record, versions_.partition);
  }

  void WriteConfigs() {
    std::map<ConfigResource, const ConfigValues*> sorted;  // so that equal images have equal snapshots
    image_.ForEachConfigResource([&](const ConfigResource& resource, const ConfigValues& values) {
      sorted.emplace(resource, &values);
    });
    for (const auto& [resource, values] : sorted) {
      for (const auto& [name, value] : *values) {
        message::ConfigRecord record;
        record.resource_type = static_cast<int8_t>(resource.type);
        record.resource_name = resource.name;
        record.name = name;
        record.value = value;
        Add(record, 0);
      }
    }
  }

  void WriteQuotas() {
    for (const auto& [entity, values] : image_.client_quotas()) {
      for (const auto& [key, value] : values) {
        message::ClientQuotaRecord record;
        for (const auto& [type, name] : entity) {
          auto& part = record.entity.Add(arena_);
          part.entity_type = type;
          part.entity_name = std::nullopt;
          if (name) part.entity_name = *name;
        }
        record.key = key;
        record.value = value;
        Add(record, 0);
      }
    }
  }

  void WriteProducerIds() {
    if (image_.producer_ids() == ProducerIds()) return;
    message::ProducerIdsRecord record;
    record.broker_id = image_.producer_ids().broker.value();
    record.broker_epoch = image_.producer_ids().broker_epoch.value();
    record.next_producer_id = image_.producer_ids().next.value();
    Add(record, 0);
  }

  void WriteAccessControl() {
    std::map<Uuid, const AccessControlEntry*> sorted;
    image_.access_control_entries().ForEach(
        [&](const Uuid& id, const std::shared_ptr<const AccessControlEntry>& entry) { sorted[id] = entry.get(); });
    for (const auto& [id, entry] : sorted) {
      message::AccessControlEntryRecord record;
      record.id = id;
      record.resource_type = entry->resource_type;
      record.resource_name = entry->resource_name;
      record.pattern_type = entry->pattern_type;
      record.principal = entry->principal;
      record.host = entry->host;
      record.operation = entry->operation;
      record.permission_type = entry->permission_type;
      Add(record, 0);
    }
  }

  void WriteUsers() {
    for (const auto& [key, credential] : image_.scram_credentials()) {
      message::UserScramCredentialRecord record;
      record.name = key.user;
      record.mechanism = static_cast<int8_t>(key.mechanism);
      record.salt = AsBytes(credential.salt);
      record.stored_key = AsBytes(credential.stored_key);
      record.server_key = AsBytes(credential.server_key);
      record.iterations = credential.iterations;
      Add(record, 0);
    }
    for (const auto& [id, token] : image_.delegation_tokens()) {
      message::DelegationTokenRecord record;
      record.owner = token.owner;
      record.requester = token.requester;
      for (const std::string& renewer : token.renewers) record.renewers.Add(arena_, std::string_view(renewer));
      record.issue_timestamp = token.issue_timestamp_ms;
      record.max_timestamp = token.max_timestamp_ms;
      record.expiration_timestamp = token.expiration_timestamp_ms;
      record.token_id = id;
      Add(record, 0);
    }
  }

  const MetadataImage& image_;
  const RecordVersions versions_;
  Arena arena_;
  RecordList records_;
};

// A control record's body, whose first field is its version.
template <typename Message>
Status DecodeControl(const record::RecordView& control, Arena& arena, Message& out) {
  ByteView value = control.value.value_or(ByteView());
  if (value.size() < 2) return Error{ErrorKind::kCorrupt, "a short control record"};
  protocol::Reader reader(value);
  int16_t version = LoadBigEndian<int16_t>(value.data());
  if (version < Message::kMinVersion || version > Message::kMaxVersion) {
    return Error{ErrorKind::kForeign, "a control record (" + std::string(Message::kName) + ") of version " +
                                          std::to_string(version) + ", which this broker does not know"};
  }
  if (!Decode(reader, version, arena, out)) {
    return Error{ErrorKind::kCorrupt, "a control record (" + std::string(Message::kName) + ") that cannot be read"};
  }
  return {};
}

record::Voter ToVoter(const message::VotersRecord::Voter& wire) {
  record::Voter voter;
  voter.id = BrokerId(wire.voter_id);
  voter.directory_id = wire.voter_directory_id;
  for (const auto& endpoint : wire.endpoints) {
    voter.endpoints.push_back({std::string(endpoint.name), std::string(endpoint.host), endpoint.port});
  }
  voter.least_kraft_version = wire.k_raft_version_feature.min_supported_version;
  voter.most_kraft_version = wire.k_raft_version_feature.max_supported_version;
  return voter;
}

// Reads a snapshot batch by batch and insists on its order: header first, footer last.
class SnapshotReader {
 public:
  Status Read(ByteView bytes) {
    while (!bytes.empty()) {
      Result<Batch> batch = ReadBatch(bytes);
      if (!batch.ok()) return batch.error();
      if (footer_seen_) return Error{ErrorKind::kCorrupt, "bytes behind the footer"};
      KB_RETURN_IF_ERROR(batch->is_control ? ReadControl(*batch) : ReadData(*batch));
      bytes = bytes.subspan(batch->byte_size);
    }
    if (!footer_seen_) return Error{ErrorKind::kCorrupt, "the footer is missing"};
    return {};
  }
  DecodedSnapshot Take() { return std::move(out_); }

 private:
  Status ReadData(const Batch& batch) {
    if (!header_seen_) return Error{ErrorKind::kCorrupt, "the header is missing"};
    for (const record::RecordView& record : batch.records) {
      if (!record.value) return Error{ErrorKind::kCorrupt, "a record without a value"};
      out_.records.AddFramed(*record.value);
    }
    return {};
  }
  Status ReadControl(const Batch& batch) {
    for (const record::RecordView& record : batch.records) KB_RETURN_IF_ERROR(ReadControlRecord(record));
    return {};
  }
  Status ReadControlRecord(const record::RecordView& record) {
    arena_.Reset();
    std::optional<record::ControlType> type = record::ControlTypeOf(record);
    if (type == record::ControlType::kSnapshotHeader) {
      message::SnapshotHeaderRecord header;
      KB_RETURN_IF_ERROR(DecodeControl(record, arena_, header));
      header_seen_ = true;
      out_.last_contained_timestamp_ms = header.last_contained_log_timestamp;
      return {};
    }
    if (type == record::ControlType::kSnapshotFooter) {
      message::SnapshotFooterRecord footer;
      footer_seen_ = true;
      return DecodeControl(record, arena_, footer);
    }
    Result<bool> applied = ApplyQuorumControl(record, out_.quorum);
    return applied.ok() ? Status() : Status(applied.error());
  }

  DecodedSnapshot out_;
  Arena arena_;
  bool header_seen_ = false;
  bool footer_seen_ = false;
};

}  // namespace

RecordList RecordsOf(const MetadataImage& image) { return Writer(image).Take(); }

Result<bool> ApplyQuorumControl(const record::RecordView& control, QuorumControl& quorum) {
  Arena arena;
  std::optional<record::ControlType> type = record::ControlTypeOf(control);
  if (type == record::ControlType::kKRaftVersion) {
    message::KRaftVersionRecord version;
    KB_RETURN_IF_ERROR(DecodeControl(control, arena, version));
    KB_RETURN_IF_ERROR(CheckFeatureLevel(kKRaftVersionFeature, version.k_raft_version));
    quorum.kraft_version = version.k_raft_version;
    return true;
  }
  if (type == record::ControlType::kVoters) {
    message::VotersRecord voters;
    KB_RETURN_IF_ERROR(DecodeControl(control, arena, voters));
    quorum.voters.clear();
    for (const auto& voter : voters.voters) quorum.voters.push_back(ToVoter(voter));
    return true;
  }
  return false;
}

std::vector<uint8_t> EncodeSnapshot(const RecordList& records, LeaderEpoch epoch, int64_t last_contained_timestamp_ms,
                                    int64_t now_ms, const QuorumControl& quorum) {
  std::vector<uint8_t> out;
  auto append = [&](const std::vector<uint8_t>& batch) { out.insert(out.end(), batch.begin(), batch.end()); };
  record::ControlBatchBuilder header(Offset(0), epoch, now_ms);
  header.SnapshotHeader(last_contained_timestamp_ms);
  if (quorum.kraft_version > 0) {
    header.KRaftVersion(quorum.kraft_version);
    header.Voters(quorum.voters);
  }
  Offset next(quorum.kraft_version > 0 ? 3 : 1);
  append(header.Build());
  for (size_t start = 0; start < records.size();) {
    size_t end = start;
    for (size_t bytes = 0; end < records.size() && bytes < kMostBatchBytes; ++end) bytes += records[end].size();
    append(BuildBatch(next, epoch, now_ms, records, start, end - start));
    next = next + static_cast<int64_t>(end - start);
    start = end;
  }
  record::ControlBatchBuilder footer(next, epoch, now_ms);
  footer.SnapshotFooter();
  append(footer.Build());
  return out;
}

Result<DecodedSnapshot> DecodeSnapshot(ByteView bytes, const std::string& path) {
  SnapshotReader reader;
  Status status = reader.Read(bytes);
  if (!status.ok()) {
    return Error{status.error().kind, "snapshot " + path + ": " + status.error().message};
  }
  return reader.Take();
}

}  // namespace kb::metadata

// MetadataImage: everything the metadata log says, at one offset. Built from that log and from nothing else.
//
// Immutable once published, so any thread may read it without asking. Copies share structure: an image made from another
// by changing one partition differs from it in about a dozen small nodes (see cow_map.h, topic.h).
//
// References and pointers returned here live as long as the image does. In a coroutine, hold the image itself across a
// co_await, never a reference into it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/cow_map.h"
#include "metadata/sorted_names.h"
#include "metadata/topic.h"
#include "model/ids.h"
#include "model/scram_mechanism.h"

namespace kb::metadata {

// Where an image stands in the log.
struct Provenance {
  Offset last_offset{-1};  // of the last record that went into it; -1: none
  LeaderEpoch last_epoch{-1};
  int64_t last_timestamp_ms = -1;
  bool operator==(const Provenance&) const = default;
};

// What a dynamic configuration belongs to (ConfigResource.Type).
enum class ConfigResourceType : int8_t { kTopic = 2, kBroker = 4, kBrokerLogger = 8, kClientMetrics = 16, kGroup = 32 };

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::kTopic;
  std::string name;  // broker: the node id in decimal, or "" for the default of all brokers
  auto operator<=>(const ConfigResource&) const = default;
};
struct ConfigResourceHash {
  size_t operator()(const ConfigResource& resource) const noexcept {
    return std::hash<std::string>{}(resource.name) * 31 + static_cast<size_t>(resource.type);
  }
};
using ConfigValues = std::map<std::string, std::string, std::less<>>;

struct Endpoint {
  std::string name;  // of the listener
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;
  bool operator==(const Endpoint&) const = default;
};

struct FeatureSupport {
  std::string name;
  int16_t min_level = 0;
  int16_t max_level = 0;
  bool operator==(const FeatureSupport&) const = default;
};

struct BrokerRegistration {
  BrokerId id{kNoBroker};
  BrokerEpoch epoch{-1};
  Uuid incarnation_id;
  std::vector<Endpoint> endpoints;
  std::vector<FeatureSupport> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  bool is_migrating_zk_broker = false;
  std::vector<Uuid> directories;  // sorted
  std::optional<std::vector<Uuid>> cordoned_directories;

  // nullptr when the broker has no such listener.
  const Endpoint* FindEndpoint(std::string_view listener) const;
  bool operator==(const BrokerRegistration&) const = default;
};

struct ControllerRegistration {
  BrokerId id{kNoBroker};
  Uuid incarnation_id;
  bool zk_migration_ready = false;
  std::vector<Endpoint> endpoints;
  std::vector<FeatureSupport> features;
  bool operator==(const ControllerRegistration&) const = default;
};

using kb::ScramMechanism;
struct ScramKey {
  std::string user;
  ScramMechanism mechanism = ScramMechanism::kSha256;
  auto operator<=>(const ScramKey&) const = default;
};
struct ScramCredential {
  std::string salt, stored_key, server_key;  // bytes
  int32_t iterations = 0;
  bool operator==(const ScramCredential&) const = default;
};

// Who a quota is for: entity type ("user", "client-id", "ip") → name, nullopt for the default entity.
using QuotaEntity = std::map<std::string, std::optional<std::string>, std::less<>>;
using QuotaValues = std::map<std::string, double, std::less<>>;

struct AccessControlEntry {
  int8_t resource_type = 0;
  std::string resource_name;
  int8_t pattern_type = 0;
  std::string principal;
  std::string host;
  int8_t operation = 0;
  int8_t permission_type = 0;
  auto operator<=>(const AccessControlEntry&) const = default;
};

struct DelegationToken {
  std::string owner, requester;
  std::vector<std::string> renewers;
  int64_t issue_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  int64_t expiration_timestamp_ms = 0;
  bool operator==(const DelegationToken&) const = default;
};

struct ProducerIds {
  BrokerId broker{-1};  // who got the last block
  BrokerEpoch broker_epoch{-1};
  ProducerId next{0};   // the first id that was given to nobody
  bool operator==(const ProducerIds&) const = default;
};

class MetadataImage {
 public:
  MetadataImage() = default;

  const Provenance& provenance() const { return provenance_; }

  // Topics and partitions. nullptr when there is none.
  size_t topic_count() const { return topics_by_id_.size(); }
  int64_t partition_count() const { return partition_count_; }
  const Topic* FindTopic(const Uuid& id) const;
  const Topic* FindTopic(std::string_view name) const;
  const Partition* FindPartition(const PartitionId& id) const;
  // Calls visit(const Topic&) for each topic whose name is not below `first`, in order of names, until it returns false.
  template <typename Visit>
  void ForEachTopicFrom(std::string_view first, const Visit& visit) const {
    topic_names_.ForEachFrom(first, [&](std::string_view name) { return visit(*FindTopic(name)); });
  }
  template <typename Visit>
  void ForEachTopic(const Visit& visit) const {
    ForEachTopicFrom("", [&](const Topic& topic) {
      visit(topic);
      return true;
    });
  }
  // A topic whose name equals this one when each '.' reads as '_' (their metrics would share a name); "" when none.
  std::string_view FindCollidingTopic(std::string_view name) const;

  // Dynamic configurations. Never null: empty where nothing was set.
  const ConfigValues& ConfigsOf(ConfigResourceType type, std::string_view name) const;
  const ConfigValues& ConfigsOfTopic(std::string_view topic) const {
    return ConfigsOf(ConfigResourceType::kTopic, topic);
  }
  template <typename Visit>
  void ForEachConfigResource(const Visit& visit) const {  // visit(const ConfigResource&, const ConfigValues&)
    configs_.ForEach([&](const ConfigResource& resource, const std::shared_ptr<const ConfigValues>& values) {
      visit(resource, *values);
    });
  }

  // Finalized features; a feature at level 0 is absent. The epoch that clients see is the image's last offset.
  const std::map<std::string, int16_t, std::less<>>& finalized_features() const { return features_.get(); }
  int16_t FeatureLevel(std::string_view name) const;
  // 0 when the log has not said (a sparse directory); see features.h for what to write then.
  int16_t metadata_version() const { return FeatureLevel("metadata.version"); }
  bool eligible_leader_replicas_enabled() const { return FeatureLevel("eligible.leader.replicas.version") >= 1; }
  int64_t features_epoch() const { return provenance_.last_offset.value(); }

  const std::map<BrokerId, BrokerRegistration>& brokers() const { return brokers_.get(); }
  const BrokerRegistration* FindBroker(BrokerId id) const;
  bool IsUsable(BrokerId id) const;  // registered, not fenced, not shutting down
  const std::map<BrokerId, ControllerRegistration>& controllers() const { return controllers_.get(); }

  const ProducerIds& producer_ids() const { return producer_ids_; }

  const std::map<ScramKey, ScramCredential>& scram_credentials() const { return scram_.get(); }
  const std::map<QuotaEntity, QuotaValues>& client_quotas() const { return quotas_.get(); }
  const CowMap<Uuid, std::shared_ptr<const AccessControlEntry>>& access_control_entries() const { return acls_; }
  const std::map<std::string, DelegationToken>& delegation_tokens() const { return tokens_.get(); }

  // How many nodes and pages of topics and partitions are not shared with `other`. For tests of the sharing.
  size_t PiecesNotIn(const MetadataImage& other) const;

 private:
  friend class ImageBuilder;
  friend struct Applier;

  struct NameHash {
    size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
  };

  Edition edition_ = 0;
  Provenance provenance_;
  CowMap<Uuid, std::shared_ptr<Topic>> topics_by_id_;
  CowMap<std::string, Uuid, NameHash> topic_ids_;
  // Of names with a '.' or '_': CollisionKey(name) → the names that share it.
  CowMap<std::string, std::vector<std::string>, NameHash> collisions_;
  SortedNames topic_names_;
  int64_t partition_count_ = 0;
  CowMap<ConfigResource, std::shared_ptr<const ConfigValues>, ConfigResourceHash> configs_;
  CowMap<Uuid, std::shared_ptr<const AccessControlEntry>> acls_;
  Cow<std::map<std::string, int16_t, std::less<>>> features_;
  Cow<std::map<BrokerId, BrokerRegistration>> brokers_;
  Cow<std::map<BrokerId, ControllerRegistration>> controllers_;
  Cow<std::map<ScramKey, ScramCredential>> scram_;
  Cow<std::map<QuotaEntity, QuotaValues>> quotas_;
  Cow<std::map<std::string, DelegationToken>> tokens_;
  ProducerIds producer_ids_;
};

using ImagePtr = std::shared_ptr<const MetadataImage>;

}  // namespace kb::metadata

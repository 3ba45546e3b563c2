#include "controller/feature_decisions.h"

#include <map>
#include <string>

#include "controller/refusal.h"
#include "message/config_record.h"
#include "message/feature_level_record.h"
#include "metadata/features.h"

namespace kb::controller {
namespace {

using message::UpdateFeaturesRequest;
using message::UpdateFeaturesResponse;
using Context = FeatureDecisionContext;

constexpr std::string_view kMinInSyncReplicas = "min.insync.replicas";
constexpr int8_t kUpgrade = 1;  // 2: a downgrade, if it loses nothing
constexpr int8_t kUnsafeDowngrade = 3;

struct Update {
  int16_t level;
  int8_t upgrade_type;
};
using Updates = std::map<std::string_view, Update>;  // the last mention of a feature counts

Refusal Invalid(std::string_view feature, int16_t level, const std::string& why) {
  return {ErrorCode::kInvalidUpdateVersion,
          "nothing was changed: " + std::string(feature) + " cannot be set to " + std::to_string(level) + ": " + why};
}

std::string Range(int16_t least, int16_t most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

int16_t LevelOf(const Context& context, std::string_view feature) {
  return feature == metadata::kKRaftVersionFeature ? context.kraft_version : context.image.FeatureLevel(feature);
}

// Which of the cluster's nodes does not know the level; "" when all do.
std::string WhoDoesNotSupport(const Context& context, std::string_view name, int16_t level) {
  auto supports = [&](const std::vector<metadata::FeatureSupport>& features) {
    for (const metadata::FeatureSupport& feature : features) {
      if (feature.name == name) return level == 0 || (feature.min_level <= level && level <= feature.max_level);
    }
    return level == 0;
  };
  for (const auto& [id, broker] : context.image.brokers()) {
    if (!supports(broker.features)) return "broker " + std::to_string(id.value());
  }
  for (const auto& [id, controller] : context.image.controllers()) {
    if (id != context.node_id && !supports(controller.features)) return "controller " + std::to_string(id.value());
  }
  return "";
}

Refusal CheckSupport(const Context& context, std::string_view name, int16_t level) {
  const metadata::Feature* feature = metadata::FindFeature(name);
  if (feature == nullptr) return Invalid(name, level, "this feature is not known");
  if (level < feature->min_level || level > feature->max_level) {
    return Invalid(name, level, "known are levels " + Range(feature->min_level, feature->max_level));
  }
  std::string who = WhoDoesNotSupport(context, name, level);
  if (!who.empty()) return Invalid(name, level, who + " does not support it");
  if (!feature->served && level > LevelOf(context, name)) {
    return Invalid(name, level, "this broker does not serve the feature yet");
  }
  return {};
}

Refusal CheckDirection(const Context& context, std::string_view name, const Update& update) {
  int16_t now = LevelOf(context, name);
  if (update.level < now && update.upgrade_type == kUpgrade) {
    return Invalid(name, update.level, "it is at " + std::to_string(now) + ", and a downgrade must be asked for");
  }
  if (update.level > now && update.upgrade_type != kUpgrade) {
    return Invalid(name, update.level, "it is at " + std::to_string(now) + ", and a downgrade was asked for");
  }
  return {};
}

Refusal CheckMetadataVersion(const Context& context, const Update& update) {
  int16_t now = context.image.metadata_version();
  if (update.level >= now || !metadata::MetadataChangedSince(update.level, now)) return {};
  return Invalid(metadata::kMetadataVersionFeature, update.level,
                 update.upgrade_type == kUnsafeDowngrade
                     ? "an unsafe downgrade is not possible"
                     : "the metadata may hold what that level cannot say, and it would be lost");
}

Refusal CheckKRaftVersion(const Context& context, const Update& update) {
  if (update.level == context.kraft_version) return {};
  return Invalid(metadata::kKRaftVersionFeature, update.level,
                 update.level > context.kraft_version ? "a quorum of static voters cannot be made dynamic while it runs"
                                                      : "the quorum's voters are dynamic and stay so");
}

// What a level needs of other features, as they will be.
Refusal CheckNeeds(const Context& context, std::string_view name, const Update& update, const Updates& updates) {
  int16_t needed = metadata::MetadataVersionNeeded(name, update.level);
  auto planned = updates.find(metadata::kMetadataVersionFeature);
  int16_t metadata_version = planned == updates.end() ? context.image.metadata_version() : planned->second.level;
  if (metadata_version >= needed) return {};
  return Invalid(
      name, update.level,
      "it needs metadata.version " + std::to_string(needed) + ", which is at " + std::to_string(metadata_version));
}

Refusal Check(const Context& context, std::string_view name, const Update& update, const Updates& updates) {
  if (update.upgrade_type < kUpgrade || update.upgrade_type > kUnsafeDowngrade) {
    return Invalid(name, update.level, "there is no upgrade type " + std::to_string(update.upgrade_type));
  }
  if (update.level < 0) return Invalid(name, update.level, "a level is not negative");
  if (Refusal refusal = CheckSupport(context, name, update.level)) return refusal;
  if (Refusal refusal = CheckDirection(context, name, update)) return refusal;
  if (name == metadata::kMetadataVersionFeature) return CheckMetadataVersion(context, update);
  if (name == metadata::kKRaftVersionFeature) return CheckKRaftVersion(context, update);
  return CheckNeeds(context, name, update, updates);
}

void AddConfig(std::string_view broker, std::optional<std::string_view> value, metadata::RecordList& records) {
  message::ConfigRecord record;
  record.resource_type = static_cast<int8_t>(metadata::ConfigResourceType::kBroker);
  record.resource_name = broker;
  record.name = kMinInSyncReplicas;
  record.value = value;
  records.Add(record, 0);
}

// With ELR the minimum must be the same for all brokers, and known to the controller.
void PrepareForElr(const Context& context, metadata::RecordList& records) {
  using metadata::ConfigResourceType;
  const metadata::ConfigValues& of_all = context.image.ConfigsOf(ConfigResourceType::kBroker, "");
  std::string value = std::to_string(context.min_insync_replicas);
  if (!of_all.contains(kMinInSyncReplicas)) AddConfig("", value, records);
  context.image.ForEachConfigResource(
      [&](const metadata::ConfigResource& resource, const metadata::ConfigValues& values) {
        bool is_of_one = resource.type == ConfigResourceType::kBroker && !resource.name.empty();
        if (is_of_one && values.contains(kMinInSyncReplicas)) AddConfig(resource.name, std::nullopt, records);
      });
}

void Write(const Context& context, const Updates& updates, metadata::RecordList& records) {
  auto elr = updates.find(metadata::kElrFeature);
  if (elr != updates.end() && elr->second.level > 0) PrepareForElr(context, records);
  for (const auto& [name, update] : updates) {
    if (name == metadata::kKRaftVersionFeature) continue;  // it is as it was
    message::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = update.level;
    records.Add(record, 0);
  }
}

}  // namespace

UpdateFeaturesResponse DecideUpdateFeatures(const Context& context, const UpdateFeaturesRequest& request,
                                            int16_t version, metadata::RecordList& records) {
  Updates updates;
  for (const auto& update : request.feature_updates) {
    updates[update.feature] = {update.max_version_level, update.upgrade_type};
  }
  UpdateFeaturesResponse response;
  response.error_message = std::nullopt;
  for (const auto& [name, update] : updates) {
    if (Refusal refusal = Check(context, name, update, updates)) {
      Put(context.arena, refusal, response);
      return response;
    }
  }
  if (!request.validate_only) Write(context, updates, records);
  if (version > 1) return response;
  for (const auto& [name, update] : updates) {
    auto& result = response.results.Add(context.arena);
    result.feature = name;
    result.error_message = std::nullopt;
  }
  return response;
}

}  // namespace kb::controller

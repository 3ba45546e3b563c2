#include "controller/config_decisions.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/number.h"
#include "message/clear_elr_record.h"
#include "message/config_record.h"
#include "metadata/topic_name.h"

namespace kb::controller {
namespace {

using metadata::ConfigResource;
using metadata::ConfigResourceType;
using metadata::ConfigValues;
using metadata::MetadataImage;
using metadata::RecordList;
using Context = ConfigDecisionContext;

constexpr std::string_view kMinInsyncReplicas = "min.insync.replicas";
constexpr std::string_view kCordonedLogDirs = "cordoned.log.dirs";

// One key of one resource, of either request.
struct Change {
  std::string_view key;
  ConfigOperation operation = ConfigOperation::kSet;
  std::optional<std::string_view> value;
};

struct Wish {
  int8_t type = 0;
  std::string_view name;
  std::vector<Change> changes;
  bool replaces = false;  // AlterConfigs: what is not named goes away

  ConfigResourceType resource_type() const { return static_cast<ConfigResourceType>(type); }
};

ConfigRefusal Invalid(std::string message) {
  return {ErrorCode::kInvalidRequest, std::move(message)};
}
ConfigRefusal InvalidConfig(std::string message) {
  return {ErrorCode::kInvalidConfig, std::move(message)};
}

std::string Quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// ---- the shape of a wish -------------------------------------------------------------------------------------------

bool IsKnownType(const Wish& wish) {
  switch (wish.resource_type()) {
    case ConfigResourceType::kTopic:
    case ConfigResourceType::kBroker:
    case ConfigResourceType::kClientMetrics:
    case ConfigResourceType::kGroup:
      return true;
    case ConfigResourceType::kBrokerLogger:
      return !wish.replaces;
  }
  return false;
}

ConfigRefusal CheckKeys(const Wish& wish) {
  std::set<std::string_view> seen;
  for (const Change& change : wish.changes) {
    if (!seen.insert(change.key).second) return Invalid("key " + Quoted(change.key) + " is named more than once");
  }
  for (const Change& change : wish.changes) {
    if (change.operation != ConfigOperation::kDelete && !change.value.has_value()) {
      return Invalid("key " + Quoted(change.key) + ": the value is null");
    }
  }
  return {};
}

ConfigRefusal CheckType(const Context& context, const Wish& wish) {
  if (IsKnownType(wish)) return {};
  const bool is_unknown = wish.resource_type() != ConfigResourceType::kBrokerLogger;
  const ErrorCode code =
      context.at_controller && is_unknown ? ErrorCode::kUnsupportedVersion : ErrorCode::kInvalidRequest;
  return {code, "resource type " + std::to_string(wish.type) + " cannot be altered: 2 topic, 4 broker, " +
                    (wish.replaces ? "" : "8 broker logger, ") + "16 client metrics or 32 group can"};
}

ConfigRefusal CheckOperations(const Wish& wish) {
  for (const Change& change : wish.changes) {
    if (change.operation >= ConfigOperation::kSet && change.operation <= ConfigOperation::kSubtract) continue;
    return Invalid("key " + Quoted(change.key) + ": operation " + std::to_string(static_cast<int>(change.operation)) +
                   " is none");
  }
  return {};
}

// ---- the resource --------------------------------------------------------------------------------------------------

// As Java reads it: with a sign and zeros in front.
std::optional<int32_t> BrokerNumber(std::string_view name) {
  if (name.size() > 1 && name[0] == '+' && name[1] != '-') name.remove_prefix(1);
  return ParseNumber<int32_t>(name);
}

// This node, or all brokers; makes the name the one under which the values are kept.
ConfigRefusal ResolveBroker(const Context& context, std::string_view name, ConfigResource& resource) {
  if (name.empty()) return {};
  const std::optional<int32_t> id = BrokerNumber(name);
  if (!id.has_value()) return Invalid("broker " + Quoted(name) + " is no number");
  if (*id != context.rules.node_id()) {
    const bool is_unknown = *id >= 0 && context.image.FindBroker(BrokerId(*id)) == nullptr;
    const ErrorCode code =
        context.at_controller && is_unknown ? ErrorCode::kBrokerIdNotRegistered : ErrorCode::kInvalidRequest;
    return {code, "this is broker " + std::to_string(context.rules.node_id()) + ", not " + Quoted(name)};
  }
  resource.name = std::to_string(*id);
  return {};
}

ConfigRefusal Resolve(const Context& context, const Wish& wish, ConfigResource& resource) {
  resource = {wish.resource_type(), std::string(wish.name)};
  switch (resource.type) {
    case ConfigResourceType::kBroker:
      return ResolveBroker(context, wish.name, resource);
    case ConfigResourceType::kTopic:
      if (wish.name.empty()) return Invalid("a topic has a name; there are no configurations for all topics");
      if (std::string reason = metadata::InvalidTopicNameReason(wish.name); !reason.empty()) {
        return {ErrorCode::kInvalidTopicException, std::move(reason)};
      }
      return {};
    case ConfigResourceType::kGroup:
      if (wish.name.empty()) return Invalid("a group has a name; there are no configurations for all groups");
      return {};
    case ConfigResourceType::kClientMetrics:
      if (wish.name.empty()) return Invalid("a client metrics subscription has a name");
      return {};
    case ConfigResourceType::kBrokerLogger:
      return {};
  }
  return {};
}

// ---- its values ----------------------------------------------------------------------------------------------------

std::vector<std::string> Split(std::string_view text, bool keep_empty) {
  std::vector<std::string> items;
  while (true) {
    const size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    if (keep_empty || !item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) return items;
    text = text.substr(comma + 1);
  }
}

std::string Joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (&item == items.data() ? "" : ",") + item;
  return text;
}

std::string Appended(std::string_view present, std::string_view added) {
  std::vector<std::string> items = Split(present, false);
  for (std::string& item : Split(added, true)) {
    if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(std::move(item));
  }
  return Joined(items);
}

std::string Without(std::string_view present, std::string_view removed) {
  std::vector<std::string> items = Split(present, false);
  for (const std::string& item : Split(removed, true)) {
    auto found = std::find(items.begin(), items.end(), item);
    if (found != items.end()) items.erase(found);
  }
  return Joined(items);
}

// What is to be written of one resource: key to value, nullopt to take it away. In the order of the request.
using Writes = std::vector<std::pair<std::string, std::optional<std::string>>>;

class Alteration {
 public:
  Alteration(const Context& context, const ConfigResource& resource)
      : context_(context), resource_(resource), present_(context.image.ConfigsOf(resource.type, resource.name)) {
    next_ = present_;
  }

  ConfigRefusal Apply(const Change& change) {
    const std::string key(change.key);
    switch (change.operation) {
      case ConfigOperation::kSet:
        Write(key, std::string(*change.value));
        return {};
      case ConfigOperation::kDelete:
        Write(key, std::nullopt);
        return {};
      case ConfigOperation::kAppend:
      case ConfigOperation::kSubtract:
        return ApplyToList(key, *change.value, change.operation);
    }
    return {};
  }
  void DeleteUnnamed(const Wish& wish) {
    std::set<std::string_view> named;
    for (const Change& change : wish.changes) named.insert(change.key);
    for (const auto& [key, value] : present_) {
      if (!named.contains(key)) Write(key, std::nullopt);
    }
  }

  ConfigRefusal Check() const {
    for (const auto& [key, value] : writes_) {
      if (key == kMinInsyncReplicas) {
        if (ConfigRefusal refusal = CheckMinInsyncReplicas(value)) return refusal;
      }
      if (key == kCordonedLogDirs) {
        if (ConfigRefusal refusal = CheckCordoned()) return refusal;
      }
      if (value.has_value() && value->size() > kMostValueBytes) {
        return InvalidConfig(key + ": a value has at most " + std::to_string(kMostValueBytes) + " bytes, this one " +
                             std::to_string(value->size()));
      }
    }
    if (ConfigRefusal refusal = context_.rules.Check(context_.image, resource_, next_)) return refusal;
    if (resource_.type == ConfigResourceType::kTopic && context_.image.FindTopic(resource_.name) == nullptr) {
      return {ErrorCode::kUnknownTopicOrPartition, "there is no topic " + Quoted(resource_.name)};
    }
    return {};
  }
  const Writes& writes() const { return writes_; }

 private:
  ConfigRefusal ApplyToList(const std::string& key, std::string_view value, ConfigOperation operation) {
    const std::optional<std::string> by_default = context_.rules.ListDefault(resource_.type, key);
    const bool appends = operation == ConfigOperation::kAppend;
    if (!by_default.has_value()) {
      return InvalidConfig(key + ": it is no list, so nothing can be " +
                           (appends ? "appended to it" : "subtracted from it"));
    }
    auto found = present_.find(key);
    const std::string& present = found == present_.end() ? *by_default : found->second;
    Write(key, appends ? Appended(present, value) : Without(present, value));
    return {};
  }

  // A broker's values are written even where they are the same: brokers read files that they name again then.
  void Write(const std::string& key, std::optional<std::string> value) {
    auto found = present_.find(key);
    const bool is_same =
        value.has_value() ? found != present_.end() && found->second == *value : found == present_.end();
    if (is_same && resource_.type != ConfigResourceType::kBroker) return;
    if (value.has_value()) {
      next_[key] = *value;
    } else {
      next_.erase(key);
    }
    writes_.emplace_back(key, std::move(value));
  }

  ConfigRefusal CheckCordoned() const {
    constexpr int16_t kSince = 30;  // metadata.version 4.3-IV0
    if (resource_.type != ConfigResourceType::kBroker || context_.image.metadata_version() >= kSince) return {};
    return InvalidConfig("cordoned.log.dirs needs metadata.version 4.3-IV0, and the cluster has a lower one");
  }

  // Who may lead is reckoned with one number for the whole cluster.
  ConfigRefusal CheckMinInsyncReplicas(const std::optional<std::string>& value) const {
    if (resource_.type != ConfigResourceType::kBroker || !context_.image.eligible_leader_replicas_enabled()) return {};
    if (!resource_.name.empty()) {
      return InvalidConfig(
          "min.insync.replicas of a single broker cannot be altered while eligible leader replicas "
          "are on; alter that of all brokers");
    }
    if (value.has_value()) return {};
    return InvalidConfig(
        "min.insync.replicas of all brokers cannot be taken away while eligible leader replicas are "
        "on; set another value");
  }

  const Context& context_;
  const ConfigResource& resource_;
  const ConfigValues& present_;
  ConfigValues next_;
  Writes writes_;
};

// ---- records -------------------------------------------------------------------------------------------------------

void AddRecords(const ConfigResource& resource, const Writes& writes, RecordList& records) {
  for (const auto& [key, value] : writes) {
    message::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(resource.type);
    record.resource_name = resource.name;
    record.name = key;
    record.value = std::nullopt;
    if (value.has_value()) record.value = *value;
    records.Add(record, 0);
  }
}

// The eligible leaders were chosen by another number of replicas.
void AddClearElr(const Context& context, const ConfigResource& resource, const Writes& writes, RecordList& records) {
  if (!context.image.eligible_leader_replicas_enabled()) return;
  for (const auto& [key, value] : writes) {
    if (key != kMinInsyncReplicas) continue;
    message::ClearElrRecord clear;
    if (resource.type == ConfigResourceType::kTopic) clear.topic_name = resource.name;
    records.Add(clear, 0);
  }
}

class Decider {
 public:
  Decider(const Context& context, std::vector<Wish> wishes) : context_(context), wishes_(std::move(wishes)) {
    for (const Wish& wish : wishes_) ++mentions_[{wish.type, wish.name}];
  }

  // One for each wish.
  std::vector<ConfigRefusal> Decide(bool validate_only, RecordList& records) {
    std::vector<ConfigRefusal> refusals;
    for (const Wish& wish : wishes_) refusals.push_back(DecideOne(wish));
    if (changes_.size() + cleared_.size() > kMostConfigRecords) {
      const ConfigRefusal too_many{
          ErrorCode::kPolicyViolation,
          "the request makes more than " + std::to_string(kMostConfigRecords) + " changes; split it"};
      for (ConfigRefusal& refusal : refusals) {
        if (!refusal) refusal = too_many;
      }
      return refusals;
    }
    if (validate_only) return refusals;
    records.Append(changes_);
    records.Append(cleared_);
    return refusals;
  }

 private:
  ConfigRefusal DecideOne(const Wish& wish) {
    if (mentions_[{wish.type, wish.name}] > 1) {
      return Invalid("the request names resource " + Quoted(wish.name) + " of type " + std::to_string(wish.type) +
                     " more than once");
    }
    if (ConfigRefusal refusal = CheckKeys(wish)) return refusal;
    if (ConfigRefusal refusal = CheckType(context_, wish)) return refusal;
    if (wish.resource_type() == ConfigResourceType::kBrokerLogger) return {};
    if (ConfigRefusal refusal = CheckOperations(wish)) return refusal;
    ConfigResource resource;
    ConfigRefusal unresolved = Resolve(context_, wish, resource);
    Alteration alteration(context_, resource);
    for (const Change& change : wish.changes) {
      // Of two mistakes Apache Kafka names this one, but for brokers.
      ConfigRefusal refusal = alteration.Apply(change);
      if (refusal && (!unresolved || resource.type != ConfigResourceType::kBroker)) return refusal;
    }
    if (unresolved) return unresolved;
    if (wish.replaces) alteration.DeleteUnnamed(wish);
    if (ConfigRefusal refusal = alteration.Check()) return refusal;
    const bool is_new = !alteration.writes().empty() && context_.image.ConfigsOf(resource.type, resource.name).empty();
    if (is_new && !HasRoomFor(resource.type)) {
      return {ErrorCode::kPolicyViolation, std::to_string(kMostNamedResources) +
                                               " resources of this type have values already; delete those of another"};
    }
    AddRecords(resource, alteration.writes(), changes_);
    AddClearElr(context_, resource, alteration.writes(), cleared_);
    return {};
  }

  // Of those that need not exist. Counts this one.
  bool HasRoomFor(ConfigResourceType type) {
    if (type != ConfigResourceType::kGroup && type != ConfigResourceType::kClientMetrics) return true;
    if (!known_.has_value()) {
      known_.emplace();
      context_.image.ForEachConfigResource(
          [&](const ConfigResource& one, const ConfigValues&) { ++(*known_)[one.type]; });
    }
    size_t& count = (*known_)[type];
    if (count >= kMostNamedResources) return false;
    ++count;
    return true;
  }

  const Context& context_;
  const std::vector<Wish> wishes_;
  std::map<std::pair<int8_t, std::string_view>, int> mentions_;
  std::optional<std::map<ConfigResourceType, size_t>> known_;  // resources with values, where that had to be counted
  RecordList changes_, cleared_;
};

template <typename Response, typename Request>
Response Answer(const Context& context, const Request& request, const std::vector<ConfigRefusal>& refusals) {
  Response response;
  for (size_t i = 0; i < refusals.size(); ++i) {
    auto& result = response.responses.Add(context.arena);
    result.resource_type = request.resources[i].resource_type;
    result.resource_name = request.resources[i].resource_name;
    result.error_code = static_cast<int16_t>(refusals[i].code);
    result.error_message = std::nullopt;
    if (refusals[i]) result.error_message = context.arena.Copy(std::string_view(refusals[i].message));
  }
  return response;
}

template <typename Response>
void RefuseEach(ErrorCode error, std::string_view message, Response& response) {
  for (auto& result : response.responses) {
    if (result.error_code != 0) continue;
    result.error_code = static_cast<int16_t>(error);
    result.error_message = message;
  }
}

}  // namespace

message::AlterConfigsResponse DecideAlterConfigs(const Context& context, const message::AlterConfigsRequest& request,
                                                 RecordList& records) {
  std::vector<Wish> wishes;
  for (const auto& resource : request.resources) {
    Wish& wish = wishes.emplace_back(Wish{resource.resource_type, resource.resource_name, {}, true});
    for (const auto& config : resource.configs) {
      wish.changes.push_back({config.name, ConfigOperation::kSet, config.value});
    }
  }
  std::vector<ConfigRefusal> refusals = Decider(context, std::move(wishes)).Decide(request.validate_only, records);
  return Answer<message::AlterConfigsResponse>(context, request, refusals);
}

message::IncrementalAlterConfigsResponse DecideIncrementalAlterConfigs(
    const Context& context, const message::IncrementalAlterConfigsRequest& request, RecordList& records) {
  std::vector<Wish> wishes;
  for (const auto& resource : request.resources) {
    Wish& wish = wishes.emplace_back(Wish{resource.resource_type, resource.resource_name, {}, false});
    for (const auto& config : resource.configs) {
      wish.changes.push_back({config.name, static_cast<ConfigOperation>(config.config_operation), config.value});
    }
  }
  std::vector<ConfigRefusal> refusals = Decider(context, std::move(wishes)).Decide(request.validate_only, records);
  return Answer<message::IncrementalAlterConfigsResponse>(context, request, refusals);
}

void RefuseAll(ErrorCode error, std::string_view message, message::AlterConfigsResponse& response) {
  RefuseEach(error, message, response);
}

void RefuseAll(ErrorCode error, std::string_view message, message::IncrementalAlterConfigsResponse& response) {
  RefuseEach(error, message, response);
}

}  // namespace kb::controller

#include "broker/config_rules.h"

#include "config/broker_change.h"

namespace kb::broker {

using controller::ConfigRefusal;
using metadata::ConfigResourceType;

namespace {

ConfigRefusal AsRefusal(const Status& status, ErrorCode code) {
  if (status.ok()) return {};
  return {code, status.error().message};
}

// Apache Kafka's codes: of a broker nearly everything is an invalid request.
ConfigRefusal OfBroker(const Status& status) {
  if (status.ok()) return {};
  const bool not_here = status.error().kind == ErrorKind::kUnsupported;
  return AsRefusal(status, not_here ? ErrorCode::kInvalidConfig : ErrorCode::kInvalidRequest);
}

// Of a subscription an unknown key and an interval out of range are invalid requests.
ConfigRefusal OfClientMetrics(const Status& status) {
  if (status.ok()) return {};
  const bool is_invalid = status.error().kind == ErrorKind::kInvalid;
  return AsRefusal(status, is_invalid ? ErrorCode::kInvalidConfig : ErrorCode::kInvalidRequest);
}

}  // namespace

// Apache Kafka takes lists of groups and of client metrics for plain texts here.
std::optional<std::string> ConfiguredConfigRules::ListDefault(ConfigResourceType type, std::string_view key) const {
  if (type != ConfigResourceType::kTopic && type != ConfigResourceType::kBroker) return std::nullopt;
  const bool is_topic = type == ConfigResourceType::kTopic;
  const config::Row* row = config::FindRow(is_topic ? config::Scope::kTopic : config::Scope::kBroker, key);
  if (row == nullptr || row->type != config::Type::kList) return std::nullopt;
  return std::string(row->default_value.value_or(""));
}

ConfigRefusal ConfiguredConfigRules::Check(const metadata::MetadataImage& image,
                                           const metadata::ConfigResource& resource,
                                           const metadata::ConfigValues& next) const {
  const config::Layers layers = view_.LayersOf(image);
  switch (resource.type) {
    case ConfigResourceType::kTopic:
      return AsRefusal(config::CheckTopicConfig(next, layers), ErrorCode::kInvalidConfig);
    case ConfigResourceType::kBroker:
      return OfBroker(config::CheckBrokerChange({layers, next, resource.name.empty()}));
    case ConfigResourceType::kGroup:
      return AsRefusal(config::CheckGroupConfig(next, layers), ErrorCode::kInvalidConfig);
    case ConfigResourceType::kClientMetrics:
      return OfClientMetrics(config::CheckClientMetricsConfig(next));
    case ConfigResourceType::kBrokerLogger:
      break;
  }
  return {};
}

}  // namespace kb::broker

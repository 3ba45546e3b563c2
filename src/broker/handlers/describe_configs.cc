// DescribeConfigs (key 32): every key of a topic, broker, group or client-metrics subscription, what it is and why.
#include <algorithm>

#include "broker/config_view.h"
#include "broker/handlers.h"
#include "broker/logger_configs.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

using message::DescribeConfigsRequest;
using message::DescribeConfigsResponse;
using metadata::ConfigResourceType;

struct Answer {
  ErrorCode error = ErrorCode::kNone;
  std::string message;
  std::vector<config::Described> configs;
};

Answer Refused(ErrorCode error, std::string message) {
  return {error, std::move(message), {}};
}

class Describer {
 public:
  explicit Describer(RequestContext& context)
      : image_(context.image()),
        view_(*context.shard().cluster().configs),
        layers_(view_.LayersOf(image_)),
        levels_(*context.shard().cluster().log_levels) {}

  Answer Describe(int8_t type, std::string_view name) const {
    switch (static_cast<ConfigResourceType>(type)) {
      case ConfigResourceType::kTopic:
        return DescribeTopic(name);
      case ConfigResourceType::kBroker:
        return DescribeBroker(name);
      case ConfigResourceType::kGroup:
        if (name.empty()) return Refused(ErrorCode::kInvalidRequest, "a group has a name");
        return {ErrorCode::kNone, "",
                config::DescribeGroup(image_.ConfigsOf(ConfigResourceType::kGroup, name), layers_)};
      case ConfigResourceType::kClientMetrics:
        if (name.empty()) return Refused(ErrorCode::kInvalidRequest, "a client metrics subscription has a name");
        return {ErrorCode::kNone, "",
                config::DescribeClientMetrics(image_.ConfigsOf(ConfigResourceType::kClientMetrics, name))};
      case ConfigResourceType::kBrokerLogger:
        return DescribeLoggers(name);
    }
    return Refused(ErrorCode::kInvalidRequest, "resource type " + std::to_string(type) +
                                                   " is not described here: 2 topic, 4 broker, 8 broker logger, 16 "
                                                   "client metrics or 32 group");
  }

 private:
  Answer DescribeTopic(std::string_view name) const {
    std::string reason = metadata::InvalidTopicNameReason(name);
    if (!reason.empty()) return Refused(ErrorCode::kInvalidTopicException, std::move(reason));
    if (image_.FindTopic(name) == nullptr) {
      return Refused(ErrorCode::kUnknownTopicOrPartition, "there is no topic " + std::string(name));
    }
    return {ErrorCode::kNone, "", config::DescribeTopic(image_.ConfigsOfTopic(name), layers_)};
  }

  Answer DescribeBroker(std::string_view name) const {
    if (name.empty()) {
      return {ErrorCode::kNone, "", config::DescribeClusterDefaults(image_.ConfigsOf(ConfigResourceType::kBroker, ""))};
    }
    if (controller::ConfigRefusal refusal = CheckLoggerResource(name, view_.server().node_id)) {
      return Refused(refusal.code, refusal.message + "; only the broker itself can describe its configuration");
    }
    return {ErrorCode::kNone, "", config::DescribeBroker(layers_)};
  }

  Answer DescribeLoggers(std::string_view name) const {
    if (name.empty()) return Refused(ErrorCode::kInvalidRequest, "the loggers of a broker go by its number");
    if (controller::ConfigRefusal refusal = CheckLoggerResource(name, view_.server().node_id)) {
      return Refused(refusal.code, std::move(refusal.message));
    }
    Answer answer;
    for (const auto& [logger, level] : levels_.All()) {
      config::Described& described = answer.configs.emplace_back();
      described.key = logger;
      described.sensitive = false;
      described.value = std::string(LogLevelName(level));
      described.source = config::Source::kBrokerLogger;
    }
    return answer;
  }

  const metadata::MetadataImage& image_;
  const ConfigView& view_;
  const config::Layers layers_;
  const LogLevels& levels_;
};

bool IsWanted(const protocol::Array<std::string_view>& keys, std::string_view key) {
  return keys.is_null() || keys.empty() || std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

reactor::Task<void> HandleDescribeConfigs(RequestContext& context, const DescribeConfigsRequest& request,
                                          DescribeConfigsResponse& response) {
  Arena& arena = context.arena();
  Describer describer(context);
  auto copy = [&arena](const std::optional<std::string>& text) -> std::optional<std::string_view> {
    if (!text) return std::nullopt;
    return arena.Copy(std::string_view(*text));
  };
  for (const auto& resource : request.resources) {
    Answer answer = describer.Describe(resource.resource_type, resource.resource_name);
    auto& result = response.results.Add(arena);
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_code = static_cast<int16_t>(answer.error);
    if (answer.error != ErrorCode::kNone) result.error_message = arena.Copy(std::string_view(answer.message));
    for (const config::Described& described : answer.configs) {
      if (!IsWanted(resource.configuration_keys, described.key)) continue;
      auto& entry = result.configs.Add(arena);
      entry.name = arena.Copy(std::string_view(described.key));
      entry.value = copy(described.value);
      entry.read_only = described.read_only;
      entry.config_source = static_cast<int8_t>(described.source);
      entry.is_sensitive = described.sensitive;
      entry.config_type = described.type;
      entry.documentation = std::nullopt;
      if (request.include_documentation && described.row != nullptr) {
        entry.documentation = arena.Copy(std::string_view(config::Documentation(*described.row)));
      }
      if (!request.include_synonyms) continue;
      for (const config::Described::Synonym& synonym : described.synonyms) {
        auto& one = entry.synonyms.Add(arena);
        one.name = arena.Copy(std::string_view(synonym.key));
        one.value = copy(synonym.value);
        one.source = static_cast<int8_t>(synonym.source);
      }
    }
  }
  co_return;
}

}  // namespace kb::broker

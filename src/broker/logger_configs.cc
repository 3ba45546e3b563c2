#include "broker/logger_configs.h"

#include <optional>
#include <string>

#include "base/number.h"
#include "controller/config_decisions.h"

namespace kb::broker {

using controller::ConfigOperation;
using controller::ConfigRefusal;
using Resource = message::IncrementalAlterConfigsRequest::AlterConfigsResource;

namespace {

ConfigRefusal CheckLogger(const Resource& resource, const LogLevels& levels) {
  for (const auto& config : resource.configs) {
    const std::string name(config.name);
    const auto operation = static_cast<ConfigOperation>(config.config_operation);
    if (operation != ConfigOperation::kSet && operation != ConfigOperation::kDelete) {
      return {ErrorCode::kInvalidRequest, "logger '" + name + "': a level can be set (0) or deleted (1), operation " +
                                              std::to_string(config.config_operation) + " is neither"};
    }
    if (!levels.Has(name)) return {ErrorCode::kInvalidConfig, "there is no logger '" + name + "'"};
    if (operation == ConfigOperation::kDelete) {
      if (name != LogLevels::kRoot) continue;
      return {ErrorCode::kInvalidRequest, "the level of root cannot be taken away; the others follow it"};
    }
    if (!LogLevelNamed(*config.value).has_value()) {
      return {ErrorCode::kInvalidConfig, "logger '" + name + "': '" + std::string(*config.value) +
                                             "' is no level; it must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL"};
    }
  }
  return {};
}

}  // namespace

ConfigRefusal CheckLoggerResource(std::string_view name, int32_t node_id) {
  std::string_view digits = name;
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  const std::optional<int32_t> id = ParseNumber<int32_t>(digits);
  if (id == node_id) return {};
  if (!id.has_value()) return {ErrorCode::kInvalidRequest, "broker '" + std::string(name) + "' is no number"};
  return {ErrorCode::kInvalidRequest,
          "this is broker " + std::to_string(node_id) + ", not '" + std::string(name) + "'"};
}

ConfigRefusal AlterLoggers(const Resource& resource, int32_t node_id, bool validate_only, LogLevels& levels) {
  if (ConfigRefusal refusal = CheckLoggerResource(resource.resource_name, node_id)) return refusal;
  if (ConfigRefusal refusal = CheckLogger(resource, levels)) return refusal;
  if (validate_only) return {};
  for (const auto& config : resource.configs) {
    if (static_cast<ConfigOperation>(config.config_operation) == ConfigOperation::kDelete) {
      levels.Unset(config.name);
    } else {
      levels.Set(config.name, LogLevelNamed(*config.value).value());
    }
  }
  return {};
}

}  // namespace kb::broker

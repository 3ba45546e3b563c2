// IncrementalAlterConfigs (key 44): single keys of a topic, broker, group or client-metrics subscription set, deleted,
// appended to or subtracted from. Decided by the controller; answered when it is on the disk and in force. The levels
// of loggers are changed here and kept nowhere.
#include "broker/config_rules.h"
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "broker/logger_configs.h"

namespace kb::broker {
namespace {

using message::IncrementalAlterConfigsRequest;
using message::IncrementalAlterConfigsResponse;

void AlterLoggersOf(RequestContext& context, const IncrementalAlterConfigsRequest& request,
                    IncrementalAlterConfigsResponse& response) {
  Shard& shard = context.shard();
  for (size_t i = 0; i < request.resources.size(); ++i) {
    const auto& resource = request.resources[i];
    auto& result = response.responses[i];
    const auto type = static_cast<metadata::ConfigResourceType>(resource.resource_type);
    if (type != metadata::ConfigResourceType::kBrokerLogger || result.error_code != 0) continue;
    controller::ConfigRefusal refusal =
        AlterLoggers(resource, shard.config().node_id, request.validate_only, *shard.cluster().log_levels);
    if (!refusal) continue;
    result.error_code = static_cast<int16_t>(refusal.code);
    result.error_message = context.arena().Copy(std::string_view(refusal.message));
  }
}

}  // namespace

reactor::Task<void> HandleIncrementalAlterConfigs(RequestContext& context,
                                                  const IncrementalAlterConfigsRequest& request,
                                                  IncrementalAlterConfigsResponse& response) {
  const Cluster& cluster = context.shard().cluster();
  const ConfiguredConfigRules rules(*cluster.configs);
  auto alter = [&](controller::Controller& controller) {
    return controller.IncrementalAlterConfigs(request, rules, context.listener().is_controller, context.arena());
  };
  auto decide = cluster.controller->Decide<IncrementalAlterConfigsResponse>(alter);
  response = co_await decide;
  AlterLoggersOf(context, request, response);
}

}  // namespace kb::broker

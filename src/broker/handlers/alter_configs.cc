// AlterConfigs (key 33): all that is set for a topic, broker, group or client-metrics subscription, replaced. Decided
// by the controller; answered when it is on the disk and in force.
#include "broker/config_rules.h"
#include "broker/controller_loop.h"
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleAlterConfigs(RequestContext& context, const message::AlterConfigsRequest& request,
                                       message::AlterConfigsResponse& response) {
  const Cluster& cluster = context.shard().cluster();
  const ConfiguredConfigRules rules(*cluster.configs);
  auto alter = [&](controller::Controller& controller) {
    return controller.AlterConfigs(request, rules, context.listener().is_controller, context.arena());
  };
  auto decide = cluster.controller->Decide<message::AlterConfigsResponse>(alter);
  response = co_await decide;
}

}  // namespace kb::broker

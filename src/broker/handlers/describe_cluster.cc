// DescribeCluster (key 60): the brokers (endpoint type 1) or, on the controller's listener, the controllers (type 2).
#include "broker/handlers.h"
#include "broker/metadata_answers.h"

namespace kb::broker {
namespace {

constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;

}  // namespace

reactor::Task<void> HandleDescribeCluster(RequestContext& context, const message::DescribeClusterRequest& request,
                                          message::DescribeClusterResponse& response) {
  Arena& arena = context.arena();
  response.cluster_id = context.shard().cluster_id();
  response.endpoint_type = request.endpoint_type;
  bool on_controller = context.listener().is_controller;
  if (request.endpoint_type != (on_controller ? kControllers : kBrokers)) {
    bool known = request.endpoint_type == kBrokers || request.endpoint_type == kControllers;
    response.error_code =
        static_cast<int16_t>(known ? ErrorCode::kMismatchedEndpointType : ErrorCode::kUnsupportedEndpointType);
    response.error_message = on_controller ? "this listener serves controllers: ask with endpoint type 2"
                                           : "this listener serves brokers: ask with endpoint type 1";
    co_return;
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  if (on_controller) {
    for (const auto& [id, controller] : context.image().controllers()) {
      for (const metadata::Endpoint& endpoint : controller.endpoints) {
        if (endpoint.name != context.listener().name) continue;
        auto& one = response.brokers.Add(arena);
        one.broker_id = id.value();
        one.host = endpoint.host;
        one.port = endpoint.port;
      }
    }
    response.controller_id = context.shard().config().node_id;
    co_return;
  }
  for (const auto& [id, broker] : context.image().brokers()) {
    const metadata::Endpoint* endpoint = broker.FindEndpoint(context.listener().name);
    bool shown = endpoint != nullptr && (!broker.fenced || request.include_fenced_brokers);
    if (!shown) continue;
    auto& one = response.brokers.Add(arena);
    one.broker_id = id.value();
    one.host = endpoint->host;
    one.port = endpoint->port;
    one.is_fenced = broker.fenced;
    if (broker.rack) one.rack = *broker.rack;
    if (!broker.fenced) response.controller_id = id.value();
  }
}

}  // namespace kb::broker

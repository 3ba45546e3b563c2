// DescribeCluster (key 60, KIP-700, KIP-919, KIP-1073): the brokers (endpoint type 1) or, on the controller's listener,
// the controllers (type 2).
#include "broker/handlers.h"
#include "broker/metadata_answers.h"
#include "metadata/features.h"

namespace kb::broker {
namespace {

using message::DescribeClusterRequest;
using message::DescribeClusterResponse;

constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;

// The first of what is wrong, if anything; then the answer is nothing else.
bool PutError(RequestContext& context, const DescribeClusterRequest& request, DescribeClusterResponse& response) {
  auto put = [&](ErrorCode code, std::string_view message) {
    response.error_code = static_cast<int16_t>(code);
    response.error_message = message;
    return true;
  };
  bool on_controller = context.listener().is_controller;
  if (on_controller && context.image().metadata_version() < metadata::kControllersSince) {
    return put(ErrorCode::kUnsupportedVersion, "the cluster's metadata.version knows no controllers");
  }
  if (request.endpoint_type == (on_controller ? kControllers : kBrokers)) return false;
  if (request.endpoint_type != kBrokers && request.endpoint_type != kControllers) {
    return put(ErrorCode::kUnsupportedEndpointType, "there are endpoint types 1 (brokers) and 2 (controllers)");
  }
  std::string_view message = on_controller ? "this listener serves controllers: ask with endpoint type 2"
                                           : "this listener serves brokers: ask with endpoint type 1";
  // Version 0 cannot say which it wants.
  return put(context.api_version() == 0 ? ErrorCode::kInvalidRequest : ErrorCode::kMismatchedEndpointType, message);
}

void AddControllers(RequestContext& context, DescribeClusterResponse& response) {
  for (const auto& [id, controller] : context.image().controllers()) {
    for (const metadata::Endpoint& endpoint : controller.endpoints) {
      if (endpoint.name != context.listener().name) continue;
      auto& one = response.brokers.Add(context.arena());
      one.broker_id = id.value();
      one.host = endpoint.host;
      one.port = endpoint.port;
    }
  }
  response.controller_id = context.shard().config().node_id;
}

void AddBrokers(RequestContext& context, const DescribeClusterRequest& request, DescribeClusterResponse& response) {
  for (const auto& [id, broker] : context.image().brokers()) {
    const metadata::Endpoint* endpoint = broker.FindEndpoint(context.listener().name);
    bool shown = endpoint != nullptr && (!broker.fenced || request.include_fenced_brokers);
    if (!shown) continue;
    auto& one = response.brokers.Add(context.arena());
    one.broker_id = id.value();
    one.host = endpoint->host;
    one.port = endpoint->port;
    one.is_fenced = broker.fenced;
    if (broker.rack) one.rack = *broker.rack;
    if (!broker.fenced) response.controller_id = id.value();
  }
}

}  // namespace

reactor::Task<void> HandleDescribeCluster(RequestContext& context, const DescribeClusterRequest& request,
                                          DescribeClusterResponse& response) {
  if (PutError(context, request, response)) co_return;
  response.cluster_id = context.shard().cluster_id();
  response.endpoint_type = request.endpoint_type;
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  if (context.listener().is_controller) {
    AddControllers(context, response);
  } else {
    AddBrokers(context, request, response);
  }
}

}  // namespace kb::broker

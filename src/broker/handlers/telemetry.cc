// GetTelemetrySubscriptions and PushTelemetry (keys 71, 72; KIP-714). Nothing here receives what clients measure, so
// the two are not advertised and no client that looks asks for them. One that asks all the same hears that no metric is
// wanted, and what it pushes is checked and dropped.
#include "base/crc32c.h"
#include "broker/handlers.h"

namespace kb::broker {
namespace {

using message::GetTelemetrySubscriptionsRequest;
using message::GetTelemetrySubscriptionsResponse;
using message::PushTelemetryRequest;
using message::PushTelemetryResponse;

constexpr int32_t kPushIntervalMs = 300'000;
constexpr int32_t kMostPushedBytes = 1 << 20;
constexpr int8_t kLastCompressionType = 4;
constexpr std::string_view kWanted = "[]300000";  // no metric, and the interval

// Changes with what is wanted of the client, and so never here: the checksum of that, and the id.
int32_t SubscriptionOf(const Uuid& client) {
  uint64_t mixed = std::hash<Uuid>()(client);
  uint32_t hash = static_cast<uint32_t>(mixed >> 32) ^ static_cast<uint32_t>(mixed);
  return static_cast<int32_t>(Crc32c(AsBytes(kWanted)) ^ hash);
}

ErrorCode Check(const PushTelemetryRequest& request) {
  if (request.client_instance_id.is_zero() || request.client_instance_id == kMetadataTopicId)
    return ErrorCode::kInvalidRequest;
  if (request.subscription_id != SubscriptionOf(request.client_instance_id)) return ErrorCode::kUnknownSubscriptionId;
  if (request.compression_type < 0 || request.compression_type > kLastCompressionType) {
    return ErrorCode::kUnsupportedCompressionType;
  }
  if (request.metrics.size() > kMostPushedBytes) return ErrorCode::kTelemetryTooLarge;
  return ErrorCode::kNone;
}

}  // namespace

reactor::Task<void> HandleGetTelemetrySubscriptions(RequestContext& context,
                                                    const GetTelemetrySubscriptionsRequest& request,
                                                    GetTelemetrySubscriptionsResponse& response) {
  Uuid id = request.client_instance_id;
  if (id.is_zero()) id = context.shard().reactor().random().NextUuid();
  response.client_instance_id = id;
  response.subscription_id = SubscriptionOf(id);
  response.accepted_compression_types = protocol::Array<int8_t>::Of(context.arena(), {4, 3, 1, 2});
  response.push_interval_ms = kPushIntervalMs;
  response.telemetry_max_bytes = kMostPushedBytes;
  response.delta_temporality = true;
  co_return;
}

reactor::Task<void> HandlePushTelemetry(RequestContext&, const PushTelemetryRequest& request,
                                        PushTelemetryResponse& response) {
  response.error_code = static_cast<int16_t>(Check(request));
  co_return;
}

}  // namespace kb::broker

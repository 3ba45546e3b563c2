// FindCoordinator (key 10): who coordinates a group (key type 0), a transactional id (1) or a share group's partition
// (2).
//
// On one node that is this node, once the topic that keeps the state is in service. The first question creates it;
// Apache Kafka answers 15 meanwhile and lets the client try again, we let it wait for the answer.
#include "broker/controller_loop.h"
#include "broker/handlers.h"
#include "metadata/topic_name.h"

namespace kb::broker {
namespace {

constexpr int8_t kGroup = 0;
constexpr int8_t kTransaction = 1;

struct Place {
  ErrorCode error = ErrorCode::kNone;
  std::string_view message;
};

reactor::Task<Place> Check(RequestContext& context, int8_t key_type) {
  if (key_type == kTransaction) {
    // Final, so that a client says so at once instead of asking for ever.
    co_return Place{ErrorCode::kTransactionalIdAuthorizationFailed, "this broker does not coordinate transactions yet"};
  }
  if (key_type != kGroup) co_return Place{ErrorCode::kInvalidRequest, "key_type must be 0 (group) or 1 (transaction)"};
  if (context.image().FindTopic(metadata::kConsumerOffsetsTopicName) != nullptr) co_return Place{};
  const Options& options = context.shard().config();
  ControllerLoop* controller = context.shard().cluster().controller;
  auto create = [&] {
    return controller->EnsureTopic(std::string(metadata::kConsumerOffsetsTopicName),
                                   options.offsets_topic_num_partitions, options.offsets_topic_replication_factor,
                                   {{"cleanup.policy", "compact"},
                                    {"compression.type", "producer"},
                                    {"segment.bytes", std::to_string(options.offsets_topic_segment_bytes)}});
  };
  auto call = reactor::RunOn(context.shard().cluster().shards[0]->reactor(), create);
  ErrorCode created = co_await call;
  if (created == ErrorCode::kNone || created == ErrorCode::kTopicAlreadyExists) co_return Place{};
  co_return Place{ErrorCode::kCoordinatorNotAvailable, "__consumer_offsets could not be created"};
}

template <typename Entry>
void Fill(const RequestContext& context, const Place& place, Entry& entry) {
  entry.error_code = static_cast<int16_t>(place.error);
  entry.node_id = -1;
  entry.host = "";
  entry.port = -1;
  if (!place.message.empty()) entry.error_message = place.message;
  if (place.error != ErrorCode::kNone) return;
  for (const auto& [id, broker] : context.image().brokers()) {
    const metadata::Endpoint* endpoint = broker.FindEndpoint(context.listener().name);
    if (endpoint == nullptr) continue;
    entry.node_id = id.value();
    entry.host = endpoint->host;
    entry.port = endpoint->port;
  }
}

}  // namespace

reactor::Task<void> HandleFindCoordinator(RequestContext& context, const message::FindCoordinatorRequest& request,
                                          message::FindCoordinatorResponse& response) {
  auto check = Check(context, request.key_type);
  Place place = co_await check;
  if (context.api_version() < 4) {
    Fill(context, place, response);
    co_return;
  }
  for (std::string_view key : request.coordinator_keys) {
    auto& entry = response.coordinators.Add(context.arena());
    entry.key = key;
    Fill(context, place, entry);
  }
}

}  // namespace kb::broker

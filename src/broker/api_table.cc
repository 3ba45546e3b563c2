#include "broker/api_table.h"

#include <algorithm>

#include "broker/error_count.h"
#include "broker/handlers.h"
#include "broker/throttle.h"
#include "protocol/header.h"

namespace kb::broker {
namespace {

using protocol::ApiKey;

// Encodes header and body into one buffer of exactly their size, cut where ranges of files go in between.
template <typename Response>
bool Encode(RequestContext& context, const Response& body) {
  int16_t key = context.header().api_key;
  int16_t version = context.api_version();
  Result<size_t> body_size = EncodedSize(body, version);
  if (!body_size.ok()) {
    context.shard().client_log().Write(Severity::kError, "encode", body_size.error().message);
    return false;
  }
  net::Buffer buffer(protocol::ResponseHeaderSize(key, version) + *body_size);
  protocol::Writer writer(buffer.bytes());
  protocol::WriteResponseHeader(key, version, context.header().correlation_id, writer);
  message::Encode(body, version, writer);
  context.SetAnswer(std::move(buffer), writer.splices());
  return true;
}

template <typename Request, typename Response,
          reactor::Task<void> (*handle)(RequestContext&, const Request&, Response&)>
reactor::Task<void> Serve(RequestContext& context, protocol::Reader& body) {
  Request request;
  if (!Decode(body, context.api_version(), context.arena(), request)) {
    if constexpr (std::is_same_v<Request, message::ApiVersionsRequest>) {
      // The body only names the client, and the one who asks may well be trying out a protocol for the first time.
      request = Request{.client_software_name = "unknown", .client_software_version = "unknown"};
      context.set_ending(RequestContext::Ending::kAnswerAndClose);
    } else {
      context.Close("a body that cannot be read");
      co_return;
    }
  }
  context.EndStage(Stage::kDecode);
  Response response;
  auto handled = handle(context, request, response);
  co_await handled;
  if (context.shard().quotas().any() && !context.charged()) {
    auto charge = ChargeRequest(context);
    co_await charge;
  }
  if constexpr (requires { response.throttle_time_ms; }) response.throttle_time_ms = ThrottleTimeOf(context);
  using Ending = RequestContext::Ending;
  if (context.ending() == Ending::kNone || context.ending() == Ending::kClose) co_return;
  if (const size_t errors = ErrorsIn(response)) context.shard().metrics().CountErrors(*FindRow(Request::kKey), errors);
  if (!Encode(context, response)) context.Close("an answer that this version cannot carry");
}

enum Where { kBroker, kBoth };
enum Order { kInOrder, kOverlaps };

constexpr int16_t StableMax(const protocol::ApiInfo& info) {
  return static_cast<int16_t>(info.max_version - (info.newest_is_unstable ? 1 : 0));
}

#define KB_ROW(Api, where, order)                                                    \
  ApiRow {                                                                           \
    .key = ApiKey::k##Api, .min_version = message::Api##Request::kMinVersion,        \
    .max_version = message::Api##Request::kMaxVersion, .advertised = true,           \
    .advertised_min_version = message::Api##Request::kMinVersion, .on_broker = true, \
    .on_controller = (where) == kBoth, .overlaps = (order) == kOverlaps,             \
    .serve = &Serve<message::Api##Request, message::Api##Response, &Handle##Api>     \
  }

// Differs from its schema in what it advertises.
constexpr ApiRow Produce() {
  ApiRow row = KB_ROW(Produce, kBroker, kOverlaps);
  row.advertised_min_version = 0;
  return row;
}
// Version 6 is not stable in 4.3.
constexpr ApiRow InitProducerId() {
  ApiRow row = KB_ROW(InitProducerId, kBroker, kInOrder);
  row.max_version = 5;
  return row;
}

// Apache Kafka advertises these only where a plugin receives what clients measure.
constexpr ApiRow Unadvertised(ApiRow row) {
  row.advertised = false;
  return row;
}

constexpr ApiRow kRows[] = {
    Produce(),
    KB_ROW(Fetch, kBroker, kOverlaps),
    KB_ROW(ListOffsets, kBroker, kInOrder),
    KB_ROW(Metadata, kBroker, kInOrder),
    KB_ROW(OffsetCommit, kBroker, kInOrder),
    KB_ROW(OffsetFetch, kBroker, kInOrder),
    KB_ROW(FindCoordinator, kBroker, kInOrder),
    KB_ROW(JoinGroup, kBroker, kInOrder),
    KB_ROW(Heartbeat, kBroker, kInOrder),
    KB_ROW(LeaveGroup, kBroker, kInOrder),
    KB_ROW(SyncGroup, kBroker, kInOrder),
    KB_ROW(DescribeGroups, kBroker, kInOrder),
    KB_ROW(ListGroups, kBroker, kInOrder),
    KB_ROW(SaslHandshake, kBoth, kInOrder),
    KB_ROW(ApiVersions, kBoth, kInOrder),
    KB_ROW(CreateTopics, kBoth, kInOrder),
    KB_ROW(DeleteTopics, kBoth, kInOrder),
    KB_ROW(DeleteRecords, kBroker, kInOrder),
    InitProducerId(),
    KB_ROW(OffsetForLeaderEpoch, kBroker, kInOrder),
    KB_ROW(DescribeAcls, kBoth, kInOrder),
    KB_ROW(CreateAcls, kBoth, kInOrder),
    KB_ROW(DeleteAcls, kBoth, kInOrder),
    KB_ROW(DescribeConfigs, kBoth, kInOrder),
    KB_ROW(AlterConfigs, kBoth, kInOrder),
    KB_ROW(AlterReplicaLogDirs, kBroker, kInOrder),
    KB_ROW(DescribeLogDirs, kBroker, kInOrder),
    KB_ROW(SaslAuthenticate, kBoth, kInOrder),
    KB_ROW(CreatePartitions, kBoth, kInOrder),
    KB_ROW(CreateDelegationToken, kBoth, kInOrder),
    KB_ROW(RenewDelegationToken, kBoth, kInOrder),
    KB_ROW(ExpireDelegationToken, kBoth, kInOrder),
    KB_ROW(DescribeDelegationToken, kBoth, kInOrder),
    KB_ROW(DeleteGroups, kBroker, kInOrder),
    KB_ROW(ElectLeaders, kBoth, kInOrder),
    KB_ROW(IncrementalAlterConfigs, kBoth, kInOrder),
    KB_ROW(AlterPartitionReassignments, kBoth, kInOrder),
    KB_ROW(ListPartitionReassignments, kBoth, kInOrder),
    KB_ROW(OffsetDelete, kBroker, kInOrder),
    KB_ROW(DescribeClientQuotas, kBroker, kInOrder),
    KB_ROW(AlterClientQuotas, kBoth, kInOrder),
    KB_ROW(DescribeUserScramCredentials, kBoth, kInOrder),
    KB_ROW(AlterUserScramCredentials, kBoth, kInOrder),
    KB_ROW(DescribeQuorum, kBoth, kInOrder),
    KB_ROW(UpdateFeatures, kBoth, kInOrder),
    KB_ROW(DescribeCluster, kBoth, kInOrder),
    KB_ROW(DescribeProducers, kBroker, kInOrder),
    KB_ROW(UnregisterBroker, kBoth, kInOrder),
    KB_ROW(ConsumerGroupHeartbeat, kBroker, kInOrder),
    KB_ROW(ConsumerGroupDescribe, kBroker, kInOrder),
    Unadvertised(KB_ROW(GetTelemetrySubscriptions, kBroker, kInOrder)),
    Unadvertised(KB_ROW(PushTelemetry, kBroker, kInOrder)),
    KB_ROW(ListConfigResources, kBroker, kInOrder),
    KB_ROW(DescribeTopicPartitions, kBroker, kInOrder),
};

constexpr bool IsAscending() {
  return std::is_sorted(std::begin(kRows), std::end(kRows),
                        [](const ApiRow& a, const ApiRow& b) { return a.key < b.key; });
}
static_assert(IsAscending(), "FindRow looks them up by key");

}  // namespace

std::span<const ApiRow> ApiTable() {
  return kRows;
}

const ApiRow* FindRow(int16_t key) {
  auto found = std::lower_bound(std::begin(kRows), std::end(kRows), key, [](const ApiRow& row, int16_t wanted) {
    return static_cast<int16_t>(row.key) < wanted;
  });
  return found != std::end(kRows) && static_cast<int16_t>(found->key) == key ? &*found : nullptr;
}

}  // namespace kb::broker

// Produce (key 0): checks what can be checked here, takes each batch to its partition's home, answers when all have
// said what became of it.
//
// The order of the checks is Apache Kafka's (the first that fails is the answer of that partition): transactional
// batches of a request without a transactional id (53, all partitions) · unknown topic id (100), topic or partition (3)
// · not exactly one batch, old format, codec too new for the version (87, 2, 76) · acks (21) · internal topic (17) ·
// and at the home: leadership (6), size (10), CRC (2), the batch and its records (87, 32), sequences (45, 47).
//
// acks=0 has no answer; an error then closes the connection, as it is the only way to tell.
#include <algorithm>
#include <optional>

#include "base/pool.h"
#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "broker/throttle.h"
#include "metadata/topic_name.h"
#include "record/validate.h"

namespace kb::broker {
namespace {

using message::ProduceRequest;
using message::ProduceResponse;
using partition::ProduceItem;
using partition::ProduceOptions;
using partition::ProduceOutcome;

constexpr std::string_view kAdminClientId = "__admin_client";  // may write to internal topics, as in Apache Kafka

// Where the answer of one batch that got past the checks here belongs.
struct Place {
  size_t topic;
  size_t partition;
};

class ProduceWork {
 public:
  ProduceWork(RequestContext& context, const ProduceRequest& request, ProduceResponse& response)
      : context_(context), request_(request), response_(response), arena_(context.arena()) {}

  void Sort() {
    bool unauthorized = HasTransactionalBatch();
    for (const auto& topic : request_.topic_data) {
      auto& answer = response_.responses.Add(arena_);
      answer.name = topic.name;
      answer.topic_id = topic.topic_id;
      const metadata::Topic* known = context_.api_version() >= 13 ? context_.image().FindTopic(topic.topic_id)
                                                                  : context_.image().FindTopic(topic.name);
      answer.partition_responses.Reserve(arena_, topic.partition_data.size());
      for (const auto& partition : topic.partition_data) {
        auto& entry = answer.partition_responses.Add(arena_);
        entry.index = partition.index;
        entry.base_offset = -1;
        record::FoundBatch found;
        ErrorCode error = unauthorized ? ErrorCode::kTransactionalIdAuthorizationFailed
                                       : Check(known, partition.index, partition.records, found);
        entry.error_code = static_cast<int16_t>(error);
        if (error != ErrorCode::kNone) {
          failed_ = true;
          continue;
        }
        items_.push_back({PartitionId{known->id(), partition.index}, found.bytes});
        places_.push_back({response_.responses.size() - 1, answer.partition_responses.size() - 1});
      }
    }
  }

  // What got past the checks here.
  const PoolVector<ProduceItem>& items() const { return items_; }
  bool failed() const { return failed_; }

  // What became of items()[i].
  void Fill(size_t i, const ProduceOutcome& outcome) {
    auto& entry = response_.responses[places_[i].topic].partition_responses[places_[i].partition];
    entry.error_code = static_cast<int16_t>(outcome.error);
    entry.base_offset = outcome.base_offset;
    entry.log_append_time_ms = outcome.log_append_time_ms;
    entry.log_start_offset = outcome.log_start_offset;
    if (outcome.error == ErrorCode::kNone) return;
    failed_ = true;
    if (!outcome.error_message.empty()) entry.error_message = arena_.Copy(std::string_view(outcome.error_message));
    for (const record::RecordError& bad : outcome.record_errors) {
      auto& error = entry.record_errors.Add(arena_);
      error.batch_index = bad.index;
      error.batch_index_error_message = record::ToString(bad.fault);
    }
    if (outcome.error == ErrorCode::kNotLeaderOrFollower && context_.api_version() >= 10) {
      entry.current_leader.leader_id = outcome.leadership.leader.value();
      entry.current_leader.leader_epoch = outcome.leadership.leader_epoch.value();
    }
  }

 private:
  // Transactions need a coordinator, which this broker does not have yet: a transactional batch is refused for good,
  // with or without the transactional id that it should come with.
  bool HasTransactionalBatch() const {
    for (const auto& topic : request_.topic_data) {
      for (const auto& partition : topic.partition_data) {
        if (record::IsTransactional(partition.records.bytes)) return true;
      }
    }
    return false;
  }

  ErrorCode Check(const metadata::Topic* topic, int32_t index, const protocol::Records& records,
                  record::FoundBatch& found) const {
    if (topic == nullptr && context_.api_version() >= 13) return ErrorCode::kUnknownTopicId;
    if (topic == nullptr || topic->FindPartition(index) == nullptr) return ErrorCode::kUnknownTopicOrPartition;
    found = record::FindBatch(BytesOf(records), context_.api_version());
    if (found.error != record::BatchError::kNone) return static_cast<ErrorCode>(found.error);
    if (request_.acks < -1 || request_.acks > 1) return ErrorCode::kInvalidRequiredAcks;
    if (metadata::IsInternalTopic(topic->name()) && context_.client_id() != kAdminClientId) {
      return ErrorCode::kInvalidTopicException;
    }
    return ErrorCode::kNone;
  }

  // The frame is this request's own: its batches get their offsets where they are, and go to the disk from there.
  static std::optional<MutableByteView> BytesOf(const protocol::Records& records) {
    if (records.is_null) return std::nullopt;
    return MutableByteView{const_cast<uint8_t*>(records.bytes.data()), records.bytes.size()};
  }

  RequestContext& context_;
  const ProduceRequest& request_;
  ProduceResponse& response_;
  Arena& arena_;
  PoolVector<ProduceItem> items_;
  PoolVector<Place> places_;
  bool failed_ = false;
};

// The home of all of them; nullptr when there is not exactly one. Most requests are for one partition, and then there
// is nothing to sort.
Shard* OnlyHome(Shard& here, const PoolVector<ProduceItem>& items) {
  Shard* home = nullptr;
  for (const ProduceItem& item : items) {
    Shard* next = &here.ShardOf(item.id);
    if (home != nullptr && home != next) return nullptr;
    home = next;
  }
  return home;
}

using partition::ProduceStamps;

void EndStages(RequestTrace& trace, const ProduceStamps& stamps) {
  if (stamps.begun_ns != 0) trace.End(Stage::kQueue, stamps.begun_ns);
  trace.End(Stage::kAppend, stamps.appended_ns);
  if (stamps.durable_ns != 0) trace.End(Stage::kDurable, stamps.durable_ns);
}

// The home that was the last to be done is the one that the request has waited for.
const ProduceStamps& LastOf(const PoolVector<ProduceStamps>& homes) {
  auto done_ns = [](const ProduceStamps& stamps) { return std::max(stamps.appended_ns, stamps.durable_ns); };
  return *std::max_element(homes.begin(), homes.end(),
                           [&](const ProduceStamps& a, const ProduceStamps& b) { return done_ns(a) < done_ns(b); });
}

// Takes batches to their home, and notes when they have got there.
reactor::Task<void> ProduceAt(Shard& home, const Shard& here, const PoolVector<ProduceItem>& items,
                              ProduceOptions options, ProduceStamps& stamps, PoolVector<ProduceOutcome>& outcomes) {
  if (&home != &here) stamps.begun_ns = home.reactor().StampNs();
  options.stamps = &stamps;
  return home.partitions().Produce(items, options, outcomes);
}

reactor::Task<void> ProduceAtHomes(RequestContext& context, ProduceWork& work, const ProduceOptions& options) {
  Shard& here = context.shard();
  const PoolVector<ProduceItem>& items = work.items();
  ByHome homes(here, items, [](const ProduceItem& item) -> const PartitionId& { return item.id; });
  PoolVector<PoolVector<ProduceItem>> share(homes.shards.size());
  PoolVector<PoolVector<ProduceOutcome>> outcomes(homes.shards.size());
  PoolVector<ProduceStamps> stamps(homes.shards.size());
  for (size_t home = 0; home < homes.shards.size(); ++home) {
    share[home].reserve(homes.places[home].size());
    for (size_t i : homes.places[home]) share[home].push_back(items[i]);
    outcomes[home].resize(share[home].size());
  }
  auto each = [&](size_t home) {
    return ProduceAt(*homes.shards[home], here, share[home], options, stamps[home], outcomes[home]);
  };
  auto all = reactor::RunOnEach(homes.reactors, each);
  co_await all;
  EndStages(context.trace(), LastOf(stamps));
  for (size_t home = 0; home < outcomes.size(); ++home) {
    for (size_t i = 0; i < outcomes[home].size(); ++i) work.Fill(homes.places[home][i], outcomes[home][i]);
  }
}

}  // namespace

reactor::Task<void> HandleProduce(RequestContext& context, const ProduceRequest& request, ProduceResponse& response) {
  ProduceWork work(context, request, response);
  work.Sort();
  ProduceOptions options{.acks = request.acks, .api_version = context.api_version(), .timeout_ms = request.timeout_ms};
  const PoolVector<ProduceItem>& items = work.items();
  Shard* home = OnlyHome(context.shard(), items);
  context.trace().set_partitions(items.size());
  if (home != nullptr) {
    PoolVector<ProduceOutcome> outcomes(items.size());
    ProduceStamps stamps;
    auto produce = [&] { return ProduceAt(*home, context.shard(), items, options, stamps, outcomes); };
    auto call = reactor::RunOn(home->reactor(), produce);
    co_await call;
    EndStages(context.trace(), stamps);
    for (size_t i = 0; i < outcomes.size(); ++i) work.Fill(i, outcomes[i]);
  } else if (!items.empty()) {
    auto spread = ProduceAtHomes(context, work, options);
    co_await spread;
  }
  if (context.shard().quotas().any()) {
    auto charge = ChargeProduce(context, request.acks != 0);
    co_await charge;
  }
  if (request.acks == 0) {
    if (work.failed()) {
      context.Close("acks=0 and records that were refused");
    } else {
      context.set_ending(RequestContext::Ending::kNone);
    }
  }
}

}  // namespace kb::broker

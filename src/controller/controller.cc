#include "controller/controller.h"

#include <algorithm>
#include <deque>

#include "message/abort_transaction_record.h"
#include "metadata/batch.h"
#include "protocol/error_code.h"
#include "record/control.h"

namespace kb::controller {

using metadata::RecordList;

namespace {

// One append is one batch of about this size at most, unless a single atomic decision is larger.
constexpr size_t kMostBatchBytes = 1 << 20;

template <typename Result>
void PutNotController(Result& result) {
  result.error_code = static_cast<int16_t>(ErrorCode::kNotController);
  result.error_message = "this node is shutting down";
}

message::CreateTopicsResponse Refuse(const message::CreateTopicsRequest& request, Arena& arena) {
  message::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.topics.Add(arena);
    result.name = topic.name;
    PutNotController(result);
  }
  return response;
}

message::DeleteTopicsResponse Refuse(const message::DeleteTopicsRequest& request, Arena& arena) {
  message::DeleteTopicsResponse response;
  for (std::string_view name : request.topic_names) {
    auto& result = response.responses.Add(arena);
    result.name = name;
    PutNotController(result);
  }
  for (const auto& topic : request.topics) {
    auto& result = response.responses.Add(arena);
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    PutNotController(result);
  }
  return response;
}

message::CreatePartitionsResponse Refuse(const message::CreatePartitionsRequest& request, Arena& arena) {
  message::CreatePartitionsResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.results.Add(arena);
    result.name = topic.name;
    PutNotController(result);
  }
  return response;
}

// Of either request.
template <typename Response, typename Request>
Response RefuseConfigs(const Request& request, Arena& arena) {
  Response response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.Add(arena);
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    PutNotController(result);
  }
  return response;
}

}  // namespace

// One batch to come: a control batch that is ready, or records that more may join while it waits.
struct Controller::Entry {
  Offset base_offset;
  Offset last_offset;
  int64_t timestamp_ms = 0;
  std::vector<uint8_t> control_batch;
  RecordList records;
  size_t size_bytes = 0;  // of the batch, once it is under way
  // The image as of its last record, once nothing can join it any more.
  std::optional<metadata::ImageBuilder::Published> published;
};

struct Controller::Queue {
  std::deque<Entry> waiting;
  std::optional<Entry> under_way;
};

Controller::Controller(Options options, LoadedMetadata loaded, const TopicRules& rules, const Clock& clock,
                       Random& random, LogSink& log)
    : options_(std::move(options)),
      rules_(rules),
      clock_(clock),
      random_(random),
      log_(log),
      builder_(std::make_unique<metadata::ImageBuilder>(loaded.image)),
      published_(loaded.image),
      quorum_(std::move(loaded.quorum)),
      bootstrap_(std::move(loaded.bootstrap)),
      is_fresh_(loaded.is_fresh),
      aborts_transaction_(loaded.open_transaction),
      next_offset_(loaded.end_offset),
      committed_(loaded.end_offset - 1),
      queue_(std::make_unique<Queue>()),
      bytes_since_snapshot_(loaded.bytes_since_snapshot) {}
Controller::~Controller() = default;

// ---- what is pending -----------------------------------------------------------------------------------------------

Controller::Entry& Controller::NewEntry() {
  CloseLast();
  Entry& entry = queue_->waiting.emplace_back();
  entry.base_offset = entry.last_offset = next_offset_;
  entry.timestamp_ms = clock_.WallMs();
  return entry;
}

void Controller::CloseLast() {
  if (queue_->waiting.empty() || queue_->waiting.back().published) return;
  queue_->waiting.back().published = builder_->Publish();
}

void Controller::ReplayNext(Entry& entry, ByteView record) {
  metadata::RecordPosition position{next_offset_, epoch_, entry.timestamp_ms};
  Status replayed = builder_->Replay(record, position);
  if (!replayed.ok()) log_.Error("a record that was decided on cannot be replayed: " + replayed.error().message);
  KB_CHECK(replayed.ok());
  entry.last_offset = next_offset_;
  ++next_offset_;
}

Offset Controller::Propose(const RecordList& records) {
  KB_CHECK(!stopped_);
  KB_CHECK(epoch_ > LeaderEpoch(0));
  if (records.empty()) return WaitForAll();
  std::deque<Entry>& waiting = queue_->waiting;
  bool joins = !waiting.empty() && !waiting.back().published && waiting.back().control_batch.empty() &&
               waiting.back().records.byte_size() + records.byte_size() <= kMostBatchBytes;
  Entry& entry = joins ? waiting.back() : NewEntry();
  for (size_t i = 0; i < records.size(); ++i) ReplayNext(entry, records[i]);
  entry.records.Append(records);
  return entry.last_offset;
}

Offset Controller::ProposeInParts(const RecordList& records) {
  RecordList part;
  for (size_t i = 0; i < records.size(); ++i) {
    part.AddFramed(records[i]);
    if (part.byte_size() < kMostBatchBytes / 2 && i + 1 < records.size()) continue;
    Propose(part);
    part = RecordList();
  }
  return WaitForAll();
}

void Controller::ProposeLeaderChange() {
  Entry& entry = NewEntry();
  const BrokerId self[] = {node_id()};
  record::ControlBatchBuilder builder(next_offset_, epoch_, entry.timestamp_ms);
  builder.LeaderChange(node_id(), self, self);
  int64_t records = 1;
  bool is_first = entry.base_offset == Offset(0);
  if (is_first && quorum_.kraft_version > 0) {  // a dynamic quorum's log says so in its first batch
    builder.KRaftVersion(quorum_.kraft_version);
    builder.Voters(quorum_.voters);
    records += 2;
  }
  entry.control_batch = builder.Build();
  next_offset_ = next_offset_ + records;
  entry.last_offset = next_offset_ - 1;
  builder_->Advance({entry.last_offset, epoch_, entry.timestamp_ms});
  CloseLast();
}

Offset Controller::WaitForAll() const {
  Offset last = next_offset_ - 1;
  return last > committed_ ? last : kNoOffset;
}

bool Controller::has_pending() const {
  return !queue_->waiting.empty() || queue_->under_way.has_value();
}

std::optional<Controller::Append> Controller::TakeAppend() {
  if (queue_->under_way || queue_->waiting.empty()) return std::nullopt;
  if (queue_->waiting.size() == 1) CloseLast();
  queue_->under_way = std::move(queue_->waiting.front());
  queue_->waiting.pop_front();
  Entry& entry = *queue_->under_way;
  KB_CHECK(entry.published.has_value());
  Append append{entry.base_offset, entry.last_offset, std::move(entry.control_batch)};
  if (append.batch.empty()) {
    append.batch = metadata::BuildBatch(entry.base_offset, epoch_, entry.timestamp_ms, entry.records);
  }
  entry.size_bytes = append.batch.size();
  return append;
}

Controller::Committed Controller::Commit() {
  KB_CHECK(queue_->under_way.has_value());
  Entry entry = std::move(*queue_->under_way);
  queue_->under_way.reset();
  committed_ = entry.last_offset;
  bytes_since_snapshot_ += entry.size_bytes;
  Committed committed{entry.last_offset, published_, std::move(entry.published->image),
                      std::move(entry.published->changes)};
  published_ = committed.new_image;
  return committed;
}

void Controller::Abandon() {
  KB_CHECK(queue_->under_way.has_value());
  queue_->under_way.reset();
  queue_->waiting.clear();
  next_offset_ = committed_ + 1;
  builder_ = std::make_unique<metadata::ImageBuilder>(published_);
}

metadata::ImagePtr Controller::TakeSnapshotDue() {
  if (bytes_since_snapshot_ < options_.bytes_between_snapshots) return nullptr;
  bytes_since_snapshot_ = 0;
  return published_;
}

// ---- life of the node ----------------------------------------------------------------------------------------------

void Controller::Start(LeaderEpoch epoch) {
  epoch_ = epoch;
  ProposeLeaderChange();
  if (aborts_transaction_) ProposeAbort();
  RecordList records;
  if (is_fresh_) {
    DecideBootstrap(bootstrap_, options_.min_insync_replicas, records);
    Propose(records);
  }
  records = RecordList();
  DecideRegisterController(working(), options_.node, records);
  Propose(records);

  bool led_before = working().FindBroker(node_id()) != nullptr;
  records = RecordList();
  broker_epoch_ = BrokerEpoch(next_offset_.value());
  DecideRegisterBroker(working(), options_.node, next_offset_, records);
  Propose(records);
  records = RecordList();
  DecideUnfence(working(), node_id(), led_before, records);
  ProposeInParts(records);
}

// The records of the transaction are in no image, so there is nothing to replay.
void Controller::ProposeAbort() {
  RecordList records;
  records.Add(message::AbortTransactionRecord());
  Entry& entry = NewEntry();
  entry.records = std::move(records);
  ++next_offset_;
  builder_->Advance({entry.last_offset, epoch_, entry.timestamp_ms});
  CloseLast();
}

void Controller::Stop() {
  RecordList records;
  DecideControlledShutdown(working(), node_id(), records);
  ProposeInParts(records);
  records = RecordList();
  DecideFence(working(), node_id(), records);
  Propose(records);
  stopped_ = true;
}

// ---- requests ------------------------------------------------------------------------------------------------------

TopicDecisionContext Controller::ContextFor(Arena& arena, MutationQuota* quota) {
  return {working(), rules_, random_, arena, quota};
}

Decided<message::CreateTopicsResponse> Controller::CreateTopics(const message::CreateTopicsRequest& request,
                                                                int16_t version, Arena& arena, MutationQuota* quota) {
  if (stopped_) return {Refuse(request, arena)};
  RecordList records;
  message::CreateTopicsResponse response = DecideCreateTopics(ContextFor(arena, quota), request, version, records);
  return {response, Propose(records)};
}

Decided<message::DeleteTopicsResponse> Controller::DeleteTopics(const message::DeleteTopicsRequest& request,
                                                                int16_t version, Arena& arena, MutationQuota* quota) {
  if (stopped_) return {Refuse(request, arena)};
  RecordList records;
  message::DeleteTopicsResponse response = DecideDeleteTopics(ContextFor(arena, quota), request, version, records);
  return {response, Propose(records)};
}

Decided<message::CreatePartitionsResponse> Controller::CreatePartitions(
    const message::CreatePartitionsRequest& request, int16_t version, Arena& arena, MutationQuota* quota) {
  if (stopped_) return {Refuse(request, arena)};
  RecordList records;
  message::CreatePartitionsResponse response = DecideCreatePartitions(ContextFor(arena, quota), request, version, records);
  return {response, Propose(records)};
}

Decided<message::ElectLeadersResponse> Controller::ElectLeaders(const message::ElectLeadersRequest& request,
                                                                Arena& arena) {
  if (stopped_) {
    message::ElectLeadersResponse refused;
    refused.error_code = static_cast<int16_t>(ErrorCode::kNotController);
    return {refused};
  }
  RecordList records;
  message::ElectLeadersResponse response = DecideElectLeaders({working(), arena}, request, records);
  return {response, Propose(records)};
}

Decided<message::AlterPartitionReassignmentsResponse> Controller::AlterPartitionReassignments(
    const message::AlterPartitionReassignmentsRequest& request, Arena& arena) {
  if (stopped_) {
    message::AlterPartitionReassignmentsResponse refused;
    PutNotController(refused);
    return {refused};
  }
  RecordList records;
  message::AlterPartitionReassignmentsResponse response =
      DecideAlterPartitionReassignments({working(), arena}, request, records);
  return {response, Propose(records)};
}

Offset Controller::AssignDirectories(const std::vector<std::pair<PartitionId, Uuid>>& places) {
  if (stopped_) return kNoOffset;
  RecordList records;
  DecideAssignDirectories(working(), node_id(), places, records);
  return ProposeInParts(records);
}

void Controller::CordonDirectories(const std::vector<Uuid>& directories) {
  if (stopped_) return;
  RecordList records;
  DecideCordon(working(), node_id(), directories, records);
  Propose(records);
}

Decided<message::AlterConfigsResponse> Controller::AlterConfigs(const message::AlterConfigsRequest& request,
                                                                const ConfigRules& rules, bool at_controller,
                                                                Arena& arena) {
  using Response = message::AlterConfigsResponse;
  if (stopped_) return {RefuseConfigs<Response>(request, arena)};
  RecordList records;
  Response response = DecideAlterConfigs({working(), rules, arena, at_controller}, request, records);
  return {response, Propose(records)};
}

Decided<message::IncrementalAlterConfigsResponse> Controller::IncrementalAlterConfigs(
    const message::IncrementalAlterConfigsRequest& request, const ConfigRules& rules, bool at_controller,
    Arena& arena) {
  using Response = message::IncrementalAlterConfigsResponse;
  if (stopped_) return {RefuseConfigs<Response>(request, arena)};
  RecordList records;
  Response response = DecideIncrementalAlterConfigs({working(), rules, arena, at_controller}, request, records);
  return {response, Propose(records)};
}

Decided<ProducerIdBlock> Controller::AllocateProducerIds(BrokerId broker, BrokerEpoch broker_epoch) {
  if (stopped_) return {{.error = ErrorCode::kNotController}};
  RecordList records;
  ProducerIdBlock block = DecideProducerIdBlock(working(), broker, broker_epoch, records);
  return {block, Propose(records)};
}

Offset Controller::Write(const RecordList& records) {
  return Propose(records);
}

// ---- refusals ------------------------------------------------------------------------------------------------------

void RefuseAll(ErrorCode error, std::string_view message, message::CreateTopicsResponse& response) {
  for (auto& topic : response.topics) {
    std::string_view name = topic.name;
    topic = {};
    topic.name = name;
    topic.error_code = static_cast<int16_t>(error);
    topic.error_message = message;
  }
}

void RefuseAll(ErrorCode error, std::string_view message, message::DeleteTopicsResponse& response) {
  for (auto& topic : response.responses) {
    topic.error_code = static_cast<int16_t>(error);
    topic.error_message = message;
  }
}

void RefuseAll(ErrorCode error, std::string_view message, message::CreatePartitionsResponse& response) {
  for (auto& topic : response.results) {
    topic.error_code = static_cast<int16_t>(error);
    topic.error_message = message;
  }
}

void RefuseAll(ErrorCode error, std::string_view message, message::ElectLeadersResponse& response) {
  for (auto& topic : response.replica_election_results) {
    for (auto& partition : topic.partition_result) {
      partition.error_code = static_cast<int16_t>(error);
      partition.error_message = message;
    }
  }
}

void RefuseAll(ErrorCode error, std::string_view message, message::AlterPartitionReassignmentsResponse& response) {
  for (auto& topic : response.responses) {
    for (auto& partition : topic.partitions) {
      partition.error_code = static_cast<int16_t>(error);
      partition.error_message = message;
    }
  }
}

void RefuseAll(ErrorCode error, std::string_view, ProducerIdBlock& block) { block = {.error = error}; }

Status Drain(Controller& controller, MetadataLog& log) {
  while (std::optional<Controller::Append> append = controller.TakeAppend()) {
    KB_RETURN_IF_ERROR(log.Append(append->base_offset, append->batch));
    controller.Commit();
  }
  return {};
}

}  // namespace kb::controller

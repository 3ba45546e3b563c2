// Which error a request gets, where several would fit: Apache Kafka's order. And what a fetch gives, and when.
#include <set>

#include "broker/fixture.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/init_producer_id_request.h"
#include "message/init_producer_id_response.h"
#include "message/list_offsets_request.h"
#include "message/list_offsets_response.h"

namespace kb::broker {
namespace {

class RequestsTest : public BrokerFixture {
 protected:
  static std::string NameOf(int16_t error) { return std::string(ErrorName(static_cast<ErrorCode>(error))); }
};

// ---- Produce

TEST_F(RequestsTest, ProduceAnswersTheFirstErrorInApacheKafkasOrder) {
  CreateTopic("topic", 1, {{"max.message.bytes", "200"}});
  CreateTopic("__consumer_offsets", 1);
  std::string good = test::BatchOf({"value"}, now_ms());
  std::string corrupt = good;
  corrupt.back() = static_cast<char>(corrupt.back() ^ 1);
  std::string large = test::BatchOf({std::string(300, 'x')}, now_ms());
  record::BatchOptions options;
  options.transactional = true;
  options.producer_id = ProducerId(5);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  std::string transactional = test::BatchOf({"value"}, now_ms(), options);
  struct Case {
    const char* what;
    const char* topic;
    int32_t partition;
    std::string batch;
    int16_t acks;
    ErrorCode error;
  };
  const Case cases[] = {
      {"all is well", "topic", 0, good, -1, ErrorCode::kNone},
      {"a transactional batch, before all else", "nobody", 0, transactional, 5,
       ErrorCode::kTransactionalIdAuthorizationFailed},
      {"no such topic, though the batch is corrupt", "nobody", 0, corrupt, -1, ErrorCode::kUnknownTopicOrPartition},
      {"no such partition", "topic", 1, good, -1, ErrorCode::kUnknownTopicOrPartition},
      {"acks that do not exist, though the batch is too large", "topic", 0, large, 2, ErrorCode::kInvalidRequiredAcks},
      {"no batch at all, though acks do not exist", "topic", 0, "", 2, ErrorCode::kInvalidRecord},
      {"the broker's own topic", "__consumer_offsets", 0, good, -1, ErrorCode::kInvalidTopicException},
      {"too large", "topic", 0, large, -1, ErrorCode::kMessageTooLarge},
      {"a wrong checksum", "topic", 0, corrupt, -1, ErrorCode::kCorruptMessage},
  };
  for (const Case& one : cases) {
    Arena arena;
    auto answer = Ask<message::ProduceResponse>(
        ProduceRequestOf(arena, one.topic, one.partition, one.batch, one.acks), 9);
    const auto& entry = answer->responses[0].partition_responses[0];
    EXPECT_EQ(NameOf(entry.error_code), ErrorName(one.error)) << one.what;
    EXPECT_EQ(entry.base_offset, one.error == ErrorCode::kNone ? 0 : -1) << one.what;
  }
}

TEST_F(RequestsTest, ProduceGoesByIdFromVersion13) {
  Uuid id = CreateTopic("topic");
  std::string good = test::BatchOf({"value"}, now_ms());
  for (auto [topic_id, error] : {std::pair(id, ErrorCode::kNone), std::pair(Uuid(9, 9), ErrorCode::kUnknownTopicId)}) {
    Arena arena;
    auto request = ProduceRequestOf(arena, "", 0, good);
    request.topic_data[0].topic_id = topic_id;
    auto answer = Ask<message::ProduceResponse>(request, 13);
    EXPECT_EQ(NameOf(answer->responses[0].partition_responses[0].error_code), ErrorName(error));
  }
}

TEST_F(RequestsTest, APartitionThatFailsLeavesTheOthersAlone) {
  CreateTopic("topic", 2);
  std::string good = test::BatchOf({"value"}, now_ms());
  std::string corrupt = good;
  corrupt.back() = static_cast<char>(corrupt.back() ^ 1);
  Arena arena;
  auto request = ProduceRequestOf(arena, "topic", 0, corrupt);
  auto& second = request.topic_data[0].partition_data.Add(arena);
  second.index = 1;
  second.records = protocol::Records::Of(AsBytes(good));
  auto answer = Ask<message::ProduceResponse>(request, 9);
  EXPECT_EQ(NameOf(answer->responses[0].partition_responses[0].error_code), "CORRUPT_MESSAGE");
  EXPECT_EQ(NameOf(answer->responses[0].partition_responses[1].error_code), "NONE");
}

// ---- Fetch

TEST_F(RequestsTest, FetchSaysWhatStandsInTheWay) {
  CreateTopic("topic");
  Produce("topic", "value");
  struct Case {
    const char* what;
    const char* topic;
    int64_t offset;
    int32_t epoch;
    ErrorCode error;
  };
  const Case cases[] = {{"at the beginning", "topic", 0, -1, ErrorCode::kNone},
                        {"at the end", "topic", 1, -1, ErrorCode::kNone},
                        {"behind the end", "topic", 2, -1, ErrorCode::kOffsetOutOfRange},
                        {"before the beginning", "topic", -1, -1, ErrorCode::kOffsetOutOfRange},
                        {"an epoch to come, though the offset is out of range", "topic", 99, 100,
                         ErrorCode::kUnknownLeaderEpoch},
                        {"nobody", "nobody", 0, -1, ErrorCode::kUnknownTopicOrPartition}};
  for (const Case& one : cases) {
    Arena arena;
    auto request = FetchRequestOf(arena, one.topic, {{0, one.offset}}, {});
    request.topics[0].partitions[0].current_leader_epoch = one.epoch;
    auto answer = Ask<message::FetchResponse>(request, 12);
    const auto& entry = answer->responses[0].partitions[0];
    EXPECT_EQ(NameOf(entry.error_code), ErrorName(one.error)) << one.what;
    EXPECT_EQ(entry.high_watermark, one.error == ErrorCode::kNone ? 1 : -1) << one.what;
  }
}

TEST_F(RequestsTest, AFetchWaitsForItsBytesAndNotLonger) {
  CreateTopic("topic", 4);  // homes on both reactors
  auto size = static_cast<int32_t>(test::BatchOf({"value"}, now_ms()).size());
  auto client = Connect();
  Arena arena;
  int64_t begun_ns = scheduler_.now_ns();
  client->Send(FetchRequestOf(arena, "topic", {{0, 0}, {1, 0}, {2, 0}, {3, 0}},
                              {.max_wait_ms = 10'000, .min_bytes = 3 * size}),
               12);
  Produce("topic", "value", 0);
  Produce("topic", "value", 1);
  scheduler_.RunFor(kSecond);
  EXPECT_FALSE(client->HasAnswer()) << "two thirds of it";
  Produce("topic", "value", 3);
  scheduler_.RunUntil([&] { return client->HasAnswer(); });
  EXPECT_LT(scheduler_.now_ns() - begun_ns, 3 * kSecond);
  auto answer = test::ReadAnswer<message::FetchResponse>(*client->Receive(), 12);
  ASSERT_TRUE(answer.has_value());
  size_t bytes = 0;
  for (const auto& partition : (*answer)->responses[0].partitions) bytes += partition.records.size();
  EXPECT_EQ(bytes, static_cast<size_t>(3 * size));
}

TEST_F(RequestsTest, AFetchWithoutDataIsAnsweredWhenItsTimeHasPassed) {
  CreateTopic("topic");
  Arena arena;
  int64_t begun_ns = scheduler_.now_ns();
  auto answer = Ask<message::FetchResponse>(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 700}), 12);
  EXPECT_EQ(answer->responses[0].partitions[0].records.size(), 0u);
  int64_t waited_ms = (scheduler_.now_ns() - begun_ns) / kNsPerMs;
  EXPECT_GE(waited_ms, 700);
  EXPECT_LT(waited_ms, 750);
}

TEST_F(RequestsTest, DeletingATopicEndsTheFetchThatWaitsForIt) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 60'000}), 12);
  scheduler_.RunFor(kSecond);
  message::DeleteTopicsRequest request;
  request.topic_names.Add(arena) = "topic";
  EXPECT_EQ(Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code, 0);
  scheduler_.RunUntil([&] { return client->HasAnswer(); }, kSecond);
  ASSERT_TRUE(client->HasAnswer());
  auto answer = test::ReadAnswer<message::FetchResponse>(*client->Receive(), 12);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(NameOf((*answer)->responses[0].partitions[0].error_code), "UNKNOWN_TOPIC_OR_PARTITION");
}

TEST_F(RequestsTest, TheFirstBatchComesWholeHoweverSmallTheLimits) {
  CreateTopic("topic", 2);
  Produce("topic", std::string(5'000, 'x'), 0);
  Produce("topic", std::string(5'000, 'x'), 1);
  Arena arena;
  auto answer = Ask<message::FetchResponse>(
      FetchRequestOf(arena, "topic", {{0, 0}, {1, 0}}, {.max_bytes = 10, .partition_max_bytes = 10}), 12);
  EXPECT_GT(answer->responses[0].partitions[0].records.size(), 5'000u);
  EXPECT_LE(answer->responses[0].partitions[1].records.size(), 10u);
}

TEST_F(RequestsTest, AStopAnswersTheFetchThatWaits) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 60'000}), 12);
  scheduler_.RunFor(kSecond);
  int64_t begun_ns = scheduler_.now_ns();
  Status stopped = broker_.Stop();
  EXPECT_TRUE(stopped.ok());
  EXPECT_LT(scheduler_.now_ns() - begun_ns, 5 * kSecond);
  scheduler_.RunFor(kSecond);
  EXPECT_TRUE(client->HasAnswer());
}

// ---- ListOffsets

TEST_F(RequestsTest, ListOffsetsChecksWhatIsAskedBeforeWhereItIs) {
  CreateTopic("topic");
  Produce("topic", "value");
  struct Case {
    const char* what;
    const char* topic;
    int64_t timestamp;
    int16_t version;
    ErrorCode error;
    int64_t offset;
  };
  const Case cases[] = {{"latest", "topic", -1, 6, ErrorCode::kNone, 1},
                        {"earliest", "topic", -2, 6, ErrorCode::kNone, 0},
                        {"greatest timestamp", "topic", -3, 7, ErrorCode::kNone, 0},
                        {"greatest timestamp, in a version without", "topic", -3, 6, ErrorCode::kUnsupportedVersion, -1},
                        {"the same of a topic that is not there", "nobody", -3, 6, ErrorCode::kUnsupportedVersion, -1},
                        {"no such special place", "topic", -7, 11, ErrorCode::kUnsupportedVersion, -1},
                        {"nobody", "nobody", -1, 6, ErrorCode::kUnknownTopicOrPartition, -1},
                        {"a time to come", "topic", now_ms() + 1'000'000, 6, ErrorCode::kNone, -1}};
  for (const Case& one : cases) {
    Arena arena;
    message::ListOffsetsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = one.topic;
    auto& partition = topic.partitions.Add(arena);
    partition.timestamp = one.timestamp;
    auto answer = Ask<message::ListOffsetsResponse>(request, one.version);
    const auto& entry = answer->topics[0].partitions[0];
    EXPECT_EQ(NameOf(entry.error_code), ErrorName(one.error)) << one.what;
    EXPECT_EQ(entry.offset, one.offset) << one.what;
  }
}

TEST_F(RequestsTest, ListOffsetsRefusesAPartitionThatIsNamedTwice) {
  CreateTopic("topic");
  Arena arena;
  message::ListOffsetsRequest request;
  auto& topic = request.topics.Add(arena);
  topic.name = "topic";
  for (int i = 0; i < 2; ++i) topic.partitions.Add(arena).timestamp = -1;
  auto answer = Ask<message::ListOffsetsResponse>(request, 6);
  for (const auto& entry : answer->topics[0].partitions) EXPECT_EQ(NameOf(entry.error_code), "INVALID_REQUEST");
}

// ---- topics

TEST_F(RequestsTest, CreateTopicsSaysWhatIsWrong) {
  CreateTopic("there");
  struct Case {
    const char* name;
    int32_t partitions;
    int16_t replication_factor;
    Configs configs;
    ErrorCode error;
  };
  const Case cases[] = {{"there", 1, 1, {}, ErrorCode::kTopicAlreadyExists},
                        {"", 1, 1, {}, ErrorCode::kInvalidTopicException},
                        {"a/b", 1, 1, {}, ErrorCode::kInvalidTopicException},
                        {"none", 0, 1, {}, ErrorCode::kInvalidPartitions},
                        {"copies", 1, 2, {}, ErrorCode::kInvalidReplicationFactor},
                        {"value", 1, 1, {{"retention.ms", "soon"}}, ErrorCode::kInvalidConfig},
                        {"defaults", -1, -1, {}, ErrorCode::kNone}};
  for (const Case& one : cases) {
    Arena arena;
    auto request = CreateRequest(arena, one.name, one.partitions, one.configs);
    request.topics[0].replication_factor = one.replication_factor;
    auto answer = Ask<message::CreateTopicsResponse>(request, 7);
    EXPECT_EQ(NameOf(answer->topics[0].error_code), ErrorName(one.error)) << one.name;
    EXPECT_EQ(HasTopic(one.name), one.error == ErrorCode::kNone || one.error == ErrorCode::kTopicAlreadyExists);
  }
}

TEST_F(RequestsTest, ATopicThatWasCreatedServesAtOnceAndOnEveryReactor) {
  for (int i = 0; i < 10; ++i) {
    std::string name = "topic-" + std::to_string(i);
    CreateTopic(name, 4);
    for (int32_t partition = 0; partition < 4; ++partition) EXPECT_EQ(Produce(name, "value", partition), 0);
  }
}

// The answer does not wait for their files; who asks does.
TEST_F(RequestsTest, ManyPartitionsAreOpenedBehindTheAnswer) {
  constexpr int32_t kMany = 400;
  auto there = [&](const std::string& topic) {
    int32_t count = 0;
    for (int32_t i = 0; i < kMany; ++i) count += *files_.Exists("/data/" + topic + "-" + std::to_string(i)) ? 1 : 0;
    return count;
  };
  CreateTopic("many", kMany);
  EXPECT_LT(there("many"), kMany) << "or this tests nothing";
  for (int32_t partition : {kMany - 1, 1, kMany / 2}) EXPECT_EQ(Produce("many", "value", partition), 0);
  scheduler_.RunFor(20 * kSecond);
  EXPECT_EQ(there("many"), kMany);
  EXPECT_EQ(Produce("many", "value", 1), 1);

  // Gone before all were there.
  CreateTopic("short", kMany);
  EXPECT_LT(there("short"), kMany);
  Arena arena;
  message::DeleteTopicsRequest request;
  request.topic_names.Add(arena) = "short";
  EXPECT_EQ(Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code, 0);
  EXPECT_EQ(there("short"), 0);
  CreateTopic("short", kMany);
  EXPECT_EQ(Produce("short", "value", kMany - 1), 0);

  // And a stop waits for all.
  CreateTopic("last", kMany);
  EXPECT_LT(there("last"), kMany);
  EXPECT_TRUE(broker_.Stop().ok());
  EXPECT_EQ(there("last"), kMany);
}

TEST_F(RequestsTest, WhatIsNotThereCannotBeDeleted) {
  Arena arena;
  message::DeleteTopicsRequest request;
  request.topic_names.Add(arena) = "nobody";
  EXPECT_EQ(NameOf(Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code),
            "UNKNOWN_TOPIC_OR_PARTITION");
}

// ---- groups and producers

TEST_F(RequestsTest, TheFirstQuestionForACoordinatorMakesOne) {
  auto one = Connect();
  auto two = Connect();
  Arena arena;
  message::FindCoordinatorRequest request;
  request.coordinator_keys.Add(arena) = "group";
  one->Send(request, 4);
  two->Send(request, 4);
  scheduler_.RunUntil([&] { return one->HasAnswer() && two->HasAnswer(); });
  for (auto* client : {one.get(), two.get()}) {
    auto answer = test::ReadAnswer<message::FindCoordinatorResponse>(*client->Receive(), 4);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ((*answer)->coordinators[0].error_code, 0);
    EXPECT_EQ((*answer)->coordinators[0].port, test::SimBroker::kPort);
  }
  EXPECT_TRUE(HasTopic("__consumer_offsets"));
}

TEST_F(RequestsTest, TransactionsAreRefusedForGood) {
  Arena arena;
  message::FindCoordinatorRequest find;
  find.key_type = 1;
  find.coordinator_keys.Add(arena) = "transactional";
  EXPECT_EQ(NameOf(Ask<message::FindCoordinatorResponse>(find, 4)->coordinators[0].error_code),
            "TRANSACTIONAL_ID_AUTHORIZATION_FAILED");
  message::InitProducerIdRequest init;
  init.transactional_id = "transactional";
  EXPECT_EQ(NameOf(Ask<message::InitProducerIdResponse>(init, 4)->error_code), "TRANSACTIONAL_ID_AUTHORIZATION_FAILED");
}

TEST_F(RequestsTest, EveryProducerGetsAnIdOfItsOwn) {
  std::set<int64_t> ids;
  message::InitProducerIdRequest request;
  request.transactional_id.reset();
  for (int i = 0; i < 20; ++i) {
    auto answer = Ask<message::InitProducerIdResponse>(request, 4);
    EXPECT_EQ(answer->error_code, 0);
    EXPECT_TRUE(ids.insert(answer->producer_id).second) << answer->producer_id;
  }
}

}  // namespace
}  // namespace kb::broker

// Clients that use more than a quota allows: they are told so, and not heard until the time has passed. On a simulated
// clock, so that times are exact.
#include "broker/fixture.h"
#include "message/alter_client_quotas_request.h"
#include "message/alter_client_quotas_response.h"
#include "message/create_partitions_request.h"
#include "message/create_partitions_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"

namespace kb::broker {
namespace {

class ThrottleTest : public BrokerFixture {
 protected:
  // Of everybody who says to be the client "test".
  void SetQuota(std::string_view key, double value) {
    Arena arena;
    message::AlterClientQuotasRequest request;
    auto& entry = request.entries.Add(arena);
    auto& part = entry.entity.Add(arena);
    part.entity_type = "client-id";
    part.entity_name = "test";
    auto& op = entry.ops.Add(arena);
    op.key = key;
    op.value = value;
    op.remove = value == 0;
    auto answer = Ask<message::AlterClientQuotasResponse>(request, 1);
    ASSERT_EQ(answer->entries[0].error_code, 0);
  }

  template <typename Response, typename Request>
  test::Answer<Response> AskOn(test::KafkaClient& client, const Request& request, int16_t version) {
    auto answer = test::Ask<Response>(scheduler_, client, request, version);
    EXPECT_TRUE(answer.has_value()) << broker_.log().text();
    KB_CHECK(answer.has_value());
    return std::move(*answer);
  }
  // What it is told, in ms.
  int32_t ProduceOn(test::KafkaClient& client, size_t bytes) {
    Arena arena;
    std::string batch = test::BatchOf({std::string(bytes, 'x')}, now_ms());
    return AskOn<message::ProduceResponse>(client, ProduceRequestOf(arena, "topic", 0, batch), 9)->throttle_time_ms;
  }
  int64_t AskMetadata(test::KafkaClient& client) {
    message::MetadataRequest request;
    AskOn<message::MetadataResponse>(client, request, 12);
    return now_ms();
  }
};

TEST_F(ThrottleTest, AProducerIsToldAndThenNotHeard) {
  CreateTopic("topic");
  SetQuota("producer_byte_rate", 1000);
  auto client = Connect();
  EXPECT_EQ(ProduceOn(*client, 1000), 0);
  int32_t told_ms = ProduceOn(*client, 20'000);
  EXPECT_GT(told_ms, 10'000);
  EXPECT_LT(told_ms, 12'000);
  int64_t answered_ms = now_ms();
  EXPECT_GE(AskMetadata(*client), answered_ms + told_ms - 1);
  EXPECT_LE(now_ms(), answered_ms + told_ms + 100);
  int64_t unmuted_ms = now_ms();
  EXPECT_LE(AskMetadata(*client), unmuted_ms + 100) << "and then as if nothing had been";
}

TEST_F(ThrottleTest, WithoutAnswersItIsNotHeardEither) {
  CreateTopic("topic");
  SetQuota("producer_byte_rate", 1000);
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({std::string(20'000, 'x')}, now_ms());
  client->Send(ProduceRequestOf(arena, "topic", 0, batch, 0), 9);
  int64_t sent_ms = now_ms();
  EXPECT_GE(AskMetadata(*client), sent_ms + 9'000);
}

TEST_F(ThrottleTest, AQuotaIsSharedOverConnectionsAndReactors) {
  CreateTopic("topic");
  SetQuota("producer_byte_rate", 1000);
  std::vector<std::unique_ptr<test::KafkaClient>> clients;
  int32_t told_ms = 0;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(Connect());
    told_ms = ProduceOn(*clients.back(), 5'000);
  }
  EXPECT_GT(told_ms, 8'000) << "20,000 bytes where 10,000 are allowed at once";
}

TEST_F(ThrottleTest, WhatIsChangedCountsAtOnce) {
  CreateTopic("topic");
  SetQuota("producer_byte_rate", 1000);
  auto first = Connect();
  EXPECT_GT(ProduceOn(*first, 20'000), 0);
  SetQuota("producer_byte_rate", 1'000'000);
  auto second = Connect();
  EXPECT_EQ(ProduceOn(*second, 20'000), 0);
  SetQuota("producer_byte_rate", 0);
  EXPECT_EQ(ProduceOn(*second, 200'000), 0);
}

TEST_F(ThrottleTest, AConsumerGetsNothingWhileItIsThrottledAndAllOfItLater) {
  CreateTopic("topic");
  for (int i = 0; i < 10; ++i) Produce("topic", std::string(4'000, 'x'));
  SetQuota("consumer_byte_rate", 1000);
  auto client = Connect();
  std::vector<int32_t> told;
  int64_t offset = 0;
  int64_t began_ms = now_ms();
  while (offset < 10) {
    Arena arena;
    auto answer = AskOn<message::FetchResponse>(*client, FetchRequestOf(arena, "topic", {{0, offset}}, {}), 12);
    told.push_back(answer->throttle_time_ms);
    EXPECT_EQ(answer->error_code, 0);
    if (answer->throttle_time_ms > 0) {
      EXPECT_EQ(answer->responses.size(), 0u);
      continue;
    }
    ASSERT_EQ(answer->responses.size(), 1u);
    const auto& records = answer->responses[0].partitions[0].records;
    ASSERT_GT(records.size(), 0u);
    EXPECT_LE(records.size(), 10'000u) << "no more at once than all the windows allow";
    offset += static_cast<int64_t>(records.size() / 4'000);
    ASSERT_LT(told.size(), 100u);
  }
  EXPECT_GT(std::count_if(told.begin(), told.end(), [](int32_t ms) { return ms > 0; }), 0);
  EXPECT_GE(now_ms(), began_ms + 28'000) << "40,000 bytes, 10,000 of them at once";
}

TEST_F(ThrottleTest, PartitionsAreMadeAtARate) {
  SetQuota("controller_mutation_rate", 1);
  auto create = [&](const std::string& name, int32_t partitions, int16_t version) {
    Arena arena;
    auto answer = Ask<message::CreateTopicsResponse>(CreateRequest(arena, name, partitions), version);
    return std::pair<int, int32_t>(answer->topics[0].error_code, answer->throttle_time_ms);
  };
  EXPECT_EQ(create("a", 20, 7), std::pair(0, 0)) << "beyond what is left, once";
  auto [error, told_ms] = create("b", 1, 7);
  EXPECT_EQ(error, static_cast<int>(ErrorCode::kThrottlingQuotaExceeded));
  EXPECT_GT(told_ms, 8'000);
  EXPECT_LE(told_ms, 9'000);
  EXPECT_FALSE(HasTopic("b"));
  auto [old_error, old_told_ms] = create("c", 1, 5);
  EXPECT_EQ(old_error, 0) << "an older client does not know the error: it gets its topic, and has to wait";
  EXPECT_GT(old_told_ms, 9'000);

  message::DeleteTopicsRequest remove;
  Arena arena;
  auto& topic = remove.topics.Add(arena);
  topic.name = "a";
  auto removed = Ask<message::DeleteTopicsResponse>(remove, 6);
  EXPECT_EQ(removed->responses[0].error_code, static_cast<int>(ErrorCode::kThrottlingQuotaExceeded));
  message::CreatePartitionsRequest grow;
  auto& more = grow.topics.Add(arena);
  more.name = "c";
  more.count = 2;
  more.assignments = decltype(more.assignments)::Null();
  EXPECT_EQ(Ask<message::CreatePartitionsResponse>(grow, 3)->results[0].error_code,
            static_cast<int>(ErrorCode::kThrottlingQuotaExceeded));
  scheduler_.RunFor(12 * kSecond);
  EXPECT_EQ(Ask<message::CreatePartitionsResponse>(grow, 3)->results[0].error_code, 0);
}

TEST_F(ThrottleTest, ConnectionsOfAnAddressAreMadeAtARate) {
  auto set = [&](std::optional<std::string_view> ip, double rate) {
    Arena arena;
    message::AlterClientQuotasRequest request;
    auto& entry = request.entries.Add(arena);
    auto& part = entry.entity.Add(arena);
    part.entity_type = "ip";
    part.entity_name = ip;
    auto& op = entry.ops.Add(arena);
    op.key = "connection_creation_rate";
    op.value = rate;
    EXPECT_EQ(Ask<message::AlterClientQuotasResponse>(request, 1)->entries[0].error_code, 0);
  };
  auto answers = [&] {
    auto client = Connect();
    message::MetadataRequest request;
    return test::Ask<message::MetadataResponse>(scheduler_, *client, request, 12).has_value();
  };
  set(std::nullopt, 1);
  int welcome = 0;
  while (welcome < 100 && answers()) ++welcome;
  EXPECT_GE(welcome, 9);
  EXPECT_LE(welcome, 12) << "one a second, over eleven seconds";
  EXPECT_FALSE(answers());
  scheduler_.RunFor(20 * kSecond);
  set("127.0.0.1", 1000);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(answers());
}

TEST_F(ThrottleTest, AMutedConnectionEndsWhenItsClientDoes) {
  CreateTopic("topic");
  SetQuota("producer_byte_rate", 1);
  auto client = Connect();
  EXPECT_GT(ProduceOn(*client, 20'000), 1'000'000);
  client.reset();
  scheduler_.RunFor(kSecond);
  EXPECT_TRUE(broker_.Stop().ok());
}

}  // namespace
}  // namespace kb::broker

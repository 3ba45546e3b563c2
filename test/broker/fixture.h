// A broker of two reactors in the scheduler's thread and its clients: what a request is answered, as a client sees it.
//
//   CreateTopic("topic", 2);
//   auto answer = Ask<message::MetadataResponse>(request, 12);
//   EXPECT_EQ(answer->topics[0].error_code, 0);
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "message/create_topics_request.h"
#include "message/create_topics_response.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/metadata_request.h"
#include "message/metadata_response.h"
#include "message/produce_request.h"
#include "message/produce_response.h"
#include "protocol/error_code.h"
#include "support/kafka_client.h"
#include "support/sim_broker.h"

namespace kb::broker {

class BrokerFixture : public ::testing::Test {
 protected:
  explicit BrokerFixture(const test::SimBrokerOptions& options = {}) : broker_(scheduler_, files_, network_, options) {}

  static constexpr int64_t kSecond = 1'000'000'000;

  void SetUp() override {
    Status started = broker_.Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
  }

  std::unique_ptr<test::KafkaClient> Connect(uint16_t port = test::SimBroker::kPort) {
    return std::make_unique<test::KafkaClient>(network_.Connect(port), "test");
  }
  // Runs until the client has `count` answers more; the correlation ids. Fewer when the connection ends or time passes.
  std::vector<int32_t> Answers(test::KafkaClient& client, size_t count, int64_t most_ns = 30 * kSecond) {
    std::vector<int32_t> ids;
    scheduler_.RunUntil(
        [&] {
          while (std::optional<std::string> frame = client.Receive()) ids.push_back(CorrelationOf(*frame));
          return ids.size() >= count || client.ended();
        },
        most_ns);
    return ids;
  }
  static int32_t CorrelationOf(const std::string& frame) { return LoadBigEndian<int32_t>(AsBytes(frame).data()); }
  bool RunUntilEnded(test::KafkaClient& client) {
    return scheduler_.RunUntil([&] { return client.ended(); }, 30 * kSecond);
  }

  // On a connection of its own.
  template <typename Response, typename Request>
  test::Answer<Response> Ask(const Request& request, int16_t version, uint16_t port = test::SimBroker::kPort) {
    auto client = Connect(port);
    std::optional<test::Answer<Response>> answer = test::Ask<Response>(scheduler_, *client, request, version);
    EXPECT_TRUE(answer.has_value()) << Request::kName << " v" << version << ": " << broker_.log().text();
    KB_CHECK(answer.has_value());
    return std::move(*answer);
  }

  using Configs = std::vector<std::pair<std::string, std::string>>;
  message::CreateTopicsRequest CreateRequest(Arena& arena, const std::string& name, int32_t partitions,
                                             const Configs& configs = {}) {
    message::CreateTopicsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = arena.Copy(std::string_view(name));
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.Add(arena);
      config.name = arena.Copy(std::string_view(key));
      config.value = arena.Copy(std::string_view(value));
    }
    return request;
  }
  Uuid CreateTopic(const std::string& name, int32_t partitions = 1, const Configs& configs = {}) {
    Arena arena;
    auto answer = Ask<message::CreateTopicsResponse>(CreateRequest(arena, name, partitions, configs), 7);
    EXPECT_EQ(answer->topics[0].error_code, 0) << name;
    return answer->topics[0].topic_id;
  }
  bool HasTopic(const std::string& name) {
    Arena arena;
    message::MetadataRequest request;
    request.topics = decltype(request.topics)::Null();
    auto answer = Ask<message::MetadataResponse>(request, 12);
    for (const auto& topic : answer->topics) {
      if (topic.name == name) return true;
    }
    return false;
  }

  int64_t now_ms() { return scheduler_.clock().WallMs(); }
  // Views into `batch`.
  static message::ProduceRequest ProduceRequestOf(Arena& arena, std::string_view topic, int32_t partition,
                                                  std::string_view batch, int16_t acks = -1) {
    message::ProduceRequest request;
    request.transactional_id.reset();
    request.acks = acks;
    request.timeout_ms = 30'000;
    auto& data = request.topic_data.Add(arena);
    data.name = arena.Copy(topic);
    auto& one = data.partition_data.Add(arena);
    one.index = partition;
    one.records = protocol::Records::Of(AsBytes(batch));
    return request;
  }
  // The offset of the record, which was acknowledged.
  int64_t Produce(const std::string& topic, const std::string& value, int32_t partition = 0) {
    Arena arena;
    std::string batch = test::BatchOf({value}, now_ms());
    auto answer = Ask<message::ProduceResponse>(ProduceRequestOf(arena, topic, partition, batch), 9);
    const auto& entry = answer->responses[0].partition_responses[0];
    EXPECT_EQ(entry.error_code, 0);
    return entry.base_offset;
  }
  struct FetchOptions {
    int32_t max_wait_ms = 0;
    int32_t min_bytes = 1;
    int32_t max_bytes = 50 << 20;
    int32_t partition_max_bytes = 1 << 20;
  };
  static message::FetchRequest FetchRequestOf(Arena& arena, std::string_view topic,
                                              const std::vector<std::pair<int32_t, int64_t>>& partitions,
                                              const FetchOptions& options) {
    message::FetchRequest request;
    request.max_wait_ms = options.max_wait_ms;
    request.min_bytes = options.min_bytes;
    request.max_bytes = options.max_bytes;
    auto& data = request.topics.Add(arena);
    data.topic = arena.Copy(topic);
    for (const auto& [index, offset] : partitions) {
      auto& one = data.partitions.Add(arena);
      one.partition = index;
      one.fetch_offset = offset;
      one.partition_max_bytes = options.partition_max_bytes;
    }
    return request;
  }

  test::SimScheduler scheduler_{1};
  test::SimFileSystem files_{1};
  test::SimNetwork network_{scheduler_};
  test::SimBroker broker_;
};

}  // namespace kb::broker

// In which order requests take effect and are answered, and what ends a connection.
#include "broker/fixture.h"
#include "message/api_versions_request.h"
#include "message/api_versions_response.h"
#include "message/find_coordinator_request.h"
#include "message/sasl_handshake_request.h"
#include "message/sasl_handshake_response.h"

namespace kb::broker {
namespace {

class DispatchTest : public BrokerFixture {
 protected:
  using Ids = std::vector<int32_t>;

  message::ApiVersionsRequest Named() {
    message::ApiVersionsRequest request;
    request.client_software_name = "test";
    request.client_software_version = "1";
    return request;
  }
  // A frame of an api key and version, and any body.
  static std::string RawFrame(int16_t key, int16_t version, int32_t correlation_id, std::string_view body) {
    std::string frame(4 + 2 + 2 + 4 + 2, '\0');
    auto* at = reinterpret_cast<uint8_t*>(frame.data());
    StoreBigEndian(at, static_cast<int32_t>(frame.size() - 4 + body.size()));
    StoreBigEndian(at + 4, key);
    StoreBigEndian(at + 6, version);
    StoreBigEndian(at + 8, correlation_id);
    StoreBigEndian(at + 12, int16_t{-1});
    return frame + std::string(body);
  }
};

TEST_F(DispatchTest, AnswersComeInTheOrderOfTheRequests) {
  CreateTopic("topic", 2);
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  Ids sent;
  for (int32_t i = 0; i < 20; ++i) {
    sent.push_back(client->Send(ProduceRequestOf(arena, "topic", i % 2, batch), 9));
    sent.push_back(client->Send(message::MetadataRequest(), 12));
    sent.push_back(client->Send(FetchRequestOf(arena, "topic", {{0, 0}, {1, 0}}, {}), 12));
    sent.push_back(client->Send(Named(), 4));
  }
  EXPECT_EQ(Answers(*client, sent.size()), sent);
}

TEST_F(DispatchTest, AProduceOvertakesTheFetchThatWaitsForIt) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  int64_t begun_ns = scheduler_.now_ns();
  Ids sent = {client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 20'000}), 12),
              client->Send(ProduceRequestOf(arena, "topic", 0, batch), 9)};
  EXPECT_EQ(Answers(*client, 2), sent);
  EXPECT_LT(scheduler_.now_ns() - begun_ns, kSecond) << "the one woke the other";
}

TEST_F(DispatchTest, EverythingElseWaitsForThoseBeforeIt) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  Ids sent = {client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 5'000}), 12),
              client->Send(CreateRequest(arena, "later", 1), 7)};
  scheduler_.RunFor(3 * kSecond);
  EXPECT_FALSE(HasTopic("later")) << "the fetch before it is not answered yet";
  EXPECT_EQ(Answers(*client, 2), sent);
  EXPECT_TRUE(HasTopic("later"));
}

TEST_F(DispatchTest, WhatFollowsAnExclusiveRequestSeesItsEffect) {
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  client->Send(CreateRequest(arena, "fresh", 3), 7);
  client->Send(ProduceRequestOf(arena, "fresh", 2, batch), 9);
  client->Send(FetchRequestOf(arena, "fresh", {{2, 0}}, {}), 12);
  std::vector<std::string> frames;
  scheduler_.RunUntil([&] {
    while (std::optional<std::string> frame = client->Receive()) frames.push_back(std::move(*frame));
    return frames.size() == 3 || client->ended();
  });
  ASSERT_EQ(frames.size(), 3u);
  auto produced = test::ReadAnswer<message::ProduceResponse>(frames[1], 9);
  ASSERT_TRUE(produced.has_value());
  EXPECT_EQ((*produced)->responses[0].partition_responses[0].error_code, 0);
  auto fetched = test::ReadAnswer<message::FetchResponse>(frames[2], 12);
  ASSERT_TRUE(fetched.has_value());
  EXPECT_EQ((*fetched)->responses[0].partitions[0].error_code, 0);
}

TEST_F(DispatchTest, WhoStopsSendingStillGetsTheAnswers) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  Ids sent = {client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 1'000}), 12),
              client->Send(message::MetadataRequest(), 12)};
  client->socket().ShutdownWrite();
  Ids ids;
  scheduler_.RunUntil([&] {
    while (std::optional<std::string> frame = client->Receive()) ids.push_back(CorrelationOf(*frame));
    return client->ended();
  });
  EXPECT_EQ(ids, sent);
}

// ---- ApiVersions, by which clients find out

TEST_F(DispatchTest, AnUnknownVersionOfApiVersionsIsAnsweredInVersionZero) {
  auto client = Connect();
  client->SendBytes(RawFrame(18, 99, 7, std::string("\0\0\0\0", 4)));
  scheduler_.RunUntil([&] { return client->HasAnswer() || client->ended(); });
  std::optional<std::string> frame = client->Receive();
  ASSERT_TRUE(frame.has_value());
  auto answer = test::ReadAnswer<message::ApiVersionsResponse>(*frame, 0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->correlation_id(), 7);
  EXPECT_EQ((*answer)->error_code, static_cast<int16_t>(ErrorCode::kUnsupportedVersion));
  ASSERT_EQ((*answer)->api_keys.size(), 1u);
  EXPECT_EQ((*answer)->api_keys[0].api_key, 18);
  // The connection goes on.
  EXPECT_EQ(Answers(*client, 0).size(), 0u);
  int32_t id = client->Send(Named(), 4);
  EXPECT_EQ(Answers(*client, 1), Ids{id});
}

TEST_F(DispatchTest, AnApiVersionsWhoseBodyIsBrokenIsAnsweredAndTheConnectionEnds) {
  auto client = Connect();
  client->SendBytes(RawFrame(18, 3, 8, std::string("\0\x7f", 2)));  // no tags, then a name that is cut short
  EXPECT_EQ(Answers(*client, 1), Ids{8});
  EXPECT_TRUE(RunUntilEnded(*client));
}

TEST_F(DispatchTest, WhatIsAdvertisedIsWhatIsServed) {
  for (uint16_t port : {test::SimBroker::kPort, test::SimBroker::kControllerPort}) {
    auto versions = Ask<message::ApiVersionsResponse>(Named(), 4, port);
    EXPECT_EQ(versions->error_code, 0);
    EXPECT_GT(versions->api_keys.size(), 5u);
  }
}

// ---- what ends a connection

TEST_F(DispatchTest, AnUnknownApiEndsItsConnectionBehindTheAnswersBefore) {
  auto bystander = Connect();
  auto client = Connect();
  int32_t before = client->Send(message::MetadataRequest(), 12);
  client->SendBytes(RawFrame(999, 0, 2, ""));
  client->Send(message::MetadataRequest(), 12);
  Ids ids;
  EXPECT_TRUE(scheduler_.RunUntil([&] {
    while (std::optional<std::string> frame = client->Receive()) ids.push_back(CorrelationOf(*frame));
    return client->ended();
  }));
  EXPECT_EQ(ids, Ids{before});
  EXPECT_TRUE(broker_.log().Has("api key 999"));
  int32_t id = bystander->Send(message::MetadataRequest(), 12);
  EXPECT_EQ(Answers(*bystander, 1), Ids{id});
}

TEST_F(DispatchTest, VersionsThatAreNotServedEndTheConnection) {
  struct Case {
    int16_t key;
    int16_t version;
  };
  // Produce 0 to 2 are advertised for old clients and are not there.
  for (Case one : {Case{3, 99}, Case{3, -1}, Case{0, 0}, Case{0, 2}, Case{1, 3}, Case{22, 6}}) {
    auto client = Connect();
    client->SendBytes(RawFrame(one.key, one.version, 1, std::string(8, '\0')));
    EXPECT_TRUE(RunUntilEnded(*client)) << one.key << " v" << one.version;
    EXPECT_FALSE(client->HasAnswer());
  }
}

TEST_F(DispatchTest, ABodyThatCannotBeReadEndsTheConnection) {
  auto client = Connect();
  client->SendBytes(RawFrame(3, 1, 1, std::string("\x7f\xff\xff\xff", 4)));  // two billion topics
  EXPECT_TRUE(RunUntilEnded(*client));
  EXPECT_TRUE(broker_.log().Has("cannot be read"));
}

TEST_F(DispatchTest, TheControllersListenerServesWhatIsTheControllers) {
  auto client = Connect(test::SimBroker::kControllerPort);
  int32_t id = client->Send(Named(), 4);
  EXPECT_EQ(Answers(*client, 1), Ids{id});
  Arena arena;
  client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {}), 12);
  EXPECT_TRUE(RunUntilEnded(*client));
}

TEST_F(DispatchTest, SaslOnAListenerWithoutItIsRefusedAndTheConnectionGoesOn) {
  auto client = Connect();
  message::SaslHandshakeRequest request;
  request.mechanism = "PLAIN";
  auto answer = test::Ask<message::SaslHandshakeResponse>(scheduler_, *client, request, 1);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)->error_code, static_cast<int16_t>(ErrorCode::kIllegalSaslState));
  int32_t id = client->Send(message::MetadataRequest(), 12);
  EXPECT_EQ(Answers(*client, 1), Ids{id});
}

// ---- acks=0

TEST_F(DispatchTest, AcksZeroHasNoAnswerAndTheNextRequestHas) {
  CreateTopic("topic");
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  client->Send(ProduceRequestOf(arena, "topic", 0, batch, 0), 9);
  int32_t id = client->Send(message::MetadataRequest(), 12);
  EXPECT_EQ(Answers(*client, 1), Ids{id});
}

TEST_F(DispatchTest, AcksZeroWithAnErrorEndsTheConnection) {
  auto client = Connect();
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  client->Send(ProduceRequestOf(arena, "nobody", 0, batch, 0), 9);
  EXPECT_TRUE(RunUntilEnded(*client));
}

}  // namespace
}  // namespace kb::broker

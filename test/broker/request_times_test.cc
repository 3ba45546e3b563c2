// Where the time of a request goes: the stages of one trace, what is told of a slow one, and the stamps of whole
// requests on a broker of two reactors whose clock stands still but for what the test lets happen.
#include "broker/request_times.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "broker/api_table.h"
#include "broker/fixture.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/join_group_request.h"
#include "message/join_group_response.h"

namespace kb::broker {
namespace {

constexpr int64_t kMs = kNsPerMs;

net::Address Peer() {
  net::Address peer;
  peer.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
  peer.port = 4711;
  return peer;
}

class RequestTimesTest : public ::testing::Test {
 protected:
  static constexpr int64_t kReadNs = 1'000'000'000;
  RequestTimes Times(int64_t slow_ms) { return RequestTimes(registry_, 0, log_, clock_, slow_ms); }
  static void Finish(RequestTrace& trace, std::string_view client_id = "me") {
    trace.set_what(*FindRow(0), 11, client_id);
    trace.set_sizes(123, 45);
  }
  static size_t LinesIn(const std::string& text) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  metrics::Registry registry_{1};
  test::KeepingLog log_;
  test::SimClock clock_;
};

TEST_F(RequestTimesTest, StagesAddUpToTheWhole) {
  RequestTimes times = Times(0);
  RequestTrace trace(times, kReadNs);
  trace.End(Stage::kOrder, kReadNs + 1);
  trace.End(Stage::kDecode, kReadNs + 3);
  trace.End(Stage::kLookup, kReadNs + 10);
  trace.EndPark(kReadNs + 1000, 400);
  trace.End(Stage::kLookup, kReadNs + 1001);
  trace.Answered(kReadNs + 1005);
  EXPECT_EQ(trace.ns(Stage::kOrder), 1);
  EXPECT_EQ(trace.ns(Stage::kDecode), 2);
  EXPECT_EQ(trace.ns(Stage::kPark), 400) << "what came late is not by intention";
  EXPECT_EQ(trace.ns(Stage::kLookup), 7 + 590 + 1);
  EXPECT_EQ(trace.ns(Stage::kAnswer), 4);
  EXPECT_EQ(trace.total_ns(), 1005);
  EXPECT_EQ(trace.busy_ns(), 1005 - 400 - 1);
  EXPECT_FALSE(trace.Has(Stage::kAppend));
  EXPECT_FALSE(trace.Has(Stage::kSend));
}

TEST_F(RequestTimesTest, AStampFromBeforeTheStageEndsItAtItsBeginning) {
  RequestTimes times = Times(0);
  RequestTrace trace(times, kReadNs);
  trace.End(Stage::kDecode, kReadNs + 50);
  trace.End(Stage::kQueue, kReadNs + 40);  // of another processor's counter
  trace.End(Stage::kAppend, kReadNs + 60);
  EXPECT_TRUE(trace.Has(Stage::kQueue));
  EXPECT_EQ(trace.ns(Stage::kQueue), 0);
  EXPECT_EQ(trace.ns(Stage::kAppend), 10);
  EXPECT_EQ(trace.total_ns(), 60);
}

TEST_F(RequestTimesTest, ALineAboutASlowOneSaysWhereItsTimeWent) {
  RequestTimes times = Times(1000);
  RequestTrace trace(times, kReadNs);
  trace.End(Stage::kDecode, kReadNs + 12'345);
  trace.End(Stage::kQueue, kReadNs + 1 * kMs);
  trace.End(Stage::kAppend, kReadNs + 3 * kMs);
  trace.End(Stage::kDurable, kReadNs + 1503 * kMs);
  trace.Answered(kReadNs + 1504 * kMs);
  trace.End(Stage::kSend, kReadNs + 1504 * kMs + 7'000);
  trace.set_partitions(2);
  Finish(trace, "a \"client\"\n\xc3\xa9\\");
  times.Record(trace, Peer());
  EXPECT_EQ(
      DescribeSlow(trace, Peer()),
      "slow request: Produce v11 of client \"a \\x22client\\x22\\x0a\\xc3\\xa9\\x5c\" at 192.0.2.7:4711 took "
      "1504.007 ms: decode 0.012 queue 0.987 append 2.000 durable 1500.000 answer 1.000 send 0.007; 123 bytes in, "
      "45 out, partitions: 2");
  EXPECT_TRUE(log_.Has(DescribeSlow(trace, Peer()))) << log_.text();
}

TEST_F(RequestTimesTest, ALongClientIdIsCut) {
  RequestTimes times = Times(1);
  RequestTrace trace(times, kReadNs);
  Finish(trace, std::string(1000, '\n'));
  EXPECT_LT(DescribeSlow(trace, Peer()).size(), 500u);
  EXPECT_NE(DescribeSlow(trace, Peer()).find("\\x0a\"... at"), std::string::npos);
}

TEST_F(RequestTimesTest, WhatWasToBeWaitedForMakesNobodySlow) {
  RequestTimes times = Times(10);
  RequestTrace parked(times, kReadNs);
  parked.EndPark(kReadNs + 5000 * kMs, 5000 * kMs);
  parked.Answered(kReadNs + 5009 * kMs);
  Finish(parked);
  times.Record(parked, Peer());
  RequestTrace behind(times, kReadNs);
  behind.End(Stage::kOrder, kReadNs + 5000 * kMs);
  Finish(behind);
  times.Record(behind, Peer());
  EXPECT_EQ(log_.text(), "");
  RequestTrace slow(times, kReadNs);
  slow.Answered(kReadNs + 10 * kMs);
  Finish(slow);
  times.Record(slow, Peer());
  EXPECT_NE(log_.text(), "");
}

TEST_F(RequestTimesTest, LinesAreFewAndThereAreNoneWhereNoneAreWanted) {
  for (int64_t slow_ms : {int64_t{0}, int64_t{-1}}) {
    RequestTimes never = Times(slow_ms);
    RequestTrace trace(never, kReadNs);
    trace.Answered(INT64_MAX / 2);
    Finish(trace);
    never.Record(trace, Peer());
  }
  EXPECT_EQ(log_.text(), "");
  RequestTimes times = Times(1);
  for (int i = 0; i < 100; ++i) {
    RequestTrace trace(times, kReadNs);
    trace.Answered(kReadNs + 2 * kMs);
    Finish(trace, std::to_string(i));
    times.Record(trace, Peer());
  }
  EXPECT_EQ(LinesIn(log_.text()), static_cast<size_t>(RequestTimes::kMostLines));
}

// ---- whole requests

class StagesTest : public BrokerFixture {
 protected:
  static constexpr int64_t kStepNs = 1'000;  // what one stamp takes here
  using Stages = std::map<std::string, int64_t>;

  static test::SimBrokerOptions Options() {
    test::SimBrokerOptions options;
    options.overrides = {{"request.slow.ms", "100"}, {"group.initial.rebalance.delay.ms", "3000"}};
    return options;
  }
  StagesTest() : BrokerFixture(Options()) {}

  std::string Metrics() {
    auto client = network_.Connect(test::SimBroker::kPort);
    client->Send("GET /metrics?lag=0&topics=0 HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(scheduler_.RunUntil([&] { return client->ended(); }, 30 * kSecond));
    return std::string(client->received());
  }
  // What the requests of an API have taken in each stage until now, in ns, and how many there were.
  std::pair<Stages, Stages> Until(const std::string& api) {
    Stages sums, counts;
    const std::string text = Metrics();
    for (const char* of : {"_sum", "_count"}) {
      Stages& into = std::string_view(of) == "_sum" ? sums : counts;
      for (const std::string name : {"broker_request_stage_seconds", "broker_request_seconds"}) {
        const std::string begin = '\n' + (name + of) + "{request=\"" + api + '"';
        for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
          const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
          const size_t label = line.find("stage=\"");
          const std::string stage =
              label == std::string::npos ? "total" : line.substr(label + 7, line.find('"', label + 7) - label - 7);
          const double value = std::stod(line.substr(line.rfind(' ')));
          into[stage] = std::string_view(of) == "_sum" ? std::llround(value * 1e9) : std::llround(value);
        }
      }
    }
    return {sums, counts};
  }
  // The stages of what `act` does, which is one request of that API.
  template <typename Act>
  Stages StagesOf(const std::string& api, const Act& act) {
    auto [sums, counts] = Until(api);
    act();
    auto [sums_after, counts_after] = Until(api);
    Stages stages;
    for (const auto& [stage, count] : counts_after) {
      EXPECT_LE(count - counts[stage], 1) << stage;
      if (count > counts[stage]) stages[stage] = sums_after[stage] - sums[stage];
    }
    int64_t sum = 0;
    for (const auto& [stage, ns] : stages) sum += stage == "total" ? 0 : ns;
    EXPECT_EQ(stages["total"], sum) << "they add up";
    return stages;
  }
  // The network cuts and delays what is sent.
  static Stages BeforeSending(Stages stages) {
    stages.erase("send");
    stages.erase("total");
    return stages;
  }
  void ProduceOn(test::KafkaClient& client, int32_t partition, int16_t acks) {
    Arena arena;
    std::string batch = test::BatchOf({"value"}, now_ms());
    auto answer = test::Ask<message::ProduceResponse>(scheduler_, client,
                                                      ProduceRequestOf(arena, "topic", partition, batch, acks), 9);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ((*answer)->responses[0].partition_responses[0].error_code, 0);
  }
  // Which of the topic's two partitions has its home with the connection.
  int32_t PartitionHere(test::KafkaClient& client) {
    for (int32_t partition : {0, 1}) {
      const Stages stages = StagesOf("Produce", [&] { ProduceOn(client, partition, 1); });
      if (!stages.contains("queue")) return partition;
    }
    ADD_FAILURE() << "neither is at home here";
    return 0;
  }
};

TEST_F(StagesTest, AProduceThatWaitsForNothing) {
  CreateTopic("topic", 2);
  auto client = Connect();
  const int32_t here = PartitionHere(*client);
  scheduler_.clock().set_stamp_step_ns(kStepNs);
  const Stages stages = StagesOf("Produce", [&] { ProduceOn(*client, here, 1); });
  EXPECT_EQ(BeforeSending(stages), (Stages{{"decode", kStepNs}, {"append", kStepNs}, {"answer", kStepNs}}));
  EXPECT_GE(stages.at("send"), kStepNs);
}

TEST_F(StagesTest, AProduceForAnotherReactor) {
  CreateTopic("topic", 2);
  auto client = Connect();
  const int32_t there = 1 - PartitionHere(*client);
  scheduler_.clock().set_stamp_step_ns(kStepNs);
  const Stages stages = StagesOf("Produce", [&] { ProduceOn(*client, there, 1); });
  EXPECT_EQ(BeforeSending(stages),
            (Stages{{"decode", kStepNs}, {"queue", kStepNs}, {"append", kStepNs}, {"answer", kStepNs}}));
}

TEST_F(StagesTest, AProduceThatWaitsForTheDisk) {
  CreateTopic("topic", 2);
  auto client = Connect();
  const int32_t here = PartitionHere(*client);
  for (int32_t partition : {here, 1 - here}) {
    const Stages stages = StagesOf("Produce", [&] { ProduceOn(*client, partition, -1); });
    EXPECT_EQ(stages.contains("queue"), partition != here);
    EXPECT_EQ(stages.at("durable"), stages.at("total") - stages.at("send")) << "nothing else takes time here";
    EXPECT_GT(stages.at("durable"), 0);
  }
}

TEST_F(StagesTest, AProduceForBothReactorsHasTheStagesOfTheOneThatWasLast) {
  CreateTopic("topic", 2);
  auto client = Connect();
  scheduler_.clock().set_stamp_step_ns(kStepNs);
  const Stages stages = StagesOf("Produce", [&] {
    Arena arena;
    std::string batch = test::BatchOf({"value"}, now_ms());
    std::string other = test::BatchOf({"value"}, now_ms());
    message::ProduceRequest request = ProduceRequestOf(arena, "topic", 0, batch, -1);
    auto& one = request.topic_data[0].partition_data.Add(arena);
    one.index = 1;
    one.records = protocol::Records::Of(AsBytes(other));
    ASSERT_TRUE(test::Ask<message::ProduceResponse>(scheduler_, *client, request, 9).has_value());
  });
  EXPECT_TRUE(stages.contains("durable"));
  EXPECT_TRUE(stages.contains("append"));
}

TEST_F(StagesTest, AProduceWithoutAnAnswerEndsWithoutSending) {
  CreateTopic("topic", 2);
  auto client = Connect();
  const Stages stages = StagesOf("Produce", [&] {
    Arena arena;
    std::string batch = test::BatchOf({"value"}, now_ms());
    client->Send(ProduceRequestOf(arena, "topic", 0, batch, 0), 9);
    scheduler_.RunFor(kSecond);
  });
  EXPECT_TRUE(stages.contains("answer"));
  EXPECT_FALSE(stages.contains("send"));
}

TEST_F(StagesTest, AFetchThatWaitsIsParkedForExactlyAsLongAsItSaid) {
  CreateTopic("topic", 2);
  auto client = Connect();
  for (int32_t partition : {0, 1}) {
    const Stages stages = StagesOf("Fetch", [&] {
      Arena arena;
      auto request = FetchRequestOf(arena, "topic", {{partition, 0}}, {.max_wait_ms = 5'000});
      ASSERT_TRUE(test::Ask<message::FetchResponse>(scheduler_, *client, request, 12).has_value());
    });
    EXPECT_EQ(stages.at("park"), 5'000 * kMs);
    EXPECT_EQ(stages.at("total") - stages.at("send"), 5'000 * kMs);
    EXPECT_EQ(stages.at("lookup"), 0);
  }
  EXPECT_FALSE(broker_.log().Has("slow request: Fetch")) << broker_.log().text();
}

TEST_F(StagesTest, AFetchIsParkedUntilThereIsSomething) {
  CreateTopic("topic", 2);
  auto client = Connect();
  auto writer = Connect();
  const Stages stages = StagesOf("Fetch", [&] {
    Arena arena;
    client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 20'000}), 12);
    scheduler_.RunFor(7 * kSecond);
    ProduceOn(*writer, 0, 1);
    EXPECT_EQ(Answers(*client, 1).size(), 1u);
  });
  EXPECT_NEAR(static_cast<double>(stages.at("park")), 7e9, 20e6);
  EXPECT_LT(stages.at("total") - stages.at("park"), 20 * kMs);
  EXPECT_TRUE(stages.contains("send"));
}

TEST_F(StagesTest, WhatComesBehindAParkedFetchWaitsForItsOrder) {
  CreateTopic("topic", 2);
  auto client = Connect();
  const Stages metadata = StagesOf("Metadata", [&] {
    Arena arena;
    client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 5'000}), 12);
    client->Send(message::MetadataRequest(), 12);
    EXPECT_EQ(Answers(*client, 2).size(), 2u);
  });
  EXPECT_NEAR(static_cast<double>(metadata.at("order")), 5e9, 20e6) << "it began when the fetch was answered";
  const Stages produce = StagesOf("Produce", [&] {
    Arena arena;
    std::string batch = test::BatchOf({"value"}, now_ms());
    client->Send(FetchRequestOf(arena, "topic", {{0, 0}}, {.max_wait_ms = 5'000}), 12);
    client->Send(ProduceRequestOf(arena, "topic", 1, batch, 1), 9);
    EXPECT_EQ(Answers(*client, 2).size(), 2u);
  });
  EXPECT_NEAR(static_cast<double>(produce.at("order")), 5e9, 20e6) << "its answer was ready long before";
  EXPECT_EQ(produce.at("append"), 0);
  EXPECT_EQ(produce.at("total") - produce.at("send"), produce.at("order"));
  EXPECT_FALSE(broker_.log().Has("slow request")) << broker_.log().text();
}

TEST_F(StagesTest, AMemberThatWaitsForItsGroupIsParked) {
  Arena arena;
  message::FindCoordinatorRequest find;
  find.coordinator_keys.Add(arena, std::string_view("g"));
  ASSERT_EQ(Ask<message::FindCoordinatorResponse>(find, 4)->coordinators[0].error_code, 0);
  message::JoinGroupRequest join;
  join.group_id = "g";
  join.session_timeout_ms = 30'000;
  join.rebalance_timeout_ms = 60'000;
  join.protocol_type = "consumer";
  auto& protocol = join.protocols.Add(arena);
  protocol.name = "range";
  const Stages stages =
      StagesOf("JoinGroup", [&] { EXPECT_EQ(Ask<message::JoinGroupResponse>(join, 2)->error_code, 0); });
  EXPECT_NEAR(static_cast<double>(stages.at("park")), 3e9, 20e6) << "group.initial.rebalance.delay.ms";
  EXPECT_LT(stages.at("total") - stages.at("park"), 20 * kMs);
  EXPECT_FALSE(broker_.log().Has("slow request: JoinGroup")) << broker_.log().text();
}

}  // namespace
}  // namespace kb::broker

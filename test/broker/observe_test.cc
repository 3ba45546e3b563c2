// What HTTP shows of a whole broker of two reactors: metrics in the text format, how far groups are behind, and whether
// it serves.
#include <map>
#include <set>

#include "broker/consumer_lag.h"
#include "broker/fixture.h"
#include "broker/topic_traffic.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/offset_commit_request.h"
#include "message/offset_commit_response.h"

namespace kb::broker {
namespace {

class ObserveTest : public BrokerFixture {
 protected:
  std::string Get(const std::string& path) {
    auto client = network_.Connect(test::SimBroker::kPort);
    client->Send("GET " + path + " HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(scheduler_.RunUntil([&] { return client->ended(); }, 30 * kSecond)) << path;
    return std::string(client->received());
  }
  // "name{labels}" to its value; each line is of the format, and the lines of a name are together.
  std::map<std::string, std::string> Scrape(const std::string& path = "/metrics") {
    const std::string answer = Get(path);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
    std::map<std::string, std::string> samples;
    std::string family;
    std::set<std::string> families;
    for (std::string_view rest = std::string_view(answer).substr(answer.find("\r\n\r\n") + 4); !rest.empty();) {
      const size_t end = rest.find('\n');
      EXPECT_NE(end, std::string_view::npos) << "a line without an end";
      const std::string line(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (line.starts_with("# TYPE ")) {
        family = line.substr(7, line.rfind(' ') - 7);
        EXPECT_TRUE(families.insert(family).second) << family << " twice";
      }
      if (line.starts_with("#")) continue;
      const size_t space = line.rfind(' ');
      EXPECT_TRUE(line.starts_with(family)) << line << " is not of " << family;
      EXPECT_TRUE(samples.emplace(line.substr(0, space), line.substr(space + 1)).second) << line << " twice";
    }
    return samples;
  }
  static std::string Of(const std::string& name, const std::string& group, const std::string& topic,
                        int32_t partition) {
    return "kafka_consumergroup_" + name + "{consumergroup=\"" + group + "\",topic=\"" + topic + "\",partition=\"" +
           std::to_string(partition) + "\"}";
  }
  void MakeGroupsTopic() {
    Arena arena;
    message::FindCoordinatorRequest request;
    request.coordinator_keys.Add(arena, std::string_view("g"));
    EXPECT_EQ(Ask<message::FindCoordinatorResponse>(request, 4)->coordinators[0].error_code, 0);
  }
  void Commit(const std::string& group, const std::string& topic, int32_t partition, int64_t offset) {
    Arena arena;
    message::OffsetCommitRequest request;
    request.group_id = group;
    request.generation_id_or_member_epoch = -1;
    auto& wanted = request.topics.Add(arena);
    wanted.name = arena.Copy(std::string_view(topic));
    auto& one = wanted.partitions.Add(arena);
    one.partition_index = partition;
    one.committed_offset = offset;
    auto answer = Ask<message::OffsetCommitResponse>(request, 8);
    EXPECT_EQ(answer->topics[0].partitions[0].error_code, 0);
  }
};

TEST_F(ObserveTest, PagesThatThereAreAndOneThatThereIsNot) {
  EXPECT_TRUE(Get("/healthz").ends_with("\r\n\r\nok\n"));
  EXPECT_TRUE(Get("/readyz").starts_with("HTTP/1.1 200 OK\r\n"));
  const std::string missing = Get("/");
  EXPECT_TRUE(missing.starts_with("HTTP/1.1 404 "));
  for (const char* page : {"/metrics", "/healthz", "/readyz"}) EXPECT_NE(missing.find(page), std::string::npos);
}

TEST_F(ObserveTest, CountsWhatIsDone) {
  CreateTopic("t", 3);
  Produce("t", "value", 0);
  Produce("t", "value", 1);
  auto samples = Scrape();
  EXPECT_EQ(samples["kafka_server_brokertopicmetrics_messagesin_total"], "2");
  EXPECT_EQ(samples["kafka_network_requestmetrics_requests_total{request=\"Produce\"}"], "2");
  EXPECT_EQ(samples["kafka_network_requestmetrics_requests_total{request=\"Heartbeat\"}"], "0");
  EXPECT_EQ(samples["kafka_server_replicamanager_partitioncount"], "3");
  EXPECT_EQ(samples["broker_partitions_opening"], "0");
  EXPECT_EQ(samples["kafka_server_replicamanager_offlinereplicacount"], "0");
  EXPECT_EQ(samples["broker_requests_refused_total"], "0");
  EXPECT_EQ(samples["kafka_network_requestmetrics_errors_total{request=\"Produce\"}"], "0");
  Arena arena;
  std::string batch = test::BatchOf({"value"}, now_ms());
  Ask<message::ProduceResponse>(ProduceRequestOf(arena, "nowhere", 0, batch), 9);
  EXPECT_EQ(Scrape()["kafka_network_requestmetrics_errors_total{request=\"Produce\"}"], "1");
  EXPECT_GT(std::stoll(samples["kafka_server_brokertopicmetrics_bytesin_total"]), 100);
  EXPECT_GE(std::stoll(samples["kafka_server_socket_server_connection_creation_total"]), 4);
}

TEST_F(ObserveTest, TopicsAreToldApart) {
  const std::string in = "kafka_server_brokertopicmetrics_bytesin_total";
  const std::string out = "kafka_server_brokertopicmetrics_bytesout_total";
  const std::string records = "kafka_server_brokertopicmetrics_messagesin_total";
  auto of = [](const std::string& name, const std::string& topic) { return name + "{topic=\"" + topic + "\"}"; };
  CreateTopic("t", 3);
  CreateTopic("u", 1);
  CreateTopic("silent", 1);
  for (int32_t partition : {0, 1, 2}) Produce("t", "value", partition);
  Produce("u", "value", 0);
  const auto batch = static_cast<int64_t>(test::BatchOf({"value"}, now_ms()).size());
  for (int i = 0; i < 4; ++i) {  // on connections of both reactors
    Arena arena;
    auto fetched = Ask<message::FetchResponse>(FetchRequestOf(arena, "t", {{0, 0}, {1, 0}, {2, 0}}, {}), 12);
    EXPECT_EQ(fetched->responses[0].partitions.size(), 3u);
  }
  auto samples = Scrape();
  EXPECT_EQ(samples[of(records, "t")], "3");
  EXPECT_EQ(samples[of(in, "t")], std::to_string(3 * batch));
  EXPECT_EQ(samples[of(out, "t")], std::to_string(4 * 3 * batch));
  EXPECT_EQ(samples[of(in, "u")], std::to_string(batch));
  EXPECT_FALSE(samples.contains(of(out, "u"))) << "nobody has read it";
  EXPECT_FALSE(samples.contains(of(in, "silent")));
  EXPECT_EQ(samples[in], std::to_string(4 * batch)) << "and all together, as before";
  EXPECT_EQ(samples[out], std::to_string(12 * batch));

  samples = Scrape("/metrics?topics=0");
  EXPECT_FALSE(samples.contains(of(in, "t")));
  EXPECT_EQ(samples[in], std::to_string(4 * batch));
  EXPECT_TRUE(Scrape("/metrics?lag=0").contains(of(in, "t")));
}

TEST_F(ObserveTest, TopicsAreToldPageByPage) {
  std::set<std::string> names;
  for (size_t i = 0; i <= TopicTraffic::kMostTopics; ++i) names.insert("t" + std::to_string(1000 + i));
  for (const std::string& name : names) CreateTopic(name);
  Produce(*names.begin(), "value");
  Produce(*names.rbegin(), "value");
  auto samples = Scrape();
  for (const std::string& name : {*names.begin(), *names.rbegin()}) {
    EXPECT_EQ(samples["kafka_server_brokertopicmetrics_messagesin_total{topic=\"" + name + "\"}"], "1") << name;
  }
}

TEST(SentBytes, ForgetsTopicsThatAreGone) {
  SentBytes sent;
  const metadata::MetadataImage nothing;
  for (uint64_t i = 0; i < 200; ++i) {
    sent.Add(Uuid(1, i), 1, [&] { return &nothing; });
    EXPECT_LE(sent.topics(), 65u);
  }
}

TEST_F(ObserveTest, LagIsWhatAGroupHasYetToRead) {
  CreateTopic("t", 2);
  MakeGroupsTopic();
  EXPECT_FALSE(Scrape().contains(Of("lag", "g", "t", 0)));
  for (int i = 0; i < 5; ++i) {
    Produce("t", "value", 0);
    scheduler_.RunFor(10 * kSecond);
  }
  Commit("g", "t", 0, 2);
  Commit("g", "t", 1, 0);
  auto samples = Scrape();
  EXPECT_EQ(samples[Of("current_offset", "g", "t", 0)], "2");
  EXPECT_EQ(samples[Of("lag", "g", "t", 0)], "3");
  EXPECT_NEAR(std::stod(samples[Of("lag_seconds", "g", "t", 0)]), 30, 5);
  EXPECT_EQ(samples[Of("lag", "g", "t", 1)], "0");
  EXPECT_EQ(samples[Of("lag_seconds", "g", "t", 1)], "0");
  EXPECT_EQ(samples["kafka_coordinator_group_groupmetadatamanager_numoffsets"], "2");
  Commit("g", "t", 0, 5);
  samples = Scrape();
  EXPECT_EQ(samples[Of("lag", "g", "t", 0)], "0");
  EXPECT_EQ(samples[Of("lag_seconds", "g", "t", 0)], "0");
}

TEST_F(ObserveTest, LagIsLeftOutWhenAsked) {
  CreateTopic("t");
  MakeGroupsTopic();
  Commit("g", "t", 0, 0);
  auto samples = Scrape("/metrics?lag=0");
  EXPECT_FALSE(samples.contains(Of("lag", "g", "t", 0)));
  EXPECT_TRUE(samples.contains("kafka_server_replicamanager_partitioncount"));
  samples = Scrape("/metrics?lag=offsets");
  EXPECT_TRUE(samples.contains(Of("lag", "g", "t", 0)));
  EXPECT_FALSE(samples.contains(Of("lag_seconds", "g", "t", 0)));
}

TEST_F(ObserveTest, LagOfWhatIsGoneIsLeftOut) {
  CreateTopic("t");
  CreateTopic("u");
  MakeGroupsTopic();
  Commit("g", "t", 0, 0);
  Commit("g", "u", 0, 0);
  Arena arena;
  message::DeleteTopicsRequest request;
  request.topic_names.Add(arena, std::string_view("t"));
  EXPECT_EQ(Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code, 0);
  auto samples = Scrape();
  EXPECT_FALSE(samples.contains(Of("lag", "g", "t", 0)));
  EXPECT_TRUE(samples.contains(Of("lag", "g", "u", 0)));
}

TEST_F(ObserveTest, NamesOfGroupsAreWrittenAsTheFormatHasThem) {
  CreateTopic("t");
  MakeGroupsTopic();
  Commit("a \"b\"\\c\nd", "t", 0, 0);
  Commit("\xff", "t", 0, 0);
  auto samples = Scrape();
  EXPECT_TRUE(samples.contains(Of("lag", "a \\\"b\\\"\\\\c\\nd", "t", 0)));
  EXPECT_TRUE(samples.contains(Of("lag", "\xef\xbf\xbd", "t", 0)));
  EXPECT_EQ(LabelValue("x\\\"\n"), "x\\\\\\\"\\n");
}

TEST_F(ObserveTest, ManyGroupsAreAllThere) {
  constexpr int kGroups = 40, kPartitions = 60;  // more than a piece
  CreateTopic("t", kPartitions);
  MakeGroupsTopic();
  Produce("t", "value", 7);
  for (int g = 0; g < kGroups; ++g) {
    Arena arena;
    message::OffsetCommitRequest request;
    const std::string group = "group-" + std::to_string(g);
    request.group_id = group;
    request.generation_id_or_member_epoch = -1;
    auto& topic = request.topics.Add(arena);
    topic.name = "t";
    for (int32_t p = 0; p < kPartitions; ++p) {
      auto& one = topic.partitions.Add(arena);
      one.partition_index = p;
      one.committed_offset = 0;
    }
    EXPECT_EQ(Ask<message::OffsetCommitResponse>(request, 8)->topics[0].partitions[0].error_code, 0);
  }
  auto samples = Scrape();
  int64_t lag = 0;
  for (int g = 0; g < kGroups; ++g) {
    for (int32_t p = 0; p < kPartitions; ++p) {
      auto found = samples.find(Of("lag", "group-" + std::to_string(g), "t", p));
      ASSERT_NE(found, samples.end());
      lag += std::stoll(found->second);
    }
  }
  EXPECT_EQ(lag, kGroups);
}

TEST_F(ObserveTest, ReadyIsSaidWhenAllIsOpen) {
  CreateTopic("t", 20);
  ASSERT_TRUE(broker_.Stop().ok());
  broker_.PowerOff();
  test::SimBroker again(scheduler_, files_, network_, {});
  ASSERT_TRUE(again.Begin().ok());
  auto client = network_.Connect(test::SimBroker::kPort);
  client->Send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(scheduler_.RunUntil([&] { return !client->received().empty(); }, 30 * kSecond));
  EXPECT_FALSE(again.serving()) << "the answer is to come before";
  EXPECT_TRUE(client->received().starts_with("HTTP/1.1 503 ")) << client->received();
  EXPECT_NE(client->received().find("opening partitions: "), std::string::npos);
  ASSERT_TRUE(scheduler_.RunUntil([&] { return again.serving(); }, 30 * kSecond));
  EXPECT_TRUE(Get("/readyz").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace kb::broker

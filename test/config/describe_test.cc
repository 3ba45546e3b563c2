// DescribeConfigs and effective values, against the answers of an Apache Kafka whose keys were set in several places.
#include "config/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "config/golden.h"
#include "config/topic_config.h"

namespace kb::config {
namespace {

using testing::HasSubstr;

// The file of the recording; the paths and ports in it do not matter.
constexpr std::string_view kFile = R"(
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:21193
listeners=PLAINTEXT://127.0.0.1:21192,CONTROLLER://127.0.0.1:21193
advertised.listeners=PLAINTEXT://127.0.0.1:21192
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=/tmp/cfg/kafka/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.hours=100
log.roll.hours=48
log.flush.scheduler.interval.ms=5000
log.segment.bytes=2097152
log.cleanup.policy=compact, delete
message.max.bytes=+2000000
log.roll.jitter.ms=5
log.retention.minutes=200
)";

class DescribeTest : public testing::Test {
 protected:
  DescribeTest() : settings_(Settings::Create(ParseProperties(kFile).value()).value()) {}
  Layers layers() const { return {settings_, broker_, cluster_}; }
  void SetDynamically() {
    cluster_ = {{"min.insync.replicas", "1"},
                {"log.retention.ms", "7777777"},
                {"log.segment.bytes", "3145728"},
                {"log.cleaner.threads", "2"}};
    broker_ = {{"log.segment.bytes", "4194304"}, {"log.flush.interval.ms", "4444"}};
  }

  Settings settings_;
  ConfigMap broker_;
  ConfigMap cluster_ = {{"min.insync.replicas", "1"}};  // a new cluster has it
};

std::string SourceName(Source source) {
  switch (source) {
    case Source::kUnknown:
      return "UNKNOWN";
    case Source::kTopic:
      return "DYNAMIC_TOPIC_CONFIG";
    case Source::kDynamicBroker:
      return "DYNAMIC_BROKER_CONFIG";
    case Source::kDynamicDefault:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case Source::kStaticBroker:
      return "STATIC_BROKER_CONFIG";
    case Source::kDefault:
      return "DEFAULT_CONFIG";
    case Source::kBrokerLogger:
      return "DYNAMIC_BROKER_LOGGER_CONFIG";
    case Source::kClientMetrics:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case Source::kGroup:
      return "DYNAMIC_GROUP_CONFIG";
  }
  return "?";
}

json ToJson(const std::optional<std::string>& text) {
  return text.has_value() ? json(*text) : json(nullptr);
}

void ExpectEqual(const json& expected, const Described& described, bool compare_value) {
  if (compare_value) {
    EXPECT_EQ(ToJson(described.value), expected["value"]);
  }
  EXPECT_EQ(SourceName(described.source), expected["source"].get<std::string>());
  EXPECT_EQ(described.read_only, expected["readOnly"].get<bool>());
  EXPECT_EQ(described.row->sensitive(), expected["sensitive"].get<bool>());
  json synonyms = json::array();
  for (const Described::Synonym& synonym : described.synonyms) {
    synonyms.push_back({synonym.key, ToJson(synonym.value), SourceName(synonym.source)});
  }
  EXPECT_EQ(synonyms, expected["synonyms"]);
}

TEST_F(DescribeTest, SaysWhatApacheKafkaSays) {
  const ConfigMap t2 = {{"retention.ms", "1000"},
                        {"cleanup.policy", "compact"},
                        {"max.message.bytes", "555555"},
                        {"segment.ms", "99999"},
                        {"flush.messages", "1"}};
  // After any dynamic change Apache Kafka forgets static keys that have a sibling set dynamically. We do not.
  const std::set<std::string> forgotten = {"log.retention.minutes", "log.retention.hours",
                                           "log.flush.scheduler.interval.ms"};
  std::map<std::string, std::map<std::string, json>> expected;
  for (const json& line : ReadGoldenLines("describe.jsonl")) {
    std::string resource = line["stage"].get<std::string>() + " " + line["resource"].get<std::string>() + " " +
                           line["of"].get<std::string>();
    expected[resource][line["key"]] = line;
  }
  int checked = 0;
  auto compare = [&](const std::string& resource, const std::vector<Described>& all, bool complete) {
    std::map<std::string, json>& lines = expected.at(resource);
    if (complete) {
      EXPECT_EQ(all.size(), lines.size()) << resource;
    }
    for (const Described& described : all) {
      auto line = lines.find(std::string(described.row->key));
      if (line == lines.end()) continue;
      SCOPED_TRACE(line->second.dump());
      bool forgot = resource.starts_with("dynamic BROKER") && forgotten.contains(line->first);
      ExpectEqual(line->second, described, !forgot);
      ++checked;
    }
  };
  compare("static TOPIC t1", DescribeTopic({}, layers()), true);
  compare("static TOPIC t2", DescribeTopic(t2, layers()), true);
  compare("static BROKER 1", DescribeBroker(layers()), false);
  SetDynamically();
  compare("dynamic TOPIC t1", DescribeTopic({}, layers()), true);
  compare("dynamic TOPIC t2", DescribeTopic(t2, layers()), true);
  compare("dynamic BROKER 1", DescribeBroker(layers()), false);
  compare("dynamic BROKER ", DescribeClusterDefaults(cluster_), true);
  compare("dynamic GROUP g", DescribeGroup({{"consumer.session.timeout.ms", "50000"}}, layers()), true);
  compare("dynamic GROUP h", DescribeGroup({}, layers()), true);
  EXPECT_EQ(checked, 219);
}

TEST_F(DescribeTest, APasswordIsNeverTold) {
  broker_ = {{"sasl.jaas.config", "secret"}};
  for (const Described& described : DescribeBroker(layers())) {
    if (described.row->key != "sasl.jaas.config") continue;
    EXPECT_FALSE(described.value.has_value());
    ASSERT_FALSE(described.synonyms.empty());
    EXPECT_FALSE(described.synonyms[0].value.has_value());
  }
}

TEST_F(DescribeTest, AValueThatIsNotAllowedIsPassedOver) {
  cluster_ = {{"log.segment.bytes", "12"}};
  EXPECT_EQ(ReadTopicConfig({}, layers()).segment_bytes, 2097152);
  EXPECT_EQ(ReadTopicConfig({{"segment.bytes", "many"}}, layers()).segment_bytes, 2097152);
}

TEST_F(DescribeTest, ATopicsOwnValueComesFirst) {
  SetDynamically();
  TopicConfig config = ReadTopicConfig(
      {{"retention.ms", "-1"}, {"compression.type", "zstd"}, {"compression.zstd.level", "7"}}, layers());
  EXPECT_EQ(config.retention_ms, -1);
  EXPECT_EQ(config.segment_bytes, 4194304);
  EXPECT_EQ(config.segment_ms, 48 * 3600 * 1000);
  EXPECT_EQ(config.segment_jitter_ms, 5);
  EXPECT_EQ(config.flush_ms, 4444);
  EXPECT_TRUE(config.cleanup_compact && config.cleanup_delete);
  EXPECT_EQ(config.max_message_bytes, 2000000);
  EXPECT_EQ(config.compression_type, Compression::kZstd);
  EXPECT_EQ(config.compression_level, 7);
}

TEST_F(DescribeTest, MillisecondsComeBeforeMinutesBeforeHours) {
  EXPECT_EQ(ReadTopicConfig({}, layers()).retention_ms, 200 * 60'000);
  cluster_ = {{"log.retention.ms", "5"}};
  EXPECT_EQ(ReadTopicConfig({}, layers()).retention_ms, 5);
  Settings hours = Settings::Create({{"log.retention.hours", "-1"}}).value();
  EXPECT_EQ(ReadTopicConfig({}, {hours, broker_, {}}).retention_ms, -1) << "any negative number is no limit";
  Settings nothing;
  EXPECT_EQ(ReadTopicConfig({}, {nothing, broker_, {}}).retention_ms, 168LL * 3600 * 1000);
}

TEST_F(DescribeTest, FlushMessagesOfATopicDecidesWhatAcksAllMeans) {
  EXPECT_EQ(ReadTopicConfig({}, layers()).acks_all_durability, AckDurability::kAuto);
  EXPECT_EQ(ReadTopicConfig({{"flush.messages", "1"}}, layers()).acks_all_durability, AckDurability::kDisk);
  EXPECT_EQ(ReadTopicConfig({{"flush.messages", "9223372036854775807"}}, layers()).acks_all_durability,
            AckDurability::kOs);
  Settings os = Settings::Create({{"acks.all.durability", "os"}}).value();
  EXPECT_EQ(ReadTopicConfig({}, {os, broker_, cluster_}).acks_all_durability, AckDurability::kOs);
  EXPECT_EQ(ReadTopicConfig({{"flush.ms", "1000"}}, {os, broker_, cluster_}).acks_all_durability, AckDurability::kOs)
      << "how often is flushed does not change what readers see";
  Settings every = Settings::Create({{"log.flush.interval.messages", "1"}}).value();
  EXPECT_EQ(ReadTopicConfig({}, {every, broker_, cluster_}).acks_all_durability, AckDurability::kDisk);
  EXPECT_EQ(ReadTopicConfig({{"flush.messages", "1"}}, {os, broker_, cluster_}).acks_all_durability,
            AckDurability::kDisk);
}

TEST_F(DescribeTest, WhatAClientMaySetIsChecked) {
  auto refusal = [&](const ConfigMap& own) {
    Status status = CheckTopicConfig(own, layers());
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(refusal({{"retention.ms", "1000"}, {"internal.segment.bytes", "512"}}), "");
  EXPECT_THAT(refusal({{"retension.ms", "1000"}}), HasSubstr("no such key"));
  EXPECT_THAT(refusal({{"segment.bytes", "512"}}), HasSubstr("1048576"));
  EXPECT_THAT(refusal({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}}),
              HasSubstr("max.compaction.lag.ms, 5"));
  EXPECT_THAT(refusal({{"remote.storage.enable", "true"}}), HasSubstr("tiered"));
  EXPECT_EQ(CheckTopicConfig({{"a", "b"}}, layers()).error().kind, ErrorKind::kNotFound);

  EXPECT_TRUE(CheckGroupConfig({{"consumer.session.timeout.ms", "50000"}}, layers()).ok());
  EXPECT_FALSE(CheckGroupConfig({{"consumer.session.timeout.ms", "70000"}}, layers()).ok());
  EXPECT_FALSE(CheckGroupConfig({{"consumer.heartbeat.interval.ms", "100"}}, layers()).ok());

  EXPECT_FALSE(CheckGroupConfig({{"consumer.session.timeout.ms", "45000"},
                                 {"consumer.heartbeat.interval.ms", "15000"},
                                 {"share.session.timeout.ms", "x"}},
                                layers())
                   .ok());

  auto subscription = [](const ConfigMap& own) {
    Status status = CheckClientMetricsConfig(own);
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(subscription({{"match", "client_id=a.*, client_source_port = 5"}, {"interval.ms", "100"}}), "");
  EXPECT_EQ(CheckClientMetricsConfig({{"interval.ms", "99"}}).error().kind, ErrorKind::kUnsupported);
  for (const char* match : {"nonsense", "foo=x", "client_id=(", "client_id=", "client_id=a=b"}) {
    EXPECT_THAT(subscription({{"match", match}}), HasSubstr("match")) << match;
  }
}

TEST_F(DescribeTest, WhatIsInNoTableIsListedAndItsValueHidden) {
  broker_ = {{"somebodys.key", "secret"}};
  cluster_["somebodys.key"] = "other";
  cluster_["listener.name.a.max.connections"] = "5";
  bool found = false;
  for (const Described& described : DescribeBroker(layers())) {
    if (described.key == "listener.name.a.max.connections") {
      EXPECT_EQ(described.value, "5");
    }
    if (described.key != "somebodys.key") continue;
    found = true;
    EXPECT_EQ(described.value, std::nullopt);
    EXPECT_TRUE(described.sensitive);
    EXPECT_EQ(described.type, kUnknownType);
    EXPECT_EQ(described.source, Source::kDynamicBroker);
    ASSERT_EQ(described.synonyms.size(), 2u);
    EXPECT_EQ(described.synonyms[1].source, Source::kDynamicDefault);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(DescribeClusterDefaults(cluster_).size(), 3u);
}

TEST_F(DescribeTest, EveryKeyHasAFewWords) {
  for (Scope scope : {Scope::kBroker, Scope::kTopic, Scope::kGroup, Scope::kClientMetrics}) {
    for (const Row& row : RowsOf(scope)) EXPECT_THAT(Documentation(row), HasSubstr("It must be")) << row.key;
  }
  EXPECT_EQ(Documentation(RowNamed(Scope::kTopic, "retention.ms")),
            "It must be an integer of at least -1, at most 9223372036854775807. Falls back to log.retention.ms, "
            "log.retention.minutes, log.retention.hours.");
}

}  // namespace
}  // namespace kb::config

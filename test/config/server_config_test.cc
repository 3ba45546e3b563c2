#include "config/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/golden.h"

namespace kb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What people start Apache Kafka's combined mode with.
constexpr std::string_view kCombined = R"(
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)";

class ServerConfigTest : public testing::Test {
 protected:
  // The combined file with changes; an empty optional takes a key out.
  Result<ServerConfig> Load(const std::map<std::string, std::optional<std::string>>& changes) {
    ConfigMap file = ParseProperties(kCombined).value();
    for (const auto& [key, value] : changes) {
      file.erase(key);
      if (value.has_value()) file[key] = *value;
    }
    return LoadServerConfig({.file = file});
  }
  // The line the operator sees, or "" when the broker starts.
  std::string Refusal(const std::map<std::string, std::optional<std::string>>& changes) {
    Result<ServerConfig> config = Load(changes);
    if (config.ok()) return "";
    EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
    return config.error().message;
  }
};

TEST_F(ServerConfigTest, TheFileOfTheCombinedModeWorksUnchanged) {
  Result<ServerConfig> config = Load({});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->node_id, 1);
  ASSERT_EQ(config->listeners.bound.size(), 2u);
  EXPECT_EQ(config->listeners.bound[0].name, "PLAINTEXT");
  EXPECT_EQ(config->listeners.bound[0].address, (HostPort{"", 9092}));
  EXPECT_FALSE(config->listeners.bound[0].is_controller);
  EXPECT_TRUE(config->listeners.FindBound("CONTROLLER")->is_controller);
  EXPECT_EQ(config->listeners.FindAdvertised("PLAINTEXT")->address, (HostPort{"localhost", 9092}));
  EXPECT_EQ(config->listeners.inter_broker_name, "PLAINTEXT");
  EXPECT_THAT(config->log_dirs, ElementsAre("/tmp/kraft-combined-logs"));
  EXPECT_EQ(config->metadata_log_dir, "/tmp/kraft-combined-logs");
  EXPECT_EQ(config->offsets_topic_replication_factor, 1);
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_THAT(config->warnings[0], HasSubstr("num.recovery.threads.per.data.dir"));
  EXPECT_THAT(config->warnings[0], testing::Not(HasSubstr("num.io.threads")))
      << "set to its default: nothing to warn of";
}

// Where Apache Kafka starts and we do not, or the other way round, and why.
const std::map<std::string, std::string> kDifferences = {
    {"broker only", "not yet"},
    {"controller only", "not yet"},
    {"voters several", "not yet"},
    {"bootstrap several", "not yet"},
    {"remote storage", "not yet"},
    {"sasl mech only", "not yet, and must not be ignored"},
    {"map twice", "the later entry counts, and is SSL: not yet"},
    {"jaas only", "not yet, and must not be ignored"},
    {"listener port too large", "Apache Kafka fails later, when it binds"},
    {"listener port 65536", "Apache Kafka fails later, when it binds"},
    {"listener port negative", "Apache Kafka fails later, when it binds"},
    {"double NaN", "means nothing"},
};

TEST_F(ServerConfigTest, StartsWhatApacheKafkaStartsAndRefusesWhatItRefuses) {
  int checked = 0;
  for (const json& line : ReadGoldenLines("start.jsonl")) {
    std::string name = line["name"];
    SCOPED_TRACE(line.dump());
    Result<ServerConfig> config =
        LoadServerConfig({.file = ParseProperties(line["properties"].get<std::string>()).value()});
    bool accepted = line["accepted"];
    if (kDifferences.contains(name)) accepted = !accepted;
    EXPECT_EQ(config.ok(), accepted) << (config.ok() ? "" : config.error().message);
    ++checked;
  }
  EXPECT_EQ(checked, 230);
}

TEST_F(ServerConfigTest, ARefusalIsOneLineThatNamesTheKeyAndWhatIsAllowed) {
  EXPECT_EQ(Refusal({{"num.partitions", "none"}}),
            "num.partitions: \"none\" is not allowed; it must be an integer of at least 1, at most 2147483647");
  EXPECT_THAT(Refusal({{"node.id", std::nullopt}}), HasSubstr("node.id: it is missing"));
  EXPECT_THAT(Refusal({{"process.roles", "broker"}}), HasSubstr("not supported yet"));
  EXPECT_THAT(Refusal({{"process.roles", std::nullopt}, {"zookeeper.connect", "localhost:2181"}}),
              HasSubstr("ZooKeeper"));
  EXPECT_THAT(Refusal({{"controller.quorum.voters", "1@a:1,2@b:1,3@c:1"}}),
              HasSubstr("several voters are not supported yet"));
  EXPECT_THAT(Refusal({{"controller.quorum.voters", "7@a:1"}}), HasSubstr("node.id 1 must be one of the voters"));
  EXPECT_THAT(Refusal({{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9092"}}),
              HasSubstr("two listeners have the port 9092"));
  EXPECT_THAT(Refusal({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}), HasSubstr("advertised.listeners"));
}

TEST_F(ServerConfigTest, WhatWouldWeakenSecurityEndsTheStart) {
  for (auto [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"},
           {"ssl.keystore.location", "/etc/keys"},
           {"sasl.enabled.mechanisms", "SCRAM-SHA-512"},
           {"listener.name.plaintext.sasl.enabled.mechanisms", "PLAIN"},
           {"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config", "secret"},
           {"delegation.token.secret.key", "secret"},
           {"max.connection.creation.rate", "10"},
           {"remote.log.storage.system.enable", "true"},
           {"create.topic.policy.class.name", "com.example.Policy"}}) {
    std::string refusal = Refusal({{key, value}});
    EXPECT_THAT(refusal, HasSubstr(key));
    EXPECT_THAT(refusal, HasSubstr("does not start"));
    EXPECT_THAT(refusal, testing::Not(HasSubstr("secret\""))) << "no secrets in the log";
  }
  EXPECT_THAT(Refusal({{"listeners", "SSL://:9092,CONTROLLER://:9093"},
                       {"inter.broker.listener.name", "SSL"},
                       {"advertised.listeners", std::nullopt}}),
              HasSubstr("needs TLS or SASL"));
}

TEST_F(ServerConfigTest, ASecurityKeyAtItsDefaultIsNothing) {
  for (const Row& row : RowsOf(Scope::kBroker)) {
    if (row.support != Support::kRefuseWhenSet || !row.default_value.has_value()) continue;
    EXPECT_EQ(Refusal({{std::string(row.key), std::string(*row.default_value)}}), "") << row.key;
  }
  EXPECT_EQ(Refusal({{"security.inter.broker.protocol", "PLAINTEXT"}, {"inter.broker.listener.name", std::nullopt}}),
            "");
  EXPECT_EQ(Refusal({{"ssl.key.password", ""}}), "");
}

TEST_F(ServerConfigTest, TwoLinesNameWhatHasNoEffect) {
  Result<ServerConfig> config = Load({{"num.io.threads", "4"},
                                      {"num.recovery.threads.per.data.dir", std::nullopt},
                                      {"log.cleaner.threads", "2"},
                                      {"listener.name.plaintext.max.connections", "5"},
                                      {"my.own.key", "1"},
                                      {"inter.broker.protocol.version", "3.9"}});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_THAT(config->warnings,
              ElementsAre("Configuration keys that have no effect yet: listener.name.plaintext.max.connections, "
                          "num.io.threads, offsets.topic.replication.factor, "
                          "share.coordinator.state.topic.min.isr, "
                          "share.coordinator.state.topic.replication.factor, transaction.state.log.min.isr, "
                          "transaction.state.log.replication.factor",
                          "Configuration keys that are unknown: inter.broker.protocol.version, my.own.key"));
}

TEST_F(ServerConfigTest, AnOverrideWinsOverTheFile) {
  ConfigMap file = ParseProperties(kCombined).value();
  Result<ServerConfig> config =
      LoadServerConfig({.file = file, .overrides = {{"num.partitions", "3"}, {"num.partitions", "5"}}});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->num_partitions, 5);
  EXPECT_EQ(config->settings.Int("num.partitions"), 5);
}

TEST_F(ServerConfigTest, AssignorsOfConsumerGroupsAreKnownByTheirShortNames) {
  Result<ServerConfig> config = Load(
      {{"group.consumer.assignors", "org.apache.kafka.coordinator.group.assignor.RangeAssignor,range,uniform"},
       {"group.consumer.migration.policy", "Upgrade"}});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_THAT(config->group_consumer_assignors, ElementsAre("range", "uniform"));
  EXPECT_EQ(config->group_consumer_migration_policy, "upgrade");
  EXPECT_NE(Refusal({{"group.consumer.assignors", "com.example.Own"}}), "");
}

TEST_F(ServerConfigTest, LogDirsComeBeforeLogDir) {
  EXPECT_THAT(Load({{"log.dir", "/x"}})->log_dirs, ElementsAre("/tmp/kraft-combined-logs"));
  EXPECT_THAT(Load({{"log.dir", "/x"}, {"log.dirs", std::nullopt}})->log_dirs, ElementsAre("/x"));
  EXPECT_THAT(Load({{"log.dirs", std::nullopt}})->log_dirs, ElementsAre("/tmp/kafka-logs"));
  EXPECT_EQ(Load({{"metadata.log.dir", "/m"}})->metadata_log_dir, "/m");
}

TEST_F(ServerConfigTest, AListenerMayBeAnAddressOfEitherKind) {
  Result<ServerConfig> config = Load(
      {{"listeners", "PLAINTEXT://[::1]:9092,CONTROLLER://127.0.0.1:9093"}, {"advertised.listeners", std::nullopt}});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->listeners.bound[0].address, (HostPort{"::1", 9092}));
  EXPECT_EQ(config->listeners.advertised.size(), 1u) << "only the broker's are told by default";
}

TEST(EmbeddedDefaults, StartABrokerOnThisMachine) {
  Result<ServerConfig> config = LoadServerConfig({.data_dir = "/tmp/here"});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_THAT(config->log_dirs, ElementsAre("/tmp/here"));
  EXPECT_EQ(config->listeners.FindAdvertised("PLAINTEXT")->address, (HostPort{"localhost", 9092}));
}

TEST(EmbeddedDefaults, AddressesFollowTheListenersOfTheCommandLine) {
  Result<ServerConfig> config =
      LoadServerConfig({.overrides = {{"listeners", "PLAINTEXT://127.0.0.1:19092,CONTROLLER://[::1]:19093"}}});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->listeners.FindAdvertised("PLAINTEXT")->address, (HostPort{"127.0.0.1", 19092}));
  EXPECT_THAT(config->listeners.quorum_bootstrap, ElementsAre(HostPort{"::1", 19093}));
}

TEST(HostPort, IsReadInAllItsForms) {
  EXPECT_EQ(ParseHostPort("localhost:9093"), (HostPort{"localhost", 9093}));
  EXPECT_EQ(ParseHostPort("[::1]:9093"), (HostPort{"::1", 9093}));
  EXPECT_EQ(ParseHostPort(":9093"), (HostPort{"", 9093}));
  EXPECT_EQ(ParseHostPort("CONTROLLER://c:1"), (HostPort{"c", 1}));
  for (const char* text : {"", "localhost", "a b:1", "a:", "a:x", "a:65536", "a:-1", "[::1:1", "a:1/"}) {
    EXPECT_FALSE(ParseHostPort(text).has_value()) << text;
  }
}

TEST_F(ServerConfigTest, HttpIsWhereListenersAreNamed) {
  EXPECT_THAT(Load({})->http_listeners, ElementsAre("*"));
  EXPECT_THAT(Load({{"http.listeners", ""}})->http_listeners, IsEmpty());
  EXPECT_THAT(Load({{"http.listeners", "PLAINTEXT, CONTROLLER"}})->http_listeners,
              ElementsAre("PLAINTEXT", "CONTROLLER"));
  EXPECT_THAT(Refusal({{"http.listeners", "PLAINTEXT,INTERNAL"}}), HasSubstr("http.listeners"));
}

}  // namespace
}  // namespace kb::config

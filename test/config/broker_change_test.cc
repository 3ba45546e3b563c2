// What may be changed of a broker while it runs. That the codes are Apache Kafka's is shown by
// test/interop/configs_test.
#include "config/broker_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/connection_limits.h"
#include "config/server_config.h"

namespace kb::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BrokerChangeTest : public ::testing::Test {
 protected:
  BrokerChangeTest() {
    Result<ServerConfig> config = LoadServerConfig({.file = EmbeddedDefaults({}, "/data")});
    settings_ = config.value().settings;
  }
  Status Change(const ConfigMap& next, bool of_all = false) {
    return CheckBrokerChange({{settings_, broker_, cluster_}, next, of_all});
  }
  // "" when it may be; else the message, with '!' in front where the key is refused for what this broker is.
  std::string Refusal(const ConfigMap& next, bool of_all = false) {
    Status status = Change(next, of_all);
    if (status.ok()) return "";
    return (status.error().kind == ErrorKind::kUnsupported ? "!" : "") + status.error().message;
  }

  Settings settings_;
  ConfigMap broker_, cluster_;
};

TEST_F(BrokerChangeTest, KeysThatMayAndMayNotBeChanged) {
  EXPECT_EQ(Refusal({{"log.segment.bytes", "2097152"}}, true), "");
  EXPECT_EQ(Refusal({{"some.plug-ins.key", "x"}}, true), "");
  EXPECT_THAT(Refusal({{"node.id", "2"}}), HasSubstr("node.id"));
  EXPECT_THAT(Refusal({{"listeners", "PLAINTEXT://:1"}}, true), HasSubstr("for all brokers"));
  EXPECT_THAT(Refusal({{"log.segment.bytes", "1"}}, true), HasSubstr("1048576"));
  EXPECT_THAT(Refusal({{"ssl.keystore.password", "secret"}}), HasSubstr("listener.name.NAME"));
  EXPECT_EQ(Refusal({{"ssl.keystore.password", "secret"}}).find("secret"), std::string::npos);
}

TEST_F(BrokerChangeTest, WhatIsRefusedAtTheStartIsRefusedLater) {
  EXPECT_THAT(Refusal({{"listener.name.plaintext.ssl.keystore.password", "secret"}}), HasSubstr("!listener.name"));
  EXPECT_THAT(Refusal({{"config.providers", "file"}}), HasSubstr("!config.providers"));
  EXPECT_EQ(Refusal({{"max.connection.creation.rate", "2147483647"}}, true), "") << "its default";
  EXPECT_THAT(Refusal({{"listener.name.plaintext.ssl.client.auth", "required"}}, true), HasSubstr("for all brokers"));
}

TEST_F(BrokerChangeTest, ListenersAreOpenedAtTheStartOnly) {
  const std::string same(settings_.Written("listeners").value());
  EXPECT_EQ(Refusal({{"listeners", same}}), "");
  EXPECT_THAT(Refusal({{"listeners", same + ",OTHER://:1"}}), HasSubstr("listeners"));
  EXPECT_THAT(Refusal({{"listener.security.protocol.map", "PLAINTEXT:SSL"}}), HasSubstr("listener.security"));
}

TEST_F(BrokerChangeTest, TheWholeThatResultsIsChecked) {
  EXPECT_THAT(Refusal({{"log.retention.ms", "0"}}), HasSubstr("log.retention.ms"));
  EXPECT_THAT(Refusal({{"log.cleaner.dedupe.buffer.size", "100"}}, true), HasSubstr("1 MiB"));
  EXPECT_THAT(Refusal({{"max.connections.per.ip", "0"}}, true), HasSubstr("nobody"));
  EXPECT_EQ(Refusal({{"max.connections.per.ip", "0"}, {"max.connections.per.ip.overrides", "::1:5"}}, true), "");
  EXPECT_THAT(Refusal({{"log.local.retention.ms", "99999999999999"}}), HasSubstr("log.retention.ms"));
  cluster_ = {{"max.connections.per.ip.overrides", "::1:5"}};
  EXPECT_EQ(Refusal({{"max.connections.per.ip", "0"}}), "") << "another layer has the rest";
}

TEST_F(BrokerChangeTest, NumbersOfThreadsChangeInSteps) {
  EXPECT_EQ(Refusal({{"num.io.threads", "16"}}), "");
  EXPECT_EQ(Refusal({{"num.io.threads", "4"}}), "");
  EXPECT_THAT(Refusal({{"num.io.threads", "17"}}), HasSubstr("double"));
  EXPECT_THAT(Refusal({{"num.io.threads", "3"}}), HasSubstr("half"));
  cluster_ = {{"num.io.threads", "16"}};
  EXPECT_EQ(Refusal({{"num.io.threads", "32"}}, true), "") << "of what it is now";
  EXPECT_THAT(Refusal({{"log.cleaner.threads", "0"}}, true), HasSubstr("log.cleaner.threads"));
}

TEST_F(BrokerChangeTest, WhatWasNotAllowedBeforeIsPassedOver) {
  broker_ = {{"log.dirs", "/elsewhere"}, {"log.retention.ms", "x"}};
  EXPECT_EQ(Refusal({{"log.dirs", "/elsewhere"}, {"log.retention.ms", "x"}, {"message.max.bytes", "5"}}), "");
  EXPECT_THAT(Refusal({{"log.dirs", "/another"}}), HasSubstr("log.dirs"));
}

TEST_F(BrokerChangeTest, WhatHasNoEffectIsNamed) {
  EXPECT_THAT(ChangedWithoutEffect({{"num.io.threads", "9"}, {"background.threads", "9"}},
                                   {{"num.io.threads", "10"},
                                    {"background.threads", "9"},
                                    {"some.key", "1"},
                                    {"message.max.bytes", "5"},
                                    {"listener.name.a.max.connections", "1"}}),
              ElementsAre("listener.name.a.max.connections", "num.io.threads", "some.key"));
}

TEST(ConnectionLimitsTest, AddressesWithTheirNumbers) {
  EXPECT_EQ(ParseConnectionLimits("").value(), ConnectionLimits());
  EXPECT_EQ(ParseConnectionLimits("192.0.2.1:100, ::1:5,[2001:db8::1]:0").value(),
            (ConnectionLimits{{"192.0.2.1", 100}, {"::1", 5}, {"2001:db8::1", 0}}));
  for (const char* wrong :
       {"x", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:-1", "localhost:5", "192.0.2:5", "192.0.2.1.5:5",
        "192.0.2.256:5", "192.0.2.1:5,", ":5", "1:2:g:5", "192.0.2.1:99999999999"}) {
    EXPECT_FALSE(ParseConnectionLimits(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace kb::config

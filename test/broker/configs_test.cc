// Configurations changed while the broker runs: they count when the change is answered, on every reactor, and survive a
// crash from then on. Which broker keys are dynamic, and that each of those that work here reaches what it is for.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <sstream>

#include "broker/config_view.h"
#include "broker/fixture.h"
#include "config/describe.h"
#include "message/alter_configs_request.h"
#include "message/alter_configs_response.h"
#include "message/config_record.h"
#include "message/consumer_group_heartbeat_request.h"
#include "message/consumer_group_heartbeat_response.h"
#include "message/describe_configs_request.h"
#include "message/describe_configs_response.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/incremental_alter_configs_request.h"
#include "message/incremental_alter_configs_response.h"
#include "message/list_config_resources_request.h"
#include "message/list_config_resources_response.h"
#include "metadata/builder.h"

namespace kb::broker {
namespace {

using metadata::ConfigResourceType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kTopic = ConfigResourceType::kTopic;
constexpr auto kBroker = ConfigResourceType::kBroker;
constexpr auto kLogger = ConfigResourceType::kBrokerLogger;
constexpr auto kGroup = ConfigResourceType::kGroup;

class ConfigsTest : public BrokerFixture {
 protected:
  static std::string NameOf(int16_t error) { return std::string(ErrorName(static_cast<ErrorCode>(error))); }

  // Sets one key; "" deletes it. The error's name.
  std::string Set(ConfigResourceType type, std::string_view name, std::string_view key, std::string_view value,
                  uint16_t port = test::SimBroker::kPort) {
    Arena arena;
    message::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.Add(arena);
    resource.resource_type = static_cast<int8_t>(type);
    resource.resource_name = name;
    auto& config = resource.configs.Add(arena);
    config.name = key;
    config.config_operation = value.empty() ? 1 : 0;
    config.value = value;
    auto answer = Ask<message::IncrementalAlterConfigsResponse>(request, 1, port);
    EXPECT_EQ(answer->responses.size(), 1u);
    return NameOf(answer->responses[0].error_code);
  }
  struct Value {
    std::string text;
    int source = 0;
    bool operator==(const Value&) const = default;
  };
  Value Describe(ConfigResourceType type, std::string_view name, std::string_view key) {
    Arena arena;
    message::DescribeConfigsRequest request;
    auto& resource = request.resources.Add(arena);
    resource.resource_type = static_cast<int8_t>(type);
    resource.resource_name = name;
    resource.configuration_keys.Add(arena) = key;
    auto answer = Ask<message::DescribeConfigsResponse>(request, 4);
    EXPECT_EQ(answer->results[0].error_code, 0);
    if (answer->results[0].configs.empty()) return {};
    const auto& config = answer->results[0].configs[0];
    return {std::string(config.value.value_or("")), config.config_source};
  }
  bool Served(test::KafkaClient& client) {
    message::ListConfigResourcesRequest request;
    client.Send(request, 1);
    scheduler_.RunUntil([&] { return client.HasAnswer() || client.ended(); });
    return client.HasAnswer();
  }
  std::string ProduceError(const std::string& topic, size_t bytes, int32_t partition = 0) {
    Arena arena;
    std::string batch = test::BatchOf({std::string(bytes, 'x')}, now_ms());
    auto answer = Ask<message::ProduceResponse>(ProduceRequestOf(arena, topic, partition, batch), 9);
    return NameOf(answer->responses[0].partition_responses[0].error_code);
  }
};

// ---- what counts, and when

TEST_F(ConfigsTest, ATopicsKeyCountsOnEveryReactorOnceItIsAnswered) {
  CreateTopic("topic", 4);
  for (int32_t partition = 0; partition < 4; ++partition) EXPECT_EQ(ProduceError("topic", 1000, partition), "NONE");
  EXPECT_EQ(Set(kTopic, "topic", "max.message.bytes", "200"), "NONE");
  for (int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(ProduceError("topic", 1000, partition), "MESSAGE_TOO_LARGE");
  }
  EXPECT_EQ(Set(kTopic, "topic", "max.message.bytes", ""), "NONE");
  for (int32_t partition = 0; partition < 4; ++partition) EXPECT_EQ(ProduceError("topic", 1000, partition), "NONE");
}

TEST_F(ConfigsTest, TopicBeforeBrokerBeforeAllBeforeTheDefault) {
  CreateTopic("topic");
  EXPECT_EQ(Describe(kTopic, "topic", "max.message.bytes"), (Value{"1048588", 5}));
  EXPECT_EQ(Set(kBroker, "", "message.max.bytes", "100"), "NONE");
  EXPECT_EQ(Describe(kTopic, "topic", "max.message.bytes"), (Value{"100", 3}));
  EXPECT_EQ(ProduceError("topic", 1000), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(Set(kBroker, "1", "message.max.bytes", "5000"), "NONE");
  EXPECT_EQ(Describe(kTopic, "topic", "max.message.bytes"), (Value{"5000", 2}));
  EXPECT_EQ(ProduceError("topic", 1000), "NONE");
  EXPECT_EQ(Set(kTopic, "topic", "max.message.bytes", "200"), "NONE");
  EXPECT_EQ(Describe(kTopic, "topic", "max.message.bytes"), (Value{"200", 1}));
  EXPECT_EQ(ProduceError("topic", 1000), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(Set(kTopic, "topic", "max.message.bytes", ""), "NONE");
  EXPECT_EQ(Set(kBroker, "1", "message.max.bytes", ""), "NONE");
  EXPECT_EQ(ProduceError("topic", 1000), "MESSAGE_TOO_LARGE") << "that of all brokers again";
}

TEST_F(ConfigsTest, WhatWasAnsweredSurvivesACrash) {
  CreateTopic("topic");
  EXPECT_EQ(Set(kTopic, "topic", "retention.ms", "77"), "NONE");
  EXPECT_EQ(Set(kGroup, "group", "consumer.session.timeout.ms", "50000"), "NONE");
  EXPECT_EQ(Set(kBroker, "", "max.connections.per.ip", "1000"), "NONE");
  EXPECT_EQ(Set(kLogger, "1", "net", "ERROR"), "NONE");
  broker_.PowerOff();
  files_.Cut(test::PowerLoss::kEverything);
  test::SimBroker second(scheduler_, files_, network_);
  Status started = second.Start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_EQ(Describe(kTopic, "topic", "retention.ms"), (Value{"77", 1}));
  EXPECT_EQ(Describe(kGroup, "group", "consumer.session.timeout.ms"), (Value{"50000", 8}));
  EXPECT_EQ(Describe(kBroker, "1", "max.connections.per.ip"), (Value{"1000", 3}));
  EXPECT_EQ(Describe(kLogger, "1", "net"), (Value{"INFO", 6})) << "levels are kept nowhere";
}

TEST_F(ConfigsTest, LimitsOfConnectionsCountAtOnce) {
  auto control = Connect();
  ASSERT_TRUE(Served(*control));
  EXPECT_EQ(Set(kBroker, "", "max.connections.per.ip.overrides", "192.0.2.1:1,127.0.0.1:1"), "NONE");
  auto refused = Connect();
  EXPECT_FALSE(Served(*refused)) << "who is in stays in, nobody else comes";
  control.reset();
  scheduler_.RunFor(kSecond);
  EXPECT_EQ(Set(kBroker, "", "max.connections.per.ip.overrides", ""), "NONE");
  auto first = Connect();
  auto second = Connect();
  EXPECT_TRUE(Served(*first));
  EXPECT_TRUE(Served(*second));
}

TEST_F(ConfigsTest, LimitsOfConnectionsCountFromTheStart) {
  EXPECT_EQ(Set(kBroker, "", "max.connections.per.ip", "1"), "NONE");
  broker_.PowerOff();
  files_.Cut(test::PowerLoss::kEverything);
  test::SimBroker second(scheduler_, files_, network_);
  Status started = second.Start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  auto one = Connect();
  EXPECT_TRUE(Served(*one));
  auto refused = Connect();
  EXPECT_FALSE(Served(*refused));
}

TEST_F(ConfigsTest, AGroupsKeysReachItsMembers) {
  Arena arena;
  message::ConsumerGroupHeartbeatRequest request;
  request.group_id = "group";
  request.member_id = "AAAAAAAAAAAAAAAAAAAAAQ";
  request.member_epoch = 0;
  request.rebalance_timeout_ms = 60'000;
  request.subscribed_topic_names.Add(arena) = "topic";
  request.topic_partitions = {};
  CreateTopic("topic");
  auto heartbeat = [&] {
    std::optional<test::Answer<message::ConsumerGroupHeartbeatResponse>> answer;
    for (int i = 0; i < 50; ++i) {
      answer.emplace(Ask<message::ConsumerGroupHeartbeatResponse>(request, 1));
      const auto error = static_cast<ErrorCode>((*answer)->error_code);
      if (error != ErrorCode::kCoordinatorNotAvailable && error != ErrorCode::kNotCoordinator &&
          error != ErrorCode::kCoordinatorLoadInProgress) {
        break;
      }
      scheduler_.RunFor(kSecond / 10);
    }
    EXPECT_EQ((*answer)->error_code, 0) << (*answer)->error_message.value_or("");
    return (*answer)->heartbeat_interval_ms;
  };
  message::FindCoordinatorRequest find;
  find.coordinator_keys.Add(arena) = "group";
  Ask<message::FindCoordinatorResponse>(find, 4);
  EXPECT_EQ(heartbeat(), 5000);
  EXPECT_EQ(Set(kGroup, "group", "consumer.heartbeat.interval.ms", "7000"), "NONE");
  EXPECT_EQ(heartbeat(), 7000);
  EXPECT_EQ(Set(kGroup, "group", "consumer.heartbeat.interval.ms", ""), "NONE");
  EXPECT_EQ(heartbeat(), 5000);
}

TEST_F(ConfigsTest, ALoggersLevelCountsAtOnce) {
  auto warn = [this] {  // a change without effect is told in one line, by the controller
    static int number = 0;
    EXPECT_EQ(Set(kBroker, "", "some.key", std::to_string(++number)), "NONE");
  };
  warn();
  EXPECT_THAT(broker_.log().text(), HasSubstr("have no effect here: some.key"));
  broker_.log().Clear();
  EXPECT_EQ(Set(kLogger, "1", "controller", "ERROR"), "NONE");
  EXPECT_EQ(Describe(kLogger, "1", "controller"), (Value{"ERROR", 6}));
  warn();
  EXPECT_EQ(broker_.log().text(), "");
  EXPECT_EQ(Set(kLogger, "1", "controller", ""), "NONE");
  warn();
  EXPECT_THAT(broker_.log().text(), HasSubstr("some.key"));
}

TEST_F(ConfigsTest, OneLineNamesWhatHasNoEffect) {
  EXPECT_EQ(Set(kBroker, "1", "num.io.threads", "9"), "NONE");
  EXPECT_THAT(broker_.log().text(), HasSubstr("Configuration keys that were changed at run time and have no effect "
                                              "here: num.io.threads"));
  EXPECT_EQ(Describe(kBroker, "1", "num.io.threads"), (Value{"9", 2}));
  broker_.log().Clear();
  EXPECT_EQ(Set(kBroker, "1", "message.max.bytes", "5000"), "NONE");
  EXPECT_EQ(broker_.log().text(), "");
}

// ---- which keys there are

TEST_F(ConfigsTest, ResourcesAreListedByTheirType) {
  CreateTopic("topic");
  Set(kGroup, "group", "consumer.session.timeout.ms", "50000");
  auto list = [this](std::vector<int8_t> types, int16_t version = 1) {
    Arena arena;
    message::ListConfigResourcesRequest request;
    for (int8_t type : types) request.resource_types.Add(arena) = type;
    auto answer = Ask<message::ListConfigResourcesResponse>(request, version);
    std::vector<std::string> names{NameOf(answer->error_code)};
    for (const auto& one : answer->config_resources) {
      names.push_back(std::to_string(one.resource_type) + " " + std::string(one.resource_name));
    }
    return names;
  };
  EXPECT_THAT(list({}), ElementsAre("NONE", "32 group", "8 1", "4 1", "2 topic"));
  EXPECT_THAT(list({2, 32}), ElementsAre("NONE", "32 group", "2 topic"));
  EXPECT_THAT(list({2, 99}), ElementsAre("UNSUPPORTED_VERSION"));
  EXPECT_THAT(list({}, 0), ElementsAre("NONE")) << "only client metrics, of which there are none";
}

// What configuration says about everything that may be changed while the broker runs, as texts by field.
class Fingerprint {
 public:
  Fingerprint(const ConfigView& view, const metadata::MetadataImage& image) {
    Put(view.PartitionConfigOf(image, "topic"));
    Put(view.CleaningSettingsOf(image));
    net::AcceptorOptions limits = view.ConnectionLimitsOf(image);
    Put("most_connections", limits.most_connections);
    Put("most_connections_per_ip", limits.most_connections_per_ip);
    for (const auto& [ip, most] : limits.most_connections_of_ip) Put("of " + ip, most);
    Put("delete_delay", view.FileDeleteDelayMsOf(image));
  }
  // Fields whose values are not those of the other.
  std::vector<std::string> DifferentFrom(const Fingerprint& other) const {
    std::vector<std::string> fields;
    for (const auto& [field, value] : values_) {
      auto found = other.values_.find(field);
      if (found == other.values_.end() || found->second != value) fields.push_back(field);
    }
    return fields;
  }

 private:
  template <typename T>
  void Put(const std::string& field, const T& value) {
    std::ostringstream text;
    text.precision(20);
    text << value;
    values_[field] = text.str();
  }
  void Put(const partition::PartitionConfig& config) {
    Put("segment_bytes", config.log.segment_bytes);
    Put("segment_ms", config.log.segment_ms);
    Put("segment_jitter_ms", config.log.segment_jitter_ms);
    Put("segment_index_bytes", config.log.segment_index_bytes);
    Put("index_interval_bytes", config.log.index_interval_bytes);
    Put("preallocate", config.log.preallocate);
    Put("cleanup", 2 * config.log.cleanup_delete + config.log.cleanup_compact);
    Put("retention_ms", config.log.retention_ms);
    Put("retention_bytes", config.log.retention_bytes);
    Put("max_compaction_lag_ms", config.log.max_compaction_lag_ms);
    Put("min_compaction_lag_ms", config.log.min_compaction_lag_ms);
    Put("delete_retention_ms", config.log.delete_retention_ms);
    Put("min_cleanable_dirty_ratio", config.log.min_cleanable_dirty_ratio);
    Put("producer_id_expiration_ms", config.log.producer_id_expiration_ms);
    Put("max_message_bytes", config.validate.max_message_bytes);
    Put("timestamp_type", static_cast<int>(config.validate.timestamp_type));
    Put("timestamp_before_max_ms", config.validate.timestamp_before_max_ms);
    Put("timestamp_after_max_ms", config.validate.timestamp_after_max_ms);
    Put("codec", config.validate.codec ? static_cast<int>(*config.validate.codec) : -1);
    Put("level", config.validate.level);
    Put("min_insync_replicas", config.min_insync_replicas);
    Put("flush_messages", config.flush_messages);
    Put("flush_ms", config.flush_ms);
    Put("file_delete_delay_ms", config.file_delete_delay_ms);
  }
  void Put(const partition::CleaningSettings& cleaning) {
    Put("cleaner threads", cleaning.threads);
    Put("cleaner map_bytes", cleaning.map_bytes);
    Put("cleaner map_load_factor", cleaning.map_load_factor);
    Put("cleaner io_buffer_bytes", cleaning.io_buffer_bytes);
    Put("cleaner most_bytes_per_second", cleaning.most_bytes_per_second);
    Put("cleaner backoff_ms", cleaning.backoff_ms);
  }
  std::map<std::string, std::string> values_;
};

// Every key that may be changed at run time and works here: a value, and what it reaches. "elsewhere": where its effect
// is tested.
struct DynamicKey {
  std::string_view key;
  std::string_view value;
  std::string_view field;
};
constexpr DynamicKey kDynamicKeys[] = {
    {"compression.gzip.level", "5", "level"},
    {"compression.lz4.level", "3", "level"},
    {"compression.type", "snappy", "codec"},
    {"compression.zstd.level", "7", "level"},
    {"cordoned.log.dirs", "", "elsewhere: log_dirs_test"},
    {"group.consumer.assignment.interval.ms", "2000", "elsewhere: group_surroundings_test"},
    {"listener.security.protocol.map", "", "elsewhere: refused where it changes, broker_change_test"},
    {"listeners", "", "elsewhere: refused where it changes, broker_change_test"},
    {"log.cleaner.backoff.ms", "1", "cleaner backoff_ms"},
    {"log.cleaner.dedupe.buffer.size", "4194304", "cleaner map_bytes"},
    {"log.cleaner.delete.retention.ms", "5", "delete_retention_ms"},
    {"log.cleaner.io.buffer.load.factor", "0.5", "cleaner map_load_factor"},
    {"log.cleaner.io.buffer.size", "4096", "cleaner io_buffer_bytes"},
    {"log.cleaner.io.max.bytes.per.second", "1000", "cleaner most_bytes_per_second"},
    {"log.cleaner.max.compaction.lag.ms", "77", "max_compaction_lag_ms"},
    {"log.cleaner.min.cleanable.ratio", "0.25", "min_cleanable_dirty_ratio"},
    {"log.cleaner.min.compaction.lag.ms", "9", "min_compaction_lag_ms"},
    {"log.cleaner.threads", "2", "cleaner threads"},
    {"log.cleanup.policy", "compact", "cleanup"},
    {"log.flush.interval.messages", "7", "flush_messages"},
    {"log.flush.interval.ms", "8", "flush_ms"},
    {"log.index.interval.bytes", "11", "index_interval_bytes"},
    {"log.index.size.max.bytes", "1024", "segment_index_bytes"},
    {"log.message.timestamp.after.max.ms", "5", "timestamp_after_max_ms"},
    {"log.message.timestamp.before.max.ms", "6", "timestamp_before_max_ms"},
    {"log.message.timestamp.type", "LogAppendTime", "timestamp_type"},
    {"log.preallocate", "true", "preallocate"},
    {"log.retention.bytes", "7", "retention_bytes"},
    {"log.retention.ms", "8", "retention_ms"},
    {"log.roll.jitter.ms", "9", "segment_jitter_ms"},
    {"log.roll.ms", "10", "segment_ms"},
    {"log.segment.bytes", "1048577", "segment_bytes"},
    {"log.segment.delete.delay.ms", "12", "delete_delay"},
    {"max.connections", "13", "most_connections"},
    {"max.connections.per.ip", "14", "most_connections_per_ip"},
    {"max.connections.per.ip.overrides", "192.0.2.1:3", "of 192.0.2.1"},
    {"message.max.bytes", "15", "max_message_bytes"},
    {"min.insync.replicas", "2", "min_insync_replicas"},
    {"producer.id.expiration.ms", "16", "producer_id_expiration_ms"},
};

class DynamicKeysTest : public ::testing::Test {
 protected:
  using Values = std::map<std::string, std::string>;
  Fingerprint With(const Values& of_all, const Values& of_broker = {}) {
    metadata::ImageBuilder builder(std::make_shared<const metadata::MetadataImage>());
    int64_t offset = 0;
    auto set = [&](std::string_view name, const Values& values) {
      for (const auto& [key, value] : values) {
        metadata::RecordList records;
        message::ConfigRecord record;
        record.resource_type = static_cast<int8_t>(kBroker);
        record.resource_name = name;
        record.name = key;
        record.value = value;
        records.Add(record);
        EXPECT_TRUE(builder.Replay(records[0], {Offset(offset++), LeaderEpoch(1), 0}).ok());
      }
    };
    set("", of_all);
    set("1", of_broker);
    return Fingerprint(view_, *builder.Publish().image);
  }

  const config::ServerConfig config_ =
      config::LoadServerConfig({.file = config::EmbeddedDefaults({}, "/data")}).value();
  const ConfigView view_{config_};
};

TEST_F(DynamicKeysTest, TheTableNamesExactlyThoseThatWork) {
  std::set<std::string_view> dynamic, named;
  for (const config::Row& row : config::RowsOf(config::Scope::kBroker)) {
    const bool works = row.support == config::Support::kWorks;
    if (works && row.update_mode != config::UpdateMode::kReadOnly) dynamic.insert(row.key);
  }
  for (const DynamicKey& one : kDynamicKeys) named.insert(one.key);
  EXPECT_EQ(dynamic, named);
}

TEST_F(DynamicKeysTest, EachReachesWhatItIsFor) {
  for (const DynamicKey& one : kDynamicKeys) {
    if (one.field.starts_with("elsewhere")) continue;
    SCOPED_TRACE(one.key);
    Values others;  // a level counts where the codec is in use
    if (one.field == "level") {
      const std::string key(one.key);
      others["compression.type"] = key.substr(12, key.size() - 12 - 6);
    }
    Values all = others;
    all[std::string(one.key)] = one.value;
    EXPECT_THAT(With(all).DifferentFrom(With(others)), ::testing::Contains(std::string(one.field)));
    EXPECT_THAT(With(others, {{std::string(one.key), std::string(one.value)}}).DifferentFrom(With(all)), IsEmpty())
        << "for one broker as for all";
  }
}

}  // namespace
}  // namespace kb::broker

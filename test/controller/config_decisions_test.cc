// What becomes of requests to alter configurations, and the records of it. The codes are those of Apache Kafka 4.3.1,
// as recorded in test/golden/config/alter.jsonl.
#include "controller/config_decisions.h"

#include <algorithm>

#include "controller/support.h"
#include "message/config_record.h"
#include "message/feature_level_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"

namespace kb::controller {
namespace {

using metadata::ConfigResourceType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "list" is one, by default "a,b"; a value of "bad" is not allowed.
class ConfigRulesForTests final : public ConfigRules {
 public:
  int32_t node_id() const override { return 1; }
  std::optional<std::string> ListDefault(ConfigResourceType, std::string_view key) const override {
    if (key == "list") return "a,b";
    return std::nullopt;
  }
  ConfigRefusal Check(const MetadataImage&, const metadata::ConfigResource&,
                      const metadata::ConfigValues& next) const override {
    for (const auto& [key, value] : next) {
      if (value == "bad") return {ErrorCode::kInvalidConfig, "bad " + key};
    }
    return {};
  }
};

constexpr auto kSet = ConfigOperation::kSet;
constexpr auto kDelete = ConfigOperation::kDelete;
constexpr auto kAppend = ConfigOperation::kAppend;
constexpr auto kSubtract = ConfigOperation::kSubtract;

struct Change {
  ConfigOperation operation;
  std::string key;
  std::optional<std::string> value;
};
struct Wanted {
  ConfigResourceType type;
  std::string name;
  std::vector<Change> changes;
};

class ConfigDecisionsTest : public ::testing::Test {
 protected:
  ConfigDecisionsTest() {
    RecordList records;
    AddFeatures(records);
    message::RegisterBrokerRecord broker;
    for (int32_t id : {1, 2}) {
      broker.broker_id = id;
      records.Add(broker);
    }
    message::TopicRecord topic;
    topic.name = "t";
    topic.topic_id = Uuid(1, 1);
    records.Add(topic);
    Replay(records);
  }

  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {next_, LeaderEpoch(1), 0});
      ++next_;
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
  }

  template <typename Request>
  Request& RequestOf(const std::vector<Wanted>& resources) {
    auto* request = arena_.New<Request>();
    for (const Wanted& wanted : resources) {
      auto& resource = request->resources.Add(arena_);
      resource.resource_type = static_cast<int8_t>(wanted.type);
      resource.resource_name = arena_.Copy(std::string_view(wanted.name));
      for (const Change& change : wanted.changes) {
        auto& config = resource.configs.Add(arena_);
        config.name = arena_.Copy(std::string_view(change.key));
        if constexpr (requires { config.config_operation; }) {
          config.config_operation = static_cast<int8_t>(change.operation);
        }
        config.value = std::nullopt;
        if (change.value) config.value = arena_.Copy(std::string_view(*change.value));
      }
    }
    return *request;
  }
  template <typename Response>
  std::vector<std::string> CodesOf(const Response& response) {
    std::vector<std::string> codes;
    for (const auto& result : response.responses) {
      codes.emplace_back(ErrorName(static_cast<ErrorCode>(result.error_code)));
      EXPECT_EQ(result.error_code != 0, result.error_message.value_or("").size() > 0);
    }
    return codes;
  }
  ConfigDecisionContext Context() { return {builder_.current(), rules_, arena_, at_controller_}; }

  // Decides, and lets it take effect.
  std::vector<std::string> Alter(const std::vector<Wanted>& resources, bool validate_only = false) {
    auto& request = RequestOf<message::IncrementalAlterConfigsRequest>(resources);
    request.validate_only = validate_only;
    records_ = RecordList();
    auto response = DecideIncrementalAlterConfigs(Context(), request, records_);
    Replay(records_);
    return CodesOf(response);
  }
  std::vector<std::string> ReplaceBy(const std::vector<Wanted>& resources) {
    auto& request = RequestOf<message::AlterConfigsRequest>(resources);
    records_ = RecordList();
    auto response = DecideAlterConfigs(Context(), request, records_);
    Replay(records_);
    return CodesOf(response);
  }
  std::vector<std::string> AlterTopic(std::vector<Change> changes) {
    return Alter({{ConfigResourceType::kTopic, "t", std::move(changes)}});
  }
  std::vector<std::string> Records() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < records_.size(); ++i) {
      metadata::RecordFrame frame = metadata::ParseFrame(records_[i]).value();
      names.push_back(std::string(metadata::RecordTypeName(frame.type)) + " v" + std::to_string(frame.version));
    }
    return names;
  }
  metadata::ConfigValues ValuesOf(ConfigResourceType type, std::string_view name) {
    return builder_.current().ConfigsOf(type, name);
  }
  metadata::ConfigValues OfTopic() { return ValuesOf(ConfigResourceType::kTopic, "t"); }

  Arena arena_;
  ConfigRulesForTests rules_;
  metadata::ImageBuilder builder_{std::make_shared<const MetadataImage>()};
  Offset next_{0};
  RecordList records_;
  bool at_controller_ = false;
};

using Values = metadata::ConfigValues;

TEST_F(ConfigDecisionsTest, SetDeleteAppendSubtract) {
  EXPECT_THAT(AlterTopic({{kSet, "one", "1"}, {kSet, "two", "2"}}), ElementsAre("NONE"));
  EXPECT_THAT(Records(), ElementsAre("ConfigRecord v0", "ConfigRecord v0"));
  EXPECT_EQ(OfTopic(), (Values{{"one", "1"}, {"two", "2"}}));
  EXPECT_THAT(AlterTopic({{kDelete, "one", "whatever"}, {kAppend, "list", "c,a"}}), ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), (Values{{"two", "2"}, {"list", "a,b,c"}}));
  EXPECT_THAT(AlterTopic({{kSubtract, "list", "a,x"}}), ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), (Values{{"two", "2"}, {"list", "b,c"}}));
  EXPECT_THAT(AlterTopic({{kSubtract, "list", "b,c"}}), ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), (Values{{"two", "2"}, {"list", ""}}));
  EXPECT_THAT(AlterTopic({{kAppend, "list", "z"}}), ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), (Values{{"two", "2"}, {"list", "z"}}));
}

TEST_F(ConfigDecisionsTest, WhatIsAlreadySoIsNotWrittenAgainButForBrokers) {
  AlterTopic({{kSet, "one", "1"}});
  EXPECT_THAT(AlterTopic({{kSet, "one", "1"}, {kDelete, "two", std::nullopt}}), ElementsAre("NONE"));
  EXPECT_THAT(Records(), IsEmpty());
  Alter({{ConfigResourceType::kBroker, "1", {{kSet, "one", "1"}}}});
  EXPECT_THAT(Alter({{ConfigResourceType::kBroker, "1", {{kSet, "one", "1"}, {kDelete, "two", std::nullopt}}}}),
              ElementsAre("NONE"));
  EXPECT_EQ(Records().size(), 2u);
}

TEST_F(ConfigDecisionsTest, AReplacementTakesAwayWhatItDoesNotName) {
  AlterTopic({{kSet, "one", "1"}, {kSet, "two", "2"}});
  EXPECT_THAT(ReplaceBy({{ConfigResourceType::kTopic, "t", {{kSet, "two", "2"}, {kSet, "three", "3"}}}}),
              ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), (Values{{"two", "2"}, {"three", "3"}}));
  EXPECT_EQ(Records().size(), 2u);
  EXPECT_THAT(ReplaceBy({{ConfigResourceType::kTopic, "t", {{kSet, "two", std::nullopt}}}}),
              ElementsAre("INVALID_REQUEST"));
  EXPECT_THAT(ReplaceBy({{ConfigResourceType::kTopic, "t", {}}}), ElementsAre("NONE"));
  EXPECT_EQ(OfTopic(), Values());
  EXPECT_THAT(ReplaceBy({{ConfigResourceType::kBrokerLogger, "1", {}}}), ElementsAre("INVALID_REQUEST"));
}

TEST_F(ConfigDecisionsTest, EachResourceWhollyOrNotAndWithoutRegardToTheOthers) {
  EXPECT_THAT(Alter({{ConfigResourceType::kTopic, "t", {{kSet, "one", "1"}, {kSet, "two", "bad"}}},
                     {ConfigResourceType::kTopic, "nope", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kTopic, "nope2", {{kSet, "one", "bad"}}},
                     {ConfigResourceType::kTopic, "", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kTopic, "a b", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kGroup, "", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kGroup, "g", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kClientMetrics, "", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kClientMetrics, "m", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kBrokerLogger, "1", {{kSet, "root", "INFO"}}},
                     {static_cast<ConfigResourceType>(99), "t", {{kSet, "one", "1"}}}}),
              ElementsAre("INVALID_CONFIG", "UNKNOWN_TOPIC_OR_PARTITION", "INVALID_CONFIG", "INVALID_REQUEST",
                          "INVALID_TOPIC_EXCEPTION", "INVALID_REQUEST", "NONE", "INVALID_REQUEST", "NONE", "NONE",
                          "INVALID_REQUEST"));
  EXPECT_EQ(OfTopic(), Values());
  EXPECT_EQ(Records().size(), 2u);
  EXPECT_EQ(ValuesOf(ConfigResourceType::kGroup, "g"), (Values{{"one", "1"}}));
  EXPECT_EQ(ValuesOf(ConfigResourceType::kClientMetrics, "m"), (Values{{"one", "1"}}));
}

TEST_F(ConfigDecisionsTest, WhatARequestSaysTwice) {
  EXPECT_THAT(Alter({{ConfigResourceType::kTopic, "t", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kGroup, "t", {{kSet, "one", "1"}}},
                     {ConfigResourceType::kTopic, "t", {{kSet, "two", "2"}}}}),
              ElementsAre("INVALID_REQUEST", "NONE", "INVALID_REQUEST"));
  EXPECT_THAT(AlterTopic({{kSet, "one", "1"}, {kSet, "one", "2"}}), ElementsAre("INVALID_REQUEST"));
  EXPECT_THAT(AlterTopic({{kSet, "one", "1"}, {kDelete, "one", std::nullopt}}), ElementsAre("INVALID_REQUEST"));
  EXPECT_EQ(OfTopic(), Values());
}

TEST_F(ConfigDecisionsTest, OperationsThatCannotBe) {
  EXPECT_THAT(AlterTopic({{kAppend, "one", "1"}}), ElementsAre("INVALID_CONFIG"));
  EXPECT_THAT(AlterTopic({{kSubtract, "one", "1"}}), ElementsAre("INVALID_CONFIG"));
  EXPECT_THAT(AlterTopic({{kAppend, "list", std::nullopt}}), ElementsAre("INVALID_REQUEST"));
  EXPECT_THAT(AlterTopic({{static_cast<ConfigOperation>(9), "one", "1"}}), ElementsAre("INVALID_REQUEST"));
  EXPECT_THAT(AlterTopic({{static_cast<ConfigOperation>(-1), "one", "1"}}), ElementsAre("INVALID_REQUEST"));
}

TEST_F(ConfigDecisionsTest, ABrokerIsThisOneOrAll) {
  auto alter = [this](std::string name) {
    return Alter({{ConfigResourceType::kBroker, std::move(name), {{kSet, "one", "1"}}}})[0];
  };
  EXPECT_EQ(alter("1"), "NONE");
  EXPECT_EQ(alter(""), "NONE");
  EXPECT_EQ(alter("2"), "INVALID_REQUEST");
  EXPECT_EQ(alter("3"), "INVALID_REQUEST");
  EXPECT_EQ(alter("x"), "INVALID_REQUEST");
  EXPECT_EQ(alter("-1"), "INVALID_REQUEST");
  EXPECT_EQ(alter("99999999999"), "INVALID_REQUEST");
  at_controller_ = true;
  EXPECT_EQ(alter("3"), "BROKER_ID_NOT_REGISTERED");
  EXPECT_EQ(alter("x"), "INVALID_REQUEST");
  EXPECT_THAT(Alter({{static_cast<ConfigResourceType>(99), "t", {}}}), ElementsAre("UNSUPPORTED_VERSION"));
}

TEST_F(ConfigDecisionsTest, ABrokersNumberMayBeWrittenInOtherWays) {
  EXPECT_THAT(Alter({{ConfigResourceType::kBroker, "+1", {{kSet, "one", "1"}}}}), ElementsAre("NONE"));
  EXPECT_EQ(ValuesOf(ConfigResourceType::kBroker, "1"), (Values{{"one", "1"}}));
  EXPECT_THAT(Alter({{ConfigResourceType::kBroker, "01", {{kSet, "one", "2"}}}}), ElementsAre("NONE"));
  EXPECT_EQ(ValuesOf(ConfigResourceType::kBroker, "1"), (Values{{"one", "2"}}));
}

TEST_F(ConfigDecisionsTest, OnlyLookedAtNothingIsWritten) {
  EXPECT_THAT(Alter({{ConfigResourceType::kTopic, "t", {{kSet, "one", "1"}}}}, /*validate_only=*/true),
              ElementsAre("NONE"));
  EXPECT_THAT(Alter({{ConfigResourceType::kTopic, "t", {{kSet, "one", "bad"}}}}, /*validate_only=*/true),
              ElementsAre("INVALID_CONFIG"));
  EXPECT_EQ(OfTopic(), Values());
}

TEST_F(ConfigDecisionsTest, AnotherMinimumOfReplicasForgetsWhoMayLead) {
  EXPECT_THAT(AlterTopic({{kSet, "min.insync.replicas", "2"}}), ElementsAre("NONE"));
  EXPECT_THAT(Records(), ElementsAre("ConfigRecord v0", "ClearElrRecord v0"));
  auto of_broker = [this](std::string name, Change change) {
    return Alter({{ConfigResourceType::kBroker, std::move(name), {std::move(change)}}})[0];
  };
  EXPECT_EQ(of_broker("1", {kSet, "min.insync.replicas", "2"}), "INVALID_CONFIG");
  EXPECT_EQ(of_broker("", {kSet, "min.insync.replicas", "2"}), "NONE");
  EXPECT_THAT(Records(), ElementsAre("ConfigRecord v0", "ClearElrRecord v0"));
  EXPECT_EQ(of_broker("", {kDelete, "min.insync.replicas", std::nullopt}), "INVALID_CONFIG");
  EXPECT_THAT(ReplaceBy({{ConfigResourceType::kBroker, "", {{kSet, "one", "1"}}}}), ElementsAre("INVALID_CONFIG"));
}

TEST_F(ConfigDecisionsTest, BoundsOfAValueAndOfARequest) {
  EXPECT_THAT(AlterTopic({{kSet, "one", std::string(kMostValueBytes, 'x')}}), ElementsAre("NONE"));
  EXPECT_THAT(AlterTopic({{kSet, "one", std::string(kMostValueBytes + 1, 'x')}}), ElementsAre("INVALID_CONFIG"));
  std::vector<Change> changes;
  for (size_t i = 0; i <= kMostConfigRecords; ++i) changes.push_back({kSet, "key" + std::to_string(i), "1"});
  EXPECT_THAT(Alter({{ConfigResourceType::kTopic, "t", changes}, {ConfigResourceType::kTopic, "nope", {}}}),
              ElementsAre("POLICY_VIOLATION", "UNKNOWN_TOPIC_OR_PARTITION"));
  EXPECT_THAT(Records(), IsEmpty());
  changes.pop_back();
  EXPECT_THAT(AlterTopic(changes), ElementsAre("NONE"));
}

TEST_F(ConfigDecisionsTest, GroupsWithValuesAreBoundedInNumber) {
  auto group = [](size_t i, Change change) {
    return Wanted{ConfigResourceType::kGroup, "group-" + std::to_string(i), {std::move(change)}};
  };
  std::vector<Wanted> groups;
  for (size_t i = 0; i < kMostNamedResources; ++i) groups.push_back(group(i, {kSet, "one", "1"}));
  groups.push_back({ConfigResourceType::kClientMetrics, "subscription", {{kSet, "one", "1"}}});
  const std::vector<std::string> codes = Alter(groups, /*validate_only=*/true);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), "NONE"), 0) << "one record more than a request may make";
  groups.pop_back();
  EXPECT_EQ(Alter(groups).back(), "NONE");
  const std::vector<Wanted> more = {group(0, {kSet, "one", "2"}),
                                    group(kMostNamedResources, {kSet, "one", "1"}),
                                    {ConfigResourceType::kClientMetrics, "subscription", {{kSet, "one", "1"}}}};
  EXPECT_THAT(Alter(more), ElementsAre("NONE", "POLICY_VIOLATION", "NONE"));
  EXPECT_THAT(Alter({group(0, {kDelete, "one", std::nullopt})}), ElementsAre("NONE"));
  EXPECT_THAT(Alter({group(kMostNamedResources, {kSet, "one", "1"})}), ElementsAre("NONE"));
}

TEST_F(ConfigDecisionsTest, DirectoriesAreCordonedWhereTheMetadataCanSaySo) {
  const std::vector<Wanted> wanted = {{ConfigResourceType::kBroker, "1", {{kSet, "cordoned.log.dirs", "/a"}}}};
  EXPECT_THAT(Alter(wanted), ElementsAre("NONE"));
  message::FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = 29;
  RecordList records;
  records.Add(feature);
  Replay(records);
  EXPECT_THAT(Alter(wanted), ElementsAre("INVALID_CONFIG"));
}

TEST_F(ConfigDecisionsTest, WhereNothingCanBeWrittenNothingSucceeds) {
  auto& request = RequestOf<message::IncrementalAlterConfigsRequest>(
      {{ConfigResourceType::kTopic, "t", {{kSet, "one", "1"}}}, {ConfigResourceType::kTopic, "nope", {}}});
  auto response = DecideIncrementalAlterConfigs(Context(), request, records_);
  RefuseAll(ErrorCode::kKafkaStorageError, "no room", response);
  EXPECT_THAT(CodesOf(response), ElementsAre("KAFKA_STORAGE_ERROR", "UNKNOWN_TOPIC_OR_PARTITION"));
}

}  // namespace
}  // namespace kb::controller

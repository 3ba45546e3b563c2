// What Apache Kafka 4.3.1's controller answers to changes of quotas, SCRAM credentials, features, access control
// entries and registrations, code for code. Each expectation was recorded from it, except where the case says why we
// differ.
#include <cmath>
#include <limits>

#include "controller/acl_decisions.h"
#include "controller/feature_decisions.h"
#include "controller/quota_decisions.h"
#include "controller/scram_decisions.h"
#include "controller/support.h"
#include "message/config_record.h"
#include "message/feature_level_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"
#include "metadata/features.h"

namespace kb::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int kOk = 0;
constexpr int kInvalidRequest = 42;
constexpr Uuid kTopicId(7, 7);

class ClusterDecisionsTest : public ::testing::Test {
 protected:
  ClusterDecisionsTest() {
    SetFeature("metadata.version", 30);
    SetFeature("eligible.leader.replicas.version", 1);
    SetFeature("group.version", 1);
    Register(1);
  }

  void SetFeature(std::string_view name, int16_t level) {
    message::FeatureLevelRecord feature;
    feature.name = name;
    feature.feature_level = level;
    RecordList records;
    records.Add(feature);
    Replay(records);
  }

  void Register(int32_t id, int16_t most_metadata_version = 30) {
    message::RegisterBrokerRecord broker;
    broker.broker_id = id;
    broker.broker_epoch = 100 + id;
    broker.fenced = false;
    for (const metadata::Feature& feature : metadata::SupportedFeatures()) {
      auto& supported = broker.features.Add(arena_);
      supported.name = feature.name;
      supported.min_supported_version = feature.min_level;
      supported.max_supported_version =
          feature.name == metadata::kMetadataVersionFeature ? most_metadata_version : feature.max_level;
    }
    RecordList records;
    records.Add(broker);
    Replay(records);
  }

  // A topic of one partition, replicas in order of preference.
  void AddTopic(std::initializer_list<int32_t> replicas, std::initializer_list<int32_t> isr, int32_t leader) {
    message::TopicRecord topic;
    topic.name = "topic";
    topic.topic_id = kTopicId;
    message::PartitionRecord partition;
    partition.topic_id = kTopicId;
    partition.partition_id = 0;
    partition.replicas = protocol::Array<int32_t>::Of(arena_, replicas);
    partition.isr = protocol::Array<int32_t>::Of(arena_, isr);
    partition.leader = leader;
    for (size_t i = 0; i < replicas.size(); ++i) partition.directories.Add(arena_, Uuid(5, i + 5));
    RecordList records;
    records.Add(topic);
    records.Add(partition);
    Replay(records);
  }

  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {next_, LeaderEpoch(1), 0});
      ++next_;
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
  }

  const MetadataImage& image() const { return builder_.current(); }

  metadata::ImageBuilder builder_{std::make_shared<const MetadataImage>()};
  Offset next_{0};
  Arena arena_;
  Random random_{1};
};

// ---- quotas

using Entity = std::vector<std::pair<std::string_view, std::optional<std::string_view>>>;
using Ops = std::vector<std::pair<std::string_view, std::optional<double>>>;  // no value: remove

class QuotaDecisionsTest : public ClusterDecisionsTest {
 protected:
  std::vector<int> Alter(const std::vector<std::pair<Entity, Ops>>& entries, bool validate_only = false) {
    message::AlterClientQuotasRequest request;
    request.validate_only = validate_only;
    for (const auto& [entity, ops] : entries) {
      auto& entry = request.entries.Add(arena_);
      for (const auto& [type, name] : entity) {
        auto& part = entry.entity.Add(arena_);
        part.entity_type = type;
        part.entity_name = name;
      }
      for (const auto& [key, value] : ops) {
        auto& op = entry.ops.Add(arena_);
        op.key = key;
        op.value = value.value_or(0);
        op.remove = !value;
      }
    }
    RecordList records;
    message::AlterClientQuotasResponse response = DecideAlterClientQuotas(image(), request, arena_, records);
    written_ = records.size();
    Replay(records);
    std::vector<int> codes;
    for (const auto& entry : response.entries) {
      codes.push_back(entry.error_code);
      EXPECT_EQ(entry.error_message.has_value(), entry.error_code != 0);
    }
    return codes;
  }
  int Set(const Entity& entity, std::string_view key, double value) { return Alter({{entity, {{key, value}}}})[0]; }

  size_t written_ = 0;
  const Entity user_{{"user", "u"}};
  const Entity ip_{{"ip", "1.2.3.4"}};
};

TEST_F(QuotaDecisionsTest, AreSetChangedAndRemoved) {
  const Entity both{{"user", "x"}, {"client-id", "y"}};
  EXPECT_THAT(Alter({{both,
                      {{kProducerByteRate, 1.0},
                       {kConsumerByteRate, 2.0},
                       {kRequestPercentage, 0.5},
                       {kControllerMutationRate, 1.25}}}}),
              ElementsAre(kOk));
  EXPECT_EQ(written_, 4u);
  const metadata::QuotaEntity key{{"user", "x"}, {"client-id", "y"}};
  EXPECT_THAT(image().client_quotas().at(key),
              ElementsAre(Pair("consumer_byte_rate", 2.0), Pair("controller_mutation_rate", 1.25),
                          Pair("producer_byte_rate", 1.0), Pair("request_percentage", 0.5)));
  EXPECT_THAT(Alter({{both, {{kProducerByteRate, 1.0}, {kConsumerByteRate, 3.0}, {kRequestPercentage, std::nullopt}}}}),
              ElementsAre(kOk));
  EXPECT_EQ(written_, 2u) << "what is as it was is not written";
  EXPECT_THAT(Alter({{both,
                      {{kProducerByteRate, std::nullopt},
                       {kConsumerByteRate, std::nullopt},
                       {kControllerMutationRate, std::nullopt},
                       {"unknown", std::nullopt}}}}),
              ElementsAre(kOk));
  EXPECT_THAT(image().client_quotas(), IsEmpty());
}

TEST_F(QuotaDecisionsTest, ValuesAreCheckedByTheirKey) {
  EXPECT_EQ(Set(user_, kProducerByteRate, 0), kInvalidRequest);
  EXPECT_EQ(Set(user_, kProducerByteRate, -1), kInvalidRequest);
  EXPECT_EQ(Set(user_, kProducerByteRate, 1.5), kInvalidRequest);
  EXPECT_EQ(Set(user_, kProducerByteRate, 1.0000001), kOk);
  EXPECT_EQ(Set(user_, kProducerByteRate, 9223372036854775807.0), kOk);
  EXPECT_EQ(Set(user_, kProducerByteRate, 1e19), kInvalidRequest);
  EXPECT_EQ(Set(user_, kProducerByteRate, std::numeric_limits<double>::infinity()), kInvalidRequest);
  EXPECT_EQ(Set(user_, kRequestPercentage, 1e300), kOk);
  EXPECT_EQ(Set(user_, kConnectionCreationRate, 1), kInvalidRequest);
  EXPECT_EQ(Set(user_, "unknown", 1), kInvalidRequest);
  EXPECT_EQ(Set(ip_, kConnectionCreationRate, 1), kOk);
  EXPECT_EQ(Set(ip_, kConnectionCreationRate, 2147483648.0), kInvalidRequest);
  EXPECT_EQ(Set(ip_, kProducerByteRate, 5), kInvalidRequest);
  // Apache Kafka takes it, and no connection is served any more.
  EXPECT_EQ(Set(user_, kRequestPercentage, std::nan("")), kInvalidRequest);
}

TEST_F(QuotaDecisionsTest, EntitiesAreCheckedAsAWhole) {
  auto set = [&](const Entity& entity, std::string_view key = kProducerByteRate) { return Set(entity, key, 1); };
  EXPECT_EQ(set({}), kInvalidRequest);
  EXPECT_EQ(set({{"user", ""}}), kInvalidRequest);
  EXPECT_EQ(set({{"foo", "x"}, {"user", "x"}}), kInvalidRequest);
  EXPECT_EQ(set({{"user", std::nullopt}, {"client-id", std::nullopt}}), kOk);
  EXPECT_EQ(set({{"user", "x"}, {"user", "y"}}), kOk);
  EXPECT_TRUE(image().client_quotas().contains({{"user", "y"}})) << "the last of a type counts";
  for (const char* ip : {"::1", "localhost", "1.2.3"}) EXPECT_EQ(set({{"ip", ip}}, kConnectionCreationRate), kOk) << ip;
  for (const char* ip : {"", "256.2.3.4", "no such host"}) {
    EXPECT_EQ(set({{"ip", ip}}, kConnectionCreationRate), kInvalidRequest) << ip;
  }
  EXPECT_EQ(set({{"ip", std::nullopt}}, kConnectionCreationRate), kOk);
  EXPECT_EQ(set({{"ip", "1.2.3.4"}, {"user", "x"}}, kConnectionCreationRate), kInvalidRequest);
}

TEST_F(QuotaDecisionsTest, OneEntityFailsAndTheOthersDoNot) {
  EXPECT_THAT(Alter({{{{"client-id", "ok"}}, {{kProducerByteRate, 5.0}}},
                     {{{"client-id", "bad"}}, {{kProducerByteRate, 5.0}, {"unknown", 1.0}}},
                     {{{"client-id", "nothing"}}, {}}}),
              ElementsAre(kOk, kInvalidRequest, kOk));
  EXPECT_EQ(image().client_quotas().size(), 1u);
}

TEST_F(QuotaDecisionsTest, WhatIsNamedTwiceIsRefusedAndNotWritten) {
  EXPECT_THAT(Alter({{user_, {{kProducerByteRate, 1.0}}}, {user_, {{kProducerByteRate, 2.0}}}}),
              ElementsAre(kInvalidRequest));
  EXPECT_THAT(Alter({{user_, {{kProducerByteRate, 1.0}, {kProducerByteRate, 2.0}}}}), ElementsAre(kInvalidRequest));
  EXPECT_THAT(image().client_quotas(), IsEmpty());
}

TEST_F(QuotaDecisionsTest, ValidateOnlyWritesNothing) {
  EXPECT_THAT(Alter({{user_, {{kProducerByteRate, 1.0}}}, {ip_, {{kProducerByteRate, 1.0}}}}, true),
              ElementsAre(kOk, kInvalidRequest));
  EXPECT_EQ(written_, 0u);
}

// ---- SCRAM

class ScramDecisionsTest : public ClusterDecisionsTest {
 protected:
  struct Set {
    std::string_view user;
    int8_t mechanism = 1;
    int32_t iterations = 4096;
    std::string_view salted_password = "pass";
  };
  using Codes = std::vector<std::pair<std::string, int>>;

  Codes Alter(const std::vector<std::pair<std::string_view, int8_t>>& deletions, const std::vector<Set>& sets) {
    message::AlterUserScramCredentialsRequest request;
    for (const auto& [user, mechanism] : deletions) {
      auto& deletion = request.deletions.Add(arena_);
      deletion.name = user;
      deletion.mechanism = mechanism;
    }
    for (const Set& set : sets) {
      auto& upsertion = request.upsertions.Add(arena_);
      upsertion.name = set.user;
      upsertion.mechanism = set.mechanism;
      upsertion.iterations = set.iterations;
      upsertion.salt = AsBytes(std::string_view("salt"));
      upsertion.salted_password = AsBytes(set.salted_password);
    }
    RecordList records;
    auto response = DecideAlterUserScramCredentials(image(), request, arena_, records);
    Replay(records);
    Codes codes;
    for (const auto& result : response.results) codes.emplace_back(result.user, result.error_code);
    return codes;
  }
};

TEST_F(ScramDecisionsTest, CredentialsComeAndGo) {
  EXPECT_EQ(Alter({}, {{"a"}, {"b", 2, 16384}}), (Codes{{"a", 0}, {"b", 0}}));
  const metadata::ScramCredential& a = image().scram_credentials().at({"a", ScramMechanism::kSha256});
  EXPECT_EQ(a.salt, "salt");
  EXPECT_EQ(a.iterations, 4096);
  EXPECT_EQ(a.stored_key.size(), 32u);
  EXPECT_EQ(a.server_key.size(), 32u);
  EXPECT_NE(a.stored_key, a.server_key);
  EXPECT_EQ(image().scram_credentials().at({"b", ScramMechanism::kSha512}).server_key.size(), 64u);
  EXPECT_EQ(Alter({{"a", 1}}, {}), (Codes{{"a", 0}}));
  EXPECT_EQ(image().scram_credentials().size(), 1u);
}

TEST_F(ScramDecisionsTest, EachUserFailsAlone) {
  EXPECT_EQ(Alter({{"nobody", 1}}, {{"a"}, {""}, {"few", 1, 4095}, {"many", 1, 16385}, {"odd", 3}}),
            (Codes{{"nobody", 91}, {"a", 0}, {"", 93}, {"few", 93}, {"many", 93}, {"odd", 33}}));
  EXPECT_EQ(Alter({{"a", 2}, {"b", 0}}, {}), (Codes{{"a", 91}, {"b", 33}}));
  // Apache Kafka: an unknown server error.
  EXPECT_EQ(Alter({}, {{"empty", 1, 4096, ""}}), (Codes{{"empty", 93}}));
}

TEST_F(ScramDecisionsTest, TwoWishesForOneUserAreRefused) {
  EXPECT_EQ(Alter({}, {{"x", 1}, {"x", 2}, {"y"}}), (Codes{{"x", 92}, {"y", 0}}));
  EXPECT_EQ(Alter({{"y", 1}}, {{"y", 1}}), (Codes{{"y", 92}}));
  EXPECT_EQ(Alter({{"nobody", 1}}, {{"nobody"}}), (Codes{{"nobody", 91}})) << "the first mistake counts";
  EXPECT_EQ(image().scram_credentials().size(), 1u);
}

TEST_F(ScramDecisionsTest, AnOldClusterHasNone) {
  SetFeature("metadata.version", 10);
  EXPECT_EQ(Alter({}, {{"x"}}), (Codes{{"x", 35}}));
}

// ---- features

class FeatureDecisionsTest : public ClusterDecisionsTest {
 protected:
  struct Wish {
    std::string_view feature;
    int16_t level;
    int8_t upgrade_type = 1;
  };
  int Update(const std::vector<Wish>& wishes, bool validate_only = false, int16_t version = 2) {
    message::UpdateFeaturesRequest request;
    request.validate_only = validate_only;
    for (const Wish& wish : wishes) {
      auto& update = request.feature_updates.Add(arena_);
      update.feature = wish.feature;
      update.max_version_level = wish.level;
      update.upgrade_type = wish.upgrade_type;
    }
    RecordList records;
    FeatureDecisionContext context{image(), BrokerId(1), kraft_version_, 2, arena_};
    response_ = DecideUpdateFeatures(context, request, version, records);
    written_ = records.size();
    Replay(records);
    return response_.error_code;
  }
  int16_t LevelOf(std::string_view feature) const { return image().FeatureLevel(feature); }

  int16_t kraft_version_ = 0;
  size_t written_ = 0;
  message::UpdateFeaturesResponse response_;
};

constexpr int kInvalidUpdateVersion = 95;

TEST_F(FeatureDecisionsTest, LevelsGoDownAndUpAgain) {
  EXPECT_EQ(Update({}), kOk);
  EXPECT_EQ(Update({{"group.version", 0, 2}}), kOk);
  EXPECT_EQ(LevelOf("group.version"), 0);
  EXPECT_EQ(Update({{"group.version", 1}}), kOk);
  EXPECT_EQ(LevelOf("group.version"), 1);
  EXPECT_EQ(Update({{"group.version", 0, 3}}, true), kOk);
  EXPECT_EQ(written_, 0u);
}

TEST_F(FeatureDecisionsTest, TheMetadataVersionGoesUpAndNotBelowAChange) {
  for (int8_t type : {1, 2}) EXPECT_EQ(Update({{"metadata.version", 30, type}}), kOk);
  EXPECT_EQ(Update({{"metadata.version", 29}}), kInvalidUpdateVersion);
  EXPECT_EQ(Update({{"metadata.version", 29, 2}}), kInvalidUpdateVersion);
  EXPECT_EQ(Update({{"metadata.version", 28, 3}}), kInvalidUpdateVersion);
  SetFeature("metadata.version", 29);
  EXPECT_EQ(Update({{"metadata.version", 24, 2}}), kOk) << "nothing changed between";
  EXPECT_EQ(Update({{"metadata.version", 22, 2}}), kInvalidUpdateVersion);
  EXPECT_EQ(Update({{"metadata.version", 30}}), kOk);
  EXPECT_EQ(LevelOf("metadata.version"), 30);
}

TEST_F(FeatureDecisionsTest, WhatCannotBeIsRefused) {
  const Wish bad[] = {{"metadata.version", 31},
                      {"metadata.version", 6, 3},
                      {"metadata.version", 0, 3},
                      {"metadata.version", -1},
                      {"metadata.version", 30, 0},
                      {"metadata.version", 30, 4},
                      {"foo", 1},
                      {"foo", 0},
                      {"", 0, 2},
                      {"kraft.version", 2},
                      {"transaction.version", 3}};
  for (const Wish& wish : bad) {
    EXPECT_EQ(Update({wish}), kInvalidUpdateVersion) << wish.feature << " " << wish.level;
    EXPECT_NE(response_.error_message->find(wish.feature), std::string_view::npos);
  }
  EXPECT_EQ(Update({{"group.version", 0, 2}, {"foo", 1}}), kInvalidUpdateVersion);
  EXPECT_EQ(LevelOf("group.version"), 1) << "all or none";
}

TEST_F(FeatureDecisionsTest, TheQuorumStaysWhatItIs) {
  EXPECT_EQ(Update({{"kraft.version", 0}}), kOk);
  EXPECT_EQ(written_, 0u);
  EXPECT_EQ(Update({{"kraft.version", 1}}), kInvalidUpdateVersion);  // Apache Kafka makes it dynamic
  kraft_version_ = 1;
  EXPECT_EQ(Update({{"kraft.version", 1}}), kOk);
  EXPECT_EQ(Update({{"kraft.version", 0, 2}}), kInvalidUpdateVersion);
}

TEST_F(FeatureDecisionsTest, WhatIsNotServedIsNotRaised) {
  EXPECT_EQ(Update({{"share.version", 1}}), kInvalidUpdateVersion);  // Apache Kafka raises it
  SetFeature("share.version", 1);
  EXPECT_EQ(Update({{"share.version", 1}}), kOk);
  EXPECT_EQ(Update({{"share.version", 0, 2}}), kOk);
  EXPECT_EQ(LevelOf("share.version"), 0);
}

TEST_F(FeatureDecisionsTest, EveryBrokerMustKnowTheLevel) {
  SetFeature("metadata.version", 29);
  Register(2, 29);
  EXPECT_EQ(Update({{"metadata.version", 30}}), kInvalidUpdateVersion);
  EXPECT_NE(response_.error_message->find("broker 2"), std::string_view::npos);
}

TEST_F(FeatureDecisionsTest, EligibleReplicasNeedAVersionAndAMinimumThatAllShare) {
  SetFeature("eligible.leader.replicas.version", 0);
  SetFeature("metadata.version", 22);
  EXPECT_EQ(Update({{"eligible.leader.replicas.version", 1}}), kInvalidUpdateVersion);
  message::ConfigRecord config;
  config.resource_type = 4;
  config.resource_name = "1";
  config.name = "min.insync.replicas";
  config.value = "1";
  RecordList records;
  records.Add(config);
  Replay(records);
  EXPECT_EQ(Update({{"eligible.leader.replicas.version", 1}, {"metadata.version", 23}}), kOk);
  using metadata::ConfigResourceType;
  EXPECT_THAT(image().ConfigsOf(ConfigResourceType::kBroker, "1"), IsEmpty());
  EXPECT_THAT(image().ConfigsOf(ConfigResourceType::kBroker, ""), ElementsAre(Pair("min.insync.replicas", "2")));
}

TEST_F(FeatureDecisionsTest, OldRequestsHearOfEachFeature) {
  EXPECT_EQ(Update({{"group.version", 1}}, true, 1), kOk);
  ASSERT_EQ(response_.results.size(), 1u);
  EXPECT_EQ(response_.results[0].feature, "group.version");
  EXPECT_EQ(Update({{"group.version", 2}}, true, 1), kInvalidUpdateVersion);
  EXPECT_EQ(response_.results.size(), 0u);
}

// ---- registrations

TEST_F(ClusterDecisionsTest, OnlyABrokerThatIsGoneIsForgotten) {
  Register(2);
  AddTopic({2, 1}, {2, 1}, 2);
  RecordList records;
  EXPECT_EQ(DecideUnregister(image(), BrokerId(1), BrokerId(3), records).code, ErrorCode::kBrokerIdNotRegistered);
  // Apache Kafka forgets a broker that runs, and its partitions have no leader until it is started again.
  EXPECT_EQ(DecideUnregister(image(), BrokerId(1), BrokerId(1), records).code, ErrorCode::kInvalidRequest);
  EXPECT_TRUE(records.empty());
  EXPECT_EQ(DecideUnregister(image(), BrokerId(1), BrokerId(2), records).code, ErrorCode::kNone);
  Replay(records);
  EXPECT_EQ(image().FindBroker(BrokerId(2)), nullptr);
  const metadata::Partition& partition = *image().FindPartition({kTopicId, 0});
  EXPECT_EQ(partition.leader, BrokerId(1));
  EXPECT_EQ(partition.isr, BrokerIds{BrokerId(1)});
}

// ---- access control entries

class AclDecisionsTest : public ClusterDecisionsTest {
 protected:
  using Creation = message::CreateAclsRequest::AclCreation;
  static Creation Allow(std::string_view topic, int8_t pattern = 3, std::string_view principal = "User:a") {
    Creation creation;
    creation.resource_type = 2;
    creation.resource_name = topic;
    creation.resource_pattern_type = pattern;
    creation.principal = principal;
    creation.host = "*";
    creation.operation = 3;
    creation.permission_type = 3;
    return creation;
  }
  std::vector<int> Create(const std::vector<Creation>& creations) {
    message::CreateAclsRequest request;
    for (const Creation& creation : creations) request.creations.Add(arena_) = creation;
    RecordList records;
    auto response = DecideCreateAcls(image(), request, random_, arena_, records);
    Replay(records);
    std::vector<int> codes;
    for (const auto& result : response.results) codes.push_back(result.error_code);
    return codes;
  }
  static message::DescribeAclsRequest Filter(int8_t pattern = 1, std::optional<std::string_view> name = std::nullopt) {
    message::DescribeAclsRequest filter;
    filter.resource_type_filter = 1;
    filter.resource_name_filter = name;
    filter.pattern_type_filter = pattern;
    filter.principal_filter = std::nullopt;
    filter.host_filter = std::nullopt;
    filter.operation = 1;
    filter.permission_type = 1;
    return filter;
  }
  // name of the resource → how many entries
  std::map<std::string, size_t> Found(const message::DescribeAclsRequest& filter) {
    std::map<std::string, size_t> found;
    for (const auto& resource : DescribeAcls(image(), filter, arena_).resources) {
      found[std::string(resource.resource_name)] += resource.acls.size();
    }
    return found;
  }
  size_t count() const { return image().access_control_entries().size(); }
};

TEST_F(AclDecisionsTest, AnEntryIsKeptOnce) {
  EXPECT_THAT(Create({Allow("t"), Allow("t"), Allow("t", 4)}), ElementsAre(0, 0, 0));
  EXPECT_EQ(count(), 2u);
  EXPECT_THAT(Create({Allow("t")}), ElementsAre(0));
  EXPECT_EQ(count(), 2u);
}

TEST_F(AclDecisionsTest, WhatMakesNoSenseIsRefused) {
  std::vector<Creation> bad(11, Allow("t"));
  bad[0].resource_type = 0;
  bad[1].resource_type = 1;
  bad[2].resource_type = 8;
  bad[3].resource_name = "";
  bad[4].resource_pattern_type = 1;
  bad[5].resource_pattern_type = 2;
  bad[6].operation = 1;
  bad[7].operation = 16;
  bad[8].permission_type = 1;
  bad[9].principal = "nobody";
  bad[10].resource_type = 4;
  bad.push_back(Allow("good"));
  std::vector<int> codes = Create(bad);
  for (size_t i = 0; i < 11; ++i) EXPECT_EQ(codes[i], kInvalidRequest) << i;
  EXPECT_EQ(codes[11], kOk);
  Creation cluster = Allow("kafka-cluster");
  cluster.resource_type = 4;
  EXPECT_THAT(Create({cluster}), ElementsAre(0));
}

TEST_F(AclDecisionsTest, FiltersMatchByName) {
  Create({Allow("topic"), Allow("*"), Allow("top", 4), Allow("other"), Allow("topic", 3, "User:b")});
  using Map = std::map<std::string, size_t>;
  EXPECT_EQ(Found(Filter()), (Map{{"*", 1}, {"other", 1}, {"top", 1}, {"topic", 2}}));
  EXPECT_EQ(Found(Filter(1, "topic")), (Map{{"topic", 2}}));
  EXPECT_EQ(Found(Filter(2, "topic")), (Map{{"*", 1}, {"top", 1}, {"topic", 2}})) << "whatever applies to it";
  EXPECT_EQ(Found(Filter(3, "top")), Map());
  EXPECT_EQ(Found(Filter(4, "top")), (Map{{"top", 1}}));
  message::DescribeAclsRequest filter = Filter();
  filter.principal_filter = "User:b";
  EXPECT_EQ(Found(filter), (Map{{"topic", 1}}));
  filter.host_filter = "10.0.0.1";
  EXPECT_EQ(Found(filter), Map());
  filter = Filter();
  filter.operation = 4;
  EXPECT_EQ(Found(filter), Map());
  filter.operation = 0;
  EXPECT_EQ(DescribeAcls(image(), filter, arena_).error_code, kInvalidRequest);
}

TEST_F(AclDecisionsTest, WhatSeveralFiltersMatchIsRemovedOnce) {
  Create({Allow("a"), Allow("b"), Allow("b", 4)});
  message::DeleteAclsRequest request;
  for (std::string_view name : {"a", "a", "b", "c"}) {
    auto& filter = request.filters.Add(arena_);
    filter.resource_type_filter = 2;
    filter.resource_name_filter = name;
    filter.pattern_type_filter = name == "c" ? 0 : 3;
    filter.principal_filter = std::nullopt;
    filter.host_filter = std::nullopt;
    filter.operation = filter.permission_type = 1;
  }
  RecordList records;
  auto response = DecideDeleteAcls(image(), request, arena_, records);
  EXPECT_EQ(records.size(), 2u);
  Replay(records);
  EXPECT_EQ(count(), 1u);
  ASSERT_EQ(response.filter_results.size(), 4u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(response.filter_results[i].matching_acls.size(), 1u) << i;
  EXPECT_EQ(response.filter_results[3].error_code, kInvalidRequest);
}

}  // namespace
}  // namespace kb::controller

// The answers of Apache Kafka 4.3.1's controller to requests about topics, code for code. Each expectation below was
// recorded from it, one broker registered as 1, except where the case says why we differ.
#include "controller/topic_decisions.h"

#include "controller/support.h"
#include "message/feature_level_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"

namespace kb::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Assignment {
  int32_t partition;
  std::vector<int32_t> brokers;
};

// A topic to be created, put together in the order in which the cases read.
struct Wanted {
  std::string name;
  int32_t partitions = 1;
  int16_t replication_factor = 1;
  std::vector<Assignment> assignments;
  std::vector<std::pair<std::string, std::optional<std::string>>> configs;
};

using Answer = std::pair<std::string, int>;  // name (cut), error code

class TopicDecisionsTest : public ::testing::Test {
 protected:
  TopicDecisionsTest() {
    RecordList records;
    AddFeatures(records);
    Register(1, false, {Uuid(5, 5)}, records);
    Replay(records);
  }

  void Register(int32_t id, bool fenced, std::vector<Uuid> directories, RecordList& records) {
    Arena arena;
    message::RegisterBrokerRecord broker;
    broker.broker_id = id;
    broker.fenced = fenced;
    for (const Uuid& directory : directories) broker.log_dirs.Add(arena, directory);
    records.Add(broker);
  }

  void Replay(const RecordList& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      Status replayed = builder_.Replay(records[i], {next_, LeaderEpoch(1), 0});
      ++next_;
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
  }

  TopicDecisionContext Context() { return {builder_.current(), rules_, random_, arena_}; }

  std::vector<Answer> Create(const std::vector<Wanted>& topics, bool validate_only = false, int16_t version = 7) {
    auto* request = arena_.New<message::CreateTopicsRequest>();
    request->validate_only = validate_only;
    for (const Wanted& wanted : topics) {
      auto& topic = request->topics.Add(arena_);
      topic.name = arena_.Copy(std::string_view(wanted.name));
      topic.num_partitions = wanted.partitions;
      topic.replication_factor = wanted.replication_factor;
      for (const Assignment& assignment : wanted.assignments) {
        auto& to = topic.assignments.Add(arena_);
        to.partition_index = assignment.partition;
        for (int32_t broker : assignment.brokers) to.broker_ids.Add(arena_, broker);
      }
      for (const auto& [key, value] : wanted.configs) {
        auto& to = topic.configs.Add(arena_);
        to.name = arena_.Copy(std::string_view(key));
        to.value = std::nullopt;
        if (value) to.value = arena_.Copy(std::string_view(*value));
      }
    }
    records_ = RecordList();
    created_ = DecideCreateTopics(Context(), *request, version, records_);
    Replay(records_);
    std::vector<Answer> answers;
    for (const auto& topic : created_.topics) {
      answers.emplace_back(std::string(topic.name.substr(0, 20)), topic.error_code);
      EXPECT_EQ(topic.error_message.has_value(), topic.error_code != 0);
    }
    return answers;
  }
  int CreateOne(const Wanted& wanted, bool validate_only = false) { return Create({wanted}, validate_only).at(0).second; }

  std::vector<Answer> Delete(const std::vector<std::pair<std::optional<std::string_view>, Uuid>>& topics,
                             int16_t version = 6) {
    auto* request = arena_.New<message::DeleteTopicsRequest>();
    for (const auto& [name, id] : topics) {
      if (version < 6) {
        request->topic_names.Add(arena_, *name);
        continue;
      }
      auto& topic = request->topics.Add(arena_);
      topic.name = name;
      topic.topic_id = id;
    }
    records_ = RecordList();
    deleted_ = DecideDeleteTopics(Context(), *request, version, records_);
    Replay(records_);
    std::vector<Answer> answers;
    for (const auto& topic : deleted_.responses) {
      answers.emplace_back(std::string(topic.name.value_or("(null)")), topic.error_code);
    }
    return answers;
  }

  struct Growth {
    std::string name;
    int32_t count;
    std::optional<std::vector<std::vector<int32_t>>> assignments = std::nullopt;
  };
  std::vector<Answer> Grow(const std::vector<Growth>& topics, bool validate_only = false) {
    auto* request = arena_.New<message::CreatePartitionsRequest>();
    request->validate_only = validate_only;
    for (const Growth& growth : topics) {
      auto& topic = request->topics.Add(arena_);
      topic.name = arena_.Copy(std::string_view(growth.name));
      topic.count = growth.count;
      topic.assignments = decltype(topic.assignments)::Null();
      if (!growth.assignments) continue;
      topic.assignments = decltype(topic.assignments)();
      for (const auto& brokers : *growth.assignments) {
        auto& to = topic.assignments.Add(arena_);
        for (int32_t broker : brokers) to.broker_ids.Add(arena_, broker);
      }
    }
    records_ = RecordList();
    auto response = DecideCreatePartitions(Context(), *request, 3, records_);
    Replay(records_);
    std::vector<Answer> answers;
    for (const auto& result : response.results) answers.emplace_back(std::string(result.name), result.error_code);
    return answers;
  }
  int GrowOne(const Growth& growth) { return Grow({growth}).at(0).second; }

  std::vector<std::string> What() const {
    std::vector<std::string> what;
    for (size_t i = 0; i < records_.size(); ++i) {
      Result<metadata::RecordFrame> frame = metadata::ParseFrame(records_[i]);
      what.push_back(std::string(metadata::RecordTypeName(frame->type)) + " v" + std::to_string(frame->version));
    }
    return what;
  }
  const metadata::Topic& TopicOf(std::string_view name) { return *builder_.current().FindTopic(name); }

  Arena arena_;
  Random random_{1};
  FakeRules rules_;
  metadata::ImageBuilder builder_{std::make_shared<const MetadataImage>()};
  Offset next_{0};
  RecordList records_;
  message::CreateTopicsResponse created_;
  message::DeleteTopicsResponse deleted_;
};

// ---- CreateTopics

TEST_F(TopicDecisionsTest, ATopicIsCreatedWithTheRecordsOfApacheKafka) {
  EXPECT_THAT(Create({{"t1", 2, 1, {}, {{"min.insync.replicas", "1"}, {"retention.ms", "1000"}}}}),
              ElementsAre(Answer("t1", 0)));
  EXPECT_THAT(What(), ElementsAre("TopicRecord v0", "ConfigRecord v0", "ConfigRecord v0", "ClearElrRecord v0",
                                  "PartitionRecord v2", "PartitionRecord v2"));
  const auto& result = created_.topics[0];
  EXPECT_EQ(result.topic_id, TopicOf("t1").id());
  EXPECT_EQ(result.num_partitions, 2);
  EXPECT_EQ(result.replication_factor, 1);
  EXPECT_EQ(result.configs.size(), 3u);
  const metadata::Partition& partition = *TopicOf("t1").FindPartition(1);
  EXPECT_EQ(partition.leader, BrokerId(1));
  EXPECT_EQ(partition.isr, BrokerIds{BrokerId(1)});
  EXPECT_EQ(partition.leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(partition.DirectoryOf(BrokerId(1)), Uuid(5, 5));
  EXPECT_EQ(builder_.current().ConfigsOfTopic("t1").at("retention.ms"), "1000");
}

TEST_F(TopicDecisionsTest, WithoutElrAndDirectoriesOlderRecordsAreWritten) {
  RecordList records;
  message::FeatureLevelRecord feature;
  feature.name = "eligible.leader.replicas.version";
  feature.feature_level = 0;
  records.Add(feature);
  feature.name = "metadata.version";
  feature.feature_level = 16;
  records.Add(feature);
  Replay(records);
  EXPECT_EQ(CreateOne({"t1", 1, 1, {}, {{"min.insync.replicas", "1"}}}), 0);
  EXPECT_THAT(What(), ElementsAre("TopicRecord v0", "ConfigRecord v0", "PartitionRecord v0"));
}

TEST_F(TopicDecisionsTest, DefaultsComeFromTheRules) {
  rules_.partitions = 3;
  EXPECT_EQ(CreateOne({"d", -1, -1}), 0);
  EXPECT_EQ(TopicOf("d").partition_count(), 3);
  rules_.replication_factor = 2;
  EXPECT_EQ(CreateOne({"e", -1, -1}), 38);
}

TEST_F(TopicDecisionsTest, ValidateOnlyAnswersTheSameAndWritesNothing) {
  EXPECT_EQ(CreateOne({"v", 3}, /*validate_only=*/true), 0);
  EXPECT_TRUE(records_.empty());
  EXPECT_FALSE(created_.topics[0].topic_id.is_zero());  // a random one, as Apache Kafka has it
  EXPECT_EQ(created_.topics[0].num_partitions, 3);
  EXPECT_EQ(builder_.current().FindTopic("v"), nullptr);
}

TEST_F(TopicDecisionsTest, OldVersionsGetNoConfigs) {
  Create({{"old"}}, false, 4);
  EXPECT_TRUE(created_.topics[0].configs.empty());
}

TEST_F(TopicDecisionsTest, Names) {
  EXPECT_EQ(CreateOne({""}), 17);
  EXPECT_EQ(CreateOne({"."}), 17);
  EXPECT_EQ(CreateOne({".."}), 17);
  EXPECT_EQ(CreateOne({"a b"}), 17);
  EXPECT_EQ(CreateOne({std::string(250, 'x')}), 17);
  EXPECT_EQ(CreateOne({std::string(249, 'x')}), 0);
  EXPECT_EQ(CreateOne({"a.b"}), 0);
  EXPECT_EQ(CreateOne({"a_b"}), 17);
  EXPECT_EQ(CreateOne({"a.b"}), 36);
  EXPECT_THAT(Create({{"c.d"}, {"c_d"}}), ElementsAre(Answer("c.d", 0), Answer("c_d", 0)));
  EXPECT_THAT(Create({{"dup1"}, {"dup1"}, {"dup2"}}), ElementsAre(Answer("dup2", 0), Answer("dup1", 42)));
  EXPECT_THAT(Create({{"__cluster_metadata"}, {"with"}}), ElementsAre(Answer("with", 0), Answer("__cluster_metadata", 42)));
  EXPECT_THAT(Create({{"__cluster_metadata"}, {"__cluster_metadata"}}), ElementsAre(Answer("__cluster_metadata", 42)));
  EXPECT_THAT(Create({}), IsEmpty());
}

TEST_F(TopicDecisionsTest, Counts) {
  EXPECT_EQ(CreateOne({"p", 0}), 37);
  EXPECT_EQ(CreateOne({"p", -2}), 37);
  EXPECT_EQ(CreateOne({"p", 1, 0}), 38);
  EXPECT_EQ(CreateOne({"p", 1, -2}), 38);
  EXPECT_EQ(CreateOne({"p", 1, 2}), 38);
  EXPECT_EQ(CreateOne({"p", 0, 0}), 38);
  EXPECT_EQ(CreateOne({"p", 0, 2}), 37);
}

TEST_F(TopicDecisionsTest, ManualAssignments) {
  EXPECT_EQ(CreateOne({"m", 1, -1, {{0, {1}}}}), 42);
  EXPECT_EQ(CreateOne({"m", -1, 1, {{0, {1}}}}), 42);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1}}, {0, {1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1}}, {2, {1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{-1, {1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1, 1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {7}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1, 7}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {-1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1}}, {1, {}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{1, {1}}, {0, {1}}}}), 0);
  EXPECT_EQ(TopicOf("m").partition_count(), 2);
}

TEST_F(TopicDecisionsTest, AssignmentsOfUnequalSizeOrToNobodyWhoIsThere) {
  RecordList records;
  Register(2, true, {}, records);
  Replay(records);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {1, 2}}, {1, {1}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {2}}}}), 39);
  EXPECT_EQ(CreateOne({"m", -1, -1, {{0, {2, 1}}}}), 0);
  EXPECT_EQ(TopicOf("m").FindPartition(0)->leader, BrokerId(1));  // 2 is fenced
  EXPECT_EQ(TopicOf("m").FindPartition(0)->isr, BrokerIds{BrokerId(1)});
}

TEST_F(TopicDecisionsTest, ConfigsAreCheckedBeforeCountsAndAfterNames) {
  EXPECT_EQ(CreateOne({"c", 1, 1, {}, {{"retention.ms", std::nullopt}}}), 40);
  EXPECT_EQ(CreateOne({"c", 1, 1, {}, {{"nope", "1"}}}), 40);
  EXPECT_EQ(CreateOne({"c", 1, 1, {}, {{"retention.ms", "x"}}}), 40);
  EXPECT_EQ(CreateOne({"c", 1, 0, {}, {{"retention.ms", "x"}}}), 40);
  EXPECT_EQ(CreateOne({"c"}), 0);
  EXPECT_EQ(CreateOne({"c", 1, 1, {}, {{"nope", "1"}}}), 36);
  EXPECT_EQ(CreateOne({"twice", 1, 1, {}, {{"retention.ms", "5"}, {"retention.ms", "6"}}}), 0);
  EXPECT_EQ(builder_.current().ConfigsOfTopic("twice").at("retention.ms"), "6");
}

TEST_F(TopicDecisionsTest, TooMuchForOneRequest) {
  EXPECT_EQ(CreateOne({"b", 10001}, true), 44);
  EXPECT_EQ(CreateOne({"b", 10000}, true), 44);  // with the topic's own record more than the append takes
  EXPECT_EQ(CreateOne({"b", 9999}, true), 0);
  EXPECT_EQ(CreateOne({"b", 9998, 1, {}, {{"retention.ms", "5"}, {"cleanup.policy", "delete"}}}, true), 44);
  EXPECT_EQ(CreateOne({"b", INT32_MAX}, true), 44);
  EXPECT_THAT(Create({{"b1", 5000}, {"a b", 5001}}, true), ElementsAre(Answer("b1", 44), Answer("a b", 44)));
  EXPECT_THAT(Create({{"b1", 10001}, {"b1"}}, true), ElementsAre(Answer("b1", 42)));
  EXPECT_EQ(CreateOne({"there"}), 0);
  EXPECT_EQ(CreateOne({"there", 10001}, true), 44);
}

TEST_F(TopicDecisionsTest, NewReplicasGoToTheDirectoryWithTheFewest) {
  RecordList records;
  Register(1, false, {Uuid(5, 5), Uuid(5, 6)}, records);
  Replay(records);
  CreateOne({"spread", 4});
  int in_first = 0;
  TopicOf("spread").ForEachPartition([&](int32_t, const metadata::Partition& partition) {
    in_first += partition.DirectoryOf(BrokerId(1)) == Uuid(5, 5);
  });
  EXPECT_EQ(in_first, 2);
}

TEST_F(TopicDecisionsTest, ReplicasAreSpreadOverBrokers) {
  RecordList records;
  Register(2, false, {}, records);
  Register(3, false, {}, records);
  Register(4, true, {}, records);
  Replay(records);
  EXPECT_EQ(CreateOne({"wide", 3, 4}), 38);
  EXPECT_EQ(CreateOne({"wide", 3, 2}), 0);
  std::map<int32_t, int> leaders;
  TopicOf("wide").ForEachPartition([&](int32_t, const metadata::Partition& partition) {
    EXPECT_EQ(partition.replicas.size(), 2u);
    EXPECT_NE(partition.replicas[0], partition.replicas[1]);
    ++leaders[partition.leader.value()];
  });
  EXPECT_THAT(leaders, ElementsAre(std::pair(1, 1), std::pair(2, 1), std::pair(3, 1)));
}

// ---- DeleteTopics

TEST_F(TopicDecisionsTest, Deletions) {
  for (const char* name : {"ok1", "ok2", "ok3", "ok4"}) CreateOne({name});
  Uuid id = TopicOf("ok1").id();
  EXPECT_THAT(Delete({{"nope", kZeroUuid}, {std::nullopt, Uuid(0, 5)}}),
              UnorderedElementsAre(Answer("nope", 3), Answer("(null)", 100)));
  EXPECT_THAT(Delete({{"ok1", id}}), ElementsAre(Answer("ok1", 42)));
  EXPECT_THAT(Delete({{std::nullopt, kZeroUuid}}), ElementsAre(Answer("(null)", 42)));
  EXPECT_THAT(Delete({{"ok1", kZeroUuid}, {"ok1", kZeroUuid}, {"ok1", kZeroUuid}}), ElementsAre(Answer("ok1", 42)));
  EXPECT_THAT(Delete({{std::nullopt, id}, {std::nullopt, id}}), ElementsAre(Answer("(null)", 42)));
  EXPECT_THAT(Delete({{"nope", kZeroUuid}, {"nope", kZeroUuid}}), ElementsAre(Answer("nope", 42)));
  EXPECT_THAT(Delete({{"ok1", kZeroUuid}, {std::nullopt, id}}), ElementsAre(Answer("ok1", 42)));
  EXPECT_EQ(deleted_.responses[0].topic_id, id);
  EXPECT_THAT(Delete({{"__cluster_metadata", kZeroUuid}}), ElementsAre(Answer("__cluster_metadata", 3)));
  EXPECT_THAT(Delete({{std::nullopt, kMetadataTopicId}}), ElementsAre(Answer("(null)", 100)));
  EXPECT_THAT(Delete({{"", kZeroUuid}}), ElementsAre(Answer("", 3)));
  EXPECT_THAT(Delete({}), IsEmpty());
  EXPECT_TRUE(records_.empty());
  EXPECT_NE(builder_.current().FindTopic("ok1"), nullptr);

  EXPECT_THAT(Delete({{"nope", {}}, {"ok4", {}}}, 5), UnorderedElementsAre(Answer("ok4", 0), Answer("nope", 3)));
  EXPECT_THAT(Delete({{"ok1", {}}, {"ok1", {}}}, 5), ElementsAre(Answer("ok1", 42)));
  EXPECT_THAT(Delete({{std::nullopt, id}}), ElementsAre(Answer("ok1", 0)));
  EXPECT_EQ(deleted_.responses[0].topic_id, id);
  EXPECT_THAT(What(), ElementsAre("RemoveTopicRecord v0"));
  EXPECT_THAT(Delete({{"ok2", kZeroUuid}, {"ok3", kZeroUuid}}), UnorderedElementsAre(Answer("ok2", 0), Answer("ok3", 0)));
  EXPECT_EQ(builder_.current().topic_count(), 0u);
}

TEST_F(TopicDecisionsTest, DeletionSwitchedOff) {
  CreateOne({"t"});
  rules_.may_delete = false;
  EXPECT_THAT(Delete({{"t", kZeroUuid}, {"nope", kZeroUuid}}), ElementsAre(Answer("t", 73), Answer("nope", 73)));
  EXPECT_THAT(Delete({{"t", {}}}, 2), ElementsAre(Answer("t", 42)));
  EXPECT_TRUE(records_.empty());
}

// ---- CreatePartitions

TEST_F(TopicDecisionsTest, Growing) {
  CreateOne({"ok1", 2});
  CreateOne({"ok4", 2});
  EXPECT_EQ(GrowOne({"ok1", 2}), 37);
  EXPECT_EQ(GrowOne({"ok1", 1}), 37);
  EXPECT_EQ(GrowOne({"ok1", 0}), 37);
  EXPECT_EQ(GrowOne({"ok1", -1}), 37);
  EXPECT_EQ(GrowOne({"ok1", 2, {{{1}}}}), 37);
  EXPECT_EQ(GrowOne({"nope", 2}), 3);
  EXPECT_EQ(GrowOne({"a b", 2}), 3);
  EXPECT_EQ(GrowOne({"", 2}), 3);
  EXPECT_EQ(GrowOne({"__cluster_metadata", 2}), 3);
  EXPECT_EQ(GrowOne({"ok1", 3, {{{1}, {1}}}}), 39);
  EXPECT_EQ(GrowOne({"ok1", 3, {{}}}), 39);
  EXPECT_EQ(GrowOne({"ok1", 3, {{{7}}}}), 39);
  EXPECT_EQ(GrowOne({"ok1", 3, {{std::vector<int32_t>{}}}}), 39);
  EXPECT_EQ(GrowOne({"ok1", 3, {{{1, 1}}}}), 39);
  EXPECT_TRUE(records_.empty());
  EXPECT_THAT(Grow({{"ok1", 3}, {"ok1", 4}, {"ok4", 3}}), ElementsAre(Answer("ok1", 42), Answer("ok4", 0)));
  EXPECT_EQ(TopicOf("ok4").partition_count(), 3);
  EXPECT_THAT(Grow({{"ok1", 3}}, /*validate_only=*/true), ElementsAre(Answer("ok1", 0)));
  EXPECT_EQ(TopicOf("ok1").partition_count(), 2);
  EXPECT_EQ(GrowOne({"ok1", 3}), 0);
  EXPECT_THAT(What(), ElementsAre("PartitionRecord v2"));
  EXPECT_EQ(GrowOne({"ok1", 4, {{{1}}}}), 0);
  EXPECT_EQ(TopicOf("ok1").partition_count(), 4);
  EXPECT_EQ(TopicOf("ok1").FindPartition(3)->leader, BrokerId(1));
}

// Apache Kafka answers UNKNOWN_SERVER_ERROR here, for an overflow of its own list; POLICY_VIOLATION is what it answers when
// CreateTopics asks for as much, and it tells the client what to do.
TEST_F(TopicDecisionsTest, GrowingTooMuchInOneRequest) {
  CreateOne({"ok1", 2});
  CreateOne({"ok2", 1});
  EXPECT_EQ(Grow({{"ok1", 10002}}, true).at(0).second, 0);
  EXPECT_EQ(Grow({{"ok1", 10003}}, true).at(0).second, 44);
  EXPECT_EQ(Grow({{"ok1", INT32_MAX}}, true).at(0).second, 44);
  EXPECT_THAT(Grow({{"ok1", 6000}, {"ok2", 6000}}, true), ElementsAre(Answer("ok1", 0), Answer("ok2", 44)));
}

}  // namespace
}  // namespace kb::controller

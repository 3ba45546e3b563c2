// What group machines are told of topics, racks and settings, from an image and a configuration.
#include "broker/group_surroundings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "message/config_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"
#include "metadata/builder.h"
#include "metadata/record.h"
#include "support/sim_scheduler.h"

namespace kb::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class GroupSurroundingsTest : public ::testing::Test {
 protected:
  // Publishes what the records say, for a broker with these keys.
  void Load(const config::ConfigMap& keys = {}) {
    config::ConfigInput input{.file = config::EmbeddedDefaults({}, "data")};
    for (const auto& [key, value] : keys) input.overrides.emplace_back(key, value);
    Result<config::ServerConfig> config = config::LoadServerConfig(input);
    ASSERT_TRUE(config.ok()) << config.error().message;
    config_ = *std::move(config);
    metadata::ImageBuilder builder(std::make_shared<const metadata::MetadataImage>());
    for (size_t i = 0; i < records_.size(); ++i) {
      Status replayed = builder.Replay(records_[i], {Offset(static_cast<int64_t>(i)), LeaderEpoch(1), 1000});
      ASSERT_TRUE(replayed.ok()) << replayed.error().message;
    }
    reactor::Reactor::Scope scope(**reactor_);
    images_ = std::make_unique<reactor::Published<metadata::MetadataImage>>(std::vector<reactor::Reactor*>{&**reactor_},
                                                                            builder.Publish().image);
    cluster_.images = images_.get();
    cluster_.configs = &configs_;
  }
  void Set(metadata::ConfigResourceType type, std::string_view resource, std::string_view key, std::string_view value) {
    message::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(type);
    record.resource_name = resource;
    record.name = key;
    record.value = value;
    records_.Add(record);
  }
  void SetGroup(std::string_view key, std::string_view value) {
    Set(metadata::ConfigResourceType::kGroup, "g", key, value);
  }
  void Register(int32_t id, std::optional<std::string_view> rack) {
    message::RegisterBrokerRecord record;
    record.broker_id = id;
    record.rack = rack;
    records_.Add(record);
  }
  void Create(std::string_view name, const Uuid& id, std::initializer_list<int32_t> replicas) {
    message::TopicRecord topic;
    topic.name = name;
    topic.topic_id = id;
    records_.Add(topic);
    message::PartitionRecord partition;
    partition.topic_id = id;
    partition.partition_id = 0;
    partition.replicas = protocol::Array<int32_t>::Of(arena_, replicas);
    partition.isr = partition.replicas;
    partition.leader = *replicas.begin();
    partition.leader_epoch = partition.partition_epoch = 0;
    records_.Add(partition);
  }
  template <typename Look>
  auto Here(Look look) {
    reactor::Reactor::Scope scope(**reactor_);
    return look(static_cast<const group::Surroundings&>(surroundings_));
  }
  group::ConsumerGroupSettings Settings(std::string_view group_id = "g") {
    return Here([&](const group::Surroundings& world) { return world.SettingsOf(group_id); });
  }

  Arena arena_;
  metadata::RecordList records_;
  test::SimScheduler scheduler_{1};
  std::unique_ptr<test::SimReactor> reactor_ = scheduler_.MakeReactor(0);
  config::ServerConfig config_;
  const ConfigView configs_{config_};
  std::unique_ptr<reactor::Published<metadata::MetadataImage>> images_;
  Cluster cluster_;
  const GroupSurroundings surroundings_{cluster_};
};

TEST_F(GroupSurroundingsTest, TopicsAreThoseOfTheImage) {
  Create("b", Uuid(2, 2), {1});
  Create("a", Uuid(1, 1), {1});
  Load();
  Here([](const group::Surroundings& world) {
    EXPECT_EQ(world.TopicByName("a").value().id, Uuid(1, 1));
    EXPECT_EQ(world.TopicById(Uuid(2, 2)).value().name, "b");
    EXPECT_EQ(world.TopicByName("a").value().partitions, 1);
    EXPECT_FALSE(world.TopicByName("c").has_value());
    EXPECT_FALSE(world.TopicById(Uuid(3, 3)).has_value());
    std::vector<std::string> names;
    world.ForEachTopicName([&](std::string_view name) { names.emplace_back(name); });
    EXPECT_THAT(names, UnorderedElementsAre("a", "b"));
    EXPECT_EQ(world.metadata_version(), 3) << "the offset of the last record";
  });
}

TEST_F(GroupSurroundingsTest, RacksAreThoseOfTheReplicasBrokers) {
  Register(1, "east");
  Register(2, std::nullopt);
  Register(3, "west");
  Create("t", Uuid(1, 1), {3, 2, 1, 4});  // nobody has heard of 4
  Load();
  Here([](const group::Surroundings& world) {
    EXPECT_THAT(world.RacksOf(Uuid(1, 1), 0), ElementsAre("west", "east"));
    EXPECT_TRUE(world.RacksOf(Uuid(1, 1), 1).empty());
    EXPECT_TRUE(world.RacksOf(Uuid(2, 2), 0).empty());
  });
}

TEST_F(GroupSurroundingsTest, AGroupHasTheBrokersSettings) {
  Load({{"group.consumer.session.timeout.ms", "50000"}, {"group.consumer.heartbeat.interval.ms", "6000"}});
  EXPECT_EQ(Settings().session_timeout_ms, 50'000);
  EXPECT_EQ(Settings().heartbeat_interval_ms, 6'000);
  EXPECT_EQ(Settings().assignment_interval_ms, 1'000);
}

TEST_F(GroupSurroundingsTest, AGroupsOwnSettingsAreBroughtIntoTheBrokersBounds) {
  SetGroup("consumer.session.timeout.ms", "1");
  SetGroup("consumer.heartbeat.interval.ms", "7000");
  SetGroup("consumer.assignment.interval.ms", "1000000");
  Load();
  EXPECT_EQ(Settings().session_timeout_ms, 45'000);
  EXPECT_EQ(Settings().heartbeat_interval_ms, 7'000);
  EXPECT_EQ(Settings().assignment_interval_ms, 15'000);
  EXPECT_EQ(Settings("other").heartbeat_interval_ms, 5'000);
}

TEST_F(GroupSurroundingsTest, AValueThatIsNoneIsPassedOver) {
  SetGroup("consumer.session.timeout.ms", "soon");
  Load();
  EXPECT_EQ(Settings().session_timeout_ms, 45'000);
}

TEST_F(GroupSurroundingsTest, TheAssignmentIntervalMayChangeWhileTheBrokerRuns) {
  Set(metadata::ConfigResourceType::kBroker, "", "group.consumer.assignment.interval.ms", "2000");
  Load({{"group.consumer.assignment.interval.ms", "3000"}});
  EXPECT_EQ(Settings().assignment_interval_ms, 2'000);
}

}  // namespace
}  // namespace kb::broker

// Replicas in several data directories of one broker: what lies where, and their way from one to another, as clients
// see it and as a start after a crash finds it.
#include <set>

#include "broker/fixture.h"
#include "message/alter_replica_log_dirs_request.h"
#include "message/alter_replica_log_dirs_response.h"
#include "message/delete_records_request.h"
#include "message/delete_records_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/describe_log_dirs_request.h"
#include "message/describe_log_dirs_response.h"
#include "message/describe_producers_request.h"
#include "message/describe_producers_response.h"
#include "message/incremental_alter_configs_request.h"
#include "message/incremental_alter_configs_response.h"
#include "message/list_offsets_request.h"
#include "message/list_offsets_response.h"

namespace kb::broker {
namespace {

using test::PowerLoss;

// One replica, as DescribeLogDirs tells of it.
struct Place {
  std::string directory;
  int64_t size = 0;
  int64_t lag = 0;
  bool is_future = false;
};

class LogDirsTest : public BrokerFixture {
 protected:
  void SetUp() override { Power(); }

  // The next broker on the same disk.
  void Power() {
    test::SimBrokerOptions options;
    options.overrides = {{"log.dirs", "/data,/other"}, {"log.segment.delete.delay.ms", "1000"}};
    for (const auto& each : more_) options.overrides.push_back(each);
    node_ = std::make_unique<test::SimBroker>(scheduler_, files_, network_, options);
    Status started = node_->Start();
    ASSERT_TRUE(started.ok()) << started.error().message << "\n" << node_->log().text();
  }
  void KillAndStart(PowerLoss loss = PowerLoss::kNothing) {
    node_->PowerOff();
    files_.Cut(loss);
    Power();
  }

  ErrorCode Move(const std::string& topic, int32_t partition, const std::string& path) {
    Arena arena;
    message::AlterReplicaLogDirsRequest request;
    auto& dir = request.dirs.Add(arena);
    dir.path = path;
    auto& one = dir.topics.Add(arena);
    one.name = topic;
    one.partitions.Add(arena, partition);
    auto answer = Ask<message::AlterReplicaLogDirsResponse>(request, 2);
    return static_cast<ErrorCode>(answer->results[0].partitions[0].error_code);
  }

  std::vector<Place> PlacesOf(const std::string& topic, int32_t partition = 0) {
    message::DescribeLogDirsRequest request;
    request.topics = decltype(request.topics)::Null();
    auto answer = Ask<message::DescribeLogDirsResponse>(request, 5);
    std::vector<Place> places;
    for (const auto& directory : answer->results) {
      EXPECT_EQ(directory.error_code, 0) << directory.log_dir;
      EXPECT_GE(directory.total_bytes, directory.usable_bytes);
      for (const auto& one : directory.topics) {
        if (one.name != topic) continue;
        for (const auto& entry : one.partitions) {
          if (entry.partition_index != partition) continue;
          places.push_back(
              {std::string(directory.log_dir), entry.partition_size, entry.offset_lag, entry.is_future_key});
        }
      }
    }
    return places;
  }
  std::string PlaceOf(const std::string& topic) {
    for (const Place& place : PlacesOf(topic)) {
      if (!place.is_future) return place.directory;
    }
    return "";
  }
  std::string OtherOf(const std::string& directory) { return directory == "/data" ? "/other" : "/data"; }
  bool ComesToLieIn(const std::string& topic, const std::string& directory) {
    for (int i = 0; i < 300; ++i) {
      std::vector<Place> places = PlacesOf(topic);
      if (places.size() == 1 && places[0].directory == directory && !places[0].is_future) return true;
      scheduler_.RunFor(kSecond / 10);
    }
    return false;
  }

  ErrorCode Cordon(const std::string& directories) {
    Arena arena;
    message::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.Add(arena);
    resource.resource_type = 4;
    resource.resource_name = "1";
    auto& config = resource.configs.Add(arena);
    config.name = "cordoned.log.dirs";
    config.config_operation = 0;
    config.value = directories;
    auto answer = Ask<message::IncrementalAlterConfigsResponse>(request, 1);
    return static_cast<ErrorCode>(answer->responses[0].error_code);
  }
  // As the registration says, which follows the configuration at once.
  std::set<std::string> Cordoned() {
    scheduler_.RunFor(kSecond / 10);
    message::DescribeLogDirsRequest request;
    request.topics = decltype(request.topics)::Null();
    auto answer = Ask<message::DescribeLogDirsResponse>(request, 5);
    std::set<std::string> cordoned;
    for (const auto& directory : answer->results) {
      if (directory.is_cordoned) cordoned.insert(std::string(directory.log_dir));
    }
    return cordoned;
  }
  std::set<std::string> PlacesOfAll(const std::string& topic, int32_t partitions) {
    std::set<std::string> all;
    for (int32_t i = 0; i < partitions; ++i) {
      for (const Place& place : PlacesOf(topic, i)) all.insert(place.directory);
    }
    return all;
  }

  // Batches with offsets of their own, so that any of them can be told from the others.
  std::string ValueOf(int64_t i) { return "value-" + std::to_string(i) + ";" + std::string(value_bytes_, '.'); }
  void ProduceMore(const std::string& topic, int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(Produce(topic, ValueOf(next_)), next_);
      ++next_;
    }
  }
  // A replica that is being exchanged answers as one that is opening: the client asks again.
  void ExpectAllRecords(const std::string& topic, int64_t from = 0) {
    Arena arena;
    auto read = [&] {
      return Ask<message::FetchResponse>(FetchRequestOf(arena, topic, {{0, from}}, {.partition_max_bytes = 50 << 20}), 11);
    };
    auto answer = read();
    constexpr auto kAskAgain = static_cast<int16_t>(ErrorCode::kNotLeaderOrFollower);
    for (int i = 0; i < 100 && answer->responses[0].partitions[0].error_code == kAskAgain; ++i) {
      scheduler_.RunFor(kSecond / 10);
      answer = read();
    }
    const auto& entry = answer->responses[0].partitions[0];
    ASSERT_EQ(entry.error_code, 0) << node_->log().text();
    EXPECT_EQ(entry.high_watermark, next_);
    const std::string_view text = AsText(entry.records.bytes);
    for (int64_t offset = from; offset < next_; ++offset) {
      ASSERT_NE(text.find(ValueOf(offset)), std::string_view::npos) << "offset " << offset;
    }
  }
  // Directories of the topic's replicas, of any kind.
  std::vector<std::string> DirectoriesOf(const std::string& topic) {
    std::vector<std::string> found;
    for (const char* directory : {"/data", "/other"}) {
      auto listed = files_.List(directory);
      for (const io::DirectoryEntry& entry : *listed) {
        if (entry.name.starts_with(topic + "-")) found.push_back(std::string(directory) + "/" + entry.name);
      }
    }
    return found;
  }

  std::vector<std::pair<std::string, std::string>> more_;
  std::unique_ptr<test::SimBroker> node_;
  int64_t next_ = 0;
  size_t value_bytes_ = 0;
};

TEST_F(LogDirsTest, ReplicasAreSpreadAndTheirSizesAreThoseOfTheFiles) {
  CreateTopic("topic", 4);
  ProduceMore("topic", 3);
  std::map<std::string, int> counts;
  for (int32_t i = 0; i < 4; ++i) {
    std::vector<Place> places = PlacesOf("topic", i);
    ASSERT_EQ(places.size(), 1u);
    ++counts[places[0].directory];
    const std::string file = places[0].directory + "/topic-" + std::to_string(i) + "/00000000000000000000.log";
    EXPECT_EQ(places[0].size, static_cast<int64_t>(files_.Get(file).size()));
    EXPECT_EQ(places[0].lag, 0);
  }
  EXPECT_EQ(counts["/data"], 2);
  EXPECT_EQ(counts["/other"], 2);
}

TEST_F(LogDirsTest, OnlyWhatWasAskedForIsDescribed) {
  CreateTopic("one", 2);
  CreateTopic("two", 1);
  Arena arena;
  message::DescribeLogDirsRequest request;
  auto& topic = request.topics.Add(arena);
  topic.topic = "one";
  topic.partitions.Add(arena, 1);
  topic.partitions.Add(arena, 7);
  request.topics.Add(arena).topic = "unknown";
  for (int16_t version = 1; version <= 5; ++version) {
    auto answer = Ask<message::DescribeLogDirsResponse>(request, version);
    ASSERT_EQ(answer->results.size(), 2u);
    EXPECT_EQ(answer->results[0].log_dir, "/data");
    EXPECT_EQ(answer->results[1].log_dir, "/other");
    size_t found = 0;
    for (const auto& directory : answer->results) {
      for (const auto& one : directory.topics) {
        EXPECT_EQ(one.name, "one");
        for (const auto& partition : one.partitions) {
          EXPECT_EQ(partition.partition_index, 1);
          ++found;
        }
      }
    }
    EXPECT_EQ(found, 1u);
  }
}

TEST_F(LogDirsTest, AReplicaMovesWithEverythingThatIsInIt) {
  CreateTopic("topic");
  ProduceMore("topic", 20);
  const std::string from = PlaceOf("topic");
  EXPECT_EQ(Move("topic", 0, OtherOf(from)), ErrorCode::kNone);
  ASSERT_TRUE(ComesToLieIn("topic", OtherOf(from))) << node_->log().text();
  ExpectAllRecords("topic");
  ProduceMore("topic", 5);
  ExpectAllRecords("topic");
  scheduler_.RunFor(5 * kSecond);
  EXPECT_EQ(DirectoriesOf("topic"), std::vector<std::string>{OtherOf(from) + "/topic-0"}) << "the old one is removed";
  KillAndStart(PowerLoss::kEverything);
  EXPECT_EQ(PlaceOf("topic"), OtherOf(from));
  ExpectAllRecords("topic");
}

TEST_F(LogDirsTest, ItMovesThereAndBackAndIsWhereTheCleanStopLeftIt) {
  CreateTopic("topic");
  const std::string from = PlaceOf("topic");
  for (int i = 0; i < 4; ++i) {
    ProduceMore("topic", 3);
    const std::string to = OtherOf(PlaceOf("topic"));
    EXPECT_EQ(Move("topic", 0, to), ErrorCode::kNone);
    ASSERT_TRUE(ComesToLieIn("topic", to)) << node_->log().text();
  }
  EXPECT_EQ(PlaceOf("topic"), from);
  ASSERT_TRUE(node_->Stop().ok());
  KillAndStart();
  EXPECT_EQ(PlaceOf("topic"), from);
  ExpectAllRecords("topic");
  EXPECT_FALSE(node_->log().Has("cannot be opened"));
}

TEST_F(LogDirsTest, AMoveToWhereItIsIsNoneAndUnknownPlacesAreRefused) {
  CreateTopic("topic");
  const std::string here = PlaceOf("topic");
  EXPECT_EQ(Move("topic", 0, here), ErrorCode::kNone);
  EXPECT_EQ(Move("topic", 0, "/nowhere"), ErrorCode::kLogDirNotFound);
  EXPECT_EQ(Move("topic", 0, here + "/"), ErrorCode::kLogDirNotFound) << "named exactly";
  EXPECT_EQ(Move("topic", 1, here), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Move(std::string(240, 'x'), 0, here), ErrorCode::kInvalidTopicException);
  EXPECT_EQ(DirectoriesOf("topic").size(), 1u);
}

TEST_F(LogDirsTest, ATopicThatComesLaterIsMadeWhereItWasWished) {
  for (const char* directory : {"/other", "/data"}) {
    const std::string topic = std::string("later") + (directory + 1);
    EXPECT_EQ(Move(topic, 0, directory), ErrorCode::kUnknownTopicOrPartition);
    EXPECT_EQ(Move(topic, 1, directory), ErrorCode::kUnknownTopicOrPartition);
    CreateTopic(topic, 2);
    for (int32_t i = 0; i < 2; ++i) EXPECT_EQ(PlacesOf(topic, i)[0].directory, directory);
    KillAndStart();
    for (int32_t i = 0; i < 2; ++i) EXPECT_EQ(PlacesOf(topic, i)[0].directory, directory);
  }
}

TEST_F(LogDirsTest, ProducersGoOnWhileItMovesAndNoneOfTheirRecordsIsLost) {
  value_bytes_ = 100'000;
  CreateTopic("topic");
  ProduceMore("topic", 30);
  const std::string from = PlaceOf("topic");
  EXPECT_EQ(Move("topic", 0, OtherOf(from)), ErrorCode::kNone);
  bool has_been_seen = false;
  for (int i = 0; i < 60; ++i) {
    for (const Place& place : PlacesOf("topic")) {
      if (!place.is_future) continue;
      has_been_seen = true;
      EXPECT_EQ(place.directory, OtherOf(from));
    }
    ProduceMore("topic", 1);
  }
  EXPECT_TRUE(has_been_seen);
  ASSERT_TRUE(ComesToLieIn("topic", OtherOf(from))) << node_->log().text();
  ExpectAllRecords("topic");
}

TEST_F(LogDirsTest, WhatWasDeletedStaysDeletedThroughTheMove) {
  CreateTopic("topic");
  ProduceMore("topic", 10);
  Arena arena;
  message::DeleteRecordsRequest request;
  auto& topic = request.topics.Add(arena);
  topic.name = "topic";
  topic.partitions.Add(arena).offset = 7;
  EXPECT_EQ(Ask<message::DeleteRecordsResponse>(request, 2)->topics[0].partitions[0].low_watermark, 7);
  const std::string to = OtherOf(PlaceOf("topic"));
  EXPECT_EQ(Move("topic", 0, to), ErrorCode::kNone);
  ASSERT_TRUE(ComesToLieIn("topic", to));
  for (PowerLoss loss : {PowerLoss::kNothing, PowerLoss::kEverything}) {
    auto fetched = Ask<message::FetchResponse>(FetchRequestOf(arena, "topic", {{0, 6}}, {}), 11);
    EXPECT_EQ(fetched->responses[0].partitions[0].error_code, static_cast<int16_t>(ErrorCode::kOffsetOutOfRange));
    ExpectAllRecords("topic", 7);
    KillAndStart(loss);
  }
}

TEST_F(LogDirsTest, ItIsCalledOffByAMoveToWhereItIs) {
  value_bytes_ = 100'000;
  CreateTopic("topic");
  ProduceMore("topic", 60);
  const std::string from = PlaceOf("topic");
  EXPECT_EQ(Move("topic", 0, OtherOf(from)), ErrorCode::kNone);
  EXPECT_EQ(DirectoriesOf("topic").size(), 2u);
  EXPECT_EQ(Move("topic", 0, from), ErrorCode::kNone);
  scheduler_.RunFor(5 * kSecond);
  EXPECT_EQ(PlaceOf("topic"), from);
  EXPECT_EQ(DirectoriesOf("topic"), std::vector<std::string>{from + "/topic-0"});
  ExpectAllRecords("topic", 55);
  EXPECT_EQ(Move("topic", 0, OtherOf(from)), ErrorCode::kNone) << "and again";
  ASSERT_TRUE(ComesToLieIn("topic", OtherOf(from)));
}

TEST_F(LogDirsTest, ATopicThatIsDeletedOnItsWayLeavesNothing) {
  value_bytes_ = 100'000;
  CreateTopic("topic");
  ProduceMore("topic", 40);
  EXPECT_EQ(Move("topic", 0, OtherOf(PlaceOf("topic"))), ErrorCode::kNone);
  Arena arena;
  message::DeleteTopicsRequest request;
  request.topics.Add(arena).name = "topic";
  EXPECT_EQ(Ask<message::DeleteTopicsResponse>(request, 6)->responses[0].error_code, 0);
  scheduler_.RunFor(5 * kSecond);
  EXPECT_TRUE(DirectoriesOf("topic").empty()) << DirectoriesOf("topic")[0];
  next_ = 0;
  CreateTopic("topic");
  ProduceMore("topic", 2);
  ExpectAllRecords("topic");
}

// One replica of a home moves at a time; those that wait for it can be called off, or nothing in the metadata would go on.
TEST_F(LogDirsTest, ADeletionDoesNotWaitForTheMoveOfAnother) {
  value_bytes_ = 100'000;
  std::vector<std::string> topics = {"a", "b", "c", "d", "e", "f"};
  for (const std::string& topic : topics) {
    CreateTopic(topic);
    next_ = 0;
    ProduceMore(topic, 4);
  }
  Arena arena;
  message::IncrementalAlterConfigsRequest limit;
  auto& resource = limit.resources.Add(arena);
  resource.resource_type = static_cast<int8_t>(metadata::ConfigResourceType::kBroker);
  auto& key = resource.configs.Add(arena);
  key.name = "replica.alter.log.dirs.io.max.bytes.per.second";
  key.value = "1000";
  ASSERT_EQ(Ask<message::IncrementalAlterConfigsResponse>(limit, 1)->responses[0].error_code, 0);
  for (const std::string& topic : topics) EXPECT_EQ(Move(topic, 0, OtherOf(PlaceOf(topic))), ErrorCode::kNone);
  for (auto topic = topics.rbegin(); topic != topics.rend(); ++topic) {
    message::DeleteTopicsRequest request;
    request.topics.Add(arena).name = *topic;
    ASSERT_EQ(Ask<message::DeleteTopicsResponse>(request, 6)->responses[0].error_code, 0);
  }
  CreateTopic("later");
}

TEST_F(LogDirsTest, AMoveGoesOnAfterARestart) {
  value_bytes_ = 100'000;
  for (bool is_clean : {true, false}) {
    const std::string topic = is_clean ? "clean" : "killed";
    next_ = 0;
    CreateTopic(topic);
    ProduceMore(topic, 60);
    const std::string to = OtherOf(PlaceOf(topic));
    EXPECT_EQ(Move(topic, 0, to), ErrorCode::kNone);
    if (is_clean) {
      ASSERT_TRUE(node_->Stop().ok());
    }
    KillAndStart(PowerLoss::kEverything);
    ASSERT_TRUE(ComesToLieIn(topic, to)) << node_->log().text();
    ExpectAllRecords(topic);
  }
}

// The power goes in the middle of every call that changes the disk, from the request on. Whatever is left, the next
// start serves every record, the move comes to its end, and exactly one replica is there.
TEST_F(LogDirsTest, APowerCutAtAnyMomentLeavesOneWholeReplica) {
  CreateTopic("topic");
  ProduceMore("topic", 5);
  scheduler_.RunFor(70 * kSecond);  // whatever is not of the move is done
  bool is_over = false;
  for (uint64_t call = 1; !is_over; ++call) {
    ASSERT_LT(call, 500u);
    const PowerLoss loss = static_cast<PowerLoss>(call % 3);
    const std::string from = PlaceOf("topic");
    const std::string to = OtherOf(from);
    files_.CutAt(call, loss);
    {
      Arena arena;
      message::AlterReplicaLogDirsRequest request;
      auto& dir = request.dirs.Add(arena);
      dir.path = to;
      auto& one = dir.topics.Add(arena);
      one.name = "topic";
      one.partitions.Add(arena, 0);
      auto client = Connect();
      client->Send(request, 2);
      scheduler_.RunUntil([&] { return files_.is_off(); }, 3 * kSecond);
    }
    is_over = !files_.is_off();
    node_->PowerOff();
    files_.PowerOn();
    if (is_over) files_.Cut(PowerLoss::kEverything);
    Power();
    ExpectAllRecords("topic");
    const std::string now = PlaceOf("topic");
    ASSERT_TRUE(now == from || now == to) << "call " << call;
    if (PlacesOf("topic").size() > 1) {
      ASSERT_TRUE(ComesToLieIn("topic", to)) << "call " << call << node_->log().text();
    }
    scheduler_.RunFor(5 * kSecond);
    std::vector<std::string> left = DirectoriesOf("topic");
    ASSERT_EQ(left, std::vector<std::string>{PlaceOf("topic") + "/topic-0"}) << "call " << call;
    ProduceMore("topic", 1);
    ExpectAllRecords("topic");
    if (is_over) {
      EXPECT_EQ(now, to);
    }
  }
}

// Every call of a kind fails once on the way: the replica is where it was or where it was to be, and whole.
TEST_F(LogDirsTest, AFailureOnTheWayLosesNothing) {
  for (test::IoCall call :
       {test::IoCall::kRename, test::IoCall::kSyncDirectory, test::IoCall::kSync, test::IoCall::kWrite}) {
    for (uint64_t nth = 1; nth <= 12; ++nth) {
      node_->PowerOff();
      files_ = test::SimFileSystem(nth);
      next_ = 0;
      Power();
      CreateTopic("topic");
      ProduceMore("topic", 5);
      const std::string from = PlaceOf("topic");
      files_.FailNth(call, nth, 5 /* EIO */);
      Move("topic", 0, OtherOf(from));
      scheduler_.RunFor(3 * kSecond);
      files_.StopFailing();
      KillAndStart(PowerLoss::kEverything);
      ExpectAllRecords("topic");
      scheduler_.RunFor(5 * kSecond);
      ASSERT_EQ(DirectoriesOf("topic").size(), 1u) << static_cast<int>(call) << " " << nth;
      ExpectAllRecords("topic");
    }
  }
}

TEST_F(LogDirsTest, NoNewReplicaGoesToACordonedDirectory) {
  using Paths = std::set<std::string>;
  CreateTopic("before", 2);
  EXPECT_EQ(PlacesOfAll("before", 2), (Paths{"/data", "/other"}));
  EXPECT_EQ(Cordon("/other"), ErrorCode::kNone);
  CreateTopic("topic", 3);
  EXPECT_EQ(PlacesOfAll("topic", 3), Paths{"/data"});
  EXPECT_EQ(Cordoned(), Paths{"/other"});
  EXPECT_EQ(PlacesOfAll("before", 2), (Paths{"/data", "/other"})) << "what is there stays";
  EXPECT_EQ(Move("topic", 0, "/other"), ErrorCode::kInvalidReplicaAssignment);

  KillAndStart();
  EXPECT_EQ(Cordoned(), Paths{"/other"});
  EXPECT_EQ(Cordon("*"), ErrorCode::kNone);
  Arena arena;
  auto refused = Ask<message::CreateTopicsResponse>(CreateRequest(arena, "refused", 1), 7);
  EXPECT_EQ(static_cast<ErrorCode>(refused->topics[0].error_code), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Cordon("/elsewhere"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Cordon("/data,*"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Cordoned(), (Paths{"/data", "/other"}));

  EXPECT_EQ(Cordon(""), ErrorCode::kNone);
  EXPECT_EQ(Cordoned(), Paths{});
  CreateTopic("after", 8);
  EXPECT_EQ(PlacesOfAll("after", 8), (Paths{"/data", "/other"}));
  // The file says so, and nobody else says anything: a value that was set to nothing would.
  node_->PowerOff();
  files_ = test::SimFileSystem(1);
  more_ = {{"cordoned.log.dirs", "/data"}};
  Power();
  CreateTopic("topic", 3);
  EXPECT_EQ(PlacesOfAll("topic", 3), Paths{"/other"});
}

TEST_F(LogDirsTest, ActiveProducersAreThoseOfTheLog) {
  CreateTopic("topic", 2);
  record::BatchOptions options;
  options.producer_id = ProducerId(4711);
  options.producer_epoch = ProducerEpoch(3);
  options.base_sequence = 0;
  std::string batch = test::BatchOf({"a", "b"}, 1'700'000'000'000, options);
  Arena arena;
  EXPECT_EQ(Ask<message::ProduceResponse>(ProduceRequestOf(arena, "topic", 0, batch), 9)
                ->responses[0]
                .partition_responses[0]
                .error_code,
            0);
  message::DescribeProducersRequest request;
  auto& topic = request.topics.Add(arena);
  topic.name = "topic";
  for (int32_t i = 0; i < 3; ++i) topic.partition_indexes.Add(arena, i);
  auto& bad = request.topics.Add(arena);
  bad.name = "no topic";
  bad.partition_indexes.Add(arena, 0);
  auto answer = Ask<message::DescribeProducersResponse>(request, 0);
  const auto& partitions = answer->topics[0].partitions;
  ASSERT_EQ(partitions[0].active_producers.size(), 1u);
  const auto& producer = partitions[0].active_producers[0];
  EXPECT_EQ(producer.producer_id, 4711);
  EXPECT_EQ(producer.producer_epoch, 3);
  EXPECT_EQ(producer.last_sequence, 1);
  EXPECT_EQ(producer.last_timestamp, 1'700'000'000'000);
  EXPECT_EQ(producer.coordinator_epoch, -1);
  EXPECT_EQ(producer.current_txn_start_offset, -1);
  EXPECT_EQ(partitions[1].error_code, 0);
  EXPECT_TRUE(partitions[1].active_producers.empty());
  EXPECT_EQ(partitions[2].error_code, static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(answer->topics[1].partitions[0].error_code, static_cast<int16_t>(ErrorCode::kInvalidTopicException));
}

}  // namespace
}  // namespace kb::broker

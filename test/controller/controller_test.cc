// A node alone: what it writes at its first start, at a stop, after a kill, and that nothing it answered for is lost.
#include "controller/controller.h"

#include "controller/support.h"
#include "message/feature_level_record.h"
#include "message/partition_record.h"
#include "message/register_broker_record.h"
#include "message/topic_record.h"

namespace kb::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Written> WithoutNoOps(std::vector<Written> records) {
  std::erase_if(records, [](const Written& record) { return record.what == "NoOpRecord v0"; });
  return records;
}

TEST(ControllerTest, AFirstStartWritesWhatApacheKafkaWrites) {
  Node node;
  node.Format();
  node.files.Put("/data/bootstrap.checkpoint", ReadGolden("bootstrap.checkpoint"));
  node.MustStart();
  node.Stop();
  std::vector<Written> ours = node.Records();
  std::vector<Written> golden = WithoutNoOps(RecordsOfLog(ReadGolden("fresh.log")));
  EXPECT_EQ(WhatOf(ours), WhatOf(golden));
  // Up to the end of the bootstrap transaction it is the same bytes, in the same two batches.
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(ours[i].body, golden[i].body) << i;
    EXPECT_EQ(ours[i].offset, golden[i].offset);
    EXPECT_EQ(ours[i].batch, golden[i].batch);
    EXPECT_EQ(ours[i].epoch, golden[i].epoch);
  }
  // Behind it the same sizes: ids, offsets and the order of features differ.
  for (size_t i = 10; i < ours.size(); ++i) EXPECT_EQ(ours[i].body.size(), golden[i].body.size()) << ours[i].what;
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].offset, Offset(static_cast<int64_t>(i)));
}

TEST(ControllerTest, AFormattedNodeFinalizesWhatWeServe) {
  Node node;
  node.Format();
  node.MustStart();
  EXPECT_EQ(node.image().metadata_version(), 30);
  EXPECT_TRUE(node.image().eligible_leader_replicas_enabled());
  EXPECT_EQ(node.image().FeatureLevel("group.version"), 1);
  EXPECT_EQ(node.image().FeatureLevel("share.version"), 0);
  EXPECT_TRUE(node.image().IsUsable(BrokerId(1)));
  EXPECT_EQ(node.image().FindBroker(BrokerId(1))->epoch, node.controller->broker_epoch());
  EXPECT_EQ(node.image().ConfigsOf(metadata::ConfigResourceType::kBroker, "").at("min.insync.replicas"), "1");
  EXPECT_EQ(node.controller->epoch(), LeaderEpoch(1));
}

TEST(ControllerTest, TopicsAndTheirIdsSurviveStopAndKillAndLeaderEpochsGrow) {
  Node node;
  node.Format();
  node.MustStart();
  ASSERT_EQ(node.CreateTopic("a", 3), 0);
  Uuid id = node.image().FindTopic("a")->id();
  EXPECT_EQ(node.image().FindPartition({id, 2})->leader_epoch, LeaderEpoch(0));
  node.Stop();
  node.MustStart();
  EXPECT_EQ(node.image().FindTopic("a")->id(), id);
  EXPECT_EQ(node.image().FindPartition({id, 2})->leader, BrokerId(1));
  EXPECT_EQ(node.image().FindPartition({id, 2})->leader_epoch, LeaderEpoch(2));
  EXPECT_EQ(node.controller->epoch(), LeaderEpoch(2));
  node.Kill();
  node.MustStart();
  EXPECT_EQ(node.image().FindTopic("a")->id(), id);
  EXPECT_EQ(node.image().FindPartition({id, 2})->leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(node.controller->epoch(), LeaderEpoch(3));
  EXPECT_EQ(node.files.Get("/data/__cluster_metadata-0/leader-epoch-checkpoint").substr(0, 8), "0\n3\n1 0\n");
}

TEST(ControllerTest, DirectoriesOfApacheKafkaAreOpenedInPlace) {
  struct Case {
    const char* log;
    size_t topics;
    bool elr;
  };
  for (const Case& c : {Case{"clean.log", 18, true}, {"killed.log", 2, true}, {"dynamic.log", 2, true},
                        {"without_elr.log", 2, false}, {"fresh.log", 0, true}}) {
    Node node;
    PutGolden(node, c.log);
    node.MustStart();
    EXPECT_EQ(node.image().topic_count(), c.topics) << c.log;
    EXPECT_EQ(node.image().eligible_leader_replicas_enabled(), c.elr);
    node.image().ForEachTopic([&](const metadata::Topic& topic) {
      topic.ForEachPartition([&](int32_t index, const metadata::Partition& partition) {
        EXPECT_EQ(partition.leader, BrokerId(1)) << c.log << " " << topic.name() << index;
        EXPECT_EQ(partition.isr, BrokerIds{BrokerId(1)});
      });
    });
    ASSERT_EQ(node.CreateTopic("ours"), 0);
    node.Stop();
    node.MustStart();
    EXPECT_EQ(node.image().topic_count(), c.topics + 1) << c.log;
    EXPECT_EQ(node.files.Get(Node::LogPath()).substr(0, 100), ReadGolden(c.log).substr(0, 100));
  }
}

TEST(ControllerTest, AFreshDynamicQuorumBeginsAsApacheKafkas) {
  Node node;
  node.Format();
  node.files.Put("/data/bootstrap.checkpoint", ReadGolden("bootstrap.checkpoint"));
  node.files.Put("/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
                 ReadGolden("dynamic-0-0.checkpoint"));
  node.MustStart();
  std::vector<Written> ours = node.Records();
  std::vector<Written> golden = RecordsOfLog(ReadGolden("dynamic.log"));
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(ours[i].what, golden[i].what);
    EXPECT_EQ(ours[i].body, golden[i].body);
    EXPECT_EQ(ours[i].batch, golden[i].batch);
  }
  node.Kill();
  node.MustStart();
  EXPECT_EQ(node.controller->quorum().kraft_version, 1);
}

// ---- directories that were made by hand

TEST(SparseDirectoryTest, OnlyMetaPropertiesAndACleanShutdownFile) {
  Node node;
  node.files.Put("/data/meta.properties", "version=1\nnode.id=1\ncluster.id=c\ndirectory.id=AAAAAAAAQACAAAAAAAAAAQ==\n");
  node.files.Put("/data/.kafka_cleanshutdown", R"({"version":0,"brokerEpoch":10})");
  node.MustStart();
  EXPECT_EQ(node.image().metadata_version(), 30);
  EXPECT_EQ(node.CreateTopic("a"), 0);
}

class SparseLogTest : public ::testing::Test {
 protected:
  // A log as courses write it: from offset 1 on, a feature level, then a batch per topic with its partitions.
  SparseLogTest() {
    node_.files.Put("/data/meta.properties", "version=1\nnode.id=1\ncluster.id=c\ndirectory.id=AAAAAAAAQACAAAAAAAAAAQ==\n");
    RecordList feature;
    message::FeatureLevelRecord level;
    level.name = "metadata.version";
    level.feature_level = 20;
    feature.Add(level);
    Append(feature);
    for (uint64_t t = 0; t < 2; ++t) {
      RecordList topic;
      message::TopicRecord record;
      record.name = t == 0 ? "foo" : "bar";
      record.topic_id = Uuid(0x4000, t + 1);
      topic.Add(record);
      for (int32_t p = 0; p < 2; ++p) AddPartition(record.topic_id, p, topic);
      Append(topic);
    }
    node_.files.Put(Node::LogPath(), std::string(AsText(log_)));
  }
  void AddPartition(const Uuid& topic, int32_t index, RecordList& records) {
    Arena arena;
    message::PartitionRecord record;
    record.topic_id = topic;
    record.partition_id = index;
    record.replicas = record.isr = protocol::Array<int32_t>::Of(arena, {1});
    record.leader = 1;
    record.leader_epoch = record.partition_epoch = 0;
    record.directories.Add(arena, Uuid(0x1000000000004000, 0x8000000000000001));
    records.Add(record, 1);
  }
  void Append(const RecordList& records) {
    std::vector<uint8_t> batch = metadata::BuildBatch(next_, LeaderEpoch(1), 1000, records);
    log_.insert(log_.end(), batch.begin(), batch.end());
    next_ = next_ + static_cast<int64_t>(records.size());
  }

  Node node_;
  Offset next_{1};
  std::vector<uint8_t> log_;
};

TEST_F(SparseLogTest, IsServedUnderItsIdsAndEpochs) {
  node_.MustStart();
  EXPECT_EQ(node_.image().topic_count(), 2u);
  EXPECT_EQ(node_.image().FindTopic("bar")->id(), Uuid(0x4000, 2));
  const metadata::Partition& partition = *node_.image().FindPartition({Uuid(0x4000, 2), 1});
  EXPECT_EQ(partition.leader, BrokerId(1));
  EXPECT_EQ(partition.leader_epoch, LeaderEpoch(0));  // nobody led it yet
  EXPECT_TRUE(node_.image().IsUsable(BrokerId(1)));   // registered by us
  EXPECT_EQ(node_.image().metadata_version(), 20);
  EXPECT_EQ(node_.CreateTopic("ours"), 0);
  EXPECT_EQ(node_.files.Get(Node::LogPath()).substr(0, log_.size()), AsText(log_));
  node_.Stop();
  node_.MustStart();
  EXPECT_EQ(node_.image().topic_count(), 3u);
  EXPECT_EQ(node_.image().FindPartition({Uuid(0x4000, 2), 1})->leader_epoch, LeaderEpoch(2));
}

TEST_F(SparseLogTest, ATornEndIsCutHereToo) {
  std::string cut(AsText(log_));
  node_.files.Put(Node::LogPath(), cut.substr(0, cut.size() - 3));
  node_.MustStart();
  EXPECT_EQ(node_.image().topic_count(), 1u);
}

// ---- the way to the disk

class GroupCommitTest : public ::testing::Test {
 protected:
  GroupCommitTest() {
    node_.Format();
    node_.MustStart();
  }
  Offset Create(std::string_view name) {
    Arena arena;
    message::CreateTopicsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = name;
    topic.num_partitions = topic.replication_factor = 1;
    auto decided = node_.controller->CreateTopics(request, 7, arena);
    last_code_ = decided.response.topics[0].error_code;
    return decided.answer_after;
  }
  Controller& controller() { return *node_.controller; }

  Node node_;
  int16_t last_code_ = 0;
};

TEST_F(GroupCommitTest, WhatIsDecidedDuringAnAppendGoesIntoTheNextAsOneBatch) {
  Offset a = Create("a");
  auto first = controller().TakeAppend();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->last_offset, a);
  Offset b = Create("b");
  Offset c = Create("c");
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_FALSE(controller().TakeAppend().has_value());  // one at a time
  EXPECT_EQ(controller().published()->topic_count(), 0u);
  EXPECT_EQ(controller().working().topic_count(), 3u);

  ASSERT_TRUE(node_.log->Append(first->base_offset, first->batch).ok());
  auto committed = controller().Commit();
  EXPECT_EQ(committed.last_offset, a);
  EXPECT_EQ(committed.changes.created_topics.size(), 1u);
  EXPECT_EQ(committed.new_image->topic_count(), 1u);
  EXPECT_EQ(committed.old_image->topic_count(), 0u);

  auto second = controller().TakeAppend();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->base_offset, a + 1);
  EXPECT_EQ(second->last_offset, c);
  EXPECT_EQ(RecordsOfLog(std::string(AsText(second->batch))).back().batch, 0u);  // one batch
  ASSERT_TRUE(node_.log->Append(second->base_offset, second->batch).ok());
  committed = controller().Commit();
  EXPECT_EQ(committed.changes.created_topics.size(), 2u);
  EXPECT_FALSE(controller().has_pending());
}

TEST_F(GroupCommitTest, ARefusalWaitsForWhatItSaw) {
  Offset a = Create("a");
  Offset refused = Create("a");
  EXPECT_EQ(last_code_, 36);
  EXPECT_EQ(refused, a);  // "a" exists only if that is on the disk
  ASSERT_TRUE(Drain(controller(), *node_.log).ok());
  EXPECT_EQ(Create("a"), kNoOffset);
}

TEST_F(GroupCommitTest, ProducerIdBlocksDoNotOverlapEvenBeforeTheyAreDurable) {
  BrokerEpoch epoch = controller().broker_epoch();
  EXPECT_EQ(controller().AllocateProducerIds(BrokerId(1), epoch).response.first, ProducerId(0));
  EXPECT_EQ(controller().AllocateProducerIds(BrokerId(1), epoch).response.first, ProducerId(1000));
  node_.Kill();
  node_.MustStart();  // nothing of it was written, and nobody was answered
  epoch = controller().broker_epoch();
  EXPECT_EQ(controller().AllocateProducerIds(BrokerId(1), epoch).response.first, ProducerId(0));
}

TEST_F(GroupCommitTest, AStoppedControllerRefusesAndWritesNothing) {
  controller().Stop();
  ASSERT_TRUE(Drain(controller(), *node_.log).ok());
  EXPECT_EQ(Create("late"), kNoOffset);
  EXPECT_EQ(last_code_, 41);
  EXPECT_EQ(controller().AllocateProducerIds(BrokerId(1), controller().broker_epoch()).response.error,
            ErrorCode::kNotController);
  EXPECT_FALSE(controller().has_pending());
}

TEST_F(GroupCommitTest, ManyPartitionsGoUpAndDownInBatchesOfABoundedSize) {
  ASSERT_EQ(node_.CreateTopic("wide", 9999), 0);
  ASSERT_EQ(node_.CreateTopic("wider", 9999), 0);
  ASSERT_EQ(node_.CreateTopic("widest", 9999), 0);
  node_.Stop();
  node_.MustStart();
  std::string log = node_.files.Get(Node::LogPath());
  size_t largest = 0;
  for (ByteView bytes = AsBytes(log); !bytes.empty();) {
    Result<metadata::Batch> batch = metadata::ReadBatch(bytes);
    ASSERT_TRUE(batch.ok());
    largest = std::max(largest, batch->byte_size);
    bytes = bytes.subspan(batch->byte_size);
  }
  EXPECT_LT(largest, size_t{2} << 20);
  EXPECT_EQ(node_.image().FindPartition({node_.image().FindTopic("widest")->id(), 9998})->leader, BrokerId(1));
}

TEST(SnapshotTest, ASnapshotIsDueWhenTheLogHasGrownAndTheNextStartUsesIt) {
  Node node;
  node.bytes_between_snapshots = 3000;
  node.Format();
  node.MustStart();
  EXPECT_EQ(node.controller->TakeSnapshotDue(), nullptr);
  for (int i = 0; node.CreateTopic("topic-" + std::to_string(i)) == 0 && i < 30; ++i) continue;
  ImagePtr image = node.controller->TakeSnapshotDue();
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(node.controller->TakeSnapshotDue(), nullptr);
  ASSERT_TRUE(node.log->WriteSnapshot(*image, node.controller->quorum(), 7).ok());
  ASSERT_TRUE(node.log->RemoveOld().ok());
  node.Kill();
  node.MustStart();
  EXPECT_EQ(node.loaded.bytes_since_snapshot, 0u);
  EXPECT_EQ(node.image().topic_count(), 31u);
  EXPECT_EQ(node.CreateTopic("one-more"), 0);
}

// ---- crashes

class ControllerCrashTest : public ::testing::TestWithParam<uint64_t> {};

// Power goes at every single call that changes the disk, from the first start over topics to a clean stop. Afterwards the
// node starts, and has every topic that it had answered for, and none that it was not asked for.
TEST_P(ControllerCrashTest, WhatWasAnsweredSurvivesPowerLossAtEveryStep) {
  for (uint64_t at = 1;; ++at) {
    Node node(GetParam() * 1000 + at);
    std::vector<std::string> answered;
    node.bytes_between_snapshots = 200;
    node.log_options.retention_bytes = 0;
    node.Format();
    node.files.CutAt(at, test::PowerLoss::kSomething);
    bool reached_the_end = false;
    if (node.Start().ok()) {
      for (const char* name : {"a", "b", "c"}) {
        node.CreateTopic(name, 2);
        if (!node.last_drain.ok()) break;
        answered.push_back(name);
        ImagePtr due = node.controller->TakeSnapshotDue();
        if (due == nullptr) continue;
        Status written = node.log->WriteSnapshot(*due, node.controller->quorum(), 7);
        if (written.ok()) written = node.log->RemoveOld();
        if (!written.ok()) break;
      }
      if (node.last_drain.ok()) {
        node.controller->Stop();
        reached_the_end = Drain(*node.controller, *node.log).ok();
      }
    }
    node.Forget();
    node.files.Cut(test::PowerLoss::kSomething);
    node.files.PowerOn();
    Status started = node.Start();
    ASSERT_TRUE(started.ok()) << at << ": " << started.error().message;
    for (const std::string& name : answered) {
      ASSERT_NE(node.image().FindTopic(name), nullptr) << at << " lost " << name;
      EXPECT_EQ(node.image().FindTopic(name)->partition_count(), 2);
    }
    EXPECT_LE(node.image().topic_count(), answered.size() + 1);
    EXPECT_EQ(node.image().metadata_version(), 30) << at;
    EXPECT_TRUE(node.image().IsUsable(BrokerId(1)));
    if (reached_the_end) break;
    ASSERT_LT(at, 200u);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ControllerCrashTest, ::testing::Range(uint64_t{0}, uint64_t{8}));

TEST(ControllerFailureTest, AFailedAppendIsSeenByWhoDrains) {
  Node node;
  node.Format();
  node.MustStart();
  node.files.FailNth(test::IoCall::kSync, 1, EIO, /*and_all_after=*/true);
  node.CreateTopic("a");
  EXPECT_FALSE(node.last_drain.ok());
  EXPECT_EQ(node.image().FindTopic("a"), nullptr);
}

TEST(ControllerFailureTest, WhatHasNoRoomHasNotHappened) {
  Node node;
  node.Format();
  node.MustStart();
  node.CreateTopic("before");
  Offset end = node.image().provenance().last_offset;
  node.files.set_capacity(node.files.used_bytes());
  EXPECT_EQ(node.CreateTopic("a", 1, /*drain=*/false), 0);
  std::optional<Controller::Append> append = node.controller->TakeAppend();
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(node.CreateTopic("b", 1, /*drain=*/false), 0) << "decided behind it";
  EXPECT_EQ(node.log->Append(append->base_offset, append->batch).error().kind, ErrorKind::kNoSpace);
  node.controller->Abandon();
  EXPECT_FALSE(node.controller->has_pending());
  EXPECT_EQ(node.controller->working().FindTopic("a"), nullptr);
  EXPECT_EQ(node.controller->working().FindTopic("b"), nullptr);
  EXPECT_NE(node.controller->working().FindTopic("before"), nullptr);
  EXPECT_EQ(node.image().provenance().last_offset, end);

  node.files.set_capacity(std::nullopt);
  EXPECT_EQ(node.CreateTopic("b"), 0);
  EXPECT_TRUE(node.last_drain.ok());
  node.Kill();
  node.MustStart();
  EXPECT_EQ(node.image().FindTopic("a"), nullptr);
  EXPECT_NE(node.image().FindTopic("b"), nullptr);
  EXPECT_EQ(node.loaded.torn_bytes, 0u);
}

TEST(ControllerFailureTest, ARefusalSaysSoForEverythingThatWasAsked) {
  Arena arena;
  message::CreateTopicsResponse response;
  response.topics.Add(arena).name = "a";
  response.topics[0].topic_id = Uuid(1, 2);
  response.topics[0].num_partitions = 3;
  RefuseAll(ErrorCode::kKafkaStorageError, "why", response);
  EXPECT_EQ(response.topics[0].name, "a");
  EXPECT_EQ(response.topics[0].error_code, 56);
  EXPECT_EQ(response.topics[0].error_message, "why");
  EXPECT_EQ(response.topics[0].topic_id, Uuid());
  EXPECT_EQ(response.topics[0].num_partitions, -1);
}

}  // namespace
}  // namespace kb::controller

// A replica that is made while the node runs: cheap, and durable by its first record, whenever the power fails.
#include "log/checkpoint_files.h"
#include "log/log_directory.h"
#include "partition/fixture.h"

namespace kb::partition {
namespace {

using test::IoCall;
using test::PowerLoss;

class NewReplicaTest : public PartitionFixture {
 protected:
  // As the node asks for it: new is what the start did not find.
  OpenRequest NewRequest(const std::string& topic, PartitionConfig config = {}) {
    OpenRequest request = RequestFor(topic, config);
    request.is_new = !*files_.Exists(DirectoryOf(topic));
    return request;
  }
  static std::string DirectoryOf(const std::string& topic) { return "/data/" + topic + "-0"; }
  bool IsNamed(const std::string& topic) {
    Result<Uuid> id = log::ReadPartitionMetadata(files_, DirectoryOf(topic));
    return id.ok() && *id == RequestFor(topic).id.topic_id;
  }
  uint64_t syncs() const { return files_.calls(IoCall::kSync) + files_.calls(IoCall::kSyncDirectory); }
};

TEST_F(NewReplicaTest, ItCostsNoSync) {
  const uint64_t before = syncs();
  auto partition = Open(NewRequest("topic"));
  EXPECT_EQ(syncs(), before);
  EXPECT_EQ(files_.Get(DirectoryOf("topic") + "/partition.metadata"), "");
  EXPECT_EQ(Read(partition, At(0)).error, ErrorCode::kNone);
}

TEST_F(NewReplicaTest, ItsFirstRecordMakesItDurableWhateverTheProducerWaitsFor) {
  for (int16_t acks : {kAcksAll, int16_t{1}}) {
    const std::string topic = "acks" + std::to_string(acks);
    auto partition = Open(NewRequest(topic));
    auto answer = BeginProduce(partition->id(), Batch(1), acks);
    EXPECT_EQ(disk_->waiting(), 1u) << "a flush begins at once";
    RunDisk();
    EXPECT_TRUE(IsNamed(topic));
    const uint64_t before = syncs();
    BeginProduce(partition->id(), Batch(1), 1);
    EXPECT_EQ(disk_->waiting(), 0u);
    RunDisk();
    EXPECT_EQ(syncs(), before) << "later ones do so at their time";
    partition.reset();
    Restart(PowerLoss::kEverything);
    ASSERT_TRUE(IsNamed(topic));
    EXPECT_EQ(Open(NewRequest(topic))->log_end_offset(), Offset(1));
  }
}

TEST_F(NewReplicaTest, WhereRecordsNeedNoDiskItIsNamedAllTheSame) {
  auto partition = Open(NewRequest("topic", With(Durability::kOs)));
  Produce(partition, Batch(1), 1);
  EXPECT_TRUE(IsNamed("topic"));
}

// Whenever the power fails: it opens again, what was acknowledged is there, and what has a name is where it was.
TEST_F(NewReplicaTest, ThePowerMayFailAtAnyCall) {
  int with_record = 0, with_nothing = 0;
  for (uint64_t cut = 1; cut <= 40; ++cut) {
    for (PowerLoss loss : {PowerLoss::kNothing, PowerLoss::kSomething, PowerLoss::kEverything}) {
      const std::string topic = "t" + std::to_string(cut) + "-" + std::to_string(static_cast<int>(loss));
      files_.CutAt(cut, loss);
      const OpenRequest request = NewRequest(topic);
      auto opened = Begin([&] { return table_->Open(request); });
      auto answer = BeginProduce(request.id, Batch(1), kAcksAll);
      RunDisk();
      const bool acknowledged = answer->has_value() && (*answer)->error == ErrorCode::kNone;
      DropTable();
      files_.PowerOn();
      // A second time, with what is found: what is made durable now must not rest on what is not.
      MakeTable();
      auto partition = Open(NewRequest(topic));
      ASSERT_NE(partition, nullptr) << topic;
      EXPECT_GE(partition->log_end_offset(), Offset(acknowledged ? 1 : 0)) << topic;
      const int64_t end = Produce(partition, Batch(1)).base_offset + 1;
      partition.reset();
      Restart(PowerLoss::kEverything);
      ASSERT_TRUE(IsNamed(topic)) << topic;
      EXPECT_EQ(Open(NewRequest(topic))->log_end_offset(), Offset(end)) << topic;
      with_record += end > 1;
      with_nothing += end == 1;
    }
  }
  EXPECT_GT(with_record, 10);
  EXPECT_GT(with_nothing, 10);
}

TEST_F(NewReplicaTest, AFullDiskHasRoomForItsName) {
  auto partition = Open(NewRequest("topic"));
  auto answer = BeginProduce(partition->id(), Batch(1), kAcksAll);
  files_.FailNth(IoCall::kWrite, 1, ENOSPC, /*and_all_after=*/true);
  RunDisk();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::kNone);
  EXPECT_TRUE(IsNamed("topic"));
}

// Nothing was flushed, and what a killed process has written is there all the same.
TEST_F(NewReplicaTest, WhoFindsItAfterAKillKnowsItsTopic) {
  auto partition = Open(NewRequest("topic"));
  BeginProduce(partition->id(), Batch(1), 1);
  partition.reset();
  EXPECT_FALSE(IsNamed("topic"));
  const OpenRequest request = RequestFor("topic");
  ASSERT_TRUE(log::ReadTopicId(files_, DirectoryOf("topic")).ok());
  EXPECT_EQ(*log::ReadTopicId(files_, DirectoryOf("topic")), request.id.topic_id);
  Status other = log::CreateReplicaDirectory(files_, "/data", {"topic", 0}, Uuid(7, 7));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().kind, ErrorKind::kForeign);
  ASSERT_TRUE(log::CreateReplicaDirectory(files_, "/data", {"topic", 0}, request.id.topic_id).ok());
  EXPECT_TRUE(IsNamed("topic"));
}

TEST_F(NewReplicaTest, ACheckpointOrACleanStopNamesAnEmptyOne) {
  auto partition = Open(NewRequest("checkpoint"));
  Await([&]() -> reactor::Task<int> {
    auto checkpoint = partition->Checkpoint();
    co_await checkpoint;
    co_return 0;
  });
  EXPECT_TRUE(IsNamed("checkpoint"));
  const uint64_t before = syncs();
  Await([&]() -> reactor::Task<int> {
    auto checkpoint = partition->Checkpoint();
    co_await checkpoint;
    co_return 0;
  });
  EXPECT_EQ(syncs(), before) << "once";
  Open(NewRequest("stop"));
  EXPECT_TRUE(Await([&] { return table_->CloseAll(); }).ok());
  partition.reset();
  Restart(PowerLoss::kEverything);
  EXPECT_TRUE(IsNamed("stop"));
}

// The directory of an earlier topic of this name, which could not be renamed.
TEST_F(NewReplicaTest, WhatIsInTheWayIsNotTakenOver) {
  ASSERT_TRUE(log::CreateReplicaDirectory(files_, "/data", {"topic", 0}, Uuid(7, 7)).ok());
  OpenRequest request = RequestFor("topic");
  request.is_new = true;
  Status opened = Await([&] { return table_->Open(request); });
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kForeign);
}

}  // namespace
}  // namespace kb::partition

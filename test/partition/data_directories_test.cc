// What the checkpoint files say of replicas that are open, opening, offline, deleted and made anew.
#include "partition/data_directories.h"

#include <gtest/gtest.h>

#include "log/log_directory.h"
#include "support/sim_file_system.h"

namespace kb::partition {
namespace {

class DataDirectoriesTest : public testing::Test {
 protected:
  static constexpr char kRecoveryPoints[] = "/data/recovery-point-offset-checkpoint";
  static constexpr char kLogStarts[] = "/data/log-start-offset-checkpoint";

  DataDirectoriesTest() { EXPECT_TRUE(files_.CreateDirectories("/data").ok()); }

  void AddReplica(const std::string& topic, Uuid id) {
    EXPECT_TRUE(log::CreateReplicaDirectory(files_, "/data", {topic, 0}, id).ok());
  }
  void Load() {
    directories_ = std::make_unique<DataDirectories>(
        files_, std::vector<DataDirectories::Directory>{{"/data", Uuid(1, 1)}}, NullLogSink());
    Random random(1);
    auto wanted = [](const TopicPartition&, const std::optional<Uuid>&) { return std::optional(Uuid(1, 1)); };
    Status loaded = directories_->Load(wanted, random);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  }
  OpenRequest Placed(const std::string& topic, Uuid id) {
    OpenRequest request;
    request.id = {id, 0};
    request.name = {topic, 0};
    directories_->PlaceReplica(Uuid(1, 1), request);
    return request;
  }
  static CheckpointEntry At(const std::string& topic, Uuid id, int64_t offset) {
    return {{topic, 0}, id, "/data", Offset(offset), Offset(0), Offset(offset)};
  }
  Status Write(const std::vector<CheckpointEntry>& entries) {
    CheckpointJob job = directories_->PrepareCheckpoints(entries);
    Status status = job.Run();
    directories_->CheckpointsWritten(job);
    return status;
  }
  log::OffsetCheckpoint RecoveryPoints() { return *log::ReadOffsetCheckpoint(files_, kRecoveryPoints); }

  const Uuid kA{2, 1}, kB{2, 2}, kC{2, 3};
  test::SimFileSystem files_{1};
  std::unique_ptr<DataDirectories> directories_;
};

TEST_F(DataDirectoriesTest, ANewDirectoryHasRecoveryPointsFromTheFirstStartOn) {
  Load();
  EXPECT_EQ(files_.Get(kRecoveryPoints), "0\n0\n");
  // A replica that came after the checkpoint: nothing of it need be on the disk.
  AddReplica("a", kA);
  Load();
  EXPECT_EQ(Placed("a", kA).recovery_point, Offset(0));
}

TEST_F(DataDirectoriesTest, WithoutRecoveryPointsNobodyKnowsWhatIsOnTheDisk) {
  AddReplica("a", kA);
  Load();
  EXPECT_EQ(Placed("a", kA).recovery_point, std::nullopt);
  for (const char* content : {"", "garbage", "0\n2\na 0 5\n", "0\n1\na 0 -5\n"}) {
    files_.Put(kRecoveryPoints, content);
    Load();
    EXPECT_EQ(Placed("a", kA).recovery_point, std::nullopt) << content;
  }
  files_.Put(kRecoveryPoints, "0\n1\na 0 5\n");
  Load();
  EXPECT_EQ(Placed("a", kA).recovery_point, Offset(5));
}

TEST_F(DataDirectoriesTest, OfWhatIsNotOpenTheCheckpointsGoOnSayingWhatTheySaid) {
  AddReplica("a", kA);
  AddReplica("b", kB);
  files_.Put(kRecoveryPoints, "0\n3\na 0 5\nb 0 7\ngone 0 9\n");
  Load();
  Placed("a", kA);
  ASSERT_TRUE(Write({At("a", kA, 6)}).ok());
  EXPECT_EQ(RecoveryPoints(), (log::OffsetCheckpoint{{{"a", 0}, Offset(6)}, {{"b", 0}, Offset(7)}}));
}

TEST_F(DataDirectoriesTest, WhatIsKnownOfADeletedReplicaIsNotSaidOfTheNextOne) {
  AddReplica("a", kA);
  Load();
  Placed("a", kA);
  ASSERT_TRUE(Write({At("a", kA, 5)}).ok());
  // Deleted and made anew while the job runs.
  CheckpointJob job = directories_->PrepareCheckpoints({At("a", kA, 6)});
  directories_->Forget({"a", 0});
  EXPECT_EQ(Placed("a", kC).recovery_point, Offset(0));
  ASSERT_TRUE(job.Run().ok());
  directories_->CheckpointsWritten(job);
  // And here it was asked what it has before it was deleted.
  ASSERT_TRUE(Write({At("a", kA, 7)}).ok());
  EXPECT_EQ(RecoveryPoints(), log::OffsetCheckpoint());
  ASSERT_TRUE(Write({At("a", kC, 1)}).ok());
  EXPECT_EQ(RecoveryPoints(), (log::OffsetCheckpoint{{{"a", 0}, Offset(1)}}));
  ASSERT_TRUE(Write({}).ok());  // it went offline
  EXPECT_EQ(RecoveryPoints(), (log::OffsetCheckpoint{{{"a", 0}, Offset(1)}}));
}

// Wherever the node ends meanwhile: segments that retention took and that come back must not be believed.
TEST_F(DataDirectoriesTest, LogStartsAreOnRecordBeforeRecoveryPoints) {
  AddReplica("a", kA);
  int starts_only = 0;
  for (uint64_t cut = 1; cut <= 12; ++cut) {
    Load();
    Placed("a", kA);
    CheckpointEntry entry = At("a", kA, 5);
    ASSERT_TRUE(Write({entry}).ok());
    entry.log_start_offset = Offset(8);
    entry.recovery_point = Offset(9);
    files_.CutAt(cut, test::PowerLoss::kNothing);
    (void)Write({entry});
    files_.PowerOn();
    Load();
    const OpenRequest found = Placed("a", kA);
    const bool has_start = found.log_start_offset == Offset(8), has_point = found.recovery_point == Offset(9);
    EXPECT_TRUE(has_start || !has_point) << cut;
    starts_only += has_start && !has_point ? 1 : 0;
  }
  EXPECT_GT(starts_only, 0);
}

TEST_F(DataDirectoriesTest, WhereTheLastCleaningEndedIsReadBack) {
  AddReplica("a", kA);
  AddReplica("b", kB);
  Load();
  Placed("a", kA);
  Placed("b", kB);
  CheckpointEntry compacted = At("a", kA, 9);
  compacted.clean_end = Offset(7);
  ASSERT_TRUE(Write({compacted, At("b", kB, 9)}).ok());
  EXPECT_EQ(files_.Get("/data/cleaner-offset-checkpoint"), "0\n1\na 0 7\n");
  Load();
  EXPECT_EQ(Placed("a", kA).clean_end, Offset(7));
  EXPECT_FALSE(Placed("b", kB).clean_end.has_value());
  ASSERT_TRUE(Write({At("b", kB, 9)}).ok());  // the other could not be opened
  EXPECT_EQ(files_.Get("/data/cleaner-offset-checkpoint"), "0\n1\na 0 7\n");
}

TEST_F(DataDirectoriesTest, ACleanerCheckpointThatCannotBeReadMakesEveryLogACompactedOne) {
  constexpr char kCleaner[] = "/data/cleaner-offset-checkpoint";
  AddReplica("a", kA);
  AddReplica("b", kB);
  Load();
  EXPECT_FALSE(Placed("a", kA).was_compacted);
  files_.Put(kCleaner, "0\n1\na 0 7\n");
  Load();
  EXPECT_TRUE(Placed("a", kA).was_compacted);
  EXPECT_FALSE(Placed("b", kB).was_compacted);
  files_.Put(kCleaner, "nonsense");
  Load();
  EXPECT_TRUE(Placed("b", kB).was_compacted);
}

TEST_F(DataDirectoriesTest, NoLogStartIsOnRecordBeforeWhatLiesBelowIsOnTheDisk) {
  AddReplica("a", kA);
  Load();
  Placed("a", kA);
  CheckpointEntry a = At("a", kA, 20);
  a.log_start_offset = Offset(30);  // the high watermark is ahead of the disk, by the operator's wish
  ASSERT_TRUE(Write({a}).ok());
  EXPECT_EQ(files_.Get(kLogStarts), "0\n1\na 0 20\n");
}

TEST_F(DataDirectoriesTest, AWrongLogStartDoesNotStayOnRecord) {
  AddReplica("a", kA);
  files_.Put(kLogStarts, "0\n1\na 0 1000\n");
  Load();
  EXPECT_EQ(Placed("a", kA).log_start_offset, Offset(1000));
  ASSERT_TRUE(Write({At("a", kA, 20)}).ok());  // whose log start is 0
  EXPECT_EQ(files_.Get(kLogStarts), "0\n0\n");
}

TEST_F(DataDirectoriesTest, ADirectoryWithAReplicaThatWasNotServedIsNotMarkedClean) {
  AddReplica("a", kA);
  AddReplica("b", kB);
  Load();
  Placed("a", kA);
  Placed("b", kB);
  for (bool all : {false, true}) {
    ASSERT_TRUE(Write(all ? std::vector{At("a", kA, 5), At("b", kB, 5)} : std::vector{At("a", kA, 5)}).ok());
    ASSERT_TRUE(directories_->MarkClean(BrokerEpoch(1)).ok());
    EXPECT_EQ(files_.Contents().contains("/data/.kafka_cleanshutdown"), all);
  }
}

TEST_F(DataDirectoriesTest, AFileThatCannotBeWrittenHindersNoOther) {
  AddReplica("a", kA);
  Load();
  Placed("a", kA);
  files_.FailNth(test::IoCall::kOpen, 1, EIO);
  EXPECT_FALSE(Write({At("a", kA, 5)}).ok());
  EXPECT_EQ(log::ReadOffsetCheckpoint(files_, "/data/replication-offset-checkpoint")->size(), 1u);
  ASSERT_TRUE(Write({At("a", kA, 5)}).ok());
  EXPECT_EQ(RecoveryPoints().size(), 1u);
}

// A directory was away while its topic was deleted and made anew.
TEST_F(DataDirectoriesTest, WhatIsOfAnEarlierTopicOfTheNameIsAStray) {
  for (bool has_id : {true, false}) {
    files_ = test::SimFileSystem(1);
    ASSERT_TRUE(files_.CreateDirectories("/other/a-0").ok());
    if (has_id) {
      ASSERT_TRUE(log::CreateReplicaDirectory(files_, "/other", {"a", 0}, kB).ok());
    }
    AddReplica("a", kA);
    directories_ = std::make_unique<DataDirectories>(
        files_, std::vector<DataDirectories::Directory>{{"/data", Uuid(1, 1)}, {"/other", Uuid(1, 2)}}, NullLogSink());
    Random random(1);
    auto wanted = [&](const TopicPartition&, const std::optional<Uuid>& id) -> std::optional<Uuid> {
      return !id || *id == kA ? std::optional(Uuid(1, 1)) : std::nullopt;
    };
    Status loaded = directories_->Load(wanted, random);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(directories_->DirectoryOf({"a", 0}), Uuid(1, 1));
    EXPECT_TRUE(*files_.Exists("/data/a-0"));
    EXPECT_FALSE(*files_.Exists("/other/a-0")) << "it is kept under another name";
  }
}

// A move was sent elsewhere and could not tidy up, and the node went down inside of the exchange.
TEST_F(DataDirectoriesTest, OfTwoCopiesTheOneStaysThatTheMetadataNames) {
  const std::string first_copy = log::DirectoryNameOf({"a", 0}, log::ReplicaDirectoryKind::kFuture, Uuid(9, 1));
  const std::string second_copy = log::DirectoryNameOf({"a", 0}, log::ReplicaDirectoryKind::kFuture, Uuid(9, 2));
  for (uint64_t named : {1, 2, 3}) {
    files_ = test::SimFileSystem(named);
    ASSERT_TRUE(files_.CreateDirectories("/data").ok());
    ASSERT_TRUE(files_.CreateDirectories("/other").ok());
    ASSERT_TRUE(log::CreateReplicaDirectoryNamed(files_, "/data", first_copy, kA).ok());
    ASSERT_TRUE(log::CreateReplicaDirectoryNamed(files_, "/other", second_copy, kA).ok());
    directories_ = std::make_unique<DataDirectories>(
        files_, std::vector<DataDirectories::Directory>{{"/data", Uuid(1, 1)}, {"/other", Uuid(1, 2)}}, NullLogSink());
    Random random(1);
    auto wanted = [&](const TopicPartition&, const std::optional<Uuid>&) { return std::optional(Uuid(1, named)); };
    ASSERT_TRUE(directories_->Load(wanted, random).ok());
    const bool is_second = named == 2;
    EXPECT_EQ(*files_.Exists("/data/a-0"), !is_second) << "without a word the first one";
    EXPECT_EQ(*files_.Exists("/other/a-0"), is_second);
    EXPECT_FALSE(*files_.Exists("/data/" + first_copy));
    EXPECT_FALSE(*files_.Exists("/other/" + second_copy));
    EXPECT_EQ(directories_->DirectoryOf({"a", 0}), Uuid(1, is_second ? 2 : 1));
  }
}

}  // namespace
}  // namespace kb::partition

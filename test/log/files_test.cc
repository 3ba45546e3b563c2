// Names, checkpoint files and data directories: Apache Kafka's texts, read and written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log/checkpoint_files.h"
#include "log/file_names.h"
#include "log/leader_epoch_cache.h"
#include "log/log_directory.h"
#include "support/sim_file_system.h"

namespace kb::log {
namespace {

using testing::ElementsAre;

TEST(FileNameTest, TwentyDigitsAndASuffix) {
  EXPECT_EQ(OffsetFileName(Offset(42), kLogSuffix), "00000000000000000042.log");
  EXPECT_EQ(OffsetFileName(Offset(INT64_MAX), kSnapshotSuffix), "09223372036854775807.snapshot");
  EXPECT_EQ(ParseOffsetFileName("00000000000000000042.timeindex")->offset, Offset(42));
  EXPECT_EQ(ParseOffsetFileName("00000000000000000042.timeindex")->suffix, kTimeIndexSuffix);
  for (const char* name : {"0000000000000000042.log", "00000000000000000042.log.deleted", "00000000000000000042",
                           "0000000000000000004x.log", "99999999999999999999.log", "partition.metadata", ""}) {
    EXPECT_FALSE(ParseOffsetFileName(name).has_value()) << name;
  }
}

TEST(FileNameTest, ThePartitionFollowsTheLastDash) {
  EXPECT_EQ(ParseDirectoryName("a.b-c_d-7-0")->partition, (TopicPartition{"a.b-c_d-7", 0}));
  EXPECT_EQ(ParseDirectoryName("__cluster_metadata-0")->partition, (TopicPartition{"__cluster_metadata", 0}));
  EXPECT_EQ(ParseDirectoryName("t-00012")->partition, (TopicPartition{"t", 12}));
  for (const char* name : {"lost+found", "-1", "t-", "t--", "t-x", "t-99999999999", "t-1x", ""}) {
    EXPECT_FALSE(ParseDirectoryName(name).has_value()) << name;
  }
}

TEST(FileNameTest, DeletedStrayAndFutureDirectoriesAreTold) {
  Uuid unique(0x0123456789abcdef, 0xfedcba9876543210);
  for (auto kind : {ReplicaDirectoryKind::kDelete, ReplicaDirectoryKind::kStray, ReplicaDirectoryKind::kFuture}) {
    std::string name = DirectoryNameOf({"a-b", 3}, kind, unique);
    EXPECT_EQ(ParseDirectoryName(name)->partition, (TopicPartition{"a-b", 3})) << name;
    EXPECT_EQ(ParseDirectoryName(name)->kind, kind) << name;
  }
  EXPECT_EQ(DirectoryNameOf({"a-b", 3}, ReplicaDirectoryKind::kDelete, unique),
            "a-b-3.0123456789abcdeffedcba9876543210-delete");
  std::string longest = DirectoryNameOf({std::string(249, 't'), 99999}, ReplicaDirectoryKind::kStray, unique);
  EXPECT_EQ(longest.size(), 255u);
  EXPECT_EQ(ParseDirectoryName(longest)->partition.partition, 99999);
  EXPECT_FALSE(ParseDirectoryName("t-1.0123-delete").has_value());
}

class CheckpointTest : public testing::Test {
 protected:
  test::SimFileSystem files_;
};

TEST_F(CheckpointTest, OffsetsAreWrittenAndReadBack) {
  OffsetCheckpoint offsets{{{"b", 1}, Offset(7)}, {{"a-x", 0}, Offset(INT64_MAX)}};
  ASSERT_TRUE(WriteOffsetCheckpoint(files_, "/c", offsets).ok());
  EXPECT_EQ(files_.Get("/c"), "0\n2\na-x 0 9223372036854775807\nb 1 7\n");
  EXPECT_EQ(*ReadOffsetCheckpoint(files_, "/c"), offsets);
}

TEST_F(CheckpointTest, MissingAndEmptyMeanNothingMalformedIsAnError) {
  EXPECT_TRUE(ReadOffsetCheckpoint(files_, "/c")->empty());
  for (const char* good : {"", "0\n0\n", "0\n0", "0\n1\na 0 5", "0\r\n1\r\na 0 5\r\n"}) {
    files_.Put("/c", good);
    EXPECT_TRUE(ReadOffsetCheckpoint(files_, "/c").ok()) << good;
  }
  for (const char* bad : {"1\n0\n", "0\n", "0\nx\n", "0\n-1\n", "0\n1\n", "0\n2\na 0 5\n", "0\n1\na 0\n", "0\n1\na 0 5 6\n",
                          "0\n1\na -1 5\n", "0\n1\na 0 -5\n", "0\n1\na 0 99999999999999999999\n", "0\n1\n\na 0 5\n", "\n"}) {
    files_.Put("/c", bad);
    Result<OffsetCheckpoint> read = ReadOffsetCheckpoint(files_, "/c");
    ASSERT_FALSE(read.ok()) << bad;
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt);
  }
}

TEST_F(CheckpointTest, LeaderEpochs) {
  std::vector<EpochStart> entries{{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(2), Offset(60)}};
  EXPECT_EQ(EpochCheckpointText(entries), "0\n2\n0 0\n2 60\n");
  files_.Put("/e", EpochCheckpointText(entries));
  EXPECT_EQ(*ReadEpochCheckpoint(files_, "/e"), entries);
  for (const char* bad : {"0\n2\n2 60\n0 0\n", "0\n2\n0 60\n2 0\n", "0\n2\n1 0\n1 5\n", "0\n1\n-1 0\n"}) {
    files_.Put("/e", bad);
    EXPECT_FALSE(ReadEpochCheckpoint(files_, "/e").ok()) << bad;
  }
}

TEST_F(CheckpointTest, PartitionMetadata) {
  files_.Put("/t-0/partition.metadata", "version: 0\ntopic_id: NeQa6QQrRiu-6liyvSz1eA");
  Uuid id = *ReadPartitionMetadata(files_, "/t-0");
  EXPECT_EQ(id.ToString(), "NeQa6QQrRiu-6liyvSz1eA");
  ASSERT_TRUE(WritePartitionMetadata(files_, "/t-0", id).ok());
  EXPECT_EQ(files_.Get("/t-0/partition.metadata").substr(0, 43), "version: 0\ntopic_id: NeQa6QQrRiu-6liyvSz1eA");
  EXPECT_EQ(ReadPartitionMetadata(files_, "/none").error().kind, ErrorKind::kNotFound);
  for (const char* bad : {"", "version: 1\ntopic_id: NeQa6QQrRiu-6liyvSz1eA", "version: 0\ntopic_id: x", "version: 0\n"}) {
    files_.Put("/t-0/partition.metadata", bad);
    EXPECT_EQ(ReadPartitionMetadata(files_, "/t-0").error().kind, ErrorKind::kCorrupt) << bad;
  }
}

TEST_F(CheckpointTest, TheMarkerOfACleanStop) {
  files_.Put("/data/x", "");
  EXPECT_FALSE(ReadCleanShutdown(files_, "/data")->has_value());
  ASSERT_TRUE(WriteCleanShutdown(files_, "/data", 229).ok());
  EXPECT_EQ(files_.Get("/data/.kafka_cleanshutdown"), "{\"version\":0,\"brokerEpoch\":229}");
  EXPECT_EQ((*ReadCleanShutdown(files_, "/data"))->broker_epoch, 229);
  files_.Put("/data/.kafka_cleanshutdown", "");  // as older versions and harnesses write it
  EXPECT_TRUE(ReadCleanShutdown(files_, "/data")->has_value());
  ASSERT_TRUE(RemoveCleanShutdown(files_, "/data").ok());
  ASSERT_TRUE(RemoveCleanShutdown(files_, "/data").ok());
  files_.Cut(test::PowerLoss::kEverything);
  EXPECT_FALSE(ReadCleanShutdown(files_, "/data")->has_value());
}

TEST_F(CheckpointTest, ADataDirectoryIsLockedOnce) {
  files_.Put("/data/x", "");
  auto lock = LockDataDirectory(files_, "/data");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(LockDataDirectory(files_, "/data").error().kind, ErrorKind::kBusy);
  lock->reset();
  EXPECT_TRUE(LockDataDirectory(files_, "/data").ok());
  EXPECT_TRUE(RemoveLockFile(files_, "/data").ok());
}

TEST_F(CheckpointTest, ReplicaDirectoriesAreMadeDurablyAndKeepTheirTopic) {
  files_.Put("/data/x", "");
  Uuid id(1, 2);
  ASSERT_TRUE(CreateReplicaDirectory(files_, "/data", {"t", 0}, id).ok());
  files_.Cut(test::PowerLoss::kEverything);
  EXPECT_EQ(*ReadPartitionMetadata(files_, "/data/t-0"), id);
  EXPECT_TRUE(CreateReplicaDirectory(files_, "/data", {"t", 0}, id).ok());
  EXPECT_EQ(CreateReplicaDirectory(files_, "/data", {"t", 0}, Uuid(3, 4)).error().kind, ErrorKind::kForeign);
  auto renamed = RenameReplicaDirectory(files_, "/data", {"t", 0}, ReplicaDirectoryKind::kDelete, Uuid(5, 6));
  ASSERT_TRUE(renamed.ok());
  files_.Cut(test::PowerLoss::kEverything);
  auto contents = ScanDataDirectory(files_, "/data");
  ASSERT_EQ(contents->replicas.size(), 1u);
  EXPECT_EQ(contents->replicas[0].name, *renamed);
  EXPECT_EQ(contents->replicas[0].kind, ReplicaDirectoryKind::kDelete);
}

// Whatever fails, and whatever a power cut takes then: there is one present replica, or else the future one.
TEST_F(CheckpointTest, AnExchangeThatFailsLeavesOneWholeReplica) {
  const std::string gone = DirectoryNameOf({"t", 0}, ReplicaDirectoryKind::kDelete, Uuid(5, 6));
  const std::string future = DirectoryNameOf({"t", 0}, ReplicaDirectoryKind::kFuture, Uuid(5, 7));
  for (test::IoCall call : {test::IoCall::kRename, test::IoCall::kSyncDirectory}) {
    for (uint64_t nth : {1, 2}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        test::SimFileSystem files(seed);
        for (const char* directory : {"/from", "/to"}) ASSERT_TRUE(files.CreateDirectories(directory).ok());
        ASSERT_TRUE(files.SyncDirectory("/").ok());
        ASSERT_TRUE(CreateReplicaDirectory(files, "/from", {"t", 0}, Uuid(1, 2)).ok());
        ASSERT_TRUE(CreateReplicaDirectoryNamed(files, "/to", future, Uuid(1, 2)).ok());
        files.FailNth(call, nth, EIO);
        DirectoryExchange exchange{"/from", "/to", "t-0", gone, future};
        EXPECT_FALSE(exchange.Run(files).ok());
        EXPECT_TRUE(exchange.source_is_there);
        EXPECT_EQ(exchange.target_failed, nth == 2);
        files.Cut(seed == 1 ? test::PowerLoss::kEverything : test::PowerLoss::kSomething);
        EXPECT_TRUE(*files.Exists("/from/t-0")) << static_cast<int>(call) << " " << nth << " " << seed;
        EXPECT_FALSE(*files.Exists("/to/t-0")) << static_cast<int>(call) << " " << nth << " " << seed;
      }
    }
  }
}

EpochStart Start(int32_t epoch, int64_t offset) { return {LeaderEpoch(epoch), Offset(offset)}; }

TEST(LeaderEpochCacheTest, EpochsAndStartsAscend) {
  LeaderEpochCache cache;
  EXPECT_FALSE(cache.Assign(LeaderEpoch(-1), Offset(0)));
  EXPECT_TRUE(cache.Assign(LeaderEpoch(0), Offset(0)));
  EXPECT_FALSE(cache.Assign(LeaderEpoch(0), Offset(10)));
  EXPECT_TRUE(cache.Assign(LeaderEpoch(2), Offset(20)));
  EXPECT_THAT(cache.entries(), ElementsAre(Start(0, 0), Start(2, 20)));
  EXPECT_FALSE(cache.Assign(LeaderEpoch(1), Offset(30)));  // an older leader's
  EXPECT_TRUE(cache.Assign(LeaderEpoch(3), Offset(20)));   // epoch 2 wrote nothing
  EXPECT_THAT(cache.entries(), ElementsAre(Start(0, 0), Start(3, 20)));
}

TEST(LeaderEpochCacheTest, EndOffsets) {
  LeaderEpochCache cache({Start(1, 5), Start(3, 20)});
  auto end = [&](int32_t epoch) { return cache.EndOffsetFor(LeaderEpoch(epoch), Offset(40)); };
  auto is = [](int32_t epoch, int64_t offset) { return EpochEndOffset{LeaderEpoch(epoch), Offset(offset)}; };
  EXPECT_EQ(end(-1), EpochEndOffset());
  EXPECT_EQ(end(0), is(0, 5));
  EXPECT_EQ(end(1), is(1, 20));
  EXPECT_EQ(end(2), is(1, 20));
  EXPECT_EQ(end(3), is(3, 40));
  EXPECT_EQ(end(4), EpochEndOffset());
  EXPECT_EQ(LeaderEpochCache().EndOffsetFor(LeaderEpoch(0), Offset(0)), EpochEndOffset());
  EXPECT_EQ(cache.EpochFor(Offset(4)), std::nullopt);
  EXPECT_EQ(cache.EpochFor(Offset(19)), LeaderEpoch(1));
  EXPECT_EQ(cache.EpochFor(Offset(20)), LeaderEpoch(3));
}

TEST(LeaderEpochCacheTest, TruncationFromBothEnds) {
  LeaderEpochCache cache({Start(0, 0), Start(1, 10), Start(2, 20), Start(3, 30)});
  EXPECT_TRUE(cache.TruncateFromEnd(Offset(30)));
  EXPECT_FALSE(cache.TruncateFromEnd(Offset(30)));
  EXPECT_THAT(cache.entries(), ElementsAre(Start(0, 0), Start(1, 10), Start(2, 20)));
  EXPECT_TRUE(cache.TruncateFromStart(Offset(17)));
  EXPECT_THAT(cache.entries(), ElementsAre(Start(1, 17), Start(2, 20)));
  EXPECT_FALSE(cache.TruncateFromStart(Offset(17)));
  EXPECT_FALSE(cache.TruncateFromStart(Offset(3)));
  EXPECT_TRUE(cache.TruncateFromStart(Offset(25)));
  EXPECT_THAT(cache.entries(), ElementsAre(Start(2, 25)));
}

}  // namespace
}  // namespace kb::log

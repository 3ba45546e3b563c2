// The directory of the metadata log: what of it is read, what is refused before a byte changes, what a crash leaves.
#include "controller/metadata_log.h"

#include <sys/stat.h>

#include "controller/support.h"
#include "message/no_op_record.h"

namespace kb::controller {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kQuorumState = "/data/__cluster_metadata-0/quorum-state";

class MetadataLogTest : public ::testing::Test {
 protected:
  Result<LoadedMetadata> Inspect() {
    log_ = std::make_unique<MetadataLog>(node_.files, node_.log_options, node_.sink);
    return log_->Inspect();
  }
  LoadedMetadata MustInspect() {
    Result<LoadedMetadata> loaded = Inspect();
    EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().message);
    return loaded.ok() ? *loaded : LoadedMetadata();
  }
  // Inspecting refuses, in these words, and touches nothing.
  void ExpectRefused(ErrorKind kind, const std::string& words) {
    auto before = node_.files.Contents();
    Result<LoadedMetadata> loaded = Inspect();
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().kind, kind) << loaded.error().message;
    EXPECT_THAT(loaded.error().message, HasSubstr(words));
    EXPECT_EQ(node_.files.Contents(), before);
  }
  static std::vector<uint8_t> NoOpBatch(int64_t offset, int32_t epoch = 2) {
    RecordList records;
    records.Add(message::NoOpRecord());
    return metadata::BuildBatch(Offset(offset), LeaderEpoch(epoch), 5, records);
  }
  static std::string SnapshotPath(const std::string& name) { return "/data/__cluster_metadata-0/" + name; }

  Node node_;
  std::unique_ptr<MetadataLog> log_;
};

TEST_F(MetadataLogTest, ADirectoryOfApacheKafkaIsReadWhole) {
  PutGolden(node_, "clean.log");
  node_.files.Put(kQuorumState, R"({"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,)"
                                R"("currentVoters":[{"voterId":1}],"data_version":0})");
  auto before = node_.files.Contents();
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.image->topic_count(), 18u);
  EXPECT_EQ(loaded.end_offset, Offset(371));
  EXPECT_EQ(loaded.last_epoch, LeaderEpoch(2));
  EXPECT_FALSE(loaded.is_fresh);
  EXPECT_EQ(loaded.torn_bytes, 0u);
  EXPECT_EQ(node_.files.Contents(), before);
  ASSERT_TRUE(log_->Begin(loaded).ok());
  EXPECT_EQ(node_.files.Get(kQuorumState), R"({"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,)"
                                           R"("appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0})");
  EXPECT_EQ(node_.files.Get("/data/__cluster_metadata-0/leader-epoch-checkpoint"), "0\n3\n1 0\n2 227\n3 371\n");
  EXPECT_THAT(node_.files.Get("/data/__cluster_metadata-0/partition.metadata"),
              HasSubstr("topic_id: AAAAAAAAAAAAAAAAAAAAAQ"));
}

TEST_F(MetadataLogTest, TheSnapshotSparesWhatItCovers) {
  PutGolden(node_, "clean.log");
  node_.files.Put(SnapshotPath("00000000000000000225-0000000001.checkpoint"), ReadGolden("clean-225-1.checkpoint"));
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.image->topic_count(), 18u);
  EXPECT_EQ(loaded.end_offset, Offset(371));
  EXPECT_LT(loaded.replayed_records, 136u + 146u);  // of the snapshot, and behind it
  EXPECT_EQ(loaded.image->provenance().last_offset, Offset(370));
}

TEST_F(MetadataLogTest, ADynamicQuorumStaysOne) {
  PutGolden(node_, "dynamic.log");
  node_.files.Put(SnapshotPath("00000000000000000000-0000000000.checkpoint"), ReadGolden("dynamic-0-0.checkpoint"));
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.quorum.kraft_version, 1);
  ASSERT_TRUE(log_->Begin(loaded).ok());
  EXPECT_EQ(node_.files.Get(kQuorumState), R"({"leaderId":1,"leaderEpoch":4,"votedId":-1,)"
                                           R"("votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
}

TEST_F(MetadataLogTest, AFreshDynamicQuorumIsKnownFromItsSnapshotAlone) {
  PutGolden(node_, "dynamic.log");
  ASSERT_TRUE(node_.files.Remove(Node::LogPath()).ok());
  node_.files.Put(SnapshotPath("00000000000000000000-0000000000.checkpoint"), ReadGolden("dynamic-0-0.checkpoint"));
  LoadedMetadata loaded = MustInspect();
  EXPECT_TRUE(loaded.is_fresh);
  EXPECT_EQ(loaded.quorum.kraft_version, 1);
  EXPECT_EQ(loaded.bootstrap.size(), 6u);
}

TEST_F(MetadataLogTest, ALogOfAQuorumOfOthersIsForeign) {
  PutGolden(node_, "clean.log");
  node_.files.Put(kQuorumState, R"({"clusterId":"","leaderId":2,"leaderEpoch":9,"votedId":-1,"appliedOffset":0,)"
                                R"("currentVoters":[{"voterId":1},{"voterId":2},{"voterId":3}],"data_version":0})");
  ExpectRefused(ErrorKind::kForeign, "nodes 1, 2, 3");
  node_.log_options.node_id = BrokerId(7);
  PutGolden(node_, "dynamic.log");
  ASSERT_TRUE(node_.files.Remove(kQuorumState).ok());
  ExpectRefused(ErrorKind::kForeign, "nodes 1,");
}

TEST_F(MetadataLogTest, QuorumStateOfANewerVersionIsForeignAndADamagedOneIsDoneWithout) {
  PutGolden(node_, "clean.log");
  node_.files.Put(kQuorumState, R"({"leaderId":1,"leaderEpoch":9,"data_version":2})");
  ExpectRefused(ErrorKind::kForeign, "data_version=2");
  for (const char* text : {"", "{", "[]", "{}", R"({"leaderEpoch":"x","data_version":0})"}) {
    node_.files.Put(kQuorumState, text);
    LoadedMetadata loaded = MustInspect();
    EXPECT_EQ(loaded.last_epoch, LeaderEpoch(2)) << text;
  }
}

TEST_F(MetadataLogTest, AnEpochThatWasBegunAndNotWrittenIsNotUsedAgain) {
  PutGolden(node_, "clean.log");
  node_.files.Put(kQuorumState, R"({"clusterId":"","leaderId":1,"leaderEpoch":12,"votedId":-1,"appliedOffset":0,)"
                                R"("currentVoters":[{"voterId":1}],"data_version":0})");
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(*log_->Begin(loaded), LeaderEpoch(13));
}

// ---- damage

TEST_F(MetadataLogTest, EveryTornEndIsCutAndNothingElse) {
  std::string golden = ReadGolden("clean.log");
  std::vector<uint8_t> last = NoOpBatch(371);
  for (size_t kept = 1; kept < last.size(); ++kept) {
    PutGolden(node_, "clean.log");
    node_.files.Put(Node::LogPath(), golden + std::string(AsText(last)).substr(0, kept));
    LoadedMetadata loaded = MustInspect();
    EXPECT_EQ(loaded.torn_bytes, kept);
    EXPECT_EQ(loaded.end_offset, Offset(371));
    ASSERT_TRUE(log_->Begin(loaded).ok());
    EXPECT_EQ(node_.files.Get(Node::LogPath()), golden);
    ASSERT_TRUE(node_.files.RemoveRecursively("/data").ok());
  }
}

TEST_F(MetadataLogTest, ZeroesAndAWrongChecksumAtTheEndAreTornToo) {
  std::string golden = ReadGolden("clean.log");
  std::string flipped(AsText(NoOpBatch(371)));
  flipped[70] = static_cast<char>(flipped[70] ^ 4);
  for (const std::string& tail : {std::string(4096, '\0'), flipped, std::string(40, 'x')}) {
    PutGolden(node_, "clean.log");
    node_.files.Put(Node::LogPath(), golden + tail);
    LoadedMetadata loaded = MustInspect();
    EXPECT_EQ(loaded.torn_bytes, tail.size());
    EXPECT_EQ(loaded.image->topic_count(), 18u);
  }
}

TEST_F(MetadataLogTest, AFlippedByteInTheMiddleIsRefusedAndNotCut) {
  for (size_t at : {size_t{20}, size_t{100}, size_t{8}, size_t{1500}, size_t{9000}, size_t{20'000}}) {
    PutGolden(node_, "clean.log");
    std::string log = ReadGolden("clean.log");
    log[at] = static_cast<char>(log[at] ^ 1);
    node_.files.Put(Node::LogPath(), log);
    ExpectRefused(ErrorKind::kCorrupt, Node::LogPath());
  }
}

TEST_F(MetadataLogTest, AMissingBatchIsRefused) {
  PutGolden(node_, "clean.log");
  node_.files.Put(kQuorumState, R"({"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,)"
                                R"("currentVoters":[{"voterId":1}],"data_version":0})");
  std::string log = ReadGolden("clean.log");
  log.erase(91, 330);  // the bootstrap batch
  node_.files.Put(Node::LogPath(), log);
  ExpectRefused(ErrorKind::kCorrupt, "where 1 is due");
}

TEST_F(MetadataLogTest, ALogThatBeginsLaterNeedsASnapshot) {
  PutGolden(node_, "clean.log");
  ASSERT_TRUE(node_.files.Rename(Node::LogPath(), Node::LogPath(371)).ok());
  node_.files.Put(Node::LogPath(371), std::string(AsText(NoOpBatch(371))));
  ExpectRefused(ErrorKind::kCorrupt, "begins at offset 371");
  node_.files.Put(SnapshotPath("00000000000000000225-0000000001.checkpoint"), ReadGolden("clean-225-1.checkpoint"));
  ExpectRefused(ErrorKind::kCorrupt, "begins at offset 371");
}

TEST_F(MetadataLogTest, ASnapshotAheadOfTheLogReplacesIt) {
  PutGolden(node_, "clean.log");
  std::string log = ReadGolden("clean.log");
  node_.files.Put(Node::LogPath(), log.substr(0, 91));
  node_.files.Put(SnapshotPath("00000000000000000225-0000000001.checkpoint"), ReadGolden("clean-225-1.checkpoint"));
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.end_offset, Offset(225));
  EXPECT_EQ(loaded.image->topic_count(), 18u);
  ASSERT_TRUE(log_->Begin(loaded).ok());
  EXPECT_EQ(node_.files.Contents().count(Node::LogPath()), 0u);
  ASSERT_TRUE(log_->Append(Offset(225), NoOpBatch(225)).ok());
  EXPECT_EQ(MustInspect().end_offset, Offset(226));
}

TEST_F(MetadataLogTest, ADamagedSnapshotIsPassedOverWhereTheLogHasEverything) {
  PutGolden(node_, "clean.log");
  std::string snapshot = ReadGolden("clean-225-1.checkpoint");
  snapshot[5000] = static_cast<char>(snapshot[5000] ^ 1);
  node_.files.Put(SnapshotPath("00000000000000000225-0000000001.checkpoint"), snapshot);
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.image->topic_count(), 18u);
  EXPECT_THAT(node_.sink.lines, ::testing::Contains(HasSubstr("00000000000000000225-0000000001.checkpoint")));
}

TEST_F(MetadataLogTest, RecordsAndFeaturesOfTheFutureAreForeign) {
  PutGolden(node_, "clean.log");
  RecordList future;
  future.AddFramed(AsBytes(std::string_view("\x01\x1e\x00\x00", 4)));
  std::string tail(AsText(metadata::BuildBatch(Offset(371), LeaderEpoch(2), 5, future)));
  node_.files.Put(Node::LogPath(), ReadGolden("clean.log") + tail);
  ExpectRefused(ErrorKind::kForeign, "type 30");
  RecordList level;
  level.AddFramed(AsBytes(std::string_view("\x01\x0c\x00\x11metadata.version\x00\x1f\x00", 23)));
  tail = AsText(metadata::BuildBatch(Offset(371), LeaderEpoch(2), 5, level));
  node_.files.Put(Node::LogPath(), ReadGolden("clean.log") + tail);
  ExpectRefused(ErrorKind::kForeign, "metadata.version at level 31");
  ASSERT_TRUE(node_.files.Remove(Node::LogPath()).ok());
  node_.files.Put("/data/bootstrap.checkpoint",
                  std::string(AsText(metadata::EncodeSnapshot(level, LeaderEpoch(0), 0, 0))));
  ExpectRefused(ErrorKind::kForeign, "bootstrap.checkpoint");
}

// ---- what we write

TEST_F(MetadataLogTest, SegmentsRollAndAreReadTogether) {
  PutGolden(node_, "clean.log");
  node_.log_options.segment_bytes = 23'700;
  LoadedMetadata loaded = MustInspect();
  ASSERT_TRUE(log_->Begin(loaded).ok());
  for (int64_t offset = 371; offset < 380; ++offset) ASSERT_TRUE(log_->Append(Offset(offset), NoOpBatch(offset, 3)).ok());
  EXPECT_EQ(node_.files.Contents().count(Node::LogPath(372)), 1u);
  EXPECT_EQ(MustInspect().end_offset, Offset(380));
}

TEST_F(MetadataLogTest, ASnapshotSealsTheSegmentAndOldOnesGo) {
  PutGolden(node_, "clean.log");
  node_.log_options.retention_bytes = 0;
  LoadedMetadata loaded = MustInspect();
  ASSERT_TRUE(log_->Begin(loaded).ok());
  metadata::ImageBuilder builder(loaded.image);
  for (int64_t offset = 371; offset < 374; ++offset) {
    ASSERT_TRUE(log_->Append(Offset(offset), NoOpBatch(offset, 3)).ok());
    builder.Advance({Offset(offset), LeaderEpoch(3), 5});
    ASSERT_TRUE(log_->WriteSnapshot(*builder.Publish().image, {}, 6).ok());
    ASSERT_TRUE(log_->RemoveOld().ok());
  }
  std::vector<std::string> names;
  for (const auto& [path, content] : node_.files.Contents()) {
    std::string name = path.substr(path.rfind('/') + 1);
    if (name.starts_with("0000")) names.push_back(name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("00000000000000000373-0000000003.checkpoint", "00000000000000000373.log",
                                            "00000000000000000374-0000000003.checkpoint", "00000000000000000374.log"));
  LoadedMetadata again = MustInspect();
  EXPECT_EQ(again.end_offset, Offset(374));
  EXPECT_EQ(again.bytes_since_snapshot, 0u);
  EXPECT_EQ(again.image->topic_count(), 18u);
  EXPECT_EQ(again.image->producer_ids().next, ProducerId(2000));
}

TEST_F(MetadataLogTest, AnUnfinishedSnapshotIsLeftOut) {
  PutGolden(node_, "clean.log");
  std::string part = SnapshotPath("00000000000000000225-0000000001.checkpoint.part");
  node_.files.Put(part, "half");
  LoadedMetadata loaded = MustInspect();
  EXPECT_EQ(loaded.image->topic_count(), 18u);
  ASSERT_TRUE(log_->Begin(loaded).ok());
  EXPECT_EQ(node_.files.Contents().count(part), 0u);
}

TEST_F(MetadataLogTest, AFailedAppendIsReported) {
  PutGolden(node_, "clean.log");
  ASSERT_TRUE(log_ == nullptr);
  LoadedMetadata loaded = MustInspect();
  ASSERT_TRUE(log_->Begin(loaded).ok());
  node_.files.FailNth(test::IoCall::kSync, 1, EIO);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kIo);
}

TEST_F(MetadataLogTest, FeaturesThatAreKnownAndNotServedAreNamedOnceAndKept) {
  PutGolden(node_, "clean.log");
  LoadedMetadata loaded = MustInspect();
  std::vector<std::string> warnings;
  for (const std::string& line : node_.sink.lines) {
    if (line.find("does not serve") != std::string::npos) warnings.push_back(line);
  }
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0],
              AllOf(HasSubstr("share.version=1"), HasSubstr("streams.version=1"), HasSubstr("transaction.version=2")));
  EXPECT_THAT(warnings[0], Not(AnyOf(HasSubstr("metadata.version"), HasSubstr("group.version"))));
  EXPECT_EQ(loaded.image->FeatureLevel("share.version"), 1);

  // Formatted by Apache Kafka, and never started: its bootstrap says what it will be.
  Node fresh;
  fresh.files.Put("/data/meta.properties", std::string(kMetaPropertiesOfGolden));
  fresh.files.Put("/data/bootstrap.checkpoint", ReadGolden("bootstrap.checkpoint"));
  fresh.MustStart();
  EXPECT_THAT(fresh.sink.lines, Contains(HasSubstr("share.version=1")));
  EXPECT_EQ(fresh.image().FeatureLevel("share.version"), 1);
}

TEST_F(MetadataLogTest, ASnapshotIsForItsOwnerToReadOnly) {
  char name[] = "/tmp/controller_test.XXXXXX";
  std::string root = mkdtemp(name);
  io::FileSystem& files = io::RealFileSystem();
  MetadataLog log(files, {.metadata_dir = root, .node_id = BrokerId(1)}, node_.sink);
  Result<LoadedMetadata> loaded = log.Inspect();
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(log.Begin(*loaded).ok());
  ASSERT_TRUE(log.WriteSnapshot(*loaded->image, loaded->quorum, 5).ok());
  size_t snapshots = 0;
  Result<std::vector<io::DirectoryEntry>> entries = files.List(log.directory());
  ASSERT_TRUE(entries.ok());
  for (const io::DirectoryEntry& entry : *entries) {
    if (!entry.name.ends_with(".checkpoint")) continue;
    struct stat about {};
    ASSERT_EQ(stat((log.directory() + "/" + entry.name).c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0400u);
    ++snapshots;
  }
  EXPECT_EQ(snapshots, 1u);
  EXPECT_TRUE(files.RemoveRecursively(root).ok());
}

TEST_F(MetadataLogTest, WhatWeFormatNeedsNoWarning) {
  Node node;
  node.Format();
  node.MustStart();
  node.Stop();
  node.MustStart();
  EXPECT_THAT(node.sink.lines, Not(Contains(HasSubstr("does not serve"))));
}

class ShortageTest : public MetadataLogTest {
 protected:
  ShortageTest() {
    PutGolden(node_, "clean.log");
    LoadedMetadata loaded = MustInspect();
    EXPECT_TRUE(log_->Begin(loaded).ok());
    before_ = node_.files.Get(Node::LogPath());
  }
  // The log is as it was, takes the batch when there is room, and is read whole.
  void ExpectItGoesOn() {
    EXPECT_EQ(node_.files.Get(Node::LogPath()), before_);
    std::vector<uint8_t> batch = NoOpBatch(371, 3);
    ASSERT_TRUE(log_->Append(Offset(371), batch).ok());
    node_.files.Cut(test::PowerLoss::kEverything);
    LoadedMetadata loaded = MustInspect();
    EXPECT_EQ(loaded.end_offset, Offset(372));
    EXPECT_EQ(loaded.torn_bytes, 0u);
  }
  std::string before_;
};

TEST_F(ShortageTest, AFullDiskLeavesNothingOfTheAppend) {
  node_.files.set_capacity(node_.files.used_bytes() + 20);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kNoSpace);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kNoSpace);
  node_.files.set_capacity(std::nullopt);
  ExpectItGoesOn();
}

TEST_F(ShortageTest, RoomThatIsMissedAtTheSyncIsMissedLikewise) {
  node_.files.FailNth(test::IoCall::kSync, 1, ENOSPC);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kNoSpace);
  ExpectItGoesOn();
}

TEST_F(ShortageTest, WhatCannotBeCutBackAtOnceIsCutBackBeforeTheNextAppend) {
  node_.files.FailNth(test::IoCall::kSync, 1, ENOSPC);
  node_.files.FailNth(test::IoCall::kTruncate, 1, ENOSPC, /*and_all_after=*/true);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kNoSpace);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kNoSpace);
  node_.files.StopFailing();
  ASSERT_TRUE(log_->Append(Offset(371), NoOpBatch(371, 3)).ok());
  EXPECT_EQ(node_.files.Get(Node::LogPath()).size(), before_.size() + NoOpBatch(371, 3).size());
  EXPECT_EQ(MustInspect().end_offset, Offset(372));
}

TEST_F(ShortageTest, WhatFailsOtherwiseWhileItIsCutBackIsNoShortage) {
  node_.files.FailNth(test::IoCall::kSync, 1, ENOSPC);
  node_.files.FailNth(test::IoCall::kTruncate, 1, EIO);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 3)).error().kind, ErrorKind::kIo);
}

TEST_F(ShortageTest, ANewSegmentWaitsForADescriptor) {
  node_.log_options.segment_bytes = before_.size();
  LoadedMetadata loaded = MustInspect();
  ASSERT_TRUE(log_->Begin(loaded).ok());
  node_.files.set_most_open_files(node_.files.open_files());
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 4)).error().os_errno, EMFILE);
  node_.files.set_most_open_files(std::nullopt);
  node_.files.FailNth(test::IoCall::kSyncDirectory, 1, ENOSPC);
  EXPECT_EQ(log_->Append(Offset(371), NoOpBatch(371, 4)).error().os_errno, ENOSPC);
  ASSERT_TRUE(log_->Append(Offset(371), NoOpBatch(371, 4)).ok()) << "the file that is there already is no obstacle";
  EXPECT_EQ(MustInspect().end_offset, Offset(372));
}

TEST_F(ShortageTest, ASnapshotThatDoesNotFitTakesNoRoom) {
  LoadedMetadata loaded = MustInspect();
  ASSERT_TRUE(log_->Begin(loaded).ok());
  uint64_t used_bytes = node_.files.used_bytes();
  node_.files.set_capacity(used_bytes + 100);
  EXPECT_FALSE(log_->WriteSnapshot(*loaded.image, loaded.quorum, 5).ok());
  EXPECT_EQ(node_.files.used_bytes(), used_bytes);
}

}  // namespace
}  // namespace kb::controller

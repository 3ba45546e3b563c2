// Cleaning of a node's partitions: which is chosen and when, what goes on meanwhile, how it ends, what the checkpoints
// say.
#include "partition/cleaning.h"

#include "partition/fixture.h"

namespace kb::partition {
namespace {

class CleaningTest : public PartitionFixture {
 protected:
  CleaningTest() { settings_.backoff_ms = kBackoffMs; }
  ~CleaningTest() override {
    DropTable();
    cleaning_.reset();
  }
  static constexpr int64_t kBackoffMs = 5000;

  static PartitionConfig Compacted() {
    PartitionConfig config;
    config.log.cleanup_compact = true;
    config.log.cleanup_delete = false;
    config.log.segment_bytes = 1000;
    return config;
  }
  void Write(const std::shared_ptr<Partition>& partition, int records, std::string_view value = "value") {
    for (int i = 0; i < records; ++i) {
      record::BatchBuilder builder(record::BatchOptions{});
      std::string key = "key-" + std::to_string(i % 3);
      builder.Append(now_ms(), AsBytes(key), AsBytes(value));
      ASSERT_EQ(Produce(partition, builder.Build()).error, ErrorCode::kNone);
    }
  }
  // One cleaning, without the loop.
  Pending<bool> BeginClean(const std::shared_ptr<Partition>& partition) {
    return Begin([this, id = partition->id()] { return table_->Clean(id, settings_.Share()); });
  }
  bool Clean(const std::shared_ptr<Partition>& partition) {
    Pending<bool> cleaned = BeginClean(partition);
    RunDisk();
    KB_CHECK(cleaned->has_value());
    return **cleaned;
  }

  // ---- the loop
  void StartCleaning() {
    Cleaning::Environment environment;
    environment.reactors = {&**reactor_};
    environment.tables = {table_.get()};
    environment.settings = [this] { return settings_; };
    environment.write_checkpoints = [this]() -> reactor::Task<Status> {
      checkpoints_.push_back(table_->Checkpoint());
      co_return checkpoint_status_;
    };
    On([&] {
      cleaning_ = std::make_unique<Cleaning>(std::move(environment));
      cleaning_->Start();
    });
    Turn();
  }
  std::optional<Offset> CheckpointOf(size_t checkpoint, const std::string& topic) {
    for (const CheckpointEntry& entry : checkpoints_.at(checkpoint)) {
      if (entry.name.topic == topic) return entry.clean_end;
    }
    return std::nullopt;
  }
  size_t FilesWith(std::string_view suffix) {
    size_t count = 0;
    for (const auto& [path, content] : files_.Contents()) count += path.ends_with(suffix) ? 1 : 0;
    return count;
  }

  CleaningSettings settings_;
  std::unique_ptr<Cleaning> cleaning_;
  std::vector<std::vector<CheckpointEntry>> checkpoints_;
  Status checkpoint_status_;
};

TEST_F(CleaningTest, TheDirtiestComesFirstAndWhatIsNotDirtyWaits) {
  auto plain = Open("plain");
  auto active_only = Open("active-only", Compacted());
  auto dirty = Open("dirty", Compacted());
  auto dirtier = Open("dirtier", Compacted());
  Write(plain, 30);
  Write(active_only, 2);
  Write(dirty, 60, std::string(90, 'v'));
  ASSERT_TRUE(Clean(dirty));
  Write(dirty, 60);
  Write(dirtier, 60);
  StartCleaning();
  RunDisk();
  EXPECT_FALSE(plain->clean_end().has_value());
  EXPECT_FALSE(active_only->clean_end().has_value());
  // The first is named before anything is taken out of it, and all of it is clean then.
  ASSERT_EQ(checkpoints_.size(), 3u);
  EXPECT_EQ(CheckpointOf(0, "dirtier"), Offset(0));
  EXPECT_EQ(CheckpointOf(1, "dirtier"), dirtier->clean_end());
  EXPECT_EQ(CheckpointOf(2, "dirty"), dirty->clean_end());
  EXPECT_LT(CheckpointOf(1, "dirty"), dirty->clean_end());
}

// The log has lost its end, and what was clean went along.
TEST_F(CleaningTest, WhatTakesThePlaceOfALostEndIsCleanedAgain) {
  OpenRequest request = RequestFor("topic", Compacted());
  request.clean_end = Offset(30);
  auto partition = Open(request);
  EXPECT_EQ(partition->clean_end(), Offset(0));
  Write(partition, 60);
  const uint64_t before = partition->log().size_bytes();
  ASSERT_TRUE(Clean(partition));
  EXPECT_LT(partition->log().size_bytes(), before / 2);
}

TEST_F(CleaningTest, NothingIsTakenOutOfALogThatCouldNotBeNamed) {
  auto partition = Open("topic", Compacted());
  Write(partition, 60);
  const uint64_t before = partition->log().size_bytes();
  checkpoint_status_ = Error{ErrorKind::kNoSpace, "no room"};
  StartCleaning();
  for (size_t looks = 1; looks <= 3; ++looks) {
    RunDisk();
    EXPECT_EQ(checkpoints_.size(), looks);
    EXPECT_EQ(partition->log().size_bytes(), before);
    EXPECT_FALSE(partition->clean_end().has_value());
    PassTime(kBackoffMs);
  }
  checkpoint_status_ = Status();
  PassTime(kBackoffMs);
  RunDisk();
  EXPECT_LT(partition->log().size_bytes(), before);
}

TEST_F(CleaningTest, TheLoopLooksAgainAndFollowsTheConfiguration) {
  auto partition = Open("topic", Compacted());
  StartCleaning();
  RunDisk();
  Write(partition, 60);
  const uint64_t before = partition->log().size_bytes();
  PassTime(kBackoffMs - 1);
  RunDisk();
  EXPECT_EQ(partition->log().size_bytes(), before);
  PassTime(1);
  RunDisk();
  EXPECT_LT(partition->log().size_bytes(), before / 2);

  auto cleans = [&](const PartitionConfig& config) {
    On([&] { partition->UpdateConfig(config); });
    Write(partition, 60);
    const std::optional<Offset> end = partition->clean_end();
    PassTime(kBackoffMs);
    RunDisk();
    return partition->clean_end() > end;
  };
  PartitionConfig config = Compacted();
  config.log.min_cleanable_dirty_ratio = 1;
  EXPECT_FALSE(cleans(config));
  config.log.max_compaction_lag_ms = kBackoffMs;
  EXPECT_TRUE(cleans(config));
  config.log.min_compaction_lag_ms = 10 * kBackoffMs;
  EXPECT_FALSE(cleans(config));
  config = Compacted();
  config.log.cleanup_compact = false;
  EXPECT_FALSE(cleans(config));
  settings_.threads = 0;
  EXPECT_FALSE(cleans(Compacted()));
  settings_.threads = 1;
  EXPECT_TRUE(cleans(Compacted()));
}

TEST_F(CleaningTest, AsManyAtATimeAsThereAreThreads) {
  settings_.threads = 2;
  for (const char* topic : {"a", "b", "c"}) Write(Open(topic, Compacted()), 60);
  StartCleaning();
  EXPECT_EQ(disk_->waiting(), 2u);
  RunDisk();
  for (const char* topic : {"a", "b", "c"}) {
    EXPECT_TRUE(table_->Find(RequestFor(topic).id)->clean_end() > Offset(0)) << topic;
  }
}

TEST_F(CleaningTest, SharesAreDealtOut) {
  settings_ = {.threads = 4, .map_bytes = 64 << 20, .io_buffer_bytes = 1 << 20, .most_bytes_per_second = 4'000'000};
  const CleaningOptions share = settings_.Share();
  EXPECT_EQ(share.clean.map.most_bytes, 16u << 20);
  EXPECT_EQ(share.clean.write_bytes, 128u << 10);
  EXPECT_EQ(share.most_bytes_per_second, 1'000'000);
  EXPECT_EQ(share.clean.bytes_per_run, 200'000u);
}

TEST_F(CleaningTest, TheDiskIsUsedNoFasterThanAllowed) {
  auto partition = Open("topic", Compacted());
  Write(partition, 200);
  settings_.most_bytes_per_second = 10'000;
  const uint64_t bytes = partition->log().size_bytes();  // read twice, less is written
  const int64_t begun_ms = now_ms();
  Pending<bool> cleaned = BeginClean(partition);
  while (!cleaned->has_value()) {
    RunDisk();
    PassTime(20);
  }
  EXPECT_TRUE(**cleaned);
  const int64_t took_ms = now_ms() - begun_ms;
  EXPECT_GT(took_ms, static_cast<int64_t>(bytes) * 2 / 10 * 8 / 10);
  EXPECT_LT(took_ms, static_cast<int64_t>(bytes) * 3 / 10 * 15 / 10);
}

TEST_F(CleaningTest, AppendsRollsAndDeleteRecordsGoOnMeanwhileAndRetentionWaits) {
  PartitionConfig both = Compacted();
  both.log.cleanup_delete = true;
  both.log.retention_bytes = 0;
  auto partition = Open("topic", both);
  Write(partition, 100);
  const Offset end = partition->log_end_offset();
  Pending<bool> cleaned = BeginClean(partition);
  ASSERT_TRUE(partition->log().is_being_cleaned());
  EXPECT_FALSE(partition->Cleanable(now_ms()).has_value());
  EXPECT_TRUE(partition->log().ApplyRetention(now_ms(), partition->high_watermark()).empty());
  const size_t segments = partition->log().segments();
  for (int i = 0; i < 20; ++i) {
    std::vector<uint8_t> batch = Batch(1, {}, 100);
    ASSERT_EQ(On([&] { return partition->AppendOwn(batch); }).error, ErrorCode::kNone);
  }
  EXPECT_GT(partition->log().segments(), segments);
  EXPECT_EQ(Remove(partition, 40).error, ErrorCode::kNone);
  RunDisk();
  ASSERT_TRUE(cleaned->has_value() && **cleaned);
  EXPECT_EQ(partition->log_end_offset(), end + 20);
  EXPECT_EQ(partition->log_start_offset(), Offset(40));
  EXPECT_EQ(Read(partition, At(39)).error, ErrorCode::kOffsetOutOfRange);
  ReadOutcome read = Read(partition, At(40));
  EXPECT_EQ(read.error, ErrorCode::kNone);
  ASSERT_TRUE(read.slice.has_value());
  EXPECT_FALSE(partition->log().ApplyRetention(now_ms(), partition->high_watermark()).empty());
}

TEST_F(CleaningTest, ReadsThatWaitForTheDiskMeetTheNewSegments) {
  auto partition = Open("topic", Compacted());
  Write(partition, 100);
  On([&] {
    partition->log().ReleaseIdle();
    partition->log().ReleaseIdle();
  });
  files_.DropCaches();
  Pending<ReadOutcome> read = Begin([&] { return partition->Read(At(0)); });
  Pending<OffsetLookup> found =
      Begin([&] { return partition->FindOffset(1, IsolationLevel::kReadUncommitted, kNoLeaderEpoch); });
  EXPECT_FALSE(read->has_value() || found->has_value());
  Pending<bool> cleaned = BeginClean(partition);
  RunDisk();
  ASSERT_TRUE(cleaned->has_value() && **cleaned);
  ASSERT_TRUE(read->has_value() && found->has_value());
  EXPECT_EQ((*read)->error, ErrorCode::kNone);
  EXPECT_EQ((*found)->error, ErrorCode::kNone);
}

TEST_F(CleaningTest, ATopicThatIsNoLongerCompactedIsLeftAsItIs) {
  auto partition = Open("topic", Compacted());
  Write(partition, 200);
  settings_.most_bytes_per_second = 20'000;
  Pending<bool> cleaned = BeginClean(partition);
  RunDisk();
  PartitionConfig config = Compacted();
  config.log.cleanup_compact = false;
  On([&] { partition->UpdateConfig(config); });
  PassTime(200);
  RunDisk();
  ASSERT_TRUE(cleaned->has_value());
  EXPECT_FALSE(**cleaned);
  EXPECT_FALSE(partition->log().is_being_cleaned());
  EXPECT_EQ(FilesWith(".cleaned") + FilesWith(".swap"), 0u);
}

TEST_F(CleaningTest, DeletingATopicWaitsForTheEndOfItsCleaning) {
  auto partition = Open("topic", Compacted());
  Write(partition, 200);
  settings_.most_bytes_per_second = 20'000;  // several runs
  Pending<bool> cleaned = BeginClean(partition);
  Pending<Status> deleted = Begin([&] { return table_->Delete(partition->id(), 0); });
  EXPECT_FALSE(deleted->has_value());
  for (int i = 0; i < 100 && !deleted->has_value(); ++i) {
    RunDisk();
    PassTime(200);
  }
  RunDisk();
  ASSERT_TRUE(deleted->has_value() && (*deleted)->ok());
  EXPECT_TRUE(cleaned->has_value());
  PassTime(100'000);
  RunDisk();
  for (const auto& [path, content] : files_.Contents()) EXPECT_EQ(path.find("topic-0"), std::string::npos) << path;
  EXPECT_TRUE(said_.errors.empty());
}

TEST_F(CleaningTest, StoppingEndsWhatIsUnderWay) {
  auto partition = Open("topic", Compacted());
  Write(partition, 200);
  settings_.most_bytes_per_second = 1000;
  StartCleaning();
  RunOneJob();
  Pending<int> stopped = Begin([&]() -> reactor::Task<int> {
    auto stop = cleaning_->Stop();
    co_await stop;
    co_return 0;
  });
  EXPECT_FALSE(stopped->has_value());
  PassTime(200);
  RunDisk();
  ASSERT_TRUE(stopped->has_value());
  EXPECT_EQ(partition->clean_end(), Offset(0));
  EXPECT_FALSE(partition->log().is_being_cleaned());
  EXPECT_TRUE(Await([&] { return table_->CloseAll(); }).ok());
}

TEST_F(CleaningTest, ADamagedPartitionIsLeftAloneAfterOneLineAndTheOthersAreCleaned) {
  auto damaged = Open("damaged", Compacted());
  auto sound = Open("sound", Compacted());
  Write(damaged, 60);
  Write(sound, 60);
  const std::string path = "/data/damaged-0/00000000000000000000.log";
  std::string content = files_.Get(path);
  content[content.size() / 2] ^= 1;
  files_.Put(path, content);
  StartCleaning();
  for (int i = 0; i < 3; ++i) {
    RunDisk();
    PassTime(kBackoffMs);
  }
  EXPECT_FALSE(damaged->Cleanable(now_ms()).has_value());
  EXPECT_FALSE(damaged->offline());
  EXPECT_EQ(damaged->clean_end(), Offset(0));
  EXPECT_GT(sound->clean_end(), Offset(0));
  ASSERT_EQ(said_.errors.size(), 1u);
  EXPECT_NE(said_.errors[0].find("cleaning damaged-0 ended: " + path + " byte "), std::string::npos) << said_.errors[0];
  EXPECT_EQ(Read(damaged, At(0)).error, ErrorCode::kNone);
}

TEST_F(CleaningTest, AReadErrorIsNoReasonToTakeTheDirectoryOffline) {
  auto partition = Open("topic", Compacted());
  Write(partition, 60);
  files_.FailNth(test::IoCall::kRead, 1, EIO);
  EXPECT_FALSE(Clean(partition));
  EXPECT_FALSE(partition->Cleanable(now_ms()).has_value());
  EXPECT_FALSE(partition->offline());
  EXPECT_EQ(said_.errors.size(), 1u);
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kNone);
}

TEST_F(CleaningTest, AShortageIsWaitedOut) {
  auto partition = Open("topic", Compacted());
  Write(partition, 60);
  files_.set_capacity(files_.used_bytes());
  StartCleaning();
  RunDisk();
  EXPECT_EQ(said_.errors.size(), 1u);
  EXPECT_EQ(FilesWith(".cleaned") + FilesWith(".swap"), 0u);
  files_.set_capacity(std::nullopt);
  EXPECT_FALSE(Clean(partition));  // not at once
  files_.FailNth(test::IoCall::kOpen, 1, EMFILE);
  PassTime(kBackoffMs);
  RunDisk();
  EXPECT_EQ(said_.errors.size(), 2u);
  PassTime(kBackoffMs);
  RunDisk();
  EXPECT_GT(partition->clean_end(), Offset(0));
}

TEST_F(CleaningTest, AFailedRenameTakesTheDirectoryOffline) {
  auto partition = Open("topic", Compacted());
  Write(partition, 60);
  Pending<bool> cleaned = BeginClean(partition);
  while (FilesWith(".swap") == 0) disk_->RunOne();
  files_.FailNth(test::IoCall::kRename, 1, EIO);
  RunDisk();
  ASSERT_TRUE(cleaned->has_value());
  EXPECT_FALSE(**cleaned);
  EXPECT_TRUE(partition->offline());
  EXPECT_EQ(failed_directories_.size(), 1u);
}

// Any one of three says so: the policy, the cleaner's checkpoint, or snapshots, which a flush writes behind all that
// lies before.
TEST_F(CleaningTest, GapsOfALogThatWasCompactedOnceAreNoLoss) {
  auto partition = Open("topic", Compacted());
  Write(partition, 60);
  ASSERT_TRUE(Clean(partition));
  const Offset end = partition->log_end_offset();
  struct Case {
    bool was_compacted, has_snapshots;
  };
  for (const auto& [was_compacted, has_snapshots] : {Case{true, false}, Case{false, true}, Case{false, false}}) {
    partition = nullptr;
    Restart(test::PowerLoss::kNothing);
    for (const auto& [path, content] : files_.Contents()) {
      if (has_snapshots || !path.ends_with(log::kSnapshotSuffix)) continue;
      ASSERT_TRUE(files_.Remove(path).ok());
    }
    OpenRequest request = RequestFor("topic");  // with the default policy
    request.recovery_point = Offset(0);
    request.was_compacted = was_compacted;
    partition = Open(request);
    EXPECT_EQ(partition->log_end_offset() == end, was_compacted || has_snapshots);
  }
}

}  // namespace
}  // namespace kb::partition

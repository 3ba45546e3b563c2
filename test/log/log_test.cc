// A log in good days: what is appended is read back, whole batches under the limits asked for, however the files lie.
#include "log/log.h"

#include "log_fixture.h"

namespace kb::log {
namespace {

using testing::ElementsAre;

TEST_F(LogTest, AnEmptyDirectoryBecomesAnEmptyLog) {
  Open();
  EXPECT_EQ(log_->log_start_offset(), Offset(0));
  EXPECT_EQ(log_->log_end_offset(), Offset(0));
  EXPECT_EQ(log_->recovery_point(), Offset(0));
  EXPECT_THAT(SegmentBases(), ElementsAre(0));
  EXPECT_FALSE(log_->needs_flush());
  ReadResult result = Read(From(0));
  EXPECT_EQ(result.status, ReadStatus::kOk);
  EXPECT_EQ(result.slice.size_bytes, 0u);
  EXPECT_EQ(Read(From(1)).status, ReadStatus::kOutOfRange);
}

TEST_F(LogTest, OffsetsAndEpochAreGivenInPlaceAndTheChecksumStaysRight) {
  Open();
  leader_epoch_ = LeaderEpoch(7);
  EXPECT_EQ(Append(BatchOf(3)).base_offset, Offset(0));
  std::vector<uint8_t> bytes = BatchOf(2).Build();
  AppendOptions options;
  options.leader_epoch = leader_epoch_;
  AppendResult result = log_->Append(bytes, options);
  EXPECT_EQ(result.base_offset, Offset(3));
  EXPECT_EQ(result.last_offset, Offset(4));
  record::BatchView batch{ByteView(bytes)};
  EXPECT_EQ(batch.base_offset(), Offset(3));
  EXPECT_EQ(batch.leader_epoch(), LeaderEpoch(7));
  EXPECT_TRUE(batch.CheckCrc());
  EXPECT_EQ(BytesOf(Read(From(3)).slice), bytes);
  EXPECT_EQ(log_->leader_epochs().entries(), (std::vector<EpochStart>{{LeaderEpoch(7), Offset(0)}}));
}

TEST_F(LogTest, SeveralBatchesInOneAppendAreAllOrNothing) {
  Open();
  std::vector<uint8_t> both = BatchOf(2).Build();
  std::vector<uint8_t> second = BatchOf(3).Build();
  both.insert(both.end(), second.begin(), second.end());
  AppendResult result = Append(both);
  EXPECT_EQ(result.base_offset, Offset(0));
  EXPECT_EQ(result.last_offset, Offset(4));
  EXPECT_THAT(BaseOffsetsFrom(0), ElementsAre(0, 2));
}

TEST_F(LogTest, AReadBeginsWithTheBatchThatHoldsTheOffset) {
  Open();
  AppendMany(10, 5);
  ReadResult result = Read(From(12));
  EXPECT_EQ(result.slice.first_offset, Offset(10));
  EXPECT_THAT(BaseOffsetsFrom(12), ElementsAre(10, 15, 20, 25, 30, 35, 40, 45));
}

TEST_F(LogTest, NothingAtOrAboveTheEndOffsetIsReturned) {
  Open();
  AppendMany(10, 2);
  ReadOptions options = From(4);
  options.end_offset = Offset(8);
  std::vector<uint8_t> bytes = BytesOf(Read(options).slice);
  record::BatchWalk walk(bytes);
  EXPECT_EQ(walk.Next()->base_offset(), Offset(4));
  EXPECT_EQ(walk.Next()->base_offset(), Offset(6));
  EXPECT_FALSE(walk.Next().has_value());
  options.end_offset = Offset(4);
  EXPECT_EQ(Read(options).slice.size_bytes, 0u);
}

TEST_F(LogTest, LimitsCutInsideABatchButTheFirstOneComesWhole) {
  Open();
  AppendMany(3, 1, 100);
  const uint64_t one = Read(From(0, 1)).slice.size_bytes;
  EXPECT_GT(one, 100u);
  EXPECT_EQ(Read(From(0, one + 7)).slice.size_bytes, one + 7);
  ReadOptions strict = From(0, one - 1);
  strict.at_least_one = false;
  ReadResult result = Read(strict);
  EXPECT_EQ(result.status, ReadStatus::kOk);
  EXPECT_TRUE(result.first_batch_too_large);
  EXPECT_EQ(result.slice.size_bytes, 0u);
}

TEST_F(LogTest, ReadsCrossSegmentsOneSliceAtATime) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(50, 2, 50);
  EXPECT_GT(log_->segments(), 5u);
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < 100; i += 2) expected.push_back(i);
  EXPECT_EQ(BaseOffsetsFrom(0), expected);
  EXPECT_EQ(BaseOffsetsFrom(0, 300), expected);
}

TEST_F(LogTest, EveryOffsetIsFoundInSealedSegmentsAndTheTail) {
  config_.segment_bytes = 30'000;
  Open();
  AppendMany(600, 3, 20);
  ASSERT_GE(log_->segments(), 3u);
  for (int round = 0; round < 2; ++round) {
    for (int64_t offset = 0; offset < 1800; offset += 7) {
      ASSERT_EQ(Read(From(offset, 1)).slice.first_offset, Offset(offset / 3 * 3)) << offset;
    }
    ReopenCleanly();
  }
}

TEST_F(LogTest, TailReadsTakeNoSystemCall) {
  Open();
  AppendMany(1000, 1);
  uint64_t reads = files_.calls(test::IoCall::kRead);
  ReadOptions options = From(990);
  options.end_offset = Offset(995);
  EXPECT_EQ(log_->Read(options).status, ReadStatus::kOk);
  EXPECT_GT(log_->Read(options).slice.size_bytes, 0u);
  EXPECT_EQ(files_.calls(test::IoCall::kRead), reads);
}

TEST_F(LogTest, ColdDataIsPrefetchedFirst) {
  config_.segment_bytes = 40'000;
  Open();
  AppendMany(2000, 1, 40);
  ReopenCleanly();
  files_.DropCaches();
  ReadOptions options = From(300, 5'000);
  EXPECT_EQ(log_->Read(options).status, ReadStatus::kNeedsDisk);
  PrefetchJob job = log_->PreparePrefetch(options);
  job.Run();
  log_->PrefetchCompleted(job);
  ReadResult result = log_->Read(options);
  ASSERT_EQ(result.status, ReadStatus::kOk);
  EXPECT_EQ(result.slice.first_offset, Offset(300));
  EXPECT_EQ(result.slice.size_bytes, 5'000u);
}

TEST_F(LogTest, ASliceOutlivesTheSegmentItCameFrom) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(20, 1, 100);
  Slice slice = Read(From(0)).slice;
  std::vector<uint8_t> before = BytesOf(slice);
  log_->DeleteRecordsTo(Offset(15));
  RemovalJob job = log_->ApplyRetention(now_ms_, log_->log_end_offset());
  EXPECT_TRUE(job.Rename().ok());
  EXPECT_TRUE(job.Remove().ok());
  EXPECT_EQ(BytesOf(slice), before);
}

TEST_F(LogTest, FollowersKeepOffsetsAndGaps) {
  Open();
  EXPECT_TRUE(log_->AppendAsFollower(BatchOf(2).Based(0, 3).Build(), now_ms_).ok());
  EXPECT_TRUE(log_->AppendAsFollower(BatchOf(2).Based(10, 5).Build(), now_ms_).ok());
  EXPECT_EQ(log_->log_end_offset(), Offset(12));
  EXPECT_EQ(Read(From(5)).slice.first_offset, Offset(10));
  EXPECT_EQ(log_->leader_epochs().entries(),
            (std::vector<EpochStart>{{LeaderEpoch(3), Offset(0)}, {LeaderEpoch(5), Offset(10)}}));
  AppendResult result = log_->AppendAsFollower(BatchOf(2).Based(11, 5).Build(), now_ms_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.failure->error, AppendError::kUnexpectedOffset);
}

// ---- rolling

TEST_F(LogTest, SegmentsRollBySize) {
  config_.segment_bytes = static_cast<int32_t>(2 * BatchOf(1).Build().size());
  Open();
  AppendMany(5);
  EXPECT_THAT(SegmentBases(), ElementsAre(0, 2, 4));
}

TEST_F(LogTest, AnAppendLargerThanASegmentIsRefused) {
  config_.segment_bytes = 100;
  Open();
  AppendResult result = Append(BatchOf(1).ValueBytes(200));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.failure->error, AppendError::kTooLargeForSegment);
  EXPECT_EQ(log_->log_end_offset(), Offset(0));
}

TEST_F(LogTest, SegmentsRollByRecordTimeNotByTheWall) {
  config_.segment_ms = 1000;
  Open();
  EXPECT_FALSE(Append(BatchOf(1).At(kT0)).rolled);
  now_ms_ += 3'600'000;
  EXPECT_FALSE(Append(BatchOf(1).At(kT0 + 1000)).rolled);
  EXPECT_TRUE(Append(BatchOf(1).At(kT0 + 1001)).rolled);
  EXPECT_FALSE(Append(BatchOf(1).At(kT0)).rolled);
}

TEST_F(LogTest, RecordsWithoutTimeRollByTheAgeOfTheSegment) {
  config_.segment_ms = 1000;
  Open();
  EXPECT_FALSE(Append(BatchOf(1).At(-1)).rolled);
  now_ms_ += 1000;
  EXPECT_FALSE(Append(BatchOf(1).At(-1)).rolled);
  now_ms_ += 1;
  EXPECT_TRUE(Append(BatchOf(1).At(-1)).rolled);
}

TEST_F(LogTest, SegmentsRollWhenAnIndexIsFull) {
  config_.segment_index_bytes = 60;  // 7 offset entries, 5 time entries of which one is kept for the end
  config_.index_interval_bytes = 0;
  Open();
  AppendMany(20);
  EXPECT_THAT(SegmentBases(), ElementsAre(0, 5, 10, 15));
}

TEST_F(LogTest, AFollowersGapBeyondWhatAnIndexCanExpressRolls) {
  Open();
  Append(BatchOf(1));
  EXPECT_TRUE(log_->AppendAsFollower(BatchOf(2).Based(int64_t{1} << 31, 0).Build(), now_ms_).rolled);
  EXPECT_THAT(SegmentBases(), ElementsAre(0, int64_t{1} << 31));
}

// ---- durability

TEST_F(LogTest, AFlushMovesTheRecoveryPointToWhatWasThereWhenItBegan) {
  Open();
  AppendMany(3);
  FlushJob job = log_->PrepareFlush();
  EXPECT_EQ(job.target_offset(), Offset(3));
  AppendMany(2);
  Status status = job.Run();
  log_->FlushCompleted(job, status);
  EXPECT_EQ(log_->recovery_point(), Offset(3));
  EXPECT_TRUE(log_->needs_flush());
  EXPECT_TRUE(Flush().ok());
  EXPECT_EQ(log_->recovery_point(), Offset(5));
  EXPECT_FALSE(log_->needs_flush());
  EXPECT_TRUE(log_->PrepareFlush().empty());
}

TEST_F(LogTest, WhatWasFlushedSurvivesAPowerCut) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(30, 1, 50);
  ASSERT_TRUE(Flush().ok());
  Remember();
  AppendMany(30, 1, 50);
  log_.reset();
  files_.Cut(test::PowerLoss::kEverything);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(30));
  EXPECT_EQ(BaseOffsetsFrom(0).size(), 30u);
}

TEST_F(LogTest, ReleaseIdleClosesWhatNobodyUses) {
  config_.segment_bytes = 1000;
  Open();
  EXPECT_EQ(files_.open_files(), 0u);
  AppendMany(30, 1, 50);
  log_->ReleaseIdle();
  log_->ReleaseIdle();
  EXPECT_GT(files_.open_files(), 0u);  // unflushed: the kernel reports failures to an open descriptor
  ASSERT_TRUE(Flush().ok());
  log_->ReleaseIdle();
  log_->ReleaseIdle();
  EXPECT_EQ(files_.open_files(), 0u);
  EXPECT_EQ(BaseOffsetsFrom(0).size(), 30u);
  AppendMany(1);
  EXPECT_EQ(log_->log_end_offset(), Offset(31));
}

// ---- look-ups

class TimestampTest : public LogTest {
 protected:
  std::optional<TimestampOffset> At(int64_t timestamp) {
    auto found = log_->PrepareTimestampLookup(timestamp).Run();
    EXPECT_TRUE(found.ok());
    return *found;
  }
  std::optional<TimestampOffset> Latest() {
    auto found = log_->PrepareMaxTimestampLookup().Run();
    EXPECT_TRUE(found.ok());
    return *found;
  }
};

TEST_F(TimestampTest, TheFirstRecordAtOrAfterATimeIsFound) {
  config_.segment_bytes = 2000;
  Open();
  for (int i = 0; i < 100; ++i) Append(BatchOf(3).At(kT0 + i * 100));  // records at +0, +1, +2
  ASSERT_GT(log_->segments(), 3u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(At(0)->offset, Offset(0));
    EXPECT_EQ(At(kT0 + 5001)->offset, Offset(151));
    EXPECT_EQ(At(kT0 + 5001)->timestamp_ms, kT0 + 5001);
    EXPECT_EQ(At(kT0 + 5003)->offset, Offset(153));
    EXPECT_EQ(At(kT0 + 9902)->offset, Offset(299));
    EXPECT_FALSE(At(kT0 + 9903).has_value());
    log_->ReleaseIdle();
    ReopenCleanly();
  }
}

TEST_F(TimestampTest, RecordsOutOfOrderAreFoundByOffsetOrder) {
  Open();
  for (int64_t time : {50, 40, 90, 10, 90, 20}) Append(BatchOf(1).At(time).ValueBytes(300));
  EXPECT_EQ(At(45)->offset, Offset(0));
  EXPECT_EQ(At(60)->offset, Offset(2));
  EXPECT_FALSE(At(91).has_value());
  EXPECT_EQ(Latest()->offset, Offset(2));
  EXPECT_EQ(Latest()->timestamp_ms, 90);
}

TEST_F(TimestampTest, RecordsBelowTheLogStartDoNotCount) {
  Open();
  for (int64_t time : {50, 60, 70}) Append(BatchOf(1).At(time));
  log_->DeleteRecordsTo(Offset(1));
  EXPECT_EQ(At(0)->offset, Offset(1));
}

TEST_F(TimestampTest, AnEmptyLogHasNone) {
  Open();
  EXPECT_FALSE(At(0).has_value());
  EXPECT_FALSE(Latest().has_value());
}

TEST_F(TimestampTest, ASegmentRemovedMeanwhileIsPassedOver) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(30, 1, 50);
  ASSERT_TRUE(Flush().ok());
  log_->ReleaseIdle();
  log_->ReleaseIdle();
  TimestampLookupJob job = log_->PrepareTimestampLookup(0);
  log_->DeleteRecordsTo(Offset(20));
  RemovalJob removal = log_->ApplyRetention(now_ms_, log_->log_end_offset());
  ASSERT_GT(removal.segments(), 1u);
  ASSERT_TRUE(removal.Rename().ok());
  auto found = job.Run();
  ASSERT_TRUE(found.ok());
  EXPECT_GT((*found)->offset, Offset(5));
}

TEST_F(LogTest, EpochsEndWhereTheNextBegins) {
  Open();
  leader_epoch_ = LeaderEpoch(1);
  AppendMany(3);
  leader_epoch_ = LeaderEpoch(4);
  log_->BeginEpoch(leader_epoch_);
  AppendMany(2);
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(1)), (EpochEndOffset{LeaderEpoch(1), Offset(3)}));
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(3)), (EpochEndOffset{LeaderEpoch(1), Offset(3)}));
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(4)), (EpochEndOffset{LeaderEpoch(4), Offset(5)}));
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(5)), EpochEndOffset());
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(0)), (EpochEndOffset{LeaderEpoch(0), Offset(0)}));
  ReopenAfterKill();
  EXPECT_EQ(log_->EndOffsetForEpoch(LeaderEpoch(3)), (EpochEndOffset{LeaderEpoch(1), Offset(3)}));
}

// ---- removal

class RetentionTest : public LogTest {
 protected:
  RetentionTest() { config_.segment_bytes = static_cast<int32_t>(BatchOf(10).Build().size()); }
  void SetUp() override { Open(); }
  size_t Retain() {
    RemovalJob job = log_->ApplyRetention(now_ms_, high_watermark_.value_or(log_->log_end_offset()));
    EXPECT_TRUE(job.Rename().ok());
    EXPECT_TRUE(job.Remove().ok());
    return job.segments();
  }
  void AppendSegments(int count) { AppendMany(count, 10); }
  std::optional<Offset> high_watermark_;
};

TEST_F(RetentionTest, WholeSegmentsBelowTheLogStartGo) {
  AppendSegments(4);
  log_->DeleteRecordsTo(Offset(25));
  EXPECT_EQ(log_->log_start_offset(), Offset(25));
  EXPECT_EQ(Retain(), 2u);
  EXPECT_THAT(SegmentBases(), ElementsAre(20, 30));
  EXPECT_EQ(log_->log_start_offset(), Offset(25));
  EXPECT_EQ(Read(From(24)).status, ReadStatus::kOutOfRange);
  EXPECT_EQ(Read(From(25)).slice.first_offset, Offset(20));
}

TEST_F(RetentionTest, BySizeTheLogNeverFallsBelowTheLimit) {
  AppendSegments(5);
  config_.retention_bytes = 3 * config_.segment_bytes - 1;
  log_->UpdateConfig(config_);
  EXPECT_EQ(Retain(), 2u);
  EXPECT_EQ(log_->log_start_offset(), Offset(20));
  config_.retention_bytes = 0;
  log_->UpdateConfig(config_);
  EXPECT_EQ(Retain(), 3u);
  EXPECT_EQ(log_->log_start_offset(), Offset(50));
  EXPECT_EQ(log_->log_end_offset(), Offset(50));
  EXPECT_THAT(SegmentBases(), ElementsAre(50));
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(50));
}

TEST_F(RetentionTest, ByTimeTheOldestGoUntilOneIsYoungEnough) {
  config_.retention_ms = 1000;
  log_->UpdateConfig(config_);
  Append(BatchOf(10).At(kT0 - 5000));
  Append(BatchOf(10).At(kT0 - 500));
  Append(BatchOf(10).At(kT0 - 5000));
  EXPECT_EQ(Retain(), 1u);
  now_ms_ += 1000;
  EXPECT_EQ(Retain(), 2u);
  EXPECT_EQ(log_->log_start_offset(), Offset(30));
}

TEST_F(RetentionTest, RecordsWithoutTimeGoByTheFile) {
  config_.retention_ms = 1000;
  log_->UpdateConfig(config_);
  files_.set_now_ms(kT0);
  Append(BatchOf(10).At(-20));
  now_ms_ = kT0 + 1000;
  EXPECT_EQ(Retain(), 0u);
  now_ms_ = kT0 + 1001;
  EXPECT_EQ(Retain(), 1u);
}

TEST_F(RetentionTest, NothingAboveTheHighWatermarkGoes) {
  AppendSegments(4);
  config_.retention_bytes = 0;
  log_->UpdateConfig(config_);
  high_watermark_ = Offset(29);
  EXPECT_EQ(Retain(), 2u);
}

TEST_F(RetentionTest, CompactedTopicsKeepEverythingAboveTheirStart) {
  config_.cleanup_delete = false;
  config_.cleanup_compact = true;
  config_.retention_bytes = 0;
  config_.retention_ms = 0;
  log_->UpdateConfig(config_);
  AppendSegments(4);
  EXPECT_EQ(Retain(), 0u);
  log_->DeleteRecordsTo(Offset(10));
  EXPECT_EQ(Retain(), 1u);
}

TEST_F(RetentionTest, AnEmptyLogIsLeftAlone) {
  config_.retention_bytes = 0;
  log_->UpdateConfig(config_);
  EXPECT_EQ(Retain(), 0u);
  EXPECT_THAT(SegmentBases(), ElementsAre(0));
}

TEST_F(RetentionTest, DeletedSegmentsTakeTheirSnapshotsAlong) {
  AppendSegments(3);
  ASSERT_TRUE(Flush().ok());
  EXPECT_FALSE(files_.Get(PathOf(10, kSnapshotSuffix)).empty());
  log_->DeleteRecordsTo(Offset(20));
  EXPECT_EQ(Retain(), 2u);
  EXPECT_TRUE(files_.Get(PathOf(10, kSnapshotSuffix)).empty());
  EXPECT_FALSE(files_.Get(PathOf(20, kSnapshotSuffix)).empty());
}

TEST_F(RetentionTest, DeletedFilesAreRenamedFirstAndGoneAfterARestart) {
  AppendSegments(3);
  log_->DeleteRecordsTo(Offset(20));
  RemovalJob job = log_->ApplyRetention(now_ms_, log_->log_end_offset());
  ASSERT_TRUE(job.Rename().ok());
  EXPECT_TRUE(files_.Contents().contains(PathOf(0, kLogSuffix) + ".deleted"));
  Remember();
  ReopenAfterKill();
  EXPECT_FALSE(files_.Contents().contains(PathOf(0, kLogSuffix) + ".deleted"));
  EXPECT_EQ(log_->log_start_offset(), Offset(20));
}

TEST_F(LogTest, DeleteRecordsNeverMovesBackNorBeyondTheEnd) {
  Open();
  AppendMany(10);
  log_->DeleteRecordsTo(Offset(5));
  log_->DeleteRecordsTo(Offset(3));
  EXPECT_EQ(log_->log_start_offset(), Offset(5));
  log_->DeleteRecordsTo(Offset(11));
  EXPECT_EQ(log_->log_start_offset(), Offset(5));
  log_->DeleteRecordsTo(Offset(10));
  EXPECT_EQ(log_->log_start_offset(), Offset(10));
}

// ---- truncation

TEST_F(LogTest, TruncationCutsAtABatch) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(40, 2, 50);
  ASSERT_TRUE(Flush().ok());
  const size_t segments = log_->segments();
  Result<RemovalJob> job = log_->TruncateTo(Offset(30), now_ms_);
  ASSERT_TRUE(job.ok());
  EXPECT_GT(job->segments(), 0u);
  EXPECT_LT(log_->segments(), segments);
  EXPECT_EQ(log_->log_end_offset(), Offset(30));
  EXPECT_EQ(log_->recovery_point(), Offset(30));
  EXPECT_EQ(BaseOffsetsFrom(0).size(), 15u);
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(30));
  ReopenAfterKill();
  EXPECT_EQ(log_->log_end_offset(), Offset(31));
  EXPECT_EQ(BaseOffsetsFrom(0).size(), 16u);
}

TEST_F(LogTest, TruncationForgetsProducersAndEpochsOfWhatWasCut) {
  Open();
  Append(BatchOf(1).From(5, 0, 0));
  leader_epoch_ = LeaderEpoch(3);
  Append(BatchOf(1).From(5, 0, 1));
  ASSERT_TRUE(log_->TruncateTo(Offset(1), now_ms_).ok());
  EXPECT_EQ(log_->producers().Find(ProducerId(5))->last_sequence(), 0);
  EXPECT_EQ(log_->leader_epochs().latest_epoch(), LeaderEpoch(0));
  EXPECT_TRUE(Append(BatchOf(1).From(5, 0, 1)).ok());
}

// Nothing but a segment's name tells where a log ends whose last batch ends before.
TEST_F(LogTest, ATruncationIntoAGapKeepsTheEndOfTheLog) {
  config_.cleanup_compact = true;
  Open();
  ASSERT_TRUE(log_->AppendAsFollower(BatchOf(3).Based(0, 0).Build(), now_ms_).ok());
  ASSERT_TRUE(log_->AppendAsFollower(BatchOf(2).Based(7, 0).Build(), now_ms_).ok());
  ASSERT_TRUE(log_->TruncateTo(Offset(7), now_ms_).ok());
  ASSERT_TRUE(Flush().ok());
  Remember();
  EXPECT_EQ(recovery_point_, Offset(7));
  ReopenAfterKill();
  EXPECT_EQ(log_->log_end_offset(), Offset(7));
  // A torn batch behind it was not durable: it is cut off, whatever follows it.
  for (int64_t offset : {7, 8}) {
    ASSERT_TRUE(log_->AppendAsFollower(BatchOf(1).Based(offset, 1).Build(), now_ms_).ok());
  }
  Kill();
  std::string torn = files_.Get(PathOf(7, kLogSuffix));
  ASSERT_GT(torn.size(), 70u);
  torn[70] ^= 1;
  files_.Put(PathOf(7, kLogSuffix), torn);
  Open(/*was_clean=*/false);
  EXPECT_EQ(log_->log_end_offset(), Offset(7));
  EXPECT_EQ(report_.damaged_batches, 0u);
}

// Of a segment that has no entry in its offset index yet, and one of the last stop in its time index.
TEST_F(LogTest, ATruncationKeepsTheTimesOfAnEarlierStop) {
  config_.index_interval_bytes = 300;
  Open();
  AppendMany(3);
  ReopenCleanly();
  ASSERT_EQ(files_.Get(PathOf(0, kIndexSuffix)), "");
  AppendMany(5);
  ASSERT_TRUE(log_->TruncateTo(Offset(7), now_ms_).ok());
  CloseCleanly();
  auto times = ReadIndex<TimeIndexEntry>(files_, PathOf(0, kTimeIndexSuffix));
  ASSERT_TRUE(times.ok());
  std::vector<int64_t> timestamps;
  for (const TimeIndexEntry& entry : *times) timestamps.push_back(entry.timestamp - kT0);
  EXPECT_THAT(timestamps, ElementsAre(30, 50, 70));
}

TEST_F(LogTest, AFlushFromBeforeATruncationProvesNothing) {
  Open();
  AppendMany(10);
  FlushJob job = log_->PrepareFlush();
  ASSERT_TRUE(log_->TruncateTo(Offset(5), now_ms_).ok());
  AppendMany(5);
  Status status = job.Run();
  log_->FlushCompleted(job, status);
  EXPECT_LE(log_->recovery_point(), Offset(5));
}

TEST_F(LogTest, AFullTruncationStartsAnew) {
  Open();
  AppendMany(10);
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(Offset(100), now_ms_).ok());
  EXPECT_EQ(log_->log_start_offset(), Offset(100));
  EXPECT_EQ(log_->log_end_offset(), Offset(100));
  EXPECT_THAT(SegmentBases(), ElementsAre(100));
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(100));
  Remember();
  ReopenAfterKill();
  EXPECT_EQ(log_->log_start_offset(), Offset(100));
  EXPECT_EQ(log_->log_end_offset(), Offset(101));
}

// ---- times of offsets

class OffsetTimeTest : public LogTest {
 protected:
  std::optional<int64_t> TimeOf(int64_t offset) {
    Result<std::optional<int64_t>> time = log_->PrepareOffsetTime(Offset(offset)).Run();
    EXPECT_TRUE(time.ok());
    return time.ok() ? *time : std::nullopt;
  }
};

TEST_F(OffsetTimeTest, IsThatOfTheFirstRecordOfTheBatch) {
  Open();
  EXPECT_EQ(TimeOf(0), std::nullopt);
  for (int i = 0; i < 100; ++i) Append(BatchOf(3).At(kT0 + 1000 * i));
  for (int64_t offset : {0, 1, 2, 3, 149, 150, 299}) EXPECT_EQ(TimeOf(offset), kT0 + 1000 * (offset / 3)) << offset;
  EXPECT_EQ(TimeOf(300), std::nullopt) << "which is yet to come";
}

TEST_F(OffsetTimeTest, IsFoundInEverySegmentAfterARestart) {
  Open();
  for (int i = 0; i < 30; ++i) {
    Append(BatchOf(2).At(kT0 + 1000 * i));
    if (i % 7 == 6) {
      ASSERT_TRUE(log_->Roll(kT0).ok());
    }
  }
  ReopenCleanly();
  for (int64_t offset = 0; offset < 60; ++offset) EXPECT_EQ(TimeOf(offset), kT0 + 1000 * (offset / 2)) << offset;
}

TEST_F(OffsetTimeTest, BelowTheLogStartIsThatOfTheLogStart) {
  Open();
  for (int i = 0; i < 10; ++i) Append(BatchOf(2).At(kT0 + 1000 * i));
  log_->DeleteRecordsTo(Offset(8));
  EXPECT_EQ(TimeOf(0), kT0 + 4000);
  EXPECT_EQ(TimeOf(9), kT0 + 4000);
}

TEST_F(OffsetTimeTest, WithLogAppendTimeIsThatOfTheAppend) {
  Open();
  record::BatchOptions options;
  options.log_append_time_ms = kT0 + 77;
  record::BatchBuilder builder(options);
  builder.Append(kT0, std::nullopt, Bytes("v"));
  Append(builder.Build());
  EXPECT_EQ(TimeOf(0), kT0 + 77);
}

TEST_F(OffsetTimeTest, IsNotKnownWhereNoneWasGiven) {
  Open();
  Append(BatchOf(1).At(-1));
  EXPECT_EQ(TimeOf(0), std::nullopt);
}

}  // namespace
}  // namespace kb::log

// The disk refuses, once or for good: what was acknowledged stays, what failed leaves nothing, and the log says which it is.
#include <cerrno>

#include "log_fixture.h"

namespace kb::log {
namespace {

using testing::SizeIs;

class FailureTest : public LogTest {
 protected:
  AppendError ErrorOf(const AppendResult& result) {
    EXPECT_FALSE(result.ok());
    return result.ok() ? AppendError::kStorage : result.failure->error;
  }
};

TEST_F(FailureTest, AFullDiskFailsTheAppendAndNothingElse) {
  Open();
  AppendMany(10, 1, 100);
  const std::string before = files_.Get(PathOf(0, kLogSuffix));
  files_.set_capacity(files_.used_bytes() + 50);  // the write gets in part
  EXPECT_EQ(ErrorOf(Append(BatchOf(1).ValueBytes(100))), AppendError::kNoSpace);
  EXPECT_EQ(files_.Get(PathOf(0, kLogSuffix)), before);
  EXPECT_EQ(log_->log_end_offset(), Offset(10));
  EXPECT_FALSE(log_->failure().has_value());
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(10));
  files_.set_capacity(std::nullopt);
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(10));
  ReopenAfterKill();
  EXPECT_EQ(log_->log_end_offset(), Offset(11));
  EXPECT_EQ(report_.truncated_bytes, 0u);
}

TEST_F(FailureTest, WhatCannotBeCutOffAtOnceIsCutOffBeforeTheNextAppend) {
  Open();
  AppendMany(3, 1, 100);
  files_.set_capacity(files_.used_bytes() + 50);
  files_.FailNth(test::IoCall::kTruncate, 1, ENOSPC);
  EXPECT_EQ(ErrorOf(Append(BatchOf(1).ValueBytes(100))), AppendError::kNoSpace);
  files_.set_capacity(std::nullopt);
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(3));
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(4));
  ReopenAfterKill();
  EXPECT_EQ(log_->log_end_offset(), Offset(4));
  EXPECT_EQ(report_.truncated_bytes, 0u);
}

// Behind the end of a sealed segment nobody would look for it again.
TEST_F(FailureTest, WhatCannotBeCutOffAtOnceIsCutOffBeforeTheSegmentIsSealed) {
  Open();
  AppendMany(3, 1, 100);
  ASSERT_TRUE(Flush().ok());
  const std::string before = files_.Get(PathOf(0, kLogSuffix));
  files_.set_capacity(files_.used_bytes() + 50);
  files_.FailNth(test::IoCall::kTruncate, 1, ENOSPC, /*and_all_after=*/true);
  EXPECT_EQ(ErrorOf(Append(BatchOf(1).ValueBytes(100))), AppendError::kNoSpace);
  ASSERT_NE(files_.Get(PathOf(0, kLogSuffix)), before);
  ASSERT_TRUE(Flush().ok());  // it is on the disk now
  files_.set_capacity(std::nullopt);
  EXPECT_FALSE(log_->Roll(now_ms_).ok());
  files_.StopFailing();
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  AppendMany(1);
  ASSERT_TRUE(Flush().ok());
  files_.Cut(test::PowerLoss::kEverything);
  EXPECT_EQ(files_.Get(PathOf(0, kLogSuffix)), before);
}

// A segment for which no room could be reserved is given up. A power cut must not bring it back: what was appended since,
// in the segment before, would lie behind its beginning.
TEST_F(FailureTest, ASegmentThatWasGivenUpDoesNotComeBack) {
  config_.preallocate = true;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TakeNewDisk(seed);
    Open();
    AppendMany(3);
    ASSERT_TRUE(Flush().ok());
    files_.FailNth(test::IoCall::kPreallocate, 1, ENOSPC);
    ASSERT_FALSE(log_->Roll(now_ms_).ok());
    AppendMany(3);
    ASSERT_TRUE(Flush().ok());
    Remember();
    log_.reset();
    files_.Cut(test::PowerLoss::kSomething);
    Open(/*was_clean=*/false);
    EXPECT_EQ(log_->log_end_offset(), Offset(6)) << seed;
    EXPECT_EQ(BaseOffsetsFrom(0).size(), 6u) << seed;
  }
}

// And where it cannot be removed, nothing must be appended before it.
TEST_F(FailureTest, ASegmentThatCannotBeGivenUpFailsTheLog) {
  config_.preallocate = true;
  Open();
  AppendMany(3);
  files_.FailNth(test::IoCall::kPreallocate, 1, ENOSPC);
  files_.FailNth(test::IoCall::kRemove, 1, EIO);
  ASSERT_FALSE(log_->Roll(now_ms_).ok());
  EXPECT_EQ(ErrorOf(Append(BatchOf(1))), AppendError::kStorage);
}

TEST_F(FailureTest, AnIoErrorOfAWriteIsFinal) {
  Open();
  AppendMany(3);
  files_.FailNth(test::IoCall::kWrite, 1, EIO);
  EXPECT_EQ(ErrorOf(Append(BatchOf(1))), AppendError::kStorage);
  EXPECT_TRUE(log_->failure().has_value());
  EXPECT_EQ(ErrorOf(Append(BatchOf(1))), AppendError::kStorage);
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(3));
}

TEST_F(FailureTest, AFailedSyncIsNeverTriedAgain) {
  Open();
  AppendMany(3);
  files_.FailNth(test::IoCall::kSync, 1, EIO);
  EXPECT_FALSE(Flush().ok());
  EXPECT_EQ(log_->recovery_point(), Offset(0));
  EXPECT_TRUE(log_->failure().has_value());
  EXPECT_EQ(ErrorOf(Append(BatchOf(1))), AppendError::kStorage);
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(3));
}

TEST_F(FailureTest, NoRoomForASnapshotDoesNotFailTheFlush) {
  config_.segment_bytes = 1000;
  Open();
  AppendMany(30, 1, 50);
  files_.set_capacity(files_.used_bytes());
  EXPECT_TRUE(Flush().ok());
  EXPECT_EQ(log_->recovery_point(), Offset(30));
  files_.set_capacity(std::nullopt);
  Remember();
  AppendMany(1);
  ASSERT_TRUE(Flush().ok());
  Remember();
  ReopenAfterKill();
  EXPECT_EQ(log_->log_end_offset(), Offset(31));
  EXPECT_FALSE(log_->leader_epochs().entries().empty());
}

TEST_F(FailureTest, WithoutDescriptorsARollFailsTheAppendAndIsTriedAgain) {
  config_.segment_bytes = 300;
  Open();
  AppendMany(1, 1, 150);
  files_.set_most_open_files(files_.open_files());
  EXPECT_EQ(ErrorOf(Append(BatchOf(1).ValueBytes(150))), AppendError::kNoSpace);
  EXPECT_FALSE(log_->failure().has_value());
  files_.set_most_open_files(std::nullopt);
  EXPECT_TRUE(Append(BatchOf(1).ValueBytes(150)).rolled);
  EXPECT_EQ(log_->log_end_offset(), Offset(2));
}

// A sealed segment's indexes are believed at the next start: it is not sealed while they lack entries.
TEST_F(FailureTest, ASegmentIsSealedOnceItsIndexesAreWritten) {
  config_.segment_bytes = 5000;
  Open();
  AppendMany(20, 1, 100);
  files_.FailNth(test::IoCall::kOpen, 1, ENOSPC, /*and_all_after=*/false);
  AppendResult refused;
  int appended = 20;
  for (; appended < 60; ++appended) {
    refused = Append(BatchOf(1).ValueBytes(100).At(time_ms_ += 10));
    if (!refused.ok()) break;
  }
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure->error, AppendError::kNoSpace);
  EXPECT_EQ(log_->segments(), 1u);
  AppendMany(60, 1, 100);
  EXPECT_GT(log_->segments(), 1u);
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(static_cast<size_t>(appended) + 60));
  EXPECT_EQ(Read(From(17, 1)).slice.first_offset, Offset(17));
}

// Nor is a stop a clean one while the producers' last snapshot could not be written.
TEST_F(FailureTest, AStopWithoutRoomForTheSnapshotIsNoCleanOne) {
  Open();
  ASSERT_TRUE(Append(BatchOf(2).From(7, 0, 0)).ok());
  ASSERT_TRUE(Flush().ok());
  files_.set_capacity(files_.used_bytes());
  ASSERT_TRUE(Checkpoint().ok());
  FlushJob job = log_->PrepareClose();
  EXPECT_FALSE(job.Run().ok());
  files_.set_capacity({});
  Remember();
  ReopenAfterKill();
  AppendResult again = Append(BatchOf(2).From(7, 0, 0));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again.is_duplicate);
}

// A fault at every call of every kind, one at a time: no crash, nothing acknowledged lost, and usable again after a restart.
TEST_F(FailureTest, AFaultAtAnyPointLosesNothingThatWasAcknowledged) {
  config_.segment_bytes = 600;
  size_t struck = 0;
  for (test::IoCall call : test::kAllIoCalls) {
    for (int os_errno : {EIO, ENOSPC}) {
      for (uint64_t nth = 1; nth < 40; ++nth) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(call) << " " << os_errno << " " << nth);
        TakeNewDisk(1);
        Open();
        files_.FailNth(call, nth, os_errno);
        int64_t acknowledged = 0;
        int64_t flushed = 0;
        for (int i = 0; i < 12; ++i) {
          AppendResult result = Append(BatchOf(2).ValueBytes(60).At(time_ms_ += 10));
          if (result.ok()) acknowledged = result.last_offset.value() + 1;
          if (i % 4 == 3 && Flush().ok()) flushed = log_->recovery_point().value();
        }
        ASSERT_EQ(log_->log_end_offset().value(), acknowledged);
        ASSERT_LE(flushed, acknowledged);
        files_.StopFailing();
        Remember();
        struck += acknowledged < 24;
        ReopenAfterKill();
        ASSERT_EQ(log_->log_end_offset().value(), acknowledged);
        ASSERT_EQ(static_cast<int64_t>(BaseOffsetsFrom(0).size()) * 2, acknowledged);
        ASSERT_TRUE(Append(BatchOf(1)).ok());
      }
    }
  }
  EXPECT_GT(struck, 20u);
}

}  // namespace
}  // namespace kb::log

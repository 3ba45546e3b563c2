// Idempotence and transactions as one partition sees them: the table of STORAGE's rules, asked of a log.
#include "log/producer_state.h"

#include "log_fixture.h"

namespace kb::log {
namespace {

using testing::ElementsAre;

constexpr int64_t kId = 1000;

class ProducerTest : public LogTest {
 protected:
  ProducerTest() { Open(); }
  AppendResult Send(int32_t sequence, int records = 1, int16_t epoch = 0, int64_t id = kId) {
    return Append(BatchOf(records).From(id, epoch, sequence).At(time_ms_ += 10));
  }
  AppendResult SendInTransaction(int64_t id, int32_t sequence, int16_t epoch = 0) {
    return Append(BatchOf(1).From(id, epoch, sequence).InTransaction().At(time_ms_ += 10));
  }
  AppendResult End(bool commit, int64_t id, int16_t epoch = 0, int32_t coordinator_epoch = 0) {
    AppendOptions options;
    options.now_ms = now_ms_;
    options.origin = AppendOrigin::kCoordinator;
    std::vector<uint8_t> marker = Marker(commit, id, epoch, coordinator_epoch, time_ms_ += 10);
    return log_->Append(marker, options);
  }
  std::optional<AppendError> ErrorOf(const AppendResult& result) {
    if (result.ok()) return std::nullopt;
    return result.failure->error;
  }
  Offset Stable() { return log_->LastStableOffset(log_->log_end_offset()); }
};

TEST_F(ProducerTest, ADuplicateIsASuccessWithTheFirstOffsets) {
  Append(BatchOf(4));
  AppendResult first = Send(0, 3);
  AppendResult again = Append(BatchOf(3).From(kId, 0, 0).At(12345));
  EXPECT_TRUE(again.ok());
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.base_offset, Offset(4));
  EXPECT_EQ(again.last_offset, Offset(6));
  EXPECT_EQ(again.max_timestamp, first.max_timestamp);
  EXPECT_EQ(log_->log_end_offset(), Offset(7));
}

TEST_F(ProducerTest, FiveBatchesAreRememberedAndNoMore) {
  for (int32_t i = 0; i < 6; ++i) ASSERT_TRUE(Send(i).ok());
  for (int32_t i = 1; i < 6; ++i) EXPECT_TRUE(Send(i).is_duplicate) << i;
  EXPECT_EQ(ErrorOf(Send(0)), AppendError::kOutOfOrderSequence);
}

TEST_F(ProducerTest, PartialOverlapsAndGapsAreOutOfOrder) {
  ASSERT_TRUE(Send(0, 3).ok());
  EXPECT_EQ(ErrorOf(Send(0, 2)), AppendError::kOutOfOrderSequence);
  EXPECT_EQ(ErrorOf(Send(1, 2)), AppendError::kOutOfOrderSequence);
  EXPECT_EQ(ErrorOf(Send(4)), AppendError::kOutOfOrderSequence);
  EXPECT_TRUE(Send(3).ok());
}

TEST_F(ProducerTest, AnUnknownProducerMayBeginAnywhere) {
  EXPECT_TRUE(Send(17).ok());
  EXPECT_TRUE(Send(18).ok());
}

TEST_F(ProducerTest, UnlessItIsATransactionOfVersionTwo) {
  AppendOptions options;
  options.new_transaction_from_zero = true;
  std::vector<uint8_t> late = BatchOf(1).From(kId, 0, 17).InTransaction().Build();
  EXPECT_EQ(ErrorOf(log_->Append(late, options)), AppendError::kOutOfOrderSequence);
  std::vector<uint8_t> first = BatchOf(1).From(kId, 0, 0).InTransaction().Build();
  EXPECT_TRUE(log_->Append(first, options).ok());
}

TEST_F(ProducerTest, SequencesWrapToZero) {
  ASSERT_TRUE(Send(INT32_MAX).ok());
  ASSERT_TRUE(Send(0).ok());
  ASSERT_TRUE(Send(INT32_MAX - 1, 4, 0, kId + 1).ok());  // wraps inside: …, MAX, 0, 1
  EXPECT_TRUE(Send(INT32_MAX - 1, 4, 0, kId + 1).is_duplicate);
  EXPECT_TRUE(Send(2, 1, 0, kId + 1).ok());
}

TEST_F(ProducerTest, ANewEpochBeginsAtZeroAndForgets) {
  ASSERT_TRUE(Send(0).ok());
  ASSERT_TRUE(Send(1).ok());
  EXPECT_EQ(ErrorOf(Send(2, 1, 1)), AppendError::kOutOfOrderSequence);
  EXPECT_TRUE(Send(0, 1, 1).ok());
  EXPECT_TRUE(Send(0, 1, 1).is_duplicate);
  EXPECT_EQ(ErrorOf(Send(1, 1, 0)), AppendError::kStaleProducerEpoch);
  EXPECT_EQ(ErrorOf(Send(0, 1, 0)), AppendError::kStaleProducerEpoch);
}

TEST_F(ProducerTest, ARefusedBatchLeavesNoTrace) {
  ASSERT_TRUE(Send(0).ok());
  ASSERT_FALSE(Send(5).ok());
  EXPECT_EQ(log_->log_end_offset(), Offset(1));
  EXPECT_TRUE(Send(1).ok());
}

TEST_F(ProducerTest, AFailedWriteLeavesNoTraceEither) {
  ASSERT_TRUE(Send(0).ok());
  files_.FailNth(test::IoCall::kWrite, 1, ENOSPC);
  EXPECT_EQ(ErrorOf(Send(1)), AppendError::kNoSpace);
  EXPECT_TRUE(Send(1).ok());
  EXPECT_TRUE(Send(1).is_duplicate);
}

TEST_F(ProducerTest, AfterARestartTheLastBatchesAreStillRecognised) {
  for (int32_t i = 0; i < 8; ++i) ASSERT_TRUE(Send(i).ok());
  ReopenCleanly();
  for (int32_t i = 3; i < 8; ++i) EXPECT_TRUE(Send(i).is_duplicate) << i;
  EXPECT_EQ(ErrorOf(Send(2)), AppendError::kOutOfOrderSequence);
  EXPECT_TRUE(Send(8).ok());
}

TEST_F(ProducerTest, AfterAStopOfSomeTimeTheLastBatchIsStillRecognised) {
  for (int32_t i = 0; i < 4; ++i) ASSERT_TRUE(Send(i).ok());
  CloseCleanly();
  now_ms_ += 3600 * 1000;
  uint64_t read_before = files_.read_bytes();
  Open(true);
  EXPECT_LT(files_.read_bytes() - read_before, 1000u) << "nobody repeats what is so old";
  EXPECT_TRUE(Send(3).is_duplicate);
  EXPECT_EQ(ErrorOf(Send(2)), AppendError::kOutOfOrderSequence);  // a snapshot keeps one batch
  EXPECT_TRUE(Send(4).ok());
  ReopenAfterKill();
  EXPECT_TRUE(Send(4).is_duplicate);
  EXPECT_TRUE(Send(5).ok());
}

TEST_F(ProducerTest, SilentProducersAreForgotten) {
  ASSERT_TRUE(Send(0).ok());
  now_ms_ += config_.producer_id_expiration_ms - 1;
  EXPECT_EQ(log_->ExpireProducers(now_ms_), 0u);
  EXPECT_EQ(log_->ExpireProducers(now_ms_ + 1), 1u);
  EXPECT_TRUE(Send(17).ok());
}

TEST_F(ProducerTest, ProducersOfOldRecordsAreNotForgottenAtOnce) {
  time_ms_ = 1000;
  ASSERT_TRUE(Send(0).ok());
  EXPECT_EQ(log_->ExpireProducers(now_ms_), 0u);
  ReopenCleanly();
  EXPECT_EQ(log_->ExpireProducers(now_ms_), 0u);
}

TEST_F(ProducerTest, ManyProducersAreBoundedAndTheLatestStay) {
  config_.most_producers = 80;
  log_->UpdateConfig(config_);
  for (int64_t id = 0; id < 500; ++id) {
    ++now_ms_;
    ASSERT_TRUE(Send(0, 1, 0, id).ok());
    ASSERT_LE(log_->producers().size(), 80u);
  }
  EXPECT_TRUE(Send(0, 1, 0, 499).is_duplicate);
  EXPECT_EQ(log_->producers().Find(ProducerId(3)), nullptr);
}

TEST_F(ProducerTest, AnOpenTransactionOutlivesExpiryAndBound) {
  config_.most_producers = 8;
  log_->UpdateConfig(config_);
  ASSERT_TRUE(SendInTransaction(7, 0).ok());
  for (int64_t id = 100; id < 200; ++id) ASSERT_TRUE(Send(0, 1, 0, id).ok());
  log_->ExpireProducers(now_ms_ + 2 * config_.producer_id_expiration_ms);
  EXPECT_NE(log_->producers().Find(ProducerId(7)), nullptr);
  EXPECT_EQ(Stable(), Offset(0));
}

// ---- transactions

TEST_F(ProducerTest, TheStableOffsetWaitsForTheEarliestOpenTransaction) {
  ASSERT_TRUE(Append(BatchOf(2)).ok());
  ASSERT_TRUE(SendInTransaction(1, 0).ok());  // 2
  ASSERT_TRUE(SendInTransaction(2, 0).ok());  // 3
  EXPECT_EQ(Stable(), Offset(2));
  ASSERT_TRUE(End(true, 1).ok());  // 4
  EXPECT_EQ(Stable(), Offset(3));
  ASSERT_TRUE(End(false, 2).ok());  // 5
  EXPECT_EQ(Stable(), Offset(6));
}

TEST_F(ProducerTest, AMarkerAboveTheHighWatermarkDoesNotCountYet) {
  ASSERT_TRUE(SendInTransaction(1, 0).ok());
  ASSERT_TRUE(End(true, 1).ok());
  EXPECT_EQ(log_->LastStableOffset(Offset(1)), Offset(0));
  EXPECT_EQ(log_->LastStableOffset(Offset(2)), Offset(2));
  log_->HighWatermarkAdvanced(Offset(2));
  EXPECT_EQ(log_->LastStableOffset(Offset(2)), Offset(2));
}

TEST_F(ProducerTest, AbortedTransactionsAreListedForReaders) {
  ASSERT_TRUE(SendInTransaction(1, 0).ok());  // 0
  ASSERT_TRUE(SendInTransaction(2, 0).ok());  // 1
  ASSERT_TRUE(End(false, 1).ok());            // 2
  ASSERT_TRUE(End(true, 2).ok());             // 3
  ASSERT_TRUE(SendInTransaction(2, 1).ok());  // 4
  ASSERT_TRUE(End(false, 2).ok());            // 5
  const AbortedTransaction first{ProducerId(1), Offset(0), Offset(2), Offset(1)};
  const AbortedTransaction second{ProducerId(2), Offset(4), Offset(5), Offset(6)};
  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(*log_->AbortedTransactions(Offset(0), Offset(6), true), ElementsAre(first, second));
    EXPECT_THAT(*log_->AbortedTransactions(Offset(3), Offset(6), true), ElementsAre(second));
    EXPECT_THAT(*log_->AbortedTransactions(Offset(0), Offset(4), true), ElementsAre(first));
    if (round == 0) ReopenCleanly();
    if (round == 1) {
      EXPECT_TRUE(files_.Remove(PathOf(0, kIndexSuffix)).ok());
      EXPECT_TRUE(files_.Remove(PathOf(0, kTxnIndexSuffix)).ok());
      ReopenAfterKill();
    }
  }
}

TEST_F(ProducerTest, AbortedTransactionsOfColdSegmentsArePrefetched) {
  ASSERT_TRUE(SendInTransaction(1, 0).ok());
  ASSERT_TRUE(End(false, 1).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  ASSERT_TRUE(Append(BatchOf(1)).ok());
  ReopenCleanly();
  ReadOptions options = From(0);
  EXPECT_FALSE(log_->AbortedTransactions(Offset(0), Offset(3)).has_value());
  PrefetchJob job = log_->PreparePrefetch(options, /*with_aborted=*/true);
  job.Run();
  log_->PrefetchCompleted(job);
  auto aborted = log_->AbortedTransactions(Offset(0), Offset(3));
  ASSERT_TRUE(aborted.has_value());
  EXPECT_EQ(aborted->size(), 1u);
}

TEST_F(ProducerTest, WritesOutsideOfAnOpenTransactionAreRefused) {
  ASSERT_TRUE(SendInTransaction(kId, 0).ok());
  EXPECT_EQ(ErrorOf(Send(1)), AppendError::kInvalidTxnState);
  ASSERT_TRUE(End(true, kId).ok());
  EXPECT_TRUE(Send(1).ok());
}

TEST_F(ProducerTest, StaleMarkersAreRefused) {
  ASSERT_TRUE(SendInTransaction(kId, 0, 3).ok());
  EXPECT_EQ(ErrorOf(End(true, kId, 2)), AppendError::kStaleProducerEpoch);
  ASSERT_TRUE(End(true, kId, 3, 5).ok());
  ASSERT_TRUE(SendInTransaction(kId, 1, 3).ok());
  EXPECT_EQ(ErrorOf(End(true, kId, 3, 4)), AppendError::kStaleCoordinatorEpoch);
}

TEST_F(ProducerTest, OpenTransactionsSurviveARestart) {
  ASSERT_TRUE(Append(BatchOf(5)).ok());
  ASSERT_TRUE(SendInTransaction(kId, 0).ok());
  ReopenCleanly();
  EXPECT_EQ(Stable(), Offset(5));
  ReopenAfterKill();
  EXPECT_EQ(Stable(), Offset(5));
  ASSERT_TRUE(End(false, kId).ok());
  EXPECT_EQ(log_->AbortedTransactions(Offset(0), Offset(7), true)->at(0).first_offset, Offset(5));
}

// ---- snapshots

TEST(ProducerSnapshotTest, AnEmptyOneIsAsApacheKafkaWritesIt) {
  const uint8_t kEmpty[] = {0x00, 0x01, 0x48, 0x67, 0x4b, 0xc7, 0, 0, 0, 0};
  EXPECT_EQ(ProducerState(10).Snapshot(), AsText(ByteView(kEmpty)));
}

TEST(ProducerSnapshotTest, DamagedOnesAreRefusedAndChangeNothing) {
  ProducerState state(10);
  std::vector<uint8_t> batch = BatchOf(2).From(kId, 1, 5).Build();
  state.Update(record::BatchView{ByteView(batch)}, 0);
  const std::string good = state.Snapshot();
  ProducerState other(10);
  ASSERT_TRUE(other.Restore(AsBytes(good), 0).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    EXPECT_FALSE(other.Restore(AsBytes(bad), 0).ok()) << i;
    EXPECT_FALSE(other.Restore(AsBytes(good.substr(0, i)), 0).ok()) << i;
  }
  EXPECT_EQ(other.Snapshot(), good);
  EXPECT_EQ(other.Find(ProducerId(kId))->last_sequence(), 6);
}

}  // namespace
}  // namespace kb::log

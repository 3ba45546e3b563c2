// One partition between its log, its flushes and those who wait: in one thread, on a disk that works when the test says so.
#include "partition/partition.h"

#include "partition/fixture.h"
#include "record/control.h"

namespace kb::partition {
namespace {

using test::IoCall;
using test::PowerLoss;

class PartitionTest : public PartitionFixture {};

// ---- what readers see, and when

TEST_F(PartitionTest, TheHighWatermarkFollowsTheFlush) {
  auto partition = Open("topic", With(Durability::kDisk));
  BeginProduce(partition->id(), Batch(3), kAcksAll);
  EXPECT_EQ(partition->log_end_offset(), Offset(3));
  EXPECT_EQ(partition->high_watermark(), Offset(0));
  RunDisk();
  EXPECT_EQ(partition->high_watermark(), Offset(3));
}

TEST_F(PartitionTest, UnderTheRuleOfThePageCacheTheHighWatermarkFollowsTheEnd) {
  auto partition = Open("topic", With(Durability::kOs));
  BeginProduce(partition->id(), Batch(3), 1);
  EXPECT_EQ(partition->high_watermark(), Offset(3));
  EXPECT_EQ(disk_->waiting(), 0u) << "nobody asked for a flush";
}

TEST_F(PartitionTest, WithoutAWordASoleReplicaWaitsForTheDiskAndOneOfSeveralDoesNot) {
  OpenRequest alone = RequestFor("alone");
  auto sole = Open(alone);
  BeginProduce(sole->id(), Batch(1), 1);
  EXPECT_EQ(sole->high_watermark(), Offset(0));

  OpenRequest shared = RequestFor("shared");
  shared.leadership.replicas = shared.leadership.isr = 2;
  auto one_of_two = Open(shared);
  BeginProduce(one_of_two->id(), Batch(1), 1);
  EXPECT_EQ(one_of_two->high_watermark(), Offset(1));
}

TEST_F(PartitionTest, ReadersSeeNothingThatCouldStillVanish) {
  auto partition = Open("topic");
  BeginProduce(partition->id(), Batch(2), 1);
  auto read = Begin([&] { return partition->Read(At(0)); });
  ASSERT_TRUE(read->has_value());
  EXPECT_FALSE((*read)->slice.has_value());
  EXPECT_TRUE((*read)->being_flushed);
  RunDisk();
  EXPECT_TRUE(Read(partition, At(0)).slice.has_value());
}

TEST_F(PartitionTest, WhatIsReadableSurvivesAPowerCut) {
  auto partition = Open("topic");
  Produce(partition, Batch(2));
  BeginProduce(partition->id(), Batch(2), 1);  // not flushed
  Restart(PowerLoss::kEverything);
  partition = Open("topic");
  EXPECT_EQ(partition->high_watermark(), Offset(2));
  EXPECT_EQ(partition->log_end_offset(), Offset(2));
}

// ---- one flush for many

TEST_F(PartitionTest, OneFlushTakesAllThatWasAppendedBeforeItBegan) {
  auto partition = Open("topic");
  auto first = BeginProduce(partition->id(), Batch(1), kAcksAll);
  EXPECT_EQ(disk_->waiting(), 1u);
  std::vector<Pending<ProduceOutcome>> others;
  for (int i = 0; i < 5; ++i) others.push_back(BeginProduce(partition->id(), Batch(1), kAcksAll));
  EXPECT_EQ(disk_->waiting(), 1u) << "one flush at a time";
  RunOneJob();
  EXPECT_TRUE(first->has_value());
  EXPECT_EQ(partition->high_watermark(), Offset(1)) << "what came after the flush began is not covered by it";
  for (auto& other : others) EXPECT_FALSE(other->has_value());
  EXPECT_EQ(disk_->waiting(), 1u);
  RunOneJob();
  EXPECT_EQ(partition->high_watermark(), Offset(6));
  for (auto& other : others) EXPECT_TRUE(other->has_value());
  EXPECT_EQ(disk_->waiting(), 0u) << "six appends, two flushes";
}

TEST_F(PartitionTest, AcksAllWaitsForTheFlushAndAcksOneDoesNot) {
  auto partition = Open("topic");
  auto one = BeginProduce(partition->id(), Batch(1), 1);
  auto all = BeginProduce(partition->id(), Batch(1), kAcksAll);
  ASSERT_TRUE(one->has_value());
  EXPECT_EQ((*one)->base_offset, 0);
  EXPECT_FALSE(all->has_value());
  RunDisk();
  ASSERT_TRUE(all->has_value());
  EXPECT_EQ((*all)->error, ErrorCode::kNone);
  EXPECT_EQ((*all)->base_offset, 1);
}

// ---- when a flush begins

TEST_F(PartitionTest, AcksOneAloneBeginsNoFlushForAWhile) {
  auto partition = Open("topic");
  for (int i = 0; i < 10; ++i) BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(disk_->waiting(), 0u);
  PassTime(Partition::kLongestUnflushedNs / kNsPerMs - 1);
  EXPECT_EQ(disk_->waiting(), 0u);
  PassTime(2);
  EXPECT_EQ(disk_->waiting(), 1u) << "one flush for ten requests";
  RunDisk();
  EXPECT_EQ(partition->high_watermark(), Offset(10));
  PassTime(10 * Partition::kLongestUnflushedNs / kNsPerMs);
  EXPECT_EQ(disk_->waiting(), 0u) << "nothing to do, nothing done";
}

TEST_F(PartitionTest, WhoReadsBeginsTheFlush) {
  auto partition = Open("topic");
  BeginProduce(partition->id(), Batch(1), 1);
  auto read = Begin([&] { return partition->Read(At(0)); });
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE((*read)->being_flushed);
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  EXPECT_EQ(partition->high_watermark(), Offset(1));
}

TEST_F(PartitionTest, WhoWaitsForRecordsBeginsTheFlush) {
  auto partition = Open("topic");
  int fired = 0;
  Watching(partition, 1, &fired);
  BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  EXPECT_EQ(fired, 1);

  BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(disk_->waiting(), 0u) << "nobody waits now";
  Watching(partition, 1, &fired);
  Turn();
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  EXPECT_EQ(fired, 2);
}

TEST_F(PartitionTest, TooManyUnflushedBytesBeginAFlush) {
  auto partition = Open("topic");
  constexpr size_t kValue = 1 << 19;
  for (size_t i = 1; i < Partition::kMostUnflushedBytes / kValue; ++i) BeginProduce(partition->id(), Batch(1, {}, kValue), 1);
  EXPECT_EQ(disk_->waiting(), 0u);
  BeginProduce(partition->id(), Batch(1, {}, kValue), 1);
  EXPECT_EQ(disk_->waiting(), 1u);
}

TEST_F(PartitionTest, ManyBytesBeginACheckpoint) {
  PartitionConfig config = With(Durability::kOs);
  config.validate.max_message_bytes = 64 << 20;
  auto partition = Open("topic", config);
  constexpr size_t kValue = 32 << 20;
  for (size_t i = 1; i < Partition::kMostUncheckpointedBytes / kValue; ++i) {
    BeginProduce(partition->id(), Batch(1, {}, kValue), 1);
  }
  EXPECT_EQ(disk_->waiting(), 0u);
  BeginProduce(partition->id(), Batch(1, {}, kValue), 1);
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  EXPECT_EQ(partition->log().recovery_point(), partition->log_end_offset());
  BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(disk_->waiting(), 0u) << "it is counted anew";
}

TEST_F(PartitionTest, FlushMessagesMakesAlsoAcksOneWaitForTheDisk) {
  PartitionConfig config = With(Durability::kDisk);
  config.flush_messages = 3;
  auto partition = Open("topic", config);
  auto first = BeginProduce(partition->id(), Batch(2), 1);
  EXPECT_TRUE(first->has_value());
  EXPECT_EQ(disk_->waiting(), 0u);
  auto third = BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_FALSE(third->has_value());
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  EXPECT_TRUE(third->has_value());
}

TEST_F(PartitionTest, FlushMsSaysHowLongRecordsStayInThePageCache) {
  PartitionConfig config = With(Durability::kOs);
  config.flush_ms = 2000;
  auto partition = Open("topic", config);
  BeginProduce(partition->id(), Batch(1), kAcksAll);
  EXPECT_EQ(partition->high_watermark(), Offset(1)) << "readers need not wait for it";
  PassTime(1999);
  EXPECT_EQ(disk_->waiting(), 0u);
  PassTime(2);
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();

  config.flush_ms = 100;  // a shorter time counts at once
  BeginProduce(partition->id(), Batch(1), kAcksAll);
  On([&] { partition->UpdateConfig(config); });
  PassTime(101);
  EXPECT_EQ(disk_->waiting(), 1u);
}

TEST_F(PartitionTest, ASealedSegmentIsFlushedUnderEveryRule) {
  PartitionConfig config = With(Durability::kOs);
  config.log.segment_bytes = 1000;
  auto partition = Open("topic", config);
  BeginProduce(partition->id(), Batch(1, {}, 600), 1);
  EXPECT_EQ(disk_->waiting(), 0u);
  BeginProduce(partition->id(), Batch(1, {}, 600), 1);
  EXPECT_EQ(disk_->waiting(), 1u);
}

TEST_F(PartitionTest, TheAnswerToADuplicateWaitsLikeTheOriginal) {
  auto partition = Open("topic");
  auto original = BeginProduce(partition->id(), BatchOf(ProducerId(7), 0, 2), kAcksAll);
  auto duplicate = BeginProduce(partition->id(), BatchOf(ProducerId(7), 0, 2), kAcksAll);
  EXPECT_FALSE(duplicate->has_value()) << "what it names could still vanish";
  RunDisk();
  ASSERT_TRUE(original->has_value() && duplicate->has_value());
  EXPECT_EQ((*duplicate)->error, ErrorCode::kNone);
  EXPECT_EQ((*duplicate)->base_offset, (*original)->base_offset);
  EXPECT_EQ(partition->log_end_offset(), Offset(2));
}

TEST_F(PartitionTest, ADuplicateOfTheFlushedIsAnsweredAtOnce) {
  auto partition = Open("topic");
  Produce(partition, BatchOf(ProducerId(7), 0));
  auto duplicate = BeginProduce(partition->id(), BatchOf(ProducerId(7), 0), kAcksAll);
  EXPECT_TRUE(duplicate->has_value());
}

TEST_F(PartitionTest, AGapInTheSequencesIsRefusedAndNothingIsAppended) {
  auto partition = Open("topic");
  Produce(partition, BatchOf(ProducerId(7), 0));
  EXPECT_EQ(Produce(partition, BatchOf(ProducerId(7), 5)).error, ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(partition->log_end_offset(), Offset(1));
}

TEST_F(PartitionTest, TooFewInSyncRefusesAcksAllOnly) {
  PartitionConfig config;
  config.min_insync_replicas = 2;
  OpenRequest request = RequestFor("topic", config);
  request.leadership.replicas = 3;
  auto partition = Open(request);
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Produce(partition, Batch(1), 1).error, ErrorCode::kNone);
  // A partition that has one replica cannot have two in sync.
  EXPECT_EQ(Produce(Open(RequestFor("alone", config)), Batch(1)).error, ErrorCode::kNone);
}

// ---- the disk fails

TEST_F(PartitionTest, AFailedFlushEndsTheServiceOfItsPartition) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  auto waiting = BeginProduce(partition->id(), Batch(1), kAcksAll);
  int fired = 0;
  Watching(partition, 1, &fired);
  files_.FailNth(IoCall::kSync, 1, EIO);
  RunDisk();
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ((*waiting)->base_offset, -1);
  EXPECT_EQ(fired, 1);
  EXPECT_TRUE(partition->offline());
  EXPECT_EQ(failed_directories_, std::vector<std::string>{"/data"});
  EXPECT_EQ(partition->high_watermark(), Offset(1));

  // It is never tried again, though the disk would work now.
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Read(partition, At(0)).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(FindOffset(partition, -1).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Remove(partition, 1).error, ErrorCode::kKafkaStorageError);
}

TEST_F(PartitionTest, TheOtherDirectoryGoesOn) {
  auto here = Open(RequestFor("here", {}, "/data"));
  auto beside = Open(RequestFor("beside", {}, "/data"));
  auto there = Open(RequestFor("there", {}, "/other"));
  BeginProduce(here->id(), Batch(1), kAcksAll);
  files_.FailNth(IoCall::kSync, 1, EIO);
  RunDisk();
  ASSERT_EQ(failed_directories_.size(), 1u);
  const std::string failed = failed_directories_[0];  // more are added meanwhile
  On([&] { table_->FailDataDirectory(failed, Error{ErrorKind::kIo, "the device", EIO}); });
  EXPECT_EQ(Produce(beside, Batch(1)).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Produce(there, Batch(1)).error, ErrorCode::kNone);
}

TEST_F(PartitionTest, AFullDiskFailsTheAppendAndNothingElse) {
  auto partition = Open("topic", With(Durability::kDisk));
  Produce(partition, Batch(1));
  files_.set_capacity(files_.used_bytes() + 20);
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kKafkaStorageError);
  EXPECT_FALSE(partition->offline());
  EXPECT_TRUE(failed_directories_.empty());
  EXPECT_EQ(partition->log_end_offset(), Offset(1));
  EXPECT_TRUE(Read(partition, At(0)).slice.has_value());
  files_.set_capacity(std::nullopt);
  ProduceOutcome outcome = Produce(partition, Batch(1));
  EXPECT_EQ(outcome.error, ErrorCode::kNone);
  EXPECT_EQ(outcome.base_offset, 1);
}

TEST_F(PartitionTest, WhileTheDiskIsNearlyFullOnlyClientsRecordsAreRefused) {
  auto partition = Open("topic");
  Produce(partition, Batch(3));
  On([&] { table_->RefuseRecords("/data", "nearly full"); });
  ProduceOutcome refused = Produce(partition, Batch(1));
  EXPECT_EQ(refused.error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(refused.error_message, "nearly full");
  EXPECT_EQ(Produce(Open("later"), Batch(1)).error, ErrorCode::kKafkaStorageError) << "one that comes later, too";
  EXPECT_TRUE(Read(partition, At(0)).slice.has_value());
  std::vector<uint8_t> own = Batch(1);
  EXPECT_EQ(On([&] { return partition->AppendOwn(own); }).error, ErrorCode::kNone);
  RunDisk();
  EXPECT_EQ(Await([&] { return partition->DeleteRecords(Offset(2)); }).low_watermark, Offset(2));
  EXPECT_TRUE(failed_directories_.empty());
  On([&] { table_->RefuseRecords("/data", ""); });
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kNone);
}

TEST_F(PartitionTest, WhatOneTurnOfTheReactorBringsIsOneFlush) {
  auto partition = Open("topic");
  int committed = 0;
  On([&] {
    for (int i = 0; i < 5; ++i) {
      std::vector<uint8_t> batch = Batch(1);
      ProduceOutcome outcome = partition->AppendOwn(batch);
      partition->WhenCommitted(outcome.required, [&](ErrorCode error) { committed += error == ErrorCode::kNone; });
    }
  });
  Turn();
  RunOneJob();
  EXPECT_EQ(committed, 5);
  EXPECT_EQ(disk_->waiting(), 0u);
}

TEST_F(PartitionTest, AWriteThatFailsTakesThePartitionOffline) {
  auto partition = Open("topic");
  files_.FailNth(IoCall::kWrite, 1, EIO);
  EXPECT_EQ(Produce(partition, Batch(1)).error, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(partition->offline());
  EXPECT_EQ(failed_directories_.size(), 1u);
}

// ---- who waits for data

TEST_F(PartitionTest, AWatchFiresWhenItsBytesAreReadableAndNotBefore) {
  auto partition = Open("topic");
  auto bytes = static_cast<int64_t>(Batch(1).size());
  int fired = 0;
  Watching(partition, 2 * bytes, &fired);
  BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(fired, 0);
  RunDisk();
  EXPECT_EQ(fired, 0) << "half of it";
  BeginProduce(partition->id(), Batch(1), 1);
  EXPECT_EQ(fired, 0) << "appended is not readable";
  RunDisk();
  EXPECT_EQ(fired, 1);
  Produce(partition, Batch(1));
  EXPECT_EQ(fired, 1) << "once";
}

TEST_F(PartitionTest, AWatchThatWantsOneByteMoreWaits) {
  auto partition = Open("topic");
  auto bytes = static_cast<int64_t>(Batch(1).size());
  int fired = 0;
  Watching(partition, bytes + 1, &fired);
  Produce(partition, Batch(1));
  EXPECT_EQ(fired, 0);
  Produce(partition, Batch(1));
  EXPECT_EQ(fired, 1);
}

TEST_F(PartitionTest, AWatchHearsOfWhatBecameReadableBeforeItCame) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  int fired = 0;
  auto watch = std::make_shared<Watch>([&] { ++fired; }, 1);
  On([&] { partition->AddWatch(watch, Offset(0)); });
  EXPECT_EQ(fired, 1);
}

TEST_F(PartitionTest, AWatchThatWasDroppedHearsNothing) {
  auto partition = Open("topic");
  int fired = 0;
  auto watch = Watching(partition, 1, &fired);
  On([&] { partition->DropWatch(watch); });
  Produce(partition, Batch(1));
  EXPECT_EQ(fired, 0);
}

TEST_F(PartitionTest, LosingLeadershipAnswersEverybody) {
  auto partition = Open("topic");
  auto waiting = BeginProduce(partition->id(), Batch(1), kAcksAll);
  int fired = 0;
  Watching(partition, 1, &fired);
  On([&] { partition->UpdateLeadership({.leader = kOther, .leader_epoch = LeaderEpoch(1)}); });
  Turn();
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(fired, 1);
  ProduceOutcome refused = Produce(partition, Batch(1));
  EXPECT_EQ(refused.error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(refused.leadership.leader, kOther);
}

// ---- epochs

TEST_F(PartitionTest, EveryQuestionChecksTheEpochThatTheClientKnows) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  On([&] { partition->UpdateLeadership({.leader = kNode, .leader_epoch = LeaderEpoch(5)}); });
  struct Case {
    int32_t epoch;
    ErrorCode error;
  };
  for (Case one : {Case{4, ErrorCode::kFencedLeaderEpoch}, Case{5, ErrorCode::kNone},
                   Case{6, ErrorCode::kUnknownLeaderEpoch}, Case{-1, ErrorCode::kNone}}) {
    LeaderEpoch epoch(one.epoch);
    ReadRequest read = At(0);
    read.current_leader_epoch = epoch;
    EXPECT_EQ(Read(partition, read).error, one.error) << one.epoch;
    EXPECT_EQ(FindOffset(partition, -1, IsolationLevel::kReadUncommitted, epoch).error, one.error) << one.epoch;
    EXPECT_EQ(On([&] { return partition->FindEpochEnd(LeaderEpoch(0), epoch).error; }), one.error) << one.epoch;
  }
}

// Epoch 0 wrote offsets 0 to 2, epoch 3 wrote 3 to 5.
TEST_F(PartitionTest, AReaderWhoseLogDivergedIsToldWhere) {
  auto partition = Open("topic");
  Produce(partition, Batch(3));
  On([&] { partition->UpdateLeadership({.leader = kNode, .leader_epoch = LeaderEpoch(3)}); });
  Produce(partition, Batch(3));
  struct Case {
    int32_t last_fetched;
    int64_t offset;
    std::optional<std::pair<int32_t, int64_t>> diverging;
  };
  const Case cases[] = {{0, 3, std::nullopt},      {3, 6, std::nullopt}, {3, 4, std::nullopt},
                        {0, 4, std::pair(0, 3L)},  // its epoch 0 is longer than ours
                        {1, 3, std::pair(0, 3L)},  // it saw an epoch that never was ours
                        {2, 5, std::pair(0, 3L)}};
  for (const Case& one : cases) {
    ReadRequest read = At(one.offset);
    read.last_fetched_epoch = LeaderEpoch(one.last_fetched);
    ReadOutcome outcome = Read(partition, read);
    EXPECT_EQ(outcome.error, ErrorCode::kNone);
    ASSERT_EQ(outcome.diverging.has_value(), one.diverging.has_value()) << one.last_fetched << " " << one.offset;
    if (!one.diverging) continue;
    EXPECT_EQ(outcome.diverging->epoch, LeaderEpoch(one.diverging->first));
    EXPECT_EQ(outcome.diverging->end_offset, Offset(one.diverging->second));
    EXPECT_FALSE(outcome.slice.has_value());
  }
  Partition::EpochEnd end = On([&] { return partition->FindEpochEnd(LeaderEpoch(1), kNoLeaderEpoch); });
  EXPECT_EQ(end.epoch, LeaderEpoch(0));
  EXPECT_EQ(end.end_offset, Offset(3));
}

// ---- transactions, as far as readers see them

TEST_F(PartitionTest, ReadCommittedStopsAtTheOpenTransactionAndLearnsWhatAborted) {
  auto partition = Open("topic");
  Produce(partition, Batch(2));  // 0, 1
  record::BatchOptions options;
  options.producer_id = ProducerId(9);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  options.transactional = true;
  AppendOwn(partition, Batch(2, options));  // 2, 3
  Produce(partition, Batch(1));             // 4
  EXPECT_EQ(partition->last_stable_offset(), Offset(2));
  EXPECT_EQ(partition->high_watermark(), Offset(5));

  ReadRequest committed = At(2);
  committed.isolation = IsolationLevel::kReadCommitted;
  EXPECT_FALSE(Read(partition, committed).slice.has_value());
  EXPECT_TRUE(Read(partition, At(2)).slice.has_value());
  EXPECT_EQ(FindOffset(partition, -1, IsolationLevel::kReadCommitted).offset, 2);
  EXPECT_EQ(FindOffset(partition, -1).offset, 5);

  record::MarkerOptions marker;
  marker.producer_id = ProducerId(9);
  marker.producer_epoch = ProducerEpoch(0);
  marker.timestamp = now_ms();
  marker.marker = {.commit = false, .coordinator_epoch = 0};
  AppendOwn(partition, record::BuildEndTransactionMarker(marker));  // 5
  ReadOutcome read = Read(partition, committed);
  EXPECT_EQ(read.last_stable_offset, Offset(6));
  EXPECT_TRUE(read.slice.has_value());
  ASSERT_EQ(read.aborted.size(), 1u);
  EXPECT_EQ(read.aborted[0].producer_id, ProducerId(9));
  EXPECT_EQ(read.aborted[0].first_offset, Offset(2));
}

// ---- where a time is

TEST_F(PartitionTest, TheSpecialPlacesOfALog) {
  auto partition = Open("topic");
  EXPECT_EQ(FindOffset(partition, -1).offset, 0);
  EXPECT_EQ(FindOffset(partition, -2).offset, 0);
  EXPECT_EQ(FindOffset(partition, -3).offset, -1) << "an empty log has no greatest timestamp";
  EXPECT_EQ(FindOffset(partition, -3).error, ErrorCode::kNone);
  int64_t begun_ms = now_ms();
  Produce(partition, Batch(2));  // 0, 1
  PassTime(1000);
  Produce(partition, Batch(2));  // 2, 3
  Remove(partition, 1);
  EXPECT_EQ(FindOffset(partition, -1).offset, 4);
  EXPECT_EQ(FindOffset(partition, -2).offset, 1);
  EXPECT_EQ(FindOffset(partition, -4).offset, 1);
  OffsetLookup greatest = FindOffset(partition, -3);
  EXPECT_EQ(greatest.offset, 2);
  EXPECT_EQ(greatest.timestamp_ms, begun_ms + 1000);
  EXPECT_EQ(greatest.leader_epoch, 0);
  EXPECT_EQ(FindOffset(partition, begun_ms).offset, 1) << "not below the log start";
  EXPECT_EQ(FindOffset(partition, begun_ms + 1).offset, 2);
  OffsetLookup none = FindOffset(partition, begun_ms + 1001);
  EXPECT_EQ(none.error, ErrorCode::kNone);
  EXPECT_EQ(none.offset, -1);
  EXPECT_EQ(none.timestamp_ms, -1);
}

TEST_F(PartitionTest, LatestWaitsForTheFlushUnderWay) {
  auto partition = Open("topic");
  BeginProduce(partition->id(), Batch(3), 1);
  auto latest = Begin([&] { return partition->FindOffset(-1, IsolationLevel::kReadUncommitted, kNoLeaderEpoch); });
  EXPECT_FALSE(latest->has_value());
  RunDisk();
  ASSERT_TRUE(latest->has_value());
  EXPECT_EQ((*latest)->offset, 3);
}

// ---- removing the beginning

TEST_F(PartitionTest, DeleteRecordsMovesTheLogStart) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  Produce(partition, Batch(1));
  auto remove = [&](int64_t offset) { return Remove(partition, offset); };
  EXPECT_EQ(remove(3).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(remove(-2).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(remove(1).low_watermark, Offset(1));
  EXPECT_EQ(remove(0).low_watermark, Offset(1)) << "it never goes back";
  EXPECT_EQ(remove(-1).low_watermark, Offset(2)) << "up to the high watermark";
  EXPECT_EQ(Read(partition, At(1)).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(Read(partition, At(2)).error, ErrorCode::kNone);
  EXPECT_EQ(Read(partition, At(4)).error, ErrorCode::kOffsetOutOfRange);
}

TEST_F(PartitionTest, WhoWroteWithAcksOneMayDeleteWhatHeWrote) {
  auto partition = Open("topic");
  BeginProduce(partition->id(), Batch(3), 1);
  EXPECT_EQ(partition->high_watermark(), Offset(0));
  EXPECT_EQ(Remove(partition, 2).low_watermark, Offset(2));
}

TEST_F(PartitionTest, NobodyDeletesRecordsOfATopicThatIsOnlyCompacted) {
  PartitionConfig config;
  config.log.cleanup_delete = false;
  config.log.cleanup_compact = true;
  auto partition = Open("topic", config);
  EXPECT_EQ(Remove(partition, 0).error, ErrorCode::kPolicyViolation);
}

// ---- reading

TEST_F(PartitionTest, AReadGivesAtMostItsBytesButTheFirstBatchWhole) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  Produce(partition, Batch(1));
  size_t one = Batch(1).size();
  ReadOutcome read = Read(partition, At(0, 1));
  ASSERT_TRUE(read.slice.has_value());
  EXPECT_EQ(read.slice->size_bytes, one);
  read = Read(partition, At(0, 1 << 20));
  ASSERT_TRUE(read.slice.has_value());
  EXPECT_EQ(read.slice->size_bytes, 2 * one);
}

TEST_F(PartitionTest, WhatIsColdIsReadByTheDiskPoolFirst) {
  PartitionConfig config;
  config.log.segment_bytes = 25'000;
  auto partition = Open("topic", config);
  Produce(partition, Batch(1, {}, 20'000));
  Produce(partition, Batch(1, {}, 20'000));  // in the next segment; the last batches count as in memory
  files_.DropCaches();
  auto read = Begin([&] { return partition->Read(At(0)); });
  EXPECT_FALSE(read->has_value());
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE((*read)->slice.has_value());
}

}  // namespace
}  // namespace kb::partition

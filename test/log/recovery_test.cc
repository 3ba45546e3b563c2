// What Open makes of a directory after bad days: torn tails, indexes that are missing, cut, garbage or plausible and wrong,
// damage in the middle, leftovers, and directories that hold nothing but segments.
#include "log/recovery.h"

#include <cerrno>

#include "log/checkpoint_files.h"
#include "log_fixture.h"

namespace kb::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RecoveryTest : public LogTest {
 protected:
  std::string Log0() { return files_.Get(PathOf(0, kLogSuffix)); }
  void Overwrite(const std::string& path, const std::string& content) { files_.Put(path, content); }
  void AddToTail(const std::string& bytes) { Overwrite(PathOf(0, kLogSuffix), Log0() + bytes); }
  void FlipByte(const std::string& path, size_t at) {
    std::string content = files_.Get(path);
    ASSERT_LT(at, content.size());
    content[at] = static_cast<char>(content[at] ^ 0x10);
    Overwrite(path, content);
  }
  // Byte position of a batch of segment 0.
  size_t PositionOf(int64_t offset) {
    record::BatchWalk walk(AsBytes(bytes_ = Log0()));
    size_t position = 0;
    while (auto batch = walk.Next()) {
      if (batch->last_offset() >= Offset(offset)) return position;
      position += batch->bytes().size();
    }
    return position;
  }
  void TenBatches() {
    Open();
    AppendMany(10, 2, 50);
    ASSERT_TRUE(Flush().ok());
  }
  std::string bytes_;
};

// ---- torn tails

struct Tail {
  const char* name;
  std::string bytes;
};
std::vector<Tail> Tails() {
  std::vector<uint8_t> batch = BatchOf(3).Based(20, 0).Build();
  std::string whole(batch.begin(), batch.end());
  std::string wrong = whole;
  wrong[70] = static_cast<char>(wrong[70] ^ 1);
  std::string old_magic = whole;
  old_magic[16] = 1;
  std::string giant = whole;
  giant[8] = 0x7f;
  return {{"40 bytes of a batch", whole.substr(0, 40)},
          {"all but the last byte of a batch", whole.substr(0, whole.size() - 1)},
          {"a header alone", whole.substr(0, 61)},
          {"one byte", "x"},
          {"4096 zeros", std::string(4096, '\0')},
          {"a wrong checksum", wrong},
          {"an unknown magic", old_magic},
          {"a length beyond the file", giant}};
}

TEST_F(RecoveryTest, TornTailsAreCutOffWhateverTheMarkerSays) {
  for (bool was_clean : {false, true}) {
    for (const Tail& tail : Tails()) {
      SCOPED_TRACE(std::string(tail.name) + (was_clean ? ", clean" : ", unclean"));
      TakeNewDisk(1);
      TenBatches();
      CloseCleanly();
      const std::string whole = Log0();
      AddToTail(tail.bytes);
      Open(was_clean);
      EXPECT_EQ(log_->log_end_offset(), Offset(20));
      EXPECT_EQ(report_.truncated_bytes, tail.bytes.size());
      EXPECT_EQ(Log0(), whole);
      EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(20));
      EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(11));
    }
  }
}

// The base offset is outside of the checksum; found by the simulation.
TEST_F(RecoveryTest, ABatchWhoseBaseOffsetIsGoneIsATornTail) {
  TenBatches();
  const std::string durable = Log0();
  Append(BatchOf(2));
  std::string torn = Log0();
  std::fill_n(torn.begin() + static_cast<ptrdiff_t>(durable.size()), 8, '\0');
  log_.reset();
  Overwrite(PathOf(0, kLogSuffix), torn);
  recovery_point_ = Offset(20);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
  EXPECT_EQ(Log0(), durable);
}

TEST_F(RecoveryTest, ALastBatchThatLostBytesIsCutOffWithItsIndexEntries) {
  for (bool was_clean : {false, true}) {
    SCOPED_TRACE(was_clean);
    TakeNewDisk(1);
    config_.index_interval_bytes = 0;  // every batch has an entry
    TenBatches();
    CloseCleanly();
    Overwrite(PathOf(0, kLogSuffix), Log0().substr(0, Log0().size() - 1));
    Open(was_clean);
    EXPECT_EQ(log_->log_end_offset(), Offset(18));
    EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(9));
    ReopenCleanly();
    EXPECT_EQ(files_.Get(PathOf(0, kIndexSuffix)).size(), 8u * 8);
    auto latest = log_->PrepareMaxTimestampLookup().Run();
    EXPECT_EQ((*latest)->offset, Offset(17));
  }
}

TEST_F(RecoveryTest, AboveTheRecoveryPointTheLogEndsAtTheFirstDamage) {
  TenBatches();
  recovery_point_ = Offset(8);
  Kill();
  FlipByte(PathOf(0, kLogSuffix), PositionOf(12) + 70);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(12));
}

TEST_F(RecoveryTest, BelowTheRecoveryPointDamageStaysAndWhatFollowsIsKept) {
  TenBatches();
  recovery_point_ = Offset(20);
  Kill();
  const size_t position = PositionOf(12);
  FlipByte(PathOf(0, kLogSuffix), position + 70);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
  EXPECT_EQ(report_.damaged_batches, 1u);
  EXPECT_THAT(report_.notes, testing::Contains(HasSubstr("stays")));
  EXPECT_EQ(Read(From(14)).slice.first_offset, Offset(14));
  EXPECT_EQ(Read(From(12)).status, ReadStatus::kDamaged);
  EXPECT_EQ(Read(From(12)).next_offset, Offset(14));
}

TEST_F(RecoveryTest, ADamagedLengthIsGonePast) {
  config_.index_interval_bytes = 1 << 20;  // no index to help
  TenBatches();
  recovery_point_ = Offset(20);
  Kill();
  for (size_t at : {8, 9, 10, 11}) FlipByte(PathOf(0, kLogSuffix), PositionOf(6) + at);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
  EXPECT_EQ(Read(From(5)).slice.first_offset, Offset(4));
  ReadResult inside = Read(From(6));
  EXPECT_EQ(inside.status, ReadStatus::kDamaged);
  EXPECT_EQ(inside.next_offset, Offset(8));
  EXPECT_EQ(Read(From(8)).slice.first_offset, Offset(8));
  EXPECT_EQ(Read(From(19)).slice.first_offset, Offset(18));
}

TEST_F(RecoveryTest, DamageUpToTheEndOfASealedSegmentKeepsTheNextOnes) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  ASSERT_TRUE(Flush().ok());
  ASSERT_GE(SegmentBases().size(), 3u);
  Remember();
  Kill();
  const int64_t second = SegmentBases()[1];
  const std::string path = PathOf(0, kLogSuffix);
  Overwrite(path, files_.Get(path).substr(0, 300) + std::string(files_.Get(path).size() - 300, '\0'));
  recovery_point_ = Offset(40);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(40));
  EXPECT_EQ(Read(From(second)).slice.first_offset, Offset(second));
}

TEST_F(RecoveryTest, SegmentsBehindACutAreDeleted) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  ASSERT_GE(SegmentBases().size(), 3u);
  Kill();
  FlipByte(PathOf(0, kLogSuffix), 200);
  Open(false);
  EXPECT_GE(report_.deleted_segments, 2u);
  EXPECT_THAT(SegmentBases(), ElementsAre(0));
  EXPECT_EQ(log_->log_end_offset(), Offset(2));
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(2));
}

// Three segments of a log, of which the first lost its last batch, at a border of batches.
class MissingEndTest : public RecoveryTest {
 protected:
  void SetUp() override {
    config_.segment_bytes = 700;
    Open();
    AppendMany(20, 2, 50);
    bases_ = SegmentBases();
    ASSERT_GE(bases_.size(), 3u);
    Kill();
    const std::string whole = files_.Get(PathOf(0, kLogSuffix));
    const size_t batches = static_cast<size_t>(bases_[1] / 2);
    Overwrite(PathOf(0, kLogSuffix), whole.substr(0, whole.size() / batches * (batches - 1)));
  }
  Offset lost() const { return Offset(bases_[1] - 2); }
  std::vector<int64_t> bases_;
};

TEST_F(MissingEndTest, WhereNothingWasDurableTheLogEndsThere) {
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), lost());
  EXPECT_THAT(SegmentBases(), ElementsAre(0));
  EXPECT_EQ(Append(BatchOf(1)).base_offset, lost());
}

TEST_F(MissingEndTest, WhatWasDurableBehindItStays) {
  recovery_point_ = lost() + 1;
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(40));
}

TEST_F(MissingEndTest, WhereNobodyKnowsWhatWasDurableWhatFollowsStays) {
  recovery_point_.reset();
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(40));
  EXPECT_EQ(SegmentBases(), bases_);
}

TEST_F(MissingEndTest, ACompactedLogHasSuchGaps) {
  config_.cleanup_compact = true;
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(40));
}

// A log with an offset gap between two segments that was flushed, as compaction or a leader of a compacted log leaves
// it. Nothing but its files says so.
class FlushedGapTest : public RecoveryTest {
 protected:
  void SetUp() override {
    config_.segment_bytes = 700;
    Open();
    AppendMany(6, 2, 50);
    for (int64_t offset : {100, 200, 300}) {  // each in a segment of its own
      const BatchOf batch = BatchOf(3).ValueBytes(200).From(9, 0, static_cast<int32_t>(offset)).Based(offset, 0);
      ASSERT_TRUE(log_->AppendAsFollower(batch.Build(), now_ms_).ok());
      ASSERT_TRUE(Flush().ok());
    }
    bases_ = SegmentBases();
    ASSERT_EQ(bases_.back(), 300);
  }
  std::vector<int64_t> bases_;
};

TEST_F(FlushedGapTest, NothingIsLost) {
  // Start after start: what one removes of the snapshots above the recovery point the next one needs.
  for (int start = 0; start < 3; ++start) {
    log_.reset();
    files_.Cut(start == 1 ? test::PowerLoss::kEverything : test::PowerLoss::kNothing);
    Open(/*was_clean=*/false);
    EXPECT_EQ(log_->log_end_offset(), Offset(303)) << start;
    EXPECT_EQ(SegmentBases(), bases_) << start;
  }
}

TEST_F(FlushedGapTest, NorByAStartThatEndsEarly) {
  Kill();
  const std::map<std::string, std::string> before = files_.Contents();
  for (uint64_t call = 1; call <= 60; ++call) {
    for (test::PowerLoss loss : {test::PowerLoss::kNothing, test::PowerLoss::kEverything}) {
      TakeNewDisk(call);
      for (const auto& [path, content] : before) files_.Put(path, content);
      files_.CutAt(call, loss);
      (void)TryOpen(/*was_clean=*/false);
      log_.reset();
      files_.PowerOn();
      Open(/*was_clean=*/false);
      EXPECT_EQ(log_->log_end_offset(), Offset(303)) << call;
      EXPECT_EQ(SegmentBases(), bases_) << call;
    }
  }
}

// A start that removes the later segments and dies, one that goes on, and then the power goes, at every call.
TEST_F(MissingEndTest, WhatAStartThatEndedEarlyRemovedDoesNotComeBack) {
  const std::map<std::string, std::string> before = files_.Contents();
  for (uint64_t call = 1; call <= 40; ++call) {
    TakeNewDisk(call);
    for (const auto& [path, content] : before) files_.Put(path, content);
    files_.CutAt(call, test::PowerLoss::kNothing);
    (void)TryOpen(/*was_clean=*/false);
    log_.reset();
    files_.PowerOn();
    Open(/*was_clean=*/false);
    ASSERT_EQ(log_->log_end_offset(), lost()) << call;
    files_.Cut(test::PowerLoss::kEverything);
    EXPECT_THAT(SegmentBases(), ElementsAre(0)) << call;
  }
}

TEST_F(MissingEndTest, ASnapshotAboveTheRecoveryPointIsNotBelieved) {
  for (const char* snapshot : {"torn", "of another log"}) {
    ProducerState other(10);
    const std::vector<uint8_t> batch = BatchOf(1).From(9, 0, 7).Build();
    other.Update(record::BatchView(batch), now_ms_);
    config_.cleanup_compact = true;  // the segments behind the gap stay
    Overwrite(PathOf(bases_.back(), kSnapshotSuffix), snapshot == std::string("torn") ? "" : other.Snapshot());
    Open(/*was_clean=*/false);
    ProducerState found(10);
    EXPECT_TRUE(found.Restore(AsBytes(files_.Get(PathOf(bases_.back(), kSnapshotSuffix))), now_ms_).ok()) << snapshot;
    EXPECT_TRUE(found.empty()) << snapshot;
    Kill();
  }
}

TEST_F(RecoveryTest, IndexesThatCouldNotBeWrittenAreWrittenByTheNextFlush) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  Kill();
  const std::map<std::string, std::string> before = files_.Contents();
  std::map<std::string, std::string> wanted;
  for (uint64_t nth = 0; nth <= 12; ++nth) {
    TakeNewDisk(1);
    for (const auto& [path, content] : before) {
      if (!path.ends_with(kTimeIndexSuffix)) files_.Put(path, content);
    }
    if (nth > 0) files_.FailNth(test::IoCall::kWrite, nth, ENOSPC);
    if (!TryOpen(/*was_clean=*/false).ok()) continue;
    files_.StopFailing();
    ASSERT_TRUE(Flush().ok());
    if (nth == 0) wanted = files_.Contents();
    for (int64_t base : SegmentBases()) {
      if (base != SegmentBases().back()) {
        EXPECT_EQ(files_.Get(PathOf(base, kTimeIndexSuffix)), wanted[PathOf(base, kTimeIndexSuffix)]) << nth;
      }
    }
  }
}

// At the start and at the next flush; each of their writes in turn.
TEST_F(RecoveryTest, IndexesThatCouldNotBeWrittenTwiceAreWrittenLater) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  Kill();
  const std::map<std::string, std::string> before = files_.Contents();
  const std::vector<int64_t> bases = SegmentBases();
  constexpr size_t kWhole = 24;  // two entries in each
  size_t late = 0;
  for (uint64_t at_start = 1; at_start <= 12; ++at_start) {
    for (uint64_t at_flush = 1; at_flush <= 4; ++at_flush) {
      TakeNewDisk(1);
      for (const auto& [path, content] : before) {
        if (!path.ends_with(kTimeIndexSuffix)) files_.Put(path, content);
      }
      files_.FailNth(test::IoCall::kWrite, at_start, ENOSPC);
      if (!TryOpen(/*was_clean=*/false).ok()) continue;
      files_.FailNth(test::IoCall::kWrite, at_flush, ENOSPC);
      ASSERT_TRUE(Flush().ok());
      files_.StopFailing();
      for (int64_t base : bases) {
        if (base == bases.back() || files_.Get(PathOf(base, kTimeIndexSuffix)).size() == kWhole) continue;
        ++late;
        EXPECT_LE(log_->RecoveryPointToRecord(), Offset(base)) << "the next start would believe it";
        EXPECT_EQ(log_->recovery_point(), Offset(40));
      }
      EXPECT_TRUE(Flush().ok());
      for (size_t i = 0; i + 1 < bases.size(); ++i) {
        EXPECT_EQ(files_.Get(PathOf(bases[i], kTimeIndexSuffix)).size(), kWhole) << bases[i];
      }
      EXPECT_EQ(log_->RecoveryPointToRecord(), Offset(40));
    }
  }
  EXPECT_GT(late, 0u);
}

TEST_F(RecoveryTest, EpochsThatHadNoRoomAreLearnedAfterACrash) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(10, 2, 50);
  ASSERT_TRUE(Flush().ok());
  leader_epoch_ = LeaderEpoch(5);
  AppendMany(10, 2, 50);
  files_.set_capacity(files_.used_bytes());
  ASSERT_TRUE(Flush().ok());
  EXPECT_EQ(log_->recovery_point(), Offset(40));
  EXPECT_EQ(log_->RecoveryPointToRecord(), Offset(20));
  Remember();
  Kill();
  files_.set_capacity(std::nullopt);
  Open(/*was_clean=*/false);
  const std::vector<EpochStart> epochs{{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(5), Offset(20)}};
  EXPECT_EQ(log_->leader_epochs().entries(), epochs);
  ASSERT_TRUE(Flush().ok());
  EXPECT_EQ(log_->RecoveryPointToRecord(), Offset(40));
}

TEST_F(RecoveryTest, EpochsThatCannotBeReadAreNotForgotten) {
  leader_epoch_ = LeaderEpoch(5);
  TenBatches();
  CloseCleanly();
  for (uint64_t nth = 1; nth < 30; ++nth) {
    ASSERT_TRUE(files_.Remove(std::string(kDirectory) + "/" + std::string(kLeaderEpochFile)).ok() || nth > 1);
    files_.FailNth(test::IoCall::kRead, nth, EIO);
    if (!TryOpen(/*was_clean=*/true).ok()) continue;
    files_.StopFailing();
    EXPECT_EQ(log_->leader_epochs().latest_epoch(), LeaderEpoch(5)) << nth;
  }
}

// A killed process had cut off what the disk still has: behind the end of a segment that is sealed next it must not come back.
TEST_F(RecoveryTest, WhatAKilledProcessCutOffDoesNotComeBack) {
  Open();
  AppendMany(10);
  ASSERT_TRUE(Flush().ok());
  files_.FailNth(test::IoCall::kSync, 1, EIO);
  ASSERT_FALSE(log_->TruncateTo(Offset(5), now_ms_).ok());
  recovery_point_ = Offset(5);
  const std::string cut = files_.Get(PathOf(0, kLogSuffix));
  ReopenAfterKill();
  ASSERT_EQ(log_->log_end_offset(), Offset(5));
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  AppendMany(3);
  ASSERT_TRUE(Flush().ok());
  log_.reset();
  files_.Cut(test::PowerLoss::kEverything);
  EXPECT_EQ(files_.Get(PathOf(0, kLogSuffix)), cut);
  Open(/*was_clean=*/false);
  EXPECT_EQ(log_->log_end_offset(), Offset(8));
}

// It is not taken for a log that has nothing to remember.
TEST_F(RecoveryTest, ProducersOfASnapshotThatIsLeftOutAreLearnedFromTheBatches) {
  Open();
  ASSERT_TRUE(Append(BatchOf(1).From(5, 0, 0)).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  CloseCleanly();
  Overwrite(PathOf(1, kSnapshotSuffix), "damaged");
  Open();
  EXPECT_NE(log_->producers().Find(ProducerId(5)), nullptr);
}

TEST_F(RecoveryTest, WhereNobodyKnowsWhatWasDurableOnlyTheTailIsCut) {
  TenBatches();
  recovery_point_.reset();
  Kill();
  FlipByte(PathOf(0, kLogSuffix), PositionOf(12) + 70);
  FlipByte(PathOf(0, kLogSuffix), PositionOf(18) + 70);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(18));
  EXPECT_EQ(report_.damaged_batches, 1u);
}

TEST_F(RecoveryTest, AnEmptyLogAfterACutStartsAtItsBase) {
  TenBatches();
  recovery_point_ = Offset(0);
  Kill();
  FlipByte(PathOf(0, kLogSuffix), 20);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(0));
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(0));
}

// ---- indexes

class IndexDamageTest : public RecoveryTest {
 protected:
  // Three segments at least, stopped cleanly; `index_` and `time_index_` are those of the first.
  void SetUp() override {
    config_.segment_bytes = 5000;
    Open();
    AppendMany(100, 2, 60);
    CloseCleanly();
    ASSERT_GE(SegmentBases().size(), 3u);
    index_ = files_.Get(PathOf(0, kIndexSuffix));
    time_index_ = files_.Get(PathOf(0, kTimeIndexSuffix));
    ASSERT_GE(index_.size(), 8u * 10);
  }
  void ExpectAllIsFound() {
    for (int64_t offset = 0; offset < 200; offset += 3) {
      ASSERT_EQ(Read(From(offset, 1)).slice.first_offset, Offset(offset / 2 * 2)) << offset;
    }
    for (int64_t i = 0; i < 100; i += 7) {
      auto found = log_->PrepareTimestampLookup(kT0 + 10 * (i + 1)).Run();
      ASSERT_TRUE(found.ok());
      ASSERT_EQ((*found)->offset, Offset(2 * i)) << i;
    }
  }
  void ExpectRebuilt() {
    EXPECT_EQ(files_.Get(PathOf(0, kIndexSuffix)), index_);
    EXPECT_EQ(files_.Get(PathOf(0, kTimeIndexSuffix)), time_index_);
  }
  std::string index_, time_index_;
};

TEST_F(IndexDamageTest, MissingIndexesAreBuiltAnew) {
  for (std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix}) {
    for (int64_t base : SegmentBases()) ASSERT_TRUE(files_.Remove(PathOf(base, suffix)).ok());
    Open();
    ExpectAllIsFound();
    ExpectRebuilt();
    CloseCleanly();
  }
}

TEST_F(IndexDamageTest, IndexesWithHalfAnEntryAreBuiltAnew) {
  Overwrite(PathOf(0, kIndexSuffix), index_.substr(0, index_.size() - 3));
  Open();
  ExpectAllIsFound();
  ExpectRebuilt();
  CloseCleanly();
  Overwrite(PathOf(0, kTimeIndexSuffix), time_index_ + "x");
  Open();
  ExpectAllIsFound();
  ExpectRebuilt();
}

TEST_F(IndexDamageTest, GarbageIsBuiltAnew) {
  Overwrite(PathOf(0, kIndexSuffix), std::string(index_.size(), '\x7f'));
  Overwrite(PathOf(0, kTimeIndexSuffix), std::string(time_index_.size(), '\xff'));
  Open();
  ExpectAllIsFound();
  ExpectRebuilt();
}

TEST_F(IndexDamageTest, AnEmptyTimeIndexOfRecordsWithTimeIsBuiltAnew) {
  Overwrite(PathOf(0, kTimeIndexSuffix), "");
  Open();
  ExpectAllIsFound();
  ExpectRebuilt();
}

// Every entry but the last is shifted by one byte: nothing that Open looks at tells.
TEST_F(IndexDamageTest, PlausibleEntriesThatLieNeverMisleadARead) {
  std::string lies = index_;
  for (size_t i = 0; i + 8 < lies.size(); i += 8) lies[i + 7] = static_cast<char>(lies[i + 7] + 1);
  Overwrite(PathOf(0, kIndexSuffix), lies);
  Open();
  EXPECT_EQ(report_.rebuilt_indexes, 0u);
  ExpectAllIsFound();
  // A prefetch notices and mends.
  PrefetchJob job = log_->PreparePrefetch(From(20));
  job.Run();
  log_->PrefetchCompleted(job);
  ExpectRebuilt();
  ExpectAllIsFound();
}

TEST_F(IndexDamageTest, OffsetsMovedToOtherBatchesNeverMisleadARead) {
  std::string lies = index_;  // each entry names the position of its successor
  for (size_t i = 0; i + 16 < lies.size(); i += 8) lies.replace(i + 4, 4, index_.substr(i + 12, 4));
  Overwrite(PathOf(0, kIndexSuffix), lies);
  Open();
  ExpectAllIsFound();
}

TEST_F(IndexDamageTest, ALyingIndexOfTheActiveSegmentIsMendedBySealingIt) {
  const int64_t last = SegmentBases().back();
  std::string lies = files_.Get(PathOf(last, kIndexSuffix));
  ASSERT_GE(lies.size(), 24u);
  for (size_t i = 0; i + 8 < lies.size(); i += 8) lies[i + 7] = static_cast<char>(lies[i + 7] + 1);
  Overwrite(PathOf(last, kIndexSuffix), lies);
  Open();
  for (int round = 0; round < 2; ++round) {
    PrefetchJob job = log_->PreparePrefetch(From(last + 10));
    job.Run();
    log_->PrefetchCompleted(job);
    ExpectAllIsFound();
  }
  EXPECT_NE(files_.Get(PathOf(last, kIndexSuffix)), lies);
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(200));
}

TEST_F(IndexDamageTest, OrphanedIndexesAreRemoved) {
  files_.Put(PathOf(7777, kIndexSuffix), "12345678");
  Open();
  EXPECT_FALSE(files_.Contents().contains(PathOf(7777, kIndexSuffix)));
}

TEST_F(IndexDamageTest, AKilledBrokerOfApacheKafkaLeavesFullSizedIndexes) {
  const int64_t last = SegmentBases().back();
  for (std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix}) {
    std::string content = files_.Get(PathOf(last, suffix));
    content.resize(10 << 20);
    Overwrite(PathOf(last, suffix), content);
  }
  for (bool was_clean : {false, true}) {
    Open(was_clean);
    ExpectAllIsFound();
    EXPECT_LT(files_.Get(PathOf(last, kIndexSuffix)).size(), 1000u);
    CloseCleanly();
  }
}

// ---- starting inside of the active segment

TEST_F(RecoveryTest, ACheckpointSpareTheScanOfWhatLiesBeforeIt) {
  Open();
  AppendMany(1000, 1, 100);
  Append(BatchOf(1).From(9, 0, 0));
  ASSERT_TRUE(Checkpoint().ok());
  Remember();
  AppendMany(10, 1, 100);
  Append(BatchOf(1).From(9, 0, 1));
  Kill();
  Open(false);
  EXPECT_TRUE(report_.scanned);
  EXPECT_LT(report_.scanned_bytes, 10'000u);
  EXPECT_EQ(log_->log_end_offset(), Offset(1012));
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(1012));
  EXPECT_TRUE(Append(BatchOf(1).From(9, 0, 1)).is_duplicate);
  EXPECT_TRUE(Append(BatchOf(1).From(9, 0, 2)).ok());
  auto found = log_->PrepareTimestampLookup(kT0 + 5000).Run();
  EXPECT_EQ((*found)->offset, Offset(499));
}

TEST_F(RecoveryTest, ACheckpointWhoseIndexIsGoneIsWorthNothing) {
  Open();
  AppendMany(1000, 1, 100);
  ASSERT_TRUE(Checkpoint().ok());
  Remember();
  Kill();
  ASSERT_TRUE(files_.Remove(PathOf(0, kIndexSuffix)).ok());
  Open(false);
  EXPECT_GT(report_.scanned_bytes, 100'000u);
  EXPECT_THAT(BaseOffsetsFrom(0), SizeIs(1000));
}

TEST_F(RecoveryTest, CheckpointsReplaceEachOther) {
  Open();
  for (int i = 0; i < 5; ++i) {
    AppendMany(10);
    ASSERT_TRUE(Checkpoint().ok());
  }
  ASSERT_TRUE(Checkpoint().ok());
  auto snapshots = [&] {
    size_t count = 0;
    for (auto& [path, content] : files_.Contents()) count += path.ends_with(kSnapshotSuffix);
    return count;
  };
  EXPECT_EQ(snapshots(), 2u) << "the one before stays until there is another";
  EXPECT_FALSE(files_.Get(PathOf(50, kSnapshotSuffix)).empty());
  CloseCleanly();
  EXPECT_EQ(snapshots(), 1u);
}

TEST_F(RecoveryTest, ACheckpointThatIsNotOnRecordYetDoesNotDevalueTheOneThatIs) {
  Open();
  AppendMany(1000, 1, 100);
  Append(BatchOf(1).From(9, 0, 0));
  ASSERT_TRUE(Checkpoint().ok());
  Remember();
  AppendMany(10, 1, 100);
  Append(BatchOf(1).From(9, 0, 1));
  ASSERT_TRUE(Checkpoint().ok());  // and nobody comes to write the recovery point down
  for (int restart = 0; restart < 3; ++restart) {
    ReopenAfterKill();
    EXPECT_LT(report_.scanned_bytes, 10'000u) << restart;
    EXPECT_EQ(log_->log_end_offset(), Offset(1012));
    EXPECT_TRUE(Append(BatchOf(1).From(9, 0, 1)).is_duplicate);
  }
}

TEST_F(RecoveryTest, WhatWasInFlightAtACheckpointIsRememberedWhole) {
  config_.segment_bytes = 16 << 20;
  Open();
  AppendMany(1000, 1, 5000);
  for (int i = 0; i < 7; ++i) {
    Append(BatchOf(1).From(8, 3, i).ValueBytes(5000));
    Append(BatchOf(1).From(9, 0, i).ValueBytes(5000));
  }
  AppendMany(20, 1, 5000);
  ASSERT_TRUE(Checkpoint().ok());  // its snapshot has the last batch of each
  Remember();
  uint64_t read_before = files_.read_bytes();
  ReopenAfterKill();
  EXPECT_LT(files_.read_bytes() - read_before, 3'000'000u) << "of 5,000,000";
  for (int i = 2; i < 7; ++i) {
    EXPECT_TRUE(Append(BatchOf(1).From(9, 0, i)).is_duplicate) << i;
    EXPECT_TRUE(Append(BatchOf(1).From(8, 3, i)).is_duplicate) << i;
  }
  AppendResult next = Append(BatchOf(1).From(9, 0, 7));
  EXPECT_TRUE(next.ok() && !next.is_duplicate);
}

TEST_F(RecoveryTest, WhatWasInFlightBeforeASegmentBeganIsRememberedWhole) {
  config_.segment_bytes = 5000;
  Open();
  int32_t sequence = 0;
  while (SegmentBases().size() < 3) Append(BatchOf(1).From(9, 0, sequence++).ValueBytes(500));
  ASSERT_TRUE(Flush().ok());
  Remember();
  ReopenAfterKill();
  for (int32_t i = sequence - 5; i < sequence; ++i) {
    EXPECT_TRUE(Append(BatchOf(1).From(9, 0, i)).is_duplicate) << i;
  }
  AppendResult next = Append(BatchOf(1).From(9, 0, sequence));
  EXPECT_TRUE(next.ok() && !next.is_duplicate);
}

TEST_F(RecoveryTest, ACheckpointIsDueWhenSomethingIsToBeSaved) {
  Open();
  log_->RequestCheckpoint();
  EXPECT_FALSE(log_->checkpoint_is_due()) << "an empty log";
  AppendMany(10);
  ASSERT_TRUE(Flush().ok());
  EXPECT_FALSE(log_->needs_flush());
  log_->RequestCheckpoint();
  EXPECT_TRUE(log_->needs_flush());
  ASSERT_TRUE(Flush().ok());
  EXPECT_FALSE(files_.Get(PathOf(10, kSnapshotSuffix)).empty());
  log_->RequestCheckpoint();
  EXPECT_FALSE(log_->needs_flush()) << "nothing came since";
}

TEST_F(RecoveryTest, AFullDiskDoesNotCostTheCheckpointsThatAreThere) {
  Open();
  AppendMany(500, 1, 100);
  ASSERT_TRUE(Checkpoint().ok());
  Remember();
  AppendMany(10, 1, 100);
  ASSERT_TRUE(Checkpoint().ok());
  AppendMany(10, 1, 100);
  files_.set_capacity(files_.used_bytes());
  ASSERT_TRUE(Checkpoint().ok());
  files_.set_capacity(std::nullopt);
  ReopenAfterKill();
  EXPECT_LT(report_.scanned_bytes, 10'000u);
  EXPECT_EQ(log_->log_end_offset(), Offset(520));
}

TEST_F(RecoveryTest, OnlySegmentsFromTheRecoveryPointOnAreScanned) {
  config_.segment_bytes = 5000;
  Open();
  AppendMany(100, 2, 60);
  ASSERT_TRUE(Flush().ok());
  Remember();
  AppendMany(3);
  Kill();
  Open(false);
  EXPECT_LT(report_.scanned_bytes, 6000u);
  EXPECT_EQ(log_->log_end_offset(), Offset(203));
}

// ---- what is beside the segments

TEST_F(RecoveryTest, ADirectoryOfBareSegmentsOpensAndServes) {
  // As course harnesses write it: no index, no checkpoint, no snapshot, no partition.metadata; a producer id that nobody
  // issued and the same sequence over and over; leader epochs of their own; the first batch not at the segment's base.
  std::string log;
  for (int64_t offset = 1; offset < 6; ++offset) {
    std::vector<uint8_t> batch = BatchOf(1).From(0, 0, 0).Based(offset, 0).Build();
    log.append(batch.begin(), batch.end());
  }
  const std::string directory = "/data/bare-0";
  files_.Put(directory + "/00000000000000000000.log", log);
  for (bool was_clean : {true, false, true}) {
    LogOptions options;
    options.directory = directory;
    options.was_clean = was_clean;
    auto opened = Log::Open(files_, options, &report_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    log_ = std::move(*opened);
    EXPECT_EQ(log_->log_start_offset(), Offset(0));
    EXPECT_EQ(log_->log_end_offset(), Offset(6));
    EXPECT_EQ(files_.Get(directory + "/00000000000000000000.log"), log);
    ReadResult result = Read(From(0));
    EXPECT_EQ(result.slice.first_offset, Offset(1));
    EXPECT_EQ(result.slice.size_bytes, log.size());
    EXPECT_EQ(log_->leader_epochs().latest_epoch(), LeaderEpoch(0));
  }
}

TEST_F(RecoveryTest, BatchesWithTheSameOffsetsAllOpen) {
  std::string log;
  for (int i = 0; i < 3; ++i) {
    std::vector<uint8_t> batch = BatchOf(1).From(0, 0, 0).Based(0, 0).Build();
    log.append(batch.begin(), batch.end());
  }
  files_.Put(PathOf(0, kLogSuffix), log);
  Open(true);
  EXPECT_EQ(report_.truncated_bytes, 0u);
  EXPECT_EQ(Read(From(0)).slice.size_bytes, log.size());
}

TEST_F(RecoveryTest, TheLogStartCheckpointHidesWhatIsBelow) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  log_->DeleteRecordsTo(Offset(17));
  CloseCleanly();
  Open();
  EXPECT_EQ(log_->log_start_offset(), Offset(17));
  CloseCleanly();
  log_start_.reset();
  Open();
  EXPECT_EQ(log_->log_start_offset(), Offset(0));
}

// A log start on record that is behind the log's end costs no record.
class WrongLogStartTest : public RecoveryTest {
 protected:
  void ExpectAllRecords() {
    EXPECT_EQ(log_->log_start_offset(), Offset(0));
    std::vector<int64_t> found = BaseOffsetsFrom(0);
    found.resize(std::min<size_t>(found.size(), 10));
    EXPECT_THAT(found, ElementsAre(0, 2, 4, 6, 8, 10, 12, 14, 16, 18));
    EXPECT_THAT(report_.notes, ElementsAre(HasSubstr("the log start on record, ")));
  }
};

TEST_F(WrongLogStartTest, AfterACleanStopItIsWrong) {
  TenBatches();
  CloseCleanly();
  log_start_ = Offset(100);
  Open(/*was_clean=*/true);
  ExpectAllRecords();
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(20));
}

TEST_F(WrongLogStartTest, OffsetsOfALostEndAreNotGivenAwayTwice) {
  for (bool was_clean : {false, true}) {
    TakeNewDisk(1);
    TenBatches();
    CloseCleanly();
    log_start_ = Offset(100);
    if (was_clean) recovery_point_ = Offset(120);  // it says the same
    Open(was_clean);
    ExpectAllRecords();
    EXPECT_EQ(log_->log_end_offset(), Offset(100));
    EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(100));
    EXPECT_THAT(BaseOffsetsFrom(18), ElementsAre(18, 20, 100));
    // Nothing of this is in doubt the next time.
    ASSERT_TRUE(Flush().ok());
    Remember();
    ReopenAfterKill();
    EXPECT_THAT(report_.notes, IsEmpty());
    EXPECT_THAT(BaseOffsetsFrom(18), ElementsAre(18, 20, 100));
  }
}

TEST_F(WrongLogStartTest, NoLostEndIsAsLongAsThis) {
  TenBatches();
  log_start_ = Offset(INT64_MAX);
  Kill();
  Open(/*was_clean=*/false);
  ExpectAllRecords();
  EXPECT_EQ(Append(BatchOf(1)).base_offset, Offset(20));
}

TEST_F(WrongLogStartTest, WithoutRoomTheLogGoesOnWhereItEnds) {
  TenBatches();
  log_start_ = Offset(100);
  Kill();
  files_.set_capacity(files_.used_bytes());
  Open(/*was_clean=*/false);
  ExpectAllRecords();
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
  EXPECT_FALSE(log_->failure().has_value());
}

TEST_F(RecoveryTest, ATruncationIntoTheFirstBatchKeepsTheLogStart) {
  Open();
  AppendMany(2, 10);
  log_->DeleteRecordsTo(Offset(14));
  ASSERT_TRUE(log_->TruncateTo(Offset(17), now_ms_).ok());
  EXPECT_EQ(log_->log_start_offset(), Offset(14));
  EXPECT_EQ(log_->log_end_offset(), Offset(17));
}

TEST_F(RecoveryTest, DamagedSnapshotsAreLeftOut) {
  Open();
  Append(BatchOf(1).From(9, 0, 0));
  CloseCleanly();
  FlipByte(PathOf(1, kSnapshotSuffix), 20);
  Open();
  EXPECT_TRUE(Append(BatchOf(1).From(9, 0, 0)).is_duplicate);
}

TEST_F(RecoveryTest, SnapshotsAboveTheEndAreRemoved) {
  TenBatches();
  CloseCleanly();
  files_.Put(PathOf(500, kSnapshotSuffix), "whatever");
  Open();
  EXPECT_FALSE(files_.Contents().contains(PathOf(500, kSnapshotSuffix)));
}

TEST_F(RecoveryTest, ADamagedEpochFileIsLearnedFromTheBatches) {
  Open();
  AppendMany(3);
  leader_epoch_ = LeaderEpoch(5);
  AppendMany(3);
  CloseCleanly();
  files_.Put(std::string(kDirectory) + "/leader-epoch-checkpoint", "nonsense");
  Open();
  EXPECT_EQ(log_->leader_epochs().entries(),
            (std::vector<EpochStart>{{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(5), Offset(3)}}));
}

TEST_F(RecoveryTest, LeftoversOfDeletionAndCleaningAreRemoved) {
  TenBatches();
  CloseCleanly();
  files_.Put(PathOf(0, ".log.deleted"), "x");
  files_.Put(PathOf(0, ".log.cleaned"), "x");
  files_.Put(PathOf(0, ".log.swap"), "x");  // at or above the lowest .cleaned
  Open();
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
  for (auto& [path, content] : files_.Contents()) {
    EXPECT_FALSE(path.ends_with("d") || path.ends_with("swap")) << path;
  }
}

TEST_F(RecoveryTest, ASwapTakesThePlaceOfTheSegmentsItCameFrom) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  CloseCleanly();
  std::vector<int64_t> bases = SegmentBases();
  ASSERT_GE(bases.size(), 4u);
  // The cleaner made one segment of the first two and kept the last record of each.
  std::string cleaned;
  for (int64_t offset : {bases[1] - 1, bases[2] - 1}) {
    std::vector<uint8_t> batch = BatchOf(1).Based(offset, 0).Build();
    cleaned.append(batch.begin(), batch.end());
  }
  files_.Put(PathOf(0, ".log.swap"), cleaned);
  Open();
  EXPECT_EQ(log_->segments(), bases.size() - 1);
  EXPECT_EQ(Read(From(0)).slice.first_offset, Offset(bases[1] - 1));
  EXPECT_EQ(Read(From(bases[2])).slice.first_offset, Offset(bases[2]));
}

TEST_F(RecoveryTest, AReadErrorIsNotTakenForDamage) {
  TenBatches();
  Kill();
  const std::string before = Log0();
  files_.FailNth(test::IoCall::kRead, 1, EIO, /*and_all_after=*/true);
  Status status = TryOpen(false);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().os_errno, EIO);
  files_.StopFailing();
  EXPECT_EQ(Log0(), before);
  Open(false);
  EXPECT_EQ(log_->log_end_offset(), Offset(20));
}

TEST_F(RecoveryTest, EveryFlippedBitOfASmallLogIsSurvived) {
  config_.segment_bytes = 400;
  Open();
  AppendMany(6, 2, 20);
  CloseCleanly();
  const auto whole = files_.Contents();
  uint64_t opened = 0;
  for (auto& [path, content] : whole) {
    if (!path.starts_with(kDirectory) || path.ends_with(".metadata")) continue;
    for (size_t bit = 0; bit < content.size() * 8; bit += 3) {
      TakeNewDisk(1);
      for (auto& [name, bytes] : whole) files_.Put(name, bytes);
      std::string flipped = content;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      files_.Put(path, flipped);
      Status status = TryOpen(bit % 2 == 0);
      ASSERT_TRUE(status.ok()) << path << " bit " << bit << ": " << status.error().message;
      // A base offset is outside of the checksum: flipped, it may open a gap, but none that an index cannot express.
      ASSERT_LE(log_->log_end_offset(), Offset(int64_t{1} << 31) + 20);
      for (int64_t offset = 0; offset < log_->log_end_offset().value() && offset < 20; ++offset) {
        ReadResult result = Read(From(offset));
        if (result.status == ReadStatus::kOk) BytesOf(result.slice);
      }
      ASSERT_TRUE(Append(BatchOf(1)).ok());
      ++opened;
    }
  }
  EXPECT_GT(opened, 1000u);
}

}  // namespace
}  // namespace kb::log

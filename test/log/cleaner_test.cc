// Cleaning against a model of its rules, over seeded random histories and over a power cut at every call.
#include "log/cleaner.h"

#include <algorithm>
#include <map>
#include <set>

#include "log_fixture.h"
#include "record/iterate.h"

namespace kb::log {
namespace {

struct Item {
  int64_t offset = 0;
  int64_t timestamp = 0;
  std::optional<std::string> key, value;
  int headers = 0;
  bool operator==(const Item&) const = default;
};
void PrintTo(const Item& item, std::ostream* out) {
  *out << item.offset << ":" << item.key.value_or("(null)") << "=" << item.value.value_or("(null)");
}

class CleanerTest : public LogTest {
 protected:
  static constexpr int64_t kRetentionMs = 1000;
  CleanerTest() {
    config_.cleanup_compact = true;
    config_.cleanup_delete = false;
    config_.segment_bytes = 2000;
    config_.delete_retention_ms = kRetentionMs;
    options_.bytes_per_run = 1000;
  }

  // Flushes, and cleans what is below the active segment.
  Status Clean() {
    Status flushed = Flush();
    if (!flushed.ok()) return flushed;
    return CleanFlushed();
  }
  Status CleanFlushed() {
    CleanablePart part = log_->Cleanable(first_dirty_, log_->log_end_offset(), now_ms_);
    has_cleaned_ = part.dirty_bytes > 0;
    if (!has_cleaned_) return {};
    first_uncleanable_ = part.first_uncleanable;
    options_.now_ms = now_ms_;
    CleanJob job = log_->PrepareClean(part, options_);
    EXPECT_TRUE(log_->is_being_cleaned());
    Status status;
    while (true) {
      Result<CleanJob::Progress> progress = job.Run();
      if (!progress.ok()) {
        status = progress.error();
        job.Discard();
        break;
      }
      if (*progress == CleanJob::Progress::kMore) continue;
      if (*progress == CleanJob::Progress::kDone) {
        first_dirty_ = job.clean_end();
        break;
      }
      Result<RemovalJob> removal = log_->ReplaceCleaned(job);
      if (!removal.ok()) return removal.error();
      (void)removal->Remove();
    }
    log_->CleanCompleted(job);
    statistics_ = job.statistics();
    return status;
  }
  void MustClean() {
    Status status = Clean();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  template <typename Visit>
  void ForEachBatch(Visit visit) {
    int64_t offset = log_->log_start_offset().value();
    while (offset < log_->log_end_offset().value()) {
      ReadResult result = Read(From(offset));
      ASSERT_EQ(result.status, ReadStatus::kOk) << (result.failure ? result.failure->message : "");
      std::vector<uint8_t> bytes = BytesOf(result.slice);
      record::BatchWalk walk(bytes);
      bool moved = false;
      while (std::optional<record::BatchView> batch = walk.Next()) {
        ASSERT_TRUE(batch->CheckCrc());
        visit(*batch);
        offset = batch->next_offset().value();
        moved = true;
      }
      ASSERT_TRUE(walk.rest().empty());
      if (!moved) break;
    }
  }
  std::vector<Item> Items() {
    std::vector<Item> items;
    ForEachBatch([&](const record::BatchView& batch) {
      if (batch.is_control()) return;
      record::RecordIterator records(batch, decompressor_);
      record::RecordView record;
      record::RecordIterator::Answer answer;
      int64_t max_timestamp = record::kNoTimestamp;
      while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
        Item item{record.offset.value(), record.timestamp, {}, {}, record.headers.count()};
        if (record.key) item.key.emplace(AsText(*record.key));
        if (record.value) item.value.emplace(AsText(*record.value));
        items.push_back(item);
        max_timestamp = std::max(max_timestamp, record.timestamp);
      }
      ASSERT_EQ(answer, record::RecordIterator::kEnd);
      if (batch.record_count() > 0) {
        EXPECT_EQ(batch.max_timestamp(), max_timestamp);
      }
    });
    return items;
  }
  static std::string AsText(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  // ---- writing, told to the model
  struct Pending {
    std::optional<std::string> key, value;
    bool has_header = false;
  };
  AppendResult AppendItems(const std::vector<Pending>& records, record::BatchOptions options = {}) {
    record::BatchBuilder builder(options);
    for (const Pending& record : records) {
      time_ms_ += 3;
      std::optional<ByteView> key, value;
      if (record.key) key = Bytes(*record.key);
      if (record.value) value = Bytes(*record.value);
      record::Header header{"h", Bytes("x")};
      builder.Append(time_ms_, key, value, std::span(&header, record.has_header ? 1u : 0u));
    }
    int64_t first_time = time_ms_ - 3 * (static_cast<int64_t>(records.size()) - 1);
    AppendResult result = Append(builder.Build());
    if (!result.ok()) return result;
    for (size_t i = 0; i < records.size(); ++i) {
      Item item{result.base_offset.value() + static_cast<int64_t>(i), first_time + 3 * static_cast<int64_t>(i),
                records[i].key, records[i].value, records[i].has_header ? 1 : 0};
      model_.push_back({item, result.base_offset.value()});
      if (options.transactional) open_[options.producer_id.value()].push_back(item.offset);
    }
    return result;
  }
  void EndTransaction(int64_t producer_id, bool commit) {
    ASSERT_TRUE(Append(Marker(commit, producer_id, 0)).ok());
    if (!commit) aborted_.insert(open_[producer_id].begin(), open_[producer_id].end());
    open_.erase(producer_id);
  }

  // ---- the model
  struct Modelled {
    Item item;
    int64_t batch;
  };
  // What a cleaning up to first_uncleanable_ at now_ms_ leaves.
  void CleanModel() {
    if (!has_cleaned_) return;
    std::map<std::string, int64_t> latest;
    const int64_t end = first_uncleanable_.value();
    auto is_aborted = [&](const Modelled& each) { return aborted_.contains(each.item.offset); };
    for (const Modelled& each : model_) {
      if (each.item.key && each.item.offset < end && !is_aborted(each)) latest[*each.item.key] = each.item.offset;
    }
    std::vector<Modelled> left;
    for (const Modelled& each : model_) {
      bool stays = each.item.offset >= end;
      if (!stays && each.item.key && !is_aborted(each) && latest[*each.item.key] == each.item.offset) {
        auto horizon = horizons_.find(each.batch);
        stays = each.item.value || horizon == horizons_.end() || now_ms_ < horizon->second;
      }
      if (stays) left.push_back(each);
    }
    model_ = left;
    for (const Modelled& each : model_) {
      if (each.item.offset < end && !each.item.value) horizons_.emplace(each.batch, now_ms_ + kRetentionMs);
    }
  }
  std::vector<Item> Model() const {
    std::vector<Item> items;
    for (const Modelled& each : model_) items.push_back(each.item);
    return items;
  }

  void WriteRandomly(Random& random, int batches) {
    for (int i = 0; i < batches; ++i) {
      record::BatchOptions options;
      options.codec = static_cast<record::Codec>(random.Below(record::kCodecs));
      int64_t who = static_cast<int64_t>(random.Below(6));
      if (who < 3) {  // transactional
        options.producer_id = ProducerId(who);
        options.producer_epoch = ProducerEpoch(0);
        options.transactional = true;
      } else if (who == 3) {  // idempotent
        options.producer_id = ProducerId(who);
        options.producer_epoch = ProducerEpoch(0);
      }
      if (who < 3 && open_.contains(who) && random.Below(3) == 0) {
        ASSERT_NO_FATAL_FAILURE(EndTransaction(who, random.Below(2) == 0));
        continue;
      }
      std::vector<Pending> records(1 + random.Below(5));
      for (Pending& record : records) {
        if (random.Below(20) > 0) record.key = "key-" + std::to_string(random.Below(40));
        if (random.Below(4) > 0) record.value = "value-" + std::to_string(random.Next() % 100000);
        record.has_header = random.Below(5) == 0;
      }
      if (options.producer_id != kNoProducerId) {
        options.base_sequence = sequences_[who];
        sequences_[who] += static_cast<int32_t>(records.size());
      }
      AppendResult result = AppendItems(records, options);
      ASSERT_TRUE(result.ok()) << result.failure->message;
    }
  }
  void EndAllTransactions(Random& random) {
    while (!open_.empty()) ASSERT_NO_FATAL_FAILURE(EndTransaction(open_.begin()->first, random.Below(2) == 0));
  }
  void Forget() {
    model_.clear();
    horizons_.clear();
    open_.clear();
    aborted_.clear();
    sequences_.clear();
    first_dirty_ = first_uncleanable_ = Offset(0);
    now_ms_ = kT0;
  }

  record::Decompressor decompressor_;
  CleanOptions options_;
  CleanStatistics statistics_;
  bool has_cleaned_ = false;
  Offset first_dirty_{0}, first_uncleanable_{0};
  std::vector<Modelled> model_;
  std::map<int64_t, int64_t> horizons_;  // of a batch, by base offset
  std::map<int64_t, std::vector<int64_t>> open_;
  std::set<int64_t> aborted_;
  std::map<int64_t, int32_t> sequences_;
};

TEST_F(CleanerTest, LeavesWhatTheModelLeaves) {
  size_t removed = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    TakeNewDisk(seed);
    Forget();
    Open();
    Random random(seed);
    for (int round = 0; round < 5; ++round) {
      ASSERT_NO_FATAL_FAILURE(WriteRandomly(random, 60));
      if (random.Below(2) == 0) {
        ASSERT_NO_FATAL_FAILURE(EndAllTransactions(random));
      }
      now_ms_ += 600;
      const Offset end_before = log_->log_end_offset();
      ASSERT_NO_FATAL_FAILURE(MustClean());
      CleanModel();
      removed += statistics_.records_removed;
      ASSERT_EQ(Items(), Model());
      EXPECT_EQ(log_->log_end_offset(), end_before);
      if (random.Below(2) == 0) {
        ReopenCleanly();
      } else {
        Remember();
        ReopenAfterKill();
      }
      ASSERT_EQ(Items(), Model());
      ASSERT_EQ(log_->log_end_offset(), end_before);
      // Every offset can be asked for, and gives the first batch that is left at or above it.
      std::vector<int64_t> ends;
      ForEachBatch([&](const record::BatchView& batch) { ends.push_back(batch.last_offset().value()); });
      for (int64_t offset = 0; offset < end_before.value(); ++offset) {
        ReadResult found = Read(From(offset, 1));
        ASSERT_EQ(found.status, ReadStatus::kOk) << offset;
        std::vector<uint8_t> bytes = BytesOf(found.slice);
        std::optional<record::BatchView> batch = record::BatchView::First(bytes);
        ASSERT_TRUE(batch.has_value()) << offset;
        ASSERT_EQ(batch->last_offset().value(), *std::lower_bound(ends.begin(), ends.end(), offset));
      }
    }
  }
  EXPECT_GT(removed, 10'000u);
}

TEST_F(CleanerTest, APowerCutAtEveryCallLeavesOldOrNewSegments) {
  auto prepare = [&](uint64_t seed) {
    TakeNewDisk(seed);
    Forget();
    Open();
    Random random(7);
    WriteRandomly(random, 70);
    EndAllTransactions(random);
    (void)Clean();
    CleanModel();
    WriteRandomly(random, 70);
    EndAllTransactions(random);
    now_ms_ += 2 * kRetentionMs;
    EXPECT_TRUE(Flush().ok());
    Remember();
  };
  prepare(1);
  const uint64_t before = files_.changing_calls();
  ASSERT_NO_FATAL_FAILURE(MustClean());
  const uint64_t calls = files_.changing_calls() - before;
  const std::vector<Item> cleaned = Items();
  ASSERT_GT(statistics_.segments_after, 1u);
  ASSERT_LT(statistics_.segments_after, statistics_.segments_before);
  for (uint64_t call = 1; call <= calls; ++call) {
    for (test::PowerLoss loss : {test::PowerLoss::kNothing, test::PowerLoss::kEverything, test::PowerLoss::kSomething}) {
      SCOPED_TRACE(testing::Message() << "call " << call << " of " << calls << " loss " << static_cast<int>(loss));
      prepare(call);
      const std::vector<Item> original = Items();
      const Offset end = log_->log_end_offset();
      const Offset dirty = first_dirty_;
      files_.CutAt(call, loss);
      (void)Clean();
      log_.reset();
      files_.PowerOn();
      ASSERT_NO_FATAL_FAILURE(Open(false));
      ASSERT_EQ(log_->log_end_offset(), end);
      std::vector<Item> found = Items();
      auto by_offset = [](const Item& a, const Item& b) { return a.offset < b.offset; };
      ASSERT_TRUE(std::includes(original.begin(), original.end(), found.begin(), found.end(), by_offset));
      ASSERT_TRUE(std::includes(found.begin(), found.end(), cleaned.begin(), cleaned.end(), by_offset));
      for (const auto& [path, content] : files_.Contents()) {
        EXPECT_FALSE(path.ends_with(kCleanedSuffix) || path.ends_with(kSwapSuffix) || path.ends_with(kDeletedSuffix)) << path;
      }
      // The next cleaning gets to where this one would have come, and so does what is read from there on.
      first_dirty_ = dirty;
      ASSERT_NO_FATAL_FAILURE(MustClean());
      ASSERT_EQ(Items(), cleaned);
      ReopenCleanly();
      ASSERT_EQ(Items(), cleaned);
    }
  }
}

TEST_F(CleanerTest, TheLastBatchOfAProducerKeepsItsHeader) {
  Open();
  record::BatchOptions options;
  options.producer_id = ProducerId(5);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  ASSERT_TRUE(AppendItems({{"a", "1"}, {"b", "1"}}, options).ok());
  ASSERT_TRUE(AppendItems({{"a", "2"}, {"b", "2"}}).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  MustClean();
  CleanModel();
  EXPECT_EQ(Items(), Model());
  std::vector<std::pair<int64_t, int32_t>> batches;
  ForEachBatch([&](const record::BatchView& batch) {
    batches.emplace_back(batch.last_offset().value(), batch.record_count());
    if (batch.base_offset() == Offset(0)) {
      EXPECT_EQ(batch.bytes().size(), record::kBatchHeaderBytes);
    }
  });
  EXPECT_THAT(batches, testing::ElementsAre(testing::Pair(1, 0), testing::Pair(3, 2)));
  ReopenCleanly();
  // Sent again, it is known.
  AppendResult again = AppendItems({{"a", "1"}, {"b", "1"}}, options);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.base_offset, Offset(0));
}

// The batch behind which a producer's next one has to come must not go because of one that is lost.
TEST_F(CleanerTest, TheLastBatchOfAProducerIsOneThatIsOnTheDisk) {
  for (int batches_in_flight : {1, 6}) {
    TakeNewDisk(1);
    Forget();
    Open();
    record::BatchOptions options;
    options.producer_id = ProducerId(5);
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = 0;
    ASSERT_TRUE(AppendItems({{"a", "1"}}, options).ok());
    options.base_sequence = 1;
    ASSERT_TRUE(AppendItems({{"a", "2"}}, options).ok());
    ASSERT_TRUE(AppendItems({{"a", "3"}}).ok());
    ASSERT_TRUE(log_->Roll(now_ms_).ok());
    ASSERT_TRUE(Flush().ok());
    for (int i = 0; i < batches_in_flight; ++i) {
      ++options.base_sequence;
      ASSERT_TRUE(AppendItems({{"b", "1"}}, options).ok());
    }
    ASSERT_TRUE(CleanFlushed().ok());
    EXPECT_EQ(BaseOffsetsFrom(0).front(), 1) << "the one before is not needed";
    files_.Cut(test::PowerLoss::kEverything);
    recovery_point_.reset();  // all is derived from the batches
    Open(/*was_clean=*/false);
    const ProducerEntry* found = log_->producers().Find(ProducerId(5));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->last_sequence(), 1);
  }
}

// A truncation takes the batch because of which a cleaning let the one before it go: only a snapshot knows that one
// now.
TEST_F(CleanerTest, WhatOnlyASnapshotKnowsOfAProducerIsNotForgotten) {
  Open();
  record::BatchOptions options;
  options.producer_id = ProducerId(5);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  ASSERT_TRUE(AppendItems({{"large", std::string(1500, 'x')}}).ok());  // too much for the segments to become one
  ASSERT_TRUE(AppendItems({{"key", "1"}}, options).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());  // with a snapshot at 2
  options.base_sequence = 1;
  ASSERT_TRUE(AppendItems({{"key", "2"}}, options).ok());
  ASSERT_TRUE(AppendItems({{"medium", std::string(600, 'x')}}).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  MustClean();
  ASSERT_THAT(BaseOffsetsFrom(0), testing::ElementsAre(0, 2, 3));
  ASSERT_TRUE(log_->TruncateTo(Offset(2), now_ms_).ok());
  ASSERT_TRUE(Flush().ok());
  Remember();
  for (int start = 0; start < 2; ++start) {
    ReopenAfterKill();
    const ProducerEntry* found = log_->producers().Find(ProducerId(5));
    ASSERT_NE(found, nullptr) << start;
    EXPECT_EQ(found->last_sequence(), 0) << start;
  }
}

TEST_F(CleanerTest, TombstonesGoBehindTheirHorizonAndNotBefore) {
  Open();
  ASSERT_TRUE(AppendItems({{"gone", "1"}, {"other", "1"}}).ok());
  ASSERT_TRUE(AppendItems({{"gone", std::nullopt}, {"third", "1"}}).ok());
  auto next_round = [&](int64_t later_ms) {
    now_ms_ += later_ms;
    ASSERT_TRUE(AppendItems({{"filler", "x"}}).ok());
    ASSERT_TRUE(log_->Roll(now_ms_).ok());
    MustClean();
  };
  auto tombstones = [&] {
    std::vector<Item> items = Items();
    return std::count_if(items.begin(), items.end(), [](const Item& item) { return !item.value; });
  };
  next_round(0);
  EXPECT_EQ(tombstones(), 1);
  next_round(kRetentionMs - 1);
  EXPECT_EQ(tombstones(), 1);
  next_round(1);
  EXPECT_EQ(tombstones(), 0);
}

// A snapshot that a start begins with knows a transaction as open: its marker must still be there.
TEST_F(CleanerTest, AMarkerThatASnapshotWaitsForStays) {
  Open();
  record::BatchOptions options;
  options.producer_id = ProducerId(5);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  options.transactional = true;
  ASSERT_TRUE(AppendItems({{"large", std::string(1500, 'x')}}).ok());  // too much for the segments to become one
  ASSERT_TRUE(AppendItems({{"key", "1"}}, options).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());  // with a snapshot at 2
  EndTransaction(5, /*commit=*/true);
  options.base_sequence = 1;
  ASSERT_TRUE(AppendItems({{"key", "2"}}, options).ok());
  EndTransaction(5, /*commit=*/true);
  ASSERT_TRUE(AppendItems({{"key", "3"}, {"medium", std::string(600, 'x')}}).ok());
  for (int round = 0; round < 4; ++round) {
    now_ms_ += kRetentionMs;
    options.base_sequence = 2 + round;
    ASSERT_TRUE(AppendItems({{"filler", "x"}}, options).ok());
    EndTransaction(5, /*commit=*/true);
    ASSERT_TRUE(log_->Roll(now_ms_).ok());
    MustClean();
  }
  EXPECT_THAT(BaseOffsetsFrom(0), testing::Contains(2));
  EXPECT_THAT(BaseOffsetsFrom(0), testing::Not(testing::Contains(4))) << "nobody waits for it";
  ASSERT_TRUE(files_.Contents().contains(PathOf(2, kSnapshotSuffix)));
  ASSERT_TRUE(log_->TruncateTo(Offset(5), now_ms_).ok());
  EXPECT_EQ(log_->producers().Find(ProducerId(5))->transaction_first_offset, kNoOffset);
}

TEST_F(CleanerTest, AMapThatIsFullEndsTheRoundWhereItCame) {
  Open();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(AppendItems({{"key-" + std::to_string(i % 150), "v"}}).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  options_.map.most_bytes = 100 * OffsetMap::kSlotBytes;
  MustClean();
  EXPECT_EQ(first_dirty_, Offset(90));  // 0.9 of the slots
  EXPECT_EQ(Items().size(), 300u);      // no key came twice so far
  options_.map.most_bytes = 1 << 20;
  MustClean();
  EXPECT_EQ(first_dirty_, log_->log_end_offset());
  std::vector<Item> items = Items();
  // What was cleaned before is read against the map of the second round.
  ASSERT_EQ(items.size(), 150u);
  EXPECT_EQ(items.front().offset, 150);
}

TEST_F(CleanerTest, ADamagedBatchEndsTheCleaningAndNothingIsReplaced) {
  Open();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(AppendItems({{"key-" + std::to_string(i % 5), "value"}}).ok());
  ASSERT_TRUE(Flush().ok());
  const std::string path = PathOf(0, kLogSuffix);
  std::string content = files_.Get(path);
  content[content.size() / 2] ^= 1;
  files_.Put(path, content);
  Remember();
  log_.reset();
  Open(true);
  const auto before = files_.Contents();
  Status status = Clean();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(files_.Contents(), before);
  EXPECT_FALSE(log_->is_being_cleaned());
}

// What was put aside of a cleaning that failed must not be put in place behind a truncation.
TEST_F(CleanerTest, WhatAFailedCleaningCannotRemoveFailsTheLog) {
  for (test::IoCall call : {test::IoCall::kRemove, test::IoCall::kSyncDirectory}) {
    TakeNewDisk(1);
    Forget();
    Open();
    ASSERT_TRUE(AppendItems({{"a", "1"}}).ok());
    ASSERT_TRUE(log_->Roll(now_ms_).ok());
    ASSERT_TRUE(AppendItems({{"a", "2"}}).ok());
    ASSERT_TRUE(log_->Roll(now_ms_).ok());
    ASSERT_TRUE(Flush().ok());
    files_.FailNth(test::IoCall::kSyncDirectory, 2, EIO, /*and_all_after=*/true);  // the .swap files are there by then
    if (call == test::IoCall::kRemove) files_.FailNth(call, 1, EIO, /*and_all_after=*/true);
    EXPECT_FALSE(CleanFlushed().ok());
    EXPECT_TRUE(log_->failure().has_value());
    files_.StopFailing();
  }
}

TEST_F(CleanerTest, WhoReadsTheOldSegmentGoesOn) {
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendItems({{"key", "value"}}).ok());
  ReadResult old = Read(From(0));
  ASSERT_EQ(old.status, ReadStatus::kOk);
  const std::vector<uint8_t> bytes = BytesOf(old.slice);
  PrefetchJob prefetch = log_->PreparePrefetch(From(0));
  prefetch.Run();
  MustClean();
  EXPECT_GT(statistics_.records_removed, 0u);
  EXPECT_EQ(BytesOf(old.slice), bytes);
  log_->PrefetchCompleted(prefetch);  // has the old file open, which must not be taken for the new one
  std::vector<Item> items = Items();
  EXPECT_GT(items.front().offset, 0);
  EXPECT_TRUE(std::is_sorted(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.offset < b.offset; }));
}

TEST_F(CleanerTest, NeitherOpenTransactionsNorYoungRecordsAreCleaned) {
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendItems({{"key", "value"}}).ok());
  ASSERT_TRUE(log_->Roll(now_ms_).ok());
  record::BatchOptions options;
  options.producer_id = ProducerId(5);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  options.transactional = true;
  const Offset open = AppendItems({{"key", "open"}}, options).base_offset;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendItems({{"key", "value"}}).ok());
  ASSERT_TRUE(Flush().ok());
  EXPECT_EQ(log_->Cleanable(Offset(0), log_->log_end_offset(), now_ms_).first_uncleanable, open);
  EXPECT_LT(log_->Cleanable(Offset(0), Offset(50), now_ms_).first_uncleanable, Offset(50));
  config_.min_compaction_lag_ms = 1'000'000;
  log_->UpdateConfig(config_);
  EXPECT_EQ(log_->Cleanable(Offset(0), log_->log_end_offset(), now_ms_).dirty_bytes, 0u);
  config_.min_compaction_lag_ms = 0;
  config_.max_compaction_lag_ms = 10;
  log_->UpdateConfig(config_);
  EXPECT_FALSE(log_->Cleanable(Offset(0), log_->log_end_offset(), kT0).is_overdue);
  EXPECT_TRUE(log_->Cleanable(Offset(0), log_->log_end_offset(), kT0 + 10'000).is_overdue);
}

TEST(OffsetMapTest, HashesAsSipHashDoes) {
  // The first vectors of its authors: key 00 … 0f, input empty and 00.
  KeyHash empty = HashKey({}, 0x0706050403020100, 0x0f0e0d0c0b0a0908);
  EXPECT_EQ(empty.low, 0xe6a825ba047f81a3);
  EXPECT_EQ(empty.high, 0x930255c71472f66d);
}

}  // namespace
}  // namespace kb::log

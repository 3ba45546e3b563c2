// Damage in a log that was found at the start: wherever it is, every whole batch is served, no other byte is, and
// readers are told where they can go on.
#include "log/integrity.h"

#include <algorithm>
#include <functional>

#include "base/random.h"
#include "log_fixture.h"

namespace kb::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class IntegrityTest : public LogTest {
 protected:
  struct At {
    size_t position;
    size_t size;
    int64_t base_offset;
    int64_t next_offset;
  };

  // One segment, stopped cleanly.
  void Write(int batches, int records = 3, size_t value_bytes = 40) {
    Open();
    AppendMany(batches, records, value_bytes);
    ASSERT_TRUE(Flush().ok());
    CloseCleanly();
    original_ = files_.Get(LogPath());
    LearnPlaces();
  }
  void LearnPlaces() {
    places_.clear();
    record::BatchWalk walk(Bytes(original_));
    size_t position = 0;
    while (std::optional<record::BatchView> batch = walk.Next()) {
      places_.push_back({position, batch->bytes().size(), batch->base_offset().value(), batch->next_offset().value()});
      position += batch->bytes().size();
    }
  }
  std::string LogPath() const { return PathOf(0, kLogSuffix); }
  int64_t end() const { return places_.back().next_offset; }
  // As damage comes: between two lives of the process.
  void Damage(std::string content) { files_.Put(LogPath(), std::move(content)); }
  std::string Flipped(size_t at, uint8_t bits) const {
    std::string content = original_;
    content[at] = static_cast<char>(static_cast<uint8_t>(content[at]) ^ bits);
    return content;
  }
  std::string With(size_t at, const std::string& bytes) const {
    std::string content = original_;
    content.replace(at, bytes.size(), bytes);
    return content;
  }
  static std::string BigEndian(int32_t value) {
    std::string bytes(4, '\0');
    StoreBigEndian(reinterpret_cast<uint8_t*>(bytes.data()), value);
    return bytes;
  }

  // Every offset by itself, in an order that the seed decides: what is whole is served as it was, what is damaged is
  // not.
  void ExpectAllBut(const std::vector<size_t>& damaged, uint64_t seed = 1) {
    ASSERT_EQ(log_->log_end_offset().value(), end());
    std::vector<size_t> order(places_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    Random random(seed);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
    for (size_t i : order) {
      bool is_damaged = std::find(damaged.begin(), damaged.end(), i) != damaged.end();
      for (int64_t offset = places_[i].base_offset; offset < places_[i].next_offset; ++offset) {
        ReadResult result = Read(From(offset));
        SCOPED_TRACE("offset " + std::to_string(offset));
        if (is_damaged) {
          size_t next = i + 1;
          while (std::find(damaged.begin(), damaged.end(), next) != damaged.end()) ++next;
          ASSERT_EQ(result.status, ReadStatus::kDamaged);
          ASSERT_EQ(result.next_offset.value(), next < places_.size() ? places_[next].base_offset : end());
          continue;
        }
        ASSERT_EQ(result.status, ReadStatus::kOk) << (result.failure ? result.failure->message : "");
        ASSERT_EQ(result.slice.position, places_[i].position);
        ASSERT_EQ(result.slice.first_offset.value(), places_[i].base_offset);
        ExpectWhole(result.slice, i);
      }
    }
  }
  // As ExpectAllBut, where a copy of a batch may have come to lie elsewhere: every whole one is served, and only what
  // was written, under its own offsets.
  void ExpectNothingFalse(const std::vector<size_t>& touched) {
    ASSERT_EQ(log_->log_end_offset().value(), end());
    for (size_t i = 0; i < places_.size(); ++i) {
      SCOPED_TRACE("batch " + std::to_string(i));
      bool is_touched = std::find(touched.begin(), touched.end(), i) != touched.end();
      ReadResult result = Read(From(places_[i].base_offset));
      if (result.status == ReadStatus::kDamaged) {
        ASSERT_GT(result.next_offset.value(), places_[i].base_offset);
        if (!is_touched) ++not_served_;
        continue;
      }
      ASSERT_EQ(result.status, ReadStatus::kOk) << (result.failure ? result.failure->message : "");
      std::vector<uint8_t> bytes = BytesOf(result.slice);
      record::BatchWalk walk(bytes);
      int64_t next = places_[i].base_offset;
      // Copies of later batches in the place of this one look like a gap that compaction left.
      if (!is_touched) {
        ASSERT_EQ(result.slice.first_offset.value(), next);
      }
      while (std::optional<record::BatchView> batch = walk.Next()) {
        auto place = std::find_if(places_.begin(), places_.end(),
                                  [&](const At& at) { return at.base_offset == batch->base_offset().value(); });
        ASSERT_NE(place, places_.end());
        ASSERT_GE(place->base_offset, next);
        ASSERT_TRUE(batch->CheckCrc());
        record::BatchHeader written(Bytes(original_).subspan(place->position, record::kBatchHeaderBytes));
        ASSERT_EQ(batch->crc(), written.crc());
        next = place->next_offset;
      }
      ASSERT_TRUE(walk.rest().empty());
    }
  }
  // A slice is the batches from `first` on, as they were written but for the leader epoch.
  void ExpectWhole(const Slice& slice, size_t first) {
    std::vector<uint8_t> bytes = BytesOf(slice);
    ASSERT_GE(bytes.size(), places_[first].size);
    record::BatchWalk walk(bytes);
    size_t i = first;
    while (std::optional<record::BatchView> batch = walk.Next()) {
      ASSERT_LT(i, places_.size());
      ASSERT_TRUE(batch->CheckCrc());
      ASSERT_EQ(batch->base_offset().value(), places_[i].base_offset);
      ASSERT_EQ(batch->next_offset().value(), places_[i].next_offset);
      ++i;
    }
    ASSERT_TRUE(walk.rest().empty());
  }
  std::vector<size_t> Touched(size_t from, size_t to) const {
    std::vector<size_t> touched;
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].position < to && from < places_[i].position + places_[i].size) touched.push_back(i);
    }
    return touched;
  }
  uint64_t Scrub(ScrubCursor cursor = {}) {
    uint64_t bytes = 0;
    while (std::optional<ScrubJob> job = log_->PrepareScrub(cursor)) {
      Status status = job->Run();
      EXPECT_TRUE(status.ok()) << status.error().message;
      if (!status.ok() || !log_->ScrubCompleted(*job)) cursor.SkipSegment();
      bytes += job->bytes();
    }
    return bytes;
  }

  size_t not_served_ = 0;
  std::string original_;
  std::vector<At> places_;
};

TEST_F(IntegrityTest, ABitFlippedAnywhereCostsItsBatchAndNoOther) {
  ASSERT_NO_FATAL_FAILURE(Write(12));
  for (size_t victim : {0, 1, 5, 10}) {
    std::vector<size_t> where;
    for (size_t at = 0; at < places_[victim].size; at += at < 70 ? 1 : 13) where.push_back(at);
    for (size_t at : where) {
      for (int bit = 0; bit < 8; ++bit) {
        SCOPED_TRACE("batch " + std::to_string(victim) + " byte " + std::to_string(at) + " bit " + std::to_string(bit));
        Damage(Flipped(places_[victim].position + at, static_cast<uint8_t>(1 << bit)));
        Open();
        // The leader epoch is outside of the checksum, and no offset: nobody can tell.
        bool is_epoch = at >= record::kLeaderEpochAt && at < record::kMagicAt;
        std::vector<size_t> damaged;
        if (!is_epoch) damaged.push_back(victim);
        ASSERT_NO_FATAL_FAILURE(ExpectAllBut(damaged, at * 8 + static_cast<size_t>(bit)));
        EXPECT_EQ(log_->TakeFoundDamage().size(), damaged.size());
      }
    }
  }
}

TEST_F(IntegrityTest, ABitFlippedInWhatWasDurableCostsItsBatchAfterAKillToo) {
  ASSERT_NO_FATAL_FAILURE(Write(12));
  for (size_t victim : {0, 4, 10}) {
    for (size_t at = 0; at < places_[victim].size; ++at) {
      if (at >= record::kLeaderEpochAt && at < record::kMagicAt) continue;
      for (uint8_t bits : {0x01, 0x02, 0x10, 0x80}) {
        SCOPED_TRACE("batch " + std::to_string(victim) + " byte " + std::to_string(at) + " bits " + std::to_string(bits));
        Damage(Flipped(places_[victim].position + at, bits));
        (void)files_.Remove(PathOf(end(), kSnapshotSuffix));  // no checkpoint: all of it is scanned
        Open(/*was_clean=*/false);
        ASSERT_NO_FATAL_FAILURE(ExpectAllBut({victim}, at));
      }
    }
  }
}

TEST_F(IntegrityTest, LengthsThatAreLies) {
  ASSERT_NO_FATAL_FAILURE(Write(12));
  const At& victim = places_[3];
  const auto right = static_cast<int32_t>(victim.size - record::kBatchPrefixBytes);
  const auto one = static_cast<int32_t>(places_[4].size);
  const auto rest = static_cast<int32_t>(original_.size() - victim.position - record::kBatchPrefixBytes);
  for (int32_t lie : {0, -1, INT32_MIN, INT32_MAX, 48, 49, 50, right - 1, right + 1, right + one, right + 2 * one,
                      right + one + 1, rest - 1, rest, rest + 1, 1 << 20}) {
    SCOPED_TRACE(lie);
    Damage(With(victim.position + record::kBatchLengthAt, BigEndian(lie)));
    Open();
    ASSERT_NO_FATAL_FAILURE(ExpectAllBut({3}, static_cast<uint64_t>(lie)));
  }
}

TEST_F(IntegrityTest, HolesOfZeros) {
  ASSERT_NO_FATAL_FAILURE(Write(30));
  const size_t last = places_.back().position;
  for (size_t from : {size_t{0}, places_[2].position, places_[2].position + 30, places_[7].position + 100}) {
    for (size_t size : {size_t{1}, size_t{17}, size_t{61}, size_t{512}, size_t{2000}}) {
      if (from + size > last) continue;
      SCOPED_TRACE(std::to_string(from) + " " + std::to_string(size));
      // A zero where there was a zero is no damage.
      size_t begin = from, end = from + size;
      while (begin < end && original_[begin] == 0) ++begin;
      while (begin < end && original_[end - 1] == 0) --end;
      if (begin == end) continue;
      Damage(With(from, std::string(size, '\0')));
      Open();
      ASSERT_NO_FATAL_FAILURE(ExpectAllBut(Touched(begin, end), size));
    }
  }
}

TEST_F(IntegrityTest, BatchesThatGoBackOrOverlapAreNotServed) {
  ASSERT_NO_FATAL_FAILURE(Write(12));
  // Whole and right, and at the wrong place: a write that went astray.
  ASSERT_EQ(places_[2].size, places_[7].size);
  for (auto [to, from] : {std::pair<size_t, size_t>{7, 2}, {2, 7}, {5, 4}, {4, 5}, {0, 3}}) {
    SCOPED_TRACE(std::to_string(from) + " over " + std::to_string(to));
    Damage(With(places_[to].position, original_.substr(places_[from].position, places_[from].size)));
    Open();
    ASSERT_NO_FATAL_FAILURE(ExpectAllBut({to}));
  }
  // Overlapping by some offsets.
  for (int shift : {-4, -2, -1, 1, 2, 4}) {
    SCOPED_TRACE(shift);
    std::string base(8, '\0');
    StoreBigEndian(reinterpret_cast<uint8_t*>(base.data()), places_[6].base_offset + shift);
    Damage(With(places_[6].position, base));
    Open();
    ASSERT_NO_FATAL_FAILURE(ExpectAllBut({6}));
  }
}

TEST_F(IntegrityTest, BytesThatShouldNotBeThereAreGonePast) {
  ASSERT_NO_FATAL_FAILURE(Write(6));
  config_.index_interval_bytes = 1 << 20;
  files_.Put(PathOf(0, kIndexSuffix), "");
  Damage(original_.substr(0, places_[3].position) + std::string(100, '\x02') + original_.substr(places_[3].position));
  Open();
  for (int64_t offset = 0; offset < end(); ++offset) {
    ReadResult result = Read(From(offset));
    ASSERT_EQ(result.status, ReadStatus::kOk) << offset;
    ExpectWhole(result.slice, static_cast<size_t>(offset) / 3);
  }
  std::vector<FoundDamage> found = log_->TakeFoundDamage();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].stretch.begin, places_[3].position);
  EXPECT_EQ(found[0].stretch.begin_offset, found[0].stretch.end_offset);
}

TEST_F(IntegrityTest, WhatARecordOfADamagedBatchHoldsIsNoBatch) {
  Open();
  AppendMany(2, 3);
  // A record that holds a batch with just the offsets that are missing.
  std::vector<uint8_t> inner = BatchOf(3).Based(6, 0).Build();
  record::BatchBuilder builder{record::BatchOptions()};
  builder.Append(kT0, std::nullopt, Bytes("first"));
  builder.Append(kT0, std::nullopt, ByteView(inner));
  ASSERT_TRUE(Append(builder.Build()).ok());
  AppendMany(3, 3);
  ASSERT_TRUE(Flush().ok());
  CloseCleanly();
  original_ = files_.Get(LogPath());
  LearnPlaces();
  Damage(Flipped(places_[2].position + 65, 1));
  Open();
  ASSERT_NO_FATAL_FAILURE(ExpectAllBut({2}));
}

TEST_F(IntegrityTest, DamageUpToTheEndOfASealedSegmentEndsWhereTheNextBegins) {
  config_.segment_bytes = 700;
  Open();
  AppendMany(20, 2, 50);
  ASSERT_TRUE(Flush().ok());
  CloseCleanly();
  const std::vector<int64_t> bases = SegmentBases();
  ASSERT_GE(bases.size(), 4u);
  const std::string path = PathOf(bases[1], kLogSuffix);
  files_.Put(path, std::string(files_.Get(path).size(), '\0'));
  Open();
  for (int64_t offset = 0; offset < 40; ++offset) {
    ReadResult result = Read(From(offset));
    bool is_inside = offset >= bases[1] && offset < bases[2];
    ASSERT_EQ(result.status, is_inside ? ReadStatus::kDamaged : ReadStatus::kOk) << offset;
    if (is_inside) {
      ASSERT_EQ(result.next_offset.value(), bases[2]);
    }
  }
}

TEST_F(IntegrityTest, ALargeSegmentIsCheckedPieceByPiece) {
  config_.segment_bytes = 64 << 20;
  config_.index_interval_bytes = 4096;
  ASSERT_NO_FATAL_FAILURE(Write(1200, 1, 10'000));
  ASSERT_GT(original_.size(), 11u << 20);
  const size_t victim = 700;
  Damage(Flipped(places_[victim].position + 5000, 1));
  Open();
  uint64_t before = files_.read_bytes();
  ReadResult result = Read(From(650, 1 << 20));
  ASSERT_EQ(result.status, ReadStatus::kOk);
  EXPECT_LT(files_.read_bytes() - before, 4u << 20);
  EXPECT_LE(result.slice.position + result.slice.size_bytes, places_[victim].position)
      << "a read ends in front of damage";
  // From the begin to the end, as a consumer who steps over what is damaged.
  before = files_.read_bytes();
  int64_t offset = 0;
  size_t reads = 0, damaged = 0;
  while (offset < end()) {
    result = Read(From(offset, 1 << 20));
    ++reads;
    if (result.status == ReadStatus::kDamaged) {
      ++damaged;
      ASSERT_GT(result.next_offset.value(), offset);
      offset = result.next_offset.value();
      continue;
    }
    ASSERT_EQ(result.status, ReadStatus::kOk);
    record::BatchWalk walk(BytesOf(result.slice));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole({result.slice.file, result.slice.position,
                                         places_[static_cast<size_t>(offset)].size, result.slice.first_offset},
                                        static_cast<size_t>(offset)));
    while (offset < end() &&
           places_[static_cast<size_t>(offset)].position + places_[static_cast<size_t>(offset)].size <=
               result.slice.position + result.slice.size_bytes) {
      ++offset;
    }
  }
  EXPECT_EQ(damaged, 1u);
  EXPECT_LT(reads, 25u) << "no small rests of pieces";
  // All is known now: no reader waits for the disk any more.
  for (int64_t each : {0, 300, 690, 701, 1199}) {
    ReadOptions options = From(each, 1 << 20);
    EXPECT_EQ(log_->Read(options).status, ReadStatus::kOk) << each;
  }
  EXPECT_EQ(log_->Read(From(static_cast<int64_t>(victim))).status, ReadStatus::kDamaged);
  EXPECT_EQ(log_->TakeFoundDamage().size(), 1u);
}

TEST_F(IntegrityTest, WhatThisProcessWroteNeedsNoCheck) {
  ASSERT_NO_FATAL_FAILURE(Write(5));
  Open();
  AppendMany(5, 3);
  ReadOptions options = From(15);
  EXPECT_EQ(log_->Read(options).status, ReadStatus::kOk);
  EXPECT_EQ(log_->Read(From(0)).status, ReadStatus::kNeedsDisk);
  ReadResult all = Read(From(0));
  ASSERT_EQ(all.status, ReadStatus::kOk);
  EXPECT_EQ(all.slice.size_bytes, log_->size_bytes()) << "what was found and what was written are one";
  EXPECT_EQ(BaseOffsetsFrom(0).size(), 10u);
}

TEST_F(IntegrityTest, AMissingOrLyingIndexMakesTheCheckSlowAndNotWrong) {
  ASSERT_NO_FATAL_FAILURE(Write(40));
  const std::string index = files_.Get(PathOf(0, kIndexSuffix));
  ASSERT_GT(index.size(), 80u);
  for (int lie = 0; lie < 3; ++lie) {
    SCOPED_TRACE(lie);
    Damage(Flipped(places_[20].position + 70, 1));
    std::string false_index = index;
    for (size_t at = 0; at + 8 < false_index.size(); at += 8) {
      if (lie == 0) false_index[at + 7] ^= 0x5;                                       // positions inside of batches
      if (lie == 1) false_index.replace(at, 4, BigEndian(static_cast<int32_t>(at)));  // offsets of other batches
      if (lie == 2) false_index.replace(at, 8, std::string(8, '\x7f'));
    }
    files_.Put(PathOf(0, kIndexSuffix), false_index);
    Open();
    ASSERT_NO_FATAL_FAILURE(ExpectAllBut({20}, static_cast<uint64_t>(lie)));
  }
}

TEST_F(IntegrityTest, TimesAreFoundBehindDamage) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  for (size_t at : {size_t{0}, size_t{10}, size_t{16}, size_t{40}, size_t{90}}) {
    SCOPED_TRACE(at);
    Damage(Flipped(places_[8].position + at, 0x40));
    Open();
    // The batches are 10 ms apart, their records 1.
    for (size_t i = 0; i < places_.size(); ++i) {
      auto found = log_->PrepareTimestampLookup(kT0 + 10 * static_cast<int64_t>(i + 1)).Run();
      ASSERT_TRUE(found.ok());
      ASSERT_TRUE(found->has_value()) << i;
      if (i == 8 && at == 0) continue;  // its records are as they were, and it says that it lies elsewhere
      EXPECT_EQ((*found)->offset.value(), places_[i == 8 ? 9 : i].base_offset) << i;
    }
  }
}

TEST_F(IntegrityTest, TheStartMayBeMovedIntoDamage) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  Damage(Flipped(places_[8].position + 70, 1));
  Open();
  log_->DeleteRecordsTo(Offset(25));
  EXPECT_EQ(Read(From(24)).status, ReadStatus::kOutOfRange);
  EXPECT_EQ(Read(From(25)).status, ReadStatus::kDamaged);
  EXPECT_EQ(Read(From(25)).next_offset, Offset(27));
  EXPECT_EQ(Read(From(27)).status, ReadStatus::kOk);
}

TEST_F(IntegrityTest, AnEndOffsetInDamageOrBehindItEndsTheReadBefore) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  Damage(Flipped(places_[8].position + 70, 1));
  Open();
  for (int64_t end_offset : {23, 24, 25, 26, 27, 40, 60}) {
    ReadOptions options = From(3);
    options.end_offset = Offset(end_offset);
    ReadResult result = Read(options);
    ASSERT_EQ(result.status, ReadStatus::kOk);
    size_t last = std::min<size_t>(7, static_cast<size_t>(end_offset) / 3 - 1);
    EXPECT_EQ(result.slice.position + result.slice.size_bytes, places_[last].position + places_[last].size)
        << end_offset;
  }
}

TEST_F(IntegrityTest, AnErrorOfTheDiskIsNoDamage) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  Open();
  files_.FailNth(test::IoCall::kRead, 1, EIO, /*and_all_after=*/true);
  PrefetchJob job = log_->PreparePrefetch(From(0));
  job.Run();
  ASSERT_TRUE(job.failure().has_value());
  log_->PrefetchCompleted(job);
  files_.StopFailing();
  EXPECT_TRUE(log_->TakeFoundDamage().empty());
  ASSERT_NO_FATAL_FAILURE(ExpectAllBut({}));
}

TEST_F(IntegrityTest, AScrubFindsWhatNobodyReads) {
  config_.segment_bytes = 4000;
  Open();
  AppendMany(60, 3, 40);
  ASSERT_TRUE(Flush().ok());
  CloseCleanly();
  const std::vector<int64_t> bases = SegmentBases();
  ASSERT_GE(bases.size(), 3u);
  for (size_t i : {0, 1}) {
    std::string content = files_.Get(PathOf(bases[i], kLogSuffix));
    content[200] ^= 1;
    files_.Put(PathOf(bases[i], kLogSuffix), content);
  }
  Open();
  EXPECT_EQ(Scrub(), log_->size_bytes());
  EXPECT_EQ(log_->TakeFoundDamage().size(), 2u);
  EXPECT_EQ(Scrub(), 0u) << "all is known";
  // And again from the begin on, what this process has written included.
  AppendMany(20, 3, 40);
  ASSERT_TRUE(Flush().ok());
  const std::vector<int64_t> more = SegmentBases();
  ASSERT_GT(more.size(), bases.size());
  std::string content = files_.Get(PathOf(more[more.size() - 2], kLogSuffix));
  content[300] ^= 1;
  files_.Put(PathOf(more[more.size() - 2], kLogSuffix), content);
  log_->ReleaseIdle();
  log_->ReleaseIdle();
  EXPECT_EQ(Scrub(), 0u);
  ScrubCursor anew;
  anew.anew = true;
  EXPECT_EQ(Scrub(anew), log_->size_bytes());
  EXPECT_EQ(log_->TakeFoundDamage().size(), 3u);
}

TEST_F(IntegrityTest, AScrubOfASegmentThatIsGoneIsForgotten) {
  config_.segment_bytes = 4000;
  Open();
  AppendMany(60, 3, 40);
  ASSERT_TRUE(Flush().ok());
  CloseCleanly();
  Open();
  ScrubCursor cursor;
  std::optional<ScrubJob> job = log_->PrepareScrub(cursor);
  ASSERT_TRUE(job.has_value());
  log_->DeleteRecordsTo(log_->log_end_offset());
  RemovalJob removal = log_->ApplyRetention(now_ms_, log_->log_end_offset());
  ASSERT_TRUE(removal.Rename().ok());
  EXPECT_FALSE(job->Run().ok());
  EXPECT_FALSE(log_->ScrubCompleted(*job));
}

// Whatever is done to the file: every batch that was not touched is served, nothing else is, and stepping over damage
// ends.
TEST_F(IntegrityTest, RandomDamage) {
  ASSERT_NO_FATAL_FAILURE(Write(60, 3, 30));
  const size_t last = places_.back().position;
  int opened = 0;
  size_t in_doubt = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string content = original_;
    std::vector<size_t> touched;
    bool has_copy = false;
    for (uint64_t i = 0, wounds = 1 + random.Below(4); i < wounds; ++i) {
      size_t from = random.Below(last);
      size_t size = std::min(last - from, size_t{1} + random.Below(random.Below(2) == 0 ? 16 : 1200));
      switch (random.Below(3)) {
        case 0:
          content.replace(from, size, std::string(size, '\0'));
          break;
        case 1:
          content.replace(from, size, original_.substr(random.Below(last - size), size));
          has_copy = true;
          break;
        default:
          for (size_t at = from; at < from + size; ++at) content[at] = static_cast<char>(random.Below(256));
      }
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      std::string epochless = content.substr(places_[i].position, places_[i].size);
      epochless.replace(record::kLeaderEpochAt, 4, std::string(4, '\0'));
      if (epochless != original_.substr(places_[i].position, places_[i].size)) touched.push_back(i);
    }
    Damage(content);
    Open(random.Below(4) != 0);
    if (log_->log_end_offset().value() != end()) continue;  // recovery believed a base offset: not what this is about
    ++opened;
    not_served_ = 0;
    ASSERT_NO_FATAL_FAILURE(ExpectNothingFalse(touched));
    // Of some batches between two wounds, and others that came there by mistake, nobody can tell which are right.
    if (!has_copy) {
      ASSERT_EQ(not_served_, 0u);
    }
    in_doubt += not_served_;
  }
  EXPECT_GT(opened, 350);
  EXPECT_LE(in_doubt, 20u) << "of some 20,000";
}

// In whatever order pieces are checked, the same comes out.
TEST_F(IntegrityTest, PiecesInAnyOrderMakeOneWhole) {
  ASSERT_NO_FATAL_FAILURE(Write(200, 2, 30));
  std::string content = Flipped(places_[50].position + 70, 1);
  content[places_[51].position + 3] ^= 1;
  content[places_[120].position + 9] ^= 1;
  files_.Put("/data/other", content);
  auto file = files_.Open("/data/other", io::OpenMode::kRead);
  ASSERT_TRUE(file.ok());
  const Integrity unknown(Offset(0), content.size(), Offset(end()));
  auto whole = CheckBatches(**file, Offset(0), *unknown.FirstUnknown(), {content.size(), kNoOffset});
  ASSERT_TRUE(whole.ok());
  const Integrity at_once = unknown.With(*whole);
  ASSERT_EQ(at_once.stretches().size(), 5u);
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Integrity known = unknown;
    for (int step = 0; step < 10'000 && known.FirstUnknown(); ++step) {
      std::optional<Unknown> part =
          known.UnknownFor(Offset(static_cast<int64_t>(random.Below(static_cast<uint64_t>(end())))));
      if (!part) continue;
      // As from an index entry: at any whole batch of the part.
      size_t at = random.Below(places_.size());
      bool is_inside = places_[at].position >= part->begin && places_[at].position < part->end;
      bool is_whole = at != 50 && at != 51 && at != 120;
      if (is_inside && is_whole && random.Below(2) == 0) {
        part->begin = static_cast<uint32_t>(places_[at].position);
        part->begin_offset = Offset(places_[at].base_offset);
      }
      auto checked = CheckBatches(**file, Offset(0), *part, {random.Below(3000), kNoOffset});
      ASSERT_TRUE(checked.ok());
      bool added = false;
      known = known.With(*checked, &added);
      ASSERT_TRUE(added);
    }
    EXPECT_EQ(known.stretches(), at_once.stretches()) << seed;
  }
}

TEST_F(IntegrityTest, TwoWhoCheckTheSameAreNoTrouble) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  Damage(Flipped(places_[8].position + 70, 1));
  Open();
  PrefetchJob first = log_->PreparePrefetch(From(0));
  PrefetchJob second = log_->PreparePrefetch(From(30));
  first.Run();
  second.Run();
  log_->PrefetchCompleted(second);
  log_->PrefetchCompleted(first);
  ASSERT_NO_FATAL_FAILURE(ExpectAllBut({8}));
  EXPECT_EQ(log_->TakeFoundDamage().size(), 1u);
}

TEST_F(IntegrityTest, ATruncationForgetsWhatWasKnown) {
  ASSERT_NO_FATAL_FAILURE(Write(20));
  Damage(Flipped(places_[8].position + 70, 1));
  Open();
  PrefetchJob job = log_->PreparePrefetch(From(0));
  job.Run();
  ASSERT_TRUE(log_->TruncateTo(Offset(45), now_ms_).ok());
  log_->PrefetchCompleted(job);
  EXPECT_EQ(log_->log_end_offset(), Offset(45));
  AppendMany(1, 3);
  EXPECT_EQ(Read(From(24)).status, ReadStatus::kDamaged);
  EXPECT_EQ(Read(From(45)).status, ReadStatus::kOk);
  EXPECT_EQ(Read(From(44)).slice.first_offset, Offset(42));
}

}  // namespace
}  // namespace kb::log

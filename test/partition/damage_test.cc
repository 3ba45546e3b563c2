// Damage in a partition: what readers are answered, what the operator is told, and the scrub that finds it without
// them.
#include "fixture.h"
#include "log/checkpoint_files.h"
#include "log/file_names.h"
#include "partition/scrubber.h"

namespace kb::partition {
namespace {

class DamageTest : public PartitionFixture {
 protected:
  static constexpr int kBatches = 20;
  static constexpr int kRecords = 3;

  // A partition that was stopped cleanly, whose batch `victim` was then damaged, and that was opened again.
  std::shared_ptr<Partition> OpenDamaged(int victim, size_t at = 70) {
    OpenRequest request = RequestFor("topic");
    std::shared_ptr<Partition> partition = Open(request);
    for (int i = 0; i < kBatches; ++i) EXPECT_EQ(Produce(partition, Batch(kRecords)).error, ErrorCode::kNone);
    EXPECT_TRUE(Await([&] { return partition->Close(); }).ok());
    partition.reset();
    Restart(test::PowerLoss::kNothing);
    std::string content = files_.Get(kPath);
    content[content.size() / kBatches * static_cast<size_t>(victim) + at] ^= 1;
    files_.Put(kPath, content);
    request.was_clean = true;
    request.recovery_point = Offset(kBatches * kRecords);
    return Open(request);
  }
  static constexpr const char* kPath = "/data/topic-0/00000000000000000000.log";
};

TEST_F(DamageTest, ReadersAreToldAndCanGoOnBehindIt) {
  std::shared_ptr<Partition> partition = OpenDamaged(7);
  for (int64_t offset = 0; offset < kBatches * kRecords; ++offset) {
    ReadOutcome outcome = Read(partition, At(offset));
    bool is_damaged = offset >= 21 && offset < 24;
    ASSERT_EQ(outcome.error, is_damaged ? ErrorCode::kCorruptMessage : ErrorCode::kNone) << offset;
    if (is_damaged) {
      EXPECT_EQ(outcome.next_offset, Offset(24));
      EXPECT_FALSE(outcome.slice.has_value());
      continue;
    }
    ASSERT_TRUE(outcome.slice.has_value()) << offset;
    EXPECT_EQ(outcome.slice->first_offset, Offset(offset / kRecords * kRecords));
  }
  EXPECT_FALSE(partition->offline());
  EXPECT_EQ(Produce(partition, Batch(1)).base_offset, kBatches * kRecords) << "offsets do not shift";
}

TEST_F(DamageTest, AReadWaitsForItsCheckAndTheReactorDoesNot) {
  std::shared_ptr<Partition> partition = OpenDamaged(7);
  auto answer = Begin([&] { return partition->Read(At(0)); });
  EXPECT_FALSE(answer->has_value()) << "it is in memory, and still it must be checked first";
  EXPECT_EQ(disk_->waiting(), 1u);
  RunDisk();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::kNone);
  // Once.
  auto again = Begin([&] { return partition->Read(At(30)); });
  EXPECT_TRUE(again->has_value());
}

TEST_F(DamageTest, AScrubFindsItAndKeepsToItsRate) {
  std::shared_ptr<Partition> partition = OpenDamaged(7);
  auto scrubber = std::make_unique<Scrubber>(
      *table_, scheduler_.clock(),
      Scrubber::Options{.bytes_per_second = 1000, .interval_ms = 1'000'000, .first_after_ms = 30'000});
  {
    reactor::Reactor::Scope scope(**reactor_);
    (*reactor_)->Spawn(scrubber->Run());
  }
  PassTime(29'000);
  RunDisk();
  EXPECT_EQ(scrubber->statistics().bytes, 0u);
  PassTime(2'000);
  RunDisk();
  const uint64_t size = files_.Get(kPath).size();
  EXPECT_EQ(scrubber->statistics().bytes, size);
  EXPECT_EQ(scrubber->statistics().rounds, 0u) << "it rests first";
  PassTime(static_cast<int64_t>(size) + 100);
  EXPECT_EQ(scrubber->statistics().rounds, 1u);
  // Known now: no read waits.
  auto answer = Begin([&] { return partition->Read(At(22)); });
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::kCorruptMessage);
  // The next round reads all of it again.
  PassTime(1'000'000);
  RunDisk();
  EXPECT_EQ(scrubber->statistics().bytes, 2 * size);
  On([&] { scrubber->Stop(); });
  partition.reset();
  DropTable();
}

TEST_F(DamageTest, NoScrubWhereItIsSwitchedOff) {
  std::shared_ptr<Partition> partition = OpenDamaged(7);
  Scrubber scrubber(*table_, scheduler_.clock(), {.bytes_per_second = 0, .interval_ms = 1000, .first_after_ms = 0});
  {
    reactor::Reactor::Scope scope(**reactor_);
    (*reactor_)->Spawn(scrubber.Run());
  }
  PassTime(100'000);
  EXPECT_EQ(disk_->waiting(), 0u);
}

}  // namespace
}  // namespace kb::partition

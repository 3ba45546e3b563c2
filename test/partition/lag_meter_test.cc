// How far offsets are behind: in records up to what is readable, in time of the first of these, and nothing for what is
// not in service.
#include "partition/lag_meter.h"

#include "partition/fixture.h"

namespace kb::partition {
namespace {

class LagMeterTest : public PartitionFixture {
 protected:
  LagMeter& meter() {
    if (meter_ == nullptr) meter_ = std::make_unique<LagMeter>(*table_, *disk_);
    return *meter_;
  }
  int64_t RecordsBehind(const PartitionId& id, int64_t offset) {
    return On([&] { return meter().Measure({id, offset}).records; });
  }
  std::vector<Lag> Times(std::vector<LagQuestion> questions) {
    return Await([&] { return meter().MeasureTimes(questions); });
  }
  std::optional<int64_t> Since(const PartitionId& id, int64_t offset) { return Times({{id, offset}})[0].since_ms; }
  // How often the disk was asked while `act` ran.
  template <typename F>
  int Jobs(F act) {
    auto pending = Begin(act);
    int jobs = 0;
    for (; disk_->waiting() > 0; ++jobs) RunOneJob();
    EXPECT_TRUE(pending->has_value());
    return jobs;
  }

  std::unique_ptr<LagMeter> meter_;
};

TEST_F(LagMeterTest, CountsUpToWhatIsReadable) {
  auto partition = Open("t", With(Durability::kDisk));
  EXPECT_EQ(RecordsBehind(partition->id(), 0), 0);
  Produce(partition, Batch(5));
  EXPECT_EQ(RecordsBehind(partition->id(), 0), 5);
  EXPECT_EQ(RecordsBehind(partition->id(), 2), 3);
  EXPECT_EQ(RecordsBehind(partition->id(), 5), 0);
  EXPECT_EQ(RecordsBehind(partition->id(), 9), 0) << "an offset that was lost";
  BeginProduce(partition->id(), Batch(5), 1);
  EXPECT_EQ(RecordsBehind(partition->id(), 0), 5) << "what is not on the disk yet is shown to nobody";
  PassTime(1000);
  RunDisk();
  EXPECT_EQ(RecordsBehind(partition->id(), 0), 10);
}

TEST_F(LagMeterTest, CountsFromTheLogStart) {
  auto partition = Open("t");
  for (int i = 0; i < 4; ++i) {
    Produce(partition, Batch(5));
    PassTime(1000);
  }
  const int64_t begin_ms = *Since(partition->id(), 0);
  Remove(partition, 12);
  EXPECT_EQ(RecordsBehind(partition->id(), 3), 8);
  EXPECT_EQ(Since(partition->id(), 3), begin_ms + 2000);
}

TEST_F(LagMeterTest, TheTimeIsThatOfTheFirstRecordLeft) {
  auto partition = Open("t");
  std::vector<int64_t> times;
  for (int i = 0; i < 5; ++i) {
    times.push_back(now_ms());
    Produce(partition, Batch(2));
    PassTime(1000);
  }
  for (int64_t offset = 0; offset < 10; ++offset) {
    EXPECT_EQ(Since(partition->id(), offset), times[static_cast<size_t>(offset / 2)]) << offset;
  }
  EXPECT_EQ(Since(partition->id(), 10), std::nullopt);
}

TEST_F(LagMeterTest, TheDiskIsAskedOnceForAPlaceAndInSmallNumbers) {
  auto partition = Open("t");
  Produce(partition, Batch(100));
  Produce(partition, Batch(100));
  std::vector<LagQuestion> questions;
  for (int64_t offset = 0; offset < 200; ++offset) questions.push_back({partition->id(), offset});
  auto ask = [&] { return meter().MeasureTimes(questions); };
  EXPECT_EQ(Jobs(ask), 7) << "200 by 32";
  EXPECT_EQ(Jobs(ask), 0);
  questions.push_back({partition->id(), 200});
  EXPECT_EQ(Jobs(ask), 0) << "who is not behind costs nothing";
  Produce(partition, Batch(1));
  EXPECT_EQ(Jobs(ask), 1);
}

TEST_F(LagMeterTest, WhatIsNotInServiceHasNoLag) {
  auto partition = Open("t");
  auto other = Open("u");
  Produce(partition, Batch(5));
  Produce(other, Batch(5));
  EXPECT_EQ(RecordsBehind({Uuid(9, 9), 0}, 0), -1);
  const PartitionId gone = partition->id();
  partition.reset();
  EXPECT_TRUE(Await([&] { return table_->Delete(gone, 0); }).ok());
  On([&] { other->TakeOffline(Error{ErrorKind::kIo, "the disk is gone"}); });
  const std::vector<Lag> lags = Times({{gone, 0}, {other->id(), 0}});
  EXPECT_EQ(lags[0].records, -1);
  EXPECT_EQ(lags[1].records, -1);
  EXPECT_EQ(lags[0].since_ms, std::nullopt);
}

TEST_F(LagMeterTest, APartitionMayGoWhileItsTimeIsLookedUp) {
  auto partition = Open("t");
  Produce(partition, Batch(50));
  const PartitionId gone = partition->id();
  partition.reset();
  std::vector<LagQuestion> questions;
  for (int64_t offset = 0; offset < 40; ++offset) questions.push_back({gone, offset});
  auto pending = Begin([&] { return meter().MeasureTimes(questions); });
  auto deleted = Begin([&] { return table_->Delete(gone, 0); });
  RunDisk();
  ASSERT_TRUE(pending->has_value());
  EXPECT_TRUE((**pending)[0].since_ms.has_value());
  EXPECT_EQ((**pending)[39].since_ms, std::nullopt);
}

}  // namespace
}  // namespace kb::partition

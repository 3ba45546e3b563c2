#include "record/batch.h"

#include <gtest/gtest.h>

#include "record/builder.h"
#include "record/golden.h"

namespace kb::record {
namespace {

using Blob = std::vector<uint8_t>;

Blob OneBatch(BatchOptions options = {}) {
  BatchBuilder builder(options);
  builder.Append(1000, AsBytes("k"), AsBytes("v"));
  builder.Append(1005, AsBytes("k"), AsBytes("w"));
  return builder.Build();
}

TEST(MutableBatch, OffsetAndEpochLieOutsideTheChecksum) {
  Blob bytes = OneBatch();
  MutableBatchView batch(bytes);
  batch.SetLastOffset(Offset(101));
  batch.SetLeaderEpoch(LeaderEpoch(9));
  EXPECT_TRUE(batch.CheckCrc());
  EXPECT_EQ(batch.base_offset(), Offset(100));
  EXPECT_EQ(batch.next_offset(), Offset(102));
  EXPECT_EQ(batch.leader_epoch(), LeaderEpoch(9));
}

TEST(MutableBatch, ANewMaximumGetsANewChecksum) {
  Blob bytes = OneBatch();
  MutableBatchView batch(bytes);
  uint32_t crc = batch.crc();
  batch.SetMaxTimestamp(TimestampType::kCreateTime, 1005);
  EXPECT_EQ(batch.crc(), crc) << "nothing changed";
  batch.SetMaxTimestamp(TimestampType::kLogAppendTime, 5000);
  EXPECT_NE(batch.crc(), crc);
  EXPECT_TRUE(batch.CheckCrc());
  EXPECT_EQ(batch.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(batch.max_timestamp(), 5000);
  batch.SetMaxTimestamp(TimestampType::kCreateTime, 1005);
  EXPECT_EQ(batch.crc(), crc) << "and back";
}

TEST(MutableBatch, BitsWithoutAMeaningStayUntilTheMaximumIsRewritten) {
  Blob bytes = OneBatch();
  StoreBigEndian(bytes.data() + kAttributesAt, uint16_t{0x7f40});
  MutableBatchView batch(bytes);
  batch.SetMaxTimestamp(TimestampType::kCreateTime, 1005);
  EXPECT_EQ(batch.attributes(), 0x7f40);
  batch.SetMaxTimestamp(TimestampType::kLogAppendTime, 5000);
  EXPECT_EQ(batch.attributes(), 0x0048);
}

TEST(BatchView, NeedsEveryByte) {
  Blob bytes = OneBatch();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(BatchView::First(ByteView(bytes).first(size)).has_value()) << size;
  }
  Blob more = bytes;
  more.push_back(0);
  std::optional<BatchView> batch = BatchView::First(more);
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->bytes().size(), bytes.size());
}

TEST(BatchView, AnyLengthFieldIsSafe) {
  Blob bytes = OneBatch();
  for (int32_t length : {INT32_MIN, -1, 0, 14, 48, 100000, INT32_MAX}) {
    StoreBigEndian(bytes.data() + kBatchLengthAt, length);
    EXPECT_FALSE(BatchView::First(bytes).has_value()) << length;
  }
}

TEST(BatchView, SequencesWrapToZero) {
  Blob bytes = OneBatch({.producer_id = ProducerId(1), .producer_epoch = ProducerEpoch(0), .base_sequence = INT32_MAX});
  EXPECT_EQ(BatchView(bytes).last_sequence(), 0);
}

TEST(BatchWalk, StopsBeforeWhatIsNotWhole) {
  Blob bytes = OneBatch();
  Blob all = bytes;
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.insert(all.end(), bytes.begin(), bytes.begin() + 20);
  BatchWalk walk(all);
  EXPECT_TRUE(walk.Next().has_value());
  EXPECT_TRUE(walk.Next().has_value());
  EXPECT_FALSE(walk.Next().has_value());
  EXPECT_EQ(walk.rest().size(), 20u);
}

TEST(BatchBuilder, KeepsGapsAndTheEndThatCompactionLeaves) {
  BatchBuilder builder({.base_offset = Offset(10)});
  builder.AppendAt(Offset(12), 1000, AsBytes("a"), AsBytes("1"), {});
  builder.AppendAt(Offset(17), 900, AsBytes("b"), std::nullopt, {});
  Blob bytes = builder.Build(Offset(20));
  BatchView batch(bytes);
  EXPECT_EQ(batch.base_offset(), Offset(10));
  EXPECT_EQ(batch.last_offset(), Offset(20));
  EXPECT_EQ(batch.record_count(), 2);
  EXPECT_EQ(batch.max_timestamp(), 1000);
  Decompressor decompressor;
  RecordIterator records(batch, decompressor);
  RecordView record;
  ASSERT_EQ(records.Next(&record), RecordIterator::kRecord);
  EXPECT_EQ(record.offset, Offset(12));
  ASSERT_EQ(records.Next(&record), RecordIterator::kRecord);
  EXPECT_EQ(record.offset, Offset(17));
  EXPECT_EQ(record.timestamp, 900);
  EXPECT_FALSE(record.value.has_value());
}

TEST(BatchBuilder, AnEmptiedBatchIsAHeader) {
  for (Codec codec : {Codec::kNone, Codec::kGzip}) {
    BatchBuilder builder({.base_offset = Offset(50), .codec = codec});
    Blob bytes = builder.Build(Offset(59));
    EXPECT_EQ(bytes.size(), kBatchHeaderBytes);
    EXPECT_EQ(BatchView(bytes).next_offset(), Offset(60));
    Decompressor decompressor;
    RecordIterator records(BatchView(bytes), decompressor);
    RecordView record;
    EXPECT_EQ(records.Next(&record), RecordIterator::kEnd);
  }
}

TEST(BatchBuilder, SaysHowLargeItIsGetting) {
  BatchBuilder builder({});
  size_t before = builder.size_bytes();
  builder.Append(1, AsBytes("key"), AsBytes("value"));
  EXPECT_LE(builder.size_bytes() - before, BatchBuilder::MostRecordBytes(AsBytes("key"), AsBytes("value")));
  size_t said = builder.size_bytes();
  EXPECT_EQ(builder.Build().size(), said);
}

}  // namespace
}  // namespace kb::record

// Batches of the metadata log are read as Apache Kafka wrote them, and those that we build are the same bytes.
#include "metadata/batch.h"

#include "metadata/support.h"

namespace kb::metadata {
namespace {

std::string TextOf(const std::vector<uint8_t>& bytes) { return std::string(AsText(bytes)); }

TEST(BatchTest, BuiltAgainEveryGoldenBatchIsTheSameBytes) {
  for (const char* name : {"clean.log", "fresh.log", "killed.log", "dynamic.log", "without_elr.log", "mixed.log"}) {
    std::string log = ReadGolden(name);
    size_t position = 0;
    size_t compared = 0;
    for (const Batch& batch : BatchesOf(log)) {
      std::string golden = log.substr(position, batch.byte_size);
      position += batch.byte_size;
      if (batch.is_control) continue;
      RecordList records;
      for (const record::RecordView& record : batch.records) records.AddFramed(*record.value);
      EXPECT_EQ(TextOf(BuildBatch(batch.base_offset, batch.epoch, batch.max_timestamp_ms, records)), golden)
          << name << " at " << ToString(batch.base_offset);
      ++compared;
    }
    EXPECT_GT(compared, 3u) << name;
    EXPECT_EQ(position, log.size()) << name;
  }
}

TEST(BatchTest, EveryTruncationAndEveryFlippedBitIsNoticed) {
  RecordList records;
  records.AddFramed(AsBytes("\x01\x14\x00\x00"));
  std::vector<uint8_t> batch = BuildBatch(Offset(7), LeaderEpoch(3), 1000, records);
  ASSERT_TRUE(ReadBatch(batch).ok());
  for (size_t size = 0; size < batch.size(); ++size) EXPECT_FALSE(ReadBatch(ByteView(batch).first(size)).ok()) << size;
  for (size_t i = 8; i < batch.size(); ++i) {
    if (i >= 12 && i < 16) continue;  // the leader epoch is not covered
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> damaged = batch;
      damaged[i] ^= static_cast<uint8_t>(1 << bit);
      EXPECT_FALSE(ReadBatch(damaged).ok()) << i << " " << bit;
    }
  }
}

TEST(BatchTest, AFrameIsReadBackAndAnotherFrameVersionIsForeign) {
  Result<RecordFrame> frame = ParseFrame(AsBytes(std::string_view("\x01\x0c\x00\x11", 4)));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->type, 12u);
  EXPECT_EQ(RecordTypeName(frame->type), "FeatureLevelRecord");
  EXPECT_EQ(frame->body.size(), 1u);
  EXPECT_EQ(ParseFrame(AsBytes("\x02\x0c\x01")).error().kind, ErrorKind::kForeign);
  EXPECT_EQ(ParseFrame(AsBytes("\x01\x0c")).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(ParseFrame({}).error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace kb::metadata

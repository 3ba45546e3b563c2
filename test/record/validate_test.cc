// What a Produce request may append. Truth: the answers that Apache Kafka 4.3.1 gave to 467 batches sent to three
// topics (test/golden/vectors/wire/produce.jsonl), apart from the differences that validate.h names.
#include "record/validate.h"

#include <gtest/gtest.h>

#include <map>

#include "record/builder.h"
#include "record/golden.h"
#include "record/iterate.h"

namespace kb::record {
namespace {

using Blob = std::vector<uint8_t>;
constexpr int64_t kNow = 1795407864333;  // when the golden answers were recorded
constexpr int16_t kVersion = 9;

class ValidateTest : public testing::Test {
 protected:
  // Both steps, as a broker takes them. The outcome is in found_ and validated_.
  BatchError Produce(Blob bytes, int16_t version = kVersion) {
    bytes_ = std::move(bytes);
    found_ = FindBatch(MutableByteView(bytes_), version);
    if (found_.error != BatchError::kNone) return found_.error;
    validated_ = ValidateBatch(found_.bytes, options_, decompressor_);
    return validated_.error;
  }
  BatchError Produce(BatchBuilder builder) { return Produce(builder.Build()); }
  BatchView Appended() const { return BatchView(ByteView(validated_.bytes)); }

  std::vector<int> BadIndexes() const {
    std::vector<int> indexes;
    for (const RecordError& error : validated_.record_errors) indexes.push_back(error.index);
    return indexes;
  }

  ValidateOptions options_{.now_ms = kNow};
  Decompressor decompressor_;
  Blob bytes_;
  FoundBatch found_;
  ValidatedBatch validated_;
};

BatchBuilder Batch(int records, Codec codec = Codec::kNone) {
  BatchBuilder builder({.codec = codec});
  for (int i = 0; i < records; ++i) builder.Append(kNow - 100 + i, AsBytes("key"), AsBytes("some value"));
  return builder;
}

// Apache Kafka stores these; nobody could read them again, so we refuse them.
bool RefusedOnPurpose(const std::string& name) {
  for (const char* kind : {"record-length-too-small-", "record-length-too-big-past-end-", "record-length-huge-"}) {
    if (name.starts_with(kind)) return true;
  }
  return false;
}

TEST_F(ValidateTest, AnswersAsRecordedFromApacheKafka) {
  std::map<std::string, Blob> batches;
  for (const char* file : {"valid", "control", "corrupt", "legacy"}) {
    for (const json& line : ReadGolden("vectors/batches/" + std::string(file) + ".jsonl.gz")) {
      batches[file + ("/" + line["name"].get<std::string>())] = FromHex(line["hex"].get<std::string>());
    }
  }
  int checked = 0;
  for (const json& line : ReadGolden("vectors/wire/produce.jsonl")) {
    std::string name = line["name"];
    SCOPED_TRACE(line.dump());
    Blob bytes = batches.at(line["file"].get<std::string>() + "/" + name);
    options_.compacted = line["topic"] == "probe-compact";
    options_.timestamp_type =
        line["topic"] == "probe-append-time" ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
    ASSERT_EQ(line["outcome"], "response");
    auto expected = static_cast<BatchError>(line["errorCode"].get<int16_t>());
    ++checked;
    constexpr auto kNoTransactionalId = static_cast<BatchError>(53);
    if (expected == kNoTransactionalId) {
      EXPECT_TRUE(IsTransactional(bytes));
      continue;
    }
    EXPECT_FALSE(IsTransactional(bytes));
    if (RefusedOnPurpose(name)) expected = BatchError::kInvalidRecord;
    EXPECT_EQ(Produce(bytes, line["version"].get<int16_t>()), expected);
    EXPECT_EQ(BadIndexes(), line.value("recordErrorIndexes", std::vector<int>()));
    if (expected != BatchError::kNone) {
      EXPECT_FALSE((found_.message.empty() ? validated_.message : found_.message).empty());
      continue;
    }
    BatchView batch = Appended();
    EXPECT_TRUE(batch.CheckCrc());
    EXPECT_EQ(batch.timestamp_type(), options_.timestamp_type);
    if (options_.timestamp_type == TimestampType::kLogAppendTime) {
      EXPECT_EQ(batch.max_timestamp(), kNow);
    }
  }
  EXPECT_EQ(checked, 467);
}

TEST_F(ValidateTest, AbsentRecordsAreInvalid) {
  EXPECT_EQ(FindBatch(std::nullopt, kVersion).error, BatchError::kInvalidRecord);
}

TEST_F(ValidateTest, AGoodBatchStaysAsItCame) {
  for (Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    Blob bytes = Batch(3, codec).Build();
    ASSERT_EQ(Produce(bytes), BatchError::kNone);
    EXPECT_EQ(ToHex(validated_.bytes), ToHex(bytes));
    EXPECT_EQ(validated_.bytes.data(), bytes_.data()) << "in the request's own buffer";
  }
}

TEST_F(ValidateTest, ACutSecondBatchIsLeftOut) {
  Blob bytes = Batch(2).Build();
  Blob two = bytes;
  two.insert(two.end(), bytes.begin(), bytes.begin() + 40);
  ASSERT_EQ(Produce(two), BatchError::kNone);
  EXPECT_EQ(validated_.bytes.size(), bytes.size());
}

TEST_F(ValidateTest, TheSizeLimitCountsTheWholeBatch) {
  Blob bytes = Batch(10).Build();
  options_.max_message_bytes = static_cast<int32_t>(bytes.size());
  EXPECT_EQ(Produce(bytes), BatchError::kNone);
  --options_.max_message_bytes;
  EXPECT_EQ(Produce(bytes), BatchError::kMessageTooLarge);
  bytes.back() ^= 1;
  EXPECT_EQ(Produce(bytes), BatchError::kMessageTooLarge) << "the size is looked at before the checksum";
}

TEST_F(ValidateTest, ZstdNeedsVersion7) {
  EXPECT_EQ(Produce(Batch(1, Codec::kZstd).Build(), 6), BatchError::kUnsupportedCompressionType);
  EXPECT_EQ(Produce(Batch(1, Codec::kZstd).Build(), 7), BatchError::kNone);
  EXPECT_EQ(Produce(Batch(1, Codec::kLz4).Build(), 3), BatchError::kNone);
}

TEST_F(ValidateTest, EveryRecordWithoutAKeyIsNamedOnACompactedTopic) {
  options_.compacted = true;
  for (Codec codec : {Codec::kNone, Codec::kLz4}) {
    BatchBuilder batch({.codec = codec});
    for (bool has_key : {false, true, false, true}) {
      batch.Append(kNow, has_key ? std::optional(AsBytes("k")) : std::nullopt, AsBytes("v"));
    }
    EXPECT_EQ(Produce(std::move(batch)), BatchError::kInvalidRecord);
    EXPECT_EQ(BadIndexes(), (std::vector<int>{0, 2}));
    EXPECT_EQ(validated_.record_errors[0].fault, RecordFault::kNoKey);
  }
}

TEST_F(ValidateTest, TimestampsAreBoundedOnBothSides) {
  options_.timestamp_before_max_ms = 1000;
  options_.timestamp_after_max_ms = 50;
  auto produce_at = [&](int64_t timestamp) {
    BatchBuilder batch({});
    batch.Append(timestamp, {}, AsBytes("v"));
    return Produce(std::move(batch));
  };
  EXPECT_EQ(produce_at(kNow - 1000), BatchError::kNone);
  EXPECT_EQ(produce_at(kNow - 1001), BatchError::kInvalidTimestamp);
  EXPECT_EQ(validated_.record_errors[0].fault, RecordFault::kTimestampOutOfRange);
  EXPECT_EQ(produce_at(kNow + 50), BatchError::kNone);
  EXPECT_EQ(produce_at(kNow + 51), BatchError::kInvalidTimestamp);
  EXPECT_EQ(produce_at(INT64_MAX), BatchError::kInvalidTimestamp);
  EXPECT_EQ(produce_at(INT64_MIN), BatchError::kInvalidTimestamp);
  EXPECT_EQ(produce_at(kNoTimestamp), BatchError::kNone) << "no timestamp is none to check";
  options_.timestamp_type = TimestampType::kLogAppendTime;
  EXPECT_EQ(produce_at(kNow - 5000), BatchError::kNone) << "the broker's own time is always right";
}

TEST_F(ValidateTest, LogAppendTimeReplacesTheMaximumAndKeepsTheRecords) {
  options_.timestamp_type = TimestampType::kLogAppendTime;
  Blob bytes = Batch(3, Codec::kZstd).Build();
  ASSERT_EQ(Produce(bytes), BatchError::kNone);
  EXPECT_EQ(Appended().max_timestamp(), kNow);
  EXPECT_EQ(Appended().base_timestamp(), BatchView(bytes).base_timestamp());
  EXPECT_TRUE(Appended().CheckCrc());
}

TEST_F(ValidateTest, AFalseMaximumIsPutRight) {
  Blob bytes = Batch(3).Build();
  StoreBigEndian(bytes.data() + kMaxTimestampAt, int64_t{5});
  MutableBatchView(bytes).UpdateCrc();
  ASSERT_EQ(Produce(bytes), BatchError::kNone);
  EXPECT_EQ(Appended().max_timestamp(), kNow - 100 + 2);
  EXPECT_TRUE(Appended().CheckCrc());
}

TEST_F(ValidateTest, ABatchThatTakesTooLongIsLeftAsItIs) {
  for (Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    SCOPED_TRACE(static_cast<int>(codec));
    const Blob bytes = Batch(5000, codec).Build();
    options_.most_unpacked_bytes = 20'000;
    Blob given = bytes;
    validated_ = ValidateBatch(given, options_, decompressor_);
    EXPECT_TRUE(validated_.is_long);
    EXPECT_EQ(given, bytes);
    options_.most_unpacked_bytes = 1 << 20;
    validated_ = ValidateBatch(given, options_, decompressor_);
    EXPECT_FALSE(validated_.is_long);
    EXPECT_EQ(validated_.error, BatchError::kNone);
    // Packing anew takes longer.
    options_.codec = codec == Codec::kZstd ? Codec::kGzip : Codec::kZstd;
    EXPECT_TRUE(ValidateBatch(given, options_, decompressor_).is_long);
    options_.codec.reset();
  }
  Blob plain = Batch(5000).Build();
  options_.most_unpacked_bytes = 20'000;
  EXPECT_FALSE(ValidateBatch(plain, options_, decompressor_).is_long) << "nothing to unpack";
}

TEST_F(ValidateTest, ABatchIsRepackedForATopicWithACodecOfItsOwn) {
  for (Codec from : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    for (Codec to : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
      options_.codec = to;
      options_.level = DefaultLevel(to);
      Blob bytes = Batch(5000, from).Build();
      ASSERT_EQ(Produce(bytes), BatchError::kNone);
      EXPECT_EQ(Appended().codec(), to);
      EXPECT_TRUE(Appended().CheckCrc());
      EXPECT_EQ(Appended().record_count(), 5000);
      EXPECT_EQ(Unpack(to, Appended().payload()), Unpack(from, BatchView(bytes).payload()));
      EXPECT_EQ(from == to, validated_.repacked.empty()) << "the same codec is left alone";
    }
  }
}

TEST_F(ValidateTest, ARepackedBatchMayBecomeTooLarge) {
  Blob bytes = Batch(50000, Codec::kZstd).Build();
  ASSERT_LT(bytes.size(), 500000u);
  options_.codec = Codec::kNone;
  EXPECT_EQ(Produce(bytes), BatchError::kMessageTooLarge);
  options_.codec = Codec::kGzip;
  EXPECT_EQ(Produce(bytes), BatchError::kNone);
}

// A payload that unpacks to far more than its size, whatever it contains, ends at the limit.
TEST_F(ValidateTest, ABombIsRefused) {
  BatchBuilder batch({.codec = Codec::kZstd});
  batch.Append(kNow, AsBytes("k"), AsBytes(std::string(UnpackLimit(0) + 1, 'x')));
  EXPECT_EQ(Produce(std::move(batch)), BatchError::kMessageTooLarge);
}

TEST_F(ValidateTest, ARecordThatCrossesPiecesIsPutTogether) {
  for (Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    BatchBuilder batch({.codec = codec});
    for (size_t size : {10u, 65530u, 70000u, 1u, 200000u, 3u}) {
      batch.Append(kNow, AsBytes("k"), AsBytes(std::string(size, static_cast<char>('a' + size % 26))));
    }
    Blob bytes = batch.Build();
    ASSERT_EQ(Produce(bytes), BatchError::kNone) << static_cast<int>(codec);
    RecordIterator records(BatchView(bytes), decompressor_);
    RecordView record;
    for (size_t size : {10u, 65530u, 70000u, 1u, 200000u, 3u}) {
      ASSERT_EQ(records.Next(&record), RecordIterator::kRecord);
      EXPECT_EQ(AsText(*record.value), std::string(size, static_cast<char>('a' + size % 26)));
    }
    EXPECT_EQ(records.Next(&record), RecordIterator::kEnd);
  }
}

TEST_F(ValidateTest, ASingleRecordAboveTheLimitIsRefusedWhereTheBrokerMustHoldIt) {
  BatchBuilder batch({.codec = Codec::kZstd});
  batch.Append(kNow, AsBytes("k"), AsBytes(std::string(2'000'000, 'x')));
  Blob bytes = batch.Build();
  EXPECT_EQ(Produce(bytes), BatchError::kNone) << "it need only be passed on";
  options_.compacted = true;
  EXPECT_EQ(Produce(bytes), BatchError::kMessageTooLarge);
}

TEST_F(ValidateTest, TheListOfBadRecordsIsBounded) {
  options_.compacted = true;
  BatchBuilder batch({.codec = Codec::kZstd});
  for (int i = 0; i < 100000; ++i) batch.Append(kNow, {}, {});
  EXPECT_EQ(Produce(std::move(batch)), BatchError::kInvalidRecord);
  EXPECT_EQ(validated_.record_errors.size(), kMostRecordErrors);
}

}  // namespace
}  // namespace kb::record

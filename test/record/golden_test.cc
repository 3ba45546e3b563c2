// Every batch that Apache Kafka and nine client libraries wrote reads as Apache Kafka read it, and what we build from
// the same records is, uncompressed, the same bytes.
#include "record/golden.h"

#include <gtest/gtest.h>

#include "base/varint.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/control.h"
#include "record/iterate.h"
#include "record/sha256.h"

namespace kb::record {
namespace {

using Blob = std::vector<uint8_t>;

Codec CodecNamed(const std::string& name) {
  if (name == "gzip") return Codec::kGzip;
  if (name == "snappy") return Codec::kSnappy;
  if (name == "lz4") return Codec::kLz4;
  if (name == "zstd") return Codec::kZstd;
  EXPECT_EQ(name, "none");
  return Codec::kNone;
}

std::string KeptText(const std::optional<ByteView>& bytes) {
  return bytes.has_value() ? "bytes:" + ToHex(*bytes) : "null";
}
std::string KeptText(const json& base64) {
  return base64.is_null() ? "null" : "bytes:" + ToHex(FromBase64(base64.get<std::string>()));
}

// Long keys and values are recorded by length and hash.
void ExpectField(const json& record, const std::string& name, const std::optional<ByteView>& field) {
  if (record.contains(name)) {
    EXPECT_EQ(KeptText(field), KeptText(record[name]));
    return;
  }
  ASSERT_TRUE(field.has_value());
  EXPECT_EQ(field->size(), record[name + "Length"].get<size_t>());
  EXPECT_EQ(Sha256Hex(*field), record[name + "Sha256"].get<std::string>());
}

void ExpectHeader(const json& expected, const BatchView& batch) {
  EXPECT_EQ(batch.base_offset().value(), expected["baseOffset"].get<int64_t>());
  EXPECT_EQ(batch.last_offset().value(), expected["lastOffset"].get<int64_t>());
  EXPECT_EQ(batch.next_offset().value(), expected["nextOffset"].get<int64_t>());
  EXPECT_EQ(batch.batch_length(), expected["batchLength"].get<int32_t>());
  EXPECT_EQ(batch.bytes().size(), expected["sizeInBytes"].get<size_t>());
  EXPECT_EQ(batch.leader_epoch().value(), expected["partitionLeaderEpoch"].get<int32_t>());
  EXPECT_EQ(batch.magic(), 2);
  EXPECT_EQ(batch.crc(), expected["crc32c"].get<uint32_t>());
  EXPECT_EQ(batch.attributes(), expected["attributes"].get<uint16_t>());
  EXPECT_EQ(batch.last_offset_delta(), expected["lastOffsetDelta"].get<int32_t>());
  EXPECT_EQ(batch.max_timestamp(), expected["maxTimestampField"].get<int64_t>());
  EXPECT_EQ(batch.producer_id().value(), expected["producerId"].get<int64_t>());
  EXPECT_EQ(batch.producer_epoch().value(), expected["producerEpoch"].get<int16_t>());
  EXPECT_EQ(batch.base_sequence(), expected["baseSequence"].get<int32_t>());
  EXPECT_EQ(batch.last_sequence(), expected["lastSequence"].get<int32_t>());
  EXPECT_EQ(batch.record_count(), expected["count"].get<int32_t>());
  EXPECT_EQ(batch.is_transactional(), expected["transactional"].get<bool>());
  EXPECT_EQ(batch.is_control(), expected["control"].get<bool>());
  EXPECT_EQ(batch.codec(), CodecNamed(expected["compression"]));
  EXPECT_EQ(batch.timestamp_type() == TimestampType::kLogAppendTime, expected["timestampType"] == "LogAppendTime");
  EXPECT_TRUE(batch.CheckCrc());
}

void ExpectRecord(const json& expected, const RecordView& record) {
  EXPECT_EQ(record.offset.value(), expected["offset"].get<int64_t>());
  EXPECT_EQ(record.timestamp, expected["timestamp"].get<int64_t>());
  EXPECT_EQ(record.bytes.size(), expected["sizeInBytes"].get<size_t>());
  ExpectField(expected, "key", record.key);
  ExpectField(expected, "value", record.value);
  Headers headers = record.headers;
  ASSERT_EQ(static_cast<size_t>(headers.count()), expected["headers"].size());
  for (const json& header : expected["headers"]) {
    Header read;
    ASSERT_TRUE(headers.Next(&read));
    EXPECT_EQ(read.key, header[0].get<std::string>());
    EXPECT_EQ(KeptText(read.value), KeptText(header[1]));
  }
  Header none;
  EXPECT_FALSE(headers.Next(&none));
}

// The same batch, made by our own builder from what the original unpacks to.
Blob Rebuild(const BatchView& batch, Decompressor& decompressor) {
  BatchOptions options{.base_offset = batch.base_offset(),
                       .leader_epoch = batch.leader_epoch(),
                       .codec = batch.codec(),
                       .producer_id = batch.producer_id(),
                       .producer_epoch = batch.producer_epoch(),
                       .base_sequence = batch.base_sequence(),
                       .transactional = batch.is_transactional(),
                       .control = batch.is_control(),
                       .delete_horizon_ms = batch.delete_horizon_ms()};
  if (batch.record_count() == 0) options.max_timestamp = batch.max_timestamp();
  if (batch.timestamp_type() == TimestampType::kLogAppendTime) options.log_append_time_ms = batch.max_timestamp();
  BatchBuilder builder(options);
  RecordIterator records(batch, decompressor);
  RecordView record;
  while (records.Next(&record) == RecordIterator::kRecord) {
    // The time the producer gave, which LogAppendTime hides.
    int64_t timestamp = 0;
    RecordView raw;
    int32_t length;
    size_t prefix = ReadVarint(record.bytes, &length);
    EXPECT_TRUE(ParseRecordBody(record.bytes.subspan(prefix), &raw));
    timestamp = batch.base_timestamp() + raw.timestamp;
    builder.AppendAt(record.offset, timestamp, record.key, record.value, record.headers);
  }
  return builder.Build(batch.last_offset());
}

struct Tally {
  int buffers = 0, batches = 0, records = 0, rebuilt = 0;
};

void ExpectReadsAsRecorded(const std::string& file, Tally* tally, bool rebuild) {
  Decompressor decompressor;
  for (const json& line : ReadGolden(file)) {
    SCOPED_TRACE(file + " " + line["name"].get<std::string>());
    ++tally->buffers;
    Blob bytes = FromHex(line["hex"].get<std::string>());
    BatchWalk walk(bytes);
    for (const json& expected : line["batches"]) {
      std::optional<BatchView> batch = walk.Next();
      ASSERT_TRUE(batch.has_value());
      ++tally->batches;
      ExpectHeader(expected, *batch);
      RecordIterator records(*batch, decompressor);
      RecordView record;
      for (const json& expected_record : expected["records"]) {
        ASSERT_EQ(records.Next(&record), RecordIterator::kRecord);
        ExpectRecord(expected_record, record);
        ++tally->records;
      }
      EXPECT_EQ(records.Next(&record), RecordIterator::kEnd);
      EXPECT_EQ(records.Next(&record), RecordIterator::kEnd) << "the end stays the end";
      if (!rebuild) continue;
      Blob ours = Rebuild(*batch, decompressor);
      if (batch->codec() == Codec::kNone) {
        ++tally->rebuilt;
        EXPECT_EQ(ToHex(ours), ToHex(batch->bytes()));
      } else {
        EXPECT_EQ(Unpack(batch->codec(), BatchView(ours).payload()), Unpack(batch->codec(), batch->payload()));
      }
    }
    EXPECT_FALSE(walk.Next().has_value());
  }
}

TEST(GoldenBatches, WhatKafkaWroteReadsTheSameAndIsRebuiltTheSame) {
  Tally tally;
  ExpectReadsAsRecorded("vectors/batches/valid.jsonl.gz", &tally, /*rebuild=*/true);
  ExpectReadsAsRecorded("vectors/batches/control.jsonl.gz", &tally, /*rebuild=*/true);
  EXPECT_EQ(tally.buffers, 72);
  EXPECT_GE(tally.rebuilt, 25) << "uncompressed batches that were compared byte for byte";
}

TEST(GoldenBatches, WhatNineClientLibrariesWroteReadsTheSame) {
  Tally tally;
  ExpectReadsAsRecorded("vectors/batches/clients.jsonl.gz", &tally, /*rebuild=*/false);
  EXPECT_EQ(tally.buffers, 84);
}

// Reads all batches of a damaged buffer as a careful reader would. True when nothing is wrong with them.
bool ReadsWell(const Blob& bytes, int* batches, int* records_seen) {
  Decompressor decompressor;
  BatchWalk walk(bytes);
  while (std::optional<BatchView> batch = walk.Next()) {
    if (batch->magic() != kMagic || !batch->CheckCrc()) return false;
    ++*batches;
    RecordIterator records(*batch, decompressor);
    RecordView record;
    RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == RecordIterator::kRecord) ++*records_seen;
    if (answer != RecordIterator::kEnd) return false;
  }
  if (walk.rest().size() < kBatchHeaderBytes) return true;  // a cut tail
  BatchHeader header(walk.rest());
  return header.length_is_sane() && header.magic() == kMagic && header.batch_length() <= INT32_MAX - 12;
}

TEST(GoldenBatches, DamagedOnesAreFoundWhereKafkaFindsThem) {
  for (const json& line : ReadGolden("vectors/batches/corrupt.jsonl.gz")) {
    std::string name = line["name"];
    SCOPED_TRACE(name);
    int batches = 0;
    int records = 0;
    bool well = ReadsWell(FromHex(line["hex"].get<std::string>()), &batches, &records);
    EXPECT_EQ(well, line["outcome"] == "ok");
    if (well) {
      EXPECT_EQ(records, line["recordsSeen"].get<int>());
    }
  }
}

TEST(GoldenBatches, OldFormatsAreNoBatchesOfOurs) {
  for (const json& line : ReadGolden("vectors/batches/legacy.jsonl.gz")) {
    Blob bytes = FromHex(line["hex"].get<std::string>());
    bytes.resize(std::max(bytes.size(), kBatchHeaderBytes));
    EXPECT_NE(BatchHeader(bytes).magic(), kMagic) << line["name"];
  }
}

TEST(GoldenPrimitives, VarintsAndChecksumsAreKafkas) {
  int checked = 0;
  for (const json& line : ReadGolden("vectors/batches/primitives.jsonl.gz")) {
    std::string type = line["type"];
    SCOPED_TRACE(line.dump());
    Blob bytes = FromHex(line["hex"].get<std::string>());
    if (type == "varint") {
      int32_t value = 0;
      EXPECT_EQ(ReadVarint(bytes, &value), bytes.size());
      EXPECT_EQ(value, line["value"].get<int32_t>());
      ++checked;
    } else if (type == "varlong") {
      int64_t value = 0;
      EXPECT_EQ(ReadVarlong(bytes, &value), bytes.size());
      EXPECT_EQ(value, line["value"].get<int64_t>());
      ++checked;
    } else if (type == "uvarint") {
      uint32_t value = 0;
      EXPECT_EQ(ReadUvarint(bytes, &value), bytes.size());
      EXPECT_EQ(value, line["value"].get<uint32_t>());
      ++checked;
    } else {
      ASSERT_EQ(type, "bytes");
      EXPECT_EQ(Crc32c(bytes), line["crc32c"].get<uint32_t>());
      ++checked;
    }
  }
  EXPECT_EQ(checked, 672);
}

TEST(ControlBatch, EachKindIsByteForByteKafkas) {
  std::map<std::string, std::string> golden;
  for (const json& line : ReadGolden("vectors/batches/control.jsonl.gz")) golden[line["name"]] = line["hex"];
  constexpr int64_t kTime = 1700000000000;
  auto built = [&](int64_t offset, auto fill) {
    ControlBatchBuilder builder(Offset(offset), LeaderEpoch(4), kTime);
    fill(builder);
    return ToHex(builder.Build());
  };
  const BrokerId voters[] = {BrokerId(1), BrokerId(2)};
  EXPECT_EQ(built(10, [&](auto& b) { b.LeaderChange(BrokerId(1), voters, std::span(voters).first(1)); }),
            golden["leader-change"]);
  EXPECT_EQ(built(0, [](auto& b) { b.SnapshotHeader(kTime - 5); }), golden["snapshot-header"]);
  EXPECT_EQ(built(99, [](auto& b) { b.SnapshotFooter(); }), golden["snapshot-footer"]);
  EXPECT_EQ(built(1, [](auto& b) { b.KRaftVersion(0); }), golden["kraft-version-0"]);
  EXPECT_EQ(built(1, [](auto& b) { b.KRaftVersion(1); }), golden["kraft-version-1"]);
  Voter voter{.id = BrokerId(1),
              .directory_id = Uuid(0x1122334455667788, 0x99aabbccddeeff00),
              .endpoints = {{"CONTROLLER", "localhost", 9093}}};
  EXPECT_EQ(built(2, [&](auto& b) { b.Voters({&voter, 1}); }), golden["voters"]);
  for (bool commit : {true, false}) {
    MarkerOptions options{.base_offset = Offset(42),
                          .leader_epoch = LeaderEpoch(3),
                          .timestamp = kTime,
                          .producer_id = ProducerId(4000),
                          .producer_epoch = ProducerEpoch(7),
                          .marker = {.commit = commit, .coordinator_epoch = 15}};
    Blob bytes = BuildEndTransactionMarker(options);
    EXPECT_EQ(ToHex(bytes), golden[commit ? "end-txn-commit" : "end-txn-abort"]);
    Decompressor decompressor;
    RecordIterator records(BatchView(bytes), decompressor);
    RecordView record;
    ASSERT_EQ(records.Next(&record), RecordIterator::kRecord);
    std::optional<EndTransactionMarker> read = ParseEndTransactionMarker(record);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->commit, commit);
    EXPECT_EQ(read->coordinator_epoch, 15);
  }
}

}  // namespace
}  // namespace kb::record

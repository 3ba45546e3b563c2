// Any bytes as the records of a Produce request and as a stored batch: found, validated, repacked, read. What must
// hold: no crash, no read outside, and a batch that was accepted can be read to its end.
//
// libFuzzer's entry point; test/record/fuzz_corpus_test.cc runs the golden batches and damaged copies of them through
// it.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "record/iterate.h"
#include "record/validate.h"

namespace {

using namespace kb;          // NOLINT
using namespace kb::record;  // NOLINT

// Reads as far as the bytes allow. True when every record was there.
bool ReadAll(const BatchView& batch, Decompressor& decompressor) {
  RecordIterator records(batch, decompressor);
  RecordView record;
  RecordIterator::Answer answer;
  size_t seen = 0;
  while ((answer = records.Next(&record)) == RecordIterator::kRecord) {
    Header header;
    for (Headers headers = record.headers; headers.Next(&header);) seen += header.key.size();
    if (record.key.has_value() && !record.key->empty()) seen += record.key->back();
    if (record.value.has_value() && !record.value->empty()) seen += record.value->back();
  }
  volatile size_t keep = seen;
  (void)keep;
  return answer == RecordIterator::kEnd;
}

void Validate(std::vector<uint8_t> bytes, const ValidateOptions& options, Decompressor& decompressor) {
  FoundBatch found = FindBatch(MutableByteView(bytes), 9);
  IsTransactional(bytes);
  if (found.error != BatchError::kNone) return;
  ValidatedBatch validated = ValidateBatch(found.bytes, options, decompressor);
  if (validated.error != BatchError::kNone) return;
  BatchView batch{ByteView(validated.bytes)};
  KB_CHECK(batch.CheckCrc());
  KB_CHECK(ReadAll(batch, decompressor));
}

// Lets mutations behind the checksum reach the code behind the check of it.
void MendChecksum(std::vector<uint8_t>& bytes) {
  if (bytes.size() < kBatchHeaderBytes) return;
  StoreBigEndian(bytes.data() + kBatchLengthAt, static_cast<int32_t>(bytes.size() - kBatchPrefixBytes));
  StoreBigEndian(bytes.data() + kBaseOffsetAt, int64_t{0});
  MutableBatchView(bytes).UpdateCrc();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Decompressor decompressor;
  if (size == 0) return 0;
  std::vector<uint8_t> bytes(data + 1, data + size);
  if ((data[0] & 1) != 0) MendChecksum(bytes);
  ValidateOptions options{
      .compacted = (data[0] & 2) != 0,
      .timestamp_type = (data[0] & 4) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime,
      .now_ms = 1700000000000};
  if (unsigned codec = data[0] >> 3; codec < kCodecs) options.codec = static_cast<Codec>(codec);
  if (options.codec.has_value()) options.level = DefaultLevel(*options.codec);

  BatchWalk walk(bytes);
  while (std::optional<BatchView> batch = walk.Next()) {
    batch->next_offset();
    batch->last_sequence();
    ReadAll(*batch, decompressor);
  }
  Validate(std::move(bytes), options, decompressor);
  return 0;
}

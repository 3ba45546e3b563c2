#include "record/validate.h"

#include <algorithm>

#include "record/iterate.h"

namespace kb::record {
namespace {

// Base offset, length, leader epoch and magic, the last being where the format of the rest is told.
constexpr size_t kBytesUpToMagic = kMagicAt + 1;
// A batch length below that of the smallest message of magic 0 is damage.
constexpr int32_t kLeastLengthOfAnyMagic = 14;
// Packing takes many times as long as unpacking.
constexpr size_t kPackingTakes = 16;
// Produce requests learnt zstd here (KIP-110).
constexpr int16_t kFirstVersionWithZstd = 7;

FoundBatch Refuse(BatchError error, std::string_view message) {
  FoundBatch found;
  found.error = error;
  found.message = message;
  return found;
}

// What stands at the front of some bytes, as Apache Kafka's reader takes it. A batch that is cut short is no batch.
struct Front {
  enum Kind { kNothing, kBatch, kDamaged, kAbsurdLength };
  Kind kind = kNothing;
  size_t size_bytes = 0;
};

Front LookAtFront(ByteView bytes) {
  if (bytes.size() < kBatchPrefixBytes) return {};
  auto length = LoadBigEndian<int32_t>(bytes.data() + kBatchLengthAt);
  if (length < kLeastLengthOfAnyMagic) return {Front::kDamaged};
  if (bytes.size() < kBytesUpToMagic) return {};
  auto magic = static_cast<int8_t>(bytes[kMagicAt]);
  if (magic < 0 || magic > kMagic) return {Front::kDamaged};
  if (length > INT32_MAX - static_cast<int32_t>(kBatchPrefixBytes)) return {Front::kAbsurdLength};
  size_t size = static_cast<size_t>(length) + kBatchPrefixBytes;
  if (size > bytes.size()) return {};
  return {Front::kBatch, size};
}

FoundBatch CheckCodec(MutableByteView batch, int16_t produce_version) {
  FoundBatch found;
  found.bytes = batch;
  if (produce_version >= kFirstVersionWithZstd) return found;
  unsigned codec = batch[kAttributesAt + 1] & kCodecMask;
  if (codec >= kCodecs) return Refuse(BatchError::kUnknownServerError, "The batch names a codec that does not exist.");
  if (codec == static_cast<unsigned>(Codec::kZstd)) {
    return Refuse(BatchError::kUnsupportedCompressionType, "zstd needs version 7 or later of the Produce request.");
  }
  return found;
}

// One validation. The steps return kNone to go on.
class Validation {
 public:
  Validation(MutableByteView batch, const ValidateOptions& options, Decompressor& decompressor)
      : bytes_(batch), options_(options), decompressor_(decompressor) {}

  ValidatedBatch Run() {
    result_.error = CheckFrame();
    if (result_.error == BatchError::kNone) result_.error = CheckHeader();
    if (result_.error == BatchError::kNone) result_.error = CheckRecords();
    if (result_.error == BatchError::kNone && !result_.is_long) result_.error = Finish();
    return std::move(result_);
  }

 private:
  BatchError Fail(BatchError error, std::string_view message) {
    result_.message = message;
    return error;
  }
  BatchError Invalid(std::string_view message) { return Fail(BatchError::kInvalidRecord, message); }

  BatchError CheckFrame() {
    if (LoadBigEndian<int64_t>(bytes_.data() + kBaseOffsetAt) != 0) {
      return Invalid("A batch from a client must have base offset 0.");
    }
    if (bytes_.size() > static_cast<size_t>(std::max(options_.max_message_bytes, 0))) {
      return Fail(BatchError::kMessageTooLarge, "The batch is larger than the topic's max.message.bytes.");
    }
    if (bytes_.size() < kBatchHeaderBytes) {
      return Fail(BatchError::kCorruptMessage, "The batch is shorter than a batch header.");
    }
    BatchView batch{ByteView(bytes_)};
    if (!batch.CheckCrc()) return Fail(BatchError::kCorruptMessage, "The checksum of the batch is wrong.");
    if (!batch.codec_is_known()) {
      return Fail(BatchError::kUnknownServerError, "The batch names a codec that does not exist.");
    }
    return BatchError::kNone;
  }

  BatchError CheckHeader() {
    BatchView batch{ByteView(bytes_)};
    int64_t offsets = int64_t{batch.last_offset_delta()} + 1;
    if (offsets <= 0) return Invalid("The last offset delta of the batch is negative.");
    if (batch.record_count() <= 0) return Invalid("The batch has no records.");
    if (offsets != batch.record_count()) return Invalid("The last offset delta does not match the record count.");
    if (batch.is_control()) return Invalid("Clients may not write control records.");
    if (batch.has_producer() && batch.base_sequence() < 0)
      return Invalid("The batch has a producer id and no sequence.");
    return BatchError::kNone;
  }

  Codec target_codec(const BatchView& batch) const { return options_.codec.value_or(batch.codec()); }

  BatchError CheckRecords() {
    BatchView batch{ByteView(bytes_)};
    repacks_ = target_codec(batch) != batch.codec();
    const size_t most_here = repacks_ ? options_.most_unpacked_bytes / kPackingTakes : options_.most_unpacked_bytes;
    const bool is_packed = repacks_ || batch.codec() != Codec::kNone;
    if (is_packed && bytes_.size() > most_here) return Leave();
    // Records that were compressed, or will be, must count their offsets up one by one; in others nobody reads the
    // deltas.
    bool offsets_must_count = repacks_ || batch.codec() != Codec::kNone;
    size_t most_record_bytes = repacks_ || options_.compacted ? static_cast<size_t>(options_.max_message_bytes)
                                                              : static_cast<size_t>(INT32_MAX);
    std::unique_ptr<Compressor> packer = repacks_ ? StartRepacking(batch) : nullptr;

    const size_t most_bytes = std::min(most_here, UnpackLimit(bytes_.size()));
    RecordIterator records(batch, decompressor_, {.tee = packer.get(), .most_bytes = most_bytes});
    RecordView record;
    RecordIterator::Answer answer;
    for (int32_t index = 0; (answer = records.Next(&record)) == RecordIterator::kRecord; ++index) {
      if (record.bytes.size() > most_record_bytes) {
        return Fail(BatchError::kMessageTooLarge, "A record is larger than the topic's max.message.bytes.");
      }
      if (!CheckRecord(batch, record, index)) continue;
      if (offsets_must_count && record.offset_delta != index) {
        return Fail(BatchError::kUnknownServerError, "The offsets inside the compressed batch do not count up by one.");
      }
      max_timestamp_ = std::max(max_timestamp_, record.timestamp);
    }
    if (answer == RecordIterator::kTooLarge && most_here < UnpackLimit(bytes_.size())) return Leave();
    if (answer != RecordIterator::kEnd) return Explain(answer, records);
    if (bad_records_ > 0) return ExplainBadRecords();
    if (repacks_ && !(records.tee_is_whole() && packer->Finish())) {
      return Fail(BatchError::kMessageTooLarge,
                  "In the topic's compression.type the batch is larger than its max.message.bytes.");
    }
    return BatchError::kNone;
  }

  BatchError Leave() {
    result_ = ValidatedBatch();
    result_.is_long = true;
    return BatchError::kNone;
  }

  // False when the record has a fault, which is then noted.
  bool CheckRecord(const BatchView& batch, const RecordView& record, int32_t index) {
    if (options_.compacted && !record.key.has_value()) return Note(index, RecordFault::kNoKey);
    if (options_.timestamp_type == TimestampType::kCreateTime && record.timestamp != kNoTimestamp) {
      return TimestampIsInRange(record.timestamp) || Note(index, RecordFault::kTimestampOutOfRange);
    }
    if (batch.timestamp_type() == TimestampType::kLogAppendTime) {
      return Note(index, RecordFault::kLogAppendTimeFromClient);
    }
    return true;
  }

  bool TimestampIsInRange(int64_t timestamp) const {
    auto age = static_cast<uint64_t>(options_.now_ms) - static_cast<uint64_t>(timestamp);  // wraps as in Java
    return static_cast<int64_t>(age) <= options_.timestamp_before_max_ms &&
           static_cast<int64_t>(-age) <= options_.timestamp_after_max_ms;
  }

  bool Note(int32_t index, RecordFault fault) {
    ++bad_records_;
    bad_timestamp_ |= fault != RecordFault::kNoKey;
    if (result_.record_errors.size() < kMostRecordErrors) result_.record_errors.push_back({index, fault});
    return false;
  }

  BatchError ExplainBadRecords() {
    if (bad_timestamp_) {
      return Fail(BatchError::kInvalidTimestamp,
                  "The timestamps of one or more records are not allowed on this topic.");
    }
    return Invalid("One or more records have no key, and the topic is compacted.");
  }

  BatchError Explain(RecordIterator::Answer answer, const RecordIterator& records) {
    result_.record_errors.clear();
    switch (answer) {
      case RecordIterator::kInvalid:
        if (records.length_was_overlong()) {
          return Fail(BatchError::kUnknownServerError, "The length of a record has more than five bytes.");
        }
        return Invalid("The records do not fill the batch as its record count and their lengths say.");
      case RecordIterator::kUndecodable:
        return Fail(BatchError::kUnknownServerError, "The compressed records cannot be unpacked.");
      case RecordIterator::kTooLarge:
        return Fail(BatchError::kMessageTooLarge, "The batch unpacks to more than the broker allows.");
      case RecordIterator::kRecord:
      case RecordIterator::kEnd:
        break;
    }
    KB_CHECK(false);
  }

  // The records stay as they are encoded; only the codec around them changes.
  std::unique_ptr<Compressor> StartRepacking(const BatchView& batch) {
    auto header = batch.bytes().first(kBatchHeaderBytes);
    result_.repacked.assign(header.begin(), header.end());
    size_t most_bytes = static_cast<size_t>(options_.max_message_bytes) - kBatchHeaderBytes;
    return Compressor::Create(target_codec(batch), options_.level, &result_.repacked, most_bytes);
  }

  BatchError Finish() {
    if (repacks_) FinishRepacking();
    MutableBatchView batch(bytes_);
    bool append_time = options_.timestamp_type == TimestampType::kLogAppendTime;
    batch.SetMaxTimestamp(options_.timestamp_type, append_time ? options_.now_ms : max_timestamp_);
    if (repacks_) batch.UpdateCrc();
    result_.bytes = bytes_;
    return BatchError::kNone;
  }

  void FinishRepacking() {
    BatchHeader header{ByteView(bytes_)};
    auto codec = static_cast<uint16_t>(*options_.codec);
    uint16_t kept = header.attributes() & (kTimestampTypeBit | kTransactionalBit);
    uint8_t* to = result_.repacked.data();
    StoreBigEndian(to + kAttributesAt, static_cast<uint16_t>(kept | codec));
    StoreBigEndian(to + kBatchLengthAt, static_cast<int32_t>(result_.repacked.size() - kBatchPrefixBytes));
    bytes_ = result_.repacked;
  }

  MutableByteView bytes_;
  const ValidateOptions& options_;
  Decompressor& decompressor_;
  ValidatedBatch result_;
  bool repacks_ = false;
  bool bad_timestamp_ = false;
  int64_t bad_records_ = 0;
  int64_t max_timestamp_ = kNoTimestamp;
};

}  // namespace

std::string_view ToString(RecordFault fault) {
  switch (fault) {
    case RecordFault::kNoKey:
      return "The topic is compacted, and the record has no key.";
    case RecordFault::kTimestampOutOfRange:
      return "The timestamp is outside of what message.timestamp.before.max.ms and message.timestamp.after.max.ms "
             "allow.";
    case RecordFault::kLogAppendTimeFromClient:
      return "A producer may not set the timestamp type LogAppendTime.";
  }
  KB_CHECK(false);
}

FoundBatch FindBatch(std::optional<MutableByteView> records, int16_t produce_version) {
  if (!records.has_value()) return Refuse(BatchError::kInvalidRecord, "The request has no records for this partition.");
  Front front = LookAtFront(*records);
  switch (front.kind) {
    case Front::kNothing:
      return Refuse(BatchError::kInvalidRecord, "The request has no whole batch for this partition.");
    case Front::kDamaged:
      return Refuse(BatchError::kCorruptMessage, "The length or magic of the batch is impossible.");
    case Front::kAbsurdLength:
      return Refuse(BatchError::kUnknownServerError, "The length of the batch is impossible.");
    case Front::kBatch:
      break;
  }
  MutableByteView batch = records->first(front.size_bytes);
  if (batch[kMagicAt] != kMagic) {
    return Refuse(BatchError::kInvalidRecord, "The batch has an old format; this request needs magic 2.");
  }
  FoundBatch found = CheckCodec(batch, produce_version);
  if (found.error != BatchError::kNone) return found;
  switch (LookAtFront(records->subspan(batch.size())).kind) {
    case Front::kNothing:
      return found;
    case Front::kBatch:
      return Refuse(BatchError::kInvalidRecord, "There must be exactly one batch for a partition.");
    case Front::kDamaged:
      return Refuse(BatchError::kCorruptMessage, "What follows the batch is neither cut nor whole.");
    case Front::kAbsurdLength:
      return Refuse(BatchError::kUnknownServerError, "What follows the batch is impossible.");
  }
  KB_CHECK(false);
}

bool IsTransactional(ByteView records) {
  if (LookAtFront(records).kind != Front::kBatch || records[kMagicAt] != kMagic) return false;
  return (LoadBigEndian<uint16_t>(records.data() + kAttributesAt) & kTransactionalBit) != 0;
}

ValidatedBatch ValidateBatch(MutableByteView batch, const ValidateOptions& options, Decompressor& decompressor) {
  return Validation(batch, options, decompressor).Run();
}

}  // namespace kb::record

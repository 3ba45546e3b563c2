// Record batch, magic 2: what a Produce request carries, a segment file is made of and a Fetch response returns, byte
// for byte the same in all three places.
//
//   pos size
//     0   8  base offset              outside the checksum: the leader writes it
//     8   4  batch length             bytes behind this field: whole size - 12
//    12   4  partition leader epoch   outside the checksum: the leader writes it
//    16   1  magic                    2
//    17   4  CRC-32C                  of bytes 21 to the end
//    21   2  attributes               see BatchAttributes
//    23   4  last offset delta        keeps its value when compaction takes records out
//    27   8  base timestamp           or the delete horizon, when its attribute bit is set
//    35   8  max timestamp            with LogAppendTime: of the append, and then it is every record's timestamp
//    43   8  producer id              -1 none
//    51   2  producer epoch           -1 none
//    53   4  base sequence            -1 none; wraps from 2^31-1 to 0
//    57   4  record count             0 only in batches that compaction emptied
//    61   …  records, one after the other; compressed as one block when the codec says so
//
// A batch is opaque for the broker as far as possible: its checksum was made by the producer and is handed to the
// consumer, so only four fields are ever rewritten in place (the setters below). Views do not own; none of the types
// here trusts the bytes further than its constructor checked. Values, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "model/ids.h"

namespace kb::record {

inline constexpr size_t kBaseOffsetAt = 0;
inline constexpr size_t kBatchLengthAt = 8;
inline constexpr size_t kLeaderEpochAt = 12;
inline constexpr size_t kMagicAt = 16;
inline constexpr size_t kCrcAt = 17;
inline constexpr size_t kAttributesAt = 21;
inline constexpr size_t kLastOffsetDeltaAt = 23;
inline constexpr size_t kBaseTimestampAt = 27;
inline constexpr size_t kMaxTimestampAt = 35;
inline constexpr size_t kProducerIdAt = 43;
inline constexpr size_t kProducerEpochAt = 51;
inline constexpr size_t kBaseSequenceAt = 53;
inline constexpr size_t kRecordCountAt = 57;
inline constexpr size_t kBatchHeaderBytes = 61;

// Base offset and batch length: what must be there before the size of a batch is known, in every magic.
inline constexpr size_t kBatchPrefixBytes = 12;
// What the CRC covers starts here.
inline constexpr size_t kCheckedFrom = kAttributesAt;
// The least value of the batch length field.
inline constexpr int32_t kLeastBatchLength = static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes);

static_assert(kBatchLengthAt == kBaseOffsetAt + sizeof(int64_t));
static_assert(kLeaderEpochAt == kBatchLengthAt + sizeof(int32_t) && kLeaderEpochAt == kBatchPrefixBytes);
static_assert(kMagicAt == kLeaderEpochAt + sizeof(int32_t));
static_assert(kCrcAt == kMagicAt + sizeof(int8_t));
static_assert(kAttributesAt == kCrcAt + sizeof(uint32_t));
static_assert(kLastOffsetDeltaAt == kAttributesAt + sizeof(int16_t));
static_assert(kBaseTimestampAt == kLastOffsetDeltaAt + sizeof(int32_t));
static_assert(kMaxTimestampAt == kBaseTimestampAt + sizeof(int64_t));
static_assert(kProducerIdAt == kMaxTimestampAt + sizeof(int64_t));
static_assert(kProducerEpochAt == kProducerIdAt + sizeof(int64_t));
static_assert(kBaseSequenceAt == kProducerEpochAt + sizeof(int16_t));
static_assert(kRecordCountAt == kBaseSequenceAt + sizeof(int32_t));
static_assert(kBatchHeaderBytes == kRecordCountAt + sizeof(int32_t));
static_assert(kLeastBatchLength == 49);

inline constexpr int8_t kMagic = 2;
inline constexpr int64_t kNoTimestamp = -1;
inline constexpr int32_t kNoSequence = -1;

// Bits 0-2 of the attributes. 5 to 7 mean nothing.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
inline constexpr uint8_t kCodecs = 5;

enum class TimestampType : uint8_t { kCreateTime = 0, kLogAppendTime = 1 };

inline constexpr uint16_t kCodecMask = 0x07;
inline constexpr uint16_t kTimestampTypeBit = 0x08;
inline constexpr uint16_t kTransactionalBit = 0x10;
inline constexpr uint16_t kControlBit = 0x20;
inline constexpr uint16_t kDeleteHorizonBit = 0x40;
inline constexpr uint16_t kDefinedBits = 0x7f;

// What comes from outside may be anything, and then wraps as in Java instead of being undefined.
constexpr int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// The fixed part of a batch: 61 bytes, whether or not the records behind it are in memory.
class BatchHeader {
 public:
  // bytes: at least kBatchHeaderBytes of them. Nothing in them is trusted or checked.
  explicit BatchHeader(ByteView bytes) : at_(bytes.data()) { KB_CHECK(bytes.size() >= kBatchHeaderBytes); }

  Offset base_offset() const { return Offset(Load<int64_t>(kBaseOffsetAt)); }
  int32_t batch_length() const { return Load<int32_t>(kBatchLengthAt); }
  LeaderEpoch leader_epoch() const { return LeaderEpoch(Load<int32_t>(kLeaderEpochAt)); }
  int8_t magic() const { return Load<int8_t>(kMagicAt); }
  uint32_t crc() const { return Load<uint32_t>(kCrcAt); }
  uint16_t attributes() const { return Load<uint16_t>(kAttributesAt); }
  int32_t last_offset_delta() const { return Load<int32_t>(kLastOffsetDeltaAt); }
  // What record timestamp deltas count from; base timestamp or delete horizon.
  int64_t base_timestamp() const { return Load<int64_t>(kBaseTimestampAt); }
  int64_t max_timestamp() const { return Load<int64_t>(kMaxTimestampAt); }
  ProducerId producer_id() const { return ProducerId(Load<int64_t>(kProducerIdAt)); }
  ProducerEpoch producer_epoch() const { return ProducerEpoch(Load<int16_t>(kProducerEpochAt)); }
  int32_t base_sequence() const { return Load<int32_t>(kBaseSequenceAt); }
  int32_t record_count() const { return Load<int32_t>(kRecordCountAt); }

  // Of the whole batch, as its length field claims. Below kBatchHeaderBytes, even negative, when the field is damaged.
  int64_t size_bytes() const { return int64_t{batch_length()} + static_cast<int64_t>(kBatchPrefixBytes); }
  // Whether the length field is one a whole batch can have.
  bool length_is_sane() const { return batch_length() >= kLeastBatchLength; }

  Offset last_offset() const { return Offset(WrappingAdd(base_offset().value(), last_offset_delta())); }
  Offset next_offset() const { return Offset(WrappingAdd(last_offset().value(), 1)); }
  // The sequence of the last record; sequences wrap from 2^31-1 to 0.
  int32_t last_sequence() const {
    if (base_sequence() == kNoSequence) return kNoSequence;
    return static_cast<int32_t>((int64_t{base_sequence()} + last_offset_delta()) & INT32_MAX);
  }

  // The codec bits as they are; codec_is_known() tells whether they mean one.
  Codec codec() const { return static_cast<Codec>(attributes() & kCodecMask); }
  bool codec_is_known() const { return (attributes() & kCodecMask) < kCodecs; }
  TimestampType timestamp_type() const {
    return (attributes() & kTimestampTypeBit) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool is_transactional() const { return (attributes() & kTransactionalBit) != 0; }
  bool is_control() const { return (attributes() & kControlBit) != 0; }
  bool has_producer() const { return producer_id() != kNoProducerId; }
  // When the tombstones of the batch may go (compaction wrote it), in ms since 1970.
  std::optional<int64_t> delete_horizon_ms() const {
    if ((attributes() & kDeleteHorizonBit) == 0) return std::nullopt;
    return base_timestamp();
  }

 protected:
  template <typename T>
  T Load(size_t at) const {
    return LoadBigEndian<T>(at_ + at);
  }
  const uint8_t* at_;
};

// A whole batch in memory. Its length field agrees with bytes(); nothing else is checked.
class BatchView : public BatchHeader {
 public:
  // Cuts the first batch off the front of bytes, which may go on behind it. nullopt when no whole batch with a sane
  // length is there. Magic and CRC are the caller's to look at.
  static std::optional<BatchView> First(ByteView bytes) {
    if (bytes.size() < kBatchHeaderBytes) return std::nullopt;
    BatchHeader header(bytes);
    if (!header.length_is_sane() || header.size_bytes() > static_cast<int64_t>(bytes.size())) return std::nullopt;
    return BatchView(bytes.first(static_cast<size_t>(header.size_bytes())));
  }
  // bytes: exactly one batch; its length field says so.
  explicit BatchView(ByteView bytes) : BatchHeader(bytes), size_(bytes.size()) {
    KB_CHECK(size_bytes() == static_cast<int64_t>(size_));
  }

  ByteView bytes() const { return {at_, size_}; }
  // The records as they are stored: compressed when codec() is not kNone.
  ByteView payload() const { return {at_ + kBatchHeaderBytes, size_ - kBatchHeaderBytes}; }

  uint32_t ComputeCrc() const { return Crc32c(bytes().subspan(kCheckedFrom)); }
  bool CheckCrc() const { return ComputeCrc() == crc(); }

 protected:
  size_t size_;
};

// A whole batch that may be written to: what a leader, and nobody else, does to a batch before it appends it.
class MutableBatchView : public BatchView {
 public:
  explicit MutableBatchView(MutableByteView bytes) : BatchView(ByteView(bytes)), to_(bytes.data()) {}

  // Outside the checksum: costs nothing.
  void SetBaseOffset(Offset base_offset) { StoreBigEndian(to_ + kBaseOffsetAt, base_offset.value()); }
  // Sets the base offset so that the batch ends at last_offset (a validated batch has count - 1 as its last delta).
  void SetLastOffset(Offset last_offset) { SetBaseOffset(last_offset - last_offset_delta()); }
  void SetLeaderEpoch(LeaderEpoch epoch) { StoreBigEndian(to_ + kLeaderEpochAt, epoch.value()); }
  // Inside the checksum, which is computed anew: one pass over the batch at the speed of memory.
  void SetMaxTimestamp(TimestampType type, int64_t max_timestamp);
  // After anything else behind kCheckedFrom was written.
  void UpdateCrc() { StoreBigEndian(to_ + kCrcAt, ComputeCrc()); }

  MutableByteView mutable_bytes() { return {to_, size_}; }

 private:
  uint8_t* to_;
};

// Walks over bytes that hold one batch behind the other: a part of a segment, the records of a Fetch response.
//
//   BatchWalk walk(bytes);
//   while (std::optional<BatchView> batch = walk.Next()) …
//   walk.rest()      what is left: nothing, or a partial or damaged batch
class BatchWalk {
 public:
  explicit BatchWalk(ByteView bytes) : rest_(bytes) {}
  std::optional<BatchView> Next() {
    std::optional<BatchView> batch = BatchView::First(rest_);
    if (batch) rest_ = rest_.subspan(batch->bytes().size());
    return batch;
  }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

}  // namespace kb::record

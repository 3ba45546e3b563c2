#include "record/builder.h"

#include <algorithm>

#include "base/varint.h"

namespace kb::record {
namespace {

size_t NullableSize(const std::optional<ByteView>& bytes) {
  if (!bytes.has_value()) return VarintSize(-1);
  return VarintSize(static_cast<int32_t>(bytes->size())) + bytes->size();
}

uint8_t* WriteBytes(uint8_t* to, ByteView bytes) {
  to = WriteVarint(to, static_cast<int32_t>(bytes.size()));
  return std::copy(bytes.begin(), bytes.end(), to);
}

uint8_t* WriteNullable(uint8_t* to, const std::optional<ByteView>& bytes) {
  return bytes.has_value() ? WriteBytes(to, *bytes) : WriteVarint(to, -1);
}

size_t EncodedSize(std::span<const Header> headers) {
  size_t size = VarintSize(static_cast<int32_t>(headers.size()));
  for (const Header& header : headers) size += NullableSize(AsBytes(header.key)) + NullableSize(header.value);
  return size;
}

uint8_t* WriteHeaders(uint8_t* to, std::span<const Header> headers) {
  to = WriteVarint(to, static_cast<int32_t>(headers.size()));
  for (const Header& header : headers) to = WriteNullable(WriteBytes(to, AsBytes(header.key)), header.value);
  return to;
}

}  // namespace

BatchBuilder::BatchBuilder(const BatchOptions& options)
    : options_(options), bytes_(kBatchHeaderBytes), next_offset_(options.base_offset) {
  base_timestamp_ = options.delete_horizon_ms;
}

size_t BatchBuilder::MostRecordBytes(std::optional<ByteView> key, std::optional<ByteView> value) {
  constexpr size_t kMostOfTheRest = 5 + 1 + 10 + 5 + 1;  // length, attributes, timestamp, offset, no headers
  return kMostOfTheRest + NullableSize(key) + NullableSize(value);
}

void BatchBuilder::Append(int64_t timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
                          std::span<const Header> headers) {
  Write(next_offset_, timestamp, key, value, EncodedSize(headers),
        [&](uint8_t* to) { return WriteHeaders(to, headers); });
}

void BatchBuilder::AppendAt(Offset offset, int64_t timestamp, std::optional<ByteView> key,
                            std::optional<ByteView> value, Headers headers) {
  KB_CHECK(offset >= next_offset_);
  ByteView encoded = headers.encoded();
  Write(offset, timestamp, key, value, VarintSize(headers.count()) + encoded.size(),
        [&](uint8_t* to) { return std::copy(encoded.begin(), encoded.end(), WriteVarint(to, headers.count())); });
}

uint8_t* BatchBuilder::Grow(size_t bytes) {
  size_t size = bytes_.size();
  bytes_.resize(size + bytes);
  return bytes_.data() + size;
}

template <typename WriteHeadersTo>
void BatchBuilder::Write(Offset offset, int64_t timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
                         size_t headers_bytes, WriteHeadersTo write_headers) {
  if (!base_timestamp_.has_value()) base_timestamp_ = timestamp;
  int64_t timestamp_delta = WrappingAdd(timestamp, static_cast<int64_t>(0 - static_cast<uint64_t>(*base_timestamp_)));
  int64_t distance = offset - options_.base_offset;
  KB_CHECK(distance >= 0 && distance <= INT32_MAX);
  auto offset_delta = static_cast<int32_t>(distance);

  size_t body_bytes = 1 + VarlongSize(timestamp_delta) + VarintSize(offset_delta) + NullableSize(key) +
                      NullableSize(value) + headers_bytes;
  KB_CHECK(body_bytes <= INT32_MAX);
  auto length = static_cast<int32_t>(body_bytes);
  uint8_t* to = WriteVarint(Grow(VarintSize(length) + body_bytes), length);
  *to++ = 0;  // attributes of the record: none are defined
  to = WriteVarint(WriteVarlong(to, timestamp_delta), offset_delta);
  to = WriteNullable(WriteNullable(to, key), value);
  to = write_headers(to);
  KB_CHECK(to == bytes_.data() + bytes_.size());

  max_timestamp_ = std::max(max_timestamp_, timestamp);
  next_offset_ = offset + 1;
  ++count_;
}

uint16_t BatchBuilder::Attributes() const {
  auto attributes = static_cast<uint16_t>(options_.codec);
  if (options_.log_append_time_ms.has_value()) attributes |= kTimestampTypeBit;
  if (options_.transactional) attributes |= kTransactionalBit;
  if (options_.control) attributes |= kControlBit;
  if (options_.delete_horizon_ms.has_value()) attributes |= kDeleteHorizonBit;
  return attributes;
}

int64_t BatchBuilder::MaxTimestamp() const {
  if (options_.log_append_time_ms.has_value()) return *options_.log_append_time_ms;
  return options_.max_timestamp.value_or(max_timestamp_);
}

// Puts the compressed records in the place of the plain ones.
void BatchBuilder::Pack() {
  if (options_.codec == Codec::kNone || count_ == 0) return;
  std::vector<uint8_t> packed(kBatchHeaderBytes);
  int level = options_.level.value_or(DefaultLevel(options_.codec));
  // Incompressible bytes grow a little in every codec; this is far above what any of them adds.
  size_t most_bytes = bytes_.size() * 2 + kPieceBytes;
  std::unique_ptr<Compressor> packer = Compressor::Create(options_.codec, level, &packed, most_bytes);
  KB_CHECK(packer->Append(ByteView(bytes_).subspan(kBatchHeaderBytes)) && packer->Finish());
  bytes_ = std::move(packed);
}

std::vector<uint8_t> BatchBuilder::Build(std::optional<Offset> last_offset) {
  KB_CHECK(count_ > 0 || last_offset.has_value());
  Offset last = last_offset.value_or(next_offset_ - 1);
  KB_CHECK(count_ == 0 || last >= next_offset_ - 1);
  int64_t last_delta = last - options_.base_offset;
  KB_CHECK(last_delta >= 0 && last_delta <= INT32_MAX);

  Pack();
  KB_CHECK(bytes_.size() - kBatchPrefixBytes <= INT32_MAX);
  uint8_t* to = bytes_.data();
  StoreBigEndian(to + kBaseOffsetAt, options_.base_offset.value());
  StoreBigEndian(to + kBatchLengthAt, static_cast<int32_t>(bytes_.size() - kBatchPrefixBytes));
  StoreBigEndian(to + kLeaderEpochAt, options_.leader_epoch.value());
  StoreBigEndian(to + kMagicAt, kMagic);
  StoreBigEndian(to + kAttributesAt, Attributes());
  StoreBigEndian(to + kLastOffsetDeltaAt, static_cast<int32_t>(last_delta));
  StoreBigEndian(to + kBaseTimestampAt, base_timestamp_.value_or(kNoTimestamp));
  StoreBigEndian(to + kMaxTimestampAt, MaxTimestamp());
  StoreBigEndian(to + kProducerIdAt, options_.producer_id.value());
  StoreBigEndian(to + kProducerEpochAt, options_.producer_epoch.value());
  StoreBigEndian(to + kBaseSequenceAt, options_.base_sequence);
  StoreBigEndian(to + kRecordCountAt, count_);
  MutableBatchView(bytes_).UpdateCrc();
  return std::move(bytes_);
}

}  // namespace kb::record

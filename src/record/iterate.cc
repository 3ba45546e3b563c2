#include "record/iterate.h"

#include <algorithm>

#include "base/varint.h"

namespace kb::record {
namespace {

constexpr size_t kMostVarintBytes = 5;

// Reads fields off the front of a record. Most numbers in a record take one or two bytes: those are read here, the
// others by base/varint.h.
class FieldReader {
 public:
  explicit FieldReader(ByteView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool Byte() {
    if (at_ == end_) return false;
    ++at_;
    return true;
  }
  bool Varint(int32_t* value) { return Short(value) || Take(ReadVarint(rest(), value)); }
  bool Varlong(int64_t* value) { return Short(value) || Take(ReadVarlong(rest(), value)); }
  // length, bytes; any negative length means null, as Kafka reads it.
  bool NullableBytes(std::optional<ByteView>* bytes) {
    int32_t length;
    if (!Varint(&length)) return false;
    if (length < 0) {
      *bytes = std::nullopt;
      return true;
    }
    if (length > end_ - at_) return false;
    *bytes = ByteView(at_, static_cast<size_t>(length));
    at_ += length;
    return true;
  }
  ByteView rest() const { return {at_, end_}; }

 private:
  template <typename T>
  bool Short(T* value) {
    if (end_ - at_ < 2) return false;
    int32_t raw = at_[0];
    if (raw < 0x80) {
      at_ += 1;
    } else if (at_[1] < 0x80) {
      raw = (raw & 0x7f) | at_[1] << 7;
      at_ += 2;
    } else {
      return false;
    }
    *value = (raw >> 1) ^ -(raw & 1);
    return true;
  }
  bool Take(size_t taken) {
    at_ += taken;
    return taken != 0;
  }
  const uint8_t* at_;
  const uint8_t* end_;
};

bool ReadHeader(FieldReader& fields, Header* header) {
  std::optional<ByteView> key;
  if (!fields.NullableBytes(&key) || !key.has_value()) return false;
  header->key = AsText(*key);
  return fields.NullableBytes(&header->value);
}

bool ReadHeaders(FieldReader& fields, Headers* headers) {
  int32_t count = 0;
  if (!fields.Varint(&count) || count < 0) return false;
  ByteView encoded = fields.rest();
  Header ignored;
  for (int32_t i = 0; i < count; ++i) {
    if (!ReadHeader(fields, &ignored)) return false;
  }
  *headers = Headers(count, encoded.first(encoded.size() - fields.rest().size()));
  return true;
}

}  // namespace

bool Headers::Next(Header* header) {
  if (count_ == 0) return false;
  FieldReader fields(rest_);
  KB_CHECK(ReadHeader(fields, header));
  rest_ = fields.rest();
  --count_;
  return true;
}

bool ParseRecordBody(ByteView body, RecordView* record) {
  FieldReader fields(body);
  return fields.Byte() &&                          //
         fields.Varlong(&record->timestamp) &&     //
         fields.Varint(&record->offset_delta) &&   //
         fields.NullableBytes(&record->key) &&     //
         fields.NullableBytes(&record->value) &&   //
         ReadHeaders(fields, &record->headers) &&  //
         fields.rest().empty();
}

RecordIterator::RecordIterator(const BatchView& batch, Decompressor& decompressor, const Options& options)
    : batch_(batch), decompressor_(decompressor), tee_(options.tee), left_(batch.record_count()) {
  if (left_ < 0) state_ = kInvalid;
  if (left_ == 0) state_ = kEnd;  // an emptied batch: what follows its header, if anything, means nothing
  decompressor_.Start(batch.codec(), batch.payload(), options.most_bytes);
}

RecordIterator::Answer RecordIterator::Next(RecordView* record) {
  if (state_ != kRecord) return state_;
  state_ = left_ > 0 ? ReadRecord(record) : ReadEnd();
  return state_;
}

// Replaces the piece, which was read to its end.
RecordIterator::Answer RecordIterator::Pull() {
  switch (decompressor_.Next(&piece_)) {
    case Unpacked::kPiece:
      if (tee_ != nullptr && tee_is_whole_) tee_is_whole_ = tee_->Append(piece_);
      return kRecord;
    case Unpacked::kEnd:
      piece_ = {};
      return kEnd;
    case Unpacked::kBroken:
      piece_ = {};
      return kUndecodable;
    case Unpacked::kTooLarge:
      piece_ = {};
      return kTooLarge;
  }
  KB_CHECK(false);
}

RecordIterator::Answer RecordIterator::ReadEnd() {
  if (!piece_.empty()) return kInvalid;
  Answer more = Pull();
  return more == kRecord ? kInvalid : more;
}

RecordIterator::Answer RecordIterator::ReadRecord(RecordView* record) {
  if (piece_.empty()) {
    Answer more = Pull();
    if (more != kRecord) return more == kEnd ? kInvalid : more;
  }
  int32_t length;
  size_t prefix = ReadVarint(piece_, &length);
  if (prefix == 0 && piece_.size() >= kMostVarintBytes) {
    length_was_overlong_ = batch_.codec() == Codec::kNone;
    return kInvalid;
  }
  if (prefix != 0 && length < 0) return kInvalid;
  if (prefix == 0 || static_cast<size_t>(length) > piece_.size() - prefix) return ReadAcrossPieces(record);
  ByteView whole = piece_.first(prefix + static_cast<size_t>(length));
  piece_ = piece_.subspan(whole.size());
  return Deliver(whole, prefix, record);
}

// The record goes on in the next piece: collects it in the carry.
RecordIterator::Answer RecordIterator::ReadAcrossPieces(RecordView* record) {
  if (batch_.codec() == Codec::kNone) return kInvalid;  // there is one piece only
  std::vector<uint8_t>& carry = decompressor_.carry();
  carry.assign(piece_.begin(), piece_.end());
  for (;;) {
    Answer more = Pull();
    if (more != kRecord) return more == kEnd ? kInvalid : more;
    int32_t length = 0;
    size_t prefix = ReadVarint(carry, &length);
    while (prefix == 0 && carry.size() < kMostVarintBytes && !piece_.empty()) {
      carry.push_back(piece_.front());
      piece_ = piece_.subspan(1);
      prefix = ReadVarint(carry, &length);
    }
    if (prefix == 0 && carry.size() < kMostVarintBytes) continue;
    if (prefix == 0 || length < 0) return kInvalid;
    size_t whole_size = prefix + static_cast<size_t>(length);
    size_t taken = std::min(whole_size - carry.size(), piece_.size());
    carry.insert(carry.end(), piece_.begin(), piece_.begin() + static_cast<ptrdiff_t>(taken));
    piece_ = piece_.subspan(taken);
    if (carry.size() == whole_size) return Deliver(carry, prefix, record);
  }
}

RecordIterator::Answer RecordIterator::Deliver(ByteView whole, size_t prefix_bytes, RecordView* record) {
  if (!ParseRecordBody(whole.subspan(prefix_bytes), record)) return kInvalid;
  --left_;
  record->bytes = whole;
  record->offset = Offset(WrappingAdd(batch_.base_offset().value(), record->offset_delta));
  record->timestamp = batch_.timestamp_type() == TimestampType::kLogAppendTime
                          ? batch_.max_timestamp()
                          : WrappingAdd(batch_.base_timestamp(), record->timestamp);
  return kRecord;
}

}  // namespace kb::record

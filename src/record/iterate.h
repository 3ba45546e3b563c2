// The records inside a batch, one after the other, unpacked on the way when they are compressed.
//
//   record := length: varint (of what follows it), attributes: int8 (nothing yet), timestamp delta: varlong,
//             offset delta: varint, key length: varint (negative: null), key, value length: varint (negative: null),
//             value, header count: varint, headers: (key length: varint, key, value length: varint (negative: null),
//             value)*
//
//   RecordIterator records(batch, decompressor);
//   RecordView record;
//   while (records.Next(&record) == RecordIterator::kRecord) …
//
// Every length is checked against what is there, and each record must fill its own length exactly. Memory: a record
// that lies across two pieces of unpacked bytes is put together in the decompressor's carry, which grows as bytes come
// out and never to a length that a record claims. Reactor-affine (it borrows the decompressor).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"

namespace kb::record {

struct Header {
  std::string_view key;  // any bytes: Kafka's clients send UTF-8 and its broker does not look
  std::optional<ByteView> value;
};

// The headers of a record: kept as they are encoded, which was checked, and read one by one.
class Headers {
 public:
  Headers() = default;
  Headers(int32_t count, ByteView encoded) : count_(count), rest_(encoded) {}
  int32_t count() const { return count_; }
  ByteView encoded() const { return rest_; }
  // Takes the first header off; false when there is none left.
  bool Next(Header* header);

 private:
  int32_t count_ = 0;
  ByteView rest_;
};

// A record. Its views are valid until the next call of the iterator it came from.
struct RecordView {
  Offset offset;
  int64_t timestamp = kNoTimestamp;  // of the batch, when that is the time of the append
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  Headers headers;
  int32_t offset_delta = 0;
  ByteView bytes;  // the whole record as it is encoded, its length in front
};

// What can be read in `bytes`, which is exactly one record without its length. False when it is malformed.
// record: offset_delta, key, value and headers are filled; timestamp receives the delta.
bool ParseRecordBody(ByteView body, RecordView* record);

class RecordIterator {
 public:
  enum Answer {
    kRecord,
    kEnd,          // as many records as the batch counts, and not a byte more
    kInvalid,      // the bytes are not the records that the batch counts
    kUndecodable,  // the codec's stream is broken, or the codec is none
    kTooLarge,     // more bytes came out than the limit allows
  };
  struct Options {
    // Receives the unpacked bytes as they are read, for a batch that is packed anew; may be null.
    Compressor* tee = nullptr;
    // How many unpacked bytes there may be. Stored batches were held against UnpackLimit when they came.
    size_t most_bytes = INT32_MAX;
  };

  // The batch's bytes, decompressor and tee outlive the iterator; the decompressor serves nobody else meanwhile.
  RecordIterator(const BatchView& batch, Decompressor& decompressor) : RecordIterator(batch, decompressor, Options()) {}
  RecordIterator(const BatchView& batch, Decompressor& decompressor, const Options& options);
  RecordIterator(const RecordIterator&) = delete;
  RecordIterator& operator=(const RecordIterator&) = delete;

  // After anything but kRecord the answer stays the same.
  Answer Next(RecordView* record);

  // The reason of kInvalid was a length prefix of more than five bytes in an uncompressed batch (Apache Kafka answers
  // that one differently).
  bool length_was_overlong() const { return length_was_overlong_; }
  // Whether `tee` took everything so far.
  bool tee_is_whole() const { return tee_is_whole_; }

 private:
  Answer ReadRecord(RecordView* record);
  Answer ReadAcrossPieces(RecordView* record);
  Answer ReadEnd();
  Answer Pull();
  Answer Deliver(ByteView whole, size_t prefix_bytes, RecordView* record);

  const BatchView batch_;
  Decompressor& decompressor_;
  Compressor* tee_;
  ByteView piece_;  // unpacked and not read yet
  int32_t left_;    // records
  bool tee_is_whole_ = true;
  bool length_was_overlong_ = false;
  Answer state_ = kRecord;
};

}  // namespace kb::record

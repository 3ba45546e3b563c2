// Whether the records of a Produce request may be appended: Apache Kafka's checks, in its order and with its codes.
//
//   FindBatch        before the broker looks at acks or leadership: exactly one batch, of magic 2, in a codec that this
//                    version of the request may carry                             (ProduceRequest.validateRecords)
//   ValidateBatch    on the leader: base offset, size, checksum, header, every record; afterwards the batch is as it
//   goes
//                    to disk, base offset and leader epoch apart                  (UnifiedLog, LogValidator)
//
// Where we differ from Apache Kafka on purpose: absent records are INVALID_RECORD (it never answers); a record whose
// length does not fit inside a compressed batch is INVALID_RECORD (it stores a batch that no consumer can read); a
// batch that unpacks beyond UnpackLimit, or a record above max.message.bytes where the broker must hold single records
// (it compacts the topic or packs the batch anew), is MESSAGE_TOO_LARGE.
//
// Memory: one piece of unpacked bytes (compression.h), a record that crosses pieces, and, only where the batch is
// packed anew, at most max.message.bytes. Time: one pass. No state; the Decompressor makes it reactor-affine.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"

namespace kb::record {

// The values are the protocol's error codes.
enum class BatchError : int16_t {
  kUnknownServerError = -1,  // Apache Kafka's answer to payloads that cannot be unpacked
  kNone = 0,
  kCorruptMessage = 2,
  kMessageTooLarge = 10,
  kInvalidTimestamp = 32,
  kUnsupportedCompressionType = 76,
  kInvalidRecord = 87,
};

// What a RecordErrors entry of the response says about one record.
enum class RecordFault : uint8_t { kNoKey, kTimestampOutOfRange, kLogAppendTimeFromClient };
std::string_view ToString(RecordFault fault);

struct RecordError {
  int32_t index = 0;  // of the record in its batch
  RecordFault fault = RecordFault::kNoKey;
};

// A client can provoke one error a record. Beyond this many the rest are counted in the message only; Java's producer
// fails all records of the batch either way.
inline constexpr size_t kMostRecordErrors = 1000;

// What FindBatch says.
struct FoundBatch {
  BatchError error = BatchError::kNone;
  std::string_view message;  // for a person; empty without an error
  MutableByteView bytes;     // the batch, without what may follow it
};

// records: the field of the request; nullopt for null. Bytes behind the one batch that are not a whole batch themselves
// are left out, as a fetched partial batch would be.
FoundBatch FindBatch(std::optional<MutableByteView> records, int16_t produce_version);

// Whether the first batch in records claims to be part of a transaction: without a transactional id in the request that
// is refused before anything else is looked at.
bool IsTransactional(ByteView records);

struct ValidateOptions {
  int32_t max_message_bytes = 1048588;  // whole batch, header included, compressed
  bool compacted = false;               // each record needs a key
  TimestampType timestamp_type = TimestampType::kCreateTime;
  int64_t timestamp_before_max_ms = INT64_MAX;  // how far in the past a record may be
  int64_t timestamp_after_max_ms = 3600000;     // and how far in the future
  int64_t now_ms = 0;
  // The topic's compression.type; nullopt is "producer": as it came.
  std::optional<Codec> codec;
  int level = 0;  // of that codec; see DefaultLevel
  // How much the caller has time for. A batch that unpacks to more, or is to be packed anew and is larger than a small
  // part of it, is left as it is (ValidatedBatch::is_long).
  size_t most_unpacked_bytes = SIZE_MAX;
};

struct ValidatedBatch {
  BatchError error = BatchError::kNone;
  std::string_view message;                // for a person; empty without an error
  std::vector<RecordError> record_errors;  // with kInvalidTimestamp and kInvalidRecord of single records
  // What to append, when error is kNone: timestamp type, max timestamp and checksum are final. Either the given bytes
  // or `repacked`. (Moving a ValidatedBatch keeps it valid, copying does not.)
  MutableByteView bytes;
  std::vector<uint8_t> repacked;
  bool is_long = false;  // not validated: it takes longer than the caller has time for. Nothing was changed

  ValidatedBatch() = default;
  ValidatedBatch(ValidatedBatch&&) = default;
  ValidatedBatch& operator=(ValidatedBatch&&) = default;
};

// batch: what FindBatch found. Rewrites its timestamp type and max timestamp where they must change; after an error its
// content means nothing.
ValidatedBatch ValidateBatch(MutableByteView batch, const ValidateOptions& options, Decompressor& decompressor);

}  // namespace kb::record

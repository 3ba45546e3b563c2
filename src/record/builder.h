// BatchBuilder: the batches that the broker itself writes: metadata records, committed offsets, transaction states, and
// what compaction leaves of others.
//
//   BatchBuilder builder({.base_offset = Offset(7), .leader_epoch = LeaderEpoch(2)});
//   builder.Append(now_ms, key, value);
//   std::vector<uint8_t> bytes = builder.Build();
//
// The encoding is byte for byte that of Apache Kafka's Java code (shortest varints, base timestamp of the first
// record). Bound: the caller's; size_bytes() tells how large the batch is getting, uncompressed. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/ids.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/iterate.h"

namespace kb::record {

struct BatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Codec codec = Codec::kNone;
  std::optional<int> level;  // DefaultLevel(codec) when absent
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  // Set: timestamp type LogAppendTime with this as everybody's time.
  std::optional<int64_t> log_append_time_ms;
  // Set: stands in the place of the base timestamp, and the deltas count from it.
  std::optional<int64_t> delete_horizon_ms;
  // Set: written instead of the latest record's time. A batch that compaction emptied keeps what it had.
  std::optional<int64_t> max_timestamp;
};

class BatchBuilder {
 public:
  explicit BatchBuilder(const BatchOptions& options);

  // Appends a record at the next offset. headers are copied.
  void Append(int64_t timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
              std::span<const Header> headers = {});
  // Appends a record at an offset that is not below the next one: compaction keeps offsets and leaves gaps.
  void AppendAt(Offset offset, int64_t timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
                Headers headers);

  int32_t record_count() const { return count_; }
  bool empty() const { return count_ == 0; }
  Offset next_offset() const { return next_offset_; }
  int64_t max_timestamp() const { return max_timestamp_; }
  // Of the batch as it would be now, uncompressed.
  size_t size_bytes() const { return bytes_.size(); }
  // What one more record adds to size_bytes(), at most a few bytes less.
  static size_t MostRecordBytes(std::optional<ByteView> key, std::optional<ByteView> value);

  // The finished batch. last_offset: kept behind the last record's when compaction removed the records there; by
  // default the last record's. A batch without records (count 0) is legal only with a last_offset. The builder is
  // spent.
  std::vector<uint8_t> Build(std::optional<Offset> last_offset = std::nullopt);

 private:
  template <typename WriteHeaders>
  void Write(Offset offset, int64_t timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
             size_t headers_bytes, WriteHeaders write_headers);
  uint8_t* Grow(size_t bytes);
  void Pack();
  uint16_t Attributes() const;
  int64_t MaxTimestamp() const;

  const BatchOptions options_;
  std::vector<uint8_t> bytes_;  // header (filled at the end) and records, uncompressed until Build
  Offset next_offset_;
  std::optional<int64_t> base_timestamp_;
  int64_t max_timestamp_ = kNoTimestamp;
  int32_t count_ = 0;
};

}  // namespace kb::record

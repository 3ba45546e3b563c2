// GatheredWrites: what a shard has written since the last append, to be appended as one batch.
//
// A batch for each request would cost more than the request: header, checksum, system call, high watermark. Those that
// come in one turn of the reactor share them.
//
// Bound: kMostBytes, far below what a segment takes, so that gathering makes no append too large. A write that is
// larger by itself goes alone, and fails alone. Reactor-affine, like the shard.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "group/outcome.h"
#include "record/builder.h"

namespace kb::coordinator {

class GatheredWrites {
 public:
  static constexpr size_t kMostBytes = 64 << 10;

  struct Write {
    group::WriteId id = 0;
    int64_t first_record = 0;  // in the batch
  };

  bool empty() const { return writes_.empty(); }
  bool HasRoomFor(const group::Outcome& outcome) const { return empty() || BytesWith(outcome) <= kMostBytes; }
  bool full() const { return !empty() && builder_->size_bytes() >= kMostBytes; }

  // outcome has records.
  void Add(const group::Outcome& outcome, int64_t now_ms) {
    if (!builder_.has_value()) builder_.emplace(record::BatchOptions{});
    writes_.push_back({outcome.write_id, builder_->record_count()});
    for (const group::RecordBytes& record : outcome.records)
      builder_->Append(now_ms, AsBytes(record.key), ValueOf(record));
  }

  // The batch and its writes, in their order; leaves nothing.
  std::pair<std::vector<uint8_t>, std::vector<Write>> Take() {
    std::pair<std::vector<uint8_t>, std::vector<Write>> taken(builder_->Build(), std::exchange(writes_, {}));
    builder_.reset();
    return taken;
  }

  void Clear() {
    writes_.clear();
    builder_.reset();
  }

 private:
  static std::optional<ByteView> ValueOf(const group::RecordBytes& record) {
    if (!record.value.has_value()) return std::nullopt;
    return AsBytes(*record.value);
  }
  size_t BytesWith(const group::Outcome& outcome) const {
    size_t bytes = builder_->size_bytes();
    for (const group::RecordBytes& record : outcome.records) {
      bytes += record::BatchBuilder::MostRecordBytes(AsBytes(record.key), ValueOf(record));
    }
    return bytes;
  }

  std::optional<record::BatchBuilder> builder_;  // while there are writes
  std::vector<Write> writes_;
};

}  // namespace kb::coordinator

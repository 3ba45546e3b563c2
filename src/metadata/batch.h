// Batches of the metadata log: uncompressed record batches v2 with the leader epoch set and, unlike a client's, with their
// offsets given. (record/control.h makes those of the control records.) Pure functions over bytes, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/record.h"
#include "model/ids.h"
#include "record/iterate.h"

namespace kb::metadata {

// One batch of records[first, first + count); count > 0.
std::vector<uint8_t> BuildBatch(Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms, const RecordList& records,
                                size_t first, size_t count);
inline std::vector<uint8_t> BuildBatch(Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms,
                                       const RecordList& records) {
  return BuildBatch(base_offset, epoch, timestamp_ms, records, 0, records.size());
}

// One batch that was read. Views into the bytes it was read from.
struct Batch {
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch epoch;
  int64_t max_timestamp_ms = 0;
  bool is_control = false;
  size_t byte_size = 0;
  std::vector<record::RecordView> records;
};

// The batch at the start of `bytes`. kCorrupt: not a whole batch with a right checksum and readable records.
Result<Batch> ReadBatch(ByteView bytes);

}  // namespace kb::metadata

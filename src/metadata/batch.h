// Batches of the metadata log: uncompressed record batches v2 with the leader epoch set and, unlike a client's, with their
// offsets given. Pure functions over bytes, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/record.h"
#include "model/ids.h"

namespace kb::metadata {

// Control records of KRaft (the key's type).
enum class ControlType : int16_t { kLeaderChange = 2, kSnapshotHeader = 3, kSnapshotFooter = 4, kKRaftVersion = 5, kVoters = 6 };

struct ControlRecord {
  ControlType type;
  std::string value;  // the message body, whose first field is its version
};

// Appends one batch to `out`; records or control records must not be empty.
void AppendDataBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms, const RecordList& records);
void AppendDataBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms, const RecordList& records,
                     size_t first, size_t count);
void AppendControlBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms,
                        const std::vector<ControlRecord>& records);

// One batch that was read. Views into the bytes it was read from.
struct Batch {
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch epoch;
  int64_t max_timestamp_ms = 0;
  bool is_control = false;
  size_t byte_size = 0;
  struct Record {
    Offset offset;
    ByteView key;
    ByteView value;
  };
  std::vector<Record> records;
};

// The batch at the start of `bytes`. kCorrupt: not a whole batch with a right checksum and readable records.
Result<Batch> ReadBatch(ByteView bytes);

// The type of a control record's key; nullopt when it is none we know.
Result<int16_t> ControlTypeOf(ByteView key);

}  // namespace kb::metadata

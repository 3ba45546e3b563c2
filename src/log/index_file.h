// IndexFile: the entries of one .index, .timeindex or .txnindex file, most of them on the disk only.
//
//   .index      8 bytes   relative_offset: int32, position: int32         the LAST offset of a batch, and its first byte
//   .timeindex 12 bytes   timestamp: int64, relative_offset: int32        the greatest timestamp so far, and the last offset
//                                                                         of the batch that carried it
//   .txnindex  34 bytes   version: int16 = 0, producer id, first offset, last offset, last stable offset: int64
//
// Big-endian, ascending, no header and no checksum; relative offsets count from the segment's base offset. The first batch
// of a segment is never indexed. An entry is made in front of a batch when more than index_interval_bytes were appended
// since the last one, so a lookup takes the greatest entry not above its target and scans batch headers from there.
//
//   file:   [ 0 … on_disk() )          memory:  tail(), entries on_disk() … entries()
//
// New entries gather in the tail and are written behind the others now and then, at a roll and at a close. A failed write
// leaves them in the tail: an index is derived, so nothing is lost. Whoever looks up trusts no entry of a file: the header
// at the position it names must have the offset it names (log/segment.h), else the index is built anew.
//
// Values; reactor-affine as part of a Segment, else of whoever copied them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file_system.h"
#include "log/producer_state.h"
#include "model/ids.h"

namespace kb::log {

struct OffsetIndexEntry {
  static constexpr size_t kSize = 8;
  int32_t relative_offset = 0;
  int32_t position = 0;
  auto operator<=>(const OffsetIndexEntry&) const = default;
  void Encode(uint8_t* to) const;
  static OffsetIndexEntry Decode(const uint8_t* from);
};

struct TimeIndexEntry {
  static constexpr size_t kSize = 12;
  int64_t timestamp = 0;
  int32_t relative_offset = 0;
  auto operator<=>(const TimeIndexEntry&) const = default;
  void Encode(uint8_t* to) const;
  static TimeIndexEntry Decode(const uint8_t* from);
};

struct TxnIndexEntry {
  static constexpr size_t kSize = 34;
  AbortedTransaction transaction;
  void Encode(uint8_t* to) const;
  static TxnIndexEntry Decode(const uint8_t* from);
};

template <typename Entry>
class IndexFile {
 public:
  // on_disk: entries that the file holds. last: of them all; only needed by who asks for last().
  explicit IndexFile(size_t on_disk = 0, std::optional<Entry> last = std::nullopt) : on_disk_(on_disk), last_(last) {}

  size_t entries() const { return on_disk_ + tail_.size(); }
  size_t on_disk() const { return on_disk_; }
  const std::vector<Entry>& tail() const { return tail_; }
  const std::optional<Entry>& last() const { return last_; }
  void Add(const Entry& entry) {
    tail_.push_back(entry);
    last_ = entry;
  }
  // Writes the tail behind the entries on the disk; creates the file when it is missing.
  Status Spill(io::FileSystem& files, const std::string& path);
  // The tail is large enough to be worth a write: 8 KiB of .index, for 4 MiB of log.
  bool tail_is_long() const { return tail_.size() >= 1024; }

 private:
  size_t on_disk_;
  std::vector<Entry> tail_;
  std::optional<Entry> last_;
};

using OffsetIndex = IndexFile<OffsetIndexEntry>;
using TimeIndex = IndexFile<TimeIndexEntry>;
using TxnIndex = IndexFile<TxnIndexEntry>;

// All whole entries of a file. most_bytes: of the file, kCorrupt above it.
template <typename Entry>
Result<std::vector<Entry>> ReadIndex(io::FileSystem& files, const std::string& path, size_t most_bytes = 1 << 30);

// The bytes of a file with these entries.
template <typename Entry>
std::string EncodeIndex(const std::vector<Entry>& entries);

}  // namespace kb::log

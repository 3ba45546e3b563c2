#include "log/offset_lookup.h"

#include <algorithm>

#include "log/segment_scan.h"
#include "record/compression.h"
#include "record/iterate.h"

namespace kb::log {
namespace {

using Found = std::optional<TimestampOffset>;

// Wanted: the first record at or above from_offset with a timestamp of at least `timestamp`.
struct Wanted {
  int64_t timestamp;
  Offset from_offset;
};

// The greatest entry below the timestamp: every record up to its offset is older.
Result<Offset> FirstOffsetToLookAt(io::FileSystem& files, const std::string& directory, const SegmentView& view,
                                   const Wanted& wanted) {
  Result<std::vector<TimeIndexEntry>> entries = ReadIndex<TimeIndexEntry>(
      files, directory + "/" + OffsetFileName(view.base_offset, kTimeIndexSuffix));
  std::vector<TimeIndexEntry> all;
  if (entries.ok()) all = std::move(*entries);
  if (!entries.ok() && entries.error().kind != ErrorKind::kNotFound) return entries.error();
  all.resize(std::min(all.size(), view.time_entries));
  all.insert(all.end(), view.time_tail.begin(), view.time_tail.end());
  auto late = std::partition_point(all.begin(), all.end(),
                                   [&](const TimeIndexEntry& entry) { return entry.timestamp < wanted.timestamp; });
  if (late == all.begin()) return std::max(view.base_offset, wanted.from_offset);
  return std::max(view.base_offset + std::prev(late)->relative_offset + 1, wanted.from_offset);
}

Result<Found> FindInBatch(const SegmentView& view, const SegmentScan& scan, const Wanted& wanted,
                          record::Decompressor& decompressor) {
  std::vector<uint8_t> bytes(scan.size_bytes());
  Result<size_t> got = view.log->ReadAt(scan.position(), bytes);
  if (!got.ok()) return got.error();
  if (*got != bytes.size()) return Found();
  record::BatchView batch{ByteView(bytes)};
  if (!batch.CheckCrc()) return Found();  // nobody can read it
  record::RecordIterator records(batch, decompressor);
  record::RecordView record;
  while (records.Next(&record) == record::RecordIterator::kRecord) {
    if (record.offset >= wanted.from_offset && record.timestamp >= wanted.timestamp) {
      return Found(TimestampOffset{record.timestamp, record.offset, batch.leader_epoch()});
    }
  }
  return Found();
}

Result<Found> ScanFor(const SegmentView& view, uint64_t position, const Wanted& wanted,
                      record::Decompressor& decompressor) {
  SegmentScan scan(*view.log, position, view.size_bytes, view.base_offset, SegmentScan::kHeadersOnly);
  while (true) {
    SegmentScan::Answer answer = scan.Next();
    if (answer == SegmentScan::kEnd) return Found();
    if (answer == SegmentScan::kFailed) return scan.error();
    if (answer == SegmentScan::kDamaged) {
      if (scan.Resynchronize(view.base_offset, view.base_offset + INT32_MAX)) continue;
      return Found();
    }
    bool may_have_it = scan.header().max_timestamp() >= wanted.timestamp &&
                       scan.header().last_offset() >= wanted.from_offset && scan.header().record_count() > 0;
    if (!may_have_it) continue;
    Result<Found> found = FindInBatch(view, scan, wanted, decompressor);
    if (!found.ok() || found->has_value()) return found;
  }
}

Result<Found> FindInSegment(io::FileSystem& files, const std::string& directory, SegmentView view, const Wanted& wanted,
                            record::Decompressor& decompressor) {
  KB_RETURN_IF_ERROR(view.Open(files, directory));
  Result<Offset> first = FirstOffsetToLookAt(files, directory, view, wanted);
  if (!first.ok()) return first.error();
  view.integrity = nullptr;  // goes past damage by itself
  Lookup start = SegmentReader(view).Find(*first, Blocking::kAllowed);
  Result<Found> found{Found()};
  // In damage: from the first whole batch behind it on.
  bool has_start = start.outcome == Lookup::kFound || start.batch.size_bytes > 0;
  if (has_start) found = ScanFor(view, start.batch.position, wanted, decompressor);
  bool is_there = found.ok() && found->has_value();
  // The segment claims a record so late, and none was found: the time index is not to be trusted.
  bool index_lied = !is_there && view.max_timestamp >= wanted.timestamp && *first > wanted.from_offset;
  if (found.ok() && index_lied) return ScanFor(view, 0, wanted, decompressor);
  return found;
}

}  // namespace

Result<std::optional<TimestampOffset>> FindTimestamp(io::FileSystem& files, const std::string& directory,
                                                     const std::vector<SegmentView>& segments, int64_t timestamp,
                                                     Offset from_offset) {
  record::Decompressor decompressor;
  for (const SegmentView& view : segments) {
    if (view.size_bytes == 0 || view.max_timestamp < timestamp) continue;
    Result<Found> found = FindInSegment(files, directory, view, {timestamp, from_offset}, decompressor);
    if (!found.ok() && found.error().kind == ErrorKind::kNotFound) continue;
    if (!found.ok() || found->has_value()) return found;
  }
  return Found();
}

namespace {

std::optional<int64_t> TimeOf(const record::BatchHeader& header) {
  const bool keeps_first =
      header.timestamp_type() == record::TimestampType::kCreateTime && !header.delete_horizon_ms().has_value();
  const int64_t time_ms = keeps_first ? header.base_timestamp() : header.max_timestamp();
  if (time_ms < 0) return std::nullopt;
  return time_ms;
}

}  // namespace

Result<std::optional<int64_t>> FindTimeOf(io::FileSystem& files, const std::string& directory,
                                          const std::vector<SegmentView>& segments, Offset offset) {
  for (SegmentView view : segments) {
    Status opened = view.Open(files, directory);
    if (!opened.ok() && opened.error().kind == ErrorKind::kNotFound) continue;
    KB_RETURN_IF_ERROR(opened);
    view.integrity = nullptr;  // only a header is looked at, and nobody is sent anything
    const Lookup at = SegmentReader(view).Find(offset, Blocking::kAllowed);
    if (at.outcome == Lookup::kEnd) continue;
    if (at.outcome != Lookup::kFound) return std::optional<int64_t>();
    uint8_t bytes[record::kBatchHeaderBytes];
    Result<size_t> got = view.log->ReadAt(at.batch.position, bytes);
    if (!got.ok()) return got.error();
    if (*got != sizeof bytes) return std::optional<int64_t>();
    return TimeOf(record::BatchHeader(bytes));
  }
  return std::optional<int64_t>();
}

Result<std::optional<TimestampOffset>> FindMaxTimestamp(io::FileSystem& files, const std::string& directory,
                                                        const std::vector<SegmentView>& segments, Offset from_offset) {
  int64_t greatest = record::kNoTimestamp;
  for (const SegmentView& view : segments) greatest = std::max(greatest, view.max_timestamp);
  if (greatest == record::kNoTimestamp) return Found();
  return FindTimestamp(files, directory, segments, greatest, from_offset);
}

}  // namespace kb::log

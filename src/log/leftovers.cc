#include "log/leftovers.h"

#include <algorithm>
#include <optional>

#include "log/file_names.h"
#include "log/segment_scan.h"

namespace kb::log {
namespace {

// Names of numbered files begin with 20 digits: their order is that of their offsets.
std::string NumberOf(const std::string& name) { return name.substr(0, 20); }
std::string WithoutSwap(const std::string& name) { return name.substr(0, name.size() - kSwapSuffix.size()); }

Status RemoveIfThere(io::FileSystem& files, const std::string& path) {
  Status status = files.Remove(path);
  if (!status.ok() && status.error().kind == ErrorKind::kNotFound) return {};
  return status;
}

// The offsets that the swapped segments cover: [base of the first, end of the last).
struct Range {
  Offset base{INT64_MAX};
  Offset end{0};
  std::set<Offset> bases;  // of the swapped segments: replaced even if nothing is left in the new one
  bool holds(Offset offset) const { return bases.contains(offset) || (offset >= base && offset < end); }
};
Result<Range> RangeOf(io::FileSystem& files, const std::string& directory, const std::vector<std::string>& swaps) {
  Range range;
  for (const std::string& swap : swaps) {
    std::optional<OffsetFile> file = ParseOffsetFileName(WithoutSwap(swap));
    if (!file || file->suffix != kLogSuffix) continue;
    range.base = std::min(range.base, file->offset);
    range.bases.insert(file->offset);
    Result<std::unique_ptr<io::File>> log = files.Open(directory + "/" + swap, io::OpenMode::kRead);
    if (!log.ok()) return log.error();
    Result<uint64_t> size = (*log)->Size();
    if (!size.ok()) return size.error();
    SegmentScan scan(**log, 0, *size, file->offset, SegmentScan::kHeadersOnly);
    SegmentScan::Answer answer;
    while ((answer = scan.Next()) == SegmentScan::kBatch) range.end = std::max(range.end, scan.header().next_offset());
    if (answer == SegmentScan::kFailed) return scan.error();
  }
  return range;
}

Status PutInPlace(io::FileSystem& files, const std::string& directory, const std::vector<std::string>& swaps) {
  Result<Range> range = RangeOf(files, directory, swaps);
  if (!range.ok()) return range.error();
  Result<ReplicaFiles> listed = ListReplicaFiles(files, directory);
  if (!listed.ok()) return listed.error();
  // With the indexes: one whose log is gone already must not be taken for the new segment's.
  std::set<Offset> present = listed->logs;
  for (const auto& [base, suffixes] : listed->indexes) present.insert(base);
  for (Offset base : present) {
    if (!range->holds(base)) continue;
    for (std::string_view suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix}) {
      KB_RETURN_IF_ERROR(RemoveIfThere(files, directory + "/" + OffsetFileName(base, suffix)));
    }
  }
  for (const std::string& swap : swaps) {
    KB_RETURN_IF_ERROR(files.Rename(directory + "/" + swap, directory + "/" + WithoutSwap(swap)));
  }
  return files.SyncDirectory(directory);
}

}  // namespace

Result<ReplicaFiles> ListReplicaFiles(io::FileSystem& files, const std::string& directory) {
  Result<std::vector<io::DirectoryEntry>> entries = files.List(directory);
  if (!entries.ok()) return entries.error();
  ReplicaFiles listed;
  for (const io::DirectoryEntry& entry : *entries) {
    std::optional<OffsetFile> file = ParseOffsetFileName(entry.name);
    if (!file || entry.is_directory) continue;
    if (file->suffix == kLogSuffix) {
      listed.logs.insert(file->offset);
    } else if (file->suffix == kSnapshotSuffix) {
      listed.snapshots.insert(file->offset);
    } else {
      listed.indexes[file->offset].insert(file->suffix);
    }
  }
  return listed;
}

Status ClearLeftovers(io::FileSystem& files, const std::string& directory, std::vector<std::string>* notes) {
  Result<std::vector<io::DirectoryEntry>> entries = files.List(directory);
  if (!entries.ok()) return entries.error();
  std::optional<std::string> lowest_cleaned;
  std::vector<std::string> swaps;
  std::vector<std::string> unwanted;
  for (const io::DirectoryEntry& entry : *entries) {
    if (entry.name.ends_with(kSwapSuffix)) swaps.push_back(entry.name);
    if (entry.name.ends_with(kDeletedSuffix)) unwanted.push_back(entry.name);
    if (!entry.name.ends_with(kCleanedSuffix)) continue;
    unwanted.push_back(entry.name);
    lowest_cleaned = std::min(lowest_cleaned.value_or(NumberOf(entry.name)), NumberOf(entry.name));
  }
  auto is_unfinished = [&](const std::string& swap) { return lowest_cleaned && NumberOf(swap) >= *lowest_cleaned; };
  std::copy_if(swaps.begin(), swaps.end(), std::back_inserter(unwanted), is_unfinished);
  std::erase_if(swaps, is_unfinished);
  for (const std::string& name : unwanted) KB_RETURN_IF_ERROR(RemoveIfThere(files, directory + "/" + name));
  if (swaps.empty()) return {};
  notes->push_back(directory + ": put " + std::to_string(swaps.size()) + " files of a finished cleaning in place");
  return PutInPlace(files, directory, swaps);
}

Status RemoveOrphans(io::FileSystem& files, const std::string& directory, const ReplicaFiles& listed) {
  for (const auto& [offset, suffixes] : listed.indexes) {
    if (listed.logs.contains(offset)) continue;
    for (std::string_view suffix : suffixes) {
      KB_RETURN_IF_ERROR(RemoveIfThere(files, directory + "/" + OffsetFileName(offset, suffix)));
    }
  }
  return {};
}

}  // namespace kb::log

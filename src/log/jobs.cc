#include "log/jobs.h"

#include <algorithm>

#include "log/checkpoint_files.h"

namespace kb::log {
namespace {

// More than a fetch returns at once (fetch.max.bytes is 55 MiB, but a partition's part is 1 MiB by default): what lies
// further is read by the next.
constexpr uint64_t kMostReadAheadBytes = 8 << 20;
// What is checked at once for a reader: some of his fetches ahead, and not so much that he would notice the wait.
constexpr uint64_t kLeastCheckedBytes = 2 << 20;

bool IsMissing(const Error& error) {
  return error.kind == ErrorKind::kNotFound;
}

Status SyncPath(io::FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kRead);
  if (!file.ok()) {
    if (IsMissing(file.error())) return {};  // retention took it meanwhile
    return file.error();
  }
  return (*file)->Sync();
}

Status WriteAndSync(io::FileSystem& files, const std::string& path, std::string_view bytes) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  KB_RETURN_IF_ERROR((*file)->WriteAt(0, AsBytes(bytes)));
  return (*file)->Sync();
}

}  // namespace

// ---- FlushJob

Status FlushJob::Run() {
  for (const std::shared_ptr<io::File>& file : files_) KB_RETURN_IF_ERROR(file->Sync());
  for (const std::string& path : paths_) KB_RETURN_IF_ERROR(SyncPath(*file_system_, path));
  if (!data_directory_.empty()) {
    KB_RETURN_IF_ERROR(file_system_->SyncDirectory(data_directory_));
    KB_RETURN_IF_ERROR(AdoptPartitionMetadata(*file_system_, directory_));
  }
  for (const Content& content : contents_) {
    Status status = content.replace_atomically ? io::ReplaceFile(*file_system_, content.path, content.bytes)
                                               : WriteAndSync(*file_system_, content.path, content.bytes);
    if (!status.ok() && status.error().kind == ErrorKind::kNoSpace && !is_last_) {
      is_short_of_room_ = true;
      (void)file_system_->Remove(content.path + (content.replace_atomically ? ".tmp" : ""));
      continue;
    }
    KB_RETURN_IF_ERROR(status);
  }
  if (sync_directory_ || !contents_.empty() || !data_directory_.empty())
    KB_RETURN_IF_ERROR(file_system_->SyncDirectory(directory_));
  if (obstacle_) return *obstacle_;
  if (is_short_of_room_) return {};  // what was to take their place may be what is missing
  // Not being able to remove is no harm: the next Open does it.
  for (const std::string& path : obsolete_) (void)file_system_->Remove(path);
  return {};
}

// ---- PrefetchJob

void PrefetchJob::Run() {
  for (SegmentView& view : segments_) {
    if (Status opened = view.Open(*file_system_, directory_); !opened.ok()) {
      if (view.integrity != nullptr) failure_ = opened.error();
      continue;
    }
    const bool was_checked_now = Check(view);
    if (failure_) break;
    Lookup found = SegmentReader(view).Find(offset_, Blocking::kAllowed);
    if (found.index_is_damaged && view.is_active) active_index_is_damaged_ = true;
    if (found.index_is_damaged && !view.is_active) {
      Result<SegmentState> rebuilt =
          RebuildIndexes(*file_system_, directory_, view.base_offset, view.size_bytes, index_interval_bytes_);
      if (rebuilt.ok()) rebuilt_.emplace(view.base_offset, std::move(*rebuilt));
      view.index = nullptr;
    }
    if (found.outcome == Lookup::kEnd)
      continue;  // the offset was compacted away: the next segment has the first behind it
    if (found.outcome == Lookup::kFound && !was_checked_now) ReadAhead(view, found.batch.position);
    break;
  }
  ReadAborted();
}

// Returns whether anything had to be checked: then it was read, too.
bool PrefetchJob::Check(SegmentView& view) {
  const uint64_t least_bytes = std::clamp(max_bytes_, kLeastCheckedBytes, kMostReadAheadBytes);
  Result<std::vector<Stretch>> checked = CheckPiece(view, offset_, least_bytes);
  if (!checked.ok()) failure_ = checked.error();
  if (!checked.ok() || checked->empty()) return false;
  view.integrity = std::make_shared<const Integrity>(view.integrity->With(*checked));
  checked_.push_back({view.base_offset, std::move(*checked)});
  return true;
}

void PrefetchJob::ReadAhead(const SegmentView& view, uint64_t position) const {
  uint64_t end = std::min(view.size_bytes, position + std::min(max_bytes_, kMostReadAheadBytes));
  if (end <= position) return;
  view.log->WillRead(position, end - position);
  std::vector<uint8_t> buffer(static_cast<size_t>(std::min<uint64_t>(256 << 10, end - position)));
  while (position < end) {
    size_t size = static_cast<size_t>(std::min<uint64_t>(buffer.size(), end - position));
    Result<size_t> got = view.log->ReadAt(position, MutableByteView(buffer).first(size));
    if (!got.ok() || *got == 0) return;
    position += *got;
  }
}

void PrefetchJob::ReadAborted() {
  for (Aborted& aborted : aborted_) {
    Result<std::vector<TxnIndexEntry>> entries = ReadIndex<TxnIndexEntry>(*file_system_, aborted.path);
    if (!entries.ok()) continue;
    for (const TxnIndexEntry& entry : *entries) aborted.transactions.push_back(entry.transaction);
  }
}

// ---- ScrubJob

uint64_t ScrubJob::bytes() const {
  return checked_.empty() ? 0 : checked_.back().end - checked_.front().begin;
}

Status ScrubJob::Run() {
  KB_RETURN_IF_ERROR(segment_.Open(*file_system_, directory_));
  // Behind the first page, which the kernel may have read ahead with the piece before.
  bool was_in_memory = false;
  const uint64_t piece = std::min<uint64_t>(kPieceBytes, part_.end - part_.begin);
  for (uint64_t at = part_.begin + piece / 4; at < part_.begin + piece; at += std::max<uint64_t>(piece / 4, 1)) {
    uint8_t byte;
    Result<size_t> got = segment_.log->ReadCached(at, {&byte, 1});
    was_in_memory |= got.ok() && *got == 1;
  }
  Result<std::vector<Stretch>> checked =
      CheckBatches(*segment_.log, segment_.base_offset, part_, {kPieceBytes, kNoOffset});
  if (!checked.ok()) return checked.error();
  checked_ = std::move(*checked);
  if (!was_in_memory) segment_.log->WillNotRead(part_.begin, bytes());
  return {};
}

// ---- TimestampLookupJob

Result<std::optional<TimestampOffset>> TimestampLookupJob::Run() {
  if (!timestamp_) return FindMaxTimestamp(*file_system_, directory_, segments_, from_offset_);
  return FindTimestamp(*file_system_, directory_, segments_, *timestamp_, from_offset_);
}

Result<std::optional<int64_t>> OffsetTimeJob::Run() {
  return FindTimeOf(*file_system_, directory_, segments_, offset_);
}

// ---- RemovalJob

Status RemovalJob::Rename() {
  if (snapshot_) KB_RETURN_IF_ERROR(io::WriteFileAtomically(*file_system_, snapshot_->first, snapshot_->second));
  for (const std::string& path : paths_) {
    Status status = file_system_->Rename(path, path + std::string(kDeletedSuffix));
    if (!status.ok() && !IsMissing(status.error())) return status;
  }
  return {};
}

Status RemovalJob::Remove() {
  for (const std::string& path : paths_) {
    Status status = file_system_->Remove(path + std::string(kDeletedSuffix));
    if (!status.ok() && !IsMissing(status.error())) return status;
  }
  return {};
}

}  // namespace kb::log

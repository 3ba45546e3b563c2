#include "partition/future_replica.h"

#include <algorithm>
#include <utility>

#include "log/log_directory.h"
#include "record/batch.h"
#include "record/builder.h"

namespace kb::partition {

namespace {

// How many bytes from the front are whole batches, with the right checksums.
size_t WholeBatches(ByteView bytes) {
  size_t whole = 0;
  while (auto batch = record::BatchView::First(bytes.subspan(whole))) {
    if (!batch->CheckCrc()) break;
    whole += batch->bytes().size();
  }
  return whole;
}

Status FailureOf(const log::AppendFailure& failure) {
  const bool is_full = failure.error == log::AppendError::kNoSpace;
  return Error{is_full ? ErrorKind::kNoSpace : ErrorKind::kIo, failure.message, failure.os_errno};
}

Status RemoveNow(Result<log::RemovalJob> job) {
  if (!job.ok()) return job.error();
  KB_RETURN_IF_ERROR(job->Rename());
  return job->Remove();
}

}  // namespace

void FutureReplica::Refresh() {
  if (log_ == nullptr) return;
  end_ = log_->log_end_offset();
  size_bytes_ = log_->size_bytes();
}

Status FutureReplica::Create(const Uuid& topic_id) {
  return log::CreateReplicaDirectoryNamed(files_, data_directory_, directory_name_, topic_id);
}

Status FutureReplica::Open(const log::LogConfig& config, bool was_compacted, int64_t now_ms) {
  log::LogOptions options;
  options.directory = path();
  options.config = config;
  options.was_compacted = was_compacted;
  options.now_ms = now_ms;
  Result<std::unique_ptr<log::Log>> opened = log::Log::Open(files_, std::move(options));
  if (!opened.ok()) return opened.error();
  log_ = std::move(opened).value();
  return Flush();
}

std::optional<LeaderEpoch> FutureReplica::latest_epoch() const {
  return log_->log_end_offset() > log_->log_start_offset() ? log_->leader_epochs().latest_epoch() : std::nullopt;
}

Status FutureReplica::Follow(Offset source_start, Offset agreed, int64_t now_ms) {
  if (agreed < log_->log_end_offset()) KB_RETURN_IF_ERROR(RemoveNow(log_->TruncateTo(agreed, now_ms)));
  if (log_->log_end_offset() >= source_start) return Status();
  return RemoveNow(log_->TruncateFullyAndStartAt(source_start, now_ms));
}

Status FutureReplica::Append(const log::Slice& slice, int64_t now_ms) {
  buffer_.resize(slice.size_bytes);
  Result<size_t> read = slice.file->ReadAt(slice.position, buffer_);
  // The source's fault, as damage in it is: not to be taken for one of the directory that we write to.
  if (!read.ok()) return Error{ErrorKind::kCorrupt, read.error().message, read.error().os_errno};
  MutableByteView batches(buffer_.data(), WholeBatches({buffer_.data(), *read}));
  if (batches.empty()) {
    return Error{ErrorKind::kCorrupt, slice.file->path() + " has no whole batch at " + std::to_string(slice.position)};
  }
  return AppendBatches(batches, now_ms);
}

Status FutureReplica::AppendBatches(MutableByteView batches, int64_t now_ms) {
  const Offset first = record::BatchHeader(batches).base_offset();
  if (first < log_->log_end_offset()) KB_RETURN_IF_ERROR(RemoveNow(log_->TruncateTo(first, now_ms)));
  log::AppendResult appended = log_->AppendAsFollower(batches, now_ms);
  if (!appended.ok()) return FailureOf(*appended.failure);
  unflushed_bytes_ += batches.size();
  return unflushed_bytes_ < kMostUnflushedBytes ? Status() : Flush();
}

Status FutureReplica::SkipTo(Offset next, int64_t now_ms) {
  record::BatchOptions options;
  options.base_offset = log_->log_end_offset();
  options.leader_epoch = log_->leader_epochs().latest_epoch().value_or(kNoLeaderEpoch);
  std::vector<uint8_t> batch = record::BatchBuilder(options).Build(next - 1);
  return AppendBatches(batch, now_ms);
}

Status FutureReplica::Flush() {
  unflushed_bytes_ = 0;
  log::FlushJob job = log_->PrepareFlush();
  Status status = job.Run();
  log_->FlushCompleted(job, status);
  return status;
}

Status FutureReplica::Close() {
  log::FlushJob job = log_->PrepareClose();
  Status status = job.Run();
  log_->FlushCompleted(job, status);
  log_.reset();
  return status;
}

Status FutureReplica::Remove(const Uuid& unique) {
  log_.reset();
  const std::string gone =
      data_directory_ + "/" + log::DirectoryNameOf(name_, log::ReplicaDirectoryKind::kDelete, unique);
  Status renamed = files_.Rename(path(), gone);
  if (!renamed.ok()) return renamed.error().kind == ErrorKind::kNotFound ? Status() : renamed;
  KB_RETURN_IF_ERROR(files_.SyncDirectory(data_directory_));
  return files_.RemoveRecursively(gone);
}

}  // namespace kb::partition

// LogTest: a log on a simulated disk, and the verbs its tests are written in.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "log/log.h"
#include "log/log_directory.h"
#include "record/builder.h"
#include "record/control.h"
#include "support/sim_file_system.h"

namespace kb::log {

inline constexpr int64_t kT0 = 1'700'000'000'000;

inline ByteView Bytes(std::string_view text) { return AsBytes(text); }

// A batch as a client would send it.
class BatchOf {
 public:
  explicit BatchOf(int records = 1) : records_(records) {}
  BatchOf& ValueBytes(size_t bytes) { value_bytes_ = bytes; return *this; }
  BatchOf& At(int64_t timestamp) { timestamp_ = timestamp; return *this; }
  BatchOf& From(int64_t producer_id, int16_t epoch, int32_t sequence) {
    options_.producer_id = ProducerId(producer_id);
    options_.producer_epoch = ProducerEpoch(epoch);
    options_.base_sequence = sequence;
    return *this;
  }
  BatchOf& InTransaction() { options_.transactional = true; return *this; }
  BatchOf& Based(int64_t offset, int32_t leader_epoch) {
    options_.base_offset = Offset(offset);
    options_.leader_epoch = LeaderEpoch(leader_epoch);
    return *this;
  }
  std::vector<uint8_t> Build() const {
    record::BatchBuilder builder(options_);
    std::string value(value_bytes_, 'v');
    for (int i = 0; i < records_; ++i) builder.Append(timestamp_ + i, std::nullopt, Bytes(value));
    return builder.Build();
  }

 private:
  const int records_;
  size_t value_bytes_ = 10;
  int64_t timestamp_ = kT0;
  record::BatchOptions options_;
};

inline std::vector<uint8_t> Marker(bool commit, int64_t producer_id, int16_t epoch, int32_t coordinator_epoch = 0,
                                   int64_t timestamp = kT0) {
  return record::BuildEndTransactionMarker({.timestamp = timestamp,
                                            .producer_id = ProducerId(producer_id),
                                            .producer_epoch = ProducerEpoch(epoch),
                                            .marker = {commit, coordinator_epoch}});
}

class LogTest : public testing::Test {
 protected:
  static constexpr const char* kDirectory = "/data/topic-0";

  LogTest() {
    config_.index_interval_bytes = 200;
    config_.segment_bytes = 1 << 20;
    TakeNewDisk(1);
  }

  // An empty replica directory on a disk of its own.
  void TakeNewDisk(uint64_t seed) {
    log_.reset();
    files_ = test::SimFileSystem(seed);
    recovery_point_ = Offset(0);
    log_start_.reset();
    time_ms_ = kT0;
    EXPECT_TRUE(files_.CreateDirectories("/data").ok());
    EXPECT_TRUE(files_.SyncDirectory("/").ok());
    EXPECT_TRUE(CreateReplicaDirectory(files_, "/data", {"topic", 0}, Uuid(7, 7)).ok());
  }

  // ---- life of the log
  Status TryOpen(bool was_clean) {
    log_.reset();
    report_ = {};
    LogOptions options;
    options.directory = kDirectory;
    options.config = config_;
    options.was_clean = was_clean;
    options.recovery_point = recovery_point_;
    options.log_start_offset = log_start_;
    options.now_ms = now_ms_;
    Result<std::unique_ptr<Log>> log = Log::Open(files_, std::move(options), &report_);
    if (!log.ok()) return log.error();
    log_ = std::move(*log);
    return {};
  }
  void Open(bool was_clean = true) {
    Status status = TryOpen(was_clean);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  void CloseCleanly() {
    FlushJob job = log_->PrepareClose();
    Status status = job.Run();
    ASSERT_TRUE(status.ok()) << status.error().message;
    log_->FlushCompleted(job, status);
    Remember();
    log_.reset();
  }
  // The program dies, the machine does not.
  void Kill() {
    log_.reset();
    files_.Cut(test::PowerLoss::kNothing);
  }
  void ReopenCleanly() {
    CloseCleanly();
    Open(true);
  }
  void ReopenAfterKill() {
    Kill();
    Open(false);
  }
  // What the checkpoint files would say.
  void Remember() {
    recovery_point_ = log_->RecoveryPointToRecord();
    log_start_ = log_->log_start_offset();
  }

  // ---- verbs
  AppendResult Append(std::vector<uint8_t> batch) {
    AppendOptions options;
    options.leader_epoch = leader_epoch_;
    options.now_ms = now_ms_;
    return log_->Append(batch, options);
  }
  AppendResult Append(const BatchOf& batch) { return Append(batch.Build()); }
  void AppendMany(int batches, int records = 1, size_t value_bytes = 10) {
    for (int i = 0; i < batches; ++i) {
      AppendResult result = Append(BatchOf(records).ValueBytes(value_bytes).At(time_ms_ += 10));
      ASSERT_TRUE(result.ok()) << result.failure->message;
    }
  }
  Status Flush() {
    FlushJob job = log_->PrepareFlush();
    Status status = job.Run();
    log_->FlushCompleted(job, status);
    return status;
  }
  Status Checkpoint() {
    FlushJob job = log_->PrepareCheckpoint();
    Status status = job.Run();
    log_->FlushCompleted(job, status);
    return status;
  }

  // ---- reading
  ReadOptions From(int64_t offset, uint64_t max_bytes = 1 << 30) {
    ReadOptions options;
    options.offset = Offset(offset);
    options.max_bytes = max_bytes;
    options.end_offset = log_->log_end_offset();
    return options;
  }
  ReadResult Read(ReadOptions options) {
    ReadResult result = log_->Read(options);
    options.may_block = true;
    for (int round = 0; result.status == ReadStatus::kNeedsDisk && round < 100; ++round) {
      options.from_segment = result.segment;
      Prefetch(options);
      result = log_->Read(options);
    }
    return result;
  }
  void Prefetch(const ReadOptions& options) {
    PrefetchJob job = log_->PreparePrefetch(options);
    job.Run();
    log_->PrefetchCompleted(job);
  }
  static std::vector<uint8_t> BytesOf(const Slice& slice) {
    std::vector<uint8_t> bytes(slice.size_bytes);
    if (!bytes.empty()) {
      Result<size_t> got = slice.file->ReadAt(slice.position, bytes);
      EXPECT_TRUE(got.ok() && *got == bytes.size());
    }
    return bytes;
  }
  // Base offsets of all batches from an offset on, read slice by slice as a consumer would.
  std::vector<int64_t> BaseOffsetsFrom(int64_t offset, uint64_t max_bytes = 1 << 30) {
    std::vector<int64_t> offsets;
    while (offset < log_->log_end_offset().value()) {
      ReadResult result = Read(From(offset, max_bytes));
      EXPECT_EQ(result.status, ReadStatus::kOk) << offset << " " << (result.failure ? result.failure->message : "");
      std::vector<uint8_t> bytes = BytesOf(result.slice);
      record::BatchWalk walk(bytes);
      int64_t before = offset;
      while (std::optional<record::BatchView> batch = walk.Next()) {
        EXPECT_TRUE(batch->CheckCrc());
        offsets.push_back(batch->base_offset().value());
        offset = batch->next_offset().value();
      }
      if (offset == before) break;
    }
    return offsets;
  }
  std::string PathOf(int64_t base_offset, std::string_view suffix) const {
    return std::string(kDirectory) + "/" + OffsetFileName(Offset(base_offset), suffix);
  }
  std::vector<int64_t> SegmentBases() {
    std::vector<int64_t> bases;
    for (const auto& [path, content] : files_.Contents()) {
      size_t slash = path.rfind('/');
      std::optional<OffsetFile> file = ParseOffsetFileName(path.substr(slash + 1));
      if (path.substr(0, slash) == kDirectory && file && file->suffix == kLogSuffix) bases.push_back(file->offset.value());
    }
    return bases;
  }

  test::SimFileSystem files_;
  LogConfig config_;
  LeaderEpoch leader_epoch_{0};
  int64_t now_ms_ = kT0;
  int64_t time_ms_ = kT0;  // of the last record
  std::optional<Offset> recovery_point_ = Offset(0);
  std::optional<Offset> log_start_;
  RecoveryReport report_;
  std::unique_ptr<Log> log_;
};

}  // namespace kb::log

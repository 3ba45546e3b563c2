// FutureReplica: the copy of a replica that is to take its place in another data directory (KIP-113).
//
//   <data directory>/<topic>-<partition>.<32 hex>-future/      a log like any other, behind the one it follows
//
// It is a follower on the same node: whole batches with their offsets and epochs, from the source's log start on.
// Whoever finds one after a crash goes on with it (Open checks it batch by batch, Follow cuts off what the source has
// lost) or removes it. It is of no use to anybody before it is put in place (partition/moving.cc).
//
// What blocks is for the disk pool, one call at a time; the rest is for the partition's home, between those calls. The
// file system outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "io/file_system.h"
#include "log/log.h"
#include "model/ids.h"
#include "reactor/completion.h"

namespace kb::partition {

class FutureReplica {
 public:
  static constexpr uint64_t kPieceBytes = 1 << 20;
  static constexpr uint64_t kMostUnflushedBytes = 8 << 20;

  FutureReplica(io::FileSystem& files, TopicPartition name, std::string data_directory, std::string directory_name)
      : files_(files),
        name_(std::move(name)),
        data_directory_(std::move(data_directory)),
        directory_name_(std::move(directory_name)) {}

  // ---- home
  const std::string& data_directory() const { return data_directory_; }
  const std::string& directory_name() const { return directory_name_; }
  std::string path() const { return data_directory_ + "/" + directory_name_; }
  // As of the last call that ended.
  Offset log_end_offset() const { return end_; }
  uint64_t size_bytes() const { return size_bytes_; }
  void Refresh();

  // It is not wanted any more: the directory goes. Nothing happens once it is being put in place.
  void Cancel() { Halt(Halted::kCancelled); }
  // The node stops: the directory stays.
  void Stop() { Halt(Halted::kStopped); }
  bool is_halted() const { return halted_ != Halted::kNo; }
  bool is_cancelled() const { return halted_ == Halted::kCancelled; }
  reactor::Signal& changed() { return changed_; }

  // ---- disk pool
  // Makes the directory, durably.
  Status Create(const Uuid& topic_id);
  // Opens what is there, trusting nothing.
  Status Open(const log::LogConfig& config, bool was_compacted, int64_t now_ms);
  // source_start: the source's log start; agreed: the end of what both have of the last epoch here. What is beyond
  // goes.
  Status Follow(Offset source_start, Offset agreed, int64_t now_ms);
  // The last epoch of what is here; nullopt: there is nothing.
  std::optional<LeaderEpoch> latest_epoch() const;
  // Copies the whole batches of a slice. kNoSpace: nothing was copied, and it can be tried again.
  Status Append(const log::Slice& slice, int64_t now_ms);
  // The source has no records before `next`.
  Status SkipTo(Offset next, int64_t now_ms);
  // Leaves the files as a clean stop does. Nothing may follow.
  Status Close();
  // Takes the directory away: first its name, then what is in it.
  // unique: makes the name new that it has meanwhile.
  Status Remove(const Uuid& unique);

 private:
  enum class Halted { kNo, kStopped, kCancelled };
  void Halt(Halted how) {
    if (halted_ != Halted::kCancelled) halted_ = how;
    changed_.NotifyAll();
  }
  Status Flush();
  Status AppendBatches(MutableByteView batches, int64_t now_ms);

  io::FileSystem& files_;
  const TopicPartition name_;
  const std::string data_directory_;
  const std::string directory_name_;
  std::unique_ptr<log::Log> log_;
  std::vector<uint8_t> buffer_;
  uint64_t unflushed_bytes_ = 0;
  Offset end_{0};
  uint64_t size_bytes_ = 0;
  Halted halted_ = Halted::kNo;
  reactor::Signal changed_;
};

}  // namespace kb::partition

// MetadataLog: the files of __cluster_metadata-0, as the only voter of a KRaft quorum keeps them.
//
//   __cluster_metadata-0/
//     00000000000000000000.log …                   record batches, a segment each (no index is needed: it is read whole)
//     00000000000000000225-0000000001.checkpoint   snapshots (metadata/snapshot.h); mode and name are Apache Kafka's
//     quorum-state                                 JSON: epoch and leader; version 0 (static voters) or 1 (dynamic)
//     leader-epoch-checkpoint                      epoch → first offset
//     partition.metadata                           the topic id of the metadata log
//
// Two steps, so that a directory that is not ours to touch is refused before a byte of it changes: Inspect() reads all,
// Begin() makes it ours: cuts a torn tail and starts a new leader epoch in quorum-state.
//
// What counts as torn: bytes at the very end of the log with no whole batch behind them. They were never acknowledged: an
// append is synced before the next one is written, and it is one batch. Anything else that cannot be read is damage
// (kCorrupt) and is not cut: it would take topics with it.
//
// Everything blocks: at start on the main thread, later on the disk pool. Not thread-safe: one call at a time, which is
// what Controller::TakeAppend guarantees; WriteSnapshot alone may run beside the others.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_sink.h"
#include "base/result.h"
#include "io/file_system.h"
#include "metadata/builder.h"
#include "metadata/image.h"
#include "metadata/snapshot.h"
#include "model/ids.h"

namespace kb::controller {

// quorum-state.
struct QuorumState {
  int data_version = 0;
  std::string cluster_id;     // version 0 only
  BrokerId leader_id{kNoBroker};
  LeaderEpoch leader_epoch{0};
  BrokerId voted_id{kNoBroker};
  Uuid voted_directory_id;    // version 1 only
  std::vector<BrokerId> current_voters;  // version 0 only
};
Result<QuorumState> ParseQuorumState(std::string_view text, const std::string& path);
std::string QuorumStateText(const QuorumState& state);

// What the directory said.
struct LoadedMetadata {
  metadata::ImagePtr image;       // never null; empty for a fresh directory
  Offset end_offset{0};           // the next record gets it
  LeaderEpoch last_epoch{0};      // highest seen in the log, the snapshots and quorum-state; 0: none
  bool is_fresh = true;           // no record but control records: those of the bootstrap are still to be written
  metadata::RecordList bootstrap; // of bootstrap.checkpoint; what a fresh log begins with. Empty when there is no file
  metadata::QuorumControl quorum; // kraft.version and its voters
  uint64_t bytes_since_snapshot = 0;
  uint64_t torn_bytes = 0;        // at the end, to be cut by Begin()
  bool open_transaction = false;  // the log ends inside one: its records are not in the image, and it is to be aborted
  size_t replayed_records = 0;    // of the snapshot and of the log
};

class MetadataLog {
 public:
  struct Options {
    std::string metadata_dir;      // the data directory that holds __cluster_metadata-0
    BrokerId node_id;
    uint64_t segment_bytes = 1ull << 30;                  // metadata.log.segment.bytes
    uint64_t retention_bytes = 100ull << 20;              // metadata.max.retention.bytes
  };

  // files and log outlive this.
  MetadataLog(io::FileSystem& files, Options options, LogSink& log);
  ~MetadataLog();

  // Reads everything and changes nothing. kForeign: a record or feature that we do not know; kCorrupt: damage. Features
  // that are known and not served are named in one warning, and stay as they are.
  Result<LoadedMetadata> Inspect();

  // After Inspect(). Creates what is missing, cuts the torn tail, and stores the new epoch: loaded.last_epoch + 1, which
  // it returns.
  Result<LeaderEpoch> Begin(const LoadedMetadata& loaded);

  // After Begin(). Writes whole batches at the end and returns when they are on the disk. base_offset: of the first.
  // After a shortage (IsShortage: a full disk, no descriptor) nothing of them is there, and the log goes on: the same
  // offset may be tried again. After any other error it is of no further use: what is on the disk is unknown. One batch at
  // a time, so that a crash can tear only the last.
  Status Append(Offset base_offset, ByteView batches);

  // Snapshots an image. May run beside Append, on another thread.
  Status WriteSnapshot(const metadata::MetadataImage& image, const metadata::QuorumControl& quorum, int64_t now_ms) const;
  // After WriteSnapshot, and not beside Append: seals the segment, so that a later start reads only what follows the
  // snapshot, and removes the segments and snapshots that retention no longer keeps.
  Status RemoveOld();

  const std::string& directory() const { return directory_; }

 private:
  struct Segment {
    Offset base_offset;
    uint64_t size_bytes = 0;
  };
  struct SnapshotFile {
    Offset end_offset;
    LeaderEpoch epoch;
    std::string name;
    auto operator<=>(const SnapshotFile&) const = default;
  };
  // What the directory holds, in ascending order.
  struct Contents {
    std::vector<Segment> segments;
    std::vector<SnapshotFile> snapshots;
    std::vector<std::string> leftovers;  // of a snapshot that was not finished, or was being removed
  };
  class Replay;

  std::string PathOf(std::string_view name) const { return directory_ + "/" + std::string(name); }
  std::string SegmentPath(Offset base_offset) const;
  Result<Contents> List() const;
  Result<std::optional<QuorumState>> ReadQuorumState() const;
  Status CheckVoters(const std::optional<QuorumState>& state, const metadata::QuorumControl& quorum) const;
  Status LoadBootstrap(LoadedMetadata& loaded) const;
  void WarnOfUnserved(const metadata::MetadataImage& image) const;
  // Replays the newest snapshot that can be read. Returns where it ends, 0 when there is none.
  Result<Offset> LoadSnapshot(LoadedMetadata& loaded, metadata::ImageBuilder& builder);
  Status WriteEpochs();
  Status OpenActive(const LoadedMetadata& loaded);
  Status CreateSegment(Offset base_offset);
  Status CutBack();

  io::FileSystem& files_;
  const Options options_;
  LogSink& log_;
  const std::string directory_;
  Contents contents_;
  Offset snapshot_end_{0};                 // of the one that was loaded
  std::optional<Offset> log_end_;          // behind the last batch; nullopt without one
  std::map<LeaderEpoch, Offset> epochs_;   // of leader-epoch-checkpoint
  std::unique_ptr<io::File> active_;       // the last segment, from Begin() on
  uint64_t active_size_ = 0;
  bool has_rest_ = false;                  // of a write that failed, behind active_size_
  Offset next_offset_{0};
};

}  // namespace kb::controller

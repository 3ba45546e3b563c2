#include "inspect/verify.h"

#include <cerrno>
#include <map>
#include <set>

#include "controller/data_dirs.h"
#include "controller/meta_properties.h"
#include "controller/metadata_log.h"
#include "inspect/verify_report.h"
#include "inspect/verify_segment.h"
#include "log/checkpoint_files.h"
#include "log/file_names.h"
#include "log/log_directory.h"
#include "log/producer_state.h"
#include "metadata/snapshot.h"

namespace kb::inspect {

const char kVerifyUsage[] =
    "usage: kafka-broker verify DIR [DIR...]\n"
    "\n"
    "Checks data directories that no broker uses: every batch, every index entry, every checkpoint. Changes nothing.\n"
    "Exit code: 0 nothing found, 65 findings (one line each), 74 not readable or in use.\n";

namespace {

constexpr int kClean = 0;
constexpr int kDamaged = 65;
constexpr int kUnreadable = 74;
constexpr size_t kMostSmallFile = size_t{1} << 31;
constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::string_view kCleanerFile = "cleaner-offset-checkpoint";
constexpr std::string_view kQuorumStateName = "quorum-state";

std::string At(Offset offset) { return "offset " + ToString(offset); }

// What all directories of a run have in common.
struct Node {
  std::optional<controller::MetaProperties> first;
  std::string first_path;
  std::map<Uuid, std::string> directory_ids;
  std::map<std::string, std::pair<Uuid, std::string>> topic_ids;  // by name: the id, and who says so
};

class DirectoryVerifier {
 public:
  DirectoryVerifier(io::FileSystem& files, std::string root, Node& node, VerifyReport& report)
      : files_(files), root_(std::move(root)), node_(node), report_(report) {}

  void Run() {
    Result<log::DataDirectoryContents> contents = log::ScanDataDirectory(files_, root_);
    if (!contents.ok()) return report_.Fail(contents.error().message);
    if (!Lock()) return;
    report_.foreign += contents->foreign.size();
    MetaProperties();
    Bootstrap();
    ReadCheckpoints();
    for (const log::ReplicaDirectory& replica : contents->replicas) {
      if (replica.kind != log::ReplicaDirectoryKind::kDelete) Replica(replica);
    }
  }

 private:
  std::string PathOf(std::string_view name) const { return root_ + "/" + std::string(name); }

  // False when somebody else has the directory. A lock file is never made: without one nobody runs here.
  bool Lock() {
    Result<bool> exists = files_.Exists(PathOf(log::kLockFile));
    if (!exists.ok()) return Refuse(exists.error().message);
    if (!*exists) return true;
    Result<std::unique_ptr<io::FileLock>> lock = log::LockDataDirectory(files_, root_);
    if (lock.ok()) {
      lock_ = std::move(lock).value();
      return true;
    }
    if (lock.error().kind == ErrorKind::kBusy) {
      return Refuse(root_ + " is in use by a running broker: " + lock.error().message);
    }
    // Where nothing can be written nobody can be running either.
    return lock.error().os_errno == EROFS || Refuse(lock.error().message);
  }
  bool Refuse(std::string_view why) {
    report_.Fail(why);
    return false;
  }

  // ---- the directory's own files

  void MetaProperties() {
    const std::string path = PathOf(controller::kMetaPropertiesName);
    Result<std::string> text = io::ReadFile(files_, path);
    if (!text.ok() && text.error().kind == ErrorKind::kNotFound) return report_.Find(path, "", "missing");
    if (!text.ok()) return report_.FindOrFail(text.error());
    Result<controller::MetaProperties> meta = controller::ParseMetaProperties(*text, path);
    if (!meta.ok()) return report_.FindOrFail(meta.error());
    if (meta->directory_id) {
      auto [other, is_new] = node_.directory_ids.emplace(*meta->directory_id, path);
      if (!is_new) report_.Find(path, "", "has the directory.id of " + other->second);
    }
    if (!node_.first) {
      node_.first = *meta;
      node_.first_path = path;
    } else if (node_.first->cluster_id != meta->cluster_id || node_.first->node_id != meta->node_id) {
      report_.Find(path, "", "is of cluster " + meta->cluster_id + ", node " + ToString(meta->node_id) + "; " +
                                 node_.first_path + " is of cluster " + node_.first->cluster_id + ", node " +
                                 ToString(node_.first->node_id));
    }
  }

  void Bootstrap() {
    const std::string path = PathOf(controller::kBootstrapName);
    Result<bool> exists = files_.Exists(path);
    if (exists.ok() && *exists) MetadataSnapshot(path);
  }

  void ReadCheckpoints() {
    Read(log::kRecoveryPointFile, recovery_points_);
    Read(log::kLogStartFile, log_starts_);
    Read(log::kHighWatermarkFile, high_watermarks_);
    Read(kCleanerFile, cleaner_);
    Result<bool> has_cleaner = files_.Exists(PathOf(kCleanerFile));
    has_cleaner_ = has_cleaner.ok() && *has_cleaner;
    Result<std::optional<log::CleanShutdown>> clean = log::ReadCleanShutdown(files_, root_);
    if (!clean.ok()) return report_.FindOrFail(clean.error());
    was_clean_ = clean->has_value();
  }

  void Read(std::string_view name, log::OffsetCheckpoint& offsets) {
    Result<log::OffsetCheckpoint> read = log::ReadOffsetCheckpoint(files_, PathOf(name));
    if (read.ok()) {
      offsets = std::move(read).value();
    } else {
      report_.FindOrFail(read.error());
    }
  }

  // ---- a partition

  struct Contents {
    std::vector<Offset> segments;
    std::vector<log::OffsetFile> others;
    std::vector<Offset> snapshots;
    std::vector<std::string> metadata_snapshots;
    bool has_epochs = false;
  };

  void Replica(const log::ReplicaDirectory& replica) {
    const std::string directory = PathOf(replica.name);
    Result<std::vector<io::DirectoryEntry>> entries = files_.List(directory);
    if (!entries.ok()) return report_.Fail(entries.error().message);
    ++report_.partitions;
    Contents contents;
    for (const io::DirectoryEntry& entry : *entries) Sort(entry, contents);
    const bool is_metadata = replica.partition.topic == kMetadataTopic;
    const bool is_unused = IsUnused(directory, contents);
    if (!is_unused) TopicId(directory, replica);
    // nullopt: there is no telling what they are.
    const std::optional<std::vector<log::EpochStart>> epochs = Epochs(directory, contents);
    const std::vector<log::EpochStart> known_epochs = epochs.value_or(std::vector<log::EpochStart>());
    if (contents.segments.empty() && !is_unused) report_.Find(directory, "", "has no segment");
    SegmentSummary last = Segments(directory, replica.partition, contents, known_epochs, is_metadata);
    if (epochs && epochs->empty() && last.has_trusted_epochs) {
      report_.Find(directory + "/" + std::string(log::kLeaderEpochFile), "",
                   contents.has_epochs ? "names no epoch, and the batches do" : "missing");
    }
    for (const log::OffsetFile& other : contents.others) Orphan(directory, other, contents);
    if (replica.kind == log::ReplicaDirectoryKind::kCurrent) Offsets(replica.partition, directory, last.next_offset);
    for (const log::EpochStart& epoch : known_epochs) {
      if (epoch.start_offset <= last.next_offset) continue;
      report_.Find(directory + "/" + std::string(log::kLeaderEpochFile), At(epoch.start_offset),
                   "epoch " + ToString(epoch.epoch) + " begins behind the end of the log, " + ToString(last.next_offset));
    }
    if (is_metadata) {
      MetadataLog(directory, contents, last);
    } else {
      Snapshots(directory, contents, last);
    }
  }

  // Made for a replica that was never written to: what else belongs there comes with its first record.
  bool IsUnused(const std::string& directory, const Contents& contents) {
    if (contents.has_epochs || contents.segments.size() > 1 || !contents.snapshots.empty()) return false;
    for (Offset base : contents.segments) {
      Result<uint64_t> size = files_.SizeOf(directory + "/" + log::OffsetFileName(base, log::kLogSuffix));
      if (base != Offset(0) || !size.ok() || *size > 0) return false;
    }
    Result<bool> is_named = files_.Exists(directory + "/" + std::string(log::kPartitionMetadataFile));
    return is_named.ok() && !*is_named && contents.metadata_snapshots.empty();
  }

  void Sort(const io::DirectoryEntry& entry, Contents& contents) {
    std::optional<log::OffsetFile> file = log::ParseOffsetFileName(entry.name);
    if (file && !entry.is_directory) {
      if (file->suffix == log::kLogSuffix) {
        contents.segments.push_back(file->offset);
      } else if (file->suffix == log::kSnapshotSuffix) {
        contents.snapshots.push_back(file->offset);
      } else {
        contents.others.push_back(*file);
      }
    } else if (entry.name == log::kLeaderEpochFile) {
      contents.has_epochs = true;
    } else if (entry.name.ends_with(".checkpoint")) {
      contents.metadata_snapshots.push_back(entry.name);
    } else if (!IsKnown(entry.name)) {
      ++report_.foreign;
    }
  }
  static bool IsKnown(std::string_view name) {
    for (std::string_view suffix : {log::kDeletedSuffix, log::kCleanedSuffix, log::kSwapSuffix}) {
      if (name.ends_with(suffix)) return true;  // the next start clears them up
    }
    return name == log::kPartitionMetadataFile || name == kQuorumStateName;
  }

  void TopicId(const std::string& directory, const log::ReplicaDirectory& replica) {
    Result<Uuid> id = log::ReadPartitionMetadata(files_, directory);
    const std::string path = directory + "/" + std::string(log::kPartitionMetadataFile);
    if (!id.ok() && id.error().kind == ErrorKind::kNotFound) return report_.Find(path, "", "missing");
    if (!id.ok()) return report_.FindOrFail(id.error());
    // A stray directory is one that a topic of that name has left behind.
    if (replica.kind == log::ReplicaDirectoryKind::kStray) return;
    auto [known, is_new] = node_.topic_ids.emplace(replica.partition.topic, std::pair(*id, path));
    if (is_new || known->second.first == *id) return;
    report_.Find(path, "", "has topic id " + id->ToString() + ", but " + known->second.second + " has " +
                               known->second.first.ToString());
  }

  std::optional<std::vector<log::EpochStart>> Epochs(const std::string& directory, const Contents& contents) {
    const std::string path = directory + "/" + std::string(log::kLeaderEpochFile);
    if (!contents.has_epochs) return std::vector<log::EpochStart>();
    Result<std::vector<log::EpochStart>> epochs = log::ReadEpochCheckpoint(files_, path);
    if (epochs.ok()) return std::move(epochs).value();
    report_.FindOrFail(epochs.error());
    return std::nullopt;
  }

  SegmentSummary Segments(const std::string& directory, const TopicPartition& partition, const Contents& contents,
                          const std::vector<log::EpochStart>& epochs, bool is_metadata) {
    SegmentSummary log;
    if (!contents.segments.empty()) log.next_offset = contents.segments.front();
    auto start = log_starts_.find(partition);
    for (size_t i = 0; i < contents.segments.size(); ++i) {
      SegmentContext context{.directory = directory, .base_offset = contents.segments[i]};
      context.is_last = i + 1 == contents.segments.size();
      if (!context.is_last) context.limit = contents.segments[i + 1];
      context.expected = log.next_offset;
      context.gaps_below = GapsBelow(partition, contents.segments.back(), is_metadata);
      context.was_clean = was_clean_;
      context.is_metadata = is_metadata;
      context.epochs = epochs;
      context.epochs_below = TrustedBelow(partition, is_metadata);
      if (start != log_starts_.end()) context.log_start = start->second;
      SegmentSummary segment = VerifySegment(files_, context, decompressor_, report_);
      log.next_offset = std::max(log.next_offset, segment.next_offset);
      log.last_epoch = std::max(log.last_epoch, segment.last_epoch);
      log.has_producers |= segment.has_producers;
      log.has_trusted_epochs |= segment.has_trusted_epochs;
    }
    return log;
  }

  // Below this the cleaner was at work, and took out what it liked: in a log that is named, anywhere but in the last
  // segment. The offset there is where the last cleaning ended, and one that was cut short may have come further.
  Offset GapsBelow(const TopicPartition& partition, Offset last_segment, bool is_metadata) const {
    if (is_metadata) return Offset(0);
    if (!has_cleaner_) return Offset(INT64_MAX);
    return cleaner_.contains(partition) ? last_segment : Offset(0);
  }

  // Above the recovery point the next start learns the epochs from the batches, unless the last stop was a clean one.
  Offset TrustedBelow(const TopicPartition& partition, bool is_metadata) const {
    if (was_clean_ || is_metadata) return Offset(INT64_MAX);
    auto point = recovery_points_.find(partition);
    return point == recovery_points_.end() ? Offset(0) : point->second;
  }

  void Orphan(const std::string& directory, const log::OffsetFile& file, const Contents& contents) {
    for (Offset segment : contents.segments) {
      if (segment == file.offset) return;
    }
    report_.Find(directory + "/" + log::OffsetFileName(file.offset, file.suffix), "", "belongs to no segment");
  }

  // What the checkpoints of the directory say about the partition.
  void Offsets(const TopicPartition& partition, const std::string& directory, Offset end) {
    auto check = [&](std::string_view name, const log::OffsetCheckpoint& offsets) {
      auto found = offsets.find(partition);
      if (found == offsets.end() || found->second <= end) return;
      report_.Find(PathOf(name), At(found->second), "is behind the end of " + directory + ", " + ToString(end));
    };
    check(log::kRecoveryPointFile, recovery_points_);
    check(log::kLogStartFile, log_starts_);
    check(log::kHighWatermarkFile, high_watermarks_);
    check(kCleanerFile, cleaner_);
  }

  void Snapshots(const std::string& directory, const Contents& contents, const SegmentSummary& log) {
    for (Offset offset : contents.snapshots) Snapshot(directory, offset, log.next_offset);
    // After a clean stop nobody looks into the batches: without a snapshot the producers would be forgotten.
    if (!contents.snapshots.empty() || !was_clean_ || !log.has_producers) return;
    report_.Find(directory, At(log.next_offset), "has batches of idempotent producers and no snapshot of their state");
  }

  void Snapshot(const std::string& directory, Offset offset, Offset end) {
    const std::string path = directory + "/" + log::OffsetFileName(offset, log::kSnapshotSuffix);
    if (offset > end) report_.Find(path, "", "is behind the end of the log, " + ToString(end));
    Result<std::string> content = io::ReadFile(files_, path, kMostSmallFile);
    if (!content.ok()) return report_.FindOrFail(content.error());
    log::ProducerState producers(SIZE_MAX);
    Status read = producers.Restore(AsBytes(*content), 0);
    if (!read.ok()) return report_.Find(path, "", read.error().message);
    for (const log::ActiveProducer& producer : producers.Active()) {
      const log::ProducerEntry* entry = producers.Find(producer.id);
      if (!entry->has_batches() || entry->last_batch()->last_offset < offset) continue;
      report_.Find(path, At(entry->last_batch()->last_offset),
                   "producer " + ToString(producer.id) + " wrote what is not below the snapshot's offset");
    }
  }

  // ---- the metadata log

  void MetadataLog(const std::string& directory, const Contents& contents, const SegmentSummary& log) {
    const std::string path = directory + "/" + std::string(kQuorumStateName);
    Result<std::string> text = io::ReadFile(files_, path);
    if (text.ok()) {
      Result<controller::QuorumState> state = controller::ParseQuorumState(*text, path);
      if (!state.ok()) {
        report_.FindOrFail(state.error());
      } else if (state->leader_epoch < log.last_epoch) {
        report_.Find(path, "", "is of epoch " + ToString(state->leader_epoch) + ", and the log has batches of epoch " +
                                   ToString(log.last_epoch));
      }
    } else if (text.error().kind == ErrorKind::kNotFound) {
      report_.Find(path, "", "missing");
    } else {
      report_.FindOrFail(text.error());
    }
    Offset covered(0);
    for (const std::string& name : contents.metadata_snapshots) {
      if (MetadataSnapshot(directory + "/" + name)) covered = std::max(covered, OffsetIn(name));
    }
    const Offset first = contents.segments.empty() ? Offset(0) : contents.segments.front();
    if (first > covered) report_.Find(directory, At(first), "the log begins here, and no snapshot reaches so far");
  }

  // The offset that a snapshot's name begins with.
  static Offset OffsetIn(const std::string& name) {
    constexpr size_t kDigits = 20;
    std::optional<log::OffsetFile> parsed =
        log::ParseOffsetFileName(name.substr(0, kDigits) + std::string(log::kSnapshotSuffix));
    return parsed ? parsed->offset : Offset(0);
  }

  bool MetadataSnapshot(const std::string& path) {
    Result<std::string> content = io::ReadFile(files_, path, kMostSmallFile);
    if (!content.ok()) {
      report_.FindOrFail(content.error());
      return false;
    }
    Result<metadata::DecodedSnapshot> snapshot = metadata::DecodeSnapshot(AsBytes(*content), path);
    if (snapshot.ok()) return true;
    std::string_view why = snapshot.error().message;
    size_t name = why.find(path + ": ");
    report_.Find(path, "", name == std::string_view::npos ? why : why.substr(name + path.size() + 2));
    return false;
  }

  io::FileSystem& files_;
  const std::string root_;
  Node& node_;
  VerifyReport& report_;
  std::unique_ptr<io::FileLock> lock_;
  log::OffsetCheckpoint recovery_points_, log_starts_, high_watermarks_, cleaner_;
  bool has_cleaner_ = false;
  bool was_clean_ = false;
  record::Decompressor decompressor_;
};

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

int Verify(io::FileSystem& files, const std::vector<std::string>& directories, std::ostream& out, std::ostream& err) {
  VerifyReport report(out, err);
  Node node;
  for (const std::string& directory : directories) {
    DirectoryVerifier(files, WithoutSlash(directory), node, report).Run();
  }
  if (!report.is_readable() && report.partitions == 0) return kUnreadable;
  out << "verified " << report.partitions << " partitions, " << report.segments << " segments, " << report.batches
      << " batches, " << report.records << " records, " << report.index_entries << " index entries, " << report.bytes
      << " bytes of log; " << report.foreign << " foreign files left alone; " << report.findings() << " findings"
      << std::endl;
  if (!report.is_readable()) return kUnreadable;
  return report.findings() > 0 ? kDamaged : kClean;
}

}  // namespace kb::inspect

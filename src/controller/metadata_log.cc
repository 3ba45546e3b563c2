#include "controller/metadata_log.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/shortage.h"
#include "controller/broker_decisions.h"
#include "controller/data_dirs.h"
#include "io/permissions.h"
#include "controller/metadata_files.h"
#include "log/checkpoint_files.h"
#include "log/file_names.h"
#include "metadata/batch.h"
#include "metadata/features.h"
#include "record/batch.h"
#include "record/control.h"

namespace kb::controller {
namespace {

using metadata::ImageBuilder;

constexpr std::string_view kQuorumStateName = "quorum-state";
constexpr size_t kMostSnapshotBytes = size_t{1} << 32;
constexpr size_t kMostSmallFileBytes = 1 << 20;
constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kKeptSnapshots = 2;

bool IsDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "<20 digits>-<10 digits>" and one of our suffixes behind.
bool LooksLikeSnapshot(std::string_view name) {
  return name.size() >= 31 && IsDigits(name.substr(0, 20)) && name[20] == '-' && IsDigits(name.substr(21, 10)) &&
         name.substr(31).starts_with(kSnapshotSuffix);
}

// Where in a segment a batch could not be read, and why. Whether that is a torn tail depends on what follows.
struct BadSpot {
  uint64_t position = 0;
  std::string reason;
};

// Reads a segment batch by batch through a window, so that memory is a batch's and not a segment's.
class SegmentReader {
 public:
  SegmentReader(const io::File& file, uint64_t size) : file_(file), size_(size) {}

  uint64_t position() const { return position_; }
  bool at_end() const { return position_ >= size_; }

  // The bytes from the current position on: a whole batch if there is one, otherwise as much as there is.
  Result<ByteView> Peek() {
    Result<ByteView> head = Window(std::min<uint64_t>(kReadBytes, size_ - position_));
    if (!head.ok() || head->size() < record::kBatchHeaderBytes) return head;
    int64_t batch = record::BatchHeader(*head).size_bytes();
    if (batch <= static_cast<int64_t>(head->size())) return head;
    return Window(std::min(static_cast<uint64_t>(batch), size_ - position_));
  }
  void Skip(uint64_t bytes) { position_ += bytes; }

 private:
  // At least `bytes` from the position on, all of which the file has.
  Result<ByteView> Window(uint64_t bytes) {
    if (position_ < start_ || position_ + bytes > start_ + window_.size()) {
      window_.resize(std::max<uint64_t>(bytes, std::min<uint64_t>(kReadBytes, size_ - position_)));
      start_ = position_;
      Result<size_t> read = file_.ReadAt(start_, window_);
      if (!read.ok()) return read.error();
      window_.resize(*read);
    }
    return ByteView(window_).subspan(position_ - start_);
  }

  const io::File& file_;
  const uint64_t size_;
  uint64_t position_ = 0;
  std::vector<uint8_t> window_;
  uint64_t start_ = 0;
};

// Whether any whole batch that belongs into this log lies in the bytes.
bool HasWholeBatch(ByteView bytes, Offset least_offset) {
  for (; bytes.size() >= record::kBatchHeaderBytes; bytes = bytes.subspan(1)) {
    if (bytes[record::kMagicAt] != static_cast<uint8_t>(record::kMagic)) continue;
    if (record::BatchHeader(bytes).base_offset() < least_offset) continue;
    std::optional<record::BatchView> batch = record::BatchView::First(bytes);
    if (batch && batch->CheckCrc()) return true;
  }
  return false;
}

}  // namespace

// ---- quorum-state --------------------------------------------------------------------------------------------------

Result<QuorumState> ParseQuorumState(std::string_view text, const std::string& path) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  auto number = [&](const char* key, int fallback) {
    return json.contains(key) && json[key].is_number_integer() ? json[key].get<int>() : fallback;
  };
  auto string = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
  };
  if (!json.is_object() || number("leaderEpoch", -1) < 0) {
    return Error{ErrorKind::kCorrupt, path + ": not the state of a quorum"};
  }
  QuorumState state;
  state.data_version = number("data_version", -1);
  if (state.data_version < 0 || state.data_version > 1) {
    return Error{ErrorKind::kForeign, path + ": data_version=" + std::to_string(state.data_version) +
                                          "; this broker knows versions 0 and 1"};
  }
  state.cluster_id = string("clusterId");
  state.leader_id = BrokerId(number("leaderId", -1));
  state.leader_epoch = LeaderEpoch(number("leaderEpoch", 0));
  state.voted_id = BrokerId(number("votedId", -1));
  state.voted_directory_id = Uuid::Parse(string("votedDirectoryId")).value_or(Uuid());
  if (!json.contains("currentVoters") || !json["currentVoters"].is_array()) return state;
  for (const auto& voter : json["currentVoters"]) {
    if (voter.is_object() && voter.contains("voterId") && voter["voterId"].is_number_integer()) {
      state.current_voters.push_back(BrokerId(voter["voterId"].get<int>()));
    }
  }
  return state;
}

std::string QuorumStateText(const QuorumState& state) {
  nlohmann::ordered_json json;  // the order of Apache Kafka
  if (state.data_version == 0) json["clusterId"] = state.cluster_id;
  json["leaderId"] = state.leader_id.value();
  json["leaderEpoch"] = state.leader_epoch.value();
  json["votedId"] = state.voted_id.value();
  if (state.data_version == 0) {
    json["appliedOffset"] = 0;
    json["currentVoters"] = nlohmann::ordered_json::array();
    for (BrokerId voter : state.current_voters) json["currentVoters"].push_back({{"voterId", voter.value()}});
  } else {
    json["votedDirectoryId"] = state.voted_directory_id.ToString();
  }
  json["data_version"] = state.data_version;
  return json.dump();
}

// ---- reading -------------------------------------------------------------------------------------------------------

MetadataLog::MetadataLog(io::FileSystem& files, Options options, LogSink& log)
    : files_(files),
      options_(std::move(options)),
      log_(log),
      directory_(options_.metadata_dir + "/" + std::string(kMetadataLogName)) {}
MetadataLog::~MetadataLog() = default;

std::string MetadataLog::SegmentPath(Offset base_offset) const {
  return PathOf(log::OffsetFileName(base_offset, log::kLogSuffix));
}

Result<MetadataLog::Contents> MetadataLog::List() const {
  Contents contents;
  Result<bool> exists = files_.Exists(directory_);
  if (!exists.ok()) return exists.error();
  if (!*exists) return contents;
  Result<std::vector<io::DirectoryEntry>> entries = files_.List(directory_);
  if (!entries.ok()) return entries.error();
  for (const io::DirectoryEntry& entry : *entries) {
    std::optional<log::OffsetFile> file = log::ParseOffsetFileName(entry.name);
    if (file && file->suffix == log::kLogSuffix) {
      Result<std::unique_ptr<io::File>> segment = files_.Open(PathOf(entry.name), io::OpenMode::kRead);
      if (!segment.ok()) return segment.error();
      Result<uint64_t> size = (*segment)->Size();
      if (!size.ok()) return size.error();
      contents.segments.push_back({file->offset, *size});
    } else if (LooksLikeSnapshot(entry.name)) {
      if (entry.name.size() == 31 + kSnapshotSuffix.size()) {
        contents.snapshots.push_back({Offset(std::stoll(entry.name.substr(0, 20))),
                                      LeaderEpoch(static_cast<int32_t>(std::stoll(entry.name.substr(21, 10)))),
                                      entry.name});
      } else {
        contents.leftovers.push_back(entry.name);
      }
    }
  }
  std::sort(contents.segments.begin(), contents.segments.end(),
            [](const Segment& left, const Segment& right) { return left.base_offset < right.base_offset; });
  std::sort(contents.snapshots.begin(), contents.snapshots.end());
  return contents;
}

Result<std::optional<QuorumState>> MetadataLog::ReadQuorumState() const {
  std::string path = PathOf(kQuorumStateName);
  Result<std::string> text = io::ReadFile(files_, path, kMostSmallFileBytes);
  if (!text.ok() && text.error().kind == ErrorKind::kNotFound) return std::optional<QuorumState>();
  if (!text.ok()) return text.error();
  Result<QuorumState> state = ParseQuorumState(*text, path);
  if (state.ok()) return std::optional(*state);
  if (state.error().kind != ErrorKind::kCorrupt) return state.error();
  // It only says how far epochs have come, and the log says that too.
  log_.Warning(state.error().message + "; continuing from the log's own epochs");
  return std::optional<QuorumState>();
}

Status MetadataLog::CheckVoters(const std::optional<QuorumState>& state, const metadata::QuorumControl& quorum) const {
  std::vector<BrokerId> voters;
  if (quorum.kraft_version > 0) {
    for (const record::Voter& voter : quorum.voters) voters.push_back(voter.id);
  } else if (state) {
    voters = state->current_voters;
  }
  if (voters.empty() || voters == std::vector<BrokerId>{options_.node_id}) return {};
  std::string list;
  for (BrokerId voter : voters) list += (list.empty() ? "" : ", ") + ToString(voter);
  return Error{ErrorKind::kForeign, directory_ + ": the metadata log is kept by the quorum of nodes " + list +
                                        ", and node " + ToString(options_.node_id) + " cannot keep it alone"};
}

Status MetadataLog::LoadBootstrap(LoadedMetadata& loaded) const {
  std::string path = options_.metadata_dir + "/" + std::string(kBootstrapName);
  Result<std::string> bytes = io::ReadFile(files_, path, kMostSmallFileBytes);
  if (!bytes.ok() && bytes.error().kind == ErrorKind::kNotFound) {
    loaded.bootstrap = DefaultBootstrap();
    return {};
  }
  if (!bytes.ok()) return bytes.error();
  Result<metadata::DecodedSnapshot> snapshot = metadata::DecodeSnapshot(AsBytes(*bytes), path);
  if (!snapshot.ok()) return snapshot.error();
  ImageBuilder builder(std::make_shared<const metadata::MetadataImage>());
  for (size_t i = 0; i < snapshot->records.size(); ++i) {
    Status replayed = builder.Replay(snapshot->records[i], {Offset(static_cast<int64_t>(i)), LeaderEpoch(0)});
    if (!replayed.ok()) return Error{replayed.error().kind, path + ": " + replayed.error().message};
  }
  loaded.bootstrap = std::move(snapshot->records);
  WarnOfUnserved(builder.current());
  return {};
}

void MetadataLog::WarnOfUnserved(const metadata::MetadataImage& image) const {
  std::string list;
  for (const auto& [name, level] : image.finalized_features()) {
    const metadata::Feature* feature = metadata::FindFeature(name);
    if (feature == nullptr || feature->served) continue;
    list += (list.empty() ? "" : ", ") + name + "=" + std::to_string(level);
  }
  if (list.empty()) return;
  log_.Warning("the cluster has features that this broker does not serve yet: " + list +
               "; their levels and records are kept as they are");
}

Result<Offset> MetadataLog::LoadSnapshot(LoadedMetadata& loaded, ImageBuilder& builder) {
  Offset log_start = contents_.segments.empty() ? Offset(0) : contents_.segments.front().base_offset;
  for (auto file = contents_.snapshots.rbegin(); file != contents_.snapshots.rend(); ++file) {
    if (file->end_offset < log_start) break;
    std::string path = PathOf(file->name);
    Result<std::string> bytes = io::ReadFile(files_, path, kMostSnapshotBytes);
    if (!bytes.ok()) return bytes.error();
    Result<metadata::DecodedSnapshot> snapshot = metadata::DecodeSnapshot(AsBytes(*bytes), path);
    if (!snapshot.ok() && snapshot.error().kind == ErrorKind::kCorrupt) {
      log_.Warning(snapshot.error().message + "; looking for an older one");
      continue;
    }
    if (!snapshot.ok()) return snapshot.error();
    metadata::RecordPosition position{file->end_offset - 1, file->epoch, snapshot->last_contained_timestamp_ms};
    for (size_t i = 0; i < snapshot->records.size(); ++i) {
      Status replayed = builder.Replay(snapshot->records[i], position);
      if (!replayed.ok()) return Error{replayed.error().kind, path + ": " + replayed.error().message};
    }
    builder.Advance(position);
    loaded.replayed_records = snapshot->records.size();
    loaded.quorum = snapshot->quorum;
    loaded.last_epoch = file->epoch;
    loaded.end_offset = file->end_offset;
    return file->end_offset;
  }
  if (log_start == Offset(0)) return Offset(0);
  return Error{ErrorKind::kCorrupt, directory_ + ": the log begins at offset " + ToString(log_start) +
                                        ", and no readable snapshot holds what came before"};
}

// Replays the segments behind the snapshot.
class MetadataLog::Replay {
 public:
  Replay(MetadataLog& log, LoadedMetadata& loaded, ImageBuilder& builder)
      : log_(log), loaded_(loaded), builder_(builder), was_led_(!log.contents_.snapshots.empty()) {}

  Status Run() {
    const std::vector<Segment>& segments = log_.contents_.segments;
    for (size_t i = 0; i < segments.size(); ++i) {
      bool covered = i + 1 < segments.size() && segments[i + 1].base_offset <= log_.snapshot_end_;
      if (!covered) KB_RETURN_IF_ERROR(ReadSegment(segments[i], i + 1 == segments.size()));
    }
    return {};
  }

 private:
  Status ReadSegment(const Segment& segment, bool is_last) {
    std::string path = log_.SegmentPath(segment.base_offset);
    Result<std::unique_ptr<io::File>> file = log_.files_.Open(path, io::OpenMode::kRead);
    if (!file.ok()) return file.error();
    SegmentReader reader(**file, segment.size_bytes);
    while (!reader.at_end()) {
      Result<ByteView> bytes = reader.Peek();
      if (!bytes.ok()) return bytes.error();
      Result<metadata::Batch> batch = metadata::ReadBatch(*bytes);
      if (!batch.ok() && batch.error().kind == ErrorKind::kCorrupt) {
        return AtBadSpot(**file, segment, is_last, {reader.position(), batch.error().message});
      }
      Status applied = batch.ok() ? Apply(*batch) : Status(batch.error());
      if (!applied.ok()) return At(path, reader.position(), applied.error());
      reader.Skip(batch->byte_size);
    }
    return {};
  }

  static Error At(const std::string& path, uint64_t position, const Error& error) {
    return Error{error.kind, path + " at byte " + std::to_string(position) + ": " + error.message, error.os_errno};
  }

  // The end of the log is torn when nothing whole follows; everything else is damage, and cutting there would take
  // records that were promised.
  Status AtBadSpot(const io::File& file, const Segment& segment, bool is_last, const BadSpot& spot) {
    Error damage = At(file.path(), spot.position,
                      {ErrorKind::kCorrupt, spot.reason + ", and the log goes on behind it; restore it from a copy"});
    if (!is_last) return damage;
    std::vector<uint8_t> rest(segment.size_bytes - spot.position);
    Result<size_t> read = file.ReadAt(spot.position, rest);
    if (!read.ok()) return read.error();
    if (HasWholeBatch(ByteView(rest).first(*read), log_.log_end_.value_or(segment.base_offset))) return damage;
    loaded_.torn_bytes = rest.size();
    return {};
  }

  Status CheckOrder(const metadata::Batch& batch) const {
    bool is_first = !log_.log_end_.has_value();
    if (is_first ? batch.base_offset <= log_.snapshot_end_ : batch.base_offset == *log_.log_end_) return {};
    if (!was_led_ && !batch.is_control) return {};
    return Error{ErrorKind::kCorrupt, "a batch at offset " + ToString(batch.base_offset) + " where " +
                                          ToString(is_first ? log_.snapshot_end_ : *log_.log_end_) + " is due"};
  }

  Status Apply(const metadata::Batch& batch) {
    KB_RETURN_IF_ERROR(CheckOrder(batch));
    was_led_ |= batch.is_control;
    for (const record::RecordView& record : batch.records) {
      metadata::RecordPosition position{record.offset, batch.epoch, batch.max_timestamp_ms};
      if (record.offset < log_.snapshot_end_) continue;
      KB_RETURN_IF_ERROR(batch.is_control ? ApplyControl(record, position) : ApplyData(record, position));
    }
    if (batch.last_offset >= log_.snapshot_end_) loaded_.bytes_since_snapshot += batch.byte_size;
    auto [epoch, is_new] = log_.epochs_.emplace(batch.epoch, batch.base_offset);
    if (!is_new) epoch->second = std::min(epoch->second, batch.base_offset);
    log_.log_end_ = std::max(log_.log_end_.value_or(Offset(0)), batch.last_offset + 1);
    loaded_.end_offset = std::max(loaded_.end_offset, *log_.log_end_);
    loaded_.last_epoch = std::max(loaded_.last_epoch, batch.epoch);
    return {};
  }

  Status ApplyData(const record::RecordView& record, const metadata::RecordPosition& position) {
    if (!record.value) return Error{ErrorKind::kCorrupt, "a record without a value"};
    ++loaded_.replayed_records;
    return builder_.Replay(*record.value, position);
  }

  Status ApplyControl(const record::RecordView& record, const metadata::RecordPosition& position) {
    Result<bool> applied = metadata::ApplyQuorumControl(record, loaded_.quorum);
    if (!applied.ok()) return applied.error();
    builder_.Advance(position);
    return {};
  }

  MetadataLog& log_;
  LoadedMetadata& loaded_;
  ImageBuilder& builder_;
  // Every leader begins with a control batch. What stands before the first one was made by hand, and its offsets need not
  // begin at 0 nor be without gaps.
  bool was_led_;
};

Result<LoadedMetadata> MetadataLog::Inspect() {
  LoadedMetadata loaded;
  Result<Contents> contents = List();
  if (!contents.ok()) return contents.error();
  contents_ = std::move(*contents);
  Result<std::optional<QuorumState>> state = ReadQuorumState();
  if (!state.ok()) return state.error();
  Result<std::vector<log::EpochStart>> epochs = log::ReadEpochCheckpoint(files_, PathOf(log::kLeaderEpochFile));
  if (epochs.ok()) {  // otherwise the batches say the same
    for (const log::EpochStart& entry : *epochs) epochs_[entry.epoch] = entry.start_offset;
  }
  ImageBuilder builder(std::make_shared<const metadata::MetadataImage>());
  Result<Offset> snapshot_end = LoadSnapshot(loaded, builder);
  if (!snapshot_end.ok()) return snapshot_end.error();
  snapshot_end_ = *snapshot_end;
  KB_RETURN_IF_ERROR(Replay(*this, loaded, builder).Run());
  if (*state) loaded.last_epoch = std::max(loaded.last_epoch, (*state)->leader_epoch);
  KB_RETURN_IF_ERROR(CheckVoters(*state, loaded.quorum));
  loaded.is_fresh = loaded.replayed_records == 0;
  if (loaded.is_fresh) KB_RETURN_IF_ERROR(LoadBootstrap(loaded));
  loaded.open_transaction = builder.in_transaction();
  loaded.image = builder.Publish().image;
  WarnOfUnserved(*loaded.image);
  return loaded;
}

// ---- writing -------------------------------------------------------------------------------------------------------

Status MetadataLog::WriteEpochs() {
  std::vector<log::EpochStart> entries;
  for (const auto& [epoch, start] : epochs_) {
    bool ascends = entries.empty() || entries.back().start_offset < start;
    if (ascends) entries.push_back({epoch, start});
  }
  return io::WriteFileAtomically(files_, PathOf(log::kLeaderEpochFile), log::EpochCheckpointText(entries));
}

Status MetadataLog::CreateSegment(Offset base_offset) {
  // Empty if it is there: an earlier try got no further.
  Result<std::unique_ptr<io::File>> file = files_.Open(SegmentPath(base_offset), io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  KB_RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  active_ = std::move(*file);
  active_size_ = 0;
  contents_.segments.push_back({base_offset, 0});
  return {};
}

Status MetadataLog::OpenActive(const LoadedMetadata& loaded) {
  // A snapshot that begins where the log has not come yet replaces it.
  bool log_is_behind = log_end_.value_or(Offset(0)) < snapshot_end_;
  if (log_is_behind) {
    for (const Segment& segment : contents_.segments) KB_RETURN_IF_ERROR(files_.Remove(SegmentPath(segment.base_offset)));
    contents_.segments.clear();
  }
  if (contents_.segments.empty()) return CreateSegment(loaded.end_offset);
  Segment& last = contents_.segments.back();
  Result<std::unique_ptr<io::File>> file = files_.Open(SegmentPath(last.base_offset), io::OpenMode::kReadWrite);
  if (!file.ok()) return file.error();
  active_ = std::move(*file);
  last.size_bytes -= loaded.torn_bytes;
  active_size_ = last.size_bytes;
  if (loaded.torn_bytes == 0) return {};
  log_.Warning(active_->path() + ": cutting " + std::to_string(loaded.torn_bytes) +
               " bytes of an append that a crash has torn");
  KB_RETURN_IF_ERROR(active_->Truncate(active_size_));
  return active_->Sync();
}

Result<LeaderEpoch> MetadataLog::Begin(const LoadedMetadata& loaded) {
  LeaderEpoch epoch = loaded.last_epoch + 1;
  KB_RETURN_IF_ERROR(files_.CreateDirectories(directory_));
  KB_RETURN_IF_ERROR(files_.SyncDirectory(options_.metadata_dir));
  Result<bool> named = files_.Exists(PathOf(log::kPartitionMetadataFile));
  if (!named.ok()) return named.error();
  if (!*named) KB_RETURN_IF_ERROR(log::WritePartitionMetadata(files_, directory_, kMetadataTopicId));
  QuorumState state{.data_version = loaded.quorum.kraft_version > 0 ? 1 : 0,
                    .leader_id = options_.node_id,
                    .leader_epoch = epoch,
                    .current_voters = {options_.node_id}};
  // First of all, so that an epoch is never led twice.
  KB_RETURN_IF_ERROR(io::WriteFileAtomically(files_, PathOf(kQuorumStateName), QuorumStateText(state)));
  for (const std::string& leftover : contents_.leftovers) KB_RETURN_IF_ERROR(files_.Remove(PathOf(leftover)));
  contents_.leftovers.clear();
  KB_RETURN_IF_ERROR(OpenActive(loaded));
  next_offset_ = loaded.end_offset;
  epochs_[epoch] = loaded.end_offset;
  KB_RETURN_IF_ERROR(WriteEpochs());
  return epoch;
}

Status MetadataLog::Append(Offset base_offset, ByteView batches) {
  KB_CHECK(active_ != nullptr);
  KB_CHECK(base_offset == next_offset_);
  if (has_rest_) KB_RETURN_IF_ERROR(CutBack());
  if (active_size_ > 0 && active_size_ + batches.size() > options_.segment_bytes) {
    KB_RETURN_IF_ERROR(CreateSegment(base_offset));
  }
  Status written = active_->WriteAt(active_size_, batches);
  if (written.ok()) written = active_->Sync();
  if (!written.ok()) {
    has_rest_ = true;
    if (!IsShortage(written.error())) return written;
    Status cut = CutBack();
    // One that passes is mended before the next append.
    return cut.ok() || IsShortage(cut.error()) ? written : cut;
  }
  active_size_ += batches.size();
  contents_.segments.back().size_bytes = active_size_;
  record::BatchWalk walk(batches);
  while (std::optional<record::BatchView> batch = walk.Next()) next_offset_ = batch->next_offset();
  KB_CHECK(walk.rest().empty());
  return {};
}

Status MetadataLog::CutBack() {
  KB_RETURN_IF_ERROR(active_->Truncate(active_size_));
  KB_RETURN_IF_ERROR(active_->Sync());
  has_rest_ = false;
  return {};
}

Status MetadataLog::WriteSnapshot(const metadata::MetadataImage& image, const metadata::QuorumControl& quorum,
                                  int64_t now_ms) const {
  const metadata::Provenance& from = image.provenance();
  std::string path = PathOf(MetadataSnapshotName(from.last_offset + 1, from.last_epoch));
  std::vector<uint8_t> bytes =
      metadata::EncodeSnapshot(metadata::RecordsOf(image), from.last_epoch, from.last_timestamp_ms, now_ms, quorum);
  Result<std::unique_ptr<io::File>> file = files_.Open(path + ".part", io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  Status written = (*file)->WriteAt(0, bytes);
  if (written.ok()) written = io::MakeReadOnly(**file);
  if (written.ok()) written = (*file)->Sync();
  if (!written.ok()) {
    (void)files_.Remove(path + ".part");  // the room is needed
    return written;
  }
  KB_RETURN_IF_ERROR(files_.Rename(path + ".part", path));
  return files_.SyncDirectory(directory_);
}

Status MetadataLog::RemoveOld() {
  if (active_size_ > 0) KB_RETURN_IF_ERROR(CreateSegment(next_offset_));
  Result<Contents> now = List();
  if (!now.ok()) return now.error();
  std::vector<SnapshotFile>& snapshots = now->snapshots;
  while (snapshots.size() > kKeptSnapshots) {
    KB_RETURN_IF_ERROR(files_.Remove(PathOf(snapshots.front().name)));
    snapshots.erase(snapshots.begin());
  }
  uint64_t total_bytes = 0;
  for (const Segment& segment : now->segments) total_bytes += segment.size_bytes;
  // Whole segments below the oldest snapshot that is kept, from the front, while the log is too large.
  while (now->segments.size() > 1 && total_bytes > options_.retention_bytes && !snapshots.empty() &&
         now->segments[1].base_offset <= snapshots.front().end_offset) {
    total_bytes -= now->segments.front().size_bytes;
    Offset base = now->segments.front().base_offset;
    for (std::string_view suffix : {log::kLogSuffix, log::kIndexSuffix, log::kTimeIndexSuffix, log::kSnapshotSuffix}) {
      Status removed = files_.Remove(PathOf(log::OffsetFileName(base, suffix)));
      if (!removed.ok() && removed.error().kind != ErrorKind::kNotFound) return removed;
    }
    now->segments.erase(now->segments.begin());
  }
  contents_ = std::move(*now);
  return files_.SyncDirectory(directory_);
}

}  // namespace kb::controller

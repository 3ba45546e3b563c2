#include "log/checkpoint_files.h"

#include "base/number.h"
#include "log/file_names.h"

namespace kb::log {
namespace {

constexpr std::string_view kVersion = "0";

Error Malformed(const std::string& path, std::string_view what) {
  return Error{ErrorKind::kCorrupt, path + ": " + std::string(what)};
}

std::string_view TakeLine(std::string_view& text) {
  size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view TakeWord(std::string_view& line) {
  size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) start = line.size();
  line.remove_prefix(start);
  std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

template <typename T>
bool Parse(std::string_view text, T* value) {
  std::optional<T> number = ParseNumber<T>(text);
  if (number) *value = *number;
  return number.has_value();
}

// Calls entry(line) for each entry; it answers whether the line is one.
template <typename TakeEntry>
Status ReadCheckpoint(io::FileSystem& files, const std::string& path, TakeEntry entry) {
  Result<std::string> content = io::ReadFile(files, path);
  if (!content.ok()) {
    if (content.error().kind == ErrorKind::kNotFound) return {};
    return content.error();
  }
  std::string_view text = *content;
  if (text.empty()) return {};
  if (TakeLine(text) != kVersion) return Malformed(path, "the first line is not the version 0");
  int64_t count = 0;
  if (!Parse(TakeLine(text), &count) || count < 0) return Malformed(path, "the second line is not a count");
  int64_t lines = 0;
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (line.empty() && text.empty()) break;
    if (!entry(line)) return Malformed(path, "malformed line '" + std::string(line.substr(0, 300)) + "'");
    ++lines;
  }
  if (lines != count) {
    return Malformed(path, "has " + std::to_string(lines) + " entries and announces " + std::to_string(count));
  }
  return {};
}

std::string Heading(size_t entries) {
  return std::string(kVersion) + "\n" + std::to_string(entries) + "\n";
}

std::string PathIn(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

// The number behind "brokerEpoch": in the marker's JSON.
std::optional<int64_t> BrokerEpochIn(std::string_view text) {
  constexpr std::string_view kKey = "\"brokerEpoch\"";
  size_t at = text.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find_first_not_of(" \t:", at + kKey.size());
  if (at == std::string_view::npos) return std::nullopt;
  size_t end = text.find_first_not_of("-0123456789", at);
  int64_t epoch = 0;
  if (!Parse(text.substr(at, end == std::string_view::npos ? end : end - at), &epoch)) return std::nullopt;
  return epoch;
}

}  // namespace

Result<OffsetCheckpoint> ReadOffsetCheckpoint(io::FileSystem& files, const std::string& path) {
  OffsetCheckpoint offsets;
  Status status = ReadCheckpoint(files, path, [&](std::string_view line) {
    std::string_view topic = TakeWord(line);
    int32_t partition = -1;
    int64_t offset = -1;
    if (topic.empty() || !Parse(TakeWord(line), &partition) || !Parse(TakeWord(line), &offset)) return false;
    if (partition < 0 || offset < 0 || !TakeWord(line).empty()) return false;
    offsets[TopicPartition{std::string(topic), partition}] = Offset(offset);
    return true;
  });
  if (!status.ok()) return status.error();
  return offsets;
}

Status WriteOffsetCheckpoint(io::FileSystem& files, const std::string& path, const OffsetCheckpoint& offsets) {
  std::string text = Heading(offsets.size());
  for (const auto& [partition, offset] : offsets) {
    text += partition.topic + " " + std::to_string(partition.partition) + " " + std::to_string(offset.value()) + "\n";
  }
  return io::WriteFileAtomically(files, path, text);
}

Result<std::vector<EpochStart>> ReadEpochCheckpoint(io::FileSystem& files, const std::string& path) {
  std::vector<EpochStart> entries;
  Status status = ReadCheckpoint(files, path, [&](std::string_view line) {
    int32_t epoch = -1;
    int64_t offset = -1;
    if (!Parse(TakeWord(line), &epoch) || !Parse(TakeWord(line), &offset) || !TakeWord(line).empty()) {
      return false;
    }
    EpochStart entry{LeaderEpoch(epoch), Offset(offset)};
    if (epoch < 0 || offset < 0) return false;
    bool ascends =
        entries.empty() || (entry.epoch > entries.back().epoch && entry.start_offset >= entries.back().start_offset);
    if (ascends) entries.push_back(entry);
    return ascends;
  });
  if (!status.ok()) return status.error();
  return entries;
}

std::string EpochCheckpointText(const std::vector<EpochStart>& entries) {
  std::string text = Heading(entries.size());
  for (const EpochStart& entry : entries) text += ToString(entry.epoch) + " " + ToString(entry.start_offset) + "\n";
  return text;
}

namespace {

Result<Uuid> ReadTopicIdFrom(io::FileSystem& files, const std::string& path) {
  Result<std::string> content = io::ReadFile(files, path, 4096);
  if (!content.ok()) return content.error();
  std::string_view text = *content;
  std::string_view version = TakeLine(text);
  std::string_view topic_id = TakeLine(text);
  constexpr std::string_view kIdKey = "topic_id: ";
  if (version != "version: 0") return Malformed(path, "the first line is not 'version: 0'");
  if (!topic_id.starts_with(kIdKey)) return Malformed(path, "the second line is no topic id");
  std::optional<Uuid> id = Uuid::Parse(topic_id.substr(kIdKey.size()));
  if (!id || id->is_zero()) return Malformed(path, "the second line is no topic id");
  return *id;
}

std::string DraftIn(const std::string& directory) {
  return PathIn(directory, kPartitionMetadataFile) + ".tmp";
}

}  // namespace

Result<Uuid> ReadPartitionMetadata(io::FileSystem& files, const std::string& directory) {
  return ReadTopicIdFrom(files, PathIn(directory, kPartitionMetadataFile));
}

Result<Uuid> ReadTopicId(io::FileSystem& files, const std::string& directory) {
  Result<Uuid> id = ReadPartitionMetadata(files, directory);
  if (id.ok() || id.error().kind != ErrorKind::kNotFound) return id;
  Result<Uuid> draft = ReadTopicIdFrom(files, DraftIn(directory));
  return draft.ok() ? draft : id;  // after a power cut a draft may be anything
}

Status DraftPartitionMetadata(io::FileSystem& files, const std::string& directory, const Uuid& topic_id) {
  Result<std::unique_ptr<io::File>> file = files.Open(DraftIn(directory), io::OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  return (*file)->WriteAt(0, AsBytes(PartitionMetadataText(topic_id)));
}

Status AdoptPartitionMetadata(io::FileSystem& files, const std::string& directory) {
  const std::string draft = DraftIn(directory);
  Result<bool> exists = files.Exists(draft);
  if (!exists.ok()) return exists.error();
  if (!*exists) return {};
  Result<std::unique_ptr<io::File>> file = files.Open(draft, io::OpenMode::kReadWrite);
  if (!file.ok()) return file.error();
  KB_RETURN_IF_ERROR((*file)->Sync());
  return files.Rename(draft, PathIn(directory, kPartitionMetadataFile));
}

std::string PartitionMetadataText(const Uuid& topic_id) {
  return "version: 0\ntopic_id: " + topic_id.ToString();
}

Status WritePartitionMetadata(io::FileSystem& files, const std::string& directory, const Uuid& topic_id) {
  return io::WriteFileAtomically(files, PathIn(directory, kPartitionMetadataFile), PartitionMetadataText(topic_id));
}

Result<std::optional<CleanShutdown>> ReadCleanShutdown(io::FileSystem& files, const std::string& data_directory) {
  Result<std::string> content = io::ReadFile(files, PathIn(data_directory, kCleanShutdownFile), 4096);
  if (content.ok()) return std::optional(CleanShutdown{BrokerEpochIn(*content)});
  if (content.error().kind == ErrorKind::kNotFound) return std::optional<CleanShutdown>();
  if (content.error().kind == ErrorKind::kInvalid) return std::optional(CleanShutdown{});
  return content.error();
}

Status WriteCleanShutdown(io::FileSystem& files, const std::string& data_directory, int64_t broker_epoch) {
  return io::WriteFileAtomically(files, PathIn(data_directory, kCleanShutdownFile),
                                 "{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch) + "}");
}

Status RemoveCleanShutdown(io::FileSystem& files, const std::string& data_directory) {
  Status status = files.Remove(PathIn(data_directory, kCleanShutdownFile));
  if (!status.ok() && status.error().kind == ErrorKind::kNotFound) return {};
  KB_RETURN_IF_ERROR(status);
  return files.SyncDirectory(data_directory);
}

}  // namespace kb::log

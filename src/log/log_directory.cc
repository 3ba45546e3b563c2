#include "log/log_directory.h"

#include "log/checkpoint_files.h"

namespace kb::log {

Result<std::unique_ptr<io::FileLock>> LockDataDirectory(io::FileSystem& files, const std::string& data_directory) {
  return files.Lock(data_directory + "/" + std::string(kLockFile));
}

Status RemoveLockFile(io::FileSystem& files, const std::string& data_directory) {
  Status status = files.Remove(data_directory + "/" + std::string(kLockFile));
  if (!status.ok() && status.error().kind == ErrorKind::kNotFound) return {};
  return status;
}

Result<DataDirectoryContents> ScanDataDirectory(io::FileSystem& files, const std::string& data_directory) {
  Result<std::vector<io::DirectoryEntry>> entries = files.List(data_directory);
  if (!entries.ok()) return entries.error();
  DataDirectoryContents contents;
  for (const io::DirectoryEntry& entry : *entries) {
    if (!entry.is_directory) continue;
    if (std::optional<ReplicaDirectoryName> name = ParseDirectoryName(entry.name)) {
      contents.replicas.push_back({entry.name, std::move(name->partition), name->kind});
    } else {
      contents.foreign.push_back(entry.name);
    }
  }
  return contents;
}

Status CreateReplicaDirectory(io::FileSystem& files, const std::string& data_directory, const TopicPartition& partition,
                              const Uuid& topic_id) {
  return CreateReplicaDirectoryNamed(files, data_directory, DirectoryNameOf(partition), topic_id);
}

Status CreateReplicaDirectoryNamed(io::FileSystem& files, const std::string& data_directory, const std::string& name,
                                   const Uuid& topic_id) {
  const std::string directory = data_directory + "/" + name;
  KB_RETURN_IF_ERROR(files.CreateDirectories(directory));
  Result<Uuid> known = ReadTopicId(files, directory);
  if (known.ok() && *known != topic_id) {
    return Error{ErrorKind::kForeign, directory + " belongs to topic id " + known->ToString() + ", not " +
                                          topic_id.ToString()};
  }
  if (!known.ok() && known.error().kind != ErrorKind::kNotFound) return known.error();
  Result<bool> is_named = files.Exists(directory + "/" + std::string(kPartitionMetadataFile));
  if (!is_named.ok()) return is_named.error();
  if (!*is_named) KB_RETURN_IF_ERROR(WritePartitionMetadata(files, directory, topic_id));
  return files.SyncDirectory(data_directory);
}

Result<std::string> RenameReplicaDirectory(io::FileSystem& files, const std::string& data_directory,
                                           const TopicPartition& partition, ReplicaDirectoryKind kind,
                                           const Uuid& unique) {
  std::string name = DirectoryNameOf(partition, kind, unique);
  KB_RETURN_IF_ERROR(RenameDurably(files, data_directory, DirectoryNameOf(partition), name));
  return name;
}

Status RenameDurably(io::FileSystem& files, const std::string& data_directory, const std::string& from,
                     const std::string& to) {
  KB_RETURN_IF_ERROR(files.Rename(data_directory + "/" + from, data_directory + "/" + to));
  return files.SyncDirectory(data_directory);
}

Status DirectoryExchange::Run(io::FileSystem& files) {
  auto is_there = [&](const std::string& path) {
    Result<bool> exists = files.Exists(path);
    return exists.ok() && *exists;
  };
  Status status = RenameDurably(files, from, name, gone);
  if (status.ok()) {
    status = RenameDurably(files, to, future, name);
    if (status.ok()) return status;
    target_failed = true;
    // Never two of them: where the new name cannot be taken back, the old one does not come back.
    // Synced before that, so that a power cut does not bring it back, either; if that fails, too, there is no better
    // way.
    if (is_there(to + "/" + name)) (void)RenameDurably(files, to, name, future);
    if (!is_there(to + "/" + name)) (void)RenameDurably(files, from, gone, name);
  } else if (is_there(from + "/" + gone)) {
    (void)RenameDurably(files, from, gone, name);
  }
  source_is_there = is_there(from + "/" + name);
  return status;
}

}  // namespace kb::log

// A data directory: its lock, what replicas it holds, and making, renaming and removing them. Everything blocks: at start,
// or on the disk pool. Thread-safe functions; two calls about one replica must not overlap.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "log/file_names.h"
#include "model/ids.h"

namespace kb::log {

// Takes the data directory for this process: `.lock`, an advisory exclusive lock that ends with the process. kBusy when
// another process has it.
Result<std::unique_ptr<io::FileLock>> LockDataDirectory(io::FileSystem& files, const std::string& data_directory);
// At a clean stop, after the lock was destroyed.
Status RemoveLockFile(io::FileSystem& files, const std::string& data_directory);

struct ReplicaDirectory {
  std::string name;  // of the directory inside the data directory
  TopicPartition partition;
  ReplicaDirectoryKind kind = ReplicaDirectoryKind::kCurrent;
};

struct DataDirectoryContents {
  std::vector<ReplicaDirectory> replicas;  // by name; __cluster_metadata-0 is one of them
  std::vector<std::string> foreign;        // directories that are none of ours (lost+found): worth one line, left alone
};
Result<DataDirectoryContents> ScanDataDirectory(io::FileSystem& files, const std::string& data_directory);

// Makes <data directory>/<topic>-<partition> with its partition.metadata, durably: before the first byte of data.
// Fine if it is there already with the same topic id; kForeign with another.
Status CreateReplicaDirectory(io::FileSystem& files, const std::string& data_directory, const TopicPartition& partition,
                              const Uuid& topic_id);

// As above, for a directory of another name: a future replica's.
Status CreateReplicaDirectoryNamed(io::FileSystem& files, const std::string& data_directory, const std::string& name,
                                   const Uuid& topic_id);

// Renames a replica's directory to its -delete or -stray form and makes that durable; returns the new name. An open Log
// of that directory must not be used any more; slices of its files stay readable.
Result<std::string> RenameReplicaDirectory(io::FileSystem& files, const std::string& data_directory,
                                           const TopicPartition& partition, ReplicaDirectoryKind kind,
                                           const Uuid& unique);

// Renames a directory inside of a data directory, durably.
Status RenameDurably(io::FileSystem& files, const std::string& data_directory, const std::string& from,
                     const std::string& to);

// The directory of one data directory goes and a future one of another takes its place, so that at any moment exactly one
// whole replica is there for a start to find: the present one, or else the future one.
//
//   <from>/<name> → <from>/<gone>, synced;  <to>/<future> → <to>/<name>, synced
struct DirectoryExchange {
  std::string from, to;            // data directories
  std::string name, gone, future;  // directories in them

  // After a failure it is undone, as far as that is possible.
  Status Run(io::FileSystem& files);
  bool target_failed = false;
  bool source_is_there = true;  // <from>/<name>, after a failure
};

}  // namespace kb::log

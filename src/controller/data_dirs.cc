#include "controller/data_dirs.h"

#include <algorithm>
#include <map>

#include "controller/broker_decisions.h"
#include "controller/metadata_files.h"
#include "metadata/snapshot.h"

namespace kb::controller {
namespace {

constexpr size_t kMostPropertiesBytes = 64 * 1024;

std::string PropertiesPath(const std::string& dir) {
  return dir + "/" + std::string(kMetaPropertiesName);
}

// The directories of data and, if it is none of them, the one of the metadata log.
std::vector<std::string> AllDirs(const std::vector<std::string>& dirs, const std::string& metadata_dir) {
  std::vector<std::string> all = dirs;
  if (std::find(all.begin(), all.end(), metadata_dir) == all.end()) all.push_back(metadata_dir);
  return all;
}

// nullopt: there is no such file, the directory was never formatted.
Result<std::optional<MetaProperties>> ReadProperties(io::FileSystem& files, const std::string& dir) {
  std::string path = PropertiesPath(dir);
  Result<std::string> text = io::ReadFile(files, path, kMostPropertiesBytes);
  if (!text.ok() && text.error().kind == ErrorKind::kNotFound) return std::optional<MetaProperties>();
  if (!text.ok()) return text.error();
  Result<MetaProperties> properties = ParseMetaProperties(*text, path);
  if (!properties.ok()) return properties.error();
  return std::optional(*properties);
}

// Whether a directory belongs to this node and to the cluster of the others.
Status CheckOwner(const std::string& path, const MetaProperties& properties, const DataDirsQuery& query,
                  std::string& cluster_id) {
  if (properties.node_id != query.node_id) {
    return Error{ErrorKind::kForeign, path + ": node.id=" + ToString(properties.node_id) +
                                          ", and this node is configured as " + ToString(query.node_id)};
  }
  if (properties.cluster_id.empty()) return {};
  if (cluster_id.empty()) cluster_id = properties.cluster_id;
  if (cluster_id == properties.cluster_id) return {};
  return Error{ErrorKind::kForeign,
               path + ": cluster.id=" + properties.cluster_id + ", and this node's cluster is " + cluster_id};
}

std::vector<DataDir> Everything(const DataDirs& dirs) {
  std::vector<DataDir> all = dirs.dirs;
  if (dirs.metadata_only) all.push_back(*dirs.metadata_only);
  return all;
}

Status CheckDistinct(const DataDirs& dirs) {
  std::map<Uuid, std::string> seen;
  for (const DataDir& dir : Everything(dirs)) {
    auto [other, is_new] = seen.emplace(dir.id, dir.path);
    if (is_new) continue;
    return Error{ErrorKind::kCorrupt, PropertiesPath(dir.path) + ": directory.id=" + dir.id.ToString() +
                                          " is the id of " + other->second + " too; one is a copy of the other"};
  }
  return {};
}

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Creates the directory and its missing parents, and makes their names durable, whoever created them a moment ago. A
// distant ancestor that cannot be synced (it need not be ours to open) was there before.
Status CreateDurably(io::FileSystem& files, const std::string& path) {
  KB_RETURN_IF_ERROR(files.CreateDirectories(path));
  std::string parent = ParentOf(path);
  KB_RETURN_IF_ERROR(files.SyncDirectory(parent));
  while (parent != "/" && parent != ".") {
    parent = ParentOf(parent);
    if (!files.SyncDirectory(parent).ok()) break;
  }
  return {};
}

Status WriteProperties(io::FileSystem& files, const std::string& dir, const std::string& cluster_id, BrokerId node_id,
                       const Uuid& directory_id) {
  MetaProperties properties{.cluster_id = cluster_id, .node_id = node_id, .directory_id = directory_id};
  return io::WriteFileAtomically(files, PropertiesPath(dir), MetaPropertiesText(properties));
}

// The snapshot that a metadata log of a dynamic quorum begins with: nothing but who votes.
Status WriteVoters(io::FileSystem& files, const std::string& metadata_dir, const std::vector<record::Voter>& voters,
                   int64_t now_ms) {
  const std::string directory = metadata_dir + "/" + std::string(kMetadataLogName);
  const metadata::QuorumControl quorum{.kraft_version = 1, .voters = voters};
  std::vector<uint8_t> snapshot = metadata::EncodeSnapshot({}, LeaderEpoch(0), now_ms, now_ms, quorum);
  KB_RETURN_IF_ERROR(CreateDurably(files, directory));
  return io::WriteFileAtomically(files, directory + "/" + MetadataSnapshotName(Offset(0), LeaderEpoch(0)),
                                 AsText(snapshot));
}

std::optional<Uuid> DirectoryOf(BrokerId node, const std::vector<record::Voter>& voters) {
  for (const record::Voter& voter : voters) {
    if (voter.id == node) return voter.directory_id;
  }
  return std::nullopt;
}

}  // namespace

Result<bool> IsUnformatted(io::FileSystem& files, const DataDirsQuery& query) {
  for (const std::string& dir : AllDirs(query.dirs, query.metadata_dir)) {
    Result<bool> exists = files.Exists(PropertiesPath(dir));
    if (!exists.ok()) return exists.error();
    if (*exists) return false;
  }
  return true;
}

Result<DataDirs> InspectDataDirs(io::FileSystem& files, const DataDirsQuery& query, Random& random) {
  DataDirs result;
  result.cluster_id = query.cluster_id.value_or("");
  bool any_formatted = false;
  for (const std::string& path : AllDirs(query.dirs, query.metadata_dir)) {
    Result<std::optional<MetaProperties>> properties = ReadProperties(files, path);
    if (!properties.ok()) {
      bool can_do_without = properties.error().kind == ErrorKind::kIo && path != query.metadata_dir;
      if (!can_do_without) return properties.error();
      result.offline.push_back(properties.error().message);
      continue;
    }
    DataDir dir{.path = path, .id = Uuid(), .id_must_be_written = true};
    if (*properties) {
      any_formatted = true;
      KB_RETURN_IF_ERROR(CheckOwner(PropertiesPath(path), **properties, query, result.cluster_id));
      dir.id_must_be_written = !(*properties)->directory_id.has_value();
      if (!dir.id_must_be_written) dir.id = *(*properties)->directory_id;
    }
    if (dir.id_must_be_written) dir.id = random.NextUuid();
    bool holds_data = std::find(query.dirs.begin(), query.dirs.end(), path) != query.dirs.end();
    if (holds_data) {
      result.dirs.push_back(std::move(dir));
    } else {
      result.metadata_only = std::move(dir);
    }
  }
  if (!any_formatted) {
    return Error{ErrorKind::kNotFound, PropertiesPath(query.metadata_dir) + ": there is no such file in any data " +
                                           "directory; they were never formatted for a cluster"};
  }
  KB_RETURN_IF_ERROR(CheckDistinct(result));
  return result;
}

Status WriteDirectoryIds(io::FileSystem& files, const DataDirs& dirs, BrokerId node_id) {
  for (const DataDir& dir : Everything(dirs)) {
    if (!dir.id_must_be_written) continue;
    KB_RETURN_IF_ERROR(CreateDurably(files, dir.path));
    KB_RETURN_IF_ERROR(WriteProperties(files, dir.path, dirs.cluster_id, node_id, dir.id));
  }
  return {};
}

Status FormatDataDirs(io::FileSystem& files, const FormatOptions& options, Random& random, int64_t now_ms) {
  const metadata::RecordList records = options.bootstrap.value_or(DefaultBootstrap());
  std::vector<uint8_t> bootstrap = metadata::EncodeSnapshot(records, LeaderEpoch(0), 0, now_ms);
  for (const std::string& dir : AllDirs(options.dirs, options.metadata_dir)) {
    Result<bool> formatted = files.Exists(PropertiesPath(dir));
    if (!formatted.ok()) return formatted.error();
    if (*formatted) continue;
    Uuid id = random.NextUuid();
    KB_RETURN_IF_ERROR(CreateDurably(files, dir));
    KB_RETURN_IF_ERROR(io::WriteFileAtomically(files, dir + "/" + std::string(kBootstrapName), AsText(bootstrap)));
    if (dir == options.metadata_dir && !options.voters.empty()) {
      KB_RETURN_IF_ERROR(WriteVoters(files, dir, options.voters, now_ms));
      id = DirectoryOf(options.node_id, options.voters).value_or(id);
    }
    KB_RETURN_IF_ERROR(WriteProperties(files, dir, options.cluster_id, options.node_id, id));
  }
  return {};
}

}  // namespace kb::controller

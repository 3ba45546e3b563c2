// Data directories: formatting new ones, and checking on existing ones that they are ours before a byte of them
// changes.
//
// Everything blocks; called at start, before anybody is served. Files are written so that after a crash each is there
// as a whole or not at all; meta.properties comes last, so that a directory that has one is formatted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "controller/meta_properties.h"
#include "io/file_system.h"
#include "metadata/record.h"
#include "model/ids.h"
#include "record/control.h"

namespace kb::controller {

inline constexpr std::string_view kBootstrapName = "bootstrap.checkpoint";

struct DataDir {
  std::string path;
  Uuid id;                          // directory.id
  bool id_must_be_written = false;  // the file has none: `id` was drawn now, WriteDirectoryIds stores it
};

struct DataDirs {
  std::string cluster_id;
  std::vector<DataDir> dirs;             // those that can be used, in the order of log.dirs
  std::optional<DataDir> metadata_only;  // metadata.log.dir, when it is none of log.dirs: no replica goes there
  std::vector<std::string> offline;      // those that cannot be read: one line each
};

struct DataDirsQuery {
  std::vector<std::string> dirs;  // log.dirs
  std::string metadata_dir;       // metadata.log.dir, or the first of log.dirs; may be none of `dirs`
  BrokerId node_id;
  std::optional<std::string> cluster_id;  // when the configuration says one
};

// Whether no directory has a meta.properties: a node that was never formatted.
Result<bool> IsUnformatted(io::FileSystem& files, const DataDirsQuery& query);

// Reads and checks all meta.properties, writes nothing. kForeign, with one line naming file, value and what was
// expected: of another cluster or node; kCorrupt: unreadable, or two directories with one id; kNotFound: not formatted.
Result<DataDirs> InspectDataDirs(io::FileSystem& files, const DataDirsQuery& query, Random& random);

// Stores the ids that InspectDataDirs drew: for directories that are new, and for those from before there were ids.
Status WriteDirectoryIds(io::FileSystem& files, const DataDirs& dirs, BrokerId node_id);

struct FormatOptions {
  std::vector<std::string> dirs;
  std::string metadata_dir;
  BrokerId node_id;
  std::string cluster_id;                         // as a rule a Uuid's text
  std::optional<metadata::RecordList> bootstrap;  // what a new cluster begins with; nullopt: the features that we serve
  // Of a dynamic quorum: the metadata directory begins with a snapshot that names them, and has this node's directory
  // id if it is one of them. None: the quorum is static.
  std::vector<record::Voter> voters;
};

// Makes the directories a new node's: creates them where missing, with bootstrap.checkpoint and meta.properties (a new
// directory id) in each. A directory that has a meta.properties already is left as it is.
Status FormatDataDirs(io::FileSystem& files, const FormatOptions& options, Random& random, int64_t now_ms);

}  // namespace kb::controller

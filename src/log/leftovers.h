// What a stop in the middle of something left in a replica directory: segments half removed (.deleted), and what Apache
// Kafka's cleaner was writing (.cleaned) or putting in place (.swap). Blocks; the first step of recovery.
//
//   .deleted            goes
//   .cleaned            goes: the originals are still there; and so does every .swap at or above the lowest .cleaned, the
//                       other half of a split that was not finished
//   any other .swap     takes the place of all segments between its base offset and its end
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "model/ids.h"

namespace kb::log {

// The numbered files of a replica directory.
struct ReplicaFiles {
  std::set<Offset> logs;
  std::set<Offset> snapshots;
  std::map<Offset, std::set<std::string_view>> indexes;  // suffixes, by base offset
};
Result<ReplicaFiles> ListReplicaFiles(io::FileSystem& files, const std::string& directory);

// notes: receives a line for what was done.
Status ClearLeftovers(io::FileSystem& files, const std::string& directory, std::vector<std::string>* notes);

// Removes indexes without a segment, which would be taken for those of a later segment of that name.
Status RemoveOrphans(io::FileSystem& files, const std::string& directory, const ReplicaFiles& listed);

}  // namespace kb::log

// verify: everything in data directories that can be checked without starting a broker on them.
//
//   meta.properties       readable; all directories of one node, each with an id of its own
//   checkpoints           readable; no offset beyond the end of its log
//   a replica directory   partition.metadata, leader-epoch-checkpoint, every batch (length, checksum, offsets, records),
//                         every entry of every index against its segment, every producer snapshot
//   the metadata log      quorum-state, snapshots, the frames of its records
//
// What belongs to nobody (lost+found, a stranger's file) is left alone and is no finding. Reads only, not one byte changes;
// the lock is taken where there is one, so that no broker starts meanwhile. Memory: one batch, the indexes of one segment,
// one snapshot. Blocks; one thread.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_system.h"

namespace kb::inspect {

extern const char kVerifyUsage[];

// One line for each finding and a summary to `out`, what could not be read to `err`. The exit code: 0 clean, 65 findings,
// 74 not readable or in use.
int Verify(io::FileSystem& files, const std::vector<std::string>& directories, std::ostream& out, std::ostream& err);

}  // namespace kb::inspect

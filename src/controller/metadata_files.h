// What the files of the metadata log are called. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "model/ids.h"

namespace kb::controller {

inline constexpr std::string_view kMetadataLogName = "__cluster_metadata-0";
inline constexpr std::string_view kSnapshotSuffix = ".checkpoint";

// "00000000000000000225-0000000001.checkpoint". end_offset: behind the last record that it covers.
std::string MetadataSnapshotName(Offset end_offset, LeaderEpoch epoch);

}  // namespace kb::controller

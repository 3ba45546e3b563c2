#include "controller/metadata_files.h"

#include <cstdio>

namespace kb::controller {

std::string MetadataSnapshotName(Offset end_offset, LeaderEpoch epoch) {
  char name[64];
  std::snprintf(name, sizeof name, "%020lld-%010d", static_cast<long long>(end_offset.value()), epoch.value());
  return std::string(name) + std::string(kSnapshotSuffix);
}

}  // namespace kb::controller

#include "server/space_watch.h"

#include <algorithm>

namespace kb::server {
namespace {

std::string Mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

SpaceWatch::SpaceWatch(io::FileSystem& files, const std::vector<std::string>& directories, int64_t min_free_bytes)
    : files_(files), min_free_bytes_(min_free_bytes) {
  for (const std::string& directory : directories) watched_.push_back({directory});
}

uint64_t SpaceWatch::ReserveOf(const io::Space& space) const {
  if (min_free_bytes_ != kAutomatic) return static_cast<uint64_t>(min_free_bytes_);
  return std::min(space.total_bytes / 100, kMostAutomaticBytes);
}

std::vector<SpaceWatch::Change> SpaceWatch::Look() {
  std::vector<Change> changes;
  for (Watched& watched : watched_) {
    Result<io::Space> space = files_.SpaceOf(watched.directory);
    if (!space.ok()) continue;
    const uint64_t reserve = ReserveOf(*space);
    const uint64_t enough = reserve + reserve / 2;
    const bool is_short = space->available_bytes < (watched.is_short ? enough : reserve);
    if (is_short == watched.is_short) continue;
    watched.is_short = is_short;
    const std::string left = watched.directory + " has " + Mebibytes(space->available_bytes) + " left";
    changes.push_back({watched.directory, is_short,
                       is_short ? "the disk is nearly full: " + left + ", less than storage.min.free.bytes (" +
                                      Mebibytes(reserve) + "); no records are taken until it has " + Mebibytes(enough)
                                : left + ": records are taken again"});
  }
  return changes;
}

}  // namespace kb::server

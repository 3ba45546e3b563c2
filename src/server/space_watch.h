// SpaceWatch: which data directories have so little room left that producers must wait, so that what frees room (deleting
// topics and records, retention, compaction) and what the broker itself must write (offsets, metadata, checkpoints) still
// has some.
//
// Below the reserve a directory is short; it is so until half as much again is free, because deletion comes in segments
// and nobody gains from a change every second.
//
// Look() blocks: on the disk pool, one call at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_system.h"

namespace kb::server {

class SpaceWatch {
 public:
  static constexpr int64_t kAutomatic = -1;  // one hundredth of the file system, at most 256 MiB
  static constexpr uint64_t kMostAutomaticBytes = 256 << 20;

  // min_free_bytes: storage.min.free.bytes; 0: never short.
  SpaceWatch(io::FileSystem& files, const std::vector<std::string>& directories, int64_t min_free_bytes);

  struct Change {
    std::string directory;
    bool is_short = false;
    std::string message;  // for the operator, and, when short, for producers
  };
  // What changed since the last look. A file system that cannot be asked is as it was.
  std::vector<Change> Look();

 private:
  struct Watched {
    std::string directory;
    bool is_short = false;
  };
  uint64_t ReserveOf(const io::Space& space) const;

  io::FileSystem& files_;
  const int64_t min_free_bytes_;
  std::vector<Watched> watched_;
};

}  // namespace kb::server

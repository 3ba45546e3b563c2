// The machine's files, with what can be chosen about them; io::RealFileSystem() is the same with nothing chosen.
#pragma once

#include <cstdint>
#include <memory>

#include "io/file_system.h"

namespace kb::io {

struct RealOptions {
  // Of each file, what was written and synced may leave the page cache, all but the last so many bytes; 0: the kernel
  // decides. Who appends gigabytes then writes into the same memory again and again, which is cheap where memory that is
  // touched for the first time is dear (guests that give free pages back to their host); who reads further back waits
  // for the disk.
  uint64_t most_cached_tail_bytes = 0;
};

// Thread-safe, as every FileSystem.
std::unique_ptr<FileSystem> MakeRealFileSystem(const RealOptions& options);

}  // namespace kb::io

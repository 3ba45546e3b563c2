// Files and directories behind an interface, so that a test or a simulation can be the disk: lose what was not synced,
// tear it, fill up, fail.
//
// Every call may block; who must not block (a reactor) calls only what its comment allows there and takes the rest to
// the disk pool. Paths are absolute or relative to the process's directory, '/'-separated. Errors name the path, what
// was attempted and errno (base/result.h: kNoSpace for a full disk, kNotFound for a missing file).
//
// After a crash: of a file, what was covered by a completed Sync() is there; of what was written later any part may be
// there or not. A created, renamed or removed name is certain only after SyncDirectory() of its directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kb::io {

enum class OpenMode {
  kRead,       // existing, for reading
  kReadWrite,  // existing, for both
  kCreate,     // for both; created if missing, kept as it is otherwise
  kCreateNew,  // for both; an error if it exists
  kTruncate,   // for both; created if missing, emptied otherwise
};

// One open file. Thread-safe as pread and pwrite are: distinct ranges may be used at once. Closed on destruction,
// without a sync.
class File {
 public:
  virtual ~File() = default;

  // Reads up to into.size() bytes from byte `position`. Returns how many; fewer only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t position, MutableByteView into) const = 0;

  // As ReadAt, but never waits for a disk: returns how many bytes came from memory, perhaps 0 though the file goes on.
  // A reactor may call it.
  virtual Result<size_t> ReadCached(uint64_t position, MutableByteView into) const = 0;

  // Writes all parts, one behind the other, from byte `position`. A failure may leave any part of them written. A
  // reactor may call it: it goes to the page cache.
  virtual Status WriteAt(uint64_t position, std::span<const ByteView> parts) = 0;
  Status WriteAt(uint64_t position, ByteView bytes) { return WriteAt(position, {&bytes, 1}); }

  // Returns when everything written so far is on the disk (fdatasync, with the size). A failed sync must never be tried
  // again as if it could still succeed: the kernel has dropped the pages.
  virtual Status Sync() = 0;

  virtual Status Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Reserves disk space for [0, size) without changing the file's size.
  virtual Status Preallocate(uint64_t size) = 0;
  // Asks the kernel to read the range ahead.
  virtual void WillRead(uint64_t position, uint64_t size) const = 0;
  // Nobody is expected to read the range soon: what of it is in memory and on the disk may be dropped from memory. A hint.
  virtual void WillNotRead(uint64_t /*position*/, uint64_t /*size*/) const {}

  // For sendfile; -1 where there is none (a simulation).
  virtual int descriptor() const = 0;
  const std::string& path() const { return path_; }

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}

 private:
  std::string path_;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

// Holds an advisory exclusive lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct Space {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // to a process without privileges
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Status CreateDirectories(const std::string& path) = 0;              // and missing parents; fine if it exists
  virtual Status Rename(const std::string& from, const std::string& to) = 0;  // atomic; replaces a file `to`
  virtual Status Remove(const std::string& path) = 0;                         // a file, or an empty directory
  virtual Status RemoveRecursively(const std::string& path) = 0;              // fine if it is missing
  virtual Status SyncDirectory(const std::string& path) = 0;                  // makes its names durable
  virtual Result<std::vector<DirectoryEntry>> List(const std::string& path) = 0;  // without . and .., sorted by name
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<uint64_t> SizeOf(const std::string& path) = 0;  // of a file
  virtual Result<int64_t> ModifiedMs(const std::string& path) = 0;
  virtual Status SetModifiedMs(const std::string& path, int64_t wall_ms) = 0;
  virtual Result<Space> SpaceOf(const std::string& path) = 0;
  // kBusy when another process holds it.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

// The machine's. One for the process.
FileSystem& RealFileSystem();

// The whole content of a file of at most `most_bytes`; kInvalid above.
Result<std::string> ReadFile(FileSystem& files, const std::string& path, size_t most_bytes = 64 << 20);

// Replaces the file so that after a crash either the old or the new content is there, whole: temporary file beside it
// (path + ".tmp"), sync, rename, sync of the directory.
Status WriteFileAtomically(FileSystem& files, const std::string& path, std::string_view content);
// As above, without the last step: which of the two is there is certain when the caller has synced the directory.
Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content);

}  // namespace kb::io

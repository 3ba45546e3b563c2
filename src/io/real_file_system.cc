// The machine's files: POSIX calls, each with what it attempted in its error.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "io/real_file_system.h"

namespace kb::io {
namespace {

Error Failed(const char* what, const std::string& path) { return OsError(errno, std::string(what) + " " + path); }

Error FailedAt(const char* what, const std::string& path, uint64_t position) {
  return OsError(errno, std::string(what) + " " + path + " at byte " + std::to_string(position));
}

// What of one file was written and has not been dropped from the page cache, so that no more than a tail of it stays.
//
//   first write          end_ - tail        end_
//   [ dropped .... from_ ) ..... due ..... [ tail )        from_ and what is due are multiples of kPieceBytes
//
// Thread-safe. The atomics are relaxed: they speak of a hint, and a range that is dropped twice or late does no harm.
class WrittenTail {
 public:
  explicit WrittenTail(uint64_t most_bytes) : most_bytes_(most_bytes) {}
  bool is_bounded() const { return most_bytes_ > 0; }

  void Written(uint64_t begin, uint64_t end) {
    if (!is_bounded()) return;
    if (from_.load(std::memory_order_relaxed) > begin) from_.store(Whole(begin), std::memory_order_relaxed);
    if (end_.load(std::memory_order_relaxed) < end) end_.store(end, std::memory_order_relaxed);
  }
  uint64_t end() const { return end_.load(std::memory_order_relaxed); }

  // What is due once everything below `end` is on the disk; empty: nothing. It is not named again.
  std::pair<uint64_t, uint64_t> TakeDue(uint64_t end) {
    if (!is_bounded() || end <= most_bytes_) return {0, 0};
    const uint64_t from = from_.load(std::memory_order_relaxed);
    const uint64_t to = Whole(end - most_bytes_);
    if (to <= from) return {0, 0};
    from_.store(to, std::memory_order_relaxed);
    return {from, to};
  }
  void Cut(uint64_t size) {
    if (end_.load(std::memory_order_relaxed) > size) end_.store(size, std::memory_order_relaxed);
  }

 private:
  // Not page by page: the kernel keeps a file in larger pieces, and drops what is wholly inside of a range.
  static constexpr uint64_t kPieceBytes = 1 << 20;
  static uint64_t Whole(uint64_t position) { return position & ~(kPieceBytes - 1); }

  const uint64_t most_bytes_;  // 0: no bound
  std::atomic<uint64_t> from_{UINT64_MAX};
  std::atomic<uint64_t> end_{0};
};

class RealFile final : public File {
 public:
  RealFile(std::string path, int descriptor, uint64_t most_cached_tail_bytes)
      : File(std::move(path)), descriptor_(descriptor), tail_(most_cached_tail_bytes) {}
  ~RealFile() override { close(descriptor_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Result<size_t> ReadAt(uint64_t position, MutableByteView into) const override {
    size_t done = 0;
    while (done < into.size()) {
      ssize_t got = pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(position + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailedAt("read", path(), position + done);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Result<size_t> ReadCached(uint64_t position, MutableByteView into) const override {
    // Where the file system knows no RWF_NOWAIT (memory file systems of older kernels), its reads do not wait either, or
    // there is nothing to be done about it.
    if (!knows_nowait_.load(std::memory_order_relaxed)) return ReadAt(position, into);
    size_t done = 0;
    while (done < into.size()) {
      iovec part{into.data() + done, into.size() - done};
      ssize_t got = preadv2(descriptor_, &part, 1, static_cast<off_t>(position + done), RWF_NOWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        // Relaxed: a hint, about nothing but itself.
        knows_nowait_.store(false, std::memory_order_relaxed);
        return ReadAt(position, into);
      }
      if (got < 0) return FailedAt("read", path(), position + done);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Status WriteAt(uint64_t position, std::span<const ByteView> parts) override {
    const uint64_t begin = position;
    constexpr size_t kMostParts = 64;  // a stack array; the kernel takes IOV_MAX
    static_assert(kMostParts <= IOV_MAX);
    std::array<iovec, kMostParts> vector;
    size_t part = 0;
    size_t skipped = 0;  // bytes of parts[part] that are written already
    while (part < parts.size()) {
      size_t count = 0;
      for (size_t i = part; i < parts.size() && count < kMostParts; ++i) {
        ByteView bytes = i == part ? parts[i].subspan(skipped) : parts[i];
        vector[count++] = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
      }
      if (std::all_of(vector.begin(), vector.begin() + count, [](const iovec& each) { return each.iov_len == 0; })) {
        part += count;
        skipped = 0;
        continue;
      }
      ssize_t wrote = pwritev(descriptor_, vector.data(), static_cast<int>(count), static_cast<off_t>(position));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return FailedAt("write", path(), position);
      if (wrote == 0) {
        errno = EIO;
        return FailedAt("write (nothing was taken)", path(), position);
      }
      position += static_cast<uint64_t>(wrote);
      Advance(parts, static_cast<size_t>(wrote), part, skipped);
    }
    tail_.Written(begin, position);
    return {};
  }

  Status Sync() override {
    const uint64_t end = tail_.end();
    while (fdatasync(descriptor_) != 0) {
      if (errno != EINTR) return Failed("sync", path());
    }
    if (const auto [from, to] = tail_.TakeDue(end); from < to) WillNotRead(from, to - from);
    return {};
  }

  Status Truncate(uint64_t size) override {
    while (ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) return FailedAt("truncate", path(), size);
    }
    tail_.Cut(size);
    return {};
  }

  Result<uint64_t> Size() const override {
    struct stat about;
    if (fstat(descriptor_, &about) != 0) return Failed("stat", path());
    return static_cast<uint64_t>(about.st_size);
  }

  Status Preallocate(uint64_t size) override {
    while (fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) != 0) {
      if (errno == EINTR) continue;
      if (errno == EOPNOTSUPP) return {};  // a favour that this file system does not do
      return Failed("preallocate", path());
    }
    return {};
  }

  void WillRead(uint64_t position, uint64_t size) const override {
    posix_fadvise(descriptor_, static_cast<off_t>(position), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
  }

  void WillNotRead(uint64_t position, uint64_t size) const override {
    posix_fadvise(descriptor_, static_cast<off_t>(position), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
  }

  int descriptor() const override { return descriptor_; }

 private:
  static void Advance(std::span<const ByteView> parts, size_t wrote, size_t& part, size_t& skipped) {
    while (wrote > 0) {
      size_t left = parts[part].size() - skipped;
      size_t taken = std::min(left, wrote);
      wrote -= taken;
      skipped += taken;
      if (skipped == parts[part].size()) {
        ++part;
        skipped = 0;
      }
    }
  }

  const int descriptor_;
  mutable std::atomic<bool> knows_nowait_{true};
  WrittenTail tail_;
};

class RealFileLock final : public FileLock {
 public:
  explicit RealFileLock(int descriptor) : descriptor_(descriptor) {}
  ~RealFileLock() override { close(descriptor_); }
  RealFileLock(const RealFileLock&) = delete;
  RealFileLock& operator=(const RealFileLock&) = delete;

 private:
  const int descriptor_;
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY;
    case OpenMode::kReadWrite: return O_RDWR;
    case OpenMode::kCreate: return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew: return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kTruncate: return O_RDWR | O_CREAT | O_TRUNC;
  }
  KB_CHECK(!"an OpenMode");
  return 0;
}

int OpenRetrying(const std::string& path, int flags, mode_t permissions) {
  int descriptor;
  do {
    descriptor = open(path.c_str(), flags | O_CLOEXEC, permissions);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

int64_t MillisecondsOf(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
}

class Posix final : public FileSystem {
 public:
  explicit Posix(const RealOptions& options) : options_(options) {}

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int descriptor = OpenRetrying(path, FlagsOf(mode), 0644);
    if (descriptor < 0) return Failed("open", path);
    return std::unique_ptr<File>(std::make_unique<RealFile>(path, descriptor, options_.most_cached_tail_bytes));
  }

  Status CreateDirectories(const std::string& path) override {
    Status made = CreateDirectory(path);
    if (made.ok() || made.error().kind != ErrorKind::kNotFound) return made;  // as a rule the parents are there
    for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
      KB_RETURN_IF_ERROR(CreateDirectory(path.substr(0, end)));
    }
    return CreateDirectory(path);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return Failed(("rename to " + to + ":").c_str(), from);
    return {};
  }

  Status Remove(const std::string& path) override {
    if (remove(path.c_str()) != 0) return Failed("remove", path);
    return {};
  }

  Status RemoveRecursively(const std::string& path) override {
    struct stat about;
    if (lstat(path.c_str(), &about) != 0) {
      if (errno == ENOENT) return {};
      return Failed("stat", path);
    }
    if (S_ISDIR(about.st_mode)) {
      Result<std::vector<DirectoryEntry>> entries = List(path);
      if (!entries.ok()) return entries.error();
      for (const DirectoryEntry& entry : *entries) KB_RETURN_IF_ERROR(RemoveRecursively(path + "/" + entry.name));
    }
    if (remove(path.c_str()) != 0 && errno != ENOENT) return Failed("remove", path);
    return {};
  }

  Status SyncDirectory(const std::string& path) override {
    int descriptor = OpenRetrying(path, O_RDONLY | O_DIRECTORY, 0);
    if (descriptor < 0) return Failed("open", path);
    int result;
    do {
      result = fsync(descriptor);
    } while (result != 0 && errno == EINTR);
    // Some network and FUSE file systems cannot sync a directory and say so.
    bool failed = result != 0 && errno != EINVAL;
    Error error = failed ? Failed("sync directory", path) : Error{};
    close(descriptor);
    if (failed) return error;
    return {};
  }

  Result<std::vector<DirectoryEntry>> List(const std::string& path) override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return Failed("list", path);
    std::vector<DirectoryEntry> entries;
    while (true) {
      errno = 0;
      const dirent* entry = readdir(directory);
      if (entry == nullptr) break;
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      bool is_directory = entry->d_type == DT_DIR;
      if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
        struct stat about;
        is_directory = stat((path + "/" + name).c_str(), &about) == 0 && S_ISDIR(about.st_mode);
      }
      entries.push_back({std::move(name), is_directory});
    }
    bool failed = errno != 0;
    Error error = failed ? Failed("list", path) : Error{};
    closedir(directory);
    if (failed) return error;
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat about;
    if (stat(path.c_str(), &about) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return Failed("stat", path);
  }

  Result<uint64_t> SizeOf(const std::string& path) override {
    struct stat about;
    if (stat(path.c_str(), &about) != 0) return Failed("stat", path);
    return static_cast<uint64_t>(about.st_size);
  }

  Result<int64_t> ModifiedMs(const std::string& path) override {
    struct stat about;
    if (stat(path.c_str(), &about) != 0) return Failed("stat", path);
    return MillisecondsOf(about.st_mtim);
  }

  Status SetModifiedMs(const std::string& path, int64_t wall_ms) override {
    timespec time{static_cast<time_t>(wall_ms / 1000), static_cast<long>(wall_ms % 1000) * 1'000'000};
    timespec times[2] = {{0, UTIME_OMIT}, time};
    if (utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return Failed("set the time of", path);
    return {};
  }

  Result<Space> SpaceOf(const std::string& path) override {
    struct statvfs about;
    if (statvfs(path.c_str(), &about) != 0) return Failed("statvfs", path);
    return Space{about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize};
  }

  // A record lock, because that is what Apache Kafka takes (java.nio) and either program must keep the other out; of the
  // open file description, because the classic kind ends when ANY of the process's descriptors of the file closes.
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    int descriptor = OpenRetrying(path, O_RDWR | O_CREAT, 0644);
    if (descriptor < 0) return Failed("open", path);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
      bool busy = errno == EACCES || errno == EAGAIN;
      Error error = busy ? Error{ErrorKind::kBusy, path + " is locked by " + OwnerOf(descriptor), errno}
                         : Failed("lock", path);
      close(descriptor);
      return error;
    }
    return std::unique_ptr<FileLock>(std::make_unique<RealFileLock>(descriptor));
  }

 private:
  // Who holds the lock, as well as can be found out. The kernel names the holder of a classic lock (a JVM's); one of an
  // open file description belongs to whoever has the file open.
  static std::string OwnerOf(int descriptor) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK && whole.l_pid > 0) {
      return "process " + std::to_string(whole.l_pid);
    }
    struct stat wanted {};
    if (fstat(descriptor, &wanted) != 0) return "another process";
    for (const std::string& pid : EntriesOf("/proc")) {
      if (pid.find_first_not_of("0123456789") != std::string::npos || pid == std::to_string(getpid())) continue;
      std::string descriptors = "/proc/" + pid + "/fd/";
      for (const std::string& name : EntriesOf(descriptors)) {
        struct stat open_file {};
        bool is_it = stat((descriptors + name).c_str(), &open_file) == 0 && open_file.st_ino == wanted.st_ino &&
                     open_file.st_dev == wanted.st_dev;
        if (is_it) return "process " + pid;
      }
    }
    return "another process";
  }

  // Empty where it cannot be read: a process may end meanwhile, or be somebody else's.
  static std::vector<std::string> EntriesOf(const std::string& path) {
    std::vector<std::string> names;
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return names;
    while (const dirent* entry = readdir(directory)) names.emplace_back(entry->d_name);
    closedir(directory);
    return names;
  }

  static Status CreateDirectory(const std::string& path) {
    if (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
    int why = errno;  // a parent on a read-only mount says EROFS before it says EEXIST
    struct stat about;
    if (stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) return {};
    return OsError(why, "make directory " + path);
  }

  const RealOptions options_;
};

}  // namespace

FileSystem& RealFileSystem() {
  static Posix files{RealOptions()};
  return files;
}

std::unique_ptr<FileSystem> MakeRealFileSystem(const RealOptions& options) {
  return std::make_unique<Posix>(options);
}

}  // namespace kb::io

// SimFileSystem: a disk in memory that can lose power, tear writes, fill up and fail, the same way every time for a seed.
//
//   live state      what the running program sees
//   durable state   what is certain to survive: file content as of its last Sync, names as of their directory's last sync
//   pending         what lies in between, in order
//
// A power cut (Cut) rolls each file and each directory back to its durable state and then lets the seed decide what of the
// pending happened to reach the disk: of each directory a prefix of its name changes (a journal keeps their order), of each
// file any of its writes and truncations, and of a write any of its 512-byte sectors. PowerLoss::kNothing keeps all: that
// is a kill -9. Files opened before are dead afterwards: every call answers EIO.
//
// Faults: FailNth makes the nth call of a kind from now on answer an errno; CutAt cuts the power in the middle of the nth
// call of any kind that changes something, after which every call answers EIO until PowerOn. Limits: capacity in bytes
// (ENOSPC, after writing what fits), open files (EMFILE).
//
// Cache: everything read or written is in memory; DropCaches forgets that, so that ReadCached finds nothing until ReadAt
// or WillRead has read it.
//
// Deterministic; for one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "io/file_system.h"

namespace kb::test {

// The fault points.
enum class IoCall {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kPreallocate,
  kRename,
  kRemove,
  kMakeDirectory,
  kSyncDirectory,
  kList
};
inline constexpr IoCall kAllIoCalls[] = {IoCall::kOpen,   IoCall::kRead,   IoCall::kWrite,         IoCall::kSync,
                                         IoCall::kTruncate, IoCall::kPreallocate, IoCall::kRename, IoCall::kRemove,
                                         IoCall::kMakeDirectory, IoCall::kSyncDirectory, IoCall::kList};

enum class PowerLoss {
  kNothing,     // the program died, the machine did not
  kEverything,  // all that is pending is lost
  kSomething,   // the seed decides
};

class SimFileSystem final : public io::FileSystem {
 public:
  explicit SimFileSystem(uint64_t seed = 1);
  ~SimFileSystem() override;
  // For a new disk in the place of the old one; nothing of the old one is open then.
  SimFileSystem& operator=(SimFileSystem&&) = default;

  // ---- what a test does to the disk
  void Cut(PowerLoss loss);              // and power on again
  void CutAt(uint64_t changing_call, PowerLoss loss);  // counted from now, 1 is the next one
  bool is_off() const { return is_off_; }
  void PowerOn();                        // after CutAt struck; also disarms it
  void FailNth(IoCall call, uint64_t nth, int os_errno, bool and_all_after = false);  // 1: the next one
  void StopFailing() { faults_.clear(); }
  // A disk that lies: kSync or kSyncDirectory says that it is done and does nothing.
  void Ignore(std::optional<IoCall> call) { ignored_ = call; }
  void set_capacity(std::optional<uint64_t> bytes) { capacity_ = bytes; }
  void set_most_open_files(std::optional<size_t> files) { most_open_files_ = files; }
  void DropCaches();
  void set_now_ms(int64_t now_ms) { now_ms_ = now_ms; }

  uint64_t changing_calls() const { return changing_calls_; }
  uint64_t calls(IoCall call) const;
  uint64_t read_bytes() const { return read_bytes_; }  // by all reads, of what was there
  size_t open_files() const { return open_files_; }
  uint64_t used_bytes() const;
  // Every file by path, with its live content.
  std::map<std::string, std::string> Contents() const;
  // A file as if it had always been there.
  void Put(const std::string& path, std::string content);
  std::string Get(const std::string& path) const;  // "" when missing

  // ---- io::FileSystem
  Result<std::unique_ptr<io::File>> Open(const std::string& path, io::OpenMode mode) override;
  Status CreateDirectories(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status RemoveRecursively(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::vector<io::DirectoryEntry>> List(const std::string& path) override;
  Result<bool> Exists(const std::string& path) override;
  Result<uint64_t> SizeOf(const std::string& path) override;
  Result<int64_t> ModifiedMs(const std::string& path) override;
  Status SetModifiedMs(const std::string& path, int64_t wall_ms) override;
  Result<io::Space> SpaceOf(const std::string& path) override;
  Result<std::unique_ptr<io::FileLock>> Lock(const std::string& path) override;

 private:
  struct Node;
  // Makes names mean nodes, or nothing; a rename is several assignments that go together.
  struct NameChange {
    std::vector<std::pair<std::string, std::shared_ptr<Node>>> assignments;
  };
  struct Fault {
    IoCall call;
    uint64_t left;
    int os_errno;
    bool and_all_after;
  };
  class SimFile;
  class SimLock;
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;

  // Counts the call; the error it must answer instead of doing its work, if any.
  Status Enter(IoCall call, const std::string& what);
  // After a changing call did its work: the power may go now.
  Status Leave(const std::string& what);
  void Change(const std::string& directory, NameChange change);
  void Apply(Names& names, const NameChange& change) const;
  void RollBack(PowerLoss loss);
  static std::string Tidy(const std::string& path);
  static std::string ParentOf(const std::string& path);
  NodePtr Find(const std::string& path) const;

  Random random_;
  Names live_;
  Names durable_;
  std::map<std::string, std::vector<NameChange>> pending_;  // by directory
  std::set<std::string> locks_;
  std::vector<Fault> faults_;
  std::optional<IoCall> ignored_;
  std::map<IoCall, uint64_t> calls_;
  std::optional<uint64_t> capacity_;
  std::optional<size_t> most_open_files_;
  size_t open_files_ = 0;
  uint64_t changing_calls_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t cut_at_ = 0;  // 0: not armed
  PowerLoss cut_loss_ = PowerLoss::kSomething;
  bool is_off_ = false;
  uint64_t boots_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
};

}  // namespace kb::test

#include "support/sim_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kb::test {

using io::File;
using io::OpenMode;

namespace {
constexpr size_t kSectorBytes = 512;
constexpr size_t kPageBytes = 4096;

bool Changes(IoCall call) {
  switch (call) {
    case IoCall::kOpen:
    case IoCall::kRead:
    case IoCall::kList: return false;
    case IoCall::kWrite:
    case IoCall::kSync:
    case IoCall::kTruncate:
    case IoCall::kPreallocate:
    case IoCall::kRename:
    case IoCall::kRemove:
    case IoCall::kMakeDirectory:
    case IoCall::kSyncDirectory: return true;
  }
  return true;
}
}  // namespace

// A file or a directory. Names point to it; a name that goes does not take open files along.
struct SimFileSystem::Node {
  struct Pending {
    bool is_truncation = false;
    uint64_t position = 0;  // of the write, or the new size
    std::string bytes;
  };
  bool is_directory = false;
  std::string live;
  std::string durable;
  std::vector<Pending> pending;
  std::set<uint64_t> uncached_pages;
  int64_t modified_ms = 0;

  static void Do(std::string& content, const Pending& change) {
    if (change.is_truncation) {
      content.resize(change.position);
      return;
    }
    if (content.size() < change.position + change.bytes.size()) content.resize(change.position + change.bytes.size());
    content.replace(change.position, change.bytes.size(), change.bytes);
  }
  void Change(Pending change) {
    Do(live, change);
    pending.push_back(std::move(change));
  }
  void Sync() {
    durable = live;
    pending.clear();
  }
  void LosePower(PowerLoss loss, Random& random) {
    if (loss == PowerLoss::kNothing) return;
    std::string content = durable;
    if (loss == PowerLoss::kSomething) {
      for (const Pending& change : pending) ApplySome(content, change, random);
    }
    live = durable = content;
    pending.clear();
  }
  // Whole, not at all, or of a write any of its sectors: disks reorder. The size may be there without the bytes.
  static void ApplySome(std::string& content, const Pending& change, Random& random) {
    uint64_t fate = random.Below(4);
    if (fate == 0) return;
    if (fate == 1 || change.is_truncation) return Do(content, change);
    if (fate == 2) {  // torn: a prefix
      Pending prefix = change;
      prefix.bytes.resize(random.Below(change.bytes.size() + 1));
      return Do(content, prefix);
    }
    for (size_t at = 0; at < change.bytes.size();) {
      size_t size = std::min(kSectorBytes - (change.position + at) % kSectorBytes, change.bytes.size() - at);
      if (random.Below(2) == 0) Do(content, {false, change.position + at, change.bytes.substr(at, size)});
      at += size;
    }
  }
};

class SimFileSystem::SimFile final : public File {
 public:
  SimFile(SimFileSystem& files, std::string path, NodePtr node)
      : File(std::move(path)), files_(files), node_(std::move(node)), boot_(files.boots_) {
    ++files_.open_files_;
  }
  ~SimFile() override { --files_.open_files_; }

  Result<size_t> ReadAt(uint64_t position, MutableByteView into) const override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kRead));
    size_t size = Readable(position, into.size());
    Cache(position, size);
    return Copy(position, into, size);
  }
  Result<size_t> ReadCached(uint64_t position, MutableByteView into) const override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kRead));
    size_t size = Readable(position, into.size());
    for (size_t done = 0; done < size;) {
      uint64_t page = (position + done) / kPageBytes;
      if (node_->uncached_pages.contains(page)) {
        size = done;
        break;
      }
      done = static_cast<size_t>((page + 1) * kPageBytes - position);
    }
    return Copy(position, into, size);
  }
  Status WriteAt(uint64_t position, std::span<const ByteView> parts) override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kWrite));
    std::string bytes;
    for (ByteView part : parts) bytes.append(AsText(part));
    bool fits = FitInto(position, bytes);
    if (!bytes.empty()) node_->Change({false, position, bytes});
    node_->modified_ms = files_.now_ms_;
    Forget(position, bytes.size());
    KB_RETURN_IF_ERROR(files_.Leave("write " + path()));
    if (!fits) return OsError(ENOSPC, "write " + path());
    return {};
  }
  Status Sync() override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kSync));
    KB_RETURN_IF_ERROR(files_.Leave("sync " + path()));
    if (files_.ignored_ != IoCall::kSync) node_->Sync();
    return {};
  }
  Status Truncate(uint64_t size) override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kTruncate));
    node_->Change({true, size, {}});
    return files_.Leave("truncate " + path());
  }
  Result<uint64_t> Size() const override {
    if (boot_ != files_.boots_ || files_.is_off_) return OsError(EIO, "stat " + path());
    return uint64_t{node_->live.size()};
  }
  Status Preallocate(uint64_t) override {
    KB_RETURN_IF_ERROR(Enter(IoCall::kPreallocate));
    return files_.Leave("preallocate " + path());
  }
  void WillRead(uint64_t position, uint64_t size) const override { Cache(position, size); }
  int descriptor() const override { return -1; }

 private:
  Status Enter(IoCall call) const {
    if (boot_ != files_.boots_) return OsError(EIO, "use of a file from before the power cut: " + path());
    return files_.Enter(call, path());
  }
  size_t Readable(uint64_t position, size_t wanted) const {
    if (position >= node_->live.size()) return 0;
    return std::min<size_t>(wanted, node_->live.size() - position);
  }
  Result<size_t> Copy(uint64_t position, MutableByteView into, size_t size) const {
    if (size > 0) std::memcpy(into.data(), node_->live.data() + position, size);
    files_.read_bytes_ += size;
    return size;
  }
  void Cache(uint64_t position, uint64_t size) const {
    if (size == 0 || node_->uncached_pages.empty()) return;
    for (uint64_t page = position / kPageBytes; page <= (position + size - 1) / kPageBytes; ++page) {
      node_->uncached_pages.erase(page);
    }
  }
  void Forget(uint64_t position, uint64_t size) { Cache(position, size); }
  // Cuts what the disk has no room for; false if anything was cut.
  bool FitInto(uint64_t position, std::string& bytes) const {
    if (!files_.capacity_) return true;
    uint64_t end = position + bytes.size();
    uint64_t grows = end > node_->live.size() ? end - node_->live.size() : 0;
    uint64_t used = files_.used_bytes();
    uint64_t free = *files_.capacity_ > used ? *files_.capacity_ - used : 0;
    if (grows <= free) return true;
    uint64_t excess = grows - free;
    bytes.resize(bytes.size() > excess ? bytes.size() - excess : 0);
    return false;
  }

  SimFileSystem& files_;
  const NodePtr node_;
  const uint64_t boot_;
};

class SimFileSystem::SimLock final : public io::FileLock {
 public:
  SimLock(SimFileSystem& files, std::string path) : files_(files), path_(std::move(path)), boot_(files.boots_) {}
  ~SimLock() override {
    if (boot_ == files_.boots_) files_.locks_.erase(path_);
  }

 private:
  SimFileSystem& files_;
  const std::string path_;
  const uint64_t boot_;
};

SimFileSystem::SimFileSystem(uint64_t seed) : random_(seed) {
  for (const char* root : {"/", "."}) {
    NodePtr node = std::make_shared<Node>();
    node->is_directory = true;
    live_[root] = durable_[root] = node;
  }
}
SimFileSystem::~SimFileSystem() = default;

std::string SimFileSystem::Tidy(const std::string& path) {
  std::string tidy = path;
  while (tidy.size() > 1 && tidy.back() == '/') tidy.pop_back();
  return tidy;
}

std::string SimFileSystem::ParentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

SimFileSystem::NodePtr SimFileSystem::Find(const std::string& path) const {
  auto found = live_.find(Tidy(path));
  return found == live_.end() ? nullptr : found->second;
}

Status SimFileSystem::Enter(IoCall call, const std::string& what) {
  ++calls_[call];
  if (is_off_) return OsError(EIO, "the power is off: " + what);
  if (Changes(call)) ++changing_calls_;
  for (Fault& fault : faults_) {
    if (fault.call != call) continue;
    if (fault.left > 1) {
      --fault.left;
      continue;
    }
    bool strikes = fault.left == 1 || fault.and_all_after;
    fault.left = fault.and_all_after ? 1 : 0;
    if (strikes) return OsError(fault.os_errno, "injected: " + what);
  }
  return {};
}

Status SimFileSystem::Leave(const std::string& what) {
  if (cut_at_ == 0 || changing_calls_ < cut_at_) return {};
  cut_at_ = 0;
  is_off_ = true;
  return OsError(EIO, "the power went during: " + what);
}

void SimFileSystem::FailNth(IoCall call, uint64_t nth, int os_errno, bool and_all_after) {
  faults_.push_back({call, nth, os_errno, and_all_after});
}

uint64_t SimFileSystem::calls(IoCall call) const {
  auto found = calls_.find(call);
  return found == calls_.end() ? 0 : found->second;
}

void SimFileSystem::Cut(PowerLoss loss) {
  cut_loss_ = loss;
  PowerOn();
}

void SimFileSystem::CutAt(uint64_t changing_call, PowerLoss loss) {
  cut_at_ = changing_calls_ + changing_call;
  cut_loss_ = loss;
}

void SimFileSystem::PowerOn() {
  RollBack(cut_loss_);
  cut_at_ = 0;
  is_off_ = false;
  ++boots_;
  locks_.clear();
}

void SimFileSystem::RollBack(PowerLoss loss) {
  if (loss == PowerLoss::kNothing) return;
  std::set<NodePtr> nodes;  // in the order of names below: a set of pointers would not be deterministic
  std::vector<NodePtr> ordered;
  auto collect = [&](const NodePtr& node) {
    if (node != nullptr && nodes.insert(node).second) ordered.push_back(node);
  };
  for (auto& [path, node] : durable_) collect(node);
  for (auto& [path, node] : live_) collect(node);
  for (auto& [directory, changes] : pending_) {
    uint64_t kept = loss == PowerLoss::kSomething ? random_.Below(changes.size() + 1) : 0;
    for (uint64_t i = 0; i < kept; ++i) Apply(durable_, changes[i]);
    for (const NameChange& change : changes) {
      for (auto& [path, node] : change.assignments) collect(node);
    }
  }
  pending_.clear();
  // A name whose directory did not make it is gone with it.
  for (auto at = durable_.begin(); at != durable_.end();) {
    bool orphaned = at->first != "/" && at->first != "." && !durable_.contains(ParentOf(at->first));
    at = orphaned ? durable_.erase(at) : std::next(at);
  }
  live_ = durable_;
  for (const NodePtr& node : ordered) node->LosePower(loss, random_);
}

void SimFileSystem::DropCaches() {
  for (auto& [path, node] : live_) {
    for (uint64_t page = 0; page * kPageBytes < node->live.size(); ++page) node->uncached_pages.insert(page);
  }
}

uint64_t SimFileSystem::used_bytes() const {
  uint64_t used = 0;
  for (auto& [path, node] : live_) used += node->live.size();
  return used;
}

std::map<std::string, std::string> SimFileSystem::Contents() const {
  std::map<std::string, std::string> contents;
  for (auto& [path, node] : live_) {
    if (!node->is_directory) contents[path] = node->live;
  }
  return contents;
}

void SimFileSystem::Put(const std::string& path, std::string content) {
  std::string at = Tidy(path);
  for (std::string parent = ParentOf(at); !live_.contains(parent); parent = ParentOf(parent)) {
    NodePtr directory = std::make_shared<Node>();
    directory->is_directory = true;
    live_[parent] = durable_[parent] = directory;
  }
  NodePtr node = std::make_shared<Node>();
  node->live = node->durable = std::move(content);
  node->modified_ms = now_ms_;
  live_[at] = durable_[at] = node;
}

std::string SimFileSystem::Get(const std::string& path) const {
  NodePtr node = Find(path);
  return node == nullptr ? "" : node->live;
}

void SimFileSystem::Apply(Names& names, const NameChange& change) const {
  for (auto& [path, node] : change.assignments) {
    if (node != nullptr) {
      names[path] = node;
      continue;
    }
    names.erase(path);
    // A directory that is renamed or removed takes along what is below it; the other half of a rename brought it back.
    const std::string below = path + "/";
    for (auto at = names.lower_bound(below); at != names.end() && at->first.starts_with(below);) at = names.erase(at);
  }
}

void SimFileSystem::Change(const std::string& directory, NameChange change) {
  Apply(live_, change);
  pending_[directory].push_back(std::move(change));
}

Result<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path, OpenMode mode) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kOpen, "open " + path));
  std::string at = Tidy(path);
  NodePtr node = Find(at);
  if (most_open_files_ && open_files_ >= *most_open_files_) return OsError(EMFILE, "open " + path);
  if (node != nullptr && node->is_directory) return OsError(EISDIR, "open " + path);
  if (node != nullptr && mode == OpenMode::kCreateNew) return OsError(EEXIST, "open " + path);
  if (node == nullptr) {
    NodePtr parent = Find(ParentOf(at));
    if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite || parent == nullptr) {
      return OsError(ENOENT, "open " + path);
    }
    if (!parent->is_directory) return OsError(ENOTDIR, "open " + path);
    ++changing_calls_;
    node = std::make_shared<Node>();
    node->modified_ms = now_ms_;
    Change(ParentOf(at), {{{at, node}}});
    KB_RETURN_IF_ERROR(Leave("open " + path));
  } else if (mode == OpenMode::kTruncate && !node->live.empty()) {
    ++changing_calls_;
    node->Change({true, 0, {}});
    KB_RETURN_IF_ERROR(Leave("open " + path));
  }
  return std::unique_ptr<File>(std::make_unique<SimFile>(*this, path, node));
}

Status SimFileSystem::CreateDirectories(const std::string& path) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kMakeDirectory, "make directory " + path));
  std::string at = Tidy(path);
  std::vector<std::string> missing;
  for (std::string up = at; !live_.contains(up); up = ParentOf(up)) missing.push_back(up);
  NodePtr nearest = Find(missing.empty() ? at : ParentOf(missing.back()));
  if (!nearest->is_directory) return OsError(ENOTDIR, "make directory " + path);
  for (auto up = missing.rbegin(); up != missing.rend(); ++up) {
    NodePtr node = std::make_shared<Node>();
    node->is_directory = true;
    Change(ParentOf(*up), {{{*up, node}}});
  }
  return Leave("make directory " + path);
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kRename, "rename " + from));
  std::string source = Tidy(from);
  std::string target = Tidy(to);
  NodePtr node = Find(source);
  if (node == nullptr) return OsError(ENOENT, "rename " + from);
  NameChange change;
  change.assignments.emplace_back(source, nullptr);
  change.assignments.emplace_back(target, node);
  const std::string below = source + "/";
  for (auto at = live_.lower_bound(below); at != live_.end() && at->first.starts_with(below); ++at) {
    change.assignments.emplace_back(target + at->first.substr(source.size()), at->second);
  }
  Change(ParentOf(target), std::move(change));
  return Leave("rename " + from);
}

Status SimFileSystem::Remove(const std::string& path) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kRemove, "remove " + path));
  std::string at = Tidy(path);
  NodePtr node = Find(at);
  if (node == nullptr) return OsError(ENOENT, "remove " + path);
  auto below = live_.lower_bound(at + "/");
  if (node->is_directory && below != live_.end() && below->first.starts_with(at + "/")) {
    return OsError(ENOTEMPTY, "remove " + path);
  }
  Change(ParentOf(at), {{{at, nullptr}}});
  return Leave("remove " + path);
}

Status SimFileSystem::RemoveRecursively(const std::string& path) {
  std::string at = Tidy(path);
  std::vector<std::string> names;
  for (auto& [name, node] : live_) {
    if (name == at || name.starts_with(at + "/")) names.push_back(name);
  }
  for (auto name = names.rbegin(); name != names.rend(); ++name) KB_RETURN_IF_ERROR(Remove(*name));
  return {};
}

Status SimFileSystem::SyncDirectory(const std::string& path) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kSyncDirectory, "sync directory " + path));
  std::string at = Tidy(path);
  NodePtr node = Find(at);
  if (node == nullptr) return OsError(ENOENT, "sync directory " + path);
  KB_RETURN_IF_ERROR(Leave("sync directory " + path));
  if (ignored_ == IoCall::kSyncDirectory) return {};
  for (const NameChange& change : pending_[at]) Apply(durable_, change);
  pending_.erase(at);
  return {};
}

Result<std::vector<io::DirectoryEntry>> SimFileSystem::List(const std::string& path) {
  KB_RETURN_IF_ERROR(Enter(IoCall::kList, "list " + path));
  std::string at = Tidy(path);
  NodePtr node = Find(at);
  if (node == nullptr) return OsError(ENOENT, "list " + path);
  if (!node->is_directory) return OsError(ENOTDIR, "list " + path);
  std::vector<io::DirectoryEntry> entries;
  for (auto& [name, child] : live_) {
    if (name != at && ParentOf(name) == at) {
      entries.push_back({name.substr(name.rfind('/') + 1), child->is_directory});
    }
  }
  return entries;
}

Result<bool> SimFileSystem::Exists(const std::string& path) {
  if (is_off_) return OsError(EIO, "the power is off: stat " + path);
  return Find(path) != nullptr;
}

Result<uint64_t> SimFileSystem::SizeOf(const std::string& path) {
  if (is_off_) return OsError(EIO, "the power is off: stat " + path);
  NodePtr node = Find(path);
  if (node == nullptr) return OsError(ENOENT, "stat " + path);
  return uint64_t{node->live.size()};
}

Result<int64_t> SimFileSystem::ModifiedMs(const std::string& path) {
  if (is_off_) return OsError(EIO, "the power is off: stat " + path);
  NodePtr node = Find(path);
  if (node == nullptr) return OsError(ENOENT, "stat " + path);
  return node->modified_ms;
}

Status SimFileSystem::SetModifiedMs(const std::string& path, int64_t wall_ms) {
  if (is_off_) return OsError(EIO, "the power is off: set the time of " + path);
  NodePtr node = Find(path);
  if (node == nullptr) return OsError(ENOENT, "set the time of " + path);
  node->modified_ms = wall_ms;
  return {};
}

Result<io::Space> SimFileSystem::SpaceOf(const std::string&) {
  uint64_t total = capacity_.value_or(uint64_t{1} << 40);
  uint64_t used = used_bytes();
  return io::Space{total, total > used ? total - used : 0};
}

Result<std::unique_ptr<io::FileLock>> SimFileSystem::Lock(const std::string& path) {
  Result<std::unique_ptr<File>> file = Open(path, OpenMode::kCreate);
  if (!file.ok()) return file.error();
  if (!locks_.insert(Tidy(path)).second) return Error{ErrorKind::kBusy, "lock " + path + ": somebody holds it"};
  return std::unique_ptr<io::FileLock>(std::make_unique<SimLock>(*this, Tidy(path)));
}

}  // namespace kb::test

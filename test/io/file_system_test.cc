// The file system's contract, asked of the machine's and of the simulated one; and what only one of them has.
#include "io/file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "io/real_file_system.h"
#include "support/sim_file_system.h"

namespace kb::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ReadAll(const File& file, uint64_t position, size_t size) {
  std::string bytes(size, '?');
  Result<size_t> got = file.ReadAt(position, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  EXPECT_TRUE(got.ok());
  bytes.resize(*got);
  return bytes;
}

struct Real {
  Real() {
    char name[] = "/tmp/io_test.XXXXXX";
    root = mkdtemp(name);
  }
  ~Real() { (void)files.RemoveRecursively(root); }
  FileSystem& files = RealFileSystem();
  std::string root;
};
struct Simulated {
  Simulated() { EXPECT_TRUE(files.CreateDirectories(root).ok()); }
  test::SimFileSystem files;
  std::string root = "/root";
};

template <typename Disk>
class FileSystemTest : public testing::Test {
 protected:
  std::string At(const std::string& name) { return disk_.root + "/" + name; }
  FileSystem& files() { return disk_.files; }
  std::unique_ptr<File> Open(const std::string& name, OpenMode mode) {
    auto file = files().Open(At(name), mode);
    EXPECT_TRUE(file.ok()) << file.error().message;
    return std::move(*file);
  }
  Disk disk_;
};
using Disks = testing::Types<Real, Simulated>;
TYPED_TEST_SUITE(FileSystemTest, Disks);

TYPED_TEST(FileSystemTest, WritesAreReadBackWhereverTheyWere) {
  auto file = this->Open("f", OpenMode::kCreateNew);
  ByteView parts[] = {AsBytes("hello"), AsBytes(""), AsBytes(" "), AsBytes("world")};
  ASSERT_TRUE(file->WriteAt(0, parts).ok());
  ASSERT_TRUE(file->WriteAt(20, AsBytes("far")).ok());
  EXPECT_EQ(*file->Size(), 23u);
  EXPECT_EQ(ReadAll(*file, 0, 11), "hello world");
  EXPECT_EQ(ReadAll(*file, 11, 100), std::string(9, '\0') + "far");
  EXPECT_EQ(ReadAll(*file, 23, 10), "");
  EXPECT_EQ(ReadAll(*file, 1000, 10), "");
  uint8_t cached[5];
  EXPECT_EQ(*file->ReadCached(6, cached), 5u);
  EXPECT_EQ(AsText(cached), "world");
  ASSERT_TRUE(file->Truncate(5).ok());
  EXPECT_EQ(ReadAll(*file, 0, 100), "hello");
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(file->Preallocate(1 << 20).ok());
  EXPECT_EQ(*file->Size(), 5u);
  EXPECT_EQ(*this->files().SizeOf(this->At("f")), 5u);
}

TYPED_TEST(FileSystemTest, ManyPartsAreOneWrite) {
  auto file = this->Open("f", OpenMode::kCreate);
  std::vector<std::string> texts;
  std::vector<ByteView> parts;
  std::string all;
  for (int i = 0; i < 300; ++i) texts.push_back(std::string(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26)));
  for (const std::string& text : texts) {
    parts.push_back(AsBytes(text));
    all += text;
  }
  ASSERT_TRUE(file->WriteAt(3, parts).ok());
  EXPECT_EQ(ReadAll(*file, 3, 10'000), all);
}

TYPED_TEST(FileSystemTest, ModesMeanWhatTheySay) {
  EXPECT_EQ(this->files().Open(this->At("f"), OpenMode::kRead).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(this->files().Open(this->At("f"), OpenMode::kReadWrite).error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(this->Open("f", OpenMode::kCreate)->WriteAt(0, AsBytes("x")).ok());
  EXPECT_EQ(this->files().Open(this->At("f"), OpenMode::kCreateNew).error().os_errno, EEXIST);
  EXPECT_EQ(*this->Open("f", OpenMode::kCreate)->Size(), 1u);
  EXPECT_EQ(*this->Open("f", OpenMode::kReadWrite)->Size(), 1u);
  EXPECT_EQ(*this->Open("f", OpenMode::kTruncate)->Size(), 0u);
  EXPECT_EQ(this->files().Open(this->At("none/f"), OpenMode::kCreate).error().kind, ErrorKind::kNotFound);
}

TYPED_TEST(FileSystemTest, ErrorsNameThePath) {
  EXPECT_THAT(this->files().Open(this->At("missing"), OpenMode::kRead).error().message, HasSubstr("missing"));
  EXPECT_THAT(this->files().Remove(this->At("missing")).error().message, HasSubstr("missing"));
  EXPECT_THAT(this->files().List(this->At("missing")).error().message, HasSubstr("missing"));
}

TYPED_TEST(FileSystemTest, DirectoriesAreListedSorted) {
  ASSERT_TRUE(this->files().CreateDirectories(this->At("d/e/f")).ok());
  ASSERT_TRUE(this->files().CreateDirectories(this->At("d/e/f")).ok());
  this->Open("d/b", OpenMode::kCreate);
  this->Open("d/a", OpenMode::kCreate);
  auto entries = this->files().List(this->At("d"));
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[2].name, "e");
  EXPECT_FALSE((*entries)[1].is_directory);
  EXPECT_TRUE((*entries)[2].is_directory);
  EXPECT_TRUE(this->files().SyncDirectory(this->At("d")).ok());
  EXPECT_FALSE(this->files().Remove(this->At("d/e")).ok());
  EXPECT_TRUE(this->files().RemoveRecursively(this->At("d")).ok());
  EXPECT_FALSE(*this->files().Exists(this->At("d/a")));
  EXPECT_TRUE(this->files().RemoveRecursively(this->At("d")).ok());
}

TYPED_TEST(FileSystemTest, AFileInTheWayOfADirectoryIsAnError) {
  this->Open("f", OpenMode::kCreate);
  EXPECT_FALSE(this->files().CreateDirectories(this->At("f/g")).ok());
}

TYPED_TEST(FileSystemTest, RenamesReplaceAndDirectoriesMoveWhole) {
  ASSERT_TRUE(this->Open("a", OpenMode::kCreate)->WriteAt(0, AsBytes("new")).ok());
  auto old = this->Open("b", OpenMode::kCreate);
  ASSERT_TRUE(old->WriteAt(0, AsBytes("old")).ok());
  ASSERT_TRUE(this->files().Rename(this->At("a"), this->At("b")).ok());
  EXPECT_EQ(*ReadFile(this->files(), this->At("b")), "new");
  EXPECT_EQ(ReadAll(*old, 0, 10), "old");  // who had it open keeps it
  EXPECT_FALSE(*this->files().Exists(this->At("a")));
  ASSERT_TRUE(this->files().CreateDirectories(this->At("d")).ok());
  this->Open("d/x", OpenMode::kCreate);
  ASSERT_TRUE(this->files().Rename(this->At("d"), this->At("e")).ok());
  EXPECT_TRUE(*this->files().Exists(this->At("e/x")));
  EXPECT_FALSE(*this->files().Exists(this->At("d/x")));
}

TYPED_TEST(FileSystemTest, SmallFilesAreReadWholeAndReplacedAtOnce) {
  ASSERT_TRUE(WriteFileAtomically(this->files(), this->At("f"), "one").ok());
  ASSERT_TRUE(WriteFileAtomically(this->files(), this->At("f"), "three").ok());
  EXPECT_EQ(*ReadFile(this->files(), this->At("f")), "three");
  EXPECT_EQ(ReadFile(this->files(), this->At("f"), 4).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(ReadFile(this->files(), this->At("g")).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(*this->files().Exists(this->At("f.tmp")));
}

TYPED_TEST(FileSystemTest, TimesAndSpace) {
  this->Open("f", OpenMode::kCreate);
  ASSERT_TRUE(this->files().SetModifiedMs(this->At("f"), 1'700'000'000'123).ok());
  EXPECT_EQ(*this->files().ModifiedMs(this->At("f")), 1'700'000'000'123);
  Result<Space> space = this->files().SpaceOf(this->disk_.root);
  ASSERT_TRUE(space.ok());
  EXPECT_GT(space->total_bytes, 0u);
  EXPECT_LE(space->available_bytes, space->total_bytes);
}

// ---- the machine

TEST(RealFileSystemTest, ALockKeepsOtherProcessesOut) {
  Real disk;
  auto lock = disk.files.Lock(disk.root + "/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(disk.files.Lock(disk.root + "/.lock").error().kind, ErrorKind::kBusy);
  // As a Java program asks.
  pid_t child = fork();
  if (child == 0) {
    int descriptor = open((disk.root + "/.lock").c_str(), O_RDWR);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    _exit(fcntl(descriptor, F_SETLK, &whole) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  lock->reset();
  EXPECT_TRUE(disk.files.Lock(disk.root + "/.lock").ok());
}

// A child that holds the lock until it is told to end; the message of who comes second.
std::string RefusalBeside(int command) {
  Real disk;
  std::string path = disk.root + "/.lock";
  int ready[2], end[2];
  EXPECT_EQ(pipe(ready) | pipe(end), 0);
  pid_t child = fork();
  if (child == 0) {
    int descriptor = open(path.c_str(), O_RDWR | O_CREAT, 0644);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    char byte = fcntl(descriptor, command, &whole) == 0 ? 'y' : 'n';
    close(end[1]);
    _exit(write(ready[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  std::string message = disk.files.Lock(path).error().message;
  for (int descriptor : {ready[0], ready[1], end[0], end[1]}) close(descriptor);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  return message == path + " is locked by process " + std::to_string(child) ? "names it" : message;
}

TEST(RealFileSystemTest, TheOwnerOfALockIsNamed) {
  EXPECT_EQ(RefusalBeside(F_SETLK), "names it") << "as a Java program locks";
  EXPECT_EQ(RefusalBeside(F_OFD_SETLK), "names it") << "as we lock";
}

// What of a file's first `size` bytes is in memory, in units of 1 MiB: one letter each, '#' or '.', '?' where it is some.
// (ReadCached would not do: what it does not find the kernel reads ahead.)
std::string InMemory(const File& file, size_t size) {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages(size / page_bytes);
  void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  EXPECT_NE(map, MAP_FAILED);
  EXPECT_EQ(mincore(map, size, pages.data()), 0);
  munmap(map, size);
  std::string picture;
  const size_t each = (1 << 20) / page_bytes;
  for (size_t at = 0; at < pages.size(); at += each) {
    const auto in_memory = std::count_if(pages.begin() + at, pages.begin() + at + each, [](auto page) { return page & 1; });
    picture += in_memory == 0 ? '.' : static_cast<size_t>(in_memory) == each ? '#' : '?';
  }
  return picture;
}

class CachedTailTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string mebibyte(1 << 20, 'x');
    std::unique_ptr<File> file = Open(disk_.files, "probe");
    ASSERT_TRUE(file->WriteAt(0, AsBytes(mebibyte)).ok());
    ASSERT_TRUE(file->Sync().ok());
    file->WillNotRead(0, 1 << 20);
    if (InMemory(*file, 1 << 20) == "#") GTEST_SKIP() << "this file system keeps its files in memory";
  }
  std::unique_ptr<File> Open(FileSystem& files, const std::string& name) {
    auto file = files.Open(disk_.root + "/" + name, OpenMode::kCreate);
    EXPECT_TRUE(file.ok());
    return std::move(*file);
  }
  void Append(File& file, size_t from, size_t count) {
    for (size_t i = from; i < from + count; ++i) {
      const std::string mebibyte(1 << 20, static_cast<char>('a' + i));
      ASSERT_TRUE(file.WriteAt(i << 20, AsBytes(mebibyte)).ok());
    }
  }
  Real disk_;
  std::unique_ptr<FileSystem> bounded_ = MakeRealFileSystem({.most_cached_tail_bytes = 2 << 20});
};

TEST_F(CachedTailTest, WhatWasSyncedLeavesMemoryBehindTheTail) {
  std::unique_ptr<File> file = Open(*bounded_, "f");
  Append(*file, 0, 6);
  EXPECT_EQ(InMemory(*file, 6 << 20), "######");  // not synced yet: memory is the only place where it is
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(InMemory(*file, 6 << 20), "....##");
  Append(*file, 6, 2);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(InMemory(*file, 8 << 20), "......##");
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(ReadAll(*file, i << 20, 1 << 20), std::string(1 << 20, static_cast<char>('a' + i)));
  }
}

TEST_F(CachedTailTest, WhatWasThereBeforeStays) {
  {
    std::unique_ptr<File> file = Open(disk_.files, "f");
    Append(*file, 0, 6);
    ASSERT_TRUE(file->Sync().ok());
    EXPECT_EQ(InMemory(*file, 6 << 20), "######");  // without a bound all stays
  }
  std::unique_ptr<File> file = Open(*bounded_, "f");
  Append(*file, 6, 4);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(InMemory(*file, 10 << 20), "######..##");
}

TEST_F(CachedTailTest, ACutFileIsWrittenAnew) {
  std::unique_ptr<File> file = Open(*bounded_, "f");
  Append(*file, 0, 6);
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Truncate(0).ok());
  Append(*file, 0, 4);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(InMemory(*file, 4 << 20), "..##");
}

TEST(RealFileSystemTest, AFullDiskIsToldApart) {
  Result<std::unique_ptr<File>> full = RealFileSystem().Open("/dev/full", OpenMode::kReadWrite);
  if (!full.ok()) GTEST_SKIP() << "no /dev/full here";
  // A device is not seekable like a file, but it refuses as a full disk does.
  Status status = (*full)->WriteAt(0, AsBytes("x"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kNoSpace);
}

// ---- the simulation

class SimTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes, bool sync) {
    auto file = files_.Open("/d/" + name, OpenMode::kCreate);
    ASSERT_TRUE((*file)->WriteAt(0, AsBytes(bytes)).ok());
    ASSERT_TRUE(!sync || (*file)->Sync().ok());
  }
  void SetUp() override {
    ASSERT_TRUE(files_.CreateDirectories("/d").ok());
    ASSERT_TRUE(files_.SyncDirectory("/").ok());
  }
  test::SimFileSystem files_{5};
};

TEST_F(SimTest, APowerCutTakesWhatWasNotSynced) {
  Write("named", "synced", true);
  ASSERT_TRUE(files_.SyncDirectory("/d").ok());
  Write("named", "LOST", false);
  Write("unnamed", "synced", true);  // its name is not
  auto open = files_.Open("/d/named", OpenMode::kRead);
  files_.Cut(test::PowerLoss::kEverything);
  EXPECT_THAT(files_.Contents(), ElementsAre(testing::Pair("/d/named", "synced")));
  uint8_t byte;
  EXPECT_FALSE((*open)->ReadAt(0, {&byte, 1}).ok());
}

TEST_F(SimTest, AKillTakesNothing) {
  Write("f", "bytes", false);
  files_.Cut(test::PowerLoss::kNothing);
  EXPECT_EQ(files_.Get("/d/f"), "bytes");
}

TEST_F(SimTest, ARenameIsThereOrNotAndNeverHalf) {
  bool was_old = false, was_new = false;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    test::SimFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d").ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    ASSERT_TRUE(WriteFileAtomically(files, "/d/f", "old").ok());
    files.CutAt(1 + seed % 6, test::PowerLoss::kSomething);
    (void)WriteFileAtomically(files, "/d/f", "new");
    files.PowerOn();
    std::string content = files.Get("/d/f");
    ASSERT_TRUE(content == "old" || content == "new") << content;
    was_old |= content == "old";
    was_new |= content == "new";
  }
  EXPECT_TRUE(was_old);
  EXPECT_TRUE(was_new);
}

TEST_F(SimTest, AFullDiskTakesWhatFits) {
  files_.set_capacity(10);
  auto file = files_.Open("/d/f", OpenMode::kCreate);
  Status status = (*file)->WriteAt(0, AsBytes("0123456789abc"));
  EXPECT_EQ(status.error().kind, ErrorKind::kNoSpace);
  EXPECT_EQ(files_.Get("/d/f"), "0123456789");
}

TEST_F(SimTest, InjectedFaultsStrikeTheCallTheyAreMeantFor) {
  files_.FailNth(test::IoCall::kSync, 2, EIO);
  auto file = files_.Open("/d/f", OpenMode::kCreate);
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*file)->Sync().error().os_errno, EIO);
  EXPECT_TRUE((*file)->Sync().ok());
  files_.set_most_open_files(1);
  EXPECT_EQ(files_.Open("/d/f", OpenMode::kRead).error().os_errno, EMFILE);
}

TEST_F(SimTest, ColdBytesAreNotCached) {
  Write("f", std::string(10'000, 'x'), true);
  files_.DropCaches();
  auto file = files_.Open("/d/f", OpenMode::kRead);
  uint8_t bytes[100];
  EXPECT_EQ(*(*file)->ReadCached(5000, bytes), 0u);
  EXPECT_EQ(*(*file)->ReadAt(5000, bytes), 100u);
  EXPECT_EQ(*(*file)->ReadCached(5000, bytes), 100u);
  EXPECT_EQ(*(*file)->ReadCached(8150, bytes), 42u);  // to the end of the page that was read
}

}  // namespace
}  // namespace kb::io

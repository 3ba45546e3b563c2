// What does the machine ask for appending a gigabyte to a file, and for sending it to a consumer that follows, in one
// way of writing or another? Appends `piece` bytes at a time, `gather` of them with one call; a second thread makes it
// durable every 16 MiB, as the broker's disk pool does. What counts is the processor time of this process and, because
// deferred writing moves work there, of all kernel threads (a busy machine's, too: measure on a quiet one). Prints one
// line of JSON.
//
//   append_cost --file=FOLDER/x --way=write --piece=16384 --gather=65536 --gb=2 --pause=5      removes the file
//
//   write      pwritev to the page cache
//   reserved   the same, into space that fallocate has reserved behind the file's end
//   recycled   the same, over a file that is in the page cache and on the disk
//   dropped    write; all but the last --tail_mib leave the page cache once they are durable
//   dontcache  write, with RWF_DONTCACHE
//   mapped     memcpy into a mapping of the file
//   direct     O_DIRECT from an aligned buffer that the pieces are copied to, into reserved space
//
// Memory that was never used, or that a guest has given back to its host, costs more at the first touch than all else
// together: a --pause before gives the guest time to give back, and more --gb than it has lying about show the cost.
#include <dirent.h>
#include <fcntl.h>
#include <gflags/gflags.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

DEFINE_string(file, "", "to write; it must not exist");
DEFINE_string(way, "write", "write, reserved, recycled, dropped, dontcache, mapped or direct");
DEFINE_uint64(piece, 16384, "bytes that come at once");
DEFINE_uint64(gather, 0, "bytes that are written with one call; 0: each piece");
DEFINE_double(gb, 1, "how much");
DEFINE_uint64(tail_mib, 64, "dropped: what stays");
DEFINE_int32(pause, 0, "seconds, before");
DEFINE_bool(consumer, false, "send everything over TCP, as soon as it is written");

namespace {

constexpr uint64_t kFlushBytes = 16 << 20;
constexpr uint64_t kSourceBytes =
    1 << 20;                      // so that what is written lies in the processor's cache, as what was received does
constexpr int kDontCache = 0x80;  // RWF_DONTCACHE, since Linux 6.14

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "append_cost: %s: %s\n", what, strerror(errno));
  unlink(FLAGS_file.c_str());
  exit(1);
}

double ProcessSeconds() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Of the threads whose parent is kthreadd.
double KernelThreadSeconds() {
  double seconds = 0;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) Die("open /proc");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const std::string folder = std::string("/proc/") + entry->d_name;
    std::string line;
    std::getline(std::ifstream(folder + "/stat") >> std::ws, line);
    const size_t name_end = line.rfind(')');
    const bool is_kernels = name_end != std::string::npos && line.compare(name_end + 3, 3, " 2 ") == 0;
    double ns = 0;
    if (is_kernels && std::ifstream(folder + "/schedstat") >> ns) seconds += ns * 1e-9;
  }
  closedir(directory);
  return seconds;
}

// One fdatasync at a time, of what was there when it began.
class Flusher {
 public:
  explicit Flusher(int file) : file_(file), thread_([this] { Run(); }) {}
  // Waits while another is waiting: what is not durable is bounded.
  void Flush(uint64_t end) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return wanted_ == 0; });
    wanted_ = end;
    changed_.notify_all();
  }
  void Finish() {
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

 private:
  void Run() {
    const uint64_t tail = FLAGS_tail_mib << 20;
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return wanted_ > 0 || stopping_; });
      if (wanted_ == 0) return;
      const uint64_t end = std::exchange(wanted_, 0);
      lock.unlock();
      if (fdatasync(file_) != 0) Die("fdatasync");
      if (FLAGS_way == "dropped" && end > tail)
        posix_fadvise(file_, 0, static_cast<off_t>(end - tail), POSIX_FADV_DONTNEED);
      lock.lock();
      changed_.notify_all();
    }
  }

  const int file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t wanted_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

uint8_t* Memory(uint64_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  return static_cast<uint8_t*>(memory);
}

// A process that takes what comes: its time is not counted.
int StartConsumer() {
  const int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (bind(door, any, size) != 0 || listen(door, 1) != 0 || getsockname(door, any, &size) != 0) Die("listen");
  if (fork() == 0) {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, any, size) != 0) _exit(1);
    std::vector<char> bytes(1 << 20);
    while (read(connection, bytes.data(), bytes.size()) > 0) continue;
    _exit(0);
  }
  const int connection = accept(door, nullptr, nullptr);
  close(door);
  if (connection < 0) Die("accept");
  return connection;
}

class Appender {
 public:
  Appender(int file, int connection, uint64_t bytes)
      : file_(file),
        connection_(connection),
        bytes_(bytes),
        gather_(std::max(FLAGS_gather, FLAGS_piece)),
        source_(Memory(2 * kSourceBytes)) {
    memset(source_, 'x', 2 * kSourceBytes);
    for (uint64_t at = 0; at < gather_; at += FLAGS_piece) {
      parts_.push_back({source_ + at % kSourceBytes, std::min(FLAGS_piece, gather_ - at)});
    }
    if (FLAGS_way == "direct") PrepareDirect();
  }

  // Before the clock runs.
  void Recycle() {
    for (uint64_t at = 0; at < bytes_; at += gather_) Write(at, 0);
    if (fsync(file_) != 0) Die("fsync");
  }

  void Run() {
    if (FLAGS_way == "reserved" || FLAGS_way == "direct") {
      if (fallocate(file_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes_)) != 0) Die("fallocate");
    }
    if (FLAGS_way == "mapped") Map();
    Flusher flusher(file_);
    for (uint64_t at = 0; at < bytes_; at += gather_) {
      Append(at);
      if (at / kFlushBytes != (at + gather_) / kFlushBytes) flusher.Flush(at + gather_);
    }
    flusher.Flush(bytes_);
    flusher.Finish();
  }

 private:
  void PrepareDirect() {
    if (gather_ % 4096 != 0) Die("direct: --gather must be a multiple of 4096");
    buffer_ = Memory(gather_);
    direct_ = open(FLAGS_file.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (direct_ < 0) Die("open for O_DIRECT");
  }

  void Map() {
    if (ftruncate(file_, static_cast<off_t>(bytes_)) != 0) Die("ftruncate");
    void* map = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (map == MAP_FAILED) Die("mmap");
    map_ = static_cast<uint8_t*>(map);
  }

  void Append(uint64_t at) {
    if (map_ != nullptr) {
      CopyTo(map_ + at);
    } else if (direct_ >= 0) {
      CopyTo(buffer_);
      if (pwrite(direct_, buffer_, gather_, static_cast<off_t>(at)) != static_cast<ssize_t>(gather_)) Die("write");
    } else {
      Write(at, FLAGS_way == "dontcache" ? kDontCache : 0);
    }
    if (connection_ >= 0) Send(at);
  }

  void CopyTo(uint8_t* to) {
    for (const iovec& part : parts_) to = static_cast<uint8_t*>(mempcpy(to, part.iov_base, part.iov_len));
  }

  void Write(uint64_t at, int flags) {
    constexpr size_t kMostParts = 1024;
    for (size_t first = 0; first < parts_.size(); first += kMostParts) {
      const size_t count = std::min(kMostParts, parts_.size() - first);
      ssize_t expected = 0;
      for (size_t i = 0; i < count; ++i) expected += static_cast<ssize_t>(parts_[first + i].iov_len);
      if (pwritev2(file_, &parts_[first], static_cast<int>(count), static_cast<off_t>(at), flags) != expected)
        Die("write");
      at += static_cast<uint64_t>(expected);
    }
  }

  void Send(uint64_t at) {
    off_t offset = static_cast<off_t>(at);
    for (uint64_t sent = 0; sent < gather_;) {
      const ssize_t count = direct_ >= 0 ? send(connection_, buffer_ + sent, gather_ - sent, 0)
                                         : sendfile(connection_, file_, &offset, gather_ - sent);
      if (count <= 0) Die("send");
      sent += static_cast<uint64_t>(count);
    }
  }

  const int file_;
  const int connection_;  // -1: none
  const uint64_t bytes_;
  const uint64_t gather_;
  uint8_t* const source_;
  std::vector<iovec> parts_;
  uint8_t* buffer_ = nullptr;
  uint8_t* map_ = nullptr;
  int direct_ = -1;
};

bool IsAWay(const std::string& way) {
  for (const char* each : {"write", "reserved", "recycled", "dropped", "dontcache", "mapped", "direct"}) {
    if (way == each) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const uint64_t gather = std::max(FLAGS_gather, FLAGS_piece);
  const uint64_t bytes = gather == 0 ? 0 : static_cast<uint64_t>(FLAGS_gb * 1e9) / gather * gather;
  if (argc > 1 || !IsAWay(FLAGS_way) || FLAGS_piece == 0 || bytes == 0) {
    fprintf(stderr, "append_cost: --way, --piece and --gb must make sense; see the head of append_cost.cc\n");
    return 64;
  }
  const int file = open(FLAGS_file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    fprintf(stderr, "append_cost: %s: %s\n", FLAGS_file.c_str(), strerror(errno));
    return 1;
  }
  Appender appender(file, FLAGS_consumer ? StartConsumer() : -1, bytes);
  if (FLAGS_way == "recycled") appender.Recycle();
  sleep(static_cast<unsigned>(std::max(FLAGS_pause, 0)));
  const double kernel_begin = KernelThreadSeconds();
  const double process_begin = ProcessSeconds();
  const auto begin = std::chrono::steady_clock::now();
  appender.Run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double gb = static_cast<double>(bytes) / 1e9;
  const double process = (ProcessSeconds() - process_begin) / gb;
  const double kernel = (KernelThreadSeconds() - kernel_begin) / gb;
  unlink(FLAGS_file.c_str());
  printf(
      "{\"way\": \"%s\", \"piece\": %llu, \"gather\": %llu, \"gb\": %.2f, \"cpu_s_per_gb\": %.3f, "
      "\"kernel_threads_s_per_gb\": %.3f, \"gb_per_s\": %.2f}\n",
      FLAGS_way.c_str(), static_cast<unsigned long long>(FLAGS_piece), static_cast<unsigned long long>(gather), gb,
      process, kernel, gb / took.count());
  return 0;
}

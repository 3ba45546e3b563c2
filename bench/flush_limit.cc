// How often can this disk be made to keep one more record? One thread appends `bytes` bytes to a file, calls fdatasync,
// and begins again: what a broker that flushes for each request could reach at most, with any number of connections, if
// it needed no time for anything else. Prints one line of JSON.
//
//   flush_limit --file=FOLDER/x --bytes=175 --seconds=4      removes the file
#include <fcntl.h>
#include <gflags/gflags.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

DEFINE_string(file, "", "to write, on the disk in question; it must not exist");
DEFINE_uint64(bytes, 175, "of an append");
DEFINE_double(seconds, 4, "how long");

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const int file = open(FLAGS_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    fprintf(stderr, "flush_limit: %s: %s\n", FLAGS_file.c_str(), strerror(errno));
    return 1;
  }
  const std::string record(FLAGS_bytes, 'x');
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::chrono::duration<double> took{};
  int64_t flushes = 0;
  bool good = true;
  while (good && took.count() < FLAGS_seconds) {
    good = write(file, record.data(), record.size()) == static_cast<ssize_t>(record.size()) && fdatasync(file) == 0;
    ++flushes;
    took = Clock::now() - begin;
  }
  if (!good) fprintf(stderr, "flush_limit: %s: %s\n", FLAGS_file.c_str(), strerror(errno));
  close(file);
  unlink(FLAGS_file.c_str());
  printf("{\"flushes\": %ld, \"flushes_per_s\": %.1f}\n", static_cast<long>(flushes),
         static_cast<double>(flushes) / took.count());
  return good ? 0 : 1;
}

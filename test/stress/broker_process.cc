#include "stress/broker_process.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <string>

#include "stress/raw_client.h"

namespace kb::raw {

int64_t NowUs(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) Die("the broker's clock cannot be read");
  return static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

int64_t CpuUsOf(pid_t pid) {
  if (pid == 0) return 0;
  clockid_t clock{};
  if (clock_getcpuclockid(pid, &clock) != 0) Die("no process " + std::to_string(pid));
  return NowUs(clock);
}

int64_t ResidentBytesOf(pid_t pid) {
  if (pid == 0) return 0;
  const std::string path = "/proc/" + std::to_string(pid) + "/statm";
  FILE* file = fopen(path.c_str(), "r");
  int64_t total = 0, resident = 0;
  if (file == nullptr || fscanf(file, "%" SCNd64 " %" SCNd64, &total, &resident) != 2) Die("cannot read " + path);
  fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace kb::raw

#include "load/usage.h"

#include <dirent.h>
#include <time.h>

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>

#include "stress/broker_process.h"

namespace kb::load {
namespace {

void AddSwitches(const std::string& status_path, Usage* usage) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(status_path.c_str(), "re"), fclose);
  if (file == nullptr) return;  // the thread has ended meanwhile
  char line[256];
  int64_t count = 0;
  while (fgets(line, sizeof line, file.get()) != nullptr) {
    if (sscanf(line, "voluntary_ctxt_switches: %" SCNd64, &count) == 1) usage->voluntary_switches += count;
    if (sscanf(line, "nonvoluntary_ctxt_switches: %" SCNd64, &count) == 1) usage->involuntary_switches += count;
  }
}

void AddSwitchesOfAllThreads(pid_t pid, Usage* usage) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(tasks.c_str()), closedir);
  if (folder == nullptr) return;
  while (const dirent* task = readdir(folder.get())) {
    if (task->d_name[0] != '.') AddSwitches(tasks + "/" + task->d_name + "/status", usage);
  }
}

}  // namespace

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

Usage Usage::operator-(const Usage& before) const {
  return {.at_ns = at_ns - before.at_ns,
          .cpu_us = cpu_us - before.cpu_us,
          .load_cpu_us = load_cpu_us - before.load_cpu_us,
          .voluntary_switches = voluntary_switches - before.voluntary_switches,
          .involuntary_switches = involuntary_switches - before.involuntary_switches};
}

Usage Usage::operator+(const Usage& other) const {
  return {.at_ns = at_ns + other.at_ns,
          .cpu_us = cpu_us + other.cpu_us,
          .load_cpu_us = load_cpu_us + other.load_cpu_us,
          .voluntary_switches = voluntary_switches + other.voluntary_switches,
          .involuntary_switches = involuntary_switches + other.involuntary_switches};
}

Usage UsageOf(pid_t pid) {
  Usage usage;
  if (pid != 0) AddSwitchesOfAllThreads(pid, &usage);
  usage.load_cpu_us = raw::NowUs(CLOCK_PROCESS_CPUTIME_ID);
  usage.at_ns = NowNs();
  usage.cpu_us = raw::CpuUsOf(pid);
  return usage;
}

}  // namespace kb::load

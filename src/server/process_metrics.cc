#include "server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace kb::server {
namespace {

void Add(std::string& text, const char* name, const char* type, const char* help, double value) {
  char number[48];
  std::snprintf(number, sizeof number, "%.17g", value);
  text +=
      std::string("# HELP ") + name + ' ' + help + "\n# TYPE " + name + ' ' + type + '\n' + name + ' ' + number + '\n';
}

// The fields of /proc/self/stat behind the name, which may hold spaces: the state, field 3, comes first.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t end_of_name = line.rfind(')');
  std::vector<std::string> fields;
  if (end_of_name == std::string::npos) return fields;
  std::istringstream rest(line.substr(end_of_name + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Seconds since 1970; 0: not known.
double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("btime ", 0) == 0) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

void AddStat(std::string& text) {
  constexpr size_t kUserTicks = 14 - 3, kSystemTicks = 15 - 3, kThreads = 20 - 3, kStartTicks = 22 - 3;
  constexpr size_t kVirtualBytes = 23 - 3, kResidentPages = 24 - 3;
  const std::vector<std::string> fields = StatFields();
  if (fields.size() <= kResidentPages) return;
  const auto number = [&](size_t i) { return std::strtod(fields[i].c_str(), nullptr); };
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  Add(text, "process_cpu_seconds_total", "counter", "Processor time, of the system included.",
      (number(kUserTicks) + number(kSystemTicks)) / ticks_per_second);
  Add(text, "process_resident_memory_bytes", "gauge", "Resident memory.",
      number(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  Add(text, "process_virtual_memory_bytes", "gauge", "Virtual memory.", number(kVirtualBytes));
  Add(text, "process_threads", "gauge", "Threads.", number(kThreads));
  const double boot_seconds = BootTime();
  if (boot_seconds <= 0) return;
  Add(text, "process_start_time_seconds", "gauge", "When the process was started, since 1970.",
      boot_seconds + number(kStartTicks) / ticks_per_second);
}

void AddDescriptors(std::string& text) {
  std::error_code failed;
  double open = -1;  // the one that lists them is not counted
  for (std::filesystem::directory_iterator each("/proc/self/fd", failed), end; !failed && each != end;
       each.increment(failed)) {
    ++open;
  }
  if (!failed) Add(text, "process_open_fds", "gauge", "Open descriptors.", open);
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  Add(text, "process_max_fds", "gauge", "Most descriptors that may be open.", static_cast<double>(limit.rlim_cur));
}

}  // namespace

std::string ProcessMetrics() {
  std::string text;
  AddStat(text);
  AddDescriptors(text);
  return text;
}

}  // namespace kb::server

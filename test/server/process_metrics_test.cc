// What is said of the process is said of this one, by the names that Prometheus' client libraries use.
#include "server/process_metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <sstream>
#include <string>

namespace kb::server {
namespace {

std::map<std::string, double> Read() {
  std::map<std::string, double> samples;
  std::istringstream lines(ProcessMetrics());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    const size_t space = line.find(' ');
    samples[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  return samples;
}

TEST(ProcessMetrics, SpeakOfThisProcess) {
  const std::map<std::string, double> before = Read();
  EXPECT_EQ(before.size(), 7u);
  EXPECT_GT(before.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(before.at("process_virtual_memory_bytes"), before.at("process_resident_memory_bytes"));
  EXPECT_GE(before.at("process_threads"), 1);
  EXPECT_GT(before.at("process_max_fds"), before.at("process_open_fds"));
  EXPECT_LT(before.at("process_start_time_seconds"), static_cast<double>(std::time(nullptr)) + 60);
  const int descriptor = dup(2);
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(Read().at("process_open_fds"), before.at("process_open_fds") + 1);
  close(descriptor);
  EXPECT_GE(Read().at("process_cpu_seconds_total"), before.at("process_cpu_seconds_total"));
}

}  // namespace
}  // namespace kb::server

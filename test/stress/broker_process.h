// What the broker's process has used, for programs that make load. Ends the program where it cannot be read.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>

namespace kb::raw {

int64_t NowUs(clockid_t clock = CLOCK_MONOTONIC);
// Of all its threads, by the kernel's clock of the process. pid 0: 0.
int64_t CpuUsOf(pid_t pid);
int64_t ResidentBytesOf(pid_t pid);

}  // namespace kb::raw

// What a process has used so far; the difference of two is what it used in between.
//
// Processor time is the kernel's clock of the process: user and system time of all its threads, nothing sampled.
// Context switches are the sums over the threads that there are; those of a thread that ends in between are lost.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace kb::load {

int64_t NowNs();

struct Usage {
  int64_t at_ns = 0;
  int64_t cpu_us = 0;
  int64_t load_cpu_us = 0;  // this process
  int64_t voluntary_switches = 0;
  int64_t involuntary_switches = 0;

  Usage operator-(const Usage& before) const;
  Usage operator+(const Usage& other) const;
  int64_t took_us() const { return at_ns / 1000; }  // of a difference
};

// Of the process `pid`; of none when it is 0. Ends the program where there is no such process.
Usage UsageOf(pid_t pid);

}  // namespace kb::load

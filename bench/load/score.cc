#include "load/score.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>

#include "load/usage.h"
#include "stress/broker_process.h"

namespace kb::load {

void ShowProgress(const Options& options, const Score* score, Loop* loop) {
  if (!options.progress && isatty(STDERR_FILENO) == 0) return;
  const auto pid = static_cast<pid_t>(options.pid);
  loop->set_progress([score, pid, begin_ns = NowNs(), last_ns = NowNs(), last = score->tally,
                      last_cpu_us = raw::CpuUsOf(pid)]() mutable {
    const int64_t now_ns = NowNs();
    const int64_t cpu_us = raw::CpuUsOf(pid);
    const double seconds = static_cast<double>(now_ns - last_ns) / 1e9;
    fprintf(stderr, "%4.0f s  %10" PRId64 " requests  %9.0f /s  %8.1f MB/s  p99 so far %8.3f ms  broker %3.0f %% CPU\n",
            static_cast<double>(now_ns - begin_ns) / 1e9, score->tally.requests,
            static_cast<double>(score->tally.requests - last.requests) / seconds,
            static_cast<double>(score->tally.bytes - last.bytes) / 1e6 / seconds,
            static_cast<double>(score->latencies.Percentile(0.99)) / 1e6,
            static_cast<double>(cpu_us - last_cpu_us) / 1e4 / seconds);
    last_ns = now_ns;
    last = score->tally;
    last_cpu_us = cpu_us;
  });
}

int64_t EndNs(const Options& options) {
  return options.requests > 0 ? Loop::kNever : NowNs() + static_cast<int64_t>(options.seconds * 1e9);
}

}  // namespace kb::load

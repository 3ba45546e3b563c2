// What a run has reached so far, and how long it may go on. Shared by the clients of a run; one thread.
#pragma once

#include <cstdint>

#include "load/histogram.h"
#include "load/loop.h"
#include "load/options.h"
#include "load/report.h"

namespace kb::load {

// Of the answers that were no errors. An error is counted in Errors and in nothing else.
struct Score {
  Tally tally;
  Histogram latencies;  // nanoseconds

  void Count(int64_t bytes, int64_t latency_ns) {
    ++tally.requests;
    tally.bytes += bytes;
    latencies.Add(latency_ns);
  }
};

// Who may still send: so many requests, or until a time, and not after too many errors.
class Quota {
 public:
  // requests 0: any number. errors outlives it.
  Quota(int64_t requests, int64_t end_ns, const Errors* errors)
      : left_(requests == 0 ? Loop::kNever : requests), end_ns_(end_ns), errors_(errors) {}

  bool Take(int64_t now_ns) {
    if (left_ == 0 || now_ns >= end_ns_ || errors_->too_many()) return false;
    --left_;
    ++open_;
    return true;
  }
  void Answered() { --open_; }
  int64_t open() const { return open_; }  // taken and not answered

 private:
  int64_t left_;
  const int64_t end_ns_;
  const Errors* const errors_;
  int64_t open_ = 0;
};

// Has the loop say once a second, on stderr, what was reached since the last time; on a terminal, or when it was asked
// for. Both outlive the loop's turns.
void ShowProgress(const Options& options, const Score* score, Loop* loop);

// `seconds` from now; never, when it is bounded by a number of requests.
int64_t EndNs(const Options& options);

}  // namespace kb::load

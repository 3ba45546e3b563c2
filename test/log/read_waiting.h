// A read as a consumer sees it: what is not in memory, or not checked yet, is waited for.
#pragma once

#include "log/log.h"

namespace kb::log {

inline ReadResult ReadWaiting(Log& log, ReadOptions options) {
  options.may_block = true;
  ReadResult result = log.Read(options);
  for (int round = 0; result.status == ReadStatus::kNeedsDisk && round < 100; ++round) {
    options.from_segment = result.segment;
    PrefetchJob job = log.PreparePrefetch(options);
    job.Run();
    log.PrefetchCompleted(job);
    result = log.Read(options);
  }
  return result;
}

}  // namespace kb::log

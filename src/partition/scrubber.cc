#include "partition/scrubber.h"

#include <algorithm>

#include "reactor/reactor.h"

namespace kb::partition {

namespace {

constexpr int64_t kLongestSleepMs = 1'000'000'000'000;

}  // namespace

reactor::Task<void> Scrubber::Run() {
  if (options_.bytes_per_second <= 0) co_return;
  reactor::Sleep start(std::min(options_.first_after_ms, kLongestSleepMs) * kNsPerMs);
  co_await start;
  while (!stopping_) {
    const int64_t began_ns = clock_.MonotonicNs();
    auto round = Round();
    co_await round;
    const int64_t passed_ns = clock_.MonotonicNs() - began_ns;
    const int64_t interval_ns = std::min(options_.interval_ms, kLongestSleepMs) * kNsPerMs;
    reactor::Sleep rest(std::max(interval_ns - passed_ns, kNsPerMs));
    co_await rest;
  }
}

reactor::Task<void> Scrubber::Round() {
  std::vector<PartitionId> ids = table_.Ids();
  for (const PartitionId& id : ids) {
    if (stopping_) co_return;
    auto scrub = ScrubPartition(id);
    co_await scrub;
  }
  ++statistics_.rounds;
  table_.metrics().scrub_rounds->Add();
}

reactor::Task<void> Scrubber::ScrubPartition(PartitionId id) {
  log::ScrubCursor cursor;
  cursor.anew = statistics_.rounds > 0;
  while (!stopping_) {
    std::shared_ptr<Partition> partition = table_.Find(id);
    if (partition == nullptr) co_return;
    auto some = partition->ScrubSome(cursor);
    uint64_t bytes = co_await some;
    if (bytes == 0) co_return;
    partition.reset();
    statistics_.bytes += bytes;
    reactor::Sleep rest(static_cast<int64_t>(bytes * 1'000 / static_cast<uint64_t>(options_.bytes_per_second) + 1) *
                        kNsPerMs);
    co_await rest;
  }
}

}  // namespace kb::partition

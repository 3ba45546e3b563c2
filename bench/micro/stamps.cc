// What a request pays for knowing where its time went.
#include <benchmark/benchmark.h>

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "broker/api_table.h"
#include "broker/request_times.h"
#include "net/socket.h"

namespace kb::broker {
namespace {

void KernelClock(benchmark::State& state) {
  const Clock& clock = SystemClock();
  for (auto _ : state) benchmark::DoNotOptimize(clock.MonotonicNs());
}
BENCHMARK(KernelClock);

// As it is when the worth of a tick is known.
void StampClock(benchmark::State& state) {
  const Clock& clock = SystemClock();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  for (auto _ : state) benchmark::DoNotOptimize(clock.StampNs());
}
BENCHMARK(StampClock)->Iterations(1'000'000);

// All of a Produce with acks=1 for a partition that is at home with its connection: five stamps, five histograms.
void StampsOfAProduce(benchmark::State& state) {
  const Clock& clock = SystemClock();
  metrics::Registry registry(1);
  RequestTimes times(registry, 0, NullLogSink(), clock, 1000);
  const ApiRow& row = *FindRow(0);
  const net::Address peer;
  for (auto _ : state) {
    auto trace = std::make_unique<RequestTrace>(times, clock.StampNs());
    trace->End(Stage::kDecode, clock.StampNs());
    trace->End(Stage::kAppend, clock.StampNs());
    trace->Answered(clock.StampNs());
    trace->set_what(row, 11, "producer-1");
    trace->set_sizes(200, 60);
    trace->set_partitions(1);
    trace->End(Stage::kSend, clock.StampNs());
    times.Record(*trace, peer);
  }
}
BENCHMARK(StampsOfAProduce);

}  // namespace
}  // namespace kb::broker

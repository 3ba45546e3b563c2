// Consumer groups at their largest: how long one call keeps the reactor. The time of an iteration is that of the
// longest call; everything else of the reactor waits that long.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "group/shard.h"
#include "group/simulated_surroundings.h"

namespace kb::group {
namespace {

// Of this thread: the longest of thousands of calls would often be one that somebody else interrupted.
double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// One group, its log a count of offsets.
class LargeGroup {
 public:
  // topics of this many partitions each
  LargeGroup(int64_t topics, int32_t partitions) {
    for (int64_t i = 0; i < topics; ++i) topics_.Create("topic-" + std::to_string(i), partitions);
    Settle(shard_.Loaded(now_));
  }

  ConsumerGroupHeartbeatRequest Joining(const std::string& member) const {
    ConsumerGroupHeartbeatRequest request = Beating(member, 0);
    request.rebalance_timeout_ms = 300'000;
    request.owned.emplace();
    return request;
  }
  ConsumerGroupHeartbeatRequest Beating(const std::string& member, int32_t epoch) const {
    ConsumerGroupHeartbeatRequest request;
    request.version = 1;
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = epoch;
    return request;
  }
  // In seconds.
  double Send(ConsumerGroupHeartbeatRequest request) {
    return Timed([&] { return shard_.ConsumerGroupHeartbeat(++ticket_, std::move(request), now_); });
  }
  // What is due within `ms`, one after the other: the longest.
  double LongestTimer(int64_t ms) {
    const int64_t until = now_.monotonic_ms + ms;
    double longest = 0;
    for (std::optional<int64_t> next = shard_.NextDeadlineMs(); next.has_value() && *next <= until;
         next = shard_.NextDeadlineMs()) {
      Pass(std::max<int64_t>(*next - now_.monotonic_ms, 0));
      longest = std::max(longest, Timed([&] { return shard_.Expire(now_); }));
    }
    Pass(until - now_.monotonic_ms);
    return longest;
  }
  void Pass(int64_t ms) {
    now_.monotonic_ms += ms;
    now_.wall_ms += ms;
  }
  void CreateTopic(const std::string& name) {
    topics_.Create(name, 1);
    shard_.TopicsChanged({name}, true);
  }

 private:
  template <typename Call>
  double Timed(Call call) {
    const double begin = CpuSeconds();
    Outcome outcome = call();
    const double took = CpuSeconds() - begin;
    Settle(std::move(outcome));
    return took;
  }
  void Settle(Outcome outcome) {
    if (outcome.write_id == 0) return;
    shard_.Appended(outcome.write_id, offset_);
    offset_ += static_cast<int64_t>(outcome.records.size());
    shard_.Committed(offset_, now_);
  }

  SimulatedSurroundings topics_;
  Random random_{1};
  GroupShard shard_{GroupConfig(), random_, topics_};
  Now now_{.wall_ms = 1'700'000'000'000, .monotonic_ms = 1'000'000};
  Ticket ticket_ = 0;
  int64_t offset_ = 0;
};

std::string NameOfMember(int64_t i) {
  return "member-" + std::to_string(i);
}

// Members with one expression that stands for all topics; then a topic is created, and each of them heartbeats.
// Arguments: topics, members. Counters in µs: the longest timer (resolving), the longest heartbeat of a member that
// joins, and of one that is there.
void TakeOverExpression(benchmark::State& state) {
  for (auto _ : state) {
    LargeGroup group(state.range(0), 1);
    double joining = 0;
    double beating = 0;
    double resolving = 0;
    for (int64_t i = 0; i < state.range(1); ++i) {
      ConsumerGroupHeartbeatRequest request = group.Joining(NameOfMember(i));
      request.subscribed_topic_regex = "topic-.*";
      joining = std::max(joining, group.Send(std::move(request)));
      if (i == 0) resolving = group.LongestTimer(1'000);
    }
    for (int round = 0; round < 3; ++round) {
      group.Pass(11'000);
      group.CreateTopic("topic-new-" + std::to_string(round));
      for (int64_t i = 0; i < state.range(1); ++i) {
        beating = std::max(beating, group.Send(group.Joining(NameOfMember(i))));
        if (i == 0) resolving = std::max(resolving, group.LongestTimer(2'000));
      }
    }
    state.SetIterationTime(std::max({joining, beating, resolving}));
    state.counters["resolving_us"] = resolving * 1e6;
    state.counters["joining_us"] = joining * 1e6;
    state.counters["beating_us"] = beating * 1e6;
  }
}
BENCHMARK(TakeOverExpression)
    ->Args({100, 10})
    ->Args({10'000, 1'000})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime()
    ->Iterations(1);

// The target of a group is computed anew with the last member that joins. Arguments: members, partitions (of one
// topic), whether by ranges.
void ComputeTarget(benchmark::State& state) {
  for (auto _ : state) {
    LargeGroup group(1, static_cast<int32_t>(state.range(1)));
    double longest = 0;
    for (int64_t i = 0; i < state.range(0); ++i) {
      ConsumerGroupHeartbeatRequest request = group.Joining(NameOfMember(i));
      request.subscribed_topic_names = {"topic-0"};
      request.server_assignor = state.range(2) == 0 ? "uniform" : "range";
      if (i + 1 == state.range(0)) group.Pass(1'000);
      longest = std::max(longest, group.Send(std::move(request)));
    }
    state.SetIterationTime(longest);
  }
}
BENCHMARK(ComputeTarget)
    ->Args({10, 100, 0})
    ->Args({2'000, 10'000, 0})
    ->Args({2'000, 10'000, 1})
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime()
    ->Iterations(3);

}  // namespace
}  // namespace kb::group

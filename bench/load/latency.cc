// Modes latency and mixed: messages at a fixed rate, and how long each is under way from the time it was due.
//
// The schedule is open: message k is due at begin + k / rate, whatever became of those before it.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "load/fetching_client.h"
#include "load/modes.h"
#include "load/score.h"
#include "load/timed_clients.h"
#include "load/usage.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr int64_t kSecondNs = 1000000000;
constexpr int64_t kHeadStartNs = 100000000;  // for the consumers' first polls, before the first message is due
// Whoever sleeps until a message is due wakes some 30 µs later, and that would be in every latency. So it sleeps a
// little less and looks for events without waiting from then on; not for a larger share of its time than this.
constexpr int64_t kAwakeNs = 40000;
constexpr double kMostAwake = 0.05;
constexpr int64_t kMostUnanswered = 1000000;

class TimedRun {
 public:
  TimedRun(const Options& options, const Topic& topic, Loop* loop, Errors* errors)
      : options_(options),
        loop_(loop),
        errors_(errors),
        mark_(static_cast<int64_t>((uint64_t{std::random_device()()} << 32) | std::random_device()())),
        total_(std::max<int64_t>(1, static_cast<int64_t>(options.seconds * options.rate))),
        awake_ns_(std::min(kAwakeNs, static_cast<int64_t>(kMostAwake * 1e9 / options.rate))) {
    for (int64_t i = 0; i < options.producers; ++i) {
      producers_.push_back(std::make_unique<TimedProducer>(loop, options, mark_, options.share ? 1 : options.consumers,
                                                           &score_, errors));
    }
    for (int64_t i = 0; i < options.consumers; ++i) AddConsumer(topic, i);
  }

  // Until everything has arrived everywhere, or too many errors have.
  Usage Run() {
    const auto pid = static_cast<pid_t>(options_.pid);
    ShowProgress(options_, &score_.arrived, loop_);
    for (const auto& consumer : consumers_) consumer->Begin();
    begin_ns_ = NowNs() + kHeadStartNs;
    while (NowNs() < begin_ns_) loop_->Turn(begin_ns_);
    const Usage before = UsageOf(pid);
    while (!Done()) {
      SendDue();
      loop_->Turn(score_.sent < total_ ? DueNs(score_.sent) - awake_ns_ : NowNs() + kSecondNs);
      CheckSilence();
    }
    return UsageOf(pid) - before;
  }

  Outcome Show(const Usage& used) const;

 private:
  void AddConsumer(const Topic& topic, int64_t index) {
    std::vector<int32_t> partitions;
    for (int64_t p = options_.share ? index : 0; p < options_.partitions;
         p += options_.share ? options_.consumers : 1) {
      partitions.push_back(static_cast<int32_t>(p));
    }
    if (partitions.empty()) return;
    consumers_.push_back(std::make_unique<TailingClient>(loop_, options_, topic, partitions, mark_, &score_, errors_));
  }

  bool Done() const {
    if (errors_->too_many()) return true;
    return score_.sent == total_ && score_.answered == total_ && score_.arrived.tally.requests >= score_.expected;
  }

  // The long polls are answered in any case, so the loop does not notice that messages stay away.
  void CheckSilence() {
    const int64_t heard = score_.answered + score_.arrived.tally.requests;
    const int64_t now_ns = NowNs();
    const bool waits = score_.sent > score_.answered || score_.expected > score_.arrived.tally.requests;
    if (heard != heard_ || !waits) {
      heard_ = heard;
      heard_ns_ = now_ns;
    } else if (now_ns - heard_ns_ > kSilenceSeconds * kSecondNs) {
      raw::Die("within " + std::to_string(kSilenceSeconds) + " seconds " +
               std::to_string(score_.sent - score_.answered) + " messages were not answered, and " +
               std::to_string(score_.expected - score_.arrived.tally.requests) + " did not arrive");
    }
  }

  int64_t DueNs(int64_t message) const {
    return begin_ns_ + static_cast<int64_t>(static_cast<double>(message) * 1e9 / options_.rate);
  }

  void SendDue() {
    const int64_t now_ns = NowNs();
    const int64_t first = score_.sent;
    for (int64_t due_ns = DueNs(first); score_.sent < total_ && due_ns <= now_ns; due_ns = DueNs(score_.sent)) {
      score_.late.Add(now_ns - due_ns);
      const int64_t message = score_.sent;
      producers_[static_cast<size_t>(message % options_.producers)]->Add(
          static_cast<int32_t>(message % options_.partitions), due_ns);
    }
    const int64_t count = std::min(score_.sent - first, options_.producers);
    for (int64_t i = 0; i < count; ++i) producers_[static_cast<size_t>((first + i) % options_.producers)]->SendAll();
    if (score_.sent - score_.answered > kMostUnanswered) {
      raw::Die("the broker does not keep up: " + std::to_string(kMostUnanswered) + " messages have no answer");
    }
  }

  const Options& options_;
  Loop* const loop_;
  Errors* const errors_;
  const int64_t mark_;
  const int64_t total_;
  const int64_t awake_ns_;
  TimedScore score_;
  std::vector<std::unique_ptr<TimedProducer>> producers_;
  std::vector<std::unique_ptr<TailingClient>> consumers_;
  int64_t begin_ns_ = 0;
  int64_t heard_ = 0;  // answers and arrivals, and when there was one last
  int64_t heard_ns_ = NowNs();
};

Outcome TimedRun::Show(const Usage& used) const {
  const Tally tally{.requests = score_.acknowledged, .bytes = score_.acknowledged * producers_[0]->batch_bytes()};
  const auto per = [](double value, int64_t count) { return count > 0 ? value / static_cast<double>(count) : 0; };
  const auto cpu_us = static_cast<double>(used.cpu_us);
  const auto us = [](int64_t ns) { return static_cast<double>(ns) / 1e3; };
  Outcome outcome{.report = ShowUsage(used, static_cast<pid_t>(options_.pid)), .latencies = score_.arrived.latencies};
  Report& report = outcome.report;
  report.Append(ShowPerRequest(used, tally));
  report.Real("rate", options_.rate, 1);
  report.Whole("messages", score_.acknowledged);
  report.Whole("delivered", score_.arrived.tally.requests);
  report.Whole("fetches", score_.fetches);
  report.Real("cpu_us_per_message", per(cpu_us, score_.acknowledged), 3);
  report.Real("cpu_us_per_delivery", per(cpu_us, score_.arrived.tally.requests), 3);
  report.Real("cpu_share", per(cpu_us, used.took_us()), 4);
  report.Append(ShowPercentiles(score_.arrived.latencies));
  report.Real("acked_p50_us", us(score_.acked.Percentile(0.5)), 1);
  report.Real("acked_p99_us", us(score_.acked.Percentile(0.99)), 1);
  report.Real("late_p50_us", us(score_.late.Percentile(0.5)), 1);
  report.Real("late_p99_us", us(score_.late.Percentile(0.99)), 1);
  report.Real("late_max_us", us(score_.late.max()), 1);
  report.Append(ShowDistribution(score_.arrived.latencies));
  return outcome;
}

}  // namespace

Outcome RunLatency(const Options& options, const Topic& topic, Errors* errors) {
  Loop loop;
  TimedRun run(options, topic, &loop, errors);
  const Usage used = run.Run();
  return run.Show(used);
}

Outcome RunMixed(const Options& options, const Topic& topic, const Topic& backlog, Errors* errors) {
  Outcome without = RunLatency(options, topic, errors);
  Topic grown;
  const auto port = static_cast<uint16_t>(options.port);
  const std::string wrong = AskTopic(port, "topic", options.topic, options.partitions, !options.no_check, &grown);
  if (!wrong.empty()) raw::Die(wrong);

  Loop loop;
  TimedRun run(options, grown, &loop, errors);
  Score read;
  Quota quota(0, Loop::kNever, errors);
  std::vector<size_t> partitions(backlog.begin.size());
  for (size_t i = 0; i < partitions.size(); ++i) partitions[i] = i;
  FetchingClient reader(&loop, port, &backlog, partitions, options.fetch_bytes, FetchingClient::Until::kStopped, &quota,
                        &read, errors);
  reader.Begin();
  const Usage used = run.Run();
  Outcome with = run.Show(used);
  with.report.Whole("backlog_bytes", read.tally.bytes);
  with.report.Real("backlog_mb_per_s", static_cast<double>(read.tally.bytes) / static_cast<double>(used.took_us()), 2);

  Outcome outcome = with;
  const auto p99_without = static_cast<double>(without.latencies.Percentile(0.99));
  outcome.report.Real("p99_ratio",
                      p99_without > 0 ? static_cast<double>(with.latencies.Percentile(0.99)) / p99_without : 0, 3);
  outcome.report.Part("without", std::move(without.report));
  outcome.report.Part("with", std::move(with.report));
  return outcome;
}

}  // namespace kb::load

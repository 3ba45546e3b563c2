// Modes idle and storm: what connections cost that say next to nothing.
#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "load/loop.h"
#include "load/modes.h"
#include "load/score.h"
#include "load/usage.h"
#include "load/wire.h"
#include "stress/broker_process.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr int16_t kApiVersions = 18;
constexpr size_t kSmallReadBytes = 1024;  // of thousands of connections
constexpr int kSources = 200;             // addresses to connect from, in turns: each has its own ephemeral ports

using Wires = std::vector<std::unique_ptr<Wire>>;

std::string Question() {
  return raw::Request(kApiVersions, 0, 1, "");
}

// Counts one connection that was asked and has answered.
void CountAnswer(std::string_view frame, int64_t since_ns, Score* score, Errors* errors) {
  raw::In in(frame);
  if (in.I32() != 1) raw::Die("an answer to another request");
  const int16_t error = in.I16();
  if (error != 0) {
    errors->Count(error);
  } else {
    score->Count(0, NowNs() - since_ns);
  }
}

Wires OpenOneByOne(const Options& options, uint8_t source, Score* score, Errors* errors) {
  const std::string question = Question();
  Wires wires;
  for (int64_t i = 0; i < options.connections && !errors->too_many(); ++i) {
    const int64_t since_ns = NowNs();
    wires.push_back(std::make_unique<Wire>(static_cast<uint16_t>(options.port), source, kSmallReadBytes));
    wires.back()->AwaitConnected();
    CountAnswer(wires.back()->Call(question), since_ns, score, errors);
  }
  return wires;
}

// Is connecting, then asks, then has its answer.
class Knocker : public Watcher {
 public:
  Knocker(Loop* loop, uint16_t port, uint8_t source, std::string_view question, Score* score, Errors* errors)
      : loop_(loop),
        question_(question),
        score_(score),
        errors_(errors),
        since_ns_(NowNs()),
        wire_(port, source, kSmallReadBytes) {
    loop_->Add(wire_.descriptor(), this, /*writable=*/true);
  }

  bool answered() const { return answered_; }

  void OnEvents(uint32_t events) override {
    if (!asked_) {
      wire_.CheckConnected();
      if ((events & EPOLLOUT) == 0) return;
      asked_ = true;
      wire_.Queue(question_);
      wire_.Flush();  // a few bytes into an empty socket
      loop_->Change(wire_.descriptor(), this, /*writable=*/false);
      return;
    }
    wire_.Receive();
    std::string_view frame;
    if (!wire_.NextFrame(&frame)) return;
    answered_ = true;
    CountAnswer(frame, since_ns_, score_, errors_);
  }

 private:
  Loop* const loop_;
  const std::string_view question_;
  Score* const score_;
  Errors* const errors_;
  const int64_t since_ns_;
  Wire wire_;
  bool asked_ = false;
  bool answered_ = false;
};

// One opening of all the connections, up to the last answer. They are closed when it ends.
class Round {
 public:
  Round(const Options& options, uint8_t source, Errors* errors) : options_(options), source_(source), errors_(errors) {}

  void OneByOne() {
    const pid_t pid = static_cast<pid_t>(options_.pid);
    const Usage before = UsageOf(pid);
    const Wires wires = OpenOneByOne(options_, source_, &score_, errors_);
    Finish("one by one", UsageOf(pid) - before);
  }

  void Together() {
    const pid_t pid = static_cast<pid_t>(options_.pid);
    const std::string question = Question();
    Loop loop;
    ShowProgress(options_, &score_, &loop);
    const int64_t errors_before = errors_->total();
    const Usage before = UsageOf(pid);
    std::vector<std::unique_ptr<Knocker>> knockers;
    for (int64_t i = 0; i < options_.connections; ++i) {
      knockers.push_back(
          std::make_unique<Knocker>(&loop, static_cast<uint16_t>(options_.port), source_, question, &score_, errors_));
    }
    while (score_.tally.requests + errors_->total() - errors_before < options_.connections && !errors_->too_many()) {
      loop.Turn();
    }
    Finish("together", UsageOf(pid) - before);
  }

  double seconds() const { return seconds_; }
  const Usage& used() const { return used_; }
  Report TakeReport() { return std::move(report_); }

 private:
  void Finish(std::string_view how, const Usage& used) {
    used_ = used;
    seconds_ = static_cast<double>(used.took_us()) / 1e6;
    report_.Text("how", how);
    report_.Real("seconds", seconds_, 4);
    report_.Real("cpu_us_per_connection", static_cast<double>(used.cpu_us) / static_cast<double>(options_.connections),
                 2);
    report_.Append(ShowUsage(used, static_cast<pid_t>(options_.pid)));
    report_.Append(ShowPercentiles(score_.latencies));
  }

  const Options& options_;
  const uint8_t source_;
  Errors* const errors_;
  Score score_;
  Usage used_;
  double seconds_ = 0;
  Report report_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Sleep(double seconds) {
  timespec left{.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0};
  left.tv_nsec = static_cast<int64_t>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace

Outcome RunIdle(const Options& options, Errors* errors) {
  const auto pid = static_cast<pid_t>(options.pid);
  Score score;
  const int64_t resident_before = raw::ResidentBytesOf(pid);
  const Usage before = UsageOf(pid);
  const Wires wires = OpenOneByOne(options, /*source=*/1, &score, errors);
  const Usage opened = UsageOf(pid);
  const int64_t resident = raw::ResidentBytesOf(pid);
  Outcome outcome{.report = ShowUsage(opened - before, pid), .latencies = score.latencies};
  outcome.report.Whole("connections", score.tally.requests);
  outcome.report.Whole("grown_bytes", resident - resident_before);
  outcome.report.Append(ShowPercentiles(score.latencies));
  if (options.hold_seconds > 0 && !errors->too_many()) {
    Sleep(options.hold_seconds);
    const Usage held = UsageOf(pid) - opened;
    outcome.report.Whole("hold_cpu_us", held.cpu_us);
    outcome.report.Real("hold_cpu_us_per_s",
                        static_cast<double>(held.cpu_us) * 1e6 / static_cast<double>(held.took_us()), 1);
    outcome.report.Whole("hold_resident_bytes", raw::ResidentBytesOf(pid));
  }
  return outcome;
}

Outcome RunStorm(const Options& options, Errors* errors) {
  std::vector<Report> reports;
  std::vector<double> together_s;
  Usage used;
  double one_by_one_s = 0;
  // One after another; then all at once, if that is wanted. Each as often as there are rounds, but what is slow once
  // only.
  const int64_t rounds = options.together ? options.rounds + 1 : options.rounds;
  for (int64_t i = 0; i < rounds && !errors->too_many(); ++i) {
    Round round(options, static_cast<uint8_t>(1 + i % kSources), errors);
    if (i > 0 && options.together) {
      round.Together();
      together_s.push_back(round.seconds());
    } else {
      round.OneByOne();
      if (i == 0) one_by_one_s = round.seconds();
    }
    used = used + round.used();
    reports.push_back(round.TakeReport());
  }
  Outcome outcome{.report = ShowUsage(used, static_cast<pid_t>(options.pid)), .latencies = {}};
  outcome.report.Whole("connections", options.connections);
  outcome.report.Real("one_by_one_s", one_by_one_s, 4);
  if (!together_s.empty()) outcome.report.Real("together_s", Median(together_s), 4);
  outcome.report.Parts("rounds", std::move(reports));
  return outcome;
}

}  // namespace kb::load

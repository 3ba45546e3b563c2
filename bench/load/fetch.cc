// Mode fetch: reading what is there, for some seconds, or a number of times with each time on its own.
#include <memory>
#include <vector>

#include "load/fetching_client.h"
#include "load/modes.h"
#include "load/score.h"
#include "load/usage.h"

namespace kb::load {
namespace {

using Clients = std::vector<std::unique_ptr<FetchingClient>>;

// Each connection one partition, or, where they are shared out, all whose number leaves the connection's.
Clients Connect(const Options& options, const Topic& topic, bool share_out, Loop* loop, Quota* quota, Score* score,
                Errors* errors) {
  Clients clients;
  const auto connections = static_cast<size_t>(options.connections);
  for (size_t i = 0; i < connections; ++i) {
    std::vector<size_t> partitions{i % topic.begin.size()};
    for (size_t p = i + connections; share_out && p < topic.begin.size(); p += connections) partitions.push_back(p);
    clients.push_back(std::make_unique<FetchingClient>(
        loop, static_cast<uint16_t>(options.port), &topic, std::move(partitions), options.fetch_bytes,
        share_out ? FetchingClient::Until::kEnd : FetchingClient::Until::kStopped, quota, score, errors));
  }
  return clients;
}

Report ShowPass(const Usage& used, const Tally& tally, pid_t pid) {
  Report report = ShowUsage(used, pid);
  report.Append(ShowPerRequest(used, tally));
  return report;
}

}  // namespace

Outcome RunFetch(const Options& options, const Topic& topic, Errors* errors) {
  const auto pid = static_cast<pid_t>(options.pid);
  Loop loop;
  Score score;
  const bool by_passes = options.passes > 0;
  Usage used;
  Usage before = UsageOf(pid);
  Quota quota(options.requests, by_passes ? Loop::kNever : EndNs(options), errors);
  const Clients clients = Connect(options, topic, by_passes, &loop, &quota, &score, errors);
  ShowProgress(options, &score, &loop);
  std::vector<Report> passes;
  do {
    const Tally tally = score.tally;
    if (by_passes) before = UsageOf(pid);
    for (const auto& client : clients) client->Begin();
    while (quota.open() > 0) loop.Turn();
    const Usage pass = UsageOf(pid) - before;
    used = used + pass;
    passes.push_back(ShowPass(pass, score.tally - tally, pid));
  } while (static_cast<int64_t>(passes.size()) < options.passes && !errors->too_many());

  Outcome outcome{.report = ShowUsage(used, pid), .latencies = score.latencies};
  outcome.report.Append(ShowPerRequest(used, score.tally));
  outcome.report.Append(ShowPercentiles(score.latencies));
  if (by_passes) outcome.report.Parts("passes", std::move(passes));
  outcome.report.Append(ShowDistribution(score.latencies));
  return outcome;
}

}  // namespace kb::load

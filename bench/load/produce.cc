// Modes produce and partitions: the same batches as fast as they are answered, so many requests of a connection at a
// time.
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "load/batches.h"
#include "load/client.h"
#include "load/modes.h"
#include "load/score.h"
#include "load/usage.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

// What of a request is not the batch. Made once and patched: only these numbers change from one request to the next.
class Head {
 public:
  Head(std::string_view topic, int16_t acks)
      : bytes_(raw::ProduceRequest(/*correlation_id=*/0, topic, /*partition=*/0, acks, /*batch=*/{})) {}

  std::string_view Patch(int32_t correlation_id, int32_t partition, size_t batch_bytes) {
    auto* const bytes = reinterpret_cast<uint8_t*>(bytes_.data());
    StoreBigEndian<int32_t>(bytes, static_cast<int32_t>(bytes_.size() - kLengthBytes + batch_bytes));
    StoreBigEndian<int32_t>(bytes + kCorrelationAt, correlation_id);
    StoreBigEndian<int32_t>(bytes + bytes_.size() - 8, partition);
    StoreBigEndian<int32_t>(bytes + bytes_.size() - 4, static_cast<int32_t>(batch_bytes));
    return bytes_;
  }

 private:
  static constexpr size_t kLengthBytes = 4;
  static constexpr size_t kCorrelationAt = 8;  // behind length, key and version
  std::string bytes_;
};

struct Shared {
  const Options& options;
  const std::vector<std::string>& batches;
  Quota* quota;
  Score* score;
  Errors* errors;
};

class ProducingClient : public Client {
 public:
  // Writes to `partition`, and with each request `step` partitions further.
  ProducingClient(Loop* loop, const Shared& run, int64_t partition, int64_t step)
      : Client(loop, static_cast<uint16_t>(run.options.port)),
        run_(run),
        partition_(partition),
        step_(step),
        heads_(static_cast<size_t>(run.options.in_flight),
               Head(run.options.topic, static_cast<int16_t>(run.options.acks))) {}

  void Fill() {
    const int64_t now_ns = NowNs();
    while (in_flight() < heads_.size() && run_.quota->Take(now_ns)) {
      const std::string& batch = BatchOf(sent_);
      Head& head = heads_[sent_ % heads_.size()];  // whose last request was answered
      Ask(head.Patch(static_cast<int32_t>(sent_), static_cast<int32_t>(partition_), batch.size()), batch, now_ns);
      partition_ = (partition_ + step_) % run_.options.partitions;
      ++sent_;
    }
    Flush();
  }

 protected:
  void OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) override {
    const raw::Produced answer = raw::ParseProduced(frame);
    if (answer.correlation_id != static_cast<int32_t>(answered_)) raw::Die("an answer to another request");
    run_.quota->Answered();
    if (answer.error != 0) {
      run_.errors->Count(answer.error);
    } else {
      run_.score->Count(static_cast<int64_t>(BatchOf(answered_).size()), now_ns - since_ns);
    }
    ++answered_;
  }
  void OnAnswered() override { Fill(); }

 private:
  const std::string& BatchOf(size_t request) const { return run_.batches[request % run_.batches.size()]; }

  const Shared run_;
  int64_t partition_;
  const int64_t step_;
  std::vector<Head> heads_;  // one for each request that may be in flight
  size_t sent_ = 0;
  size_t answered_ = 0;
};

}  // namespace

Outcome RunProduce(const Options& options, const Topic&, Errors* errors) {
  const std::vector<std::string> batches = MakeBatches(options);
  const auto pid = static_cast<pid_t>(options.pid);
  Loop loop;
  Score score;
  const bool round_robin = options.Is(kPartitions);
  std::vector<std::unique_ptr<ProducingClient>> clients;
  const Usage before = UsageOf(pid);
  Quota quota(options.requests, EndNs(options), errors);
  const Shared run{.options = options, .batches = batches, .quota = &quota, .score = &score, .errors = errors};
  ShowProgress(options, &score, &loop);
  for (int64_t i = 0; i < options.connections; ++i) {
    // Round robin: they begin far apart.
    const int64_t partition = round_robin ? i * options.partitions / options.connections : i;
    clients.push_back(
        std::make_unique<ProducingClient>(&loop, run, partition % options.partitions, round_robin ? 1 : 0));
  }
  for (const auto& client : clients) client->Fill();
  while (quota.open() > 0) loop.Turn();
  const Usage used = UsageOf(pid) - before;

  Outcome outcome{.report = ShowUsage(used, pid), .latencies = score.latencies};
  outcome.report.Append(ShowPerRequest(used, score.tally));
  outcome.report.Append(ShowPercentiles(score.latencies));
  outcome.report.Append(ShowDistribution(score.latencies));
  return outcome;
}

}  // namespace kb::load

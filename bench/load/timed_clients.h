// The two sides of an end-to-end latency: who sends messages when they are due, and who tails the log for them.
// Both live on their Loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "load/client.h"
#include "load/options.h"
#include "load/score.h"
#include "load/timed_message.h"
#include "load/topic.h"

namespace kb::load {

// What a run of messages comes to. One latency is counted from due to arrival at one consumer.
struct TimedScore {
  Score arrived;    // its bytes stay 0
  Histogram acked;  // due to acknowledged
  Histogram late;   // due to sent
  int64_t sent = 0;
  int64_t answered = 0;      // with an error or without
  int64_t acknowledged = 0;  // without
  int64_t expected = 0;      // arrivals of what was acknowledged, at all consumers
  int64_t fetches = 0;
};

class TimedProducer : public Client {
 public:
  // copies: how many consumers get a message. Everything outlives it.
  TimedProducer(Loop* loop, const Options& options, int64_t mark, int64_t copies, TimedScore* score, Errors* errors);

  // Leaves with the next SendAll.
  void Add(int32_t partition, int64_t due_ns);
  void SendAll() { Flush(); }
  int64_t batch_bytes() const { return sample_.batch_bytes(); }

 protected:
  void OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) override;

 private:
  const TimedRequest sample_;
  const int64_t copies_;
  TimedScore* const score_;
  Errors* const errors_;
  std::deque<std::unique_ptr<TimedRequest>> under_way_;
  std::vector<std::unique_ptr<TimedRequest>> spare_;
  int32_t correlation_id_ = 0;
};

// Asks with long polls for what comes behind the topic's end, in a fetch session (KIP-227) where the broker gives one:
// then a request names only partitions that have moved.
class TailingClient : public Client {
 public:
  TailingClient(Loop* loop, const Options& options, const Topic& topic, std::vector<int32_t> partitions, int64_t mark,
                TimedScore* score, Errors* errors);

  void Begin() { AskAgain(); }

 protected:
  void OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) override;
  void OnAnswered() override { AskAgain(); }

 private:
  struct Place {
    int32_t partition = 0;
    int64_t offset = 0;
    bool moved = true;  // the session does not know this offset yet
  };

  void AskAgain();
  void BeginSessionAnew();
  void OnPartition(int32_t partition, std::string_view records, int64_t now_ns);

  const std::string topic_;
  const int32_t fetch_bytes_;
  const int64_t mark_;
  TimedScore* const score_;
  Errors* const errors_;
  std::vector<Place> places_;
  std::vector<size_t> place_of_;  // by partition
  int32_t session_id_ = 0;
  int32_t session_epoch_ = 0;  // 0: asks for a session; -1: goes without one
  int32_t correlation_id_ = 0;
  std::string request_;
};

}  // namespace kb::load

// One connection that reads partitions from their beginning to their end, one request at a time. Lives on its Loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "load/client.h"
#include "load/score.h"
#include "load/topic.h"

namespace kb::load {

class FetchingClient : public Client {
 public:
  enum class Until {
    kStopped,  // again and again, up to what is there by then, while the quota lasts
    kEnd,      // once with each Begin, up to what was there before the run
  };
  // Everything outlives it.
  FetchingClient(Loop* loop, uint16_t port, const Topic* topic, std::vector<size_t> partitions, int64_t fetch_bytes,
                 Until until, Quota* quota, Score* score, Errors* errors);

  // From the first partition's beginning.
  void Begin();

 protected:
  void OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) override;
  void OnAnswered() override { AskNext(); }

 private:
  void OpenPartition();
  void AskNext();
  void Advance(std::string_view records, int64_t high_watermark);

  const Topic* const topic_;
  const std::vector<size_t> partitions_;
  const int64_t fetch_bytes_;
  const Until until_;
  Quota* const quota_;
  Score* const score_;
  Errors* const errors_;
  size_t at_ = 0;       // of partitions_; its size: all are read
  int64_t offset_ = 0;  // of the next record
  int64_t end_ = 0;     // where this partition ends, as far as is known
  int idle_ = 0;        // answers in a row that brought nothing although there is something
  int32_t correlation_id_ = 0;
  std::string request_;
};

}  // namespace kb::load

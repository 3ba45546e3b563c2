// RequestTimes: what becomes of the stamps of the requests of one reactor.
//
//   broker_request_seconds{request="Produce"}                          from the last byte read to the last one sent
//   broker_request_stage_seconds{request="Produce",stage="durable"}    each stage of request_trace.h that it had
//
// Histograms are made when the first request has that stage: at most ten for an API, of 256 bytes for each reactor. One
// line in the log for a request that was busy for longer than request.slow.ms; not for what it waited by intention, or
// behind another one. At most kMostLines in a minute for each API and reactor.
//
// Reactor-affine; the figures may be read by anybody (metrics/metrics.h).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/log_sink.h"
#include "broker/request_trace.h"
#include "metrics/metrics.h"
#include "net/socket.h"

namespace kb::broker {

class RequestTimes {
 public:
  static constexpr int kMostLines = 5;

  // slow_ms: 0, or below, is never.
  RequestTimes(metrics::Registry& registry, size_t shard, LogSink& log, const Clock& clock, int64_t slow_ms)
      : registry_(registry),
        shard_(shard),
        log_(log, clock, kMostLines),
        slow_ns_(slow_ms <= 0 ? INT64_MAX : std::min(slow_ms, INT64_MAX / kNsPerMs) * kNsPerMs) {}

  // A request has come to its end.
  void Record(const RequestTrace& trace, const net::Address& peer);

 private:
  struct OfApi {
    metrics::Durations* total = nullptr;
    std::array<metrics::Durations*, kStages> stages{};
  };
  metrics::Durations* Make(const RequestTrace& trace, OfApi& api, Stage stage);
  OfApi& MakeApi(const RequestTrace& trace, size_t place);

  metrics::Registry& registry_;
  const size_t shard_;
  RateLimitedLog log_;
  const int64_t slow_ns_;
  std::vector<std::unique_ptr<OfApi>> apis_;  // by place in the api table; none yet: nullptr
};

// The line about a slow one.
std::string DescribeSlow(const RequestTrace& trace, const net::Address& peer);

}  // namespace kb::broker

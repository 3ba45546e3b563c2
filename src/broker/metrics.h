// BrokerMetrics: what the handlers of one reactor count. Names are Kafka's as the JMX exporter writes them, where Kafka
// has the metric.
//
// Reactor-affine: written on its reactor, read by anybody (metrics/metrics.h).
#pragma once

#include <cstddef>
#include <vector>

#include "metrics/metrics.h"

namespace kb::broker {

struct ApiRow;

struct BrokerMetrics {
  BrokerMetrics(metrics::Registry& registry, size_t shard);

  void CountRequest(const ApiRow& row) const;
  // In one answer; see broker/error_count.h.
  void CountErrors(const ApiRow& row, size_t errors) const;

  metrics::Counter* bytes_out;  // of records
  metrics::Counter* refused;    // ended their connection

 private:
  // By place in the api table.
  std::vector<metrics::Counter*> requests_;
  std::vector<metrics::Counter*> errors_;
};

}  // namespace kb::broker

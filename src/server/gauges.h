// Gauges: what of a reactor's part of the node is looked up when somebody asks, rather than counted as it happens.
//
// Reactor-affine.
#pragma once

#include "broker/shard.h"
#include "metrics/metrics.h"

namespace kb::server {

class Gauges {
 public:
  Gauges(metrics::Registry& registry, broker::Shard& shard);
  // Walks over the partitions of the reactor: some milliseconds for 100,000.
  void Refresh();

 private:
  broker::Shard& shard_;
  metrics::Gauge& partitions_;
  metrics::Gauge& opening_;
  metrics::Gauge& offline_;
  metrics::Gauge& uncleanable_;
  metrics::Gauge& offsets_;
  metrics::Gauge& preparing_;
  metrics::Gauge& completing_;
  metrics::Gauge& stable_;
  metrics::Gauge& empty_;
  metrics::Gauge& dead_;
  metrics::Gauge& other_types_;
};

}  // namespace kb::server

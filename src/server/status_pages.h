// StatusPages: what HTTP shows of a node, to those who watch it.
//
//   /metrics    counters, gauges and times of all reactors, of the process, of each topic, and how far groups are
//               behind, for Prometheus; ?topics=0 leaves the topics out, ?lag=0 the groups, ?lag=offsets their times
//   /healthz    200 as long as the process answers
//   /readyz     200 while the node serves; else 503 with a line that says why not
//
// At most kMostScrapes of a reactor at a time; who comes beyond that is told 503. Each holds what http::Reply holds and
// one piece of broker::TopicTraffic or broker::ConsumerLag.
//
// Reactor-affine: one for each reactor.
#pragma once

#include <functional>
#include <string>

#include "broker/consumer_lag.h"
#include "broker/shard.h"
#include "http/front.h"
#include "metrics/metrics.h"
#include "reactor/disk_pool.h"

namespace kb::server {

class StatusPages final : public http::Pages {
 public:
  static constexpr int kMostScrapes = 8;

  struct Environment {
    broker::Shard& here;
    reactor::DiskPool& disk;
    const metrics::Registry& registry;
    // Brings the registry's gauges up to date on all reactors.
    std::function<reactor::Task<void>()> refresh;
    // Why the node does not serve; empty when it does.
    std::function<std::string()> why_not_ready;
    // Lines about the process, read on the disk pool; none where there is no process to speak of.
    std::function<std::string()> process;
  };
  explicit StatusPages(Environment environment) : environment_(std::move(environment)) {}

  reactor::Task<void> Serve(const http::Request& request, http::Reply& reply) override;

 private:
  reactor::Task<void> Metrics(const http::Request& request, http::Reply& reply);
  reactor::Task<void> WriteMetrics(const http::Request& request, http::Reply& reply);
  // What there is about all as a whole.
  reactor::Task<std::string> Totals(bool with_topics);
  void Ready(http::Reply& reply) const;

  const Environment environment_;
  int scrapes_ = 0;
};

}  // namespace kb::server

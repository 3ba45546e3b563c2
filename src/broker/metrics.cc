#include "broker/metrics.h"

#include <string>

#include "broker/api_table.h"

namespace kb::broker {

BrokerMetrics::BrokerMetrics(metrics::Registry& registry, size_t shard)
    : bytes_out(&registry.counter(shard, "kafka_server_brokertopicmetrics_bytesout_total",
                                  "Bytes of batches that consumers were sent.")),
      refused(&registry.counter(shard, "broker_requests_refused_total",
                                "Requests that could not be read or are not served, and ended their connection.")) {
  for (const ApiRow& row : ApiTable()) {
    const std::string label = "request=\"" + std::string(protocol::ApiName(row.key)) + '"';
    requests_.push_back(&registry.counter(shard, "kafka_network_requestmetrics_requests_total",
                                          "Requests handled, by API.", label));
    errors_.push_back(&registry.counter(shard, "kafka_network_requestmetrics_errors_total",
                                        "Errors in the answers, of partitions, groups and the like, by API.", label));
  }
}

void BrokerMetrics::CountRequest(const ApiRow& row) const {
  requests_[static_cast<size_t>(&row - ApiTable().data())]->Add();
}

void BrokerMetrics::CountErrors(const ApiRow& row, size_t errors) const {
  errors_[static_cast<size_t>(&row - ApiTable().data())]->Add(errors);
}

}  // namespace kb::broker

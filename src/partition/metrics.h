// PartitionMetrics: what the partitions of one reactor count. Names are Kafka's as the JMX exporter writes them, where
// Kafka has the metric.
//
// Reactor-affine: written at home, read by anybody (metrics/metrics.h).
#pragma once

#include <cstddef>

#include "metrics/metrics.h"

namespace kb::partition {

struct PartitionMetrics {
  metrics::Counter* messages_in = nullptr;
  metrics::Counter* bytes_in = nullptr;
  metrics::Counter* damage = nullptr;
  metrics::Counter* scrubbed_bytes = nullptr;
  metrics::Counter* scrub_rounds = nullptr;
  metrics::Counter* cleanings = nullptr;
  metrics::Counter* failed_cleanings = nullptr;
  metrics::Counter* cleaner_read_bytes = nullptr;
  metrics::Counter* cleaner_written_bytes = nullptr;
  metrics::Counter* cleaner_removed_records = nullptr;

  static PartitionMetrics Of(metrics::Registry& registry, size_t shard) {
    auto counter = [&](const char* name, const char* help) { return &registry.counter(shard, name, help); };
    return {
        .messages_in = counter("kafka_server_brokertopicmetrics_messagesin_total", "Records that producers appended."),
        .bytes_in =
            counter("kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches that producers appended."),
        .damage =
            counter("broker_log_damage_found_total", "Stretches of segments found damaged, by readers or the scrub."),
        .scrubbed_bytes = counter("broker_scrub_bytes_total", "Bytes that the scrub has checked."),
        .scrub_rounds =
            counter("broker_scrub_rounds_total", "Rounds of the scrub that came to their end, over all reactors."),
        .cleanings = counter("broker_cleaner_cleanings_total", "Cleanings of partitions that came to their end."),
        .failed_cleanings =
            counter("broker_cleaner_failed_cleanings_total", "Cleanings that met damage or a shortage."),
        .cleaner_read_bytes = counter("broker_cleaner_read_bytes_total", "Bytes that the cleaner has read."),
        .cleaner_written_bytes = counter("broker_cleaner_written_bytes_total", "Bytes that the cleaner has written."),
        .cleaner_removed_records =
            counter("broker_cleaner_removed_records_total", "Records that the cleaner took out."),
    };
  }
};

}  // namespace kb::partition

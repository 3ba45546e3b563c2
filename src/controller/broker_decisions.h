// What the controller writes about brokers, the partitions they lead, and producer ids. Pure functions of an image to
// records, as Apache Kafka writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/refusal.h"
#include "metadata/features.h"
#include "metadata/image.h"
#include "metadata/record.h"
#include "model/ids.h"
#include "protocol/error_code.h"

namespace kb::controller {

// How this node presents itself.
struct NodeIdentity {
  BrokerId node_id{kNoBroker};
  Uuid incarnation_id;                            // new at every start
  std::vector<metadata::Endpoint> broker_endpoints;      // as advertised
  std::vector<metadata::Endpoint> controller_endpoints;
  std::vector<Uuid> directories;                  // of the usable data directories
  std::optional<std::string> rack;
};

// The features that a new cluster finalizes when no bootstrap.checkpoint says otherwise: those that we serve.
metadata::RecordList DefaultBootstrap();

// What a fresh log begins with, inside BeginTransaction and EndTransaction: the bootstrap records, and
// min.insync.replicas=1 as the brokers' default where ELR is on. min_insync_replicas: the node's own configuration.
void DecideBootstrap(const metadata::RecordList& bootstrap, int min_insync_replicas, metadata::RecordList& records);

void DecideRegisterController(const metadata::MetadataImage& image, const NodeIdentity& node,
                              metadata::RecordList& records);

// The registration is fenced; its broker epoch is the offset that the record will get.
void DecideRegisterBroker(const metadata::MetadataImage& image, const NodeIdentity& node, Offset offset,
                          metadata::RecordList& records);

// Unfences the broker and elects it wherever it may lead: from the ISR, and from the ELR of a partition without a leader.
// led_before: an earlier run of this broker may have led what is still recorded under it, so those partitions get a new
// leader epoch too.
void DecideUnfence(const metadata::MetadataImage& image, BrokerId broker, bool led_before,
                   metadata::RecordList& records);

// Takes the broker out of leadership everywhere, ISR into ELR where it was the last, and says that it is shutting down.
void DecideControlledShutdown(const metadata::MetadataImage& image, BrokerId broker, metadata::RecordList& records);
void DecideFence(const metadata::MetadataImage& image, BrokerId broker, metadata::RecordList& records);

// Forgets a broker that is gone for good: INVALID_REQUEST for the node itself, which runs, BROKER_ID_NOT_REGISTERED for
// one that nobody knows.
Refusal DecideUnregister(const metadata::MetadataImage& image, BrokerId node, BrokerId broker,
                         metadata::RecordList& records);

// Records in which data directory a replica of this broker lies, where the image says something else.
void DecideAssignDirectories(const metadata::MetadataImage& image, BrokerId broker,
                             const std::vector<std::pair<PartitionId, Uuid>>& places, metadata::RecordList& records);

// Keeps new replicas out of these directories of a broker, where the image says something else and can say so at all.
void DecideCordon(const metadata::MetadataImage& image, BrokerId broker, std::vector<Uuid> directories,
                  metadata::RecordList& records);

// Producer ids.
inline constexpr int32_t kProducerIdBlockSize = 1000;
struct ProducerIdBlock {
  ErrorCode error = ErrorCode::kNone;
  ProducerId first{kNoProducerId};
  int32_t count = 0;
};
ProducerIdBlock DecideProducerIdBlock(const metadata::MetadataImage& image, BrokerId broker, BrokerEpoch broker_epoch,
                                      metadata::RecordList& records);

}  // namespace kb::controller

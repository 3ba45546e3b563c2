// What becomes of a request to change client quotas (KIP-546): a pure function of an image and the request to records
// and a response, error for error as Apache Kafka's controller decides (the texts are ours). Where the quotas count is
// not known here.
//
// Each entity succeeds or fails by itself. An entity that a request names twice is refused and nothing of it is
// written; Apache Kafka refuses it and keeps what the first mention said.
#pragma once

#include "base/arena.h"
#include "message/alter_client_quotas_request.h"
#include "message/alter_client_quotas_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

// The types of entities, and the keys of values.
inline constexpr std::string_view kQuotaUser = "user";
inline constexpr std::string_view kQuotaClientId = "client-id";
inline constexpr std::string_view kQuotaIp = "ip";
inline constexpr std::string_view kProducerByteRate = "producer_byte_rate";
inline constexpr std::string_view kConsumerByteRate = "consumer_byte_rate";
inline constexpr std::string_view kRequestPercentage = "request_percentage";
inline constexpr std::string_view kControllerMutationRate = "controller_mutation_rate";
inline constexpr std::string_view kConnectionCreationRate = "connection_creation_rate";

// An ip is an address, or "localhost": no name server is asked. The response views into the request and the arena.
message::AlterClientQuotasResponse DecideAlterClientQuotas(const metadata::MetadataImage& image,
                                                           const message::AlterClientQuotasRequest& request,
                                                           Arena& arena, metadata::RecordList& records);

}  // namespace kb::controller

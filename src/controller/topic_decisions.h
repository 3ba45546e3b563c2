// What becomes of a request to create, delete or grow topics: pure functions of an image and the request to the records
// that make it so and the response, error for error as Apache Kafka's controller decides (the texts are ours).
//
// The records take effect by being replayed; a request is atomic over the topics that succeed. Responses are built in the
// arena and view into it and into the request. Call from the thread that owns the controller.
#pragma once

#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/random.h"
#include "controller/topic_rules.h"
#include "message/create_partitions_request.h"
#include "message/create_partitions_response.h"
#include "message/create_topics_request.h"
#include "message/create_topics_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

inline constexpr int32_t kMostPartitionsPerRequest = 10'000;

// How many partitions a client may create and delete (KIP-599).
class MutationQuota {
 public:
  virtual ~MutationQuota() = default;
  // Counts them; false: the client has to wait first, and nothing is done (THROTTLING_QUOTA_EXCEEDED).
  virtual bool Take(size_t partitions) = 0;
};

struct TopicDecisionContext {
  const metadata::MetadataImage& image;
  const TopicRules& rules;
  Random& random;
  Arena& arena;
  MutationQuota* quota = nullptr;  // nullptr: there is none
};

// Duplicate names, the metadata topic's own name: INVALID_REQUEST; then per topic name, collision, existence, counts,
// assignments, configurations. version: of the request; from 5 on the response carries counts and configurations.
message::CreateTopicsResponse DecideCreateTopics(const TopicDecisionContext& context,
                                                 const message::CreateTopicsRequest& request, int16_t version,
                                                 metadata::RecordList& records);

message::DeleteTopicsResponse DecideDeleteTopics(const TopicDecisionContext& context,
                                                 const message::DeleteTopicsRequest& request, int16_t version,
                                                 metadata::RecordList& records);

message::CreatePartitionsResponse DecideCreatePartitions(const TopicDecisionContext& context,
                                                         const message::CreatePartitionsRequest& request,
                                                         int16_t version, metadata::RecordList& records);

}  // namespace kb::controller

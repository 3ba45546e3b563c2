// What becomes of a request to change finalized features (KIP-584): a pure function of an image and the request to
// records and a response, error for error as Apache Kafka's controller decides (the texts are ours). All features of a
// request are changed, or none.
//
// Two things are refused that Apache Kafka does: to raise a feature that nothing here acts on (metadata/features.h says
// which), and to make a quorum of static voters dynamic (kraft.version).
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "message/update_features_request.h"
#include "message/update_features_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

struct FeatureDecisionContext {
  const metadata::MetadataImage& image;
  BrokerId node_id;         // of the controller, which supports what SupportedFeatures() has
  int16_t kraft_version;    // of the quorum; no record of the image says it
  int min_insync_replicas;  // the node's own configuration: the brokers' default once ELR is on
  Arena& arena;
};

// version: of the request; up to 1 the response lists the features.
message::UpdateFeaturesResponse DecideUpdateFeatures(const FeatureDecisionContext& context,
                                                     const message::UpdateFeaturesRequest& request, int16_t version,
                                                     metadata::RecordList& records);

}  // namespace kb::controller

// UpdateFeatures (key 57, KIP-584, KIP-778): decided by the controller.
#include "broker/handlers.h"
#include "broker/metadata_change.h"
#include "controller/feature_decisions.h"

namespace kb::broker {

using message::UpdateFeaturesResponse;

reactor::Task<void> HandleUpdateFeatures(RequestContext& context, const message::UpdateFeaturesRequest& request,
                                         UpdateFeaturesResponse& response) {
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    controller::FeatureDecisionContext features{controller.working(), controller.node_id(),
                                                controller.quorum().kraft_version, controller.min_insync_replicas(),
                                                context.arena()};
    return controller::DecideUpdateFeatures(features, request, context.api_version(), records);
  };
  auto change = ChangeMetadata<UpdateFeaturesResponse>(context, decide);
  controller::Outcome<UpdateFeaturesResponse> outcome = co_await change;
  response = outcome.response;
  if (outcome.error == ErrorCode::kNone || response.error_code != 0) co_return;
  response.error_code = static_cast<int16_t>(outcome.error);
  response.error_message = outcome.error_message;
  response.results = {};
}

}  // namespace kb::broker

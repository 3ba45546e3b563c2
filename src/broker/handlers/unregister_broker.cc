// UnregisterBroker (key 64, KIP-746): forgets a broker that will not come back.
#include "broker/handlers.h"
#include "broker/metadata_change.h"

namespace kb::broker {

using message::UnregisterBrokerResponse;

reactor::Task<void> HandleUnregisterBroker(RequestContext& context, const message::UnregisterBrokerRequest& request,
                                           UnregisterBrokerResponse& response) {
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    UnregisterBrokerResponse decided;
    controller::Refusal refusal =
        controller::DecideUnregister(controller.working(), controller.node_id(), BrokerId(request.broker_id), records);
    if (refusal) Put(context.arena(), refusal, decided);
    return decided;
  };
  auto change = ChangeMetadata<UnregisterBrokerResponse>(context, decide);
  controller::Outcome<UnregisterBrokerResponse> outcome = co_await change;
  response = outcome.response;
  if (outcome.error == ErrorCode::kNone || response.error_code != 0) co_return;
  response.error_code = static_cast<int16_t>(outcome.error);
  response.error_message = outcome.error_message;
}

}  // namespace kb::broker

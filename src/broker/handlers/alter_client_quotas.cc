// AlterClientQuotas (key 49, KIP-546): decided by the controller; in force when it is answered.
#include "broker/handlers.h"
#include "broker/metadata_change.h"
#include "controller/quota_decisions.h"

namespace kb::broker {

using message::AlterClientQuotasResponse;

reactor::Task<void> HandleAlterClientQuotas(RequestContext& context, const message::AlterClientQuotasRequest& request,
                                            AlterClientQuotasResponse& response) {
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    return controller::DecideAlterClientQuotas(controller.working(), request, context.arena(), records);
  };
  auto change = ChangeMetadata<AlterClientQuotasResponse>(context, decide);
  controller::Outcome<AlterClientQuotasResponse> outcome = co_await change;
  response = outcome.response;
  PutError(outcome, response.entries);
}

}  // namespace kb::broker

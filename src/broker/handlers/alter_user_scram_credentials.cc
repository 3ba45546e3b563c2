// AlterUserScramCredentials (key 51, KIP-554): decided by the controller.
#include "broker/handlers.h"
#include "broker/metadata_change.h"
#include "controller/scram_decisions.h"

namespace kb::broker {

using message::AlterUserScramCredentialsResponse;

reactor::Task<void> HandleAlterUserScramCredentials(RequestContext& context,
                                                    const message::AlterUserScramCredentialsRequest& request,
                                                    AlterUserScramCredentialsResponse& response) {
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    return controller::DecideAlterUserScramCredentials(controller.working(), request, context.arena(), records);
  };
  auto change = ChangeMetadata<AlterUserScramCredentialsResponse>(context, decide);
  controller::Outcome<AlterUserScramCredentialsResponse> outcome = co_await change;
  response = outcome.response;
  PutError(outcome, response.results);
}

}  // namespace kb::broker

// ChangeMetadata: the way of a handler to a decision of the controller that needs no more than the image, and back.
#pragma once

#include <string_view>
#include <utility>

#include "broker/controller_loop.h"
#include "broker/request_context.h"
#include "broker/shard.h"
#include "controller/controller.h"

namespace kb::broker {

// decide(controller, records) returns the response; it runs on the controller's reactor. Goes on when the records are
// in force. Where they could not be written the outcome says so, and the handler puts that in the place of each
// success.
template <typename Response, typename Decision>
reactor::Task<controller::Outcome<Response>> ChangeMetadata(RequestContext& context, Decision decide) {
  auto on_controller = [&decide](controller::Controller& controller) {
    auto bound = [&](metadata::RecordList& records) -> Response { return decide(controller, records); };
    return controller.Decide<Response>(bound);
  };
  auto call = context.shard().cluster().controller->Decide<controller::Outcome<Response>>(on_controller);
  controller::Outcome<Response> outcome = co_await call;
  co_return outcome;
}

// The outcome's error in place of the successes of a list.
template <typename Response, typename Results>
void PutError(const controller::Outcome<Response>& outcome, Results& results) {
  if (outcome.error == ErrorCode::kNone) return;
  for (auto& result : results) {
    if (result.error_code != 0) continue;
    result.error_code = static_cast<int16_t>(outcome.error);
    result.error_message = outcome.error_message;
  }
}

}  // namespace kb::broker

// InitProducerId (key 22, KIP-98): a fresh id with epoch 0 for an idempotent producer.
//
// With a transactional id there would have to be a transaction coordinator, which this broker does not have yet: a
// fatal error, so that the client says so instead of trying for ever.
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleInitProducerId(RequestContext& context, const message::InitProducerIdRequest& request,
                                         message::InitProducerIdResponse& response) {
  if (request.transactional_id) {
    bool empty = request.transactional_id->empty();
    response.error_code =
        static_cast<int16_t>(empty ? ErrorCode::kInvalidRequest : ErrorCode::kTransactionalIdAuthorizationFailed);
    response.producer_epoch = -1;
    co_return;
  }
  auto take = context.shard().TakeProducerId();
  Shard::NewProducerId taken = co_await take;
  response.error_code = static_cast<int16_t>(taken.error);
  response.producer_id = taken.id.value();
  response.producer_epoch = taken.error == ErrorCode::kNone ? 0 : -1;
}

}  // namespace kb::broker

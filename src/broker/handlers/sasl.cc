// SaslHandshake and SaslAuthenticate (keys 17, 36) on a listener without SASL: 34, and the connection goes on.
#include "broker/handlers.h"

namespace kb::broker {

reactor::Task<void> HandleSaslHandshake(RequestContext&, const message::SaslHandshakeRequest&,
                                        message::SaslHandshakeResponse& response) {
  response.error_code = static_cast<int16_t>(ErrorCode::kIllegalSaslState);
  co_return;
}

reactor::Task<void> HandleSaslAuthenticate(RequestContext&, const message::SaslAuthenticateRequest&,
                                           message::SaslAuthenticateResponse& response) {
  response.error_code = static_cast<int16_t>(ErrorCode::kIllegalSaslState);
  response.error_message = "SaslAuthenticate on a listener without SASL: send requests directly";
  co_return;
}

}  // namespace kb::broker

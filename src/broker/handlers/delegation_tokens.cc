// CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken, DescribeDelegationToken (keys 38 to 41): a token
// stands for somebody who has proved who he is, and nobody has on a listener without authentication: 64, as Apache
// Kafka says on such a listener, whatever else is asked or configured.
#include "broker/handlers.h"

namespace kb::broker {
namespace {

constexpr std::string_view kUserType = "User";
constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr int64_t kNoTime = -1;
constexpr auto kNotAllowed = static_cast<int16_t>(ErrorCode::kDelegationTokenRequestNotAllowed);

}  // namespace

reactor::Task<void> HandleCreateDelegationToken(RequestContext& context,
                                                const message::CreateDelegationTokenRequest& request,
                                                message::CreateDelegationTokenResponse& response) {
  response.error_code = kNotAllowed;
  bool for_other = request.owner_principal_name && !request.owner_principal_name->empty();
  response.principal_type = for_other ? request.owner_principal_type.value_or("") : kUserType;
  response.principal_name = for_other ? *request.owner_principal_name : kAnonymous;
  if (context.api_version() >= 3) {
    response.token_requester_principal_type = kUserType;
    response.token_requester_principal_name = kAnonymous;
  }
  response.issue_timestamp_ms = response.expiry_timestamp_ms = response.max_timestamp_ms = kNoTime;
  co_return;
}

reactor::Task<void> HandleRenewDelegationToken(RequestContext&, const message::RenewDelegationTokenRequest&,
                                               message::RenewDelegationTokenResponse& response) {
  response.error_code = kNotAllowed;
  response.expiry_timestamp_ms = kNoTime;
  co_return;
}

reactor::Task<void> HandleExpireDelegationToken(RequestContext&, const message::ExpireDelegationTokenRequest&,
                                                message::ExpireDelegationTokenResponse& response) {
  response.error_code = kNotAllowed;
  response.expiry_timestamp_ms = kNoTime;
  co_return;
}

reactor::Task<void> HandleDescribeDelegationToken(RequestContext&, const message::DescribeDelegationTokenRequest&,
                                                  message::DescribeDelegationTokenResponse& response) {
  response.error_code = kNotAllowed;
  co_return;
}

}  // namespace kb::broker

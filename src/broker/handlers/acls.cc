// DescribeAcls, CreateAcls, DeleteAcls (keys 29 to 31): the access control entries of the cluster. Without an
// authorizer nobody would heed them, and all three say SECURITY_DISABLED, as Apache Kafka does; entries that the
// metadata has stay as they are.
#include "broker/handlers.h"
#include "broker/metadata_change.h"
#include "controller/acl_decisions.h"

namespace kb::broker {
namespace {

using message::CreateAclsResponse;
using message::DeleteAclsResponse;

constexpr std::string_view kDisabled = "no authorizer is configured: entries would not protect anything";

template <typename Result>
void PutDisabled(Result& result) {
  result.error_code = static_cast<int16_t>(ErrorCode::kSecurityDisabled);
  result.error_message = kDisabled;
}

}  // namespace

reactor::Task<void> HandleDescribeAcls(RequestContext& context, const message::DescribeAclsRequest& request,
                                       message::DescribeAclsResponse& response) {
  if (context.shard().config().authorizer) {
    response = controller::DescribeAcls(context.image(), request, context.arena());
  } else {
    PutDisabled(response);
  }
  co_return;
}

reactor::Task<void> HandleCreateAcls(RequestContext& context, const message::CreateAclsRequest& request,
                                     CreateAclsResponse& response) {
  if (!context.shard().config().authorizer) {
    for (size_t i = 0; i < request.creations.size(); ++i) PutDisabled(response.results.Add(context.arena()));
    co_return;
  }
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    return controller::DecideCreateAcls(controller.working(), request, controller.random(), context.arena(), records);
  };
  auto change = ChangeMetadata<CreateAclsResponse>(context, decide);
  controller::Outcome<CreateAclsResponse> outcome = co_await change;
  response = outcome.response;
  PutError(outcome, response.results);
}

reactor::Task<void> HandleDeleteAcls(RequestContext& context, const message::DeleteAclsRequest& request,
                                     DeleteAclsResponse& response) {
  if (!context.shard().config().authorizer) {
    for (size_t i = 0; i < request.filters.size(); ++i) PutDisabled(response.filter_results.Add(context.arena()));
    co_return;
  }
  auto decide = [&](controller::Controller& controller, metadata::RecordList& records) {
    return controller::DecideDeleteAcls(controller.working(), request, context.arena(), records);
  };
  auto change = ChangeMetadata<DeleteAclsResponse>(context, decide);
  controller::Outcome<DeleteAclsResponse> outcome = co_await change;
  response = outcome.response;
  PutError(outcome, response.filter_results);
  if (outcome.error == ErrorCode::kNone) co_return;
  for (auto& result : response.filter_results) result.matching_acls = {};  // they are all still there
}

}  // namespace kb::broker

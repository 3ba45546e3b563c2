// DescribeUserScramCredentials (key 50, KIP-554): which mechanisms users have credentials for, of all users or of those
// asked for. Apache Kafka advertises it on the controller's listener and has no answer there; here it is the same.
#include <map>

#include "broker/handlers.h"

namespace kb::broker {
namespace {

using message::DescribeUserScramCredentialsRequest;
using message::DescribeUserScramCredentialsResponse;

// Users of the request, or all; how often each was named.
std::map<std::string_view, int> Wanted(const metadata::MetadataImage& image,
                                       const DescribeUserScramCredentialsRequest& request) {
  std::map<std::string_view, int> wanted;
  for (const auto& user : request.users) ++wanted[user.name];
  if (!wanted.empty()) return wanted;
  for (const auto& [key, credential] : image.scram_credentials()) wanted[key.user] = 1;
  return wanted;
}

}  // namespace

reactor::Task<void> HandleDescribeUserScramCredentials(RequestContext& context,
                                                       const DescribeUserScramCredentialsRequest& request,
                                                       DescribeUserScramCredentialsResponse& response) {
  Arena& arena = context.arena();
  const auto& credentials = context.image().scram_credentials();
  for (const auto& [user, count] : Wanted(context.image(), request)) {
    auto& result = response.results.Add(arena);
    result.user = user;
    if (count > 1) {
      result.error_code = static_cast<int16_t>(ErrorCode::kDuplicateResource);
      result.error_message = "the request names this user more than once";
      continue;
    }
    for (ScramMechanism mechanism : {ScramMechanism::kSha256, ScramMechanism::kSha512}) {
      auto found = credentials.find({std::string(user), mechanism});
      if (found == credentials.end()) continue;
      auto& info = result.credential_infos.Add(arena);
      info.mechanism = static_cast<int8_t>(mechanism);
      info.iterations = found->second.iterations;
    }
    if (!result.credential_infos.empty()) continue;
    result.error_code = static_cast<int16_t>(ErrorCode::kResourceNotFound);
    result.error_message = "this user has no credential";
  }
  co_return;
}

}  // namespace kb::broker

// ApiVersions (key 18, KIP-35, KIP-511, KIP-584): what this listener serves, from the dispatch table itself, and the
// features. A version above ours never gets here: broker/dispatch answers it in version 0 with error 35.
#include "broker/api_table.h"
#include "broker/handlers.h"
#include "metadata/features.h"

namespace kb::broker {
namespace {

// ApiVersionsRequest.isValid: names are words of letters, digits, '-' and '.', with a letter or digit at both ends.
bool IsSoftwareWord(std::string_view text) {
  auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  for (char c : text) {
    if (!is_alphanumeric(c) && c != '-' && c != '.') return false;
  }
  return true;
}

}  // namespace

reactor::Task<void> HandleApiVersions(RequestContext& context, const message::ApiVersionsRequest& request,
                                      message::ApiVersionsResponse& response) {
  Arena& arena = context.arena();
  bool named = context.api_version() < 3 ||
               (IsSoftwareWord(request.client_software_name) && IsSoftwareWord(request.client_software_version));
  if (!named) {
    response.error_code = static_cast<int16_t>(ErrorCode::kInvalidRequest);
    co_return;
  }
  for (const ApiRow& row : ApiTable()) {
    if (!row.advertised || !row.ServedOn(context.listener())) continue;
    auto& one = response.api_keys.Add(arena);
    one.api_key = static_cast<int16_t>(row.key);
    one.min_version = row.advertised_min_version;
    one.max_version = row.max_version;
  }
  for (const metadata::Feature& feature : metadata::SupportedFeatures()) {
    // Clients before version 4 cannot read a minimum of 0 (KIP-1022).
    if (context.api_version() < 4 && feature.min_level == 0) continue;
    auto& one = response.supported_features.Add(arena);
    one.name = feature.name;
    one.min_version = feature.min_level;
    one.max_version = feature.max_level;
  }
  response.finalized_features_epoch = context.image().features_epoch();
  for (const auto& [name, level] : context.image().finalized_features()) {
    auto& one = response.finalized_features.Add(arena);
    one.name = name;
    one.max_version_level = level;
    one.min_version_level = level;
  }
}

}  // namespace kb::broker

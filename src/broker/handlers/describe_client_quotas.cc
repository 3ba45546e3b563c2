// DescribeClientQuotas (key 48, KIP-546): the quotas of the entities that a filter matches.
//
//   component of the filter   exact: this name · default: the default entity · specified: any name of the type
//   strict                    the entity has no types but those of the filter
#include <map>

#include "broker/handlers.h"
#include "controller/quota_decisions.h"

namespace kb::broker {
namespace {

using controller::kQuotaClientId;
using controller::kQuotaIp;
using controller::kQuotaUser;
using message::DescribeClientQuotasRequest;
using message::DescribeClientQuotasResponse;

constexpr int8_t kExact = 0;
constexpr int8_t kDefault = 1;
constexpr int8_t kSpecified = 2;

struct Wrong {
  ErrorCode code = ErrorCode::kNone;
  std::string_view message = {};
};

using Filter = std::map<std::string_view, const DescribeClientQuotasRequest::ComponentData*>;

Wrong Add(const DescribeClientQuotasRequest::ComponentData& component, Filter& filter) {
  std::string_view type = component.entity_type;
  if (type.empty()) return {ErrorCode::kInvalidRequest, "the filter has an empty entity type"};
  if (filter.contains(type)) return {ErrorCode::kInvalidRequest, "the filter has an entity type more than once"};
  if (type != kQuotaUser && type != kQuotaClientId && type != kQuotaIp) {
    return {ErrorCode::kUnsupportedVersion, "the filter's entity types are not all among user, client-id and ip"};
  }
  if (component.match_type < kExact || component.match_type > kSpecified) {
    return {ErrorCode::kInvalidRequest, "the filter's match types are not all among 0, 1 and 2"};
  }
  if (component.match.has_value() != (component.match_type == kExact)) {
    return {ErrorCode::kInvalidRequest, "an exact match needs a name, and no other has one"};
  }
  filter[type] = &component;
  return {};
}

Wrong Read(const DescribeClientQuotasRequest& request, Filter& filter) {
  for (const auto& component : request.components) {
    Wrong wrong = Add(component, filter);
    if (wrong.code != ErrorCode::kNone) return wrong;
  }
  if (filter.contains(kQuotaIp) && filter.size() > 1) {
    return {ErrorCode::kInvalidRequest, "an ip is not combined with a user or a client-id"};
  }
  return {};
}

bool Matches(const Filter& filter, bool strict, const metadata::QuotaEntity& entity) {
  if (strict && entity.size() != filter.size()) return false;
  for (const auto& [type, component] : filter) {
    auto part = entity.find(type);
    if (part == entity.end()) return false;
    if (component->match_type == kSpecified) continue;
    const std::optional<std::string>& name = part->second;
    if (component->match_type == kDefault ? name.has_value() : name != *component->match) return false;
  }
  return true;
}

}  // namespace

reactor::Task<void> HandleDescribeClientQuotas(RequestContext& context, const DescribeClientQuotasRequest& request,
                                               DescribeClientQuotasResponse& response) {
  Arena& arena = context.arena();
  Filter filter;
  Wrong wrong = Read(request, filter);
  if (wrong.code != ErrorCode::kNone) {
    response.error_code = static_cast<int16_t>(wrong.code);
    response.error_message = wrong.message;
    response.entries = decltype(response.entries)::Null();
    co_return;
  }
  for (const auto& [entity, values] : context.image().client_quotas()) {
    if (!Matches(filter, request.strict, entity)) continue;
    auto& entry = response.entries.Add(arena);
    for (const auto& [type, name] : entity) {
      auto& part = entry.entity.Add(arena);
      part.entity_type = type;
      part.entity_name = std::nullopt;
      if (name) part.entity_name = *name;
    }
    for (const auto& [key, value] : values) {
      auto& one = entry.values.Add(arena);
      one.key = key;
      one.value = value;
    }
  }
}

}  // namespace kb::broker

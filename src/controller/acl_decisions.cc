#include "controller/acl_decisions.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controller/refusal.h"
#include "message/access_control_entry_record.h"
#include "message/remove_access_control_entry_record.h"

namespace kb::controller {
namespace {

using message::CreateAclsRequest;
using message::CreateAclsResponse;
using message::DeleteAclsRequest;
using message::DeleteAclsResponse;
using message::DescribeAclsRequest;
using message::DescribeAclsResponse;
using metadata::AccessControlEntry;
using metadata::MetadataImage;
using metadata::RecordList;

// Numbers of the protocol. 0 is "unknown" in each of the enumerations, and 1 "any".
constexpr int8_t kAny = 1;
constexpr int8_t kMatch = 2;  // of pattern types: whatever applies to the name
constexpr int8_t kLiteral = 3;
constexpr int8_t kPrefixed = 4;
constexpr int8_t kCluster = 4;  // of resource types
constexpr int8_t kLastResourceType = 7;
constexpr int8_t kLastOperation = 15;
constexpr int8_t kDeny = 2;
constexpr int8_t kAllow = 3;
constexpr std::string_view kClusterName = "kafka-cluster";
constexpr std::string_view kWildcard = "*";

Refusal Invalid(std::string message) {
  return {ErrorCode::kInvalidRequest, std::move(message)};
}

Refusal CheckNew(const CreateAclsRequest::AclCreation& entry) {
  if (entry.resource_type <= kAny || entry.resource_type > kLastResourceType) {
    return Invalid("an entry cannot be made for resource type " + std::to_string(entry.resource_type));
  }
  if (entry.resource_name.empty()) return Invalid("the name of the resource is empty");
  if (entry.resource_type == kCluster && entry.resource_name != kClusterName) {
    return Invalid("the resource of type cluster is named " + std::string(kClusterName));
  }
  if (entry.resource_pattern_type != kLiteral && entry.resource_pattern_type != kPrefixed) {
    return Invalid("an entry cannot be made for pattern type " + std::to_string(entry.resource_pattern_type));
  }
  if (entry.operation <= kAny || entry.operation > kLastOperation) {
    return Invalid("an entry cannot be made for operation " + std::to_string(entry.operation));
  }
  if (entry.permission_type != kDeny && entry.permission_type != kAllow) {
    return Invalid("an entry cannot be made for permission type " + std::to_string(entry.permission_type));
  }
  if (entry.principal.find(':') == std::string_view::npos) {
    return Invalid("the principal " + std::string(entry.principal) + " has no type: it reads like User:name");
  }
  return {};
}

AccessControlEntry EntryOf(const CreateAclsRequest::AclCreation& wanted) {
  AccessControlEntry entry;
  entry.resource_type = wanted.resource_type;
  entry.resource_name = std::string(wanted.resource_name);
  entry.pattern_type = wanted.resource_pattern_type;
  entry.principal = std::string(wanted.principal);
  entry.host = std::string(wanted.host);
  entry.operation = wanted.operation;
  entry.permission_type = wanted.permission_type;
  return entry;
}

void Write(const Uuid& id, const AccessControlEntry& entry, RecordList& records) {
  message::AccessControlEntryRecord record;
  record.id = id;
  record.resource_type = entry.resource_type;
  record.resource_name = entry.resource_name;
  record.pattern_type = entry.pattern_type;
  record.principal = entry.principal;
  record.host = entry.host;
  record.operation = entry.operation;
  record.permission_type = entry.permission_type;
  records.Add(record, 0);
}

template <typename Visit>
void ForEach(const MetadataImage& image, const Visit& visit) {
  image.access_control_entries().ForEach(
      [&](const Uuid& id, const std::shared_ptr<const AccessControlEntry>& entry) { visit(id, *entry); });
}

// A filter of a DeleteAcls or DescribeAcls request: the two have the same fields.
template <typename Filter>
Refusal CheckFilter(const Filter& filter) {
  bool known = filter.resource_type_filter >= kAny && filter.resource_type_filter <= kLastResourceType &&
               filter.pattern_type_filter >= kAny && filter.pattern_type_filter <= kPrefixed &&
               filter.operation >= kAny && filter.operation <= kLastOperation && filter.permission_type >= kAny &&
               filter.permission_type <= kAllow;
  return known ? Refusal()
               : Invalid("the filter has a resource, pattern, operation or permission type that is not known");
}

template <typename Filter>
bool MatchesResource(const Filter& filter, const AccessControlEntry& entry) {
  int8_t pattern = filter.pattern_type_filter;
  if (filter.resource_type_filter != kAny && filter.resource_type_filter != entry.resource_type) return false;
  if (pattern != kAny && pattern != kMatch && pattern != entry.pattern_type) return false;
  if (!filter.resource_name_filter) return true;
  std::string_view name = *filter.resource_name_filter;
  if (pattern != kMatch) return name == entry.resource_name;
  if (entry.pattern_type == kPrefixed) return name.starts_with(entry.resource_name);
  return name == entry.resource_name || entry.resource_name == kWildcard;
}

template <typename Filter>
bool Matches(const Filter& filter, const AccessControlEntry& entry) {
  return MatchesResource(filter, entry) && (!filter.principal_filter || *filter.principal_filter == entry.principal) &&
         (!filter.host_filter || *filter.host_filter == entry.host) &&
         (filter.operation == kAny || filter.operation == entry.operation) &&
         (filter.permission_type == kAny || filter.permission_type == entry.permission_type);
}

}  // namespace

CreateAclsResponse DecideCreateAcls(const MetadataImage& image, const CreateAclsRequest& request, Random& random,
                                    Arena& arena, RecordList& records) {
  std::set<AccessControlEntry> known;
  if (!request.creations.empty()) {
    ForEach(image, [&](const Uuid&, const AccessControlEntry& entry) { known.insert(entry); });
  }
  CreateAclsResponse response;
  for (const auto& wanted : request.creations) {
    Refusal refusal = CheckNew(wanted);
    Put(arena, refusal, response.results.Add(arena));
    if (refusal) continue;
    AccessControlEntry entry = EntryOf(wanted);
    if (known.insert(entry).second) Write(random.NextUuid(), entry, records);
  }
  return response;
}

DeleteAclsResponse DecideDeleteAcls(const MetadataImage& image, const DeleteAclsRequest& request, Arena& arena,
                                    RecordList& records) {
  DeleteAclsResponse response;
  std::set<Uuid> removed;
  for (const auto& filter : request.filters) {
    auto& result = response.filter_results.Add(arena);
    Refusal refusal = CheckFilter(filter);
    Put(arena, refusal, result);
    if (refusal) continue;
    ForEach(image, [&](const Uuid& id, const AccessControlEntry& entry) {
      if (!Matches(filter, entry)) return;
      removed.insert(id);
      auto& match = result.matching_acls.Add(arena);
      match.error_message = std::nullopt;
      match.resource_type = entry.resource_type;
      match.resource_name = arena.Copy(std::string_view(entry.resource_name));
      match.pattern_type = entry.pattern_type;
      match.principal = arena.Copy(std::string_view(entry.principal));
      match.host = arena.Copy(std::string_view(entry.host));
      match.operation = entry.operation;
      match.permission_type = entry.permission_type;
    });
  }
  if (removed.size() > kMostAclsPerRequest) {  // a part of it would be missed easily
    Refusal refusal = Invalid("the request matches " + std::to_string(removed.size()) + " entries, more than the " +
                              std::to_string(kMostAclsPerRequest) + " that one request removes");
    for (auto& result : response.filter_results) {
      result = {};
      Put(arena, refusal, result);
    }
    return response;
  }
  for (const Uuid& id : removed) {
    message::RemoveAccessControlEntryRecord record;
    record.id = id;
    records.Add(record, 0);
  }
  return response;
}

DescribeAclsResponse DescribeAcls(const MetadataImage& image, const DescribeAclsRequest& request, Arena& arena) {
  DescribeAclsResponse response;
  Refusal refusal = CheckFilter(request);
  Put(arena, refusal, response);
  if (refusal) return response;
  using Resource = std::tuple<int8_t, std::string_view, int8_t>;
  std::map<Resource, std::vector<const AccessControlEntry*>> found;
  ForEach(image, [&](const Uuid&, const AccessControlEntry& entry) {
    if (Matches(request, entry))
      found[{entry.resource_type, entry.resource_name, entry.pattern_type}].push_back(&entry);
  });
  for (const auto& [resource, entries] : found) {
    auto& one = response.resources.Add(arena);
    std::tie(one.resource_type, one.resource_name, one.pattern_type) = resource;
    for (const AccessControlEntry* entry : entries) {
      auto& acl = one.acls.Add(arena);
      acl.principal = entry->principal;
      acl.host = entry->host;
      acl.operation = entry->operation;
      acl.permission_type = entry->permission_type;
    }
  }
  return response;
}

}  // namespace kb::controller

#include "controller/quota_decisions.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "controller/refusal.h"
#include "message/client_quota_record.h"

namespace kb::controller {
namespace {

using message::AlterClientQuotasRequest;
using message::AlterClientQuotasResponse;
using metadata::QuotaEntity;

struct QuotaKey {
  std::string_view name;
  bool is_for_ip;
  double most;  // inclusive; 0: any. A key with a bound is a whole number.
};
constexpr double kMostInt = 2147483647.0;
constexpr double kMostLong = 9223372036854775807.0;
constexpr QuotaKey kKeys[] = {
    {kProducerByteRate, false, kMostLong}, {kConsumerByteRate, false, kMostLong},     {kRequestPercentage, false, 0},
    {kControllerMutationRate, false, 0},   {kConnectionCreationRate, true, kMostInt},
};

// What one entity of the request is to become: key → value, nullopt to remove it.
struct Alteration {
  QuotaEntity entity;
  std::map<std::string_view, std::optional<double>> values;
  bool is_duplicate = false;
  std::string_view duplicate_key;
};

QuotaEntity EntityOf(const AlterClientQuotasRequest::EntryData& entry) {
  QuotaEntity entity;
  for (const auto& part : entry.entity) {
    std::optional<std::string>& name = entity[std::string(part.entity_type)];  // the last of a type counts
    name = std::nullopt;
    if (part.entity_name) name = std::string(*part.entity_name);
  }
  return entity;
}

std::vector<Alteration> Collect(const AlterClientQuotasRequest& request) {
  std::vector<Alteration> alterations;
  std::map<QuotaEntity, size_t> places;
  for (const auto& entry : request.entries) {
    QuotaEntity entity = EntityOf(entry);
    auto [place, is_new] = places.emplace(entity, alterations.size());
    if (!is_new) {
      alterations[place->second].is_duplicate = true;
      continue;
    }
    Alteration& one = alterations.emplace_back();
    one.entity = std::move(entity);
    for (const auto& op : entry.ops) {
      std::optional<double> value = op.remove ? std::nullopt : std::optional(op.value);
      if (!one.values.emplace(op.key, value).second) one.duplicate_key = op.key;
    }
  }
  return alterations;
}

Refusal Invalid(std::string message) {
  return {ErrorCode::kInvalidRequest, std::move(message)};
}

bool IsIp(const std::string& name) {
  return name == "localhost" || ParseIpAddress(name).has_value();
}

Refusal CheckEntity(const QuotaEntity& entity) {
  if (entity.empty()) return Invalid("a quota needs an entity: a user, a client-id or an ip");
  for (const auto& [type, name] : entity) {
    if (type != kQuotaUser && type != kQuotaClientId && type != kQuotaIp) {
      return Invalid("there are no quotas for entities of type " + type + "; there are for user, client-id and ip");
    }
    if (name && name->empty()) return Invalid("the name of a " + type + " is empty; null stands for the default");
  }
  auto ip = entity.find(kQuotaIp);
  if (ip == entity.end()) return {};
  if (entity.size() > 1) return Invalid("an ip cannot be combined with a user or a client-id");
  if (ip->second && !IsIp(*ip->second)) return Invalid(*ip->second + " is not an IP address");
  return {};
}

Refusal CheckValue(bool is_for_ip, std::string_view key, double value) {
  const std::string name(key);
  const QuotaKey* found = nullptr;
  for (const QuotaKey& one : kKeys) {
    if (one.name == key && one.is_for_ip == is_for_ip) found = &one;
  }
  if (found == nullptr) return Invalid("there is no quota " + name + " for this kind of entity");
  if (!(value > 0)) return Invalid("the quota " + name + " must be greater than 0");
  if (found->most == 0) return {};
  if (value > found->most) return Invalid("the value of " + name + " is too large");
  if (std::fmod(value, 1.0) > 1e-6) return Invalid("the value of " + name + " must be a whole number");
  return {};
}

Refusal Check(const Alteration& one) {
  if (one.is_duplicate) return Invalid("the request names this entity more than once");
  if (!one.duplicate_key.empty()) {
    return Invalid("the request has the key " + std::string(one.duplicate_key) + " more than once for this entity");
  }
  if (Refusal refusal = CheckEntity(one.entity)) return refusal;
  bool is_for_ip = one.entity.contains(kQuotaIp);
  for (const auto& [key, value] : one.values) {
    if (!value) continue;
    if (Refusal refusal = CheckValue(is_for_ip, key, *value)) return refusal;
  }
  return {};
}

void Write(const metadata::MetadataImage& image, const Alteration& one, metadata::RecordList& records) {
  auto known = image.client_quotas().find(one.entity);
  Arena arena;
  for (const auto& [key, value] : one.values) {
    std::optional<double> before;
    if (known != image.client_quotas().end()) {
      auto found = known->second.find(key);
      if (found != known->second.end()) before = found->second;
    }
    if (before == value) continue;
    message::ClientQuotaRecord record;
    for (const auto& [type, name] : one.entity) {
      auto& part = record.entity.Add(arena);
      part.entity_type = type;
      part.entity_name = std::nullopt;
      if (name) part.entity_name = *name;
    }
    record.key = key;
    record.value = value.value_or(0);
    record.remove = !value;
    records.Add(record, 0);
  }
}

void Answer(const Alteration& one, const Refusal& refusal, Arena& arena, AlterClientQuotasResponse& response) {
  auto& result = response.entries.Add(arena);
  Put(arena, refusal, result);
  for (const auto& [type, name] : one.entity) {
    auto& part = result.entity.Add(arena);
    part.entity_type = arena.Copy(std::string_view(type));
    part.entity_name = std::nullopt;
    if (name) part.entity_name = arena.Copy(std::string_view(*name));
  }
}

}  // namespace

AlterClientQuotasResponse DecideAlterClientQuotas(const metadata::MetadataImage& image,
                                                  const AlterClientQuotasRequest& request, Arena& arena,
                                                  metadata::RecordList& records) {
  AlterClientQuotasResponse response;
  for (const Alteration& one : Collect(request)) {
    Refusal refusal = Check(one);
    if (!refusal && !request.validate_only) Write(image, one, records);
    Answer(one, refusal, arena, response);
  }
  return response;
}

}  // namespace kb::controller

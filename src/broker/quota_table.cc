#include "broker/quota_table.h"

#include "controller/quota_decisions.h"

namespace kb::broker {
namespace {

// Parts of keys. A name stands behind '='.
constexpr std::string_view kAbsent = "";
constexpr std::string_view kDefault = "*";

std::string Named(std::string_view name) {
  return "=" + std::string(name);
}

std::string PartOf(const metadata::QuotaEntity& entity, std::string_view type) {
  auto part = entity.find(type);
  if (part == entity.end()) return std::string(kAbsent);
  return part->second ? Named(*part->second) : std::string(kDefault);
}

std::optional<QuotaKind> KindOf(std::string_view key) {
  if (key == controller::kProducerByteRate) return QuotaKind::kProduce;
  if (key == controller::kConsumerByteRate) return QuotaKind::kFetch;
  if (key == controller::kRequestPercentage) return QuotaKind::kRequest;
  if (key == controller::kControllerMutationRate) return QuotaKind::kControllerMutation;
  return std::nullopt;
}

}  // namespace

QuotaTable::QuotaTable(const metadata::MetadataImage& image) {
  for (const auto& [entity, values] : image.client_quotas()) {
    if (entity.contains(controller::kQuotaIp)) continue;
    Key key{PartOf(entity, controller::kQuotaUser), PartOf(entity, controller::kQuotaClientId)};
    for (const auto& [name, bound] : values) {
      std::optional<QuotaKind> kind = KindOf(name);
      if (!kind || !(bound > 0)) continue;  // another version may have stored what nobody can keep to
      bounds_[static_cast<size_t>(*kind)][key] = bound;
      any_ = true;
    }
  }
}

const double* QuotaTable::FindBound(QuotaKind kind, std::string_view user, std::string_view client_id) const {
  const auto& bounds = bounds_[static_cast<size_t>(kind)];
  auto found = bounds.find({std::string(user), std::string(client_id)});
  return found == bounds.end() ? nullptr : &found->second;
}

std::optional<QuotaTable::Limit> QuotaTable::Find(QuotaKind kind, std::string_view user,
                                                  std::string_view client_id) const {
  if (!any(kind)) return std::nullopt;
  const std::string user_part = Named(user);
  const std::string client_part = Named(client_id);
  for (std::string_view a : {std::string_view(user_part), kDefault, kAbsent}) {
    for (std::string_view b : {std::string_view(client_part), kDefault, kAbsent}) {
      if (client_id.empty() && b != kAbsent) continue;
      const double* bound = FindBound(kind, a, b);
      if (bound == nullptr) continue;
      std::string sharer(1, static_cast<char>('0' + static_cast<int>(kind)));
      if (a != kAbsent) sharer += user_part;
      sharer += '\0';
      if (b != kAbsent) sharer += client_part;
      return Limit{*bound, std::move(sharer)};
    }
  }
  return std::nullopt;
}

}  // namespace kb::broker

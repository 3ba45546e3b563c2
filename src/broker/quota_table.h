// QuotaTable: which quota counts for a client: the quotas of a metadata image, ready to be looked up.
//
// Most specific first, as in Apache Kafka:
//   user + client-id · user + default client-id · user · default user + client-id · default user + default client-id ·
//   default user · client-id · default client-id
//
// What counts also says who shares it: a quota of a user is shared by all of his clients, one of a client-id by all
// users, and the quota of a default entity is each entity's own.
//
// Immutable once built, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "metadata/image.h"

namespace kb::broker {

enum class QuotaKind : uint8_t { kProduce, kFetch, kRequest, kControllerMutation };
inline constexpr size_t kQuotaKinds = 4;

class QuotaTable {
 public:
  QuotaTable() = default;
  explicit QuotaTable(const metadata::MetadataImage& image);

  bool any() const { return any_; }
  bool any(QuotaKind kind) const { return !bounds_[static_cast<size_t>(kind)].empty(); }

  struct Limit {
    double bound;        // bytes, percent or partitions a second
    std::string sharer;  // who draws on it together: equal texts do
  };
  // client_id may be empty: quotas of client-ids do not count then.
  std::optional<Limit> Find(QuotaKind kind, std::string_view user, std::string_view client_id) const;

 private:
  // Of user and client-id. kAbsent: the entity has no such part; kDefault: its default.
  using Key = std::pair<std::string, std::string>;
  const double* FindBound(QuotaKind kind, std::string_view user, std::string_view client_id) const;

  std::array<std::map<Key, double>, kQuotaKinds> bounds_;
  bool any_ = false;
};

}  // namespace kb::broker

// Settings: what the broker was started with, by key. Every key of Scope::kBroker has an answer: the file's (or
// override's) value, else the default. Values were checked before they came here, so typed reads cannot fail; asking
// for a key that is not in the table, or with the wrong type, is a mistake in this program. Immutable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/properties.h"
#include "config/rows.h"

namespace kb::config {

class Settings {
 public:
  Settings() = default;
  // Checks each known key's value by itself. kInvalid for the first that is not allowed.
  static Result<Settings> Create(ConfigMap values);

  // As it was written; nullopt when it was not.
  std::optional<std::string_view> Written(std::string_view key) const;
  bool IsSet(std::string_view key) const { return Written(key).has_value(); }
  // Written or default, in canonical form; nullopt is null.
  std::optional<std::string> Find(std::string_view key) const;

  bool Boolean(std::string_view key) const;
  int32_t Int(std::string_view key) const { return static_cast<int32_t>(Integer(key, Type::kInt)); }
  int16_t Short(std::string_view key) const { return static_cast<int16_t>(Integer(key, Type::kShort)); }
  int64_t Long(std::string_view key) const { return Integer(key, Type::kLong); }
  double Double(std::string_view key) const;
  std::vector<std::string> List(std::string_view key) const;  // empty for null
  std::string Text(std::string_view key) const;               // empty for null

  // Everything that was written, unknown keys as well.
  const ConfigMap& written() const { return written_; }

 private:
  int64_t Integer(std::string_view key, Type type) const;
  ConfigMap written_;
};

}  // namespace kb::config

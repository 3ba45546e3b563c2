#include "config/settings.h"

#include "config/value.h"

namespace kb::config {

namespace {

// Two names of one thing: what is written under one counts under the other, unless both are.
void WriteUnderBothNames(ConfigMap& values) {
  auto copy = [&values](std::string_view from, std::string_view to) {
    auto written = values.find(from);
    if (written != values.end()) values.try_emplace(std::string(to), written->second);
  };
  copy("broker.id", "node.id");
  copy("node.id", "broker.id");
}

}  // namespace

Result<Settings> Settings::Create(ConfigMap values) {
  WriteUnderBothNames(values);
  for (const auto& [key, value] : values) {
    const Row* row = FindRow(Scope::kBroker, key);
    if (row == nullptr) continue;
    Result<std::string> canonical = Canonical(*row, value);
    if (!canonical.ok()) return canonical.error();
  }
  Settings settings;
  settings.written_ = std::move(values);
  return settings;
}

std::optional<std::string_view> Settings::Written(std::string_view key) const {
  auto found = written_.find(key);
  if (found == written_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> Settings::Find(std::string_view key) const {
  const Row& row = RowNamed(Scope::kBroker, key);
  if (std::optional<std::string_view> written = Written(key)) return Canonical(row, *written).value();
  if (!row.default_value.has_value()) return std::nullopt;
  return std::string(*row.default_value);
}

bool Settings::Boolean(std::string_view key) const {
  KB_CHECK(RowNamed(Scope::kBroker, key).type == Type::kBoolean);
  return BooleanOf(Find(key).value());
}

int64_t Settings::Integer(std::string_view key, Type type) const {
  KB_CHECK(RowNamed(Scope::kBroker, key).type == type);
  std::optional<std::string> value = Find(key);
  KB_CHECK(value.has_value());
  return IntegerOf(*value);
}

double Settings::Double(std::string_view key) const {
  KB_CHECK(RowNamed(Scope::kBroker, key).type == Type::kDouble);
  std::optional<std::string> value = Find(key);
  KB_CHECK(value.has_value());
  return DoubleOf(*value);
}

std::vector<std::string> Settings::List(std::string_view key) const {
  KB_CHECK(RowNamed(Scope::kBroker, key).type == Type::kList);
  return ListOf(Find(key).value_or(""));
}

std::string Settings::Text(std::string_view key) const {
  Type type = RowNamed(Scope::kBroker, key).type;
  KB_CHECK(type == Type::kString || type == Type::kClass || type == Type::kPassword);
  return Find(key).value_or("");
}

}  // namespace kb::config

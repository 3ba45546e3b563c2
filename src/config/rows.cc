#include "config/rows.h"

#include <algorithm>

namespace kb::config {

const Row* FindRow(Scope scope, std::string_view key) {
  std::span<const Row> rows = RowsOf(scope);
  auto row =
      std::lower_bound(rows.begin(), rows.end(), key, [](const Row& r, std::string_view k) { return r.key < k; });
  return row != rows.end() && row->key == key ? &*row : nullptr;
}

const Row* RowBehind(std::string_view key) {
  if (const Row* row = FindRow(Scope::kBroker, key)) return row;
  if (!key.starts_with(kListenerPrefix)) return nullptr;
  key.remove_prefix(kListenerPrefix.size());
  for (size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
    key.remove_prefix(dot + 1);
    if (const Row* row = FindRow(Scope::kBroker, key)) return row;
  }
  return nullptr;
}

const Row& RowNamed(Scope scope, std::string_view key) {
  const Row* row = FindRow(scope, key);
  KB_CHECK(row != nullptr);
  return *row;
}

}  // namespace kb::config

#include "config/rows.h"

#include <algorithm>

namespace kb::config {

const Row* FindRow(Scope scope, std::string_view key) {
  std::span<const Row> rows = RowsOf(scope);
  auto row =
      std::lower_bound(rows.begin(), rows.end(), key, [](const Row& r, std::string_view k) { return r.key < k; });
  return row != rows.end() && row->key == key ? &*row : nullptr;
}

const Row& RowNamed(Scope scope, std::string_view key) {
  const Row* row = FindRow(scope, key);
  KB_CHECK(row != nullptr);
  return *row;
}

}  // namespace kb::config

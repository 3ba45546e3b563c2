// Decimal numbers from text. Free functions without state.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace kb {

// The whole text as a number: digits, with a '-' before them if T has a sign; for floating point as std::from_chars reads
// it. nullopt for anything else, an empty text, and what T cannot hold.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace kb

// Strong<Tag, Rep>: a number that cannot be mistaken for another kind of number (an offset for a partition index).
//
// Comparable and hashable; arithmetic only where it is spelt: offset + 1 and offset - offset through the operators
// below, everything else through value(). Immutable value, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace kb {

template <typename Tag, typename Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

  constexpr Strong operator+(Rep distance) const { return Strong(static_cast<Rep>(value_ + distance)); }
  constexpr Strong operator-(Rep distance) const { return Strong(static_cast<Rep>(value_ - distance)); }
  constexpr Rep operator-(Strong other) const { return static_cast<Rep>(value_ - other.value_); }
  constexpr Strong& operator++() {
    ++value_;
    return *this;
  }

 private:
  Rep value_{};
};

template <typename Tag, typename Rep>
std::string ToString(Strong<Tag, Rep> id) {
  return std::to_string(id.value());
}

}  // namespace kb

template <typename Tag, typename Rep>
struct std::hash<kb::Strong<Tag, Rep>> {
  size_t operator()(kb::Strong<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};

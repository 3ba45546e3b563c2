#include "config/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/number.h"

namespace kb::config {
namespace {

struct IntegerRange {
  int64_t least;
  int64_t most;
};
IntegerRange RangeOf(Type type) {
  if (type == Type::kShort) return {INT16_MIN, INT16_MAX};
  if (type == Type::kInt) return {INT32_MIN, INT32_MAX};
  return {INT64_MIN, INT64_MAX};
}

bool IsInteger(Type type) {
  return type == Type::kShort || type == Type::kInt || type == Type::kLong;
}

bool SameWord(std::string_view a, std::string_view b, bool any_case) {
  if (!any_case) return a == b;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool IsOneOf(const Rule& rule, std::string_view word) {
  return std::any_of(rule.words.begin(), rule.words.end(),
                     [&](std::string_view allowed) { return SameWord(allowed, word, rule.any_case); });
}

bool InRange(const Rule& rule, double value) {
  if (rule.kind != Rule::kRange) return true;
  return (value >= rule.least && value <= rule.most) || (rule.or_minus_one && value == -1);
}

std::optional<int64_t> ParseInteger(std::string_view text, Type type) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);  // as Java reads it
  std::optional<int64_t> value = ParseNumber<int64_t>(text);
  IntegerRange range = RangeOf(type);
  return value && *value >= range.least && *value <= range.most ? value : std::nullopt;
}

std::optional<double> ParseDouble(std::string_view text) {
  if (text.size() > 1 && std::string_view("dDfF").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::optional<double> value = ParseNumber<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

// As Double.toString writes it: 0.5, 10.0, 1.7976931348623157E308.
std::string JavaText(double value) {
  double size = std::fabs(value);
  bool plain = size == 0 || (size >= 1e-3 && size < 1e7);
  char buffer[400];
  auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  KB_CHECK(problem == std::errc());
  std::string text(buffer, end);
  if (plain) return text.find('.') == std::string::npos ? text + ".0" : text;
  size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  int exponent = 0;
  size_t digits = text[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(text.data() + digits, text.data() + text.size(), exponent);
  return mantissa + "E" + std::to_string(exponent);
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    size_t comma = text.find(',');
    items.emplace_back(Trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text = text.substr(comma + 1);
  }
}

std::string Joined(const std::vector<std::string>& items, std::string_view separator) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += separator;
    text += item;
  }
  return text;
}

bool IsThrottledReplica(std::string_view item) {
  size_t colon = item.find(':');
  return colon != std::string_view::npos && ParseInteger(item.substr(0, colon), Type::kInt).has_value() &&
         ParseInteger(item.substr(colon + 1), Type::kInt).has_value();
}

bool ItemIsAllowed(const Rule& rule, const std::string& item, bool only_item) {
  if (item.empty()) return false;
  if (rule.kind == Rule::kOneOf) return IsOneOf(rule, item);
  if (rule.kind == Rule::kThrottledReplicas) return (item == "*" && only_item) || IsThrottledReplica(item);
  return true;
}

// Repetitions are dropped, as Apache Kafka does; empty items are not.
std::optional<std::string> CanonicalList(const Rule& rule, std::string_view text) {
  if (text.empty()) return rule.not_empty ? std::nullopt : std::optional<std::string>("");
  std::vector<std::string> items = SplitAtCommas(text);
  std::vector<std::string> distinct;
  for (const std::string& item : items) {
    if (!ItemIsAllowed(rule, item, items.size() == 1)) return std::nullopt;
    if (std::find(distinct.begin(), distinct.end(), item) == distinct.end()) distinct.push_back(item);
  }
  return Joined(distinct, ",");
}

// ISO 8601 as java.time.Duration reads it, as far as lengths of time go: PnDTnHnMn.nS, at least one part.
bool IsDuration(std::string_view text) {
  if (text.size() < 3 || std::tolower(text[0]) != 'p') return false;
  text.remove_prefix(1);
  std::string_view units = "dhms";
  bool in_time = false;
  bool any = false;
  while (!text.empty()) {
    if (!in_time && std::tolower(text[0]) == 't') {
      in_time = true;
      text.remove_prefix(1);
      if (text.empty()) return false;
      continue;
    }
    size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return false;
    size_t unit = units.find(static_cast<char>(std::tolower(text[digits])));
    if (unit == std::string_view::npos || (units[unit] != 'd') != in_time) return false;
    if (units[unit] != 's' && text.substr(0, digits).find('.') != std::string_view::npos) return false;
    units = units.substr(unit + 1);
    text.remove_prefix(digits + 1);
    any = true;
  }
  return any;
}

bool IsOffsetReset(std::string_view text) {
  constexpr std::string_view kByDuration = "by_duration:";
  if (text == "latest" || text == "earliest") return true;
  return text.starts_with(kByDuration) && IsDuration(text.substr(kByDuration.size()));
}

std::optional<std::string> CanonicalText(const Row& row, std::string_view text) {
  switch (row.rule.kind) {
    case Rule::kOneOf:
      if (!IsOneOf(row.rule, text)) return std::nullopt;
      break;
    case Rule::kNotEmptyText:
      if (text.empty()) return std::nullopt;
      break;
    case Rule::kOffsetReset:
      if (!IsOffsetReset(text)) return std::nullopt;
      break;
    case Rule::kAny:
    case Rule::kRange:
    case Rule::kThrottledReplicas:
      break;
  }
  if (row.type == Type::kClass && text.empty()) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> CanonicalOrNothing(const Row& row, std::string_view text) {
  switch (row.type) {
    case Type::kBoolean:
      if (SameWord(text, "true", true)) return "true";
      if (SameWord(text, "false", true)) return "false";
      return std::nullopt;
    case Type::kInt:
    case Type::kShort:
    case Type::kLong: {
      std::optional<int64_t> value = ParseInteger(text, row.type);
      if (!value.has_value() || !InRange(row.rule, static_cast<double>(*value))) return std::nullopt;
      return std::to_string(*value);
    }
    case Type::kDouble: {
      std::optional<double> value = ParseDouble(text);
      if (!value.has_value() || !InRange(row.rule, *value)) return std::nullopt;
      return JavaText(*value);
    }
    case Type::kList:
      return CanonicalList(row.rule, text);
    case Type::kString:
    case Type::kClass:
    case Type::kPassword:
      return CanonicalText(row, text);
  }
  KB_CHECK(false);
}

std::string Number(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) return std::to_string(static_cast<int64_t>(value));
  return JavaText(value);
}

std::string AllowedNumber(const Row& row) {
  std::string text = IsInteger(row.type) ? "an integer" : "a number";
  bool bounded_below = row.rule.kind == Rule::kRange;
  bool bounded_above = bounded_below && row.rule.most < std::numeric_limits<double>::max();
  if (bounded_above) {
    text += " from " + Number(row.rule.least) + " to " + Number(row.rule.most);
  } else if (bounded_below) {
    text += " of at least " + Number(row.rule.least);
  }
  if (row.rule.or_minus_one) text += ", or -1";
  IntegerRange range = RangeOf(row.type);
  if (!bounded_above && IsInteger(row.type)) text += ", at most " + std::to_string(range.most);
  return text;
}

std::string AllowedWords(const Rule& rule) {
  std::vector<std::string> words(rule.words.begin(), rule.words.end());
  return "one of " + Joined(words, ", ");
}

std::string AllowedList(const Rule& rule) {
  std::string text = "a list with commas, no empty items";
  if (rule.kind == Rule::kOneOf) text += ", each " + AllowedWords(rule);
  if (rule.kind == Rule::kThrottledReplicas) text = "* or partition:broker,partition:broker,…";
  if (rule.not_empty) text += ", not empty";
  return text;
}

std::string AllowedText(const Row& row) {
  switch (row.rule.kind) {
    case Rule::kOneOf:
      return AllowedWords(row.rule);
    case Rule::kNotEmptyText:
      return "a text that is not empty";
    case Rule::kOffsetReset:
      return "latest, earliest or by_duration:PnDTnHnMn.nS";
    case Rule::kAny:
    case Rule::kRange:
    case Rule::kThrottledReplicas:
      break;
  }
  return row.type == Type::kClass ? "the name of a class" : "a text";
}

}  // namespace

std::string_view Trimmed(std::string_view text) {
  auto is_space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

Error NotAllowed(std::string_view key, std::string_view value, std::string_view allowed) {
  std::string message(key);
  message.append(": \"").append(value).append("\" is not allowed; it must be ").append(allowed);
  return Error{ErrorKind::kInvalid, message};
}

std::string Allowed(const Row& row) {
  switch (row.type) {
    case Type::kBoolean:
      return "true or false";
    case Type::kInt:
    case Type::kShort:
    case Type::kLong:
    case Type::kDouble:
      return AllowedNumber(row);
    case Type::kList:
      return AllowedList(row.rule);
    case Type::kString:
    case Type::kClass:
    case Type::kPassword:
      return AllowedText(row);
  }
  KB_CHECK(false);
}

Result<std::string> Canonical(const Row& row, std::string_view text) {
  std::optional<std::string> canonical = CanonicalOrNothing(row, Trimmed(text));
  if (!canonical.has_value()) return NotAllowed(row.key, row.sensitive() ? "[hidden]" : text, Allowed(row));
  return *std::move(canonical);
}

bool DiffersFromDefault(const Row& row, std::string_view written) {
  Result<std::string> canonical = Canonical(row, written);
  if (!canonical.ok()) return true;
  if (!row.default_value.has_value()) return !canonical->empty();
  return *canonical != Canonical(row, *row.default_value).value();
}

bool BooleanOf(std::string_view canonical) {
  KB_CHECK(canonical == "true" || canonical == "false");
  return canonical == "true";
}

int64_t IntegerOf(std::string_view canonical) {
  std::optional<int64_t> value = ParseInteger(canonical, Type::kLong);
  KB_CHECK(value.has_value());
  return *value;
}

double DoubleOf(std::string_view canonical) {
  std::optional<double> value = ParseDouble(canonical);
  KB_CHECK(value.has_value());
  return *value;
}

std::vector<std::string> ListOf(std::string_view canonical) {
  if (canonical.empty()) return {};
  return SplitAtCommas(canonical);
}

}  // namespace kb::config

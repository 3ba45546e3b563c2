#include "config/connection_limits.h"

#include <algorithm>

#include "base/number.h"
#include "config/value.h"

namespace kb::config {
namespace {

bool IsIpv4(std::string_view text) {
  for (int i = 0; i < 4; ++i) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    const std::optional<int32_t> part = ParseNumber<int32_t>(text.substr(0, dot));
    if (!part.has_value() || *part < 0 || *part > 255) return false;
    text = i == 3 ? std::string_view() : text.substr(dot + 1);
  }
  return true;
}

bool LooksLikeIpv6(std::string_view text) {
  return std::count(text.begin(), text.end(), ':') >= 2 &&
         text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::string_view WithoutBrackets(std::string_view text) {
  const bool has_them = text.size() > 2 && text.front() == '[' && text.back() == ']';
  return has_them ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

Result<ConnectionLimits> ParseConnectionLimits(std::string_view text) {
  ConnectionLimits limits;
  for (const std::string& item : ListOf(Trimmed(text))) {
    const size_t colon = item.rfind(':');
    if (colon == std::string::npos) return NotAllowed(kConnectionLimitsKey, item, "address:connections,…");
    const std::string_view address = WithoutBrackets(Trimmed(std::string_view(item).substr(0, colon)));
    const std::optional<int32_t> most = ParseNumber<int32_t>(Trimmed(std::string_view(item).substr(colon + 1)));
    if (!most.has_value() || *most < 0) return NotAllowed(kConnectionLimitsKey, item, "address:connections,…");
    if (!IsIpv4(address) && !LooksLikeIpv6(address)) {
      return NotAllowed(kConnectionLimitsKey, item, "an address with its number; names are not looked up");
    }
    limits[std::string(address)] = *most;
  }
  return limits;
}

}  // namespace kb::config

#include "base/ip_address.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/number.h"

namespace kb {
namespace {

constexpr size_t kIpv4At = 12;  // in an IPv4-mapped address

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The bytes of an IPv4 address into out[0..3].
bool ParseIpv4(std::string_view text, uint8_t* out) {
  std::vector<std::string_view> parts = Split(text, '.');
  if (parts.size() > 4) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::optional<uint32_t> number = ParseNumber<uint32_t>(parts[i]);
    bool is_last = i + 1 == parts.size();
    size_t bytes = is_last ? 4 - i : 1;
    if (!number || (bytes < 4 && *number >> (8 * bytes) != 0)) return false;
    for (size_t b = 0; b < bytes; ++b) out[i + b] = static_cast<uint8_t>(*number >> (8 * (bytes - 1 - b)));
  }
  return true;
}

// Groups of four hexadecimal digits, perhaps with an IPv4 address as the last two; nullopt when one is none.
std::optional<std::vector<uint8_t>> ParseGroups(std::string_view text) {
  std::vector<uint8_t> bytes;
  if (text.empty()) return bytes;
  std::vector<std::string_view> groups = Split(text, ':');
  for (size_t i = 0; i < groups.size(); ++i) {
    std::string_view group = groups[i];
    uint8_t ipv4[4];
    if (i + 1 == groups.size() && std::count(group.begin(), group.end(), '.') == 3) {
      if (!ParseIpv4(group, ipv4)) return std::nullopt;
      bytes.insert(bytes.end(), ipv4, ipv4 + 4);
      continue;
    }
    uint16_t value = 0;
    auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (group.empty() || group.size() > 4 || error != std::errc() || end != group.data() + group.size()) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<uint8_t>(value >> 8));
    bytes.push_back(static_cast<uint8_t>(value));
  }
  return bytes;
}

std::optional<IpAddress> ParseIpv6(std::string_view text) {
  IpAddress address{};
  size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    std::optional<std::vector<uint8_t>> all = ParseGroups(text);
    if (!all || all->size() != address.size()) return std::nullopt;
    std::copy(all->begin(), all->end(), address.begin());
    return address;
  }
  std::optional<std::vector<uint8_t>> front = ParseGroups(text.substr(0, gap));
  std::optional<std::vector<uint8_t>> back = ParseGroups(text.substr(gap + 2));
  if (!front || !back || front->size() + back->size() > address.size() - 2) return std::nullopt;
  std::copy(front->begin(), front->end(), address.begin());
  std::copy_backward(back->begin(), back->end(), address.end());
  return address;
}

}  // namespace

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    bool in_brackets = text.size() > 2 && text.front() == '[' && text.back() == ']';
    return ParseIpv6(in_brackets ? text.substr(1, text.size() - 2) : text);
  }
  IpAddress address{};
  address[kIpv4At - 2] = address[kIpv4At - 1] = 0xff;
  if (!ParseIpv4(text, address.data() + kIpv4At)) return std::nullopt;
  return address;
}

}  // namespace kb

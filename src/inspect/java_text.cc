#include "inspect/java_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace kb::inspect {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// How a character that begins with this byte goes on. length 0: none begins so.
struct Lead {
  size_t length = 0;
  uint8_t least_second = 0x80;
  uint8_t most_second = 0xBF;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// How many bytes at the front belong together, and whether they are a character.
size_t PieceLength(ByteView bytes, bool* is_character) {
  Lead lead = LeadOf(bytes[0]);
  size_t taken = 1;
  *is_character = lead.length == 1;
  while (taken < lead.length && taken < bytes.size()) {
    uint8_t least = taken == 1 ? lead.least_second : 0x80;
    uint8_t most = taken == 1 ? lead.most_second : 0xBF;
    if (bytes[taken] < least || bytes[taken] > most) return taken;
    ++taken;
  }
  bool is_surrogate = bytes[0] == 0xED && taken > 1 && bytes[1] >= 0xA0;
  *is_character = lead.length != 0 && taken == lead.length && !is_surrogate;
  return taken;
}

}  // namespace

std::string JavaText(ByteView bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    bool is_character = false;
    size_t length = PieceLength(bytes, &is_character);
    text += is_character ? AsText(bytes.first(length)) : kReplacement;
    bytes = bytes.subspan(length);
  }
  return text;
}

std::string JavaDouble(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char buffer[64];
  std::to_chars_result result = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific);
  std::string_view shortest(buffer, static_cast<size_t>(result.ptr - buffer));  // d[.ddd]e±xx
  size_t e = shortest.find('e');
  int exponent = std::atoi(std::string(shortest.substr(e + 1)).c_str());
  std::string digits(1, shortest[0]);
  if (e > 2) digits += shortest.substr(2, e - 2);
  std::string text = value < 0 ? "-" : "";
  if (exponent < -3 || exponent >= 7) {
    text += digits.substr(0, 1) + "." + (digits.size() > 1 ? digits.substr(1) : "0") + "E" + std::to_string(exponent);
  } else if (exponent < 0) {
    text += "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else {
    size_t whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() < whole + 1) digits.append(whole + 1 - digits.size(), '0');
    text += digits.substr(0, whole) + "." + digits.substr(whole);
  }
  return text;
}

}  // namespace kb::inspect

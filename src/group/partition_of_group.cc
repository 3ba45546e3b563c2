#include "group/partition_of_group.h"

#include <cstdlib>

#include "base/arena.h"
#include "base/check.h"
#include "base/utf8.h"

namespace kb::group {
namespace {

// Takes one code point off the front of valid UTF-8.
uint32_t TakeCodePoint(std::string_view& text) {
  auto first = static_cast<uint8_t>(text[0]);
  size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  uint32_t code = length == 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3fu);
  text.remove_prefix(length);
  return code;
}

template <typename Visit>
void ForEachUtf16Unit(std::string_view text, Visit visit) {
  Arena arena;
  text = ValidUtf8(text, arena);
  while (!text.empty()) {
    uint32_t code = TakeCodePoint(text);
    if (code < 0x10000) {
      visit(code);
    } else {
      visit(0xd800 + ((code - 0x10000) >> 10));
      visit(0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
}

}  // namespace

int32_t JavaStringHash(std::string_view utf8) {
  uint32_t hash = 0;
  ForEachUtf16Unit(utf8, [&](uint32_t unit) { hash = 31 * hash + unit; });
  return static_cast<int32_t>(hash);
}

int32_t PartitionOfGroup(std::string_view group_id, int32_t partitions) {
  KB_CHECK(partitions > 0);
  int32_t hash = JavaStringHash(group_id);
  return hash == INT32_MIN ? 0 : std::abs(hash) % partitions;
}

size_t Utf16Length(std::string_view utf8) {
  size_t length = 0;
  ForEachUtf16Unit(utf8, [&](uint32_t) { ++length; });
  return length;
}

std::u16string Utf16(std::string_view utf8) {
  std::u16string units;
  ForEachUtf16Unit(utf8, [&](uint32_t unit) { units.push_back(static_cast<char16_t>(unit)); });
  return units;
}

}  // namespace kb::group

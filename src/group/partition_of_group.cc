#include "group/partition_of_group.h"

#include <cstdlib>

#include "base/check.h"

namespace kb::group {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

bool IsContinuation(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80;
}

// The smallest code point that a sequence of this many bytes may stand for.
constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};

// Takes one code point off the front of `text`. Of a malformed sequence one byte is taken.
uint32_t TakeCodePoint(std::string_view& text) {
  auto first = static_cast<uint8_t>(text[0]);
  size_t length = first < 0x80 ? 1 : (first >> 5) == 0x6 ? 2 : (first >> 4) == 0xe ? 3 : (first >> 3) == 0x1e ? 4 : 0;
  uint32_t code = length <= 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text, i)) {
      length = 0;
      break;
    }
    code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3fu);
  }
  bool surrogate = code >= 0xd800 && code < 0xe000;
  if (length == 0 || code < kLeast[length] || code > 0x10ffff || surrogate) {
    text.remove_prefix(1);
    return kReplacement;
  }
  text.remove_prefix(length);
  return code;
}

template <typename Visit>
void ForEachUtf16Unit(std::string_view text, Visit visit) {
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

}  // namespace kb::group

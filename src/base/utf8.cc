#include "base/utf8.h"

#include <cstdint>
#include <string>

namespace kb {
namespace {

// The length of the valid sequence at the front, or 0; *bad: how many bytes the malformed one takes.
size_t SequenceAt(std::string_view text, size_t* bad) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t lead = byte(0);
  *bad = 1;
  if (lead < 0x80) return 1;
  size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                  : lead >= 0xe0 && lead <= 0xef ? 3
                  : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                 : 0;
  if (length == 0) return 0;
  // What may follow the lead byte: no overlong forms, no surrogates, nothing above U+10FFFF.
  uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < least || byte(i) > most) {
      *bad = i;
      return 0;
    }
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

}  // namespace

std::string_view ValidUtf8(std::string_view text, Arena& arena) {
  std::string replaced;
  bool malformed = false;
  for (size_t at = 0; at < text.size();) {
    size_t bad = 0;
    size_t length = SequenceAt(text.substr(at), &bad);
    if (length == 0 && !malformed) {
      malformed = true;
      replaced.assign(text.substr(0, at));
    }
    if (length == 0) {
      replaced += "\xef\xbf\xbd";
      at += bad;
      continue;
    }
    if (malformed) replaced += text.substr(at, length);
    at += length;
  }
  return malformed ? arena.Copy(std::string_view(replaced)) : text;
}

}  // namespace kb

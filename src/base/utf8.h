// UTF-8 as Java's decoder takes it: clients send any bytes where the protocol says string, and expect valid text back.
#pragma once

#include <string_view>

#include "base/arena.h"

namespace kb {

// text itself when it is valid; else a copy with U+FFFD for each malformed sequence (the maximal-subpart rule of
// Unicode, which is Java's, too).
std::string_view ValidUtf8(std::string_view text, Arena& arena);

}  // namespace kb

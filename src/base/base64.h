// Base64 as RFC 4648 section 4 has it: with '+' and '/', padded.
#pragma once

#include <string>

#include "base/bytes.h"

namespace kb {

inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string ToBase64(ByteView bytes);

}  // namespace kb

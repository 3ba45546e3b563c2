// Base64 as RFC 4648 section 4 has it: with '+' and '/', padded.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"

namespace kb {

inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string ToBase64(ByteView bytes);

// The bytes. Padding may be missing, as a whole; nullopt for a wrong length, any other character, or wrong padding.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace kb

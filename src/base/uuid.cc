#include "base/uuid.h"

#include "base/check.h"

namespace kb {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int DigitOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

}  // namespace

Uuid Uuid::FromBytes(ByteView bytes) {
  KB_CHECK(bytes.size() == kSize);
  Uuid id;
  std::memcpy(id.bytes_.data(), bytes.data(), kSize);
  return id;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() == 24 && text.ends_with("==")) text.remove_suffix(2);
  if (text.size() != 22) return std::nullopt;
  Uuid id;
  uint32_t bits = 0;
  int held = 0;
  size_t at = 0;
  for (char c : text) {
    int digit = DigitOf(c);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8 && at < kSize) {
      held -= 8;
      id.bytes_[at++] = static_cast<uint8_t>(bits >> held);
    }
  }
  return id;
}

std::string Uuid::ToString() const {
  std::string text;
  text.reserve(22);
  for (size_t i = 0; i < kSize; i += 3) {
    uint32_t group = static_cast<uint32_t>(bytes_[i]) << 16;
    if (i + 1 < kSize) group |= static_cast<uint32_t>(bytes_[i + 1]) << 8;
    if (i + 2 < kSize) group |= bytes_[i + 2];
    int digits = i + 2 < kSize ? 4 : 2;
    for (int d = 0; d < digits; ++d) text.push_back(kAlphabet[group >> (18 - 6 * d) & 63]);
  }
  return text;
}

}  // namespace kb

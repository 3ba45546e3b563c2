#include "message_json/fields.h"

#include <algorithm>
#include <array>

#include "base/base64.h"

namespace kb::message_json {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

std::optional<ByteView> FromBase64(std::string_view text, Arena& arena) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  size_t size = text.size() * 3 / 4;
  auto* to = static_cast<uint8_t*>(arena.Allocate(size + 1, 1));
  uint32_t bits = 0;
  int have = 0;
  size_t at = 0;
  for (char c : text) {
    size_t digit = kBase64Digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    have += 6;
    if (have >= 8) to[at++] = static_cast<uint8_t>(bits >> (have -= 8));
  }
  return ByteView{to, size};
}

std::string ToHex(ByteView bytes) {
  std::string text;
  for (uint8_t byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<ByteView> FromHex(std::string_view text, Arena& arena) {
  if (text.size() % 2 != 0) return std::nullopt;
  auto* to = static_cast<uint8_t*>(arena.Allocate(text.size() / 2 + 1, 1));
  for (size_t i = 0; i < text.size(); i += 2) {
    size_t high = kHex.find(text[i]), low = kHex.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    to[i / 2] = static_cast<uint8_t>(high << 4 | low);
  }
  return ByteView{to, text.size() / 2};
}

const std::string* TextOf(const Json& from) {
  return from.get_ptr<const std::string*>();
}

}  // namespace

Json Value(bool value) {
  return value;
}
Json Value(int64_t value) {
  return value;
}
Json Value(double value) {
  return value;
}
Json Value(const Uuid& value) {
  return value.ToString();
}
Json Value(std::string_view value) {
  return std::string(value);
}
Json Value(ByteView value) {
  return ToBase64(value);
}
Json Value(const protocol::Records& value) {
  return value.is_null ? Json() : Value(value.bytes);
}

void Set(Json& object, const char* name, Json value) {
  object[name] = std::move(value);
}

void SetUnknown(Json& object, const protocol::Array<protocol::RawTag>& tags) {
  for (const protocol::RawTag& tag : tags) object["_unknown"][std::to_string(tag.number)] = ToHex(tag.bytes);
}

void Problem::Set(std::string_view where, std::string_view what) {
  if (text_.empty()) text_ = std::string(where) + " " + std::string(what);
}

Status Problem::status() const {
  if (text_.empty()) return {};
  return Error{.kind = ErrorKind::kInvalid, .message = text_};
}

ObjectReader::ObjectReader(const Json& object, Arena& arena, Problem& problem)
    : object_(object), arena_(arena), problem_(problem) {
  if (!object.is_object()) problem.Set("a value", "is not an object");
}

const Json& ObjectReader::Take(const char* name) {
  static const Json kNothing;
  if (!Has(name)) {
    problem_.Set(name, "is missing");
    return kNothing;
  }
  ++taken_;
  return object_.at(name);
}

void ObjectReader::GetUnknown(protocol::Array<protocol::RawTag>& out) {
  if (!Has("_unknown")) return;
  for (const auto& [number, hex] : Take("_unknown").items()) {
    const std::string* text = TextOf(hex);
    std::optional<ByteView> bytes = text == nullptr ? std::nullopt : FromHex(*text, arena_);
    char* end = nullptr;
    unsigned long tag = std::strtoul(number.c_str(), &end, 10);
    if (!bytes.has_value() || *end != '\0' || tag > UINT32_MAX) return problem_.Set("_unknown", "holds no tags");
    out.Add(arena_, {static_cast<uint32_t>(tag), *bytes});
  }
  // JSON sorts its keys as text.
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
}

void ObjectReader::End() {
  if (object_.is_object() && taken_ != object_.size())
    problem_.Set("an object", "holds a field that this version lacks");
}

void ObjectReader::Read(const char* name, const Json& from, bool& out) {
  if (!from.is_boolean()) return problem_.Set(name, "is not true or false");
  out = from.get<bool>();
}

void ObjectReader::Read(const char* name, const Json& from, double& out) {
  if (!from.is_number()) return problem_.Set(name, "is not a number");
  out = from.get<double>();
}

int64_t ObjectReader::ReadNumber(const char* name, const Json& from, int64_t least, int64_t most) {
  bool fits = from.is_number_integer() && (!from.is_number_unsigned() || from.get<uint64_t>() <= uint64_t{INT64_MAX});
  int64_t value = fits ? from.get<int64_t>() : 0;
  if (!fits || value < least || value > most) problem_.Set(name, "is not a number of its type");
  return value;
}

void ObjectReader::Read(const char* name, const Json& from, Uuid& out) {
  const std::string* text = TextOf(from);
  std::optional<Uuid> parsed = text == nullptr ? std::nullopt : Uuid::Parse(*text);
  if (!parsed.has_value()) return problem_.Set(name, "is not a uuid");
  out = *parsed;
}

void ObjectReader::Read(const char* name, const Json& from, std::string_view& out) {
  const std::string* text = TextOf(from);
  if (text == nullptr) return problem_.Set(name, "is not text");
  out = *text;
}

void ObjectReader::Read(const char* name, const Json& from, ByteView& out) {
  const std::string* text = TextOf(from);
  std::optional<ByteView> bytes = text == nullptr ? std::nullopt : FromBase64(*text, arena_);
  if (!bytes.has_value()) return problem_.Set(name, "is not base64");
  out = *bytes;
}

void ObjectReader::Read(const char* name, const Json& from, protocol::Records& out) {
  if (from.is_null()) {
    out = protocol::Records::Null();
    return;
  }
  ByteView bytes;
  Read(name, from, bytes);
  out = protocol::Records::Of(bytes);
}

}  // namespace kb::message_json

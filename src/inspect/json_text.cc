#include "inspect/json_text.h"

#include "base/base64.h"
#include "inspect/java_text.h"

namespace kb::inspect {
namespace {

void AppendEscaped(std::string& to, char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  switch (c) {
    case '"': to += "\\\""; return;
    case '\\': to += "\\\\"; return;
    case '\b': to += "\\b"; return;
    case '\f': to += "\\f"; return;
    case '\n': to += "\\n"; return;
    case '\r': to += "\\r"; return;
    case '\t': to += "\\t"; return;
    default: break;
  }
  auto byte = static_cast<uint8_t>(c);
  if (byte >= 0x20) {
    to += c;
    return;
  }
  to += "\\u00";
  to += kHex[byte >> 4];
  to += kHex[byte & 15];
}

}  // namespace

void JsonText::Separate() {
  if (needs_comma_) text_ += ',';
}

void JsonText::Open(char bracket) {
  Separate();
  text_ += bracket;
  needs_comma_ = false;
}

void JsonText::Close(char bracket) {
  text_ += bracket;
  needs_comma_ = true;
}

void JsonText::Name(std::string_view name) {
  Separate();
  text_ += '"';
  text_ += name;
  text_ += "\":";
  name_ = name;
  needs_comma_ = false;
}

void JsonText::Raw(std::string_view text) {
  Separate();
  text_ += text;
  needs_comma_ = true;
}

void JsonText::Value(double value) { Raw(JavaDouble(value)); }

void JsonText::Value(std::string_view value) {
  Separate();
  text_ += '"';
  for (char c : value) AppendEscaped(text_, c);
  text_ += '"';
  needs_comma_ = true;
}

void JsonText::Value(ByteView value) {
  if (hook_ && hook_(name_, value, *this)) return;
  Raw('"' + ToBase64(value) + '"');
}

void JsonText::Value(const protocol::Records& value) {
  if (value.is_null) {
    Null();
  } else {
    Value(value.bytes);
  }
}

}  // namespace kb::inspect

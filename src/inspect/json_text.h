// JsonText: JSON as Apache Kafka's tools print it: compact, fields in the order they are given, bytes in base64, ids in
// their text form, doubles as Java spells them.
//
//   JsonText json;
//   json.BeginObject(); json.Name("epoch"); json.Value(int32_t{3}); json.EndObject();      {"epoch":3}
//
// Text of others is kept as it is, except for what JSON must escape. A value; belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/types.h"

namespace kb::inspect {

class JsonText {
 public:
  // Writes a value of its own for a bytes field of that name; false: it has none to write.
  using BytesHook = std::function<bool(std::string_view name, ByteView bytes, JsonText& out)>;

  JsonText() = default;
  explicit JsonText(BytesHook hook) : hook_(std::move(hook)) {}

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Name(std::string_view name);

  void Null() { Raw("null"); }
  void Value(bool value) { Raw(value ? "true" : "false"); }
  template <typename T>
    requires std::is_integral_v<T>
  void Value(T value) {
    Raw(std::to_string(value));
  }
  void Value(double value);
  void Value(const Uuid& value) { Value(value.ToString()); }
  void Value(const std::string& value) { Value(std::string_view(value)); }
  void Value(const char* value) { Value(std::string_view(value)); }
  void Value(std::string_view value);
  void Value(ByteView value);
  void Value(const protocol::Records& value);
  template <typename T>
  void Value(const std::optional<T>& value) {
    if (value) {
      Value(*value);
    } else {
      Null();
    }
  }
  // A value that is JSON already.
  void Raw(std::string_view text);

  const std::string& text() const { return text_; }

 private:
  void Open(char bracket);
  void Close(char bracket);
  void Separate();

  BytesHook hook_;
  std::string text_;
  std::string name_;  // of the value that follows
  bool needs_comma_ = false;
};

}  // namespace kb::inspect

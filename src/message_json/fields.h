// What the generated JSON code is made of: one value at a time, out of line, because there are thousands of fields.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "message_json/json.h"
#include "protocol/types.h"

namespace kb::message_json {

using Json = nlohmann::json;

// ---- to JSON

Json Value(bool value);
Json Value(int64_t value);
inline Json Value(int8_t value) {
  return Value(int64_t{value});
}
inline Json Value(int16_t value) {
  return Value(int64_t{value});
}
inline Json Value(uint16_t value) {
  return Value(int64_t{value});
}
inline Json Value(int32_t value) {
  return Value(int64_t{value});
}
inline Json Value(uint32_t value) {
  return Value(int64_t{value});
}
Json Value(double value);
Json Value(const Uuid& value);
Json Value(std::string_view value);
Json Value(ByteView value);
Json Value(const protocol::Records& value);
template <typename T>
Json Value(const std::optional<T>& value) {
  return value.has_value() ? Value(*value) : Json();
}
template <typename T, typename ToOne>
Json ArrayValue(const protocol::Array<T>& array, const ToOne& to_one) {
  if (array.is_null()) return Json();
  Json list = Json::array();
  for (const T& element : array) list.push_back(to_one(element));
  return list;
}

void Set(Json& object, const char* name, Json value);
void SetUnknown(Json& object, const protocol::Array<protocol::RawTag>& tags);

// ---- from JSON

// The error of one conversion; the first one counts.
class Problem {
 public:
  void Set(std::string_view where, std::string_view what);
  Status status() const;
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

// One JSON object whose fields are taken by name.
class ObjectReader {
 public:
  ObjectReader(const Json& object, Arena& arena, Problem& problem);

  Arena& arena() { return arena_; }
  Problem& problem() { return problem_; }
  bool Has(const char* name) const { return object_.is_object() && object_.contains(name); }
  // The field; a problem and null when it is missing.
  const Json& Take(const char* name);

  template <typename T>
  void Get(const char* name, T& out) {
    Read(name, Take(name), out);
  }
  template <typename T>
  void GetArray(const char* name, protocol::Array<T>& out) {
    GetArray(name, out, [&](const Json& from, T& element) { Read(name, from, element); });
  }
  template <typename T, typename FromOne>
  void GetArray(const char* name, protocol::Array<T>& out, const FromOne& from_one) {
    const Json& list = Take(name);
    out = list.is_null() ? protocol::Array<T>::Null() : protocol::Array<T>();
    if (list.is_null()) return;
    if (!list.is_array()) return problem_.Set(name, "is not a list");
    out.Reserve(arena_, list.size());
    for (const Json& element : list) from_one(element, out.Add(arena_));
  }
  void GetUnknown(protocol::Array<protocol::RawTag>& out);
  // A problem when the object holds something that was not taken.
  void End();

 private:
  void Read(const char* name, const Json& from, bool& out);
  void Read(const char* name, const Json& from, double& out);
  void Read(const char* name, const Json& from, Uuid& out);
  void Read(const char* name, const Json& from, std::string_view& out);
  void Read(const char* name, const Json& from, ByteView& out);
  void Read(const char* name, const Json& from, protocol::Records& out);
  int64_t ReadNumber(const char* name, const Json& from, int64_t least, int64_t most);
  template <typename T>
    requires std::is_integral_v<T>
  void Read(const char* name, const Json& from, T& out) {
    out = static_cast<T>(ReadNumber(name, from, std::numeric_limits<T>::min(), int64_t{std::numeric_limits<T>::max()}));
  }
  template <typename T>
  void Read(const char* name, const Json& from, std::optional<T>& out) {
    if (from.is_null()) {
      out.reset();
    } else {
      Read(name, from, out.emplace());
    }
  }

  const Json& object_;
  Arena& arena_;
  Problem& problem_;
  size_t taken_ = 0;
};

}  // namespace kb::message_json

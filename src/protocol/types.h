// What generated messages are made of.
//
// A message struct is plain data: trivially destructible, copyable, views into the frame it was decoded from or into
// the arena it was built in. Nothing in it owns memory.
//
//   string            std::string_view                 nullable: std::optional<std::string_view>
//   bytes             ByteView                         nullable: std::optional<ByteView>
//   records           Records                          (nullable by itself)
//   [T]               Array<T>                         (nullable by itself)
//   struct            the struct                       nullable: Nullable<T>, a pointer into the arena
//   uuid              Uuid      bool, i8…i64, u16, u32, f64: bool, int8_t … double
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/uuid.h"

namespace kb::protocol {

// A sequence in an arena; null is a state of its own, distinct from empty. Copies are shallow.
template <typename T>
class Array {
 public:
  using value_type = T;

  constexpr Array() = default;
  static constexpr Array Null() {
    Array array;
    array.size_ = kNull;
    return array;
  }
  // A copy of a list of values.
  static Array Of(Arena& arena, std::initializer_list<T> values) {
    Array array;
    array.Reserve(arena, values.size());
    for (const T& value : values) array.Add(arena) = value;
    return array;
  }
  // Views elements that somebody else keeps.
  static Array View(T* first, size_t count) {
    Array array;
    array.data_ = first;
    array.size_ = array.capacity_ = static_cast<uint32_t>(count);
    return array;
  }

  bool is_null() const { return size_ == kNull; }
  size_t size() const { return is_null() ? 0 : size_; }
  bool empty() const { return size() == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size(); }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size(); }
  T& operator[](size_t i) {
    KB_CHECK(i < size());
    return data_[i];
  }
  const T& operator[](size_t i) const {
    KB_CHECK(i < size());
    return data_[i];
  }
  T& back() { return (*this)[size() - 1]; }

  void Reserve(Arena& arena, size_t count) {
    if (is_null()) size_ = 0;
    if (count > capacity_) Grow(arena, count);
  }
  // Appends a default element and returns it. The reference is valid until the next Add. A null array becomes empty
  // first.
  T& Add(Arena& arena) {
    if (is_null()) size_ = 0;
    if (size_ == capacity_) Grow(arena, std::max<size_t>(4, size_t{capacity_} * 2));
    return *new (data_ + size_++) T();
  }
  void Add(Arena& arena, const T& value) { Add(arena) = value; }

 private:
  static constexpr uint32_t kNull = UINT32_MAX;

  void Grow(Arena& arena, size_t capacity) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* grown = static_cast<T*>(arena.Allocate(capacity * sizeof(T), alignof(T)));
    std::uninitialized_copy(data_, data_ + size_, grown);
    data_ = grown;
    capacity_ = static_cast<uint32_t>(capacity);
  }

  T* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

// A struct that may be absent. Points into an arena.
template <typename T>
using Nullable = T*;

// A tagged field whose number the schema does not know: kept as it came, written again as it was.
struct RawTag {
  uint32_t number = 0;
  ByteView bytes;
};

// The records field of Produce, Fetch and their like: bytes here, or bytes that are elsewhere (ranges of segment files)
// and reach the socket without passing through the encoded response.
struct Records {
  bool is_null = false;
  ByteView bytes;              // what is here
  uint64_t external_size = 0;  // when not 0: `bytes` is empty, and this many bytes are sent in this place
  uint32_t external_id = 0;    // the encoder's caller knows what it means (Writer::splices)

  static Records Null() { return Records{.is_null = true}; }
  static Records Of(ByteView bytes) { return Records{.bytes = bytes}; }
  static Records External(uint32_t id, uint64_t size) { return Records{.external_size = size, .external_id = id}; }
  uint64_t size() const { return bytes.size() + external_size; }
};

}  // namespace kb::protocol

// Reader: a cursor over the bytes of one frame or record, with Kafka's primitives in both encodings.
//
// The error is sticky: the first read that does not fit makes ok() false and moves the cursor to the end; reads behind
// it return zeros and empty views. A decoder therefore reads straight through and asks ok() where it loops and at the
// end.
//
// Strings, bytes and records are views into the frame: valid while it is. Arrays live in the arena that is passed in.
//
// Memory. A count is believed only as far as the bytes that are left could hold it (count <= left / smallest element),
// and even then no more than kMemoryPerByte bytes for each byte left is reserved on its word: the rest grows by
// doubling as elements are really decoded. What all arrays and unknown tags of one frame may take together is
// kFreeMemory + kMemoryPerByte x its size; past that it counts as malformed. (Without that bound a frame of empty names
// would take 28 bytes, with the copies of growing 56, for each of its own. Real requests stay below 6.) Who must bound
// it more tightly says so with set_memory_limit().
//
// "flexible" chooses the encoding: uvarint length + 1 with 0 for null, or a fixed-width length with -1 for null. As in
// Apache Kafka every negative length means null, and a null where the schema has none is malformed.
//
// Belongs to one thread at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "protocol/types.h"

namespace kb::protocol {

class Reader {
 public:
  static constexpr size_t kMemoryPerByte = 8;
  static constexpr size_t kFreeMemory = size_t{4} << 20;
  static constexpr size_t kMostString = 32767;  // bytes

  explicit Reader(ByteView frame)
      : begin_(frame.data()),
        at_(begin_),
        end_(begin_ + frame.size()),
        memory_left_(kFreeMemory + kMemoryPerByte * frame.size()) {}

  bool ok() const { return ok_; }
  void Fail() {
    ok_ = false;
    at_ = end_;
  }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  size_t position() const { return static_cast<size_t>(at_ - begin_); }
  // What was not read yet: after a successful Decode, the bytes behind the body.
  ByteView rest() const { return {at_, left()}; }
  // Bytes that arrays and unknown tags may take from the arena from now on.
  void set_memory_limit(size_t bytes) { memory_left_ = bytes; }

  bool ReadBool() { return ReadInt<int8_t>() != 0; }
  int8_t ReadInt8() { return ReadInt<int8_t>(); }
  int16_t ReadInt16() { return ReadInt<int16_t>(); }
  uint16_t ReadUint16() { return ReadInt<uint16_t>(); }
  int32_t ReadInt32() { return ReadInt<int32_t>(); }
  uint32_t ReadUint32() { return ReadInt<uint32_t>(); }
  int64_t ReadInt64() { return ReadInt<int64_t>(); }
  double ReadFloat64() { return std::bit_cast<double>(ReadInt<int64_t>()); }
  Uuid ReadUuid() {
    ByteView bytes = Take(Uuid::kSize);
    return bytes.empty() ? Uuid() : Uuid::FromBytes(bytes);
  }
  uint32_t ReadUvarint() {
    if (at_ != end_ && *at_ < 0x80) return *at_++;
    return ReadLongUvarint();
  }
  int32_t ReadVarint();  // zigzag, as in records
  int64_t ReadVarlong();

  // The next `size` bytes; empty and failed when there are fewer.
  ByteView Take(size_t size) {
    if (size > left()) [[unlikely]] {
      Fail();
      return {};
    }
    at_ += size;
    return {at_ - size, size};
  }
  void Skip(size_t size) { Take(size); }

  std::string_view ReadString(bool flexible) { return AsText(NotNull(ReadStringLength(flexible))); }
  std::optional<std::string_view> ReadNullableString(bool flexible) {
    int32_t length = ReadStringLength(flexible);
    if (length < 0) return std::nullopt;
    return AsText(Take(static_cast<size_t>(length)));
  }
  ByteView ReadBytes(bool flexible) { return NotNull(ReadLength(flexible)); }
  std::optional<ByteView> ReadNullableBytes(bool flexible) {
    int32_t length = ReadLength(flexible);
    if (length < 0) return std::nullopt;
    return Take(static_cast<size_t>(length));
  }
  Records ReadRecords(bool flexible) { return Records::Of(ReadBytes(flexible)); }
  Records ReadNullableRecords(bool flexible) {
    int32_t length = ReadLength(flexible);
    if (length < 0) return Records::Null();
    return Records::Of(Take(static_cast<size_t>(length)));
  }

  // An array whose smallest element takes smallest_element (> 0) bytes. read_element(T&) reads one into a default T.
  template <typename T, typename ReadElement>
  Array<T> ReadArray(bool flexible, size_t smallest_element, Arena& arena, ReadElement read_element) {
    int32_t count = ReadLength(flexible);
    if (count < 0) {
      Fail();
      return {};
    }
    return ReadElements<T>(static_cast<size_t>(count), smallest_element, arena, read_element);
  }
  template <typename T, typename ReadElement>
  Array<T> ReadNullableArray(bool flexible, size_t smallest_element, Arena& arena, ReadElement read_element) {
    int32_t count = ReadLength(flexible);
    if (count < 0) return Array<T>::Null();
    return ReadElements<T>(static_cast<size_t>(count), smallest_element, arena, read_element);
  }

  // The tag section of a struct whose schema has no tagged fields: everything in it is kept.
  void ReadUnknownTags(Arena& arena, Array<RawTag>& unknown) {
    if (at_ != end_ && *at_ == 0) [[likely]] {
      ++at_;
      return;
    }
    KeepTagSection(arena, unknown);
  }

 private:
  friend class TagSection;

  template <typename T>
  T ReadInt() {
    if (left() < sizeof(T)) [[unlikely]] {
      Fail();
      return 0;
    }
    T value = LoadBigEndian<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  // Negative: null. A uvarint beyond 31 bits becomes negative or too long to fit, as in Apache Kafka.
  int32_t ReadLength(bool flexible) { return flexible ? static_cast<int32_t>(ReadUvarint() - 1) : ReadInt32(); }
  int32_t ReadStringLength(bool flexible) {
    int32_t length = flexible ? static_cast<int32_t>(ReadUvarint() - 1) : ReadInt16();
    if (length > static_cast<int32_t>(kMostString)) [[unlikely]]
      Fail();
    return length;
  }
  ByteView NotNull(int32_t length) {
    if (length < 0) [[unlikely]] {
      Fail();
      return {};
    }
    return Take(static_cast<size_t>(length));
  }
  // Makes room for `capacity` elements in all; false when that is past the memory limit.
  template <typename T>
  bool Grow(Arena& arena, Array<T>& array, size_t capacity) {
    if (capacity * sizeof(T) > memory_left_) [[unlikely]] {
      Fail();
      return false;
    }
    memory_left_ -= capacity * sizeof(T);
    array.Reserve(arena, capacity);
    return true;
  }
  template <typename T, typename ReadElement>
  Array<T> ReadElements(size_t count, size_t smallest_element, Arena& arena, ReadElement& read_element) {
    Array<T> array;
    if (count > left() / smallest_element) [[unlikely]] {
      Fail();
      return array;
    }
    size_t capacity = std::min(count, 1 + kMemoryPerByte * left() / sizeof(T));
    if (count == 0 || !Grow(arena, array, capacity)) return array;
    for (size_t i = 0; i < count && ok_; ++i) {
      if (i == capacity) {
        capacity = std::min(count, capacity * 2);
        if (!Grow(arena, array, capacity)) break;
      }
      read_element(array.Add(arena));
    }
    return array;
  }
  uint32_t ReadLongUvarint();
  void KeepTagSection(Arena& arena, Array<RawTag>& unknown);

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
  size_t memory_left_;
  bool ok_ = true;
};

// The tag section at the end of a struct with tagged fields:
//
//   for (TagSection tags(reader, arena, unknown); tags.Next();) {
//     switch (tags.number()) {
//       case 0: … reads the field …  break;
//       default: tags.Keep();
//     }
//   }
//
// Tags may come in any order and more than once. The unknown ones are kept in ascending order, in which they are
// written again. A known field says itself where it ends: like Apache Kafka, nobody compares that with the size its tag
// announced.
class TagSection {
 public:
  TagSection(Reader& reader, Arena& arena, Array<RawTag>& unknown)
      : reader_(reader), arena_(arena), unknown_(unknown), left_(static_cast<int32_t>(reader.ReadUvarint())) {}

  // Moves to the next tag. False at the end, and when the bytes are malformed.
  bool Next() {
    if (left_ > 0 && reader_.ok()) [[unlikely]] {
      --left_;
      number_ = reader_.ReadUvarint();
      size_ = reader_.ReadUvarint();
      return reader_.ok();
    }
    if (kept_ > 1) Sort();
    return false;
  }
  uint32_t number() const { return number_; }
  // Keeps the current tag as it is.
  void Keep();
  // The current tag belongs to a field that this version does not have yet: malformed, as for Apache Kafka.
  void TooEarly() { reader_.Fail(); }

 private:
  void Sort();

  Reader& reader_;
  Arena& arena_;
  Array<RawTag>& unknown_;
  int32_t left_;  // Apache Kafka reads a count beyond 31 bits as none, and so do we
  uint32_t number_ = 0;
  uint32_t size_ = 0;  // in bytes
  uint32_t kept_ = 0;
};

}  // namespace kb::protocol

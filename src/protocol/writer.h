// Measurer and Writer: the two ends of encoding. Both have the same Put functions, and the generated code has one walk
// over a message that is run through either: first the Measurer, which counts the bytes and refuses what cannot be
// written, then the Writer, which puts them into a buffer of exactly that size.
//
//   Result<size_t> size = EncodedSize(response, version);
//   if (!size.ok()) …                               // a value that this version cannot carry: which one is in the
//   error Writer writer(buffer);                          // of that size, or of more when a header goes in front
//   Encode(response, version, writer);
//
// External records (Records::External) are counted in their length prefix and not in EncodedSize: they are bytes
// elsewhere, and the Writer notes in splices() behind which byte of the buffer they belong.
//
// What is refused: a field that is set while the version lacks it and the schema does not call it ignorable; a null
// where the version has none; a string longer than 32,767 bytes; anything longer than 31 bits can say.
//
// A Writer that would run over its buffer is our own error and stops the process. Both belong to one thread.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/pool.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "protocol/types.h"

namespace kb::protocol {

// Bytes that are not in the buffer and are sent behind its first `position` bytes.
struct Splice {
  size_t position = 0;  // in the writer's buffer
  uint32_t external_id = 0;
  uint64_t size = 0;
};

inline constexpr uint64_t kAllTags = uint64_t{1} << 32;  // above every tag number

// What both ends share: everything that is made of smaller things. Sink has the integers, Append, PutExternal
// and Refuse.
template <typename Sink>
class PutBase {
 public:
  void PutBool(bool value) { sink().PutInt8(value ? 1 : 0); }
  void PutFloat64(double value) { sink().PutInt64(std::bit_cast<int64_t>(value)); }
  void PutUuid(const Uuid& value) { sink().Append(value.bytes()); }

  // size < 0: null.
  void PutLength(bool flexible, int64_t size) {
    if (size > INT32_MAX) sink().Refuse("longer than 31 bits can say");
    if (flexible) {
      sink().PutUvarint(static_cast<uint32_t>(size + 1));
    } else {
      sink().PutInt32(static_cast<int32_t>(size));
    }
  }
  void PutString(bool flexible, std::string_view value) {
    if (value.size() > 32767) sink().Refuse("a string is longer than 32767 bytes");
    if (flexible) {
      sink().PutUvarint(static_cast<uint32_t>(value.size() + 1));
    } else {
      sink().PutInt16(static_cast<int16_t>(value.size()));
    }
    sink().Append(AsBytes(value));
  }
  void PutNullString(bool flexible) {
    if (flexible) {
      sink().PutUvarint(0);
    } else {
      sink().PutInt16(-1);
    }
  }
  void PutString(bool flexible, const std::optional<std::string_view>& value) {
    if (value.has_value()) {
      PutString(flexible, *value);
    } else {
      PutNullString(flexible);
    }
  }
  void PutBytes(bool flexible, ByteView value) {
    PutLength(flexible, static_cast<int64_t>(value.size()));
    sink().Append(value);
  }
  void PutBytes(bool flexible, const std::optional<ByteView>& value) {
    if (value.has_value()) {
      PutBytes(flexible, *value);
    } else {
      PutLength(flexible, -1);
    }
  }
  void PutRecords(bool flexible, const Records& value) {
    if (value.is_null) return PutLength(flexible, -1);
    uint64_t size = value.size();
    PutLength(flexible, size > INT32_MAX ? int64_t{INT32_MAX} + 1 : static_cast<int64_t>(size));
    sink().Append(value.bytes);
    if (value.external_size != 0) sink().PutExternal(value);
  }
  // The count in front of an array's elements; a null array has no elements.
  template <typename T>
  void PutCount(bool flexible, const Array<T>& array) {
    PutLength(flexible, array.is_null() ? -1 : static_cast<int64_t>(array.size()));
  }

  // Moves `at` over the unknown tags below `number` (all that are left with kAllTags), writing them.
  void PutTagsBelow(uint64_t number, const RawTag*& at, const RawTag* end) {
    for (; at != end && at->number < number; ++at) {
      sink().PutUvarint(at->number);
      sink().PutUvarint(static_cast<uint32_t>(at->bytes.size()));
      sink().Append(at->bytes);
    }
  }
  // A tag section without known fields.
  void PutTags(const Array<RawTag>& unknown) {
    sink().PutUvarint(static_cast<uint32_t>(unknown.size()));
    const RawTag* at = unknown.begin();
    PutTagsBelow(kAllTags, at, unknown.end());
  }
  // One known tagged field; put(sink) writes its value.
  template <typename Put>
  void PutTag(uint32_t number, const Put& put);

 private:
  Sink& sink() { return static_cast<Sink&>(*this); }
};

// Counts. Sticky: after the first refusal the size means nothing.
class Measurer : public PutBase<Measurer> {
 public:
  static constexpr bool kMeasures = true;

  void PutInt8(int8_t) { size_ += 1; }
  void PutInt16(int16_t) { size_ += 2; }
  void PutUint16(uint16_t) { size_ += 2; }
  void PutInt32(int32_t) { size_ += 4; }
  void PutUint32(uint32_t) { size_ += 4; }
  void PutInt64(int64_t) { size_ += 8; }
  void PutUvarint(uint32_t value) { size_ += UvarintSize(value); }
  void Append(ByteView bytes) { size_ += bytes.size(); }
  void Skip(size_t size) { size_ += size; }  // of elements that all have one size
  void PutExternal(const Records& records) { external_size_ += records.external_size; }

  // Notes why the value cannot be written; the first reason counts.
  void Refuse(const char* reason) {
    if (refusal_ == nullptr) refusal_ = reason;
  }

  size_t size() const { return size_; }
  uint64_t external_size() const { return external_size_; }
  // size(), or an error of kind kInvalid that names the message, the version and the reason.
  Result<size_t> Finish(std::string_view message, int16_t version) const;

 private:
  size_t size_ = 0;
  uint64_t external_size_ = 0;
  const char* refusal_ = nullptr;
};

class Writer : public PutBase<Writer> {
 public:
  static constexpr bool kMeasures = false;

  // Appends from the front of `to`.
  explicit Writer(MutableByteView to) : begin_(to.data()), at_(begin_), end_(begin_ + to.size()) {}

  void PutInt8(int8_t value) { PutInt(value); }
  void PutInt16(int16_t value) { PutInt(value); }
  void PutUint16(uint16_t value) { PutInt(value); }
  void PutInt32(int32_t value) { PutInt(value); }
  void PutUint32(uint32_t value) { PutInt(value); }
  void PutInt64(int64_t value) { PutInt(value); }
  void PutUvarint(uint32_t value) {
    if (value < 0x80) return PutInt(static_cast<uint8_t>(value));
    KB_CHECK(left() >= UvarintSize(value));
    at_ = WriteUvarint(at_, value);
  }
  void Append(ByteView bytes) {
    if (bytes.empty()) return;
    KB_CHECK(left() >= bytes.size());
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void PutExternal(const Records& records) {
    splices_.push_back({.position = size(), .external_id = records.external_id, .size = records.external_size});
    external_size_ += records.external_size;
  }
  void Refuse(const char*) {}  // the Measurer has said it

  // Writes over what stands at `position`: a size that was not known yet.
  void PatchInt32(size_t position, int32_t value) {
    KB_CHECK(position + sizeof value <= size());
    StoreBigEndian(begin_ + position, value);
  }

  size_t size() const { return static_cast<size_t>(at_ - begin_); }  // bytes written
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  // In ascending order of position.
  const PoolVector<Splice>& splices() const { return splices_; }
  PoolVector<Splice> TakeSplices() { return std::move(splices_); }
  uint64_t external_size() const { return external_size_; }  // sum over splices()

 private:
  template <typename T>
  void PutInt(T value) {
    KB_CHECK(left() >= sizeof(T));
    StoreBigEndian(at_, value);
    at_ += sizeof(T);
  }

  uint8_t* begin_;
  uint8_t* at_;
  uint8_t* end_;
  PoolVector<Splice> splices_;
  uint64_t external_size_ = 0;
};

template <typename Sink>
template <typename Put>
void PutBase<Sink>::PutTag(uint32_t number, const Put& put) {
  Measurer value;
  put(value);
  sink().PutUvarint(number);
  sink().PutUvarint(static_cast<uint32_t>(value.size()));
  put(sink());
}

}  // namespace kb::protocol

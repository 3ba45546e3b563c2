// Variable-length integers as Kafka writes them: 7 bits a byte, least significant first.
//
//   uvarint   unsigned, 32 bits, at most 5 bytes: lengths, counts and tags of flexible messages
//   varint    zigzag, 32 bits, at most 5 bytes: fields of records
//   varlong   zigzag, 64 bits, at most 10 bytes: timestamp deltas of records
//
// Non-minimal forms are accepted and the excess bits of the last byte ignored, as Apache Kafka does; one byte more than
// the maximum is malformed.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace kb {

// Each Read returns how many bytes it took, 0 when the bytes are malformed or end too soon (value is then untouched).
inline size_t ReadUvarint(ByteView from, uint32_t* value) {
  uint32_t result = 0;
  for (size_t i = 0; i < 5 && i < from.size(); ++i) {
    result |= static_cast<uint32_t>(from[i] & 0x7f) << (7 * i);
    if ((from[i] & 0x80) == 0) {
      *value = result;
      return i + 1;
    }
  }
  return 0;
}

inline size_t ReadUvarlong(ByteView from, uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < 10 && i < from.size(); ++i) {
    result |= static_cast<uint64_t>(from[i] & 0x7f) << (7 * i);
    if ((from[i] & 0x80) == 0) {
      *value = result;
      return i + 1;
    }
  }
  return 0;
}

inline size_t ReadVarint(ByteView from, int32_t* value) {
  uint32_t raw;
  size_t taken = ReadUvarint(from, &raw);
  if (taken != 0) *value = static_cast<int32_t>(raw >> 1) ^ -static_cast<int32_t>(raw & 1);
  return taken;
}

inline size_t ReadVarlong(ByteView from, int64_t* value) {
  uint64_t raw;
  size_t taken = ReadUvarlong(from, &raw);
  if (taken != 0) *value = static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
  return taken;
}

constexpr uint32_t ZigZag(int32_t value) {
  return (static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31);
}
constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr size_t UvarintSize(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}
constexpr size_t VarintSize(int32_t value) {
  return UvarintSize(ZigZag(value));
}
constexpr size_t VarlongSize(int64_t value) {
  return UvarintSize(ZigZag(value));
}

// Writes at `to`, which has room for UvarintSize(value), and returns the first byte behind.
inline uint8_t* WriteUvarint(uint8_t* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<uint8_t>(value);
  return to;
}
inline uint8_t* WriteVarint(uint8_t* to, int32_t value) {
  return WriteUvarint(to, ZigZag(value));
}
inline uint8_t* WriteVarlong(uint8_t* to, int64_t value) {
  return WriteUvarint(to, ZigZag(value));
}

}  // namespace kb

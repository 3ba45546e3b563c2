// Buffer: bytes on the heap with one owner, not initialised, growing in place where the allocator can (realloc moves large
// ones by their pages, without copying).
//
// Moves between threads; no sharing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace kb::net {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) { Resize(size); }
  static Buffer CopyOf(ByteView bytes) {
    Buffer copy(bytes.size());
    if (!bytes.empty()) std::memcpy(copy.data_, bytes.data(), bytes.size());
    return copy;
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView view() const { return {data_, size_}; }
  MutableByteView bytes() { return {data_, size_}; }

  // Keeps the first min(old, new) bytes. Their address may change.
  void Resize(size_t size) {
    if (size == 0) {
      std::free(std::exchange(data_, nullptr));
    } else {
      auto* moved = static_cast<uint8_t*>(std::realloc(data_, size));
      KB_CHECK(moved != nullptr);
      data_ = moved;
    }
    size_ = size;
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kb::net

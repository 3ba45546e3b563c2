// Buffer: bytes with one owner, not initialised; small ones from the thread's pool. Large ones grow in place where the
// allocator can (realloc moves them by their pages, without copying).
//
// Moves between threads; no sharing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/pool.h"

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
  ~Buffer() { Release(); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView view() const { return {data_, size_}; }
  MutableByteView bytes() { return {data_, size_}; }

  // Keeps the first min(old, new) bytes. Their address may change.
  void Resize(size_t size) {
    if (size == 0) {
      Release();
    } else {
      data_ = static_cast<uint8_t*>(Pool::Resize(data_, size_, size));
      size_ = size;
    }
  }

 private:
  void Release() {
    if (data_ != nullptr) Pool::Free(std::exchange(data_, nullptr), std::exchange(size_, 0));
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kb::net

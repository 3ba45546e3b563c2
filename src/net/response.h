// Response: what answers one request: a list of slices, each of bytes in memory or of a file. The connection puts the four bytes
// of length in front.
//
//   Response response;
//   response.Add(std::move(buffer));                     // owned
//   response.AddView(buffer_bytes.subspan(0, 40));       // not owned: of something that is given to Keep()
//   response.AddFile({.descriptor = …, .position = …, .size = …, .keep_alive = segment});
//
// Everything kept is destroyed when the last byte has left or the connection is closed, on the connection's reactor.
// Built on that reactor. At most 2^31 - 1 bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/pool.h"
#include "net/buffer.h"
#include "net/socket.h"
#include "reactor/closure.h"

namespace kb::net {

struct Slice {
  struct File : FileRange, Pooled {
    explicit File(FileRange range) : FileRange(std::move(range)) {}
  };
  const uint8_t* data = nullptr;  // of `size` bytes, unless `file` is set
  uint64_t size = 0;
  Buffer owned;
  std::unique_ptr<File> file;
};

class Response {
 public:
  Response() = default;
  explicit Response(Buffer bytes) { Add(std::move(bytes)); }

  void Add(Buffer bytes);
  void AddCopy(ByteView bytes) { Add(Buffer::CopyOf(bytes)); }
  void AddCopy(std::string_view bytes) { AddCopy(AsBytes(bytes)); }
  // The caller sees to it that the bytes stay: they are static, or belong to something given to Keep().
  void AddView(ByteView bytes);
  void AddFile(FileRange range);

  // Holds any movable object (a frame, an arena, a buffer whose address does not change by moving it) until all is sent.
  template <typename T>
  void Keep(T object) {
    kept_.emplace_back([object = std::move(object)] { (void)object; });
  }

  uint64_t size() const { return size_; }
  uint64_t memory_bytes() const { return memory_bytes_; }  // of size(), what is not in files
  const PoolVector<Slice>& slices() const { return slices_; }

 private:
  void AddSlice(Slice slice);
  PoolVector<Slice> slices_;
  PoolVector<reactor::Closure> kept_;
  uint64_t size_ = 0;
  uint64_t memory_bytes_ = 0;
};

}  // namespace kb::net

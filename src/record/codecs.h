// The makers of the codecs, one file each: codec_gzip.cc, codec_snappy.cc, codec_lz4.cc, codec_zstd.cc. For
// compression.cc alone.
#pragma once

#include <memory>
#include <vector>

#include "record/compression.h"

namespace kb::record {

std::unique_ptr<Decoder> MakeGzipDecoder();
std::unique_ptr<Decoder> MakeSnappyDecoder();
std::unique_ptr<Decoder> MakeLz4Decoder();
std::unique_ptr<Decoder> MakeZstdDecoder();

std::unique_ptr<Compressor> MakeGzipCompressor(int level, std::vector<uint8_t>* to, size_t most_bytes);
std::unique_ptr<Compressor> MakeSnappyCompressor(std::vector<uint8_t>* to, size_t most_bytes);
std::unique_ptr<Compressor> MakeLz4Compressor(int level, std::vector<uint8_t>* to, size_t most_bytes);
std::unique_ptr<Compressor> MakeZstdCompressor(int level, std::vector<uint8_t>* to, size_t most_bytes);

// A buffer that is never filled with zeros first.
class PieceBuffer {
 public:
  // At least `size` bytes, uninitialised.
  uint8_t* Ensure(size_t size) {
    if (size > size_) {
      bytes_ = std::make_unique_for_overwrite<uint8_t[]>(size);
      size_ = size;
    }
    return bytes_.get();
  }
  // Gives a buffer back that one unusual batch made large.
  void Trim(size_t most) {
    if (size_ > most) {
      bytes_.reset();
      size_ = 0;
    }
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

}  // namespace kb::record

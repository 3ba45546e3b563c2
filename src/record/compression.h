// The four codecs of a record batch, reading and writing, piece by piece.
//
//   gzip     one or more members (RFC 1952); bytes behind the last member are ignored
//   snappy   xerial's framing: magic, two int32 versions, then (int32 size, snappy block)…   as Java and most clients
//   send
//            or one bare snappy block, as librdkafka and franz-go send
//   lz4      one LZ4 frame of independent blocks; bytes behind it are ignored
//   zstd     one or more zstd frames and nothing else
//
// What is read is what a Java consumer can read: a dependent-block lz4 frame decodes here as well and is refused all
// the same, because nobody else could read it back from us.
//
// Output comes in pieces so that a batch of some kilobytes that unpacks to gigabytes costs the memory of a piece, and
// the total is bounded. Bounds: a piece has at most kPieceBytes, except a snappy block, which must be unpacked whole
// and cannot unpack to more than kMostSnappyRatio times its size. zstd reserves address space for the window that a
// frame asks for (at most 128 MiB), which becomes memory only as far as output was produced; it is given back at the
// next Start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "record/batch.h"

namespace kb::record {

inline constexpr size_t kPieceBytes = 64 * 1024;
// A snappy copy of 64 bytes takes three.
inline constexpr size_t kMostSnappyRatio = 22;

// How much a batch may unpack to before it is called a bomb: sixteen times its size, and always 64 MiB.
inline constexpr size_t kLeastUnpackLimit = 64 << 20;
constexpr size_t UnpackLimit(size_t batch_bytes) {
  return batch_bytes * 16 > kLeastUnpackLimit ? batch_bytes * 16 : kLeastUnpackLimit;
}

enum class Unpacked {
  kPiece,     // *piece holds the next bytes, at least one
  kEnd,       // that was all, and checksums in the stream agreed
  kBroken,    // not a stream of this codec, or cut short
  kTooLarge,  // more than most_bytes came out
};

// Lz4 of which level is what Kafka's configuration calls it.
inline constexpr int kDefaultGzipLevel = -1;
inline constexpr int kDefaultLz4Level = 9;
inline constexpr int kDefaultZstdLevel = 3;
constexpr int DefaultLevel(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
      return kDefaultGzipLevel;
    case Codec::kLz4:
      return kDefaultLz4Level;
    case Codec::kZstd:
      return kDefaultZstdLevel;
    case Codec::kNone:
    case Codec::kSnappy:
      break;
  }
  return 0;
}

// One codec's reader, made by the functions of codec_*.cc.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void Start(ByteView payload) = 0;
  // Never gives kTooLarge; the piece is valid until the next call. most_bytes: what the caller still accepts; only a
  // decoder that must allocate by a claimed size needs it.
  virtual Unpacked Next(size_t most_bytes, ByteView* piece) = 0;
};

// Unpacks the payload of one batch after the other. Keeps its contexts and buffers between batches, so there is one per
// reactor (or disk thread) and it is passed down. Reactor-affine.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();

  // payload stays valid until the next Start. Codec::kNone gives the payload back as one piece. A codec that is none
  // (5 to 7) is broken.
  void Start(Codec codec, ByteView payload, size_t most_bytes);
  // piece is valid until the next call. After anything but kPiece the answer stays the same.
  Unpacked Next(ByteView* piece);

  // Room for records that lie across two pieces; belongs to whoever reads from this decompressor.
  std::vector<uint8_t>& carry() { return carry_; }

 private:
  Decoder* DecoderOf(Codec codec);

  std::array<std::unique_ptr<Decoder>, kCodecs> decoders_;
  std::vector<uint8_t> carry_;
  Decoder* current_ = nullptr;
  ByteView plain_;
  size_t left_bytes_ = 0;
  Unpacked state_ = Unpacked::kEnd;
};

// Packs a stream of bytes and appends the result to a vector. Used where the broker itself makes batches: a topic whose
// compression.type is not the producer's, compaction, the group coordinator's records.
class Compressor {
 public:
  // level: as in Kafka's configuration (compression.gzip.level …); DefaultLevel(codec) when there is no wish.
  // to: outlives the compressor. most_bytes: what may be appended to it.
  static std::unique_ptr<Compressor> Create(Codec codec, int level, std::vector<uint8_t>* to, size_t most_bytes);
  virtual ~Compressor() = default;

  // False when most_bytes are not enough; the compressor is of no use afterwards. Each call has a cost of its own:
  // meant for pieces, not for single records.
  bool Append(ByteView bytes) { return bytes.empty() || (Consume(bytes) && within_limit()); }
  bool Finish() { return Close() && within_limit(); }

 protected:
  Compressor(std::vector<uint8_t>* to, size_t most_bytes) : to_(to), most_size_(to->size() + most_bytes) {}
  virtual bool Consume(ByteView bytes) = 0;
  virtual bool Close() = 0;
  bool within_limit() const { return to_->size() <= most_size_; }
  // Room for `bytes` more at the end of the output; Keep says how many of them were used.
  uint8_t* Room(size_t bytes) {
    used_ = to_->size();
    to_->resize(used_ + bytes);
    return to_->data() + used_;
  }
  void Keep(size_t bytes) { to_->resize(used_ + bytes); }

  std::vector<uint8_t>* to_;

 private:
  size_t most_size_;
  size_t used_ = 0;
};

}  // namespace kb::record

// lz4 in its frame format (doc/lz4_Frame_format.md of lz4), of which Kafka's clients understand the part with version
// 01, independent blocks and neither dictionary nor reserved bits.
#include <lz4frame.h>
#include <lz4hc.h>

#include <algorithm>

#include "record/codecs.h"

namespace kb::record {
namespace {

constexpr uint32_t kFrameMagic = 0x184d2204;  // little-endian
constexpr uint8_t kVersionAndReserved = 0xc3;
constexpr uint8_t kVersion01 = 0x40;
constexpr uint8_t kIndependentBlocks = 0x20;

bool JavaCouldReadIt(ByteView frame) {
  if (frame.size() < LZ4F_HEADER_SIZE_MIN) return false;
  uint32_t magic = uint32_t{frame[0]} | uint32_t{frame[1]} << 8 | uint32_t{frame[2]} << 16 | uint32_t{frame[3]} << 24;
  uint8_t flags = frame[4];
  return magic == kFrameMagic && (flags & kVersionAndReserved) == kVersion01 && (flags & kIndependentBlocks) != 0;
}

class Lz4Decoder : public Decoder {
 public:
  ~Lz4Decoder() override { LZ4F_freeDecompressionContext(context_); }

  void Start(ByteView payload) override {
    // LZ4F_resetDecompressionContext (1.9.4) keeps the content size that a broken frame announced, and then the next
    // frame, perhaps of another client, fails. Only a context whose frame ended well is used again.
    if (!ended_) Renew();
    rest_ = payload;
    ended_ = false;
    readable_ = JavaCouldReadIt(payload);
  }

  Unpacked Next(size_t, ByteView* piece) override {
    if (!readable_) return Unpacked::kBroken;
    while (!ended_) {
      size_t produced = piece_.size();
      size_t taken = rest_.size();
      size_t answer = LZ4F_decompress(context_, piece_.data(), &produced, rest_.data(), &taken, nullptr);
      if (LZ4F_isError(answer)) return Unpacked::kBroken;
      rest_ = rest_.subspan(taken);
      ended_ = answer == 0;
      if (produced > 0) {
        *piece = {piece_.data(), produced};
        return Unpacked::kPiece;
      }
      if (!ended_ && taken == 0) return Unpacked::kBroken;  // the input ended too soon
    }
    return Unpacked::kEnd;
  }

 private:
  void Renew() {
    LZ4F_freeDecompressionContext(context_);
    KB_CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)));
  }

  LZ4F_dctx* context_ = nullptr;
  ByteView rest_;
  bool ended_ = false;  // the frame was read to its end
  bool readable_ = false;
  std::array<uint8_t, kPieceBytes> piece_;
};

class Lz4Compressor : public Compressor {
 public:
  Lz4Compressor(int level, std::vector<uint8_t>* to, size_t most_bytes) : Compressor(to, most_bytes) {
    KB_CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION)));
    preferences_.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences_.frameInfo.blockMode = LZ4F_blockIndependent;
    // Kafka's default level, 9, means the fast compressor; any other the high compression one of that level.
    preferences_.compressionLevel =
        level == kDefaultLz4Level ? 0 : std::clamp(level, LZ4HC_CLEVEL_MIN, LZ4HC_CLEVEL_MAX);
    Begin();
  }
  ~Lz4Compressor() override { LZ4F_freeCompressionContext(context_); }

 protected:
  bool Consume(ByteView bytes) override {
    while (!bytes.empty()) {
      ByteView part = bytes.first(std::min(bytes.size(), kPieceBytes));
      bytes = bytes.subspan(part.size());
      size_t bound = LZ4F_compressBound(part.size(), &preferences_);
      size_t written = LZ4F_compressUpdate(context_, Room(bound), bound, part.data(), part.size(), nullptr);
      if (LZ4F_isError(written)) return false;
      Keep(written);
      if (!within_limit()) return false;
    }
    return true;
  }
  bool Close() override {
    size_t bound = LZ4F_compressBound(0, &preferences_);
    size_t written = LZ4F_compressEnd(context_, Room(bound), bound, nullptr);
    if (LZ4F_isError(written)) return false;
    Keep(written);
    return true;
  }

 private:
  void Begin() {
    size_t written = LZ4F_compressBegin(context_, Room(LZ4F_HEADER_SIZE_MAX), LZ4F_HEADER_SIZE_MAX, &preferences_);
    KB_CHECK(!LZ4F_isError(written));
    Keep(written);
  }

  LZ4F_cctx* context_ = nullptr;
  LZ4F_preferences_t preferences_ = {};
};

}  // namespace

std::unique_ptr<Decoder> MakeLz4Decoder() {
  return std::make_unique<Lz4Decoder>();
}

std::unique_ptr<Compressor> MakeLz4Compressor(int level, std::vector<uint8_t>* to, size_t most_bytes) {
  return std::make_unique<Lz4Compressor>(level, to, most_bytes);
}

}  // namespace kb::record

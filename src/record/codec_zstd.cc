// zstd frames. The window a frame may ask for is zstd's own default limit, 2^27 bytes: what Kafka's clients can write
// at level 22 and read.
#include <zstd.h>

#include "record/codecs.h"

namespace kb::record {
namespace {

constexpr int kMostWindowLog = 27;
// Clients write windows of 2 MiB at their default level. A context that grew beyond this is not kept.
constexpr size_t kMostKeptContext = 8 << 20;

class ZstdDecoder : public Decoder {
 public:
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  void Start(ByteView payload) override {
    if (context_ != nullptr && ZSTD_sizeof_DCtx(context_) > kMostKeptContext) {
      ZSTD_freeDCtx(context_);
      context_ = nullptr;
    }
    if (context_ == nullptr) {
      context_ = ZSTD_createDCtx();
      KB_CHECK(context_ != nullptr);
      ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMostWindowLog);
    }
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    input_ = {payload.data(), payload.size(), 0};
    in_frame_ = false;
  }

  Unpacked Next(size_t, ByteView* piece) override {
    for (;;) {
      if (!in_frame_ && input_.pos == input_.size) return Unpacked::kEnd;
      size_t position = input_.pos;
      ZSTD_outBuffer output = {piece_.data(), piece_.size(), 0};
      size_t answer = ZSTD_decompressStream(context_, &output, &input_);
      if (ZSTD_isError(answer)) return Unpacked::kBroken;
      in_frame_ = answer != 0;
      if (output.pos > 0) {
        *piece = {piece_.data(), output.pos};
        return Unpacked::kPiece;
      }
      if (in_frame_ && input_.pos == position) return Unpacked::kBroken;  // the input ended too soon
    }
  }

 private:
  ZSTD_DCtx* context_ = nullptr;
  ZSTD_inBuffer input_ = {};
  bool in_frame_ = false;
  std::array<uint8_t, kPieceBytes> piece_;
};

class ZstdCompressor : public Compressor {
 public:
  ZstdCompressor(int level, std::vector<uint8_t>* to, size_t most_bytes)
      : Compressor(to, most_bytes), context_(ZSTD_createCCtx()) {
    KB_CHECK(context_ != nullptr);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
  }
  ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }

 protected:
  bool Consume(ByteView bytes) override { return Compress(bytes, ZSTD_e_continue); }
  bool Close() override { return Compress({}, ZSTD_e_end); }

 private:
  bool Compress(ByteView bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer input = {bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer output = {Room(kPieceBytes), kPieceBytes, 0};
      size_t answer = ZSTD_compressStream2(context_, &output, &input, directive);
      Keep(output.pos);
      if (ZSTD_isError(answer) || !within_limit()) return false;
      bool done = directive == ZSTD_e_end ? answer == 0 : input.pos == input.size;
      if (done) return true;
    }
  }

  ZSTD_CCtx* context_;
};

}  // namespace

std::unique_ptr<Decoder> MakeZstdDecoder() {
  return std::make_unique<ZstdDecoder>();
}

std::unique_ptr<Compressor> MakeZstdCompressor(int level, std::vector<uint8_t>* to, size_t most_bytes) {
  return std::make_unique<ZstdCompressor>(level, to, most_bytes);
}

}  // namespace kb::record

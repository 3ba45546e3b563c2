#include "record/compression.h"

#include "record/codecs.h"

namespace kb::record {
namespace {

constexpr size_t kMostKeptCarry = 1 << 20;

// "Compression" of Codec::kNone.
class Copier : public Compressor {
 public:
  Copier(std::vector<uint8_t>* to, size_t most_bytes) : Compressor(to, most_bytes) {}

 protected:
  bool Consume(ByteView bytes) override {
    to_->insert(to_->end(), bytes.begin(), bytes.end());
    return true;
  }
  bool Close() override { return true; }
};

std::unique_ptr<Decoder> MakeDecoder(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
      return MakeGzipDecoder();
    case Codec::kSnappy:
      return MakeSnappyDecoder();
    case Codec::kLz4:
      return MakeLz4Decoder();
    case Codec::kZstd:
      return MakeZstdDecoder();
    case Codec::kNone:
      break;
  }
  return nullptr;
}

}  // namespace

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;

Decoder* Decompressor::DecoderOf(Codec codec) {
  auto index = static_cast<size_t>(codec);
  if (index >= decoders_.size()) return nullptr;
  if (decoders_[index] == nullptr) decoders_[index] = MakeDecoder(codec);
  return decoders_[index].get();
}

void Decompressor::Start(Codec codec, ByteView payload, size_t most_bytes) {
  if (carry_.capacity() > kMostKeptCarry) carry_ = {};
  carry_.clear();
  left_bytes_ = most_bytes;
  state_ = Unpacked::kPiece;
  plain_ = {};
  current_ = nullptr;
  if (codec == Codec::kNone) {
    plain_ = payload;
    return;
  }
  current_ = DecoderOf(codec);
  if (current_ == nullptr) {
    state_ = Unpacked::kBroken;
    return;
  }
  current_->Start(payload);
}

Unpacked Decompressor::Next(ByteView* piece) {
  if (state_ != Unpacked::kPiece) return state_;
  if (current_ == nullptr) {
    *piece = plain_;
    plain_ = {};
    if (piece->empty()) state_ = Unpacked::kEnd;
    return state_;
  }
  state_ = current_->Next(left_bytes_, piece);
  if (state_ != Unpacked::kPiece) return state_;
  if (piece->size() > left_bytes_) return state_ = Unpacked::kTooLarge;
  left_bytes_ -= piece->size();
  return state_;
}

std::unique_ptr<Compressor> Compressor::Create(Codec codec, int level, std::vector<uint8_t>* to, size_t most_bytes) {
  switch (codec) {
    case Codec::kNone:
      return std::make_unique<Copier>(to, most_bytes);
    case Codec::kGzip:
      return MakeGzipCompressor(level, to, most_bytes);
    case Codec::kSnappy:
      return MakeSnappyCompressor(to, most_bytes);
    case Codec::kLz4:
      return MakeLz4Compressor(level, to, most_bytes);
    case Codec::kZstd:
      return MakeZstdCompressor(level, to, most_bytes);
  }
  KB_CHECK(false);
}

}  // namespace kb::record

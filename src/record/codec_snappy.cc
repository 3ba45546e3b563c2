// snappy, bare and in xerial's framing (snappy-java's stream format, which became Kafka's):
//
//   0  8  magic 82 'SNAPPY' 00
//   8  4  version 1, big-endian          12  4  least compatible version 1
//  16  …  blocks: int32 size, that many bytes of one snappy block
//
// Streams may be put one behind the other: the header then stands where a block would begin.
#include <snappy.h>

#include <algorithm>

#include "record/codecs.h"

namespace kb::record {
namespace {

constexpr std::array<uint8_t, 16> kXerialHeader = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr size_t kXerialMagicBytes = 8;
constexpr size_t kXerialBlockBytes = 32 * 1024;  // what Java packs into one block
constexpr size_t kMostKeptPiece = 1 << 20;

bool StartsWithMagic(ByteView bytes) {
  return bytes.size() >= kXerialHeader.size() &&
         std::equal(kXerialHeader.begin(), kXerialHeader.begin() + kXerialMagicBytes, bytes.begin());
}

class SnappyDecoder : public Decoder {
 public:
  void Start(ByteView payload) override {
    piece_.Trim(kMostKeptPiece);
    rest_ = payload;
    framed_ = StartsWithMagic(payload);
    at_start_ = true;
  }

  Unpacked Next(size_t most_bytes, ByteView* piece) override {
    if (!framed_) return NextBare(most_bytes, piece);
    for (;;) {
      while (StartsWithMagic(rest_)) {
        if (LoadBigEndian<int32_t>(rest_.data() + 12) > 1) return Unpacked::kBroken;  // needs a newer reader than 1
        rest_ = rest_.subspan(kXerialHeader.size());
      }
      if (rest_.empty()) return Unpacked::kEnd;
      if (rest_.size() < sizeof(int32_t)) return Unpacked::kBroken;
      auto size = LoadBigEndian<int32_t>(rest_.data());
      rest_ = rest_.subspan(sizeof(int32_t));
      if (size <= 0 || static_cast<size_t>(size) > rest_.size()) return Unpacked::kBroken;
      ByteView block = rest_.first(static_cast<size_t>(size));
      rest_ = rest_.subspan(block.size());
      Unpacked answer = Unpack(block, most_bytes, piece);
      if (answer != Unpacked::kPiece || !piece->empty()) return answer;
    }
  }

 private:
  Unpacked NextBare(size_t most_bytes, ByteView* piece) {
    if (!at_start_) return Unpacked::kEnd;
    at_start_ = false;
    Unpacked answer = Unpack(rest_, most_bytes, piece);
    return answer == Unpacked::kPiece && piece->empty() ? Unpacked::kEnd : answer;
  }

  Unpacked Unpack(ByteView block, size_t most_bytes, ByteView* piece) {
    const char* from = reinterpret_cast<const char*>(block.data());
    size_t size = 0;
    if (!snappy::GetUncompressedLength(from, block.size(), &size)) return Unpacked::kBroken;
    if (size > block.size() * kMostSnappyRatio) return Unpacked::kBroken;  // no block can hold that much
    if (size > most_bytes) return Unpacked::kTooLarge;
    uint8_t* to = piece_.Ensure(size);
    if (!snappy::RawUncompress(from, block.size(), reinterpret_cast<char*>(to))) return Unpacked::kBroken;
    *piece = {to, size};
    return Unpacked::kPiece;
  }

  ByteView rest_;
  bool framed_ = false;
  bool at_start_ = false;
  PieceBuffer piece_;
};

class SnappyCompressor : public Compressor {
 public:
  SnappyCompressor(std::vector<uint8_t>* to, size_t most_bytes) : Compressor(to, most_bytes) {
    to_->insert(to_->end(), kXerialHeader.begin(), kXerialHeader.end());
  }

 protected:
  bool Consume(ByteView bytes) override {
    while (!bytes.empty()) {
      size_t taken = std::min(bytes.size(), kXerialBlockBytes - filled_);
      std::copy_n(bytes.begin(), taken, block_.begin() + static_cast<ptrdiff_t>(filled_));
      filled_ += taken;
      bytes = bytes.subspan(taken);
      if (filled_ == kXerialBlockBytes) WriteBlock();
      if (!within_limit()) return false;
    }
    return true;
  }
  bool Close() override {
    if (filled_ > 0) WriteBlock();
    return true;
  }

 private:
  void WriteBlock() {
    uint8_t* to = Room(sizeof(int32_t) + snappy::MaxCompressedLength(filled_));
    size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block_.data()), filled_,
                        reinterpret_cast<char*>(to + sizeof(int32_t)), &size);
    StoreBigEndian(to, static_cast<int32_t>(size));
    Keep(sizeof(int32_t) + size);
    filled_ = 0;
  }

  std::array<uint8_t, kXerialBlockBytes> block_;
  size_t filled_ = 0;
};

}  // namespace

std::unique_ptr<Decoder> MakeSnappyDecoder() {
  return std::make_unique<SnappyDecoder>();
}

std::unique_ptr<Compressor> MakeSnappyCompressor(std::vector<uint8_t>* to, size_t most_bytes) {
  return std::make_unique<SnappyCompressor>(to, most_bytes);
}

}  // namespace kb::record

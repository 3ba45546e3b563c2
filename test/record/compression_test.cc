#include "record/compression.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "record/golden.h"

namespace kb::record {
namespace {

using Blob = std::vector<uint8_t>;
constexpr Codec kPackers[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Blob Pack(Codec codec, ByteView bytes, int level) {
  Blob packed;
  std::unique_ptr<Compressor> packer = Compressor::Create(codec, level, &packed, size_t{1} << 30);
  EXPECT_TRUE(packer->Append(bytes));
  EXPECT_TRUE(packer->Finish());
  return packed;
}
Blob Pack(Codec codec, ByteView bytes) {
  return Pack(codec, bytes, DefaultLevel(codec));
}

Blob Compressible(size_t size) {
  Blob bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>("the quick brown fox "[i % 20] + i / 4096 % 3);
  return bytes;
}
Blob Noise(size_t size) {
  uint64_t state = 12345;
  Blob bytes(size);
  for (uint8_t& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<uint8_t>(state >> 56);
  }
  return bytes;
}

TEST(Compression, EverySizeAroundThePiecesComesBack) {
  for (Codec codec : kPackers) {
    for (size_t size : {0u, 1u, 100u, 32767u, 32768u, 32769u, 65535u, 65536u, 65537u, 131072u, 1000003u}) {
      SCOPED_TRACE(testing::Message() << "codec " << static_cast<int>(codec) << " size " << size);
      for (const Blob& bytes : {Compressible(size), Noise(size)}) EXPECT_EQ(Unpack(codec, Pack(codec, bytes)), bytes);
    }
  }
}

TEST(Compression, EveryLevelOfTheConfigurationWorks) {
  Blob bytes = Compressible(300000);
  for (int level : {-1, 1, 3, 4, 6, 7, 9}) EXPECT_EQ(Unpack(Codec::kGzip, Pack(Codec::kGzip, bytes, level)), bytes);
  for (int level = 1; level <= 17; ++level) EXPECT_EQ(Unpack(Codec::kLz4, Pack(Codec::kLz4, bytes, level)), bytes);
  for (int level : {-131072, -5, 1, 3, 9, 19, 22}) {
    EXPECT_EQ(Unpack(Codec::kZstd, Pack(Codec::kZstd, bytes, level)), bytes);
  }
}

TEST(Compression, OutputBeyondTheLimitIsRefused) {
  for (Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    Blob packed = {1, 2, 3};
    std::unique_ptr<Compressor> packer = Compressor::Create(codec, DefaultLevel(codec), &packed, 1000);
    EXPECT_FALSE(packer->Append(Noise(200000)) && packer->Finish()) << static_cast<int>(codec);
  }
}

TEST(Compression, EveryCutIsNoticed) {
  for (Codec codec : kPackers) {
    Blob packed = Pack(codec, Compressible(5000));
    for (size_t size = 1; size < packed.size(); ++size) {
      Decompressor decompressor;
      decompressor.Start(codec, ByteView(packed).first(size), 1 << 20);
      ByteView piece;
      Unpacked answer;
      while ((answer = decompressor.Next(&piece)) == Unpacked::kPiece) {
      }
      // Xerial's framing does not say how many blocks there are, so a stream cut behind its header or a block is whole.
      bool between_blocks = codec == Codec::kSnappy && size == 16;
      EXPECT_EQ(answer, between_blocks ? Unpacked::kEnd : Unpacked::kBroken)
          << "codec " << static_cast<int>(codec) << " cut to " << size << " of " << packed.size();
    }
  }
}

TEST(Compression, UnpackingStopsAtTheLimit) {
  Blob bytes(10 << 20);
  for (Codec codec : kPackers) {
    Blob packed = Pack(codec, bytes);
    Decompressor decompressor;
    decompressor.Start(codec, packed, 1 << 20);
    ByteView piece;
    size_t total = 0;
    Unpacked answer;
    while ((answer = decompressor.Next(&piece)) == Unpacked::kPiece) total += piece.size();
    EXPECT_EQ(answer, Unpacked::kTooLarge);
    EXPECT_LE(total, size_t{1} << 20);
  }
}

TEST(Gzip, MembersFollowEachOtherAndTheRestIsIgnored) {
  Blob packed = Pack(Codec::kGzip, AsBytes("one "));
  Blob second = Pack(Codec::kGzip, AsBytes("two"));
  packed.insert(packed.end(), second.begin(), second.end());
  packed.insert(packed.end(), {0, 0, 7, 0, 0, 0});
  EXPECT_EQ(AsText(Unpack(Codec::kGzip, packed)), "one two");
}

TEST(Snappy, ABareBlockIsReadAsWell) {
  // literal of 5 bytes behind the length
  const uint8_t bare[] = {5, 4 << 2, 'h', 'e', 'l', 'l', 'o'};
  EXPECT_EQ(AsText(Unpack(Codec::kSnappy, bare)), "hello");
}

TEST(Snappy, AClaimThatNoBlockCanHoldAllocatesNothing) {
  const uint8_t lie[] = {0xff, 0xff, 0xff, 0xff, 0x07, 4 << 2, 'h', 'e', 'l', 'l', 'o'};  // 2 GiB
  Unpack(Codec::kSnappy, lie, Unpacked::kBroken);
}

TEST(Snappy, OurFramesAreJavas) {
  Blob packed = Pack(Codec::kSnappy, AsBytes("hello"));
  EXPECT_EQ(ToHex(ByteView(packed).first(20)),
            "82534e41505059000000000100000001"
            "00000007");
}

TEST(Lz4, OurFramesAreJavas) {
  Blob packed = Pack(Codec::kLz4, AsBytes("hello"));
  EXPECT_EQ(ToHex(ByteView(packed).first(7)), "04224d18604082");
}

TEST(Lz4, DependentBlocksAreRefusedBecauseJavaCannotReadThem) {
  Blob packed = Pack(Codec::kLz4, AsBytes("hello"));
  packed[4] &= static_cast<uint8_t>(~0x20);
  packed[6] = 0xfb;  // whatever the header's checksum: the flag decides
  Unpack(Codec::kLz4, packed, Unpacked::kBroken);
}

// A frame that announces a content size and is cut, then a good one: the library's own reset would let the second fail.
TEST(Lz4, ABrokenFrameLeavesNothingBehind) {
  const uint8_t announces_100_bytes[] = {0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 100, 0, 0,   0,
                                         0,    0,    0,    0,    0x33, 1,    0,   0, 0x80};
  Decompressor decompressor;
  ByteView piece;
  bool header_was_good = false;
  for (int checksum = 0; checksum < 256; ++checksum) {  // one of them is right
    Blob cut(std::begin(announces_100_bytes), std::end(announces_100_bytes));
    cut[14] = static_cast<uint8_t>(checksum);
    cut.push_back('x');
    decompressor.Start(Codec::kLz4, cut, 1 << 20);
    header_was_good |= decompressor.Next(&piece) == Unpacked::kPiece;
    Blob packed = Pack(Codec::kLz4, AsBytes("hello"));
    decompressor.Start(Codec::kLz4, packed, 1 << 20);
    ASSERT_EQ(decompressor.Next(&piece), Unpacked::kPiece);
    EXPECT_EQ(decompressor.Next(&piece), Unpacked::kEnd);
  }
  EXPECT_TRUE(header_was_good);
}

TEST(Decompressor, IsReusedForOneBatchAfterTheOther) {
  Decompressor decompressor;
  Blob broken = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (int round = 0; round < 3; ++round) {
    for (Codec codec : kPackers) {
      ByteView piece;
      decompressor.Start(codec, broken, 1 << 20);
      EXPECT_EQ(decompressor.Next(&piece), Unpacked::kBroken);
      Blob packed = Pack(codec, AsBytes("hello"));
      decompressor.Start(codec, packed, 1 << 20);
      ASSERT_EQ(decompressor.Next(&piece), Unpacked::kPiece);
      EXPECT_EQ(AsText(piece), "hello");
      EXPECT_EQ(decompressor.Next(&piece), Unpacked::kEnd);
    }
  }
}

}  // namespace
}  // namespace kb::record

#include "base/varint.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/crc32c.h"

namespace kb {
namespace {

TEST(Varint, EveryMagnitudeSurvivesTheRoundTripInItsOwnSize) {
  for (int shift = 0; shift < 64; ++shift) {
    for (int64_t value : {int64_t{1} << shift, -(int64_t{1} << (shift % 63)), (int64_t{1} << (shift % 63)) - 1}) {
      uint8_t bytes[10];
      size_t size = static_cast<size_t>(WriteVarlong(bytes, value) - bytes);
      EXPECT_EQ(size, VarlongSize(value));
      int64_t read = 0;
      EXPECT_EQ(ReadVarlong({bytes, size}, &read), size);
      EXPECT_EQ(read, value);
      EXPECT_EQ(ReadVarlong({bytes, size - 1}, &read), 0u) << "a cut varint is malformed";
    }
  }
}

TEST(Varint, OneByteTooManyIsMalformed) {
  const uint8_t overlong[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  uint32_t value = 7;
  EXPECT_EQ(ReadUvarint(overlong, &value), 0u);
  EXPECT_EQ(value, 7u);
}

TEST(Varint, NonMinimalFormsAreAcceptedAsInApacheKafka) {
  const uint8_t padded[] = {0x81, 0x80, 0x00};
  uint32_t value = 0;
  EXPECT_EQ(ReadUvarint(padded, &value), 3u);
  EXPECT_EQ(value, 1u);
}

TEST(Crc32c, MatchesTheStandardsCheckValueWholeAndInParts) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c(AsBytes("6789"), Crc32c(AsBytes("12345"))), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

}  // namespace
}  // namespace kb

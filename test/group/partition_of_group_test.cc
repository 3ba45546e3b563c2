// Where a group lives must be where Apache Kafka looks for it: the values are from a broker of 4.3.1 (partitions used)
// and from Java's definition of String.hashCode.
#include "group/partition_of_group.h"

#include <gtest/gtest.h>

namespace kb::group {
namespace {

TEST(PartitionOfGroupTest, IsWhereApacheKafkaKeepsIt) {
  EXPECT_EQ(JavaStringHash("g-classic"), 486458668);
  EXPECT_EQ(PartitionOfGroup("g-classic", 4), 0);
  EXPECT_EQ(PartitionOfGroup("g-classic", 50), 18);
  EXPECT_EQ(PartitionOfGroup("g-848", 4), 2);
  EXPECT_EQ(PartitionOfGroup("g-848", 50), 42);
  EXPECT_EQ(PartitionOfGroup("g-848-re", 50), 28);
  EXPECT_EQ(PartitionOfGroup("tx-A", 50), 36);
  EXPECT_EQ(PartitionOfGroup("tx-compacted2", 4), 3);
  EXPECT_EQ(PartitionOfGroup("", 50), 0);
}

TEST(PartitionOfGroupTest, HashesUtf16AndNotBytes) {
  EXPECT_EQ(JavaStringHash("\xc3\xa9"), 0xe9);                           // é
  EXPECT_EQ(JavaStringHash("\xe2\x82\xac"), 0x20ac);                     // €
  EXPECT_EQ(JavaStringHash("\xf0\x9f\x98\x80"), 31 * 0xd83d + 0xde00);   // a surrogate pair
}

TEST(PartitionOfGroupTest, TheMostNegativeHashHasNoAbsoluteValue) {
  EXPECT_EQ(JavaStringHash("polygenelubricants"), INT32_MIN);
  EXPECT_EQ(PartitionOfGroup("polygenelubricants", 50), 0);
}

TEST(PartitionOfGroupTest, MalformedUtf8CountsAsReplacementCharacters) {
  EXPECT_EQ(JavaStringHash("\xff"), 0xfffd);
  EXPECT_EQ(JavaStringHash("\xc3"), 0xfffd);                  // cut short
  EXPECT_EQ(Utf16Length("\xc0\x80"), 2u);                     // overlong
  EXPECT_EQ(JavaStringHash("\xe2\x82"), 0xfffd);              // one replacement for what was begun
  EXPECT_EQ(Utf16Length("\xed\xa0\x80"), 3u);                 // a surrogate encoded by itself
  EXPECT_EQ(Utf16Length("a\xf5z"), 3u);
}

TEST(PartitionOfGroupTest, LengthIsCountedInUtf16Units) {
  EXPECT_EQ(Utf16Length(""), 0u);
  EXPECT_EQ(Utf16Length("abc"), 3u);
  EXPECT_EQ(Utf16Length("\xc3\xa9\xc3\xa9"), 2u);
  EXPECT_EQ(Utf16Length("\xf0\x9f\x98\x80"), 2u);
}

}  // namespace
}  // namespace kb::group

#include "base/uuid.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace kb {
namespace {

TEST(Uuid, ReservedIdsHaveTheTextKafkaWrites) {
  EXPECT_EQ(kZeroUuid.ToString(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ(kMetadataTopicId.ToString(), "AAAAAAAAAAAAAAAAAAAAAQ");
}

TEST(Uuid, TextAndBytesAgreeBothWays) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    Uuid id = random.NextUuid();
    EXPECT_EQ(Uuid::Parse(id.ToString()), id);
    EXPECT_EQ(Uuid::FromBytes(id.bytes()), id);
  }
}

TEST(Uuid, PaddedTextIsAcceptedAsCourseHarnessesWriteIt) {
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAAQ=="), kMetadataTopicId);
}

TEST(Uuid, AnythingElseIsRefused) {
  EXPECT_FALSE(Uuid::Parse(""));
  EXPECT_FALSE(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAA"));
  EXPECT_FALSE(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAAQ="));
  EXPECT_FALSE(Uuid::Parse("AAAAAAAAAAAAAAAAAAAA+/"));
}

}  // namespace
}  // namespace kb

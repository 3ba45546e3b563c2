#include "metadata/topic_name.h"

#include <gtest/gtest.h>

namespace kb::metadata {
namespace {

TEST(TopicNameTest, BordersOfWhatIsAllowed) {
  EXPECT_TRUE(IsValidTopicName("a"));
  EXPECT_TRUE(IsValidTopicName("..."));
  EXPECT_TRUE(IsValidTopicName("aZ09._-"));
  EXPECT_TRUE(IsValidTopicName(std::string(249, 'x')));
  for (std::string_view name : {"", ".", "..", "a b", "a/b", "\xc3\xa4", "a\n"}) {
    EXPECT_FALSE(IsValidTopicName(name)) << name;
  }
  EXPECT_FALSE(IsValidTopicName(std::string(250, 'x')));
  EXPECT_FALSE(IsValidTopicName(std::string_view("a\0", 2)));
}

TEST(TopicNameTest, OnlyDotAndUnderscoreCollide) {
  EXPECT_EQ(CollisionKey("a.b_c"), CollisionKey("a_b.c"));
  EXPECT_NE(CollisionKey("a-b"), CollisionKey("a.b"));
}

TEST(TopicNameTest, InternalTopics) {
  EXPECT_TRUE(IsInternalTopic("__consumer_offsets"));
  EXPECT_TRUE(IsInternalTopic("__transaction_state"));
  EXPECT_TRUE(IsInternalTopic("__share_group_state"));
  EXPECT_FALSE(IsInternalTopic("__other"));
}

}  // namespace
}  // namespace kb::metadata

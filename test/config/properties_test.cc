#include "config/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

ConfigMap Parse(std::string_view text) {
  Result<ConfigMap> properties = ParseProperties(text);
  EXPECT_TRUE(properties.ok());
  return properties.ok() ? *properties : ConfigMap();
}

TEST(Properties, ThreeKindsOfSeparators) {
  EXPECT_THAT(Parse("a=1\nb:2\nc 3\nd\t=\t4\ne = : 5\nf\n=g\n"),
              ElementsAre(Pair("", "g"), Pair("a", "1"), Pair("b", "2"), Pair("c", "3"), Pair("d", "4"),
                          Pair("e", ": 5"), Pair("f", "")));
}

TEST(Properties, CommentsAndBlankLinesAreNothing) {
  EXPECT_THAT(Parse("# a=1\n  ! b=2\n\n   \t \n c=3 # not a comment\n"), ElementsAre(Pair("c", "3 # not a comment")));
  EXPECT_THAT(Parse(""), IsEmpty());
  EXPECT_THAT(Parse("#a\\\nb=2"), ElementsAre(Pair("b", "2"))) << "a comment does not go on";
}

TEST(Properties, ABackslashAtTheEndGoesOnInTheNextLine) {
  EXPECT_THAT(Parse("a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y\\"),
              ElementsAre(Pair("a", "1,2,3"), Pair("b", "x\\"), Pair("c", "y")));
}

TEST(Properties, LinesEndInAnyOfThreeWays) {
  EXPECT_THAT(Parse("a=1\rb=2\r\nc=3\nd=4"),
              ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "3"), Pair("d", "4")));
}

TEST(Properties, EscapesAreResolvedInKeysAndValues) {
  EXPECT_THAT(Parse("a\\=b\\ c=x\\ty\\q\\u0041\\u00e9\\u20ac\\ud83d\\ude00"), ElementsAre(Pair("a=b c", "x\tyqAé€😀")));
}

TEST(Properties, BlanksBehindAValueBelongToIt) {
  EXPECT_THAT(Parse("a= b \n"), ElementsAre(Pair("a", "b ")));
}

TEST(Properties, TheLaterDuplicateWins) {
  EXPECT_THAT(Parse("a=1\na=2\n"), ElementsAre(Pair("a", "2")));
}

TEST(Properties, AMalformedEscapeNamesItsLine) {
  Result<ConfigMap> properties = ParseProperties("a=1\nb=\\u12\n");
  ASSERT_FALSE(properties.ok());
  EXPECT_THAT(properties.error().message, HasSubstr("line 2"));
}

TEST(Override, IsKeyEqualsValue) {
  EXPECT_THAT(*ParseOverride("a=b=c"), Pair("a", "b=c"));
  EXPECT_FALSE(ParseOverride("a").ok());
  EXPECT_FALSE(ParseOverride("=b").ok());
}

}  // namespace
}  // namespace kb::config

#include "base/utf8.h"

#include <gtest/gtest.h>

namespace kb {
namespace {

TEST(ValidUtf8, ValidTextIsGivenBackAsItIs) {
  Arena arena;
  for (std::string_view text : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x9a\x80"}) {
    EXPECT_EQ(ValidUtf8(text, arena).data(), text.data());
  }
}

TEST(ValidUtf8, EachMalformedSequenceBecomesOneReplacement) {
  Arena arena;
  EXPECT_EQ(ValidUtf8("\xff", arena), "\xef\xbf\xbd");
  EXPECT_EQ(ValidUtf8("a\xc3z", arena), "a\xef\xbf\xbdz");
  EXPECT_EQ(ValidUtf8("\xe2\x82", arena), "\xef\xbf\xbd") << "a cut sequence is one";
  EXPECT_EQ(ValidUtf8("\xc0\xaf", arena), "\xef\xbf\xbd\xef\xbf\xbd") << "overlong: each byte by itself";
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80", arena), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
}

}  // namespace
}  // namespace kb

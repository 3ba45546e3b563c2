#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/number.h"

namespace kb {
namespace {

// The vectors of RFC 4648 section 10.
TEST(Base64, IsAsTheRfcHasIt) {
  EXPECT_EQ(ToBase64(AsBytes("")), "");
  EXPECT_EQ(ToBase64(AsBytes("f")), "Zg==");
  EXPECT_EQ(ToBase64(AsBytes("fo")), "Zm8=");
  EXPECT_EQ(ToBase64(AsBytes("foo")), "Zm9v");
  EXPECT_EQ(ToBase64(AsBytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(ToBase64(AsBytes("\xfb\xff")), "+/8=");
}

TEST(Base64, IsReadWithItsPaddingOrWithout) {
  for (std::string_view text : {"", "f", "fo", "foo", "foobar", "\xfb\xff"}) {
    std::string padded = ToBase64(AsBytes(text));
    EXPECT_EQ(FromBase64(padded), text);
    EXPECT_EQ(FromBase64(padded.substr(0, padded.find('='))), text);
  }
  for (std::string_view text : {"Z", "Zm9vY", "Zg=", "Z===", "====", "Zg==Zg==", "Zm-v", "Zm9v ", "=", "Zm=v"}) {
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
  }
}

TEST(ParseNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ParseNumber<int32_t>("-17"), -17);
  EXPECT_EQ(ParseNumber<uint16_t>("65535"), 65535);
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "2147483648", "-"}) {
    EXPECT_FALSE(ParseNumber<int32_t>(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseNumber<uint16_t>("-1").has_value());
}

}  // namespace
}  // namespace kb

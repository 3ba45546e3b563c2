#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace kb {
namespace {

IpAddress Ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

TEST(IpAddressTest, Ipv4MayLeaveOutWhatIsZero) {
  EXPECT_EQ(ParseIpAddress("192.0.2.1"), Ipv4(192, 0, 2, 1));
  EXPECT_EQ(ParseIpAddress("1.2.3"), Ipv4(1, 2, 0, 3));
  EXPECT_EQ(ParseIpAddress("127.1"), Ipv4(127, 0, 0, 1));
  EXPECT_EQ(ParseIpAddress("1.65537"), Ipv4(1, 1, 0, 1));
  EXPECT_EQ(ParseIpAddress("4294967295"), Ipv4(255, 255, 255, 255));
}

TEST(IpAddressTest, Ipv6InItsForms) {
  IpAddress loopback{};
  loopback[15] = 1;
  EXPECT_EQ(ParseIpAddress("::1"), loopback);
  EXPECT_EQ(ParseIpAddress("[::1]"), loopback);
  EXPECT_EQ(ParseIpAddress("0:0:0:0:0:0:0:1"), loopback);
  EXPECT_EQ(ParseIpAddress("::"), IpAddress{});
  EXPECT_EQ(ParseIpAddress("::ffff:10.0.0.7"), Ipv4(10, 0, 0, 7));
  IpAddress documentation{0x20, 0x01, 0x0d, 0xb8};
  documentation[14] = 0xab;
  documentation[15] = 0xcd;
  EXPECT_EQ(ParseIpAddress("2001:DB8::abcd"), documentation);
  EXPECT_EQ(ParseIpAddress("1:2:3:4:5:6:7::")->at(13), 7);
}

TEST(IpAddressTest, AnythingElseIsNone) {
  for (const char* text : {"",
                           ".",
                           "1.2.3.4.5",
                           "256.2.3.4",
                           "1.2.65536",
                           "4294967296",
                           "1..2",
                           "-1",
                           "1.2.3.4 ",
                           "localhost",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "12345::",
                           "g::",
                           "::1%lo",
                           "[::1",
                           "::256.0.0.1",
                           "no such host"}) {
    EXPECT_EQ(ParseIpAddress(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace kb

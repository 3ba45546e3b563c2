// What is stored of a password: the example of RFC 7677, and credentials that Apache Kafka 4.3.1 stored.
#include "security/scram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"

namespace kb::security {
namespace {

std::string Text(std::string_view bytes) {
  return ToBase64(AsBytes(bytes));
}

std::string Bytes(std::string_view base64) {
  std::optional<std::string> bytes = FromBase64(base64);
  EXPECT_TRUE(bytes.has_value()) << base64;
  return bytes.value_or("");
}

TEST(ScramTest, TheExampleOfTheSpecification) {
  std::string salt = Bytes("W22ZaJ0SNY7soEsUEjb6gQ==");
  std::string salted = SaltPassword(ScramMechanism::kSha256, "pencil", AsBytes(salt), 4096);
  EXPECT_EQ(Text(salted), "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=");
  ScramKeys keys = ScramKeysOf(ScramMechanism::kSha256, AsBytes(salted));
  EXPECT_EQ(Text(keys.stored_key), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
  EXPECT_EQ(Text(keys.server_key), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST(ScramTest, KeysAreThoseThatApacheKafkaStores) {
  std::string salt = Bytes("MWYxaWh0aHdjaGllbW0xeGhoOGZuaWN5NHI=");
  ScramKeys keys =
      ScramKeysOf(ScramMechanism::kSha256, AsBytes(SaltPassword(ScramMechanism::kSha256, "a", AsBytes(salt), 4096)));
  EXPECT_EQ(Text(keys.stored_key), "11QmptvVgJpoyxRE/7PXNPLn9Qc0nGmh/Q63W4AXvUQ=");
  EXPECT_EQ(Text(keys.server_key), "Zd51CxkkR4/vqadtTm8N+HTysXsU9qE09IUxUBDEDmU=");

  keys = ScramKeysOf(ScramMechanism::kSha512, AsBytes(Bytes("YCE=")));
  EXPECT_EQ(Text(keys.stored_key),
            "cXajSfkesuEdmelXMIE1FvL2RXPfwlrmGKyq6ai/1my6GnQBkALTiDfj8bysiAAVsysjd15xpW2sEiappLOxvQ==");
  EXPECT_EQ(Text(keys.server_key),
            "TGF8Dt3uWsZYXy+/UBt86VtHDWvwHxtUnCY8GKG1QG6muF9I08fZ3MQ0cupwRZ2uY6KK9INaZHi4OxHCDwYMBw==");
}

TEST(ScramTest, NamesOfMechanismsAreExact) {
  EXPECT_EQ(ParseScramMechanism("SCRAM-SHA-256"), ScramMechanism::kSha256);
  EXPECT_EQ(ParseScramMechanism("SCRAM-SHA-512"), ScramMechanism::kSha512);
  for (std::string_view other : {"", "SCRAM-SHA-1", "scram-sha-256", "PLAIN"}) {
    EXPECT_EQ(ParseScramMechanism(other), std::nullopt) << other;
  }
  EXPECT_EQ(ScramMechanismName(ScramMechanism::kSha512), "SCRAM-SHA-512");
}

}  // namespace
}  // namespace kb::security

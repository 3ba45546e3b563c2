#include "config/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Read(Scope scope, std::string_view key, std::string_view text) {
  Result<std::string> canonical = Canonical(RowNamed(scope, key), text);
  return canonical.ok() ? *canonical : "refused";
}
std::string Broker(std::string_view key, std::string_view text) {
  return Read(Scope::kBroker, key, text);
}

TEST(Value, NumbersAreReadAsJavaReadsThem) {
  EXPECT_EQ(Broker("num.partitions", " 7 "), "7");
  EXPECT_EQ(Broker("num.partitions", "+7"), "7");
  EXPECT_EQ(Broker("num.partitions", "007"), "7");
  EXPECT_EQ(Broker("num.partitions", "2147483647"), "2147483647");
  for (const char* text : {"", "0", "-1", "2147483648", "1.5", "0x10", "1_000", "+-7", "+", "one", "null"}) {
    EXPECT_EQ(Broker("num.partitions", text), "refused") << text;
  }
  EXPECT_EQ(Broker("offsets.topic.replication.factor", "32767"), "32767");
  EXPECT_EQ(Broker("offsets.topic.replication.factor", "32768"), "refused");
  EXPECT_EQ(Broker("log.retention.bytes", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(Broker("log.retention.bytes", "9223372036854775808"), "refused");
}

TEST(Value, FractionsAreShownAsJavaShowsThem) {
  EXPECT_EQ(Broker("log.cleaner.min.cleanable.ratio", "7e-1"), "0.7");
  EXPECT_EQ(Broker("log.cleaner.min.cleanable.ratio", "0.5d"), "0.5");
  EXPECT_EQ(Broker("log.cleaner.min.cleanable.ratio", "1"), "1.0");
  EXPECT_EQ(Broker("log.cleaner.min.cleanable.ratio", "0.00001"), "1.0E-5");
  EXPECT_EQ(Broker("log.cleaner.io.max.bytes.per.second", "123456789"), "1.23456789E8");
  for (const char* text : {"1.1", "-0.1", "NaN", "half", ""}) {
    EXPECT_EQ(Broker("log.cleaner.min.cleanable.ratio", text), "refused") << text;
  }
}

TEST(Value, ListsLoseBlanksAndRepetitions) {
  EXPECT_EQ(Broker("log.dirs", " /a , /b,/a "), "/a,/b");
  EXPECT_EQ(Broker("log.dirs", "/a,,/b"), "refused");
  EXPECT_EQ(Broker("log.dirs", "/a,"), "refused");
  EXPECT_EQ(Broker("log.dirs", ""), "refused");
  EXPECT_EQ(Broker("log.cleanup.policy", ""), "") << "neither delete nor compact is allowed";
  EXPECT_EQ(Broker("log.cleanup.policy", "compact, delete"), "compact,delete");
  EXPECT_EQ(Broker("log.cleanup.policy", "compact,drop"), "refused");
  EXPECT_THAT(ListOf("a,b"), ElementsAre("a", "b"));
  EXPECT_THAT(ListOf(""), ElementsAre());
}

TEST(Value, WordsAreTakenLiterallyUnlessTheKeySaysOtherwise) {
  EXPECT_EQ(Broker("compression.type", "zstd"), "zstd");
  EXPECT_EQ(Broker("compression.type", "ZSTD"), "refused");
  EXPECT_EQ(Broker("group.consumer.migration.policy", "Upgrade"), "Upgrade");
  EXPECT_EQ(Broker("auto.create.topics.enable", "TRUE"), "true");
  EXPECT_EQ(Broker("auto.create.topics.enable", "yes"), "refused");
  EXPECT_EQ(Broker("compression.gzip.level", "-1"), "-1");
  EXPECT_EQ(Broker("compression.gzip.level", "0"), "refused");
}

TEST(Value, RulesOfTheirOwn) {
  auto replicas = [](std::string_view text) {
    return Read(Scope::kTopic, "leader.replication.throttled.replicas", text);
  };
  EXPECT_EQ(replicas("*"), "*");
  EXPECT_EQ(replicas(""), "");
  EXPECT_EQ(replicas("0:1, 1:2"), "0:1,1:2");
  EXPECT_EQ(replicas("0:1,*"), "refused");
  EXPECT_EQ(replicas("0"), "refused");
  auto reset = [](std::string_view text) { return Read(Scope::kGroup, "share.auto.offset.reset", text); };
  for (const char* text : {"latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"})
    EXPECT_EQ(reset(text), text);
  for (const char* text :
       {"never", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:1h", "by_duration:PT1D"}) {
    EXPECT_EQ(reset(text), "refused") << text;
  }
}

TEST(Value, ARefusalNamesKeyValueAndWhatIsAllowed) {
  auto message = [](std::string_view key, std::string_view text) {
    return Canonical(RowNamed(Scope::kBroker, key), text).error().message;
  };
  EXPECT_EQ(message("num.partitions", "zero"),
            "num.partitions: \"zero\" is not allowed; it must be an integer of at least 1, at most 2147483647");
  EXPECT_EQ(message("compression.gzip.level", "0"),
            "compression.gzip.level: \"0\" is not allowed; it must be an integer from 1 to 9, or -1");
  EXPECT_THAT(message("compression.type", "brotli"),
              HasSubstr("one of uncompressed, zstd, lz4, snappy, gzip, producer"));
  EXPECT_THAT(message("log.dirs", ""), HasSubstr("not empty"));
}

}  // namespace
}  // namespace kb::config

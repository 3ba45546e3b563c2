// What is impossible is refused with one line that names the option and says what is allowed; what is possible is
// taken.
#include "load/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace kb::load {
namespace {

constexpr int64_t kDescriptors = 1000;

std::string Read(const std::string& line, Options* options) {
  std::istringstream words(line);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  return ReadOptions({arguments.begin(), arguments.end()}, kDescriptors, options);
}

std::string Wrong(const std::string& line) {
  Options options;
  return Read(line, &options);
}

struct Case {
  const char* line;
  const char* answer;
};

TEST(OptionsTest, WhatIsImpossibleIsRefused) {
  const Case cases[] = {
      {"--port=1 --mode=fly", "--mode is one of produce, partitions, fetch, latency, mixed, idle, storm, not fly"},
      {"--port=1 --topic=t --conections=4", "no option --conections; --help lists them"},
      {"port=1", "options begin with --: port=1"},
      {"--topic=t", "--port is missing: the broker's, on this machine"},
      {"--port=0 --topic=t", "--port is a number from 1 to 65535, not 0"},
      {"--port=65536 --topic=t", "--port is a number from 1 to 65535, not 65536"},
      {"--port=many --topic=t", "--port is a number from 1 to 65535, not many"},
      {"--port=1x --topic=t", "--port is a number from 1 to 65535, not 1x"},
      {"--port --topic=t", "--port wants a value: --port=…"},
      {"--port=1", "--topic is missing: one that exists"},
      {"--port=1 --topic=", "--topic is missing: one that exists"},
      {"--port=1 --topic=t --connections=0", "--connections is a number from 1 to 1000000, not 0"},
      {"--port=1 --topic=t --connections=969", "--connections is at most 968 here (ulimit -n), not 969"},
      {"--port=1 --topic=t --mode=latency --rate=1 --consumers=968",
       "--producers and --consumers are at most 968 here (ulimit -n), not 969"},
      {"--port=1 --topic=t --in_flight=0", "--in_flight is a number from 1 to 1000, not 0"},
      {"--port=1 --topic=t --in_flight=1001", "--in_flight is a number from 1 to 1000, not 1001"},
      {"--port=1 --topic=t --records=0", "--records is a number from 1 to 1000000, not 0"},
      {"--port=1 --topic=t --records=1000000 --record_bytes=1000",
       "--records times --record_bytes is at most 100 MiB, not 1000000000"},
      {"--port=1 --topic=t --acks=0", "--acks is 1 or -1: with 0 there is no answer that could be counted"},
      {"--port=1 --topic=t --acks=2", "--acks is a number from -1 to 1, not 2"},
      {"--port=1 --topic=t --codec=brotli", "--codec is none, gzip, snappy, lz4 or zstd, not brotli"},
      {"--port=1 --topic=t --seconds=0", "--seconds is a number from 0.01 to 1000000, not 0"},
      {"--port=1 --topic=t --seconds=nan", "--seconds is a number from 0.01 to 1000000, not nan"},
      {"--port=1 --topic=t --seconds=1 --requests=5", "--requests is instead of --seconds: give one of them"},
      {"--port=1 --topic=t --mode=fetch --passes=2 --seconds=1",
       "--passes is instead of --seconds and --requests: give one of them"},
      {"--port=1 --topic=t --mode=fetch --passes=2 --requests=1",
       "--passes is instead of --seconds and --requests: give one of them"},
      {"--port=1 --topic=t --mode=fetch --passes=2 --connections=2",
       "--connections is at most --partitions (1) with --passes, not 2"},
      {"--port=1 --topic=t --mode=fetch --in_flight=2", "--in_flight is of --mode=produce, partitions, not of fetch"},
      {"--port=1 --topic=t --passes=2", "--passes is of --mode=fetch, not of produce"},
      {"--port=1 --topic=t --mode=latency", "--rate is missing: messages per second"},
      {"--port=1 --topic=t --mode=latency --rate=0", "--rate is a number from 0.1 to 10000000, not 0"},
      {"--port=1 --topic=t --mode=latency --rate=-3", "--rate is a number from 0.1 to 10000000, not -3"},
      {"--port=1 --topic=t --mode=latency --rate=1 --record_bytes=15",
       "--record_bytes is at least 16 where a message carries its due time, not 15"},
      {"--port=1 --topic=t --mode=mixed --rate=1", "--backlog_topic is missing: one with many records"},
      {"--port=1 --mode=idle --topic=t",
       "--topic is of --mode=produce, partitions, fetch, latency, mixed, not of idle"},
      {"--port=1 --mode=storm --together=maybe", "--together is a switch: true or false, not maybe"},
      {"--port=1 --mode=storm --rounds=0", "--rounds is a number from 1 to 1000, not 0"},
      {"--port=1 --mode=idle --most_errors=0", "--most_errors is a number from 1 to 1e+15, not 0"},
  };
  for (const Case& one : cases) EXPECT_EQ(Wrong(one.line), one.answer) << one.line;
}

TEST(OptionsTest, WhatIsPossibleIsTaken) {
  const char* const lines[] = {
      "--port=1 --topic=t",
      "--port=65535 --pid=1 --mode=produce --topic=t --connections=968 --in_flight=1000 --acks=-1 --codec=zstd",
      "--port=1 --topic=t --record_bytes=0",
      "--port=1 --topic= --mode=idle --connections=10",
      "--port=1 --topic=t --mode=fetch --partitions=4 --connections=4 --passes=2",
      "--port=1 --topic=t --mode=partitions --partitions=10000 --requests=20000",
      "--port=1 --topic=t --mode=latency --rate=0.5 --record_bytes=16 --producers=3 --consumers=100 --no_check",
      "--port=1 --topic=t --mode=mixed --rate=1000 --backlog_topic=b --share",
      "--port=1 --mode=storm --together --rounds=3 --json --progress=false",
  };
  for (const char* line : lines) EXPECT_EQ(Wrong(line), "") << line;
}

TEST(OptionsTest, ValuesArriveAndTheRestKeepsItsDefault) {
  Options options;
  ASSERT_EQ(Read("--port=9092 --topic=t --mode=latency --rate=12.5 --acks=-1 --share --json=false", &options), "");
  EXPECT_EQ(options.port, 9092);
  EXPECT_EQ(options.rate, 12.5);
  EXPECT_EQ(options.acks, -1);
  EXPECT_TRUE(options.share);
  EXPECT_FALSE(options.json);
  EXPECT_EQ(options.seconds, 5);
  EXPECT_EQ(options.label, "latency");
  EXPECT_TRUE(options.Is(kLatency));
  EXPECT_FALSE(options.Is(kFetch | kIdle));
}

TEST(OptionsTest, TheHelpHasALineForEveryOption) {
  EXPECT_THAT(OptionsHelp(), ::testing::HasSubstr("--backlog_topic  what one more connection reads meanwhile\n"));
  EXPECT_THAT(OptionsHelp(), ::testing::HasSubstr("--most_errors "));
}

}  // namespace
}  // namespace kb::load

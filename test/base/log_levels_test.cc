// Which lines pass, module by module.
#include "base/log_levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kb {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KeptLines final : public LogSink {
 public:
  void Write(Severity, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

class LogLevelsTest : public ::testing::Test {
 protected:
  void SayAll(std::string_view module) {
    LogSink& sink = levels_.Of(module);
    sink.Info(std::string(module) + " info");
    sink.Warning(std::string(module) + " warning");
    sink.Error(std::string(module) + " error");
  }
  KeptLines kept_;
  LogLevels levels_{kept_, {"broker", "net"}};
};

TEST_F(LogLevelsTest, AModuleFollowsRootUntilItHasALevelOfItsOwn) {
  levels_.Set("root", LogLevel::kWarn);
  SayAll("net");
  EXPECT_THAT(kept_.lines, ElementsAre("net warning", "net error"));
  kept_.lines.clear();
  levels_.Set("net", LogLevel::kError);
  SayAll("net");
  SayAll("broker");
  EXPECT_THAT(kept_.lines, ElementsAre("net error", "broker warning", "broker error"));
  kept_.lines.clear();
  levels_.Unset("net");
  levels_.Set("root", LogLevel::kFatal);
  SayAll("net");
  EXPECT_THAT(kept_.lines, IsEmpty());
  levels_.Set("net", LogLevel::kTrace);
  SayAll("net");
  EXPECT_EQ(kept_.lines.size(), 3u);
}

TEST_F(LogLevelsTest, NamesWhatCounts) {
  levels_.Set("root", LogLevel::kWarn);
  levels_.Set("net", LogLevel::kDebug);
  levels_.Set("nobody", LogLevel::kDebug);
  EXPECT_EQ(levels_.All(), (std::map<std::string, LogLevel>{
                               {"broker", LogLevel::kWarn}, {"net", LogLevel::kDebug}, {"root", LogLevel::kWarn}}));
  EXPECT_TRUE(levels_.Has("root"));
  EXPECT_FALSE(levels_.Has("nobody"));
  levels_.Unset("root");
  EXPECT_EQ(levels_.All()["root"], LogLevel::kWarn);
}

TEST_F(LogLevelsTest, LevelsHaveApacheKafkasNames) {
  for (std::string_view name : {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}) {
    ASSERT_TRUE(LogLevelNamed(name).has_value()) << name;
    EXPECT_EQ(LogLevelName(*LogLevelNamed(name)), name);
  }
  EXPECT_FALSE(LogLevelNamed("info").has_value());
  EXPECT_FALSE(LogLevelNamed("OFF").has_value());
}

}  // namespace
}  // namespace kb

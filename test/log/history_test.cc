// Random histories of a log (history.h) on a disk that loses and tears what was not synced.
//
//   LOG_SEED=4711 log_test --gtest_filter='*OneHistory*'     one, with what happens in it
//   LOG_HISTORIES=100000 ctest -R log/Histories              more of them than 1,000
#include "log/history.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace kb::log {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

void PrintTo(const HistoryReport& sum, std::ostream& out) {
  out << sum.starts << " starts (" << sum.cut_starts << " cut), " << sum.power_cuts << " power cuts, " << sum.kills
      << " kills, " << sum.clean_stops << " clean stops, " << sum.failed_calls << " failures; " << sum.appended
      << " appends, " << sum.acknowledged << " acknowledged, " << sum.resent << " sent again, " << sum.duplicates
      << " duplicates, " << sum.cleanings << " cleanings, " << sum.removed_segments << " segments removed, "
      << sum.truncations << " truncations";
}

void ExpectKept(const HistoryOptions& options, const HistoryReport& report) {
  if (report.complaint.empty()) return;
  ADD_FAILURE() << "LOG_SEED=" << options.seed
                << (options.first_cut > 0 ? " LOG_CUT=" + std::to_string(options.first_cut) : "") << ": "
                << report.complaint << "\nAgain, with what happened: LOG_SEED=" << options.seed
                << (options.first_cut > 0 ? " LOG_CUT=" + std::to_string(options.first_cut) : "")
                << " log_test --gtest_filter='*OneHistory*'";
}

// Shards, so that ctest runs them side by side.
constexpr uint64_t kShards = 4;
class Histories : public testing::TestWithParam<uint64_t> {};

TEST_P(Histories, KeepWhatWasPromised) {
  const uint64_t count = FromEnvironment("LOG_HISTORIES", 1000);
  HistoryReport sum;
  for (HistoryOptions options{.seed = 1 + GetParam()}; options.seed <= count && !HasFailure();
       options.seed += kShards) {
    const HistoryReport report = RunHistory(options);
    ExpectKept(options, report);
    sum.Add(report);
  }
  PrintTo(sum, std::cout);
  std::cout << std::endl;
  EXPECT_TRUE(count < 100 || (sum.acknowledged > 0 && sum.duplicates > 0 && sum.cleanings > 0 && sum.truncations > 0));
}
INSTANTIATE_TEST_SUITE_P(Shard, Histories, testing::Range<uint64_t>(0, kShards));

// The power goes at every call of the first life that changes the disk.
TEST(HistoryTest, ThePowerGoesAtEveryCall) {
  uint64_t cuts = 0;
  for (uint64_t seed = 1; seed <= 8 && !testing::Test::HasFailure(); ++seed) {
    // How many calls there are is known from a life in which it does not go.
    const uint64_t calls = RunHistory({.seed = seed, .first_cut = UINT32_MAX}).first_life_calls;
    for (uint64_t cut = 1; cut <= calls && !testing::Test::HasFailure(); ++cut) {
      const HistoryOptions options{.seed = seed, .first_cut = cut};
      ExpectKept(options, RunHistory(options));
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 400u);
}

TEST(HistoryTest, OneHistory) {
  HistoryOptions options{
      .seed = FromEnvironment("LOG_SEED", 0), .first_cut = FromEnvironment("LOG_CUT", 0), .is_told = true};
  if (options.seed == 0) GTEST_SKIP() << "LOG_SEED=<seed> runs that history";
  ExpectKept(options, RunHistory(options));
}

// What fails can be repeated.
TEST(HistoryTest, TheSameSeedGivesTheSameHistory) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const HistoryReport first = RunHistory({.seed = seed}), second = RunHistory({.seed = seed});
    EXPECT_EQ(first.files, second.files) << seed;
    EXPECT_EQ(first.appended, second.appended) << seed;
    EXPECT_FALSE(first.files.empty());
  }
}

// The judge is not blind: a disk that syncs nothing, or no directory, is found out.
TEST(HistoryTest, ADiskThatLiesIsFoundOut) {
  for (test::IoCall call : {test::IoCall::kSync, test::IoCall::kSyncDirectory}) {
    uint64_t found_out = 0;
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      found_out += RunHistory({.seed = seed, .ignored = call}).complaint.empty() ? 0 : 1;
    }
    EXPECT_GT(found_out, 5u) << static_cast<int>(call);
  }
}

}  // namespace
}  // namespace kb::log

// The arithmetic of quotas. The tables were recorded from Apache Kafka's Rate and TokenBucket, fed with the same.
#include "broker/quota_window.h"

#include <gtest/gtest.h>

#include "broker/quota_ledger.h"

namespace kb::broker {
namespace {

struct Event {
  int64_t now_ms;
  double value;
  int64_t throttle_ms;  // after it
};

void ExpectThrottle(const QuotaWindowOptions& options, double bound, const std::vector<Event>& events) {
  RateWindow rate;
  for (const Event& event : events) {
    rate.Record(options, event.value, event.now_ms);
    EXPECT_EQ(rate.ThrottleMs(options, bound, event.now_ms), event.throttle_ms) << event.now_ms;
  }
}

TEST(RateWindowTest, ThrottlesAsApacheKafkaDoes) {
  ExpectThrottle({}, 1000,
                 {{100000, 5000, 0},
                  {100000, 6000, 1000},
                  {100400, 0, 600},
                  {100999, 1, 2},
                  {101000, 2000, 3001},
                  {102500, 500, 3001},
                  {105000, 20000, 23501},
                  {106000, -20000, 3501},  // taken back
                  {111000, 100, 2601},
                  {111499, 0, 2102},
                  {112000, 300, 0},
                  {125000, 50000, 40000},
                  {125001, 1, 40000}});
}

TEST(RateWindowTest, SoItDoesWithOtherWindows) {
  ExpectThrottle({.samples = 3, .window_ms = 2000}, 10,
                 {{51487, 52, 1200},  {52461, 44, 4626},  {52467, 5, 5120},   {53821, 11, 6866},  {54543, 21, 8244},
                  {55874, 3, 9213},   {56121, 0, 8966},   {56549, 10, 9538},  {57527, 55, 14060}, {57544, 57, 19743},
                  {58852, 5, 11169},  {60160, 56, 15461}, {61421, 22, 15253}, {62101, 27, 17273}, {63316, 20, 18058},
                  {64505, 32, 10547}, {65562, 49, 14390}, {66769, 50, 14652}, {67715, 3, 14006},  {68784, 13, 14237},
                  {69168, 11, 14953}, {70038, 57, 15967}, {71079, 38, 18726}, {72031, 22, 14138}});
}

// What Apache Kafka's TokenBucket was made for, and its Rate is still used: all of a burst counts until its window is over.
TEST(RateWindowTest, ABurstWeighsUntilItIsForgotten) {
  RateWindow rate;
  QuotaWindowOptions options;
  rate.Record(options, 20'000, 5'000);
  EXPECT_EQ(rate.ThrottleMs(options, 1000, 5'000), 10'000);
  EXPECT_EQ(rate.ThrottleMs(options, 1000, 15'000), 10'000);
  EXPECT_EQ(rate.ThrottleMs(options, 1000, 16'000), 0);
}

TEST(RateWindowTest, IsForgottenAfterAllOfItsWindows) {
  RateWindow rate;
  QuotaWindowOptions options;
  EXPECT_TRUE(rate.IsObsolete(options, 0));
  rate.Record(options, 1e9, 1'000);
  EXPECT_FALSE(rate.IsObsolete(options, 11'999));
  EXPECT_TRUE(rate.IsObsolete(options, 12'000));
  EXPECT_EQ(rate.Rate(options, 12'000), 0);
}

TEST(TokenBucketTest, FillsAndEmptiesAsApacheKafkas) {
  const std::vector<Event> events = {{1000000, 0, 0}, {1000000, 60, 2000}, {1000000, 5, 3000},
                                     {1001000, 0, 2000}, {1003000, 0, 0},  {1004000, 1, 0},
                                     {1100000, 0, 0},    {1100000, 560, 102000}, {1110000, 0, 92000}};
  TokenBucket bucket;
  QuotaWindowOptions options{.samples = 10};
  for (const Event& event : events) {
    bucket.Take(options, 5, event.value, event.now_ms);
    EXPECT_EQ(bucket.ThrottleMs(options, 5, event.now_ms), event.throttle_ms) << event.now_ms << " " << event.value;
  }
}

// ---- who has used what

TEST(QuotaLedgerTest, EachSharerHasHisOwn) {
  QuotaLedger ledger({}, {});
  EXPECT_EQ(ledger.Charge("a", 1000, 11'000, 5'000), 1'000);
  EXPECT_EQ(ledger.Charge("b", 1000, 1, 5'000), 0);
  EXPECT_EQ(ledger.Charge("a", 1000, 1'000, 5'000), 2'000);
  EXPECT_EQ(ledger.Charge("a", 2000, 0, 5'000), 0) << "a quota that has changed counts at once";
  ledger.TakeBack("a", 12'000, 5'000);
  EXPECT_EQ(ledger.Charge("a", 1000, 10'000, 5'000), 0);
}

TEST(QuotaLedgerTest, StrictIsRefusedAndPermissiveIsDone) {
  QuotaLedger ledger({}, {.samples = 2});
  const int64_t now_ms = 1'000'000;
  EXPECT_EQ(ledger.Mutate("strict", 1, 5, true, now_ms), 0) << "beyond what is left, once";
  EXPECT_EQ(ledger.Mutate("strict", 1, 1, true, now_ms), 3'000);
  EXPECT_EQ(ledger.Mutate("strict", 1, 1, true, now_ms), 3'000) << "and what was refused does not count";
  EXPECT_EQ(ledger.Mutate("strict", 1, 1, true, now_ms + 3'000), 0);
  EXPECT_EQ(ledger.Mutate("permissive", 1, 5, false, now_ms), 3'000);
  EXPECT_EQ(ledger.Mutate("permissive", 1, 1, false, now_ms), 4'000);
}

TEST(QuotaLedgerTest, ForgetsWhoHasUsedNothingLately) {
  QuotaLedger ledger({}, {});
  for (int i = 0; i < 50'000; ++i) ledger.Charge("client-" + std::to_string(i), 1000, 1, int64_t{i} * 100);
  EXPECT_LT(ledger.size(), 2'500u);
  ledger.Charge("busy", 1000, 1e9, 5'000'000);
  for (int i = 0; i < 5'000; ++i) ledger.Charge("other-" + std::to_string(i), 1000, 1, 5'000'000 + i);
  EXPECT_GT(ledger.Charge("busy", 1000, 0, 5'005'000), 0) << "and nobody who is above his quota";
}

}  // namespace
}  // namespace kb::broker

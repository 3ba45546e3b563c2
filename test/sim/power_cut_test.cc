// The whole broker in one thread, under many seeds: what it has promised survives what happens to it.
//
//   SIM_SEED=4711 sim_test        one seed, with what the broker said
//   SIM_SEEDS=100000 sim_test     more of them
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "sim/scenario.h"

namespace kb::sim {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Seeds {
  uint64_t first;
  uint64_t count;
};
// Few by default: the whole test is to take some seconds.
Seeds SeedsToRun(uint64_t count) {
  if (uint64_t one = FromEnvironment("SIM_SEED", 0)) return {one, 1};
  return {1, FromEnvironment("SIM_SEEDS", count)};
}

void ExpectKept(uint64_t seed, const RunReport& report) {
  if (report.complaints.empty()) return;
  std::string all;
  for (const std::string& complaint : report.complaints) all += "  " + complaint + "\n";
  ADD_FAILURE() << "SIM_SEED=" << seed << ":\n" << all << "The broker said:\n" << report.log;
}

TEST(SimulatedBroker, KeepsItsPromisesWhateverHappens) {
  Seeds seeds = SeedsToRun(60);
  RunReport sum;
  for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count && !HasFailure(); ++seed) {
    RunReport report = RunScenario(seed);
    ExpectKept(seed, report);
    sum.acknowledged += report.acknowledged;
    sum.shown += report.shown;
    sum.power_cuts += report.power_cuts;
    sum.steps += report.steps;
    if (seeds.count == 1) std::cout << report.log;
  }
  std::cout << "[   SIM    ] " << seeds.count << " seeds from " << seeds.first << ": " << sum.steps << " steps, "
            << sum.power_cuts << " power cuts, " << sum.acknowledged << " records acknowledged, " << sum.shown << " shown"
            << std::endl;
  EXPECT_GT(sum.acknowledged, 0u);
  EXPECT_GT(sum.shown, 0u);
}

// The same runs must find the fault in a broker that answers from the page cache: the ledger is not blind.
TEST(SimulatedBroker, ABrokerThatDoesNotFlushIsFoundOut) {
  size_t found_out = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    if (!RunScenario(seed, {{"acks.all.durability", "os"}}).complaints.empty()) ++found_out;
  }
  EXPECT_GE(found_out, 5u);
}

TEST(SimulatedBroker, TheSameSeedGivesTheSameRun) {
  Seeds seeds = SeedsToRun(5);
  seeds.count = std::min<uint64_t>(seeds.count, 5);
  uint64_t previous = 0;
  for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    RunReport one = RunScenario(seed);
    RunReport two = RunScenario(seed);
    EXPECT_EQ(one.steps, two.steps) << "SIM_SEED=" << seed;
    EXPECT_EQ(one.trace, two.trace) << "SIM_SEED=" << seed;
    EXPECT_EQ(one.disk, two.disk) << "SIM_SEED=" << seed;
    EXPECT_NE(one.trace, previous) << "two seeds, one run";
    previous = one.trace;
  }
}

}  // namespace
}  // namespace kb::sim

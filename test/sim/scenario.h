// Scenario: one whole run of a simulated machine, decided by its seed: a broker of two reactors is formatted and started,
// clients produce, fetch, commit and create, connections break, and the power fails again and again, at any moment, also
// while it starts or stops. At the end everything is read and held against the ledger.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kb::sim {

struct RunReport {
  std::vector<std::string> complaints;  // what was promised and not kept
  uint64_t trace = 0;                   // of every step and of every byte on the network
  uint64_t disk = 0;                    // of every file at the end
  uint64_t steps = 0;
  size_t acknowledged = 0;              // records
  size_t shown = 0;
  size_t power_cuts = 0;
  std::string log;                      // what the broker said, life by life
};

// overrides: configuration on top of the scenario's own.
RunReport RunScenario(uint64_t seed, const std::vector<std::pair<std::string, std::string>>& overrides = {});

}  // namespace kb::sim

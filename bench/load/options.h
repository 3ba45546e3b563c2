// What the generator was told to do. Plain values; nothing here opens, asks or measures.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kb::load {

// One bit each, so that an option can name those it belongs to.
enum Mode : unsigned {
  kProduce = 1,
  kPartitions = 2,
  kFetch = 4,
  kLatency = 8,
  kMixed = 16,
  kIdle = 32,
  kStorm = 64,
};

struct Options {
  std::string mode = "produce";
  int64_t port = 0;
  int64_t pid = 0;
  std::string topic;
  int64_t partitions = 1;
  int64_t connections = 1;
  int64_t in_flight = 1;
  int64_t records = 1;
  int64_t record_bytes = 100;
  int64_t keys = 0;
  std::string codec = "none";
  int64_t acks = 1;
  double seconds = 5;
  int64_t requests = 0;
  int64_t passes = 0;
  int64_t fetch_bytes = 1 << 20;
  double rate = 0;
  int64_t producers = 1;
  int64_t consumers = 1;
  bool share = false;
  std::string backlog_topic;
  double hold_seconds = 0;
  bool together = false;
  int64_t rounds = 1;
  bool no_check = false;
  int64_t most_errors = 1;
  bool json = false;
  bool progress = false;
  std::string svg;
  std::string svg_compare;
  std::string label;

  std::set<std::string, std::less<>> given;  // names of the options that were written down

  // Whether `mode` is one of these.
  bool Is(unsigned modes) const;
  bool Given(std::string_view name) const { return given.contains(name); }
};

// Reads `--name=value` (a switch: `--name`) and checks each value and all of them together. What is wrong comes back as
// one line, which names the option and says what is allowed; empty: nothing is. An empty value is an option not given.
// most_descriptors: how many files this process may have open.
std::string ReadOptions(const std::vector<std::string_view>& arguments, int64_t most_descriptors, Options* options);

// A line for each option.
std::string OptionsHelp();

}  // namespace kb::load

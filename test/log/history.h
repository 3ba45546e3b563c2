// A history: the life of one log over several starts, stops, kills and power cuts, made up by a seed. Everything that a
// log can be asked to do happens in it: appends of plain, idempotent and transactional clients, with up to five batches
// in flight, and of a follower; rolls, flushes, checkpoints, retention, DeleteRecords, truncation, cleaning; failing
// calls, a full disk. After each start the log is held against the model (history_model.h), its files against its
// batches, and a second start must change nothing. Then the clients send again what was not acknowledged.
//
//   HistoryReport report = RunHistory({.seed = 4711});
//   report.complaint      "" when the log kept its promises
//
// The same options give the same history, to the byte.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "support/sim_file_system.h"

namespace kb::log {

struct HistoryOptions {
  uint64_t seed = 1;
  uint64_t first_cut = 0;               // the power goes at this changing call of the first life; 0: the seed decides
  std::optional<test::IoCall> ignored;  // a disk that lies: these calls do nothing
  bool is_told = false;                 // what happens is printed
};

struct HistoryReport {
  std::string complaint;
  uint64_t appended = 0;      // batches
  uint64_t acknowledged = 0;  // batches that were on the disk when their flush completed
  uint64_t starts = 0, power_cuts = 0, kills = 0, clean_stops = 0, cut_starts = 0;
  uint64_t duplicates = 0, resent = 0, cleanings = 0, removed_segments = 0, truncations = 0, failed_calls = 0;
  uint64_t first_life_calls = 0;             // changing ones
  std::map<std::string, std::string> files;  // at the end
  void Add(const HistoryReport& other);
};

HistoryReport RunHistory(const HistoryOptions& options);

}  // namespace kb::log

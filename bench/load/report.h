// What a run has found: names and figures in order, as one line of JSON or as a table. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/histogram.h"
#include "load/usage.h"

namespace kb::load {

class Report {
 public:
  void Whole(std::string name, int64_t value);
  void Real(std::string name, double value, int decimals);
  void Text(std::string name, std::string_view value);
  void Part(std::string name, Report part);
  void Parts(std::string name, std::vector<Report> parts);
  // A list of pairs: in JSON only, a table has no room for it.
  void Points(std::string name, const std::vector<std::pair<double, double>>& points);
  void Append(Report others);

  std::string Json() const;
  // A line for each figure; parts are indented. Ends with a new line.
  std::string Table(int indent = 0) const;

 private:
  struct Row {
    std::string name;
    std::string json;           // of a figure, or of points
    std::vector<Report> parts;  // when it is no figure
    bool is_list = false;       // of parts
    bool in_table = true;
  };
  std::vector<Row> rows_;
};

// Answers that were errors, by their code.
class Errors {
 public:
  explicit Errors(int64_t most) : most_(most) {}
  void Count(int16_t code) {
    ++by_code_[code];
    ++total_;
  }
  int64_t total() const { return total_; }
  bool too_many() const { return total_ >= most_; }
  Report Show() const;

 private:
  int64_t most_;
  int64_t total_ = 0;
  std::map<int16_t, int64_t> by_code_;
};

// What was answered without an error, and what it took. `bytes` are those of record batches.
struct Tally {
  int64_t requests = 0;
  int64_t bytes = 0;

  Tally operator-(const Tally& before) const { return {requests - before.requests, bytes - before.bytes}; }
};

// cpu_us and so on, without what there is of it for each request.
Report ShowUsage(const Usage& used, pid_t pid);
Report ShowPerRequest(const Usage& used, const Tally& tally);
// Of values in nanoseconds; names begin with `prefix`.
Report ShowPercentiles(const Histogram& latencies, const std::string& prefix = "");
Report ShowDistribution(const Histogram& latencies);

// `text` as a JSON string.
std::string Quoted(std::string_view text);

}  // namespace kb::load

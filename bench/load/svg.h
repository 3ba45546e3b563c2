// The distribution of latencies as a picture, one curve for each run: how many of all are at or below (to the right,
// from the half to all but one in 100,000, each nine as wide as the one before) a latency (upwards, logarithmic). The
// SVG stands alone: no script, no style sheet, no font of its own.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kb::load {

struct Curve {
  std::string label;
  std::vector<std::pair<double, double>> points;  // share of all that is above, microseconds
};

std::string DrawLatencies(const std::vector<Curve>& curves);

// Reads label and distribution out of what --json printed; what is wrong with it, or nothing.
std::string ReadCurve(std::string_view json, Curve* curve);

}  // namespace kb::load

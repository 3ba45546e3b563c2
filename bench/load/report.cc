#include "load/report.h"

#include <algorithm>
#include <cstdio>

#include "stress/broker_process.h"

namespace kb::load {
namespace {

constexpr double kUsOfNs = 1e-3;

std::string Fixed(double value, int decimals) {
  char text[64];
  snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// Nothing per nothing is nothing.
double Per(double value, double count) {
  return count > 0 ? value / count : 0;
}

}  // namespace

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

void Report::Whole(std::string name, int64_t value) {
  rows_.push_back({.name = std::move(name), .json = std::to_string(value)});
}

void Report::Real(std::string name, double value, int decimals) {
  rows_.push_back({.name = std::move(name), .json = Fixed(value, decimals)});
}

void Report::Text(std::string name, std::string_view value) {
  rows_.push_back({.name = std::move(name), .json = Quoted(value)});
}

void Report::Part(std::string name, Report part) {
  rows_.push_back({.name = std::move(name), .parts = {std::move(part)}});
}

void Report::Parts(std::string name, std::vector<Report> parts) {
  rows_.push_back({.name = std::move(name), .parts = std::move(parts), .is_list = true});
}

void Report::Points(std::string name, const std::vector<std::pair<double, double>>& points) {
  std::string json = "[";
  for (const auto& [x, y] : points) {
    char text[64];
    snprintf(text, sizeof text, "%s[%.6g, %.2f]", json.size() == 1 ? "" : ", ", x, y);
    json += text;
  }
  rows_.push_back({.name = std::move(name), .json = json + "]", .in_table = false});
}

void Report::Append(Report others) {
  std::move(others.rows_.begin(), others.rows_.end(), std::back_inserter(rows_));
}

std::string Report::Json() const {
  std::string json = "{";
  for (const Row& row : rows_) {
    json += (json.size() == 1 ? "" : ", ") + Quoted(row.name) + ": ";
    if (row.is_list) {
      json += "[";
      for (const Report& part : row.parts) json += (&part == row.parts.data() ? "" : ", ") + part.Json();
      json += "]";
    } else {
      json += row.parts.empty() ? row.json : row.parts[0].Json();
    }
  }
  return json + "}";
}

std::string Report::Table(int indent) const {
  std::string table;
  const auto line = [&](const std::string& name, const std::string& value) {
    char text[512];
    snprintf(text, sizeof text, "%*s%-*s%s\n", indent, "", value.empty() ? 0 : 36 - indent, name.c_str(),
             value.c_str());
    table += text;
  };
  for (const Row& row : rows_) {
    if (!row.in_table) continue;
    if (row.parts.empty() && !row.is_list) line(row.name, row.json);
    for (size_t i = 0; i < row.parts.size(); ++i) {
      const std::string body = row.parts[i].Table(indent + 2);
      if (body.empty()) continue;
      line(row.name + (row.is_list ? " " + std::to_string(i + 1) : ""), "");
      table += body;
    }
  }
  return table;
}

Report Errors::Show() const {
  Report codes;
  for (const auto& [code, count] : by_code_) codes.Whole(std::to_string(code), count);
  Report report;
  report.Whole("error_count", total_);
  report.Part("errors", std::move(codes));
  return report;
}

Report ShowUsage(const Usage& used, pid_t pid) {
  Report report;
  report.Whole("took_us", used.took_us());
  report.Whole("cpu_us", used.cpu_us);
  report.Whole("load_cpu_us", used.load_cpu_us);
  report.Whole("resident_bytes", raw::ResidentBytesOf(pid));
  report.Whole("voluntary_switches", used.voluntary_switches);
  report.Whole("involuntary_switches", used.involuntary_switches);
  return report;
}

Report ShowPerRequest(const Usage& used, const Tally& tally) {
  const auto requests = static_cast<double>(tally.requests);
  const auto took_us = static_cast<double>(used.took_us());
  const auto cpu_us = static_cast<double>(used.cpu_us);
  Report report;
  report.Whole("requests", tally.requests);
  report.Whole("bytes", tally.bytes);
  report.Real("requests_per_s", Per(requests * 1e6, took_us), 1);
  report.Real("mb_per_s", Per(static_cast<double>(tally.bytes), took_us), 2);
  report.Real("cpu_us_per_request", Per(cpu_us, requests), 3);
  report.Real("cpu_s_per_gb", Per(cpu_us * 1e3, static_cast<double>(tally.bytes)), 4);
  report.Real("load_cpu_us_per_request", Per(static_cast<double>(used.load_cpu_us), requests), 3);
  report.Real("voluntary_switches_per_request", Per(static_cast<double>(used.voluntary_switches), requests), 4);
  report.Real("involuntary_switches_per_request", Per(static_cast<double>(used.involuntary_switches), requests), 4);
  return report;
}

Report ShowPercentiles(const Histogram& latencies, const std::string& prefix) {
  Report report;
  const std::pair<const char*, double> shares[] = {
      {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"p9999_us", 0.9999}};
  for (const auto& [name, share] : shares) {
    report.Real(prefix + name, static_cast<double>(latencies.Percentile(share)) * kUsOfNs, 1);
  }
  report.Real(prefix + "max_us", static_cast<double>(latencies.max()) * kUsOfNs, 1);
  return report;
}

Report ShowDistribution(const Histogram& latencies) {
  std::vector<std::pair<double, double>> points;
  for (const auto& [above, value] : latencies.Tail()) points.emplace_back(above, static_cast<double>(value) * kUsOfNs);
  Report report;
  report.Points("distribution", points);
  return report;
}

}  // namespace kb::load

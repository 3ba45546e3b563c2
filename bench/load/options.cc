#include "load/options.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>
#include <variant>

namespace kb::load {
namespace {

constexpr std::pair<const char*, Mode> kModes[] = {
    {"produce", kProduce}, {"partitions", kPartitions}, {"fetch", kFetch}, {"latency", kLatency}, {"mixed", kMixed},
    {"idle", kIdle},       {"storm", kStorm},
};
constexpr unsigned kAll = kProduce | kPartitions | kFetch | kLatency | kMixed | kIdle | kStorm;
constexpr unsigned kWriting = kProduce | kPartitions;  // as fast as they are answered
constexpr unsigned kByRate = kLatency | kMixed;
constexpr unsigned kOfATopic = kWriting | kFetch | kByRate;
constexpr int64_t kLeastTimedBytes = 16;  // a mark of the run and the due time
constexpr int64_t kSpareDescriptors = 32;
constexpr double kMostInt = 2147483647;

using Field = std::variant<int64_t Options::*, double Options::*, bool Options::*, std::string Options::*>;

struct Row {
  const char* name;
  Field field;
  unsigned modes;
  double least, most;  // of a number
  const char* help;
};

constexpr double kNone = 0;
const Row kRows[] = {
    {"mode", &Options::mode, kAll, kNone, kNone, "produce, partitions, fetch, latency, mixed, idle or storm"},
    {"port", &Options::port, kAll, 1, 65535, "the broker's, on this machine"},
    {"pid", &Options::pid, kAll, 0, kMostInt, "the broker's process, whose time and memory are reported; 0: none"},
    {"topic", &Options::topic, kOfATopic, kNone, kNone, "one that exists"},
    {"partitions", &Options::partitions, kOfATopic, 1, 1000000, "of the topic, from 0 on"},
    {"connections", &Options::connections, kWriting | kFetch | kIdle | kStorm, 1, 1000000, "to the broker"},
    {"in_flight", &Options::in_flight, kWriting, 1, 1000, "requests of a connection without an answer"},
    {"records", &Options::records, kWriting, 1, 1000000, "in a batch"},
    {"record_bytes", &Options::record_bytes, kWriting | kByRate, 0, 100 << 20, "of a record's value"},
    {"keys", &Options::keys, kWriting, 0, kMostInt, "how many there are; 0: the records have none"},
    {"codec", &Options::codec, kWriting, kNone, kNone, "none, gzip, snappy, lz4 or zstd"},
    {"acks", &Options::acks, kWriting | kByRate, -1, 1, "1 or -1; 0 has no answer that could be counted"},
    {"seconds", &Options::seconds, kOfATopic, 0.01, 1000000, "after which no request is sent any more"},
    {"requests", &Options::requests, kWriting | kFetch, 0, 1e15, "instead of seconds, when above 0"},
    {"passes", &Options::passes, kFetch, 0, 1000000, "every partition from beginning to end, instead of seconds"},
    {"fetch_bytes", &Options::fetch_bytes, kFetch | kByRate, 1, 1 << 30, "at most, from a partition, with one fetch"},
    {"rate", &Options::rate, kByRate, 0.1, 10000000, "messages per second, over all connections"},
    {"producers", &Options::producers, kByRate, 1, 1000000, "connections that send"},
    {"consumers", &Options::consumers, kByRate, 1, 1000000, "connections that tail, each all partitions"},
    {"share", &Options::share, kByRate, kNone, kNone, "each consumer only its share of the partitions"},
    {"backlog_topic", &Options::backlog_topic, kMixed, kNone, kNone, "what one more connection reads meanwhile"},
    {"hold_seconds", &Options::hold_seconds, kIdle, 0, 1000000, "for how long the connections are kept"},
    {"together", &Options::together, kStorm, kNone, kNone, "then all at once"},
    {"rounds", &Options::rounds, kStorm, 1, 1000, "how often all are closed and opened again"},
    {"no_check", &Options::no_check, kOfATopic, kNone, kNone, "without asking what the topic is"},
    {"most_errors", &Options::most_errors, kAll, 1, 1e15, "that may be answered before it stops"},
    {"json", &Options::json, kAll, kNone, kNone, "one line of JSON instead of the table"},
    {"progress", &Options::progress, kAll, kNone, kNone, "a line per second also where stderr is no terminal"},
    {"svg", &Options::svg, kOfATopic, kNone, kNone, "the file to draw the latencies into"},
    {"svg_compare", &Options::svg_compare, kOfATopic, kNone, kNone, "the JSON of another run, drawn beside it"},
    {"label", &Options::label, kAll, kNone, kNone, "this run's name in JSON and picture"},
};

const Row* RowOf(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

unsigned ModeOf(std::string_view name) {
  for (const auto& [known, mode] : kModes) {
    if (known == name) return mode;
  }
  return 0;
}

std::string NamesOf(unsigned modes) {
  std::string names;
  for (const auto& [name, mode] : kModes) {
    if ((modes & mode) != 0) names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

std::string Number(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.12g", value);
  return text;
}

std::string OutOf(const Row& row, std::string_view value) {
  return "--" + std::string(row.name) + " is a number from " + Number(row.least) + " to " + Number(row.most) +
         ", not " + std::string(value);
}

template <typename T>
bool ReadNumber(std::string_view text, T* value) {
  const auto done = std::from_chars(text.data(), text.data() + text.size(), *value);
  return done.ec == std::errc() && done.ptr == text.data() + text.size();
}

std::string SetSwitch(const Row& row, bool has_value, std::string_view value, bool* to) {
  *to = !has_value || value == "true" || value == "1";
  if (*to || value == "false" || value == "0") return "";
  return "--" + std::string(row.name) + " is a switch: true or false, not " + std::string(value);
}

std::string SetField(const Row& row, bool has_value, std::string_view value, Options* options) {
  if (const auto* field = std::get_if<bool Options::*>(&row.field)) {
    return SetSwitch(row, has_value, value, &(options->**field));
  }
  if (!has_value) return "--" + std::string(row.name) + " wants a value: --" + row.name + "=…";
  if (const auto* field = std::get_if<std::string Options::*>(&row.field)) {
    options->** field = std::string(value);
    return "";
  }
  double number = 0;
  if (const auto* field = std::get_if<int64_t Options::*>(&row.field)) {
    if (!ReadNumber(value, &(options->**field))) return OutOf(row, value);
    number = static_cast<double>(options->**field);
  } else {
    if (!ReadNumber(value, &number) || !std::isfinite(number)) return OutOf(row, value);
    options->*std::get<double Options::*>(row.field) = number;
  }
  return number < row.least || number > row.most ? OutOf(row, value) : "";
}

std::string ReadOne(std::string_view argument, Options* options) {
  if (!argument.starts_with("--")) return "options begin with --: " + std::string(argument);
  const size_t equals = argument.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view name = argument.substr(2, has_value ? equals - 2 : equals);
  const Row* row = RowOf(name);
  if (row == nullptr) return "no option --" + std::string(name) + "; --help lists them";
  const std::string_view value = has_value ? argument.substr(equals + 1) : std::string_view();
  if (has_value && value.empty()) return "";
  options->given.emplace(name);
  return SetField(*row, has_value, value, options);
}

std::string CheckOfMode(const Options& options) {
  const unsigned mode = ModeOf(options.mode);
  if (mode == 0) return "--mode is one of " + NamesOf(kAll) + ", not " + options.mode;
  for (const std::string& name : options.given) {
    if ((RowOf(name)->modes & mode) == 0) {
      return "--" + name + " is of --mode=" + NamesOf(RowOf(name)->modes) + ", not of " + options.mode;
    }
  }
  if (options.port == 0) return "--port is missing: the broker's, on this machine";
  if ((mode & kOfATopic) != 0 && options.topic.empty()) return "--topic is missing: one that exists";
  if ((mode & kByRate) != 0 && options.rate == 0) return "--rate is missing: messages per second";
  if (mode == kMixed && options.backlog_topic.empty()) return "--backlog_topic is missing: one with many records";
  return "";
}

std::string CheckTogether(const Options& options) {
  if (options.acks == 0) return "--acks is 1 or -1: with 0 there is no answer that could be counted";
  if (options.Given("seconds") && options.requests > 0) return "--requests is instead of --seconds: give one of them";
  if (options.passes > 0 && (options.Given("seconds") || options.requests > 0)) {
    return "--passes is instead of --seconds and --requests: give one of them";
  }
  if (options.passes > 0 && options.connections > options.partitions) {
    return "--connections is at most --partitions (" + std::to_string(options.partitions) + ") with --passes, not " +
           std::to_string(options.connections);
  }
  if (options.Is(kByRate) && options.record_bytes < kLeastTimedBytes) {
    return "--record_bytes is at least 16 where a message carries its due time, not " +
           std::to_string(options.record_bytes);
  }
  for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    if (options.codec == codec) return "";
  }
  return "--codec is none, gzip, snappy, lz4 or zstd, not " + options.codec;
}

std::string CheckSizes(const Options& options, int64_t most_descriptors) {
  // What a broker takes as one request at most, and an int32 of the format holds many times over.
  constexpr int64_t kMostBatchBytes = 100 << 20;
  constexpr int64_t kLeastRecordBytes = 8;
  if (options.records * (options.record_bytes + kLeastRecordBytes) > kMostBatchBytes) {
    return "--records times --record_bytes is at most 100 MiB, not " +
           std::to_string(options.records * options.record_bytes);
  }
  const bool by_rate = options.Is(kByRate);
  const int64_t wanted = by_rate ? options.producers + options.consumers : options.connections;
  if (wanted + kSpareDescriptors > most_descriptors) {
    return std::string(by_rate ? "--producers and --consumers are" : "--connections is") + " at most " +
           std::to_string(most_descriptors - kSpareDescriptors) + " here (ulimit -n), not " + std::to_string(wanted);
  }
  return "";
}

}  // namespace

bool Options::Is(unsigned modes) const {
  return (ModeOf(mode) & modes) != 0;
}

std::string ReadOptions(const std::vector<std::string_view>& arguments, int64_t most_descriptors, Options* options) {
  for (const std::string_view argument : arguments) {
    if (std::string wrong = ReadOne(argument, options); !wrong.empty()) return wrong;
  }
  if (std::string wrong = CheckOfMode(*options); !wrong.empty()) return wrong;
  if (std::string wrong = CheckTogether(*options); !wrong.empty()) return wrong;
  if (options->label.empty()) options->label = options->mode;
  return CheckSizes(*options, most_descriptors);
}

std::string OptionsHelp() {
  std::string help;
  for (const Row& row : kRows) {
    char line[200];
    snprintf(line, sizeof line, "  --%-14s %s\n", row.name, row.help);
    help += line;
  }
  return help;
}

}  // namespace kb::load

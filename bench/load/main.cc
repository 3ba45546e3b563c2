// load: makes load over plain sockets from one thread, and reads what the broker's process used meanwhile. What it
// takes and what it prints is in README.md.
//
//   load --port=P --pid=B --mode=produce --topic=t --partitions=4 --connections=32 --record_bytes=100 --seconds=5
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "load/modes.h"
#include "load/options.h"
#include "load/svg.h"

namespace kb::load {
namespace {

constexpr int kAnsweredErrors = 1, kRefused = 2;

int Refuse(const std::string& why) {
  fprintf(stderr, "load: %s\n", why.c_str());
  return kRefused;
}

// As many as this process may have at all.
int64_t RaiseDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
}

struct Topics {
  Topic topic, backlog;
};

std::string AskTopics(const Options& options, Topics* topics) {
  const auto port = static_cast<uint16_t>(options.port);
  const bool check = !options.no_check;
  if (options.Is(kIdle | kStorm)) return "";
  if (options.no_check && options.Is(kProduce | kPartitions)) return "";  // where it ends is of no interest
  if (std::string wrong = AskTopic(port, "topic", options.topic, options.partitions, check, &topics->topic);
      !wrong.empty()) {
    return wrong;
  }
  if (options.Is(kFetch) && topics->topic.begin == topics->topic.end) {
    return "--topic is one with records: " + options.topic + " has none to fetch";
  }
  if (!options.Is(kMixed)) return "";
  std::string wrong = AskTopic(port, "backlog_topic", options.backlog_topic, 0, check, &topics->backlog);
  if (!wrong.empty()) return wrong;
  if (topics->backlog.begin != topics->backlog.end) return "";
  return "--backlog_topic is one with records: " + options.backlog_topic + " has none";
}

Outcome Run(const Options& options, const Topics& topics, Errors* errors) {
  if (options.Is(kFetch)) return RunFetch(options, topics.topic, errors);
  if (options.Is(kLatency)) return RunLatency(options, topics.topic, errors);
  if (options.Is(kMixed)) return RunMixed(options, topics.topic, topics.backlog, errors);
  if (options.Is(kIdle)) return RunIdle(options, errors);
  if (options.Is(kStorm)) return RunStorm(options, errors);
  return RunProduce(options, topics.topic, errors);
}

std::optional<std::string> Contents(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Read before the run: what cannot be drawn is better known at once.
std::string ReadOther(const Options& options, std::vector<Curve>* others) {
  if (options.svg_compare.empty()) return "";
  if (options.svg.empty()) return "--svg_compare is drawn into --svg: give both";
  const std::optional<std::string> json = Contents(options.svg_compare);
  if (!json.has_value()) return "--svg_compare: cannot read " + options.svg_compare;
  std::string wrong = ReadCurve(*json, &others->emplace_back());
  return wrong.empty() ? "" : "--svg_compare: " + options.svg_compare + " " + wrong;
}

bool Draw(const Options& options, const Outcome& outcome, const std::vector<Curve>& others) {
  std::vector<Curve> curves{{.label = options.label, .points = {}}};
  for (const auto& [above, ns] : outcome.latencies.Tail())
    curves[0].points.emplace_back(above, static_cast<double>(ns) / 1e3);
  curves.insert(curves.end(), others.begin(), others.end());
  std::ofstream file(options.svg, std::ios::binary | std::ios::trunc);
  file << DrawLatencies(curves);
  file.close();
  return !file.fail();
}

void Print(const Options& options, const Outcome& outcome, const Errors& errors) {
  Report report;
  report.Text("mode", options.mode);
  report.Text("label", options.label);
  report.Append(errors.Show());
  report.Append(outcome.report);
  const std::string text = options.json ? report.Json() + "\n" : report.Table();
  fputs(text.c_str(), stdout);
  fflush(stdout);
}

int Main(const std::vector<std::string_view>& arguments) {
  if (arguments.size() == 1 && arguments[0] == "--help") {
    fputs(("load --port=P [--pid=B] --mode=M …\n" + OptionsHelp()).c_str(), stdout);
    return 0;
  }
  Options options;
  if (const std::string wrong = ReadOptions(arguments, RaiseDescriptors(), &options); !wrong.empty())
    return Refuse(wrong);
  std::vector<Curve> others;
  if (const std::string wrong = ReadOther(options, &others); !wrong.empty()) return Refuse(wrong);
  Topics topics;
  if (const std::string wrong = AskTopics(options, &topics); !wrong.empty()) return Refuse(wrong);

  Errors errors(options.most_errors);
  const Outcome outcome = Run(options, topics, &errors);
  Print(options, outcome, errors);
  if (!options.svg.empty() && !Draw(options, outcome, others)) return Refuse("--svg: cannot write " + options.svg);
  if (errors.total() == 0) return 0;
  fprintf(stderr, "load: %lld answers were errors: %s\n", static_cast<long long>(errors.total()),
          errors.Show().Json().c_str());
  return kAnsweredErrors;
}

}  // namespace
}  // namespace kb::load

int main(int argc, char** argv) {
  return kb::load::Main({argv + 1, argv + argc});
}

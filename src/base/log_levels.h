// LogLevels: which of the operator's lines are written, module by module, changeable while the process runs. A sink in
// front of another one for each module, and one for all, `root`, whose level counts where a module has none of its own.
//
//   LogLevels levels(glog, {"broker", "net"});
//   PartitionTable table(levels.Of("broker"));
//   levels.Set("net", LogLevel::kError);
//
// Thread-safe: a level is one atomic, read with relaxed order for each line (a change may be late by a line).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_sink.h"

namespace kb {

// As Apache Kafka names them. There are no lines below INFO yet: TRACE and DEBUG let pass what INFO does.
enum class LogLevel : int8_t { kTrace, kDebug, kInfo, kWarn, kError, kFatal };
std::string_view LogLevelName(LogLevel level);
std::optional<LogLevel> LogLevelNamed(std::string_view name);  // capitals only

class LogLevels {
 public:
  static constexpr std::string_view kRoot = "root";

  // below outlives this. modules: none is `root`.
  LogLevels(LogSink& below, const std::vector<std::string>& modules, LogLevel root = LogLevel::kInfo);
  ~LogLevels();

  // The sink of a module; of an unknown one, and of "root", that of all. As long as this lives.
  LogSink& Of(std::string_view module);

  // By name, each with the level that counts.
  std::map<std::string, LogLevel> All() const;
  bool Has(std::string_view name) const;
  // Does nothing for an unknown name.
  void Set(std::string_view name, LogLevel level);
  // The module follows `root` again. Not for root itself.
  void Unset(std::string_view name);

 private:
  class Gate;
  Gate* Find(std::string_view name) const;

  std::unique_ptr<Gate> root_;
  std::map<std::string, std::unique_ptr<Gate>, std::less<>> modules_;
};

}  // namespace kb

// LogSink: where lines for the operator go. A parameter, so that nothing below `server` knows glog and tests can read
// what was said. No line per request; what a peer can provoke goes through RateLimitedLog.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace kb {

enum class Severity { kInfo, kWarning, kError };

// Thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(Severity severity, std::string_view line) = 0;
  void Info(std::string_view line) { Write(Severity::kInfo, line); }
  void Warning(std::string_view line) { Write(Severity::kWarning, line); }
  void Error(std::string_view line) { Write(Severity::kError, line); }
};

// Drops everything.
LogSink& NullLogSink();

// At most `burst` lines per key and interval; the first line after a silence says how many were left out. Keys are few
// and fixed (a reason, or a reason and an address); beyond kMostKeys all further ones share one key. Reactor-affine.
class RateLimitedLog {
 public:
  static constexpr size_t kMostKeys = 1024;
  RateLimitedLog(LogSink& sink, const Clock& clock, int burst = 5, int64_t interval_ms = 60'000)
      : sink_(sink), clock_(clock), burst_(burst), interval_ms_(interval_ms) {}

  void Write(Severity severity, std::string_view key, std::string_view line);

 private:
  struct Window {
    int64_t start_ms = 0;
    int written = 0;
    int64_t left_out = 0;
  };
  LogSink& sink_;
  const Clock& clock_;
  const int burst_;
  const int64_t interval_ms_;
  std::unordered_map<std::string, Window> windows_;
};

}  // namespace kb

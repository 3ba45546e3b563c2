#include "base/log_levels.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace kb {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
constexpr int8_t kNone = -1;  // as a module's level: that of all

LogLevel LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return LogLevel::kInfo;
    case Severity::kWarning:
      return LogLevel::kWarn;
    case Severity::kError:
      return LogLevel::kError;
  }
  return LogLevel::kError;
}

}  // namespace

std::string_view LogLevelName(LogLevel level) {
  return kNames[static_cast<size_t>(level)];
}

std::optional<LogLevel> LogLevelNamed(std::string_view name) {
  auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kNames.begin());
}

class LogLevels::Gate final : public LogSink {
 public:
  // root: null for the gate of all, which has a level.
  Gate(LogSink& below, const Gate* root, int8_t level) : below_(below), root_(root), level_(level) {}

  void Write(Severity severity, std::string_view line) override {
    if (LevelOf(severity) >= level()) below_.Write(severity, line);
  }
  LogLevel level() const {
    const int8_t own = level_.load(std::memory_order_relaxed);
    return own == kNone ? root_->level() : static_cast<LogLevel>(own);
  }
  void set(int8_t level) { level_.store(level, std::memory_order_relaxed); }

 private:
  LogSink& below_;
  const Gate* const root_;
  std::atomic<int8_t> level_;
};

LogLevels::LogLevels(LogSink& below, const std::vector<std::string>& modules, LogLevel root)
    : root_(std::make_unique<Gate>(below, nullptr, static_cast<int8_t>(root))) {
  for (const std::string& name : modules) {
    KB_CHECK(name != kRoot);
    modules_.emplace(name, std::make_unique<Gate>(below, root_.get(), kNone));
  }
}

LogLevels::~LogLevels() = default;

LogLevels::Gate* LogLevels::Find(std::string_view name) const {
  if (name == kRoot) return root_.get();
  auto found = modules_.find(name);
  return found == modules_.end() ? nullptr : found->second.get();
}

LogSink& LogLevels::Of(std::string_view module) {
  Gate* gate = Find(module);
  return gate == nullptr ? *root_ : *gate;
}

std::map<std::string, LogLevel> LogLevels::All() const {
  std::map<std::string, LogLevel> all{{std::string(kRoot), root_->level()}};
  for (const auto& [name, gate] : modules_) all[name] = gate->level();
  return all;
}

bool LogLevels::Has(std::string_view name) const {
  return Find(name) != nullptr;
}

void LogLevels::Set(std::string_view name, LogLevel level) {
  if (Gate* gate = Find(name)) gate->set(static_cast<int8_t>(level));
}

void LogLevels::Unset(std::string_view name) {
  Gate* gate = Find(name);
  if (gate != nullptr && gate != root_.get()) gate->set(kNone);
}

}  // namespace kb

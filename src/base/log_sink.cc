#include "base/log_sink.h"

namespace kb {
namespace {

class DroppingSink final : public LogSink {
 public:
  void Write(Severity, std::string_view) override {}
};

}  // namespace

LogSink& NullLogSink() {
  static DroppingSink sink;
  return sink;
}

void RateLimitedLog::Write(Severity severity, std::string_view key, std::string_view line) {
  auto found = windows_.find(std::string(key));
  if (found == windows_.end()) {
    std::string name(windows_.size() < kMostKeys ? key : std::string_view());
    found = windows_.try_emplace(std::move(name)).first;
  }
  Window& window = found->second;
  int64_t now_ms = clock_.MonotonicNs() / kNsPerMs;
  if (window.written == 0 || now_ms - window.start_ms >= interval_ms_) {
    if (window.left_out > 0) {
      sink_.Write(severity, "(" + std::to_string(window.left_out) + " more lines like the next were left out)");
    }
    window = Window{now_ms, 0, 0};
  }
  if (window.written >= burst_) {
    ++window.left_out;
    return;
  }
  ++window.written;
  sink_.Write(severity, line);
}

}  // namespace kb

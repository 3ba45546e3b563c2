// GlogSink: the operator's lines through glog, on stderr. The only place that knows glog beside main. Thread-safe.
#pragma once

#include "base/log_sink.h"

namespace kb::server {

class GlogSink final : public LogSink {
 public:
  void Write(Severity severity, std::string_view line) override;
};

// Once, before the first line.
void InitLogging(const char* program);

}  // namespace kb::server

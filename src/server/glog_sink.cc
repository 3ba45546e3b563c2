#include "server/glog_sink.h"

#include <gflags/gflags.h>
#include <glog/logging.h>

namespace kb::server {

void GlogSink::Write(Severity severity, std::string_view line) {
  switch (severity) {
    case Severity::kInfo:
      LOG(INFO) << line;
      break;
    case Severity::kWarning:
      LOG(WARNING) << line;
      break;
    case Severity::kError:
      LOG(ERROR) << line;
      break;
  }
}

void InitLogging(const char* program) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(program);
}

}  // namespace kb::server

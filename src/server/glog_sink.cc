#include "server/glog_sink.h"

// Debian's library has it, its header asks for this.
#define GLOG_CUSTOM_PREFIX_SUPPORT
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <iomanip>
#include <ostream>

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

namespace {

// glog's own, without file and line: every line comes from the sink above.
void WritePrefix(std::ostream& out, const google::LogMessageInfo& line, void*) {
  const google::LogMessageTime& time = line.time;
  auto padded = [&out](int width, int number) -> std::ostream& { return out << std::setw(width) << number; };
  out << line.severity[0] << std::setfill('0');
  padded(4, 1900 + time.year());
  padded(2, 1 + time.month());
  padded(2, time.day()) << ' ';
  padded(2, time.hour()) << ':';
  padded(2, time.min()) << ':';
  padded(2, time.sec()) << '.';
  padded(6, time.usec()) << std::setfill(' ') << ' ' << line.thread_id << ']';
}

}  // namespace

void InitLogging(const char* program) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(program, &WritePrefix);
}

}  // namespace kb::server

// What a verification has come to so far. One thread.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kb::inspect {

class VerifyReport {
 public:
  VerifyReport(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  // A finding. where: "" or "offset 7" or "position 120".
  void Find(std::string_view path, std::string_view where, std::string_view what) {
    ++findings_;
    out_ << path << ": " << where << (where.empty() ? "" : ": ") << what << "\n";
  }
  // A finding, when the file was there and is not what it must be; else it could not be read. The messages name the file.
  void FindOrFail(const Error& error) {
    if (error.kind == ErrorKind::kCorrupt || error.kind == ErrorKind::kForeign || error.kind == ErrorKind::kInvalid) {
      ++findings_;
      out_ << error.message << "\n";
    } else {
      Fail(error.message);
    }
  }
  void Fail(std::string_view what) {
    is_readable_ = false;
    err_ << "kafka-broker verify: " << what << "\n";
  }

  uint64_t findings() const { return findings_; }
  bool is_readable() const { return is_readable_; }

  // For the summary.
  uint64_t partitions = 0, segments = 0, batches = 0, records = 0, bytes = 0, index_entries = 0, foreign = 0;

 private:
  std::ostream& out_;
  std::ostream& err_;
  uint64_t findings_ = 0;
  bool is_readable_ = true;
};

}  // namespace kb::inspect

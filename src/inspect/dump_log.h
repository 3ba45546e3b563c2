// dump-log: the files of a partition as text, line for line what Apache Kafka 4.3.1's kafka-dump-log.sh prints.
//
//   .log .checkpoint    batches, and with a deep look records
//   .index .timeindex   entries, held against the segment beside them
//   .txnindex .snapshot entries, producers
//
// What is wrong with a file goes to `err`, as there. Where Apache Kafka stops with a stack trace we print one line and go
// on with the next file (exit code 1, or 74 when the file could not be read). Reads only. Blocks; one thread.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inspect/decoders.h"
#include "io/file_system.h"

namespace kb::inspect {

extern const char kDumpLogUsage[];

struct DumpOptions {
  std::vector<std::string> files;
  bool help = false;
  bool print_data = false;
  bool deep = false;
  bool skip_record_metadata = false;
  bool index_sanity_check = false;
  bool verify_index_only = false;
  Decoder decoder = Decoder::kText;
  uint64_t max_bytes = INT32_MAX;  // of each .log; the default means all
  std::string working_directory;   // what relative paths begin at, for the messages that name them in full
};

// arguments: what follows "dump-log". kInvalid says what is wrong with them.
Result<DumpOptions> ParseDumpArguments(std::span<const std::string_view> arguments);

// The exit code: 0; 1: a file made no sense; 74: one could not be read.
int DumpLog(io::FileSystem& files, const DumpOptions& options, std::ostream& out, std::ostream& err);

}  // namespace kb::inspect

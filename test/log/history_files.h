// Whether the files of a replica directory agree with each other, read without the log: every byte of a segment belongs
// to a batch, every index entry names one and tells the truth, snapshots say what the batches before them say, and
// nothing half done lies about.
#pragma once

#include <map>
#include <string>

#include "log/log_config.h"

namespace kb::log {

class HistoryModel;

// contents: all files by path. active_base: of the last segment, whose indexes may still be in memory. The complaint,
// or "".
std::string JudgeFiles(const std::map<std::string, std::string>& contents, const LogConfig& config, bool is_compacted,
                       const HistoryModel& model);

}  // namespace kb::log

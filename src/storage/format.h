// format: makes the directories of a configuration a new node's.
//
// Everything that can be refused is refused before a byte is written. Blocks; nothing else runs.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "config/server_config.h"
#include "controller/data_dirs.h"
#include "io/file_system.h"
#include "storage/arguments.h"

namespace kb::storage {

inline constexpr std::string_view kClusterId = "cluster-id";
inline constexpr std::string_view kAddScram = "add-scram";
inline constexpr std::string_view kIgnoreFormatted = "ignore-formatted";
inline constexpr std::string_view kReleaseVersion = "release-version";
inline constexpr std::string_view kFeature = "feature";
inline constexpr std::string_view kStandalone = "standalone";
inline constexpr std::string_view kNoInitialControllers = "no-initial-controllers";
inline constexpr std::string_view kInitialControllers = "initial-controllers";

// What the arguments and the configuration ask for.
struct FormatPlan {
  controller::FormatOptions options;
  int16_t metadata_version = 0;
  std::string bootstrap_text;  // the records, as a person reads them
  std::string left_out;        // "share.version=1, …": what Apache Kafka would finalize, and is not served here
};
// kInvalid or kUnsupported: what is wrong, in one line.
Result<FormatPlan> PlanFormat(const config::ServerConfig& config, const Given& given, Random& random);

// Prints what kafka-storage.sh prints; formats the directories that are not yet.
Status Format(io::FileSystem& files, FormatPlan plan, bool ignore_formatted, Random& random, int64_t now_ms,
              std::ostream& out);

}  // namespace kb::storage

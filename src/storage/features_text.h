// What releases and features are called, and what needs what, as kafka-storage.sh tells it. Pure functions.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "metadata/features.h"

namespace kb::storage {

// The first metadata.version that Apache Kafka 4.3.1 knows and nobody is to use yet.
inline constexpr int16_t kUnstableMetadataVersion = metadata::kLatestMetadataVersion + 1;

// "4.3-IV0"; "" for none.
std::string_view ReleaseName(int16_t metadata_version);
// "4.3-IV0", or the latest of "4.3", "4.3.1". most: up to which; kUnstableMetadataVersion or kLatestMetadataVersion.
Result<int16_t> ParseRelease(std::string_view text, int16_t most);
// "group.version=1".
Result<std::pair<std::string, int16_t>> ParseFeature(std::string_view text);

Status PrintVersionMapping(std::string_view release, std::ostream& out);
// Prints as far as it gets.
Status PrintDependencies(std::span<const std::string> features, std::ostream& out);

}  // namespace kb::storage

// meta.properties: which cluster, node and directory a data directory belongs to. A Java properties file:
//
//   version=1                                  0 in directories of long ago, with broker.id for node.id
//   cluster.id=AAAAAAAAQACAAAAAAAAAAQ
//   node.id=1
//   directory.id=MfFX5J7yoz74QBR9lo5eWw        padded base64 is accepted too; absent before Apache Kafka 3.7
//
// Plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/ids.h"

namespace kb::controller {

inline constexpr std::string_view kMetaPropertiesName = "meta.properties";

struct MetaProperties {
  int version = 1;
  std::string cluster_id;  // "" when version 0 did not say
  BrokerId node_id{kNoBroker};
  std::optional<Uuid> directory_id;
};

// path: of the file, for messages. kCorrupt: not readable as such a file; kForeign: of a version that we do not know.
Result<MetaProperties> ParseMetaProperties(std::string_view text, const std::string& path);
std::string MetaPropertiesText(const MetaProperties& properties);

}  // namespace kb::controller

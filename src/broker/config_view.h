// ConfigView: what configuration says, given a metadata image: server.properties below, the image's dynamic values on
// top. Immutable (the image brings what changes), any thread.
#pragma once

#include <string_view>

#include "config/describe.h"
#include "config/server_config.h"
#include "config/topic_config.h"
#include "metadata/image.h"
#include "net/acceptor.h"
#include "partition/cleaning.h"
#include "partition/partition.h"

namespace kb::broker {

class ConfigView {
 public:
  // config outlives this.
  explicit ConfigView(const config::ServerConfig& config)
      : config_(config), node_name_(std::to_string(config.node_id)) {}

  const config::ServerConfig& server() const { return config_; }
  const std::string& node_name() const { return node_name_; }  // the node id, as resources of type broker are named

  // Where this broker's keys are looked up. Valid as long as the image.
  config::Layers LayersOf(const metadata::MetadataImage& image) const;
  partition::PartitionConfig PartitionConfigOf(const metadata::MetadataImage& image, std::string_view topic) const;
  partition::CleaningSettings CleaningSettingsOf(const metadata::MetadataImage& image) const;
  net::AcceptorOptions ConnectionLimitsOf(const metadata::MetadataImage& image) const;
  std::vector<std::string> CordonedLogDirsOf(const metadata::MetadataImage& image) const;
  int64_t FileDeleteDelayMsOf(const metadata::MetadataImage& image) const;  // log.segment.delete.delay.ms

 private:
  const config::ServerConfig& config_;
  const std::string node_name_;
};

}  // namespace kb::broker

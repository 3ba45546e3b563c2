// ConfigView: what configuration says about a topic's partitions, given the metadata image.
#pragma once
#include "metadata/image.h"
#include "partition/partition.h"
namespace kb::broker {
class ConfigView {
 public:
  virtual ~ConfigView() = default;
  virtual partition::PartitionConfig PartitionConfigOf(const metadata::MetadataImage& image, std::string_view topic) const = 0;
};
}  // namespace kb::broker

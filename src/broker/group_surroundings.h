// GroupSurroundings: what the group machines ask about the world outside, answered from the metadata image of the
// reactor that asks and from configuration.
//
// Reactor-affine in its answers, not in itself: one serves all reactors, each of which sees its own current image.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/config_view.h"
#include "broker/shard.h"
#include "group/surroundings.h"

namespace kb::broker {

class GroupSurroundings : public group::Surroundings {
 public:
  // cluster outlives this; its images are there before anybody asks.
  explicit GroupSurroundings(const Cluster& cluster) : cluster_(cluster) {}

  std::optional<group::TopicShape> TopicByName(std::string_view name) const override;
  std::optional<group::TopicShape> TopicById(const Uuid& id) const override;
  std::vector<std::string> RacksOf(const Uuid& topic_id, int32_t partition) const override;
  void ForEachTopicName(const std::function<void(std::string_view)>& call) const override;
  int64_t metadata_version() const override { return image().provenance().last_offset.value(); }
  // A group's own values are brought into what the broker allows.
  group::ConsumerGroupSettings SettingsOf(std::string_view group_id) const override;

 private:
  const metadata::MetadataImage& image() const { return cluster_.images->Get(); }
  int32_t AssignmentIntervalMs() const;
  const Cluster& cluster_;
};

}  // namespace kb::broker

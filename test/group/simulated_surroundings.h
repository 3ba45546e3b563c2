// SimulatedSurroundings: a world of topics that tests make, grow and delete, and the settings of consumer groups.
//
// It only answers; whoever changes it tells the shards (TopicsChanged), as the runtime does.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "group/surroundings.h"

namespace kb::group {

class SimulatedSurroundings : public Surroundings {
 public:
  // A topic of a name has another id each time it is made.
  void Create(const std::string& name, int32_t partitions) {
    if (topics_.contains(name)) ids_.erase(IdOf(name));
    topics_[name] = {.shape = {Uuid(0x746f706963, ++last_id_), name, partitions}, .racks = {}};
    ids_[IdOf(name)] = name;
    ++version_;
  }
  void Grow(const std::string& name, int32_t partitions) {
    topics_.at(name).shape.partitions = partitions;
    ++version_;
  }
  void Delete(const std::string& name) {
    if (topics_.contains(name)) ids_.erase(IdOf(name));
    topics_.erase(name);
    ++version_;
  }
  void SetRacks(const std::string& name, std::map<int32_t, std::vector<std::string>> racks) {
    topics_.at(name).racks = std::move(racks);
    ++version_;
  }
  Uuid IdOf(const std::string& name) const { return topics_.at(name).shape.id; }
  std::vector<TopicShape> topics() const {
    std::vector<TopicShape> shapes;
    for (const auto& [name, topic] : topics_) shapes.push_back(topic.shape);
    return shapes;
  }

  std::optional<TopicShape> TopicByName(std::string_view name) const override {
    auto found = topics_.find(name);
    return found == topics_.end() ? std::nullopt : std::optional(found->second.shape);
  }
  std::optional<TopicShape> TopicById(const Uuid& id) const override {
    auto found = ids_.find(id);
    return found == ids_.end() ? std::nullopt : TopicByName(found->second);
  }
  std::vector<std::string> RacksOf(const Uuid& topic_id, int32_t partition) const override {
    std::optional<TopicShape> shape = TopicById(topic_id);
    if (!shape.has_value()) return {};
    const auto& racks = topics_.find(shape->name)->second.racks;
    auto found = racks.find(partition);
    return found == racks.end() ? std::vector<std::string>() : found->second;
  }
  void ForEachTopicName(const std::function<void(std::string_view)>& call) const override {
    for (const auto& [name, topic] : topics_) call(name);
  }
  int64_t metadata_version() const override { return version_; }
  ConsumerGroupSettings SettingsOf(std::string_view group_id) const override {
    auto found = settings_of.find(group_id);
    return found == settings_of.end() ? settings : found->second;
  }

  ConsumerGroupSettings settings;                                         // of every group …
  std::map<std::string, ConsumerGroupSettings, std::less<>> settings_of;  // … that has none of its own

 private:
  struct Topic {
    TopicShape shape;
    std::map<int32_t, std::vector<std::string>> racks;
  };
  std::map<std::string, Topic, std::less<>> topics_;
  std::map<Uuid, std::string> ids_;
  uint64_t last_id_ = 0;
  int64_t version_ = 1;
};

}  // namespace kb::group

#include "metadata/image.h"

#include "metadata/topic_name.h"

namespace kb::metadata {

const Endpoint* BrokerRegistration::FindEndpoint(std::string_view listener) const {
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.name == listener) return &endpoint;
  }
  return nullptr;
}

const Topic* MetadataImage::FindTopic(const Uuid& id) const {
  const std::shared_ptr<Topic>* topic = topics_by_id_.Find(id);
  return topic == nullptr ? nullptr : topic->get();
}

const Topic* MetadataImage::FindTopic(std::string_view name) const {
  const Uuid* id = topic_ids_.Find(name);
  return id == nullptr ? nullptr : FindTopic(*id);
}

const Partition* MetadataImage::FindPartition(const PartitionId& id) const {
  const Topic* topic = FindTopic(id.topic_id);
  return topic == nullptr ? nullptr : topic->FindPartition(id.partition);
}

std::string_view MetadataImage::FindCollidingTopic(std::string_view name) const {
  const std::vector<std::string>* names = collisions_.Find(std::string_view(CollisionKey(name)));
  if (names == nullptr) return "";
  for (const std::string& other : *names) {
    if (other != name) return other;
  }
  return "";
}

const ConfigValues& MetadataImage::ConfigsOf(ConfigResourceType type, std::string_view name) const {
  static const ConfigValues kNone;
  const std::shared_ptr<const ConfigValues>* values = configs_.Find(ConfigResource{type, std::string(name)});
  return values == nullptr ? kNone : **values;
}

int16_t MetadataImage::FeatureLevel(std::string_view name) const {
  auto feature = features_->find(name);
  return feature == features_->end() ? int16_t{0} : feature->second;
}

const BrokerRegistration* MetadataImage::FindBroker(BrokerId id) const {
  auto broker = brokers_->find(id);
  return broker == brokers_->end() ? nullptr : &broker->second;
}

bool MetadataImage::IsUsable(BrokerId id) const {
  const BrokerRegistration* broker = FindBroker(id);
  return broker != nullptr && !broker->fenced && !broker->in_controlled_shutdown;
}

size_t MetadataImage::PiecesNotIn(const MetadataImage& other) const {
  size_t count = topics_by_id_.NodesNotIn(other.topics_by_id_) + topic_ids_.NodesNotIn(other.topic_ids_) +
                 collisions_.NodesNotIn(other.collisions_) + configs_.NodesNotIn(other.configs_) +
                 topic_names_.PagesNotIn(other.topic_names_);
  topics_by_id_.ForEach([&](const Uuid& id, const std::shared_ptr<Topic>& topic) {
    const Topic* twin = other.FindTopic(id);
    if (twin == topic.get()) return;
    static const Topic kNoTopic("", Uuid());
    count += 1 + topic->PagesNotIn(twin == nullptr ? kNoTopic : *twin);
  });
  return count;
}

}  // namespace kb::metadata

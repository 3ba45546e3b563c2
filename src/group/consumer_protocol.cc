#include "group/consumer_protocol.h"

#include <algorithm>

#include "base/arena.h"
#include "base/check.h"
#include "base/utf8.h"
#include "message/consumer_protocol_assignment.h"
#include "message/consumer_protocol_subscription.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

std::string Text(std::string_view text, Arena& arena) {
  std::string_view valid = ValidUtf8(text, arena);
  return std::string(valid.size() <= protocol::Reader::kMostString ? valid : text);
}

template <typename Message>
bool Read(std::string_view bytes, Arena& arena, Message& message) {
  protocol::Reader reader(AsBytes(bytes));
  int16_t version = -1;
  if (!protocol::ReadInt16Prefix(reader, version) || version < 0) return false;
  return Decode(reader, std::min(version, Message::kMaxVersion), arena, message);
}

template <typename Topics>
std::vector<TopicPartitionsByName> Owned(const Topics& topics, Arena& arena) {
  std::vector<TopicPartitionsByName> owned;
  owned.reserve(topics.size());
  for (const auto& topic : topics) {
    owned.push_back({Text(topic.topic, arena), {topic.partitions.begin(), topic.partitions.end()}});
  }
  return owned;
}

}  // namespace

std::optional<EmbeddedSubscription> ParseSubscription(std::string_view metadata) {
  Arena arena;
  message::ConsumerProtocolSubscription message;
  if (!Read(metadata, arena, message)) return std::nullopt;
  EmbeddedSubscription subscription;
  subscription.topics.reserve(message.topics.size());
  for (std::string_view topic : message.topics) subscription.topics.push_back(Text(topic, arena));
  std::sort(subscription.topics.begin(), subscription.topics.end());
  subscription.topics.erase(std::unique(subscription.topics.begin(), subscription.topics.end()),
                            subscription.topics.end());
  subscription.owned = Owned(message.owned_partitions, arena);
  if (!message.rack_id.value_or("").empty()) subscription.rack_id = Text(*message.rack_id, arena);
  return subscription;
}

std::optional<EmbeddedAssignment> ParseAssignment(std::string_view bytes) {
  if (bytes.empty()) return EmbeddedAssignment();
  Arena arena;
  message::ConsumerProtocolAssignment message;
  if (!Read(bytes, arena, message)) return std::nullopt;
  EmbeddedAssignment assignment;
  assignment.partitions = Owned(message.assigned_partitions, arena);
  assignment.has_user_data = message.user_data.has_value() && !message.user_data->empty();
  return assignment;
}

std::optional<int16_t> EmbeddedVersionOf(std::string_view metadata) {
  protocol::Reader reader(AsBytes(metadata));
  int16_t version = -1;
  if (!protocol::ReadInt16Prefix(reader, version) || version < 0) return std::nullopt;
  return std::min(version, message::ConsumerProtocolAssignment::kMaxVersion);
}

std::string EncodeAssignment(const std::vector<TopicPartitionsByName>& partitions, int16_t version) {
  Arena arena;
  message::ConsumerProtocolAssignment message;
  message.assigned_partitions.Reserve(arena, partitions.size());
  for (const TopicPartitionsByName& one : partitions) {
    auto& topic = message.assigned_partitions.Add(arena);
    topic.topic = one.topic;
    topic.partitions.Reserve(arena, one.partitions.size());
    for (int32_t partition : one.partitions) topic.partitions.Add(arena) = partition;
  }
  Result<ByteView> encoded = protocol::EncodeVersioned(arena, message, version);
  KB_CHECK(encoded.ok());  // names of topics that exist
  return std::string(AsText(*encoded));
}

}  // namespace kb::group

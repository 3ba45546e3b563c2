// Which names a topic may have (org.apache.kafka.common.internals.Topic). Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace kb::metadata {

inline constexpr size_t kMostTopicNameBytes = 249;
inline constexpr std::string_view kMetadataTopicName = "__cluster_metadata";
inline constexpr std::string_view kConsumerOffsetsTopicName = "__consumer_offsets";
inline constexpr std::string_view kTransactionStateTopicName = "__transaction_state";
inline constexpr std::string_view kShareGroupStateTopicName = "__share_group_state";

// "" when the name is allowed; else why not, for a person.
std::string InvalidTopicNameReason(std::string_view name);
inline bool IsValidTopicName(std::string_view name) { return InvalidTopicNameReason(name).empty(); }

// Clients must not write to these, nor do they want to see them.
bool IsInternalTopic(std::string_view name);

// The name with '.' read as '_', as it would appear in a metric's name.
std::string CollisionKey(std::string_view name);

}  // namespace kb::metadata

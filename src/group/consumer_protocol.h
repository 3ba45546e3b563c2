// The embedded protocol of consumers: what members of the type "consumer" say of themselves in JoinGroup, and are told
// in SyncGroup, as bytes that classic groups hand on unread. Groups that move between the protocols must read them.
//
//   metadata of a protocol   version: int16, ConsumerProtocolSubscription
//   assignment               version: int16, ConsumerProtocolAssignment
//
// Versions 0 to 3. A higher one reads as 3: fields are only ever added behind. Functions of values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kb::group {

struct TopicPartitionsByName {
  std::string topic;
  std::vector<int32_t> partitions;  // as they came
};

// Names are valid UTF-8 where that is possible within a string's bound.
struct EmbeddedSubscription {
  std::vector<std::string> topics;  // ascending, each once
  std::vector<TopicPartitionsByName> owned;
  std::optional<std::string> rack_id;  // never empty
};

struct EmbeddedAssignment {
  std::vector<TopicPartitionsByName> partitions;
  bool has_user_data = false;  // of an assignor that is not one of ours
};

// nullopt: malformed.
std::optional<EmbeddedSubscription> ParseSubscription(std::string_view metadata);
// No bytes are an assignment of nothing: that of a member that has not got one yet.
std::optional<EmbeddedAssignment> ParseAssignment(std::string_view bytes);
// Which version of the embedded protocol its author speaks, as far as we do; nullopt: malformed.
std::optional<int16_t> EmbeddedVersionOf(std::string_view metadata);
std::string EncodeAssignment(const std::vector<TopicPartitionsByName>& partitions, int16_t version);

}  // namespace kb::group

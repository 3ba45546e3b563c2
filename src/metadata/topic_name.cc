#include "metadata/topic_name.h"

#include <algorithm>

namespace kb::metadata {
namespace {

bool IsLegal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::string InvalidTopicNameReason(std::string_view name) {
  if (name.empty()) return "a topic's name must not be empty";
  if (name == "." || name == "..") return "a topic cannot be named '.' or '..'";
  if (name.size() > kMostTopicNameBytes) {
    return "the topic's name has " + std::to_string(name.size()) + " characters; at most " +
           std::to_string(kMostTopicNameBytes) + " are allowed";
  }
  auto illegal = std::find_if_not(name.begin(), name.end(), IsLegal);
  if (illegal == name.end()) return "";
  return "the topic's name has a character that is not one of a-z, A-Z, 0-9, '.', '_' and '-' at position " +
         std::to_string(illegal - name.begin());
}

bool IsInternalTopic(std::string_view name) {
  return name == kConsumerOffsetsTopicName || name == kTransactionStateTopicName || name == kShareGroupStateTopicName;
}

std::string CollisionKey(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '.', '_');
  return key;
}

}  // namespace kb::metadata

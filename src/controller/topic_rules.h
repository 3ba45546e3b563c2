// TopicRules: what the controller has to know about configuration. An interface, so that the decisions can be tested
// without a table of keys, and so that dynamic changes count at once: each call answers for now.
//
// Reactor-affine, as the controller that calls it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "message/create_topics_response.h"
#include "metadata/image.h"
#include "protocol/types.h"

namespace kb::controller {

class TopicRules {
 public:
  virtual ~TopicRules() = default;

  virtual int32_t num_partitions() const = 0;               // num.partitions
  virtual int16_t default_replication_factor() const = 0;   // default.replication.factor
  virtual bool delete_topic_enable() const = 0;             // delete.topic.enable

  // Whether a topic may have exactly these overrides: each key known, each value valid, and all of them together. The
  // error's message is for the client; its code is INVALID_CONFIG.
  virtual Status CheckTopicConfigs(const metadata::ConfigValues& overrides) const = 0;

  // Every key of a topic with these overrides, as CreateTopics v5+ answers it.
  virtual void DescribeTopicConfigs(
      const metadata::ConfigValues& overrides, Arena& arena,
      protocol::Array<message::CreateTopicsResponse::CreatableTopicConfigs>& out) const = 0;
};

}  // namespace kb::controller

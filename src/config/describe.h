// What a key is right now, and where that comes from. A value may be set in several places; the first of these counts:
//
//   a topic's, group's or client-metrics subscription's own    source 1, 8, 7
//   this broker's, at run time                                 source 2
//   all brokers', at run time                                  source 3
//   server.properties and --override                           source 4
//   the default                                                source 5
//
// A topic's key falls back to one or more broker keys (Row::synonyms: retention.ms to log.retention.ms, then
// log.retention.minutes, then log.retention.hours). What Apache Kafka says about the places is reproduced with its
// gaps: a value that comes from log.retention.hours is listed as a default. Pure functions over immutable values, any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/properties.h"
#include "config/rows.h"
#include "config/settings.h"

namespace kb::config {

// The places a broker key is looked up in. All outlive the Layers. A value in the dynamic places that is not allowed (a
// newer or older broker stored it) is passed over.
struct Layers {
  const Settings& settings;
  const ConfigMap& broker;   // dynamic, of this broker: resource (broker, "1")
  const ConfigMap& cluster;  // dynamic, of all brokers: resource (broker, "")
};

// Broker keys that say the same thing, the first that is set counts: log.retention.ms, .minutes, .hours. At least the
// key itself.
std::vector<std::string_view> FamilyOf(std::string_view key);

// What a key is, in a few words of our own; for DescribeConfigs with documentation.
std::string Documentation(const Row& row);

// Canonical; nullopt is null. key: of the table.
std::optional<std::string> BrokerValue(const Layers& layers, std::string_view key);
// row: of any scope but the broker's. own: what is set on the topic, group or subscription itself.
std::optional<std::string> ValueOf(const Row& row, const ConfigMap& own, const Layers& layers);

// The values are those of DescribeConfigsResponse.
enum class Source : int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefault = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

// What clients are told of a key that is in no table: one that somebody set, and may be secret.
inline constexpr int8_t kUnknownType = 0;

struct Described {
  struct Synonym {
    std::string key;
    std::optional<std::string> value;  // null for a password
    Source source = Source::kDefault;
  };
  std::string key;
  const Row* row = nullptr;  // null for a key that is in no table
  int8_t type = kUnknownType;
  bool sensitive = true;
  std::optional<std::string> value;  // null where it is sensitive
  Source source = Source::kDefault;
  bool read_only = false;
  std::vector<Synonym> synonyms;  // the first is where the value comes from, apart from the gaps named above
};

// All keys of a resource that clients may see, sorted by key; of a broker also those that are set and in no table.
std::vector<Described> DescribeBroker(const Layers& layers);
std::vector<Described> DescribeTopic(const ConfigMap& own, const Layers& layers);
std::vector<Described> DescribeGroup(const ConfigMap& own, const Layers& layers);
std::vector<Described> DescribeClientMetrics(const ConfigMap& own);
// Of the broker resource "": what is set for all brokers, and nothing else.
std::vector<Described> DescribeClusterDefaults(const ConfigMap& cluster);

}  // namespace kb::config

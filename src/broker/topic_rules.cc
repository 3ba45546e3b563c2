#include "broker/topic_rules.h"

#include "config/value.h"

namespace kb::broker {

int32_t ConfiguredTopicRules::num_partitions() const {
  std::optional<std::string> value = config::BrokerValue(Layers(), "num.partitions");
  return value ? static_cast<int32_t>(config::IntegerOf(*value)) : 1;
}

int16_t ConfiguredTopicRules::default_replication_factor() const {
  std::optional<std::string> value = config::BrokerValue(Layers(), "default.replication.factor");
  return value ? static_cast<int16_t>(config::IntegerOf(*value)) : int16_t{1};
}

Status ConfiguredTopicRules::CheckTopicConfigs(const metadata::ConfigValues& overrides) const {
  return config::CheckTopicConfig(overrides, Layers());
}

void ConfiguredTopicRules::DescribeTopicConfigs(
    const metadata::ConfigValues& overrides, Arena& arena,
    protocol::Array<message::CreateTopicsResponse::CreatableTopicConfigs>& out) const {
  for (const config::Described& described : config::DescribeTopic(overrides, Layers())) {
    auto& entry = out.Add(arena);
    entry.name = described.row->key;
    if (described.value) entry.value = arena.Copy(std::string_view(*described.value));
    entry.read_only = described.read_only;
    entry.config_source = static_cast<int8_t>(described.source);
    entry.is_sensitive = described.sensitive;
  }
}

}  // namespace kb::broker

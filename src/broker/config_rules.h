// ConfiguredConfigRules: what the controller asks about keys of configuration. Immutable, any thread.
#pragma once

#include "broker/config_view.h"
#include "controller/config_rules.h"

namespace kb::broker {

class ConfiguredConfigRules final : public controller::ConfigRules {
 public:
  // view outlives this.
  explicit ConfiguredConfigRules(const ConfigView& view) : view_(view) {}

  int32_t node_id() const override { return view_.server().node_id; }
  std::optional<std::string> ListDefault(metadata::ConfigResourceType type, std::string_view key) const override;
  controller::ConfigRefusal Check(const metadata::MetadataImage& image, const metadata::ConfigResource& resource,
                                  const metadata::ConfigValues& next) const override;

 private:
  const ConfigView& view_;
};

}  // namespace kb::broker

// ConfiguredTopicRules: what the controller asks configuration about topics. Lives with the controller on its reactor.
#pragma once

#include "broker/config_view.h"
#include "controller/controller.h"
#include "controller/topic_rules.h"

namespace kb::broker {

class ConfiguredTopicRules final : public controller::TopicRules {
 public:
  // view outlives this.
  explicit ConfiguredTopicRules(const ConfigView& view) : view_(view) {}
  // Whose working image has the dynamic values that count: what was decided a moment ago already does. Before the first
  // request.
  void set_controller(const controller::Controller* controller) { controller_ = controller; }

  int32_t num_partitions() const override;
  int16_t default_replication_factor() const override;
  bool delete_topic_enable() const override { return view_.server().delete_topic_enable; }
  Status CheckTopicConfigs(const metadata::ConfigValues& overrides) const override;
  void DescribeTopicConfigs(const metadata::ConfigValues& overrides, Arena& arena,
                            protocol::Array<message::CreateTopicsResponse::CreatableTopicConfigs>& out) const override;

 private:
  config::Layers Layers() const { return view_.LayersOf(controller_->working()); }

  const ConfigView& view_;
  const controller::Controller* controller_ = nullptr;
};

}  // namespace kb::broker

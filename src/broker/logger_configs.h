// Loggers as configuration: the resources of type BROKER_LOGGER, whose keys are the modules of the operator's log
// (base/log_levels.h) and whose values are levels. They are not kept: a restart forgets them, as in Apache Kafka.
#pragma once

#include <string_view>

#include "base/log_levels.h"
#include "controller/config_rules.h"
#include "message/incremental_alter_configs_request.h"

namespace kb::broker {

// The resource with this name at the node: itself, or why not.
controller::ConfigRefusal CheckLoggerResource(std::string_view name, int32_t node_id);

// All of the resource's changes, or none and why not. Only looks where `validate_only`.
controller::ConfigRefusal AlterLoggers(const message::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
                                       int32_t node_id, bool validate_only, LogLevels& levels);

}  // namespace kb::broker

// What becomes of a request to alter configurations: pure functions of an image and the request to the records that
// make it so and the response, error for error as Apache Kafka's broker and controller decide together (the texts are
// ours).
//
// A resource is altered wholly or not at all, and the others of the request without regard to it. Loggers are in no
// record: what can be said of them here is said (twice in a request, a key twice, a null value); the rest is for
// whoever owns the log, and their entries of the response say NONE until then. Responses are built in the arena and
// view into it and into the request. Call from the thread that owns the controller.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "controller/config_rules.h"
#include "message/alter_configs_request.h"
#include "message/alter_configs_response.h"
#include "message/incremental_alter_configs_request.h"
#include "message/incremental_alter_configs_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

// AlterConfigOp.OpType.
enum class ConfigOperation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

inline constexpr size_t kMostConfigRecords = 10'000;  // of one request; POLICY_VIOLATION above
// Groups, and likewise subscriptions of client metrics, that have values of their own: anybody can make up names of
// them. POLICY_VIOLATION for one more.
inline constexpr size_t kMostNamedResources = 10'000;
inline constexpr size_t kMostValueBytes = INT16_MAX;  // of one value; INVALID_CONFIG above

struct ConfigDecisionContext {
  const metadata::MetadataImage& image;
  const ConfigRules& rules;
  Arena& arena;
  bool at_controller = false;  // asked on a controller's listener, where Apache Kafka has other codes for some mistakes
};

// Takes all that was set for a resource away, and sets what the request has.
message::AlterConfigsResponse DecideAlterConfigs(const ConfigDecisionContext& context,
                                                 const message::AlterConfigsRequest& request,
                                                 metadata::RecordList& records);

message::IncrementalAlterConfigsResponse DecideIncrementalAlterConfigs(
    const ConfigDecisionContext& context, const message::IncrementalAlterConfigsRequest& request,
    metadata::RecordList& records);

// `error` in all results.
void RefuseAll(ErrorCode error, std::string_view message, message::AlterConfigsResponse& response);
void RefuseAll(ErrorCode error, std::string_view message, message::IncrementalAlterConfigsResponse& response);

}  // namespace kb::controller

// Between generated messages (views into a frame or an arena) and this room's owned requests and responses.
//
// FromMessage copies, and makes every string valid UTF-8, as Java would have read it: it comes back in answers and
// records. ToMessage makes a message of views: `response` and `arena` must outlive its encoding. A version decides
// which form fields take (one member or a list, one group or many); fields that a version lacks are left at their
// defaults by the encoder's rules. Stateless, any thread.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/arena.h"
#include "group/config.h"
#include "group/requests.h"
#include "group/responses.h"
#include "message/consumer_group_describe_request.h"
#include "message/consumer_group_describe_response.h"
#include "message/consumer_group_heartbeat_request.h"
#include "message/consumer_group_heartbeat_response.h"
#include "message/delete_groups_request.h"
#include "message/delete_groups_response.h"
#include "message/describe_groups_request.h"
#include "message/describe_groups_response.h"
#include "message/heartbeat_request.h"
#include "message/heartbeat_response.h"
#include "message/join_group_request.h"
#include "message/join_group_response.h"
#include "message/leave_group_request.h"
#include "message/leave_group_response.h"
#include "message/list_groups_request.h"
#include "message/list_groups_response.h"
#include "message/offset_commit_request.h"
#include "message/offset_commit_response.h"
#include "message/offset_delete_request.h"
#include "message/offset_delete_response.h"
#include "message/offset_fetch_request.h"
#include "message/offset_fetch_response.h"
#include "message/sync_group_request.h"
#include "message/sync_group_response.h"

namespace kb::group {

JoinGroupRequest FromMessage(const message::JoinGroupRequest& message, int16_t version, Caller caller);
SyncGroupRequest FromMessage(const message::SyncGroupRequest& message, int16_t version);
HeartbeatRequest FromMessage(const message::HeartbeatRequest& message, int16_t version);
LeaveGroupRequest FromMessage(const message::LeaveGroupRequest& message, int16_t version);
OffsetCommitRequest FromMessage(const message::OffsetCommitRequest& message, int16_t version);
// One request per group; v1–v7 name one.
std::vector<OffsetFetchRequest> FromMessage(const message::OffsetFetchRequest& message, int16_t version);
OffsetDeleteRequest FromMessage(const message::OffsetDeleteRequest& message, int16_t version);
ListGroupsRequest FromMessage(const message::ListGroupsRequest& message, int16_t version);
DescribeGroupsRequest FromMessage(const message::DescribeGroupsRequest& message, int16_t version);
// A group named twice is deleted, and answered, once.
DeleteGroupsRequest FromMessage(const message::DeleteGroupsRequest& message, int16_t version);
ConsumerGroupHeartbeatRequest FromMessage(const message::ConsumerGroupHeartbeatRequest& message, int16_t version,
                                          Caller caller);
ConsumerGroupDescribeRequest FromMessage(const message::ConsumerGroupDescribeRequest& message, int16_t version);

// What is wrong with a heartbeat whatever group it is for, as the answer that says so: INVALID_REQUEST, or
// UNSUPPORTED_ASSIGNOR. nullopt: a group may look at it.
std::optional<ConsumerGroupHeartbeatResponse> CheckHeartbeat(const message::ConsumerGroupHeartbeatRequest& message,
                                                             int16_t version, const GroupConfig& config);

message::JoinGroupResponse ToMessage(const JoinGroupResponse& response, int16_t version, Arena& arena);
message::SyncGroupResponse ToMessage(const SyncGroupResponse& response, int16_t version, Arena& arena);
message::HeartbeatResponse ToMessage(const HeartbeatResponse& response, int16_t version, Arena& arena);
message::LeaveGroupResponse ToMessage(const LeaveGroupResponse& response, int16_t version, Arena& arena);
message::OffsetCommitResponse ToMessage(const OffsetCommitResponse& response, int16_t version, Arena& arena);
// v1–v7 hold exactly one group. v1 has no place for an error of the group: its partitions carry it (see ErrorResponse).
message::OffsetFetchResponse ToMessage(std::span<const OffsetFetchResponse> groups, int16_t version, Arena& arena);
message::OffsetDeleteResponse ToMessage(const OffsetDeleteResponse& response, int16_t version, Arena& arena);
message::ListGroupsResponse ToMessage(const ListGroupsResponse& response, int16_t version, Arena& arena);
message::DescribeGroupsResponse ToMessage(const DescribeGroupsResponse& response, int16_t version, Arena& arena);
message::DeleteGroupsResponse ToMessage(const DeleteGroupsResponse& response, int16_t version, Arena& arena);
// Error messages name what the client sent, and are cut where they would be too long for a string of the wire.
message::ConsumerGroupHeartbeatResponse ToMessage(const ConsumerGroupHeartbeatResponse& response, int16_t version,
                                                  Arena& arena);
message::ConsumerGroupDescribeResponse ToMessage(const ConsumerGroupDescribeResponse& response, int16_t version,
                                                 Arena& arena);

// A message of views into a temporary would dangle.
message::JoinGroupResponse ToMessage(JoinGroupResponse&&, int16_t, Arena&) = delete;
message::SyncGroupResponse ToMessage(SyncGroupResponse&&, int16_t, Arena&) = delete;
message::LeaveGroupResponse ToMessage(LeaveGroupResponse&&, int16_t, Arena&) = delete;
message::OffsetCommitResponse ToMessage(OffsetCommitResponse&&, int16_t, Arena&) = delete;
message::OffsetDeleteResponse ToMessage(OffsetDeleteResponse&&, int16_t, Arena&) = delete;
message::ListGroupsResponse ToMessage(ListGroupsResponse&&, int16_t, Arena&) = delete;
message::DescribeGroupsResponse ToMessage(DescribeGroupsResponse&&, int16_t, Arena&) = delete;
message::DeleteGroupsResponse ToMessage(DeleteGroupsResponse&&, int16_t, Arena&) = delete;
message::ConsumerGroupHeartbeatResponse ToMessage(ConsumerGroupHeartbeatResponse&&, int16_t, Arena&) = delete;
message::ConsumerGroupDescribeResponse ToMessage(ConsumerGroupDescribeResponse&&, int16_t, Arena&) = delete;

}  // namespace kb::group

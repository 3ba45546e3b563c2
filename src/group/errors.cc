// What clients are told when a request could not be served, or its write failed.
#include "group/impl.h"

namespace kb::group {

ErrorCode ErrorOfFailedWrite(ErrorCode log_error) {
  switch (log_error) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
      return ErrorCode::kCoordinatorNotAvailable;
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kKafkaStorageError:
      return ErrorCode::kNotCoordinator;
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidFetchSize:
      return ErrorCode::kUnknownServerError;
    default:  // of the many codes, the others pass as they are
      return log_error;
  }
}

JoinGroupResponse ErrorResponse(const JoinGroupRequest& request, ErrorCode error) {
  return {.error = error, .member_id = request.member_id};
}

SyncGroupResponse ErrorResponse(const SyncGroupRequest&, ErrorCode error) {
  return {.error = error};
}

HeartbeatResponse ErrorResponse(const HeartbeatRequest&, ErrorCode error) {
  return {error};
}

LeaveGroupResponse ErrorResponse(const LeaveGroupRequest&, ErrorCode error) {
  return {.error = error};
}

OffsetCommitResponse ErrorResponse(const OffsetCommitRequest& request, ErrorCode error) {
  OffsetCommitResponse response;
  response.topics.reserve(request.topics.size());
  for (const OffsetCommitRequest::Topic& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    answered.partitions.reserve(topic.partitions.size());
    for (const auto& partition : topic.partitions) answered.partitions.push_back({partition.index, error});
  }
  return response;
}

OffsetFetchResponse ErrorResponse(const OffsetFetchRequest& request, ErrorCode error) {
  OffsetFetchResponse response;
  response.group_id = request.group_id;
  response.error = error;
  if (!request.topics.has_value()) return response;
  // For v1, which has no place for the error but these.
  for (const OffsetFetchRequest::Topic& topic : *request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    for (int32_t partition : topic.partitions) answered.partitions.push_back({.index = partition, .error = error});
  }
  return response;
}

OffsetDeleteResponse ErrorResponse(const OffsetDeleteRequest&, ErrorCode error) {
  return {.error = error};
}

DescribeGroupsResponse ErrorResponse(const DescribeGroupsRequest& request, ErrorCode error) {
  DescribeGroupsResponse response;
  for (const std::string& group_id : request.groups) {
    response.groups.push_back({.error = error, .group_id = group_id});
  }
  return response;
}

ConsumerGroupHeartbeatResponse ErrorResponse(const ConsumerGroupHeartbeatRequest&, ErrorCode error) {
  return {.error = error};
}

ConsumerGroupDescribeResponse ErrorResponse(const ConsumerGroupDescribeRequest& request, ErrorCode error) {
  ConsumerGroupDescribeResponse response;
  for (const std::string& group_id : request.groups) {
    auto& group = response.groups.emplace_back();
    group.group_id = group_id;
    group.error = error;
  }
  return response;
}

DeleteGroupsResponse ErrorResponse(const DeleteGroupsRequest& request, ErrorCode error) {
  DeleteGroupsResponse response;
  for (const std::string& group_id : request.groups) response.results.push_back({group_id, error});
  return response;
}

namespace {

struct SetError {
  ErrorCode error;
  Response operator()(JoinGroupResponse&) const { return JoinGroupResponse{.error = error}; }
  Response operator()(SyncGroupResponse&) const { return SyncGroupResponse{.error = error}; }
  Response operator()(HeartbeatResponse&) const { return HeartbeatResponse{error}; }
  Response operator()(LeaveGroupResponse&) const { return LeaveGroupResponse{.error = error}; }
  Response operator()(ConsumerGroupHeartbeatResponse&) const { return ConsumerGroupHeartbeatResponse{.error = error}; }
  Response operator()(OffsetDeleteResponse&) const { return OffsetDeleteResponse{.error = error}; }
  Response operator()(OffsetFetchResponse& response) const {
    response.error = error;
    return std::move(response);
  }
  Response operator()(OffsetCommitResponse& response) const {
    for (auto& topic : response.topics) {
      for (auto& partition : topic.partitions) partition.error = error;
    }
    return std::move(response);
  }
  Response operator()(DeleteGroupsResponse& response) const {
    for (auto& result : response.results) result.error = error;
    return std::move(response);
  }
};

}  // namespace

Response WithError(Response response, ErrorCode error) {
  return std::visit(SetError{error}, response);
}

}  // namespace kb::group

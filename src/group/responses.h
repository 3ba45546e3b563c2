// Answers of a group shard, as plain owned values: an answer may be given minutes after its request, on another reactor
// than the one that owns the request's arena. group/convert.h makes messages of them. Throttle times are the sender's.
//
// Values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/uuid.h"
#include "group/assignment.h"
#include "protocol/error_code.h"

namespace kb::group {

struct JoinGroupResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string metadata;
  };
  ErrorCode error = ErrorCode::kNone;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;  // only the leader gets them
};

struct SyncGroupResponse {
  ErrorCode error = ErrorCode::kNone;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string assignment;
};

struct HeartbeatResponse {
  ErrorCode error = ErrorCode::kNone;
};

struct ConsumerGroupHeartbeatResponse {
  ErrorCode error = ErrorCode::kNone;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  int32_t member_epoch = 0;
  int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;  // only when it is news
};

struct LeaveGroupResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    ErrorCode error = ErrorCode::kNone;
  };
  ErrorCode error = ErrorCode::kNone;
  std::vector<Member> members;
};

struct OffsetCommitResponse {
  struct Partition {
    int32_t index = 0;
    ErrorCode error = ErrorCode::kNone;
  };
  struct Topic {
    std::string name;
    Uuid topic_id;
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;  // in the order of the request
};

// One group of an OffsetFetch.
struct OffsetFetchResponse {
  struct Partition {
    int32_t index = 0;
    int64_t committed_offset = -1;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata = "";
    ErrorCode error = ErrorCode::kNone;
  };
  struct Topic {
    std::string name;
    Uuid topic_id;  // as in the request; for "all": as stored, zero when unknown
    std::vector<Partition> partitions;
  };
  std::string group_id;
  ErrorCode error = ErrorCode::kNone;
  std::vector<Topic> topics;
};

struct OffsetDeleteResponse {
  struct Partition {
    int32_t index = 0;
    ErrorCode error = ErrorCode::kNone;
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
  };
  ErrorCode error = ErrorCode::kNone;
  std::vector<Topic> topics;
};

struct ListGroupsResponse {
  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;
  };
  ErrorCode error = ErrorCode::kNone;
  std::vector<Group> groups;
};

struct DescribeGroupsResponse {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;  // with the leading slash, as clients see it
    std::string metadata;
    std::string assignment;
  };
  struct Group {
    ErrorCode error = ErrorCode::kNone;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<Member> members;
    int32_t authorized_operations = INT32_MIN;  // the handler's
  };
  std::vector<Group> groups;  // in the order of the request
};

struct ConsumerGroupDescribeResponse {
  struct Topic {
    Uuid topic_id;
    std::string name;
    std::vector<int32_t> partitions;
  };
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    int32_t member_epoch = 0;
    std::string client_id;
    std::string client_host;  // with the leading slash
    std::vector<std::string> subscribed_topic_names;
    std::optional<std::string> subscribed_topic_regex;
    std::vector<Topic> assignment;  // topics that no longer exist left out, here and below
    std::vector<Topic> target_assignment;
    bool is_classic = false;
  };
  struct Group {
    ErrorCode error = ErrorCode::kNone;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    int32_t group_epoch = 0;
    int32_t assignment_epoch = 0;
    std::string assignor_name;
    std::vector<Member> members;
    int32_t authorized_operations = INT32_MIN;  // the handler's
  };
  std::vector<Group> groups;  // in the order of the request
};

struct DeleteGroupsResponse {
  struct Result {
    std::string group_id;
    ErrorCode error = ErrorCode::kNone;
  };
  std::vector<Result> results;  // in the order of the request
};

using Response =
    std::variant<JoinGroupResponse, SyncGroupResponse, HeartbeatResponse, LeaveGroupResponse, OffsetCommitResponse,
                 OffsetFetchResponse, OffsetDeleteResponse, DeleteGroupsResponse, ConsumerGroupHeartbeatResponse>;

}  // namespace kb::group

// Requests to a group shard, as plain owned values.
//
// A request is decoded on the reactor of its connection and carried to the home reactor of its group's shard, and a
// JoinGroup stays there for minutes: so these own their bytes, unlike the generated messages, which are views into a
// frame (group/convert.h turns one into the other). Only what the machines need is here: the handlers have already
// checked authorization, split requests that name several groups by shard, and resolved topics.
//
// Values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "model/ids.h"

namespace kb::group {

// Who asks. client_host is the peer's address as text, without the slash that Apache Kafka puts before it in records.
struct Caller {
  std::string client_id;
  std::string client_host;
};

// One of the protocols (assignment strategies) that a member can speak, in its order of preference.
struct MemberProtocol {
  std::string name;
  std::string metadata;
  bool operator==(const MemberProtocol&) const = default;
};

struct JoinGroupRequest {
  int16_t version = 0;
  Caller caller;
  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;  // v0 has none: the session timeout
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<MemberProtocol> protocols;
};

struct MemberAssignment {
  std::string member_id;
  std::string assignment;
};

struct SyncGroupRequest {
  int16_t version = 0;
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<MemberAssignment> assignments;
};

struct HeartbeatRequest {
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
};

// KIP-848. The handler has checked what needs no group: empty ids, epochs below -2, assignors (CheckHeartbeat).
struct ConsumerGroupHeartbeatRequest {
  int16_t version = 0;
  Caller caller;
  std::string group_id;
  std::string member_id;
  int32_t member_epoch = 0;  // 0: joins; -1: leaves; -2: a static member leaves for a while
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  int32_t rebalance_timeout_ms = -1;                               // -1: as before
  std::optional<std::vector<std::string>> subscribed_topic_names;  // none: as before
  std::optional<std::string> subscribed_topic_regex;               // none: as before; empty: no longer any
  std::optional<std::string> server_assignor;                      // none: as before
  std::optional<std::vector<PartitionId>> owned;                   // ascending; none: as before
};

// v0–v2 name one member outside of any list; here it is a list of one.
struct LeaveGroupRequest {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
  };
  std::string group_id;
  std::vector<Member> members;
};

// The handler has left out, and answers itself, what does not exist (3, or 100 from v10 on), and has put name and id to
// every topic that does. The machine stores the id and never looks a topic up.
struct OffsetCommitRequest {
  struct Partition {
    int32_t index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> committed_metadata;
  };
  struct Topic {
    std::string name;
    Uuid topic_id;  // zero when unknown
    std::vector<Partition> partitions;
  };
  int16_t version = 0;
  std::string group_id;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics;
};

// One group of an OffsetFetch. From v10 on topics come by id: the handler resolves them and answers unknown ones
// itself.
struct OffsetFetchRequest {
  struct Topic {
    std::string name;
    Uuid topic_id;  // zero: any
    std::vector<int32_t> partitions;
  };
  std::string group_id;
  std::optional<std::string> member_id;
  int32_t member_epoch = -1;
  std::optional<std::vector<Topic>> topics;  // absent: all that the group has
  bool require_stable = false;
};

// Of existing partitions only: the handler answers UNKNOWN_TOPIC_OR_PARTITION for the others, when the group itself is
// no error.
struct OffsetDeleteRequest {
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;
  };
  std::string group_id;
  std::vector<Topic> topics;
};

// The groups of a ListGroups, DescribeGroups or DeleteGroups that live in one shard; for ListGroups there are no names.
struct ListGroupsRequest {
  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;
};

struct DescribeGroupsRequest {
  int16_t version = 0;
  std::vector<std::string> groups;
};

// Groups of one shard.
struct ConsumerGroupDescribeRequest {
  std::vector<std::string> groups;
};

struct DeleteGroupsRequest {
  std::vector<std::string> groups;
};

}  // namespace kb::group

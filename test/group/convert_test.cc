// Messages in, messages out: every version of every request and response of this room goes through its codec.
#include "group/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "group/shard.h"
#include "protocol/encode.h"
#include "protocol/reader.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class ConvertTest : public ::testing::Test {
 protected:
  // What a peer reads of it.
  template <typename Message>
  Message Through(const Message& message, int16_t version) {
    auto bytes = protocol::EncodeTo(arena_, message, version);
    EXPECT_TRUE(bytes.ok()) << "version " << version << ": " << bytes.error().message;
    Message back;
    if (!bytes.ok()) return back;
    protocol::Reader reader(*bytes);
    EXPECT_TRUE(Decode(reader, version, arena_, back)) << "version " << version;
    return back;
  }
  template <typename Message, typename Check>
  void InEveryVersion(Check check) {
    for (int16_t version = Message::kMinVersion; version <= Message::kMaxVersion; ++version) {
      SCOPED_TRACE(version);
      check(version);
    }
  }

  Arena arena_;
};

TEST_F(ConvertTest, JoinGroup) {
  message::JoinGroupRequest asked;
  asked.group_id = "g";
  asked.session_timeout_ms = 10;
  asked.rebalance_timeout_ms = 20;
  asked.member_id = "m";
  asked.protocol_type = "consumer";
  auto& protocol = asked.protocols.Add(arena_);
  protocol.name = "range";
  protocol.metadata = AsBytes("meta");
  InEveryVersion<message::JoinGroupRequest>([&](int16_t version) {
    asked.group_instance_id = version >= 5 ? std::optional<std::string_view>("i") : std::nullopt;
    JoinGroupRequest request = FromMessage(Through(asked, version), version, {"client", "host"});
    EXPECT_EQ(request.version, version);
    EXPECT_EQ(request.rebalance_timeout_ms, version == 0 ? 10 : 20);
    EXPECT_EQ(request.group_instance_id.has_value(), version >= 5);
    EXPECT_THAT(request.protocols, ElementsAre(MemberProtocol{"range", "meta"}));
    EXPECT_EQ(request.caller.client_host, "host");
  });
  JoinGroupResponse response{.generation_id = 3,
                             .protocol_type = "consumer",
                             .protocol_name = "range",
                             .leader = "m",
                             .member_id = "m",
                             .members = {{"m", "i", "meta"}, {"n", std::nullopt, ""}}};
  JoinGroupResponse error{.error = ErrorCode::kMemberIdRequired, .member_id = "new"};
  InEveryVersion<message::JoinGroupResponse>([&](int16_t version) {
    response.skip_assignment = version >= 9;
    auto answer = Through(ToMessage(response, version, arena_), version);
    EXPECT_EQ(answer.generation_id, 3);
    EXPECT_EQ(answer.protocol_name, "range");
    ASSERT_THAT(answer.members, SizeIs(2));
    EXPECT_EQ(AsText(answer.members[0].metadata), "meta");
    EXPECT_EQ(answer.members[0].group_instance_id.has_value(), version >= 5);
    EXPECT_EQ(answer.skip_assignment, version >= 9);
    auto refused = Through(ToMessage(error, version, arena_), version);
    EXPECT_EQ(refused.error_code, 79);
    EXPECT_EQ(refused.member_id, "new");
    EXPECT_EQ(refused.protocol_name.has_value(), version < 7);
  });
}

TEST_F(ConvertTest, SyncGroupAndHeartbeat) {
  message::SyncGroupRequest asked;
  asked.group_id = "g";
  asked.generation_id = 4;
  asked.member_id = "m";
  auto& assignment = asked.assignments.Add(arena_);
  assignment.member_id = "m";
  assignment.assignment = AsBytes("all");
  InEveryVersion<message::SyncGroupRequest>([&](int16_t version) {
    asked.protocol_type = version >= 5 ? std::optional<std::string_view>("consumer") : std::nullopt;
    SyncGroupRequest request = FromMessage(Through(asked, version), version);
    EXPECT_EQ(request.generation_id, 4);
    EXPECT_EQ(request.assignments.at(0).assignment, "all");
    EXPECT_EQ(request.protocol_type.has_value(), version >= 5);
  });
  SyncGroupResponse response{.protocol_type = "consumer", .protocol_name = "range", .assignment = "all"};
  InEveryVersion<message::SyncGroupResponse>([&](int16_t version) {
    auto answer = Through(ToMessage(response, version, arena_), version);
    EXPECT_EQ(AsText(answer.assignment), "all");
    EXPECT_EQ(answer.protocol_name.has_value(), version >= 5);
  });
  message::HeartbeatRequest beat;
  beat.group_id = "g";
  beat.member_id = "m";
  beat.generation_id = 7;
  InEveryVersion<message::HeartbeatRequest>([&](int16_t version) {
    HeartbeatRequest request = FromMessage(Through(beat, version), version);
    EXPECT_EQ(request.generation_id, 7);
    EXPECT_EQ(request.member_id, "m");
    HeartbeatResponse answer{ErrorCode::kRebalanceInProgress};
    EXPECT_EQ(Through(ToMessage(answer, version, arena_), version).error_code, 27);
  });
}

TEST_F(ConvertTest, LeaveGroupIsOneMemberOrAList) {
  message::LeaveGroupRequest one;
  one.group_id = "g";
  one.member_id = "m";
  for (int16_t version = 0; version <= 2; ++version) {
    LeaveGroupRequest request = FromMessage(Through(one, version), version);
    ASSERT_THAT(request.members, SizeIs(1));
    EXPECT_EQ(request.members[0].member_id, "m");
  }
  message::LeaveGroupRequest many;
  many.group_id = "g";
  many.members.Add(arena_).member_id = "a";
  many.members.Add(arena_).group_instance_id = "i";
  for (int16_t version = 3; version <= 5; ++version) {
    LeaveGroupRequest request = FromMessage(Through(many, version), version);
    ASSERT_THAT(request.members, SizeIs(2));
    EXPECT_EQ(request.members[1].group_instance_id, "i");
  }
  LeaveGroupResponse unknown{.members = {{"m", std::nullopt, ErrorCode::kUnknownMemberId}}};
  LeaveGroupResponse refused{.error = ErrorCode::kInvalidGroupId};
  InEveryVersion<message::LeaveGroupResponse>([&](int16_t version) {
    auto answer = Through(ToMessage(unknown, version, arena_), version);
    EXPECT_EQ(answer.error_code, version < 3 ? 25 : 0);
    EXPECT_EQ(answer.members.size(), version < 3 ? 0u : 1u);
    for (const auto& member : answer.members) EXPECT_EQ(member.error_code, 25);
    EXPECT_EQ(Through(ToMessage(refused, version, arena_), version).error_code, 24);
  });
}

TEST_F(ConvertTest, OffsetCommit) {
  message::OffsetCommitRequest asked;
  asked.group_id = "g";
  asked.generation_id_or_member_epoch = 5;
  asked.member_id = "m";
  auto& topic = asked.topics.Add(arena_);
  topic.name = "t";
  topic.topic_id = Uuid(1, 2);
  auto& partition = topic.partitions.Add(arena_);
  partition.partition_index = 3;
  partition.committed_offset = 99;
  partition.committed_leader_epoch = 6;
  partition.committed_metadata = "note";
  InEveryVersion<message::OffsetCommitRequest>([&](int16_t version) {
    asked.retention_time_ms = version <= 4 ? 1'000 : -1;
    OffsetCommitRequest request = FromMessage(Through(asked, version), version);
    EXPECT_EQ(request.generation_id, 5);
    EXPECT_EQ(request.retention_time_ms, version <= 4 ? 1'000 : -1);
    const auto& got = request.topics.at(0);
    EXPECT_EQ(got.name, version <= 9 ? "t" : "");
    EXPECT_EQ(got.topic_id.is_zero(), version <= 9);
    EXPECT_EQ(got.partitions.at(0).committed_offset, 99);
    EXPECT_EQ(got.partitions.at(0).committed_leader_epoch, version >= 6 ? 6 : -1);
    EXPECT_EQ(got.partitions.at(0).committed_metadata, "note");
    OffsetCommitResponse response = ErrorResponse(request, ErrorCode::kIllegalGeneration);
    auto answer = Through(ToMessage(response, version, arena_), version);
    EXPECT_EQ(answer.topics[0].name, version <= 9 ? "t" : "");
    EXPECT_EQ(answer.topics[0].topic_id.is_zero(), version <= 9);
    EXPECT_EQ(answer.topics[0].partitions[0].error_code, 22);
  });
}

TEST_F(ConvertTest, OffsetFetchIsOneGroupOrMany) {
  message::OffsetFetchRequest one;
  one.group_id = "g";
  auto& topic = one.topics.Add(arena_);
  topic.name = "t";
  topic.partition_indexes = protocol::Array<int32_t>::Of(arena_, {0, 2});
  OffsetFetchResponse found{.group_id = "g", .topics = {{"t", Uuid(1, 2), {{.committed_offset = 5}}}}};
  OffsetFetchResponse refused = ErrorResponse(FromMessage(one, 1).at(0), ErrorCode::kNotCoordinator);
  for (int16_t version = 1; version <= 7; ++version) {
    SCOPED_TRACE(version);
    auto requests = FromMessage(Through(one, version), version);
    ASSERT_THAT(requests, SizeIs(1));
    EXPECT_THAT(requests[0].topics->at(0).partitions, ElementsAre(0, 2));
    auto answer = Through(ToMessage({&found, 1}, version, arena_), version);
    EXPECT_EQ(answer.topics[0].partitions[0].committed_offset, 5);
    auto no = Through(ToMessage({&refused, 1}, version, arena_), version);
    EXPECT_THAT(no.topics, SizeIs(version == 1 ? 1 : 0));
    EXPECT_EQ(version == 1 ? no.topics[0].partitions[1].error_code : no.error_code, 16);
  }
  one.topics = protocol::Array<message::OffsetFetchRequest::OffsetFetchRequestTopic>::Null();
  EXPECT_FALSE(FromMessage(Through(one, 2), 2).at(0).topics.has_value());

  message::OffsetFetchRequest many;
  many.require_stable = true;
  many.groups.Add(arena_).group_id = "all";
  many.groups.back().topics = decltype(many.groups.back().topics)::Null();
  auto& some = many.groups.Add(arena_);
  some.group_id = "some";
  auto& by_id = some.topics.Add(arena_);
  by_id.name = "t";
  by_id.topic_id = Uuid(1, 2);
  by_id.partition_indexes = protocol::Array<int32_t>::Of(arena_, {7});
  std::vector<OffsetFetchResponse> both = {found, refused};
  for (int16_t version = 8; version <= 10; ++version) {
    SCOPED_TRACE(version);
    auto requests = FromMessage(Through(many, version), version);
    ASSERT_THAT(requests, SizeIs(2));
    EXPECT_FALSE(requests[0].topics.has_value());
    EXPECT_TRUE(requests[0].require_stable && requests[1].require_stable);
    EXPECT_EQ(requests[1].topics->at(0).topic_id.is_zero(), version < 10);
    auto answer = Through(ToMessage(both, version, arena_), version);
    ASSERT_THAT(answer.groups, SizeIs(2));
    EXPECT_EQ(answer.groups[0].topics[0].topic_id.is_zero(), version < 10);
    EXPECT_EQ(answer.groups[1].error_code, 16);
  }
}

TEST_F(ConvertTest, OffsetDelete) {
  message::OffsetDeleteRequest asked;
  asked.group_id = "g";
  auto& topic = asked.topics.Add(arena_);
  topic.name = "t";
  topic.partitions.Add(arena_).partition_index = 4;
  OffsetDeleteRequest request = FromMessage(Through(asked, 0), 0);
  EXPECT_THAT(request.topics.at(0).partitions, ElementsAre(4));
  OffsetDeleteResponse response{.topics = {{"t", {{4, ErrorCode::kGroupSubscribedToTopic}}}}};
  EXPECT_EQ(Through(ToMessage(response, 0, arena_), 0).topics[0].partitions[0].error_code, 86);
}

TEST_F(ConvertTest, Administration) {
  message::ListGroupsRequest list;
  ListGroupsResponse listed{.groups = {{"g", "consumer", "Stable", "classic"}}};
  InEveryVersion<message::ListGroupsRequest>([&](int16_t version) {
    if (version >= 4) list.states_filter = protocol::Array<std::string_view>::Of(arena_, {"Stable"});
    EXPECT_THAT(FromMessage(Through(list, version), version).states_filter, SizeIs(version >= 4 ? 1 : 0));
    auto answer = Through(ToMessage(listed, version, arena_), version);
    EXPECT_EQ(answer.groups[0].group_state, version >= 4 ? "Stable" : "");
    EXPECT_EQ(answer.groups[0].group_type, version >= 5 ? "classic" : "");
  });
  message::DescribeGroupsRequest describe;
  describe.groups = protocol::Array<std::string_view>::Of(arena_, {"g"});
  DescribeGroupsResponse described;
  described.groups.push_back({.error = ErrorCode::kGroupIdNotFound,
                              .error_message = "why",
                              .group_id = "g",
                              .group_state = "Dead",
                              .members = {{"m", "i", "c", "/h", "meta", "all"}},
                              .authorized_operations = 7});
  InEveryVersion<message::DescribeGroupsRequest>([&](int16_t version) {
    DescribeGroupsRequest request = FromMessage(Through(describe, version), version);
    EXPECT_THAT(request.groups, ElementsAre("g"));
    EXPECT_EQ(request.version, version);
    auto answer = Through(ToMessage(described, version, arena_), version);
    EXPECT_EQ(answer.groups[0].error_message.has_value(), version >= 6);
    EXPECT_EQ(answer.groups[0].authorized_operations, version >= 3 ? 7 : INT32_MIN);
    EXPECT_EQ(AsText(answer.groups[0].members[0].member_assignment), "all");
  });
  message::DeleteGroupsRequest remove;
  remove.groups_names = protocol::Array<std::string_view>::Of(arena_, {"a", "b", "a"});
  DeleteGroupsResponse removed{{{"a", ErrorCode::kNonEmptyGroup}}};
  InEveryVersion<message::DeleteGroupsRequest>([&](int16_t version) {
    EXPECT_THAT(FromMessage(Through(remove, version), version).groups, ElementsAre("a", "b"));
    EXPECT_EQ(Through(ToMessage(removed, version, arena_), version).results[0].error_code, 68);
  });
}

TEST_F(ConvertTest, StringsThatAreNoTextBecomeText) {
  message::HeartbeatRequest beat;
  beat.group_id = "g\xff";
  beat.member_id = "\xc3";
  HeartbeatRequest request = FromMessage(beat, 4);
  EXPECT_EQ(request.group_id, "g\xef\xbf\xbd");
  EXPECT_EQ(request.member_id, "\xef\xbf\xbd");
  std::string longest(32'767, '\xff');  // as text it would not fit an answer
  beat.group_id = longest;
  EXPECT_EQ(FromMessage(beat, 4).group_id, longest);
}

// ── Consumer groups ────────────────────────────────────────────────────────────────────────────────────────────────

class HeartbeatTest : public ConvertTest {
 protected:
  HeartbeatTest() {
    joins_.group_id = "g";
    joins_.member_id = "m";
    joins_.rebalance_timeout_ms = 10'000;
    joins_.subscribed_topic_names.Reserve(arena_, 0);
    joins_.topic_partitions.Reserve(arena_, 0);
  }
  // "" for one that a group may look at.
  std::string Refusal(const message::ConsumerGroupHeartbeatRequest& request, int16_t version = 1) {
    std::optional<ConsumerGroupHeartbeatResponse> refused = CheckHeartbeat(request, version, config_);
    if (!refused.has_value()) return "";
    EXPECT_EQ(refused->error, ErrorCode::kInvalidRequest);
    return refused->error_message.value_or("no message");
  }

  GroupConfig config_;
  message::ConsumerGroupHeartbeatRequest joins_;
};

TEST_F(HeartbeatTest, OwnedPartitionsAscendAndComeOnce) {
  joins_.member_epoch = 3;
  joins_.subscribed_topic_names.Add(arena_) = "b\xff";
  for (uint64_t topic : {2, 1, 2}) {
    auto& owned = joins_.topic_partitions.Add(arena_);
    owned.topic_id = Uuid(topic, topic);
    for (int32_t partition : {1, 0}) owned.partitions.Add(arena_) = partition;
  }
  InEveryVersion<message::ConsumerGroupHeartbeatRequest>([&](int16_t version) {
    if (version >= 1) joins_.subscribed_topic_regex = "a.*";
    auto request = FromMessage(Through(joins_, version), version, {"client", "host"});
    EXPECT_EQ(request.member_epoch, 3);
    EXPECT_EQ(request.caller.client_host, "host");
    EXPECT_THAT(request.subscribed_topic_names.value(), ElementsAre("b\xef\xbf\xbd"));
    EXPECT_EQ(request.subscribed_topic_regex.has_value(), version >= 1);
    EXPECT_THAT(request.owned.value(), ElementsAre(PartitionId{Uuid(1, 1), 0}, PartitionId{Uuid(1, 1), 1},
                                                   PartitionId{Uuid(2, 2), 0}, PartitionId{Uuid(2, 2), 1}));
  });
}

TEST_F(HeartbeatTest, WhatIsNotSaidIsNotSaid) {
  message::ConsumerGroupHeartbeatRequest stays;
  stays.group_id = "g";
  stays.member_id = "m";
  stays.member_epoch = 3;
  auto request = FromMessage(Through(stays, 1), 1, {});
  EXPECT_FALSE(request.owned.has_value());
  EXPECT_FALSE(request.subscribed_topic_names.has_value());
  EXPECT_FALSE(request.subscribed_topic_regex.has_value());
  EXPECT_FALSE(request.server_assignor.has_value());
  EXPECT_EQ(request.rebalance_timeout_ms, -1);
  EXPECT_EQ(Refusal(stays), "");
}

TEST_F(HeartbeatTest, AMemberIdMayBeLeftOutOnlyWhenJoiningInTheFirstVersion) {
  EXPECT_EQ(Refusal(joins_), "");
  joins_.member_id = "";
  EXPECT_EQ(Refusal(joins_, 0), "");
  EXPECT_EQ(Refusal(joins_, 1), "MemberId can't be empty.");
  joins_.member_epoch = -1;
  EXPECT_EQ(Refusal(joins_, 0), "MemberId can't be empty.");
}

TEST_F(HeartbeatTest, AnAssignorMustBeOneOfTheBrokers) {
  config_.group_consumer_assignors = {"range"};
  joins_.server_assignor = "range";
  EXPECT_FALSE(CheckHeartbeat(joins_, 1, config_).has_value());
  joins_.server_assignor = "uniform";
  auto refused = CheckHeartbeat(joins_, 1, config_);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->error, ErrorCode::kUnsupportedAssignor);
  EXPECT_EQ(refused->error_message, "ServerAssignor uniform is not supported. Supported assignors: range.");
}

TEST_F(HeartbeatTest, AMemberIsBounded) {
  config_.most_member_bytes = 100;
  joins_.subscribed_topic_names.Add(arena_) = "topic";
  EXPECT_EQ(Refusal(joins_), "");
  for (int i = 0; i < 3; ++i) joins_.subscribed_topic_names.Add(arena_) = "topic";
  EXPECT_EQ(Refusal(joins_), "The member is too large.");
  joins_.subscribed_topic_names = {};
  joins_.member_epoch = 1;
  auto& owned = joins_.topic_partitions.Add(arena_);
  for (int32_t i = 0; i < 10; ++i) owned.partitions.Add(arena_) = i;
  EXPECT_EQ(Refusal(joins_), "The member is too large.");
}

TEST_F(ConvertTest, ConsumerGroupHeartbeatAnswers) {
  ConsumerGroupHeartbeatResponse response{.member_id = "m", .member_epoch = 4, .heartbeat_interval_ms = 5};
  InEveryVersion<message::ConsumerGroupHeartbeatResponse>([&](int16_t version) {
    response.assignment.reset();
    EXPECT_EQ(Through(ToMessage(std::as_const(response), version, arena_), version).assignment, nullptr);
    response.assignment = Assignment({{Uuid(1, 1), 2}, {Uuid(1, 1), 0}});
    auto message = Through(ToMessage(std::as_const(response), version, arena_), version);
    EXPECT_EQ(message.member_id, "m");
    EXPECT_EQ(message.member_epoch, 4);
    ASSERT_NE(message.assignment, nullptr);
    ASSERT_THAT(message.assignment->topic_partitions, SizeIs(1));
    EXPECT_EQ(message.assignment->topic_partitions[0].topic_id, Uuid(1, 1));
    EXPECT_THAT(message.assignment->topic_partitions[0].partitions, ElementsAre(0, 2));
  });
}

TEST_F(ConvertTest, AnErrorMessageIsCutAtAWholeCharacter) {
  ConsumerGroupHeartbeatResponse response{.error = ErrorCode::kInvalidRequest};
  response.error_message = std::string(32'766, 'a') + "\xc3\xa9";
  EXPECT_EQ(Through(ToMessage(std::as_const(response), 1, arena_), 1).error_message, std::string(32'766, 'a'));
}

TEST_F(ConvertTest, ConsumerGroupDescribeAnswers) {
  ConsumerGroupDescribeResponse response;
  auto& group = response.groups.emplace_back();
  group.group_id = "g";
  group.group_state = "Stable";
  group.group_epoch = 5;
  group.assignment_epoch = 4;
  group.assignor_name = "uniform";
  auto& member = group.members.emplace_back();
  member.member_id = "m";
  member.client_host = "/h";
  member.subscribed_topic_names = {"t"};
  member.subscribed_topic_regex = "";
  member.assignment = {{Uuid(1, 1), "t", {0, 1}}};
  member.target_assignment = {{Uuid(1, 1), "t", {1}}};
  InEveryVersion<message::ConsumerGroupDescribeResponse>([&](int16_t version) {
    auto message = Through(ToMessage(std::as_const(response), version, arena_), version);
    ASSERT_THAT(message.groups, SizeIs(1));
    EXPECT_EQ(message.groups[0].group_epoch, 5);
    EXPECT_EQ(message.groups[0].authorized_operations, INT32_MIN);
    ASSERT_THAT(message.groups[0].members, SizeIs(1));
    const auto& described = message.groups[0].members[0];
    EXPECT_EQ(described.member_type, version >= 1 ? 1 : -1);
    EXPECT_THAT(described.subscribed_topic_names, ElementsAre("t"));
    EXPECT_THAT(described.assignment.topic_partitions[0].partitions, ElementsAre(0, 1));
    EXPECT_EQ(described.target_assignment.topic_partitions[0].topic_name, "t");
    EXPECT_THAT(described.target_assignment.topic_partitions[0].partitions, ElementsAre(1));
  });
}

}  // namespace
}  // namespace kb::group

// ListGroups, DescribeGroups, DeleteGroups; and groups of types that are not served. Answers are those of Apache Kafka
// 4.3.1, which was asked the same.
#include "base/arena.h"
#include "group/shard_fixture.h"
#include "message/consumer_group_member_metadata_key.h"
#include "message/consumer_group_member_metadata_value.h"
#include "message/consumer_group_metadata_key.h"
#include "message/consumer_group_metadata_value.h"
#include "message/share_group_metadata_key.h"
#include "message/share_group_metadata_value.h"
#include "protocol/framed.h"

namespace kb::group {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using enum ErrorCode;

class AdminTest : public ShardFixture {
 protected:
  std::vector<std::string> List(std::vector<std::string> states = {}, std::vector<std::string> types = {}) const {
    std::vector<std::string> names;
    for (const auto& group : shard_->ListGroups({std::move(states), std::move(types)}).groups) {
      names.push_back(group.group_id + ":" + group.group_state + ":" + group.group_type + ":" + group.protocol_type);
    }
    return names;
  }

  template <typename Key, typename Value>
  void PutInLog(const Key& key, const Value& value) {
    Arena arena;
    RecordBytes record;
    record.key = AsText(protocol::EncodeCoordinatorKey(arena, key).value());
    record.value = std::string(AsText(protocol::EncodeCoordinatorValue(arena, value, 0).value()));
    log_.push_back({std::move(record), next_offset_++});
  }
  void ConsumerGroup(std::string_view id, bool with_member) {
    message::ConsumerGroupMetadataKey key;
    key.group_id = id;
    message::ConsumerGroupMetadataValue value;
    value.epoch = 3;
    PutInLog(key, value);
    if (!with_member) return;
    message::ConsumerGroupMemberMetadataKey member;
    member.group_id = id;
    member.member_id = "m";
    PutInLog(member, message::ConsumerGroupMemberMetadataValue());
  }
  void ShareGroup(std::string_view id) {
    message::ShareGroupMetadataKey key;
    key.group_id = id;
    PutInLog(key, message::ShareGroupMetadataValue());
  }
};

TEST_F(AdminTest, ListsByStateAndTypeWithoutCase) {
  auto ids = StableGroup(1);
  CommitSimple("simple", "t", 1);
  EXPECT_THAT(List(), ElementsAre("g:Stable:classic:consumer", "simple:Empty:classic:"));
  EXPECT_THAT(List({"stable"}), ElementsAre("g:Stable:classic:consumer"));
  EXPECT_THAT(List({"EMPTY", "Dead"}, {"CLASSIC"}), ElementsAre("simple:Empty:classic:"));
  EXPECT_THAT(List({}, {"consumer"}), IsEmpty());
  EXPECT_THAT(List({"bogus"}), IsEmpty());
  EXPECT_THAT(List({}, {"bogus"}), IsEmpty());
  EXPECT_THAT(List({" stable\t"}), SizeIs(1));
  EXPECT_THAT(List({}, {" classic "}), IsEmpty());
  LeaveOne(ids[0]);
  EXPECT_THAT(List({"Empty"}), SizeIs(2));
}

TEST_F(AdminTest, AGroupIsSeenWhenItIsCommitted) {
  hold_commits_ = true;
  Join();
  OffsetCommitRequest request = CommitRequest("", -1, 1);
  request.group_id = "simple";
  Commit(request);
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_EQ(Describe("g").error, kGroupIdNotFound);
  CommitAll();
  EXPECT_THAT(List(), SizeIs(2));
}

TEST_F(AdminTest, DescribesAStableGroupInFull) {
  auto ids = StableGroup(2);
  auto group = Describe();
  EXPECT_EQ(group.error, kNone);
  EXPECT_EQ(group.group_state, "Stable");
  EXPECT_EQ(group.protocol_type, "consumer");
  EXPECT_EQ(group.protocol_data, "range");
  ASSERT_THAT(group.members, SizeIs(2));
  const auto& member = group.members[0];
  EXPECT_EQ(member.client_id, "client");
  EXPECT_EQ(member.client_host, "/127.0.0.1");
  EXPECT_EQ(member.metadata, "metadata");
  EXPECT_EQ(member.assignment, "assigned to " + member.member_id);
  EXPECT_EQ(group.authorized_operations, INT32_MIN);
}

TEST_F(AdminTest, InARebalanceThereIsNoProtocolYet) {
  auto ids = StableGroup(2);
  Join(ids[0]);
  auto group = Describe();
  EXPECT_EQ(group.group_state, "PreparingRebalance");
  EXPECT_EQ(group.protocol_data, "");
  EXPECT_EQ(group.members.at(0).metadata, "");
  EXPECT_EQ(group.members.at(0).assignment, "assigned to " + group.members.at(0).member_id);
}

TEST_F(AdminTest, WhatIsNotThereIsDead) {
  EXPECT_EQ(Describe("none", 5).error, kNone);
  EXPECT_EQ(Describe("none", 5).group_state, "Dead");
  EXPECT_EQ(Describe("none", 5).error_message, std::nullopt);
  EXPECT_EQ(Describe("none", 6).error, kGroupIdNotFound);
  EXPECT_EQ(Describe("none", 6).group_state, "Dead");
  EXPECT_EQ(Describe("none", 6).error_message, "Group none not found.");
}

TEST_F(AdminTest, DeletesOnlyEmptyGroups) {
  auto ids = StableGroup(1);
  Commit(ids[0], 1, 5);
  CommitSimple("simple", "t", 1);
  auto answer = Delete({"g", "none", "simple", "simple"});
  std::vector<ErrorCode> errors;
  for (const auto& result : answer.results) errors.push_back(result.error);
  EXPECT_THAT(errors, ElementsAre(kNonEmptyGroup, kGroupIdNotFound, kNone, kGroupIdNotFound));
  EXPECT_EQ(CommittedOffsetOf("simple", "t"), -1);
  LeaveOne(ids[0]);
  EXPECT_EQ(DeleteOne("g"), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), -1);
  EXPECT_THAT(List(), IsEmpty());
  Restart();
  EXPECT_THAT(List(), IsEmpty());
}

TEST_F(AdminTest, ADeletedGroupStartsFromTheBeginning) {
  auto ids = StableGroup(1);
  LeaveOne(ids[0]);
  DeleteOne("g");
  Ticket join = Join(NewMember());
  Pass(3'000);
  EXPECT_EQ(Joined(join).generation_id, 1);
}

TEST_F(AdminTest, ADeletionIncludesWhatIsJustBeingCommitted) {
  hold_commits_ = true;
  Commit(CommitRequest("", -1, 1));
  Ticket ticket = NewTicket();
  Run(shard_->DeleteGroups(ticket, {{"g"}}, now_));
  EXPECT_FALSE(Answered(ticket));
  CommitAll();
  EXPECT_EQ(Answer<DeleteGroupsResponse>(ticket).results.at(0).error, kNone);
  EXPECT_EQ(shard_->counts().offsets, 0u);
  Restart();
  EXPECT_THAT(List(), IsEmpty());
}

TEST_F(AdminTest, ADeletionThatCannotBeWrittenLeavesTheGroup) {
  auto ids = StableGroup(1);
  Commit(ids[0], 1, 5);
  LeaveOne(ids[0]);
  auto before = ShardInspector::DurableState(*shard_);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(DeleteOne("g"), kCoordinatorNotAvailable);
  EXPECT_EQ(ShardInspector::DurableState(*shard_), before);
  EXPECT_EQ(DeleteOne("g"), kNone);
}

TEST_F(AdminTest, CountsFollowTheStates) {
  auto ids = StableGroup(2);
  CommitSimple("simple", "t", 1);
  EXPECT_EQ(shard_->counts().stable, 1u);
  EXPECT_EQ(shard_->counts().empty, 1u);
  EXPECT_EQ(shard_->counts().offsets, 1u);
  Join(ids[0]);
  EXPECT_EQ(shard_->counts().preparing_rebalance, 1u);
  Join(ids[1]);
  EXPECT_EQ(shard_->counts().completing_rebalance, 1u);
  EXPECT_EQ(shard_->counts().stable, 0u);
  DeleteOne("simple");
  EXPECT_EQ(shard_->counts().empty, 0u);
  EXPECT_EQ(shard_->counts().dead, 0u);
  EXPECT_EQ(shard_->counts().offsets, 0u);
}

// ── Groups of other types ──

TEST_F(AdminTest, GroupsOfOtherTypesAreListedAndNotDescribed) {
  ConsumerGroup("empty", false);
  ConsumerGroup("running", true);
  ShareGroup("share");
  Restart();
  EXPECT_THAT(List(), UnorderedElementsAre("empty:Empty:consumer:consumer", "running:Assigning:consumer:consumer",
                                           "share:Empty:share:share"));
  EXPECT_THAT(List({"assigning"}), SizeIs(1));
  EXPECT_THAT(List({}, {"Consumer"}), SizeIs(2));
  EXPECT_THAT(List({}, {"Share"}), SizeIs(1));
  EXPECT_EQ(Describe("running").error, kGroupIdNotFound);
  EXPECT_EQ(Describe("running").error_message, "Group running is not a classic group.");
  EXPECT_EQ(shard_->counts().other_types, 3u);
  EXPECT_EQ(shard_->counts().empty, 0u);
}

TEST_F(AdminTest, AClassicMemberOfAnotherProtocolDoesNotTouchAConsumerGroup) {
  ConsumerGroup("g", true);
  Restart();
  size_t records = log_.size();
  JoinGroupRequest connect = JoinRequest();
  connect.protocol_type = "connect";
  EXPECT_EQ(JoinError(connect), kInconsistentGroupProtocol);
  EXPECT_EQ(Heartbeat("m", 3), kUnknownMemberId);
  EXPECT_EQ(Synced(Sync("m", 3)).error, kUnknownMemberId);
  EXPECT_EQ(LeaveOne("x"), kUnknownMemberId);
  EXPECT_EQ(Commit("m", 3, 1), kStaleMemberEpoch);
  EXPECT_EQ(Commit("", -1, 1), kUnknownMemberId);
  EXPECT_EQ(DeleteOne("g"), kNonEmptyGroup);
  EXPECT_EQ(log_.size(), records);
}

TEST_F(AdminTest, OffsetsOfAnEmptyConsumerGroupAreServed) {
  ConsumerGroup("g", false);
  Restart();
  EXPECT_EQ(Commit("", -1, 7), kNone);
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  Restart();
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  OffsetFetchRequest stranger{.group_id = "g", .member_id = "x", .member_epoch = 3};
  EXPECT_EQ(Answer<OffsetFetchResponse>(Fetch(stranger)).error, kUnknownMemberId);
}

TEST_F(AdminTest, AnEmptyConsumerGroupMakesPlaceForAClassicOne) {
  ConsumerGroup("g", false);
  Restart();
  Commit("", -1, 7);
  auto ids = StableGroup(1);
  EXPECT_THAT(List(), ElementsAre("g:Stable:classic:consumer"));
  EXPECT_EQ(CommittedOffsetOf("g", "t"), 7);
  auto live = ShardInspector::DurableState(*shard_);
  Restart();
  EXPECT_EQ(ShardInspector::DurableState(*shard_), live);
}

TEST_F(AdminTest, OrKeepsItWhenThatCannotBeWritten) {
  ConsumerGroup("g", false);
  Restart();
  auto before = ShardInspector::DurableState(*shard_);
  fail_next_append_ = kNotEnoughReplicas;
  EXPECT_EQ(JoinError(JoinRequest()), kCoordinatorNotAvailable);
  EXPECT_EQ(ShardInspector::DurableState(*shard_), before);
  EXPECT_THAT(List(), ElementsAre("g:Empty:consumer:consumer"));
}

TEST_F(AdminTest, AnEmptyConsumerGroupCanBeDeletedAndAShareGroupNot) {
  ConsumerGroup("g", false);
  ShareGroup("share");
  Restart();
  Commit("", -1, 7);
  EXPECT_EQ(DeleteOne("g"), kNone);
  EXPECT_EQ(DeleteOne("share"), kUnsupportedVersion);
  Restart();
  EXPECT_THAT(List(), ElementsAre("share:Empty:share:share"));
}

}  // namespace
}  // namespace kb::group

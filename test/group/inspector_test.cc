// ShardInspector, which other tests compare shards with: it sees what a record says and not what only memory knows.
#include <sstream>

#include "group/impl.h"
#include "group/shard_fixture.h"

namespace kb::group {
namespace {

void PutOffsets(const Group& group, std::ostream& out) {
  for (const auto& [topic, partitions] : group.offsets) {
    for (const auto& [partition, cell] : partitions) {
      if (!cell.committed.has_value()) continue;
      const CommittedOffset& offset = *cell.committed;
      out << topic << '-' << partition << ": " << offset.offset << ' ' << offset.leader_epoch << ' ' << offset.metadata
          << ' ' << offset.commit_timestamp_ms << ' ' << offset.expire_timestamp_ms << ' ' << offset.topic_id.ToString()
          << '\n';
    }
  }
}

void PutClassic(const Group& group, std::ostream& out) {
  out << "type " << group.protocol_type.value_or("none") << " generation " << group.generation_id << " protocol "
      << group.protocol_name.value_or("none") << " leader " << group.leader.value_or("none");
  if (group.Is(GroupState::kEmpty)) out << " since " << group.state_timestamp_ms;
  out << '\n';
  for (const auto& [id, member] : group.members) {
    out << id << ' ' << member.group_instance_id.value_or("dynamic") << ' ' << member.client_id << ' '
        << member.client_host << ' ' << member.rebalance_timeout_ms << ' ' << member.session_timeout_ms << ' '
        << member.metadata(group.protocol_name.value_or("")) << ' ' << member.assignment << '\n';
  }
}

void PutOwned(std::string_view what, const OwnedPartitions& owned, std::ostream& out) {
  out << ' ' << what << " {";
  for (const OwnedPartition& one : owned) {
    out << ' ' << one.id.topic_id.ToString() << '-' << one.id.partition << '@' << one.epoch;
  }
  out << " }";
}

void PutMember(const ConsumerMember& member, std::ostream& out) {
  out << member.id << ' ' << member.instance_id.value_or("dynamic") << ' ' << member.rack_id.value_or("no rack") << ' '
      << member.client_id << ' ' << member.client_host << ' ' << member.rebalance_timeout_ms << ' '
      << member.server_assignor.value_or("any assignor") << " names {";
  for (const std::string& name : member.subscribed_names) out << ' ' << name;
  out << " } regex '" << member.subscribed_regex << "' epoch " << member.epoch << " after " << member.previous_epoch
      << " state " << static_cast<int>(member.state);
  if (member.classic.has_value()) {
    out << " classic " << member.classic->session_timeout_ms;
    for (const MemberProtocol& protocol : member.classic->protocols) out << ' ' << protocol.name << protocol.metadata;
  }
  PutOwned("has", member.assigned, out);
  PutOwned("revokes", member.pending_revocation, out);
  out << (member.has_target ? " target {" : " no target {");
  for (size_t i = 0; i < member.target.topic_count(); ++i) {
    for (int32_t partition : member.target.partitions(i)) {
      out << ' ' << member.target.topic_id(i).ToString() << '-' << partition;
    }
  }
  out << " }\n";
}

void PutConsumer(const ConsumerGroup& consumer, std::ostream& out) {
  out << "epoch " << consumer.group_epoch << " hash " << consumer.metadata_hash << " assigned "
      << consumer.assignment_epoch << " at " << consumer.assignment_timestamp_ms << '\n';
  for (const auto& [id, member] : consumer.members()) PutMember(member, out);
  for (const auto& [regex, resolved] : consumer.resolved()) {
    out << "regex '" << regex << "' at " << resolved.version << ' ' << resolved.timestamp_ms << ':';
    for (const std::string& topic : resolved.topics) out << ' ' << topic;
    out << '\n';
  }
}

}  // namespace

std::map<std::string, ShardInspector::Durable> ShardInspector::DurableState(const GroupShard& shard) {
  std::map<std::string, Durable> state;
  for (const auto& [id, group] : shard.impl_->groups_) {
    std::ostringstream text;
    std::ostringstream offsets;
    if (group->type == GroupType::kClassic && group->has_record) PutClassic(*group, text);
    if (group->consumer != nullptr) PutConsumer(*group->consumer, text);
    for (const std::string& key : group->other_record_keys) text << key << '\n';
    PutOffsets(*group, offsets);
    bool settled = group->Is(GroupState::kEmpty) || group->Is(GroupState::kStable);
    bool behind = group->consumer != nullptr && group->consumer->must_rewrite;
    state[id] = {text.str(), offsets.str(), !settled || behind};
  }
  return state;
}

std::map<std::string, ShardInspector::Holding> ShardInspector::Holdings(const GroupShard& shard,
                                                                        const std::string& group_id) {
  std::map<std::string, Holding> holdings;
  const Group* group = shard.impl_->Find(group_id);
  if (group == nullptr || group->consumer == nullptr) return holdings;
  for (const auto& [id, member] : group->consumer->members()) {
    Holding& holding = holdings[id];
    for (const OwnedPartition& one : member.assigned) holding.assigned.push_back(one.id);
    for (const OwnedPartition& one : member.pending_revocation) holding.revoking.push_back(one.id);
    holding.target = member.target;
    holding.epoch = member.epoch;
  }
  return holdings;
}

size_t ShardInspector::PendingWrites(const GroupShard& shard) {
  return shard.impl_->writes_.size();
}
size_t ShardInspector::MemberBytes(const GroupShard& shard) {
  return shard.impl_->member_bytes_;
}
size_t ShardInspector::OffsetBytes(const GroupShard& shard) {
  return shard.impl_->offset_bytes_;
}

namespace {

using InspectorTest = ShardFixture;

TEST_F(InspectorTest, TellsGenerationsMembersAndOffsetsApart) {
  auto ids = StableGroup(1);
  auto one = ShardInspector::DurableState(*shard_);
  EXPECT_EQ(one.size(), 1u);
  EXPECT_FALSE(one["g"].rebalancing);
  Commit(ids[0], 1, 5);
  auto two = ShardInspector::DurableState(*shard_);
  EXPECT_EQ(one["g"].group, two["g"].group);
  EXPECT_NE(one["g"].offsets, two["g"].offsets);
  LeaveOne(ids[0]);
  EXPECT_NE(ShardInspector::DurableState(*shard_)["g"].group, one["g"].group);
}

TEST_F(InspectorTest, NothingIsLeftWhenEverythingIsGone) {
  auto ids = StableGroup(3);
  EXPECT_GT(ShardInspector::MemberBytes(*shard_), 0u);
  for (const std::string& id : ids) LeaveOne(id);
  EXPECT_EQ(ShardInspector::MemberBytes(*shard_), 0u);
  CommitSimple("g", "t", 1);
  EXPECT_GT(ShardInspector::OffsetBytes(*shard_), 0u);
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  EXPECT_EQ(ShardInspector::OffsetBytes(*shard_), 0u);
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
  EXPECT_EQ(ShardInspector::PendingWrites(*shard_), 0u);
  EXPECT_EQ(shard_->counts().empty + shard_->counts().stable + shard_->counts().offsets, 0u);
}

}  // namespace
}  // namespace kb::group

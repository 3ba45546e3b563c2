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
      out << topic << '-' << partition << ": " << offset.offset << ' ' << offset.leader_epoch << ' '
          << offset.metadata << ' ' << offset.commit_timestamp_ms << ' ' << offset.expire_timestamp_ms << ' '
          << offset.topic_id.ToString() << '\n';
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

}  // namespace

std::map<std::string, ShardInspector::Durable> ShardInspector::DurableState(const GroupShard& shard) {
  std::map<std::string, Durable> state;
  for (const auto& [id, group] : shard.impl_->groups_) {
    std::ostringstream text;
    std::ostringstream offsets;
    if (group->type == GroupType::kClassic && group->has_record) PutClassic(*group, text);
    for (const std::string& key : group->other_record_keys) text << key << '\n';
    PutOffsets(*group, offsets);
    bool settled = group->Is(GroupState::kEmpty) || group->Is(GroupState::kStable);
    state[id] = {text.str(), offsets.str(), !settled};
  }
  return state;
}

size_t ShardInspector::PendingWrites(const GroupShard& shard) { return shard.impl_->writes_.size(); }
size_t ShardInspector::MemberBytes(const GroupShard& shard) { return shard.impl_->member_bytes_; }

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
  EXPECT_EQ(DeleteOne("g"), ErrorCode::kNone);
  EXPECT_TRUE(ShardInspector::DurableState(*shard_).empty());
  EXPECT_EQ(ShardInspector::PendingWrites(*shard_), 0u);
  EXPECT_EQ(shard_->counts().empty + shard_->counts().stable + shard_->counts().offsets, 0u);
}

}  // namespace
}  // namespace kb::group

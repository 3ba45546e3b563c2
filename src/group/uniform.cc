// `uniform` for members that are subscribed to the same topics.
#include "group/uniform.h"

#include "base/check.h"
#include "group/java_order.h"
#include "group/partition_of_group.h"

namespace kb::group {
namespace {

constexpr int32_t kTaken = -2;  // nobody's, because its member had too many

class Homogeneous {
 public:
  Homogeneous(const AssignorInput& input, std::span<const uint32_t> turn, OwnerTable& table)
      : input_(input), turn_(turn), table_(table) {}

  void Fill() {
    KeepWhatFits();
    HandOut();
  }

 private:
  struct WithRoom {
    int32_t member;
    size_t room;
  };
  struct Held {
    const OwnerTable::Topic* topic;
    std::vector<int32_t> partitions;
  };

  void KeepWhatFits() {
    size_t least = table_.partition_count() / turn_.size();
    size_t extra = table_.partition_count() % turn_.size();
    for (uint32_t member = 0; member < turn_.size(); ++member) {
      bool has_extra = extra > 0;
      size_t room = Keep(member, least + (has_extra ? 1 : 0));
      size_t to_come = turn_.size() - member;  // with itself
      if (has_extra && room > 0 && to_come > extra) {
        has_extra = false;
        --room;
      }
      if (has_extra) --extra;
      if (room > 0) with_room_.push_back({static_cast<int32_t>(member), room});
    }
  }

  // Returns how many the member may still get.
  size_t Keep(uint32_t member, size_t most) {
    const Assignment* assigned = input_.members[turn_[member]].assigned;
    if (assigned == nullptr) return most;
    std::vector<Held> held(assigned->topic_count());
    size_t count = 0;
    for (size_t i = 0; i < held.size(); ++i) {
      held[i].topic = table_.Find(assigned->topic_id(i));
      if (held[i].topic == nullptr) continue;
      held[i].partitions = table_.Claim(*held[i].topic, assigned->partitions(i), member);
      count += held[i].partitions.size();
    }
    if (count <= most) return most - count;
    TakeBeyond(most, *assigned, held);
    return 0;
  }

  // held: more than `most` partitions, by topic of the assignment.
  void TakeBeyond(size_t most, const Assignment& assigned, const std::vector<Held>& held) {
    std::vector<int32_t> hashes;
    for (size_t i = 0; i < held.size(); ++i) hashes.push_back(JavaHash(assigned.topic_id(i)));
    for (uint32_t i : JavaWalk(hashes, TableSize::kGrown)) {
      const std::vector<int32_t>& partitions = held[i].partitions;
      for (uint32_t at : JavaWalk(partitions, TableSize::kCopy)) {
        if (most > 0) {
          --most;
        } else {
          int32_t& owner = table_.owners(*held[i].topic)[static_cast<size_t>(partitions[at])];
          owner = kTaken;
          taken_.push_back(&owner);
        }
      }
    }
  }

  void HandOut() {
    const MemberToAssign& first = input_.members[turn_[0]];
    std::vector<int32_t> hashes;
    for (const OwnerTable::Topic& topic : table_.topics()) hashes.push_back(JavaHash(topic.id));
    for (uint32_t i : JavaWalk(hashes, TableSize::kCopy, first.subscribed_names)) {
      for (int32_t& owner : table_.owners(table_.topics()[i])) {
        if (owner == kNobody) owner = NextReceiver();
      }
    }
    for (int32_t* owner : taken_) *owner = NextReceiver();
  }

  int32_t NextReceiver() {
    while (receiver_ < with_room_.size() && with_room_[receiver_].room == 0) ++receiver_;
    KB_CHECK(receiver_ < with_room_.size());  // the rooms are as many as the partitions
    --with_room_[receiver_].room;
    return with_room_[receiver_].member;
  }

  const AssignorInput& input_;
  std::span<const uint32_t> turn_;
  OwnerTable& table_;
  std::vector<WithRoom> with_room_;
  size_t receiver_ = 0;          // of with_room_, the first that may have room
  std::vector<int32_t*> taken_;  // their owners in the table
};

}  // namespace

void FillHomogeneous(const AssignorInput& input, std::span<const uint32_t> turn, OwnerTable& table) {
  Homogeneous(input, turn, table).Fill();
}

AssignmentResult AssignUniformly(const AssignorInput& input) {
  if (input.members.empty()) return std::vector<Assignment>();
  std::vector<int32_t> hashes;
  for (const MemberToAssign& member : input.members) hashes.push_back(JavaStringHash(member.member_id));
  std::vector<uint32_t> turn = JavaWalk(hashes, TableSize::kGrown);
  Result<OwnerTable> table = OwnerTable::For(input, turn);
  if (!table.ok()) return table.error();
  if (input.homogeneous) {
    FillHomogeneous(input, turn, *table);
  } else {
    FillHeterogeneous(input, turn, *table);
  }
  return table->ByMember(turn);
}

}  // namespace kb::group

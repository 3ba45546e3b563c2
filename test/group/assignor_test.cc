// The rules of the assignors, told by small groups; equality with Apache Kafka is shown in assignor_golden_test.cc.
#include "group/assignor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/random.h"

namespace kb::group {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A group that lives from one assignment to the next. Topics have names of one letter.
class AssignorTest : public ::testing::Test {
 protected:
  static Uuid Id(char topic) { return Uuid(1, static_cast<uint64_t>(topic)); }
  void Topic(char topic, int32_t partitions) { partitions_[Id(topic)] = partitions; }

  void Subscribe(const std::string& member, const std::string& topics) {
    members_[member].topics.clear();
    for (char topic : topics) members_[member].topics.push_back(Id(topic));
  }
  void JoinStatic(const std::string& member, const std::string& instance, const std::string& topics) {
    Subscribe(member, topics);
    members_[member].instance = instance;
  }
  void Leave(const std::string& member) { members_.erase(member); }
  void Clear() { members_.clear(); }
  // Whatever it had before.
  void Give(const std::string& member, char topic, const std::vector<int32_t>& partitions) {
    std::vector<PartitionId> all;
    const Assignment& before = members_[member].assigned;
    for (size_t i = 0; i < before.topic_count(); ++i) {
      for (int32_t partition : before.partitions(i)) all.push_back({before.topic_id(i), partition});
    }
    for (int32_t partition : partitions) all.push_back({Id(topic), partition});
    members_[member].assigned = Assignment(all);
  }

  AssignmentResult Try(const std::string& assignor) {
    AssignorInput input;
    std::set<std::set<Uuid>> subscriptions;
    for (const auto& [id, member] : members_) {
      MemberToAssign spec{id, std::nullopt, member.topics, 0, &member.assigned};
      if (!member.instance.empty()) spec.instance_id = member.instance;
      input.members.push_back(spec);
      subscriptions.emplace(member.topics.begin(), member.topics.end());
    }
    input.homogeneous = subscriptions.size() <= 1;
    input.partitions_of = [this](const Uuid& id) -> std::optional<int32_t> {
      auto at = partitions_.find(id);
      return at == partitions_.end() ? std::nullopt : std::optional(at->second);
    };
    return FindAssignor(assignor)(input);
  }

  // How many partitions changed from one member to another.
  int Assign(const std::string& assignor) {
    std::map<PartitionId, std::string> before = Owners();
    AssignmentResult result = Try(assignor);
    EXPECT_TRUE(result.ok());
    size_t i = 0;
    for (auto& [id, member] : members_) member.assigned = (*result)[i++];
    CheckOwners();
    int moved = 0;
    for (const auto& [partition, owner] : Owners()) {
      auto at = before.find(partition);
      if (at != before.end() && at->second != owner) ++moved;
    }
    return moved;
  }

  std::map<PartitionId, std::string> Owners() const {
    std::map<PartitionId, std::string> owners;
    for (const auto& [id, member] : members_) {
      for (size_t i = 0; i < member.assigned.topic_count(); ++i) {
        for (int32_t partition : member.assigned.partitions(i)) owners[{member.assigned.topic_id(i), partition}] = id;
      }
    }
    return owners;
  }
  size_t Count(const std::string& member) { return members_[member].assigned.partition_count(); }
  std::vector<size_t> Counts() const {
    std::vector<size_t> counts;
    for (const auto& [id, member] : members_) counts.push_back(member.assigned.partition_count());
    return counts;
  }
  // "a: 0 1, c: 5"
  std::string Has(const std::string& member) {
    const Assignment& assigned = members_[member].assigned;
    std::string text;
    for (size_t i = 0; i < assigned.topic_count(); ++i) {
      if (i > 0) text += ", ";
      text += std::string(1, static_cast<char>(assigned.topic_id(i).bytes()[15])) + ":";
      for (int32_t partition : assigned.partitions(i)) text += " " + std::to_string(partition);
    }
    return text;
  }

 private:
  struct MemberState {
    std::string instance;
    std::vector<Uuid> topics;
    Assignment assigned;
  };

  // Every partition of a topic with subscribers is one's, who is subscribed to it.
  void CheckOwners() {
    std::set<Uuid> subscribed;
    size_t owned = 0, wanted = 0;
    for (const auto& [id, member] : members_) {
      for (const Uuid& topic : member.topics) {
        if (subscribed.insert(topic).second) wanted += static_cast<size_t>(partitions_[topic]);
      }
      owned += member.assigned.partition_count();
      for (size_t i = 0; i < member.assigned.topic_count(); ++i) {
        EXPECT_THAT(member.topics, ::testing::Contains(member.assigned.topic_id(i)));
        EXPECT_LT(member.assigned.partitions(i).back(), partitions_[member.assigned.topic_id(i)]);
        EXPECT_GE(member.assigned.partitions(i).front(), 0);
      }
    }
    EXPECT_EQ(owned, wanted);
    EXPECT_THAT(Owners(), SizeIs(wanted));
  }

  std::map<Uuid, int32_t> partitions_;
  std::map<std::string, MemberState> members_;
};

// ---- uniform, everyone subscribed to the same

TEST_F(AssignorTest, FirstAssignmentIsInRunsOneAfterTheOther) {
  Topic('a', 5);
  Subscribe("1", "a");
  Subscribe("2", "a");
  EXPECT_EQ(Assign("uniform"), 0);
  EXPECT_EQ(Has("1"), "a: 0 1");
  EXPECT_EQ(Has("2"), "a: 2 3 4") << "an extra one is kept for those who follow, lest they have one already";
}

TEST_F(AssignorTest, ANewMemberGetsItsShareAndNothingElseMoves) {
  Topic('a', 7);
  Topic('b', 5);
  Subscribe("1", "ab");
  Subscribe("2", "ab");
  Assign("uniform");
  Subscribe("3", "ab");
  EXPECT_EQ(Assign("uniform"), 4);
  EXPECT_THAT(Counts(), Each(4u));
}

TEST_F(AssignorTest, WhatALeaverHadIsSharedOutAndNothingElseMoves) {
  Topic('a', 12);
  for (const char* member : {"1", "2", "3"}) Subscribe(member, "a");
  Assign("uniform");
  Leave("2");
  EXPECT_EQ(Assign("uniform"), 0);
  EXPECT_THAT(Counts(), Each(6u));
}

TEST_F(AssignorTest, ATopicThatGrowsFillsThoseWithTheFewest) {
  Topic('a', 4);
  for (const char* member : {"1", "2", "3"}) Subscribe(member, "a");
  Assign("uniform");
  std::string last = Has("3");
  Topic('a', 6);
  EXPECT_EQ(Assign("uniform"), 0);
  EXPECT_EQ(Has("3"), last) << "has two already";
  EXPECT_THAT(Counts(), Each(2u));
}

TEST_F(AssignorTest, WhoHasAnExtraPartitionKeepsItWhereverItIsInTurn) {
  Topic('a', 4);
  for (const char* member : {"1", "2", "3"}) Subscribe(member, "a");
  Give("1", 'a', {0});
  Give("2", 'a', {1});
  Give("3", 'a', {2, 3});
  EXPECT_EQ(Assign("uniform"), 0);
  EXPECT_EQ(Has("3"), "a: 2 3");
}

TEST_F(AssignorTest, WhatIsNoLongerSubscribedToIsTakenAway) {
  Topic('a', 2);
  Topic('b', 2);
  for (const char* member : {"1", "2"}) Subscribe(member, "ab");
  Assign("uniform");
  for (const char* member : {"1", "2"}) Subscribe(member, "b");
  Assign("uniform");
  EXPECT_EQ(Count("1"), 1u);
  EXPECT_EQ(Count("2"), 1u);
}

TEST_F(AssignorTest, MoreMembersThanPartitions) {
  Topic('a', 2);
  for (const char* member : {"1", "2", "3"}) Subscribe(member, "a");
  for (const char* assignor : {"uniform", "range"}) {
    Assign(assignor);
    EXPECT_THAT(Counts(), Each(AnyOf(0u, 1u)));
  }
}

// ---- uniform, different subscriptions

TEST_F(AssignorTest, OneThatReadsBothTopicsLeavesTheOneToTheOther) {
  Topic('a', 4);
  Topic('b', 4);
  Subscribe("1", "a");
  Subscribe("2", "ab");
  Assign("uniform");
  EXPECT_EQ(Has("1"), "a: 0 1 2 3");
  EXPECT_EQ(Has("2"), "b: 0 1 2 3");
}

TEST_F(AssignorTest, DifferentSubscriptionsAreBalancedWithAsFewMovesAsThatTakes) {
  Topic('a', 6);
  Topic('b', 3);
  Subscribe("1", "a");
  Subscribe("2", "ab");
  Assign("uniform");
  EXPECT_EQ(Has("2"), "a: 4, b: 0 1 2");  // 1 had three of a, as many as 2 of b; then they took turns
  Subscribe("3", "a");
  EXPECT_EQ(Assign("uniform"), 3);
  EXPECT_THAT(Counts(), Each(3u));
}

TEST_F(AssignorTest, AMemberThatSubscribesToLessGivesTheRestToThoseWhoRead) {
  Topic('a', 4);
  Topic('b', 4);
  for (const char* member : {"1", "2"}) Subscribe(member, "ab");
  Assign("uniform");
  Subscribe("1", "a");
  Assign("uniform");
  EXPECT_EQ(Has("1"), "a: 0 1 2 3");
  EXPECT_EQ(Has("2"), "b: 0 1 2 3");
}

// ---- range

TEST_F(AssignorTest, RangesOfTopicsOfTheSameSizeAreTheSame) {
  Topic('a', 5);
  Topic('b', 5);
  for (const char* member : {"1", "2", "3"}) Subscribe(member, "ab");
  Assign("range");
  EXPECT_EQ(Has("1"), "a: 0 1, b: 0 1");
  EXPECT_EQ(Has("2"), "a: 2 3, b: 2 3");
  EXPECT_EQ(Has("3"), "a: 4, b: 4");
}

TEST_F(AssignorTest, RangesAreForSubscribersOnly) {
  Topic('a', 4);
  Topic('b', 4);
  Subscribe("1", "a");
  Subscribe("2", "ab");
  Assign("range");
  EXPECT_EQ(Has("1"), "a: 0 1");
  EXPECT_EQ(Has("2"), "a: 2 3, b: 0 1 2 3");
}

TEST_F(AssignorTest, StaticMembersStandFirstAndByInstanceId) {
  Topic('a', 4);
  Subscribe("1", "a");
  JoinStatic("2", "z", "a");
  JoinStatic("3", "y", "a");
  Assign("range");
  EXPECT_EQ(Has("3"), "a: 0 1");
  EXPECT_EQ(Has("2"), "a: 2");
  EXPECT_EQ(Has("1"), "a: 3");
  Leave("3");
  JoinStatic("9", "y", "a");  // another member id, the same place
  Assign("range");
  EXPECT_EQ(Has("9"), "a: 0 1");
}

// ---- both

TEST_F(AssignorTest, NoMembersAndNoTopics) {
  for (const char* assignor : {"uniform", "range"}) {
    Clear();
    EXPECT_THAT(*Try(assignor), IsEmpty());
    Subscribe("1", "");
    Subscribe("2", "");
    Give("1", 'a', {0});
    Assign(assignor);
    EXPECT_EQ(Count("1"), 0u);
  }
}

TEST_F(AssignorTest, ATopicThatDoesNotExistIsRefused) {
  Topic('a', 1);
  for (const char* other : {"a", "ax"}) {
    Subscribe("1", "ax");
    Subscribe("2", other);
    for (const char* assignor : {"uniform", "range"}) {
      AssignmentResult result = Try(assignor);
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.error().kind, ErrorKind::kNotFound);
    }
  }
}

TEST_F(AssignorTest, PartitionsThatDoNotExistOrAreHadTwiceCountAsNotHad) {
  Topic('a', 4);
  Topic('b', 0);
  for (const char* topics : {"ab", "b"}) {
    Subscribe("1", "ab");
    Subscribe("2", "ab");
    Subscribe("3", topics);
    for (const char* member : {"1", "2", "3"}) {
      Give(member, 'a', {-1, 0, 1, 2, 3, 4, INT32_MAX});
      Give(member, 'b', {0});
      Give(member, 'c', {0});
    }
    Assign("uniform");
  }
}

TEST_F(AssignorTest, Names) {
  EXPECT_EQ(FindAssignor("cooperative-sticky"), nullptr);
  for (std::string_view name : kAssignorNames) EXPECT_NE(FindAssignor(name), nullptr);
}

// Whatever happens: CheckOwners holds, the same subscriptions mean a difference of one at most, and who is asked again
// says the same.
TEST_F(AssignorTest, RandomGroupsAreBalancedAndSettle) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    bool alike = random.Below(2) == 0;
    auto subscription = [&] {
      std::string topics;
      for (char topic = 'a'; topic < 'h'; ++topic) {
        if (alike || random.Below(2) == 0) topics += topic;
      }
      return topics;
    };
    Clear();
    for (int step = 0; step < 10; ++step) {
      for (char topic = 'a'; topic < 'h'; ++topic) {
        if (step == 0 || random.Below(20) == 0) Topic(topic, static_cast<int32_t>(step * 4 + random.Below(30)));
      }
      for (uint64_t i = random.Below(5); i > 0; --i) Subscribe(std::to_string(random.Below(30)), subscription());
      for (uint64_t i = random.Below(5); i > 0; --i) Leave(std::to_string(random.Below(30)));
      Assign("uniform");
      std::vector<size_t> counts = Counts();
      if (alike && !counts.empty()) {
        EXPECT_LE(*std::max_element(counts.begin(), counts.end()) - *std::min_element(counts.begin(), counts.end()),
                  1u);
      }
      std::map<PartitionId, std::string> settled = Owners();
      Assign("uniform");
      EXPECT_EQ(Owners(), settled);
    }
  }
}

TEST_F(AssignorTest, ALargeGroupIsQuick) {
  for (char topic = 'a'; topic <= 'j'; ++topic) Topic(topic, 1000);
  for (int i = 0; i < 2000; ++i) Subscribe("member-" + std::to_string(i), i % 2 == 0 ? "abcdefghij" : "jihgfedcba");
  Assign("uniform");
  EXPECT_THAT(Counts(), Each(5u));
  Subscribe("one more", "abcde");
  EXPECT_LE(Assign("uniform"), 10);
  Assign("range");
}

// ---- Assignment

TEST(AssignmentTest, IsInOrderHoweverItCame) {
  Uuid a(1, 0), b(2, 0);
  Assignment assignment({{b, 1}, {a, 7}, {a, 3}, {b, 1}});
  EXPECT_EQ(assignment.topic_count(), 2u);
  EXPECT_EQ(assignment.partition_count(), 3u);
  EXPECT_EQ(assignment.topic_id(0), a);
  EXPECT_THAT(assignment.partitions(0), ::testing::ElementsAre(3, 7));
  EXPECT_THAT(assignment.partitions_of(b), ::testing::ElementsAre(1));
  EXPECT_THAT(assignment.partitions_of(Uuid(3, 0)), IsEmpty());
  EXPECT_TRUE(assignment.Has(a, 7));
  EXPECT_FALSE(assignment.Has(a, 4));
  EXPECT_FALSE(assignment.Has(Uuid(1, 1), 7));
  EXPECT_EQ(assignment, Assignment({{a, 3}, {a, 7}, {b, 1}}));
  EXPECT_NE(assignment, Assignment({{a, 3}, {b, 7}, {b, 1}}));
  EXPECT_TRUE(Assignment().empty());
}

}  // namespace
}  // namespace kb::group

// The walk over all committed offsets: whatever the size of a page, each is seen once, in order, of groups of every
// type.
#include <gmock/gmock.h>

#include "group/shard_fixture.h"

namespace kb::group {
namespace {

class OffsetsPageTest : public ShardFixture {
 protected:
  void CommitOne(const std::string& group, const std::string& topic, int32_t partition, int64_t offset,
                 Uuid topic_id = Uuid()) {
    OffsetCommitRequest request;
    request.group_id = group;
    request.topics.emplace_back();
    request.topics[0].name = topic;
    request.topics[0].topic_id = topic_id;
    request.topics[0].partitions.emplace_back();
    request.topics[0].partitions[0].index = partition;
    request.topics[0].partitions[0].committed_offset = offset;
    Commit(std::move(request));
  }
  static void List(const OffsetsPage& page, std::vector<std::string>& into) {
    for (const auto& group : page.groups) {
      for (const auto& topic : group.topics) {
        for (const auto& partition : topic.partitions) {
          into.push_back(group.id + "/" + topic.name + "/" + std::to_string(partition.index) + "=" +
                         std::to_string(partition.offset));
        }
      }
    }
  }
  std::vector<std::string> Walk(size_t most, size_t* pages = nullptr) {
    std::vector<std::string> all;
    OffsetsPlace place;
    for (int i = 0; i < 10'000; ++i) {
      OffsetsPage page = shard_->OffsetsAfter(place, most);
      const size_t before = all.size();
      List(page, all);
      EXPECT_LE(all.size() - before, most);
      if (pages != nullptr) ++*pages;
      if (page.is_last) return all;
      place = page.next;
    }
    ADD_FAILURE() << "it does not end";
    return all;
  }
};

TEST_F(OffsetsPageTest, OfAShardWithoutAnyIsEmpty) {
  EXPECT_TRUE(shard_->OffsetsAfter({}, 1).is_last);
  Join();
  Pass(3'000);
  EXPECT_THAT(Walk(1), testing::IsEmpty());
}

TEST_F(OffsetsPageTest, EachIsSeenOnceWhateverTheSizeOfAPage) {
  std::vector<std::string> wanted;
  for (const char* group : {"", "a", "a\x01", "ab", "b"}) {
    for (const char* topic : {"t", "t.1", "u"}) {
      for (int32_t partition : {0, 1, 2, 10, INT32_MAX}) {
        CommitOne(group, topic, partition, partition % 7);
        wanted.push_back(std::string(group) + "/" + topic + "/" + std::to_string(partition) + "=" +
                         std::to_string(partition % 7));
      }
    }
  }
  for (size_t most : {1, 2, 3, 5, 7, 15, 16, 17, 1'000}) {
    size_t pages = 0;
    EXPECT_EQ(Walk(most, &pages), wanted) << most;
    EXPECT_GE(pages * most, wanted.size());
  }
}

TEST_F(OffsetsPageTest, ShowsWhatIsCommittedAndNothingElse) {
  CommitOne("a", "t", 0, 1, Uuid(1, 2));
  hold_commits_ = true;
  CommitOne("a", "t", 0, 5);
  CommitOne("a", "t", 1, 5);
  CommitOne("new", "t", 1, 5);
  EXPECT_EQ(Walk(2), std::vector<std::string>{"a/t/0=1"});
  EXPECT_EQ(shard_->OffsetsAfter({}, 10).groups[0].topics[0].partitions[0].topic_id, Uuid(1, 2));
  CommitAll();
  EXPECT_EQ(Walk(2), (std::vector<std::string>{"a/t/0=5", "a/t/1=5", "new/t/1=5"}));
}

TEST_F(OffsetsPageTest, GoesOnWhereItWasWhenGroupsComeAndGo) {
  CommitOne("b", "t", 0, 1);
  CommitOne("b", "t", 1, 1);
  CommitOne("d", "t", 0, 1);
  OffsetsPage first = shard_->OffsetsAfter({}, 1);
  Run(shard_->DeleteGroups(NewTicket(), {{"b"}}, now_));
  CommitOne("a", "t", 0, 1);
  CommitOne("c", "t", 0, 1);
  std::vector<std::string> rest;
  List(shard_->OffsetsAfter(first.next, 100), rest);
  EXPECT_EQ(rest, (std::vector<std::string>{"c/t/0=1", "d/t/0=1"}));
}

TEST_F(OffsetsPageTest, OfAnUnloadedShardIsEmpty) {
  CommitOne("a", "t", 0, 1);
  Deliver(shard_->Unload(ErrorCode::kNotCoordinator));
  EXPECT_TRUE(shard_->OffsetsAfter({}, 10).groups.empty());
}

}  // namespace
}  // namespace kb::group

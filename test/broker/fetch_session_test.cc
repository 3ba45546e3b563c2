// Incremental fetch sessions: what a client must send is told, what it need not hear again is left out.
#include "broker/fetch_session.h"

#include <gtest/gtest.h>

namespace kb::broker {
namespace {

class FetchSessionTest : public ::testing::Test {
 protected:
  static FetchPartition Want(std::string_view topic, int32_t partition, int64_t offset = 0) {
    FetchPartition wanted;
    wanted.key = {Uuid(), PoolString(topic), partition};
    wanted.fetch_offset = offset;
    return wanted;
  }

  FetchContext Ask(int32_t id, int32_t epoch, PoolVector<FetchPartition> partitions = {},
                   PoolVector<FetchKey> forgotten = {}) {
    FetchSessionRequest request;
    request.session_id = id;
    request.epoch = epoch;
    request.partitions = std::move(partitions);
    request.forgotten = std::move(forgotten);
    return cache_.Begin(std::move(request), now_ms_);
  }

  static FetchOutcome At(int64_t high_watermark, bool has_records = false) {
    FetchOutcome outcome;
    outcome.high_watermark = high_watermark;
    outcome.log_start_offset = 0;
    outcome.has_records = has_records;
    return outcome;
  }

  int32_t Open(PoolVector<FetchPartition> partitions) {
    FetchContext context = Ask(0, 0, partitions);
    context.Finish(PoolVector<FetchOutcome>(partitions.size(), At(0)));
    return context.session_id();
  }

  Random random_{7};
  int64_t now_ms_ = 1'000'000;
  FetchSessionCache cache_{FetchSessionCache::Options{.slots = 2, .reactor_index = 1, .reactors = 4}, random_};
};

TEST_F(FetchSessionTest, WithoutASessionEverythingIsTold) {
  FetchContext context = Ask(0, -1, {Want("a", 0)});
  EXPECT_EQ(context.session_id(), 0);
  EXPECT_EQ(context.Finish({At(0)}), PoolVector<bool>{true});
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(FetchSessionTest, AFullRequestOpensASessionWhoseIdNamesItsReactor) {
  int32_t id = Open({Want("a", 0)});
  EXPECT_GT(id, 0);
  EXPECT_EQ(id % 4, 1);
}

TEST_F(FetchSessionTest, WhatHasNotChangedIsNotToldAgain) {
  int32_t id = Open({Want("a", 0), Want("a", 1)});
  FetchContext context = Ask(id, 1);
  ASSERT_EQ(context.error(), ErrorCode::kNone);
  ASSERT_EQ(context.partitions().size(), 2u);
  EXPECT_EQ(context.Finish({At(0), At(5)}), (PoolVector<bool>{false, true})) << "only the second's high watermark moved";
}

TEST_F(FetchSessionTest, AnErrorIsToldEachTimeAndSoIsItsEnd) {
  int32_t id = Open({Want("a", 0)});
  FetchOutcome failed = At(-1);
  failed.error = ErrorCode::kNotLeaderOrFollower;
  EXPECT_TRUE(Ask(id, 1).Finish({failed})[0]);
  EXPECT_TRUE(Ask(id, 2).Finish({failed})[0]);
  EXPECT_TRUE(Ask(id, 3).Finish({At(0)})[0]);
  EXPECT_FALSE(Ask(id, 4).Finish({At(0)})[0]);
}

TEST_F(FetchSessionTest, WhoGotRecordsGoesToTheEnd) {
  int32_t id = Open({Want("a", 0), Want("a", 1)});
  Ask(id, 1).Finish({At(9, true), At(0)});
  FetchContext next = Ask(id, 2);
  EXPECT_EQ(next.partitions()[0].key.partition, 1);
  EXPECT_EQ(next.partitions()[1].key.partition, 0);
}

TEST_F(FetchSessionTest, AWrongEpochIsRefusedAndTheSessionSurvives) {
  int32_t id = Open({Want("a", 0)});
  EXPECT_EQ(Ask(id, 2).error(), ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(Ask(id, 1).error(), ErrorCode::kNone);
}

TEST_F(FetchSessionTest, AnUnknownSessionIsRefused) { EXPECT_EQ(Ask(12345, 1).error(), ErrorCode::kFetchSessionIdNotFound); }

TEST_F(FetchSessionTest, NamesAndIdsDoNotMix) {
  int32_t id = Open({Want("a", 0)});
  FetchSessionRequest request;
  request.session_id = id;
  request.epoch = 1;
  request.by_topic_id = true;
  FetchPartition wanted;
  wanted.key = {Uuid(1, 2), "", 0};
  request.partitions = {wanted};
  EXPECT_EQ(cache_.Begin(request, now_ms_).error(), ErrorCode::kFetchSessionTopicIdError);
}

TEST_F(FetchSessionTest, ForgettingTheLastPartitionEndsTheSession) {
  int32_t id = Open({Want("a", 0)});
  FetchContext context = Ask(id, 1, {}, {Want("a", 0).key});
  EXPECT_EQ(context.session_id(), 0);
  EXPECT_TRUE(context.partitions().empty());
  EXPECT_EQ(cache_.size(), 0u);
  EXPECT_EQ(cache_.partitions(), 0u);
}

TEST_F(FetchSessionTest, AReplacedOffsetCounts) {
  int32_t id = Open({Want("a", 0, 0)});
  FetchContext context = Ask(id, 1, {Want("a", 0, 42)});
  ASSERT_EQ(context.partitions().size(), 1u);
  EXPECT_EQ(context.partitions()[0].fetch_offset, 42);
}

TEST_F(FetchSessionTest, AFullCacheLetsOnlyTheLongIdleGo) {
  int32_t first = Open({Want("a", 0)});
  Open({Want("a", 1)});
  EXPECT_EQ(Open({Want("a", 2)}), 0) << "both are in use";
  now_ms_ += 120'001;
  EXPECT_NE(Open({Want("a", 3)}), 0);
  EXPECT_EQ(Ask(first, 1).error(), ErrorCode::kFetchSessionIdNotFound);
}

TEST_F(FetchSessionTest, ClosingWithTheFinalEpochDropsIt) {
  int32_t id = Open({Want("a", 0)});
  EXPECT_EQ(Ask(id, -1).session_id(), 0);
  EXPECT_EQ(cache_.size(), 0u);
}

}  // namespace
}  // namespace kb::broker

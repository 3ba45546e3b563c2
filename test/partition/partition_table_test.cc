// Partitions on real reactors, a real disk pool and real files: what is acknowledged, to whom it is visible, and what
// happens to those who wait. Runs under the thread sanitizer, too: two reactors share one home's partition.
#include "partition/partition_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <set>

#include "reactor/reactor_group.h"
#include "reactor/run_on.h"
#include "record/builder.h"

namespace kb::partition {
namespace {

constexpr BrokerId kNode{1};

class PartitionTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "partition-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto group = reactor::ReactorGroup::Create({.reactors = 2, .seed = 1}, SystemClock());
    ASSERT_TRUE(group.ok());
    reactors_ = std::move(*group);
    PartitionTable::Environment environment{
        reactors_->at(0), disk_, io::RealFileSystem(), SystemClock(), NullLogSink(), kNode,
        [this](const std::string&, const Error&) { ++storage_failures_; }};
    table_ = std::make_unique<PartitionTable>(environment);
    reactors_->Start();
  }

  void TearDown() override {
    reactors_->Stop();
    disk_.Stop();
    reactors_->Discard();
    {
      reactor::Reactor::Scope scope(reactors_->at(0));
      table_.reset();
    }
    std::filesystem::remove_all(directory_);
  }

  // Runs a coroutine on a reactor and waits for its end.
  template <typename F>
  void On(size_t reactor, F f) {
    std::promise<void> done;
    reactor::Reactor& target = reactors_->at(reactor);
    target.Post([&] {
      target.Spawn([&]() -> reactor::Task<void> {
        reactor::Task<void> task = f();
        co_await task;
        done.set_value();
      });
    });
    done.get_future().get();
  }

  OpenRequest Request(Durability durability = Durability::kAuto) const {
    OpenRequest request;
    request.id = id_;
    request.name = {"topic", 0};
    request.config.durability = durability;
    request.leadership.leader = kNode;
    request.data_directory = directory_;
    return request;
  }

  static std::vector<uint8_t> Batch(int records, int32_t first_sequence = record::kNoSequence) {
    record::BatchOptions options;
    if (first_sequence != record::kNoSequence) {
      options.producer_id = ProducerId(7);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = first_sequence;
    }
    record::BatchBuilder builder(options);
    for (int i = 0; i < records; ++i) builder.Append(SystemClock().WallMs(), std::nullopt, AsBytes("value"));
    return builder.Build();
  }

  // What one Produce of one batch says.
  reactor::Task<ProduceOutcome> Produce(std::vector<uint8_t>& batch, int16_t acks) {
    std::vector<ProduceItem> items{{id_, batch}};
    std::vector<ProduceOutcome> outcomes(1);
    const ProduceOptions options{.acks = acks, .api_version = 9, .timeout_ms = 30'000};
    auto produce = table_->Produce(items, options, outcomes);
    if (produce.valid()) co_await produce;
    co_return std::move(outcomes[0]);
  }

  std::string directory_;
  std::unique_ptr<reactor::ReactorGroup> reactors_;
  reactor::ThreadDiskPool disk_{2};
  std::unique_ptr<PartitionTable> table_;
  std::atomic<int> storage_failures_{0};
  const PartitionId id_{Uuid(1, 2), 0};
};

TEST_F(PartitionTableTest, AcksAllIsAnsweredWhenTheBatchIsFlushed) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    Status opened = co_await open;
    EXPECT_TRUE(opened.ok());
    std::vector<uint8_t> batch = Batch(3);
    auto produce = Produce(batch, -1);
    ProduceOutcome outcome = co_await produce;
    EXPECT_EQ(outcome.error, ErrorCode::kNone);
    EXPECT_EQ(outcome.base_offset, 0);
    std::shared_ptr<Partition> partition = table_->Find(id_);
    EXPECT_EQ(partition->high_watermark(), Offset(3));
    EXPECT_GE(partition->log().recovery_point(), Offset(3));
  });
}

TEST_F(PartitionTableTest, UnderTheRuleOfThePageCacheReadersSeeWhatIsAppended) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request(Durability::kOs));
    (void)co_await open;
    std::vector<uint8_t> batch = Batch(3);
    auto produce = Produce(batch, 1);
    ProduceOutcome outcome = co_await produce;
    EXPECT_EQ(outcome.error, ErrorCode::kNone);
    EXPECT_EQ(table_->Find(id_)->high_watermark(), Offset(3));
  });
}

TEST_F(PartitionTableTest, ADuplicateIsAnsweredWithTheFirstOffsetAndAGapIsRefused) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    (void)co_await open;
    std::vector<uint8_t> first = Batch(2, 0);
    std::vector<uint8_t> again = Batch(2, 0);
    std::vector<uint8_t> gap = Batch(1, 9);
    auto one = Produce(first, -1);
    ProduceOutcome stored = co_await one;
    auto two = Produce(again, -1);
    ProduceOutcome repeated = co_await two;
    auto three = Produce(gap, -1);
    ProduceOutcome refused = co_await three;
    EXPECT_EQ(stored.base_offset, 0);
    EXPECT_EQ(repeated.error, ErrorCode::kNone);
    EXPECT_EQ(repeated.base_offset, 0);
    EXPECT_EQ(refused.error, ErrorCode::kOutOfOrderSequenceNumber);
    EXPECT_EQ(table_->Find(id_)->log_end_offset(), Offset(2));
  });
}

TEST_F(PartitionTableTest, BothReactorsAppendAndEachBatchGetsAPlaceOfItsOwn) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    (void)co_await open;
  });
  constexpr int kBatches = 200;
  std::array<std::vector<int64_t>, 2> offsets;
  std::promise<void> finished[2];
  for (size_t reactor : {size_t{0}, size_t{1}}) {
    reactor::Reactor& here = reactors_->at(reactor);
    here.Post([&, reactor] {
      here.Spawn([&, reactor]() -> reactor::Task<void> {
        for (int i = 0; i < kBatches; ++i) {
          std::vector<uint8_t> batch = Batch(1);
          auto at_home = [&] { return Produce(batch, -1); };
          auto call = reactor::RunOn(reactors_->at(0), at_home);
          ProduceOutcome outcome = co_await call;
          offsets[reactor].push_back(outcome.base_offset);
        }
        finished[reactor].set_value();
      });
    });
  }
  for (auto& one : finished) one.get_future().get();
  std::set<int64_t> all;
  for (const auto& some : offsets) {
    EXPECT_TRUE(std::is_sorted(some.begin(), some.end())) << "a producer's batches stay in order";
    all.insert(some.begin(), some.end());
  }
  EXPECT_EQ(all.size(), 2u * kBatches);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), 2 * kBatches - 1);
}

TEST_F(PartitionTableTest, AWatchFiresWhenItsBytesHaveArrivedAndNotBefore) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    (void)co_await open;
    std::vector<uint8_t> first = Batch(1);
    std::vector<uint8_t> second = Batch(1);
    bool fired = false;
    auto watch = std::make_shared<Watch>([&fired] { fired = true; }, static_cast<int64_t>(first.size()) + 1);
    const Offset seen(0);
    table_->AddWatch({&id_, 1}, {&seen, 1}, watch);
    auto one = Produce(first, -1);
    (void)co_await one;
    EXPECT_FALSE(fired);
    auto two = Produce(second, -1);
    (void)co_await two;
    EXPECT_TRUE(fired);
  });
}

TEST_F(PartitionTableTest, WhoWaitsForADeletedPartitionIsToldSoAndNothingOfItStays) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    (void)co_await open;
    bool fired = false;
    auto watch = std::make_shared<Watch>([&fired] { fired = true; }, 1);
    const Offset seen(0);
    table_->AddWatch({&id_, 1}, {&seen, 1}, watch);
    auto remove = table_->Delete(id_, /*file_delete_delay_ms=*/3'600'000);
    Status removed = co_await remove;
    EXPECT_TRUE(removed.ok());
    EXPECT_TRUE(fired);
    std::vector<uint8_t> batch = Batch(1);
    auto produce = Produce(batch, -1);
    ProduceOutcome outcome = co_await produce;
    EXPECT_EQ(outcome.error, ErrorCode::kUnknownTopicOrPartition);
  });
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/topic-0"));
}

TEST_F(PartitionTableTest, WhatWasAcknowledgedIsThereAfterReopening) {
  On(0, [this]() -> reactor::Task<void> {
    auto open = table_->Open(Request());
    (void)co_await open;
    std::vector<uint8_t> batch = Batch(5);
    auto produce = Produce(batch, -1);
    (void)co_await produce;
  });
  On(0, [this]() -> reactor::Task<void> {
    PartitionTable::Environment environment{reactors_->at(0), disk_, io::RealFileSystem(), SystemClock(),
                                            NullLogSink(),    kNode, [](const std::string&, const Error&) {}};
    PartitionTable second(environment);
    auto open = second.Open(Request());
    Status opened = co_await open;
    EXPECT_TRUE(opened.ok());
    EXPECT_EQ(second.Find(id_)->log_end_offset(), Offset(5));
    EXPECT_EQ(second.Find(id_)->high_watermark(), Offset(5)) << "flushed before it is served";
  });
}

TEST_F(PartitionTableTest, EpochsThatDoNotFitAreTold) {
  On(0, [this]() -> reactor::Task<void> {
    OpenRequest request = Request();
    request.leadership.leader_epoch = LeaderEpoch(5);
    auto open = table_->Open(std::move(request));
    (void)co_await open;
    for (auto [epoch, expected] : {std::pair(4, ErrorCode::kFencedLeaderEpoch),
                                   std::pair(6, ErrorCode::kUnknownLeaderEpoch), std::pair(5, ErrorCode::kNone)}) {
      ReadRequest read;
      read.id = id_;
      read.max_bytes = 1000;
      read.current_leader_epoch = LeaderEpoch(epoch);
      ReadOutcome outcome;
      auto reading = table_->Read({&read, 1}, {&outcome, 1});
      EXPECT_FALSE(reading.valid()) << "there is nothing to wait for";
      EXPECT_EQ(outcome.error, expected);
    }
  });
}

}  // namespace
}  // namespace kb::partition

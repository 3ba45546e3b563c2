// A table of partitions in one thread: opening, deleting, and the order of what came in order.
#include <deque>

#include "partition/fixture.h"

namespace kb::partition {
namespace {

using test::IoCall;
using test::PowerLoss;

class TableOrderTest : public PartitionFixture {
 protected:
  // Opening, and not open before RunDisk().
  OpenRequest BeginOpen(const std::string& topic) {
    OpenRequest request = RequestFor(topic);
    Begin([this, request] { return table_->Open(request); });
    return request;
  }
  // The job of this opening alone.
  void FinishOpen(const OpenRequest& request) {
    while (table_->Find(request.id) == nullptr) RunOneJob();
  }
};

TEST_F(TableOrderTest, RequestsWaitForAPartitionThatIsOpening) {
  OpenRequest request = BeginOpen("topic");
  EXPECT_EQ(table_->Find(request.id), nullptr);
  EXPECT_EQ(table_->ErrorOf(request.id), ErrorCode::kNone);
  auto produced = BeginProduce(request.id, Batch(1), 1);
  ReadRequest at = At(0);
  at.id = request.id;
  auto read = BeginReadOf(at);
  EXPECT_FALSE(produced->has_value());
  EXPECT_FALSE(read->has_value());
  RunDisk();
  ASSERT_TRUE(produced->has_value());
  EXPECT_EQ((*produced)->error, ErrorCode::kNone);
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((**read).error, ErrorCode::kNone);
}

TEST_F(TableOrderTest, WhatARequestWaitsForIsOpenedBeforeTheOthers) {
  std::vector<OpenRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back(BeginOpen("topic-" + std::to_string(i)));
  const size_t at_once = disk_->waiting();
  EXPECT_LT(at_once, 10u) << "others need the disk, too";
  auto produced = BeginProduce(requests[17].id, Batch(1), 1);
  ReadRequest at = At(0);
  at.id = requests[18].id;
  auto read = BeginReadOf(at);
  for (size_t i = 0; i < at_once + 2; ++i) RunOneJob();
  EXPECT_TRUE(produced->has_value());
  EXPECT_TRUE(read->has_value());
  EXPECT_EQ(table_->Find(requests[16].id), nullptr);
  EXPECT_EQ(table_->done_opening(), at_once + 2);
  RunDisk();
  EXPECT_EQ(table_->done_opening(), requests.size());
  for (const OpenRequest& request : requests) EXPECT_NE(table_->Find(request.id), nullptr);
}

TEST_F(TableOrderTest, ARetentionThatFailsTakesThePartitionOffline) {
  PartitionConfig config;
  config.log.segment_bytes = 200;
  config.log.retention_bytes = 1;
  auto partition = Open("topic", config);
  for (int i = 0; i < 5; ++i) Produce(partition, Batch(1));
  RunDisk();
  files_.FailNth(IoCall::kRename, 1, EIO);
  auto retained = Begin([this]() -> reactor::Task<bool> {
    auto retain = table_->ApplyRetention();
    co_await retain;
    co_return true;
  });
  RunDisk();
  ASSERT_TRUE(retained->has_value());
  EXPECT_TRUE(partition->offline());
  EXPECT_EQ(failed_directories_.size(), 1u);
}

TEST_F(TableOrderTest, APartitionThatCannotBeOpenedAnswersStorageErrors) {
  OpenRequest request = RequestFor("topic");
  files_.FailNth(IoCall::kMakeDirectory, 1, EIO);
  Status opened = Await([&] { return table_->Open(request); });
  EXPECT_FALSE(opened.ok());
  EXPECT_EQ(table_->ErrorOf(request.id), ErrorCode::kKafkaStorageError);
  auto produced = BeginProduce(request.id, Batch(1), kAcksAll);
  ASSERT_TRUE(produced->has_value());
  EXPECT_EQ((*produced)->error, ErrorCode::kKafkaStorageError);
}

TEST_F(TableOrderTest, AProduceTellsWhenItWasAppendedAndWhenItWasOnTheDisk) {
  auto partition = Open("topic");
  std::deque<std::vector<uint8_t>> batches;
  auto produce = [&](int16_t acks, ProduceStamps& stamps, int32_t timeout_ms = 30'000) {
    batches.push_back(Batch(1));
    const ProduceOptions options{.acks = acks, .api_version = 9, .timeout_ms = timeout_ms, .stamps = &stamps};
    return Begin([this, id = partition->id(), &batch = batches.back(), options]() -> reactor::Task<ErrorCode> {
      const std::vector<ProduceItem> items{{id, batch}};
      std::vector<ProduceOutcome> outcomes(1);
      auto produce = table_->Produce(items, options, outcomes);
      if (produce.valid()) co_await produce;
      co_return outcomes[0].error;
    });
  };
  auto now_ns = [this] { return scheduler_.clock().MonotonicNs(); };

  ProduceStamps one;
  PassTime(1);
  EXPECT_TRUE(produce(1, one)->has_value());
  EXPECT_EQ(one.appended_ns, now_ns());
  EXPECT_EQ(one.durable_ns, 0) << "nobody waited for that";

  ProduceStamps all;
  PassTime(2);
  auto waiting = produce(kAcksAll, all);
  EXPECT_EQ(all.appended_ns, now_ns());
  PassTime(7);
  EXPECT_FALSE(waiting->has_value());
  RunDisk();
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ(all.durable_ns, now_ns());
  EXPECT_EQ(all.durable_ns - all.appended_ns, 7 * kNsPerMs);
  EXPECT_EQ(all.begun_ns, 0) << "who brings it over notes that";

  ProduceStamps late;
  auto timed_out = produce(kAcksAll, late, 20);
  PassTime(50);
  ASSERT_TRUE(timed_out->has_value());
  EXPECT_EQ(**timed_out, ErrorCode::kRequestTimedOut);
  EXPECT_EQ(late.durable_ns - late.appended_ns, 20 * kNsPerMs) << "the time was over then";
  RunDisk();
}

TEST_F(TableOrderTest, TrafficIsWhatProducersBroughtToAPartition) {
  auto first = Open("first");
  auto second = Open("second");
  const std::vector<uint8_t> batch = Batch(3);
  Produce(first, batch);
  Produce(first, batch);
  EXPECT_EQ(table_->TrafficOf(first->id()).records, 6u);
  EXPECT_EQ(table_->TrafficOf(first->id()).bytes, 2 * batch.size());
  EXPECT_EQ(table_->TrafficOf(second->id()).records, 0u);
  EXPECT_EQ(table_->TrafficOf(RequestFor("nobody").id).bytes, 0u);
  RunDisk();
}

TEST_F(TableOrderTest, WhatIsNotHereIsUnknown) {
  auto produced = BeginProduce(RequestFor("nobody").id, Batch(1), 1);
  ASSERT_TRUE(produced->has_value());
  EXPECT_EQ((*produced)->error, ErrorCode::kUnknownTopicOrPartition);
  int fired = 0;
  On([&] {
    const PartitionId id = RequestFor("nobody").id;
    const Offset seen(0);
    table_->AddWatch({&id, 1}, {&seen, 1}, std::make_shared<Watch>([&] { ++fired; }, 1000));
  });
  EXPECT_EQ(fired, 1) << "who waits for it looks again, and is told";
}

TEST_F(TableOrderTest, BatchesOfTwoRequestsStayInTheirOrder) {
  auto partition = Open("topic");
  std::vector<Pending<ProduceOutcome>> answers;
  for (int32_t i = 0; i < 8; ++i) answers.push_back(BeginProduce(partition->id(), BatchOf(ProducerId(7), i), kAcksAll));
  RunDisk();
  for (int32_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(answers[static_cast<size_t>(i)]->has_value());
    EXPECT_EQ((*answers[static_cast<size_t>(i)])->base_offset, i);
  }
}

TEST_F(TableOrderTest, WhatUnpacksToMuchIsLookedAtOnTheDiskPoolAndKeepsItsPlace) {
  auto partition = Open("topic");
  record::BatchOptions options;
  options.codec = record::Codec::kZstd;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 0;
  auto large = BeginProduce(partition->id(), Batch(1, options, 4 << 20), 1);
  auto next = BeginProduce(partition->id(), BatchOf(ProducerId(7), 1), 1);
  options.base_sequence = 2;
  auto third = BeginProduce(partition->id(), Batch(1, options, 4 << 20), 1);
  EXPECT_FALSE(large->has_value());
  EXPECT_FALSE(next->has_value()) << "it must not overtake";
  RunDisk();
  ASSERT_TRUE(large->has_value() && next->has_value() && third->has_value());
  EXPECT_EQ((*large)->base_offset, 0);
  EXPECT_EQ((*next)->base_offset, 1);
  EXPECT_EQ((*third)->base_offset, 2);
  auto small = BeginProduce(partition->id(), Batch(1, {.codec = record::Codec::kZstd}, 1000), 1);
  EXPECT_TRUE(small->has_value());
}

TEST_F(TableOrderTest, APartitionThatGoesWhileItsBatchIsLookedAtAnswers) {
  auto partition = Open("topic");
  auto large = BeginProduce(partition->id(), Batch(1, {.codec = record::Codec::kGzip}, 4 << 20), 1);
  On([&] { partition->Retire(); });
  RunDisk();
  ASSERT_TRUE(large->has_value());
  EXPECT_EQ((*large)->error, ErrorCode::kUnknownTopicOrPartition);
}

// While the request waits for a partition that is opening, the disk under the other one fails.
TEST_F(TableOrderTest, WhatFailedBeforeItCouldBeWaitedForIsNoSuccess) {
  for (const char* other : {"/other", "/data"}) {
    SCOPED_TRACE(other);
    const std::string name = std::string("of") + (other + 1);
    auto partition = Open("topic-" + name);
    OpenRequest opening = RequestFor("opening-" + name, {.durability = Durability::kOs}, other);
    Begin([this, opening] { return table_->Open(opening); });
    auto produced = BeginProduceAll({{partition->id(), Batch(1)}, {opening.id, Batch(1)}}, kAcksAll);
    On([&] { partition->TakeOffline(Error{ErrorKind::kIo, "the device failed", EIO}); });
    FinishOpen(opening);
    RunDisk();
    ASSERT_TRUE(produced->has_value());
    EXPECT_EQ((**produced)[0].error, ErrorCode::kKafkaStorageError);
    EXPECT_EQ((**produced)[1].error, ErrorCode::kNone);
  }
}

// The first request waits for a partition that is opening. Its batch for the one that is open must not be overtaken.
TEST_F(TableOrderTest, WaitingForAnotherPartitionLetsNobodyOvertake) {
  auto open = Open("open");
  OpenRequest opening = BeginOpen("opening");
  auto first = BeginProduceAll({{opening.id, Batch(1)}, {open->id(), BatchOf(ProducerId(7), 0)}}, kAcksAll);
  auto second = BeginProduce(open->id(), BatchOf(ProducerId(7), 1), kAcksAll);
  RunDisk();
  ASSERT_TRUE(first->has_value() && second->has_value());
  EXPECT_EQ((**first)[1].error, ErrorCode::kNone);
  EXPECT_EQ((**first)[1].base_offset, 0);
  EXPECT_EQ((*second)->error, ErrorCode::kNone);
  EXPECT_EQ((*second)->base_offset, 1);
}

// Both wait, the first for two partitions; the one that both want opens first.
TEST_F(TableOrderTest, TheOneThatWaitedFirstAppendsFirst) {
  OpenRequest wanted = BeginOpen("wanted");
  OpenRequest late = BeginOpen("late");
  auto first = BeginProduceAll({{late.id, Batch(1)}, {wanted.id, BatchOf(ProducerId(7), 0)}}, kAcksAll);
  auto second = BeginProduce(wanted.id, BatchOf(ProducerId(7), 1), kAcksAll);
  FinishOpen(wanted);
  auto third = BeginProduce(wanted.id, BatchOf(ProducerId(7), 2), kAcksAll);
  RunDisk();
  ASSERT_TRUE(first->has_value() && second->has_value() && third->has_value());
  EXPECT_EQ((**first)[1].base_offset, 0);
  EXPECT_EQ((*second)->base_offset, 1);
  EXPECT_EQ((*third)->base_offset, 2);
}

TEST_F(TableOrderTest, AProduceThatTimesOutIsToldSoAndTheRecordStays) {
  auto partition = Open("topic");
  auto late = BeginProduce(partition->id(), Batch(1), kAcksAll, /*timeout_ms=*/50);
  PassTime(49);
  EXPECT_FALSE(late->has_value());
  PassTime(2);
  ASSERT_TRUE(late->has_value());
  EXPECT_EQ((*late)->error, ErrorCode::kRequestTimedOut);
  RunDisk();
  EXPECT_EQ(partition->high_watermark(), Offset(1));
}

TEST_F(TableOrderTest, OneOfARequestsPartitionsFailsAlone) {
  auto good = Open("good");
  auto both = BeginProduceAll({{good->id(), Batch(1)}, {RequestFor("nobody").id, Batch(1)}}, kAcksAll);
  RunDisk();
  ASSERT_TRUE(both->has_value());
  EXPECT_EQ((**both)[0].error, ErrorCode::kNone);
  EXPECT_EQ((**both)[1].error, ErrorCode::kUnknownTopicOrPartition);
}

// ---- deleting

TEST_F(TableOrderTest, DeletingAnswersWhoWaitsAndTakesTheFilesLater) {
  auto partition = Open("topic");
  PartitionId id = partition->id();
  auto waiting = BeginProduce(id, Batch(1), kAcksAll);
  int fired = 0;
  Watching(partition, 1, &fired);
  auto deleted = Begin([this, id] { return table_->Delete(id, /*file_delete_delay_ms=*/1000); });
  EXPECT_EQ(table_->ErrorOf(id), ErrorCode::kUnknownTopicOrPartition);
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(fired, 1);
  RunDisk();
  ASSERT_TRUE(deleted->has_value());
  EXPECT_FALSE(*files_.Exists("/data/topic-0"));
  EXPECT_FALSE(files_.Contents().empty()) << "still there, under another name";
  PassTime(1001);
  RunDisk();
  EXPECT_TRUE(files_.Contents().empty());
}

TEST_F(TableOrderTest, WhatIsDeletedTakesNoMoreRecords) {
  auto partition = Open("topic");
  Produce(partition, Batch(1));
  EXPECT_TRUE(Await([&] { return table_->Delete(partition->id(), 1000); }).ok());
  std::vector<uint8_t> batch = Batch(1);
  record::Decompressor decompressor;
  ProduceOutcome outcome = On([&] { return partition->Produce(batch, {}, decompressor); });
  EXPECT_EQ(outcome.error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Read(partition, At(0)).error, ErrorCode::kUnknownTopicOrPartition);
  RunDisk();
  EXPECT_TRUE(failed_directories_.empty()) << "its directory is gone on purpose";
}

TEST_F(TableOrderTest, DeletingWaitsForTheOpening) {
  OpenRequest request = BeginOpen("topic");
  auto deleted = Begin([this, request] { return table_->Delete(request.id, 0); });
  auto produced = BeginProduce(request.id, Batch(1), 1);
  EXPECT_FALSE(deleted->has_value());
  RunDisk();
  ASSERT_TRUE(deleted->has_value());
  ASSERT_TRUE(produced->has_value());
  // It came between the two: before the deletion, or after it.
  bool took_effect = (*produced)->error == ErrorCode::kNone;
  EXPECT_TRUE(took_effect || (*produced)->error == ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(table_->size(), 0u);
  EXPECT_TRUE(failed_directories_.empty());
}

TEST_F(TableOrderTest, ATopicOfTheSameNameComesRightBehind) {
  auto old = Open("topic");
  Produce(old, Batch(1));
  EXPECT_TRUE(Await([&] { return table_->Delete(old->id(), 60'000); }).ok());
  OpenRequest request = RequestFor("topic");
  request.id.topic_id = Uuid(8, 8);
  auto fresh = Open(request);
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(fresh->log_end_offset(), Offset(0));
}

// ---- stopping

TEST_F(TableOrderTest, ClosingMakesEverythingDurable) {
  auto one = Open("one", With(Durability::kOs));
  auto two = Open("two");
  Produce(one, Batch(2), 1);
  Produce(two, Batch(3), 1);
  Status closed = Await([&] { return table_->CloseAll(); });
  EXPECT_TRUE(closed.ok());
  Restart(PowerLoss::kEverything);
  EXPECT_EQ(Open("one")->log_end_offset(), Offset(2));
  EXPECT_EQ(Open("two")->log_end_offset(), Offset(3));
}

TEST_F(TableOrderTest, TheCheckpointSaysHowFarTheDiskIs) {
  auto partition = Open("topic");
  Produce(partition, Batch(2));
  BeginProduce(partition->id(), Batch(1), 1);
  std::vector<CheckpointEntry> entries = On([&] { return table_->Checkpoint(); });
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].recovery_point, Offset(2));
  EXPECT_EQ(entries[0].high_watermark, Offset(2));
  EXPECT_EQ(entries[0].data_directory, "/data");
}

}  // namespace
}  // namespace kb::partition

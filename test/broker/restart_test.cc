// What a restart costs after the process was killed, and what it knows of producers then.
#include "broker/fixture.h"
#include "message/delete_records_request.h"
#include "message/delete_records_response.h"
#include "message/list_offsets_request.h"
#include "message/list_offsets_response.h"

namespace kb::broker {
namespace {

class RestartTest : public BrokerFixture {
 protected:
  record::BatchOptions Sequence(int32_t sequence) {
    record::BatchOptions options;
    options.producer_id = ProducerId(4711);
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = sequence;
    return options;
  }
  // The base offset that the broker answers.
  int64_t ProduceAs(int32_t sequence, const std::string& value, int16_t acks = -1) {
    Arena arena;
    std::string batch = test::BatchOf({value}, now_ms(), Sequence(sequence));
    auto answer = Ask<message::ProduceResponse>(ProduceRequestOf(arena, "topic", 0, batch, acks), 9);
    EXPECT_EQ(answer->responses[0].partition_responses[0].error_code, 0);
    return answer->responses[0].partition_responses[0].base_offset;
  }
  // As kill -9 does; the next one on the same disk. Returns how many bytes of the topic's partition it reads for that.
  uint64_t KillAndStart() {
    broker_.PowerOff();
    files_.Cut(test::PowerLoss::kNothing);
    uint64_t before = files_.read_bytes();
    second_ = std::make_unique<test::SimBroker>(scheduler_, files_, network_);
    Status started = second_->Start();
    EXPECT_TRUE(started.ok()) << started.error().message;
    return files_.read_bytes() - before;
  }

  std::unique_ptr<test::SimBroker> second_;
};

// What came behind the checkpoint, and the 2 MiB before it that are looked through for batches that were in flight.
constexpr uint64_t kMostReadBytes = 300'000 + (2 << 20) + 100'000;

TEST_F(RestartTest, ReadsWhatWasWrittenSinceTheLastCheckpointAndNotWhatIsStored) {
  CreateTopic("topic");
  const std::string value(100'000, 'v');
  int32_t sequence = 0;
  for (; sequence < 100; ++sequence) ProduceAs(sequence, value);
  scheduler_.RunFor(70 * kSecond);
  for (; sequence < 103; ++sequence) ProduceAs(sequence, value);
  uint64_t read_bytes = KillAndStart();
  EXPECT_GT(read_bytes, 300'000u) << "what came behind the checkpoint is checked";
  EXPECT_LT(read_bytes, kMostReadBytes) << "of 10,300,000";
  EXPECT_EQ(ProduceAs(102, value), 102) << "a duplicate, also of what is behind the checkpoint";
  EXPECT_EQ(ProduceAs(99, value), 99) << "the last one before";
  EXPECT_EQ(ProduceAs(103, value), 103);
}

TEST_F(RestartTest, LikewiseWhereNobodyWaitsForTheDisk) {
  CreateTopic("topic", 1, {{"flush.messages", "9223372036854775807"}});
  const std::string value(100'000, 'v');
  int32_t sequence = 0;
  for (; sequence < 100; ++sequence) ProduceAs(sequence, value, 1);
  scheduler_.RunFor(70 * kSecond);
  for (; sequence < 103; ++sequence) ProduceAs(sequence, value, 1);
  EXPECT_LT(KillAndStart(), kMostReadBytes);
  EXPECT_EQ(ProduceAs(102, value), 102);
  EXPECT_EQ(ProduceAs(103, value), 103);
}

TEST_F(RestartTest, DeletedRecordsStayDeletedThroughAPowerCut) {
  CreateTopic("topic");
  for (int i = 0; i < 5; ++i) Produce("topic", "value");
  Arena arena;
  message::DeleteRecordsRequest request;
  auto& topic = request.topics.Add(arena);
  topic.name = "topic";
  auto& partition = topic.partitions.Add(arena);
  partition.offset = 3;
  auto answer = Ask<message::DeleteRecordsResponse>(request, 2);
  EXPECT_EQ(answer->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(answer->topics[0].partitions[0].low_watermark, 3);
  broker_.PowerOff();
  files_.Cut(test::PowerLoss::kEverything);
  second_ = std::make_unique<test::SimBroker>(scheduler_, files_, network_);
  ASSERT_TRUE(second_->Start().ok());
  message::ListOffsetsRequest earliest;
  auto& asked = earliest.topics.Add(arena);
  asked.name = "topic";
  asked.partitions.Add(arena).timestamp = -2;
  EXPECT_EQ(Ask<message::ListOffsetsResponse>(earliest, 6)->topics[0].partitions[0].offset, 3);
}

TEST_F(RestartTest, TheCheckpointsSayNothingOfADeletedTopicToTheNextOneOfItsName) {
  CreateTopic("topic");
  Produce("topic", "value");
  scheduler_.RunFor(70 * kSecond);
  const std::string file = "/data/recovery-point-offset-checkpoint";
  EXPECT_EQ(files_.Get(file), "0\n1\ntopic 0 1\n");
  Arena arena;
  message::DeleteTopicsRequest request;
  request.topic_names.Add(arena) = "topic";
  EXPECT_EQ(Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code, 0);
  EXPECT_EQ(files_.Get(file), "0\n0\n");
}

TEST_F(RestartTest, AStopInTheMiddleOfTheHouseKeepingIsCleanAllTheSame) {
  CreateTopic("topic", 8);
  for (int32_t partition = 0; partition < 8; ++partition) Produce("topic", "value", partition);
  scheduler_.RunFor(59'999'000'000);
  Status stopped = broker_.Stop();
  EXPECT_TRUE(stopped.ok()) << stopped.error().message;
  EXPECT_LT(KillAndStart(), 100'000u);
}

}  // namespace
}  // namespace kb::broker

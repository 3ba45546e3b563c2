// A disk without room: what changes the metadata is refused and has not happened, everything else goes on, and so does
// the broker when there is room.
#include "broker/fixture.h"
#include "message/create_partitions_request.h"
#include "message/create_partitions_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/init_producer_id_request.h"
#include "message/init_producer_id_response.h"

namespace kb::broker {
namespace {

constexpr int16_t kStorageError = static_cast<int16_t>(ErrorCode::kKafkaStorageError);

class FullDiskTest : public BrokerFixture {
 protected:
  int16_t TryCreate(const std::string& name) {
    Arena arena;
    auto answer = Ask<message::CreateTopicsResponse>(CreateRequest(arena, name, 1), 7);
    EXPECT_EQ(answer->topics[0].error_message.has_value(), answer->topics[0].error_code != 0);
    return answer->topics[0].error_code;
  }
  int16_t TryDelete(const std::string& name) {
    Arena arena;
    message::DeleteTopicsRequest request;
    request.topic_names.Add(arena, std::string_view(name));
    return Ask<message::DeleteTopicsResponse>(request, 5)->responses[0].error_code;
  }
  int16_t TryProduce(const std::string& topic) {
    Arena arena;
    std::string batch = test::BatchOf({"value"}, now_ms());
    auto answer = Ask<message::ProduceResponse>(ProduceRequestOf(arena, topic, 0, batch), 9);
    return answer->responses[0].partition_responses[0].error_code;
  }
  int16_t TryInitProducer() {
    message::InitProducerIdRequest request;
    request.transactional_id.reset();
    return Ask<message::InitProducerIdResponse>(request, 4)->error_code;
  }
  void Fill(uint64_t bytes_left = 0) { files_.set_capacity(files_.used_bytes() + bytes_left); }
};

TEST_F(FullDiskTest, RefusesChangesAndServesTheRest) {
  CreateTopic("before");
  Produce("before", "value");
  Fill();
  EXPECT_EQ(TryCreate("topic"), kStorageError);
  EXPECT_EQ(TryCreate("topic"), kStorageError) << "not: it exists";
  EXPECT_EQ(TryDelete("before"), kStorageError);
  EXPECT_EQ(TryInitProducer(), kStorageError);
  message::CreatePartitionsRequest grow;
  Arena arena;
  auto& topic = grow.topics.Add(arena);
  topic.name = "before";
  topic.count = 3;
  topic.assignments = decltype(topic.assignments)::Null();
  EXPECT_EQ(Ask<message::CreatePartitionsResponse>(grow, 3)->results[0].error_code, kStorageError);
  EXPECT_EQ(TryProduce("before"), kStorageError);
  EXPECT_FALSE(HasTopic("topic"));
  EXPECT_TRUE(HasTopic("before"));
  EXPECT_FALSE(broker_.fatal().has_value());

  files_.set_capacity(std::nullopt);
  EXPECT_EQ(TryCreate("topic"), 0);
  EXPECT_EQ(TryProduce("topic"), 0);
  EXPECT_EQ(TryInitProducer(), 0);
  EXPECT_EQ(Produce("before", "another"), 1);
  EXPECT_EQ(TryDelete("before"), 0);
  Status stopped = broker_.Stop();
  EXPECT_TRUE(stopped.ok()) << stopped.error().message;
  test::SimBroker again(scheduler_, files_, network_);
  ASSERT_TRUE(again.Start().ok());
  EXPECT_TRUE(HasTopic("topic"));
  EXPECT_FALSE(HasTopic("before"));
}

TEST_F(FullDiskTest, ManyWhoAskAtOnceAreAllAnswered) {
  Fill();
  auto client = Connect();
  Arena arena;
  for (int i = 0; i < 20; ++i) client->Send(CreateRequest(arena, "topic" + std::to_string(i), 1), 7);
  EXPECT_EQ(Answers(*client, 20).size(), 20u);
  files_.set_capacity(std::nullopt);
  EXPECT_EQ(TryCreate("topic7"), 0);
}

TEST_F(FullDiskTest, AShortageAtAnyPlaceOfAChangeIsOvercome) {
  // Room for a little more each time: for none of it, for a part of the batch, for the batch and not for the partition.
  for (uint64_t bytes = 0; bytes < 600; bytes += 20) {
    const std::string name = "topic" + std::to_string(bytes);
    Fill(bytes);
    int16_t error = TryCreate(name);
    EXPECT_TRUE(error == 0 || error == kStorageError) << error;
    EXPECT_EQ(HasTopic(name), error == 0) << bytes;
    files_.set_capacity(std::nullopt);
    scheduler_.RunFor(11 * kSecond);
    if (error != 0) {
      EXPECT_EQ(TryCreate(name), 0) << bytes;
    }
    EXPECT_EQ(TryProduce(name), 0) << bytes;
  }
  EXPECT_FALSE(broker_.fatal().has_value());
}

TEST_F(FullDiskTest, ABrokerWithoutRoomStopsAllTheSame) {
  CreateTopic("topic");
  Produce("topic", "value");
  Fill();
  (void)broker_.Stop();  // not clean, and that is all
  files_.set_capacity(std::nullopt);
  test::SimBroker again(scheduler_, files_, network_);
  ASSERT_TRUE(again.Start().ok());
  EXPECT_EQ(Produce("topic", "another"), 1);
}

TEST_F(FullDiskTest, WithoutDescriptorsItIsTheSame) {
  files_.set_most_open_files(files_.open_files());
  int16_t error = TryCreate("topic");
  EXPECT_TRUE(error == 0 || error == kStorageError) << error;
  EXPECT_FALSE(broker_.fatal().has_value());
  files_.set_most_open_files(std::nullopt);
  scheduler_.RunFor(11 * kSecond);
  if (error != 0) {
    EXPECT_EQ(TryCreate("topic"), 0);
  }
  EXPECT_EQ(TryProduce("topic"), 0);
}

}  // namespace
}  // namespace kb::broker

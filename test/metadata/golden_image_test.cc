// What Apache Kafka wrote, replayed, is what Apache Kafka says it means: the manifest beside the log was taken from its own
// tools. And an image written out and read back is the same image.
#include <nlohmann/json.hpp>
#include <set>

#include "metadata/support.h"

namespace kb::metadata {
namespace {

using Json = nlohmann::json;

class GoldenImageTest : public ::testing::Test {
 protected:
  GoldenImageTest() : image_(ImageOfLog(ReadGolden("clean.log"))), manifest_(Json::parse(ReadGolden("clean.manifest.json"))) {}

  ImagePtr image_;
  Json manifest_;
};

TEST_F(GoldenImageTest, TopicsWithIdsPartitionsAndConfigs) {
  std::set<std::string> names;
  image_->ForEachTopic([&](const Topic& topic) {
    names.insert(topic.name());
    const Json& golden = manifest_["topics"][topic.name()];
    EXPECT_EQ(topic.id().ToString(), golden["id"]);
    EXPECT_EQ(topic.partition_count(), golden["partitions"]);
    EXPECT_EQ(Json(image_->ConfigsOfTopic(topic.name())), golden["configs"]) << topic.name();
    EXPECT_EQ(image_->FindTopic(topic.name()), &topic);
    EXPECT_EQ(image_->FindTopic(topic.id()), &topic);
  });
  std::set<std::string> golden_names;
  for (const auto& [name, topic] : manifest_["topics"].items()) golden_names.insert(name);
  EXPECT_EQ(names, golden_names);
  EXPECT_EQ(image_->topic_count(), 18u);
  EXPECT_EQ(image_->partition_count(), 38);
}

TEST_F(GoldenImageTest, PartitionsAreLeftAsACleanStopLeavesThem) {
  image_->ForEachTopic([&](const Topic& topic) {
    topic.ForEachPartition([&](int32_t index, const Partition& partition) {
      EXPECT_EQ(partition.replicas, BrokerIds{BrokerId(1)});
      EXPECT_TRUE(partition.isr.empty());
      EXPECT_EQ(partition.eligible_leader_replicas, BrokerIds{BrokerId(1)});
      EXPECT_EQ(partition.last_known_elr, BrokerIds{BrokerId(1)});
      EXPECT_EQ(partition.leader, kNoBroker);
      EXPECT_EQ(partition.leader_epoch, LeaderEpoch(3)) << topic.name() << index;  // two stops, one start
      EXPECT_EQ(partition.partition_epoch, PartitionEpoch(3));
      EXPECT_EQ(partition.DirectoryOf(BrokerId(1)).ToString(), "bV5lsX8QH6wA6InIeWWDdA");
    });
  });
}

TEST_F(GoldenImageTest, FeaturesBrokersAndProducerIds) {
  EXPECT_EQ(Json(image_->finalized_features()), manifest_["finalizedFeatures"]);
  const BrokerRegistration* broker = image_->FindBroker(BrokerId(1));
  ASSERT_NE(broker, nullptr);
  EXPECT_TRUE(broker->fenced);
  EXPECT_TRUE(broker->in_controlled_shutdown);
  EXPECT_EQ(broker->epoch, BrokerEpoch(229));
  ASSERT_NE(broker->FindEndpoint("PLAINTEXT"), nullptr);
  EXPECT_EQ(broker->FindEndpoint("PLAINTEXT")->port, 49092);
  EXPECT_EQ(broker->cordoned_directories, std::vector<Uuid>());
  EXPECT_FALSE(image_->IsUsable(BrokerId(1)));
  ASSERT_EQ(image_->controllers().size(), 1u);
  EXPECT_EQ(image_->controllers().begin()->second.endpoints.front().name, "CONTROLLER");
  EXPECT_EQ(image_->producer_ids().next, ProducerId(2000));
  EXPECT_EQ(image_->provenance().last_offset, Offset(370));
  EXPECT_EQ(image_->provenance().last_epoch, LeaderEpoch(2));
}

TEST_F(GoldenImageTest, DynamicConfigs) {
  auto values = [&](ConfigResourceType type, std::string_view name) { return Json(image_->ConfigsOf(type, name)); };
  EXPECT_EQ(values(ConfigResourceType::kBroker, ""),
            Json({{"log.cleaner.io.buffer.load.factor", "0.8"}, {"min.insync.replicas", "1"}}));
  EXPECT_EQ(values(ConfigResourceType::kBroker, "1"), Json({{"num.io.threads", "6"}}));
  EXPECT_EQ(values(ConfigResourceType::kGroup, "g-848"), Json({{"consumer.session.timeout.ms", "50000"}}));
  EXPECT_EQ(values(ConfigResourceType::kGroup, "g-share"), Json({{"share.auto.offset.reset", "earliest"}}));
  EXPECT_EQ(values(ConfigResourceType::kClientMetrics, "sub1"), Json({{"interval.ms", "30000"}}));
  EXPECT_EQ(values(ConfigResourceType::kTopic, "gone"), Json::object());
}

TEST_F(GoldenImageTest, QuotasUsersAndRights) {
  const auto& quotas = image_->client_quotas();
  EXPECT_EQ(quotas.size(), manifest_["quotas"].size());
  EXPECT_EQ(quotas.at({{"user", "alice"}}), (QuotaValues{{"producer_byte_rate", 1048576}, {"request_percentage", 55.5}}));
  EXPECT_EQ(quotas.at({{"user", std::nullopt}}), (QuotaValues{{"controller_mutation_rate", 10}}));
  EXPECT_EQ(quotas.at({{"client-id", "cl1"}}), (QuotaValues{{"consumer_byte_rate", 2097152}}));
  EXPECT_EQ(quotas.at({{"ip", "10.0.0.1"}}), (QuotaValues{{"connection_creation_rate", 5}}));

  ASSERT_EQ(image_->scram_credentials().size(), 2u);  // bob is gone
  EXPECT_EQ(image_->scram_credentials().at({"alice", ScramMechanism::kSha256}).salt, "saltsaltsalt256!");
  EXPECT_EQ(image_->scram_credentials().at({"alice", ScramMechanism::kSha512}).iterations, 4096);

  std::set<AccessControlEntry> entries;
  image_->access_control_entries().ForEach([&](const Uuid&, const auto& entry) { entries.insert(*entry); });
  EXPECT_EQ(entries, (std::set<AccessControlEntry>{{2, "codecs", 3, "User:alice", "*", 3, 3},
                                                   {2, "tx", 4, "User:alice", "127.0.0.1", 4, 3},
                                                   {3, "*", 3, "User:*", "*", 3, 2}}));
}

TEST_F(GoldenImageTest, SnapshotAndRestOfTheLogEqualTheWholeLog) {
  std::string bytes = ReadGolden("clean-225-1.checkpoint");
  Result<DecodedSnapshot> snapshot = DecodeSnapshot(AsBytes(bytes), "clean-225-1.checkpoint");
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
  EXPECT_EQ(snapshot->last_contained_timestamp_ms, 1795405763742);
  EXPECT_EQ(snapshot->quorum.kraft_version, 0);
  ImageBuilder builder(EmptyImage());
  ASSERT_TRUE(ReplayAll(snapshot->records, builder).ok());
  ASSERT_TRUE(ReplayLog(ReadGolden("clean.log"), builder, Offset(225)).ok());
  std::vector<std::string> from_snapshot = Everything(*builder.Publish().image);
  EXPECT_EQ(from_snapshot, Everything(*image_));
}

TEST_F(GoldenImageTest, OurSnapshotHasTheRecordsOfApacheKafkas) {
  std::string bytes = ReadGolden("clean-225-1.checkpoint");
  Result<DecodedSnapshot> golden = DecodeSnapshot(AsBytes(bytes), "");
  ASSERT_TRUE(golden.ok());
  ImageBuilder builder(EmptyImage());
  ASSERT_TRUE(ReplayAll(golden->records, builder).ok());
  std::multiset<std::string> golden_records;
  for (size_t i = 0; i < golden->records.size(); ++i) golden_records.emplace(AsText(golden->records[i]));
  std::vector<std::string> ours = Everything(*builder.Publish().image);
  // The last block's owner is not kept in Apache Kafka's snapshots, so the record is the same here too.
  EXPECT_EQ(std::multiset<std::string>(ours.begin(), ours.end()), golden_records);
}

TEST_F(GoldenImageTest, ASnapshotReadBackIsTheSameImage) {
  std::vector<uint8_t> bytes = EncodeSnapshot(RecordsOf(*image_), LeaderEpoch(2), 123, 456);
  Result<DecodedSnapshot> snapshot = DecodeSnapshot(bytes, "ours");
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
  EXPECT_EQ(snapshot->last_contained_timestamp_ms, 123);
  ImageBuilder builder(EmptyImage());
  ASSERT_TRUE(ReplayAll(snapshot->records, builder).ok());
  EXPECT_EQ(Everything(*builder.Publish().image), Everything(*image_));
}

TEST_F(GoldenImageTest, ADamagedSnapshotIsRefused) {
  std::string bytes = ReadGolden("clean-225-1.checkpoint");
  for (size_t size : {size_t{0}, size_t{10}, size_t{90}, bytes.size() - 75, bytes.size() - 1}) {
    Result<DecodedSnapshot> cut = DecodeSnapshot(AsBytes(bytes.substr(0, size)), "x");
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(cut.error().kind, ErrorKind::kCorrupt);
  }
  EXPECT_FALSE(DecodeSnapshot(AsBytes(bytes + bytes), "x").ok());
  bytes[4000] = static_cast<char>(bytes[4000] ^ 1);
  EXPECT_FALSE(DecodeSnapshot(AsBytes(bytes), "x").ok());
}

TEST(GoldenBootstrapTest, BootstrapHoldsTheFeaturesInApacheKafkasOrder) {
  std::string bytes = ReadGolden("bootstrap.checkpoint");
  Result<DecodedSnapshot> bootstrap = DecodeSnapshot(AsBytes(bytes), "bootstrap.checkpoint");
  ASSERT_TRUE(bootstrap.ok());
  EXPECT_EQ(bootstrap->records.size(), 6u);
  // The bytes are the same but for the times.
  EXPECT_EQ(EncodeSnapshot(bootstrap->records, LeaderEpoch(0), 0, 0).size(), bytes.size());
}

TEST(GoldenQuorumTest, DynamicVotersAreReadFromSnapshotAndLogAndWrittenBack) {
  std::string bytes = ReadGolden("dynamic-0-0.checkpoint");
  Result<DecodedSnapshot> snapshot = DecodeSnapshot(AsBytes(bytes), "dynamic-0-0.checkpoint");
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
  EXPECT_TRUE(snapshot->records.empty());
  EXPECT_EQ(snapshot->quorum.kraft_version, 1);
  ASSERT_EQ(snapshot->quorum.voters.size(), 1u);
  EXPECT_EQ(snapshot->quorum.voters[0].id, BrokerId(1));
  EXPECT_EQ(snapshot->quorum.voters[0].directory_id.ToString(), "lx1GHE4tT9yq1gJNEHhdgQ");
  EXPECT_EQ(snapshot->quorum.voters[0].endpoints.at(0).port, 21097);

  QuorumControl from_log;
  std::string log = ReadGolden("dynamic.log");  // the batches view into it
  Batch first = BatchesOf(log).at(0);
  ASSERT_EQ(first.records.size(), 3u);
  for (const record::RecordView& record : first.records) ASSERT_TRUE(ApplyQuorumControl(record, from_log).ok());
  EXPECT_EQ(from_log.voters.at(0).directory_id, snapshot->quorum.voters[0].directory_id);

  std::vector<uint8_t> again = EncodeSnapshot({}, LeaderEpoch(0), 0, 0, snapshot->quorum);
  EXPECT_EQ(again.size(), bytes.size());
}

TEST(GoldenLogTest, EveryLogReplays) {
  EXPECT_EQ(ImageOfLog(ReadGolden("killed.log"))->topic_count(), 2u);
  EXPECT_EQ(ImageOfLog(ReadGolden("dynamic.log"))->topic_count(), 2u);
  EXPECT_EQ(ImageOfLog(ReadGolden("fresh.log"))->topic_count(), 0u);
  EXPECT_GT(ImageOfLog(ReadGolden("mixed.log"))->topic_count(), 0u);
  ImagePtr old = ImageOfLog(ReadGolden("without_elr.log"));
  EXPECT_EQ(old->metadata_version(), 21);
  EXPECT_FALSE(old->eligible_leader_replicas_enabled());
  const Partition& partition = *old->FindTopic("t1")->FindPartition(0);
  EXPECT_EQ(partition.isr, BrokerIds{BrokerId(1)});
  EXPECT_EQ(partition.leader, kNoBroker);
  EXPECT_EQ(partition.leader_epoch, LeaderEpoch(5));  // 0, and five changes: three stops (one of them a kill), two starts
}

}  // namespace
}  // namespace kb::metadata

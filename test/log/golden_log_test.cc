// The data directories that Apache Kafka 4.3.1 wrote (test/golden/storage), opened in place and compared with what it said
// is in them; and written anew from their own batches, to come out byte for byte the same.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "log/checkpoint_files.h"
#include "log/log.h"
#include "log/log_directory.h"
#include "support/golden_archive.h"
#include "support/sim_file_system.h"

namespace kb::log {
namespace {

using nlohmann::json;

class GoldenLogTest : public testing::Test {
 protected:
  // Puts an archive on the disk: /data/<replica>/….
  void Extract(const std::string& archive) {
    for (auto& [path, content] : test::ReadGoldenArchive("storage/" + archive)) files_.Put("/" + path, content);
    files_.Cut(test::PowerLoss::kNothing);
  }
  Result<std::unique_ptr<Log>> OpenReplica(const std::string& name, bool was_clean = true) {
    OffsetCheckpoint starts = *ReadOffsetCheckpoint(files_, "/data/" + std::string(kLogStartFile));
    OffsetCheckpoint points = *ReadOffsetCheckpoint(files_, "/data/" + std::string(kRecoveryPointFile));
    TopicPartition partition = ParseDirectoryName(name)->partition;
    LogOptions options;
    options.directory = "/data/" + name;
    options.was_clean = was_clean;
    if (points.contains(partition)) options.recovery_point = points[partition];
    if (starts.contains(partition)) options.log_start_offset = starts[partition];
    options.now_ms = 1'795'500'000'000;
    return Log::Open(files_, std::move(options), &report_);
  }
  static std::vector<uint8_t> ReadSlice(const Slice& slice) {
    std::vector<uint8_t> bytes(slice.size_bytes);
    EXPECT_EQ(*slice.file->ReadAt(slice.position, bytes), bytes.size());
    return bytes;
  }
  static ReadResult ReadFrom(Log& log, Offset offset) {
    ReadOptions options;
    options.offset = offset;
    options.end_offset = log.log_end_offset();
    options.max_bytes = UINT32_MAX;
    options.may_block = true;
    ReadResult result = log.Read(options);
    while (result.status == ReadStatus::kNeedsDisk) {
      options.from_segment = result.segment;
      PrefetchJob job = log.PreparePrefetch(options);
      job.Run();
      EXPECT_FALSE(job.failure().has_value());
      log.PrefetchCompleted(job);
      result = log.Read(options);
    }
    return result;
  }
  std::map<std::string, std::string> FilesOf(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (auto& [path, content] : files_.Contents()) {
      if (path.starts_with(directory + "/")) files[path.substr(directory.size() + 1)] = content;
    }
    return files;
  }

  test::SimFileSystem files_;
  RecoveryReport report_;
};

// Every batch of every segment, through the log.
void CompareBatches(const json& expected, const Log& log, const std::function<ReadResult(Offset)>& read,
                    const std::function<std::vector<uint8_t>(const Slice&)>& bytes_of) {
  Offset offset = log.log_start_offset();
  for (const json& segment : expected["segments"]) {
    std::vector<const json*> batches;
    for (const json& batch : segment["batches"]) {
      if (batch["lastOffset"].get<int64_t>() >= log.log_start_offset().value()) batches.push_back(&batch);
    }
    if (batches.empty()) continue;
    ReadResult result = read(offset);
    ASSERT_EQ(result.status, ReadStatus::kOk);
    EXPECT_EQ(result.slice.position, batches.front()->at("pos").get<uint64_t>());
    std::vector<uint8_t> bytes = bytes_of(result.slice);
    record::BatchWalk walk(bytes);
    for (const json* wanted : batches) {
      std::optional<record::BatchView> batch = walk.Next();
      ASSERT_TRUE(batch.has_value());
      EXPECT_EQ(batch->base_offset().value(), wanted->at("baseOffset").get<int64_t>());
      EXPECT_EQ(batch->last_offset().value(), wanted->at("lastOffset").get<int64_t>());
      EXPECT_EQ(batch->record_count(), wanted->at("count").get<int32_t>());
      EXPECT_EQ(batch->size_bytes(), wanted->at("size").get<int64_t>());
      EXPECT_EQ(batch->leader_epoch().value(), wanted->at("leaderEpoch").get<int32_t>());
      EXPECT_EQ(batch->crc(), wanted->at("crc").get<uint32_t>());
      EXPECT_TRUE(batch->CheckCrc());
      offset = batch->next_offset();
    }
    EXPECT_TRUE(walk.rest().empty());
  }
}

TEST_F(GoldenLogTest, EveryReplicaOfTheCleanDirectoryIsWhatItsManifestSays) {
  Extract("clean.tar.zst");
  json manifest = json::parse(test::ReadGoldenFile("storage/clean.manifest.json"));
  size_t replicas = 0;
  for (auto& [topic, about] : manifest["topics"].items()) {
    for (auto& [partition, expected] : about["partitions"].items()) {
      SCOPED_TRACE(topic + "-" + partition);
      const std::string directory = "/data/" + topic + "-" + partition;
      EXPECT_EQ(ReadPartitionMetadata(files_, directory)->ToString(), about["id"].get<std::string>());
      const auto before = FilesOf(directory);
      auto log = OpenReplica(topic + "-" + partition);
      ASSERT_TRUE(log.ok()) << log.error().message;
      EXPECT_TRUE(report_.notes.empty()) << report_.notes.front();
      EXPECT_EQ((*log)->log_start_offset().value(), expected["logStartOffset"].get<int64_t>());
      EXPECT_EQ((*log)->log_end_offset().value(), expected["endOffset"].get<int64_t>());
      EXPECT_EQ((*log)->LastStableOffset((*log)->log_end_offset()).value(), expected["lastStableOffset"].get<int64_t>());
      CompareBatches(
          expected, **log, [&](Offset offset) { return ReadFrom(**log, offset); }, ReadSlice);

      ScrubCursor cursor;
      cursor.anew = true;
      uint64_t scrubbed = 0;
      while (std::optional<ScrubJob> job = (*log)->PrepareScrub(cursor)) {
        ASSERT_TRUE(job->Run().ok());
        ASSERT_TRUE((*log)->ScrubCompleted(*job));
        scrubbed += job->bytes();
      }
      EXPECT_EQ(scrubbed, (*log)->size_bytes());
      EXPECT_TRUE((*log)->TakeFoundDamage().empty()) << "what Apache Kafka wrote is whole";

      auto latest = (*log)->PrepareMaxTimestampLookup().Run();
      ASSERT_TRUE(latest.ok());
      int64_t max_timestamp_offset = expected.value("maxTimestampOffset", int64_t{-1});
      if (max_timestamp_offset >= 0) {
        EXPECT_EQ((*latest)->offset.value(), max_timestamp_offset);
        EXPECT_EQ((*latest)->timestamp_ms, expected["maxTimestamp"].get<int64_t>());
      }
      for (const EpochStart& entry : (*log)->leader_epochs().entries()) EXPECT_LT(entry.start_offset, (*log)->log_end_offset());
      // Opening changes nothing; Apache Kafka would remove stray snapshots too.
      for (auto& [name, content] : FilesOf(directory)) EXPECT_EQ(content, before.at(name)) << name;
      ++replicas;
    }
  }
  EXPECT_EQ(replicas, 38u);
}

TEST_F(GoldenLogTest, LeaderEpochsAndTransactionsAreThoseOfTheManifest) {
  Extract("clean.tar.zst");
  json manifest = json::parse(test::ReadGoldenFile("storage/clean.manifest.json"));
  for (auto& [topic, about] : manifest["topics"].items()) {
    for (auto& [partition, expected] : about["partitions"].items()) {
      SCOPED_TRACE(topic + "-" + partition);
      auto log = OpenReplica(topic + "-" + partition);
      // An epoch in which nothing was written yet is dropped at the start: the next leader brings its own.
      std::vector<EpochStart> wanted;
      std::istringstream text(expected["leaderEpochCheckpoint"].get<std::string>());
      int64_t version, count, epoch, start;
      text >> version >> count;
      while (text >> epoch >> start) {
        EpochStart entry{LeaderEpoch(static_cast<int32_t>(epoch)), Offset(start)};
        if (entry.start_offset < (*log)->log_end_offset()) wanted.push_back(entry);
      }
      EXPECT_EQ((*log)->leader_epochs().entries(), wanted);

      std::vector<AbortedTransaction> aborted;
      for (const json& txn : expected.value("abortedTxns", json::array())) {
        aborted.push_back({ProducerId(txn["producerId"].get<int64_t>()), Offset(txn["firstOffset"].get<int64_t>()),
                           Offset(txn["lastOffset"].get<int64_t>()), Offset(txn["lastStableOffset"].get<int64_t>())});
      }
      EXPECT_EQ(*(*log)->AbortedTransactions((*log)->log_start_offset(), (*log)->log_end_offset(), true), aborted);
    }
  }
}

TEST_F(GoldenLogTest, TheFreshMetadataLogOpens) {
  Extract("fresh.tar.zst");
  // As Apache Kafka loads it: never clean, from the first offset on.
  LogOptions options;
  options.directory = "/data/__cluster_metadata-0";
  auto log = Log::Open(files_, std::move(options), &report_);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ((*log)->log_end_offset(), Offset(62));
  EXPECT_EQ((*log)->leader_epochs().latest_epoch(), LeaderEpoch(1));
  EXPECT_EQ(report_.truncated_bytes, 0u);
}

// A scan must come to what Apache Kafka wrote while the records came in: indexes, transaction indexes, producer snapshots.
TEST_F(GoldenLogTest, IndexesRebuiltByAScanAreThoseOfApacheKafka) {
  size_t compared = 0;
  for (const char* name : {"codecs-0", "codecs-1", "codecs-2", "codecs-3", "codecs-4", "codecs-5", "tx-0", "tx-1"}) {
    SCOPED_TRACE(name);
    Extract("clean.tar.zst");
    const std::string directory = std::string("/data/") + name;
    const auto before = FilesOf(directory);
    std::vector<std::string> sealed;  // the last segment's indexes depend on restarts
    for (auto& [file, content] : before) {
      if (file.ends_with(kLogSuffix)) sealed.push_back(file.substr(0, 20));
    }
    sealed.pop_back();
    for (auto& [file, content] : before) {
      bool is_derived = file.ends_with("index") || file.ends_with(kSnapshotSuffix);
      ASSERT_TRUE(!is_derived || files_.Remove(directory + "/" + file).ok());
    }
    LogOptions options;
    options.directory = directory;
    options.config.index_interval_bytes = directory.starts_with("/data/tx") ? 100 : 200;
    ASSERT_TRUE(Log::Open(files_, std::move(options), &report_).ok());
    auto after = FilesOf(directory);
    for (const std::string& stem : sealed) {
      for (std::string_view suffix : {kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix}) {
        const std::string file = stem + std::string(suffix);
        EXPECT_EQ(before.contains(file), after.contains(file)) << file;
        if (!before.contains(file)) continue;
        EXPECT_EQ(after[file], before.at(file)) << file;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 10u);
}

// The same when the log is written by us, batch by batch.
TEST_F(GoldenLogTest, ReappendedBatchesMakeTheSameFiles) {
  Extract("clean.tar.zst");
  const auto golden = FilesOf("/data/tx-0");
  std::vector<std::pair<std::string, std::string>> logs;
  for (auto& [file, content] : golden) {
    if (file.ends_with(kLogSuffix)) logs.emplace_back(file, content);
  }
  LogOptions options;
  options.directory = "/data/again-0";
  options.config.index_interval_bytes = 100;
  auto log = Log::Open(files_, options);
  ASSERT_TRUE(log.ok());
  for (auto& [file, content] : logs) {
    ASSERT_TRUE((*log)->Roll(0).ok());
    record::BatchWalk walk(AsBytes(content));
    while (auto batch = walk.Next()) {
      std::vector<uint8_t> bytes(batch->bytes().begin(), batch->bytes().end());
      AppendOptions append;
      append.leader_epoch = batch->leader_epoch();
      append.origin = AppendOrigin::kCoordinator;
      AppendResult result = (*log)->Append(bytes, append);
      ASSERT_TRUE(result.ok()) << result.failure->message;
      ASSERT_FALSE(result.is_duplicate);
    }
  }
  FlushJob job = (*log)->PrepareClose();
  ASSERT_TRUE(job.Run().ok());
  auto again = FilesOf("/data/again-0");
  for (auto& [file, content] : golden) {
    if (file == kPartitionMetadataFile) continue;
    // Apache Kafka wrote epoch 2 when it became leader again, at the end of the log.
    if (file == kLeaderEpochFile) continue;
    EXPECT_EQ(again[file], content) << file;
  }
  EXPECT_EQ(again[std::string(kLeaderEpochFile)], "0\n1\n0 0\n");
}

// After a kill, with the checkpoints of the clean stop lost: everything is scanned and nothing is lost.
TEST_F(GoldenLogTest, AFullScanOfEveryReplicaComesToTheSameLog) {
  Extract("clean.tar.zst");
  json manifest = json::parse(test::ReadGoldenFile("storage/clean.manifest.json"));
  for (auto& [topic, about] : manifest["topics"].items()) {
    for (auto& [partition, expected] : about["partitions"].items()) {
      SCOPED_TRACE(topic + "-" + partition);
      LogOptions options;
      options.directory = "/data/" + topic + "-" + partition;
      options.recovery_point.reset();  // no checkpoint tells, and one of them is compacted
      options.config.index_interval_bytes = 200;
      auto log = Log::Open(files_, std::move(options), &report_);
      ASSERT_TRUE(log.ok());
      EXPECT_EQ((*log)->log_end_offset().value(), expected["endOffset"].get<int64_t>());
      EXPECT_EQ((*log)->LastStableOffset((*log)->log_end_offset()).value(), expected["lastStableOffset"].get<int64_t>());
      EXPECT_EQ(report_.truncated_bytes, 0u);
      EXPECT_EQ(report_.damaged_batches, 0u);
    }
  }
}

TEST_F(GoldenLogTest, TheDataDirectoryIsScannedAsItIs) {
  Extract("clean.tar.zst");
  files_.Put("/data/lost+found/x", "");
  files_.Put("/data/notes.txt", "");
  Result<DataDirectoryContents> contents = ScanDataDirectory(files_, "/data");
  ASSERT_TRUE(contents.ok());
  EXPECT_EQ(contents->replicas.size(), 39u);
  EXPECT_EQ(contents->foreign, std::vector<std::string>{"lost+found"});
  EXPECT_EQ((*ReadCleanShutdown(files_, "/data"))->broker_epoch, 229);
}

}  // namespace
}  // namespace kb::log

// What the tests of the controller share: a node whose disk, clock and chance are simulated, and readable views of what it
// wrote.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "controller/controller.h"
#include "controller/data_dirs.h"
#include "controller/metadata_log.h"
#include "controller/topic_rules.h"
#include "message/feature_level_record.h"
#include "metadata/batch.h"
#include "metadata/record.h"
#include "support/sim_file_system.h"

namespace kb::controller {

using metadata::BrokerIds;
using metadata::ImagePtr;
using metadata::MetadataImage;
using metadata::RecordList;

class ManualClock : public Clock {
 public:
  int64_t WallMs() const override { return now_ms; }
  int64_t MonotonicNs() const override { return now_ms * kNsPerMs; }
  int64_t now_ms = 1'700'000'000'000;
};

class RecordingLog : public LogSink {
 public:
  void Write(Severity, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

// The features of a cluster of today, eligible leader replicas among them.
inline void AddFeatures(RecordList& records) {
  message::FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = 30;
  records.Add(feature);
  feature.name = "eligible.leader.replicas.version";
  feature.feature_level = 1;
  records.Add(feature);
}

// Knows three keys; a value of a number must be one.
class FakeRules : public TopicRules {
 public:
  int32_t num_partitions() const override { return partitions; }
  int16_t default_replication_factor() const override { return replication_factor; }
  bool delete_topic_enable() const override { return may_delete; }
  Status CheckTopicConfigs(const metadata::ConfigValues& overrides) const override {
    for (const auto& [key, value] : overrides) {
      if (key != "retention.ms" && key != "min.insync.replicas" && key != "cleanup.policy") {
        return Error{ErrorKind::kInvalid, "unknown key " + key};
      }
      if (key != "cleanup.policy" && value == "x") return Error{ErrorKind::kInvalid, "bad value for " + key};
    }
    return {};
  }
  void DescribeTopicConfigs(const metadata::ConfigValues& overrides, Arena& arena,
                            protocol::Array<message::CreateTopicsResponse::CreatableTopicConfigs>& out) const override {
    for (std::string_view key : {"cleanup.policy", "min.insync.replicas", "retention.ms"}) {
      auto& entry = out.Add(arena);
      entry.name = key;
      auto found = overrides.find(key);
      entry.value = found == overrides.end() ? "default" : arena.Copy(std::string_view(found->second));
      entry.config_source = found == overrides.end() ? 5 : 1;
    }
  }
  int32_t partitions = 2;
  int16_t replication_factor = 1;
  bool may_delete = true;
};

inline std::string ReadGolden(const std::string& name) {
  std::ifstream file(std::string(TEST_SOURCE_DIR) + "/metadata/golden/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// One record of a log, as far as tests look at it.
struct Written {
  Offset offset;
  LeaderEpoch epoch;
  size_t batch = 0;     // which batch of the log it is in
  std::string what;     // "TopicRecord v0", "control 2"
  std::string body;     // without its frame
};

inline std::vector<Written> RecordsOfLog(const std::string& log) {
  std::vector<Written> written;
  size_t number = 0;
  for (ByteView bytes = AsBytes(log); !bytes.empty(); ++number) {
    Result<metadata::Batch> batch = metadata::ReadBatch(bytes);
    EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message);
    if (!batch.ok()) break;
    for (const record::RecordView& record : batch->records) {
      Written entry{record.offset, batch->epoch, number, "", std::string(AsText(*record.value))};
      if (batch->is_control) {
        entry.what = "control " + std::to_string(static_cast<int>(*record::ControlTypeOf(record)));
      } else {
        Result<metadata::RecordFrame> frame = metadata::ParseFrame(*record.value);
        EXPECT_TRUE(frame.ok());
        entry.what = std::string(metadata::RecordTypeName(frame->type)) + " v" + std::to_string(frame->version);
        entry.body = std::string(AsText(frame->body));
      }
      written.push_back(std::move(entry));
    }
    bytes = bytes.subspan(batch->byte_size);
  }
  return written;
}

inline std::vector<std::string> WhatOf(const std::vector<Written>& records) {
  std::vector<std::string> what;
  for (const Written& record : records) what.push_back(record.what);
  return what;
}

// A node in one directory, /data, with everything around its controller simulated.
class Node {
 public:
  explicit Node(uint64_t seed = 1) : files(seed), random_(seed) {}

  void Format() {
    FormatOptions options{{"/data"}, "/data", BrokerId(1), "AAAAAAAAQACAAAAAAAAAAQ"};
    Status formatted = FormatDataDirs(files, options, random_, clock.WallMs());
    ASSERT_TRUE(formatted.ok()) << formatted.error().message;
  }

  // Opens what is there and starts to lead it.
  Status Start() {
    Result<DataDirs> dirs = InspectDataDirs(files, {{"/data"}, "/data", BrokerId(1)}, random_);
    if (!dirs.ok()) return dirs.error();
    KB_RETURN_IF_ERROR(WriteDirectoryIds(files, *dirs, BrokerId(1)));
    log = std::make_unique<MetadataLog>(files, log_options, sink);
    Result<LoadedMetadata> inspected = log->Inspect();
    if (!inspected.ok()) return inspected.error();
    loaded = *inspected;
    Result<LeaderEpoch> epoch = log->Begin(loaded);
    if (!epoch.ok()) return epoch.error();
    Controller::Options options;
    options.node.node_id = BrokerId(1);
    options.node.incarnation_id = random_.NextUuid();
    options.node.broker_endpoints = {{"PLAINTEXT", "127.0.0.1", 49092, 0}};
    options.node.controller_endpoints = {{"CONTROLLER", "127.0.0.1", 49093, 0}};
    for (const DataDir& dir : dirs->dirs) options.node.directories.push_back(dir.id);
    options.cluster_id = dirs->cluster_id;
    options.bytes_between_snapshots = bytes_between_snapshots;
    controller = std::make_unique<Controller>(std::move(options), std::move(*inspected), rules, clock, random_, sink);
    controller->Start(*epoch);
    return Drain(*controller, *log);
  }
  void MustStart() {
    Status started = Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
  }

  // A clean stop.
  void Stop() {
    controller->Stop();
    Status drained = Drain(*controller, *log);
    ASSERT_TRUE(drained.ok()) << drained.error().message;
    Forget();
  }
  // kill -9.
  void Kill() {
    Forget();
    files.Cut(test::PowerLoss::kNothing);
  }
  void Forget() {
    controller.reset();
    log.reset();
  }

  // Creates a topic and waits for the disk. Returns its error code.
  int16_t CreateTopic(std::string_view name, int32_t partitions = 1, bool drain = true) {
    Arena arena;
    message::CreateTopicsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    auto decided = controller->CreateTopics(request, 7, arena);
    if (drain) last_drain = Drain(*controller, *log);
    return decided.response.topics[0].error_code;
  }

  const MetadataImage& image() const { return *controller->published(); }
  static std::string LogPath(int64_t base = 0) {
    char name[64];
    std::snprintf(name, sizeof name, "/data/__cluster_metadata-0/%020lld.log", static_cast<long long>(base));
    return name;
  }
  std::vector<Written> Records() const { return RecordsOfLog(files.Get(LogPath())); }

  test::SimFileSystem files;
  ManualClock clock;
  RecordingLog sink;
  FakeRules rules;
  MetadataLog::Options log_options{.metadata_dir = "/data", .node_id = BrokerId(1)};
  uint64_t bytes_between_snapshots = 20 << 20;
  LoadedMetadata loaded;
  std::unique_ptr<MetadataLog> log;
  std::unique_ptr<Controller> controller;
  Status last_drain;

 private:
  Random random_;
};

inline constexpr std::string_view kMetaPropertiesOfGolden =
    "#\n#Mon Nov 23 03:24:15 UTC 2026\nnode.id=1\ndirectory.id=bV5lsX8QH6wA6InIeWWDdA\nversion=1\n"
    "cluster.id=R29sZGVuRGlyQ2x1c3Rlcg\n";

// The disk of a node that Apache Kafka ran: its metadata log, and perhaps a snapshot and its bootstrap.
inline void PutGolden(Node& node, const std::string& log_name) {
  node.files.Put("/data/meta.properties", std::string(kMetaPropertiesOfGolden));
  node.files.Put("/data/bootstrap.checkpoint", ReadGolden("bootstrap.checkpoint"));
  node.files.Put(Node::LogPath(), ReadGolden(log_name));
}

}  // namespace kb::controller

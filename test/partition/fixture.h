// What the tests of partitions in one thread share: a table of partitions on a simulated disk whose jobs wait until the
// test lets them run, and the verbs to use it.
//
//   auto partition = Open("topic");
//   auto answer = BeginProduce(partition->id(), Batch(3), kAcksAll);      appended, and waits
//   RunDisk();                                                             flushed
//   EXPECT_EQ((*answer)->error, ErrorCode::kNone);
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "partition/partition_table.h"
#include "record/builder.h"
#include "record/compression.h"
#include "support/held_disk_pool.h"
#include "support/pending.h"
#include "support/sim_file_system.h"
#include "support/sim_scheduler.h"

namespace kb::partition {

// Keeps what is said.
class NotingLog final : public LogSink {
 public:
  void Write(Severity severity, std::string_view line) override {
    if (severity == Severity::kError) errors.emplace_back(line);
  }
  std::vector<std::string> errors;
};

class PartitionFixture : public ::testing::Test {
 protected:
  static constexpr BrokerId kNode{1};
  static constexpr BrokerId kOther{2};
  static constexpr int16_t kAcksAll = -1;

  PartitionFixture() {
    // The data directories are there, as formatting leaves them.
    for (const char* directory : {"/data", "/other"}) EXPECT_TRUE(files_.CreateDirectories(directory).ok());
    EXPECT_TRUE(files_.SyncDirectory("/").ok());
    MakeTable();
  }
  ~PartitionFixture() override { DropTable(); }

  void MakeTable() {
    reactor_ = scheduler_.MakeReactor(0);
    disk_ = std::make_unique<test::HeldDiskPool>();
    PartitionTable::Environment environment{
        **reactor_,
        *disk_,
        files_,
        scheduler_.clock(),
        said_,
        kNode,
        [this](const std::string& directory, const Error&) { failed_directories_.push_back(directory); }};
    table_ = std::make_unique<PartitionTable>(environment);
  }
  // As when the process dies.
  void DropTable() {
    if (table_ == nullptr) return;
    disk_.reset();
    (*reactor_)->Discard();
    {
      reactor::Reactor::Scope scope(**reactor_);
      table_.reset();
    }
    reactor_.reset();
  }
  void Restart(test::PowerLoss loss) {
    DropTable();
    files_.Cut(loss);
    MakeTable();
  }

  // ---- running

  // Everything but the disk and time.
  void Turn() {
    while ((*reactor_)->HasWork()) (*reactor_)->Turn(0);
  }
  void RunOneJob() {
    disk_->RunOne();
    Turn();
  }
  void RunDisk() {
    Turn();
    while (disk_->waiting() > 0) RunOneJob();
  }
  void PassTime(int64_t ms) {
    scheduler_.RunFor(ms * kNsPerMs);
    Turn();
  }

  template <typename T>
  using Pending = test::Pending<T>;
  // Starts a coroutine; what it gives is there when it has ended.
  template <typename F, typename T = typename std::invoke_result_t<F&>::Value>
  Pending<T> Begin(F task) {
    Pending<T> result = test::Begin(**reactor_, std::move(task));
    Turn();
    return result;
  }
  template <typename F, typename T = typename std::invoke_result_t<F&>::Value>
  T Await(F task) {
    Pending<T> result = Begin(std::move(task));
    RunDisk();
    KB_CHECK(result->has_value());
    return std::move(**result);
  }
  // Runs f as the reactor does.
  template <typename F>
  auto On(F f) {
    reactor::Reactor::Scope scope(**reactor_);
    return f();
  }

  // ---- partitions

  OpenRequest RequestFor(const std::string& topic, PartitionConfig config = {},
                         const std::string& directory = "/data") {
    OpenRequest request;
    request.id = {Uuid(1, std::hash<std::string>{}(topic)), 0};
    request.name = {topic, 0};
    request.config = config;
    request.leadership.leader = kNode;
    request.data_directory = directory;
    return request;
  }
  std::shared_ptr<Partition> Open(const OpenRequest& request) {
    Status opened = Await([&] { return table_->Open(request); });
    EXPECT_TRUE(opened.ok());
    return table_->Find(request.id);
  }
  std::shared_ptr<Partition> Open(const std::string& topic, PartitionConfig config = {}) {
    return Open(RequestFor(topic, config));
  }
  static PartitionConfig With(Durability durability) {
    PartitionConfig config;
    config.durability = durability;
    return config;
  }

  // ---- records

  std::vector<uint8_t> Batch(int records, record::BatchOptions options = {}, size_t value_bytes = 10) {
    record::BatchBuilder builder(options);
    std::string value(value_bytes, 'v');
    for (int i = 0; i < records; ++i) builder.Append(now_ms(), std::nullopt, AsBytes(value));
    return builder.Build();
  }
  std::vector<uint8_t> BatchOf(ProducerId producer, int32_t first_sequence, int records = 1) {
    record::BatchOptions options;
    options.producer_id = producer;
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = first_sequence;
    return Batch(records, options);
  }
  int64_t now_ms() { return scheduler_.clock().WallMs(); }

  // Through the table, as a request does. The batches stay until it is answered.
  using Batches = std::vector<std::pair<PartitionId, std::vector<uint8_t>>>;
  Pending<std::vector<ProduceOutcome>> BeginProduceAll(Batches batches, int16_t acks, int32_t timeout_ms = 30'000) {
    auto kept = std::make_shared<Batches>(std::move(batches));
    return Begin([this, kept, acks, timeout_ms]() -> reactor::Task<std::vector<ProduceOutcome>> {
      std::vector<ProduceItem> items;
      for (auto& [id, batch] : *kept) items.push_back({id, batch});
      ProduceOptions options{.acks = acks, .api_version = 9, .timeout_ms = timeout_ms};
      std::vector<ProduceOutcome> outcomes(items.size());
      auto produce = table_->Produce(items, options, outcomes);
      if (produce.valid()) co_await produce;
      co_return outcomes;
    });
  }
  Pending<ProduceOutcome> BeginProduce(PartitionId id, std::vector<uint8_t> batch, int16_t acks,
                                       int32_t timeout_ms = 30'000) {
    auto kept = std::make_shared<std::vector<uint8_t>>(std::move(batch));
    return Begin([this, kept, id, acks, timeout_ms]() -> reactor::Task<ProduceOutcome> {
      std::vector<ProduceItem> items{{id, *kept}};
      ProduceOptions options{.acks = acks, .api_version = 9, .timeout_ms = timeout_ms};
      std::vector<ProduceOutcome> outcomes(1);
      auto produce = table_->Produce(items, options, outcomes);
      if (produce.valid()) co_await produce;
      co_return std::move(outcomes[0]);
    });
  }
  // Appends and lets the disk do its work.
  ProduceOutcome Produce(const std::shared_ptr<Partition>& partition, std::vector<uint8_t> batch,
                         int16_t acks = kAcksAll) {
    auto answer = BeginProduce(partition->id(), std::move(batch), acks);
    RunDisk();
    KB_CHECK(answer->has_value());
    return **answer;
  }
  Partition::Deletion Remove(const std::shared_ptr<Partition>& partition, int64_t before) {
    return Await([&] { return partition->DeleteRecords(Offset(before)); });
  }
  ProduceOutcome AppendOwn(const std::shared_ptr<Partition>& partition, std::vector<uint8_t> batch) {
    ProduceOutcome outcome = On([&] { return partition->AppendOwn(batch); });
    RunDisk();
    return outcome;
  }

  static ReadRequest At(int64_t offset, int32_t max_bytes = 1 << 20) {
    ReadRequest request;
    request.fetch_offset = Offset(offset);
    request.max_bytes = max_bytes;
    return request;
  }
  // Through the table.
  Pending<ReadOutcome> BeginReadOf(const ReadRequest& request) {
    return Begin([this, request]() -> reactor::Task<ReadOutcome> {
      ReadOutcome outcome;
      auto read = table_->Read({&request, 1}, {&outcome, 1});
      if (read.valid()) co_await read;
      co_return outcome;
    });
  }
  ReadOutcome Read(const std::shared_ptr<Partition>& partition, const ReadRequest& request) {
    return Await([&] { return partition->Read(request); });
  }
  OffsetLookup FindOffset(const std::shared_ptr<Partition>& partition, int64_t timestamp,
                          IsolationLevel isolation = IsolationLevel::kReadUncommitted,
                          LeaderEpoch epoch = kNoLeaderEpoch) {
    return Await([&] { return partition->FindOffset(timestamp, isolation, epoch); });
  }
  // A watch that counts how often it fired.
  std::shared_ptr<Watch> Watching(const std::shared_ptr<Partition>& partition, int64_t needed_bytes, int* fired) {
    auto watch = std::make_shared<Watch>([fired] { ++*fired; }, needed_bytes);
    On([&] { partition->AddWatch(watch, partition->high_watermark()); });
    return watch;
  }

  test::SimScheduler scheduler_{1};
  test::SimFileSystem files_{1};
  NotingLog said_;
  std::unique_ptr<test::SimReactor> reactor_;
  std::unique_ptr<test::HeldDiskPool> disk_;
  std::unique_ptr<PartitionTable> table_;
  std::vector<std::string> failed_directories_;
};

}  // namespace kb::partition

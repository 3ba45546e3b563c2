// Random histories of a log whose power fails at every call that changes the disk: what was flushed is there, offsets
// have no holes, and the log goes on. One model: the batches in the order they were acknowledged.
//
//   for each history:                     append, several in one, roll, flush, checkpoint, retention, truncation, restart
//     count the changing calls of a run without a cut
//     for each of them (or every few):    run again, cut there, power on, open, compare, append, open again, compare
#include <cerrno>
#include <map>

#include "base/random.h"
#include "log_fixture.h"

namespace kb::log {
namespace {

class PowerCutTest : public LogTest {
 protected:
  PowerCutTest() {
    config_.index_interval_bytes = 150;
    config_.segment_bytes = 900;
  }

  // What the log must hold: batches by base offset. Those below `durable_` for certain, later ones perhaps.
  struct Batch {
    int64_t next_offset;
    std::vector<uint8_t> bytes;
  };

  void AppendOne(Random& random) {
    std::vector<uint8_t> bytes;
    int batches = random.Below(4) == 0 ? 2 : 1;
    for (int i = 0; i < batches; ++i) {
      BatchOf batch(1 + static_cast<int>(random.Below(4)));
      batch.ValueBytes(random.Below(120)).At(time_ms_ += static_cast<int64_t>(random.Below(30)));
      if (batches == 1 && random.Below(2) == 0) {
        int64_t producer = static_cast<int64_t>(random.Below(3));
        batch.From(producer, 0, sequences_[producer]);
      }
      std::vector<uint8_t> one = batch.Build();
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    AppendOptions options;
    options.leader_epoch = leader_epoch_;
    options.now_ms = now_ms_;
    AppendResult result = log_->Append(bytes, options);
    if (!result.ok()) return;
    record::BatchWalk walk(bytes);
    while (auto batch = walk.Next()) {
      model_[batch->base_offset().value()] = {batch->next_offset().value(),
                                              {batch->bytes().begin(), batch->bytes().end()}};
      if (batch->has_producer()) sequences_[batch->producer_id().value()] = batch->last_sequence() + 1;
    }
  }

  void FlushOne(bool is_checkpoint) {
    FlushJob job = is_checkpoint ? log_->PrepareCheckpoint() : log_->PrepareFlush();
    Status status = job.Run();
    log_->FlushCompleted(job, status);
    if (!status.ok()) return;
    durable_ = std::max(durable_, log_->recovery_point().value());
    // The checkpoint file is written now and then, later than the flush.
    checkpointed_ = durable_;
  }

  void Truncate(Random& random) {
    int64_t to = static_cast<int64_t>(random.Below(static_cast<uint64_t>(log_->log_end_offset().value()) + 1));
    if (to < log_->log_start_offset().value()) return;
    auto at = model_.upper_bound(to);
    if (at != model_.begin() && std::prev(at)->second.next_offset > to) --at;
    if (at == model_.end()) return;
    to = at->first;
    // Whoever truncates writes the lower recovery point first.
    checkpointed_ = std::min(checkpointed_, to);
    durable_ = std::min(durable_, to);
    may_be_cut_ = to;
    Result<RemovalJob> job = log_->TruncateTo(Offset(to), now_ms_);
    if (!job.ok()) return;
    may_be_cut_.reset();
    model_.erase(at, model_.end());
    sequences_.clear();
    for (const ActiveProducer& producer : log_->producers().Active()) {
      sequences_[producer.id.value()] = producer.last_sequence + 1;
    }
    (void)job->Remove();
  }

  void Retain(Random& random) {
    int64_t start = log_->log_start_offset().value();
    int64_t to = start + static_cast<int64_t>(random.Below(8));
    if (to > durable_) return;
    log_->DeleteRecordsTo(Offset(to));
    log_start_ = Offset(to);
    RemovalJob job = log_->ApplyRetention(now_ms_, log_->log_end_offset());
    if (job.Rename().ok()) (void)job.Remove();
  }

  // One history. Stops when the power is off.
  void Live(uint64_t seed) {
    Random random(seed);
    for (int step = 0; step < 40 && !files_.is_off(); ++step) {
      switch (random.Below(12)) {
        case 0:
          (void)log_->Roll(now_ms_);
          break;
        case 1:
        case 2:
          FlushOne(false);
          break;
        case 3:
          FlushOne(true);
          break;
        case 4:
          if (random.Below(3) == 0) Truncate(random);
          break;
        case 5:
          Retain(random);
          break;
        case 6:
          leader_epoch_ = leader_epoch_ + 1;
          log_->BeginEpoch(leader_epoch_);
          break;
        case 7:
          log_->ReleaseIdle();
          break;
        default:
          AppendOne(random);
      }
    }
  }

  void StartOver(uint64_t seed) {
    TakeNewDisk(seed);
    model_.clear();
    sequences_.clear();
    durable_ = checkpointed_ = 0;
    may_be_cut_.reset();
    leader_epoch_ = LeaderEpoch(0);
    Open(false);
  }

  void OpenAgain() {
    recovery_point_ = Offset(checkpointed_);
    Open(false);
  }

  // The log holds the model's batches, whole and in order, at least up to what was durable.
  void Compare() {
    const int64_t end = log_->log_end_offset().value();
    ASSERT_GE(end, std::min(durable_, may_be_cut_.value_or(durable_)));
    int64_t offset = log_->log_start_offset().value();
    ASSERT_LE(offset, std::max<int64_t>(durable_, log_start_.value_or(Offset(0)).value()));
    while (offset < end) {
      ReadResult result = Read(From(offset));
      ASSERT_EQ(result.status, ReadStatus::kOk) << offset << (result.failure ? result.failure->message : "");
      // A sealed segment may have lost its unflushed end: a gap, as in a compacted log.
      if (result.slice.size_bytes == 0) {
        ASSERT_GE(offset, durable_);
        break;
      }
      std::vector<uint8_t> bytes = BytesOf(result.slice);
      record::BatchWalk walk(bytes);
      while (auto batch = walk.Next()) {
        ASSERT_TRUE(batch->CheckCrc());
        auto wanted = model_.find(batch->base_offset().value());
        // Written and never acknowledged, it may be there; what was acknowledged is as it was.
        bool is_known = wanted != model_.end();
        ASSERT_TRUE(is_known || batch->base_offset().value() >= durable_) << batch->base_offset().value();
        if (is_known && !may_be_cut_) {
          ASSERT_EQ(std::vector<uint8_t>(batch->bytes().begin(), batch->bytes().end()), wanted->second.bytes);
        }
        ASSERT_GE(batch->next_offset().value(), offset);
        offset = batch->next_offset().value();
      }
    }
    // Producer state is that of the batches.
    std::map<int64_t, int32_t> last;
    for (int64_t at = log_->log_start_offset().value(); at < end;) {
      std::vector<uint8_t> bytes = BytesOf(Read(From(at)).slice);
      if (bytes.empty()) break;
      record::BatchWalk walk(bytes);
      while (auto batch = walk.Next()) {
        if (batch->has_producer()) last[batch->producer_id().value()] = batch->last_sequence();
        at = batch->next_offset().value();
      }
    }
    for (auto& [id, sequence] : last) {
      const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
      ASSERT_NE(entry, nullptr) << id;
      ASSERT_EQ(entry->last_sequence(), sequence) << id;
    }
  }

  void CutAndLookAt(uint64_t seed, uint64_t cut, test::PowerLoss loss) {
    SCOPED_TRACE(testing::Message() << "history " << seed << " cut at " << cut << " loss " << static_cast<int>(loss));
    StartOver(seed * 1000 + cut);
    files_.CutAt(cut, loss);
    Live(seed);
    log_.reset();
    files_.PowerOn();
    OpenAgain();
    Compare();
    if (HasFatalFailure()) return;
    // It goes on, and a kill takes nothing.
    ASSERT_TRUE(Append(BatchOf(2)).ok());
    ASSERT_TRUE(Flush().ok());
    const int64_t end = log_->log_end_offset().value();
    checkpointed_ = end;
    log_.reset();
    files_.Cut(test::PowerLoss::kEverything);
    OpenAgain();
    ASSERT_EQ(log_->log_end_offset().value(), end);
  }

  std::map<int64_t, Batch> model_;
  std::map<int64_t, int32_t> sequences_;
  int64_t durable_ = 0;
  int64_t checkpointed_ = 0;
  std::optional<int64_t> may_be_cut_;  // a truncation to here was under way
};

TEST_F(PowerCutTest, AtEveryCallOfSomeHistories) {
  uint64_t cuts = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    StartOver(seed);
    uint64_t before = files_.changing_calls();
    Live(seed);
    const uint64_t calls = files_.changing_calls() - before;
    for (uint64_t cut = 1; cut <= calls; ++cut) {
      CutAndLookAt(seed, cut, test::PowerLoss::kSomething);
      if (HasFatalFailure()) return;
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 400u);
}

TEST_F(PowerCutTest, SomewhereInManyHistories) {
  for (uint64_t seed = 100; seed < 300; ++seed) {
    StartOver(seed);
    uint64_t before = files_.changing_calls();
    Live(seed);
    const uint64_t calls = files_.changing_calls() - before;
    Random random(seed);
    for (test::PowerLoss loss : {test::PowerLoss::kNothing, test::PowerLoss::kEverything, test::PowerLoss::kSomething}) {
      for (int i = 0; i < 4 && calls > 0; ++i) {
        CutAndLookAt(seed, 1 + random.Below(calls), loss);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// The same seed gives the same disk, byte for byte: failures found above can be repeated.
TEST_F(PowerCutTest, HistoriesAreDeterministic) {
  std::map<std::string, std::string> first;
  for (int round = 0; round < 2; ++round) {
    StartOver(7);
    files_.CutAt(60, test::PowerLoss::kSomething);
    Live(7);
    log_.reset();
    files_.PowerOn();
    if (round == 0) {
      first = files_.Contents();
    } else {
      EXPECT_EQ(files_.Contents(), first);
    }
  }
  EXPECT_FALSE(first.empty());
}

}  // namespace
}  // namespace kb::log

#include "log/producer_state.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/varint.h"
#include "record/iterate.h"

namespace kb::log {
namespace {

constexpr int16_t kSnapshotVersion = 1;
constexpr size_t kSnapshotHeaderBytes = 2 + 4 + 4;
constexpr size_t kSnapshotChecked = 2 + 4;  // the CRC covers what follows it
constexpr size_t kSnapshotEntryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
static_assert(kSnapshotEntryBytes == 46);

bool Follows(int32_t last_sequence, int32_t base_sequence) {
  return int64_t{base_sequence} == int64_t{last_sequence} + 1 || (base_sequence == 0 && last_sequence == INT32_MAX);
}

class SnapshotWriter {
 public:
  explicit SnapshotWriter(size_t entries) : bytes_(kSnapshotHeaderBytes + entries * kSnapshotEntryBytes, '\0') {}
  template <typename T>
  void Put(T value) {
    StoreBigEndian<T>(data() + at_, value);
    at_ += sizeof(T);
  }
  std::string Take() {
    KB_CHECK(at_ == bytes_.size());
    StoreBigEndian<uint32_t>(data() + 2, Crc32c(AsBytes(bytes_).subspan(kSnapshotChecked)));
    return std::move(bytes_);
  }

 private:
  uint8_t* data() { return reinterpret_cast<uint8_t*>(bytes_.data()); }
  std::string bytes_;
  size_t at_ = 0;
};

class SnapshotReader {
 public:
  explicit SnapshotReader(const uint8_t* at) : at_(at) {}
  template <typename T>
  T Get() {
    T value = LoadBigEndian<T>(at_);
    at_ += sizeof(T);
    return value;
  }

 private:
  const uint8_t* at_;
};

Error BadSnapshot(std::string_view why) { return Error{ErrorKind::kCorrupt, "producer snapshot: " + std::string(why)}; }

}  // namespace

std::optional<TransactionMarker> ParseTransactionMarker(const record::BatchView& batch) {
  if (!batch.is_control() || batch.codec() != record::Codec::kNone) return std::nullopt;
  ByteView body = batch.payload();
  int32_t length = 0;
  size_t taken = ReadVarint(body, &length);
  if (taken == 0 || length < 0 || static_cast<size_t>(length) > body.size() - taken) return std::nullopt;
  record::RecordView record;
  if (!record::ParseRecordBody(body.subspan(taken, static_cast<size_t>(length)), &record)) return std::nullopt;
  return record::ParseEndTransactionMarker(record);
}

int32_t BatchMemory::first_sequence() const {
  if (last_sequence == record::kNoSequence) return record::kNoSequence;
  int64_t first = int64_t{last_sequence} - offset_delta;
  return static_cast<int32_t>(first < 0 ? first + INT32_MAX + 1 : first);  // the batch wrapped
}

const BatchMemory* ProducerEntry::Find(int32_t first_sequence, int32_t last_sequence) const {
  for (int8_t i = 0; i < count_; ++i) {
    const BatchMemory& batch = batches_[static_cast<size_t>(i)];
    if (batch.last_sequence == last_sequence && batch.first_sequence() == first_sequence) return &batch;
  }
  return nullptr;
}

const BatchMemory* ProducerEntry::LastBatchBelow(Offset end) const {
  for (int8_t back = 1; back <= count_; ++back) {
    const BatchMemory& batch = batches_[static_cast<size_t>((next_ + kRemembered - back) % kRemembered)];
    if (batch.last_offset < end) return &batch;
  }
  return nullptr;
}

void ProducerEntry::Remember(const BatchMemory& batch) {
  batches_[static_cast<size_t>(next_)] = batch;
  next_ = static_cast<int8_t>((next_ + 1) % kRemembered);
  count_ = static_cast<int8_t>(std::min(count_ + 1, kRemembered));
}

const ProducerEntry* ProducerState::Find(ProducerId id) const {
  auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : &found->second;
}

ProducerState::Judgement ProducerState::Check(const record::BatchView& batch, bool new_transaction_from_zero) const {
  if (!batch.has_producer()) return {};
  const ProducerEntry* known = Find(batch.producer_id());
  if (batch.is_control()) return CheckMarker(batch, known);
  if (known == nullptr) {
    bool must_be_zero = new_transaction_from_zero && batch.is_transactional();
    if (must_be_zero && batch.base_sequence() != 0) return {ProducerVerdict::kOutOfOrderSequence, {}};
    return {};
  }
  if (batch.producer_epoch() == known->epoch) {
    const BatchMemory* original = known->Find(batch.base_sequence(), batch.last_sequence());
    if (original != nullptr) return {ProducerVerdict::kDuplicate, *original};
  }
  if (batch.producer_epoch() < known->epoch) return {ProducerVerdict::kStaleProducerEpoch, {}};
  bool is_new_epoch = batch.producer_epoch() > known->epoch;
  int32_t last_sequence = is_new_epoch ? record::kNoSequence : known->last_sequence();
  if (!Follows(last_sequence, batch.base_sequence())) return {ProducerVerdict::kOutOfOrderSequence, {}};
  bool is_open = known->transaction_first_offset != kNoOffset;
  if (is_open && !batch.is_transactional()) return {ProducerVerdict::kInvalidTxnState, {}};
  return {};
}

ProducerState::Judgement ProducerState::CheckMarker(const record::BatchView& batch, const ProducerEntry* known) const {
  std::optional<TransactionMarker> marker = ParseTransactionMarker(batch);
  if (!marker || known == nullptr) return {};
  if (batch.producer_epoch() < known->epoch) return {ProducerVerdict::kStaleProducerEpoch, {}};
  if (marker->coordinator_epoch < known->coordinator_epoch) return {ProducerVerdict::kStaleCoordinatorEpoch, {}};
  return {};
}

std::optional<AbortedTransaction> ProducerState::Update(const record::BatchView& batch, int64_t now_ms) {
  std::optional<TransactionMarker> marker;
  if (batch.is_control()) marker = ParseTransactionMarker(batch);
  return Update(batch, marker, now_ms);
}

std::optional<AbortedTransaction> ProducerState::Update(const record::BatchHeader& batch,
                                                        const std::optional<TransactionMarker>& marker,
                                                        int64_t now_ms) {
  if (!batch.has_producer()) return std::nullopt;
  if (batch.is_control() && !marker) return std::nullopt;
  ProducerEntry& entry = producers_[batch.producer_id()];
  entry.last_write_ms = now_ms;
  entry.timestamp = batch.max_timestamp();
  std::optional<AbortedTransaction> aborted;
  if (marker) {
    aborted = UpdateMarker(batch, *marker, entry);
  } else {
    UpdateData(batch, entry);
  }
  if (producers_.size() > most_producers_) ForgetLongestSilent();
  return aborted;
}

void ProducerState::SetEpoch(ProducerEntry& entry, ProducerEpoch epoch) {
  if (entry.epoch != epoch) entry.ForgetBatches();
  entry.epoch = epoch;
}

void ProducerState::UpdateData(const record::BatchHeader& batch, ProducerEntry& entry) {
  SetEpoch(entry, batch.producer_epoch());
  entry.Remember({batch.last_sequence(), batch.last_offset_delta(), batch.last_offset(), batch.max_timestamp()});
  if (batch.is_transactional() && entry.transaction_first_offset == kNoOffset) {
    entry.transaction_first_offset = batch.base_offset();
    open_[batch.base_offset()] = batch.producer_id();
  }
}

Offset ProducerState::StableOffsetAfter(Offset marker) const {
  return open_.empty() ? marker + 1 : std::min(open_.begin()->first, marker + 1);
}

std::optional<AbortedTransaction> ProducerState::UpdateMarker(const record::BatchHeader& batch,
                                                              const TransactionMarker& marker, ProducerEntry& entry) {
  SetEpoch(entry, batch.producer_epoch());
  entry.coordinator_epoch = marker.coordinator_epoch;
  if (entry.transaction_first_offset == kNoOffset) return std::nullopt;  // it wrote nothing here
  const Offset first_offset = std::exchange(entry.transaction_first_offset, kNoOffset);
  open_.erase(first_offset);
  ended_[first_offset] = batch.base_offset();
  if (marker.commit) return std::nullopt;
  return AbortedTransaction{batch.producer_id(), first_offset, batch.base_offset(),
                            StableOffsetAfter(batch.base_offset())};
}

std::optional<Offset> ProducerState::FirstUnstableOffset(Offset high_watermark) const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  auto ended = std::find_if(ended_.begin(), ended_.end(), [&](const auto& each) { return each.second >= high_watermark; });
  if (ended != ended_.end() && (!first || ended->first < *first)) first = ended->first;
  return first;
}

void ProducerState::HighWatermarkAdvanced(Offset high_watermark) {
  if (ended_.empty()) return;
  std::erase_if(ended_, [&](const auto& each) { return each.second < high_watermark; });
}

size_t ProducerState::Expire(int64_t now_ms, int64_t expiration_ms) {
  return std::erase_if(producers_, [&](const auto& each) {
    const ProducerEntry& entry = each.second;
    return entry.transaction_first_offset == kNoOffset && now_ms - entry.last_write_ms >= expiration_ms;
  });
}

// An eighth at a time, so that a producer that opens ids without end pays for one pass per many of them.
void ProducerState::ForgetLongestSilent() {
  struct Candidate {
    int64_t last_write_ms;
    Offset last_offset;
    ProducerId id;
    auto operator<=>(const Candidate&) const = default;
  };
  std::vector<Candidate> candidates;
  for (const auto& [id, entry] : producers_) {
    if (entry.transaction_first_offset != kNoOffset) continue;
    candidates.push_back({entry.last_write_ms, entry.has_batches() ? entry.last_batch()->last_offset : kNoOffset, id});
  }
  size_t excess = producers_.size() - most_producers_ + most_producers_ / 8;
  excess = std::min(excess, candidates.size());
  auto middle = candidates.begin() + static_cast<ptrdiff_t>(excess);
  std::nth_element(candidates.begin(), middle, candidates.end());
  std::for_each(candidates.begin(), middle, [&](const Candidate& each) { producers_.erase(each.id); });
}

void ProducerState::Clear() {
  producers_.clear();
  open_.clear();
  ended_.clear();
}

std::vector<ActiveProducer> ProducerState::Active() const {
  std::vector<ActiveProducer> active;
  active.reserve(producers_.size());
  for (const auto& [id, entry] : producers_) {
    active.push_back({id, entry.epoch, entry.last_sequence(), entry.timestamp, entry.coordinator_epoch,
                      entry.transaction_first_offset});
  }
  std::sort(active.begin(), active.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return active;
}

std::string ProducerState::Snapshot() const {
  SnapshotWriter to(producers_.size());
  to.Put(kSnapshotVersion);
  to.Put<uint32_t>(0);  // the CRC, by Take()
  to.Put(static_cast<int32_t>(producers_.size()));
  for (const ActiveProducer& each : Active()) {
    const ProducerEntry& entry = producers_.at(each.id);
    const BatchMemory last = entry.has_batches() ? *entry.last_batch() : BatchMemory{};
    to.Put(each.id.value());
    to.Put(entry.epoch.value());
    to.Put(last.last_sequence);
    to.Put(last.last_offset.value());
    to.Put(last.offset_delta);
    to.Put(entry.timestamp);
    to.Put(entry.coordinator_epoch);
    to.Put(entry.transaction_first_offset.value());
  }
  return to.Take();
}

Status ProducerState::Restore(ByteView snapshot, int64_t now_ms) {
  if (snapshot.size() < kSnapshotHeaderBytes) return BadSnapshot("shorter than its header");
  SnapshotReader from(snapshot.data());
  if (from.Get<int16_t>() != kSnapshotVersion) return BadSnapshot("of an unknown version");
  if (from.Get<uint32_t>() != Crc32c(snapshot.subspan(kSnapshotChecked))) return BadSnapshot("its checksum is wrong");
  int32_t count = from.Get<int32_t>();
  if (count < 0 || snapshot.size() != kSnapshotHeaderBytes + static_cast<size_t>(count) * kSnapshotEntryBytes) {
    return BadSnapshot("its count does not match its size");
  }
  Clear();
  for (int32_t i = 0; i < count; ++i) {
    const ProducerId id(from.Get<int64_t>());
    ProducerEntry& entry = producers_[id];
    entry.epoch = ProducerEpoch(from.Get<int16_t>());
    BatchMemory last;
    last.last_sequence = from.Get<int32_t>();
    last.last_offset = Offset(from.Get<int64_t>());
    last.offset_delta = from.Get<int32_t>();
    last.timestamp = entry.timestamp = from.Get<int64_t>();
    entry.coordinator_epoch = from.Get<int32_t>();
    entry.transaction_first_offset = Offset(from.Get<int64_t>());
    // Not the time in the snapshot, which is the records': a producer of old records would be forgotten at once.
    entry.last_write_ms = now_ms;
    if (last.last_offset != kNoOffset) entry.Remember(last);
    if (entry.transaction_first_offset != kNoOffset) open_[entry.transaction_first_offset] = id;
  }
  return {};
}

void ProducerState::Recall(const ProducerState& recent) {
  for (auto& [id, entry] : producers_) {
    const ProducerEntry* seen = recent.Find(id);
    bool is_same = seen != nullptr && seen->epoch == entry.epoch && seen->has_batches() && entry.has_batches() &&
                   seen->last_batch()->last_offset == entry.last_batch()->last_offset;
    if (is_same) entry.TakeBatches(*seen);
  }
}

}  // namespace kb::log

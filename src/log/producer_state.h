// ProducerState: what one log knows of those who write to it with a producer id, so that a batch sent twice is stored once
// (KIP-98), a fenced producer is refused, and readers learn below which offset no transaction is open.
//
//   producer id → epoch, the last five batches {sequences, offsets, timestamp}, open transaction, coordinator epoch
//
// A batch of a client is judged by Check before it is written, and told by Update after it was: a write that failed leaves
// no trace. Batches of replication and recovery are only told. Order of the rules (Apache Kafka, ProducerAppendInfo):
//
//   same first and last sequence and epoch as one of the last five batches      duplicate: success, with the first offsets
//   epoch below the known one                                                   kStaleProducerEpoch
//   epoch above it, or first seen, …                                            first sequence 0 (unknown producer: any)
//   same epoch: base sequence is the last one + 1; 0 follows 2^31-1             else kOutOfOrderSequence
//   outside of a transaction while one of this producer is open                 kInvalidTxnState
//
// Bound: LogConfig::most_producers; the longest silent ones without an open transaction go first.
//
// Snapshot file (.snapshot): int16 version 1, uint32 CRC-32C of all that follows, int32 count, then per producer 46 bytes:
//   int64 id, int16 epoch, int32 last sequence, int64 last offset, int32 offset delta, int64 timestamp, int32 coordinator
//   epoch (-1 none), int64 first offset of the open transaction (-1 none)
// Only the last batch of a producer is in it. Reactor-affine.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/ids.h"
#include "record/batch.h"
#include "record/control.h"

namespace kb::log {

inline constexpr int32_t kNoCoordinatorEpoch = -1;

// An aborted transaction: in a .txnindex, and in a Fetch response.
struct AbortedTransaction {
  ProducerId producer_id{kNoProducerId};
  Offset first_offset{kNoOffset};
  Offset last_offset{kNoOffset};         // of its abort marker
  Offset last_stable_offset{kNoOffset};  // when it ended
  auto operator<=>(const AbortedTransaction&) const = default;
};

// What a control batch says, if it is an uncompressed transaction marker.
using TransactionMarker = record::EndTransactionMarker;
std::optional<TransactionMarker> ParseTransactionMarker(const record::BatchView& batch);

enum class ProducerVerdict {
  kAccepted,
  kDuplicate,
  kOutOfOrderSequence,
  kStaleProducerEpoch,
  kInvalidTxnState,
  kStaleCoordinatorEpoch,
};

struct BatchMemory {
  int32_t last_sequence = record::kNoSequence;
  int32_t offset_delta = 0;  // last offset - first offset
  Offset last_offset{kNoOffset};
  int64_t timestamp = record::kNoTimestamp;  // the batch's max timestamp
  int32_t first_sequence() const;
  Offset first_offset() const { return last_offset - offset_delta; }
};

// One producer.
class ProducerEntry {
 public:
  static constexpr int kRemembered = 5;  // what a client may have in flight (max.in.flight.requests.per.connection)

  ProducerEpoch epoch{kNoProducerEpoch};
  int32_t coordinator_epoch = kNoCoordinatorEpoch;
  Offset transaction_first_offset{kNoOffset};  // kNoOffset: none is open
  int64_t timestamp = record::kNoTimestamp;    // of the last batch or marker, in record time
  int64_t last_write_ms = 0;                   // on the wall: expiry goes by it

  bool has_batches() const { return count_ > 0; }
  const BatchMemory* last_batch() const { return count_ > 0 ? &batches_[(next_ + kRemembered - 1) % kRemembered] : nullptr; }
  int32_t last_sequence() const { return count_ > 0 ? last_batch()->last_sequence : record::kNoSequence; }
  const BatchMemory* Find(int32_t first_sequence, int32_t last_sequence) const;
  const BatchMemory* LastBatchBelow(Offset end) const;
  void Remember(const BatchMemory& batch);
  void ForgetBatches() { count_ = next_ = 0; }
  void TakeBatches(const ProducerEntry& from) {
    batches_ = from.batches_;
    count_ = from.count_;
    next_ = from.next_;
  }

 private:
  std::array<BatchMemory, kRemembered> batches_{};
  int8_t count_ = 0;
  int8_t next_ = 0;
};

// For DescribeProducers.
struct ActiveProducer {
  ProducerId id{kNoProducerId};
  ProducerEpoch epoch{kNoProducerEpoch};
  int32_t last_sequence = record::kNoSequence;
  int64_t last_timestamp = record::kNoTimestamp;
  int32_t coordinator_epoch = kNoCoordinatorEpoch;
  Offset transaction_first_offset{kNoOffset};
};

class ProducerState {
 public:
  explicit ProducerState(size_t most_producers) : most_producers_(most_producers) {}

  struct Judgement {
    ProducerVerdict verdict = ProducerVerdict::kAccepted;
    BatchMemory duplicate_of;  // with kDuplicate
  };
  // Whether a client's (or, for a marker, the coordinator's) batch may be written. Batches without a producer id are
  // always accepted. new_transaction_from_zero: the rule of transactions v2 that a producer unknown here starts at 0.
  // Knows nothing of batches that were checked and not yet told: an append carries one batch per producer.
  Judgement Check(const record::BatchView& batch, bool new_transaction_from_zero = false) const;

  // A batch was written at the offsets in its header. Returns the transaction that it aborted, if it did; the caller
  // writes it to the transaction index.
  std::optional<AbortedTransaction> Update(const record::BatchView& batch, int64_t now_ms);

  // For the scan after a restart, which sees headers only. marker: with a control batch.
  std::optional<AbortedTransaction> Update(const record::BatchHeader& batch,
                                           const std::optional<TransactionMarker>& marker, int64_t now_ms);

  // The first offset that a reader of committed records may not pass: the start of the earliest transaction that is open,
  // or whose marker is not below high_watermark. nullopt: there is none.
  std::optional<Offset> FirstUnstableOffset(Offset high_watermark) const;
  // Forgets ended transactions whose marker is below it.
  void HighWatermarkAdvanced(Offset high_watermark);

  // Forgets producers without an open transaction that were silent for expiration_ms. Returns how many.
  size_t Expire(int64_t now_ms, int64_t expiration_ms);

  void Clear();
  bool empty() const { return producers_.empty(); }
  size_t size() const { return producers_.size(); }
  const ProducerEntry* Find(ProducerId id) const;
  std::vector<ActiveProducer> Active() const;  // by id
  void set_most_producers(size_t most) { most_producers_ = most; }

  std::string Snapshot() const;  // the bytes of a .snapshot file
  // Replaces the state. kCorrupt leaves it as it was.
  Status Restore(ByteView snapshot, int64_t now_ms);
  // A snapshot has the last batch of each producer. Takes over the earlier ones of those whose last batch `recent`, which
  // saw the end of the log up to the snapshot, knows as well: they may have been in flight, and come again.
  void Recall(const ProducerState& recent);

 private:
  Judgement CheckMarker(const record::BatchView& batch, const ProducerEntry* known) const;
  void UpdateData(const record::BatchHeader& batch, ProducerEntry& entry);
  void SetEpoch(ProducerEntry& entry, ProducerEpoch epoch);
  Offset StableOffsetAfter(Offset marker) const;
  std::optional<AbortedTransaction> UpdateMarker(const record::BatchHeader& batch, const TransactionMarker& marker,
                                                 ProducerEntry& entry);
  void ForgetLongestSilent();

  size_t most_producers_;
  std::unordered_map<ProducerId, ProducerEntry> producers_;
  std::map<Offset, ProducerId> open_;  // transactions by first offset
  std::map<Offset, Offset> ended_;     // first offset → marker: ended, and the marker not known to be replicated
};

}  // namespace kb::log

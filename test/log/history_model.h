// HistoryModel: what a log must hold, may hold and must not hold, told batch by batch what happened to it. The judge of
// random histories (history.h).
//
//   batches             everything that was ever written and not truncated, by base offset; below log_start: may come
//   back [log_start, required_end)   must be found, as it is [required_end, …)           may be found: as a prefix, so
//   that no hole is left attempts            bytes of appends that failed: may be found too, nobody was told that they
//   are not there
//
// Cleaning is judged by records: those that it may take may be there, all others must. After each look the model takes
// over what was found: a later look must find it again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "log/producer_state.h"
#include "record/batch.h"
#include "record/compression.h"

namespace kb::log {

struct HistoryRecord {
  int64_t offset = 0;
  int64_t timestamp = 0;
  std::optional<std::string> key, value;
  bool operator==(const HistoryRecord&) const = default;
};

// What batches say of one producer.
struct ProducerFacts {
  struct Sent {
    int32_t first_sequence, last_sequence;
    int64_t first_offset, last_offset;
  };
  int16_t epoch = -1;
  std::deque<Sent> last;  // at most five, of this epoch
  int64_t open_since = -1;
  int32_t coordinator_epoch = -1;
  bool ends_with_marker = false;
};

// What batches, read in order, come to.
struct HistoryReplay {
  std::map<int64_t, ProducerFacts> producers;
  std::vector<AbortedTransaction> aborted;  // in the order of their markers
  std::map<std::pair<int64_t, int64_t>, int64_t> ended;  // producer and first offset of a transaction → its marker
  std::set<int64_t> aborted_offsets;        // first offsets of data batches of aborted transactions
  std::map<int64_t, std::set<int64_t>> open_data;
  void Add(const record::BatchView& batch);
};

class HistoryModel {
 public:
  // A cleaning that is under way, or was when the power went.
  struct Cleaning {
    int64_t end = 0;          // no record at or above it goes: first uncleanable offset, or what the map held
    int64_t touched_end = 0;  // batches below it may be written anew
    int64_t looked_from = 0;  // what was below the log start once need not be looked for
    int64_t now_ms = 0;
    bool is_done = false;
  };

  // ---- what happened
  void Add(ByteView batches);
  void AddAttempt(ByteView batches);
  void Truncating(int64_t offset);
  void Truncated(int64_t offset);
  void StartedAnewAt(int64_t offset);
  void Flushed(int64_t recovery_point);
  // What is not on the disk may be gone.
  void PowerLost() { required_end = std::min(required_end, durable); }

  // ---- judging
  // found: the batches of the log from its start on. may_have_holes: as a compacted log may. The complaint, or "".
  std::string Judge(const std::vector<std::string>& found, int64_t found_start, int64_t found_end, bool may_have_holes);
  // The log is what was found.
  void TakeOver(const std::vector<std::string>& found, int64_t found_start, int64_t found_end);

  // Where a log that lost what begins at or behind an offset certainly does not end before.
  int64_t EndBelow(int64_t offset) const;
  std::vector<HistoryRecord> RecordsOf(const record::BatchView& batch);
  HistoryReplay Replay() const;
  static HistoryReplay Replay(const std::vector<std::string>& batches);

  std::map<int64_t, std::string> batches;
  std::vector<std::string> attempts;
  // What an unfinished truncation took: until the next flush it may come back with the names of its segments.
  std::vector<std::string> ghosts;
  int64_t cleaned_end = 0;  // batches below it were cleaned once: also those below the log start
  int64_t log_start = 0;
  int64_t least_log_start = 0;  // on record
  int64_t end = 0;
  int64_t durable = 0;
  int64_t required_end = 0;
  std::optional<Cleaning> cleaning;

 private:
  bool IsAttempt(ByteView batch) const;
  std::string JudgeCleaned(const record::BatchView& before, const record::BatchView& found, bool is_known);
  std::string JudgeMissing(const record::BatchView& batch, bool is_in_doubt);
  // The records that a complete cleaning would leave, by offset.
  void Clean();

  record::Decompressor decompressor_;
  std::set<int64_t> aborted_;               // first offsets of batches of aborted transactions
  std::set<int64_t> must_stay_, may_stay_;  // offsets of records below cleaning->end
};

}  // namespace kb::log

// What a call to a group shard comes to: answers to send, and records to append. Values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "group/responses.h"

namespace kb::group {

// Stands for a request that waits for its answer. Chosen by the caller, who keeps them apart; the machine only hands it
// back. Each ticket gets exactly one reply, also when its shard is unloaded.
using Ticket = uint64_t;

struct Reply {
  Ticket ticket = 0;
  Response response;
};

// A record of __consumer_offsets. No value: a tombstone.
struct RecordBytes {
  std::string key;
  std::optional<std::string> value;
};

// Names one write of one shard, ascending from 1. 0: nothing to write.
using WriteId = uint64_t;

struct Outcome {
  std::vector<Reply> replies;        // to be sent now, whatever becomes of the records
  std::vector<RecordBytes> records;  // to be appended as one batch, all or none; empty exactly when write_id is 0
  WriteId write_id = 0;
};

// When a call happens. The machine asks no clock.
struct Now {
  int64_t wall_ms = 0;       // goes into records
  int64_t monotonic_ms = 0;  // for timers

  static Now Of(const Clock& clock) { return {clock.WallMs(), clock.MonotonicNs() / kNsPerMs}; }
};

}  // namespace kb::group

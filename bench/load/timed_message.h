// Messages that carry when they were due, so that whoever gets one knows how long it was under way.
//
//   value := mark: int64, due_ns: int64, filling        big-endian; the mark tells this run's messages from all others
//
// One message is one batch of one record, uncompressed. Immutable functions; a TimedRequest belongs to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace kb::load {

// A Produce request with one message, patched for each use.
class TimedRequest {
 public:
  TimedRequest(std::string_view topic, int16_t acks, int64_t record_bytes, int64_t mark);

  std::string_view Patch(int32_t correlation_id, int32_t partition, int64_t due_ns);
  int64_t batch_bytes() const { return batch_bytes_; }

 private:
  int64_t batch_bytes_ = 0;
  size_t due_at_ = 0;  // in the batch
  std::string bytes_;
};

// Calls back with the due time of every message of `mark` at or after `from` in the whole batches of `records`. The
// offset behind the last whole batch, or `from`. Ends the program where the records are packed or are no batches.
int64_t ForEachDue(std::string_view records, int64_t from, int64_t mark,
                   const std::function<void(int64_t due_ns)>& callback);

}  // namespace kb::load

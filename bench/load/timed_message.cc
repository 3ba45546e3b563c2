#include "load/timed_message.h"

#include <cstddef>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr size_t kHeaderBytes = 61, kLengthAt = 8, kLengthEnd = 12, kCrcAt = 17, kCrcEnd = 21, kLastDeltaAt = 23;
constexpr size_t kCorrelationAt = 8;  // of a request: behind length, key and version
constexpr size_t kTimedBytes = 16;

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

void ReadRecords(std::string_view batch, int64_t from, int64_t mark, const std::function<void(int64_t)>& callback) {
  const auto base = LoadBigEndian<int64_t>(Bytes(batch));
  raw::In in(batch.substr(kHeaderBytes - 4));
  for (int32_t left = in.I32(); left > 0; --left) {
    raw::In record(in.Raw(static_cast<size_t>(in.Varint())));
    record.I8();
    record.Varint();
    const int64_t offset = base + record.Varint();
    if (const int64_t key = record.Varint(); key > 0) record.Raw(static_cast<size_t>(key));
    const int64_t size = record.Varint();
    if (offset < from || size < static_cast<int64_t>(kTimedBytes)) continue;
    if (record.I64() == mark) callback(record.I64());
  }
}

}  // namespace

TimedRequest::TimedRequest(std::string_view topic, int16_t acks, int64_t record_bytes, int64_t mark) {
  raw::Out value;
  value.I64(mark);
  value.bytes().resize(static_cast<size_t>(record_bytes), 'x');
  const std::string batch = raw::Batch({value.bytes()});
  batch_bytes_ = static_cast<int64_t>(batch.size());
  bytes_ = raw::ProduceRequest(0, topic, 0, acks, batch);
  due_at_ = batch.size() - /*count of headers*/ 1 - value.bytes().size() + /*mark*/ 8;
}

std::string_view TimedRequest::Patch(int32_t correlation_id, int32_t partition, int64_t due_ns) {
  auto* const bytes = reinterpret_cast<uint8_t*>(bytes_.data());
  const size_t batch_bytes = static_cast<size_t>(batch_bytes_);
  uint8_t* const batch = bytes + bytes_.size() - batch_bytes;
  StoreBigEndian<int32_t>(bytes + kCorrelationAt, correlation_id);
  StoreBigEndian<int32_t>(batch - 8, partition);
  StoreBigEndian<int64_t>(batch + due_at_, due_ns);
  StoreBigEndian<uint32_t>(batch + kCrcAt, Crc32c(ByteView(batch, batch_bytes).subspan(kCrcEnd)));
  return bytes_;
}

int64_t ForEachDue(std::string_view records, int64_t from, int64_t mark,
                   const std::function<void(int64_t due_ns)>& callback) {
  int64_t next = from;
  while (records.size() >= kHeaderBytes) {
    const auto length = LoadBigEndian<int32_t>(Bytes(records) + kLengthAt);
    if (length < static_cast<int32_t>(kHeaderBytes - kLengthEnd))
      raw::Die("a batch of " + std::to_string(length) + " bytes");
    const size_t size = static_cast<size_t>(length) + kLengthEnd;
    if (size > records.size()) break;
    const auto attributes = LoadBigEndian<int16_t>(Bytes(records) + kCrcEnd);
    if ((attributes & 7) != 0) raw::Die("a batch is packed: the topic's compression.type must be producer");
    ReadRecords(records.substr(0, size), from, mark, callback);
    next = LoadBigEndian<int64_t>(Bytes(records)) + LoadBigEndian<int32_t>(Bytes(records) + kLastDeltaAt) + 1;
    records.remove_prefix(size);
  }
  return next;
}

}  // namespace kb::load

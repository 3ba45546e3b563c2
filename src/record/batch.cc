#include "record/batch.h"

namespace kb::record {

void MutableBatchView::SetMaxTimestamp(TimestampType type, int64_t max_timestamp) {
  if (type == timestamp_type() && max_timestamp == this->max_timestamp()) return;
  // Bits without a meaning go when the field is written anew, as in Apache Kafka.
  uint16_t bits = attributes() & kDefinedBits & static_cast<uint16_t>(~kTimestampTypeBit);
  if (type == TimestampType::kLogAppendTime) bits |= kTimestampTypeBit;
  StoreBigEndian(to_ + kAttributesAt, bits);
  StoreBigEndian(to_ + kMaxTimestampAt, max_timestamp);
  UpdateCrc();
}

}  // namespace kb::record

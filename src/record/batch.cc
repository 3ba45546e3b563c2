#include "record/batch.h"

namespace kb::record {

void MutableBatchView::SetMaxTimestamp(TimestampType type, int64_t max_timestamp) {
  uint16_t bits = attributes() & static_cast<uint16_t>(~kTimestampTypeBit);
  if (type == TimestampType::kLogAppendTime) bits |= kTimestampTypeBit;
  if (bits == attributes() && max_timestamp == this->max_timestamp()) return;
  StoreBigEndian(to_ + kAttributesAt, bits);
  StoreBigEndian(to_ + kMaxTimestampAt, max_timestamp);
  UpdateCrc();
}

}  // namespace kb::record

#include "log/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace kb::log {
namespace {

constexpr size_t kSmallWindowBytes = 4096;
constexpr uint32_t kLargeBatchBytes = 64 << 10;  // beyond, reading what lies between two headers costs more than a call
constexpr size_t kLargestMarkerBytes = 4096;     // one is 78 bytes

}  // namespace

ByteView SegmentScan::Window(uint64_t position, size_t size) {
  if (position >= end_) return {};
  size = static_cast<size_t>(std::min<uint64_t>(size, end_ - position));
  bool is_there = position >= window_at_ && position + size <= window_at_ + window_.size();
  if (!is_there) {
    bool jumping = depth_ == kHeadersOnly && size_bytes_ > kLargeBatchBytes;
    size_t wanted = std::max(size, jumping ? kSmallWindowBytes : kWindowBytes);
    window_.resize(static_cast<size_t>(std::min<uint64_t>(wanted, end_ - position)));
    window_at_ = position;
    Result<size_t> got = file_.ReadAt(position, window_);
    if (!got.ok()) error_ = got.error();
    window_.resize(got.ok() ? *got : 0);
    size = std::min(size, window_.size());
  }
  return ByteView(window_).subspan(static_cast<size_t>(position - window_at_), size);
}

ByteView SegmentScan::Some(uint64_t position, uint64_t most) {
  if (Window(position, 1).empty()) return {};
  ByteView rest = ByteView(window_).subspan(static_cast<size_t>(position - window_at_));
  return rest.first(static_cast<size_t>(std::min<uint64_t>(rest.size(), most)));
}

bool SegmentScan::HeaderIsPlausible(const record::BatchHeader& header, uint64_t position) const {
  if (!header.length_is_sane() || static_cast<uint64_t>(header.size_bytes()) > end_ - position) return false;
  if (header.magic() != record::kMagic || header.last_offset_delta() < 0) return false;
  // What the indexes can express: offsets relative to the segment in 31 bits.
  // (The base offset is outside of the checksum: this is all that can be said about it.)
  if (header.base_offset() < base_offset_ || header.last_offset() >= limit_) return false;
  return header.base_offset() - base_offset_ <= INT32_MAX && header.last_offset() - base_offset_ <= INT32_MAX;
}

bool SegmentScan::CrcIsRight(const record::BatchHeader& header, uint64_t position) {
  const uint32_t expected = header.crc();
  const uint64_t end = position + static_cast<uint64_t>(header.size_bytes());
  uint32_t crc = 0;
  for (uint64_t at = position + record::kCheckedFrom; at < end;) {
    ByteView piece = Some(at, end - at);
    if (piece.empty()) return false;
    crc = Crc32c(piece, crc);
    at += piece.size();
  }
  return crc == expected;
}

SegmentScan::Answer SegmentScan::Judge(Answer answer) { return error_ ? kFailed : answer; }

SegmentScan::Answer SegmentScan::Next() {
  position_ = next_;
  if (position_ == end_) return kEnd;
  ByteView bytes = Window(position_, record::kBatchHeaderBytes);
  has_header_ = bytes.size() == record::kBatchHeaderBytes;
  if (!has_header_) return Judge(kDamaged);
  std::memcpy(header_, bytes.data(), sizeof header_);
  if (!HeaderIsPlausible(header(), position_)) return kDamaged;
  if (depth_ == kCheckCrc && !CrcIsRight(header(), position_)) return Judge(kDamaged);
  size_bytes_ = static_cast<uint32_t>(header().size_bytes());
  next_ = position_ + size_bytes_;
  marker_.reset();
  if (header().is_control() && size_bytes_ <= kLargestMarkerBytes) {
    ByteView whole = Window(position_, size_bytes_);
    if (whole.size() == size_bytes_) marker_ = ParseTransactionMarker(record::BatchView(whole));
  }
  return Judge(kBatch);
}

bool SegmentScan::IsWholeBatchAt(uint64_t position, Offset at_least, Offset below) {
  ByteView bytes = Window(position, record::kBatchHeaderBytes);
  if (bytes.size() < record::kBatchHeaderBytes) return false;
  uint8_t copy[record::kBatchHeaderBytes];  // the window moves on while the checksum is made
  std::memcpy(copy, bytes.data(), sizeof copy);
  record::BatchHeader header{ByteView(copy)};
  if (header.base_offset() < at_least || header.base_offset() >= below) return false;
  return HeaderIsPlausible(header, position) && CrcIsRight(header, position);
}

// Where the damaged batch says that it ends, if its checksum is right (its base offset is what is wrong), or if a batch
// begins there that continues its offsets; else its second byte.
uint64_t SegmentScan::FirstBehindDamage(Offset below) {
  bool has_length = has_header_ && header().length_is_sane() && static_cast<uint64_t>(header().size_bytes()) <= end_ - position_;
  if (!has_length) return position_ + 1;
  const uint64_t end = position_ + static_cast<uint64_t>(header().size_bytes());
  const Offset next = header().next_offset();
  bool is_credible = CrcIsRight(header(), position_) || (next < below && IsWholeBatchAt(end, next, next + 1));
  return is_credible ? end : position_ + 1;
}

// Byte by byte, looking for the magic: what is damaged may be the very length that says where the next batch begins.
bool SegmentScan::Resynchronize(Offset at_least, Offset below) {
  for (uint64_t at = FirstBehindDamage(below); at + record::kBatchHeaderBytes <= end_ && !error_;) {
    ByteView bytes = Some(at + record::kMagicAt, end_);
    if (bytes.empty()) return false;
    const void* found = std::memchr(bytes.data(), record::kMagic, bytes.size());
    if (found == nullptr) {
      at += bytes.size();
      continue;
    }
    at += static_cast<uint64_t>(static_cast<const uint8_t*>(found) - bytes.data());
    if (IsWholeBatchAt(at, at_least, below)) {
      next_ = at;
      return true;
    }
    ++at;
  }
  return false;
}

}  // namespace kb::log

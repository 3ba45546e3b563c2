#include "protocol/reader.h"

namespace kb::protocol {

uint32_t Reader::ReadLongUvarint() {
  uint32_t value = 0;
  size_t taken = kb::ReadUvarint(rest(), &value);
  if (taken == 0) Fail();
  at_ += taken;
  return value;
}

int32_t Reader::ReadVarint() {
  int32_t value = 0;
  size_t taken = kb::ReadVarint(rest(), &value);
  if (taken == 0) Fail();
  at_ += taken;
  return value;
}

int64_t Reader::ReadVarlong() {
  int64_t value = 0;
  size_t taken = kb::ReadVarlong(rest(), &value);
  if (taken == 0) Fail();
  at_ += taken;
  return value;
}

void Reader::KeepTagSection(Arena& arena, Array<RawTag>& unknown) {
  for (TagSection tags(*this, arena, unknown); tags.Next();) tags.Keep();
}

bool TagSection::NextTag() {
  if (started_ && reader_.position() != end_) reader_.Fail();
  started_ = true;
  if (left_ <= 0 || !reader_.ok()) {
    Finish();
    return false;
  }
  --left_;
  number_ = reader_.ReadUvarint();
  uint32_t size = reader_.ReadUvarint();
  if (size > reader_.left()) reader_.Fail();
  end_ = reader_.position() + size;
  return reader_.ok();
}

void TagSection::Keep() {
  if (unknown_.size() >= 4 && reader_.memory_left_ < sizeof(RawTag)) return reader_.Fail();
  if (reader_.memory_left_ != SIZE_MAX) reader_.memory_left_ -= std::min(reader_.memory_left_, 2 * sizeof(RawTag));
  ByteView bytes = reader_.Take(end_ - reader_.position());
  unknown_.Add(arena_, RawTag{number_, bytes});
}

void TagSection::Finish() {
  auto lower = [](const RawTag& a, const RawTag& b) { return a.number < b.number; };
  if (!std::is_sorted(unknown_.begin(), unknown_.end(), lower)) {
    std::stable_sort(unknown_.begin(), unknown_.end(), lower);
  }
}

}  // namespace kb::protocol

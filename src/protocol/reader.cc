#include "protocol/reader.h"

#include <functional>

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

void TagSection::Keep() {
  constexpr size_t kMemory = 2 * sizeof(RawTag);  // the array doubles
  if (reader_.memory_left_ < kMemory) return reader_.Fail();
  reader_.memory_left_ -= kMemory;
  ByteView bytes = reader_.Take(size_);
  if (!reader_.ok()) return;
  unknown_.Add(arena_, RawTag{number_, bytes});
  ++kept_;
}

void TagSection::Sort() {
  auto lower = [](const RawTag& a, const RawTag& b) { return a.number < b.number; };
  if (std::is_sorted(unknown_.begin(), unknown_.end(), lower)) return;
  // By place in the frame where the numbers are the same. std::stable_sort would take memory that a request controls.
  std::sort(unknown_.begin(), unknown_.end(), [](const RawTag& a, const RawTag& b) {
    return a.number != b.number ? a.number < b.number : std::less<>()(a.bytes.data(), b.bytes.data());
  });
}

}  // namespace kb::protocol

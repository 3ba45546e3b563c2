#include "log/offset_map.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kb::log {
namespace {

constexpr size_t kFirstSlots = 1024;

uint64_t LittleEndian(const uint8_t* from, size_t bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes; ++i) word |= uint64_t{from[i]} << (8 * i);
  return word;
}

struct SipState {
  uint64_t a, b, c, d;

  void Round() {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32);
    c += b;
    a += d;
    b = std::rotl(b, 17) ^ c;
    d = std::rotl(d, 21) ^ a;
    c = std::rotl(c, 32);
  }
  void Rounds(int count) {
    while (count-- > 0) Round();
  }
  void Absorb(uint64_t word) {
    d ^= word;
    Rounds(2);
    a ^= word;
  }
  uint64_t Fold() const { return a ^ b ^ c ^ d; }
};

}  // namespace

KeyHash HashKey(ByteView key, uint64_t secret0, uint64_t secret1) {
  // The constants spell "somepseudorandomlygeneratedbytes".
  SipState state{secret0 ^ 0x736f6d6570736575, secret1 ^ 0x646f72616e646f6d ^ 0xee, secret0 ^ 0x6c7967656e657261,
                 secret1 ^ 0x7465646279746573};
  const size_t whole = key.size() & ~size_t{7};
  for (size_t at = 0; at < whole; at += 8) state.Absorb(LittleEndian(key.data() + at, 8));
  state.Absorb(LittleEndian(key.data() + whole, key.size() - whole) | uint64_t{key.size()} << 56);
  state.c ^= 0xee;
  state.Rounds(4);
  KeyHash hash;
  hash.low = state.Fold();
  state.b ^= 0xdd;
  state.Rounds(4);
  hash.high = state.Fold();
  return hash;
}

OffsetMap::OffsetMap(const Options& options)
    : options_(options),
      most_slots_(std::max<size_t>(options.most_bytes / kSlotBytes, 2)),
      slots_(std::min(kFirstSlots, most_slots_)) {}

size_t OffsetMap::Room(size_t slots) const {
  size_t room = static_cast<size_t>(static_cast<double>(slots) * options_.load_factor);
  return std::clamp<size_t>(room, 1, slots - 1);  // one slot stays free: a search ends there
}

OffsetMap::Slot& OffsetMap::SlotFor(const KeyHash& hash) {
  // The hash as a fraction of the table: any number of slots will do.
  auto at = static_cast<size_t>((static_cast<unsigned __int128>(hash.high) * slots_.size()) >> 64);
  while (slots_[at].offset >= 0 && slots_[at].hash != hash) at = at + 1 == slots_.size() ? 0 : at + 1;
  return slots_[at];
}

bool OffsetMap::Grow() {
  if (slots_.size() >= most_slots_) return false;
  std::vector<Slot> old(std::min(slots_.size() * 2, most_slots_));
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (slot.offset >= 0) SlotFor(slot.hash) = slot;
  }
  return true;
}

bool OffsetMap::Put(ByteView key, Offset offset) {
  const KeyHash hash = HashKey(key, options_.secret[0], options_.secret[1]);
  Slot* slot = &SlotFor(hash);
  if (slot->offset < 0) {
    if (size_ >= Room(slots_.size())) {
      if (!Grow()) return false;
      slot = &SlotFor(hash);
    }
    ++size_;
  }
  slot->hash = hash;
  slot->offset = offset.value();
  return true;
}

std::optional<Offset> OffsetMap::Find(ByteView key) const {
  const Slot& slot = SlotFor(HashKey(key, options_.secret[0], options_.secret[1]));
  if (slot.offset < 0) return std::nullopt;
  return Offset(slot.offset);
}

}  // namespace kb::log

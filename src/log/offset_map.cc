#include "log/offset_map.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kb::log {
namespace {

constexpr size_t kMostTables = 64;
constexpr size_t kLeastSlots = 4096;  // of a table that is full, where there are several
constexpr size_t kFirstSlots = 64;
constexpr double kQuickLoad = 0.6;  // where there may be more slots: at 0.9 a search looks at ten times as many

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

OffsetMap::OffsetMap(const Options& options) : options_(options) {
  const size_t slots = options.most_bytes / kSlotBytes;
  tables_.resize(std::clamp<size_t>(slots / kLeastSlots, 1, kMostTables));
  most_slots_ = std::max<size_t>(slots / tables_.size(), 2);
  for (Table& table : tables_) table.slots.resize(std::min(kFirstSlots, most_slots_));
}

size_t OffsetMap::size_bytes() const {
  size_t bytes = 0;
  for (const Table& table : tables_) bytes += table.slots.size() * kSlotBytes;
  return bytes;
}

size_t OffsetMap::Room(size_t slots) const {
  const double load = slots < most_slots_ ? std::min(kQuickLoad, options_.load_factor) : options_.load_factor;
  size_t room = static_cast<size_t>(static_cast<double>(slots) * load);
  return std::clamp<size_t>(room, 1, slots - 1);  // one slot stays free: a search ends there
}

// The hash as a fraction of the table: any number of slots will do.
size_t OffsetMap::HomeOf(const Table& table, const KeyHash& hash) {
  return static_cast<size_t>((static_cast<unsigned __int128>(hash.high) * table.slots.size()) >> 64);
}

size_t OffsetMap::SlotFor(const Table& table, const KeyHash& hash) {
  const std::vector<Slot>& slots = table.slots;
  size_t at = HomeOf(table, hash);
  while (slots[at].offset >= 0 && slots[at].hash != hash) at = at + 1 == slots.size() ? 0 : at + 1;
  return at;
}

bool OffsetMap::Grow(Table& table) {
  if (table.slots.size() >= most_slots_) return false;
  std::vector<Slot> old(std::min(table.slots.size() * 2, most_slots_));
  std::swap(old, table.slots);
  for (const Slot& slot : old) {
    if (slot.offset >= 0) table.slots[SlotFor(table, slot.hash)] = slot;
  }
  return true;
}

KeyHash OffsetMap::Hash(ByteView key) const {
  const KeyHash hash = HashKey(key, options_.secret[0], options_.secret[1]);
  const Table& table = tables_[TableFor(hash)];
  __builtin_prefetch(&table.slots[HomeOf(table, hash)], 1);
  return hash;
}

bool OffsetMap::Put(const KeyHash& hash, Offset offset) {
  Table& table = tables_[TableFor(hash)];
  size_t at = SlotFor(table, hash);
  if (table.slots[at].offset < 0) {
    if (table.size >= Room(table.slots.size())) {
      if (!Grow(table)) return false;
      at = SlotFor(table, hash);
    }
    ++table.size;
    ++size_;
  }
  table.slots[at] = {hash, offset.value()};
  return true;
}

std::optional<Offset> OffsetMap::Find(const KeyHash& hash) const {
  const Table& table = tables_[TableFor(hash)];
  const Slot& slot = table.slots[SlotFor(table, hash)];
  if (slot.offset < 0) return std::nullopt;
  return Offset(slot.offset);
}

}  // namespace kb::log

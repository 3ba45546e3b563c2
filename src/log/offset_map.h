// OffsetMap: the last offset of every key that a cleaning has seen. Keys are not kept: 128 bits stand for one, made
// with a secret that is drawn for each cleaning, so that nobody can make two keys that are taken for each other (the
// older one would be lost).
//
// 24 bytes a slot in up to 64 tables, which the hash deals the keys to. A table begins small, and is doubled when it is
// filled to 0.6, or, where it may not be larger, to the load factor. All together are never larger than most_bytes, and
// while one is doubled only that one is there twice.
//
// Most of a search is waiting for memory: hash some keys first, which asks for their slots, and then look them up.
//
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "model/ids.h"

namespace kb::log {

struct KeyHash {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const KeyHash&) const = default;
};

// SipHash-2-4 with 128 bits of output.
KeyHash HashKey(ByteView key, uint64_t secret0, uint64_t secret1);

class OffsetMap {
 public:
  struct Options {
    size_t most_bytes = 128 << 20;
    double load_factor = 0.9;
    uint64_t secret[2] = {0, 0};
  };
  static constexpr size_t kSlotBytes = 24;

  explicit OffsetMap(const Options& options);

  KeyHash Hash(ByteView key) const;
  // Notes that the key was seen at `offset`, which is above all earlier ones. False: there is no room for another key.
  bool Put(const KeyHash& hash, Offset offset);
  std::optional<Offset> Find(const KeyHash& hash) const;
  size_t size() const { return size_; }
  size_t size_bytes() const;

 private:
  struct Slot {
    KeyHash hash;
    int64_t offset = -1;  // -1: free
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  struct Table {
    std::vector<Slot> slots;
    size_t size = 0;
  };
  static size_t HomeOf(const Table& table, const KeyHash& hash);
  static size_t SlotFor(const Table& table, const KeyHash& hash);
  size_t TableFor(const KeyHash& hash) const { return hash.low % tables_.size(); }
  size_t Room(size_t slots) const;
  bool Grow(Table& table);

  const Options options_;
  size_t most_slots_;  // of a table
  std::vector<Table> tables_;
  size_t size_ = 0;
};

}  // namespace kb::log

#include "group/java_order.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/bytes.h"

namespace kb::group {
namespace {

constexpr size_t kSmallestTable = 16;
constexpr size_t kTreeTable = 64;  // a smaller table doubles where this one would grow a tree
constexpr uint8_t kLongestBin = 8;

uint64_t MostSignificant(const Uuid& id) {
  return LoadBigEndian<uint64_t>(id.bytes().data());
}
uint64_t LeastSignificant(const Uuid& id) {
  return LoadBigEndian<uint64_t>(id.bytes().data() + 8);
}

// The upper half of a hash is folded into the lower one, which alone decides in a small table.
size_t Bin(int32_t hash, size_t table) {
  auto bits = static_cast<uint32_t>(hash);
  return (bits ^ bits >> 16) & (table - 1);
}

size_t FirstTable(TableSize size, size_t elements, size_t said) {
  if (size == TableSize::kGrown) return kSmallestTable;
  size_t wanted = static_cast<size_t>(static_cast<float>(std::max(said, elements)) / 0.75f) + 1;
  return std::bit_ceil(std::max(wanted, kSmallestTable));
}

// Elements of each bin, up to what matters of it.
class Bins {
 public:
  Bins(size_t table, std::span<const int32_t> hashes) : counts_(table) {
    for (int32_t hash : hashes) Add(hash);
  }
  bool Full(int32_t hash) const { return counts_[Bin(hash, counts_.size())] >= kLongestBin; }
  void Add(int32_t hash) {
    uint8_t& count = counts_[Bin(hash, counts_.size())];
    if (count < kLongestBin) ++count;
  }

 private:
  std::vector<uint8_t> counts_;
};

// How large the table is at the end. It doubles when it is three quarters full, and, while small, for a bin that is
// full.
size_t LastTable(std::span<const int32_t> hashes, size_t table) {
  Bins bins(table, {});
  for (size_t i = 0; i < hashes.size(); ++i) {
    size_t before = table;
    if (table < kTreeTable && bins.Full(hashes[i])) table *= 2;
    if (i + 1 > table / 4 * 3) table *= 2;
    if (table == before) {
      bins.Add(hashes[i]);
    } else {
      bins = Bins(table, hashes.first(i + 1));
    }
  }
  return table;
}

template <typename Slot>
std::vector<uint32_t> SortedBySlot(size_t elements, Slot slot) {
  std::vector<uint64_t> keys(elements);  // slot, then index
  for (size_t i = 0; i < elements; ++i) keys[i] = static_cast<uint64_t>(slot(i)) << 32 | i;
  std::sort(keys.begin(), keys.end());
  std::vector<uint32_t> order(elements);
  std::transform(keys.begin(), keys.end(), order.begin(), [](uint64_t key) { return static_cast<uint32_t>(key); });
  return order;
}

}  // namespace

int32_t JavaHash(const Uuid& id) {
  uint64_t both = MostSignificant(id) ^ LeastSignificant(id);
  return static_cast<int32_t>(static_cast<uint32_t>(both >> 32) ^ static_cast<uint32_t>(both));
}

std::vector<uint32_t> JavaWalk(std::span<const int32_t> hashes, TableSize size, size_t said) {
  size_t table = LastTable(hashes, FirstTable(size, hashes.size(), said));
  return SortedBySlot(hashes.size(), [&](size_t i) { return Bin(hashes[i], table); });
}

// Its table starts with 2 slots and doubles when three quarters of one element more are more than it has. The slot is
// the top bits of a product. A slot with several elements is walked from the last one back.
std::vector<uint32_t> TimelineWalk(std::span<const int32_t> hashes) {
  int bits = 1;
  while (static_cast<double>(hashes.size() + 1) * 0.75 > static_cast<double>(uint64_t{1} << bits)) ++bits;
  auto slot = [&](size_t i) {
    auto product = static_cast<uint64_t>(int64_t{hashes[i]}) * 0x9e3779b97f4a7c15u;
    return product >> (64 - bits);
  };
  size_t last = hashes.size() - 1;  // backwards, so that the later of two in a slot comes first
  std::vector<uint32_t> order = SortedBySlot(hashes.size(), [&](size_t i) { return slot(last - i); });
  for (uint32_t& index : order) index = static_cast<uint32_t>(last - index);
  return order;
}

bool JavaLess(std::string_view a_utf8, std::string_view b_utf8) {
  auto [a, b] = std::mismatch(a_utf8.begin(), a_utf8.end(), b_utf8.begin(), b_utf8.end());
  if (a == a_utf8.end() || b == b_utf8.end()) return b != b_utf8.end();
  // Bytes of UTF-8 sort as code points do. UTF-16 differs in one thing: what takes a pair of units (first byte f0 and
  // up) begins with a unit below U+E000 (first byte ee and ef).
  auto rank = [](char byte) {
    auto value = static_cast<uint8_t>(byte);
    return value == 0xee || value == 0xef ? value + 0x10 : value >= 0xf0 ? value - 2 : value;
  };
  return rank(*a) < rank(*b);
}

bool JavaLess(const Uuid& a, const Uuid& b) {
  auto numbers = [](const Uuid& id) {
    return std::pair(static_cast<int64_t>(MostSignificant(id)), static_cast<int64_t>(LeastSignificant(id)));
  };
  return numbers(a) < numbers(b);
}

}  // namespace kb::group

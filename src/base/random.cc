#include "base/random.h"

#include <sys/random.h>

#include <bit>

#include "base/check.h"

namespace kb {
namespace {

// splitmix64: spreads a seed over the whole state, so that near seeds give unlike runs.
uint64_t Spread(uint64_t& seed) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = Spread(seed);
}

uint64_t Random::Next() {
  uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

Uuid Random::NextUuid() {
  for (;;) {
    uint64_t high = (Next() & ~uint64_t{0xf000}) | 0x4000;                 // version 4
    uint64_t low = (Next() & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant 2
    Uuid id(high, low);
    if (id.ToString()[0] != '-') return id;
  }
}

uint64_t EntropySeed() {
  uint64_t seed;
  KB_CHECK(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace kb

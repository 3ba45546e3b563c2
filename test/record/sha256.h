// SHA-256 (FIPS 180-4), for golden values that are recorded by their hash.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace kb::record {

// The first 32 bits of the fractional parts of the roots of the first primes: the constants of the standard.
template <size_t kCount>
std::array<uint32_t, kCount> RootsOfPrimes(long double (*root)(long double)) {
  std::array<uint32_t, kCount> words;
  size_t found = 0;
  for (int candidate = 2; found < kCount; ++candidate) {
    bool prime = true;
    for (int divisor = 2; divisor * divisor <= candidate; ++divisor) prime = prime && candidate % divisor != 0;
    if (!prime) continue;
    long double value = root(candidate);
    words[found++] = static_cast<uint32_t>((value - std::floor(value)) * 4294967296.0L);
  }
  return words;
}

inline std::string Sha256Hex(ByteView message) {
  static const auto k = RootsOfPrimes<64>([](long double x) { return std::cbrt(x); });
  auto state = RootsOfPrimes<8>([](long double x) { return std::sqrt(x); });
  std::vector<uint8_t> padded(message.begin(), message.end());
  padded.push_back(0x80);
  while (padded.size() % 64 != 56) padded.push_back(0);
  padded.resize(padded.size() + 8);
  StoreBigEndian(padded.data() + padded.size() - 8, uint64_t{message.size()} * 8);
  for (size_t at = 0; at < padded.size(); at += 64) {
    uint32_t w[64];
    for (size_t i = 0; i < 16; ++i) w[i] = LoadBigEndian<uint32_t>(padded.data() + at + 4 * i);
    for (size_t i = 16; i < 64; ++i) {
      uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (size_t i = 0; i < 64; ++i) {
      uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
      uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; ++i) state[i] += added[i];
  }
  std::string hex;
  for (uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 15];
  }
  return hex;
}

}  // namespace kb::record

// Reads the golden batches: lines of JSON, gzipped, that Apache Kafka 4.3.1 wrote and decoded
// (test/golden/vectors/batches).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "record/compression.h"

namespace kb::record {

using nlohmann::json;

inline std::vector<uint8_t> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<uint8_t> Unpack(Codec codec, ByteView packed, Unpacked expected_end = Unpacked::kEnd) {
  Decompressor decompressor;
  decompressor.Start(codec, packed, size_t{1} << 30);
  std::vector<uint8_t> all;
  ByteView piece;
  Unpacked answer;
  while ((answer = decompressor.Next(&piece)) == Unpacked::kPiece) all.insert(all.end(), piece.begin(), piece.end());
  EXPECT_EQ(answer, expected_end);
  return all;
}

// name: below test/golden.
inline std::vector<json> ReadGolden(const std::string& name) {
  std::vector<uint8_t> text = ReadFile(std::string(GOLDEN_SOURCE_DIR) + "/" + name);
  if (name.ends_with(".gz")) text = Unpack(Codec::kGzip, text);
  std::vector<json> lines;
  for (auto at = text.begin(); at != text.end();) {
    auto end = std::find(at, text.end(), '\n');
    lines.push_back(json::parse(at, end));
    at = end == text.end() ? end : end + 1;
  }
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

inline std::vector<uint8_t> FromHex(std::string_view hex) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

inline std::string ToHex(ByteView bytes) {
  std::string hex;
  for (uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

inline std::vector<uint8_t> FromBase64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    size_t value = kDigits.find(c);
    if (value == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<uint8_t>(bits >> held));
    }
  }
  return bytes;
}

}  // namespace kb::record

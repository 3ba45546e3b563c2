// What Apache Kafka wrote, below test/golden: files, and archives of whole data directories (.tar.zst).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "record/compression.h"
#include "support/tar.h"

namespace kb::test {

inline std::string ReadGoldenFile(const std::string& name) {
  std::ifstream file(std::string(GOLDEN_SOURCE_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Content by path.
inline std::map<std::string, std::string> ReadGoldenArchive(const std::string& name) {
  const std::string packed = ReadGoldenFile(name);
  record::Decompressor decompressor;
  decompressor.Start(record::Codec::kZstd, AsBytes(packed), 64 << 20);
  std::string all;
  ByteView piece;
  while (decompressor.Next(&piece) == record::Unpacked::kPiece) all.append(AsText(piece));
  return ReadTar(all);
}

}  // namespace kb::test

// The data directory that Apache Kafka 4.3.1 wrote, on a disk in memory below /golden.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "record/compression.h"
#include "support/sim_file_system.h"
#include "support/tar.h"

namespace kb::inspect {

inline std::map<std::string, std::string> ReadArchive(const std::string& name) {
  std::ifstream file(std::string(GOLDEN_SOURCE_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::string packed{std::istreambuf_iterator<char>(file), {}};
  record::Decompressor decompressor;
  decompressor.Start(record::Codec::kZstd, AsBytes(packed), 64 << 20);
  std::string all;
  ByteView piece;
  while (decompressor.Next(&piece) == record::Unpacked::kPiece) all.append(AsText(piece));
  return test::ReadTar(all);
}

inline void PutGoldenDirectory(const std::string& archive, test::SimFileSystem& files) {
  for (auto& [path, content] : ReadArchive("storage/" + archive)) {
    files.Put("/golden/" + path.substr(path.find('/') + 1), content);
  }
  files.Cut(test::PowerLoss::kNothing);
}

}  // namespace kb::inspect

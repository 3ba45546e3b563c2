// The fuzz targets without a fuzzer: all golden bytes, what fuzzing has found so far (test/fuzz/corpus/codec), and
// seeded damage to both.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "fuzz/codec.h"
#include "message/golden.h"
#include "message/registry.h"

namespace kb::fuzz {
namespace {

using nlohmann::json;

struct Seed {
  const protocol::MessageInfo* info;
  int16_t version;
  std::string body;
};

std::vector<Seed> GoldenSeeds() {
  std::vector<Seed> seeds;
  for (const std::string& file : golden::MessageFiles()) {
    golden::ForEachLine(file, [&](const json& vector) {
      seeds.push_back({message::FindMessage(vector.at("message").get<std::string>()),
                       vector.at("version").get<int16_t>(), golden::FromHex(vector.at("hex").get<std::string>())});
    });
  }
  return seeds;
}

// Cuts, changes, repeats and joins, as a fuzzer would.
std::string Damaged(const std::string& body, const std::string& other, Random& random) {
  std::string bytes = body;
  for (uint64_t times = 1 + random.Below(4); times > 0; --times) {
    size_t at = bytes.empty() ? 0 : random.Below(bytes.size());
    switch (random.Below(5)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random.Next());
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.insert(at, other, random.Below(other.size() + 1), random.Below(20));
        break;
      case 3:
        bytes.erase(at, random.Below(8));
        break;
      default:
        bytes.insert(at, std::string("\xff\xff\xff\xff\x0f", random.Below(6)));
    }
  }
  return bytes;
}

TEST(FuzzCorpus, EveryGoldenBodyInEveryVersion) {
  std::vector<Seed> seeds = GoldenSeeds();
  ASSERT_GT(seeds.size(), 0u);
  for (const Seed& seed : seeds) {
    EXPECT_TRUE(DecodeAndBack(*seed.info, seed.version, AsBytes(seed.body))) << seed.info->name << " v" << seed.version;
    DecodeAndEncodeInEveryVersion(*seed.info, seed.version, AsBytes(seed.body));
  }
}

TEST(FuzzCorpus, EveryGoldenFrame) {
  if (!golden::Has("frames.jsonl.gz")) GTEST_SKIP() << "no frames in " << golden::Folder();
  golden::ForEachLine(golden::Folder() + "/frames.jsonl.gz", [&](const json& vector) {
    if (vector.at("kind") != "request") return;
    EXPECT_TRUE(DecodeRequest(AsBytes(golden::FromHex(vector.at("hex").get<std::string>()).substr(4))));
  });
}

TEST(FuzzCorpus, DamagedGoldenBodies) {
  std::vector<Seed> seeds = GoldenSeeds();
  Random random(20260);
  size_t accepted = 0;
  constexpr size_t kRuns = 100'000;
  for (size_t i = 0; i < kRuns; ++i) {
    const Seed& seed = seeds[random.Below(seeds.size())];
    if (seed.body.size() > 2000) continue;
    std::string bytes = Damaged(seed.body, seeds[random.Below(seeds.size())].body, random);
    std::vector<uint8_t> exact(bytes.begin(), bytes.end());  // asan sees one byte too far
    accepted += DecodeAndBack(*seed.info, seed.version, exact);
  }
  std::cout << accepted << " of " << kRuns << " were accepted" << std::endl;
  EXPECT_GT(accepted, kRuns / 50);
  EXPECT_LT(accepted, kRuns * 9 / 10);
}

TEST(FuzzCorpus, WhatFuzzingHasFound) {
  std::filesystem::path folder = TEST_SOURCE_DIR "/fuzz/corpus/codec";
  ASSERT_TRUE(std::filesystem::is_directory(folder)) << folder;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    ByteView bytes = AsBytes(text);
    DecodeRequest(bytes);
    for (Family family : {Family::kResponses, Family::kStored, Family::kAll}) {
      Chosen chosen = Choose(family, bytes);
      if (chosen.info != nullptr) DecodeAndEncodeInEveryVersion(*chosen.info, chosen.version, chosen.body);
    }
  }
}

}  // namespace
}  // namespace kb::fuzz
